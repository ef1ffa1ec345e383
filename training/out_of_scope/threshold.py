# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The threshold of a score below which an utterance counts as out of scope, chosen on the validation split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..metrics.open_intent.open_intent_scores import open_intent


KEPT_SHARE = 0.95
BEST_F1 = "the best F1 over the intents and out of scope on the validation split"
KEEPS_MOST = f"keeping {100 * KEPT_SHARE:.0f} % of the validation split in scope"


@dataclass(frozen=True)
class Threshold:
    """Attributes:
    value: a score below it means out of scope.
    criterion: what it was chosen for, in words.
    """

    value: float
    criterion: str

    def decide(self, scores: np.ndarray, predictions: np.ndarray, num_intents: int) -> np.ndarray:
        """The predictions, and `num_intents` in place of those whose score is below the threshold `(rows,)`."""
        return np.where(scores >= self.value, predictions, num_intents)


def calibrate_threshold(
    scores: np.ndarray, predictions: np.ndarray, references: np.ndarray, num_intents: int
) -> Threshold:
    """The threshold with the best `open_intent` F1 where there are rows of both kinds, the lowest of equally good ones;
    otherwise the one that keeps 95 % of the rows in scope. None that would put every row out of scope is considered.

    Args:
        scores: of the validation rows, higher means in scope `(rows,)`.
        predictions: what an accepted row is taken for, ids from 0 to `num_intents` `(rows,)`.
        references: gold ids, `num_intents` for out of scope `(rows,)`.
    """
    scores = scores.astype(np.float64)
    outside = references == num_intents
    if outside.all() or not outside.any():
        return Threshold(float(np.quantile(scores, 1 - KEPT_SHARE, method="lower")), KEEPS_MOST)
    distinct = np.unique(scores)
    # Between two scores, so that the last bit of neither decides.
    candidates = np.append(distinct[0], (distinct[1:] + distinct[:-1]) / 2)
    f1 = [
        open_intent(np.where(scores >= value, predictions, num_intents), references, num_intents)["f1"]
        for value in candidates
    ]
    return Threshold(float(candidates[int(np.argmax(f1))]), BEST_F1)
