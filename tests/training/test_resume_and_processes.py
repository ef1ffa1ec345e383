# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Real processes: a killed run goes on as if nothing had happened; launches that would not do what was asked stop."""

from __future__ import annotations

import json
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from training.checkpointing import CheckpointError, complete_checkpoints, read_checkpoint
from training.train import main

from . import tiny


# 42 samples in batches of 4 are 11 steps an epoch, 6 with two processes; a checkpoint every 4 steps falls inside.
SETTINGS = ["--num_train_epochs", "4", "--save_steps", "4", "--save_epochs", "1"]
TIMES = ("wall_seconds", "train_seconds", "train_samples_per_second")


def results(folder):
    """All that a run leaves, but for times and for the settings that say where it went and how it was resumed."""
    metrics = json.loads((folder / "metrics.json").read_text())
    for name in TIMES:
        assert metrics.pop(name) > 0
    for name in ("output_dir", "resume_from_checkpoint", "save_steps"):
        metrics["settings"].pop(name)
    (last,) = complete_checkpoints(folder / "checkpoints")
    state, _ = read_checkpoint(last)
    state.train_seconds = 0.0
    return {
        "metrics": metrics,
        "log": (folder / "log.jsonl").read_text(),
        "predictions": (folder / "predictions.parquet").read_bytes(),
        "weights": (folder / "pretrained" / "model.safetensors").read_bytes(),
        "trainer state": state,
        "checkpoint": last.name,
    }


def assert_equal_bit_for_bit(resumed, uninterrupted):
    found, expected = results(resumed), results(uninterrupted)
    for name in expected:
        assert found[name] == expected[name], f"{name} differs"
    (last,), (other,) = (complete_checkpoints(folder / "checkpoints") for folder in (resumed, uninterrupted))
    assert (last / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    for name in ("optimizer.bin", "scheduler.bin"):
        assert_equal_state(torch.load(last / name), torch.load(other / name), name)


def assert_equal_state(found, expected, where):
    assert type(found) is type(expected), where
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), where
    elif isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key in expected:
            assert_equal_state(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, value in enumerate(expected):
            assert_equal_state(found[index], value, f"{where}[{index}]")
    else:
        assert found == expected, where


def start_and_kill(launcher, arguments, folder, steps_per_epoch):
    """Start a run and kill it with all its processes in the middle of its second or a later epoch."""
    log = folder.with_name(f"{folder.name}.txt")
    process = tiny.start(launcher, arguments, log)
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline and process.poll() is None:
            found = complete_checkpoints(folder / "checkpoints")
            if found:
                step = int(found[-1].name.removeprefix("step-"))
                if step > steps_per_epoch and step % steps_per_epoch:
                    break
            time.sleep(0.002)
    finally:
        ended = process.poll()
        if ended is None:
            tiny.kill_tree(process)
    assert ended is None, log.read_text()
    assert not (folder / "metrics.json").exists()
    state, _ = read_checkpoint(complete_checkpoints(folder / "checkpoints")[-1])
    return state


def test_a_killed_run_continues_bit_for_bit_on_one_process(tiny_settings, tmp_path, capsys):
    arguments = [*tiny_settings, *SETTINGS]
    main([*arguments, "--output_dir", str(tmp_path / "whole")])
    killed = tmp_path / "killed"
    state = start_and_kill([sys.executable], [*arguments, "--output_dir", str(killed)], killed, steps_per_epoch=11)
    assert state.best_value is not None
    # The newest checkpoint may be torn, too; then the one before it counts. Here a copy of nothing but a name.
    (killed / "checkpoints" / "step-9999").mkdir()
    capsys.readouterr()
    main([*arguments, "--output_dir", str(killed)])
    assert f"Continuing from {killed / 'checkpoints'}/step-{state.step}" in capsys.readouterr().out
    assert_equal_bit_for_bit(killed, tmp_path / "whole")


def test_a_checkpoint_within_an_epoch_continues_in_another_folder(tiny_settings, tmp_path):
    arguments = [*tiny_settings, "--num_train_epochs", "4", "--save_steps", "5"]
    arguments += [
        "--early_stopping_patience",
        "1",
        "--gradient_accumulation_steps",
        "2",
        "--per_device_train_batch_size",
        "2",
    ]
    main([*arguments, "--output_dir", str(tmp_path / "whole"), "--save_total_limit", "50"])
    for path in complete_checkpoints(tmp_path / "whole" / "checkpoints")[:-1]:
        middle = read_checkpoint(path)[0]
        if middle.steps_in_epoch and middle.epoch:
            break
    else:
        pytest.fail("no checkpoint in the middle of a later epoch")
    main([*arguments, "--output_dir", str(tmp_path / "continued"), "--resume_from_checkpoint", str(path)])
    for old in complete_checkpoints(tmp_path / "whole" / "checkpoints")[:-1]:
        (old / "complete.json").unlink()
    for folder in ("whole", "continued"):
        metrics = json.loads((tmp_path / folder / "metrics.json").read_text())
        metrics["settings"].pop("save_total_limit")
        (tmp_path / folder / "metrics.json").write_text(json.dumps(metrics))
    # The log of the other folder begins where the run was taken up.
    whole_log = (tmp_path / "whole" / "log.jsonl").read_text()
    assert whole_log.endswith((tmp_path / "continued" / "log.jsonl").read_text())
    (tmp_path / "continued" / "log.jsonl").write_text(whole_log)
    assert_equal_bit_for_bit(tmp_path / "continued", tmp_path / "whole")


@pytest.fixture(scope="module")
def two_processes(tiny_settings, tmp_path_factory):
    """An uninterrupted run on two processes."""
    folder = tmp_path_factory.mktemp("two") / "whole"
    arguments = [*tiny_settings, *SETTINGS, "--output_dir", str(folder)]
    tiny.run(tiny.torchrun(2), arguments, folder.with_name("whole.txt"))
    return folder


@pytest.mark.slow
def test_a_killed_run_continues_bit_for_bit_on_two_processes(tiny_settings, two_processes, tmp_path):
    killed = tmp_path / "killed"
    arguments = [*tiny_settings, *SETTINGS, "--output_dir", str(killed)]
    start_and_kill(tiny.torchrun(2), arguments, killed, steps_per_epoch=6)
    output = tiny.run(tiny.torchrun(2), arguments, tmp_path / "resumed.txt")
    assert "Continuing from" in output
    assert_equal_bit_for_bit(killed, two_processes)


def test_every_sample_is_evaluated_once_on_two_processes(two_processes):
    import pyarrow.parquet as pq

    # 13 test samples do not divide by two: one is evaluated twice and counted once.
    ids = pq.read_table(two_processes / "predictions.parquet")["id"].to_pylist()
    assert sorted(ids) == sorted(f"test_{index}" for index in range(13))
    metrics = json.loads((two_processes / "metrics.json").read_text())
    assert metrics["num_processes"] == 2
    assert sum(row["support"] for row in metrics["validation"]["per_class"]) == 13


@pytest.mark.slow
def test_two_machines_give_what_two_processes_give(tiny_settings, two_processes, tmp_path):
    folder = tmp_path / "nodes"
    arguments = [*tiny_settings, *SETTINGS, "--output_dir", str(folder)]
    port = str(tiny.free_port())
    nodes = []
    for rank in range(2):
        options = ["--nnodes", "2", "--node_rank", str(rank), "--master_addr", "127.0.0.1", "--master_port", port]
        nodes.append(tiny.start(tiny.torchrun(1, *options), arguments, tmp_path / f"node{rank}.txt"))
    for rank, node in enumerate(nodes):
        assert node.wait(timeout=240) == 0, (tmp_path / f"node{rank}.txt").read_text()
    assert_equal_bit_for_bit(folder, two_processes)


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(tiny_settings, tmp_path):
    text_model = tiny.make_text_model(tmp_path / "bert", dropout=0.0)
    arguments = [*tiny_settings, "--text_model", text_model, "--max_steps", "8"]
    arguments += ["--model_config.fusion_dropout", "0", "--model_config.classifier_dropout", "0"]
    pair, single = tmp_path / "pair", tmp_path / "single"
    tiny.run(tiny.torchrun(2), [*arguments, "--output_dir", str(pair)], tmp_path / "pair.txt")
    main([*arguments, "--output_dir", str(single), "--per_device_train_batch_size", "8"])
    found, expected = (load_file(folder / "pretrained" / "model.safetensors") for folder in (pair, single))
    # AdamW turns the rounding noise of a gradient that is zero in theory (an attention key's bias) into steps.
    for name in expected:
        if not name.endswith(("key.bias", "in_proj_bias")) and expected[name].is_floating_point():
            torch.testing.assert_close(
                found[name], expected[name], atol=2e-3, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_a_run_of_two_processes_is_not_continued_by_one(tiny_settings, two_processes, tmp_path):
    (checkpoint,) = complete_checkpoints(two_processes / "checkpoints")
    with pytest.raises(CheckpointError, match="num_processes was 2 and is 1"):
        main(
            [
                *tiny_settings,
                *SETTINGS,
                "--output_dir",
                str(tmp_path / "one"),
                "--resume_from_checkpoint",
                str(checkpoint),
            ]
        )


@pytest.mark.parametrize("form", ["options", pytest.param("config file", marks=pytest.mark.slow)])
def test_a_launch_that_silently_runs_one_process_stops_and_says_how(tiny_settings, tmp_path, form):
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--quiet"]
    if form == "options":
        launcher += ["--cpu", "--num_processes", "2"]
    else:
        config = tmp_path / "multi_cpu.yaml"
        config.write_text(
            "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_CPU\nnum_processes: 2\nnum_machines: 1\n"
            "machine_rank: 0\nmixed_precision: 'no'\nuse_cpu: true\n"
        )
        launcher += ["--config_file", str(config)]
    process = tiny.start(launcher, [*tiny_settings, "--output_dir", str(tmp_path / "run")], tmp_path / "log.txt")
    assert process.wait(timeout=120) != 0
    output = (tmp_path / "log.txt").read_text()
    assert "torchrun --nproc_per_node 2" in output
    assert "Traceback" not in output
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_accelerate_launch_with_one_process_runs(tiny_settings, tmp_path):
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    arguments = [*tiny_settings, "--max_steps", "2", "--output_dir", str(tmp_path / "run")]
    output = tiny.run(launcher, arguments, tmp_path / "log.txt")
    assert "Warning" not in output
    assert (tmp_path / "run" / "metrics.json").is_file()
