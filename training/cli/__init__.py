# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `amess`. A subcommand is a module with `add_arguments(parser)` and `run(arguments)`, its exit status."""
