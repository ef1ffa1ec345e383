# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The one reader of tab-separated files: UTF-8, one row a line, no quoting; and of comma-separated ones.

The released repositories read labels with quoting and text without, so that a field that starts with a quote shifts
their rows; here a double quote is an ordinary character everywhere.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class TsvError(ValueError):
    """A row or cell that cannot be read; the message names the file, the line and the column."""


class TsvRow(NamedTuple):
    """One data row: its line number in the file (the header is line 1) and its cells by column name."""

    line: int
    cells: dict[str, str]


_TIMESTAMP = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d)[,.](\d{3})")


def read_tsv(
    path: str | Path, columns: Sequence[str], *, required: Sequence[str] = (), commas: bool = False
) -> list[TsvRow]:
    """Read a tab-separated file with a header.

    Args:
        path: the file.
        columns: columns that the header must have, in any order; further columns are kept too.
        required: columns whose cells must hold more than blanks.
        commas: cells are separated by commas and may be quoted, as spreadsheets write them.

    Raises:
        FileNotFoundError: no such file.
        TsvError: not UTF-8, a column missing from the header, a row with too many or too few cells, an empty
            required cell.
    """
    path = Path(path)
    rows: list[TsvRow] = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        if commas:
            reader = csv.reader(file, strict=True)
        else:
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        try:
            header = next(reader, None)
            if header is None:
                raise TsvError(f"{path}: the file is empty; expected a header with {', '.join(columns)}")
            missing = [column for column in columns if column not in header]
            if missing:
                raise TsvError(
                    f"{path}, line 1: no column {missing[0]!r} in the header; expected {', '.join(columns)}, "
                    f"found {', '.join(header)}"
                )
            if len(set(header)) != len(header):
                raise TsvError(f"{path}, line 1: a column name occurs twice: {', '.join(header)}")
            for cells in reader:
                if not cells:  # a blank line
                    continue
                rows.append(TsvRow(reader.line_num, _named_cells(path, reader.line_num, header, cells)))
        except UnicodeDecodeError as error:
            line = _line_of_first_bad_byte(path)
            raise TsvError(f"{path}, line {line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
        except csv.Error as error:
            raise TsvError(f"{path}, line {reader.line_num}: {error}") from error
    for row in rows:
        for column in required:
            if not row.cells[column].strip():
                raise TsvError(f"{path}, line {row.line}, column {column!r}: empty; fill it in or remove the row")
    return rows


def parse_timestamp(cell: str) -> float | None:
    """Seconds of a `HH:MM:SS,mmm` timestamp, or None where the cell holds anything else."""
    match = _TIMESTAMP.fullmatch(cell.strip())
    if match is None:
        return None
    hours, minutes, seconds, milliseconds = (int(group) for group in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _named_cells(path: Path, line: int, header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) < len(header):
        raise TsvError(
            f"{path}, line {line}: {len(cells)} cells where the header has {len(header)}; "
            f"column {header[len(cells)]!r} is missing"
        )
    if len(cells) > len(header):
        raise TsvError(
            f"{path}, line {line}: {len(cells)} cells where the header has {len(header)}; "
            f"{cells[len(header)]!r} follows the last column {header[-1]!r} (a tab within a cell?)"
        )
    return dict(zip(header, cells, strict=True))


def _line_of_first_bad_byte(path: Path) -> int:
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return number
    return 1
