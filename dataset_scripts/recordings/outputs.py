# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Files for people: a table, subtitles, an ELAN file and a page. The same rows give the same bytes."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..files import replacing
from .page import page_of


UTTERANCES_FILE = "utterances.jsonl"
PAGE_FILE = "index.html"
MEDIA = ("link", "copy")
"""How the page finds the recording."""
# Characters that XML, and so ELAN, cannot hold.
_NO_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TABLE_COLUMNS = ("start", "end", "speaker", "text", "label", "score", "out_of_scope", "error")

Row = Mapping[str, Any]


def write_outputs(
    folder: Path,
    rows: Sequence[Row],
    recording: Path,
    *,
    media: str = "link",
    claim: Callable[[str], None] = lambda name: None,
) -> None:
    """Write every file beside `utterances.jsonl`.

    Args:
        folder: Folder of the files, which exists.
        rows: Rows of an analysis.
        recording: The recording.
        media: One of `MEDIA`: whether the page names the recording where it is, or a copy in the folder.
        claim: Function that is called with the name of each file before the file gets its name.
    """
    if media == "copy":
        with replacing(folder / _copied_name(recording)) as partial:
            shutil.copyfile(recording, partial)
            claim(_copied_name(recording))
        source = _copied_name(recording)
    else:
        source = _relative(recording.resolve(), folder.resolve())
    writers: dict[str, Callable[[], str]] = {
        "utterances.csv": lambda: table_of(rows),
        "intents.srt": lambda: srt_of(rows),
        "intents.vtt": lambda: vtt_of(rows),
        PAGE_FILE: lambda: page_of(rows, recording.name, source),
    }
    for name, write in writers.items():
        with replacing(folder / name) as partial:
            # Carriage returns of the table stay as they are, and a subtitle program knows UTF-8 by itself.
            partial.write_text(write(), encoding="utf-8", newline="")
            claim(name)
    with replacing(folder / ELAN_FILE) as partial:
        write_elan(partial, rows, recording)
        claim(ELAN_FILE)


ELAN_FILE = "intents.eaf"
OUTPUT_FILES = (UTTERANCES_FILE, "utterances.csv", "intents.srt", "intents.vtt", ELAN_FILE, PAGE_FILE)
"""Names of the files of an analysis."""


def output_names(recording: Path, media: str) -> list[str]:
    """List the files that `write_outputs` writes."""
    names = [name for name in OUTPUT_FILES if name != UTTERANCES_FILE]
    return [*names, _copied_name(recording)] if media == "copy" else names


def table_of(rows: Sequence[Row]) -> str:
    """Rows as CSV, for spreadsheets and `read_transcript`."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_TABLE_COLUMNS)
    for row in rows:
        writer.writerow(["" if row.get(name) is None else row[name] for name in _TABLE_COLUMNS])
    return file.getvalue()


def srt_of(rows: Sequence[Row]) -> str:
    """Rows as SubRip subtitles: intent and probability, then speaker and words."""
    cues = []
    for number, row in enumerate(rows, start=1):
        speaker = f"[{row['speaker']}]: " if row["speaker"] else ""
        words = _one_line(f"{speaker}{row['text']}")
        cues.append(
            f"{number}\n{_clock(row['start'], ',')} --> {_clock(row['end'], ',')}\n{intent_of(row)}\n{words}\n"
        )
    return "\n".join(cues)


def vtt_of(rows: Sequence[Row]) -> str:
    """Rows as WebVTT subtitles, with the speakers as voices."""
    cues = ["WEBVTT\n"]
    for row in rows:
        voice = f"<v {_escaped(row['speaker']).replace(chr(10), ' ')}>" if row["speaker"] else ""
        words = f"{voice}{_escaped(_one_line(row['text']))}"
        cues.append(
            f"{_clock(row['start'], '.')} --> {_clock(row['end'], '.')}\n{_escaped(intent_of(row))}\n{words}\n"
        )
    return "\n".join(cues)


def write_elan(path: Path, rows: Sequence[Row], recording: Path) -> None:
    """Write rows for ELAN: per speaker a tier of words and one of intents."""
    import pympi  # here, because most uses do without it

    elan = pympi.Elan.Eaf(author="A-MESS for Hugging Face")
    # The date of the recording, so that the same rows give the same bytes.
    elan.adocument["DATE"] = datetime.fromtimestamp(int(recording.stat().st_mtime), UTC).isoformat()
    elan.remove_tier("default")
    elan.add_linked_file(recording.resolve().as_uri(), relpath=f"./{recording.name}", mimetype=_mimetype(recording))
    ends: dict[str, list[int]] = {}
    for row in rows:
        start, end = round(1000 * row["start"]), round(1000 * row["end"])
        if end <= start:
            continue
        name = _xml(row["speaker"] or "speaker")
        # Annotations of one tier cannot overlap: what is said at the same time goes into another tier.
        lanes = ends.setdefault(name, [])
        lane = next((index for index, free in enumerate(lanes) if free <= start), len(lanes))
        lanes[lane:] = [end, *lanes[lane + 1 :]]
        tier = name if lane == 0 else f"{name} {lane + 1}"
        for kind, value in (("words", row["text"]), ("intent", intent_of(row))):
            if f"{kind}: {tier}" not in elan.tiers:
                elan.add_tier(f"{kind}: {tier}", part=name)
            elan.add_annotation(f"{kind}: {tier}", start, end, _xml(value))
    elan.to_file(str(path), pretty=True)


def intent_of(row: Row) -> str:
    """Intent of a row in words: `Complain (87 %)`, `out of scope (Complain 31 %)`, or that it failed."""
    if "error" in row:
        return "not recognised"
    share = f"{100 * row['score']:.0f} %"
    return f"out of scope ({row['label']} {share})" if row["out_of_scope"] else f"{row['label']} ({share})"


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _one_line(text: str) -> str:
    """Text of a subtitle: an empty line would end it, and an arrow would begin another one."""
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _copied_name(recording: Path) -> str:
    return f"recording{recording.suffix.lower()}"


def _relative(recording: Path, folder: Path) -> str:
    """Path from the folder to the recording; on another drive its address."""
    try:
        return Path(os.path.relpath(recording, folder)).as_posix()
    except ValueError:
        return recording.as_uri()


def _mimetype(recording: Path) -> str:
    import mimetypes

    return mimetypes.guess_type(recording.name)[0] or "application/octet-stream"


def rows_of(path: Path, number: int | None = None) -> list[dict[str, Any]]:
    """Read the first rows of `utterances.jsonl`, by default all."""
    if number == 0 or not path.is_file():
        return []
    # Not `splitlines`, which also breaks lines at characters that JSON holds within texts.
    lines = path.read_text(encoding="utf-8").split("\n")[:number]
    return [json.loads(line) for line in lines if line]
