# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Let a language model write label descriptions; `--help` says how."""

from .describing.command import main
from .errors import run_command


if __name__ == "__main__":
    run_command(main)
