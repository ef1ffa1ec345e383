# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Descriptions of the labels as training samples: what an intent's description says is an example of it, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from .data import IntentRows


class DescribedRows(Dataset):
    """
    Training rows, and after them a row for every description: its text with its label, without video and audio.

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
