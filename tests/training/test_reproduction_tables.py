# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""From run folders to Markdown, CSV and pictures."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from training import reporting
from training.finished_run import read_predictions
from training.reproduction.experiments import Experiment
from training.reproduction.jobs import Job
from training.reproduction.pages import END_OF_READING, READING, read_reading, write_page
from training.reproduction.pictures import confusion_matrix, draw, draw_confusion_matrix, draw_intents
from training.reproduction.results import compare, read_row
from training.reproduction.runs import Run, TableRow
from training.reproduction.tables import csv_text, markdown, table_text

from .run_folders import write_run


NAMES = ["Greet", "Leave", "Thank"]
GOLD = NAMES * 30


def mistaken(number, start=0):
    """Predictions with so many mistakes among the 90 samples."""
    return [NAMES[(NAMES.index(name) + (start <= i < start + number)) % 3] for i, name in enumerate(GOLD)]


def row_of(name, title="", **shown):
    """A table row of a run of the sample preset."""
    return TableRow(title or name, Run.of_preset(name, "sample"), **shown)


def jobs(tmp_path, row, seeds):
    return [Job(row, seed, tmp_path) for seed in seeds]


@pytest.fixture
def table(tmp_path):
    """Two rows with two seeds each, and a third row of which one seed is missing."""
    rows = (
        row_of("pool/first", "first", published={"accuracy": 71.5}),
        row_of("pool/second", "second|row"),
        row_of("pool/third", "third"),
    )
    for row, seed, mistakes in ((0, 0, 45), (0, 1, 27), (1, 0, 18), (1, 1, 9), (2, 1, 0)):
        write_run(tmp_path / rows[row].run.name / f"seed-{seed}", NAMES, GOLD, mistaken(mistakes))
    experiment = Experiment("some-table", "Some table", rows, differences="the data.", reference="third")
    return experiment, [read_row(jobs(tmp_path, row, (0, 1))) for row in rows]


def test_markdown_tells_means_deviations_intervals_differences_and_gaps(table):
    experiment, results = table
    text = markdown(experiment, results)
    lines = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]
    assert lines[0] == [
        "row", "ACC", "F1", "paper ACC", "paper F1", "ACC against the row above", "third against this row", "seeds"
    ]  # fmt: skip
    first, second, third = lines[2:]
    # 50 % and 70 % right; standard deviation with n - 1.
    assert first[1].startswith("60.0 ± 14.1 [") and first[3:6] == ["71.50", "", ""]
    low, high = (float(number) for number in re.findall(r"\[([\d.]+), ([\d.]+)\]", first[1])[0])
    assert low < 60 < high
    assert second[0] == r"second\|row" and second[5].startswith("+25.0 [")
    # The third row has seed 1 alone: it is compared on that seed, by McNemar's test: nine mistakes against none.
    assert third[1].startswith("100.0 [") and third[7] == "1"
    assert third[5].startswith("+10.0 [") and third[5].endswith(f"p = {2 / 2**9:.3f}")
    assert first[6].startswith("+30.0 [") and third[6] == ""
    assert "Missing: third, seed 0." in text and "differs from the paper's setting: the data." in text


def test_csv_has_a_line_for_every_row_and_metric(table):
    experiment, results = table
    lines = list(csv.DictReader(io.StringIO(csv_text(experiment, results))))
    assert [(line["row"], line["metric"]) for line in lines[:3]] == [
        ("first", "accuracy"),
        ("first", "macro_f1"),
        ("second|row", "accuracy"),
    ]
    assert (lines[0]["mean"], lines[0]["std"], lines[0]["paper"]) == ("60.00", "14.14", "71.50")
    assert (lines[0]["seeds"], lines[0]["values"]) == ("0 1", "50.00 70.00")
    assert float(lines[0]["low"]) < 60 < float(lines[0]["high"])
    assert (lines[2]["above_difference"], lines[2]["above_test"]) == ("25.00", "two-way variance")
    assert (lines[4]["above_test"], float(lines[4]["above_p"])) == ("McNemar", pytest.approx(2 / 2**9, rel=1e-3))


def test_runs_on_other_test_samples_are_not_compared(tmp_path):
    write_run(tmp_path / "pool" / "a" / "seed-0", NAMES, GOLD, mistaken(5))
    write_run(tmp_path / "pool" / "b" / "seed-0", NAMES, GOLD[:60], mistaken(5)[:60])
    first, second = (read_row(jobs(tmp_path, row_of(f"pool/{name}"), (0,))) for name in "ab")
    assert compare(first, second, "accuracy") is None
    assert compare(first, first, "accuracy").p_value == 1


def test_folds_count_as_one_run_that_was_tested_on_all_samples(tmp_path):
    for name, mistakes in (("a", 30), ("b", 12)):
        write_run(tmp_path / "whole" / "pool" / name / "seed-0", NAMES, GOLD, mistaken(mistakes))
        for fold in (0, 1, 2):
            part = slice(30 * fold, 30 * fold + 30)
            folder = tmp_path / "folds" / "pool" / name / f"seed-{fold}"
            write_run(folder, NAMES, GOLD[part], mistaken(mistakes)[part], first_id=30 * fold)
    whole, folds = (
        [read_row(jobs(tmp_path / kind, row_of(f"pool/{name}"), seeds)) for name in "ab"]
        for kind, seeds in (("whole", (0,)), ("folds", (0, 1, 2)))
    )
    for one, other in zip(whole, folds, strict=True):
        assert one.mean("accuracy") == pytest.approx(other.mean("accuracy"))
        assert one.interval("accuracy") == pytest.approx(other.interval("accuracy"))
    compared = compare(*folds, "accuracy")
    assert compared.difference == pytest.approx(20) and compared.test == "McNemar"
    assert 10 < compared.low < 20 < compared.high < 30 and compared.p_value < 0.01
    # Seeds that share some of their samples and not all are neither.
    write_run(tmp_path / "folds" / "pool" / "a" / "seed-3", NAMES, GOLD[:30], mistaken(30)[:30])
    mixed = read_row(jobs(tmp_path / "folds", row_of("pool/a"), (0, 1, 3)))
    assert mixed.interval("accuracy") is None


def test_out_of_scope_metrics_are_those_of_the_rows_decision(tmp_path):
    gold = [*GOLD, *["UNK"] * 30]
    closed = [*mistaken(9), *["Greet"] * 30]
    decisions = [*mistaken(9), *["UNK"] * 20, *["Greet"] * 10]
    judged = {"accuracy": 101 / 120, "f1_in_scope": 0.8, "f1_out_of_scope": 0.8, "f1": 0.8}
    energy = {"accuracy": 0.5, "f1_in_scope": 0.4, "f1_out_of_scope": 0.6, "f1": 0.45}
    outside = {"open_intent": {"doc": judged, "energy": energy}, "ood_detection": {"energy": {"auroc": 0.75}}}
    write_run(tmp_path / "pool" / "run" / "seed-0", NAMES, gold, closed, decisions, out_of_scope={"test": outside})
    results = {
        decision: read_row(jobs(tmp_path, row_of("pool/run", decision=decision), (0,)))
        for decision in ("doc", "energy")
    }
    assert results["doc"].values("accuracy") == [pytest.approx(90)]  # of the 90 that have an intent
    assert results["doc"].values("open_accuracy") == [pytest.approx(100 * 101 / 120)]
    low, high = results["doc"].interval("f1_out_of_scope")
    assert low < 80 < high
    assert results["energy"].values("open_accuracy") == [50]
    assert results["energy"].values("auroc") == [75]
    # No file holds its decisions utterance by utterance.
    assert results["energy"].interval("open_accuracy") is None
    assert results["doc"].values("auroc") == []


def test_a_figure_compares_curves_at_the_same_place_only(tmp_path):
    rows = []
    for place, mistakes in (("1", 40), ("2", 20)):
        for curve, fewer in (("A-MESS", 10), ("text_only", 0)):
            rows.append(row_of(f"pool/{curve}{place}", f"{curve}, {place}", place=place, curve=curve))
            write_run(tmp_path / rows[-1].run.name / "seed-0", NAMES, GOLD, mistaken(mistakes - fewer))
    experiment = Experiment("f", "F", tuple(rows), ("accuracy",), reference="A-MESS", axis="samples")
    results = [read_row(jobs(tmp_path, row, (0,))) for row in rows]
    lines = list(csv.DictReader(io.StringIO(csv_text(experiment, results))))
    assert [line["above_difference"] for line in lines] == ["", "-11.11", "", "-11.11"]
    assert [line["reference_difference"] for line in lines] == ["", "11.11", "", "11.11"]
    draw(experiment, results, tmp_path / "curves.png")
    assert_is_a_picture(tmp_path / "curves.png")


def test_the_confusion_matrix_counts_samples_and_pictures_are_small(tmp_path, table):
    experiment, results = table
    draw(experiment, results, tmp_path / "table.png")
    predictions = read_predictions(tmp_path / "pool" / "first" / "seed-1")
    draw_confusion_matrix(predictions, tmp_path / "confusion.png")
    draw_intents(predictions, tmp_path / "intents.png")
    np.testing.assert_array_equal(confusion_matrix(predictions), [[21, 9, 0], [0, 21, 9], [9, 0, 21]])
    for name in ("table", "confusion", "intents"):
        assert_is_a_picture(tmp_path / f"{name}.png")


def test_a_page_says_how_the_table_was_made_and_keeps_what_a_person_wrote(tmp_path, table):
    experiment, results = table
    made = [job for row in experiment.rows for job in jobs(tmp_path, row, (0, 1))]
    page = tmp_path / "docs" / "page.md"
    write_page(page, experiment, results, made, "python -m training.reproduce --table 1")
    text = page.read_text()
    assert text.startswith(f"# Some table\n\n{table_text(experiment, results)}\n\n{READING}")
    assert "    python -m training.reproduce --table 1\n" in text
    assert "| seeds | 0, 1 |" in text and "| test utterances | 90 |" in text
    assert "| commit of the code | not recorded |" in text
    assert "| first | sample.yaml | none |" in text
    page.write_text(text.replace(READING, f"{READING}\nThe third row is the best.\n\n- By far."))
    for _ in range(2):
        write_page(page, experiment, results, made, "another command")
        assert read_reading(page) == "The third row is the best.\n\n- By far."
    assert "another command" in page.read_text() and page.read_text().count(END_OF_READING) == 1


def test_a_page_names_versions_device_and_the_settings_that_differ(tmp_path):
    run = Run.of_preset(
        "pool/run", "sample", model_config={"num_anchors": 4}, held_out_intents=0.33, out_of_scope="none"
    )
    row = TableRow("four anchors", replace(run, seeded=("held_out_seed",)))
    versions = {"torch": "2.13", "commit": "a" * 40}
    write_run(
        tmp_path / "pool" / "run" / "seed-1",
        NAMES,
        GOLD,
        mistaken(5),
        versions=versions,
        device="cpu",
        wall_seconds=2.4,
    )
    made = jobs(tmp_path, row, (1,))
    experiment = Experiment("some-figure", "Some figure", (row,), axis="anchors")
    results = [read_row(made)]
    draw(experiment, results, tmp_path / "picture.png")
    write_page(tmp_path / "page.md", experiment, results, made, "command", picture=tmp_path / "picture.png")
    text = (tmp_path / "page.md").read_text()
    for line in (
        f"commit of the code | {'a' * 40}",
        "versions | torch 2.13",
        "device | cpu",
        "seconds per run | 2 to 2",
    ):
        assert f"| {line} |" in text
    assert "`--model_config.num_anchors 4`" in text and "`--held_out_seed`: the seed" in text
    assert "![Some figure](page.png)" in text
    assert_is_a_picture(tmp_path / "page.png")


def test_a_page_that_a_person_wrote_as_a_whole_is_not_overwritten(tmp_path, table):
    experiment, results = table
    page = tmp_path / "page.md"
    page.write_text("# By hand\n")
    with pytest.raises(ValueError, match="--page"):
        write_page(page, experiment, results, [], "command")
    assert page.read_text() == "# By hand\n"


def test_versions_name_the_commit_of_a_checkout(tmp_path, monkeypatch):
    commit = reporting.versions().get("commit")
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", commit)
    # A copy that the checkout around it does not track.
    monkeypatch.setattr(reporting, "__file__", str(tmp_path / "reporting.py"))
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert "commit" not in reporting.versions()


def assert_is_a_picture(file):
    pixels = np.asarray(Image.open(file).convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10
    assert file.stat().st_size < 200_000
