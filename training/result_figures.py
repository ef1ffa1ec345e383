# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures about results: how far they would change with other seeds and samples."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtri, stdtrit


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
