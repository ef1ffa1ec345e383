# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The out-of-scope metrics equal scikit-learn's, or a search over all thresholds."""

from __future__ import annotations

import evaluate
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import accuracy_score, auc, f1_score, precision_recall_curve, roc_auc_score, roc_curve

from training.metrics.ood_detection.detection_scores import ood_detection
from training.metrics.open_intent.open_intent_scores import open_intent

from .tiny import ROOT


NUM_INTENTS = 4
ids = st.integers(0, NUM_INTENTS)
pairs = st.lists(st.tuples(ids, ids), min_size=1, max_size=60)


@st.composite
def scored(draw):
    """Scores with many ties, and which utterances are in scope; both kinds occur."""
    kinds = draw(st.lists(st.booleans(), min_size=0, max_size=50))
    references = np.array([1, 0, *kinds], dtype=int)
    steps = draw(st.lists(st.integers(-8, 8), min_size=len(references), max_size=len(references)))
    return np.array(steps) / 4, references


@given(pairs)
@settings(max_examples=100, deadline=None)
def test_open_intent_equals_scikit_learns_over_fixed_labels(rows):
    predictions, references = zip(*rows, strict=True)
    metrics = open_intent(predictions, references, NUM_INTENTS)
    labels = range(NUM_INTENTS + 1)
    f1 = f1_score(references, predictions, labels=labels, average=None, zero_division=0)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(references, predictions), abs=1e-12)
    assert metrics["f1_in_scope"] == pytest.approx(f1[:-1].mean(), abs=1e-12)
    assert metrics["f1_out_of_scope"] == pytest.approx(f1[-1], abs=1e-12)
    assert metrics["f1"] == pytest.approx(
        (NUM_INTENTS * metrics["f1_in_scope"] + metrics["f1_out_of_scope"]) / (NUM_INTENTS + 1), abs=1e-12
    )


def test_an_intent_that_occurs_nowhere_does_not_shift_the_out_of_scope_class():
    metrics = open_intent([0, 4, 4], [0, 4, 1], NUM_INTENTS)
    assert metrics["f1_out_of_scope"] == pytest.approx(2 / 3)
    assert metrics["f1_in_scope"] == pytest.approx(1 / 4)


@given(scored())
@settings(max_examples=150, deadline=None)
def test_detection_equals_scikit_learns_and_a_search_over_all_thresholds(sample):
    scores, inside = sample
    metrics = ood_detection(scores, inside)
    assert metrics["auroc"] == pytest.approx(roc_auc_score(inside, scores), abs=1e-12)
    for name, positives, values in (("aupr_in", inside, scores), ("aupr_out", 1 - inside, -scores)):
        precision, recall, _ = precision_recall_curve(positives, values)
        assert metrics[name] == pytest.approx(auc(recall, precision), abs=1e-12)

    share = inside.mean()
    rates = []
    for threshold in [np.inf, *scores]:
        accepted = scores >= threshold
        rates.append((accepted[inside == 1].mean(), accepted[inside == 0].mean()))
    enough = [(tpr, fpr) for tpr, fpr in rates if tpr >= 0.95]
    assert metrics["fpr95"] == pytest.approx(min(fpr for _, fpr in enough), abs=1e-12)
    assert metrics["der"] == pytest.approx(min(share * (1 - t) + (1 - share) * f for t, f in rates), abs=1e-12)
    swapped = min((1 - share) * (1 - t) + share * f for t, f in enough)
    assert metrics["der_swapped_priors"] == pytest.approx(swapped, abs=1e-12)

    fpr, tpr, _ = roc_curve(inside, scores, drop_intermediate=False)
    # A vertical step of the curve has no one height; there the error rate is the step's place.
    if len(np.unique(fpr)) == len(fpr):
        crossing = brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1)
        assert metrics["eer"] == pytest.approx(crossing, abs=1e-9)


def test_the_equal_error_rate_lies_where_both_errors_are_equal():
    # Of four in scope one is refused at 0.5, of four out of scope one is accepted.
    scores, inside = [0.9, 0.8, 0.7, 0.2, 0.6, 0.3, 0.1, 0.0], [1, 1, 1, 1, 0, 0, 0, 0]
    assert ood_detection(scores, inside)["eer"] == pytest.approx(0.25)
    # On the straight line between two thresholds: (FPR, TPR) goes from (0, 0.5) to (0.5, 1).
    assert ood_detection([1, 0, 0, -1], [1, 1, 0, 0])["eer"] == pytest.approx(0.25)


@given(scored(), st.floats(0.1, 9), st.floats(-5, 5))
@settings(max_examples=50, deadline=None)
def test_only_the_order_of_scores_matters(sample, scale, shift):
    scores, inside = sample
    moved = ood_detection(scores * scale + shift, inside)
    assert moved == pytest.approx(ood_detection(scores, inside), abs=1e-12)


def test_a_score_that_tells_them_apart_is_perfect_and_a_constant_one_is_chance():
    perfect = ood_detection([3, 2, 1, 0], [1, 1, 0, 0])
    assert [perfect[name] for name in ("auroc", "aupr_in", "aupr_out")] == [1, 1, 1]
    assert [perfect[name] for name in ("fpr95", "eer", "der", "der_swapped_priors")] == [0, 0, 0, 0]
    chance = ood_detection([1, 1, 1, 1], [1, 1, 1, 0])
    assert (chance["auroc"], chance["fpr95"], chance["eer"]) == (0.5, 1, 0.5)
    # Accepting everything is wrong for P(out); with the priors swapped it seems wrong for P(in).
    assert (chance["der"], chance["der_swapped_priors"]) == (0.25, 0.75)


@pytest.mark.parametrize(
    ("name", "arguments", "numbers"),
    [
        (
            "open_intent",
            {"predictions": [0, 1, 2, 2], "references": [0, 1, 2, 1], "num_intents": 2},
            {"accuracy": 0.75, "f1_in_scope": 5 / 6, "f1_out_of_scope": 2 / 3, "f1": 7 / 9},
        ),
        (
            "ood_detection",
            {"predictions": [0.9, 0.8, 0.4, 0.6], "references": [1, 1, 1, 0]},
            {"auroc": 2 / 3, "fpr95": 1.0, "der": 0.25},
        ),
    ],
)
def test_they_load_as_evaluate_modules(tmp_path, name, arguments, numbers):
    metric = evaluate.load(str(ROOT / "training" / "metrics" / name), cache_dir=str(tmp_path), keep_in_memory=True)
    result = metric.compute(**arguments)
    assert {key: result[key] for key in numbers} == pytest.approx(numbers)


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (open_intent, ([], [], 2), "no utterance"),
        (open_intent, ([0, 1], [0], 2), "equally long"),
        (open_intent, ([0, 3], [0, 1], 2), "num_intents=2"),
        (ood_detection, ([0.1], [1, 0]), "equally long"),
        (ood_detection, ([0.1, 0.2], [1, 1]), "both 1"),
        (ood_detection, ([0.1, float("nan")], [1, 0]), "1 of 2"),
        (ood_detection, ([0.1, float("inf")], [1, 0]), "finite"),
    ],
)
def test_senseless_input_is_refused(function, arguments, words):
    with pytest.raises(ValueError, match=words):
        function(*arguments)
