# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Parts of a training run, made from its settings: data, model, optimizer, and the progress of an earlier launch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from accelerate.data_loader import DataLoaderShard
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.scheduler import AcceleratedScheduler
from accelerate.utils import set_seed
from huggingface_hub import snapshot_download
from torch import nn
from tqdm.auto import tqdm
from transformers import CONFIG_NAME

from dataset_scripts.errors import UserError
from modeling_amess import __version__

from .arguments import SENTENCE_METHODS, SettingsError, TrainingSettings
from .baselines.base import BaselinePreTrainedModel
from .batch_sampler import BucketBatchSampler
from .checkpointing import BEST_FOLDER, CONTENT, TrainerState, describe_changes, load_checkpoint, read_checkpoint
from .data import DescribedRows, IntentCollator, IntentRows, create_train_loader, load_splits, text_lengths
from .evaluation import Evaluator
from .feature_source import FeatureSource, feature_source
from .finished_run import LOG_FILE, TRACKER_FOLDER, read_metrics
from .losses import LossFunction, loss_of_settings
from .missing_modalities import DroppedRows
from .model_setup import (
    create_model,
    create_processor,
    model_config_fields,
    read_label_descriptions,
    resolve_text_model,
)
from .models import MODELS
from .optimization import create_optimizer, create_scheduler
from .out_of_scope.outlier_exposure import exposed_loss
from .row_selection import select_rows
from .run_folder import RunFolder, TrainingLog, on_main_process, result_settings


# A fingerprint reads the features of at most about so many rows per split.
_SAMPLED_ROWS = 1000
# Files of a pretrained model that a run reads: weights, configurations, vocabularies.
_MODEL_FILES = (".safetensors", ".bin", ".json", ".txt", ".model")


@dataclass
class Run:
    """Parts of one training run. The Accelerator has prepared model, optimizer and scheduler."""

    settings: TrainingSettings
    accelerator: Accelerator
    folder: RunFolder
    rows: dict[str, IntentRows]
    source: FeatureSource
    processor: Any
    loader: DataLoaderShard
    sampler: BucketBatchSampler
    evaluators: dict[str, Evaluator]
    train_evaluator: Evaluator | None  # with rows out of scope only: their scores are fitted on the training split
    model: nn.Module
    loss_fn: LossFunction
    optimizer: AcceleratedOptimizer
    scheduler: AcceleratedScheduler
    total_steps: int
    facts: dict[str, Any]  # facts that a continued run must share
    state: TrainerState
    log: TrainingLog
    progress: tqdm

    def begin(self) -> None:
        """Make the run folder that of this run, when nothing that the user gave can fail any more.

        Called on every process, after the first step and before anything is written; only the first call counts.
        """
        if self.folder.begun:
            return
        self.folder.begin(self.settings, self.accelerator)
        if self.settings.report_to != "none":
            plain = {
                name: value
                for name, value in asdict(self.settings).items()
                if isinstance(value, (bool, int, float, str))
            }
            self.accelerator.init_trackers(TRACKER_FOLDER, config=plain)
        if self.folder.checkpoint is None:
            self.log.start(__version__)


def prepare(settings: TrainingSettings, accelerator: Accelerator, folder: RunFolder) -> Run:
    """Load data and model, have the Accelerator prepare them, and restore the checkpoint if there is one.

    Raises:
        SettingsError: Data or model do not fit the settings.
        CheckpointError: The checkpoint is not one of this run.
    """
    if settings.shots == 0 and not settings.train_on_descriptions:
        raise SettingsError(
            "shots=0 leaves nothing to train on: add --train_on_descriptions true to learn from the descriptions, or "
            "compare texts with them without training, by python -m training.sentence_embeddings descriptions and "
            "the same settings."
        )
    rows, source = load_rows(settings, accelerator)

    # The same seed in every process: all of them start from the same weights.
    set_seed(settings.seed)
    model_settings = settings
    if folder.checkpoint is not None:
        model_config = former_defaults(settings.model, folder.checkpoint) | settings.model_config
        model_settings = replace(settings, model_config=model_config)
    model = create_model(model_settings, rows["train"].label_names, rows["train"].feature_sizes(), source)
    if isinstance(model, BaselinePreTrainedModel):
        model.read_training_rows(rows["train"])
    processor = create_processor(settings, model)
    accelerator.print(
        f"{settings.model} on {settings.dataset}: {len(rows['train'])} training samples, "
        f"{len(rows['train'].label_names)} intents, {model.num_parameters() / 1e6:.1f} million parameters, "
        f"{accelerator.num_processes} process(es) on {accelerator.device.type}; run folder {folder.path}"
    )

    collator = IntentCollator(processor, settings.modality_names)
    lengths = {name: text_lengths(part, processor) for name, part in rows.items()}
    # `rows["train"]` stays the utterances: statistics of the training split are made of them alone.
    train_rows: IntentRows | DescribedRows = rows["train"]
    train_lengths = lengths["train"]
    if settings.train_on_descriptions:
        descriptions = read_label_descriptions(settings, rows["train"].label_names, source.described_as)
        train_rows = DescribedRows(rows["train"], descriptions)
        train_lengths = text_lengths(train_rows, processor)
    loss_fn = loss_of_settings(settings, rows["train"].label_names, train_rows.column("label") or ())
    dropped = settings.dropped_modalities.split(",")
    batch_rows = DroppedRows(train_rows, settings.modality_dropout, dropped, settings.seed)
    loader, sampler = create_train_loader(
        batch_rows if settings.modality_dropout else train_rows, collator, train_lengths, settings, accelerator
    )
    evaluated = ["validation", "test", *(["train"] if rows["train"].scope.out_of_scope_id is not None else [])]
    evaluators = {
        name: Evaluator(rows[name], collator, lengths[name], settings.per_device_eval_batch_size, accelerator)
        for name in evaluated
        if name in rows
    }

    total_steps = settings.num_train_epochs * sampler.num_steps
    if settings.max_steps is not None:
        total_steps = min(total_steps, settings.max_steps)
    if settings.out_of_scope == "outlier_exposure":
        loss_fn = partial(exposed_loss, weight=settings.outlier_exposure_weight, loss_fn=loss_fn)
    # Parameters are grouped by name, so this comes before `prepare`, which wraps the model and changes the names.
    optimizer = create_optimizer(model, model.new_parameter_names(), settings)
    scheduler = create_scheduler(optimizer, total_steps, settings)
    model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)

    facts = {
        **result_settings(settings),
        "num_processes": accelerator.num_processes,
        "mixed_precision": accelerator.mixed_precision,
        "train_samples": len(rows["train"]),
        "label_names": rows["train"].label_names,
        CONTENT: content_fingerprints(settings, rows, source, accelerator),
    }
    # From here on every process draws its own dropout.
    set_seed(settings.seed, device_specific=True)
    state = TrainerState(loss_sums=[0.0] * accelerator.num_processes)
    if folder.checkpoint is not None:
        state = load_checkpoint(accelerator, folder.checkpoint, facts)
    log = TrainingLog(folder.path / LOG_FILE, accelerator)

    return Run(
        settings=settings,
        accelerator=accelerator,
        folder=folder,
        rows=rows,
        source=source,
        processor=processor,
        loader=loader,
        sampler=sampler,
        train_evaluator=evaluators.pop("train", None),
        evaluators=evaluators,
        model=model,
        loss_fn=loss_fn,
        optimizer=optimizer,
        scheduler=scheduler,
        total_steps=total_steps,
        facts=facts,
        state=state,
        log=log,
        progress=tqdm(total=total_steps, desc=settings.model, unit="step", disable=not accelerator.is_main_process),
    )


def former_defaults(model: str, checkpoint: Path) -> dict[str, Any]:
    """Return the defaults that a model of version 0.1.0 had, where they have changed since.

    Today's default would continue the run with another model.

    Args:
        model: Name of the model.
        checkpoint: Checkpoint that the run continues from.

    Returns:
        Values by field; none for a checkpoint of this version.
    """
    _, run = read_checkpoint(checkpoint)
    config_file = checkpoint / BEST_FOLDER / CONFIG_NAME
    saved = json.loads(config_file.read_text(encoding="utf-8")) if config_file.is_file() else {}
    if CONTENT in run or "amess_version" in saved:  # which 0.1.0 did not record
        return {}
    # A configuration without a field means the former default.
    before, today = MODELS[model].config_class.from_dict({}), MODELS[model].config_class()
    fields = ((name, getattr(before, name), getattr(today, name)) for name in model_config_fields(model))
    return {name: former for name, former, present in fields if former != present}


def load_rows(settings: TrainingSettings, accelerator: Accelerator) -> tuple[dict[str, IntentRows], FeatureSource]:
    """Load the rows of each split, and the origin of their features."""
    # The main process goes first: it writes the Arrow files that the other processes read.
    with accelerator.main_process_first():
        splits = load_splits(settings)
    return select_rows(splits, settings, accelerator.num_processes), feature_source(settings)


def content_fingerprints(
    settings: TrainingSettings, rows: Mapping[str, IntentRows], source: FeatureSource, accelerator: Accelerator
) -> dict[str, str]:
    """Fingerprint what a run is trained on by content, because files change under the same path.

    Args:
        settings: Settings of the run.
        rows: Rows of each split.
        source: Origin of the features.
        accelerator: Accelerator of the launch; its main process reads.

    Returns:
        Hexadecimal digits by setting; for `dataset` by split, as `dataset (train)`. A model whose files are not on
        this machine is left out. No path is in them: metrics.json is published.
    """

    def compute() -> dict[str, str]:
        contents = {f"dataset ({name})": rows_fingerprint(part) for name, part in rows.items()}
        if settings.model not in SENTENCE_METHODS:
            contents["text_model"] = model_fingerprint(resolve_text_model(settings.text_model))
        if uses_descriptions(settings):
            texts = read_label_descriptions(settings, rows["train"].label_names, source.described_as)
            contents["label_descriptions"] = _digest([json.dumps(texts, sort_keys=True).encode()])
            encoder = resolve_text_model(settings.description_model)
            contents["description_model"] = model_fingerprint(encoder)
        return {name: value for name, value in contents.items() if value}

    return on_main_process(accelerator, compute)


def content_changes(settings: TrainingSettings, accelerator: Accelerator, folder: Path) -> list[str]:
    """Say which content differs from what a finished run was trained on; empty if none does, or if none is known."""
    recorded = read_metrics(folder).get(CONTENT)
    if not recorded:
        return []
    try:
        rows, source = load_rows(settings, accelerator)
        return describe_changes(recorded, content_fingerprints(settings, rows, source, accelerator))
    except UserError as error:  # The results of a finished run can be had without its data.
        accelerator.print(f"What the run was trained on is not compared with it: {error}")
        return []


def uses_descriptions(settings: TrainingSettings) -> bool:
    """Whether a run reads the descriptions of the labels."""
    if settings.train_on_descriptions or settings.model == "descriptions":
        return True
    if settings.model in SENTENCE_METHODS or "label_descriptions" not in model_config_fields(settings.model):
        return False
    return bool(settings.model_config.get("use_semantic_synchronization", True))


def rows_fingerprint(rows: IntentRows) -> str:
    """Fingerprint ids, texts and labels of all rows, and the features of at most `_SAMPLED_ROWS` of them.

    Features fill gigabytes, so those of a large split are sampled at equal distances. The features of a split that
    changes by epoch are drawn, not read.
    """
    columns = [json.dumps(rows.column(name), default=str).encode() for name in ("id", "text", "label", "context")]
    columns += [] if rows.soft_labels is None else [np.ascontiguousarray(rows.soft_labels).tobytes()]
    step = -(-len(rows) // _SAMPLED_ROWS)
    sampled = range(0, len(rows), max(step, 1)) if rows.feature_names and not rows.changes_by_epoch else ()

    def parts() -> Iterator[bytes]:
        yield from columns
        for index in sampled:
            row = rows[index]
            for name in rows.feature_names:
                array = np.ascontiguousarray(row[name])
                yield f"{array.dtype} {array.shape}".encode()
                yield array.tobytes()

    return _digest(parts())


def model_fingerprint(name: str) -> str:
    """Fingerprint a pretrained model: its files in a folder, or its commit on the Hub; empty if neither is known."""
    if not Path(name).is_dir():
        try:
            return Path(snapshot_download(name, local_files_only=True)).name
        except (OSError, ValueError):
            return ""
    folder = Path(name)

    def parts() -> Iterator[bytes]:
        for path in sorted(folder.rglob("*")):
            if path.suffix in _MODEL_FILES and path.is_file():
                yield path.relative_to(folder).as_posix().encode()
                with path.open("rb") as stream:
                    while block := stream.read(1 << 24):
                        yield block

    return _digest(parts())


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)};".encode())
        digest.update(part)
    return digest.hexdigest()[:32]
