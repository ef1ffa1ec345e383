# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Clips in memory: the decoded `Clip`, errors, and arrays of other sizes, rates and dynamic range.

Nothing here loads PyAV, unless sound must be resampled.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .limits_amess import MediaLimits


# Rates are rounded numbers: a frame this little before a tick is the frame of the tick.
_TIME_ROUNDING = 0.001
# Codecs fill up their last frame, so that a clip of exactly the longest duration is a little longer.
_DURATION_SLACK = 0.1

# Numbers of the transfer functions and of the primaries in video headers (ITU-T H.273).
PQ, HLG = 16, 18
_BT2020 = 9
_UNSPECIFIED = 2

_WHITE, _PEAK = 203.0, 1000.0
# Share of the range, in linear light, above which brightness is compressed.
_KNEE = 0.9
# Exponent of a display for ordinary video (ITU-R BT.1886).
_DISPLAY_GAMMA = 2.4
# Exponent from the light of the scene, which HLG holds, to that of a display of 1000 cd/m2. It acts on each channel,
# as in ordinary cameras: on the luminance, as HDR displays have it, the colours would be paler than in ordinary video.
_HLG_GAMMA = 1.2
# Colours of BT.2020 in the primaries of BT.709.
_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]],
    dtype=np.float32,
)
# Pixels that are mapped together: the intermediate numbers take ten times the memory of a picture.
_PIXELS_TOGETHER = 2**19

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


def is_hdr(transfer: int) -> bool:
    """Tell whether a transfer function is one of high dynamic range."""
    return transfer in (PQ, HLG)


def tone_mapped(picture: NDArray[np.uint16], transfer: int, primaries: int) -> Frames:
    """Map a picture of high dynamic range (HLG and PQ of ITU-R BT.2100) to the range of ordinary video (BT.709).

    Image encoders learned from ordinary pictures, and unmapped HDR looks grey and pale to them. White is 203 cd/m2,
    where ITU-R BT.2408 puts it: pictures that stay below are the ordinary ones again, and what is brighter, such as
    lamps and the sky, is compressed into the uppermost part of the range. Brighter than 1000 cd/m2 is plain white.

    Args:
        picture: `(height, width, 3)` uint16 RGB.
        transfer: `PQ` or `HLG`.
        primaries: Number of the primaries in the video's header.

    Returns:
        The picture `(height, width, 3)` as uint8.
    """
    mapped = np.empty(picture.shape, dtype=np.uint8)
    rows = max(1, _PIXELS_TOGETHER // max(1, picture.shape[1]))
    for start in range(0, len(picture), rows):
        part = slice(start, start + rows)
        mapped[part] = _mapped(picture[part], transfer, primaries)
    return mapped


def _mapped(picture: NDArray[np.uint16], transfer: int, primaries: int) -> Frames:
    light = _light(transfer)[picture]
    if primaries in (_BT2020, _UNSPECIFIED):
        light = np.maximum(light @ _TO_BT709.T, 0)
    # All channels shrink by one factor, so that colours keep their hue.
    brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
    light *= np.where(brightest > _KNEE, _compressed(brightest) / brightest, 1)
    mapped: Frames = np.rint(255 * np.clip(light, 0, 1) ** (1 / _DISPLAY_GAMMA)).astype(np.uint8)
    return mapped


def _compressed(brightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compress what is above the knee, smoothly, so that the peak becomes 1."""
    above = np.maximum(brightness - _KNEE, 0) / (1 - _KNEE)
    peak = (_PEAK / _WHITE - _KNEE) / (1 - _KNEE)
    compressed: NDArray[np.float32] = _KNEE + (1 - _KNEE) * above * (1 + above / peak**2) / (1 + above)
    return compressed


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """Linear light of a display for each 16-bit value, in units of white."""
    signal = np.arange(2**16) / (2**16 - 1)
    if transfer == PQ:
        power = signal ** (1 / 78.84375)
        share = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
        light = 10000 * share ** (1 / 0.1593017578125)
    else:
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        light = _PEAK * scene**_HLG_GAMMA
    return (light / _WHITE).astype(np.float32)


__all__ = [
    "Clip",
    "MediaError",
    "MediaLimitError",
    "MediaLimits",
    "NoMediaStreamError",
    "UnreadableMediaError",
    "is_hdr",
    "resampled_waveform",
    "resized_frames",
    "sampled_frames",
    "tone_mapped",
]
