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
from training.plots import FORMATS, coverages, main, reliability_bins


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


@pytest.mark.parametrize("kind", FORMATS)
def test_pictures_of_every_kind_tell_the_number_of_utterances(tmp_path, kind):
    import matplotlib

    run = write_run(tmp_path / "run")
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        assert main([str(run), "--output", str(tmp_path / "figures"), "--format", kind]) == 0
    files = [tmp_path / "figures" / f"{name}.{kind}" for name in ("reliability", "coverage")]
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert all(file.read_bytes().startswith(starts[kind]) for file in files)
    if kind == "svg":
        reliability, coverage = (file.read_text() for file in files)
        assert "400 test utterances" in reliability and "400 test utterances" in coverage
        assert "calibration error" in reliability and "without temperature" in reliability
        assert "coverage asked for" in coverage


def test_a_run_of_an_earlier_version_is_drawn_into_its_folder_and_a_tiny_one_says_why_not(tmp_path):
    run = write_run(tmp_path / "earlier", 200, calibrated=False)
    assert main([str(run)]) == 0 and (run / "reliability.png").is_file() and (run / "coverage.png").is_file()
    with pytest.raises(UnfinishedRunError, match="30 test utterances are too few"):
        main([str(write_run(tmp_path / "tiny", 30, calibrated=False))])
    with pytest.raises(UnfinishedRunError, match="predictions"):
        main([str(tmp_path)])
