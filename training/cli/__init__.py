# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `amess`. `main.COMMANDS` lists its subcommands; each is a module of a few functions."""

from dataset_scripts.errors import run_command


def amess() -> None:
    """Run the command `amess` and end the process; the modules of its subcommands are imported here, not before."""
    run_command("training.cli.main:main")
