# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The front door: `amess COMMAND ...`. To add a subcommand, write its module and add one line to `COMMANDS`.

Programs with an entry point of their own are in `programs.PROGRAMS`.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C is answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("training.cli.main:main")


import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

# These modules import torch, transformers and PyAV only when they run, so that `--help` and a mistyped option are
# answered at once. A new subcommand does the same.
from dataset_scripts.downloading import command as download
from dataset_scripts.errors import command_status, escape_output
from dataset_scripts.extraction import command as extract

from . import add_intent, analyze, compare, env, evaluate, plot, predict
from .programs import PROGRAMS


DESCRIPTION = "A-MESS: the intent behind an utterance, from what is said, how it is said and what is seen."
EXAMPLES = """\
examples:
  amess train
  amess predict clip.mp4 --text "oh, great."
  amess analyze meeting.mp4
  amess extract clips/ --output features/
  amess add-intent Reassure --description "To take away someone's worry." --clips a.mp4 b.mp4 --output model/

Each command explains itself: amess predict --help
"""


class CommandModule(Protocol):
    """What the module of a subcommand defines."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the subcommand's description, examples and options to its parser."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the subcommand and return its exit status."""


class Command(NamedTuple):
    """One subcommand, as `amess --help` lists it."""

    name: str
    module: CommandModule
    summary: str
    interrupted: str = ""  # what the user reads after Ctrl-C, where the subcommand has no words of its own


COMMANDS = (
    Command(
        "predict",
        predict,
        "name the intent of clips, and the reason",
        "Interrupted. The answers above are whole. Give the command again for the clips that are left.",
    ),
    Command("analyze", analyze, "name the intents of a whole recording, with tables, subtitles and a page"),
    Command("download", download, "fetch MIntRec or MIntRec2.0 from the Hub, after you accept their terms"),
    Command("extract", extract, "turn clips into a data set of features to train on"),
    Command(
        "add-intent",
        add_intent,
        "teach a trained model one more intent from a few clips",
        "Interrupted. No model was written, and the trained one is unchanged. The same command starts again.",
    ),
    Command(
        "evaluate",
        evaluate,
        "measure a trained model on labelled clips",
        "Interrupted. Nothing was written. The same command starts again.",
    ),
    Command(
        "compare",
        compare,
        "put finished runs into one table, with paired tests",
        "Interrupted. Nothing was written. The same command starts again.",
    ),
    Command(
        "plot",
        plot,
        "draw the training and the results of finished runs",
        "Interrupted. Pictures that were named are whole. The same command draws all again.",
    ),
    Command("env", env, "print versions and hardware for a bug report"),
)


def create_parser() -> argparse.ArgumentParser:
    """Create the parser of `amess` with all subcommands."""
    parser = argparse.ArgumentParser(
        prog="amess", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"amess {env.project_version()}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.summary)
        command.module.add_arguments(subparser)
        subparser.set_defaults(command=command)
    for program in PROGRAMS:  # each reads its own words; here they are only listed
        subparsers.add_parser(program.name, help=program.summary, add_help=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        argv: Arguments after `amess`; by default those of the process.

    Returns:
        The exit status: 0, or 1 where some clips failed, or 2 where the command or its input is wrong.
    """
    escape_output()
    words = list(sys.argv[1:] if argv is None else argv)
    for program in PROGRAMS:
        if words[:1] == [program.name]:
            ended: int = command_status(partial(program.run, words[1:]), failure=2, program=f"amess {program.name}")
            return ended
    arguments = create_parser().parse_args(words)
    command: Command = arguments.command
    try:
        status: int = command_status(
            lambda: command.module.run(arguments), command.interrupted, failure=2, program=f"amess {command.name}"
        )
        return status
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        # The interpreter complains at its end unless what is still buffered can go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
