# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The sample data set: rows, renderer of the clips, small media encoder and prepared features."""
