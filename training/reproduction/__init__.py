# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The parts of `training/reproduce.py`: runs as settings, tables, the runner, results, pages and pictures."""
