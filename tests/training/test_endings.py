# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Ends that nobody planned: Ctrl-C, SIGTERM, a full disk, kills. Each says what to do, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from dataset_scripts.errors import DiskError
from dataset_scripts.files import replacing
from training.checkpointing import complete_checkpoints
from training.finished_run import is_finished
from training.train import main

from . import tiny
from .test_resume_and_processes import SETTINGS, assert_equal_bit_for_bit


ACCELERATE = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--num_processes", "1"]


def wait_until(condition, process, log):
    deadline = time.monotonic() + 180
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.005)


def script_processes(process):
    """Processes of a launch that run the training script, whatever launched them."""
    family = [tiny.psutil.Process(process.pid)]
    family += family[0].children(recursive=True)
    return [member for member in family if any(word.endswith("train.py") for word in member.cmdline()[1:3])]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_says_where_the_run_stands_and_how_to_go_on(tiny_settings, tmp_path, number, status):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments = [*tiny_settings, *SETTINGS, "--num_train_epochs", "60", "--output_dir", str(folder)]
    process = tiny.start([sys.executable], arguments, log)
    wait_until(lambda: complete_checkpoints(folder / "checkpoints"), process, log)
    process.send_signal(number)
    assert process.wait(timeout=60) == status
    output = log.read_text()
    assert "Traceback" not in output
    said = re.search(r"Interrupted at step (\d+) of 660\. The same command continues from step (\d+)", output)
    assert said, output
    assert int(said[1]) >= int(said[2]) > 0
    assert f"step-{said[2]}" in [path.name for path in complete_checkpoints(folder / "checkpoints")]


@pytest.mark.parametrize(
    "launcher", [ACCELERATE, pytest.param("torchrun", marks=pytest.mark.slow)], ids=["accelerate", "torchrun"]
)
def test_the_processes_of_a_launcher_end_in_words(tiny_settings, tmp_path, launcher):
    """What the launcher itself prints is not ours; the last words of the run are."""
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments = [*tiny_settings, *SETTINGS, "--num_train_epochs", "60", "--output_dir", str(folder)]
    process = tiny.start(tiny.torchrun(2) if launcher == "torchrun" else launcher, arguments, log)
    wait_until(lambda: complete_checkpoints(folder / "checkpoints"), process, log)
    # As a terminal does it: to every process of the group.
    for member in script_processes(process):
        member.send_signal(signal.SIGINT)
    assert process.wait(timeout=90) != 0
    output = log.read_text()
    assert output.count("The same command continues from step") == 1, output
    assert "train_one_epoch" not in output  # no traceback of ours


def test_a_run_ends_with_its_launcher(tiny_settings, tmp_path):
    """`accelerate launch` passes SIGTERM on to nobody, and a run that goes on unseen keeps its folder locked."""
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments = [*tiny_settings, *SETTINGS, "--num_train_epochs", "60", "--output_dir", str(folder)]
    process = tiny.start(ACCELERATE, arguments, log)
    wait_until(lambda: complete_checkpoints(folder / "checkpoints"), process, log)
    members = script_processes(process)
    process.terminate()
    process.wait(timeout=30)
    _, alive = tiny.psutil.wait_procs(members, timeout=60)
    assert not alive
    assert "The same command continues from step" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_an_interruption_that_a_library_made_an_error_of_is_still_one():
    script = (
        "import os, signal, sys\nfrom dataset_scripts.errors import run_command\n"
        "def main():\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except KeyboardInterrupt:\n        raise RuntimeError('Connection closed by peer')\n"
        "run_command(main, 'Give it again.')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], env=tiny.environment(), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (143, "\nGive it again.\n")


def test_an_interrupted_start_changes_nothing(tiny_settings, tmp_path):
    log = tmp_path / "log.txt"
    data = ["--num_train_epochs", "60", "--output_dir", str(tmp_path / "runs" / "run")]
    process = tiny.start([sys.executable], [*tiny_settings, *data], log)
    wait_until(lambda: (tmp_path / "runs").exists(), process, log)  # the lock is taken
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    if "at step" not in log.read_text():
        assert "The same command" in log.read_text()
        assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]


@pytest.mark.parametrize(
    "size", [100, *(pytest.param(size, marks=pytest.mark.slow) for size in (2000, 20_000, 60_000))]
)
def test_a_full_disk_is_told_with_the_file_and_keeps_the_state_before(tiny_settings, tmp_path, size):
    folder = tmp_path / "run"
    arguments = [*tiny_settings, *SETTINGS, "--output_dir", str(folder)]
    main([*arguments, "--save_total_limit", "9"])
    # Back to the state of an interrupted run.
    (folder / "metrics.json").unlink()
    for checkpoint in complete_checkpoints(folder / "checkpoints")[3:]:
        shutil.rmtree(checkpoint)
    whole = [path.name for path in complete_checkpoints(folder / "checkpoints")]
    process = subprocess.run(
        [sys.executable, str(tiny.SCRIPT), *arguments, "--save_total_limit", "9"],
        env=tiny.environment(HF_DATASETS_CACHE=str(tmp_path / "cache")),
        capture_output=True,
        text=True,
        preexec_fn=tiny.limit_file_size(size),
    )
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr
    assert re.search(rf"DiskError: {folder}\S+ could not be written", process.stderr), process.stderr
    assert [path.name for path in complete_checkpoints(folder / "checkpoints")] == whole
    assert not is_finished(folder)
    assert not list(folder.rglob("*.partial"))
    main([*arguments, "--output_dir", str(tmp_path / "whole")])
    main(arguments)
    assert_equal_bit_for_bit(folder, tmp_path / "whole")


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(122, "Disk quota exceeded"),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 320 vs 214"),
        RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_each_librarys_word_for_a_full_disk_is_understood(tmp_path, error):
    (tmp_path / "a").write_text("old")
    with pytest.raises(DiskError, match=str(tmp_path / "a")), replacing(tmp_path / "a") as partial:
        partial.write_text("ne")
        raise error
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_another_error_stays_what_it_is(tmp_path):
    with pytest.raises(OSError, match="gone") as caught, replacing(tmp_path / "a"):
        raise OSError(2, "gone")
    assert not isinstance(caught.value, DiskError)


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(tiny_settings, tmp_path):
    """As often as A_MESS_KILLS says; the seed is in the message of a failure."""
    kills = tiny.number_of_kills(10)
    seed = int(os.environ.get("A_MESS_KILL_SEED", "0"))
    generator = random.Random(seed)
    arguments = [*tiny_settings, *SETTINGS]
    main([*arguments, "--output_dir", str(tmp_path / "whole")])
    killed, log = tmp_path / "place" / "killed", tmp_path / "log.txt"
    killed.parent.mkdir()
    (killed.parent / "thesis.tex").write_text("two years of work")
    done = 0
    while done < kills:
        process = tiny.start([sys.executable], [*arguments, "--output_dir", str(killed)], log)
        wait_until(lambda process=process: list(killed.parent.glob(".*amess-lock")) or process.poll(), process, log)
        with_delay = time.monotonic() + generator.uniform(0, 8)
        while time.monotonic() < with_delay and process.poll() is None:
            time.sleep(0.002)
        ended = process.poll()
        if ended is None:
            tiny.kill_tree(process)
            done += 1
        assert ended in (None, 0), f"seed {seed}, kill {done}: {log.read_text()}"
        if is_finished(killed):
            assert_equal_bit_for_bit(killed, tmp_path / "whole")
            shutil.rmtree(killed)
    main([*arguments, "--output_dir", str(killed)])
    assert_equal_bit_for_bit(killed, tmp_path / "whole")
    assert (killed.parent / "thesis.tex").read_text() == "two years of work"
    assert {path.name for path in killed.parent.iterdir()} <= {"killed", "thesis.tex"}
    assert json.loads((killed / ".amess-run.json").read_text())["version"] == 1
