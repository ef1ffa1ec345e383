# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The voice of the sample's clips: syllables in the text's rhythm from a formant synthesiser.

Nobody can understand the words, and nobody has to: the text comes with the clip. The voice carries the tone: pitch,
loudness, pace and tension.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..seeds import stable_generator


SAMPLING_RATE = 16000
_CONTROL_RATE = 200  # pitch, loudness and formants are drawn at this rate and interpolated

_VOWELS = {
    "a": (730.0, 1090.0, 2440.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (300.0, 2200.0, 2950.0),
    "o": (500.0, 900.0, 2400.0),
    "u": (320.0, 870.0, 2250.0),
}
_BANDWIDTHS = (80.0, 100.0, 140.0)
_HISSING = set("sfzxcth")


@dataclass(frozen=True)
class ToneOfVoice:
    """The sound of a tone. Pitches are multiples of the speaker's own pitch."""

    pitch: float  # at the start of the utterance
    end_pitch: float  # at its end
    glide: float  # rise (or fall) of the pitch within each syllable, as a part of it
    melody: float  # difference of the pitch between syllables, as a part of it
    loudness: float
    pace: float  # multiples of the usual number of syllables per second
    voiced: float  # voiced part of a syllable: low is clipped speech
    tilt: float  # fall of the overtones, in powers of the frequency: high is soft and dull
    breath: float  # loudness of the breath beside the voice


TONES_OF_VOICE: dict[str, ToneOfVoice] = {
    "bright": ToneOfVoice(1.55, 1.50, 0.05, 0.14, 0.75, 1.10, 0.85, 0.9, 0.0),
    "low": ToneOfVoice(0.72, 0.62, -0.05, 0.04, 0.45, 0.85, 0.95, 2.0, 0.10),
    "flat": ToneOfVoice(1.00, 1.00, 0.0, 0.0, 0.55, 0.95, 1.00, 1.3, 0.0),
    "sharp": ToneOfVoice(1.25, 1.15, -0.35, 0.05, 1.0, 1.20, 0.55, 0.3, 0.02),
    "rising": ToneOfVoice(0.95, 2.10, 0.22, 0.0, 0.65, 1.00, 0.80, 1.2, 0.0),
}


@dataclass(frozen=True)
class Syllable:
    """One syllable: its time, its vowel, and whether it starts with a hiss."""

    start: float  # seconds
    length: float
    vowel: str
    hiss: bool


def plan_speech(row_id: str, text: str, tone: str) -> tuple[list[Syllable], float]:
    """Plan the syllables of an utterance and the length of its clip in seconds."""
    random = stable_generator("sample speech", row_id)
    manner = TONES_OF_VOICE[tone]
    usual = 0.135 / manner.pace
    time = float(random.uniform(0.12, 0.3))
    syllables = []
    for word in re.findall(r"[a-z0-9']+|[,.;:?!-]", text.lower()):
        if not word[0].isalnum() and word[0] != "'":
            time += 0.12
            continue
        # A vowel after its consonants; the silent e of "have" and "time" is none.
        parts = re.findall(r"[^aeiouy]*[aeiouy]+", re.sub(r"(?<=[aeiouy][^aeiouy])e$", "", word)) or [word]
        for part in parts:
            length = usual * float(random.uniform(0.85, 1.2))
            vowel = next((letter for letter in part if letter in "aeiouy"), "e").replace("y", "i")
            syllables.append(Syllable(time, length, vowel, part[0] in _HISSING))
            time += length
        time += 0.02
    return syllables, max(1.6, time + float(random.uniform(0.2, 0.4)))


def mouth_openness(syllables: list[Syllable], times: np.ndarray) -> np.ndarray:
    """Return how far the mouth is open at each time, 0 to 1."""
    openness = np.zeros_like(times)
    for syllable in syllables:
        position = (times - syllable.start) / syllable.length
        wide = 1.0 if syllable.vowel in "ao" else 0.7
        inside = (position > 0) & (position < 1)
        openness[inside] = np.maximum(openness[inside], wide * np.sin(np.pi * position[inside]))
    return openness


def render_voice(row_id: str, syllables: list[Syllable], duration: float, tone: str) -> np.ndarray:
    """Render the waveform of an utterance, float32 `(samples,)` at 16 kHz within -1 and 1."""
    random = stable_generator("sample voice", row_id)
    manner = TONES_OF_VOICE[tone]
    speaker_pitch = float(random.uniform(135.0, 165.0))
    throat = float(random.uniform(0.95, 1.08))
    times = np.arange(int(duration * _CONTROL_RATE) + 2) / _CONTROL_RATE
    pitch = np.full(len(times), speaker_pitch * manner.pitch)
    loudness = np.zeros(len(times))
    hiss = np.zeros(len(times))
    formants = np.tile(np.array(_VOWELS["e"]), (len(times), 1))
    for number, syllable in enumerate(syllables):
        position = (times - syllable.start) / syllable.length
        inside = (position >= 0) & (position < 1)
        place = number / max(1, len(syllables) - 1)
        note = manner.pitch + (manner.end_pitch - manner.pitch) * place**1.5
        note *= 1 + manner.melody * float(random.uniform(-1, 1))
        pitch[inside] = speaker_pitch * note * (1 + manner.glide * (position[inside] - 0.3))
        voiced = np.clip((position - 0.08) / manner.voiced, 0, 1)
        stress = 1.0 if manner.melody == 0 else float(random.uniform(0.75, 1.0))
        loudness += inside * stress * np.sin(np.pi * voiced) ** 0.6
        formants[inside] = _VOWELS[syllable.vowel]
        if syllable.hiss:
            hiss += 0.08 * np.exp(-(((position - 0.08) / 0.1) ** 2))
    formants = _smooth(formants, 7) * throat
    pitch = _smooth(pitch[:, None], 5)[:, 0]

    count = int(duration * SAMPLING_RATE)
    fine = np.arange(count) / SAMPLING_RATE
    phase = 2 * np.pi * np.cumsum(np.interp(fine, times, pitch)) / SAMPLING_RATE
    wave = _overtones(phase, fine, times, pitch, formants, manner.tilt)
    level = manner.loudness * np.interp(fine, times, loudness)
    noise = random.standard_normal(count)
    breath = np.convolve(noise, np.ones(4) / 4, mode="same") * manner.breath * level
    sound = level * wave + breath + np.interp(fine, times, hiss) * manner.loudness * np.diff(noise, prepend=0.0)
    sound += 0.0015 * random.standard_normal(count)  # no microphone is silent
    return np.clip(sound, -1, 1).astype(np.float32)


def _overtones(
    phase: np.ndarray,
    fine: np.ndarray,
    times: np.ndarray,
    pitch: np.ndarray,
    formants: np.ndarray,
    tilt: float,
) -> np.ndarray:
    """The voiced sound: overtones of the pitch, shaped by the formants, at unit loudness."""
    number = np.arange(1, int(7000 / pitch.min()) + 1)
    frequencies = number * pitch[:, None]  # (times, overtones)
    amplitudes = np.zeros_like(frequencies)
    for index, width in enumerate(_BANDWIDTHS):
        centre = formants[:, index, None]
        amplitudes += 0.7**index / np.sqrt(1 + ((frequencies - centre) / width) ** 2)
    amplitudes *= (frequencies / 300.0 + 0.3) ** -tilt
    amplitudes[frequencies > 7000] = 0
    amplitudes /= np.sqrt((amplitudes**2).sum(1, keepdims=True)) * 3.5
    # sin(n x) = 2 cos(x) sin((n - 1) x) - sin((n - 2) x): one multiplication per overtone instead of a sine.
    previous, current, twice_cosine = np.zeros_like(phase), np.sin(phase), 2 * np.cos(phase)
    wave = np.zeros_like(phase)
    for index in range(len(number)):
        wave += current * np.interp(fine, times, amplitudes[:, index])
        previous, current = current, twice_cosine * current - previous
    return wave


def _smooth(values: np.ndarray, width: int) -> np.ndarray:
    """A moving average over time, `(times, channels)`."""
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(values, ((width // 2, width // 2), (0, 0)), mode="edge")
    columns = [np.convolve(column, window / window.sum(), mode="valid") for column in padded.T]
    return np.stack(columns, axis=1)
