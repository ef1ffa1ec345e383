# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Choice of the rows that a run trains, validates and tests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arguments import SettingsError, TrainingSettings
from .data import IntentRows
from .label_scope import LabelScope, label_scope


def select_rows(splits: dict[str, Any], settings: TrainingSettings, num_processes: int) -> dict[str, IntentRows]:
    """Choose the rows that a run trains, validates and tests on.

    Args:
        splits: Splits of the data set.
        settings: Settings of the run; those of the data decide.
        num_processes: Number of processes, for `overfit_batches`.

    Returns:
        The rows of `train`, `validation` and, where there is one, `test`.

    Raises:
        SettingsError: The data set cannot be split, drawn from or scored as the settings say.
    """
    for name in ("train", "validation"):
        if name not in splits:
            raise SettingsError(
                f"The data set has no {name} split, which a run needs; it has {', '.join(splits)}. For features of "
                "your clips, give amess extract a TSV or CSV file with a column split (train, validation, test). In "
                'Python, rename a split, or cut one by parts = splits["train"].train_test_split(0.15, seed=0) and '
                'save datasets.DatasetDict(train=parts["train"], validation=parts["test"]).'
            )
    scope = label_scope(splits["train"].features["label"].names, settings)
    if settings.shots == 0 and scope.out_of_scope_id is not None:
        raise SettingsError("shots=0 leaves no utterance to fit the out-of-scope scores on: use --shots 1.")

    def rows_of(split: Any, indices: np.ndarray | None, soft_labels: str | None = None) -> IntentRows:
        chosen = None if indices is None else indices.tolist()
        return IntentRows(split, settings.modality_names, chosen, scope, settings.context_utterances, soft_labels)

    trained, tested = _training_rows(splits["train"], settings, scope)
    if settings.overfit_batches is not None:
        overfitted = _rows_to_overfit(splits["train"], trained, settings, num_processes)
        few = rows_of(splits["train"], overfitted, settings.soft_labels)
        rows = {"train": few, "validation": few, "test": few}
    else:
        rows = {"train": rows_of(splits["train"], trained, settings.soft_labels)}
        for name, (split, indices) in _evaluated_rows(splits, settings, tested).items():
            rows[name] = rows_of(split, indices)
    if scope.out_of_scope_id == len(scope.label_names):
        for name, part in rows.items():
            labels = part.column("label")
            if labels is not None and all(label == scope.out_of_scope_id for label in labels):
                raise SettingsError(f"The {name} split has no utterance in scope: use --scope all or in-scope.")
    return rows


def _training_rows(
    split: Any, settings: TrainingSettings, scope: LabelScope
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Indices of the training rows (`None`: all), and of the training split's rows that are tested on."""
    chosen_by = _chosen_by(settings, scope)
    if chosen_by is None:
        return None, None
    rows = IntentRows(split, settings.modality_names, scope=scope)
    column = rows.column("label")
    if column is None or rows.changes_by_epoch:
        raise SettingsError(
            f"{chosen_by} cannot be drawn from {settings.dataset}, because its labels change by epoch."
        )
    labels, indices, tested = np.asarray(column), np.arange(len(column)), None
    if settings.cross_validation_folds is not None:
        tested = cross_validation_folds(split, settings.cross_validation_folds)[settings.cross_validation_fold]
        indices = np.setdiff1d(indices, tested)
    if settings.shots is not None:
        indices = indices[draw_shots(labels[indices], scope.label_names, settings.shots, settings.seed)]
    elif not scope.trains_on_out_of_scope:
        indices = indices[labels[indices] != scope.out_of_scope_id]
    return indices, tested


def _rows_to_overfit(
    split: Any, trained: np.ndarray | None, settings: TrainingSettings, num_processes: int
) -> np.ndarray:
    """Indices of the rows that fill `overfit_batches` batches."""
    assert settings.overfit_batches is not None
    batch = settings.per_device_train_batch_size * num_processes * settings.gradient_accumulation_steps
    pool = np.arange(len(split)) if trained is None else trained
    return np.random.default_rng(settings.seed).permutation(pool)[: settings.overfit_batches * batch]


def _evaluated_rows(
    splits: dict[str, Any], settings: TrainingSettings, tested: np.ndarray | None
) -> dict[str, tuple[Any, np.ndarray | None]]:
    """Splits and indices (`None`: all) of `validation` and `test`."""
    chosen: dict[str, tuple[Any, np.ndarray | None]] = {
        name: (splits[name], None) for name in ("validation", "test") if name in splits
    }
    if settings.test_from_validation:
        if "test" in splits:
            raise SettingsError(
                "test_from_validation is for data without a test split, but these have one: leave it out."
            )
        halves = halve_dialogues(splits["validation"])
        chosen = {name: (splits["validation"], np.array(half)) for name, half in halves.items()}
    if tested is not None:
        chosen["test"] = (splits["train"], tested)
    return chosen


def halve_dialogues(split: Any) -> dict[str, list[int]]:
    """Cut a split into two halves, `validation` and `test`, always the same ones.

    Rows of one dialogue stay together where the split has a `dialogue_id`, so that the choice of the epoch sees no
    part of a dialogue that is tested.

    Returns:
        Indices of the rows by half.

    Raises:
        SettingsError: There are fewer than two dialogues.
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
    """Cut a split into folds with the labels' shares of the whole split, always the same ones.

    Rows of one dialogue stay together where the split has a `dialogue_id`.

    Returns:
        Indices of the rows of each fold.

    Raises:
        SettingsError: A label has fewer rows than there are folds, or there are fewer dialogues than folds.
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
    # Here, because a run without folds should not wait for the import.
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if dialogues is None else StratifiedGroupKFold
    folds = kind(num_folds, shuffle=True, random_state=0).split(labels, labels, dialogues)
    return [tested for _, tested in folds]


def draw_shots(labels: Sequence[int] | np.ndarray, label_names: Sequence[str], shots: int, seed: int) -> list[int]:
    """Draw rows per label.

    Args:
        labels: Label ids of the rows.
        label_names: Names of the labels in the order of their ids.
        shots: Number of rows per label.
        seed: Seed of the draw.

    Returns:
        Indices of the rows, ascending.

    Raises:
        SettingsError: A label has fewer rows.
    """
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for label, name in enumerate(label_names):
        candidates = np.flatnonzero(np.asarray(labels) == label)
        if len(candidates) < shots:
            raise SettingsError(f"shots={shots}, but {name!r} has only {len(candidates)} training samples.")
        chosen.extend(generator.permutation(candidates)[:shots])
    return sorted(int(index) for index in chosen)


def _chosen_by(settings: TrainingSettings, scope: LabelScope) -> str | None:
    """Setting that leaves rows of the training split out of training; `None` if all rows are used."""
    if settings.cross_validation_folds is not None:
        return "cross_validation_folds"
    if settings.shots is not None:
        return "shots"
    return None if scope.trains_on_out_of_scope else "held_out_intents"


def _dialogues(split: Any) -> np.ndarray | None:
    """Dialogue of every row `(rows,)`; `None` where the split has no `dialogue_id`."""
    return np.asarray(split["dialogue_id"][:]) if "dialogue_id" in split.column_names else None
