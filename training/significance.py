# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""How sure a result is: bootstrap intervals over samples and seeds, and tests of one model against another.

The same draws are used for every model with the same number of samples and seeds, so the difference of two models'
`bootstrap_metrics` is that of a paired bootstrap: the same test samples, the same seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest


NUM_RESAMPLES = 10_000
_CHUNK = 500  # resamples at a time: bounds the memory


@dataclass(frozen=True)
class Comparison:
    """One model against another on the same samples and seeds.

    Attributes:
        difference: second minus first.
        low, high: 95 % interval of the difference (bootstrap).
        p_value: two-sided, of no difference.
        test: `paired bootstrap`, or `McNemar` where there is one seed.
    """

    difference: float
    low: float
    high: float
    p_value: float
    test: str


def bootstrap_metrics(
    labels: np.ndarray,
    predictions: np.ndarray,
    num_labels: int,
    *,
    out_of_scope: int | None = None,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """The metrics of `intent_classification`, as means over the seeds, on resampled test samples and seeds.

    Every seed saw the same test samples, so samples and seeds are drawn independently of each other, both with
    replacement (the pigeonhole bootstrap: Owen 2007, "The pigeonhole bootstrap"). Of S seeds S - 1 are drawn, which
    makes the variance over seeds unbiased (Rao and Wu 1988); S draws would understate it by a third at three seeds.
    What a handful of seeds cannot tell, it does not: where seeds differ much more than resamples of the test split do,
    the 95 % interval holds the truth in 51 % of the cases for two seeds, 74 for three, 86 for five, 91 for ten.

    Args:
        labels: gold label ids `(samples,)`.
        predictions: predicted label ids `(seeds, samples)`.
        num_labels: labels in all.
        out_of_scope: id of the out-of-scope label; adds `f1_in_scope`, `f1_out_of_scope` and `f1`.
        num_resamples: how often to draw.
        seed: of the draws.

    Returns:
        For every metric the resampled values `(num_resamples,)`, as fractions.

    Raises:
        ValueError: shapes that do not belong together, or no sample.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if predictions.ndim != 2 or predictions.shape[1:] != labels.shape or not predictions.size:
        raise ValueError(f"predictions {predictions.shape} must be (seeds, samples) for labels {labels.shape}.")
    num_seeds, num_samples = predictions.shape
    gold = np.eye(num_labels, dtype=np.float32)[labels]
    said = np.eye(num_labels, dtype=np.float32)[predictions]  # (seeds, samples, labels)
    # (samples, seeds * labels): one matrix product counts what every resample holds.
    columns = np.concatenate([gold * said, said]).transpose(1, 0, 2).reshape(num_samples, -1)
    columns = np.concatenate([columns, gold], axis=1)
    generator = np.random.default_rng(seed)
    parts = []
    for start in range(0, num_resamples, _CHUNK):
        size = min(_CHUNK, num_resamples - start)
        sample_counts = _draw(generator, size, num_samples, num_samples)
        seed_weights = _draw(generator, size, num_seeds, max(num_seeds - 1, 1)) / max(num_seeds - 1, 1)
        counts = sample_counts @ columns
        correct, predicted = counts[:, :-num_labels].reshape(size, 2, num_seeds, num_labels).swapaxes(0, 1)
        metrics = _metrics(correct, predicted, counts[:, None, -num_labels:], out_of_scope)
        parts.append({name: (values * seed_weights).sum(-1) for name, values in metrics.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(resampled: np.ndarray, value: float) -> tuple[float, float]:
    """The 95 % percentile interval of a metric's resampled values, moved to where its mean is `value`, the metric without
    resampling: macro averages are lower on resamples, which lack some of a rare label's samples. (An accuracy is not.
    In a simulation with 445 samples of 20 labels the moved interval held the true macro F1 in 95 to 97 % of the cases,
    the plain one in 92 to 95 %.)
    """
    low, high = np.quantile(resampled, (0.025, 0.975)) + (value - resampled.mean())
    return float(low), float(high)


def paired_bootstrap(first: np.ndarray, second: np.ndarray, difference: float) -> Comparison:
    """Compare two models by a metric's resampled values, drawn with the same samples and seeds.

    Args:
        first, second: values of `bootstrap_metrics` `(resamples,)`.
        difference: second minus first, without resampling.
    """
    # Not moved as a single metric's interval is: what resampling takes from both models, the difference does not have.
    differences = second - first
    low, high = np.quantile(differences, (0.025, 0.975))
    # The level at which the interval would just touch zero.
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    p_value = min(1.0, 2 * (int(tail) + 1) / (len(differences) + 1))
    return Comparison(difference, float(low), float(high), p_value, "paired bootstrap")


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> float:
    """McNemar's exact two-sided p-value for two models' accuracies on the same samples.

    Args:
        first_right, second_right: whether each sample was predicted rightly `(samples,)`.
    """
    first_right, second_right = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    only_first, only_second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def _draw(generator: np.random.Generator, resamples: int, choices: int, draws: int) -> np.ndarray:
    """How often each choice was drawn, `(resamples, choices)`."""
    drawn = generator.integers(choices, size=(resamples, draws), dtype=np.int32)
    drawn += np.arange(resamples, dtype=np.int32)[:, None] * choices
    counts = np.bincount(drawn.ravel(), minlength=resamples * choices)
    return counts.reshape(resamples, choices).astype(np.float32)


def _metrics(
    correct: np.ndarray, predicted: np.ndarray, support: np.ndarray, out_of_scope: int | None
) -> dict[str, np.ndarray]:
    """Metrics `(...)` from counts a label `(..., labels)`, by the conventions of `intent_classification`."""
    # A label that a resample neither holds nor predicts is left out of the means.
    present = (predicted + support) > 0
    number = present.sum(-1)
    precision, recall = correct / np.maximum(predicted, 1), correct / np.maximum(support, 1)
    f1 = 2 * correct / np.maximum(predicted + support, 1)
    share = support / support.sum(-1, keepdims=True)
    metrics = {
        "accuracy": correct.sum(-1) / support.sum(-1),
        "macro_f1": f1.sum(-1) / number,
        "macro_precision": precision.sum(-1) / number,
        "macro_recall": recall.sum(-1) / number,
        "weighted_f1": (f1 * share).sum(-1),
        "weighted_precision": (precision * share).sum(-1),
    }
    if out_of_scope is not None:
        outside = f1[..., out_of_scope]
        metrics["f1_in_scope"] = (f1.sum(-1) - outside) / np.maximum(number - present[..., out_of_scope], 1)
        metrics["f1_out_of_scope"] = outside
        metrics["f1"] = metrics["macro_f1"]
    return metrics
