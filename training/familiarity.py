# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the clips of a training look like, which a model keeps to tell the user when a clip is unlike them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from modeling_amess import AmessForIntentClassification

from .data import IntentRows


# Share of clips of the training's own kind that may be called unfamiliar, for picture or sound.
FALSE_ALARMS = 0.03


def clip_means(rows: IntentRows, max_lengths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Compute the mean feature of each clip, in one pass that holds one utterance at a time.

    Args:
        rows: Rows of a split. Of rows that change by epoch, those of the first epoch are read.
        max_lengths: Number of frames or steps that the model reads, by modality.

    Returns:
        Float32 `(clips, feature_size)` by modality; utterances without frames or steps are left out.
    """
    rows.set_epoch(0)
    means: dict[str, list[np.ndarray]] = {name.removesuffix("_features"): [] for name in rows.feature_names}
    for index in range(len(rows) if means else 0):
        row = rows[index]
        for modality, found in means.items():
            features = np.asarray(row[f"{modality}_features"])[: max_lengths[modality]]
            if len(features):
                found.append(features.mean(0, dtype=np.float64).astype(np.float32))
    return {modality: np.stack(found) for modality, found in means.items() if found}


def add_familiar_clips(
    model: AmessForIntentClassification, rows: Mapping[str, IntentRows], max_lengths: Mapping[str, int]
) -> dict[str, Any]:
    """Give a model the training clips that it compares others with, and the limits from the validation split.

    Args:
        model: Trained model.
        rows: Rows by split; `train` and `validation` are needed.
        max_lengths: Number of frames or steps that the model reads, by modality.

    Returns:
        By modality: numbers of clips that the limit rests on, and the share of each split's clips that is `flagged`.
        Nothing for a modality without clips in either split.
    """
    means = {split: clip_means(part, max_lengths) for split, part in rows.items()}
    names = [name for name in means["train"] if name in means["validation"]]
    if not names:
        return {}
    training, held_out = (
        {name: torch.from_numpy(means[split][name]) for name in names} for split in ("train", "validation")
    )
    model.set_familiar_clips(training, held_out, quantile=1 - FALSE_ALARMS / len(names))
    figures: dict[str, Any] = {
        name: {"training_clips": len(training[name]), "validation_clips": len(held_out[name]), "flagged": {}}
        for name in names
    }
    for split in (name for name in rows if name != "train"):
        for name, values in means[split].items():
            if name in figures:
                batch = {f"{name}_features": torch.from_numpy(values)[:, None]}
                figures[name]["flagged"][split] = (model.unfamiliarity(batch)[name] > 1).float().mean().item()
    return figures


def few_clips(figures: Mapping[str, Any]) -> list[str]:
    """Say which limits rest on too few validation clips for the share of false alarms that they aim at."""
    needed = math.ceil(len(figures) / FALSE_ALARMS)
    return [
        f"The limit of unfamiliar {name} is the farthest of {one['validation_clips']} validation clips. {needed} "
        f"would be needed to aim at {FALSE_ALARMS / len(figures):.1%} false alarms; expect about "
        f"{1 / (one['validation_clips'] + 1):.0%}."
        for name, one in figures.items()
        if one["validation_clips"] < needed
    ]
