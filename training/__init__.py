# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Training of A-MESS and of the baselines that stand beside it. Start with `train.py`."""
