# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Feature extraction: from clips to a folder of features that training reads."""
