# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint is whole or it does not count."""

from __future__ import annotations

import shutil
import threading

import pytest

from dataset_scripts.files import replacing, write_json
from training.checkpointing import (
    MARKER,
    CheckpointError,
    TrainerState,
    complete_checkpoints,
    finish_checkpoint,
    link_folder,
    read_checkpoint,
)


def make_checkpoint(folder, step):
    partial = folder / f".step-{step}.partial"
    (partial / "best").mkdir(parents=True)
    (partial / "model.safetensors").write_bytes(b"weights" * step)
    (partial / "best" / "config.json").write_text("{}")
    state = TrainerState(step=step, best_value=0.1 + 0.2, loss_sums=[1 / 3])
    write_json(partial / "trainer_state.json", {"state": state.__dict__, "run": {"seed": 0}})
    finish_checkpoint(partial, folder / f"step-{step}")
    return folder / f"step-{step}"


def test_the_newest_whole_checkpoint_is_found_by_number(tmp_path):
    for step in (5, 10, 9):
        make_checkpoint(tmp_path, step)
    assert [path.name for path in complete_checkpoints(tmp_path)] == ["step-5", "step-9", "step-10"]
    assert complete_checkpoints(tmp_path / "none") == []


def test_floats_of_the_trainer_state_keep_every_bit(tmp_path):
    state, run = read_checkpoint(make_checkpoint(tmp_path, 3))
    assert (state.step, state.best_value, state.loss_sums) == (3, 0.1 + 0.2, [1 / 3])
    assert run == {"seed": 0}


def tear_marker(path):
    (path / MARKER).unlink()


def tear_json(path):
    (path / MARKER).write_text('{"files": {"model')


def tear_weights(path):
    (path / "model.safetensors").write_bytes(b"weig")


def lose_file(path):
    (path / "best" / "config.json").unlink()


@pytest.mark.parametrize("tear", [tear_marker, tear_json, tear_weights, lose_file])
def test_a_torn_checkpoint_is_passed_over_and_refused_by_name(tmp_path, tear):
    make_checkpoint(tmp_path, 1)
    torn = make_checkpoint(tmp_path, 2)
    tear(torn)
    assert [path.name for path in complete_checkpoints(tmp_path)] == ["step-1"]
    with pytest.raises(CheckpointError, match="step-2 is not whole"):
        read_checkpoint(torn)


def test_checkpoints_can_be_looked_for_while_a_run_replaces_them(tmp_path):
    make_checkpoint(tmp_path, 1)
    stop = threading.Event()

    def replace_over_and_over():
        while not stop.is_set():
            shutil.rmtree(make_checkpoint(tmp_path, 2))

    run = threading.Thread(target=replace_over_and_over)
    run.start()
    try:
        found = [[path.name for path in complete_checkpoints(tmp_path)] for _ in range(500)]
    finally:
        stop.set()
        run.join()
    assert all(names in (["step-1"], ["step-1", "step-2"]) for names in found)


def test_an_unfinished_folder_does_not_count(tmp_path):
    (tmp_path / ".step-4.partial").mkdir()
    (tmp_path / "step-x").mkdir()
    assert complete_checkpoints(tmp_path) == []


def test_replacing_a_folder_leaves_no_trace_of_the_old(tmp_path):
    old = tmp_path / "model"
    old.mkdir()
    (old / "a").write_text("a")
    with replacing(old) as new:
        new.mkdir()
        (new / "b").write_text("b")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert [path.name for path in old.iterdir()] == ["b"]


def test_a_linked_folder_outlives_its_source(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "weights").write_text("old")
    link_folder(source, tmp_path / "target")
    with replacing(source) as new:
        new.mkdir()
        (new / "weights").write_text("new")
    assert (tmp_path / "target" / "weights").read_text() == "old"
    assert (source / "weights").read_text() == "new"
