# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""From a data set's columns to batches: rows with the chosen modalities and labels, and their collation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.data_loader import DataLoaderShard
from torch.utils.data import Dataset

from dataset_scripts.errors import leave_interrupts_to_parent
from dataset_scripts.planted import PlantedDataset
from dataset_scripts.registry import DATASETS

from .arguments import SettingsError, TrainingSettings
from .batch_sampler import BucketBatchSampler
from .feature_source import is_extraction
from .label_scope import LabelScope
from .losses import SOFT_LABELS
from .split_checks import checked_splits, feature_size, frame_counts


if TYPE_CHECKING:
    from .missing_modalities import DroppedRows

# In the order in which their labels and features are compared.
RUN_SPLITS = ("train", "validation", "test")
DIALOGUE_COLUMNS = ("dialogue_id", "utterance_id")
# Probabilities may be rounded to three digits.
_ROUNDING = 0.01


def dialogue_contexts(
    dialogue_ids: Sequence[Hashable], utterance_ids: Sequence[Any], texts: Sequence[str], count: int
) -> list[list[str]]:
    """Collect the texts that come before each row in its dialogue, oldest first.

    Only these rows count: MIntRec2.0 in scope skips the utterances of no intent in between, with scope "all" it has
    them. So a result does not depend on files that the data set does not use.

    Args:
        dialogue_ids: Dialogues of one split's rows, in any order.
        utterance_ids: Numbers that order the rows of a dialogue.
        texts: Texts of the rows.
        count: Largest number of texts per row.

    Raises:
        SettingsError: An utterance id is no number, or occurs twice in a dialogue.
    """
    dialogues: dict[Hashable, dict[int, int]] = {}
    for row, (dialogue, utterance) in enumerate(zip(dialogue_ids, utterance_ids, strict=True)):
        try:
            number = int(utterance)
        except (TypeError, ValueError):
            raise SettingsError(
                f"utterance_id={utterance!r} of row {row} is no number, but it orders the dialogue: correct the data "
                "set, or use --context_utterances 0."
            ) from None
        if number in dialogues.setdefault(dialogue, {}):
            raise SettingsError(
                f"Dialogue {dialogue!r} has the utterance_id {number} twice, so that its order is not known: correct "
                "the data set, or use --context_utterances 0."
            )
        dialogues[dialogue][number] = row
    contexts: list[list[str]] = [[] for _ in texts]
    for utterances in dialogues.values():
        rows = [utterances[number] for number in sorted(utterances)]
        for place, row in enumerate(rows):
            contexts[row] = [texts[before] for before in rows[max(place - count, 0) : place]]
    return contexts


class DescribedRows(Dataset[dict[str, Any]]):
    """Training rows, followed by one row per description: its text and label, without video and audio.

    Args:
        rows: Training rows.
        descriptions: Descriptions by label, for some or all of the rows' labels.
    """

    def __init__(self, rows: IntentRows, descriptions: Mapping[str, Sequence[str]]):
        self.rows = rows
        self.modalities = rows.modalities
        sizes = rows.feature_sizes()
        self.described: list[dict[str, Any]] = []
        for label, name in enumerate(rows.label_names):
            for number, text in enumerate(descriptions.get(name, ())):
                row = {"id": f"description-{label}-{number}", "text": text, "label": label}
                if rows.soft_labels is not None:
                    row[SOFT_LABELS] = np.eye(len(rows.label_names), dtype=np.float32)[label]
                if rows.contexts is not None:
                    row["context"] = []
                for feature in rows.feature_names:
                    size = sizes[feature.removesuffix("s") + "_size"]
                    assert size is not None  # the rows have this feature
                    row[feature] = np.zeros((0, size), dtype=np.float32)
                self.described.append(row)

    def __len__(self) -> int:
        return len(self.rows) + len(self.described)

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = int(index)
        return self.rows[index] if index < len(self.rows) else self.described[index - len(self.rows)]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of rows that change by epoch."""
        self.rows.set_epoch(epoch)

    def column(self, name: str) -> list[Any] | None:
        """Return all values of `text`, `label` or `context`, as [`IntentRows.column`] does."""
        values = self.rows.column(name)
        return None if values is None else [*values, *(row[name] for row in self.described)]


class IntentRows(Dataset[dict[str, Any]]):
    """Rows `{id, text, label, video_features, audio_features}` of one split.

    A row is read when a batch needs it; features stay in the split's Arrow file.

    Args:
        split: Split of a data set.
        modalities: Any of text, video, audio; without text, the text of each row is "".
        indices: Rows of the split; all by default. A selection is fixed: `set_epoch` does not reach the split.
        scope: Labels of the model; by default all labels of the data set.
        context_utterances: Largest number of previous utterances of the same dialogue and split that a row has as
            `context`, whether they are among `indices` or not; 0 for rows without `context`.
        soft_labels: Column with the probabilities of each row's labels, which the rows then have as `soft_labels`.

    Raises:
        SettingsError: The split lacks a column, or a row's soft labels are no probabilities of the labels.
    """

    def __init__(
        self,
        split: datasets.Dataset | PlantedDataset,
        modalities: Sequence[str],
        indices: Sequence[int] | None = None,
        scope: LabelScope | None = None,
        context_utterances: int = 0,
        soft_labels: str | None = None,
    ):
        self.modalities = tuple(modalities)
        self.feature_names = [f"{name}_features" for name in ("video", "audio") if name in self.modalities]
        missing = [name for name in ("text", "label", *self.feature_names) if name not in split.column_names]
        if missing:
            raise SettingsError(
                f"The data set has no column {', '.join(missing)} (its columns: {', '.join(split.column_names)}). "
                "Choose --modalities accordingly."
            )
        names = split.features["label"].names
        self.scope = scope or LabelScope(tuple(names), tuple(range(len(names))), None)
        self.label_names = list(self.scope.label_names)
        self.soft_labels: np.ndarray | None = None
        if soft_labels is not None:
            in_order = np.argsort(self.scope.label_ids)
            self.soft_labels = read_soft_labels(split, soft_labels)[:, in_order]
        self.contexts: list[list[str]] | None = None
        if context_utterances:
            # The planted benchmark has no dialogues.
            if isinstance(split, PlantedDataset) or not set(DIALOGUE_COLUMNS) <= set(split.column_names):
                raise SettingsError(
                    f"context_utterances={context_utterances} needs the columns {' and '.join(DIALOGUE_COLUMNS)}, "
                    f"which the data set does not have (its columns: {', '.join(split.column_names)}): use "
                    "--context_utterances 0."
                )
            table = split.select_columns([*DIALOGUE_COLUMNS, "text"]).with_format(None)
            dialogue_ids, utterance_ids, texts = (table[name][:] for name in table.column_names)
            self.contexts = dialogue_contexts(dialogue_ids, utterance_ids, texts, context_utterances)
        self.table: datasets.Dataset | None = None
        self.sizes: dict[str, int | None]
        if isinstance(split, datasets.Dataset):
            columns = [name for name in ("id", "text", "label") if name in split.column_names]
            self.table = split.select_columns(columns).with_format(None)
            # Columns that are not selected are not read from disk.
            split = split.select_columns(columns + self.feature_names).with_format("numpy")
            self.sizes = {name: feature_size(split, name) for name in self.feature_names}
        else:
            first = split[0] if self.feature_names else {}
            self.sizes = {name: first[name].shape[-1] for name in self.feature_names}
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
            "label": self.scope.model_id(int(row["label"])),
            **({} if self.contexts is None else {"context": self.contexts[position]}),
            **({} if self.soft_labels is None else {SOFT_LABELS: self.soft_labels[position]}),
            **{name: self._frames(name, row[name]) for name in self.feature_names},
        }

    def _frames(self, name: str, value: Any) -> Any:
        """The features of a row; an array without frames for a row without features, whatever the column's type."""
        size = self.sizes[name]
        return np.zeros((0, size), np.float32) if size and (not np.ndim(value) or not len(value)) else value

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of a split that changes by epoch."""
        if self.indices is None and isinstance(self.split, PlantedDataset):
            self.split.set_epoch(epoch)

    @property
    def changes_by_epoch(self) -> bool:
        """Whether another epoch has other rows."""
        return self.indices is None and isinstance(self.split, PlantedDataset)

    @property
    def has_planted_bits(self) -> bool:
        """Whether the labels consist of a text's group and of bits in video and audio."""
        return isinstance(self.split, PlantedDataset) and self.split.settings.generator != "noise"

    def column(self, name: str) -> list[Any] | None:
        """Return all values of `id`, `text`, `label` or `context` without reading features.

        Returns:
            The values, or `None` where the split has no such column or cannot give it without the features.
        """
        if name == "context":
            if self.contexts is None or self.indices is None:
                return self.contexts
            return [self.contexts[index] for index in self.indices]
        if self.table is not None:
            if name not in self.table.column_names:
                return None
            values = self.table[name][:]
            if name == "label":
                values = [self.scope.model_id(label) for label in values]
            return values if self.indices is None else [values[index] for index in self.indices]
        if name in ("text", "label") and isinstance(self.split, PlantedDataset):
            # Planted rows of the present epoch, without their features.
            indices = range(len(self.split)) if self.indices is None else self.indices
            clips = [self.split.clip(index) for index in indices]
            if name == "label":
                return [self.scope.model_id(clip.label) for clip in clips]
            return [clip.text for clip in clips]
        return None

    def coverage(self) -> dict[str, int]:
        """Count the rows that have features, by modality; nothing for data that change by epoch, which all have."""
        if self.table is None:
            return {}
        assert isinstance(self.split, datasets.Dataset)
        counts = {name.removesuffix("_features"): frame_counts(self.split, name) for name in self.feature_names}
        chosen = slice(None) if self.indices is None else self.indices
        return {name: int((frames[chosen] > 0).sum()) for name, frames in counts.items()}

    def feature_sizes(self) -> dict[str, int | None]:
        """Return `video_feature_size` and `audio_feature_size`; `None` for a modality that is left out."""
        return {f"{name}_feature_size": self.sizes.get(f"{name}_features") for name in ("video", "audio")}


def read_soft_labels(split: Any, column: str) -> np.ndarray:
    """Read a column with one probability per label.

    Args:
        split: Split of a data set, with `label`.
        column: Name of the column, lists of numbers in the order of the label ids.

    Returns:
        Probabilities `(rows, labels)`, float32.

    Raises:
        SettingsError: There is no such column, or a row's list is of another length, or no probabilities.
    """
    if isinstance(split, PlantedDataset) or column not in split.column_names:
        known = "" if isinstance(split, PlantedDataset) else f" (its columns: {', '.join(split.column_names)})"
        raise SettingsError(
            f"The training split has no column {column!r} for soft_labels{known}: add one to the data set, with one "
            "probability per label."
        )
    names = split.features["label"].names
    rows = split.select_columns([column]).with_format(None)[column][:]
    ids = split.select_columns(["id"]).with_format(None)["id"][:] if "id" in split.column_names else range(len(rows))
    probabilities = np.zeros((len(rows), len(names)), np.float32)
    for index, (name, row) in enumerate(zip(ids, rows, strict=True)):
        try:
            values = np.asarray(row, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.zeros(0)
        if values.shape != (len(names),):
            raise SettingsError(
                f"soft_labels: utterance {name!r} has {str(row)[:60]!r} in the column {column!r}, but {len(names)} "
                f"numbers are needed, the probabilities of {', '.join(names)} in this order. Correct the data set."
            )
        if not np.isfinite(values).all() or (values < 0).any() or abs(values.sum() - 1) > _ROUNDING:
            raise SettingsError(
                f"soft_labels: the numbers of utterance {name!r} in the column {column!r} are no probabilities: they "
                f"must be at least 0 and add up to 1, and they add up to {values.sum():.4g}. Correct the data set."
            )
        probabilities[index] = values / values.sum()
    return probabilities


def load_splits(settings: TrainingSettings) -> dict[str, Any]:
    """Read the splits of a run's data set and check those that the run uses.

    Raises:
        SettingsError: See `read_splits` and `checked_splits`.
    """
    splits = read_splits(
        settings.dataset,
        data_dir=settings.data_dir,
        scope=settings.scope,
        features=bool(set(settings.modality_names) & {"video", "audio"}),
        options=settings.dataset_options,
    )
    # A fold takes the place of the test split, which may be one whose labels are not published.
    names = [name for name in RUN_SPLITS if name != "test" or settings.cross_validation_folds is None]
    checked = checked_splits(
        {name: splits.pop(name) for name in names if name in splits},
        settings.modality_names,
        settings.unlabelled,
        # Builders and the extraction checked the values that they wrote.
        check_values=settings.dataset not in DATASETS and not is_extraction(settings.dataset),
    )
    return {**checked, **splits}


def read_splits(
    dataset: str,
    *,
    data_dir: str | None = None,
    scope: str = "in-scope",
    features: bool = True,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read the splits of a data set.

    Args:
        dataset: Name of a data set of `dataset_scripts`, or a folder that `amess extract` or
            `DatasetDict.save_to_disk` wrote. A folder needs no other argument.
        data_dir: Folder with the released files.
        scope: Utterances of mintrec2: in-scope, out-of-scope or all.
        features: Whether to read video and audio features, too.
        options: More options of the data set.

    Raises:
        SettingsError: There is no such data set or folder, an option does not fit, or an extraction is unfinished.
    """
    if dataset in DATASETS:
        # Here, because a run on a folder needs no builder.
        from dataset_scripts import load_intent_dataset

        name = "features" if features else "text"
        try:
            splits = load_intent_dataset(dataset, config_name=name, data_dir=data_dir, scope=scope, **(options or {}))
        except (TypeError, ValueError, FileNotFoundError) as error:
            raise SettingsError(f"The data set {dataset} could not be loaded: {error}") from error
        return dict(splits)
    if not Path(dataset).is_dir():
        raise SettingsError(f"dataset={dataset!r} is neither a data set ({', '.join(DATASETS)}) nor a folder.")
    if is_extraction(dataset):
        return _read_extraction(dataset)
    try:
        return dict(datasets.load_from_disk(dataset))
    except (FileNotFoundError, ValueError) as error:
        raise SettingsError(
            f"The folder {dataset} holds no data set: give a folder that amess extract or DatasetDict.save_to_disk "
            "wrote."
        ) from error


def _read_extraction(folder: str) -> dict[str, Any]:
    # Here for the same reason as above.
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


def text_lengths(rows: IntentRows | DescribedRows, processor: Any) -> np.ndarray | None:
    """Count the tokens of every row's text and context.

    Args:
        rows: Rows of a split.
        processor: Processor of the model.

    Returns:
        Lengths `(rows,)`, or `None` for rows without text.
    """
    texts = rows.column("text")
    if texts is None or "text" not in rows.modalities:
        return None
    texts, contexts, lengths = list(texts), rows.column("context"), []
    # In parts: the ids of all texts at once would be the only thing in memory that grows with the number of rows.
    for start in range(0, len(texts), 1000):
        part = slice(start, start + 1000)
        encoded = processor.encode_text(texts[part], None if contexts is None else contexts[part])
        lengths += [len(ids) for ids in encoded["input_ids"]]
    return np.array(lengths, dtype=np.int64)


class IntentCollator:
    """Makes one padded batch with `labels` of rows; the longest row of the batch sets the length.

    Args:
        processor: Processor of the model.
        modalities: Modalities of the rows; those that the model does not take are left out.
    """

    def __init__(self, processor: Any, modalities: Sequence[str]):
        self.processor = processor
        self.feature_names = [
            f"{name}_features"
            for name in ("video", "audio")
            if name in modalities and getattr(processor, f"{name}_feature_size") is not None
        ]

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Make the batch."""
        parts = {name: [row[name] for row in rows] for name in self.feature_names}
        if "context" in rows[0]:
            parts["context"] = [row["context"] for row in rows]
        batch = self.processor(text=[row["text"] for row in rows], return_tensors="pt", **parts)
        batch = {**batch, "labels": torch.tensor([row["label"] for row in rows])}
        if SOFT_LABELS in rows[0]:
            batch[SOFT_LABELS] = torch.as_tensor(np.stack([row[SOFT_LABELS] for row in rows]))
        return batch


def create_train_loader(
    rows: IntentRows | DescribedRows | DroppedRows,
    collator: IntentCollator,
    lengths: np.ndarray | None,
    settings: TrainingSettings,
    accelerator: Accelerator,
) -> tuple[DataLoaderShard, BucketBatchSampler]:
    """Make the training batches of this process, and the sampler that orders them."""
    try:
        sampler = BucketBatchSampler(
            len(rows),
            settings.per_device_train_batch_size,
            seed=settings.seed,
            lengths=lengths if settings.train_sampling_strategy == "group_by_length" else None,
            gradient_accumulation_steps=settings.gradient_accumulation_steps,
            process_index=accelerator.process_index,
            num_processes=accelerator.num_processes,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None
    # Accelerate's loader class, but not `accelerator.prepare`: the sampler already shares the batches among the
    # processes, and `prepare` would do so again. The class moves batches to the device and tells
    # `accelerator.accumulate` where an epoch ends. A loader without its own generator draws from dropout's generator
    # at the start of every pass, so that a run resumed within an epoch would draw once more than an uninterrupted one.
    loader = DataLoaderShard(
        rows,
        device=accelerator.device,
        batch_sampler=sampler,
        collate_fn=collator,
        num_workers=settings.dataloader_num_workers,
        generator=torch.Generator().manual_seed(settings.seed),
        worker_init_fn=leave_interrupts_to_parent,
    )
    return loader, sampler
