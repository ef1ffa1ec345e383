# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The rows to extract features from: those of a folder of clips, of a file, or of a data set."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..tsv import TsvError, read_table


logger = logging.getLogger(__name__)

# Endings of the files in a folder that count as clips. A table may name any file that can be decoded.
# fmt: off
VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts",
    ".m2ts", ".mxf", ".flv", ".f4v", ".wmv", ".asf", ".3gp", ".3g2", ".ogv", ".gif",
)
AUDIO_SUFFIXES = (
    ".wav", ".w64", ".mp3", ".mp2", ".flac", ".ogg", ".oga", ".opus", ".spx", ".m4a", ".m4b", ".aac", ".ac3",
    ".amr", ".aif", ".aiff", ".aifc", ".caf", ".au", ".wma", ".mka", ".weba",
)
# fmt: on
CLIP_SUFFIXES = VIDEO_SUFFIXES + AUDIO_SUFFIXES
TABLE_SUFFIXES = (".tsv", ".csv")
TRANSCRIPT_SUFFIX = ".txt"
# Folders that systems make beside the user's files. Names that begin with a dot are left out anyway.
_SYSTEM_FOLDERS = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"})
SPLIT_ALIASES: dict[str, str] = {"dev": "validation", "val": "validation", "valid": "validation"}
DEFAULT_SPLIT = "train"
_SPLIT_NAME = re.compile(r"\w+")


class ClipRowsError(UserError):
    """Input that names no clips, or names them ambiguously. The message says where and what to do."""


@dataclass(frozen=True)
class ClipRows:
    """Utterances and their clips.

    Attributes:
        rows: Dicts with `id`, `split`, `clip` (path relative to `root`; None where there is no clip) and, the same in
            every row, any of `text`, `label` (a name) and further columns.
        root: Folder of the clips.
        labels: Label names in id order, or None where rows have no label.
        dataset: Name of the data set of this project whose label descriptions fit, or None.
    """

    rows: list[dict[str, Any]]
    root: Path
    labels: tuple[str, ...] | None = None
    dataset: str | None = None


def read_clip_rows(source: str | Path) -> ClipRows:
    """Read the rows of a folder of clips or of a TSV or CSV file.

    Args:
        source: Folder, which is searched with its subfolders; the id of a clip is its path in the folder without the
            suffix. Or a file with a header: column `clip` (path relative to the file's folder), and any of `id` (by
            default the path without the suffix), `text`, `label`, `split` (`train` by default) and further columns;
            see `read_table`.

    Raises:
        ClipRowsError: The source is neither of them, holds no clip, or two clips with one id.
        TsvError: The file is malformed, or names a bad split. The message names the place.
        UserTextError: The file's encoding is not known.
    """
    source = Path(source).expanduser()
    if source.is_dir():
        return _read_folder(source)
    if source.is_file() and source.suffix.lower() not in CLIP_SUFFIXES:
        return _read_file(source)
    if source.is_file():
        raise ClipRowsError(f"{source} is a single clip. Give its folder, or a TSV file with a column clip.")
    raise ClipRowsError(f"{source} is neither a folder of clips nor a TSV or CSV file. Give one of them.")


def load_dataset_clips(
    name: str, data_dir: str | Path | None, scope: str = "in-scope", *, cache_dir: str | Path | None = None
) -> ClipRows:
    """Load the rows of config `clips` of a data set, in all its splits.

    Args:
        name: Name of the data set.
        data_dir: Folder of its release, if it needs one.
        scope: Utterances of MIntRec2.0.
        cache_dir: Folder of the Arrow files, by default the cache of `datasets`.

    Raises:
        UserError: The data set cannot be loaded; see `load_intent_dataset`.
    """
    # A folder of clips needs no `datasets`.
    from datasets import DatasetDict

    from ..loading import load_intent_dataset

    dataset = load_intent_dataset(name, config_name="clips", data_dir=data_dir, scope=scope, cache_dir=cache_dir)
    assert isinstance(dataset, DatasetDict), "a data set with clips has a builder"
    labels = tuple(next(iter(dataset.values())).features["label"].names)
    root = Path("." if data_dir is None else data_dir).expanduser().resolve()
    rows = [
        {
            **row,
            "split": split,
            "label": labels[row["label"]],
            "clip": None if row["clip"] is None else _relative(Path(row["clip"]).resolve(), root),
        }
        for split, part in dataset.items()
        for row in part
    ]
    return ClipRows(rows, root, labels, name)


def clips_of_folder(folder: Path, *, transcripts: bool = False) -> list[Path]:
    """List the clips of a folder and its subfolders, and tell which files are passed over.

    Left out are names that begin with a dot, folders that systems make (`__MACOSX`), other kinds of files, and sound
    files beside a video of the same name.

    Args:
        folder: Folder to search.
        transcripts: Whether the caller reads the transcripts `clip.txt` beside clips, which are then not told.

    Returns:
        Paths relative to the folder, sorted.

    Raises:
        ClipRowsError: The folder holds no clips.
    """
    # Links to files that are absent are kept: as clips, they fail by name.
    files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if not path.is_dir()]
    files = [path for path in files if not any(_is_systems(part) for part in path.parts)]
    clips = [path for path in files if path.suffix.lower() in CLIP_SUFFIXES]
    if not clips:
        raise ClipRowsError(f"{folder} holds no clips. The names of clips end in {' '.join(CLIP_SUFFIXES)}.")
    videos = {path.with_suffix("") for path in clips if path.suffix.lower() in VIDEO_SUFFIXES}
    sidecars = [path for path in clips if path.suffix.lower() in AUDIO_SUFFIXES and path.with_suffix("") in videos]
    if sidecars:
        logger.warning(
            "%s: Sound beside a video of the same name is passed over: %d files, such as %s.",
            folder,
            len(sidecars),
            sidecars[0],
        )
    stems = {path.with_suffix("") for path in clips} if transcripts else set()
    others = [
        path
        for path in files
        if path.suffix.lower() not in CLIP_SUFFIXES
        and not (path.suffix.lower() == TRANSCRIPT_SUFFIX and path.with_suffix("") in stems)
    ]
    if others:
        endings = Counter(path.suffix.lower() or "no ending" for path in others)
        logger.warning(
            "%s: What does not end as clips do is passed over: %d files, such as %s (%s).",
            folder,
            len(others),
            others[0],
            ", ".join(f"{count} {ending}" for ending, count in endings.most_common(5)),
        )
    return [path for path in clips if path not in set(sidecars)]


def similar_labels(labels: Iterable[str]) -> list[list[str]]:
    """Group labels that differ only in case, blanks or the Unicode form of their letters."""
    groups: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        key = "".join(unicodedata.normalize("NFKC", label).casefold().split())
        groups.setdefault(key, []).append(label)
    return [group for group in groups.values() if len(group) > 1]


def _is_systems(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def _read_folder(folder: Path) -> ClipRows:
    clips = []
    for clip in clips_of_folder(folder):
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in str(clip)):  # how Python holds bytes that are no Unicode
            logger.warning("%s: %a is passed over: its name is no Unicode. Rename it.", folder, str(clip))
        else:
            clips.append(clip)
    if not clips:
        raise ClipRowsError(f"{folder} holds no clips whose names are Unicode. Rename them.")
    rows = [{"id": clip.with_suffix("").as_posix(), "split": DEFAULT_SPLIT, "clip": clip.as_posix()} for clip in clips]
    _check_ids(((row["id"], row["clip"]) for row in rows), "List them in a TSV file with a column id.")
    return ClipRows(rows, folder)


def _read_file(path: Path) -> ClipRows:
    table = read_table(path, ("clip",), required=("clip",))
    if not table:
        raise ClipRowsError(f"{path} has a header and no rows. Add one line per clip.")
    rows = []
    for line, cells in table:
        cells = {name: cell.strip() for name, cell in cells.items()}
        for name in ("id", "label", "split"):
            if name in cells and not cells[name]:
                raise TsvError(
                    f"{path}, line {line}, column {name!r}: The cell is empty. Fill it in or leave the column out."
                )
        clip = Path(cells["clip"])
        if not clip.name:
            raise TsvError(f"{path}, line {line}, column 'clip': {cells['clip']!r} names a folder. Name a clip.")
        row = {"id": clip.with_suffix("").as_posix(), "split": DEFAULT_SPLIT, **cells}
        row["split"] = SPLIT_ALIASES.get(row["split"].lower(), row["split"])
        if not _SPLIT_NAME.fullmatch(row["split"]):
            raise TsvError(
                f"{path}, line {line}, column 'split': {row['split']!r} is not a name of a split. Use letters, digits "
                "and underscores."
            )
        rows.append(row)
    places = ((row["id"], f"line {line}") for row, (line, _) in zip(rows, table, strict=True))
    _check_ids(places, "Add a column id, with another id in each row.")
    labels = None
    if "label" in rows[0]:
        labels = tuple(sorted({row["label"] for row in rows}))
        for group in similar_labels(labels):
            logger.warning(
                "%s: The labels %s are different intents, but differ in case or blanks alone. Write them alike if "
                "they are one.",
                path,
                " and ".join(map(repr, group)),
            )
    return ClipRows(rows, path.parent, labels)


def _check_ids(ids_and_places: Iterable[tuple[str, str]], remedy: str) -> None:
    places: dict[str, str] = {}
    for row_id, place in ids_and_places:
        if row_id in places:
            raise ClipRowsError(f"Two clips have the id {row_id!r} ({places[row_id]} and {place}). {remedy}")
        places[row_id] = place


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def file_size(root: Path, row: Mapping[str, Any]) -> int:
    """Return the size of a row's clip in bytes, 0 where there is none."""
    try:
        return 0 if row["clip"] is None else (root / row["clip"]).stat().st_size
    except OSError:
        return 0
