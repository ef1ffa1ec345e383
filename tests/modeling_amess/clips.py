# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes small clips with PyAV whose content is known at each time, in any container and layout."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (40, 40, 200), "white": (230, 230, 230)}
"""Colours in the order in which a clip shows them, each for half a second."""

VIDEO_CODECS = {
    ".mp4": "libx264",
    ".mov": "libx264",
    ".mkv": "libx264",
    ".webm": "libvpx",
    ".avi": "mpeg4",
    ".ts": "libx264",
}
AUDIO_CODECS = {
    ".mp4": "aac",
    ".mov": "aac",
    ".mkv": "aac",
    ".webm": "libopus",
    ".avi": "pcm_s16le",
    ".ts": "aac",
    ".wav": "pcm_s16le",
    ".mp3": "libmp3lame",
    ".flac": "flac",
    ".ogg": "libopus",
}
FAST = {
    "libx264": {"preset": "ultrafast", "crf": "16"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
}
CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}


def colour_at(time: float) -> tuple[int, int, int]:
    """RGB of the whole picture, `time` seconds from the start."""
    return list(COLOURS.values())[int(time / 0.5 + 1e-6) % len(COLOURS)]


def plain_picture(time: float, height: int, width: int) -> np.ndarray:
    """`(height, width, 3)` uint8: one colour, that of the time."""
    return np.full((height, width, 3), colour_at(time), dtype=np.uint8)


def upright_picture(time: float, height: int, width: int) -> np.ndarray:
    """`(height, width, 3)` uint8: red top left, green top right, blue bottom left, white bottom right."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.array(list(COLOURS.values()), dtype=np.uint8)[(rows * 2 // height) * 2 + columns * 2 // width]


def tone(seconds: float, sampling_rate: int, amplitudes: Sequence[float], frequency: float = 440.0) -> np.ndarray:
    """Sine as `(channels, samples)` float32, with one amplitude per channel."""
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    return np.outer(amplitudes, np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def write_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    video: bool = True,
    audio: bool = True,
    frame_rate: int = 30,
    frame_times: Sequence[float] | None = None,
    size: tuple[int, int] = (48, 64),
    picture: Callable[[float, int, int], np.ndarray] = plain_picture,
    rotation: int = 0,
    sound: np.ndarray | None = None,
    sampling_rate: int = 48000,
    layout: str = "stereo",
    start: float = 0.0,
    audio_start: float = 0.0,
    video_codec: str | None = None,
    audio_codec: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """
    Args:
        path: file to write; its ending names the container.
        seconds: length; a 440 Hz tone of amplitude 0.5 on the first channel and 0.25 on the others is heard
            throughout.
        frame_times: seconds at which frames are shown, for a variable frame rate; else `frame_rate` a second.
        size: `(height, width)` as coded.
        picture: `(time, height, width)` to the picture to show, as coded.
        rotation: degrees counterclockwise that a player turns the picture by, written as a display matrix.
        sound: `(channels, samples)` float32 instead of the tone.
        start: seconds by which all time stamps are late.
        audio_start: seconds by which the sound starts later than the picture.
        options: of the container's format.
    """
    channels = CHANNELS[layout]
    if sound is None:
        sound = tone(seconds, sampling_rate, [0.5] + [0.25] * (channels - 1))
    with av.open(str(path), "w", options=options or {}) as container:
        streams = []
        if video:
            streams.append(
                _video_packets(
                    container, path, seconds, frame_rate, frame_times, size, picture, rotation, start, video_codec
                )
            )
        if audio:
            streams.append(
                _audio_packets(container, path, sound, sampling_rate, layout, start + audio_start, audio_codec)
            )
        # All packets first, then in the order of their times: a real recording interleaves its streams.
        packets = [packet for stream in streams for packet in stream]
        container.start_encoding()
        for packet in sorted(packets, key=lambda packet: float((packet.dts or 0) * packet.time_base)):
            container.mux(packet)
    return path


def _video_packets(container, path, seconds, frame_rate, frame_times, size, picture, rotation, start, codec) -> list:
    height, width = size
    stream = container.add_stream(codec or VIDEO_CODECS[path.suffix], rate=frame_rate)
    stream.height, stream.width = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.thread_count = 1
    stream.options = FAST.get(stream.codec_context.name, {})
    if rotation:
        stream.set_display_rotation(rotation)
    if frame_times is None:
        frame_times = [index / frame_rate for index in range(max(1, round(seconds * frame_rate)))]
    else:
        stream.codec_context.time_base = Fraction(1, 1000)
    packets = []
    for time in frame_times:
        frame = av.VideoFrame.from_ndarray(picture(time, height, width), format="rgb24")
        frame.time_base = stream.codec_context.time_base or Fraction(1, frame_rate)
        frame.pts = round((start + time) / frame.time_base)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _audio_packets(container, path, sound, sampling_rate, layout, start, codec) -> list:
    stream = container.add_stream(codec or AUDIO_CODECS[path.suffix], rate=sampling_rate, layout=layout)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=layout)
    frame.sample_rate = sampling_rate
    frame.time_base = Fraction(1, sampling_rate)
    frame.pts = round(start * sampling_rate)
    stream.codec_context.open()
    resampler = av.AudioResampler(
        format=stream.codec_context.format,
        layout=layout,
        rate=sampling_rate,
        frame_size=stream.codec_context.frame_size or 1024,
    )
    packets = []
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        packets += stream.encode(part)
    return packets + stream.encode(None)
