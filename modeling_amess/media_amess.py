# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Decoding of clips: any container to frames and sound, with PyAV under hard limits and without torch.

Clips come from strangers, so nothing here trusts a header: the decoder checks each limit when it opens the file and
again while it decodes. It samples and resizes frames as they come out of the codec; memory holds the kept frames and
the few that the codec itself needs. FFmpeg reads hundreds of formats, some of them scripts; only containers and codecs
that clips of people have are open here (`CONTAINERS` and `CODECS`). From top to bottom: `decode_clip`, opening and
checking a container, and the two kinds of streams.
"""

import contextlib
import io
import logging
import math
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .clip_amess import (
    Clip,
    Frames,
    MediaError,
    MediaLimits,
    NoMediaStreamError,
    UnreadableMediaError,
    Waveform,
    check_duration,
    check_pixels,
    is_hdr,
    picture_shape,
    tone_mapped,
    too_much,
)
from .limits_amess import Boxes, has_boxes, hide


try:
    import av
    from av.video.reformatter import Interpolation, VideoReformatter

    # Accurate rounding gives the same picture on every processor.
    _INTERPOLATION = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
except ImportError:  # decode_clip says what is missing
    av = None  # type: ignore[assignment]  # a module that may be missing has no type of its own

# Containers round time stamps, WebM to a millisecond: a frame this little before a tick is the frame of the tick.
_TIME_ROUNDING = 0.001
# A pause of the time stamps longer than this is a hole in the sound, not rounding.
_SHORTEST_GAP = 0.1
# Sound codecs start up to this long before their first audible sample; the decoder cuts that part off.
_LONGEST_PRIMING = 0.1
# Seconds before a span from which it is decoded: sound codecs are right only some frames after the place of a seek.
# MPEG streams do not say where a picture can be decoded; where none could, the decoder begins earlier.
_BEFORE_SPAN = (0.5, 12.0, math.inf)
# Seconds by which the packets of one stream may lie behind those of another in a file.
_INTERLEAVING = 10.0
# Bytes by which the memory for kept frames grows: as many as there are, from the first number to the second. New
# memory is filled with zeros, so that a large first room would cost a short clip more than its decoding.
_FIRST_FRAME_ROOM, _FRAME_ROOM = 2**20, 2**25
# Frame rate of a stream that neither names one nor has time stamps.
_FALLBACK_FRAME_RATE = 25.0

# Name of FFmpeg's reader of MP4, QuickTime, M4A, 3GP and their kin. It sees the boxes of `limits_amess` only.
_MP4 = "mov"
# Containers in which streams come to light while their packets are read.
_STREAMS_LATE = ("mpegts", "mpeg", "flv")
# The other containers, by the names of FFmpeg's readers: Matroska and WebM, AVI, Windows Media, the sound formats of
# people's devices and programs, animated pictures, and the bare streams of video codecs.
_STREAMS_EARLY = (
    *("matroska,webm", "avi", "asf"),
    *("ogg", "wav", "w64", "aiff", "caf", "au", "flac", "mp3", "aac", "ac3", "eac3", "amr", "amrnb", "amrwb"),
    *("gif", "apng", "h264", "hevc", "m4v", "mpegvideo", "obu", "ivf"),
)
CONTAINERS = (_MP4, *_STREAMS_EARLY, *_STREAMS_LATE)
"""Containers that are read. Playlists, scripts, subtitles and still pictures are not."""

_VIDEO_CODECS = (
    *("h264", "hevc", "vvc", "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9", "vp6", "vp6a", "vp6f", "theora"),
    *("mpegvideo", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4", "h263", "h263p", "flv"),
    *("wmv1", "wmv2", "wmv3", "vc1", "mjpeg", "mjpegb", "svq1", "svq3", "cinepak", "dvvideo", "prores", "dnxhd"),
    *("cfhd", "ffv1", "ffvhuff", "huffyuv", "utvideo", "rawvideo", "v210", "qtrle", "png", "gif", "apng"),
)
_SOUND_CODECS = (
    *(
        "aac",
        "aac_latm",
        "mp1",
        "mp1float",
        "mp2",
        "mp2float",
        "mp3",
        "mp3float",
        "ac3",
        "eac3",
        "dca",
        "truehd",
        "mlp",
    ),
    *("opus", "libopus", "vorbis", "flac", "alac", "speex", "nellymoser", "wmav1", "wmav2", "wmapro", "wmalossless"),
    *("wmavoice", "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "gsm", "gsm_ms", "qdm2", "qcelp"),
    *("adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "adpcm_swf", "adpcm_yamaha", "g722", "g726", "g726le"),
    *(() if av is None else sorted(name for name in av.codecs_available if name.startswith("pcm_"))),
)
CODECS = (*_VIDEO_CODECS, *_SOUND_CODECS)
"""Codecs that are decoded, by the names of FFmpeg's decoders."""

# How to make a frame upright that is turned by so many quarters, counterclockwise.
_ORIENTATIONS = ((False, False, False), (True, True, False), (False, True, True), (True, False, True))
# Decoders count the padding of their frames too, so that their own limit is wider than that of the frames.
_PADDING = 2**20
# How FFmpeg's decoders say that a frame is larger than they may make it.
_REFUSED_SIZE = re.compile(r"(\d+)x(\d+) exceeds")

logger = logging.getLogger(__name__)

Source = str | os.PathLike[str] | bytes | BinaryIO


def decode_clip(
    source: Source,
    *,
    frame_rate: float = 6.0,
    image_size: int | tuple[int, int] | None = None,
    max_frames: int | None = None,
    sampling_rate: int = 16000,
    video: bool = True,
    audio: bool = True,
    picture_size: int | None = None,
    limits: MediaLimits | None = None,
    span: tuple[float, float] | None = None,
) -> Clip:
    """Decode the first video and the first audio stream of any container that PyAV reads.

    Damaged packets are left out, with a warning in the log: the result is what could be decoded, with silence where
    sound is missing. A stream of which nothing could be decoded counts as missing.

    Args:
        source: Path of a file, its content, or a seekable binary file, which is read from its beginning and left
            open. URLs are refused.
        frame_rate: Number of frames per second that are kept: the first one at or after each tick, never one twice.
        image_size: `(height, width)`, or one number for both, to which frames are resized (bicubic, the aspect ratio
            is not kept); `None` keeps the size of the first frame.
        max_frames: Largest number of frames that are kept; later ones are not decoded.
        sampling_rate: Samples of the waveform per second, in Hz.
        video: Whether to decode video.
        audio: Whether to decode sound.
        picture_size: Longer side of `Clip.pictures`, in pixels: the kept frames once more, in the clip's own aspect
            ratio and never enlarged. `None` for no pictures.
        limits: Limits on what the clip may cost, by default `MediaLimits()`.
        span: Start and end in seconds of the part of the file that is the clip, by default all of it. The decoder
            seeks to the start, and neither reads nor keeps the rest. `max_duration` is then the limit of this part;
            where the file ends earlier, the clip is shorter.

    Raises:
        UnreadableMediaError: Nothing could be decoded.
        MediaLimitError: The clip exceeds a limit, by its header or in truth.
        NoMediaStreamError: The container has none of the requested streams.
        FileNotFoundError, PermissionError: The path cannot be opened.
        ImportError: PyAV is not installed.
        ValueError: A setting makes no sense.
    """
    if av is None:
        raise ImportError("PyAV decodes clips, and it is not installed: pip install av")
    if not (video or audio):
        raise ValueError("video=False and audio=False leave nothing to decode.")
    _check_numbers(frame_rate, max_frames, sampling_rate, picture_size)
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if size is not None and min(size) < 1:
        raise ValueError(f"image_size={size} must be positive.")
    limits = limits or MediaLimits()

    name = _name_of(source)
    if span is not None:
        _check_span(span, name, limits)
    with _file_of(source, name) as file:
        opened = _checked(file, name, limits)
        for before in _BEFORE_SPAN:
            with opened() as container:
                video_stream, audio_stream, unread = _first_streams(container, video, audio, limits)
                start = _start_time(container)
                seen = heard = None
                if video_stream is not None:
                    seen = VideoTrack(video_stream, start, name, limits, frame_rate=frame_rate, max_frames=max_frames)
                    seen.set_sizes(size, picture_size)
                if audio_stream is not None:
                    heard = AudioTrack(audio_stream, start, name, limits, sampling_rate=sampling_rate)
                tracks = [track for track in (seen, heard) if track is not None]
                _check_streams(container, tracks, unread, (video, audio), name, limits)
                if span is None:
                    _check_time_stamps(opened, container, tracks, limits)
                else:
                    _cut(container, tracks, span, start, before)
                damage = _decode(container, tracks) or unread
                clip = _clip(seen, heard, sampling_rate)
            if span is None or seen is None or seen.times or not seen.packets or span[0] <= before:
                break
        if span is None and seen is not None and seen.first_damage is not None:
            _check_refused_size(opened, seen)
    if clip.frames is None and clip.waveform is None:
        reason = damage or "the streams are empty"
        raise UnreadableMediaError(f"no frame and no sound could be decoded ({reason}).", name)
    if damage:
        logger.warning("%s is damaged: what could not be decoded is left out (%s).", name, damage)
    return clip


def read_duration(source: Source, limits: MediaLimits | None = None) -> float | None:
    """Seconds of a file by its header, however long they are; `None` where the header does not say.

    Raises:
        UnreadableMediaError: The file is no media file.
        MediaLimitError: The file exceeds a limit of its size or index.
        FileNotFoundError, PermissionError: The path cannot be opened.
        ImportError: PyAV is not installed.
    """
    if av is None:
        raise ImportError("PyAV decodes clips, and it is not installed: pip install av")
    name = _name_of(source)
    with _file_of(source, name) as file, _checked(file, name, limits or MediaLimits())() as container:
        if container.duration is None:
            return None
        return float(container.duration / av.time_base)


def _check_numbers(frame_rate: float, max_frames: int | None, sampling_rate: int, picture_size: int | None) -> None:
    if not (math.isfinite(frame_rate) and frame_rate > 0):
        raise ValueError(f"frame_rate={frame_rate} must be a positive number of frames per second.")
    if sampling_rate < 1:
        raise ValueError(f"sampling_rate={sampling_rate} must be a positive number of samples per second.")
    if max_frames is not None and max_frames < 1:
        raise ValueError(f"max_frames={max_frames} must be at least 1; video=False leaves the frames out.")
    if picture_size is not None and picture_size < 1:
        raise ValueError(f"picture_size={picture_size} must be at least 1 pixel, or None for no pictures.")


def _check_streams(
    container: Any,
    tracks: "list[VideoTrack | AudioTrack]",
    unread: str | None,
    wanted: tuple[bool, bool],
    name: str,
    limits: MediaLimits,
) -> None:
    """Check the header, and that there is a stream to decode."""
    _check_header(container, tracks, name, limits)
    if not tracks and unread is not None:
        raise UnreadableMediaError(f"{unread}. Convert the clip to MP4.", name)
    if not tracks:
        requested = " or ".join(kind for kind, is_wanted in zip(("video", "audio"), wanted, strict=True) if is_wanted)
        raise NoMediaStreamError(f"the file has no {requested} stream.", name)


def _check_span(span: tuple[float, float], name: str, limits: MediaLimits) -> None:
    first, last = span
    if not 0 <= first < last:
        raise ValueError(f"span={span} must be a start and a later end in seconds from the start of the file.")
    if math.isfinite(last):
        check_duration(last - first, f"from {first:.1f} s to {last:.1f} s", limits, name)


def _cut(
    container: Any,
    tracks: "list[VideoTrack | AudioTrack]",
    span: tuple[float, float],
    start: float | None,
    before: float,
) -> None:
    """Make the tracks keep a span of the file alone, and seek to the packets `before` seconds earlier."""
    begin = (start or 0.0) + span[0]
    for track in tracks:
        track.start = begin
        track.length = span[1] - span[0]
    if span[0] > before:
        # A container that cannot be searched is read from its beginning.
        with contextlib.suppress(av.error.FFmpegError):
            container.seek(math.floor((begin - before) * av.time_base), backward=True)


def _decode(container: Any, tracks: "list[VideoTrack | AudioTrack]") -> str | None:
    """Feed every packet to its track; return the last damage in words."""
    damage: str | None = None
    by_stream = {track.index: track for track in tracks}
    packets = container.demux(*(track.stream for track in tracks))
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:  # the container itself breaks off here
            damage = error.strerror
            break
        if packet is None:
            break
        track = by_stream[packet.stream.index]
        if track.length is None:
            track.check_packet(packet)
        elif track.is_behind(packet) or all(one.complete for one in tracks):
            # A stream that ended earlier has frames in its decoder yet.
            for rest in (one for one in tracks if not one.complete):
                with contextlib.suppress(av.error.FFmpegError):
                    for frame in rest.stream.codec_context.decode(None):
                        rest.add(frame)
            break
        if track.complete:
            continue
        track.packets += 1
        try:
            for frame in packet.decode():
                track.add(frame)
        except av.error.FFmpegError as error:
            if track.length is None or track.duration:  # after a seek the first packets may lack what came before
                damage = error.strerror
            track.first_damage = track.first_damage or track.packets
    return damage


def _clip(seen: "VideoTrack | None", heard: "AudioTrack | None", sampling_rate: int) -> Clip:
    frames = frame_times = pictures = waveform = None
    duration = 0.0
    if seen is not None:
        frames, frame_times, pictures = seen.result()
        duration = seen.duration
    if heard is not None:
        waveform = heard.result()
        duration = max(duration, heard.duration)
    return Clip(frames, frame_times, waveform, sampling_rate, duration, pictures)


def _name_of(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"<{len(source)} bytes>"
    return str(getattr(source, "name", "<file object>"))


@contextlib.contextmanager
def _file_of(source: Any, name: str) -> Iterator[BinaryIO]:
    """Open the file of the source, and close what was opened here and nothing else. All errors are typed."""
    with contextlib.ExitStack() as stack:
        opened_here = isinstance(source, (str, os.PathLike))
        if opened_here:
            file = stack.enter_context(_open_path(source, name))
        elif isinstance(source, (bytes, bytearray, memoryview)):
            file = io.BytesIO(source)
        else:
            file = source
            if not file.seekable():
                raise UnreadableMediaError("the file object cannot seek: give its content as bytes.", name)
        try:
            yield file
        except MediaError:
            raise
        except av.error.FFmpegError as error:
            raise UnreadableMediaError(f"the clip cannot be decoded ({error.strerror}).", name) from error
        except OSError as error:
            if not opened_here:  # the error of the caller's own file object
                raise
            raise UnreadableMediaError(f"the file cannot be read ({error.strerror or error}).", name) from error
        except (ValueError, ArithmeticError, LookupError) as error:
            raise UnreadableMediaError(
                f"the clip cannot be decoded ({type(error).__name__}: {error}).", name
            ) from error


def _open_path(path: str | os.PathLike[str], name: str) -> BinaryIO:
    if not os.path.isfile(path):
        if "://" in name:
            raise UnreadableMediaError("URLs are not read: download the file and give its path.", name)
        if os.path.exists(path):
            raise UnreadableMediaError("not a file.", name)
    try:
        return open(path, "rb")
    except (FileNotFoundError, PermissionError):
        raise
    except (OSError, ValueError) as error:  # a name that is too long, or that holds a NUL
        raise UnreadableMediaError(f"the path cannot be opened ({error}).", name) from error


def _checked(file: BinaryIO, name: str, limits: MediaLimits) -> Callable[[], "contextlib.closing[Any]"]:
    """Check the size and the index of a file; return the function that opens its container."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise UnreadableMediaError("the file is empty.", name)
    if size > limits.max_bytes:
        raise too_much("max_bytes", f"{size} bytes", limits, name)
    if not has_boxes(file):
        return lambda: contextlib.closing(_open_other(file, name, limits))
    boxes = Boxes(file, size, limits.max_index_entries)
    if boxes.entries > limits.max_index_entries:
        raise too_much("max_index_entries", f"an index of {boxes.entries} entries or more", limits, name)

    def open_mp4() -> "contextlib.closing[Any]":
        try:
            return contextlib.closing(_open(_Reader(file, boxes.hidden), limits, (_MP4,), format=_MP4))
        except av.error.FFmpegError as error:
            raise UnreadableMediaError(f"not a media file that can be read ({error.strerror}).", name) from error

    return open_mp4


def _open(reader: "_Reader", limits: MediaLimits, formats: tuple[str, ...], **options: Any) -> Any:
    late = formats == _STREAMS_LATE
    return av.open(
        reader,
        metadata_errors="replace",
        # FFmpeg decodes frames to learn about streams. The option for these decoders reaches only streams that the
        # header names; for others they are switched off.
        options={"max_pixels": str(2 * limits.max_pixels + _PADDING)},
        container_options={
            # A playlist may name other files and addresses; none is ever opened.
            "protocol_whitelist": "none",
            "format_whitelist": ",".join(formats),
            "codec_whitelist": ",".join(_SOUND_CODECS if late else CODECS),
        },
        **options,
    )


def _open_other(file: BinaryIO, name: str, limits: MediaLimits) -> Any:
    """Open a container that is not made of boxes."""
    for formats in (_STREAMS_EARLY, _STREAMS_LATE):
        try:
            return _open(_Reader(file), limits, formats)
        except av.error.ArgumentError:  # another container
            continue
        except av.error.FFmpegError as error:
            raise UnreadableMediaError(f"not a media file that can be read ({error.strerror}).", name) from error
    with _errors_of_ffmpeg() as errors, contextlib.suppress(av.error.FFmpegError):
        _open(_Reader(file), limits, _STREAMS_LATE).close()
    container = next((kind for _, kind, text in errors if "not on whitelist" in text), None)
    if container is None:
        raise UnreadableMediaError("not a media file that can be read (Invalid argument).", name)
    raise UnreadableMediaError(
        f"files of the kind {container!r} are not read, only those of common video and sound programs. Convert the "
        "clip to MP4.",
        name,
    )


@contextlib.contextmanager
def _errors_of_ffmpeg() -> "Iterator[list[tuple[int, str, str]]]":
    """Collect what FFmpeg logs in this thread as errors. PyAV's log is off otherwise, as its callback takes time."""
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as errors:
            yield errors
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)


class _Reader:
    """A file as FFmpeg may see it: without its name, which tells a kind of content, and without the hidden boxes.

    Damaged files point before their start and far beyond their end; both are no error of the file. Several readers of
    one file do not disturb each other.
    """

    def __init__(self, file: BinaryIO, hidden: list[int] | None = None):
        self.file = file
        self.hidden = hidden or []
        self.position = 0
        self.size = file.seek(0, os.SEEK_END)

    def read(self, size: int) -> bytes:
        if self.position >= self.size:
            return b""
        self.file.seek(self.position)
        data = self.file.read(size)
        start = self.position
        self.position += len(data)
        return hide(self.hidden, start, data) if self.hidden else data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            offset += self.size
        elif whence == os.SEEK_CUR:
            offset += self.position
        if offset < 0:
            return -1
        self.position = offset
        return offset

    def tell(self) -> int:
        return self.position


def _first_streams(container: Any, video: bool, audio: bool, limits: MediaLimits) -> tuple[Any, Any, str | None]:
    """First video stream and first audio stream of those requested, or `None`; and which one has another codec.

    A cover picture is not video.
    """
    first: dict[str, Any] = {}
    for stream in container.streams:
        wanted = (video and stream.type == "video") or (audio and stream.type == "audio")
        if wanted and stream.codec_context is not None and not _is_picture(stream):
            first.setdefault(stream.type, stream)
    unread = None
    for kind, stream in list(first.items()):
        context = stream.codec_context
        if context.name not in CODECS:
            unread = f"the codec {context.name} is not one of those that are decoded"
            del first[kind]
            continue
        # One thread: callers decode clips side by side, and each thread would hold frames of its own.
        context.thread_count = 1
        context.options = {"max_pixels": str(2 * limits.max_pixels + _PADDING)}
    return first.get("video"), first.get("audio"), unread


def _is_picture(stream: Any) -> bool:
    return bool(stream.disposition & (av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails))


def _start_time(container: Any) -> float | None:
    """Time stamp at which the clip starts, in seconds; the same whichever of its streams are decoded."""
    starts = []
    for kind in ("video", "audio"):
        streams = (one for one in container.streams if one.type == kind and one.codec_context and not _is_picture(one))
        stream = next(streams, None)
        if stream is not None and stream.start_time is not None and stream.time_base is not None:
            starts.append(float(stream.start_time * stream.time_base))
    if not starts:
        return None
    start = min(starts)
    return 0.0 if -_LONGEST_PRIMING < start < 0 else start


def _check_header(container: Any, tracks: "list[VideoTrack | AudioTrack]", name: str, limits: MediaLimits) -> None:
    if len(container.streams) > limits.max_streams:
        raise too_much("max_streams", f"{len(container.streams)} streams", limits, name)
    for track in tracks:
        track.check_header()


def _check_time_stamps(
    opened: Callable[[], Any], container: Any, tracks: "list[VideoTrack | AudioTrack]", limits: MediaLimits
) -> None:
    """Refuse a clip that is too long before any of it is decoded, if its header and its packets both say so.

    The header alone does not decide: it may be estimated, or count streams that are not decoded.
    """
    # Some containers count the duration from time 0, not from their start.
    claimed = 0.0 if container.duration is None else (container.duration - max(0, container.start_time or 0)) / 1e6
    if claimed <= limits.max_duration:
        return
    by_stream = {track.index: track for track in tracks}
    for track in tracks:
        track.claim = f" ({claimed:.1f} s by the header of the file)"
    with opened() as again, contextlib.suppress(av.error.FFmpegError):
        for packet in again.demux(*(again.streams[index] for index in by_stream)):
            by_stream[packet.stream.index].check_packet(packet)


def _check_refused_size(opened: Callable[[], Any], track: "VideoTrack") -> None:
    """Raise MediaLimitError if a decoder failed because the frame is too large: only FFmpeg's log says so."""
    with _errors_of_ffmpeg() as errors, opened() as container:
        stream = container.streams[track.index]
        _first_streams(container, True, False, track.limits)
        for number, packet in enumerate(container.demux(stream), start=1):
            with contextlib.suppress(av.error.FFmpegError):
                packet.decode()
            if number > (track.first_damage or 0):
                break
    for _, _, text in errors:
        size = _REFUSED_SIZE.search(text)
        if size is not None:
            check_pixels(int(size[1]), int(size[2]), track.limits, track.name)


class Track:
    """One stream on its way through the decoder: its clock and the limits of time."""

    def __init__(self, stream: Any, start: float | None, name: str, limits: MediaLimits):
        self.stream = stream
        self.index: int = stream.index  # it outlives the container, as the stream does not
        self.name = name
        self.limits = limits
        self.start = start
        self.length: float | None = None
        self.duration = 0.0
        self.complete = False
        self.claim = ""
        self.packets = 0
        self.first_damage: int | None = None

    def seconds(self, unit: Any) -> float | None:
        """Time of a packet or frame from the start of the clip; `None` if it has no time stamp."""
        pts = unit.pts
        if pts is None or unit.time_base is None:
            return None
        time = float(pts * unit.time_base)
        if self.start is None:
            self.start = time
        return time - self.start

    def check_packet(self, packet: Any) -> None:
        """Check the packet's own time stamp first: decoding a packet that comes too late would be for nothing."""
        time = self.seconds(packet)
        if time is not None:
            self.check_duration(time)

    def is_behind(self, packet: Any) -> bool:
        """Tell whether a packet is so far behind the end of the span that no other stream has packets of it left."""
        time = None if packet.dts is None or packet.time_base is None else float(packet.dts * packet.time_base)
        assert self.length is not None and self.start is not None
        return time is not None and time - self.start > self.length + _INTERLEAVING

    def check_duration(self, duration: float) -> None:
        check_duration(duration, f"of {self.stream.type}{self.claim}", self.limits, self.name)


class VideoTrack(Track):
    """Video stream of which `frame_rate` frames per second are kept, at most `max_frames`, all of one size."""

    def __init__(
        self,
        stream: Any,
        start: float | None,
        name: str,
        limits: MediaLimits,
        *,
        frame_rate: float,
        max_frames: int | None,
    ):
        super().__init__(stream, start, name, limits)
        self.frame_rate = frame_rate
        self.max_frames = max_frames
        rate = stream.average_rate or stream.guessed_rate
        self.frame_duration = 1 / float(rate) if rate else 1 / _FALLBACK_FRAME_RATE
        self.orientation: tuple[bool, bool, bool] | None = None
        self.decoded = 0
        self.previous_time: float | None = None
        self.next_tick = 0
        self.times: list[float] = []
        self.frames = FrameStack()
        self.pictures: FrameStack | None = None
        self.picture_size = 0

    def set_sizes(self, image_size: tuple[int, int] | None, picture_size: int | None) -> None:
        """Set the size of the frames, and the longer side of pictures that are kept beside them."""
        self.frames.size = image_size
        if picture_size is not None:
            self.pictures, self.picture_size = FrameStack(), picture_size

    def check_header(self) -> None:
        check_pixels(self.stream.codec_context.width, self.stream.codec_context.height, self.limits, self.name)

    def add(self, frame: Any) -> None:
        """Count a decoded frame and keep it if its tick has come."""
        self.decoded += 1
        if self.decoded > self.limits.max_decoded_frames:
            raise too_much("max_decoded_frames", f"more than {self.decoded - 1} video frames", self.limits, self.name)
        check_pixels(frame.width, frame.height, self.limits, self.name)
        time = self.seconds(frame)
        if self.length is not None and self.previous_time is None:
            # Frames before the span come first; without time stamps nobody knows which ones these are.
            if time is None:
                raise UnreadableMediaError(
                    "its video has no time stamps, so that no part of it can be found.", self.name
                )
            if time < -_TIME_ROUNDING:
                return
        if self.length is not None and time is not None and time >= self.length - _TIME_ROUNDING:
            self.complete = True
            return
        if self.previous_time is None:
            time = max(0.0, time or 0.0)
        elif time is None or time <= self.previous_time:
            time = self.previous_time + self.frame_duration
        self.previous_time = time
        shown = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else self.frame_duration
        self.duration = time + shown if self.length is None else min(time + shown, self.length)
        self.check_duration(self.duration)
        # Ticks are counted, not added up, so that no rounding builds up.
        tick = math.floor((time + _TIME_ROUNDING) * self.frame_rate)
        if tick < self.next_tick:
            return
        self.next_tick = tick + 1
        self.keep(frame)
        self.times.append(time)
        self.complete = len(self.times) == self.max_frames

    def keep(self, frame: Any) -> None:
        """Keep a frame upright in RGB of the ordinary range, at each of the sizes."""
        if self.orientation is None:
            # Once per track: a frame that was asked for its side data is freed by the garbage collector only.
            self.orientation = _orientation(frame)
        height, width = (frame.width, frame.height) if self.orientation[0] else (frame.height, frame.width)
        if self.frames.size is None:
            self.frames.size = (height, width)
        stacks = [self.frames]
        if self.pictures is not None:
            self.pictures.size = self.pictures.size or picture_shape(height, width, self.picture_size)
            stacks.append(self.pictures)
        bytes_kept = (len(self.times) + 1) * sum(stack.bytes_per_frame for stack in stacks)
        if bytes_kept > self.limits.max_kept_bytes:
            raise too_much("max_kept_bytes", f"{bytes_kept} bytes of frames", self.limits, self.name)
        for stack in stacks:
            stack.add(frame, self.orientation)

    def result(self) -> tuple[Frames | None, NDArray[np.float64] | None, Frames | None]:
        """Frames, their times and the pictures."""
        if not self.times:
            return None, None, None
        pictures = None if self.pictures is None else self.pictures.result()
        return self.frames.result(), np.asarray(self.times, dtype=np.float64), pictures


class FrameStack:
    """Frames of one size in an array that grows in place: stacking a list at the end would need the memory twice."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.array: Frames = np.empty(0, dtype=np.uint8)
        self.length = 0
        # One per size: it keeps its tables for the next frame of the same sizes.
        self.reformatter = VideoReformatter()

    @property
    def bytes_per_frame(self) -> int:
        """Bytes of one frame, once the size is known."""
        assert self.size is not None
        return self.size[0] * self.size[1] * 3

    def add(self, frame: Any, orientation: tuple[bool, bool, bool]) -> None:
        """Append a decoded frame, resized and upright."""
        assert self.size is not None
        transposed, flipped_rows, flipped_columns = orientation
        height, width = self.size[::-1] if transposed else self.size
        hdr = is_hdr(frame.color_trc)
        resized = self.reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb48le" if hdr else "rgb24",
            interpolation=_INTERPOLATION,
            threads=1,
        )
        picture: NDArray[Any] = resized.to_ndarray()
        if hdr:
            picture = tone_mapped(picture, frame.color_trc, frame.color_primaries)
        if transposed:
            picture = picture.transpose(1, 0, 2)
        if self.length == 0:
            self.array = np.empty((0, *self.size, 3), dtype=np.uint8)
        if self.length == len(self.array):
            room_bytes = min(max(self.array.nbytes, _FIRST_FRAME_ROOM), _FRAME_ROOM)
            room = max(1, room_bytes // self.bytes_per_frame)
            self.array.resize((self.length + room, *self.size, 3), refcheck=False)
        self.array[self.length] = picture[:: -1 if flipped_rows else 1, :: -1 if flipped_columns else 1]
        self.length += 1

    def result(self) -> Frames:
        """The frames, without the room for more."""
        self.array.resize((self.length, *self.array.shape[1:]), refcheck=False)
        return self.array


def _orientation(frame: Any) -> tuple[bool, bool, bool]:
    """How to make a frame upright: exchange rows and columns, then reverse the rows, then the columns."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV does not know all kinds of side data that FFmpeg attaches, such as a camera's EXIF. Then only the angle
        # can be read, and a mirrored frame stays mirrored.
        return _ORIENTATIONS[round(frame.rotation / 90) % 4]
    if matrix is None:
        return False, False, False
    # 3 x 3, row by row: a point (x, y), y downwards, is shown at (a x + c y, b x + d y). Quarter turns only.
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(matrix), dtype=np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, b < 0, c < 0
    return False, d < 0, a < 0


class AudioTrack(Track):
    """Audio stream as the mean over its channels at `sampling_rate`, with silence in holes of the time stamps."""

    def __init__(self, stream: Any, start: float | None, name: str, limits: MediaLimits, *, sampling_rate: int):
        super().__init__(stream, start, name, limits)
        self.sampling_rate = sampling_rate
        self.resampler: Any = None
        self.source_format: tuple[str, str, int] | None = None
        self.next_time = 0.0
        self.chunks: list[Waveform] = []
        self.samples = 0
        self.lead: float | None = None

    def check_header(self) -> None:
        self.check_sampling_rate(self.stream.codec_context.sample_rate)

    def check_sampling_rate(self, rate: int) -> None:
        if rate > self.limits.max_sampling_rate:
            raise too_much("max_sampling_rate", f"{rate} Hz", self.limits, self.name)

    def add(self, frame: Any) -> None:
        """Append a decoded frame of sound, after silence if it comes late."""
        self.check_sampling_rate(frame.sample_rate)
        time = self.seconds(frame)
        if self.length is not None:
            if self.lead is None:
                if time is None:
                    raise UnreadableMediaError(
                        "its sound has no time stamps, so that no part of it can be found.", self.name
                    )
                if time < -_BEFORE_SPAN[0] - 0.1:  # in a container that cannot be searched
                    return
                # The clock of this track begins with its first frame, `lead` seconds before the span.
                self.lead = max(0.0, -time)
                assert self.start is not None
                self.start -= self.lead
                time += self.lead
            last = self.lead + self.length
            if time is not None and time > last:
                self.complete = True
                return
        gap = 0.0 if time is None else time - self.next_time
        source_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        late = time is not None and gap > (_SHORTEST_GAP if self.samples else _TIME_ROUNDING)
        if late or source_format != self.source_format:
            self.flush()
            self.source_format = source_format
            # The channels stay apart: the resampler's own mono is louder than their mean. They stay interleaved
            # because PyAV gives access to no more than 8 separate planes.
            self.resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=self.sampling_rate)
        if late and time is not None:
            self.check_duration(time - (self.lead or 0.0))
            self.keep(np.zeros(max(0, round(time * self.sampling_rate) - self.samples), dtype=np.float32))
            self.next_time = time
        self.next_time += frame.samples / frame.sample_rate
        frame.pts = None  # the resampler would stretch the sound after the time stamps
        self.resample(frame)

    def resample(self, frame: Any) -> None:
        for resampled in self.resampler.resample(frame):
            channels = resampled.to_ndarray().reshape(resampled.samples, -1)
            self.keep(channels.mean(axis=1))

    def keep(self, chunk: Waveform) -> None:
        self.samples += len(chunk)
        self.duration = self.samples / self.sampling_rate
        lead = self.lead or 0.0
        self.check_duration(self.duration - lead)
        self.complete = self.length is not None and self.duration >= lead + self.length
        self.chunks.append(chunk)

    def flush(self) -> None:
        if self.resampler is not None:
            self.resample(None)
            self.resampler = None

    def result(self) -> Waveform | None:
        """The whole waveform."""
        self.flush()
        if not self.samples:
            return None
        waveform = np.concatenate(self.chunks)
        if self.lead is not None and self.length is not None:
            first = round(self.lead * self.sampling_rate)
            stop = len(waveform) if math.isinf(self.length) else first + round(self.length * self.sampling_rate)
            waveform = waveform[first:stop]
            self.duration = len(waveform) / self.sampling_rate
            if not len(waveform):
                return None
        if not np.isfinite(waveform).all():
            raise UnreadableMediaError("the sound holds NaN or infinite samples.", self.name)
        return waveform


__all__ = ["decode_clip", "read_duration"]
