# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Synthetic feature sequences: noise with short events, the same in every process.

An event is a run of consecutive frames in which one or more fixed unit vectors (prototypes, cues) are added to
standard normal noise. The planted-anchor benchmark consists of such sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .errors import UserError


class Event(NamedTuple):
    """A run of consecutive frames that show some vectors.

    Attributes:
        start: First frame.
        length: Number of frames.
        vectors: Rows of the table of vectors.
    """

    start: int
    length: int
    vectors: tuple[int, ...]


def orthonormal_vectors(count: int, size: int, seed: int) -> np.ndarray:
    """Draw `count` orthonormal random vectors, float32 `(count, size)`.

    The method is Gram-Schmidt, because the signs of LAPACK's QR differ between builds.

    Raises:
        UserError: There are more vectors than dimensions.
    """
    if count > size:
        raise UserError(
            f"{count} distinct prototypes and cues do not fit into features of size {size}. "
            f"Use a size of {count} or more."
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
    """Draw uniformly random start frames of events of these lengths that do not overlap.

    Raises:
        UserError: The events do not fit into `num_frames`.
    """
    free = num_frames - sum(lengths)
    if free < 0:
        raise UserError(f"Events of {sum(lengths)} frames in all do not fit into {num_frames} frames.")
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
    """Draw standard normal noise with events in it, float32 `(num_frames, size)`.

    Args:
        random: Random generator.
        num_frames: Number of frames.
        table: Vectors that events may show, `(vectors, size)`.
        events: Events.
        amplitude: Length of a vector in an event.
    """
    features = random.standard_normal((num_frames, table.shape[1]), dtype=np.float32)
    for event in events:
        shown = np.float32(amplitude) * table[list(event.vectors)].sum(axis=0, dtype=np.float32)
        features[event.start : event.start + event.length] += shown
    return features
