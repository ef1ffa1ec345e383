# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A decoded clip. A file of its own, so that what only passes clips on does not load the decoder."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Clip:
    """
    A decoded clip. Both modalities count time from the start of the clip.

    Attributes:
        frames: `(frames, height, width, 3)` uint8 RGB, upright; `None` without a video stream.
        frame_times: `(frames,)` float64, seconds at which each frame is shown first; `None` without a video stream.
        waveform: `(samples,)` float32 mono, the mean over the channels; `None` without an audio stream.
        sampling_rate: samples of `waveform` a second, in Hz.
        duration: seconds of what was decoded, to the end of the last frame or sample.
    """

    frames: np.ndarray | None
    frame_times: np.ndarray | None
    waveform: np.ndarray | None
    sampling_rate: int
    duration: float


__all__ = ["Clip"]
