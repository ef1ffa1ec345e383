# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Clips as phones, cameras, editors and download programs write them: the clip decodes, whatever its header says."""

import struct
import zlib

import av
import numpy as np
import pytest

from modeling_amess.clip_amess import MediaLimitError, MediaLimits
from modeling_amess.media_amess import decode_clip

from .clips import COLOURS, colour_at, plain_picture, tone, upright_picture, write_clip


def with_metadata(path, **metadata):
    """The clip at `path`, its packets copied into another file beside it that has these metadata."""
    titled = path.with_stem("titled")
    with av.open(str(path)) as source, av.open(str(titled), "w") as target:
        target.metadata.update(metadata)
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return titled


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4a"])
@pytest.mark.parametrize("field", ["title", "comment"])
@pytest.mark.parametrize("text", ["Spielstand", "Strunk", "cmov", "stsz\xff", "senc saiz"])
def test_words_in_a_title_are_no_boxes(tmp_path, suffix, field, text):
    clip = write_clip(tmp_path / "clip.mp4", seconds=0.5, video=suffix != ".m4a")
    (tmp_path / "renamed").mkdir()
    path = clip.rename(tmp_path / "renamed" / f"clip{suffix}")
    titled = with_metadata(path, **{field: text + "\x7f" * 40})
    assert text.split()[0].encode() in titled.read_bytes()
    assert decode_clip(titled).duration == pytest.approx(decode_clip(path).duration, abs=0.01)


@pytest.mark.parametrize("name", [b"uuid", b"free", b"udta", b"XMP_", b"meta", b"\xa9xyz"])
def test_names_of_tables_in_other_boxes_are_no_tables(tmp_path, name):
    content = write_clip(tmp_path / "clip.mp4", seconds=0.5).read_bytes()
    inside = b"".join(struct.pack(">I4s", 28, table) + b"\xff" * 20 for table in (b"trun", b"stsz", b"elst", b"senc"))
    clip = decode_clip(content + struct.pack(">I4s", 8 + len(inside), name) + inside)
    assert len(clip.frames) == 3 and clip.duration == pytest.approx(0.5, abs=0.05)


def test_the_beginning_and_end_of_sound_stay_where_the_edit_list_puts_them(tmp_path):
    """The decoder still sees the boxes that say how sound and picture start together."""
    sound = tone(1.0, 48000, [0.5])
    sound[:, : 48000 // 2] = 0
    waveform = decode_clip(write_clip(tmp_path / "clip.mp4", sound=sound, layout="mono", seconds=1.0)).waveform
    assert np.abs(waveform[:7700]).max() < 0.02 and np.abs(waveform[8300:12000]).max() > 0.4


def quiet_then_loud(path, *, codec, options):
    """Six seconds of sound that start with few bytes per second: a duration estimated from them is much too long."""
    rng = np.random.default_rng(0)
    sound = np.concatenate([np.zeros(144000), rng.normal(size=144000) * 0.3])[None].astype(np.float32)
    return write_clip(path, video=False, sound=sound, layout="mono", audio_codec=codec, options=options)


@pytest.mark.parametrize(
    ("suffix", "codec", "options"), [(".aac", "aac", {}), (".mp3", "libmp3lame", {"write_xing": "0"})]
)
def test_an_estimated_duration_neither_refuses_nor_lets_pass(tmp_path, suffix, codec, options):
    path = quiet_then_loud(tmp_path / f"clip{suffix}", codec=codec, options=options)
    claimed = av.open(str(path)).duration / 1e6
    seconds = decode_clip(path).duration
    assert seconds == pytest.approx(6.0, abs=0.1)
    limits = MediaLimits(max_duration=6.1)
    assert claimed > 10 or suffix != ".aac"
    assert decode_clip(path, limits=limits).duration == seconds
    with pytest.raises(MediaLimitError, match="max_duration"):
        decode_clip(path, limits=MediaLimits(max_duration=5.0))


def test_streams_that_are_not_decoded_have_no_say_in_the_duration(tmp_path):
    """A film's subtitles, data or second sound outlast the clip that was cut from it."""
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        first, second = (container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(2))
        for stream, seconds in ((first, 1), (second, 60)):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000 * seconds), np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux([*stream.encode(frame), *stream.encode(None)])
    assert av.open(str(path)).duration > 59e6
    assert decode_clip(path).duration == pytest.approx(1.0)


class Pipe:
    """Place to write to that cannot seek, so that a header written first stays as it is."""

    def __init__(self):
        self.content = b""

    def write(self, data):
        self.content += bytes(data)
        return len(data)


@pytest.mark.parametrize("container", ["avi", "matroska", "wav"])
def test_a_clip_written_to_a_pipe_is_as_long_as_its_packets(tmp_path, container):
    pipe = Pipe()
    path = write_clip(tmp_path / "clip.mkv", video_codec="mpeg4", audio_codec="pcm_s16le")
    with av.open(str(path)) as source, av.open(pipe, "w", format=container) as target:
        kept = [one for one in source.streams if container != "wav" or one.type == "audio"]
        streams = {stream.index: target.add_stream_from_template(stream) for stream in kept}
        for packet in source.demux(*kept):
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    assert decode_clip(pipe.content).duration == pytest.approx(2.0, abs=0.05)
    with pytest.raises(MediaLimitError, match="max_duration"):
        decode_clip(pipe.content, limits=MediaLimits(max_duration=1.0))


def test_a_clip_that_is_too_long_is_told_with_its_length_before_it_is_decoded(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", seconds=3.0)
    with pytest.raises(MediaLimitError, match=r"3\.0 s by the header") as caught:
        decode_clip(path, limits=MediaLimits(max_duration=1.0, max_decoded_frames=1))
    assert caught.value.limit == "max_duration"


EXIF = (
    b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
)  # to be shown turned by 90 degrees


def with_exif(packet: bytes, codec: str) -> bytes:
    """A coded picture with EXIF, as cameras and phones write it."""
    if codec == "mjpeg":
        segment = b"Exif\0\0" + EXIF
        return packet[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment + packet[2:]
    chunk = b"eXIf" + EXIF
    header = 8 + 25
    return (
        packet[:header] + struct.pack(">I", len(EXIF)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + packet[header:]
    )


@pytest.mark.parametrize(
    ("codec", "pixel_format", "suffix"),
    [("mjpeg", "yuvj444p", ".mov"), ("mjpeg", "yuvj444p", ".avi"), ("png", "rgb24", ".mov")],
)
def test_frames_with_exif_decode_upright(tmp_path, codec, pixel_format, suffix):
    path = tmp_path / f"clip{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=6)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pixel_format
        for index in range(6):
            frame = av.VideoFrame.from_ndarray(upright_picture(0, 48, 64), format="rgb24")
            frame.pts = index
            for packet in stream.encode(frame):
                changed = av.Packet(with_exif(bytes(packet), codec))
                changed.stream, changed.pts, changed.dts = stream, packet.pts, packet.dts
                changed.time_base, changed.is_keyframe = packet.time_base, True
                container.mux(changed)
    frames = decode_clip(path).frames
    assert frames.shape == (6, 64, 48, 3)
    red, green, blue, white = COLOURS.values()
    corners = frames[0][[[3], [-4]], [3, -4]].reshape(4, 3).astype(int)
    assert np.abs(corners - [blue, red, white, green]).max() <= 12


# Shares of display light of red, green and blue in ordinary video: greys, saturated and pale colours.
SWATCHES = np.array(
    [[1, 1, 1], [0.5, 0.5, 0.5], [0.05, 0.05, 0.05], [0, 0, 0], [0.8, 0, 0], [0, 0.7, 0], [0, 0, 0.9], [0.6, 0.3, 0.2]]
)
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def pq_signal(light):
    power = (light / 10000) ** (1305 / 8192)
    return ((107 / 128 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg_signal(light):
    scene = (light / 1000) ** (1 / 1.2)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def write_hdr(path, signal, transfer, brightness=203.0):
    """The swatches as bars in 10-bit BT.2020, where ordinary white has this many cd/m2."""
    light = np.maximum(SWATCHES @ TO_BT2020.T, 0) * brightness
    picture = np.repeat(signal(light)[None], 48, axis=0).repeat(16, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265" if path.suffix == ".mp4" else "ffv1", rate=6)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv444p10le"
        if path.suffix == ".mp4":
            stream.options = {"x265-params": "log-level=none:lossless=1:bframes=0"}
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 9, 9, transfer
        frame = av.VideoFrame.from_ndarray(np.rint(picture * 65535).astype(np.uint16), format="rgb48le")
        frame = frame.reformat(format="yuv444p10le", dst_colorspace=9, dst_color_range=1)
        frame.pts = 0
        frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries = 9, 1, transfer, 9
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("signal", "transfer"), [(hlg_signal, 18), (pq_signal, 16)])
def test_hdr_looks_like_ordinary_video_of_the_same_picture(tmp_path, suffix, signal, transfer):
    clip = decode_clip(write_hdr(tmp_path / f"clip{suffix}", signal, transfer))
    colours = clip.frames[0][24, 8::16].astype(int)
    expected = np.rint(255 * SWATCHES ** (1 / 2.4)).astype(int)
    # Values near 0 are steep: one step of the 10-bit signal there is ten of the 8-bit one.
    assert np.abs(colours - expected)[expected > 40].max() <= 12
    assert np.abs(colours - expected).max() <= 40
    assert colours.std() > 0.9 * expected.std()
    saturation = colours.max(1) - colours.min(1)
    assert saturation[4:].mean() > 0.9 * (expected.max(1) - expected.min(1))[4:].mean()


@pytest.mark.parametrize(("signal", "transfer"), [(hlg_signal, 18), (pq_signal, 16)])
def test_hdr_keeps_differences_in_what_is_brighter_than_white(tmp_path, signal, transfer):
    ordinary = decode_clip(write_hdr(tmp_path / "white.mkv", signal, transfer)).frames[0][24, 8]
    bright = decode_clip(write_hdr(tmp_path / "bright.mkv", signal, transfer, brightness=900.0)).frames[0][24, 8]
    assert (ordinary < bright).all() and ordinary.min() > 235 and bright.max() <= 255


def test_ten_bits_of_the_ordinary_range_are_not_mapped(tmp_path):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=2)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv444p10le"
        for index in range(4):
            picture = plain_picture(index / 2, 48, 64)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    clip = decode_clip(path)
    for frame, time in zip(clip.frames, clip.frame_times, strict=True):
        assert np.abs(frame.astype(int) - colour_at(time)).max() <= 4
