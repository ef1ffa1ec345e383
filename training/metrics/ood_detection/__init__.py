# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Metric of out-of-scope scores; see `ood_detection.py`."""
