# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A clip to frames and sound: PyAV under hard limits, without torch.

Clips come from strangers, so that nothing here trusts a header: each limit is checked when the file is opened and
again while it is decoded. Frames are sampled and resized as they come out of the decoder; memory holds what is kept
and the few frames that the decoder itself needs.
"""

import contextlib
import io
import logging
import math
import os
from collections.abc import Iterator
from typing import BinaryIO

from .clip_amess import Clip
from .media_index_amess import count_index_entries
from .media_limits_amess import (
    MediaError,
    MediaLimitError,
    MediaLimits,
    NoMediaStreamError,
    UnreadableMediaError,
    check_duration,
    check_pixels,
    too_much,
)
from .media_tracks_amess import AudioTrack, VideoTrack


try:
    import av
except ImportError:  # features and text need no decoder
    av = None

logger = logging.getLogger(__name__)

# Sound codecs start up to this long before their first audible sample; the decoder cuts that part off.
_LONGEST_PRIMING = 0.1


def decode_clip(
    source: str | os.PathLike | bytes | BinaryIO,
    *,
    frame_rate: float = 6.0,
    image_size: int | tuple[int, int] | None = None,
    max_frames: int | None = None,
    sampling_rate: int = 16000,
    video: bool = True,
    audio: bool = True,
    limits: MediaLimits | None = None,
) -> Clip:
    """
    Decodes the first video and the first audio stream of any container that PyAV reads.

    Packets that are damaged are left out, with a warning in the log: the result is what could be decoded, with silence
    where sound is missing. A stream of which nothing could be decoded counts as missing.

    Args:
        source: path of a file, its content, or a seekable binary file, read from its beginning and left open. URLs
            are refused.
        frame_rate: frames kept a second, in Hz: the first one at or after each tick, never one twice.
        image_size: `(height, width)`, or one number for both, to which frames are resized (bicubic, the aspect ratio
            is not kept); `None` keeps the size of the first frame.
        max_frames: frames kept at most; later ones are not decoded.
        sampling_rate: of the waveform, in Hz.
        video, audio: what to decode.
        limits: what the clip may cost, by default `MediaLimits()`.

    Raises:
        UnreadableMediaError: nothing could be decoded.
        MediaLimitError: a limit is exceeded, by what the header says or by what is found.
        NoMediaStreamError: the container has none of the streams asked for.
        FileNotFoundError, PermissionError: from opening the path.
        ImportError: PyAV is not installed.
        ValueError: a setting makes no sense.
    """
    if av is None:
        raise ImportError("Clips are decoded by PyAV, which is not installed: pip install av")
    if not (video or audio):
        raise ValueError("video=False and audio=False leave nothing to decode.")
    if not (math.isfinite(frame_rate) and frame_rate > 0):
        raise ValueError(f"frame_rate={frame_rate} must be a positive number of frames a second.")
    if sampling_rate < 1:
        raise ValueError(f"sampling_rate={sampling_rate} must be a positive number of samples a second.")
    if max_frames is not None and max_frames < 1:
        raise ValueError(f"max_frames={max_frames} must be at least 1; video=False leaves the frames out.")
    if isinstance(image_size, int):
        image_size = (image_size, image_size)
    if image_size is not None and min(image_size) < 1:
        raise ValueError(f"image_size={image_size} must be positive.")
    limits = limits or MediaLimits()

    name = _name_of(source)
    with _opened(source, name, limits) as container:
        video_stream, audio_stream = _first_streams(container)
        start = _start_time(video_stream, audio_stream)
        if not video:
            video_stream = None
        if not audio:
            audio_stream = None
        _check_header(container, video_stream, audio_stream, name, limits)
        tracks = {}
        if video_stream is not None:
            tracks[video_stream.index] = VideoTrack(
                video_stream, start, name, limits, frame_rate=frame_rate, image_size=image_size, max_frames=max_frames
            )
        if audio_stream is not None:
            tracks[audio_stream.index] = AudioTrack(audio_stream, start, name, limits, sampling_rate=sampling_rate)
        if not tracks:
            asked = " or ".join(kind for kind, wanted in (("video", video), ("audio", audio)) if wanted)
            raise NoMediaStreamError(f"the file has no {asked} stream.", name)
        damage = _decode(container, tracks)

        frames = frame_times = waveform = None
        for track in tracks.values():
            if isinstance(track, VideoTrack):
                frames, frame_times = track.result()
            else:
                waveform = track.result()
        if frames is None and waveform is None:
            raise UnreadableMediaError(
                f"no frame and no sound could be decoded ({damage or 'the streams are empty'}).", name
            )
        if damage:
            logger.warning("%s is damaged: what could not be decoded is left out (%s).", name, damage)
        duration = max(track.duration for track in tracks.values())
    return Clip(frames, frame_times, waveform, sampling_rate, duration)


def _decode(container, tracks: dict) -> str | None:
    """Feeds every packet to its track; the last damage that was met, in words."""
    damage = None
    packets = container.demux(*(track.stream for track in tracks.values()))
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:  # the container itself breaks off here
            damage = error.strerror
            break
        if packet is None:
            break
        track = tracks[packet.stream.index]
        track.check_packet(packet)
        if track.complete:
            continue
        try:
            for frame in packet.decode():
                track.add(frame)
        except av.error.FFmpegError as error:
            damage = error.strerror
    return damage


def _name_of(source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"<{len(source)} bytes>"
    return str(getattr(source, "name", "<file object>"))


@contextlib.contextmanager
def _opened(source, name: str, limits: MediaLimits) -> Iterator:
    """The container of the source; closes what was opened here and nothing else."""
    with contextlib.ExitStack() as stack:
        if isinstance(source, (str, os.PathLike)):
            if not os.path.isfile(source):
                if "://" in name:
                    raise UnreadableMediaError("URLs are not read: download the file and give its path.", name)
                if os.path.exists(source):
                    raise UnreadableMediaError("not a file.", name)
            file = stack.enter_context(open(source, "rb"))
        elif isinstance(source, (bytes, bytearray, memoryview)):
            file = io.BytesIO(source)
        else:
            file = source
            if not file.seekable():
                raise UnreadableMediaError("the file object cannot seek: give its content as bytes.", name)
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            raise UnreadableMediaError("the file is empty.", name)
        if size > limits.max_bytes:
            raise too_much("max_bytes", f"{size} bytes", limits, name)
        entries = count_index_entries(file, size, limits.max_index_entries)
        if entries > limits.max_index_entries:
            raise too_much("max_index_entries", f"an index of {entries} entries or more", limits, name)
        file.seek(0)
        try:
            container = av.open(
                _Reader(file),
                metadata_errors="replace",
                # A playlist may name other files and addresses; none is ever opened.
                container_options={"protocol_whitelist": "none"},
            )
        except av.error.FFmpegError as error:
            raise UnreadableMediaError(f"not a media file that can be read ({error.strerror}).", name) from error
        stack.enter_context(contextlib.closing(container))
        yield container


class _Reader:
    """Hides the name of a file from the decoder, which would judge by its ending what the content is."""

    def __init__(self, file: BinaryIO):
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


def _first_streams(container) -> tuple:
    """First video stream, first audio stream, `None` where there is none. A cover picture is not video."""
    streams = [stream for stream in container.streams if stream.codec_context is not None]
    pictures = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    videos = [stream for stream in streams if stream.type == "video" and not stream.disposition & pictures]
    audios = [stream for stream in streams if stream.type == "audio"]
    for stream in videos[:1] + audios[:1]:
        # One thread: callers decode clips side by side, and each thread would hold frames of its own.
        stream.codec_context.thread_count = 1
    return (videos or [None])[0], (audios or [None])[0]


def _check_header(container, video_stream, audio_stream, name: str, limits: MediaLimits) -> None:
    if len(container.streams) > limits.max_streams:
        raise too_much("max_streams", f"{len(container.streams)} streams", limits, name)
    if container.duration is not None:
        # Some containers count the duration from time 0, not from their start.
        duration = (container.duration - max(0, container.start_time or 0)) / 1e6
        check_duration(duration, "by its header", limits, name)
    if video_stream is not None:
        check_pixels(video_stream.codec_context.width, video_stream.codec_context.height, limits, name)
    if audio_stream is not None and audio_stream.codec_context.sample_rate > limits.max_sampling_rate:
        raise too_much("max_sampling_rate", f"{audio_stream.codec_context.sample_rate} Hz", limits, name)


def _start_time(*streams) -> float | None:
    """Time stamp at which the clip starts, in seconds; the same whichever of its streams are decoded."""
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in streams
        if stream is not None and stream.start_time is not None and stream.time_base is not None
    ]
    if not starts:
        return None
    start = min(starts)
    return 0.0 if -_LONGEST_PRIMING < start < 0 else start


__all__ = [
    "Clip",
    "MediaError",
    "MediaLimitError",
    "MediaLimits",
    "NoMediaStreamError",
    "UnreadableMediaError",
    "decode_clip",
]
