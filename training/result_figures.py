# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures about results: intervals, calibration, and how well the out-of-scope label is told apart."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .finished_run import FinishedRun, Predictions
from .reporting import METRIC_TITLES
from .significance import bootstrap_metrics, interval


CALIBRATION_BINS = 15


def metric_intervals(runs: Sequence[FinishedRun]) -> dict[str, tuple[float, float]] | None:
    """
    The 95 % interval of each metric's mean over runs that differ in the seed, by bootstrap over test samples and
    seeds; `None` where a run has no predictions.
    """
    parts = [run.predictions for run in runs]
    if any(part is None for part in parts):
        return None
    labels, num_labels = parts[0].labels, len(parts[0].label_names)
    resampled = bootstrap_metrics(labels, np.stack([part.predicted for part in parts]), num_labels)
    means = {name: statistics.mean(run.results[name] for run in runs) for name in METRIC_TITLES}
    return {name: interval(resampled[name], mean) for name, mean in means.items()}


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
