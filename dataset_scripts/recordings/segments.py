# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Utterances of a recording: when each one is said, what, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UserError
from ..user_text import read_user_text


class RecordingError(UserError):
    """A recording, transcript or list of speakers that cannot be used. The message says what to do."""


@dataclass(frozen=True)
class Segment:
    """One utterance of a recording.

    Attributes:
        start: Seconds from the start of the recording at which it begins.
        end: Seconds at which it ends.
        text: What is said.
        speaker: Who says it; `None` if that is not known.
    """

    start: float
    end: float
    text: str
    speaker: str | None = None


@dataclass(frozen=True)
class Turn:
    """A time in which somebody speaks: `start` and `end` in seconds, and the `speaker`."""

    start: float
    end: float
    speaker: str


def read_speakers(path: str | Path, recording: str | Path | None = None) -> list[Turn]:
    """Read the turns of an RTTM file, as programs for speaker diarisation write it.

    Args:
        path: RTTM file. Of its lines, those of type `SPEAKER` are read.
        recording: Recording of the turns; needed where the file has turns of several ones.

    Raises:
        RecordingError: A line is malformed, or nothing is said of this recording.
        OSError: The file cannot be opened.
    """
    turns: dict[str, list[Turn]] = {}
    for number, line in enumerate(read_user_text(path).splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        try:
            start, duration, speaker = float(fields[3]), float(fields[4]), fields[7]
            if not (start >= 0 and 0 < duration < float("inf")):
                raise ValueError
        except (IndexError, ValueError):
            raise RecordingError(
                f"{path}, line {number}: {line.strip()!r} is no turn. RTTM has: SPEAKER recording 1 START DURATION "
                "<NA> <NA> NAME <NA> <NA>, in seconds."
            ) from None
        turns.setdefault(fields[1], []).append(Turn(start, start + duration, speaker))
    if not turns:
        raise RecordingError(f"{path} has no line of type SPEAKER. Give an RTTM file.")
    name = next(iter(turns)) if recording is None or len(turns) == 1 else Path(recording).stem
    if name not in turns:
        raise RecordingError(
            f"{path} has turns of {', '.join(sorted(turns)[:5])}, and none of {name}. Rename one, or give the "
            "RTTM file of this recording."
        )
    return sorted(turns[name], key=lambda turn: (turn.start, turn.end))


def speaker_between(start: float, end: float, turns: Iterable[Turn]) -> str | None:
    """Who speaks longest between two times; `None` where nobody does."""
    seconds: dict[str, float] = {}
    for turn in turns:
        common = min(end, turn.end) - max(start, turn.start)
        if common > 0:
            seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + common
    return max(seconds, key=lambda name: seconds[name], default=None)


def with_speakers(segments: Sequence[Segment], turns: Sequence[Turn]) -> list[Segment]:
    """Name the speaker of each segment that has none."""
    return [
        one if one.speaker is not None else replace(one, speaker=speaker_between(one.start, one.end, turns))
        for one in segments
    ]
