# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Intervals and tests against closed forms, other libraries, and data whose truth is known."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from training.metrics.intent_classification.classification_scores import intent_classification
from training.significance import bootstrap_metrics, interval, mcnemar, paired_bootstrap


def simulate(random, num_seeds, num_samples=445, num_labels=20, seed_effect=0.1, skill=0.8):
    """Gold labels and predictions whose rightness depends on the sample, on the seed, and on chance."""
    labels = random.integers(num_labels, size=num_samples)
    difficulty = random.normal(size=num_samples) * 1.5
    effects = random.normal(size=(num_seeds, 1)) * seed_effect
    right = skill + difficulty + effects + random.normal(size=(num_seeds, num_samples)) * 0.7 > 0
    wrong = (labels + random.integers(1, num_labels, size=(num_seeds, num_samples))) % num_labels
    return labels, np.where(right, labels, wrong)


def macro_f1(predictions, labels):
    return intent_classification(predictions, labels)["macro_f1"]


def test_resampled_metrics_are_those_of_scikit_learn_on_the_drawn_samples():
    random = np.random.default_rng(3)
    labels, predictions = simulate(random, num_seeds=3, num_samples=40, num_labels=5)
    found = bootstrap_metrics(labels, predictions, 5, out_of_scope=4, num_resamples=20, seed=7)
    draws = np.random.default_rng(7)
    samples = draws.integers(40, size=(20, 40), dtype=np.int32)
    seeds = draws.integers(3, size=(20, 2), dtype=np.int32)
    for resample in range(20):
        drawn = [(labels[samples[resample]], predictions[seed][samples[resample]]) for seed in seeds[resample]]
        expected = {"accuracy": np.mean([accuracy_score(*pair) for pair in drawn])}
        for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
            for kind in ("macro", "weighted"):
                values = [score(*pair, average=kind, zero_division=0) for pair in drawn]
                expected[f"{kind}_{name}"] = np.mean(values)
        expected["f1"] = expected["macro_f1"]
        outside = [f1_score(*pair, labels=[4], average=None, zero_division=0)[0] for pair in drawn]
        expected["f1_out_of_scope"] = np.mean(outside)
        for name in set(found) - {"f1_in_scope"}:
            assert found[name][resample] == pytest.approx(expected[name], abs=1e-6), name
    # All five labels are in every resample here: F1 is the mean of four times F1-IS and F1-OOS.
    np.testing.assert_allclose(5 * found["f1"], 4 * found["f1_in_scope"] + found["f1_out_of_scope"], rtol=1e-5)


def test_one_seeds_accuracy_spreads_as_the_binomial():
    labels = np.zeros(400, dtype=int)
    predictions = (np.arange(400) < 100).astype(int)[None]  # 75 % right
    found = bootstrap_metrics(labels, predictions, 2)["accuracy"]
    assert found.std() == pytest.approx((0.75 * 0.25 / 400) ** 0.5, rel=0.03)
    expected = binom.ppf([0.025, 0.975], 400, 0.75) / 400
    np.testing.assert_allclose(interval(found, 0.75), expected, atol=0.004)


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_the_spread_over_seeds_is_the_unbiased_one(num_seeds):
    # Every sample is the same: nothing but the seeds varies.
    right = np.array([0.9, 0.5, 0.7, 0.6, 0.8])[:num_seeds]
    labels = np.zeros(1000, dtype=int)
    predictions = (np.arange(1000) >= 1000 * right[:, None]).astype(int)
    found = bootstrap_metrics(labels, predictions, 2)["accuracy"]
    of_samples = (right.mean() * (1 - right.mean())) / 1000
    assert found.var() == pytest.approx(right.var(ddof=1) / num_seeds, rel=0.05, abs=3 * of_samples)


def test_the_intervals_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(0)
    labels, predictions = simulate(random, num_seeds=400, num_samples=10_000)
    truth = (predictions == labels).mean()
    true_f1 = np.mean([macro_f1(row, labels) for row in predictions[:100]])
    hits, f1_hits, trials = 0, 0, 200
    for _ in range(trials):
        labels, predictions = simulate(random, num_seeds=5)
        found = bootstrap_metrics(labels, predictions, 20, num_resamples=400)
        low, high = interval(found["accuracy"], (predictions == labels).mean())
        hits += low <= truth <= high
        low, high = interval(found["macro_f1"], np.mean([macro_f1(row, labels) for row in predictions]))
        f1_hits += low <= true_f1 <= high
    # Three standard errors of 200 trials at 95 % are 5 points.
    assert hits / trials > 0.90
    assert f1_hits / trials > 0.90


def test_models_without_a_difference_are_told_apart_in_one_of_twenty_cases():
    random = np.random.default_rng(1)
    found = []
    for _ in range(200):
        labels, predictions = simulate(random, num_seeds=10)
        parts = [bootstrap_metrics(labels, part, 20, num_resamples=400) for part in np.split(predictions, 2)]
        accuracies = [(part == labels).mean() for part in np.split(predictions, 2)]
        found.append(paired_bootstrap(parts[0]["accuracy"], parts[1]["accuracy"], accuracies[1] - accuracies[0]))
    significant = np.mean([comparison.p_value < 0.05 for comparison in found])
    assert significant < 0.10
    # The test and the interval say the same.
    for comparison in found:
        outside = not comparison.low <= 0 <= comparison.high
        assert outside == (comparison.p_value < 0.05) or abs(comparison.p_value - 0.05) < 0.02


def test_a_difference_on_the_same_samples_is_found_that_intervals_of_each_do_not_show():
    random = np.random.default_rng(2)
    labels, first = simulate(random, num_seeds=5, seed_effect=0)
    second = np.where(random.random(first.shape) < 0.1, labels, first)  # mends a tenth of the mistakes
    resampled = [bootstrap_metrics(labels, part, 20)["accuracy"] for part in (first, second)]
    means = [(part == labels).mean() for part in (first, second)]
    found = paired_bootstrap(*resampled, means[1] - means[0])
    assert found.difference == pytest.approx(means[1] - means[0])
    assert 0 < found.low < found.difference < found.high
    assert found.p_value < 0.001
    assert interval(resampled[0], means[0])[1] > interval(resampled[1], means[1])[0]


def test_a_model_against_itself_is_no_difference():
    labels, predictions = simulate(np.random.default_rng(0), num_seeds=2)
    resampled = bootstrap_metrics(labels, predictions, 20)["macro_f1"]
    found = paired_bootstrap(resampled, resampled, 0.0)
    assert (found.low, found.high, found.p_value) == (0, 0, 1)


@pytest.mark.parametrize(
    ("only_first", "only_second", "expected"),
    [(1, 8, 2 * binom.cdf(1, 9, 0.5)), (8, 1, 2 * binom.cdf(1, 9, 0.5)), (4, 4, 1.0), (0, 0, 1.0), (0, 6, 2 / 64)],
)
def test_mcnemar_is_the_sign_test_on_the_samples_that_one_model_alone_has_right(only_first, only_second, expected):
    first = [1] * only_first + [0] * only_second + [1] * 30 + [0] * 20
    second = [0] * only_first + [1] * only_second + [1] * 30 + [0] * 20
    assert mcnemar(np.array(first), np.array(second)) == pytest.approx(expected)


def test_the_same_draws_every_time_and_in_less_than_a_second():
    labels, predictions = simulate(np.random.default_rng(0), num_seeds=5)
    started = time.process_time()
    first = bootstrap_metrics(labels, predictions, 20)
    assert time.process_time() - started < 1
    second = bootstrap_metrics(labels, predictions, 20)
    for name in first:
        assert len(first[name]) == 10_000
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("predictions", [np.zeros(4, int), np.zeros((2, 5), int), np.zeros((0, 4), int)])
def test_shapes_that_do_not_fit_are_refused(predictions):
    with pytest.raises(ValueError, match="shape"):
        bootstrap_metrics(np.zeros(4, int), predictions, 2)
