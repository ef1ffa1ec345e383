# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Download MIntRec or MIntRec2.0 from the Hub. `amess download` is the same command; `--help` says how."""

from .downloading.command import main
from .errors import run_command


if __name__ == "__main__":
    run_command(main, failure=2)
