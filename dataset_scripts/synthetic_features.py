# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Synthetic feature sequences: noise with short events in it, the same on every machine and in every process.

An event is a run of consecutive frames in which one or more fixed unit vectors (prototypes, cues) are added to
standard normal noise. The sample data set and the planted-anchor benchmark are both made of these.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Event(NamedTuple):
    """A run of consecutive frames, `start` to `start + length`, in which `vectors` (rows of a table) are shown."""

    start: int
    length: int
    vectors: tuple[int, ...]


def stable_seed(*parts: object) -> int:
    """A 32-bit seed from names and numbers, equal in every process (Python's own `hash` of a string is not)."""
    return zlib.crc32("\x1f".join(str(part) for part in parts).encode("utf-8"))


def orthonormal_vectors(count: int, size: int, seed: int) -> np.ndarray:
    """`count` orthonormal random vectors, float32 `(count, size)`.

    Gram-Schmidt rather than LAPACK's QR, whose signs differ between builds.

    Raises:
        ValueError: more vectors than dimensions.
    """
    if count > size:
        raise ValueError(
            f"{count} distinct prototypes and cues do not fit into features of size {size}; "
            f"use a size of {count} or more"
        )
    random = np.random.Generator(np.random.PCG64(seed))
    vectors = random.standard_normal((count, size))
    for row in range(count):
        for _ in range(2):  # the second pass removes the rounding that the first one leaves
            for earlier in vectors[:row]:
                vectors[row] -= (vectors[row] * earlier).sum() * earlier
        vectors[row] /= np.sqrt((vectors[row] ** 2).sum())
    return vectors.astype(np.float32)


def place_events(random: np.random.Generator, num_frames: int, lengths: Sequence[int]) -> list[int]:
    """Uniformly random start frames for events of the given lengths, in the given order, that do not overlap.

    Raises:
        ValueError: the events do not fit into `num_frames`.
    """
    free = num_frames - sum(lengths)
    if free < 0:
        raise ValueError(f"events of {sum(lengths)} frames in all do not fit into {num_frames} frames")
    # Throw the free frames into the gaps before, between and after the events, and put the events in random order.
    gaps = np.sort(random.integers(0, free + 1, size=len(lengths)))
    starts = [0] * len(lengths)
    used = 0
    for gap, event in zip(gaps.tolist(), random.permutation(len(lengths)).tolist(), strict=True):
        starts[event] = gap + used
        used += lengths[event]
    return starts


def render_events(
    random: np.random.Generator, num_frames: int, table: np.ndarray, events: Sequence[Event], amplitude: float
) -> np.ndarray:
    """Standard normal noise with `events` in it, float32 `(num_frames, size)`; `table` is `(vectors, size)`."""
    features = random.standard_normal((num_frames, table.shape[1]), dtype=np.float32)
    for event in events:
        shown = np.float32(amplitude) * table[list(event.vectors)].sum(axis=0, dtype=np.float32)
        features[event.start : event.start + event.length] += shown
    return features
