# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Whose a folder is, what a later run may change in it, and when."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import datasets
import huggingface_hub
import pytest

from dataset_scripts.errors import UserError
from training.arguments import SettingsError, TrainingSettings
from training.checkpointing import CheckpointError, complete_checkpoints
from training.finished_run import ForeignFileError
from training.reproduce import describe_run
from training.run_folder import RunFolder
from training.sentence_embeddings import main as sentence_main
from training.train import TrainingDivergedError, main

from . import tiny


def run(tiny_settings, folder, *arguments):
    return main([*tiny_settings, "--max_steps", "2", "--output_dir", str(folder), *map(str, arguments)])


def content(folder):
    """All files below a folder, hidden ones too, with what they hold, and all empty folders."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def interrupt(folder):
    """Make a finished run what it was before its end."""
    (folder / "metrics.json").unlink()


# --- whose folder it is -------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def without_the_hub(monkeypatch):
    """A name that no folder has is not looked for on the Hub: without a network that takes half a minute."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("overwrite", ["true", "false"])
@pytest.mark.parametrize(
    "files",
    [
        {"config.yaml": "optimizer: {name: adam}\n"},
        {"config.yaml": "- a list\n"},
        {"config.yaml": "seed: 1\nnum_train_epochs: 2\n"},  # a preset of ours that the user keeps there
        {"config.yaml": "seed: 1\n", "thesis.tex": "two years", "log.jsonl": '{"loss": 1}\n'},
        {"config.yaml": "", "checkpoints/step-1/model.bin": "weights"},
        {"metrics.json": '{"accuracy": 1.0}', "pretrained/config.json": "{}"},
        {".hydra/config.yaml": "a: 1\n"},
    ],
)
def test_a_folder_that_no_run_wrote_is_refused_and_kept(tiny_settings, tmp_path, files, overwrite):
    for name, text in files.items():
        (tmp_path / "exp" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "exp" / name).write_text(text)
    before = content(tmp_path)
    with pytest.raises(SettingsError, match="--output_dir"):
        run(tiny_settings, tmp_path / "exp", "--overwrite", overwrite)
    assert content(tmp_path) == before


def test_a_preset_kept_in_its_own_run_folder_is_not_lost(tiny_settings, tmp_path):
    folder = tmp_path / "exp"
    run(tiny_settings, folder)
    preset = folder / "my.yaml"
    shutil.copy(tiny_settings[0], preset)
    before = preset.read_bytes()
    run([str(preset)], folder, "--seed", 1)
    run([str(preset)], folder, "--seed", 2, "--overwrite", "true")
    assert preset.read_bytes() == before
    assert json.loads((folder / "metrics.json").read_text())["seed"] == 2
    assert json.loads((tmp_path / "exp.1" / "metrics.json").read_text())["seed"] == 0
    assert not (tmp_path / "exp.1" / "my.yaml").exists()


def test_overwriting_deletes_what_a_run_wrote_and_nothing_else(tiny_settings, tmp_path):
    folder = tmp_path / "run"
    run(tiny_settings, folder, "--compare_with_text_only", "--report_to", "tensorboard")
    (step,) = complete_checkpoints(folder / "checkpoints")
    theirs = ["thesis.tex", "pretrained/notes.txt", "pretrained/onnx/model.onnx", "text_only/plot.png", "amess/x.csv"]
    theirs.append(str((step / "note.md").relative_to(folder)))
    for name in theirs:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"mine: {name}")
    run(tiny_settings, folder, "--seed", 1, "--overwrite", "true", "--save_epochs", 0)
    assert {name: (folder / name).read_text() for name in theirs} == {name: f"mine: {name}" for name in theirs}
    assert not (folder / "text_only" / "metrics.json").exists()
    assert not list(folder.rglob("*.tfevents.*"))
    assert complete_checkpoints(folder / "checkpoints") == []
    assert json.loads((folder / "metrics.json").read_text())["seed"] == 1


def test_an_interrupted_move_is_completed(tiny_settings, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    run(tiny_settings, folder)
    before = content(folder)
    real, moved = shutil.move, []

    def move_three(*paths):
        if len(moved) == 3:
            raise KeyboardInterrupt
        moved.append(real(*paths))

    monkeypatch.setattr(shutil, "move", move_three)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_settings, folder, "--seed", 1)
    monkeypatch.undo()
    run(tiny_settings, folder, "--seed", 1)
    assert content(tmp_path / "run.1") == before
    assert json.loads((folder / "metrics.json").read_text())["seed"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.1"]


OWN_NAMES = ["metrics.json", "predictions.parquet", "confusion_matrix.png", "intents.png"]


@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_users_file_with_a_name_of_ours_is_refused_before_the_run_goes_on(tiny_settings, interrupted, name):
    path = interrupted / name
    path.write_text("mine")
    before = content(interrupted.parent)
    for more in ([], ["--overwrite", "true"], ["--resume_from_checkpoint", "false"]):
        with pytest.raises(SettingsError, match=name):
            run(tiny_settings, interrupted, *more)
    assert content(interrupted.parent) == before
    path.unlink()


@pytest.fixture(scope="module")
def interrupted(tiny_settings, tmp_path_factory):
    """A run that a kill ended before its results."""
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.train.evaluate_best", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            run(tiny_settings, folder)
    return folder


@pytest.mark.parametrize("more", [[], ["--overwrite", "true"], ["--seed", "1", "--resume_from_checkpoint", "false"]])
def test_a_readme_of_the_users_in_an_unfinished_run_is_kept(tiny_settings, interrupted, tmp_path, capsys, more):
    folder = tmp_path / "run"
    shutil.copytree(interrupted, folder)
    (folder / "README.md").write_text("my notes")
    run(tiny_settings, folder, *more)
    assert (folder / "README.md").read_text() == "my notes"
    assert (folder / "metrics.json").is_file()
    assert "README.md is yours and is kept" in capsys.readouterr().out
    run(tiny_settings, folder, "--seed", 5)
    assert (folder / "README.md").read_text() == "my notes"


def test_what_the_user_adds_to_the_card_is_kept(tiny_settings, finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    with (folder / "README.md").open("a") as stream:
        stream.write("\nMy notes.\n")
    before = (folder / "README.md").read_bytes()
    run(tiny_settings, folder, "--compare_with_text_only")  # the run is kept, and its card would be written again
    assert (folder / "README.md").read_bytes() == before
    run(tiny_settings, folder, "--seed", 1, "--overwrite", "true")
    assert (folder / "README.md").read_bytes() == before


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer_config.json"])
def test_a_users_file_among_the_models_is_never_replaced(tiny_settings, tmp_path, monkeypatch, name):
    """It came while the run trained; the command says what to do, and goes on after that."""
    folder = tmp_path / "run"
    mine = folder / "pretrained" / name
    real = RunFolder.begin

    def begin(self, *arguments):
        if not self.begun:
            real(self, *arguments)
            mine.parent.mkdir(exist_ok=True)
            mine.write_text("mine")

    monkeypatch.setattr(RunFolder, "begin", begin)
    with pytest.raises(SettingsError, match=name):
        run(tiny_settings, folder)
    monkeypatch.undo()
    assert mine.read_text() == "mine"
    mine.rename(tmp_path / name)
    run(tiny_settings, folder)
    assert (folder / "metrics.json").is_file() and (tmp_path / name).read_text() == "mine"


def test_a_picture_of_the_users_is_not_drawn_over(tiny_settings, finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    describe_run(folder)
    describe_run(folder)  # its own pictures are drawn again
    (folder / "intents.png").unlink()
    marker = json.loads((folder / ".amess-run.json").read_text())
    del marker["written"]["intents.png"]
    (folder / ".amess-run.json").write_text(json.dumps(marker))
    (folder / "intents.png").write_text("mine")
    with pytest.raises(ForeignFileError, match=r"intents\.png"):
        describe_run(folder)
    assert (folder / "intents.png").read_text() == "mine"


# --- when it is changed -------------------------------------------------------------------------------------------

FAILURES = [
    ["--label_descriptions", "nope.json"],
    ["--text_model", "nope"],
    ["--dataset", "nope"],
    ["--learning_rate", "1e30", "--new_learning_rate", "1e30", "--max_grad_norm", "0", "--model_config.nope", "1"],
    ["--num_text_layers", "9"],
    ["--resume_from_checkpoint", "nope"],
    ["--mixed_precision", "fp16"],
]


@pytest.mark.parametrize("arguments", FAILURES)
@pytest.mark.parametrize("overwrite", [[], ["--overwrite", "true"]])
def test_a_command_that_fails_leaves_the_earlier_run_alone(tiny_settings, finished, arguments, overwrite):
    before = content(finished.parent)
    with pytest.raises(UserError):
        run(tiny_settings, finished, *arguments, *overwrite)
    assert content(finished.parent) == before


@pytest.fixture(scope="module")
def finished(tiny_settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(tiny_settings, folder)
    return folder


@pytest.mark.parametrize("arguments", FAILURES)
def test_a_command_that_fails_leaves_no_folder(tiny_settings, tmp_path, arguments):
    with pytest.raises(UserError):
        run(tiny_settings, tmp_path / "a" / "b" / "run", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_method_without_a_model_keeps_the_rules_too(tiny_settings, tmp_path):
    folder = tmp_path / "a" / "run"
    with pytest.raises(UserError):
        sentence_main(["logistic", *tiny_settings, "--output_dir", str(folder), "--description_model", "nope"])
    assert list(tmp_path.iterdir()) == []
    for seed in (0, 1):
        sentence_main(["logistic", *tiny_settings, "--output_dir", str(folder), "--seed", str(seed)])
    assert sorted(path.name for path in folder.parent.iterdir()) == ["run", "run.1"]
    assert json.loads((tmp_path / "a" / "run.1" / "metrics.json").read_text())["seed"] == 0


def test_a_first_step_without_a_finite_loss_changes_nothing(tiny_settings, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    run(tiny_settings, folder)
    before = content(tmp_path)
    monkeypatch.setattr("training.train.math", SimpleNamespace(isfinite=lambda _: False))
    with pytest.raises(TrainingDivergedError):
        run(tiny_settings, folder, "--seed", 1, "--overwrite", "true")
    assert content(tmp_path) == before


# --- links, the current folder, names ------------------------------------------------------------------------------


def test_a_linked_folder_stays_a_link(tiny_settings, tmp_path):
    big = tmp_path / "big_disk" / "runs"
    big.mkdir(parents=True)
    link = tmp_path / "run"
    link.symlink_to(big)
    for seed in (0, 1):
        run(tiny_settings, link, "--seed", seed)
    run(tiny_settings, link, "--seed", 2, "--overwrite", "true")
    assert link.is_symlink()
    assert json.loads((big / "metrics.json").read_text())["seed"] == 2
    assert sorted(path.name for path in (tmp_path / "big_disk").iterdir()) == ["runs", "runs.1"]


def test_the_current_folder_can_be_the_run_folder(tiny_settings, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for seed in (0, 1):
        run(tiny_settings, ".", "--seed", seed)
    assert Path.cwd() == here
    assert json.loads((here / "metrics.json").read_text())["seed"] == 1
    assert json.loads((tmp_path / "here.1" / "metrics.json").read_text())["seed"] == 0


def test_the_default_name_is_that_of_the_data(tmp_path, monkeypatch):
    (tmp_path / "clips" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "clips")
    assert TrainingSettings(dataset=".").run_folder == Path("runs/clips-amess")
    assert TrainingSettings(dataset="inner/..").run_folder == Path("runs/clips-amess")
    assert TrainingSettings(dataset="/").run_folder == Path("runs/data-amess")
    assert TrainingSettings(dataset="sample").run_folder == Path("runs/sample-amess")


def test_data_sets_of_one_name_do_not_take_each_others_run(tiny_settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("a", "b"):
        tiny.make_dataset(tmp_path / place / "features")
    arguments = [*tiny_settings, "--max_steps", "2", "--dataset"]
    main([*arguments, "a/features"])
    main([*arguments, "b/features"])
    kept = json.loads((tmp_path / "runs" / "features-amess.1" / "metrics.json").read_text())
    assert kept["settings"]["dataset"] == "a/features"
    interrupt(tmp_path / "runs" / "features-amess")
    with pytest.raises(SettingsError, match="b/features"):
        main([*arguments, "a/features"])


# --- two at once ---------------------------------------------------------------------------------------------------


def test_two_runs_at_once_in_one_folder_are_refused(tiny_settings, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    first = tiny.start(
        [sys.executable], [*tiny_settings, "--output_dir", str(folder), "--num_train_epochs", "99"], log
    )
    try:
        while not list(tmp_path.glob(".*-lock")):
            assert first.poll() is None, log.read_text()
        with pytest.raises(SettingsError, match="Another process"):
            run(tiny_settings, folder, "--seed", 1)
    finally:
        tiny.kill_tree(first)
    # A killed process does not keep its lock.
    run(tiny_settings, folder, "--resume_from_checkpoint", "false")
    assert not list(tmp_path.glob(".*-lock"))


def test_the_lock_is_not_taken_twice_under_one_launch(tiny_settings, tmp_path):
    arguments = [*tiny_settings, "--max_steps", "2", "--output_dir", str(tmp_path / "run")]
    tiny.run(tiny.torchrun(2), arguments, tmp_path / "log.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.txt", "run"]


# --- power cuts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 0.5])
@pytest.mark.parametrize("marker", [True, False])
def test_a_torn_settings_file_is_told_with_the_way_out(tiny_settings, tmp_path, keep, marker):
    folder = tmp_path / "run"
    whole = run(tiny_settings, folder)
    interrupt(folder)
    if not marker:
        (folder / ".amess-run.json").unlink()
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text[: int(len(text) * keep)] + ("\nmodel_config: {a: [" if keep else ""))
    with pytest.raises(SettingsError, match="Delete that file"):
        run(tiny_settings, folder)
    (folder / "config.yaml").unlink()
    with pytest.raises(CheckpointError, match="seed was 0 and is 1"):
        run(tiny_settings, folder, "--seed", 1)
    assert run(tiny_settings, folder)["amess"]["test"] == whole["amess"]["test"]


# --- what a run was trained on -------------------------------------------------------------------------------------


def private_copy(tiny_settings, folder):
    """Settings whose data, descriptions and models are files that a test may change."""
    preset = Path(tiny_settings[0])
    shutil.copytree(preset.parent, folder, dirs_exist_ok=True)
    text = preset.read_text().replace(str(preset.parent), str(folder))
    (folder / "tiny.yaml").write_text(text)
    return [str(folder / "tiny.yaml")]


def change_descriptions(folder):
    texts = json.loads((folder / "descriptions.json").read_text())
    texts["Greet"][0] += " indeed"
    (folder / "descriptions.json").write_text(json.dumps(texts))


def change_data(folder, change):
    splits = datasets.load_from_disk(str(folder / "data"))
    changed = {name: change(name, split) for name, split in splits.items()}
    datasets.DatasetDict(changed).save_to_disk(folder / "new")
    shutil.rmtree(folder / "data")
    (folder / "new").rename(folder / "data")


def flip_labels(folder):
    change_data(folder, lambda name, split: split.map(lambda row: {"label": (row["label"] + 1) % 3}))


def change_one_feature_of_the_test_split(folder):
    def change(name, split):
        def larger(row, index):
            return {"audio_features": [[x + (index == 3) for x in step] for step in row["audio_features"]]}

        return split.map(larger, with_indices=True, features=split.features) if name == "test" else split

    change_data(folder, change)


def change_text_model(folder):
    tiny.make_text_model(folder / "bert", dropout=0.2)


def change_description_model(folder):
    weights = folder / "sentence" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


CHANGES = {
    "label_descriptions": change_descriptions,
    "(train)": flip_labels,
    "(test)": change_one_feature_of_the_test_split,
    "text_model": change_text_model,
    "description_model": change_description_model,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_resume_after_a_change_says_what_changed(tiny_settings, tmp_path, name):
    own = private_copy(tiny_settings, tmp_path / "own")
    run(own, tmp_path / "run")
    interrupt(tmp_path / "run")
    before = content(tmp_path / "run")
    CHANGES[name](tmp_path / "own")
    with pytest.raises(CheckpointError) as error:
        run(own, tmp_path / "run")
    assert name in str(error.value)
    assert "has changed" in str(error.value)
    assert content(tmp_path / "run") == before


def test_data_written_again_with_the_same_content_are_the_same_data(tiny_settings, tmp_path):
    own = private_copy(tiny_settings, tmp_path / "own")
    whole = run(own, tmp_path / "run")
    interrupt(tmp_path / "run")
    change_data(tmp_path / "own", lambda name, split: datasets.Dataset.from_list(split.to_list(), split.features))
    assert run(own, tmp_path / "run")["amess"]["test"] == whole["amess"]["test"]


def test_a_finished_run_of_changed_data_is_not_the_same_run(tiny_settings, tmp_path, capsys):
    own = private_copy(tiny_settings, tmp_path / "own")
    first = run(own, tmp_path / "run")
    flip_labels(tmp_path / "own")
    with pytest.raises(SettingsError, match=r"\(train\) has changed"):
        run(own, tmp_path / "run", "--resume_from_checkpoint", "true")
    second = run(own, tmp_path / "run", "--compare_with_text_only")  # would otherwise train the baseline alone
    assert second["amess"]["trained_on"] != first["amess"]["trained_on"]
    assert json.loads((tmp_path / "run.1" / "metrics.json").read_text()) == first["amess"]
    # Without its data a finished run is still read.
    shutil.rmtree(tmp_path / "own" / "data")
    assert run(own, tmp_path / "run", "--resume_from_checkpoint", "true")["amess"] == second["amess"]


def test_a_checkpoint_without_fingerprints_continues(tiny_settings, tmp_path):
    """Those of version 0.1.0 have none."""
    folder = tmp_path / "run"
    whole = run(tiny_settings, folder)
    interrupt(folder)
    (checkpoint,) = complete_checkpoints(folder / "checkpoints")
    state, marker = checkpoint / "trainer_state.json", checkpoint / "complete.json"
    saved = json.loads(state.read_text())
    del saved["run"]["trained_on"]
    state.write_text(json.dumps(saved))
    listed = json.loads(marker.read_text())
    listed["files"]["trainer_state.json"] = state.stat().st_size
    marker.write_text(json.dumps(listed))
    assert run(tiny_settings, folder)["amess"]["test"] == whole["amess"]["test"]
