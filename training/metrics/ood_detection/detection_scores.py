# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The numbers of the metric, apart from `evaluate`, whose import takes as long as a short training run's start."""

import numpy as np


MIN_TRUE_POSITIVE_RATE = 0.95


def ood_detection(scores, references) -> dict[str, float]:
    """How well a score tells in-scope samples (the positives) from out-of-scope ones.

    A threshold accepts the scores that reach it. TPR is the share of in-scope samples that are accepted, FPR the
    share of out-of-scope ones, FNR = 1 - TPR.

    Args:
        scores: `(samples,)`, higher means in scope. Only their order matters.
        references: 1 for in scope, 0 for out of scope `(samples,)`.

    Returns:
        Fractions in [0, 1]:
        - `auroc`: area under the ROC curve; equal scores count half.
        - `aupr_in`, `aupr_out`: area under the precision-recall curve by the trapezoidal rule, the positives being
          in scope, or out of scope with the negated score.
        - `fpr95`: the lowest FPR at a TPR of at least 95 %.
        - `eer`: the error rate where FPR = FNR, on the ROC curve with straight lines between its points.
        - `der`: detection error, the lowest P(in) FNR + P(out) FPR over all thresholds.
        - `der_swapped_priors`: what MIntRec2.0's and MIntOOD's code calls DER: P(out) FNR + P(in) FPR, the lowest at
          a TPR of at least 95 %. The priors have changed places.

    Raises:
        ValueError: unequal numbers, a score that is not finite, or not both kinds of samples.
    """
    scores, references = np.asarray(scores, dtype=np.float64), np.asarray(references, dtype=np.int64)
    if scores.shape != references.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape} and references {references.shape} must be equally long lists.")
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are no finite number.")
    if set(np.unique(references)) != {0, 1}:
        raise ValueError("references must hold both 1 (in scope) and 0 (out of scope), and nothing else.")
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
    """Accepted positives and negatives at every threshold, from one that accepts nothing to one that accepts all."""
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
