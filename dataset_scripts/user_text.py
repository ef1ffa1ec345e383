# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The reader of text files that users bring: transcripts, tables and lists, in any common encoding."""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from .errors import UserError


logger = logging.getLogger(__name__)

# The mark of UTF-32 begins with that of UTF-16, so that it comes first.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What Western editions of Windows call ANSI. Its letters are those of Latin-1.
_FALLBACK = "cp1252"
# Western words have single accented letters; Chinese, Japanese, Cyrillic or Greek ones have nothing else.
_OTHER_CODE_PAGE = re.compile(rb"[\x80-\xff]{4}")
_NO_TEXT = re.compile(r"\x00")
_NO_TEXT_IF_GUESSED = re.compile(r"[\x00-\x08\x0e-\x1a]")


class UserTextError(UserError):
    """A file that is no text, or whose encoding is not known. The message names the file."""


def read_user_text(path: str | Path) -> str:
    """Read a text file, and tell where its encoding was guessed.

    Raises:
        OSError: The file cannot be opened.
        UserTextError: The file is no text in a known encoding.
    """
    text, guessed = decode_user_text(path)
    if guessed:
        tell_guessed([path])
    return text


def decode_user_text(path: str | Path) -> tuple[str, bool]:
    """Read a text file: UTF-8, UTF-16 or UTF-32 with a byte order mark, or else Windows-1252 (Latin-1).

    Returns:
        The text without the mark, and whether its encoding was guessed.

    Raises:
        OSError: The file cannot be opened.
        UserTextError: The file is no text in one of these encodings.
    """
    content = Path(path).read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    guessed = False
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        try:
            if encoding != "utf-8" or _OTHER_CODE_PAGE.search(content):
                raise error
            text, guessed = content.decode(_FALLBACK), True
        except UnicodeDecodeError:
            line = content[: error.start].count(b"\n") + 1
            raise UserTextError(
                f"{path}, line {line}: Not {encoding.upper()} ({error.reason}), and no Western text of Windows "
                "either. Save the file as UTF-8."
            ) from error
    if control := (_NO_TEXT_IF_GUESSED if guessed else _NO_TEXT).search(text):
        line = text[: control.start()].count("\n") + 1
        raise UserTextError(
            f"{path}, line {line}: The character {control[0]!r} occurs in no text. Is this a binary file, or UTF-16 "
            "without a byte order mark? Save it as UTF-8."
        )
    return text, guessed


def tell_guessed(paths: Sequence[str | Path]) -> None:
    """Tell of which files the encoding was guessed, in one line."""
    more = f" and {len(paths) - 3} more files" if len(paths) > 3 else ""
    names = ", ".join(map(str, paths[:3])) + more
    logger.warning("%s: Not UTF-8, and read as Windows-1252 (Latin-1). Check the accents, or save as UTF-8.", names)
