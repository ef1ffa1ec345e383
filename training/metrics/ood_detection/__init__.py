# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Out-of-scope scores: the metrics, and their `evaluate` module."""
