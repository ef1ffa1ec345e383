# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores of how surely an utterance has one of the known intents: higher means in scope."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logsumexp, softmax


class DocDecision:
    """An utterance has the likeliest intent if the sigmoid of its logit exceeds that intent's threshold; otherwise it is
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


# Directions with a smaller share of the largest variance are float32's rounding, not the data's.
_SMALLEST_VARIANCE = 1e-10


def max_probability(logits: np.ndarray) -> np.ndarray:
    """MSP, the maximum softmax probability (Hendrycks and Gimpel, 2017): `(rows, labels)` -> `(rows,)`."""
    return softmax(logits.astype(np.float64), axis=-1).max(-1)


def max_logit(logits: np.ndarray) -> np.ndarray:
    """The largest logit (Hendrycks et al., 2022): `(rows, labels)` -> `(rows,)`."""
    return logits.astype(np.float64).max(-1)


def energy(logits: np.ndarray) -> np.ndarray:
    """The negative free energy at temperature 1, log sum exp (Liu et al., 2020): `(rows, labels)` -> `(rows,)`."""
    return logsumexp(logits.astype(np.float64), axis=-1)


class MahalanobisScore:
    """Negative squared Mahalanobis distance to the nearest class mean under one covariance for all classes (Lee et al.,
    2018), of the last representation alone.

    Args:
        representations: of the training rows in scope `(rows, size)`.
        labels: their label ids `(rows,)`.
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
        """Scores `(rows,)` of representations `(rows, size)`."""
        x, means = representations.astype(np.float64) @ self.whitening, self.means @ self.whitening
        # One class at a time: all differences at once would be rows x classes x size.
        return np.stack([-((x - mean) ** 2).sum(-1) for mean in means]).max(0)


class VimScore:
    """Virtual-logit matching (Wang et al., 2022): the negative log odds of a virtual logit against the others. It is the
    norm of a representation's part outside the principal subspace of the training rows, scaled to the size of their
    largest logits. Representations are centred where the classifier's logits are zero, at `-pinv(weight) bias`.

    Args:
        representations: of the training rows in scope `(rows, size)`, the classifier's input.
        logits: theirs `(rows, labels)`.
        weight, bias: the classifier's `(labels, size)` and `(labels,)`.
        num_dimensions: of the principal subspace; by default as in its authors' code 1000 of 2048 and more, 512 of
            768 and more, else half, but never more than half the number of rows, which would leave them no residual.
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
        """Scores `(rows,)` of representations `(rows, size)` and their logits `(rows, labels)`."""
        return energy(logits) - self.scale * self._residual(representations)
