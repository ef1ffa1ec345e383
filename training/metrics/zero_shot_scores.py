# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of zero-shot and generalised zero-shot classification."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score


def zero_shot_metrics(similarity: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> dict[str, float]:
    """Compute the metrics of zero-shot and generalised zero-shot classification.

    Args:
        similarity: Scores `(utterances, labels)`; higher is likelier.
        labels: Gold label ids `(utterances,)`.
        is_seen: Booleans `(labels,)`: the labels that the model was trained on.

    Returns:
        - `unseen_accuracy`: Accuracy on utterances of unseen labels, when the model chooses among these labels.
        - `generalized_unseen_accuracy`, `generalized_seen_accuracy`, `harmonic_mean`, `generalized_accuracy`:
          Accuracy on utterances of unseen and of seen labels, their harmonic mean, and the accuracy on all
          utterances, when the model chooses among all labels.
        - `auroc`: AUROC of the largest similarity to a seen label; the positives are utterances of seen labels.
        - `unseen_rows`, `seen_rows`: Numbers of utterances of either kind.
    """
    row_seen = is_seen[labels]
    among_unseen = np.flatnonzero(~is_seen)[similarity[:, ~is_seen].argmax(-1)]
    right = similarity.argmax(-1) == labels
    unseen, seen = float(right[~row_seen].mean()), float(right[row_seen].mean())
    return {
        "unseen_accuracy": float((among_unseen == labels)[~row_seen].mean()),
        "generalized_unseen_accuracy": unseen,
        "generalized_seen_accuracy": seen,
        "harmonic_mean": 2 * unseen * seen / (unseen + seen) if unseen + seen else 0.0,
        "generalized_accuracy": float(right.mean()),
        "auroc": float(roc_auc_score(row_seen, similarity[:, is_seen].max(-1))),
        "unseen_rows": int((~row_seen).sum()),
        "seen_rows": int(row_seen.sum()),
    }
