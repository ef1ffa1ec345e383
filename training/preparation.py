# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The parts of a training run, from its settings: data, model, optimizer, and where training stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from accelerate import Accelerator
from accelerate.data_loader import DataLoaderShard
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.scheduler import AcceleratedScheduler
from accelerate.utils import set_seed
from torch import nn
from tqdm.auto import tqdm

from .arguments import SettingsError, TrainingSettings
from .baselines.base import BaselinePreTrainedModel
from .batch_sampler import BucketBatchSampler
from .checkpointing import TrainerState, load_checkpoint
from .data import DescribedRows, IntentCollator, IntentRows, create_train_loader, load_splits, text_lengths
from .evaluation import Evaluator
from .feature_source import FeatureSource, feature_source
from .finished_run import LOG_FILE
from .model_setup import create_model, create_processor, read_label_descriptions
from .optimization import create_optimizer, create_scheduler
from .out_of_scope.outlier_exposure import expose_to_outliers
from .row_selection import select_rows
from .run_folder import RunFolder, TrainingLog, result_settings


@dataclass
class Run:
    """The parts of one training run. Model, optimizer and scheduler are as prepared by the Accelerator."""

    settings: TrainingSettings
    accelerator: Accelerator
    folder: RunFolder
    rows: dict[str, IntentRows]
    source: FeatureSource
    processor: Any
    loader: DataLoaderShard
    sampler: BucketBatchSampler
    evaluators: dict[str, Evaluator]
    train_evaluator: Evaluator | None  # where there are rows out of scope: their scores are fitted on this split
    model: nn.Module
    optimizer: AcceleratedOptimizer
    scheduler: AcceleratedScheduler
    total_steps: int
    facts: dict[str, Any]  # what a continued run must have the same
    state: TrainerState
    log: TrainingLog
    progress: tqdm


def prepare(settings: TrainingSettings, accelerator: Accelerator, folder: RunFolder) -> Run:
    """Load data and model, put them into the Accelerator's hands and go to where training stopped, if it did.

    Raises:
        SettingsError: data or model do not fit the settings.
    """
    if settings.shots == 0 and not settings.train_on_descriptions:
        raise SettingsError(
            "shots=0 leaves nothing to train on: learn from the descriptions, --train_on_descriptions true, or see "
            "what they tell without training: python -m training.sentence_embeddings descriptions, with the "
            "same settings."
        )
    # The main process goes first: it writes the Arrow files that the others then find.
    with accelerator.main_process_first():
        splits = load_splits(settings)
    rows = select_rows(splits, settings, accelerator.num_processes)
    source = feature_source(settings)

    # The same seed in every process: all start from the same weights.
    set_seed(settings.seed)
    model = create_model(settings, rows["train"].label_names, rows["train"].feature_sizes(), source)
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
    # What is learned from; `rows["train"]` stays the utterances, which statistics of the training split are made of.
    learned, learned_lengths = rows["train"], lengths["train"]
    if settings.train_on_descriptions:
        descriptions = read_label_descriptions(settings, learned.label_names, source.described_as)
        learned = DescribedRows(learned, descriptions)
        learned_lengths = text_lengths(learned, processor)
    loader, sampler = create_train_loader(learned, collator, learned_lengths, settings, accelerator)
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
        expose_to_outliers(model, settings.outlier_exposure_weight)
    # Parameters are grouped by name, so before `prepare` wraps the model and changes the names.
    optimizer = create_optimizer(model, model.new_parameter_names(), settings)
    scheduler = create_scheduler(optimizer, total_steps, settings)
    model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
    if settings.report_to != "none":
        plain = {name: value for name, value in asdict(settings).items() if isinstance(value, (bool, int, float, str))}
        accelerator.init_trackers("amess", config=plain)

    facts = {
        **result_settings(settings),
        "num_processes": accelerator.num_processes,
        "mixed_precision": accelerator.mixed_precision,
        "train_samples": len(rows["train"]),
        "label_names": rows["train"].label_names,
    }
    # From here on every process draws dropout of its own.
    set_seed(settings.seed, device_specific=True)
    state = TrainerState(loss_sums=[0.0] * accelerator.num_processes)
    if folder.checkpoint is not None:
        state = load_checkpoint(accelerator, folder.checkpoint, facts)
        if accelerator.is_main_process:
            folder.restore(state.step)
        accelerator.wait_for_everyone()

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
        optimizer=optimizer,
        scheduler=scheduler,
        total_steps=total_steps,
        facts=facts,
        state=state,
        log=TrainingLog(folder.path / LOG_FILE, accelerator),
        progress=tqdm(total=total_steps, desc=settings.model, unit="step", disable=not accelerator.is_main_process),
    )
