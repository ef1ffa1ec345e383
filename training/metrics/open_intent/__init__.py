# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Intent classification with an out-of-scope class: the metrics, and their `evaluate` module."""
