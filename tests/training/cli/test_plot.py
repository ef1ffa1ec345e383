# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess plot` on runs of the training script: pictures of every kind, and what has no data is told."""

import matplotlib
import pytest

from training.cli.plot import FORMATS
from training.train import main as train

from .command import amess


NAMES = ("training", "confusion_matrix", "reliability", "coverage")
STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_settings):
    """Two finished runs."""
    folder = tmp_path_factory.mktemp("runs")
    for name, model in (("first", "amess"), ("second", "mean_fusion")):
        settings = [*tiny_settings, "--model", model, "--save_epochs", "0", "--output_dir", str(folder / name)]
        train([*settings, *(["--model_config", "{}"] if model != "amess" else [])])
    return folder


@pytest.mark.parametrize("kind", FORMATS)
def test_pictures_of_every_kind_tell_the_number_of_utterances(capsys, runs, tmp_path, kind):
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        status, out, _ = amess(capsys, "plot", runs / "first", "--output", tmp_path / "figures", "--format", kind)
    # Thirteen utterances are too few for prediction sets.
    assert status == 1 and "Left out" in out and "13 test utterances are too few" in out
    files = {path.name: path for path in (tmp_path / "figures").iterdir()}
    assert set(files) == {f"{name}.{kind}" for name in NAMES[:3]}
    assert all(path.read_bytes().startswith(STARTS[kind]) for path in files.values())
    if kind == "svg":
        assert "42 training and 13 validation utterances" in files["training.svg"].read_text()
        assert all("13 test utterances" in files[f"{name}.svg"].read_text() for name in NAMES[1:3])


def test_the_training_of_several_runs_is_one_picture_and_the_rest_a_folder_per_run(capsys, runs, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        amess(capsys, "plot", runs / "first", runs / "second", "--output", tmp_path, "--format", "svg")
    training = (tmp_path / "training.svg").read_text()
    assert "first: ACC" in training and "second: ACC" in training
    for name in ("first", "second"):
        assert {path.name for path in (tmp_path / name).iterdir()} == {f"{picture}.svg" for picture in NAMES[1:3]}
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere is not the folder of a finished run"),
        (["first", "nowhere"], "nowhere is not the folder of a finished run"),
        (["first/pretrained"], "Give the run folder"),
        (["first", "first"], "Two runs are named first"),
    ],
)
def test_what_cannot_be_plotted_is_told_before_a_picture_is_written(capsys, runs, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(runs)
    status, _, err = amess(capsys, "plot", *words, "--output", tmp_path / "figures")
    assert status == 2 and told in err
    assert not (tmp_path / "figures").exists()
