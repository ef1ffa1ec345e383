# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The Hugging Face Hub: pushes that arrive whole, data set cards, origin and terms of the data."""
