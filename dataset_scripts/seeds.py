# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Random numbers that depend on names alone: the same in every process and on every machine."""

from __future__ import annotations

import zlib

import numpy as np


def stable_seed(*parts: object) -> int:
    """Return a 32-bit seed from names and numbers; Python's `hash` differs between processes."""
    return zlib.crc32("\x1f".join(str(part) for part in parts).encode("utf-8"))


def stable_generator(*parts: object) -> np.random.Generator:
    """Return a random generator that is seeded by names and numbers."""
    return np.random.Generator(np.random.PCG64(stable_seed(*parts)))
