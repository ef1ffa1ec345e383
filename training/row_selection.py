# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which rows of a data set a run trains, validates and tests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arguments import SettingsError, TrainingSettings
from .data import IntentRows
from .label_scope import LabelScope, label_scope


def select_rows(splits: dict[str, Any], settings: TrainingSettings, num_processes: int) -> dict[str, IntentRows]:
    """The rows that a run trains, validates and tests on, by their label's scope, `shots`, `overfit_batches`,
    `test_from_validation` and `cross_validation_folds`.

    Raises:
        SettingsError: no `train` or `validation` split, a class with fewer samples than `shots`, `shots` of 0 where
            out-of-scope scores need some, a split without any utterance in scope, settings that the data cannot
            follow.
    """
    for name in ("train", "validation"):
        if name not in splits:
            raise SettingsError(f"The data set has no {name} split; it has {', '.join(splits)}.")
    modalities = settings.modality_names
    scope = label_scope(splits["train"].features["label"].names, settings)
    if settings.shots == 0 and scope.out_of_scope_id is not None:
        raise SettingsError("shots=0 leaves no training samples to fit the out-of-scope scores on: use --shots 1.")
    indices = tested = None
    chosen_by = _chosen_by(settings, scope)
    if chosen_by is not None:
        train = IntentRows(splits["train"], modalities, scope=scope)
        labels = train.column("label")
        if labels is None or train.changes_by_epoch:
            raise SettingsError(f"{chosen_by} cannot be drawn from {settings.dataset}, whose labels change by epoch.")
        labels, indices = np.asarray(labels), np.arange(len(labels))
        if settings.cross_validation_folds is not None:
            folds = cross_validation_folds(splits["train"], settings.cross_validation_folds)
            tested = folds[settings.cross_validation_fold]
            indices = np.setdiff1d(indices, tested)
        if settings.shots is not None:
            indices = indices[draw_shots(labels[indices], scope.label_names, settings.shots, settings.seed)]
        elif not scope.trains_on_out_of_scope:
            indices = indices[labels[indices] != scope.out_of_scope_id]
    if settings.overfit_batches is not None:
        pool = np.arange(len(splits["train"])) if indices is None else indices
        wanted = (
            settings.overfit_batches
            * settings.per_device_train_batch_size
            * num_processes
            * settings.gradient_accumulation_steps
        )
        indices = np.random.default_rng(settings.seed).permutation(pool)[:wanted]
        few = IntentRows(splits["train"], modalities, indices, scope, settings.context_utterances)
        rows = {"train": few, "validation": few, "test": few}
    else:
        rows = {"train": IntentRows(splits["train"], modalities, indices, scope, settings.context_utterances)}
        selections = {name: (splits[name], None) for name in ("validation", "test") if name in splits}
        if settings.test_from_validation:
            if "test" in splits:
                raise SettingsError("test_from_validation is for data without a test split; these have one.")
            halves = halve_dialogues(splits["validation"])
            selections = {name: (splits["validation"], halves[name]) for name in halves}
        if tested is not None:
            selections["test"] = (splits["train"], tested)
        rows |= {
            name: IntentRows(split, modalities, chosen, scope, settings.context_utterances)
            for name, (split, chosen) in selections.items()
        }
    if scope.out_of_scope_id == len(scope.label_names):
        for name, part in rows.items():
            if all(label == scope.out_of_scope_id for label in part.column("label")):
                raise SettingsError(f"The {name} split has no utterance in scope: use --scope all or in-scope.")
    return rows


def halve_dialogues(split: Any) -> dict[str, list[int]]:
    """The rows of a split in two halves, `validation` and `test`, always the same ones. Rows of one dialogue stay
    together where the split says by `dialogue_id` which they are: what is tested has not been seen in the choice of
    the epoch, not even in part.

    Raises:
        SettingsError: there is nothing to halve.
    """
    dialogues = _dialogues(split)
    if dialogues is None:
        dialogues = np.arange(len(split))
    present = np.random.default_rng(0).permutation(np.unique(dialogues))
    if len(present) < 2:
        raise SettingsError("test_from_validation needs a validation split of at least two dialogues.")
    sizes = np.array([(dialogues == dialogue).sum() for dialogue in present])
    needed = int(np.searchsorted(np.cumsum(sizes), len(dialogues) / 2)) + 1
    first = present[: min(needed, len(present) - 1)]
    chosen = np.isin(dialogues, first)
    return {"validation": np.flatnonzero(chosen).tolist(), "test": np.flatnonzero(~chosen).tolist()}


def cross_validation_folds(split: Any, num_folds: int) -> list[np.ndarray]:
    """The rows of a split in `num_folds` parts with the labels' shares of the whole, always the same ones. Rows of one
    dialogue stay together where the split says by `dialogue_id` which they are.

    Raises:
        SettingsError: a label with fewer rows than folds, or fewer dialogues than folds.
    """
    labels = np.asarray(split["label"][:])
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        if count < num_folds:
            name = split.features["label"].int2str(int(label))
            raise SettingsError(f"cross_validation_folds={num_folds}, but {name!r} has only {count} training samples.")
    dialogues = _dialogues(split)
    if dialogues is not None and (present := len(np.unique(dialogues))) < num_folds:
        raise SettingsError(
            f"cross_validation_folds={num_folds}, but the training split has only {present} dialogues."
        )
    # Here, so that a run without folds does not wait for the import.
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if dialogues is None else StratifiedGroupKFold
    folds = kind(num_folds, shuffle=True, random_state=0).split(labels, labels, dialogues)
    return [tested for _, tested in folds]


def draw_shots(labels: Sequence[int], label_names: Sequence[str], shots: int, seed: int) -> list[int]:
    """`shots` indices of every label, drawn by the seed, in ascending order.

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


def _chosen_by(settings: TrainingSettings, scope: LabelScope) -> str | None:
    """The setting by which not all rows of the training split are trained on; `None` if they are."""
    if settings.cross_validation_folds is not None:
        return "cross_validation_folds"
    if settings.shots is not None:
        return "shots"
    return None if scope.trains_on_out_of_scope else "held_out_intents"


def _dialogues(split: Any) -> np.ndarray | None:
    """The dialogue of every row `(rows,)`; `None` where the split does not tell."""
    return np.asarray(split["dialogue_id"][:]) if "dialogue_id" in split.column_names else None
