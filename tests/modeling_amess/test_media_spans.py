# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A span of a file is what the whole file holds there, and costs no more than the span."""

import dataclasses
import io

import numpy as np
import pytest

from modeling_amess.clip_amess import MediaLimitError, MediaLimits
from modeling_amess.media_amess import decode_clip

from .clips import AUDIO_CODECS, VIDEO_CODECS, write_clip


SECONDS = 36.0
SPANS = ((0.0, 1.0), (0.3, 2.0), (17.31, 19.87), (31.0, 35.5))


def chirp(seconds: float, rate: int) -> np.ndarray:
    """Sound that differs at each time, as `(1, samples)`."""
    time = np.arange(round(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * (100 * time + 10 * time**2))[None].astype(np.float32)


def loudness(samples: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(samples**2)))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spans")
    paths = {}
    for suffix in AUDIO_CODECS:
        paths[suffix] = folder / f"recording{suffix}"
        video = suffix in VIDEO_CODECS
        sound = chirp(SECONDS, 16000)
        write_clip(
            paths[suffix], seconds=SECONDS, video=video, frame_rate=10, sound=sound, sampling_rate=16000, layout="mono"
        )
    return paths


@pytest.mark.parametrize("suffix", AUDIO_CODECS)
def test_a_span_is_what_the_whole_file_holds_there(files, suffix):
    whole = decode_clip(files[suffix], frame_rate=5, limits=MediaLimits(max_duration=60))
    for start, end in SPANS:
        part = decode_clip(files[suffix], frame_rate=5, span=(start, end))
        first, last = round(start * 16000), round(end * 16000)
        assert len(part.waveform) == last - first
        assert loudness(part.waveform) > 0.3
        # Matroska rounds its times to milliseconds, so that sound may come half a millisecond early or late.
        shifts = range(-8, 9) if suffix == ".webm" and start > 1 else [0]
        differences = [part.waveform - whole.waveform[first + shift : last + shift] for shift in shifts]
        assert min(map(loudness, differences)) < 0.01, (start, end)
        if suffix in VIDEO_CODECS:
            assert part.frame_times[0] < 0.11 and part.frame_times[-1] < end - start
            assert len(part.frame_times) == pytest.approx(5 * (end - start), abs=1.01)
            for time, frame in zip(part.frame_times, part.frames, strict=True):
                shown = np.flatnonzero(whole.frame_times <= start + time + 0.01)[-1]
                if abs(whole.frame_times[shown] - start - time) < 0.01:
                    assert np.abs(frame.astype(int) - whole.frames[shown]).mean() < 3


def test_a_span_ends_where_the_file_ends(files):
    part = decode_clip(files[".mp4"], span=(34.0, 60.0))
    assert part.duration == pytest.approx(2.0, abs=0.1)
    assert decode_clip(files[".mp4"], span=(34.5, float("inf"))).duration == pytest.approx(1.5, abs=0.1)


def test_the_limits_are_on_the_span(files):
    with pytest.raises(MediaLimitError, match="max_duration"):
        decode_clip(files[".mp4"])
    with pytest.raises(MediaLimitError, match="max_duration"):
        decode_clip(files[".mp4"], span=(2.0, 35.0))
    with pytest.raises(MediaLimitError, match="max_duration"):
        decode_clip(files[".mp4"], span=(2.0, float("inf")))
    with pytest.raises(MediaLimitError, match="max_decoded_frames"):
        decode_clip(files[".mp4"], span=(2.0, 12.0), limits=dataclasses.replace(MediaLimits(), max_decoded_frames=9))
    with pytest.raises(ValueError, match="later end"):
        decode_clip(files[".mp4"], span=(3.0, 3.0))


def test_behind_the_end_there_is_nothing(files):
    with pytest.raises(ValueError, match="no frame and no sound"):
        decode_clip(files[".mp4"], span=(50.0, 51.0))


class CountingFile:
    """A binary file that counts the bytes that are read."""

    def __init__(self, path):
        self.file, self.bytes, self.name = io.BytesIO(path.read_bytes()), 0, str(path)

    def read(self, size=-1):
        data = self.file.read(size)
        self.bytes += len(data)
        return data

    def seek(self, *position):
        return self.file.seek(*position)

    def tell(self):
        return self.file.tell()

    def seekable(self):
        return True


def test_a_span_in_the_middle_does_not_read_the_rest(tmp_path):
    path = write_clip(tmp_path / "long.mkv", seconds=120.0, frame_rate=10, size=(96, 128)) or tmp_path / "long.mkv"
    whole = path.stat().st_size
    file = CountingFile(path)
    decode_clip(file, span=(60.0, 62.0))
    assert file.bytes < 0.5 * whole
