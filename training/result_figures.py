# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures about results: how far they would change with other seeds and samples."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from .finished_run import FinishedRun
from .reporting import METRIC_TITLES
from .significance import bootstrap_metrics, interval


def metric_intervals(runs: Sequence[FinishedRun]) -> dict[str, tuple[float, float]] | None:
    """
    The 95 % interval of each metric's mean over runs that differ in the seed, by bootstrap over test samples and
    seeds; `None` where a run has no predictions.
    """
    parts = [run.predictions for run in runs]
    if any(part is None for part in parts):
        return None
    labels, num_labels = parts[0].labels, len(parts[0].label_names)
    # The metrics are of the samples that the model has a label for.
    known = labels < num_labels
    resampled = bootstrap_metrics(labels[known], np.stack([part.predicted[known] for part in parts]), num_labels)
    means = {name: statistics.mean(run.results[name] for run in runs) for name in METRIC_TITLES}
    return {name: interval(resampled[name], mean) for name, mean in means.items()}
