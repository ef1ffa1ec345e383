# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The parts of `training/reproduce.py`: what is trained, how it is run, read, summarised and drawn."""
