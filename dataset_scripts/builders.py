# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the builders of this folder share: the columns of a row, the descriptions' table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import datasets

from .labels import load_label_descriptions


def row_features(
    labels: Sequence[str],
    feature_sizes: tuple[int, int] | None,
    extra: Mapping[str, object] | None = None,
) -> datasets.Features:
    """The columns of a data set.

    Args:
        labels: label names in id order.
        feature_sizes: sizes of a video and of an audio frame, or None for a data set of text alone.
        extra: further columns.
    """
    columns: dict[str, object] = {
        "id": datasets.Value("string"),
        "text": datasets.Value("string"),
        "label": datasets.ClassLabel(names=list(labels)),
        **(extra or {}),
    }
    if feature_sizes is not None:
        columns["video_features"] = datasets.Array2D((None, feature_sizes[0]), "float32")
        columns["audio_features"] = datasets.Array2D((None, feature_sizes[1]), "float32")
    return datasets.Features(columns)


def description_features(name: str) -> datasets.Features:
    """The columns of config `label_descriptions`: `label`, `description_1`, `description_2`, ..."""
    count = max(len(sentences) for sentences in load_label_descriptions(name).values())
    columns = ["label", *(f"description_{number}" for number in range(1, count + 1))]
    return datasets.Features({column: datasets.Value("string") for column in columns})


def description_rows(name: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The rows of config `label_descriptions`, one a label in id order; a label with fewer sentences has None."""
    columns = list(description_features(name))[1:]
    for index, (label, sentences) in enumerate(load_label_descriptions(name).items()):
        padded = [*sentences, *[None] * (len(columns) - len(sentences))]
        yield index, {"label": label, **dict(zip(columns, padded, strict=True))}
