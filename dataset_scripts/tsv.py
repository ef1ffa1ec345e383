# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The only reader of tables: released tab-separated files, in which a quote is a character, and tables of users.

The released repositories read labels with quoting and text without, so that a field that starts with a quote shifts
their rows. In released files a double quote is an ordinary character everywhere. Users' tables come from spreadsheets,
pandas and editors, in any common encoding.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import UserError
from .user_text import read_user_text


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


def read_tsv(path: str | Path, columns: Sequence[str], *, required: Sequence[str] = ()) -> list[TsvRow]:
    """Read a released file: UTF-8, tab-separated, with a header, one row per line, without quoting.

    Args:
        path: Path of the file.
        columns: Columns that the header must have, in any order. Further columns are kept too.
        required: Columns whose cells must hold more than blanks.

    Raises:
        FileNotFoundError: The file does not exist.
        TsvError: The file is not UTF-8, the header lacks a column, a row has too many or too few cells, or a required
            cell is empty.
    """
    path = Path(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = _read_rows(path, file, "\t", quoted=False)
    except UnicodeDecodeError as error:
        line = _line_of_first_bad_byte(path)
        raise TsvError(f"{path}, line {line}: Not UTF-8 ({error.reason}). Save the file as UTF-8.") from error
    return _named_rows(path, rows, columns, required)


def read_table(
    path: str | Path, columns: Sequence[str] = (), *, required: Sequence[str] = (), one_of: Sequence[str] = ()
) -> list[TsvRow]:
    """Read a user's table, as spreadsheets, pandas and people write it, in any common encoding.

    A `.csv` has commas, or semicolons where the decimal point is a comma; any other file has tabs. Cells may be quoted
    and then hold line breaks. In a tab-separated file that was typed, where quotes do not come in pairs around a cell,
    they are text. Columns without a name, such as the index of pandas, and empty rows are left out.

    Args:
        path: Path of the file.
        columns: Columns that the header must have, in any order. Further columns are kept too.
        required: Columns whose cells must hold more than blanks.
        one_of: Columns of which the header must have at least one.

    Raises:
        FileNotFoundError: The file does not exist.
        UserTextError: The file's encoding is not known.
        TsvError: The header lacks a column, a row has too many or too few cells, or a required cell is empty.
    """
    path = Path(path)
    text = read_user_text(path)
    delimiter = _delimiter(path, text, columns, one_of)

    def read(quoted: bool) -> list[TsvRow]:
        rows = _read_rows(path, io.StringIO(text, newline=""), delimiter, quoted)
        return _named_rows(path, _without_blanks(rows), columns, required, one_of)

    if delimiter != "\t" or '"' not in text:
        return read(quoted=True)
    try:
        rows = read(quoted=True)
    except TsvError:
        return read(quoted=False)
    # A quote that nobody closed swallows the cells and lines up to the next one.
    if any("\t" in cell and "\n" in cell for row in rows for cell in row.cells.values()):
        try:
            return read(quoted=False)
        except TsvError:
            return rows
    return rows


def parse_timestamp(cell: str) -> float | None:
    """Return the seconds of a `HH:MM:SS,mmm` timestamp, or None where the cell holds anything else."""
    match = _TIMESTAMP.fullmatch(cell.strip())
    if match is None:
        return None
    hours, minutes, seconds, milliseconds = (int(group) for group in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


_Rows = list[tuple[int, list[str]]]  # with the line on which each ends


def _read_rows(path: Path, lines: Iterable[str], delimiter: str, quoted: bool) -> _Rows:
    # Two calls, because the type of `quoting` is a literal.
    if quoted:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
    else:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    try:
        return [(reader.line_num, cells) for cells in reader if cells]  # without blank lines
    except csv.Error as error:
        raise TsvError(f"{path}, line {reader.line_num}: The line cannot be read: {error}.") from error


def _without_blanks(rows: _Rows) -> _Rows:
    """Leave out empty rows, which spreadsheets append, and columns without a name."""
    if not rows:
        return rows
    (line, header), *rest = rows
    header = [name.strip() for name in header]
    # Shorter and longer rows keep their cells, so that the error about them counts as the user does.
    named = [place for place, name in enumerate(header) if name]
    return [(line, [header[place] for place in named])] + [
        (line, [cells[place] for place in named] if len(cells) == len(header) else cells)
        for line, cells in rest
        if any(cell.strip() for cell in cells)
    ]


def _named_rows(
    path: Path, rows: _Rows, columns: Sequence[str], required: Sequence[str], one_of: Sequence[str] = ()
) -> list[TsvRow]:
    header = _checked_header(path, rows[0][1] if rows else None, columns, one_of)
    named = [TsvRow(line, _named_cells(path, line, header, cells)) for line, cells in rows[1:]]
    for row in named:
        for column in required:
            if not row.cells[column].strip():
                raise TsvError(
                    f"{path}, line {row.line}, column {column!r}: The cell is empty. Fill it in or remove the row."
                )
    return named


def _delimiter(path: Path, text: str, columns: Sequence[str], one_of: Sequence[str]) -> str:
    """The delimiter that the file's ending promises, or the one that gives the header its columns."""
    usual = "," if path.suffix.lower() == ".csv" else "\t"
    first_line = text.lstrip("\r\n").splitlines()[:1]
    for delimiter in (usual, ";", "\t", ","):
        names = {name.strip().strip('"') for line in first_line for name in line.split(delimiter)}
        if names.issuperset(columns) and (not one_of or names.intersection(one_of)):
            return delimiter
    return usual


def _checked_header(
    path: Path, header: list[str] | None, columns: Sequence[str], one_of: Sequence[str] = ()
) -> list[str]:
    needed = ", ".join([*columns, *([" or ".join(one_of)] if one_of else [])])
    if header is None:
        raise TsvError(f"{path}: The file is empty. It needs a header with {needed}.")
    missing = [column for column in columns if column not in header]
    if not missing and one_of and not {*one_of} & {*header}:
        missing = [one_of[0]]
    if missing:
        raise TsvError(
            f"{path}, line 1: The header has no column {missing[0]!r}. It needs {needed}, and has {', '.join(header)}."
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
