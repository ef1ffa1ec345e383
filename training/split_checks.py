# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks of all splits before the first step: labels by name, texts, and the values of features."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_scripts.labels import similar_names

from .arguments import SettingsError


logger = logging.getLogger(__name__)

LEAVE_OUT = "leave_out"
_SHOWN_IDS = 5
_ROWS_AT_ONCE = 256


def checked_splits(
    splits: Mapping[str, Any],
    modalities: Sequence[str],
    unlabelled: str = "refuse",
    check_values: bool = True,
) -> dict[str, Any]:
    """Check splits, and give all of them the label names of the first, which is `train` in a run.

    A column of texts or integers becomes a `ClassLabel` of these names. Features stay in their Arrow files.

    Args:
        splits: Splits by name; those that are no `datasets.Dataset` come back unchanged.
        modalities: Any of text, video, audio: columns that are checked.
        unlabelled: `leave_out` to leave utterances without a label out, with a warning; `refuse` otherwise.
        check_values: Whether to read the values of all features. Others did so for data sets of this project.

    Returns:
        The splits without those that have no labelled utterance left, of which a warning tells.

    Raises:
        SettingsError: A split has an unlabelled utterance, a label that the first split does not have, no text at all,
            or features of another type or size, or with values that are not finite numbers.
    """
    checked = dict(splits)
    label_names: list[str] | None = None
    sizes: dict[str, int] = {}
    for name, split in splits.items():
        if not isinstance(split, datasets.Dataset):
            continue
        needed = ("text", "label", *_feature_columns(modalities))
        missing = [column for column in needed if column not in split.column_names]
        if missing:
            raise SettingsError(
                f"The {name} split has no column {', '.join(missing)} (its columns: {', '.join(split.column_names)}). "
                "Choose --modalities accordingly."
            )
        if not len(split):
            raise SettingsError(f"The {name} split has no utterance: remove it from the data set, or fill it.")
        given = _given_labels(split, name)
        if label_names is None:
            label_names = _names_of_run(split, given, name)
        checked[name] = _with_texts(_with_labels(split, name, given, label_names, unlabelled), name, modalities)
        if not len(checked[name]):
            _warn(f"The {name} split has no labelled utterance and is left out.")
            del checked[name]
            continue
        for column in _feature_columns(modalities):
            # The first process of each machine reads the values, once for all of them.
            if check_values and os.environ.get("LOCAL_RANK", "0") == "0":
                sizes[column] = _check_features(checked[name], name, column, sizes.get(column))
    for column in _feature_columns(modalities):
        _report_coverage(checked, column)
    return checked


def frame_counts(split: datasets.Dataset, column: str) -> np.ndarray:
    """Count the frames of every row `(rows,)`; 0 for a row without features. No feature is read."""
    counts = [_lengths(rows) for _, rows in _feature_arrays(split, column)]
    return np.concatenate(counts) if counts else np.zeros(0, dtype=np.int64)


def feature_size(split: datasets.Dataset, column: str) -> int | None:
    """Return the size of a frame: that of the column's type, or of the first frame; `None` without a frame."""
    size = _size_of_type(split, column)
    if size is not None:
        return size
    for _, rows in _feature_arrays(split, column):
        frames = rows.flatten()
        if len(frames):
            return len(frames[0])
    return None


def _size_of_type(split: datasets.Dataset, column: str) -> int | None:
    feature = split.features[column]
    return feature.shape[-1] if isinstance(feature, datasets.Array2D) else None


def _feature_columns(modalities: Sequence[str]) -> list[str]:
    return [f"{name}_features" for name in modalities if name != "text"]


def _warn(message: str) -> None:
    if os.environ.get("RANK", "0") == "0":
        logger.warning(message)


def _column(split: datasets.Dataset, name: str) -> pa.ChunkedArray:
    return split.select_columns([name]).with_format("arrow")[:].column(0)


def _shown(split: datasets.Dataset, rows: Sequence[int] | np.ndarray) -> str:
    """The first of the rows by their ids, or by their numbers where the split has no ids."""
    first = [int(row) for row in rows[:_SHOWN_IDS]]
    more = ", ..." if len(rows) > _SHOWN_IDS else ""
    if "id" not in split.column_names:
        return f"row {', '.join(map(str, first))}{more} (counted from 0)"
    ids = split.select_columns(["id"]).with_format(None)
    return f"id {', '.join(repr(ids[row]['id']) for row in first)}{more}"


def _given_labels(split: datasets.Dataset, name: str) -> list[str | None]:
    """The label of every row by its name; `None` without one."""
    feature, values = split.features["label"], _column(split, "label")
    kind = values.type
    if pa.types.is_null(kind):
        return [None] * len(split)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [value if value is not None and value.strip() else None for value in values.to_pylist()]
    if pa.types.is_boolean(kind):
        return [None if value is None else str(value) for value in values.to_pylist()]
    # pandas makes floats of integers where some are missing.
    numbers = values.to_pylist() if pa.types.is_integer(kind) or pa.types.is_floating(kind) else [0.5]
    given = [None if number is None or number != number else number for number in numbers]
    if any(number is not None and number != int(number) for number in given):
        raise SettingsError(
            f"The label column of the {name} split holds {kind}, but an utterance has one intent: make it a column of "
            "names, or of a datasets.ClassLabel."
        )
    ids = [None if number is None or number < 0 else int(number) for number in given]
    if not isinstance(feature, datasets.ClassLabel):
        return [None if number is None else str(number) for number in ids]
    beyond = [row for row, number in enumerate(ids) if number is not None and number >= feature.num_classes]
    if beyond:
        raise SettingsError(
            f"The {name} split has the label id {ids[beyond[0]]} ({_shown(split, beyond)}), but names of "
            f"{feature.num_classes} labels only: correct the column label."
        )
    return [None if number is None else feature.names[number] for number in ids]


def _has_numbers(split: datasets.Dataset) -> bool:
    """Whether the labels of a split are numbers without names."""
    feature = split.features["label"]
    return not isinstance(feature, datasets.ClassLabel) and feature.dtype.startswith(("int", "uint", "float"))


def _names_of_run(split: datasets.Dataset, given: Sequence[str | None], name: str) -> list[str]:
    """The names of all splits' labels in the order of their ids."""
    feature = split.features["label"]
    if isinstance(feature, datasets.ClassLabel):
        names = list(feature.names)
    else:
        names = sorted({label for label in given if label is not None}, key=int if _has_numbers(split) else None)
    if _has_numbers(split):
        _warn(
            f"The labels of the {name} split are numbers, which become the names of the intents: {_listed(names)}. "
            f"{how_to_name(len(names))}"
        )
    for similar in similar_names(names):
        _warn(
            f"The labels {' and '.join(map(repr, similar))} differ by case or blanks only and are different intents: "
            "give them one spelling if they are one."
        )
    return names


def how_to_name(count: int) -> str:
    """Say how labels that are numbers get names."""
    return (
        'Give them their names by split.cast_column("label", datasets.ClassLabel(names=[...])) with '
        f"{count} names in the order of the numbers from 0."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")


def _with_labels(
    split: datasets.Dataset, name: str, given: Sequence[str | None], names: Sequence[str], unlabelled: str
) -> datasets.Dataset:
    """The split with labels of these names, without its unlabelled rows."""
    ids = {label: number for number, label in enumerate(names)}
    unknown = [row for row, label in enumerate(given) if label is not None and label not in ids]
    if unknown:
        labels = sorted({str(given[row]) for row in unknown})
        raise SettingsError(
            f"The {name} split has {len(unknown)} utterances of labels that the training data do not have: "
            f"{_listed(labels)} ({_shown(split, unknown)}); those have {_listed(names)}. Give the label to training "
            "utterances, correct its spelling, or remove these utterances."
            + (f" {how_to_name(len(names))}" if _has_numbers(split) else "")
        )
    without = [row for row, label in enumerate(given) if label is None]
    if without and unlabelled != LEAVE_OUT:
        raise SettingsError(
            f"{len(without)} of {len(given)} utterances of the {name} split have no label: -1, None or blank "
            f"({_shown(split, without)}). Label them, or leave them out by --unlabelled {LEAVE_OUT}."
        )
    feature = split.features["label"]
    if not isinstance(feature, datasets.ClassLabel) or feature.names != list(names):
        split = _replaced(
            split, "label", [-1 if label is None else ids[label] for label in given], datasets.ClassLabel(names=names)
        )
    if without:
        _warn(
            f"{len(without)} of {len(given)} utterances of the {name} split have no label and are left out "
            f"({_shown(split, without)})."
        )
        split = split.select([row for row, label in enumerate(given) if label is not None])
    return split


def _replaced(split: datasets.Dataset, column: str, values: Sequence[Any], feature: Any) -> datasets.Dataset:
    """The split with other values of a small column, its other columns still in their files."""
    columns = split.column_names
    replaced = split.remove_columns(column).add_column(column, values, feature=feature)
    return replaced.select_columns(columns)


def _with_texts(split: datasets.Dataset, name: str, modalities: Sequence[str]) -> datasets.Dataset:
    """The split with "" for texts that are missing."""
    values = _column(split, "text")
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type) or pa.types.is_null(values.type)):
        raise SettingsError(
            f"The text column of the {name} split holds {values.type}, not texts: make it a column of texts."
        )
    missing = np.flatnonzero(pc.is_null(values).to_numpy(zero_copy_only=False))
    if not len(missing):
        return split
    if "text" in modalities:
        if len(missing) == len(split):
            raise SettingsError(f"No utterance of the {name} split has a text: leave text out of --modalities.")
        _warn(
            f"{len(missing)} of {len(split)} utterances of the {name} split have no text, which counts as silence "
            f"({_shown(split, missing)})."
        )
    return _replaced(
        split, "text", ["" if text is None else text for text in values.to_pylist()], split.features["text"]
    )


def _feature_arrays(split: datasets.Dataset, column: str) -> Iterator[tuple[int, Any]]:
    """Yield the first row and the Arrow list array of each part of a column, in place where it lies in a file."""
    first = 0
    for table in split.select_columns([column]).with_format("arrow").iter(batch_size=_ROWS_AT_ONCE):
        for chunk in table.column(0).chunks:
            yield first, chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
            first += len(chunk)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _lengths(lists: Any) -> np.ndarray:
    return pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)


def _check_features(split: datasets.Dataset, name: str, column: str, expected: int | None) -> int:
    """Check the type, size and values of a column of features, and return the size of a frame.

    Args:
        split: Split with the column.
        name: Name of the split.
        column: Name of the column.
        expected: Size in the splits before; `None` for the first.
    """
    where = f"column {column} of the {name} split"
    size = _size_of_type(split, column) or expected
    for first, rows in _feature_arrays(split, column):
        kind = rows.type
        if not (_is_list(kind) and _is_list(kind.value_type) and _is_number(kind.value_type.value_type)):
            raise SettingsError(
                f"The {where} holds {kind}, but features are one list of numbers per frame: make it a "
                'datasets.Array2D((None, size), "float32").'
            )
        ends = np.cumsum(_lengths(rows))

        def place(frame: int, first: int = first, ends: np.ndarray = ends) -> str:
            return _shown(split, [first + int(np.searchsorted(ends, frame, side="right"))])

        frames = rows.flatten()
        if not len(frames):
            continue
        widths = _lengths(frames)
        size = int(widths[0]) if size is None else size
        other = np.flatnonzero(widths != size)
        if len(other):
            raise SettingsError(
                f"The {where} has a frame of size {widths[other[0]]} ({place(other[0])}), but others, or the splits "
                f"before, have size {size}: give all of them one size."
            )
        values = frames.flatten()
        bad = _first_not_finite(values)
        if bad is not None:
            raise SettingsError(
                f"The {where} has a value that is NaN, infinite, missing or beyond float32 ({place(bad // size)}): "
                "correct the features, or remove them from the row."
            )
    if size is None:
        raise SettingsError(
            f"The {where} is empty in all rows: leave {column.removesuffix('_features')} out of --modalities."
        )
    if expected is not None and size != expected:
        raise SettingsError(
            f"The {where} has frames of size {size}, but the splits before have size {expected}: extract all splits "
            "with one encoder."
        )
    return size


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _first_not_finite(values: pa.Array) -> int | None:
    """Place of the first value that is no finite number in float32, or `None`."""
    if values.null_count:
        return int(np.flatnonzero(pc.is_null(values).to_numpy(zero_copy_only=False))[0])
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        # A sum is several times faster than `isfinite`. It is not finite if a value is not; otherwise it overflows.
        if np.isfinite(numbers.sum()):
            return None
    bad = np.flatnonzero(~np.isfinite(numbers))
    return int(bad[0]) if len(bad) else None


def _report_coverage(splits: Mapping[str, Any], column: str) -> None:
    """Say at every start how many utterances have no features: the files of another data set match few of them."""
    parts = []
    for name, split in splits.items():
        if isinstance(split, datasets.Dataset):
            without = int((frame_counts(split, column) == 0).sum())
            parts += [f"{name} {without} of {len(split)}"] if without else []
    if parts:
        _warn(f"Utterances without {column.replace('_', ' ')}: {', '.join(parts)}.")
