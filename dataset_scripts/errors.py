# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The base of all errors that a user can mend, and how a command reports them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


class UserError(ValueError):
    """An error that the user can mend. The message says what is wrong, why, and what to do."""


def run_command(main: Callable[[], Any]) -> None:
    """Run a command and end the process. A UserError is reported without a traceback, with exit status 1.

    Args:
        main: The command. It returns the exit status; `None` is 0.
    """
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"{type(error).__name__}: {error}")
