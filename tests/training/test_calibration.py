# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Calibration: its error by hand, the temperature by its laws, prediction sets by their coverage."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from transformers import pipeline

from training.calibration import (
    MIN_UTTERANCES,
    calibration,
    conformal_thresholds,
    fit_probabilities,
    fit_temperature,
    prediction_sets,
    scaled_probabilities,
    set_figures,
)
from training.train import main

from . import tiny


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are the probabilities themselves, for MAPIE."""

    def fit(self, inputs, labels):
        """Keep the labels, as scikit-learn wants it."""
        self.classes_ = np.unique(labels)
        return self

    def predict_proba(self, inputs):
        """Return the inputs."""
        return inputs

    def predict(self, inputs):
        """Return the likeliest labels."""
        return inputs.argmax(-1)


@pytest.fixture(scope="module")
def overconfident():
    """Logits four times as large as those that the labels were drawn by."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 5)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = (probabilities.cumsum(-1) < random.random((4000, 1))).sum(-1)
    return 4 * logits, labels


def test_the_expected_calibration_error_is_the_mean_gap_of_the_bins():
    # Two bins: ten samples at 0.95 of which eight are right, and ten at 0.55 of which six are.
    scores = np.array([[0.95, 0.05]] * 10 + [[0.55, 0.45]] * 10)
    labels = np.array([0] * 8 + [1] * 2 + [0] * 6 + [1] * 4)
    figures = calibration(np.log(scores), labels)
    assert figures.error == pytest.approx((0.15 + 0.05) / 2)
    assert (figures.confidence, figures.accuracy) == (pytest.approx(0.75), pytest.approx(0.7))


def test_the_temperature_is_the_one_that_the_labels_were_drawn_by(overconfident):
    logits, labels = overconfident
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(4, rel=0.1)
    before, after = calibration(logits, labels), calibration(logits, labels, temperature)
    assert after.accuracy == before.accuracy
    assert after.error < 0.03 < 0.2 < before.error


def test_no_other_temperature_is_likelier_and_it_scales_with_the_logits(overconfident):
    logits, labels = overconfident
    temperature = fit_temperature(logits, labels)

    def likelihood(value):
        scaled = logits / value
        return (scaled[np.arange(len(labels)), labels] - np.log(np.exp(scaled).sum(-1))).mean()

    grid = np.geomspace(0.5, 50, 400)
    assert likelihood(temperature) >= max(likelihood(value) for value in grid) - 1e-9
    assert fit_temperature(3 * logits, labels) == pytest.approx(3 * temperature, rel=1e-3)


def test_the_temperature_is_applied_to_enough_utterances_that_have_a_likeliest_one(overconfident):
    logits, labels = overconfident
    fit = fit_probabilities(logits, labels)
    assert (fit.reason, fit.applied_temperature, fit.utterances) == (None, fit.temperature, len(labels))
    few = fit_probabilities(logits[: MIN_UTTERANCES - 1], labels[: MIN_UTTERANCES - 1])
    assert f"{MIN_UTTERANCES}" in few.reason and few.applied_temperature == 1 and few.coverage_thresholds is None
    enough = fit_probabilities(logits[:MIN_UTTERANCES], labels[:MIN_UTTERANCES])
    assert enough.reason is None and "98" in enough.coverage_thresholds and "99" not in enough.coverage_thresholds
    # The likelihood of utterances that are all right has no maximum: probabilities of 1 would be a false promise.
    right = fit_probabilities(logits, logits.argmax(-1))
    assert "right" in right.reason and right.applied_temperature == 1 and right.coverage_thresholds is not None
    assert fit_probabilities(logits[:9], labels[:9], temperature=3.0).applied_temperature == 3


@settings(deadline=None)
@given(st.integers(50, 300), st.integers(0, 10**6))
def test_a_threshold_is_the_quantile_of_split_conformal_prediction(number, seed):
    gold = np.random.default_rng(seed).random(number)
    thresholds = conformal_thresholds(gold)
    for percent, threshold in thresholds.items():
        rank = np.ceil(round((number + 1) * int(percent) / 100, 9))
        assert (gold >= threshold).sum() == rank
    assert max(map(int, thresholds)) == min(99, 100 * number // (number + 1))
    assert list(thresholds.values()) == sorted(thresholds.values(), reverse=True)


def test_sets_are_those_of_mapie_and_never_empty(overconfident):
    logits, labels = overconfident
    probabilities = scaled_probabilities(logits, 4)
    held_out, tested = slice(0, 445), slice(445, 1000)
    coverages = (0.6, 0.8, 0.9, 0.95)
    mapie = SplitConformalClassifier(Given().fit(probabilities, labels), coverages, conformity_score="lac")
    mapie.conformalize(probabilities[held_out], labels[held_out])
    _, theirs = mapie.predict_set(probabilities[tested])
    thresholds = conformal_thresholds(probabilities[held_out][np.arange(445), labels[held_out]])
    for index, coverage in enumerate(coverages):
        ours = prediction_sets(probabilities[tested], thresholds[f"{100 * coverage:.0f}"])
        filled = theirs[:, :, index].any(-1)
        np.testing.assert_array_equal(ours[filled], theirs[filled, :, index])
        assert (ours.sum(-1) == 1)[~filled].all()
        assert (ours.argmax(-1) == probabilities[tested].argmax(-1))[~filled].all()


def test_sets_keep_their_promise_on_average(overconfident):
    logits, labels = overconfident
    random, found = np.random.default_rng(1), []
    for _ in range(100):
        order = random.permutation(len(labels))
        held_out, tested = order[:200], order[200:1000]
        fit = fit_probabilities(logits[held_out], labels[held_out])
        probabilities = scaled_probabilities(logits[tested], fit.applied_temperature)
        figures = set_figures(probabilities, labels[tested], fit.coverage_thresholds["90"])
        sets = prediction_sets(probabilities, fit.coverage_thresholds["90"])
        assert figures.coverage == pytest.approx(sets[np.arange(800), labels[tested]].mean())
        assert figures.mean_size == pytest.approx(sets.sum() / 800)
        found.append(figures.coverage)
    # The promise holds for the mean over draws, from 0.9 to 0.9 + 1 / 201; one draw deviates by 0.023.
    assert 0.9 - 0.007 < np.mean(found) < 0.905 + 0.007


@pytest.fixture(scope="module")
def calibrated_run(tmp_path_factory):
    """A run on data with a validation split that is large enough, text alone."""
    folder = tmp_path_factory.mktemp("calibrated")
    preset = tiny.make_preset(folder)
    data = tiny.make_dataset(folder / "more", train=24, other=80, noise=0.3)
    short = ["--dataset", data, "--modalities", "text", "--num_train_epochs", "4"]
    main([preset, *short, "--output_dir", str(folder / "run")])
    return folder / "run"


def test_pipeline_predictions_and_threshold_share_the_temperature(calibrated_run):
    figures = json.loads((calibrated_run / "metrics.json").read_text())
    temperature = figures["calibration"]["temperature"]
    assert figures["calibration"]["applied"] and temperature != 1
    recognize = pipeline("multimodal-intent-recognition", model=str(calibrated_run / "pretrained"))
    config = recognize.model.config
    assert config.temperature == temperature
    assert config.coverage_thresholds == figures["calibration"]["coverage_thresholds"]
    table = pq.read_table(calibrated_run / "predictions.parquet")
    assert json.loads(table.schema.metadata[b"temperature"]) == temperature
    answers = recognize([{"text": text} for text in table["text"].to_pylist()], coverage=0.9)
    said = [max(scores) for scores in table["scores"].to_pylist()]
    assert [answer["score"] for answer in answers] == pytest.approx(said, abs=1e-5)
    # 95 % of the calibrated probabilities on the validation split reach the threshold, and about so many on the test.
    assert np.mean([answer["score"] >= config.out_of_scope_threshold for answer in answers]) > 0.8
    sets = figures["calibration"]["test"]["prediction_sets"]["90"]
    held = [
        label in answer["prediction_set"] for label, answer in zip(table["label"].to_pylist(), answers, strict=True)
    ]
    assert np.mean(held) == pytest.approx(sets["coverage"])
    assert np.mean([len(answer["prediction_set"]) for answer in answers]) == pytest.approx(sets["mean_size"])


def test_settings_of_ones_own_stay_and_the_threshold_follows_them(calibrated_run, tmp_path):
    preset = calibrated_run.parent / "tiny.yaml"
    short = ["--dataset", str(calibrated_run.parent / "more"), "--modalities", "text", "--max_steps", "4"]
    thresholds = {}
    for temperature in (1.0, 50.0):
        own = ["--model_config.temperature", str(temperature), "--output_dir", str(tmp_path / f"{temperature}")]
        content = main([str(preset), *short, *own])["amess"]
        config = json.loads((tmp_path / f"{temperature}" / "pretrained" / "config.json").read_text())
        assert config["temperature"] == temperature == content["calibration"]["temperature"]
        thresholds[temperature] = config["out_of_scope_threshold"]
    assert thresholds[50.0] < thresholds[1.0], "it is fitted on the probabilities that the pipeline gives"
