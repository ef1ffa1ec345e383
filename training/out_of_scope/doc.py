# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""DOC's decision (Shu et al., 2017), as MIntRec2.0's benchmark applies it to a classifier trained with softmax."""

from __future__ import annotations

import numpy as np
from scipy.special import expit


class DocDecision:
    """
    An utterance has the likeliest intent if the sigmoid of its logit exceeds that intent's threshold; otherwise it is
    out of scope.

    The sigmoids p of an intent's own training rows, misclassified ones included, are mirrored about 1 (p and 2 - p)
    and a normal distribution of mean 1 is fitted; the threshold is `max(0.5, 1 - scale * sigma)`.

    Args:
        logits: of the training rows in scope `(rows, K)`.
        labels: their label ids `(rows,)`.
        scale: standard deviations below 1.
    """

    def __init__(self, logits: np.ndarray, labels: np.ndarray, scale: float = 1.0):
        own = expit(logits.astype(np.float64))[np.arange(len(labels)), labels]
        counts = np.bincount(labels, minlength=logits.shape[-1])
        # An intent without a training row keeps 0.5.
        variance = np.bincount(labels, weights=(1 - own) ** 2, minlength=len(counts)) / np.maximum(counts, 1)
        self.thresholds = np.where(counts > 0, np.maximum(0.5, 1 - scale * np.sqrt(variance)), 0.5)

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Intent ids, K for out of scope `(rows,)`, of logits `(rows, K)`."""
        likeliest = logits.argmax(-1)
        highest = expit(logits.astype(np.float64).max(-1))
        return np.where(highest > self.thresholds[likeliest], likeliest, logits.shape[-1])
