# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Utterances of no known intent: training with them, scores, decisions and metrics."""
