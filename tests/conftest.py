# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of every test process."""

import os


# Two test processes run side by side (pytest-xdist), and many start others: with more threads than cores each of them
# waits for the rest. Before torch is imported, which reads it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
