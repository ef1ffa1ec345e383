# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of out-of-scope scores, apart from the `evaluate` module.

The import of `evaluate` takes as long as the start of a short training run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


MIN_TRUE_POSITIVE_RATE = 0.95


def ood_detection(scores: ArrayLike, references: ArrayLike) -> dict[str, float]:
    """Measure how well a score tells utterances in scope (the positives) from utterances out of scope.

    A threshold accepts the scores that reach it. TPR is the share of utterances in scope that are accepted, FPR the
    share of utterances out of scope that are accepted, FNR = 1 - TPR.

    Args:
        scores: Scores `(utterances,)`; higher means in scope. Only their order matters.
        references: 1 for in scope, 0 for out of scope `(utterances,)`.

    Returns:
        Metrics in [0, 1]:
        - `auroc`: Area under the ROC curve; equal scores count half.
        - `aupr_in`, `aupr_out`: Area under the precision-recall curve by the trapezoidal rule. The positives are in
          scope, or out of scope with the negated score.
        - `fpr95`: Lowest FPR at a TPR of at least 95 %.
        - `eer`: Error rate where FPR = FNR, on the ROC curve with straight lines between its points.
        - `der`: Detection error, the lowest P(in) FNR + P(out) FPR over all thresholds.
        - `der_swapped_priors`: DER of MIntRec2.0's and MIntOOD's code: the lowest P(out) FNR + P(in) FPR at a TPR of
          at least 95 %. The priors have changed places.

    Raises:
        ValueError: Different numbers of scores and references, a score that is not finite, or utterances of one kind
            only.
    """
    scores, references = np.asarray(scores, dtype=np.float64), np.asarray(references, dtype=np.int64)
    if scores.shape != references.shape or scores.ndim != 1:
        raise ValueError(
            f"scores {scores.shape} and references {references.shape} must be equally long lists: one value per "
            "utterance in each."
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite: they have no place in the "
            "order."
        )
    if set(np.unique(references)) != {0, 1}:
        raise ValueError("references must hold both 1 (in scope) and 0 (out of scope), and no other value.")
    accepted_in, accepted_out = _counts(scores, references)
    num_in, num_out = accepted_in[-1], accepted_out[-1]
    tpr, fpr = accepted_in / num_in, accepted_out / num_out
    share_in = num_in / len(scores)
    enough = tpr >= MIN_TRUE_POSITIVE_RATE
    return {
        "auroc": float(np.trapezoid(tpr, fpr)),
        "aupr_in": _precision_recall_area(accepted_in, accepted_out),
        "aupr_out": _precision_recall_area(*_counts(-scores, 1 - references)),
        "fpr95": float(fpr[enough].min()),
        "eer": _equal_error_rate(tpr, fpr),
        "der": float((share_in * (1 - tpr) + (1 - share_in) * fpr).min()),
        "der_swapped_priors": float(((1 - share_in) * (1 - tpr) + share_in * fpr)[enough].min()),
    }


def _counts(scores: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count accepted positives and negatives per threshold, from one that accepts none to one that accepts all."""
    order = np.argsort(-scores, kind="stable")
    # Equal scores are accepted together.
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    positives = np.cumsum(references[order])[last]
    return np.append(0, positives), np.append(0, last + 1 - positives)


def _precision_recall_area(positives: np.ndarray, negatives: np.ndarray) -> float:
    accepted = positives + negatives
    precision = np.divide(positives, accepted, out=np.ones(len(accepted)), where=accepted > 0)
    return float(np.trapezoid(precision, positives / positives[-1]))


def _equal_error_rate(tpr: np.ndarray, fpr: np.ndarray) -> float:
    difference = fpr - (1 - tpr)  # rises from -1 to 1
    after = int(np.argmax(difference >= 0))
    before = after - 1
    share = -difference[before] / (difference[after] - difference[before])
    return float(fpr[before] + share * (fpr[after] - fpr[before]))
