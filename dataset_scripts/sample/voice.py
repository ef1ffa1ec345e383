# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The voice of the sample's clips: speech that was synthesised once and is stored compressed.

`speech.zip` holds one Opus file per utterance, which any player opens. `speech.py` made it; nothing else needs the
synthesiser. This file says what each tone of voice is, reads the speech and places it in a clip.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import av
import numpy as np

from ..seeds import stable_generator
from .rows import SAMPLE_FOLDER


SAMPLING_RATE = 16000
SPEECH_FILE = SAMPLE_FOLDER / "speech.zip"
_ENVELOPE_SECONDS = 0.05  # the mouth follows the loudness of this much sound
_SHORTEST_CLIP = 1.6  # seconds
_NOISE = 0.0015  # no microphone is silent


@dataclass(frozen=True)
class ToneOfVoice:
    """The sound of a tone. Pitches are multiples of the speaker's own pitch."""

    pitch: float  # at the start of the utterance
    end_pitch: float  # at its end
    melody: float  # multiple of the synthesiser's usual movement of the pitch
    loudness: float  # root mean square of the speech, full scale is 1
    pace: float  # words per minute
    tilt: float  # brightness: part of the sound's slope that is added; below 0 the voice is dull and soft


TONES_OF_VOICE: dict[str, ToneOfVoice] = {
    "bright": ToneOfVoice(1.45, 1.45, 1.8, 0.11, 155, 0.3),
    "low": ToneOfVoice(0.72, 0.65, 0.4, 0.035, 120, -0.6),
    "flat": ToneOfVoice(1.0, 1.0, 0.0, 0.06, 140, 0.0),
    "sharp": ToneOfVoice(1.2, 1.0, 1.3, 0.2, 180, 0.85),
    "rising": ToneOfVoice(0.9, 1.9, 0.5, 0.075, 150, 0.0),
}


@dataclass(frozen=True)
class Speech:
    """The sound of one clip.

    Attributes:
        waveform: float32 `(samples,)` at 16 kHz, with a pause before and behind the words.
        start, end: Seconds at which the words begin and end.
    """

    waveform: np.ndarray
    start: float
    end: float

    @property
    def duration(self) -> float:
        """Length of the clip in seconds."""
        return len(self.waveform) / SAMPLING_RATE

    def mouth_openness(self, times: np.ndarray) -> np.ndarray:
        """Return how far the mouth is open at each time, 0 to 1: the loudness beside that of the loudest syllables."""
        window = np.hanning(int(_ENVELOPE_SECONDS * SAMPLING_RATE))
        energy = np.convolve(self.waveform.astype(np.float64) ** 2, window / window.sum(), mode="same")
        loudness = np.sqrt(energy)
        heard = np.interp(times, np.arange(len(loudness)) / SAMPLING_RATE, loudness)
        openness: np.ndarray = np.clip(heard / np.percentile(loudness, 95) * 1.15 - 0.15, 0, 1)
        return np.where((times > self.start) & (times < self.end), openness, 0.0)


def speech_of(row: Mapping[str, str]) -> Speech:
    """Read the speech of a row, with the pauses and the noise of its clip."""
    random = stable_generator("sample speech", row["id"])
    words = decode_speech(_archive()[row["id"]])
    before, after = (int(random.uniform(*range_) * SAMPLING_RATE) for range_ in ((0.12, 0.3), (0.2, 0.4)))
    length = max(int(_SHORTEST_CLIP * SAMPLING_RATE), before + len(words) + after)
    waveform = _NOISE * random.standard_normal(length)
    waveform[before : before + len(words)] += words
    start = before / SAMPLING_RATE
    return Speech(waveform.clip(-1, 1).astype(np.float32), start, start + len(words) / SAMPLING_RATE)


@cache
def _archive() -> dict[str, bytes]:
    """The compressed speech of all rows by id."""
    with zipfile.ZipFile(SPEECH_FILE) as archive:
        return {name.removesuffix(".opus"): archive.read(name) for name in archive.namelist()}


def decode_speech(compressed: bytes) -> np.ndarray:
    """Decode an Opus file to float32 `(samples,)` at 16 kHz."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLING_RATE)
    with av.open(io.BytesIO(compressed), "r") as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])
