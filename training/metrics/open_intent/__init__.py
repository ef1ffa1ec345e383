# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Metric of intent classification with an out-of-scope class; see `open_intent.py`."""
