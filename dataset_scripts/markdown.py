# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Text of others (labels, names of folders and encoders) in the Markdown of cards and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence


class Markdown(str):
    """Text that is Markdown already, which `table` does not escape."""


def escape(text: object) -> str:
    """Write text in one line that Markdown and HTML show as it reads, in a table as elsewhere."""
    if isinstance(text, Markdown):
        return text
    # A bracket alone is harmless, and intervals have them; a link or a picture is not.
    return re.sub(r"[\\`|<*]|\[(?=.*\][(\[:])", r"\\\g<0>", _one_line(text))


def code(text: object) -> Markdown:
    """Write text in one line as code, between fences that are longer than any in the text."""
    line = _one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    pad = " " if "`" in line else ""
    return Markdown(f"{fence}{pad}{line}{pad}{fence}")


def table(titles: Sequence[object], rows: Sequence[Sequence[object]], align: str = "---:") -> str:
    """Make a Markdown table with one column of text and further columns, by default of numbers."""
    lines = [titles, ["---", *(align for _ in titles[1:])], *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(content: object) -> str:
    # A table splits at every bar, also at one in code.
    return content.replace("|", "\\|") if isinstance(content, Markdown) else escape(content)


def _one_line(text: object) -> str:
    # `split` knows all of Unicode's line breaks; what else cannot be printed has no place in a card.
    return "".join(letter for letter in " ".join(str(text).split()) if letter.isprintable())
