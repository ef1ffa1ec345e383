# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""From the files of a collection to the layout that a builder reads, by what the files are called and hold.

Collections name their clips and tables differently: `S04/E01/29.mp4` or `MIntRec_S04_E01_29.mp4`, the released columns
or `id`, `text`, `label`. So nothing here depends on the folders of one collection.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..errors import UserError
from ..extraction.rows import SPLIT_ALIASES
from ..files import replacing
from ..labels import UnknownLabelError, label_names, normalize_label
from ..registry import DATASETS
from ..released_files import SPLIT_FILES, ReleasedBuilder
from ..tsv import TsvError, read_table, read_tsv
from . import CONTENTS


logger = logging.getLogger(__name__)

# Columns of a table that is not in the released form.
_PLAIN_COLUMNS = ("id", "text", "label")
_TABLE_SUFFIX = ".tsv"


class CollectionError(UserError):
    """A collection that does not hold what a data set is made of. The message says what was found."""


@dataclass(frozen=True)
class Place:
    """Where a file of a collection goes.

    Attributes:
        path: Path in the folder of the data set; for a table, a path among the tables that were fetched.
        content: What the file is, one of `CONTENTS`.
    """

    path: str
    content: str


@dataclass
class Tables:
    """The rows of all splits of a data set.

    Attributes:
        rows: Cells by column of each utterance, by its id, by part and split.
        refused: Why a table was passed over, by its file.
    """

    rows: dict[tuple[str, str], dict[tuple[str, ...], dict[str, str]]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class Layout:
    """The layout of one data set.

    Args:
        builder: Builder that reads the data set.
        contents: What to take, of `CONTENTS`.
    """

    def __init__(self, builder: type[ReleasedBuilder], contents: Collection[str] = CONTENTS):
        self.builder = builder
        self.contents = contents
        self._id_columns = tuple(builder.ID_IN_NAME.groupindex)

    def place(self, path: str) -> Place | None:
        """Return the place of a file by its path in a collection or an archive, None for a file that is not taken."""
        place = self._table(path) or self._clip(path) or self._features(path)
        return place if place is not None and place.content in self.contents else None

    def _table(self, path: str) -> Place | None:
        return Place(path, "tables") if split_of(path) is not None else None

    def _clip(self, path: str) -> Place | None:
        name = PurePosixPath(path)
        cells = self._id_cells(str(name.with_suffix("")))
        if cells is None:
            return None
        target = self.builder.clip_path(cells)
        return Place(target, "clips") if name.suffix.lower() == PurePosixPath(target).suffix else None

    def _features(self, path: str) -> Place | None:
        known = [name for files in self.builder.FEATURE_FILES.values() for name in files]
        # A file at the top of a release has other content than its namesake in a folder.
        names = [name for name in known if path == name or ("/" in name and path.endswith(f"/{name}"))]
        if not names:
            return None
        name = max(names, key=len)
        folders = [*self.builder.PARTS.values(), *self.builder.SHARED_FOLDERS]
        above = path.removesuffix(name).strip("/").casefold().split("/")
        inside = [folder for folder in folders if PurePosixPath(folder).name.casefold() in above]
        folder = inside[0] if inside else folders[-1]
        return Place((PurePosixPath(folder) / name).as_posix(), "features")

    def _id_cells(self, name: str) -> dict[str, str] | None:
        match = self.builder.ID_IN_NAME.fullmatch(name)
        if match is None:
            return None
        # Numbers are written without leading zeros, and S04 with a capital.
        return {
            column: str(int(text)) if text.isdigit() else text.upper() for column, text in match.groupdict().items()
        }

    def read_tables(self, files: Iterable[tuple[str, Path]]) -> Tables:
        """Read the tables of all splits.

        Args:
            files: Path in the collection, and the file, of each table.

        Raises:
            CollectionError: Two tables contradict each other, or none can be read.
            TsvError: A table is damaged.
            UnknownLabelError: A label is none of the data set's.
        """
        tables = Tables()
        places: dict[tuple[str, ...], tuple[str, str]] = {}
        for name, file in files:
            split = split_of(name)
            assert split is not None, "only tables of splits have a place"
            try:
                rows = self._read_table(name, file)
            except CollectionError as error:
                tables.refused[name] = str(error)
                continue
            for row_id, label, cells in rows:
                place = (split, label)
                if places.setdefault(row_id, place) != place:
                    raise CollectionError(
                        f"{name} has the utterance {'_'.join(row_id)} in split {split} with label {label}, "
                        f"and another table has it in split {places[row_id][0]} with label {places[row_id][1]}. Leave "
                        "one of them out with --exclude PATTERN."
                    )
                part = self.builder.part_of_label(label)
                tables.rows.setdefault((part, split), {}).setdefault(row_id, cells)
        if not tables.rows:
            reasons = "".join(f"\n  {name}: {reason}" for name, reason in tables.refused.items())
            raise CollectionError(f"The collection has no table of utterances that can be read.{reasons}")
        return tables

    def _read_table(self, name: str, file: Path) -> list[tuple[tuple[str, ...], str, dict[str, str]]]:
        """The id, label and cells of each row."""
        header = file.read_bytes()[: 2**16].splitlines()[:1]
        columns = header[0].decode("utf-8-sig", errors="replace").split("\t") if header else []
        if set(self.builder.TABLE_COLUMNS) <= set(columns):
            return [
                self._released_row(name, row.line, row.cells) for row in read_tsv(file, self.builder.TABLE_COLUMNS)
            ]
        folded = {column.strip().strip('"').casefold(): column.strip().strip('"') for column in columns}
        if set(_PLAIN_COLUMNS) <= set(folded):
            named = [folded[column] for column in _PLAIN_COLUMNS]
            rows = []
            for line, cells in read_table(file, named, required=named):
                id_cells = self._id_cells(cells[named[0]].strip())
                if id_cells is None:
                    raise TsvError(
                        f"{name}, line {line}: {cells[named[0]]!r} is not written as an id of {self.builder.TITLE}."
                    )
                text = " ".join(cells[named[1]].split())
                rows.append(self._row(name, line, id_cells, text, cells[named[2]]))
            return rows
        needed = f"{', '.join(self.builder.TABLE_COLUMNS)} (or {', '.join(_PLAIN_COLUMNS)})"
        raise CollectionError(f"its header is {', '.join(columns) or 'empty'}, where {needed} are expected")

    def _released_row(
        self, name: str, line: int, cells: Mapping[str, str]
    ) -> tuple[tuple[str, ...], str, dict[str, str]]:
        id_cells = {column: cells[column].strip() for column in self._id_columns}
        row_id, label, _ = self._row(name, line, id_cells, "", cells[self.builder.LABEL_COLUMN])
        return row_id, label, {column: cells[column] for column in self.builder.TABLE_COLUMNS}

    def _row(
        self, name: str, line: int, id_cells: Mapping[str, str], text: str, label: str
    ) -> tuple[tuple[str, ...], str, dict[str, str]]:
        labels = label_names(self.builder.NAME, out_of_scope=len(DATASETS[self.builder.NAME].scopes) > 1)
        try:
            label = normalize_label(label, labels)
        except UnknownLabelError as error:
            raise UnknownLabelError(f"{name}, line {line}: {error}") from error
        return tuple(id_cells.values()), label, self.builder.table_row(id_cells, text, label)

    def write_tables(self, tables: Tables, folder: Path) -> Counter[str]:
        """Write the files of the splits, and return the number of utterances by split.

        Raises:
            CollectionError: A file exists that holds something else. It is kept.
        """
        counts: Counter[str] = Counter()
        for (part, split), rows in tables.rows.items():
            counts[split] += len(rows)
            path = folder / self.builder.PARTS[part] / SPLIT_FILES[split]
            columns = self.builder.TABLE_COLUMNS
            lines = ["\t".join(columns), *("\t".join(row[column] for column in columns) for row in rows.values())]
            content = ("\n".join(lines) + "\n").encode()
            if path.exists():
                if path.read_bytes() != content:
                    raise CollectionError(f"{path} exists already, with other content, and is kept. Move it away.")
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial:
                partial.write_bytes(content)
        return counts

    def missing_clips(self, tables: Tables, folder: Path) -> tuple[int, int]:
        """Return the number of utterances, and of those whose clip is not in `folder`."""
        ids = [dict(zip(self._id_columns, row_id, strict=True)) for rows in tables.rows.values() for row_id in rows]
        return len(ids), sum(not (folder / self.builder.clip_path(cells)).is_file() for cells in ids)


def split_of(path: str) -> str | None:
    """Return the split whose table a file is by its name, None for another file."""
    name = PurePosixPath(path)
    split = SPLIT_ALIASES.get(name.stem.lower(), name.stem.lower())
    return split if name.suffix.lower() == _TABLE_SUFFIX and split in SPLIT_FILES else None
