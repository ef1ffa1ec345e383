# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Run folders that version 0.1.0 wrote are read, compared and continued.

`runs_of_0_1_0.zip` holds a tiny data set and its models, two finished runs with different seeds, and a run of the
first seed that stopped after its second epoch of three. The Python files beside their models are left out.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from modeling_amess import AmessConfig
from training.finished_run import read_run, sort_runs
from training.train import main


@pytest.fixture
def old_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.unpack_archive(Path(__file__).with_name("runs_of_0_1_0.zip"), tmp_path)
    monkeypatch.chdir(tmp_path)  # the settings of the runs name the data by relative paths
    return tmp_path


def test_an_old_run_is_read_with_todays_names(old_runs):
    run = read_run(old_runs / "finished")
    assert run.settings.per_device_train_batch_size == 4
    assert run.settings.metric_for_best_model == "macro_f1"
    assert run.settings.train_sampling_strategy == "group_by_length"
    assert len(run.predictions.labels) == run.num_samples == 9


def test_old_runs_are_seeds_of_one_experiment(old_runs):
    runs = [read_run(old_runs / name) for name in ("finished", "finished_seed_1")]
    seeds, comparisons = sort_runs(runs[0], runs[1:])
    assert [run.settings.seed for run in seeds] == [0, 1]
    assert not comparisons


def test_an_old_run_goes_on_as_if_it_had_not_stopped(old_runs):
    content = main([str(old_runs / "tiny.yaml"), "--output_dir", "unfinished"])["amess"]
    expected = json.loads((old_runs / "finished" / "metrics.json").read_text())
    assert not (old_runs / "unfinished.1").exists(), "the run began again"
    assert content["steps"] == expected["steps"] == 15
    assert content["best_epoch"] == expected["best_epoch"]
    for split in ("validation", "test"):
        assert content[split]["macro_f1"] == pytest.approx(expected[split]["macro_f1"], abs=1e-6)
    assert read_run(old_runs / "unfinished").settings.per_device_train_batch_size == 4
    # The model is that of the old run too, where a default has changed since.
    saved = AmessConfig.from_pretrained(old_runs / "unfinished" / "pretrained")
    assert saved.fusion_residual == AmessConfig.from_pretrained(old_runs / "finished" / "pretrained").fusion_residual
    assert saved.fusion_residual != AmessConfig().fusion_residual


def test_a_finished_old_run_is_not_trained_again(old_runs):
    content = main([str(old_runs / "tiny.yaml"), "--output_dir", "finished", "--resume_from_checkpoint", "true"])
    assert content["amess"] == json.loads((old_runs / "finished" / "metrics.json").read_text())
