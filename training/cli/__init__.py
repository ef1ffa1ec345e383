# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `amess`. `main.COMMANDS` lists its subcommands; each is a module of a few functions."""
