# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Frames and samples that are arrays already, at rates and sizes of their own, brought to those of a decoded clip."""

from fractions import Fraction

import numpy as np
import torch


# Rates are rounded numbers: a frame this little before a tick is the frame of the tick.
_TIME_ROUNDING = 0.001


def sampled_frames(frames: np.ndarray, own_rate: float, frame_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """
    The first frame at or after each tick, as a clip of a file is decoded.

    Args:
        frames: `(frames, height, width, 3)` uint8.
        own_rate: frames a second that they were taken at.
        frame_rate: ticks a second.

    Returns:
        The frames that are kept and their times `(frames,)` in seconds.

    Raises:
        ValueError: not frames of that shape and type.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise ValueError(
            f"The frames have shape {frames.shape} and type {frames.dtype}; (frames, height, width, 3) in uint8 RGB "
            "is needed."
        )
    if own_rate <= 0:
        raise ValueError(f"frame_rate={own_rate} must be the frames a second of the array, more than 0.")
    times = np.arange(len(frames)) / own_rate
    _, first = np.unique(np.floor((times + _TIME_ROUNDING) * frame_rate), return_index=True)
    return frames[first], times[first]


def resized_frames(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`(frames, height, width, 3)` uint8 to `(frames, *size, 3)`, bicubic; the aspect ratio is not kept."""
    if not len(frames) or frames.shape[1:3] == size:
        return frames if len(frames) else np.zeros((0, *size, 3), dtype=np.uint8)
    pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    pictures = torch.nn.functional.interpolate(pictures, size=size, mode="bicubic", antialias=True)
    return np.ascontiguousarray(pictures.permute(0, 2, 3, 1).numpy())


def resampled_waveform(waveform: np.ndarray, own_rate: int, sampling_rate: int) -> np.ndarray:
    """
    `(samples,)` float mono at `own_rate` Hz to float32 at `sampling_rate` Hz.

    Raises:
        ValueError: not mono float samples, or not finite.
        ImportError: the rates differ and PyAV, which resamples, is not installed.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise ValueError(
            f"The samples have shape {waveform.shape} and type {waveform.dtype}; (samples,) mono in float, -1 to 1, "
            "is needed: take the mean over the channels."
        )
    waveform = np.array(waveform, dtype=np.float32)
    if not np.isfinite(waveform).all():
        raise ValueError("The samples hold NaN or infinite values.")
    if own_rate == sampling_rate or not len(waveform):
        return waveform
    if own_rate < 1:
        raise ValueError(f"sampling_rate={own_rate} must be the samples a second of the array, at least 1.")
    try:
        import av
    except ImportError as error:
        raise ImportError(
            f"Samples at {own_rate} Hz are brought to {sampling_rate} Hz by PyAV, which is not installed: pip install "
            f"av, or give them at {sampling_rate} Hz."
        ) from error
    frame = av.AudioFrame.from_ndarray(waveform[None], format="flt", layout="mono")
    frame.sample_rate = own_rate
    frame.time_base = Fraction(1, own_rate)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=sampling_rate)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts] or [np.zeros(0, dtype=np.float32)])


__all__ = ["resampled_waveform", "resized_frames", "sampled_frames"]
