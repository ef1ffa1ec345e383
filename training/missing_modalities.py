# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Utterances without some of their modalities: dropped at random in training (`modality_dropout`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from .data import DescribedRows, IntentRows


def without(row: dict[str, Any], modalities: Collection[str]) -> dict[str, Any]:
    """Return a row as if some of its modalities had never been recorded: no words, no frames, no steps.

    Args:
        row: Row as [`IntentRows`] gives it.
        modalities: Any of text, video, audio.
    """
    changed = dict(row)
    for name in modalities:
        if name == "text":
            changed["text"] = ""
            if "context" in row:
                changed["context"] = []
        elif (features := row.get(f"{name}_features")) is not None:
            changed[f"{name}_features"] = np.asarray(features)[:0]
    return changed


class DroppedRows(Dataset[dict[str, Any]]):
    """Training rows that lose whole modalities at random, other ones every epoch.

    What a row loses depends on the seed, the epoch and the row alone. So it depends neither on the order of the rows
    nor on the processes that read them, and a continued run sees what an uninterrupted one sees. One modality always
    stays.

    Args:
        rows: Training rows.
        rate: Probability that a row loses a modality.
        dropped: Modalities that may be lost.
        seed: Seed of the draws.
    """

    def __init__(self, rows: IntentRows | DescribedRows, rate: float, dropped: Sequence[str], seed: int):
        self.rows = rows
        self.modalities = rows.modalities
        self.rate, self.seed, self.epoch = rate, seed, 0
        self.dropped = [name for name in dropped if name in rows.modalities]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        drawn = np.random.default_rng((self.seed, self.epoch, int(index))).random(len(self.dropped) + 1)
        lost = [name for name, value in zip(self.dropped, drawn, strict=False) if value < self.rate]
        present = [name for name in self.modalities if name not in lost and _is_present(row, name)]
        if lost and not present:
            # The last draw chooses the modality that stays, among those that the row has.
            had = [name for name in lost if _is_present(row, name)] or lost
            lost.remove(had[int(drawn[-1] * len(had))])
        return without(row, lost) if lost else row

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, which decides what each row loses."""
        self.epoch = epoch
        self.rows.set_epoch(epoch)

    def column(self, name: str) -> list[Any] | None:
        """Return all values of a column before anything is lost, as [`IntentRows.column`] does."""
        return self.rows.column(name)


def _is_present(row: dict[str, Any], modality: str) -> bool:
    value = row["text"].strip() if modality == "text" else row.get(f"{modality}_features")
    return value is not None and len(value) > 0
