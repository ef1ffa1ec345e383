# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `amess`.

amess predict clip.mp4 --text "oh, great."
amess extract clips/ --output features/
amess add-intent Reassure --description "To take away someone's worry." --clips a.mp4 b.mp4 --output model/
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

# All import what takes time when they run, so that `--help` and a mistyped option are answered at once.
from dataset_scripts.extraction import command as extract

from . import add_intent, predict


DESCRIPTION = "A-MESS: the intent behind an utterance, from what is said, how it is said and what is seen."
EXAMPLES = """\
examples:
  amess predict clip.mp4 --text "oh, great."
  amess extract clips/ --output features/
  amess add-intent Reassure --description "To take away someone's worry." --clips a.mp4 b.mp4 --output model/

Each command explains itself: amess predict --help
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        argv: the arguments after `amess`; those of the process by default.

    Returns:
        The exit status: 0, or 1 where some clips failed, or 2 where the command or its input is wrong.
    """
    parser = argparse.ArgumentParser(
        prog="amess", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module, summary in (
        ("predict", predict, "name the intent of clips, and the reason"),
        ("extract", extract, "turn clips into a data set of features to train on"),
        ("add-intent", add_intent, "teach a trained model one more intent from a few clips"),
    ):
        command = commands.add_parser(name, help=summary)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        return 130  # what a shell reports for a process that was interrupted
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        # What is still buffered must have somewhere to go, or the interpreter complains when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
