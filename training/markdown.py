# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Numbers, lists and tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def percent(value: float) -> str:
    """A fraction in percent, one digit after the point."""
    return f"{100 * value:.1f}"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; its first column is text, the others numbers."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [titles, ["---", *("---:" for _ in titles[1:])], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
