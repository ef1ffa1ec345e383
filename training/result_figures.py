# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures about results: intervals, calibration, and how well the out-of-scope label is told apart."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from .finished_run import Predictions


CALIBRATION_BINS = 15


@dataclass(frozen=True)
class SeedStatistics:
    """Mean of a metric over seeds, its standard deviation (n - 1) and the 95 % interval of the mean (Student's t)."""

    mean: float
    deviation: float
    low: float
    high: float


def seed_statistics(values: Sequence[float]) -> SeedStatistics:
    """
    Args:
        values: one result for each seed.

    Raises:
        ValueError: fewer than two values, which have no deviation.
    """
    if len(values) < 2:
        raise ValueError(f"A deviation over seeds needs at least two runs; there is {len(values)}.")
    mean, deviation = statistics.mean(values), statistics.stdev(values)
    half = float(stdtrit(len(values) - 1, 0.975)) * deviation / len(values) ** 0.5
    return SeedStatistics(mean, deviation, mean - half, mean + half)


def accuracy_interval(accuracy: float, num_samples: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an accuracy on so many samples: what another test split of that size might give."""
    z = float(ndtri(0.975))
    scale = 1 + z**2 / num_samples
    centre = (accuracy + z**2 / (2 * num_samples)) / scale
    half = z / scale * (accuracy * (1 - accuracy) / num_samples + z**2 / (4 * num_samples**2)) ** 0.5
    return centre - half, centre + half


@dataclass(frozen=True)
class Calibration:
    """
    How far confidence can be believed.

    Attributes:
        error: expected calibration error: the mean distance of accuracy and confidence over bins of equal width.
        confidence: mean score of the predicted label.
        accuracy: share of right predictions.
    """

    error: float
    confidence: float
    accuracy: float


def calibration(predictions: Predictions) -> Calibration:
    """Calibration of the predicted labels' scores."""
    confidence = predictions.scores.max(-1)
    right = predictions.predicted == predictions.labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=CALIBRATION_BINS)
    error = np.abs(gaps).sum() / len(confidence)
    return Calibration(float(error), float(confidence.mean()), float(right.mean()))


@dataclass(frozen=True)
class OutOfScope:
    """
    How well utterances without any of the intents are told apart.

    Attributes:
        precision, recall, f1: of the out-of-scope label as predicted.
        auroc: area under the ROC curve of that label's score.
        in_scope_accuracy: accuracy on the utterances that have an intent.
        num_samples: out-of-scope utterances among the samples.
    """

    precision: float
    recall: float
    f1: float
    auroc: float
    in_scope_accuracy: float
    num_samples: int


def out_of_scope(predictions: Predictions, label: str) -> OutOfScope | None:
    """Figures of the out-of-scope label; `None` where the samples are not of both kinds."""
    index = predictions.label_names.index(label)
    outside, said = predictions.labels == index, predictions.predicted == index
    if outside.all() or not outside.any():
        return None
    both = int((outside & said).sum())
    return OutOfScope(
        precision=both / max(int(said.sum()), 1),
        recall=both / int(outside.sum()),
        f1=2 * both / (int(said.sum()) + int(outside.sum())),
        auroc=_auroc(predictions.scores[outside, index], predictions.scores[~outside, index]),
        in_scope_accuracy=float((predictions.predicted == predictions.labels)[~outside].mean()),
        num_samples=int(outside.sum()),
    )


def _auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Share of pairs in which the positive has the higher score; equal ones count half."""
    ordered = np.sort(negative)
    lower, not_higher = np.searchsorted(ordered, positive, "left"), np.searchsorted(ordered, positive, "right")
    return float((lower + not_higher).mean() / (2 * len(negative)))
