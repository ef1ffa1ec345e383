# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Synthesise the speech of the sample's utterances anew, after rows, voices or tones have changed.

    python -m dataset_scripts.sample.speech

This needs the program espeak-ng (`apt-get install espeak-ng`); nothing else does. Clips are rendered from the result,
`sample/speech.zip`, which belongs in the repository. Run `python -m dataset_scripts.prepare_sample` afterwards.

espeak-ng is under the GPL, which covers the program and not the sound that it makes. The voices are rules for
formants, not recordings of a person.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command(
        "dataset_scripts.sample.speech:main",
        "Interrupted. The archive of before is unchanged. The same command starts again.",
    )


import argparse
import io
import subprocess
import wave
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import av
import numpy as np
from tqdm.auto import tqdm

from ..errors import UserError
from ..files import replacing
from ..seeds import stable_generator
from .rows import SPLITS, read_sample
from .voice import SAMPLING_RATE, SPEECH_FILE, TONES_OF_VOICE


PROGRAM = "espeak-ng"
_BIT_RATE = 20000  # of Opus, bits per second
_SILENCE = 0.01  # part of the loudest sample
# A fixed date, so that equal speech gives an equal archive.
_DATE = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Voice:
    """A speaker: an accent with a larynx of espeak-ng, and a pitch."""

    name: str
    pitch: float  # multiple of the voice's own


# No speaker is in two splits: a model cannot know the voices that it is tested on.
VOICES: dict[str, tuple[Voice, ...]] = {
    "train": (
        Voice("en-us", 1.0),
        Voice("en-us+m3", 1.0),
        Voice("en-us+f2", 1.0),
        Voice("en-us+f3", 1.0),
        Voice("en-gb-x-rp+m1", 1.0),
        Voice("en-gb-x-rp+f4", 1.0),
        Voice("en-gb-x-rp+m7", 1.0),
        Voice("en-us+linda", 1.0),
    ),
    "validation": (
        Voice("en-us+m2", 1.05),
        Voice("en-gb-x-rp+f2", 0.95),
        Voice("en-us+f4", 1.0),
        Voice("en-gb-x-rp", 1.0),
    ),
    "test": (
        Voice("en-us+m1", 0.95),
        Voice("en-gb-x-rp+m3", 1.05),
        Voice("en-gb-x-rp+f1", 1.0),
        Voice("en-gb+f3", 1.05),
    ),
}


def voice_of(split: str, row_id: str) -> Voice:
    """Draw the speaker of a row at random; the voice says nothing about the label."""
    voices = VOICES[split]
    return voices[int(stable_generator("sample speaker", row_id).integers(len(voices)))]


def synthesise(text: str, voice: Voice, tone: str) -> np.ndarray:
    """Let espeak-ng say a text in a tone of voice; return float32 `(samples,)` at 16 kHz.

    Raises:
        UserError: espeak-ng is not installed or fails.
    """
    manner = TONES_OF_VOICE[tone]
    words = text.split()
    places = np.arange(len(words)) / max(1, len(words) - 1) if len(words) > 1 else np.ones(1)
    pitches = voice.pitch * (manner.pitch + (manner.end_pitch - manner.pitch) * places**1.5)
    if len(set(pitches.tolist())) == 1:
        parts = [_prosody(text, float(pitches[0]), manner.melody)]
    else:
        parts = [_prosody(word, float(pitch), manner.melody) for word, pitch in zip(words, pitches, strict=True)]
    command = [PROGRAM, "-m", "-v", voice.name, "-s", str(round(manner.pace)), "--stdout"]
    try:
        said = subprocess.run([*command, f"<speak>{' '.join(parts)}</speak>"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(
            f"The program {PROGRAM} did not run ({error}), which synthesises the sample's speech. Install it, on "
            "Debian with: apt-get install espeak-ng."
        ) from error
    return _shaped(_read_wave(said.stdout), manner.loudness, manner.tilt)


def _prosody(text: str, pitch: float, melody: float) -> str:
    return f'<prosody pitch="{100 * pitch:.0f}%" range="{100 * melody:.0f}%">{escape(text)}</prosody>'


def _read_wave(content: bytes) -> np.ndarray:
    """Read a WAV file whose header does not know the length, and bring it to 16 kHz."""
    with wave.open(io.BytesIO(content)) as file:
        rate = file.getframerate()
    samples = np.frombuffer(content[44:], np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLING_RATE)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in frames])


def _shaped(sound: np.ndarray, loudness: float, tilt: float) -> np.ndarray:
    """Cut silence off, tilt the spectrum, and bring the sound to its loudness."""
    loud = np.flatnonzero(np.abs(sound) > _SILENCE * np.abs(sound).max())
    sound = sound[loud[0] : loud[-1] + 1].astype(np.float64)
    if tilt > 0:  # a difference raises the high frequencies, as a tense voice does
        sound = sound - tilt * np.concatenate([[0.0], sound[:-1]])
    elif tilt < 0:  # a running mean lowers them
        kept = -tilt
        weights = (1 - kept) * kept ** np.arange(40)
        sound = np.convolve(sound, weights)[: len(sound)]
    sound *= loudness / np.sqrt((sound**2).mean())
    # Peaks bend softly instead of being cut.
    return np.where(np.abs(sound) < 0.6, sound, np.sign(sound) * (0.6 + 0.39 * np.tanh((np.abs(sound) - 0.6) / 0.39)))


def compress(sound: np.ndarray) -> bytes:
    """Compress float `(samples,)` at 16 kHz to an Opus file."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ogg", options={"fflags": "+bitexact", "page_duration": "20000000"}) as container:
        stream = container.add_stream("libopus", rate=SAMPLING_RATE, layout="mono", bit_rate=_BIT_RATE)
        stream.options = {"application": "voip", "vbr": "on", "compression_level": "10", "frame_duration": "40"}
        stream.codec_context.flags |= 1 << 23  # bit-exact: no version of the encoder in the file
        frame = av.AudioFrame.from_ndarray(sound.astype(np.float32)[None], format="flt", layout="mono")
        frame.sample_rate = SAMPLING_RATE
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def synthesise_sample(path: Path = SPEECH_FILE, progress: bool = True) -> None:
    """Synthesise the speech of all rows into an archive with one Opus file per row."""
    rows: list[tuple[str, Mapping[str, str]]] = [(split, row) for split in SPLITS for row in read_sample(split)]
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for split, row in tqdm(rows, desc="synthesising speech", unit="utterance", disable=not progress):
            sound = synthesise(row["text"], voice_of(split, row["id"]), row["tone"])
            archive.writestr(zipfile.ZipInfo(f"{row['id']}.opus", _DATE), compress(sound))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `python -m dataset_scripts.sample.speech`."""
    parser = argparse.ArgumentParser(
        prog="python -m dataset_scripts.sample.speech",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", type=Path, default=SPEECH_FILE, help="archive to write (the sample's own)")
    synthesise_sample(parser.parse_args(arguments).output)
