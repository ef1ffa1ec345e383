# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest

from dataset_scripts.tsv import TsvError, parse_timestamp, read_tsv


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "rows.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


def test_quotes_and_unusual_characters_are_ordinary_text(write):
    texts = ['"never closed', 'a "quoted" word', "", "caf\u00e9 \u2019 \ue559 \u2028 \x85"]
    path = write("id\ttext\n" + "".join(f"{n}\t{text}\n" for n, text in enumerate(texts)))
    rows = read_tsv(path, ["id", "text"])
    assert [row.cells["text"] for row in rows] == texts
    assert [row.line for row in rows] == [2, 3, 4, 5]


def test_byte_order_mark_and_windows_line_ends_are_understood(write):
    path = write("\ufeffid\ttext\r\n1\thi\r\n\r\n2\tbye")
    assert [row.cells for row in read_tsv(path, ["id"])] == [{"id": "1", "text": "hi"}, {"id": "2", "text": "bye"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "The file is empty"),
        ("id\tlabel\n1\tx\n", "line 1: The header has no column 'text'"),
        ("id\ttext\ttext\n", "line 1: A column name occurs twice"),
        ("id\ttext\n1\thi\n2\n", "line 3: 1 cells where the header has 2. Column 'text' is missing"),
        ("id\ttext\n1\thi\tmore\n", "line 2: 3 cells where the header has 2. 'more' follows the last column 'text'"),
        ("id\ttext\n1\thi\n2\t \n", "line 3, column 'text': The cell is empty"),
        (b"id\ttext\n1\thi\n2\tcaf\xe9\n", "line 3: Not UTF-8"),
        ("id\ttext\n1\t" + "x" * 200_000 + "\n", "line 2: The line cannot be read: field larger than field limit"),
    ],
)
def test_malformed_files_are_refused_with_file_line_and_column(write, content, message):
    path = write(content)
    with pytest.raises(TsvError, match=re.escape(message)) as error:
        read_tsv(path, ["id", "text"], required=["text"])
    assert str(path) in str(error.value)


def test_timestamps_are_seconds_and_anything_else_is_unknown():
    assert parse_timestamp("00:02:19,907") == pytest.approx(139.907)
    assert parse_timestamp("01:00:00.500") == 3600.5
    assert [parse_timestamp(cell) for cell in ("65", "", "00:61:00,000", "00:00:01")] == [None] * 4
