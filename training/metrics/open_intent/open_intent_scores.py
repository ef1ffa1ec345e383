# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The numbers of the metric, apart from `evaluate`, whose import takes as long as a short training run's start."""

import numpy as np


def open_intent(predictions, references, num_intents: int) -> dict[str, float]:
    """Accuracy and macro F1 over `num_intents` intents and the out-of-scope class, whose id is `num_intents`.

    The labels are fixed: one that occurs nowhere has F1 0 and still counts, so that
    `f1 = (num_intents * f1_in_scope + f1_out_of_scope) / (num_intents + 1)` always holds. MIntRec2.0's code (commit
    38cb8bf1) takes the labels from the data instead, where its last row need not be the out-of-scope class.

    Args:
        predictions, references: ids from 0 to `num_intents` `(samples,)`.
        num_intents: K, the number of intents.

    Returns:
        `accuracy` (ACC), `f1_in_scope` (F1-IS), `f1_out_of_scope` (F1-OOS) and `f1` (F1) in [0, 1], unrounded.

    Raises:
        ValueError: no sample, unequal numbers, or an id outside 0 to `num_intents`.
    """
    predictions, references = np.asarray(predictions, dtype=np.int64), np.asarray(references, dtype=np.int64)
    if predictions.shape != references.shape or predictions.ndim != 1:
        raise ValueError(
            f"predictions {predictions.shape} and references {references.shape} must be equally long lists."
        )
    if len(references) == 0:
        raise ValueError("There is no sample to compute metrics of.")
    smallest, highest = min(predictions.min(), references.min()), max(predictions.max(), references.max())
    if num_intents < 1 or smallest < 0 or highest > num_intents:
        raise ValueError(
            f"Ids run from {smallest} to {highest}; expected 0 to num_intents={num_intents}, the last being out of "
            "scope."
        )
    predicted = np.bincount(predictions, minlength=num_intents + 1)
    support = np.bincount(references, minlength=num_intents + 1)
    correct = np.bincount(references[predictions == references], minlength=num_intents + 1)
    # 2PR / (P + R) in counts, which needs no case for P = R = 0.
    f1 = 2 * correct / np.maximum(predicted + support, 1)
    return {
        "accuracy": float(correct.sum() / len(references)),
        "f1_in_scope": float(f1[:-1].mean()),
        "f1_out_of_scope": float(f1[-1]),
        "f1": float(f1.mean()),
    }
