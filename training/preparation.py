# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Parts of a training run, made from its settings: data, model, optimizer, and the progress of an earlier launch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.data_loader import DataLoaderShard
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.scheduler import AcceleratedScheduler
from accelerate.utils import set_seed
from torch import nn
from tqdm.auto import tqdm
from transformers.utils.generic import ModelOutput

from modeling_amess import __version__

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
from .out_of_scope.outlier_exposure import exposed_loss
from .row_selection import select_rows
from .run_folder import RunFolder, TrainingLog, result_settings


# Losses of a batch: `loss`, which is trained on, and its parts.
LossFunction = Callable[[nn.Module, Mapping[str, torch.Tensor]], ModelOutput]


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


def model_loss(model: nn.Module, batch: Mapping[str, torch.Tensor]) -> ModelOutput:
    """Compute the model's own loss of a batch."""
    output: ModelOutput = model(**batch)
    return output


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
    # The main process goes first: it writes the Arrow files that the other processes read.
    with accelerator.main_process_first():
        splits = load_splits(settings)
    rows = select_rows(splits, settings, accelerator.num_processes)
    source = feature_source(settings)

    # The same seed in every process: all of them start from the same weights.
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
    # `rows["train"]` stays the utterances: statistics of the training split are made of them alone.
    train_rows: IntentRows | DescribedRows = rows["train"]
    train_lengths = lengths["train"]
    if settings.train_on_descriptions:
        descriptions = read_label_descriptions(settings, rows["train"].label_names, source.described_as)
        train_rows = DescribedRows(rows["train"], descriptions)
        train_lengths = text_lengths(train_rows, processor)
    loader, sampler = create_train_loader(train_rows, collator, train_lengths, settings, accelerator)
    evaluated = ["validation", "test", *(["train"] if rows["train"].scope.out_of_scope_id is not None else [])]
    evaluators = {
        name: Evaluator(rows[name], collator, lengths[name], settings.per_device_eval_batch_size, accelerator)
        for name in evaluated
        if name in rows
    }

    total_steps = settings.num_train_epochs * sampler.num_steps
    if settings.max_steps is not None:
        total_steps = min(total_steps, settings.max_steps)
    loss_fn: LossFunction = model_loss
    if settings.out_of_scope == "outlier_exposure":
        loss_fn = partial(exposed_loss, weight=settings.outlier_exposure_weight)
    # Parameters are grouped by name, so this comes before `prepare`, which wraps the model and changes the names.
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
    # From here on every process draws its own dropout.
    set_seed(settings.seed, device_specific=True)
    state = TrainerState(loss_sums=[0.0] * accelerator.num_processes)
    if folder.checkpoint is not None:
        state = load_checkpoint(accelerator, folder.checkpoint, facts)
        if accelerator.is_main_process:
            folder.restore(folder.checkpoint, state.step)
        accelerator.wait_for_everyone()
    log = TrainingLog(folder.path / LOG_FILE, accelerator)
    if folder.checkpoint is None:
        log.start(__version__)

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
