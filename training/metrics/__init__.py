# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics as functions, three of them also as `evaluate` modules.

In each of the three folders, `<name>_scores.py` has the function, and the file with the folder's name is the module,
which nothing but `evaluate.load("training/metrics/<folder>")` imports. `evaluate` copies a folder's files and runs the
copy, so that a folder imports nothing outside it, and two folders check their arguments alike.
"""
