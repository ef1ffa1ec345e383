# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Readers of transcripts with times: subtitles, tables, and the JSON of Whisper and its kin."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..tsv import TsvError, read_table
from ..user_text import read_user_text
from .segments import RecordingError, Segment


_CLOCK = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d(?:[.,]\d+)?)")
_NAME = re.compile(r"\[([^\[\]]{1,80})\]\s*:\s*")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>")


def read_transcript(path: str | Path) -> list[Segment]:
    """Read the utterances of a transcript, in the order of their starts.

    Speakers come from a column `speaker`, from `[Name]:` before the words, from the voices (`<v Name>`) of WebVTT, the
    names of ASS, or the diarisation of WhisperX.

    Args:
        path: Subtitles (`.srt`, `.vtt`, `.ass`, `.ssa`); a table (`.tsv`, `.csv`) with the columns `start`, `end` (in
            seconds or as 1:02:03.5) and `text`; or JSON of openai-whisper, faster-whisper, WhisperX, whisper.cpp or
            transformers (`.json`), or one object with `start`, `end` and `text` per line (`.jsonl`).

    Raises:
        RecordingError: The file is of another kind, malformed or empty. The message names the place.
        OSError: The file cannot be opened.
    """
    path = Path(path).expanduser()
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise RecordingError(
            f"{path} does not end as transcripts do ({', '.join(_READERS)}). Convert it, or rename it if it is one."
        )
    segments = sorted(reader(path), key=lambda one: (one.start, one.end))
    if not segments:
        raise RecordingError(f"{path} holds no utterance. Give the transcript of the recording.")
    return segments


def parse_time(cell: str) -> float | None:
    """Seconds of `12.5`, `2:03.5` or `1:02:03,500`; `None` for anything else."""
    cell = cell.strip()
    match = _CLOCK.fullmatch(cell)
    if match is not None:
        hours, minutes, seconds = match.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _segment(place: str, start: Any, end: Any, text: str, speaker: str | None = None) -> Segment | None:
    """Make a segment; `None` where nothing is said."""
    first, last = (parse_time(str(value)) for value in (start, end))
    if first is None or last is None or not 0 <= first < last:
        raise RecordingError(
            f"{place}: It goes from {start} to {end}. Give a start and a later end, in seconds or as h:mm:ss.sss."
        )
    named = _NAME.match(text.strip())
    if named is not None:
        text, speaker = text.strip()[named.end() :], speaker or named[1].strip()
    text = " ".join(text.split())
    return Segment(first, last, text, speaker or None) if text else None


def _read_subtitles(path: Path) -> list[Segment]:
    import pysubs2  # here, because tables and JSON do without it

    content = read_user_text(path)
    kind = path.suffix.lower()
    if kind == ".vtt":  # before the reader drops the tags
        content = _VOICE.sub(lambda voice: f"[{voice[1].strip()}]: ", content)
    try:
        subtitles = pysubs2.SSAFile.from_string(content, format_={".ssa": "ass"}.get(kind, kind[1:]))
    except (pysubs2.exceptions.Pysubs2Error, ValueError, KeyError, IndexError) as error:
        raise RecordingError(f"{path} cannot be read as subtitles ({error}). Save it as SRT or WebVTT.") from error
    segments = []
    for number, event in enumerate(subtitles, start=1):
        if event.is_comment or event.is_drawing:
            continue
        text = event.plaintext
        if kind in (".vtt", ".srt"):
            text = html.unescape(_TAG.sub("", text))
        place = f"{path}, subtitle {number}"
        segments.append(_segment(place, event.start / 1000, event.end / 1000, text, event.name.strip() or None))
    return [one for one in segments if one is not None]


def _read_table(path: Path) -> list[Segment]:
    try:
        rows = read_table(path, ("start", "end", "text"), required=("start", "end"))
    except TsvError as error:
        raise RecordingError(str(error)) from error
    segments = [
        _segment(f"{path}, line {line}", cells["start"], cells["end"], cells["text"], cells.get("speaker", "").strip())
        for line, cells in rows
    ]
    return [one for one in segments if one is not None]


def _read_json(path: Path) -> list[Segment]:
    try:
        content = json.loads(read_user_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecursionError) or type(error) is json.JSONDecodeError:
            raise RecordingError(f"{path} is no JSON ({error}). Give the JSON that a Whisper wrote.") from error
        raise
    return _of_entries(path, _entries_of(path, content), "segment")


def _read_json_lines(path: Path) -> list[Segment]:
    entries = []
    for number, line in enumerate(read_user_text(path).splitlines(), start=1):
        if line.strip():
            try:
                entries.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise RecordingError(f"{path}, line {number}: It is no JSON ({error}).") from error
    return _of_entries(path, entries, "line")


def _entries_of(path: Path, content: Any) -> list[Any]:
    """The list of segments, wherever a program puts it."""
    if isinstance(content, Mapping):
        content = next((content[key] for key in ("segments", "chunks", "transcription") if key in content), None)
    if not isinstance(content, list):
        raise RecordingError(
            f"{path} has no list of segments. Known is JSON of openai-whisper, faster-whisper, WhisperX, whisper.cpp "
            "and transformers."
        )
    return content


def _of_entries(path: Path, entries: list[Any], unit: str) -> list[Segment]:
    segments = []
    for number, entry in enumerate(entries, start=1):
        place = f"{path}, {unit} {number}"
        if isinstance(entry, list) and len(entry) > 4:  # faster-whisper's named tuples: id, seek, start, end, text
            entry = dict(zip(("start", "end", "text"), entry[2:5], strict=True))
        if not isinstance(entry, Mapping) or not isinstance(entry.get("text"), str):
            raise RecordingError(f"{place}: It has no text. Each {unit} needs start, end and text.")
        start, end = _times_of(entry)
        speaker = entry.get("speaker")
        segments.append(_segment(place, start, end, entry["text"], None if speaker is None else str(speaker).strip()))
    return [one for one in segments if one is not None]


def _times_of(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    timestamp, offsets = entry.get("timestamp"), entry.get("offsets")
    if isinstance(timestamp, list) and len(timestamp) == 2:  # transformers
        return timestamp[0], timestamp[1]
    if isinstance(offsets, Mapping):  # whisper.cpp, in milliseconds
        first, last = offsets.get("from"), offsets.get("to")
        if isinstance(first, int) and isinstance(last, int):
            return first / 1000, last / 1000
    return entry.get("start"), entry.get("end")


_READERS: dict[str, Callable[[Path], list[Segment]]] = {
    ".srt": _read_subtitles,
    ".vtt": _read_subtitles,
    ".ass": _read_subtitles,
    ".ssa": _read_subtitles,
    ".tsv": _read_table,
    ".csv": _read_table,
    ".json": _read_json,
    ".jsonl": _read_json_lines,
}
TRANSCRIPT_SUFFIXES = tuple(_READERS)
"""Endings of the transcripts that are read."""
