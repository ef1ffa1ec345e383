# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The only reader of tab-separated files (UTF-8, one row per line, no quoting) and of CSV files.

The released repositories read labels with quoting and text without, so that a field that starts with a quote shifts
their rows. Here a double quote is an ordinary character everywhere.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import UserError


class TsvError(UserError):
    """A row or cell that cannot be read. The message names the file, the line and the column."""


class TsvRow(NamedTuple):
    """One data row.

    Attributes:
        line: Line number in the file; the header is line 1.
        cells: Cells by column name.
    """

    line: int
    cells: dict[str, str]


_TIMESTAMP = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d)[,.](\d{3})")


def read_tsv(
    path: str | Path, columns: Sequence[str], *, required: Sequence[str] = (), commas: bool = False
) -> list[TsvRow]:
    """Read a tab-separated file with a header.

    Args:
        path: Path of the file.
        columns: Columns that the header must have, in any order. Further columns are kept too.
        required: Columns whose cells must hold more than blanks.
        commas: Whether commas separate the cells, which may be quoted, as spreadsheets write them.

    Raises:
        FileNotFoundError: The file does not exist.
        TsvError: The file is not UTF-8, the header lacks a column, a row has too many or too few cells, or a required
            cell is empty.
    """
    path = Path(path)
    rows: list[TsvRow] = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        quoted = csv.reader(file, strict=True)
        reader = quoted if commas else csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        try:
            header = _checked_header(path, next(reader, None), columns)
            rows.extend(
                TsvRow(reader.line_num, _named_cells(path, reader.line_num, header, cells))
                for cells in reader
                if cells  # not a blank line
            )
        except UnicodeDecodeError as error:
            line = _line_of_first_bad_byte(path)
            raise TsvError(f"{path}, line {line}: Not UTF-8 ({error.reason}). Save the file as UTF-8.") from error
        except csv.Error as error:
            raise TsvError(f"{path}, line {reader.line_num}: The line cannot be read: {error}.") from error
    for row in rows:
        for column in required:
            if not row.cells[column].strip():
                raise TsvError(
                    f"{path}, line {row.line}, column {column!r}: The cell is empty. Fill it in or remove the row."
                )
    return rows


def parse_timestamp(cell: str) -> float | None:
    """Return the seconds of a `HH:MM:SS,mmm` timestamp, or None where the cell holds anything else."""
    match = _TIMESTAMP.fullmatch(cell.strip())
    if match is None:
        return None
    hours, minutes, seconds, milliseconds = (int(group) for group in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _checked_header(path: Path, header: list[str] | None, columns: Sequence[str]) -> list[str]:
    if header is None:
        raise TsvError(f"{path}: The file is empty. It needs a header with {', '.join(columns)}.")
    missing = [column for column in columns if column not in header]
    if missing:
        raise TsvError(
            f"{path}, line 1: The header has no column {missing[0]!r}. It needs {', '.join(columns)}, and has "
            f"{', '.join(header)}."
        )
    if len(set(header)) != len(header):
        raise TsvError(f"{path}, line 1: A column name occurs twice: {', '.join(header)}. Rename one.")
    return header


def _named_cells(path: Path, line: int, header: list[str], cells: list[str]) -> dict[str, str]:
    counts = f"{path}, line {line}: {len(cells)} cells where the header has {len(header)}."
    if len(cells) < len(header):
        raise TsvError(f"{counts} Column {header[len(cells)]!r} is missing.")
    if len(cells) > len(header):
        raise TsvError(
            f"{counts} {cells[len(header)]!r} follows the last column {header[-1]!r}. Is there a tab in a cell?"
        )
    return dict(zip(header, cells, strict=True))


def _line_of_first_bad_byte(path: Path) -> int:
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return number
    return 1
