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
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from .clip_amess import (
    Clip,
    MediaLimits,
    NoMediaStreamError,
    UnreadableMediaError,
    check_duration,
    check_pixels,
    too_much,
)


try:
    import av
    from av.video.reformatter import Interpolation, VideoReformatter

    # Accurate rounding gives the same picture on every processor.
    _INTERPOLATION = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
except ImportError:  # decode_clip says what is missing
    av = None

# Containers round time stamps, WebM to a millisecond: a frame this little before a tick is the frame of the tick.
_TIME_ROUNDING = 0.001
# A pause of the time stamps longer than this is a hole in the sound, not rounding.
_SHORTEST_GAP = 0.1
# Bytes by which the memory for kept frames grows.
_FRAME_ROOM = 2**25
# Frame rate of a stream that neither names one nor has time stamps.
_FALLBACK_FRAME_RATE = 25.0


class Track:
    """One stream on its way through the decoder: its clock and the limits of time."""

    def __init__(self, stream, start: float | None, name: str, limits: MediaLimits):
        self.stream = stream
        self.name = name
        self.limits = limits
        self.start = start
        self.duration = 0.0
        self.complete = False

    def seconds(self, unit) -> float | None:
        """Time of a packet or frame from the start of the clip; `None` where it has no time stamp."""
        pts = unit.pts
        if pts is None or unit.time_base is None:
            return None
        time = float(pts * unit.time_base)
        if self.start is None:
            self.start = time
        return time - self.start

    def check_packet(self, packet) -> None:
        """Decoding what comes too late would be for nothing, so that the packet's own time stamp is checked first."""
        time = self.seconds(packet)
        if time is not None:
            self.check_duration(time)

    def check_duration(self, duration: float) -> None:
        check_duration(duration, f"of {self.stream.type}", self.limits, self.name)


class VideoTrack(Track):
    """Keeps `frame_rate` frames a second, at most `max_frames`, in the one size of them all."""

    def __init__(self, stream, start, name, limits, *, frame_rate, image_size, max_frames):
        super().__init__(stream, start, name, limits)
        self.frame_rate = frame_rate
        self.image_size = image_size
        self.max_frames = max_frames
        rate = stream.average_rate or stream.guessed_rate
        self.frame_duration = 1 / float(rate) if rate else 1 / _FALLBACK_FRAME_RATE
        self.reformatter = VideoReformatter()
        self.orientation: tuple[bool, bool, bool] | None = None
        self.decoded = 0
        self.previous_time = None
        self.next_tick = 0
        self.frames: np.ndarray | None = None  # with room for some more than there are times
        self.times: list[float] = []

    def add(self, frame) -> None:
        self.decoded += 1
        if self.decoded > self.limits.max_decoded_frames:
            raise too_much("max_decoded_frames", f"more than {self.decoded - 1} video frames", self.limits, self.name)
        check_pixels(frame.width, frame.height, self.limits, self.name)
        time = self.seconds(frame)
        if self.previous_time is None:
            time = max(0.0, time or 0.0)
        elif time is None or time <= self.previous_time:
            time = self.previous_time + self.frame_duration
        self.previous_time = time
        shown = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else self.frame_duration
        self.duration = time + shown
        self.check_duration(self.duration)
        # Ticks are counted, not added up, so that no rounding builds up.
        tick = math.floor((time + _TIME_ROUNDING) * self.frame_rate)
        if tick < self.next_tick:
            return
        self.next_tick = tick + 1
        self.keep(self.picture(frame))
        self.times.append(time)
        self.complete = len(self.times) == self.max_frames

    def keep(self, picture: np.ndarray) -> None:
        kept = len(self.times)
        if (kept + 1) * picture.nbytes > self.limits.max_kept_bytes:
            raise too_much("max_kept_bytes", f"{(kept + 1) * picture.nbytes} bytes of frames", self.limits, self.name)
        if self.frames is None:
            self.frames = np.empty((0, *picture.shape), dtype=np.uint8)
        if kept == len(self.frames):
            # Grown in place: a list of frames, stacked at the end, would need the memory twice.
            room = max(1, _FRAME_ROOM // picture.nbytes)
            self.frames.resize((kept + room, *picture.shape), refcheck=False)
        self.frames[kept] = picture

    def picture(self, frame) -> np.ndarray:
        """The frame upright in RGB, resized: `(height, width, 3)` uint8."""
        if self.orientation is None:
            # Once for the track: a frame that has been asked for its side data is freed by the garbage collector only.
            self.orientation = _orientation(frame)
        transposed, flipped_rows, flipped_columns = self.orientation
        if self.image_size is None:
            self.image_size = (frame.width, frame.height) if transposed else (frame.height, frame.width)
        height, width = self.image_size[::-1] if transposed else self.image_size
        resized = self.reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=_INTERPOLATION, threads=1
        )
        array = resized.to_ndarray()
        if transposed:
            array = array.transpose(1, 0, 2)
        return array[:: -1 if flipped_rows else 1, :: -1 if flipped_columns else 1]

    def result(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self.frames is None:
            return None, None
        times = np.asarray(self.times, dtype=np.float64)
        self.frames.resize((len(times), *self.frames.shape[1:]), refcheck=False)
        return self.frames, times


class AudioTrack(Track):
    """Keeps the mean over the channels at `sampling_rate`, with silence where the time stamps leave a hole."""

    def __init__(self, stream, start, name, limits, *, sampling_rate):
        super().__init__(stream, start, name, limits)
        self.sampling_rate = sampling_rate
        self.resampler = None
        self.source_format = None
        self.next_time = 0.0
        self.chunks: list[np.ndarray] = []
        self.samples = 0

    def add(self, frame) -> None:
        if frame.sample_rate > self.limits.max_sampling_rate:
            raise too_much("max_sampling_rate", f"{frame.sample_rate} Hz", self.limits, self.name)
        time = self.seconds(frame)
        gap = 0.0 if time is None else time - self.next_time
        source_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        late = gap > (_SHORTEST_GAP if self.samples else _TIME_ROUNDING)
        if late or source_format != self.source_format:
            self.flush()
            self.source_format = source_format
            # The channels stay apart: the resampler's own mono is louder than their mean. They stay interleaved
            # because PyAV gives access to no more than 8 separate planes.
            self.resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=self.sampling_rate)
        if late:
            self.check_duration(time)
            self.keep(np.zeros(max(0, round(time * self.sampling_rate) - self.samples), dtype=np.float32))
            self.next_time = time
        self.next_time += frame.samples / frame.sample_rate
        frame.pts = None  # the resampler would stretch the sound after the time stamps
        self.resample(frame)

    def resample(self, frame) -> None:
        for resampled in self.resampler.resample(frame):
            channels = resampled.to_ndarray().reshape(resampled.samples, -1)
            self.keep(channels.mean(axis=1))

    def keep(self, chunk: np.ndarray) -> None:
        self.samples += len(chunk)
        self.duration = self.samples / self.sampling_rate
        self.check_duration(self.duration)
        self.chunks.append(chunk)

    def flush(self) -> None:
        if self.resampler is not None:
            self.resample(None)
            self.resampler = None

    def result(self) -> np.ndarray | None:
        self.flush()
        if not self.samples:
            return None
        waveform = np.concatenate(self.chunks)
        if not np.isfinite(waveform).all():
            raise UnreadableMediaError("the sound holds NaN or infinite samples.", self.name)
        return waveform


def _orientation(frame) -> tuple[bool, bool, bool]:
    """How to make a frame upright: rows and columns exchanged, then rows in reverse, then columns in reverse."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    # 3 x 3, row by row: a point (x, y), y downwards, is shown at (a x + c y, b x + d y). Quarter turns only.
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(matrix), dtype=np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, b < 0, c < 0
    return False, d < 0, a < 0


_TABLES = re.compile(rb"stsz|stz2|trun|elst|cmov")
# Bytes from the name of a table to its number of entries.
_COUNT_POSITION = {b"stsz": 12, b"stz2": 12, b"trun": 8, b"elst": 8}
# A box costs its reader about as much as this many entries.
_ENTRIES_PER_BOX = 64


def count_index_entries(file: BinaryIO, size: int, most: int) -> int:
    """Entries that the tables of an MP4 or QuickTime file of `size` bytes ask for; few for any other file. Counting ends
    where `most` is exceeded.
    """
    boxes = samples = edits = 0
    for start, end, searched in _top_level_boxes(file, size):
        boxes += 1
        if searched:
            file.seek(start)
            content = file.read(end - start)
            # Every table is counted wherever it lies, since a damaged header can be nested in any way.
            for table in _TABLES.finditer(content):
                if table.group() == b"cmov":
                    return most + 1  # a compressed header, which nothing has written for decades, could hold anything
                position = table.start() + _COUNT_POSITION[table.group()]
                count = int.from_bytes(content[position : position + 4], "big")
                if table.group() == b"elst":
                    edits = max(edits, count)
                else:
                    samples += count
        if boxes * _ENTRIES_PER_BOX + samples * max(1, edits) > most:
            break
    return boxes * _ENTRIES_PER_BOX + samples * max(1, edits)


def _top_level_boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, int, bool]]:
    """Start and end of each box, and whether it may hold tables: neither the media themselves nor no box at all."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        header = file.read(16)
        length, name = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        elif length == 0:
            length = size - start
        if length < 8:
            return
        end = min(start + length, size)
        yield start, end, name != b"mdat" and name.isascii() and name.decode().isprintable()
        start = end


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
    """Decodes the first video and the first audio stream of any container that PyAV reads.

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


__all__ = ["decode_clip"]
