# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Calibration: the expected calibration error by hand, and the temperature by its laws."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import calibration, fit_temperature


@pytest.fixture(scope="module")
def overconfident():
    """Logits four times as large as those that the labels were drawn by."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 5)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = (probabilities.cumsum(-1) < random.random((4000, 1))).sum(-1)
    return 4 * logits, labels


def test_the_expected_calibration_error_is_the_mean_gap_of_the_bins():
    # Two bins: ten samples at 0.95 of which eight are right, and ten at 0.55 of which six are.
    scores = np.array([[0.95, 0.05]] * 10 + [[0.55, 0.45]] * 10)
    labels = np.array([0] * 8 + [1] * 2 + [0] * 6 + [1] * 4)
    figures = calibration(np.log(scores), labels)
    assert figures.error == pytest.approx((0.15 + 0.05) / 2)
    assert (figures.confidence, figures.accuracy) == (pytest.approx(0.75), pytest.approx(0.7))


def test_the_temperature_is_the_one_that_the_labels_were_drawn_by(overconfident):
    logits, labels = overconfident
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(4, rel=0.1)
    before, after = calibration(logits, labels), calibration(logits, labels, temperature)
    assert after.accuracy == before.accuracy
    assert after.error < 0.03 < 0.2 < before.error


def test_no_other_temperature_is_likelier_and_it_scales_with_the_logits(overconfident):
    logits, labels = overconfident
    temperature = fit_temperature(logits, labels)

    def likelihood(value):
        scaled = logits / value
        return (scaled[np.arange(len(labels)), labels] - np.log(np.exp(scaled).sum(-1))).mean()

    grid = np.geomspace(0.5, 50, 400)
    assert likelihood(temperature) >= max(likelihood(value) for value in grid) - 1e-9
    assert fit_temperature(3 * logits, labels) == pytest.approx(3 * temperature, rel=1e-3)
