# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The base of all errors that a user can mend, and how a command reports them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any


_OWN_PACKAGES = ("modeling_amess", "dataset_scripts", "training", "space")


class UserError(ValueError):
    """An error that the user can mend. The message says what is wrong, why, and what to do."""


def run_command(main: Callable[[], Any]) -> None:
    """Run a command and end the process. A UserError is reported without a traceback, with exit status 1.

    Args:
        main: The command. It returns the exit status; `None` is 0.
    """
    escape_output()
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except ModuleNotFoundError as error:
        sys.exit(missing_package(error))


def escape_output() -> None:
    """Escape the characters that the encoding of the terminal, or of a redirected output, does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not what a test or a notebook puts in its place
            stream.reconfigure(errors="backslashreplace")


def missing_package(error: ModuleNotFoundError) -> str:
    """Say how to install the package that an import did not find.

    Raises:
        ModuleNotFoundError: The module is one of this project, or unknown: a defect of ours.
    """
    package = (error.name or "").partition(".")[0]
    if not package or package in _OWN_PACKAGES:
        raise error
    return (
        f"The package {package} is not installed. Install the extra that has it: "
        """pip install -c constraints.txt -e ".[sample]" in a checkout, or pip install "amess-hf[sample]"."""
    )
