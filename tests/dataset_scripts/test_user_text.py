# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Text files as editors, spreadsheets and speech recognisers of all systems write them."""

from __future__ import annotations

import codecs
import json

import pytest

from dataset_scripts.user_text import UserTextError, decode_user_text, read_user_text
from modeling_amess.descriptions_amess import read_descriptions


TEXT = "déjà vu, 你好 😀\nжизнь"
# Notepad's "Unicode" and PowerShell's ">" are UTF-16 LE with a mark; the others come from elsewhere.
MARKED = {
    "UTF-8": b"",
    "UTF-8-SIG": codecs.BOM_UTF8,
    "UTF-16-LE": codecs.BOM_UTF16_LE,
    "UTF-16-BE": codecs.BOM_UTF16_BE,
    "UTF-32-LE": codecs.BOM_UTF32_LE,
    "UTF-32-BE": codecs.BOM_UTF32_BE,
}


def encoded(text: str, encoding: str) -> bytes:
    return MARKED[encoding] + text.encode(encoding.removesuffix("-SIG"))


@pytest.mark.parametrize("encoding", MARKED)
def test_unicode_is_read_with_and_without_its_mark(tmp_path, caplog, encoding):
    file = tmp_path / "a.txt"
    file.write_bytes(encoded(TEXT, encoding))
    assert read_user_text(file) == TEXT
    assert not caplog.messages


@pytest.mark.parametrize("text", ["déjà vu", "“Größe” für 5 €", "¿Qué?"])
def test_western_text_of_windows_is_read_and_told(tmp_path, caplog, text):
    file = tmp_path / "old.txt"
    file.write_bytes(text.encode("cp1252"))
    assert read_user_text(file) == text
    assert len(caplog.messages) == 1 and "old.txt" in caplog.messages[0] and "1252" in caplog.messages[0]


@pytest.mark.parametrize(
    "content",
    [
        "你好吗".encode("gbk"),
        "жизнь".encode("cp1251"),
        "こんにちは".encode("shift_jis"),
        "hello".encode("utf-16-le"),  # without a mark
        encoded("hello", "UTF-16-LE")[:-1],
        b"\x89PNG\r\n\x1a\n\x00\x00",
        "hello\nté\x01".encode("latin-1"),
    ],
)
def test_other_code_pages_and_binary_files_are_refused_by_name(tmp_path, content):
    file = tmp_path / "odd.txt"
    file.write_bytes(content)
    with pytest.raises(UserTextError, match=r"odd\.txt, line \d"):
        decode_user_text(file)


@pytest.mark.parametrize("encoding", MARKED)
def test_descriptions_have_any_of_these_encodings(tmp_path, encoding):
    descriptions = {"Lob 赞": ["Um zu würdigen."]}
    file = tmp_path / "own.json"
    file.write_bytes(encoded(json.dumps(descriptions, ensure_ascii=False), encoding))
    assert read_descriptions(file) == descriptions
