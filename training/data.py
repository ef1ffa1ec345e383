# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""From a data set's columns to batches: rows with the chosen modalities and labels, collation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.data_loader import DataLoaderShard
from torch.utils.data import Dataset

from dataset_scripts.registry import DATASETS

from .arguments import SettingsError, TrainingSettings
from .batch_sampler import BucketBatchSampler
from .feature_source import is_extraction
from .label_scope import LabelScope


DIALOGUE_COLUMNS = ("dialogue_id", "utterance_id")


def dialogue_contexts(
    dialogue_ids: Sequence[Hashable], utterance_ids: Sequence[Any], texts: Sequence[str], count: int
) -> list[list[str]]:
    """The texts of up to `count` rows of the same dialogue that come before each row, oldest first.

    What comes before is what the rows hold: MIntRec2.0 in scope skips the utterances between that have no intent, and
    with scope "all" has them. So a result does not depend on which other files are there.

    Args:
        dialogue_ids, utterance_ids, texts: of one split's rows, in any order; utterance ids are numbers.

    Raises:
        SettingsError: an utterance id that is no number, or occurs twice in a dialogue.
    """
    dialogues: dict[Hashable, dict[int, int]] = {}
    for row, (dialogue, utterance) in enumerate(zip(dialogue_ids, utterance_ids, strict=True)):
        try:
            number = int(utterance)
        except (TypeError, ValueError):
            raise SettingsError(
                f"utterance_id {utterance!r} of row {row} is no number: it orders a dialogue."
            ) from None
        if number in dialogues.setdefault(dialogue, {}):
            raise SettingsError(f"dialogue {dialogue!r} has the utterance {number} twice: their order is not known.")
        dialogues[dialogue][number] = row
    contexts: list[list[str]] = [[] for _ in texts]
    for utterances in dialogues.values():
        rows = [utterances[number] for number in sorted(utterances)]
        for place, row in enumerate(rows):
            contexts[row] = [texts[before] for before in rows[max(place - count, 0) : place]]
    return contexts


class DescribedRows(Dataset):
    """Training rows, and after them a row for every description: its text with its label, without video and audio.

    Args:
        rows: what is trained on otherwise.
        descriptions: by label, of any of the rows' labels.
    """

    def __init__(self, rows: IntentRows, descriptions: Mapping[str, Sequence[str]]):
        self.rows = rows
        self.modalities = rows.modalities
        sizes = rows.feature_sizes()
        self.described: list[dict[str, Any]] = []
        for label, name in enumerate(rows.label_names):
            for number, text in enumerate(descriptions.get(name, ())):
                row = {"id": f"description-{label}-{number}", "text": text, "label": label}
                if rows.contexts is not None:
                    row["context"] = []
                for feature in rows.feature_names:
                    row[feature] = np.zeros((0, sizes[feature.removesuffix("s") + "_size"]), dtype=np.float32)
                self.described.append(row)

    def __len__(self) -> int:
        return len(self.rows) + len(self.described)

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = int(index)
        return self.rows[index] if index < len(self.rows) else self.described[index - len(self.rows)]

    def set_epoch(self, epoch: int) -> None:
        """For rows that change by epoch."""
        self.rows.set_epoch(epoch)

    def column(self, name: str) -> list | None:
        """As that of the rows: all values of `text`, `label` or `context`, or `None` where they cannot be had."""
        values = self.rows.column(name)
        return None if values is None else [*values, *(row[name] for row in self.described)]


class IntentRows(Dataset):
    """One split as `{id, text, label, video_features, audio_features}` rows, read when they are asked for: features stay
    in the split's Arrow file.

    Args:
        split: a `datasets.Dataset`, or a map-style data set with its columns (and `set_epoch` if it changes by epoch).
        modalities: of text, video, audio; the text of a run without text is "".
        indices: which rows of the split; all by default. A selection is fixed: `set_epoch` does not reach the split.
        scope: the model's labels; by default all of the data set's.
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
        scope: LabelScope | None = None,
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
        names = split.features["label"].names
        self.scope = scope or LabelScope(tuple(names), tuple(range(len(names))), None)
        self.label_names = list(self.scope.label_names)
        self.contexts = None
        if context_utterances:
            if not set(DIALOGUE_COLUMNS) <= set(split.column_names):
                raise SettingsError(
                    f"context_utterances={context_utterances} needs the columns {' and '.join(DIALOGUE_COLUMNS)}, "
                    f"which the data set does not have (its columns: {', '.join(split.column_names)})."
                )
            columns = split.select_columns([*DIALOGUE_COLUMNS, "text"]).with_format(None)
            self.contexts = dialogue_contexts(*(columns[name][:] for name in columns.column_names), context_utterances)
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
            "label": self.scope.label_ids[int(row["label"])],
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
        """All values of `id`, `text`, `label` or `context`, without reading features; `None` where the split has no such
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
            if name == "label":
                values = [self.scope.label_ids[label] for label in values]
            return values if self.indices is None else [values[index] for index in self.indices]
        if name in ("text", "label") and hasattr(self.split, "clip"):
            # A planted row without its features; of the present epoch.
            indices = range(len(self.split)) if self.indices is None else self.indices
            values = [getattr(self.split.clip(index), name) for index in indices]
            return [self.scope.label_ids[label] for label in values] if name == "label" else values
        return None

    def feature_sizes(self) -> dict[str, int | None]:
        """`video_feature_size` and `audio_feature_size`, from the first row of the split; `None` if left out."""
        row = self.split[0]
        sizes = {f"{name}_feature_size": None for name in ("video", "audio")}
        for name in self.feature_names:
            sizes[name.removesuffix("s") + "_size"] = int(np.asarray(row[name]).shape[-1])
        return sizes


def load_splits(settings: TrainingSettings) -> dict[str, Any]:
    """The splits of `settings.dataset`: one of `dataset_scripts`, or a folder that `amess extract` or
    `DatasetDict.save_to_disk` wrote.

    Raises:
        SettingsError: none of them, a folder that holds no such data set, an unfinished extraction.
    """
    if settings.dataset in DATASETS:
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
            f"dataset={settings.dataset!r} is neither a data set ({', '.join(DATASETS)}) nor a folder."
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


def text_lengths(rows: IntentRows | DescribedRows, processor: Any) -> np.ndarray | None:
    """Tokens of every row's text and context `(rows,)`, or `None` where texts cannot be had without reading the features."""
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
    rows: IntentRows | DescribedRows,
    collator: IntentCollator,
    lengths: np.ndarray | None,
    settings: TrainingSettings,
    accelerator: Accelerator,
) -> tuple[DataLoaderShard, BucketBatchSampler]:
    """The training batches of this process, and the sampler that orders them."""
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
