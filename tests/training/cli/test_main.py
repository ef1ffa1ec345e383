# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The front door: help, version, and what a command's errors and interruptions become."""

import dataclasses
import subprocess
import sys

import pytest

import modeling_amess
from dataset_scripts.errors import UserError
from modeling_amess.clip_amess import MediaLimits
from training.cli import main as front_door
from training.cli.programs import PROGRAMS

from .command import PROJECT, amess


def test_help_teaches_and_comes_without_importing_torch():
    code = (
        "import sys\n"
        "from training.cli.main import main\n"
        "from training.cli.main import COMMANDS\n"
        "for arguments in (['--version'], ['--help'], *([command.name, '--help'] for command in COMMANDS)):\n"
        "    try:\n        main(arguments)\n"
        "    except SystemExit as stop:\n        assert stop.code == 0\n"
        "heavy = {'torch', 'transformers', 'numpy', 'av', 'matplotlib', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert 'amess predict clip.mp4 --text "oh, great."' in run.stdout
    assert "amess extract clips/ --output features/" in run.stdout
    assert "exit status" in run.stdout


def test_help_lists_every_command_with_its_summary(capsys):
    status, out, _ = amess(capsys, "--help")
    assert status == 0
    words = " ".join(out.split())  # argparse breaks long lines
    for command in (*front_door.COMMANDS, *PROGRAMS):
        assert f" {command.name} " in words and command.summary in words


@pytest.mark.parametrize("command", ["predict", "extract", "add-intent"])
def test_each_command_that_reads_clips_has_an_option_per_limit(capsys, command):
    _, out, _ = amess(capsys, command, "--help")
    for field in dataclasses.fields(MediaLimits):
        assert f"--{field.name} N" in out and f"({field.default})" in out


def test_version_is_that_of_the_package(capsys):
    status, out, _ = amess(capsys, "--version")
    assert (status, out.split()[-1]) == (0, modeling_amess.__version__)


def test_without_a_command_the_usage_is_shown(capsys):
    status, out, err = amess(capsys)
    assert (status, out) == (2, "") and "usage" in err


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["train", "--help"], 0, "--learning_rate"),
        (["train", "--learning_rte", "1"], 1, "Did you mean 'learning_rate'?"),
        (["train", "--num_processes", "2", "--learning_rte", "1"], 2, "Did you mean 'learning_rate'?"),
        (["train", "--num_processes=two"], 2, "give a number of processes"),
        (["train", "--num_processes"], 2, "give a number of processes"),
        (["demo", "--help"], 0, "amess demo runs/mintrec-amess/pretrained"),
        (["demo", "model", "--port=1"], 2, "at most one word"),
    ],
)
def test_programs_answer_help_and_typos_without_importing_torch(words, status, told):
    code = "import sys\nsys.modules['torch'] = None\nfrom training.cli import amess\namess()"
    run = subprocess.run([sys.executable, "-c", code, *words], cwd=PROJECT, capture_output=True, text=True)
    assert run.returncode == status and told in run.stdout + run.stderr, run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("program", [program for program in PROGRAMS if isinstance(program.start, str)])
def test_a_program_is_the_module_of_its_name(program):
    def help_of(*command):
        return subprocess.run([*command, "--help"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout

    words = ["-c", "from training.cli import amess; amess()", program.name]
    helped = help_of(sys.executable, *words)
    assert helped.startswith(f"usage: amess {program.name} ")
    assert helped == help_of(sys.executable, "-m", program.start)


class Failing:
    """A subcommand that raises."""

    def __init__(self, error: BaseException):
        self.error = error

    def add_arguments(self, parser):
        pass

    def run(self, arguments):
        raise self.error


def test_a_package_that_a_plain_installation_lacks_is_named_with_the_extra(capsys, monkeypatch, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    for name in [name for name in sys.modules if name.startswith("dataset_scripts.extraction.")]:
        monkeypatch.delitem(sys.modules, name)
    status, out, err = amess(capsys, "extract", tmp_path, "--output", tmp_path / "out")
    assert (status, out) == (2, "") and "accelerate" in err and "[train]" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("error", "status"), [(UserError("Wrong word."), 2), (KeyboardInterrupt(), 130)])
def test_a_new_command_is_one_entry_and_its_errors_are_told_without_a_traceback(capsys, monkeypatch, error, status):
    command = front_door.Command("greet", Failing(error), "say hello")
    monkeypatch.setattr(front_door, "COMMANDS", (*front_door.COMMANDS, command))
    assert amess(capsys, "greet") == (status, "", "amess greet: Wrong word.\n" if status == 2 else "")


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch):
    command = front_door.Command("greet", Failing(ValueError("a defect")), "say hello")
    monkeypatch.setattr(front_door, "COMMANDS", (command,))
    with pytest.raises(ValueError, match="a defect"):
        front_door.main(["greet"])
