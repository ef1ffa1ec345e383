# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Intervals and tests against closed forms, other libraries, and data whose truth is known."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import binom, ttest_1samp
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from benchmarks.significance import World
from benchmarks.significance import simulate as simulate_world
from training.metrics.open_intent.open_intent_scores import open_intent
from training.significance import (
    Answers,
    bootstrap_metrics,
    interval,
    jackknife_values,
    mcnemar,
    paired_bootstrap,
    two_way_test,
)


def simulate(random, num_seeds, num_samples=445, num_labels=20, seed_effect=0.1, skill=0.8):
    """Gold labels and predictions whose rightness depends on the sample, on the seed, and on chance."""
    labels = random.integers(num_labels, size=num_samples)
    difficulty = random.normal(size=num_samples) * 1.5
    effects = random.normal(size=(num_seeds, 1)) * seed_effect
    right = skill + difficulty + effects + random.normal(size=(num_seeds, num_samples)) * 0.7 > 0
    wrong = (labels + random.integers(1, num_labels, size=(num_seeds, num_samples))) % num_labels
    return labels, np.where(right, labels, wrong)


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


def leave_one_out(labels, predictions, left_out, num_labels):
    """Metrics of scikit-learn without one utterance, over the labels that occur with it."""
    kept = np.arange(len(labels)) != left_out
    pair = labels[kept], predictions[kept]
    counted = sorted({*labels, *predictions})
    fixed = {"zero_division": 0}
    return {
        "accuracy": accuracy_score(*pair),
        "macro_f1": f1_score(*pair, labels=counted, average="macro", **fixed),
        "macro_recall": recall_score(*pair, labels=counted, average="macro", **fixed),
        "weighted_f1": f1_score(*pair, labels=counted, average="weighted", **fixed),
        "weighted_precision": precision_score(*pair, labels=counted, average="weighted", **fixed),
        "f1": open_intent(pair[1], pair[0], num_labels - 1)["f1"],
        "f1_in_scope": open_intent(pair[1], pair[0], num_labels - 1)["f1_in_scope"],
    }


def test_pseudo_values_are_those_of_leaving_out_one_utterance_after_the_other():
    random = np.random.default_rng(4)
    labels, predictions = simulate(random, num_seeds=2, num_samples=15, num_labels=5)
    labels[labels == 3] = 2
    labels[7] = 3  # the only one of its label, which in one seed no answer has either
    predictions[1][predictions[1] == 3] = 2
    values = jackknife_values(labels, predictions, 5, out_of_scope=4)
    np.testing.assert_allclose(values["accuracy"], predictions == labels, atol=1e-12)
    for seed, predicted in enumerate(predictions):
        whole = leave_one_out(labels, predicted, None, 5)
        without = [leave_one_out(labels, predicted, utterance, 5) for utterance in range(15)]
        for name, metric in whole.items():
            pseudo = np.array([15 * metric - 14 * part[name] for part in without])
            np.testing.assert_allclose(values[name][seed], pseudo - pseudo.mean() + metric, atol=1e-9, err_msg=name)


def test_f1_of_open_intents_counts_the_labels_that_occur_nowhere():
    labels, predictions = np.array([0, 0, 1, 3]), np.array([[0, 1, 1, 3]])  # label 2 is in no resample
    resampled = bootstrap_metrics(labels, predictions, 4, out_of_scope=3)
    assert resampled["f1"].max() <= 0.75 < resampled["macro_f1"].max()
    assert resampled["f1_in_scope"].max() <= 2 / 3
    expected = open_intent(predictions[0], labels, 3)
    for name in ("f1", "f1_in_scope", "f1_out_of_scope"):
        assert jackknife_values(labels, predictions, 4, out_of_scope=3)[name].mean() == pytest.approx(expected[name])


def test_seeds_that_agree_are_one_sample_of_utterances():
    right = (np.arange(400) < 300).astype(float)
    low, high, _ = two_way_test(np.tile(right, (3, 1)), 0.75)
    expected = ttest_1samp(right, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_seeds_that_differ_much_are_a_sample_of_seeds():
    means = np.array([0.2, 0.5, 0.9])
    random = np.random.default_rng(0)
    values = means[:, None] + random.normal(scale=1e-3, size=(3, 500))
    low, high, p_value = two_way_test(values, values.mean())
    expected = ttest_1samp(means, 0)
    assert (low, high) == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=0.01)
    assert p_value == pytest.approx(expected.pvalue, abs=0.001)


def test_the_interval_excludes_zero_exactly_where_the_test_says_so():
    random = np.random.default_rng(1)
    said = []
    for _ in range(100):
        labels, predictions = simulate(random, num_seeds=6, num_labels=5, num_samples=60)
        first, second = (Answers(labels, part, 5) for part in np.split(predictions, 2))
        for name in ("accuracy", "macro_f1", "weighted_f1"):
            means = [model.pseudo_values[name].mean() for model in (first, second)]
            found = first.compare(second, name, means[1] - means[0])
            assert found.test == "two-way variance"
            assert (found.p_value < 0.05) == (not found.low <= 0 <= found.high)
            said.append(found.p_value < 0.05)
    assert any(said) and not all(said)


def test_a_difference_on_the_same_samples_is_found_that_intervals_of_each_do_not_show():
    random = np.random.default_rng(2)
    labels, first = simulate(random, num_seeds=5, seed_effect=0)
    second = np.where(random.random(first.shape) < 0.1, labels, first)  # mends a tenth of the mistakes
    models = [Answers(labels, part, 20) for part in (first, second)]
    means = [(part == labels).mean() for part in (first, second)]
    found = models[0].compare(models[1], "accuracy", means[1] - means[0])
    assert found.difference == pytest.approx(means[1] - means[0])
    assert 0 < found.low < found.difference < found.high
    assert found.p_value < 0.002
    intervals = [model.interval("accuracy", mean) for model, mean in zip(models, means, strict=True)]
    assert intervals[0][1] > intervals[1][0]


def test_one_seed_has_mcnemar_for_accuracy_and_the_bootstrap_for_the_rest():
    labels, predictions = simulate(np.random.default_rng(5), num_seeds=2)
    models = [Answers(labels, part[None], 20) for part in predictions]
    found = models[0].compare(models[1], "accuracy", 0.0)
    assert found.test == "McNemar"
    assert found.p_value == mcnemar(predictions[0] == labels, predictions[1] == labels)
    assert models[0].compare(models[1], "macro_f1", 0.0).test == "paired bootstrap"
    assert models[0].interval("accuracy", 0.5) == interval(models[0].resampled["accuracy"], 0.5)


@pytest.mark.parametrize("num_seeds", [1, 2, 5])
def test_no_interval_goes_beyond_what_a_metric_can_be(num_seeds):
    labels = np.array([0, 1, 2, 0, 1, 2])
    for num_wrong in range(7):
        predictions = np.tile(labels, (num_seeds, 1))
        predictions[:, :num_wrong] = (predictions[:, :num_wrong] + 1) % 3
        model, perfect = Answers(labels, predictions, 3), Answers(labels, np.tile(labels, (num_seeds, 1)), 3)
        for name, values in model.pseudo_values.items():
            low, high = model.interval(name, values.mean())
            assert 0 <= low <= high <= 1
            found = model.compare(perfect, name, 1 - values.mean())
            assert -1 <= found.low <= found.high <= 1 and 0 <= found.p_value <= 1


def test_a_model_against_itself_is_no_difference_for_any_number_of_seeds():
    labels, predictions = simulate(np.random.default_rng(0), num_seeds=3)
    for part in (predictions, predictions[:1]):
        found = Answers(labels, part, 20).compare(Answers(labels, part, 20), "macro_f1", 0.0)
        assert (found.low, found.high, found.p_value) == (0, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [1.0, 0.7])
@pytest.mark.parametrize("num_seeds", [3, 5])
@pytest.mark.parametrize("deviation", [0.0, 1.0, 2.0, 4.0])
def test_intervals_and_tests_hold_what_they_promise(num_seeds, deviation, correlation):
    """`python -m benchmarks.significance` prints these numbers."""
    rates = simulate_world(World(num_seeds, deviation, correlation), simulations=1500)
    # One standard error at 5 % is 0.6 points of 1500 simulations.
    for name in ("accuracy", "macro_f1"):
        assert 92 <= rates.coverage[name] <= 97.5
        assert 1.2 <= rates.false_alarms[name] <= 7.6
    assert rates.power["accuracy"] > rates.false_alarms["accuracy"]


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


@pytest.mark.parametrize("values", [bootstrap_metrics, jackknife_values])
@pytest.mark.parametrize("predictions", [np.zeros(4, int), np.zeros((2, 5), int), np.zeros((0, 4), int)])
def test_shapes_that_do_not_fit_are_refused(values, predictions):
    with pytest.raises(ValueError, match="shape"):
        values(np.zeros(4, int), predictions, 2)
