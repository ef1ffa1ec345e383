# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Answers of the pipeline to many inputs, of which some may be damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dataset_scripts.errors import as_interrupt
from dataset_scripts.extraction.command import answer_or_error


if TYPE_CHECKING:
    from modeling_amess import IntentRecognitionPipeline


class NamedParts(NamedTuple):
    """One input of the pipeline, and its name in messages."""

    parts: dict[str, Any]
    name: str


def answers(
    recognizer: IntentRecognitionPipeline, inputs: Sequence[NamedParts], batch_size: int, **options: Any
) -> Iterator[dict[str, Any]]:
    """Yield the answer to each input, or a dict with the `error`, in their order.

    Args:
        recognizer: Pipeline of a trained model.
        inputs: Inputs that go through the model together, `batch_size` at a time.
        batch_size: Number of inputs per batch.
        options: Further arguments of the pipeline's call.
    """
    for start in range(0, len(inputs), batch_size):
        yield from _batch_answers(recognizer, inputs[start : start + batch_size], options)


def _batch_answers(
    recognizer: IntentRecognitionPipeline, batch: Sequence[NamedParts], options: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Answer a batch; one with a damaged input is read again one by one, so that it touches no other."""
    results: Any = None
    if len(batch) > 1:
        try:
            results = recognizer([one.parts for one in batch], batch_size=len(batch), **options)
        except Exception as error:  # of any type, as in `answer_or_error`, which says what is wrong with which input
            if as_interrupt(error) is not None:
                raise
    if results is not None:
        yield from results
        return
    for one in batch:
        yield answer_or_error(recognizer, one.parts, one.name, **options)
