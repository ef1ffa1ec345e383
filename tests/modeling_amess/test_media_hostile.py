# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Clips that are broken, lie or cost too much: a right answer or a typed error, quickly and in little memory."""

import io
import json
import logging
import os
import pickle
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

import modeling_amess
from modeling_amess.clip_amess import (
    MediaError,
    MediaLimitError,
    MediaLimits,
    NoMediaStreamError,
    UnreadableMediaError,
)
from modeling_amess.media_amess import decode_clip

from .clips import colour_at, tone, write_clip


def patched(path: Path, position: Callable[[bytes], int], value: bytes) -> Path:
    """The file with some bytes of its header replaced: a header that lies."""
    content = bytearray(path.read_bytes())
    start = position(bytes(content))
    content[start : start + len(value)] = value
    path.write_bytes(content)
    return path


def after(mark: bytes, distance: int) -> Callable[[bytes], int]:
    """Position at a distance after the start of the only occurrence of a mark."""

    def position(content: bytes) -> int:
        assert content.count(mark) == 1
        return content.index(mark) + distance

    return position


def write_text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def with_frames_listed(path: Path, frames: int) -> Path:
    """MP4 whose header claims, in a few bytes, a track of so many frames of one byte each."""
    patched(path, after(b"stsz", 8), struct.pack(">II", 1, frames))
    patched(path, after(b"stts", 12), struct.pack(">II", frames, 1))
    return patched(path, after(b"stsc", 16), struct.pack(">I", frames))


def write_wav_header(path: Path, sampling_rate: int) -> Path:
    """100,000 samples of silence at the sampling rate that the header claims."""
    data = bytes(200_000)
    layout = struct.pack("<IHHIIHH", 16, 1, 1, sampling_rate, sampling_rate % 2**31, 2, 16)
    path.write_bytes(b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + layout)
    with open(path, "ab") as file:
        file.write(b"data" + struct.pack("<I", len(data)) + data)
    return path


def eight_k(path: Path, **settings) -> Path:
    return write_clip(path, size=(4320, 7680), seconds=1 / 30, audio=False, **settings)


def box(name: bytes, *content: bytes) -> bytes:
    """A box of MP4."""
    return struct.pack(">I4s", 8 + sum(map(len, content)), name) + b"".join(content)


def table(name: bytes, *numbers: int) -> bytes:
    """A box of MP4 that holds version and flags, then 32-bit numbers."""
    return box(name, bytes(4), struct.pack(f">{len(numbers)}I", *numbers))


def write_uncompressed(
    path: Path, *tables: bytes, chunks: int = 1, samples_per_chunk: int = 8000, settings: bytes = b"", kind=b"sowt"
) -> Path:
    """One second of uncompressed sound as MOV, with further tables, and with boxes among the codec's settings."""
    header = bytes(6) + b"\0\1" + struct.pack(">HHIHHHHI", 0, 0, 0, 1, 16, 0, 0, 8000 << 16)
    index = [
        box(b"stsd", bytes(4), struct.pack(">I", 1), box(kind, header, settings)),
        table(b"stts", 1, 8000, 1),
        table(b"stsc", 1, 1, samples_per_chunk, 1),
        table(b"stsz", 2, 8000),
        table(b"stco", chunks, *[36] * chunks),
        *tables,
    ]
    handler = box(b"hdlr", bytes(8), b"soun", bytes(14))
    media = box(b"mdia", table(b"mdhd", 0, 0, 8000, 8000, 0), handler, box(b"minf", box(b"stbl", *index)))
    track = box(b"trak", table(b"tkhd", 0, 0, 1, 0, 1000, *[0] * 15), media)
    movie = box(b"moov", table(b"mvhd", 0, 0, 1000, 1000, *[0] * 20), track)
    path.write_bytes(box(b"ftyp", b"qt  ", bytes(4), b"qt  ", bytes(8)) + box(b"mdat", b"\1\2" * 8000) + movie)
    return path


ENCRYPTION = box(
    b"sinf",
    box(b"frma", b"sowt"),
    box(b"schm", bytes(4), b"cenc", b"\0\1\0\0"),
    box(b"schi", box(b"tenc", bytes(6), b"\1\0", b"k" * 16, b"\x10", b"i" * 16)),
)


def write_script(path: Path) -> Path:
    """SBaGen's language, in which each block plays the one before twice: 2**24 notes in a few lines."""
    blocks = [f"b{level}: {{\n+00:00:00 b{level - 1}\n+00:00:01 b{level - 1}\n}}\n" for level in range(1, 25)]
    first = "b0: {\n+00:00:00 t0\n+00:00:01 t0\n}\n"
    return write_text(path, f"## SBaGen\n-SE\nt0: 200+10/50\noff: -\n{first}{''.join(blocks)}NOW b24\n+00:00:03 off\n")


def write_still(path: Path, side: int) -> Path:
    """A white PNG in a few bytes, of four times 16 bits per pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compressobj(1)
    packed = b"".join(rows.compress(bytes(1 + 8 * side)) for _ in range(side)) + rows.flush()
    size = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    return path


def write_caf(path: Path, chunk_size: int) -> Path:
    """Apple's sound format with a chunk whose size points before the start of the file, or far beyond its end."""
    description = struct.pack(">d4sIIIII", 8000.0, b"lpcm", 2, 2, 1, 1, 16)
    path.write_bytes(
        b"caff\0\1\0\0"
        + struct.pack(">4sq", b"desc", len(description))
        + description
        + struct.pack(">4sq", b"free", chunk_size)
        + bytes(100)
    )
    return path


# Start of an MP4's description of its H.264 track; width and height, 16 bits each, come 28 bytes later.
SAMPLE_ENTRY = b"avc1" + bytes(6) + b"\x00\x01"

# The writer of each clip and the result of decode_clip: an error's name or a number of frames (None: no video).
HOSTILE = {
    "no bytes.mp4": (lambda path: write_text(path, ""), "UnreadableMediaError"),
    "text.mp4": (lambda path: write_text(path, "oh, great. another meeting.\n" * 40), "UnreadableMediaError"),
    "zeros.mp4": (lambda path: path.write_bytes(bytes(10_000)), "UnreadableMediaError"),
    "subtitles.mp4": (
        lambda path: write_text(path, "1\n00:00:00,000 --> 00:00:01,000\noh, great.\n\n"),
        "UnreadableMediaError",
    ),
    "no video.mp4": (lambda path: write_clip(path, video=False), None),
    "no audio.mp4": (lambda path: write_clip(path, audio=False), 12),
    "one frame.mp4": (lambda path: write_clip(path, seconds=1 / 30), 1),
    "10,000 fps, true.mp4": (lambda path: write_clip(path, frame_rate=10_000, seconds=0.05, audio=False), 1),
    "10,000 fps, too many.mp4": (
        lambda path: write_clip(path, frame_rate=10_000, seconds=0.5, size=(16, 16), audio=False),
        "MediaLimitError",
    ),
    "10,000 fps, a lie.mp4": (
        # Time scale of the only track: 2 seconds at 30 become 6 ms.
        lambda path: patched(write_clip(path, audio=False), after(b"mdhd", 16), struct.pack(">I", 30 * 512 * 333)),
        1,
    ),
    "8k.mp4": (eight_k, "MediaLimitError"),
    "8k, by its header only.mp4": (
        lambda path: patched(write_clip(path, audio=False), after(SAMPLE_ENTRY, 28), struct.pack(">HH", 7680, 4320)),
        12,  # the codec's own header is the one that counts
    ),
    "8k, called 64x48.mp4": (
        lambda path: patched(eight_k(path), after(SAMPLE_ENTRY, 28), struct.pack(">HH", 64, 48)),
        "MediaLimitError",
    ),
    "too large, called 64x48.webm": (
        lambda path: patched(
            write_clip(path, size=(2592, 4608), seconds=1 / 30, audio=False),
            after(b"\xb0\x82\x12\x00\xba\x82\x0a\x20", 0),
            b"\xb0\x82\x00\x40\xba\x82\x00\x30",
        ),
        "MediaLimitError",
    ),
    "2 hours, two frames.mp4": (lambda path: write_clip(path, frame_times=[0, 7200]), "MediaLimitError"),
    "2 hours, two frames.webm": (lambda path: write_clip(path, frame_times=[0, 7200]), "MediaLimitError"),
    "2 hours, a lie.mp4": (
        lambda path: patched(write_clip(path, audio=False), after(b"mdhd", 20), struct.pack(">I", 7200 * 30 * 512)),
        12,  # the table of its frames is the one that counts
    ),
    "2 hours, a lie.webm": (
        lambda path: patched(write_clip(path), after(b"\x44\x89\x88", 3), struct.pack(">d", 7_200_000)),
        12,  # the time stamps of its packets are the ones that count
    ),
    "1x1.mkv": (lambda path: write_clip(path, size=(1, 1), video_codec="ffv1"), 12),
    "1x1.webm": (lambda path: write_clip(path, size=(1, 1)), 12),
    "odd size.webm": (lambda path: write_clip(path, size=(47, 63)), 12),
    "one row.mkv": (lambda path: write_clip(path, size=(1, 4097), video_codec="ffv1"), 12),
    "sideways.mp4": (lambda path: write_clip(path, rotation=90), 12),
    "variable.webm": (lambda path: write_clip(path, frame_times=[0, 0.02, 0.5, 0.6, 1.9]), 3),
    "5.1.mp4": (lambda path: write_clip(path, layout="5.1"), 12),
    "8 kHz.mp4": (lambda path: write_clip(path, sampling_rate=8000), 12),
    "2 GHz.wav": (lambda path: write_wav_header(path, 2**31 - 1), "MediaLimitError"),
    "0 Hz.wav": (lambda path: write_wav_header(path, 0), "UnreadableMediaError"),
    "1 Hz.wav": (lambda path: write_wav_header(path, 1), "MediaLimitError"),
    "40 s.wav": (lambda path: write_clip(path, video=False, sampling_rate=8000, seconds=40), "MediaLimitError"),
    "40 s.ogg": (lambda path: write_clip(path, video=False, seconds=40), "MediaLimitError"),
    "a billion frames.mp4": (lambda path: with_frames_listed(write_clip(path, audio=False), 10**9), "MediaLimitError"),
    "60 million frames.mp4": (
        lambda path: with_frames_listed(write_clip(path, audio=False), 60 * 10**6),
        "MediaLimitError",
    ),
    "4 billion fragments of frames.mp4": (
        lambda path: patched(
            write_clip(path, audio=False, options={"movflags": "frag_keyframe+empty_moov"}),
            after(b"trun", 4),
            struct.pack(">II", 0, 2**32 - 1),
        ),
        "MediaLimitError",
    ),
    "compressed header.mov": (
        lambda path: path.write_bytes(struct.pack(">I4sI4s", 10_000, b"moov", 9992, b"cmov") + bytes(9984)),
        "NoMediaStreamError",  # the decoder does not see it
    ),
    "nothing but empty boxes.mp4": (
        lambda path: path.write_bytes(struct.pack(">I4s", 8, b"ftyp") + struct.pack(">I4s", 8, b"free") * 10**6),
        "MediaLimitError",
    ),
    "playlist.m3u8": (
        lambda path: write_text(path, f"#EXTM3U\n#EXTINF:2.0,\nfile://{path.parent}/5.1.mp4\n#EXT-X-ENDLIST\n"),
        "UnreadableMediaError",
    ),
    "uncompressed.mov": (write_uncompressed, None),
    "billions of samples per chunk.mov": (
        lambda path: write_uncompressed(path, chunks=42, samples_per_chunk=2**31 - 1),
        "MediaLimitError",
    ),
    "encryption.mp4": (
        lambda path: write_uncompressed(path, table(b"senc", 250_000_000), settings=ENCRYPTION, kind=b"enca"),
        None,  # what only the decryption of it would need is not read
    ),
    "groups of samples.mp4": (
        lambda path: write_uncompressed(path, table(b"sbgp", 0x726F6C6C, 2**28), table(b"saiz", 2**28, 2**28)),
        None,
    ),
    "an index among the settings.mov": (
        lambda path: write_uncompressed(path, settings=box(b"wave", table(b"stsz", 1, 10**9), bytes(8))),
        None,
    ),
    "script.mp4": (write_script, "UnreadableMediaError"),
    "still.png": (lambda path: write_still(path, 12_000), "UnreadableMediaError"),
    "before the start.caf": (lambda path: write_caf(path, -(10**6)), "UnreadableMediaError"),
    "beyond the end.caf": (lambda path: write_caf(path, 2**62), "UnreadableMediaError"),
    "file list.mp4": (lambda path: write_text(path, "ffconcat version 1.0\nfile 5.1.mp4\n"), "UnreadableMediaError"),
}

# Alone in a process, without torch, so that the measured memory is the decoder's own.
DECODE_ALL = r"""
import json, os, re, sys, time, types
package = sys.modules["modeling_amess"] = types.ModuleType("modeling_amess")
package.__path__ = [sys.argv[1]]
import modeling_amess.clip_amess as clips
import modeling_amess.media_amess as media
assert "torch" not in sys.modules
files_before = os.listdir("/proc/self/fd")
threads_before = os.listdir("/proc/self/task")  # numpy has some
for path in sys.argv[3:]:
    started = time.perf_counter()
    try:
        clip = media.decode_clip(path, **json.loads(sys.argv[2]))
        outcome = None if clip.frames is None else len(clip.frames)
    except clips.MediaError as error:
        assert error.source == path, error.source
        outcome = type(error).__name__
    seconds = time.perf_counter() - started
    # The peak that `resource` gives would be that of the process that started this one, where it was larger.
    peak = re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())
    megabytes = int(peak.group(1)) / 1024
    print(json.dumps([path, outcome, seconds, megabytes]), flush=True)
assert os.listdir("/proc/self/fd") == files_before, "a file was left open"
assert not open(f"/proc/self/task/{os.getpid()}/children").read(), "a process was left"
assert os.listdir("/proc/self/task") == threads_before, "a thread was left"
"""


def decode_alone(paths: list[Path], folder: Path, **settings) -> list[tuple[Path, str | int | None, float, float]]:
    """Decode each clip in a new process: outcome, seconds, and the peak memory of the process in MB."""
    folder.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", DECODE_ALL, *modeling_amess.__path__, json.dumps(settings), *map(str, paths)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "HOME": str(folder)},
    )
    assert ran.returncode == 0, ran.stderr
    assert list(folder.iterdir()) == []  # no file left
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return [(Path(path), outcome, seconds, megabytes) for path, outcome, seconds, megabytes in lines]


def test_hostile_clips_get_a_right_answer_or_a_typed_error_cheaply(tmp_path):
    for name, (write, _) in HOSTILE.items():
        write(tmp_path / name)
    results = decode_alone([tmp_path / name for name in HOSTILE], tmp_path / "decoding")
    assert {path.name: outcome for path, outcome, _, _ in results} == {
        name: outcome for name, (_, outcome) in HOSTILE.items()
    }
    assert max(seconds for _, _, seconds, _ in results) < 10
    assert max(megabytes for _, _, _, megabytes in results) < 1000


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("script.mp4", "## SBaGen\n-SE\nt0: 200+10/50\nNOW t0\n", "sbg"),
        ("subtitles.mp4", "1\n00:00:00,000 --> 00:00:01,000\noh, great.\n\n", "srt"),
        ("styled.mp4", "[Script Info]\nScriptType: v4.00+\n\n[Events]\n", "ass"),
        ("list.mp4", "ffconcat version 1.0\nfile clip.mp4\n", "concat"),
    ],
)
def test_another_kind_of_file_is_named_with_the_way_out(tmp_path, name, content, kind):
    with pytest.raises(UnreadableMediaError, match=f"'{kind}' are not read.*Convert"):
        decode_clip(write_text(tmp_path / name, content))


def test_a_still_picture_is_no_clip(tmp_path):
    for source in (write_still(tmp_path / "photo.mp4", 8), write_still(tmp_path / "photo.png", 8).read_bytes()):
        with pytest.raises(UnreadableMediaError, match="png_pipe"):
            decode_clip(source)


@pytest.mark.parametrize("size", [(48, 64), (1088, 1280)])
@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", None),
        (".ts", None),
        (".webm", None),
        (".avi", None),
        (".mkv", "ffv1"),
        (".mov", "mpeg4"),
        (".gif", "gif"),
    ],
)
def test_a_frame_that_is_too_large_is_refused_with_its_size(tmp_path, suffix, codec, size):
    """The larger one before it is decoded."""
    height, width = size
    path = tmp_path / f"clip{suffix}"
    if suffix == ".gif":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("gif", rate=6)
            stream.height, stream.width, stream.pix_fmt = height, width, "rgb8"
            frame = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")
            container.mux([*stream.encode(frame.reformat(format="rgb8")), *stream.encode(None)])
    else:
        write_clip(path, audio=False, video_codec=codec, size=size, seconds=0.2)
    with pytest.raises(MediaLimitError, match=rf"{width}x{height} = \d+ pixels per frame, but max_pixels is 3000"):
        decode_clip(path, limits=MediaLimits(max_pixels=3000))
    exact = MediaLimits(max_pixels=height * width)
    assert decode_clip(path, limits=exact, image_size=8).frames.shape[1:] == (8, 8, 3)


@pytest.mark.parametrize("path", ["clip\0.mp4", "x" * 5000])
def test_a_path_that_no_file_can_have_is_a_typed_error(path):
    with pytest.raises(UnreadableMediaError, match="cannot be opened"):
        decode_clip(path)


def test_a_file_that_fails_while_it_is_read_is_a_typed_error():
    path = Path("/proc/self/mem")
    if not path.exists():
        pytest.skip("this system has no such file")
    with pytest.raises(UnreadableMediaError):
        decode_clip(path)


@pytest.mark.parametrize(
    "suffix, options",
    [(".mp4", {}), (".mp4", {"movflags": "faststart"}), (".mkv", {}), (".webm", {}), (".ts", {}), (".mp3", {})],
)
def test_a_clip_cut_off_anywhere_gives_its_beginning_or_a_typed_error(tmp_path, suffix, options, caplog):
    path = write_clip(tmp_path / f"clip{suffix}", video=suffix != ".mp3", options=options)
    content = path.read_bytes()
    whole = decode_clip(content)
    lengths = []
    for part in range(20):
        try:
            clip = decode_clip(content[: len(content) * part // 20])
        except UnreadableMediaError:
            lengths.append(0)
            continue
        lengths.append(clip.duration)
        assert clip.duration <= whole.duration + 0.05
        if clip.frames is not None:
            np.testing.assert_array_equal(clip.frame_times, whole.frame_times[: len(clip.frames)])
            # The last frame may be half of one.
            np.testing.assert_array_equal(clip.frames[:-1], whole.frames[: len(clip.frames) - 1])
    assert lengths[0] == 0
    if (suffix, options) != (".mp4", {}):  # whose index is its end: no part of it can be read
        assert sorted(lengths) == lengths and lengths[-1] > 0.8 * whole.duration


def test_damage_in_the_middle_costs_only_the_middle(tmp_path, caplog):
    # Each frame and each piece of sound is coded by itself, so the rest must come out unchanged.
    path = write_clip(tmp_path / "clip.mkv", video_codec="ffv1", audio_codec="flac")
    content = bytearray(path.read_bytes())
    whole = decode_clip(bytes(content))
    middle = len(content) // 2
    content[middle : middle + len(content) // 10] = np.random.default_rng(0).bytes(len(content) // 10)
    with caplog.at_level(logging.WARNING):
        clip = decode_clip(bytes(content))
    assert "is damaged" in caplog.text
    kept = np.isin(clip.frame_times, whole.frame_times)
    assert kept.sum() >= 8
    wrong = 0
    for frame, time in zip(clip.frames, clip.frame_times, strict=True):
        wrong += np.abs(frame.astype(int) - colour_at(time)).max() > 8
    assert wrong <= 2
    # Sound after the damage keeps its time.
    assert len(clip.waveform) == pytest.approx(len(whole.waveform), abs=1600)
    for part in (slice(0, 12000), slice(24000, 31000)):
        np.testing.assert_allclose(clip.waveform[part], whole.waveform[part], atol=0.02)


def test_a_stream_of_which_nothing_decodes_is_a_missing_modality(tmp_path, caplog):
    path = write_clip(tmp_path / "clip.mkv", video_codec="ffv1", audio_codec="pcm_s16le")
    content = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        clip = decode_clip(content.replace(b"V_FFV1", b"V_THEO"))  # another codec's name for these packets
    assert clip.frames is None and len(clip.waveform) == 32000


def test_sound_that_is_not_a_number_is_refused(tmp_path):
    sound = tone(1.0, 16000, [0.5])
    sound[0, 100] = np.nan
    path = write_clip(
        tmp_path / "clip.wav", video=False, sampling_rate=16000, layout="mono", sound=sound, audio_codec="pcm_f32le"
    )
    with pytest.raises(UnreadableMediaError, match="NaN"):
        decode_clip(path)


@pytest.mark.parametrize(
    "limits, found",
    [
        (MediaLimits(max_bytes=1000), "bytes"),
        (MediaLimits(max_duration=1.5), "2.0 s"),
        (MediaLimits(max_pixels=3000), "64x48 = 3072 pixels"),
        (MediaLimits(max_decoded_frames=59), "more than 59 video frames"),
        (MediaLimits(max_kept_bytes=48 * 64 * 3 * 12 - 1), "bytes of frames"),
        (MediaLimits(max_streams=1), "2 streams"),
        (MediaLimits(max_sampling_rate=44100), "48000 Hz"),
        (MediaLimits(max_index_entries=100), "an index of"),
    ],
)
def test_a_breach_names_the_limit_what_was_found_and_the_setting(tmp_path, limits, found):
    path = write_clip(tmp_path / "clip.mp4")
    (limit,) = [name for name, value in vars(limits).items() if value != getattr(MediaLimits(), name)]
    for source in (path, path.read_bytes()):
        with pytest.raises(MediaLimitError) as caught:
            decode_clip(source, limits=limits)
        assert caught.value.limit == limit
        assert found in str(caught.value) and f"MediaLimits({limit}=...)" in str(caught.value)
    assert caught.value.source in str(caught.value)


def test_the_duration_counts_where_the_header_says_nothing(tmp_path):
    # Written to a pipe, WebM has no duration in its header, as in a browser's recording.
    path = write_clip(tmp_path / "clip.webm", options={"live": "1"})
    assert len(decode_clip(path).frames) == 12
    for kind in ({"audio": False}, {"video": False}, {"max_frames": 1}):
        with pytest.raises(MediaLimitError) as caught:
            decode_clip(path, limits=MediaLimits(max_duration=1.0), **kind)
        assert caught.value.limit == "max_duration" and "header" not in str(caught.value)


def test_memory_holds_what_is_kept_and_no_more(tmp_path):
    """20 seconds of 640x480 are 211 MB of frames; half of them are kept."""
    short = write_clip(tmp_path / "short.mp4", size=(480, 640), frame_rate=12, seconds=1)
    long = write_clip(tmp_path / "long.mp4", size=(480, 640), frame_rate=12, seconds=20)
    for image_size, most in ((32, 20), (None, 120 * 480 * 640 * 3 / 2**20 + 40)):
        folder = tmp_path / f"decoding at {image_size}"
        (_, frames, _, before), (_, more_frames, _, after_it) = decode_alone(
            [short, long], folder, image_size=image_size
        )
        assert (frames, more_frames) == (6, 120)
        assert after_it - before < most


def test_an_error_of_the_file_object_reaches_the_caller(tmp_path):
    class FailingFile(io.BytesIO):
        """A file on a disk that goes away."""

        def read(self, size=-1):
            raise OSError("the disk went away")

    file = FailingFile(write_clip(tmp_path / "clip.mp4", seconds=0.5).read_bytes())
    with pytest.raises(OSError, match="the disk went away"):
        decode_clip(file)


def test_errors_come_back_from_a_worker_process():
    errors = [
        UnreadableMediaError("the file is empty.", "clip.mp4"),
        NoMediaStreamError("the file has no video stream.", "clip.mp4"),
        MediaLimitError("2 streams", "clip.mp4", "max_streams"),
    ]
    for error in errors:
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error) and isinstance(copy, MediaError) and isinstance(copy, ValueError)
        assert str(copy) == str(error) and vars(copy) == vars(error) and copy.source == "clip.mp4"
