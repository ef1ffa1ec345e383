# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Scripts that measure speed and memory. The first lines of each say how to run it."""
