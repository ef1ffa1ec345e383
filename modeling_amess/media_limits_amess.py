# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a clip may cost, and the errors of clips that cannot be used."""

from dataclasses import dataclass


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


__all__ = ["MediaError", "MediaLimitError", "MediaLimits", "NoMediaStreamError", "UnreadableMediaError"]
