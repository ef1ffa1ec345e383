# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import re

import pandas
import pytest

from dataset_scripts.tsv import TsvError, parse_timestamp, read_table, read_tsv


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


TEXTS = [
    'he said "hi"',
    "thanks, man",
    "plain",
    "two\nlines",
    '"quoted throughout"',
    "tab\there",
    "semi;colon",
    '"',
    "tab\tand\nline",
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("name", "separator"), [("a.tsv", "\t"), ("a.csv", ","), ("a.csv", ";"), ("a.csv", "\t")])
@pytest.mark.parametrize("index", [True, False])
def test_tables_are_read_as_pandas_writes_them(tmp_path, name, separator, encoding, index):
    frame = pandas.DataFrame({"clip": [f"é {n}.mp4" for n in range(len(TEXTS))], "text": TEXTS})
    frame.to_csv(tmp_path / name, sep=separator, encoding=encoding, index=index)
    rows = read_table(tmp_path / name, ["clip", "text"])
    assert [row.cells for row in rows] == frame.to_dict("records")


def test_tables_are_read_as_excel_writes_them(write):
    # "Text (Tab delimited)": quotes also where there is a comma, Windows' line ends, its code page, an empty row.
    path = write('clip\ttext\tlabel\r\na.mp4\t"oh, ""great"""\t"Lob, groß"\r\n\t\t\r\n'.encode("cp1252"))
    assert [row.cells for row in read_table(path)] == [{"clip": "a.mp4", "text": 'oh, "great"', "label": "Lob, groß"}]


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_tables_are_read_as_pythons_csv_writes_them(tmp_path, quoting):
    path = tmp_path / "a.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", quoting=quoting).writerows([["text"], *([text] for text in TEXTS)])
    assert [row.cells["text"] for row in read_table(path, ["text"])] == TEXTS


@pytest.mark.parametrize(
    "texts",
    [
        ['"never closed', "then", 'closed"'],
        ['"so" he said', "plain"],
        ['"oh', "x", 'ah"', '"hm"'],
        ['say "ah"', 'and "oh'],
    ],
)
def test_quotes_of_a_table_that_was_typed_are_text(write, texts):
    path = write("text\tclip\n" + "".join(f"{text}\t{n}.mp4\n" for n, text in enumerate(texts)))
    assert [row.cells["text"] for row in read_table(path)] == texts
    # In the last column, too.
    path = write("clip\ttext\n" + "".join(f"{n}.mp4\t{text}\n" for n, text in enumerate(texts)))
    assert [row.cells["text"] for row in read_table(path)] == texts


def test_released_files_keep_every_quote(write):
    path = write('id\ttext\n1\t"oh, ""great"""\n2\t"hi"\n')
    assert [row.cells["text"] for row in read_tsv(path, ["id", "text"])] == ['"oh, ""great"""', '"hi"']


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\tword\n", "no column 'clip'. It needs clip or text"),
        ("clip\ttext\na.mp4\thi\tmore\n", "line 2: 3 cells"),
        ('clip\ttext\na.mp4\t"hi\tmore\n', "line 2: 3 cells"),
        ("", "empty"),
    ],
)
def test_malformed_tables_are_refused_with_file_and_line(write, content, message):
    path = write(content)
    with pytest.raises(TsvError, match=re.escape(message)) as error:
        read_table(path, one_of=("clip", "text"))
    assert str(path) in str(error.value)


def test_timestamps_are_seconds_and_anything_else_is_unknown():
    assert parse_timestamp("00:02:19,907") == pytest.approx(139.907)
    assert parse_timestamp("01:00:00.500") == 3600.5
    assert [parse_timestamp(cell) for cell in ("65", "", "00:61:00,000", "00:00:01")] == [None] * 4
