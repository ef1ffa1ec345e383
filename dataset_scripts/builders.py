# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Parts that all builders share: configurations, columns, label descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import datasets

from .labels import load_label_descriptions
from .registry import CONFIG_NAMES


def builder_configs(config_class: type[datasets.BuilderConfig], version: str) -> list[datasets.BuilderConfig]:
    """Return a configuration of each of the names `features`, `text`, `clips` and `label_descriptions`."""
    return [config_class(name=name, version=datasets.Version(version)) for name in CONFIG_NAMES]


def row_features(
    labels: Sequence[str], feature_sizes: Mapping[str, int], extra: Mapping[str, object] | None = None
) -> datasets.Features:
    """Return the columns of a data set.

    Args:
        labels: Label names in id order.
        feature_sizes: Size of a frame by modality. A modality without an entry has no column.
        extra: Further columns.
    """
    columns: dict[str, object] = {
        "id": datasets.Value("string"),
        "text": datasets.Value("string"),
        "label": datasets.ClassLabel(names=list(labels)),
        **(extra or {}),
    }
    for modality, size in feature_sizes.items():
        columns[f"{modality}_features"] = datasets.Array2D((None, size), "float32")
    return datasets.Features(columns)


def description_features(name: str) -> datasets.Features:
    """Return the columns of config `label_descriptions`: `label`, `description_1`, `description_2`, ..."""
    count = max(len(sentences) for sentences in load_label_descriptions(name).values())
    columns = ["label", *(f"description_{number}" for number in range(1, count + 1))]
    return datasets.Features({column: datasets.Value("string") for column in columns})


def description_rows(name: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield the rows of config `label_descriptions`, one per label, with None for absent sentences."""
    columns = list(description_features(name))[1:]
    for index, (label, sentences) in enumerate(load_label_descriptions(name).items()):
        padded = [*sentences, *[None] * (len(columns) - len(sentences))]
        yield index, {"label": label, **dict(zip(columns, padded, strict=True))}
