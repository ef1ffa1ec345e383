# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess compare` on run folders as training leaves them."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.training.run_folders import write_run
from training.arguments import TrainingSettings

from .command import amess


NAMES = ("Ask", "Thank")
LABELS = NAMES * 30


def run_of(folder: Path, right: int, seed: int = 0, **settings: object) -> Path:
    """A run that answers the first `right` of 60 utterances rightly."""
    wrong = {"Ask": "Thank", "Thank": "Ask"}
    predicted = [label if index < right else wrong[label] for index, label in enumerate(LABELS)]
    saved = asdict(replace(TrainingSettings(), seed=seed, **settings))
    write_run(folder, NAMES, LABELS, predicted, settings=saved, seed=seed)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three experiments: three seeds, two seeds with another learning rate, one seed of another model."""
    for seed, right in enumerate((50, 52, 51)):
        run_of(tmp_path / "slow" / f"seed-{seed}", right, seed)
    for seed, right in enumerate((30, 33)):
        run_of(tmp_path / "fast" / f"seed-{seed}", right, seed, learning_rate=0.5, model_config={"num_anchors": 4})
    run_of(tmp_path / "text", 40, model="text_only")
    return tmp_path


def test_seeds_are_one_experiment_and_the_table_names_what_differs(capsys, runs):
    status, out, err = amess(capsys, "compare", runs / "slow", runs / "fast", runs / "text")
    assert (status, err) == (0, "")
    header, slow, fast, text, *notes = out.splitlines()
    assert header.split()[:3] == ["run", "seeds", "utterances"]
    assert "0, 1, 2" in slow and "85.0 ± 1.7" in slow
    assert "0, 1 " in fast and "52.5 ± 3.5" in fast and "-32.5" in fast
    assert "66.7" in text and "-16.7" in text and "p " in text
    settings = "\n".join(notes)
    assert "learning_rate=0.5" in settings and "model_config.num_anchors=4" in settings
    assert "model=text_only" in settings and "seed=" not in settings


def test_a_folder_above_the_runs_and_any_reference_will_do(capsys, runs):
    status, out, _ = amess(capsys, "compare", runs, "--reference", runs / "text")
    assert status == 0
    rows = {line.split()[0]: line for line in out.splitlines()[1:4]}
    assert set(rows) == {str(runs / name) for name in ("slow", "fast", "text")}
    assert "+16.7" in rows[str(runs / "slow")] and "-15.0" not in rows[str(runs / "text")]


def test_csv_holds_every_number_and_setting(capsys, runs, tmp_path):
    target = tmp_path / "comparison.csv"
    status, out, _ = amess(capsys, "compare", runs / "slow", runs / "fast", "--metric", "macro_f1", "--output", target)
    assert status == 0 and str(target) in out
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [row["metric"] for row in rows] == ["macro_f1"] * 2
    assert rows[1]["learning_rate"] == "0.5" and float(rows[1]["difference"]) < 0 and float(rows[1]["p"]) <= 1
    assert float(rows[0]["low"]) < float(rows[0]["mean"]) < float(rows[0]["high"])
    before = target.read_text()
    status, _, err = amess(capsys, "compare", runs / "slow", "--output", target)
    assert status == 2 and "exists" in err and target.read_text() == before


def test_markdown_is_a_table_that_keeps_the_names_of_folders(capsys, tmp_path):
    run_of(tmp_path / "a|b", 50)
    run_of(tmp_path / "c", 51, learning_rate=0.5)
    target = tmp_path / "table.md"
    assert amess(capsys, "compare", tmp_path / "a|b", tmp_path / "c", "--output", target)[0] == 0
    lines = target.read_text().splitlines()
    assert lines[1].startswith("| --- |") and "a\\|b |" in lines[2]


def test_runs_on_other_utterances_are_shown_without_a_test(capsys, runs):
    write_run(
        runs / "other", NAMES, LABELS, LABELS, first_id=100, settings=asdict(TrainingSettings(scope="all")), seed=0
    )
    status, out, _ = amess(capsys, "compare", runs / "slow", runs / "other")
    assert status == 0 and "no test" in out and "different test utterances" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing is no folder"),
        (["empty"], "metrics.json"),
        (["slow", "--metric", "acuracy"], "acuracy"),
        (["slow", "--reference", "fast"], "--reference"),
        (["slow", "--output", "table.xlsx"], "table.xlsx"),
        (["slow/seed-0", "again"], "seed 0"),
        (["damaged"], "damaged"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(capsys, monkeypatch, runs, arguments, message):
    monkeypatch.chdir(runs)
    (runs / "empty").mkdir()
    run_of(runs / "again", 50)
    (runs / "damaged").mkdir()
    (runs / "damaged" / "metrics.json").write_text('{"test": {}}')
    status, out, err = amess(capsys, "compare", *arguments)
    assert (status, out) == (2, "")
    assert message in err and "Traceback" not in err


def test_folders_without_a_finished_run_are_counted(capsys, runs):
    (runs / "notes").mkdir()
    status, _, err = amess(capsys, "compare", runs / "slow", runs / "notes")
    assert status == 0 and "1 folder" in err
