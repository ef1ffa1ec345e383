# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Clips in memory: the decoded `Clip`, limits on what a clip may cost, errors, and arrays of other sizes and rates.

Nothing here loads PyAV, unless sound must be resampled.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .limits_amess import MediaLimits


# Rates are rounded numbers: a frame this little before a tick is the frame of the tick.
_TIME_ROUNDING = 0.001
# Codecs fill up their last frame, so that a clip of exactly the longest duration is a little longer.
_DURATION_SLACK = 0.1

Frames = NDArray[np.uint8]
Waveform = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """Decoded clip. Both modalities count time from the start of the clip.

    Attributes:
        frames: `(frames, height, width, 3)` uint8 RGB, upright; `None` without a video stream.
        frame_times: `(frames,)` float64, seconds at which each frame is shown first; `None` without a video stream.
        waveform: `(samples,)` float32 mono, the mean over the channels; `None` without an audio stream.
        sampling_rate: Samples of `waveform` per second, in Hz.
        duration: Seconds of what was decoded, to the end of the last frame or sample.
        pictures: `(frames, height, width, 3)` uint8 RGB, the same moments as `frames` in the clip's own aspect ratio,
            to be shown to people; `None` unless `picture_size` is given to the decoder.
    """

    frames: Frames | None
    frame_times: NDArray[np.float64] | None
    waveform: Waveform | None
    sampling_rate: int
    duration: float
    pictures: Frames | None = None


class MediaError(ValueError):
    """Clip that cannot be used. `source` names it: the path, or the kind of object."""

    limit: str | None = None

    def __init__(self, message: str, source: str):
        # Both are arguments of the exception, so that it survives the way back from a worker process.
        super().__init__(message, source)
        self.source = source

    @property
    def reason(self) -> str:
        """The message without the name of the clip."""
        return str(self.args[0])

    @property
    def command_reason(self) -> str:
        """The message without the name of the clip, for somebody who types commands."""
        return self.reason

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


class UnreadableMediaError(MediaError):
    """Clip of which nothing can be decoded: empty, not a media file, damaged or cut off beyond use."""


class MediaLimitError(MediaError):
    """Clip that costs more than `MediaLimits` allows. `limit` is the name of the field."""

    def __init__(self, message: str, source: str, limit: str):
        super().__init__(message, source)
        self.args = (message, source, limit)
        self.limit = limit

    @property
    def reason(self) -> str:
        """The message without the name of the clip."""
        return self._with_remedy(f"MediaLimits({self.limit}=...)")

    @property
    def command_reason(self) -> str:
        """The message without the name of the clip, for somebody who types commands."""
        return self._with_remedy(f"--{self.limit}")

    def _with_remedy(self, option: str) -> str:
        return f"{self.args[0]}. Set {option} higher for a clip that you trust."


class NoMediaStreamError(MediaError):
    """Container with neither video nor audio in it, or with none of the requested streams."""


def too_much(limit: str, cost: str, limits: MediaLimits, source: str) -> MediaLimitError:
    """Make the error for a clip whose `cost` exceeds the field `limit` of `limits`."""
    return MediaLimitError(f"{cost}, but {limit} is {getattr(limits, limit)}", source, limit)


def check_pixels(width: int, height: int, limits: MediaLimits, source: str) -> None:
    """Raise MediaLimitError if one frame is too large."""
    if width * height > limits.max_pixels:
        raise too_much("max_pixels", f"{width}x{height} = {width * height} pixels per frame", limits, source)


def check_duration(duration: float, what: str, limits: MediaLimits, source: str) -> None:
    """Raise MediaLimitError if a clip is too long; `what` says where its seconds come from."""
    if duration > limits.max_duration + _DURATION_SLACK:
        raise too_much("max_duration", f"{duration:.1f} s {what}", limits, source)


def picture_shape(height: int, width: int, longest: int) -> tuple[int, int]:
    """Height and width of a picture whose longer side is at most `longest`; the aspect ratio is kept."""
    scale = min(1.0, longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def sampled_frames(frames: Any, own_rate: float, frame_rate: float) -> tuple[Frames, NDArray[np.float64]]:
    """Keep the first frame at or after each tick, as the decoder of files does.

    Args:
        frames: Array `(frames, height, width, 3)` uint8.
        own_rate: Frames per second of the array.
        frame_rate: Ticks per second.

    Returns:
        The kept frames and their times `(frames,)` in seconds.

    Raises:
        ValueError: The array has another shape or type.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise ValueError(
            f"The frames have shape {frames.shape} and type {frames.dtype}; (frames, height, width, 3) in uint8 RGB "
            "is needed."
        )
    if own_rate <= 0:
        raise ValueError(f"frame_rate={own_rate} must be the frames per second of the array, more than 0.")
    times = np.arange(len(frames)) / own_rate
    _, first = np.unique(np.floor((times + _TIME_ROUNDING) * frame_rate), return_index=True)
    return frames[first], times[first]


def resized_frames(frames: Frames, size: tuple[int, int]) -> Frames:
    """Resize `(frames, height, width, 3)` uint8 to `(frames, *size, 3)`, bicubic; the aspect ratio is not kept."""
    if not len(frames) or frames.shape[1:3] == size:
        return frames if len(frames) else np.zeros((0, *size, 3), dtype=np.uint8)
    # A late import, because decoding alone, in workers and servers, does without torch.
    import torch

    pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    pictures = torch.nn.functional.interpolate(pictures, size=size, mode="bicubic", antialias=True)
    return np.ascontiguousarray(pictures.permute(0, 2, 3, 1).numpy())


def resampled_waveform(waveform: Any, own_rate: int, sampling_rate: int) -> Waveform:
    """Bring `(samples,)` float mono at `own_rate` Hz to float32 at `sampling_rate` Hz.

    Raises:
        ValueError: The array is not mono, not float or not finite.
        ImportError: The rates differ and PyAV, which resamples, is not installed.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise ValueError(
            f"The samples have shape {waveform.shape} and type {waveform.dtype}; (samples,) mono in float, -1 to 1, "
            "is needed: take the mean over the channels."
        )
    samples: Waveform = np.array(waveform, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise ValueError("The samples hold NaN or infinite values.")
    if own_rate == sampling_rate or not len(samples):
        return samples
    if own_rate < 1:
        raise ValueError(f"sampling_rate={own_rate} must be the samples per second of the array, at least 1.")
    try:
        import av
    except ImportError as error:
        raise ImportError(
            f"Samples at {own_rate} Hz are brought to {sampling_rate} Hz by PyAV, which is not installed: pip install "
            f"av, or give them at {sampling_rate} Hz."
        ) from error
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = own_rate
    frame.time_base = Fraction(1, own_rate)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=sampling_rate)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts] or [np.zeros(0, dtype=np.float32)])


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
