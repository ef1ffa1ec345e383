# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Scripts that measure speed and memory; each says in its first lines how to run it."""
