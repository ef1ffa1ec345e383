# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A decoded clip. A file of its own, so that what only passes clips on does not load the decoder."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np


# Rates are rounded numbers: a frame this little before a tick is the frame of the tick.
_TIME_ROUNDING = 0.001


def sampled_frames(frames: np.ndarray, own_rate: float, frame_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The first frame at or after each tick, as a clip of a file is decoded.

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
    # Here, because decoding alone, in workers and servers, does without torch.
    import torch

    pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    pictures = torch.nn.functional.interpolate(pictures, size=size, mode="bicubic", antialias=True)
    return np.ascontiguousarray(pictures.permute(0, 2, 3, 1).numpy())


def resampled_waveform(waveform: np.ndarray, own_rate: int, sampling_rate: int) -> np.ndarray:
    """`(samples,)` float mono at `own_rate` Hz to float32 at `sampling_rate` Hz.

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


# Codecs fill up their last frame, so that a clip of exactly the longest duration is a little longer.
_DURATION_SLACK = 0.1


@dataclass(frozen=True)
class MediaLimits:
    """What a clip may cost. A breach is a `MediaLimitError` that names the field; raise it there for clips you trust.

    Attributes:
        max_bytes: size of the file.
        max_duration: seconds.
        max_pixels: width times height of one coded frame.
        max_decoded_frames: video frames decoded, of which `frame_rate` keeps some.
        max_kept_bytes: memory of the frames that are kept.
        max_streams: streams of the container, of any kind.
        max_sampling_rate: samples a second of the sound in the file, in Hz.
        max_index_entries: frames and pieces of sound that the header of an MP4 file lists.
    """

    max_bytes: int = 200 * 2**20
    max_duration: float = 30.0
    max_pixels: int = 4096 * 2304
    max_decoded_frames: int = 4000
    max_kept_bytes: int = 2**30
    max_streams: int = 16
    max_sampling_rate: int = 384_000
    max_index_entries: int = 5_000_000


class MediaError(ValueError):
    """A clip that cannot be used. `source` names it: the path, or what kind of object it was."""

    def __init__(self, message: str, source: str):
        # Both are arguments of the exception, so that it survives the way back from a worker process.
        super().__init__(message, source)
        self.source = source

    def __str__(self) -> str:
        return f"{self.source}: {self.args[0]}"


class UnreadableMediaError(MediaError):
    """Nothing that can be decoded: empty, not a media file, damaged or cut off beyond use."""


class MediaLimitError(MediaError):
    """More than `MediaLimits` allows. `limit` is the name of the field."""

    def __init__(self, message: str, source: str, limit: str):
        super().__init__(message, source)
        self.args = (message, source, limit)
        self.limit = limit


class NoMediaStreamError(MediaError):
    """A container with neither video nor audio in it, or with neither of what was asked for."""


def too_much(limit: str, found: str, limits: MediaLimits, source: str) -> MediaLimitError:
    """The error for `found`, which breaks the field `limit` of `limits`."""
    return MediaLimitError(
        f"{found}, but MediaLimits.{limit} is {getattr(limits, limit)}; set MediaLimits({limit}=...) higher "
        "for a clip that you trust.",
        source,
        limit,
    )


def check_pixels(width: int, height: int, limits: MediaLimits, source: str) -> None:
    """Raises where one frame is too large."""
    if width * height > limits.max_pixels:
        raise too_much("max_pixels", f"{width}x{height} = {width * height} pixels a frame", limits, source)


def check_duration(duration: float, what: str, limits: MediaLimits, source: str) -> None:
    """Raises where a clip is too long; `what` says how its seconds are known."""
    if duration > limits.max_duration + _DURATION_SLACK:
        raise too_much("max_duration", f"{duration:.1f} s {what}", limits, source)


@dataclass(frozen=True)
class Clip:
    """A decoded clip. Both modalities count time from the start of the clip.

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


__all__ = [
    "Clip",
    "MediaError",
    "MediaLimitError",
    "MediaLimits",
    "NoMediaStreamError",
    "UnreadableMediaError",
    "resampled_waveform",
    "resized_frames",
    "sampled_frames",
]
