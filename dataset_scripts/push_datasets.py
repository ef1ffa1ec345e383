# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Push a built data set to the Hugging Face Hub; `--help` says how."""

from .errors import run_command
from .hub.command import main
from .hub.push import INTERRUPTED


if __name__ == "__main__":
    run_command(main, INTERRUPTED)
