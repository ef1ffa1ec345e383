# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores and decisions of whether an utterance has one of the known intents: a higher score means in scope."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logsumexp, softmax


class DocDecision:
    """DOC: an utterance has the likeliest intent if the sigmoid of its logit exceeds that intent's threshold.

    Otherwise the utterance is out of scope. The threshold of an intent comes from the sigmoids p of its training
    utterances, misclassified ones included: mirrored about 1 (p and 2 - p), they fit a normal distribution of mean 1,
    and the threshold is `max(0.5, 1 - scale * sigma)`.

    Args:
        logits: Logits of the training utterances in scope `(utterances, K)`.
        labels: Label ids of these utterances `(utterances,)`.
        scale: Number of standard deviations below 1.
    """

    def __init__(self, logits: np.ndarray, labels: np.ndarray, scale: float = 1.0):
        gold = expit(logits.astype(np.float64))[np.arange(len(labels)), labels]
        counts = np.bincount(labels, minlength=logits.shape[-1])
        # An intent without a training utterance keeps 0.5.
        variance = np.bincount(labels, weights=(1 - gold) ** 2, minlength=len(counts)) / np.maximum(counts, 1)
        self.thresholds = np.where(counts > 0, np.maximum(0.5, 1 - scale * np.sqrt(variance)), 0.5)

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Decide from logits `(utterances, K)`: intent ids `(utterances,)`, K for out of scope."""
        likeliest = logits.argmax(-1)
        highest = expit(logits.astype(np.float64).max(-1))
        return np.where(highest > self.thresholds[likeliest], likeliest, logits.shape[-1])


# A direction whose share of the largest variance is smaller comes from float32's rounding, not from the data.
_SMALLEST_VARIANCE = 1e-10


def max_probability(logits: np.ndarray) -> np.ndarray:
    """Compute MSP, the maximum softmax probability (Hendrycks and Gimpel, 2017).

    Logits `(utterances, labels)` give scores `(utterances,)`, here and in the next two functions.
    """
    return softmax(logits.astype(np.float64), axis=-1).max(-1)


def max_logit(logits: np.ndarray) -> np.ndarray:
    """Return the largest logit (Hendrycks et al., 2022)."""
    return logits.astype(np.float64).max(-1)


def energy(logits: np.ndarray) -> np.ndarray:
    """Compute the negative free energy at temperature 1, log sum exp of the logits (Liu et al., 2020)."""
    return logsumexp(logits.astype(np.float64), axis=-1)


class MahalanobisScore:
    """Negative squared Mahalanobis distance to the nearest intent's mean (Lee et al., 2018).

    All intents share one covariance. Departure from the paper: only the last representation counts.

    Args:
        representations: Inputs of the classifier for the training utterances in scope `(utterances, size)`.
        labels: Label ids of these utterances `(utterances,)`.
    """

    def __init__(self, representations: np.ndarray, labels: np.ndarray):
        x = representations.astype(np.float64)
        present, index = np.unique(labels, return_inverse=True)
        self.means = np.stack([x[index == position].mean(0) for position in range(len(present))])
        centred = x - self.means[index]
        variances, directions = np.linalg.eigh(centred.T @ centred / len(x))
        kept = variances > _SMALLEST_VARIANCE * variances[-1]
        self.whitening = directions[:, kept] / np.sqrt(variances[kept])

    def __call__(self, representations: np.ndarray) -> np.ndarray:
        """Score representations `(utterances, size)`: scores `(utterances,)`."""
        x, means = representations.astype(np.float64) @ self.whitening, self.means @ self.whitening
        # One intent at a time: all differences at once would be utterances x intents x size.
        return np.stack([-((x - mean) ** 2).sum(-1) for mean in means]).max(0)


class VimScore:
    """Virtual-logit matching (Wang et al., 2022): the negative log odds of a virtual logit against the real logits.

    The virtual logit is the norm of a representation's part outside the principal subspace of the training
    utterances, scaled to the size of their largest logits. Representations are centred at the point where the
    classifier's logits are zero, `-pinv(weight) bias`.

    Args:
        representations: Inputs of the classifier for the training utterances in scope `(utterances, size)`.
        logits: Logits of these utterances `(utterances, labels)`.
        weight: Weight of the classifier `(labels, size)`.
        bias: Bias of the classifier `(labels,)`.
        num_dimensions: Dimensions of the principal subspace. The default is that of the authors' code: 1000 where the
            size is at least 2048, 512 where it is at least 768, else half the size. Departure from that code: never
            more than half the number of utterances, which would leave them no residual.
    """

    def __init__(
        self,
        representations: np.ndarray,
        logits: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray,
        num_dimensions: int | None = None,
    ):
        size = representations.shape[-1]
        if num_dimensions is None:
            num_dimensions = 1000 if size >= 2048 else 512 if size >= 768 else size // 2
            num_dimensions = min(num_dimensions, len(representations) // 2)
        self.origin = -np.linalg.pinv(weight.astype(np.float64)) @ bias.astype(np.float64)
        centred = representations.astype(np.float64) - self.origin
        # The eigenvalues ascend: the subspace's complement comes first.
        self.complement = np.linalg.eigh(centred.T @ centred / len(centred))[1][:, : size - num_dimensions]
        self.scale = max_logit(logits).mean() / self._residual(representations).mean()

    def _residual(self, representations: np.ndarray) -> np.ndarray:
        return np.linalg.norm((representations.astype(np.float64) - self.origin) @ self.complement, axis=-1)

    def __call__(self, representations: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Score representations `(utterances, size)` with logits `(utterances, labels)`: scores `(utterances,)`."""
        return energy(logits) - self.scale * self._residual(representations)
