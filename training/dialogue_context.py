# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which utterances of a dialogue come before each one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from .arguments import SettingsError


COLUMNS = ("dialogue_id", "utterance_id")


def dialogue_contexts(
    dialogue_ids: Sequence[Hashable], utterance_ids: Sequence[Any], texts: Sequence[str], count: int
) -> list[list[str]]:
    """
    The texts of up to `count` rows of the same dialogue that come before each row, oldest first.

    What comes before is what the rows hold: MIntRec2.0 in scope skips the utterances between that have no intent, and
    with scope "all" has them. So a result does not depend on which other files are there.

    Args:
        dialogue_ids, utterance_ids, texts: of one split's rows, in any order; utterance ids are numbers.

    Raises:
        SettingsError: an utterance id that is no number, or occurs twice in a dialogue.
    """
    dialogues: dict[Hashable, dict[int, int]] = {}
    for row, (dialogue, utterance) in enumerate(zip(dialogue_ids, utterance_ids, strict=True)):
        try:
            number = int(utterance)
        except (TypeError, ValueError):
            raise SettingsError(
                f"utterance_id {utterance!r} of row {row} is no number: it orders a dialogue."
            ) from None
        if number in dialogues.setdefault(dialogue, {}):
            raise SettingsError(f"dialogue {dialogue!r} has the utterance {number} twice: their order is not known.")
        dialogues[dialogue][number] = row
    contexts: list[list[str]] = [[] for _ in texts]
    for utterances in dialogues.values():
        rows = [utterances[number] for number in sorted(utterances)]
        for place, row in enumerate(rows):
            contexts[row] = [texts[before] for before in rows[max(place - count, 0) : place]]
    return contexts
