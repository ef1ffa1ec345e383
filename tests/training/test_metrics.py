# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The metric of intent classification equals scikit-learn's."""

from __future__ import annotations

import evaluate
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from training.metrics.intent_classification.classification_scores import intent_classification

from .tiny import ROOT


NUM_LABELS = 5
pairs = st.lists(st.tuples(st.integers(0, NUM_LABELS - 1), st.integers(0, NUM_LABELS - 1)), min_size=1, max_size=60)


@given(pairs)
@settings(max_examples=100, deadline=None)
def test_every_number_equals_scikit_learns(rows):
    predictions, references = zip(*rows, strict=True)
    names = [f"intent {index}" for index in range(NUM_LABELS)]
    result = intent_classification(predictions, references, names)
    assert result["accuracy"] == pytest.approx(accuracy_score(references, predictions), abs=1e-12)
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = precision_recall_fscore_support(
            references, predictions, average=average, zero_division=0
        )
        assert result[f"{average}_f1"] == pytest.approx(f1, abs=1e-12)
        assert result[f"{average}_precision"] == pytest.approx(precision, abs=1e-12)
        if average == "macro":
            assert result["macro_recall"] == pytest.approx(recall, abs=1e-12)
    expected = precision_recall_fscore_support(
        references, predictions, labels=range(NUM_LABELS), average=None, zero_division=0
    )
    for index, row in enumerate(result["per_class"]):
        assert row["label"] == names[index]
        values_of_label = (row["precision"], row["recall"], row["f1"], row["support"])
        np.testing.assert_allclose(values_of_label, [values[index] for values in expected], atol=1e-12)


def test_it_loads_as_an_evaluate_module(tmp_path):
    metric = evaluate.load(
        str(ROOT / "training" / "metrics" / "intent_classification"), cache_dir=str(tmp_path), keep_in_memory=True
    )
    metric.add_batch(predictions=[0, 1], references=[0, 1])
    metric.add_batch(predictions=[1], references=[0])
    result = metric.compute()
    assert result["accuracy"] == pytest.approx(2 / 3)
    assert set(result) == {
        "accuracy",
        "macro_f1",
        "macro_precision",
        "macro_recall",
        "weighted_f1",
        "weighted_precision",
    }


@pytest.mark.parametrize(
    ("predictions", "references", "words"),
    [([], [], "no utterance"), ([0, 1], [0], "equally long"), ([0, 7], [0, 1], "0 to 7"), ([-1], [0], "-1")],
)
def test_senseless_input_is_refused(predictions, references, words):
    with pytest.raises(ValueError, match=words):
        intent_classification(predictions, references, ["a", "b"])
