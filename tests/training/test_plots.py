# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Reliability diagram and coverage curve: their numbers by hand, and pictures of runs with and without calibration."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.calibration import fit_probabilities, scaled_probabilities
from training.finished_run import UnfinishedRunError
from training.plots import coverages, reliability_bins, reliability_figure


NAMES = ["Greet", "Leave", "Thank"]


def write_run(folder, number=400, calibrated=True, seed=0):
    """A run folder with predictions of a model that is three times too sure."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(2, number, 3)) * 1.5
    labels = (scaled_probabilities(logits).cumsum(-1) < random.random((2, number, 1))).sum(-1)
    fit = fit_probabilities(3 * logits[0], labels[0])
    temperature = fit.applied_temperature if calibrated else 1.0
    scores = scaled_probabilities(3 * logits[1], temperature)
    gold = [NAMES[label] for label in labels[1]]
    columns = {"id": [f"test_{index}" for index in range(number)], "label": gold, "prediction": gold}
    metadata = {"labels": json.dumps(NAMES), **({"temperature": json.dumps(temperature)} if calibrated else {})}
    folder.mkdir()
    table = pa.table({**columns, "scores": scores.tolist()}).replace_schema_metadata(metadata)
    pq.write_table(table, folder / "predictions.parquet")
    content = {"coverage_thresholds": fit.coverage_thresholds} if calibrated else {}
    (folder / "metrics.json").write_text(json.dumps({"calibration": content}))
    return folder


def test_the_bins_hold_mean_confidence_and_accuracy():
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.55, 0.45], [0.5, 0.5]])
    confidence, accuracy, counts = reliability_bins(probabilities, np.array([0, 1, 0, 0]))
    assert counts.tolist() == [1, 1, 2]
    assert confidence.tolist() == pytest.approx([0.5, 0.55, 0.95]) and accuracy.tolist() == pytest.approx([1, 1, 0.5])


def test_the_coverage_that_is_reached_is_about_the_one_asked_for(tmp_path):
    for name, calibrated, source in (("with", True, "validation"), ("without", False, "random halves")):
        curve = coverages(write_run(tmp_path / name, 4000, calibrated))
        asked, found = np.array(curve.asked), np.array(curve.found)
        assert source in curve.source and curve.utterances == (4000 if calibrated else 2000)
        above = asked >= 0.75  # below the accuracy, the likeliest intent alone reaches more
        assert above.sum() >= 20 and np.abs(found - asked)[above].max() < 0.04
        assert list(curve.sizes) == sorted(curve.sizes)


def test_a_run_that_is_too_small_for_prediction_sets_says_so(tmp_path):
    with pytest.raises(UnfinishedRunError, match="30 test utterances are too few"):
        coverages(write_run(tmp_path / "tiny", 30, calibrated=False))


def test_the_reliability_shows_what_the_temperature_did(tmp_path):
    texts = [text.get_text() for text in reliability_figure(write_run(tmp_path / "run")).axes[0].get_legend().texts]
    assert [text.partition(":")[0] for text in texts] == ["as sure as right", "without temperature", "of the pipeline"]
