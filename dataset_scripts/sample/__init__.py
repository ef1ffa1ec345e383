# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The sample data set: its rows, the renderer of its clips, its small media encoder and its prepared features."""
