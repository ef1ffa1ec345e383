# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The threshold of a score, fitted on the validation split: below it, an utterance counts as out of scope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..metrics.open_intent.open_intent_scores import open_intent


KEPT_SHARE = 0.95
BEST_F1 = "the best F1 over the intents and out of scope on the validation split"
KEEPS_MOST = f"keeping {100 * KEPT_SHARE:.0f} % of the validation split in scope"
NONE_IN_SCOPE = f"the {100 * (1 - KEPT_SHARE):.0f} % quantile of a validation split without an utterance in scope"


@dataclass(frozen=True)
class Threshold:
    """A threshold and the reason for its value.

    Attributes:
        value: Lowest score in scope.
        criterion: Criterion that chose the value, in words.
    """

    value: float
    criterion: str

    def decide(self, scores: np.ndarray, predictions: np.ndarray, num_intents: int) -> np.ndarray:
        """Replace the predictions whose score is below the threshold by `num_intents`, the id of out of scope.

        This is `AmessConfig.is_out_of_scope`, the pipeline's rule, for arrays and for any score.

        Args:
            scores: Scores `(utterances,)`; higher means in scope.
            predictions: Predicted ids `(utterances,)`.
            num_intents: Number of intents.
        """
        return np.where(scores >= self.value, predictions, num_intents)


def fit_threshold(scores: np.ndarray, predictions: np.ndarray, references: np.ndarray, num_intents: int) -> Threshold:
    """Choose the threshold with the best `open_intent` F1, or the one that keeps 95 % of the utterances in scope.

    The second criterion is for a validation split with utterances of one kind only. Of equally good thresholds the
    lowest wins; a threshold that would put every utterance out of scope is not considered.

    Args:
        scores: Scores of the validation split `(utterances,)`; higher means in scope.
        predictions: Predicted ids from 0 to `num_intents`, if the score is high enough `(utterances,)`.
        references: Gold ids, `num_intents` for out of scope `(utterances,)`.
        num_intents: Number of intents.
    """
    scores = scores.astype(np.float64)
    outside = references == num_intents
    if outside.all() or not outside.any():
        criterion = NONE_IN_SCOPE if outside.all() else KEEPS_MOST
        return Threshold(float(np.quantile(scores, 1 - KEPT_SHARE, method="lower")), criterion)
    distinct = np.unique(scores)
    # Halfway between two scores, so that the last bit of neither decides.
    values = np.append(distinct[0], (distinct[1:] + distinct[:-1]) / 2)
    candidates = [Threshold(float(value), BEST_F1) for value in values]
    # `max` returns the first of equal ones.
    return max(
        candidates,
        key=lambda item: open_intent(item.decide(scores, predictions, num_intents), references, num_intents)["f1"],
    )
