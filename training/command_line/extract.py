# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess extract`: clips to features. The command is that of `python -m dataset_scripts.extract_features`."""

from __future__ import annotations

from dataset_scripts.extraction_command import add_arguments, run


__all__ = ["add_arguments", "run"]
