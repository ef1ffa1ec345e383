# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Make the sample's prepared features anew; `--help` says how."""

from .errors import run_command
from .sample.command import main


if __name__ == "__main__":
    run_command(main)
