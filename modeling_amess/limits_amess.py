# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Limits on what a clip may cost.

The commands make their options of these fields before they load anything, so this module imports nothing that takes
time, and nothing of this package.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class MediaLimits:
    """Limits on what a clip may cost.

    A clip above a limit is a `MediaLimitError` that names the field; set the field higher for clips that you trust.

    Attributes:
        max_bytes: Size of the file.
        max_duration: Duration in seconds.
        max_pixels: Width times height of one coded frame.
        max_decoded_frames: Number of video frames that are decoded, of which `frame_rate` keeps some.
        max_kept_bytes: Memory of the frames that are kept.
        max_streams: Number of streams in the container, of any kind.
        max_sampling_rate: Samples per second of the sound in the file, in Hz.
        max_index_entries: Number of frames and pieces of sound that the header of an MP4 file lists.
    """

    max_bytes: int = field(default=200 * 2**20, metadata={"help": "bytes of a clip's file"})
    max_duration: float = field(default=30.0, metadata={"help": "seconds per clip"})
    max_pixels: int = field(default=4096 * 2304, metadata={"help": "width times height of a frame in the file"})
    max_decoded_frames: int = field(default=4000, metadata={"help": "video frames decoded per clip"})
    max_kept_bytes: int = field(default=2**30, metadata={"help": "bytes of the frames that are kept per clip"})
    max_streams: int = field(default=16, metadata={"help": "streams in a clip's file"})
    max_sampling_rate: int = field(default=384_000, metadata={"help": "samples per second of the sound in the file"})
    max_index_entries: int = field(default=5_000_000, metadata={"help": "samples that an MP4 file lists"})


__all__ = ["MediaLimits"]
