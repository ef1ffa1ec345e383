# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of intent classification with an out-of-scope class, apart from the `evaluate` module.

The import of `evaluate` takes as long as the start of a short training run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def open_intent(predictions: ArrayLike, references: ArrayLike, num_intents: int) -> dict[str, float]:
    """Compute accuracy and macro F1 over the intents and the out-of-scope class, whose id is `num_intents`.

    The labels are fixed: one that occurs nowhere has F1 0 and still counts, so that
    `f1 = (num_intents * f1_in_scope + f1_out_of_scope) / (num_intents + 1)` always holds. MIntRec2.0's code (commit
    38cb8bf1) takes the labels from the data instead, where its last table row need not be the out-of-scope class.

    Args:
        predictions: Predicted ids `(utterances,)` from 0 to `num_intents`.
        references: Gold ids `(utterances,)` from 0 to `num_intents`.
        num_intents: Number K of intents, at least 1.

    Returns:
        `accuracy` (ACC), `f1_in_scope` (F1-IS), `f1_out_of_scope` (F1-OOS) and `f1` (F1) in [0, 1], not rounded.

    Raises:
        ValueError: No utterance, different numbers of utterances, no intent, or an id outside 0 to `num_intents`.
    """
    predicted_ids, gold_ids = np.asarray(predictions, dtype=np.int64), np.asarray(references, dtype=np.int64)
    if predicted_ids.shape != gold_ids.shape or predicted_ids.ndim != 1:
        raise ValueError(
            f"predictions {predicted_ids.shape} and references {gold_ids.shape} must be equally long lists: one id "
            "per utterance in each."
        )
    if len(gold_ids) == 0:
        raise ValueError("There is no utterance to compute metrics of: predictions and references are empty.")
    smallest, highest = min(predicted_ids.min(), gold_ids.min()), max(predicted_ids.max(), gold_ids.max())
    if num_intents < 1 or smallest < 0 or highest > num_intents:
        raise ValueError(
            f"Ids run from {smallest} to {highest}; expected 0 to num_intents={num_intents}, the last being out of "
            "scope."
        )
    predicted = np.bincount(predicted_ids, minlength=num_intents + 1)
    support = np.bincount(gold_ids, minlength=num_intents + 1)
    correct = np.bincount(gold_ids[predicted_ids == gold_ids], minlength=num_intents + 1)
    # 2PR / (P + R) in counts, which needs no case for P = R = 0.
    f1 = 2 * correct / np.maximum(predicted + support, 1)
    return {
        "accuracy": float(correct.sum() / len(gold_ids)),
        "f1_in_scope": float(f1[:-1].mean()),
        "f1_out_of_scope": float(f1[-1]),
        "f1": float(f1.mean()),
    }
