# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Training and evaluation of A-MESS and its baselines. Start with `train.py`."""
