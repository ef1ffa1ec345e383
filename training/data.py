# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""From a data set's columns to batches: rows with the chosen modalities, length buckets, collation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.data_loader import DataLoaderShard
from torch.utils.data import Dataset, Sampler

from .arguments import SettingsError, TrainingSettings
from .dialogue_context import COLUMNS as DIALOGUE_COLUMNS
from .dialogue_context import dialogue_contexts
from .feature_source import is_extraction


# Sorting by length happens inside windows of this many optimizer steps: nearly the padding of a full sort, while which
# utterances meet in a batch still changes every epoch.
STEPS_PER_WINDOW = 32


class IntentRows(Dataset):
    """
    One split as `{id, text, label, video_features, audio_features}` rows, read when they are asked for: features stay
    in the split's Arrow file.

    Args:
        split: a `datasets.Dataset`, or a map-style data set with its columns (and `set_epoch` if it changes by epoch).
        modalities: of text, video, audio; the text of a run without text is "".
        indices: which rows of the split; all by default. A selection is fixed: `set_epoch` does not reach the split.
        context_utterances: so many previous utterances of the same dialogue and split come with a row as `context`,
            whether they are among `indices` or not; 0 for no such entry.

    Raises:
        SettingsError: the split lacks a column that is needed.
    """

    def __init__(
        self,
        split: Any,
        modalities: Sequence[str],
        indices: Sequence[int] | None = None,
        context_utterances: int = 0,
    ):
        self.modalities = tuple(modalities)
        self.feature_names = [f"{name}_features" for name in ("video", "audio") if name in self.modalities]
        missing = [name for name in ("text", "label", *self.feature_names) if name not in split.column_names]
        if missing:
            raise SettingsError(
                f"The data set has no column {', '.join(missing)} (its columns: {', '.join(split.column_names)}). "
                f"Choose --modalities accordingly."
            )
        self.contexts = None
        if context_utterances:
            if not set(DIALOGUE_COLUMNS) <= set(split.column_names):
                raise SettingsError(
                    f"context_utterances={context_utterances} needs the columns {' and '.join(DIALOGUE_COLUMNS)}, "
                    f"which the data set does not have (its columns: {', '.join(split.column_names)})."
                )
            columns = split.select_columns([*DIALOGUE_COLUMNS, "text"]).with_format(None)
            self.contexts = dialogue_contexts(*(columns[name][:] for name in columns.column_names), context_utterances)
        self.label_names = list(split.features["label"].names)
        self.table = split if isinstance(split, datasets.Dataset) else None
        if self.table is not None:
            columns = [name for name in ("id", "text", "label") if name in split.column_names]
            self.table = split.select_columns(columns).with_format(None)
            # Columns that are not selected are not read from disk.
            split = split.select_columns(columns + self.feature_names).with_format("numpy")
        self.split = split
        self.indices = None if indices is None else [int(index) for index in indices]

    def __len__(self) -> int:
        return len(self.split) if self.indices is None else len(self.indices)

    def __getitem__(self, index: int) -> dict[str, Any]:
        position = int(index) if self.indices is None else self.indices[index]
        row = self.split[position]
        return {
            "id": str(row.get("id", index)),
            "text": str(row["text"]) if "text" in self.modalities else "",
            "label": int(row["label"]),
            **({} if self.contexts is None else {"context": self.contexts[position]}),
            **{name: row[name] for name in self.feature_names},
        }

    def set_epoch(self, epoch: int) -> None:
        """Tell a split that changes by epoch (the planted benchmark's) which epoch it is."""
        if self.indices is None and hasattr(self.split, "set_epoch"):
            self.split.set_epoch(epoch)

    @property
    def changes_by_epoch(self) -> bool:
        """Whether another epoch has other rows."""
        return self.indices is None and hasattr(self.split, "set_epoch")

    def column(self, name: str) -> list | None:
        """
        All values of `id`, `text`, `label` or `context`, without reading features; `None` where the split has no such
        way.
        """
        if name == "context":
            if self.contexts is None or self.indices is None:
                return self.contexts
            return [self.contexts[index] for index in self.indices]
        if self.table is not None:
            if name not in self.table.column_names:
                return None
            values = self.table[name][:]
            return values if self.indices is None else [values[index] for index in self.indices]
        if name in ("text", "label") and hasattr(self.split, "clip"):
            # A planted row without its features; of the present epoch.
            indices = range(len(self.split)) if self.indices is None else self.indices
            return [getattr(self.split.clip(index), name) for index in indices]
        return None

    def feature_sizes(self) -> dict[str, int | None]:
        """`video_feature_size` and `audio_feature_size`, from the first row; `None` for a modality left out."""
        row = self[0]
        sizes = {f"{name}_feature_size": None for name in ("video", "audio")}
        for name in self.feature_names:
            sizes[name.removesuffix("s") + "_size"] = int(np.asarray(row[name]).shape[-1])
        return sizes


def load_splits(settings: TrainingSettings) -> dict[str, Any]:
    """
    The splits of `settings.dataset`: one of `dataset_scripts`, or a folder that `amess extract` or
    `DatasetDict.save_to_disk` wrote.

    Raises:
        SettingsError: none of them, a folder that holds no such data set, an unfinished extraction.
    """
    if settings.dataset in ("sample", "mintrec", "mintrec2", "planted"):
        from dataset_scripts import load_intent_dataset

        wants_features = bool(set(settings.modality_names) & {"video", "audio"})
        try:
            return dict(
                load_intent_dataset(
                    settings.dataset,
                    config_name="features" if wants_features else "text",
                    data_dir=settings.data_dir,
                    scope=settings.scope,
                    **settings.dataset_options,
                )
            )
        except (TypeError, ValueError, FileNotFoundError) as error:
            raise SettingsError(f"The data set {settings.dataset} could not be loaded: {error}") from error
    if not Path(settings.dataset).is_dir():
        raise SettingsError(
            f"dataset={settings.dataset!r} is neither sample, mintrec, mintrec2 or planted nor a folder."
        )
    if is_extraction(settings.dataset):
        return _load_extraction(settings.dataset)
    try:
        return dict(datasets.load_from_disk(settings.dataset))
    except (FileNotFoundError, ValueError) as error:
        raise SettingsError(
            f"The folder {settings.dataset} holds no data set: it must be one that amess extract or "
            "DatasetDict.save_to_disk wrote."
        ) from error


def _load_extraction(folder: str) -> dict[str, Any]:
    from dataset_scripts import load_extracted_features

    try:
        splits = dict(load_extracted_features(folder))
    except ValueError as error:
        raise SettingsError(str(error)) from error
    for name, split in splits.items():
        missing = [column for column in ("text", "label") if column not in split.column_names]
        if missing:
            raise SettingsError(
                f"The clips in {folder} (split {name}) were extracted without {' and '.join(missing)}: give amess "
                "extract a TSV file with the columns clip, text, label and split."
            )
    return splits


def select_rows(splits: dict[str, Any], settings: TrainingSettings, num_processes: int) -> dict[str, IntentRows]:
    """
    The rows that a run trains, validates and tests on, after `shots` and `overfit_batches`.

    Raises:
        SettingsError: no `train` or `validation` split, a class with fewer samples than `shots`.
    """
    for name in ("train", "validation"):
        if name not in splits:
            raise SettingsError(f"The data set has no {name} split; it has {', '.join(splits)}.")
    indices = None
    if settings.shots is not None:
        train = IntentRows(splits["train"], settings.modality_names)
        labels = train.column("label")
        if labels is None or train.changes_by_epoch:
            raise SettingsError(f"shots cannot be drawn from {settings.dataset}, whose labels change by epoch.")
        indices = draw_shots(labels, splits["train"].features["label"].names, settings.shots, settings.seed)
    if settings.overfit_batches is not None:
        pool = np.arange(len(splits["train"])) if indices is None else np.asarray(indices)
        wanted = settings.overfit_batches * settings.batch_size * num_processes * settings.gradient_accumulation_steps
        indices = np.random.default_rng(settings.seed).permutation(pool)[:wanted]
        few = IntentRows(splits["train"], settings.modality_names, indices, settings.context_utterances)
        return {"train": few, "validation": few, "test": few}
    rows = {"train": IntentRows(splits["train"], settings.modality_names, indices, settings.context_utterances)}
    for name in ("validation", "test"):
        if name in splits:
            rows[name] = IntentRows(splits[name], settings.modality_names, None, settings.context_utterances)
    return rows


def draw_shots(labels: Sequence[int], label_names: Sequence[str], shots: int, seed: int) -> list[int]:
    """
    `shots` indices of every label, drawn by the seed, in ascending order.

    Raises:
        SettingsError: a label has fewer samples.
    """
    labels = np.asarray(labels)
    generator = np.random.default_rng(seed)
    chosen = []
    for label, name in enumerate(label_names):
        candidates = np.flatnonzero(labels == label)
        if len(candidates) < shots:
            raise SettingsError(f"shots={shots}, but {name!r} has only {len(candidates)} training samples.")
        chosen.extend(generator.permutation(candidates)[:shots])
    return sorted(int(index) for index in chosen)


def text_lengths(rows: IntentRows, processor: Any) -> np.ndarray | None:
    """
    Tokens of every row's text and context `(rows,)`, or `None` where texts cannot be had without reading the features.
    """
    texts = rows.column("text")
    if texts is None or "text" not in rows.modalities:
        return None
    texts, contexts, lengths = list(texts), rows.column("context"), []
    # In parts: the ids of all texts at once would be the one thing in memory that grows with the number of samples.
    for start in range(0, len(texts), 1000):
        part = slice(start, start + 1000)
        encoded = processor.encode_text(texts[part], None if contexts is None else contexts[part])
        lengths += [len(ids) for ids in encoded["input_ids"]]
    return np.array(lengths, dtype=np.int64)


class BucketBatchSampler(Sampler[list[int]]):
    """
    Batches of indices of similar length for one of several processes.

    An epoch is a list of optimizer steps; a step is `batch_size * num_processes * gradient_accumulation_steps`
    samples, cut by length into one batch for every process and forward pass. Which samples make a step depends on
    `seed`, the epoch and that product only. So processes see disjoint batches of one global order, every sample comes
    once an epoch, any step can be returned to without replaying those before it, and two processes, or two accumulated
    passes, see the samples that one process with twice the batch size sees.

    The last step of an epoch holds the remainder, spread evenly over the processes (`loss_weight` makes up for it).

    Args:
        num_samples: samples of an epoch.
        batch_size: samples per process and forward pass.
        seed: of the order.
        lengths: `(num_samples,)`; without it batches are random.
        gradient_accumulation_steps: forward passes per optimizer step.
        process_index, num_processes: whose batches these are.

    Raises:
        ValueError: fewer samples than processes.
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        *,
        seed: int,
        lengths: Sequence[int] | np.ndarray | None = None,
        gradient_accumulation_steps: int = 1,
        process_index: int = 0,
        num_processes: int = 1,
    ):
        if num_samples < num_processes:
            raise ValueError(f"{num_samples} training samples cannot be shared among {num_processes} processes.")
        if lengths is not None and len(lengths) != num_samples:
            raise ValueError(f"{len(lengths)} lengths for {num_samples} samples.")
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.seed = seed
        self.lengths = None if lengths is None else np.asarray(lengths)
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.process_index = process_index
        self.num_processes = num_processes
        self.epoch = 0
        self.first_step = 0
        # The same in every epoch: only the last step may differ from the others.
        self.step_sizes = [len(step) for step in self._steps()]
        self.num_steps = len(self.step_sizes)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches come next."""
        self.epoch = epoch

    def start_at(self, step: int) -> None:
        """Leave out the first `step` optimizer steps of the epochs to come, until told otherwise; nothing is read."""
        self.first_step = step

    def step_size(self, step: int) -> int:
        """Samples of an optimizer step, over all processes."""
        return self.step_sizes[step]

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps()[self.first_step :]:
            yield from self._own_batches(step)

    def __len__(self) -> int:
        return sum(len(self._own_batches(step)) for step in self._steps()[self.first_step :])

    def loss_weights(self) -> list[float]:
        """
        For each batch of `__iter__` the factor of its mean loss that makes the optimizer step's gradient the mean over
        all its samples, after the averages over processes and over accumulated passes. 1 for full batches.
        """
        weights = []
        for step in self._steps()[self.first_step :]:
            parts = self.num_processes * self.gradient_accumulation_steps
            weights.extend(len(batch) * parts / len(step) for batch in self._own_batches(step))
        return weights

    def _steps(self) -> list[np.ndarray]:
        """The epoch's optimizer steps, each an array of indices sorted by length."""
        generator = np.random.default_rng([self.seed, self.epoch])
        size = self.batch_size * self.num_processes * self.gradient_accumulation_steps
        order = generator.permutation(self.num_samples)
        num_full = self.num_samples // size
        full, rest = order[: num_full * size], order[num_full * size :]
        if self.lengths is not None:
            windows = [
                full[start : start + size * STEPS_PER_WINDOW] for start in range(0, len(full), size * STEPS_PER_WINDOW)
            ]
            full = np.concatenate([self._sorted(window) for window in windows]) if windows else full
        steps = [full[start : start + size] for start in range(0, len(full), size)]
        steps = [steps[index] for index in generator.permutation(len(steps))]
        if len(rest) >= self.num_processes or not steps:
            steps.append(rest)
        elif len(rest):  # Too few for one each: they join the step before.
            steps[-1] = np.concatenate([steps[-1], rest])
        return [self._sorted(step) for step in steps if len(step)]

    def _sorted(self, indices: np.ndarray) -> np.ndarray:
        if self.lengths is None:
            return indices
        return indices[np.argsort(self.lengths[indices], kind="stable")]

    def _own_batches(self, step: np.ndarray) -> list[list[int]]:
        wanted = -(-len(step) // (self.batch_size * self.num_processes))
        # Where a remainder joined the last step, or is too small to give every process something in every pass,
        # batches are one sample larger instead.
        passes = min(wanted, self.gradient_accumulation_steps, len(step) // self.num_processes)
        parts = np.array_split(step, passes * self.num_processes)
        return [part.tolist() for part in parts[self.process_index :: self.num_processes]]


class IntentCollator:
    """Rows to one padded batch with `labels`, by the processor. Padding goes to the longest row of the batch."""

    def __init__(self, processor: Any, modalities: Sequence[str]):
        self.processor = processor
        self.feature_names = [
            f"{name}_features"
            for name in ("video", "audio")
            if name in modalities and getattr(processor, f"{name}_feature_size") is not None
        ]

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        parts = {name: [row[name] for row in rows] for name in self.feature_names}
        if "context" in rows[0]:
            parts["context"] = [row["context"] for row in rows]
        batch = self.processor(text=[row["text"] for row in rows], return_tensors="pt", **parts)
        return {**batch, "labels": torch.tensor([row["label"] for row in rows])}


def create_train_loader(
    rows: IntentRows,
    collator: IntentCollator,
    lengths: np.ndarray | None,
    settings: TrainingSettings,
    accelerator: Accelerator,
) -> tuple[DataLoaderShard, BucketBatchSampler]:
    """The training batches of this process, and the sampler that orders them."""
    try:
        sampler = BucketBatchSampler(
            len(rows),
            settings.batch_size,
            seed=settings.seed,
            lengths=lengths if settings.bucket_by_length else None,
            gradient_accumulation_steps=settings.gradient_accumulation_steps,
            process_index=accelerator.process_index,
            num_processes=accelerator.num_processes,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None
    # Accelerate's own loader class, but not `accelerator.prepare`: the sampler already shares the batches out, and
    # prepare would cut them up again. The class moves batches to the device and tells `accelerator.accumulate` where
    # an epoch ends. Without a generator of its own a loader draws from the one that dropout uses at the start of every
    # pass, and a run resumed in the middle of an epoch would draw once more than an uninterrupted one.
    loader = DataLoaderShard(
        rows,
        device=accelerator.device,
        batch_sampler=sampler,
        collate_fn=collator,
        num_workers=settings.dataloader_num_workers,
        generator=torch.Generator().manual_seed(settings.seed),
    )
    return loader, sampler
