# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of (generalised) zero-shot classification."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score


def zero_shot_metrics(similarity: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> dict[str, float]:
    """Metrics of (generalised) zero-shot classification.

    Args:
        similarity: `(rows, labels)`, higher is likelier.
        labels: gold label ids `(rows,)`.
        is_seen: `(labels,)`, which labels were trained on.

    Returns:
        Accuracy of rows of unseen labels, by choosing among these; accuracies of unseen and of seen rows, by choosing
        among all labels, their harmonic mean, and the accuracy of all rows; AUROC of the largest similarity to a seen
        label, seen rows being positive.
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
