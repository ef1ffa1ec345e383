# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes recordings of known content: the spoken clips of the tests, one after another, with silences between."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modeling_amess.media_amess import decode_clip
from tests.modeling_amess.clips import write_clip


SPOKEN = Path(__file__).parents[2] / "modeling_amess" / "recordings"
NAMES = ("weather", "dinner", "train")
RATE = 16000
SPEAKERS = ("Ann", "Bob")


@dataclass(frozen=True)
class MadeRecording:
    """A recording and what is in it.

    Attributes:
        path: Media file.
        rttm: File of its two speakers, who take turns.
        spans: Start and end of each utterance in seconds, without the silence at both ends of its clip.
        names: Names of the utterances.
    """

    path: Path
    rttm: Path
    spans: list[tuple[float, float]]
    names: list[str]

    @property
    def speakers(self) -> list[str]:
        """Who says each utterance."""
        return [SPEAKERS[index % 2] for index in range(len(self.spans))]


def make_recording(path: Path, seconds: float, *, video: bool = True, seed: int = 0) -> MadeRecording:
    """Write a recording of about so many seconds whose pauses are drawn at random, 0.8 to 3 seconds each."""
    draw = np.random.default_rng(seed)
    clips: dict[str, np.ndarray] = {}
    for name in NAMES:
        waveform = decode_clip(SPOKEN / f"{name}.opus", sampling_rate=RATE).waveform
        assert waveform is not None
        clips[name] = waveform
    parts: list[np.ndarray] = []
    spans: list[tuple[float, float]] = []
    names: list[str] = []
    position = 0
    while position < (seconds - 7) * RATE:
        pause = np.zeros(round(draw.uniform(0.8, 3.0) * RATE), dtype=np.float32)
        name = NAMES[len(names) % len(NAMES)]
        loud = np.flatnonzero(np.abs(clips[name]) > 0.02)
        start = position + len(pause)
        spans.append((float(start + loud[0]) / RATE, float(start + loud[-1]) / RATE))
        names.append(name)
        parts += [pause, clips[name]]
        position += len(pause) + len(clips[name])
    parts.append(np.zeros(RATE, dtype=np.float32))
    sound = np.concatenate(parts)[None]
    write_clip(
        path,
        seconds=sound.shape[1] / RATE,
        video=video,
        frame_rate=5,
        sound=sound,
        sampling_rate=RATE,
        layout="mono",
    )
    rttm = path.with_suffix(".rttm")
    made = MadeRecording(path, rttm, spans, names)
    rttm.write_text(
        "".join(
            f"SPEAKER {path.stem} 1 {start:.3f} {end - start:.3f} <NA> <NA> {speaker} <NA> <NA>\n"
            for (start, end), speaker in zip(spans, made.speakers, strict=True)
        )
    )
    return made
