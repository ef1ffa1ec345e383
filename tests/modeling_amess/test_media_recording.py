# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A real browser's recording (recordings/record.py): WebM without a duration or a frame count, at a variable rate."""

from pathlib import Path

import av
import numpy as np

from modeling_amess.media_amess import decode_clip


RECORDING = Path(__file__).parent / "recordings" / "chromium.webm"


def test_a_recording_of_a_browser_is_read():
    with av.open(str(RECORDING)) as container:  # what makes it worth a test
        assert container.duration is None
        assert [stream.frames for stream in container.streams] == [0, 0]

    clip = decode_clip(RECORDING.read_bytes())
    assert 1.8 < clip.duration < 2.2
    assert clip.frames.shape == (12, 240, 320, 3)
    assert np.abs(clip.frame_times - np.arange(12) / 6).max() < 0.1 and (np.diff(clip.frame_times) > 0).all()
    # The fake camera shows a moving figure on green; the clock that it draws makes each frame another one.
    assert all((before != after).any() for before, after in zip(clip.frames, clip.frames[1:], strict=False))
    red, green, blue = clip.frames.mean(axis=(0, 1, 2))
    assert green > 100 > 20 > max(red, blue)
    # The fake microphone beeps twice a second.
    loudness = np.sqrt(np.mean(clip.waveform[: 16000 * 39 // 20].reshape(39, 800) ** 2, axis=1))
    assert np.flatnonzero(loudness > 0.1).tolist() == [10, 20, 30]
    assert len(clip.waveform) / 16000 == np.clip(len(clip.waveform) / 16000, 1.8, 2.2)
