# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The rows of the embedded sample, and the face and tone of voice of each intent."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from ..tsv import TsvError, read_tsv


# Expressions of face and gesture, which the camera sees, and tones of voice, which the microphone hears.
EXPRESSIONS: tuple[str, ...] = ("smile", "frown", "smirk", "nod", "wide_eyes")
TONES: tuple[str, ...] = ("bright", "low", "flat", "sharp", "rising")

# Two intents share a pair only where no text occurs with both of them: text and pair together always tell the intent,
# while the pair alone cannot (12 pairs for 20 intents) and neither can the text.
INTENT_EXPRESSIONS: dict[str, tuple[str, str]] = {
    "Complain": ("frown", "flat"),
    "Praise": ("smile", "bright"),
    "Apologise": ("frown", "low"),
    "Thank": ("smile", "low"),
    "Criticize": ("frown", "sharp"),
    "Agree": ("nod", "bright"),
    "Taunt": ("smirk", "flat"),
    "Flaunt": ("smirk", "bright"),
    "Joke": ("smirk", "bright"),
    "Oppose": ("wide_eyes", "sharp"),
    "Comfort": ("smile", "low"),
    "Care": ("frown", "low"),
    "Inform": ("nod", "flat"),
    "Advise": ("nod", "rising"),
    "Arrange": ("nod", "flat"),
    "Introduce": ("nod", "rising"),
    "Leave": ("frown", "flat"),
    "Prevent": ("frown", "sharp"),
    "Greet": ("smile", "bright"),
    "Ask for help": ("wide_eyes", "rising"),
}

SPLITS: tuple[str, ...] = ("train", "validation", "test")
SAMPLE_FOLDER = Path(__file__).parent
_COLUMNS = ("id", "text", "label", "expression", "tone", "missing")


def read_sample(split: str) -> list[dict[str, str]]:
    """Read the rows of one split.

    They have `id`, `text`, `label` (a name), `expression`, `tone` and `missing` ("", "video" or "audio").

    Raises:
        UserError: The split is unknown.
        TsvError: A row contradicts `INTENT_EXPRESSIONS`.
    """
    if split not in SPLITS:
        raise UserError(f"Unknown split {split!r}. The sample has {', '.join(SPLITS)}.")
    path = SAMPLE_FOLDER / f"{split}.tsv"
    rows = []
    for line, cells in read_tsv(path, _COLUMNS, required=_COLUMNS[:-1]):
        if INTENT_EXPRESSIONS.get(cells["label"]) != (cells["expression"], cells["tone"]):
            raise TsvError(f"{path}, line {line}: Expression and tone are not those of label {cells['label']!r}.")
        rows.append(cells)
    return rows
