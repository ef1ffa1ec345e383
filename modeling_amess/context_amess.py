# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Dialogue context: the utterances before the present one as the second text segment."""

from collections.abc import Sequence
from typing import Any


def previous_utterances(
    text: str | Sequence[str] | None, context: Any, number: int, context_utterances: int
) -> list[list[str]]:
    """
    What was said before each utterance of a batch, of the last `context_utterances` that are given.

    Args:
        text: the batch's text as the processor was given it.
        context: of one utterance (`text` is a string) its previous utterances, oldest first, or a string for a single
            one; of a list of utterances a list with such an entry, or `None`, for each.
        number: utterances of the batch.
        context_utterances: previous utterances that the model was trained with.

    Raises:
        ValueError: a model without context, context without text, another number of entries, entries of other types.
    """
    if not context_utterances:
        raise ValueError(
            "context was given, but this processor is of a model that reads none (context_utterances=0): leave it "
            "out, or train with --context_utterances."
        )
    if text is None:
        raise ValueError("context was given without text: it is what was said before the text.")
    if not isinstance(text, str) and (isinstance(context, str) or len(context) != number):
        given = "one string" if isinstance(context, str) else len(context)
        raise ValueError(f"{number} texts but {given} context: give one entry for each utterance.")
    rows = []
    for index, row in enumerate([context] if isinstance(text, str) else context):
        row = [] if row is None else [row] if isinstance(row, str) else row
        if not isinstance(row, Sequence) or not all(isinstance(utterance, str) for utterance in row):
            raise ValueError(f"The context of utterance {index} must be a string or a list of strings, not {row!r}.")
        rows.append(list(row[-context_utterances:]))
    return rows


def add_context(
    tokenizer: Any,
    encoded: dict[str, list[list[int]]],
    texts: Sequence[str],
    contexts: Sequence[Sequence[str]],
    max_context_length: int,
) -> bool:
    """
    Append the context to encoded utterances, in place: `[CLS] utterance [SEP] context [SEP]`, with segment id 1 for
    the context where the tokenizer knows segments (BERT's does, RoBERTa's does not). The previous utterances stand in
    the order in which they were said. The utterance itself is left as it is; of too long a context the beginning is
    cut. A row without context stays a row of one segment.

    The model takes both segments for its text: anchors, fusion and pooling run over all of it, and the segment ids
    tell it which part the sound and the picture belong to.

    Args:
        tokenizer: of the BERT family, whose encoding of a pair begins with that of its first part.
        encoded: its encoding of `texts`, not padded.
        texts: the utterances `(batch)`.
        contexts: what was said before each, oldest first.
        max_context_length: tokens of the second segment, separators included.

    Returns:
        Whether any context was cut.
    """
    joined = {row: " ".join(context) for row, context in enumerate(contexts) if any(map(str.strip, context))}
    if not joined:
        return False
    # Without truncation: the tokenizer knows one limit for both parts, and the warning of too long a text is ours.
    pairs = tokenizer([texts[row] for row in joined], list(joined.values()), truncation=False, verbose=False)
    was_cut = False
    for place, row in enumerate(joined):
        segments = pairs.sequence_ids(place)
        second = range(segments.count(0) + tokenizer.num_special_tokens_to_add(pair=False), len(segments))
        words = [position for position in second if segments[position] == 1]
        room = max(max_context_length - (len(second) - len(words)), 0)
        was_cut |= len(words) > room
        dropped = set(words[: max(len(words) - room, 0)])
        if len(dropped) == len(words):
            continue
        for name in encoded:
            values = pairs[name][place]
            encoded[name][row] = encoded[name][row] + [values[i] for i in second if i not in dropped]
    return was_cut


__all__ = ["add_context", "previous_utterances"]
