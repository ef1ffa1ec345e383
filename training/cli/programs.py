# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Subcommands of `amess` that are programs of their own: `amess publish` is `python -m training.publish`."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from dataset_scripts.errors import UserError

from ..arguments import parse_settings
from ..project_files import SPACE, project_file


class WordError(UserError):
    """A word of the command line that the command does not take."""


class Program(NamedTuple):
    """One program, as `amess --help` lists it.

    Attributes:
        name: Name of the subcommand.
        start: Its module, or a function of the words after the name that starts it.
        summary: What it does.
    """

    name: str
    start: str | Callable[[Sequence[str]], None]
    summary: str

    def run(self, words: Sequence[str]) -> NoReturn:
        """Run the program as `python -m` does, and end the process with its status.

        Args:
            words: Command line after the program's name.
        """
        if isinstance(self.start, str):
            _run_module(self.start, words)
        else:
            self.start(words)
        sys.exit(0)


def _run_module(module: str, words: Sequence[str]) -> None:
    sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _train(words: Sequence[str]) -> None:
    """Train in this process, or in `--num_processes` of this machine."""
    number, rest = num_processes(words)
    if number == 1:
        _run_module("training.train", rest)
    else:
        parse_settings(rest)  # a typo is told once, before processes start
        launch = ["--standalone", "--nproc_per_node", str(number), "-m", "training.train"]
        _run_module("torch.distributed.run", [*launch, *rest])


def num_processes(words: Sequence[str]) -> tuple[int, list[str]]:
    """Take `--num_processes N` out of the words of the command line.

    Raises:
        WordError: It is no number of processes.
    """
    option, rest, number = "--num_processes", [], "1"
    remaining = iter(words)
    for word in remaining:
        name, equals, value = word.partition("=")
        if name == option:
            number = value if equals else next(remaining, "")
        else:
            rest.append(word)
    if not number.isdecimal() or int(number) < 1:
        raise WordError(f"{option} {number}: give a number of processes of at least 1.")
    return int(number), rest


def _demo(words: Sequence[str]) -> None:
    """Serve the demo. The app takes its model from the environment, as a Space does."""
    if list(words) in (["-h"], ["--help"]):
        print(
            "usage: amess demo [MODEL]\n\nServes the demo on this machine and prints its address.\n\n"
            "MODEL  folder of a model or its name on the Hub; by default the environment's AMESS_MODEL, or the sample "
            "run's\n\nexamples:\n  amess demo\n  amess demo runs/mintrec-amess/pretrained"
        )
        return
    if len(words) > 1 or any(word.startswith("-") for word in words):
        raise WordError(f"{' '.join(words)}: the demo takes at most one word, its model. See amess demo --help.")
    if words:
        os.environ["AMESS_MODEL"] = words[0]
    folder = project_file(SPACE)
    sys.argv[1:] = []
    sys.path.insert(0, str(folder))  # as `python space/app.py` does
    runpy.run_path(str(folder / "app.py"), run_name="__main__")


PROGRAMS = (
    Program("train", _train, "train and measure A-MESS or a baseline; --num_processes N for several processes"),
    Program("describe", "dataset_scripts.describe_labels", "let a language model write label descriptions"),
    Program("reproduce", "training.reproduce", "make a table or a figure from the runs behind it"),
    Program("zero-shot", "training.zero_shot", "recognise intents by their descriptions alone"),
    Program("publish", "training.publish", "push a finished run's model and a demo to the Hub"),
    Program("push-data", "dataset_scripts.push_datasets", "push a data set to the Hub"),
    Program("demo", _demo, "serve the demo in a browser"),
)
