# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Tables of changed test utterances: modalities missing or noisy, and utterances that text alone cannot tell."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from dataset_scripts.errors import UserError
from training.finished_run import read_predictions
from training.reproduce import main as reproduce
from training.reproduction.debiased import DebiasedError, debiased_table, of_utterances, read_annotations
from training.reproduction.jobs import Job
from training.reproduction.missing import (
    CLEAN,
    MISSING,
    NOISE,
    REPLACED,
    ChangedRows,
    Condition,
    conditions,
    misheard,
    read_conditions,
)
from training.reproduction.results import read_row
from training.reproduction.runs import Run, TableRow
from training.train import main as train

from .run_folders import write_run


class Rows:
    """Forty test rows whose features tell which row they are of."""

    label_names, has_planted_bits = ["Greet"], False

    def __len__(self):
        return 40

    def __getitem__(self, index):
        features = np.full((2, 3), index, np.float32)
        return {"text": f"word{index}", "label": 0, "video_features": features, "audio_features": features.copy()}


def test_the_share_of_rows_that_lose_a_modality_is_the_rate_and_higher_rates_take_more_of_them():
    before: set[int] = set()
    for rate in (0.25, 0.5, 1.0):
        rows = ChangedRows(Rows(), Condition(MISSING, ("video",), rate))
        lost = {index for index in range(40) if not len(rows[index]["video_features"])}
        assert len(lost) == 40 * rate and before <= lost
        assert all(len(rows[index]["audio_features"]) for index in range(40))
        before = lost


def test_a_replaced_modality_is_that_of_another_row_and_noise_has_the_deviation_asked_for():
    rows = ChangedRows(Rows(), Condition(REPLACED, ("audio",), 1.0))
    others = [int(rows[index]["audio_features"][0, 0]) for index in range(40)]
    assert sorted(others) == list(range(40)) and all(other != index for index, other in enumerate(others))
    assert all(int(rows[index]["video_features"][0, 0]) == index for index in range(40))
    rows = ChangedRows(Rows(), Condition(NOISE, ("video",), 0.5), {"video": 4.0})
    noise = np.concatenate([rows[index]["video_features"] - Rows()[index]["video_features"] for index in range(40)])
    assert noise.std() == pytest.approx(2, rel=0.15) and noise.mean() == pytest.approx(0, abs=0.5)
    assert (rows[3]["video_features"] == rows[3]["video_features"]).all() and rows[3]["video_features"].dtype == "f4"


def test_word_errors_come_at_the_rate():
    draw, text = np.random.default_rng(0), " ".join(["right"] * 4000)
    assert misheard(text, 0.0, ["wrong"], draw) == text
    heard = misheard(text, 0.4, ["wrong"], draw).split()
    # Of 1600 errors 800 replace, 400 leave out, 400 add.
    assert len(heard) == pytest.approx(4000, abs=120)
    assert heard.count("wrong") == pytest.approx(1200, abs=120)
    assert heard.count("right") == pytest.approx(4000 - 1200, abs=120)


def test_conditions_are_of_the_modalities_that_a_run_reads():
    assert {condition.title for condition in conditions(("text",))} == {
        CLEAN,
        "text missing",
        "text of another utterance",
        "text with word errors",
    }
    titles = {condition.title for condition in conditions(("text", "video", "audio"))}
    assert {"video and audio missing", "audio with noise", "video of another utterance"} < titles
    assert len(conditions(("text", "video", "audio"), (1.0,))) == 1 + 4 + 3 + 2 + 1


@pytest.fixture(scope="module")
def run(tiny_settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("missing") / "run"
    train([*tiny_settings, "--num_train_epochs", "4", "--compare_with_text_only", "--output_dir", str(folder)])
    return folder


def test_a_run_and_its_baseline_are_tested_under_every_condition(run, capsys):
    assert reproduce(["--run", str(run), "--missing"]) == 0
    printed = capsys.readouterr().out
    found = {name: read_conditions(folder) for name, folder in (("amess", run), ("text_only", run / "text_only"))}
    for name, folder in (("amess", run), ("text_only", run / "text_only")):
        metrics = json.loads((folder / "metrics.json").read_text())
        assert found[name][CLEAN]["0"]["accuracy"] == pytest.approx(metrics["test"]["accuracy"])
    # The baseline reads text alone.
    baseline = found["text_only"]
    assert all(cell == baseline[CLEAN]["0"] for cell in baseline["video and audio missing"].values())
    assert found["amess"]["text missing"]["1"]["accuracy"] < found["amess"][CLEAN]["0"]["accuracy"]
    assert "| video and audio missing | 1 |" in printed and "text_only" in printed
    assert {"missing.md", "missing.csv", "missing.png"} <= {path.name for path in run.iterdir()}


def test_what_was_evaluated_is_kept_for_this_run_and_not_for_another_in_its_folder(run, tmp_path, monkeypatch):
    known = read_conditions(run)
    copy = shutil.copytree(run, tmp_path / "copy")
    for file in (copy / "pretrained").glob("*.safetensors"):
        file.unlink()
    assert read_conditions(copy) == known
    metrics = json.loads((copy / "metrics.json").read_text())
    (copy / "metrics.json").write_text(json.dumps(metrics | {"seed": 5}))
    with pytest.raises(UserError, match="no weights"):
        read_conditions(copy)


def test_a_run_without_weights_says_what_to_do(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "missing.json").unlink(missing_ok=True)
    for file in (copy / "pretrained").glob("*.safetensors"):
        file.unlink()
    with pytest.raises(UserError, match="no weights"):
        read_conditions(copy)


def write_ids(folder, dataset="MIntRec"):
    """The authors' layout: two of four utterances are debiased, three are annotated."""
    place = folder / dataset
    place.mkdir(parents=True)
    header = "season\tepisode\tclip\ttext\tlabel"
    (place / "debiased_test.tsv").write_text(f"{header}\nS04\tE01\t3\thi\tgreet\nS04\tE01\t4\tbye\tleave\n")
    lines = ["1\thi\tGreet\tnone\tText", "3\thi\tGreet\tnone\tVideo+Audio+Text", "4\tbye\tLeave\tnone\tNa"]
    rows = "".join(f"S04\tE01\t{line}\n" for line in lines)
    (place / "modalities_test.tsv").write_text(f"{header}\tVideo_Link\tModality\n{rows}S04\tE01\t9\tx\ty\tz\t\n")
    return folder


def results(folder, seed_predictions):
    """Results of a row whose runs predict these labels for S04_E01_1 to 4."""
    run = Run("pool/run", "mintrec", None)
    row = TableRow("A-MESS", run)
    jobs = [Job(row, seed, folder) for seed in range(len(seed_predictions))]
    for job, predicted in zip(jobs, seed_predictions, strict=True):
        ids = [f"S04_E01_{number}" for number in range(1, 5)]
        write_run(job.folder, ["Greet", "Leave"], ["Greet", "Greet", "Greet", "Leave"], predicted, ids=ids)
    return read_row(jobs)


def test_the_accuracy_is_split_by_the_ids(tmp_path):
    annotations = read_annotations(write_ids(tmp_path / "ids"), "mintrec")
    assert annotations.needed == {"S04_E01_1": "text", "S04_E01_3": "text + video + audio"}
    found = results(tmp_path, [["Greet", "Greet", "Leave", "Leave"], ["Greet", "Leave", "Leave", "Greet"]])
    lines = debiased_table([found], annotations).splitlines()[2:]
    cells = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in lines}
    assert {name: row[0] for name, row in cells.items()} == {
        "all": "4",
        "debiased": "2",
        "others": "2",
        "needs text": "1",
        "needs text + video + audio": "1",
    }
    # By seed: all 3 and 1 of 4, debiased 1 and 0 of 2, others 2 and 1 of 2.
    assert [cells[name][1].split(" ")[0] for name in ("all", "debiased", "others")] == ["50.0", "25.0", "75.0"]


def test_the_interval_of_a_group_is_that_of_its_utterances(tmp_path):
    run = TableRow("A-MESS", Run("pool/run", "mintrec", None))
    job = Job(run, 0, tmp_path)
    predicted = ["Greet"] * 60 + ["Leave"] * 40
    write_run(job.folder, ["Greet", "Leave"], ["Greet"] * 100, predicted, ids=[str(number) for number in range(100)])
    whole = read_row([job])
    low, high = whole.interval("accuracy")
    part = of_utterances(whole, [str(number) for number in range(50, 70)])
    narrow, wide = high - low, np.subtract(*reversed(part.interval("accuracy")))
    assert part.mean("accuracy") == 50 and wide > 1.7 * narrow


def test_ids_that_are_missing_or_of_other_data_say_where_to_get_them(tmp_path, capsys, run):
    with pytest.raises(DebiasedError, match="ACL Anthology"):
        read_annotations(tmp_path, "mintrec")
    with pytest.raises(DebiasedError, match="the run is on sample"):
        read_annotations(write_ids(tmp_path / "ids"), "sample")
    for arguments, word in (
        (["--table", "debiased", "--dataset", "mintrec"], "--debiased DIR"),
        (["--table", "debiased", "--dataset", "sample", "--debiased", str(tmp_path)], "--dataset mintrec"),
        (["--table", "3", "--dataset", "sample", "--debiased", str(tmp_path)], "leave it out"),
        (["--table", "3", "--dataset", "sample", "--missing"], "--table missing"),
        (["--run", str(run), "--debiased", str(tmp_path / "ids")], "ids of"),
    ):
        with pytest.raises(SystemExit) as exit:
            reproduce([*arguments, "--output", str(tmp_path / "out")])
        assert exit.value.code == 2 and word in capsys.readouterr().err
    assert read_predictions(run).ids and not (tmp_path / "out").exists(), "nothing was trained"
