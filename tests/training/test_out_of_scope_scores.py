# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores, decisions and thresholds of out of scope follow their definitions, computed another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import null_space
from scipy.stats import norm
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import f1_score

from modeling_amess import AmessConfig
from training.metrics.ood_detection.detection_scores import ood_detection
from training.out_of_scope.outlier_exposure import uniform_cross_entropy
from training.out_of_scope.scores import DocDecision, MahalanobisScore, VimScore, energy, max_logit, max_probability
from training.out_of_scope.threshold import BEST_F1, KEEPS_MOST, NONE_IN_SCOPE, Threshold, fit_threshold


SIZE, LABELS = 6, 3


@pytest.fixture(scope="module")
def clusters():
    """Representations around three means, the labels, and a linear classifier's weight, bias and logits."""
    random = np.random.default_rng(0)
    labels = random.integers(0, LABELS, 90)
    spread = random.normal(size=(SIZE, SIZE))
    inputs = random.normal(size=(LABELS, SIZE))[labels] * 4 + random.normal(size=(90, SIZE)) @ spread
    weight, bias = random.normal(size=(LABELS, SIZE)), random.normal(size=LABELS)
    return inputs.astype(np.float32), labels, weight, bias, inputs @ weight.T + bias


def test_scores_of_logits_follow_their_definitions():
    logits = np.array([[2.0, 0.0, -1.0], [100.0, 100.0, 0.0]], dtype=np.float32)
    shares = np.exp([2.0, 0.0, -1.0])
    assert max_probability(logits) == pytest.approx([shares[0] / shares.sum(), 0.5])
    assert max_logit(logits).tolist() == [2, 100]
    assert energy(logits) == pytest.approx([math.log(shares.sum()), 100 + math.log(2)])


def test_the_probability_does_not_change_with_a_shift_and_the_others_move_with_it(clusters):
    logits = clusters[4]
    assert max_probability(logits + 3) == pytest.approx(max_probability(logits))
    assert max_logit(logits + 3) == pytest.approx(max_logit(logits) + 3)
    assert energy(logits + 3) == pytest.approx(energy(logits) + 3)


def test_mahalanobis_equals_scikit_learns_covariance(clusters):
    inputs, labels, *_ = clusters
    means = np.stack([inputs[labels == label].mean(0) for label in range(LABELS)])
    covariance = EmpiricalCovariance(assume_centered=True).fit(inputs - means[labels])
    expected = np.stack([-covariance.mahalanobis(inputs - mean) for mean in means]).max(0)
    np.testing.assert_allclose(MahalanobisScore(inputs, labels)(inputs), expected, rtol=1e-4)


def test_mahalanobis_is_invariant_to_linear_maps_and_to_constant_features(clusters):
    inputs, labels, *_ = clusters
    score = MahalanobisScore(inputs, labels)(inputs)
    matrix = np.random.default_rng(1).normal(size=(SIZE, SIZE))
    np.testing.assert_allclose(MahalanobisScore(inputs @ matrix, labels)(inputs @ matrix), score, rtol=1e-3)
    # As behind a LayerNorm: one direction has no variance but that of rounding.
    padded = np.concatenate([inputs, inputs.sum(-1, keepdims=True)], axis=-1)
    np.testing.assert_allclose(MahalanobisScore(padded, labels)(padded), score, rtol=1e-3)


def test_mahalanobis_skips_labels_without_a_row(clusters):
    inputs, labels, *_ = clusters
    np.testing.assert_array_equal(
        MahalanobisScore(inputs, labels)(inputs), MahalanobisScore(inputs, labels * 2)(inputs)
    )


def test_vim_equals_the_virtual_softmax_probability(clusters):
    inputs, _, weight, bias, logits = clusters
    score = VimScore(inputs, logits, weight, bias, num_dimensions=2)(inputs, logits)
    # By singular vectors, a least-squares origin and the softmax over one more logit.
    centred = inputs - np.linalg.lstsq(weight, -bias, rcond=None)[0]
    principal = np.linalg.svd(centred, full_matrices=False)[2][:2]
    residual = np.linalg.norm(centred @ null_space(principal), axis=-1)
    virtual = residual * logits.max(-1).mean() / residual.mean()
    probability = np.exp(virtual) / (np.exp(virtual) + np.exp(logits).sum(-1))
    np.testing.assert_allclose(1 / (1 + np.exp(score)), probability, rtol=1e-4)


def test_scores_are_finite_with_one_training_row_an_intent(clusters):
    inputs, labels, weight, bias, logits = clusters
    few = [int(np.flatnonzero(labels == label)[0]) for label in range(LABELS)]
    for scores in (
        MahalanobisScore(inputs[few], labels[few])(inputs),
        VimScore(inputs[few], logits[few], weight, bias)(inputs, logits),
    ):
        assert np.isfinite(scores).all()


def test_far_points_are_out_of_scope_by_distance_whatever_the_logits(clusters):
    inputs, labels, weight, bias, logits = clusters
    # Along the classifier's null space nothing changes but the representation.
    far = inputs + 300 * null_space(weight)[:, 0]
    inside = np.repeat([1, 0], len(inputs))
    both, same = np.concatenate([inputs, far]), np.concatenate([logits, logits])
    assert ood_detection(MahalanobisScore(inputs, labels)(both), inside)["auroc"] == 1
    assert ood_detection(VimScore(inputs, logits, weight, bias)(both, same), inside)["auroc"] == 1
    assert ood_detection(max_probability(same), inside)["auroc"] == pytest.approx(0.5)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_doc_fits_a_normal_to_the_mirrored_sigmoids(clusters, scale):
    _, labels, _, _, logits = clusters
    doc = DocDecision(logits, labels, scale)
    sigmoid = 1 / (1 + np.exp(-logits))
    for label in range(LABELS):
        own = sigmoid[labels == label, label]
        mean, deviation = norm.fit(np.concatenate([own, 2 - own]))
        assert mean == pytest.approx(1)
        assert doc.thresholds[label] == pytest.approx(max(0.5, 1 - scale * deviation))
    for row, decision in zip(sigmoid, doc(logits), strict=True):
        best = row.argmax()
        assert decision == (best if row[best] > doc.thresholds[best] else LABELS)


def test_doc_takes_an_intent_without_rows_at_half():
    doc = DocDecision(np.array([[9.0, 0.0]]), np.array([0]))
    assert doc.thresholds[1] == 0.5
    assert doc(np.array([[-3.0, 0.1], [-3.0, -0.1]])).tolist() == [1, 2]


rows_with_scores = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(0, 2)), min_size=0, max_size=30
)


@given(rows_with_scores)
@settings(max_examples=80, deadline=None)
def test_no_other_threshold_that_accepts_a_row_has_a_better_f1(rows):
    scores, predictions, references = (np.array(column) for column in zip(*rows, (3, 0, 0), (5, 1, 2), strict=True))
    threshold = fit_threshold(scores, predictions, references, num_intents=2)

    def f1(value):
        decisions = np.where(scores >= value, predictions, 2)
        return f1_score(references, decisions, labels=range(3), average="macro", zero_division=0)

    assert threshold.criterion == BEST_F1
    others = [value - 0.5 for value in range(scores.max() + 1)]
    assert f1(threshold.value) == pytest.approx(max(map(f1, others)), abs=1e-12)
    assert (
        threshold.decide(scores, predictions, 2).tolist()
        == np.where(scores >= threshold.value, predictions, 2).tolist()
    )


@pytest.mark.parametrize("score", [0.0, 0.4999, 0.5, 0.5001, 1.0])
def test_a_threshold_decides_as_the_pipeline_does(score):
    decision = Threshold(0.5, BEST_F1).decide(np.array([score]), np.array([1]), num_intents=2)
    assert (decision[0] == 2) == AmessConfig(out_of_scope_threshold=0.5).is_out_of_scope("Greet", score)


def test_a_split_without_intents_does_not_claim_to_keep_them():
    scores, outside = np.array([0.1, 0.5, 0.9]), np.full(3, 3)
    threshold = fit_threshold(scores, np.zeros(3, dtype=int), outside, num_intents=3)
    assert threshold.criterion == NONE_IN_SCOPE and "without an utterance in scope" in NONE_IN_SCOPE


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_without_rows_out_of_scope_95_percent_stay_in_scope(scores):
    scores = np.array(scores)
    zeros = np.zeros(len(scores), dtype=int)
    threshold = fit_threshold(scores, zeros, zeros, num_intents=3)
    assert threshold.criterion == KEEPS_MOST
    assert (scores >= threshold.value).mean() >= 0.95
    # The next higher score would keep fewer.
    higher = scores[scores > threshold.value]
    assert len(higher) == 0 or (scores >= higher.min()).mean() < 0.95 + 1 / len(scores)


def test_outlier_exposure_is_the_cross_entropy_to_the_uniform_distribution():
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    uniform = torch.full((5, 4), 0.25)
    expected = torch.nn.functional.cross_entropy(logits.float(), uniform)
    assert uniform_cross_entropy(logits).item() == pytest.approx(expected.item(), abs=1e-6)
    assert uniform_cross_entropy(torch.ones(2, 4)).item() == pytest.approx(math.log(4))
