# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess predict` as a user meets it: what it answers, what it writes where, and its exit status."""

from __future__ import annotations
