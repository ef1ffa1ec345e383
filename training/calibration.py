# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Calibration of a classifier: its error, the temperature that corrects it, and prediction sets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax


CALIBRATION_BINS = 15
# Fewer utterances than these say too little to change probabilities by.
MIN_UTTERANCES = 50
# Coverages in percent that a run saves a threshold for. A table, and not the scores themselves: it has the same size
# for every validation split, people can read it in config.json, and it tells nothing about single utterances.
COVERAGES = range(50, 100)
# Coverages that metrics.json reports.
REPORTED_COVERAGES = (80, 90)
# Bounds of the search for a temperature.
_LOWEST, _HIGHEST = 0.01, 100.0


@dataclass(frozen=True)
class Calibration:
    """Calibration of a classifier on a split.

    Attributes:
        error: Expected calibration error: mean distance between accuracy and confidence over bins of equal width.
        confidence: Mean probability of the predicted label.
        accuracy: Share of right predictions.
    """

    error: float
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class ProbabilityFit:
    """Temperature and thresholds of prediction sets, fitted on the validation split.

    Attributes:
        temperature: Likeliest temperature.
        utterances: Number of utterances that it was fitted on.
        reason: Reason why the temperature is not applied; `None` where it is.
        coverage_thresholds: Lowest probability of a label in a set, by coverage in percent; `None` for a split of
            fewer than `MIN_UTTERANCES`.
    """

    temperature: float
    utterances: int
    reason: str | None
    coverage_thresholds: dict[str, float] | None

    @property
    def applied_temperature(self) -> float:
        """Number that the logits are divided by: 1 where the temperature is not applied."""
        return 1.0 if self.reason else self.temperature


@dataclass(frozen=True)
class SetFigures:
    """Evaluation of prediction sets.

    Attributes:
        coverage: Share of utterances whose set holds their label.
        mean_size: Mean number of labels in a set.
        single: Share of utterances whose set holds one label.
    """

    coverage: float
    mean_size: float
    single: float


def calibration(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> Calibration:
    """Measure the calibration of the softmax of logits.

    Args:
        logits: Logits `(rows, labels)`.
        labels: Gold label ids `(rows,)`.
        temperature: Number that the logits are divided by.
    """
    probabilities = scaled_probabilities(logits, temperature)
    confidence = probabilities.max(-1)
    right = probabilities.argmax(-1) == labels
    mean_confidence, accuracy, counts = reliability_bins(probabilities, labels)
    error = float(np.abs(accuracy - mean_confidence) @ counts / len(labels))
    return Calibration(error, float(confidence.mean()), float(right.mean()))


def reliability_bins(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean confidence, accuracy and number of utterances of each bin of equal width that holds any.

    Args:
        probabilities: Probabilities `(rows, labels)`.
        labels: Gold label ids `(rows,)`.
    """
    confidence = probabilities.max(-1)
    right = probabilities.argmax(-1) == labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    filled = counts > 0
    sums = [np.bincount(bins, weights=values, minlength=CALIBRATION_BINS)[filled] for values in (confidence, right)]
    return sums[0] / counts[filled], sums[1] / counts[filled], counts[filled]


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature T that gives the labels the highest likelihood under softmax(logits / T).

    A temperature changes no prediction (Guo et al., 2017, "On Calibration of Modern Neural Networks").

    Args:
        logits: Logits of held-out rows `(rows, labels)`.
        labels: Gold label ids `(rows,)`.
    """
    logits, rows = logits.astype(np.float64), np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature), axis=-1)[rows, labels].mean())

    # The loss is convex in 1 / T, so it has one minimum in log T.
    return float(np.exp(minimize_scalar(loss, bounds=(np.log(_LOWEST), np.log(_HIGHEST)), method="bounded").x))


def fit_probabilities(logits: np.ndarray, labels: np.ndarray, temperature: float | None = None) -> ProbabilityFit:
    """Fit the temperature, and the thresholds of prediction sets on the probabilities that it gives.

    Args:
        logits: Logits of the validation split `(rows, labels)`.
        labels: Gold label ids `(rows,)`.
        temperature: Temperature that the settings give, which is applied whatever the split.
    """
    given = temperature is not None
    temperature = fit_temperature(logits, labels) if temperature is None else temperature
    reason = None
    if not given and len(labels) < MIN_UTTERANCES:
        reason = f"it was fitted on fewer than {MIN_UTTERANCES} utterances"
    elif not given and (logits.argmax(-1) == labels).all():
        # The likelihood then grows without end as T falls to 0, and all probabilities would be 1.
        reason = "every utterance of the validation split is right, so that no temperature is the likeliest"
    fit = ProbabilityFit(temperature, len(labels), reason, None)
    if len(labels) < MIN_UTTERANCES:
        return fit
    probabilities = scaled_probabilities(logits, fit.applied_temperature)
    return replace(fit, coverage_thresholds=conformal_thresholds(probabilities[np.arange(len(labels)), labels]))


def conformal_thresholds(gold: np.ndarray) -> dict[str, float]:
    """Compute the lowest probability of a label in a prediction set, by coverage in percent.

    Split conformal prediction (Vovk et al., 2005) with the score 1 - p of the gold label (Sadinle et al., 2019): for a
    coverage c and n utterances the threshold is the ceil((n + 1) c)-th largest probability of a gold label. A new
    utterance that is exchangeable with these n has its label in the set with a probability of at least c.

    Args:
        gold: Probabilities of the gold labels of held-out utterances `(utterances,)`.

    Returns:
        Thresholds by coverage, a whole percent as text, up to the highest coverage that n utterances allow.
    """
    highest = np.sort(gold.astype(np.float64))[::-1]
    ranks = {percent: -(-(len(gold) + 1) * percent // 100) for percent in COVERAGES}
    return {str(percent): float(highest[rank - 1]) for percent, rank in ranks.items() if rank <= len(gold)}


def prediction_sets(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Choose the labels that reach a threshold, and always the likeliest: booleans `(rows, labels)`.

    Args:
        probabilities: Probabilities `(rows, labels)`.
        threshold: Lowest probability of a label in a set.
    """
    sets = probabilities >= threshold
    sets[np.arange(len(sets)), probabilities.argmax(-1)] = True
    return sets


def set_figures(probabilities: np.ndarray, labels: np.ndarray, threshold: float) -> SetFigures:
    """Evaluate prediction sets with MAPIE's metrics.

    Args:
        probabilities: Probabilities `(rows, labels)`.
        labels: Gold label ids `(rows,)`.
        threshold: Lowest probability of a label in a set.
    """
    # Here, because the import takes seconds and only the end of a run needs it.
    from mapie.metrics.classification import classification_coverage_score, classification_mean_width_score

    sets = prediction_sets(probabilities, threshold)
    layers = sets[:, :, None]  # MAPIE keeps the sets of several coverages in a third dimension
    return SetFigures(
        coverage=float(classification_coverage_score(labels, layers)[0]),
        mean_size=float(classification_mean_width_score(layers)[0]),
        single=float((sets.sum(-1) == 1).mean()),
    )


def scaled_probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Compute softmax(logits / temperature) in float64, `(rows, labels)`."""
    probabilities: np.ndarray = softmax(logits.astype(np.float64) / temperature, axis=-1)
    return probabilities
