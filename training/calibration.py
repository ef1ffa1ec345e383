# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Calibration of a classifier: how well its confidence matches its accuracy, and the temperature that corrects it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax


CALIBRATION_BINS = 15
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


def calibration(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> Calibration:
    """Measure the calibration of the softmax of logits.

    Args:
        logits: Logits `(rows, labels)`.
        labels: Gold label ids `(rows,)`.
        temperature: Number that the logits are divided by.
    """
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=-1)
    confidence = probabilities.max(-1)
    right = probabilities.argmax(-1) == labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=CALIBRATION_BINS)
    return Calibration(float(np.abs(gaps).sum() / len(confidence)), float(confidence.mean()), float(right.mean()))


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
