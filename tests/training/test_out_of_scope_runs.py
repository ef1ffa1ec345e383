# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs with utterances out of scope, on MIntRec2.0's released layout: each protocol from the files to the figures."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from transformers import pipeline

from dataset_scripts.labels import MINTREC2_LABELS
from training.baselines import BASELINES
from training.finished_run import UnfinishedRunError, read_run, sort_runs
from training.model_card import model_card
from training.train import main

from . import tiny


LOGIT_SCORES = {"max_probability", "max_logit", "energy", "mahalanobis", "vim"}


@pytest.fixture(scope="module")
def arguments(tiny_settings, tmp_path_factory):
    """Command line of a run of seconds on all of the tiny MIntRec2.0, text alone."""
    folder = tiny.make_released_mintrec2(tmp_path_factory.mktemp("released") / "MIntRec2.0")
    data = f"--dataset mintrec2 --data_dir {folder} --scope all --modalities text --label_descriptions null"
    return [*tiny_settings, *data.split(), "--num_train_epochs", "2", "--logging_steps", "1"]


@pytest.fixture(scope="module")
def runs(arguments, tmp_path_factory):
    """A run of A-MESS under each protocol: folder by name."""
    folders = {}
    for protocol in ("class", "outlier_exposure", "none"):
        folders[protocol] = tmp_path_factory.mktemp(protocol) / "run"
        main([*arguments, "--out_of_scope", protocol, "--output_dir", str(folders[protocol])])
    return folders


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def log_lines(folder, event):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize("protocol", ["class", "outlier_exposure", "none"])
def test_every_figure_follows_from_the_predictions_file(runs, protocol):
    table = pq.read_table(runs[protocol] / "predictions.parquet").to_pandas()
    metrics = metrics_of(runs[protocol])
    figures = metrics["out_of_scope"]["test"]
    inside = table["label"] != "UNK"
    assert (figures["in_scope"], figures["out_of_scope"]) == (inside.sum(), (~inside).sum()) == (12, 4)

    labels = [*MINTREC2_LABELS, "UNK"]
    thresholds = metrics["out_of_scope"]["thresholds"]
    likeliest = [MINTREC2_LABELS[np.argmax(row[:30])] for row in table["scores"]]
    confidence, kept = table["scores"].map(max), metrics["out_of_scope_threshold"]["value"]
    decisions = {"argmax" if protocol == "class" else "doc": table["decision"]}
    decisions["pipeline"] = np.where(confidence >= kept, table["prediction"], "UNK")
    for name, threshold in thresholds.items():
        values = np.array([row[name] for row in table["scope_scores"]])
        decisions[name] = np.where(values >= threshold["value"], likeliest, "UNK")
        assert figures["ood_detection"][name]["auroc"] == pytest.approx(roc_auc_score(inside, values))
    assert set(figures["open_intent"]) == set(decisions)
    for name, said in decisions.items():
        f1 = f1_score(table["label"], said, labels=labels, average=None, zero_division=0)
        expected = (accuracy_score(table["label"], said), f1[:30].mean(), f1[30], f1.mean())
        found = figures["open_intent"][name]
        assert [found[key] for key in ("accuracy", "f1_in_scope", "f1_out_of_scope", "f1")] == pytest.approx(expected)
    own_label = {"unknown_label"} if protocol == "class" else set()
    assert set(thresholds) == set(figures["ood_detection"]) == LOGIT_SCORES | {"description_similarity"} | own_label
    probabilities = np.array(table["scores"].to_list())
    scores = {name: np.array([row[name] for row in table["scope_scores"]]) for name in thresholds}
    if protocol == "class":
        assert scores["unknown_label"] == pytest.approx(1 - probabilities[:, 30], abs=1e-6)
        assert (table["decision"] == table["prediction"]).all()
    else:
        assert scores["max_probability"] == pytest.approx(probabilities.max(-1), abs=1e-6)


def test_the_31st_class_is_a_label_without_descriptions(runs):
    config = read_run(runs["class"]).config
    assert len(config["id2label"]) == 31 and config["id2label"]["30"] == config["out_of_scope_label"] == "UNK"
    assert "UNK" not in config["label_descriptions"]
    metrics = metrics_of(runs["class"])
    assert metrics["train_samples"] == 24 + 8
    assert sum(row["support"] for row in metrics["test"]["per_class"]) == 16


@pytest.mark.parametrize("protocol", ["outlier_exposure", "none"])
def test_without_a_class_the_models_own_metrics_are_of_the_utterances_in_scope(runs, protocol):
    config, metrics = read_run(runs[protocol]).config, metrics_of(runs[protocol])
    assert len(config["id2label"]) == 30 and config["out_of_scope_label"] is None
    table = pq.read_table(runs[protocol] / "predictions.parquet").to_pandas()
    inside = table[table["label"] != "UNK"]
    assert metrics["test"]["accuracy"] == pytest.approx((inside["label"] == inside["prediction"]).mean())
    assert sum(row["support"] for row in metrics["test"]["per_class"]) == 12
    assert metrics["train_samples"] == (32 if protocol == "outlier_exposure" else 24)
    losses = [line.get("outlier_loss") for line in log_lines(runs[protocol], "train")]
    if protocol == "none":
        assert set(losses) == {None}
    else:
        assert all(loss >= math.log(30) - 1e-6 for loss in losses if loss is not None) and losses != [None] * 16


@pytest.mark.parametrize("protocol", ["class", "outlier_exposure", "none"])
def test_the_schedule_ends_with_the_last_step_that_is_taken(runs, protocol):
    metrics = metrics_of(runs[protocol])
    steps = 2 * math.ceil(metrics["train_samples"] / 4)
    rates = [line["learning_rate"] for line in log_lines(runs[protocol], "train")]
    assert metrics["steps"] == len(rates) == steps
    peak, warmup = max(rates), rates.index(max(rates))
    assert rates[-1] == pytest.approx(peak / (steps - warmup))


@pytest.mark.parametrize("protocol", ["class", "none"])
def test_the_threshold_is_the_models_and_the_pipeline_decides_by_it(runs, protocol):
    metrics, folder = metrics_of(runs[protocol]), str(runs[protocol] / "pretrained")
    recognize = pipeline("multimodal-intent-recognition", model=folder)
    assert recognize.model.config.out_of_scope_threshold == metrics["out_of_scope_threshold"]["value"]
    assert "best F1" in metrics["out_of_scope_threshold"]["criterion"]
    table = pq.read_table(runs[protocol] / "predictions.parquet").to_pandas()
    answers = recognize([{"text": text} for text in table["text"]])
    said = [30 if answer["out_of_scope"] else MINTREC2_LABELS.index(answer["label"]) for answer in answers]
    gold = [30 if label == "UNK" else MINTREC2_LABELS.index(label) for label in table["label"]]
    expected = metrics["out_of_scope"]["test"]["open_intent"]["pipeline"]["accuracy"]
    assert np.mean(np.array(said) == gold) == pytest.approx(expected)


def test_a_run_that_ends_twice_ends_the_same(arguments, tmp_path):
    settings = [*arguments, "--output_dir", str(tmp_path / "run"), "--max_steps", "3"]
    first = main(settings)["amess"]
    (tmp_path / "run" / "metrics.json").unlink()  # as if it had been killed before the end
    again = main([*settings, "--resume_from_checkpoint", "true"])["amess"]
    for name in ("out_of_scope", "out_of_scope_threshold", "calibration", "test"):
        assert again[name] == first[name]


def test_a_threshold_of_ones_own_is_kept_and_data_in_scope_have_one_too(tiny_settings, tmp_path):
    short = [*tiny_settings, "--max_steps", "3"]
    own = ["--model_config.out_of_scope_threshold", "0.25"]
    metrics = main([*short, *own, "--output_dir", str(tmp_path / "own")])["amess"]
    assert read_run(tmp_path / "own").config["out_of_scope_threshold"] == 0.25
    assert "95 %" in metrics["out_of_scope_threshold"]["criterion"] and "out_of_scope" not in metrics
    main([*short, "--output_dir", str(tmp_path / "run")])
    config = read_run(tmp_path / "run").config
    assert config["out_of_scope_threshold"] == metrics["out_of_scope_threshold"]["value"]


@pytest.mark.parametrize("model", BASELINES)
def test_the_baselines_have_every_score_but_that_of_descriptions(arguments, tmp_path, model):
    settings = ["--model", model, "--model_config", "{}", "--modalities", "text,video,audio"]
    settings += ["--out_of_scope", "outlier_exposure"]
    metrics = main([*arguments, *settings, "--output_dir", str(tmp_path / "run"), "--max_steps", "3"])[model]
    assert set(metrics["out_of_scope"]["test"]["ood_detection"]) == LOGIT_SCORES
    assert "out_of_scope_threshold" not in read_run(tmp_path / "run").config


@pytest.mark.parametrize("how", ["passes", pytest.param("processes", marks=pytest.mark.slow)])
def test_shared_outlier_exposure_equals_the_larger_batch(arguments, tmp_path, how):
    text_model = tiny.make_text_model(tmp_path / "bert", dropout=0.0)
    settings = [*arguments, "--model", "text_only", "--model_config", "{classifier_dropout: 0}"]
    settings += ["--out_of_scope", "outlier_exposure", "--text_model", text_model, "--max_steps", "6"]
    main([*settings, "--per_device_train_batch_size", "8", "--output_dir", str(tmp_path / "large")])
    shared = [*settings, "--per_device_train_batch_size", "4", "--output_dir", str(tmp_path / "shared")]
    if how == "passes":
        main([*shared, "--gradient_accumulation_steps", "2"])
    else:
        tiny.run(tiny.torchrun(2), shared, tmp_path / "log")
    large, parts = (pq.read_table(tmp_path / name / "predictions.parquet").to_pandas() for name in ("large", "shared"))
    np.testing.assert_allclose(np.stack(parts["scores"]), np.stack(large["scores"]), atol=1e-5)
    np.testing.assert_allclose(
        [row["vim"] for row in parts["scope_scores"]], [row["vim"] for row in large["scope_scores"]], atol=1e-3
    )


def test_the_descriptions_of_held_out_intents_may_stay_in_the_file(tiny_settings, tmp_path):
    settings = [*tiny_settings, "--out_of_scope", "none", "--held_out_intents", "0.3", "--max_steps", "2"]
    main([*settings, "--output_dir", str(tmp_path / "run")])
    config = read_run(tmp_path / "run").config
    assert len(config["label2id"]) == 2 and set(config["label_descriptions"]) == set(config["label2id"])


def test_held_out_intents_are_not_trained_on_and_tested_as_out_of_scope(arguments, tmp_path):
    folder = tiny.make_released_mintrec2(tmp_path / "MIntRec2.0", test_split=False)
    settings = [*arguments, "--data_dir", folder, "--scope", "in-scope", "--out_of_scope", "none"]
    settings += ["--held_out_intents", "0.33", "--held_out_seed", "2", "--test_from_validation"]
    metrics = main([*settings, "--output_dir", str(tmp_path / "run")])["amess"]
    held_out = metrics["out_of_scope"]["held_out_intents"]
    assert len(held_out) == 10 and set(held_out) & {"Greet", "Leave", "Thank", "Joke"}
    assert set(read_run(tmp_path / "run").config["label2id"]) == set(MINTREC2_LABELS) - set(held_out)
    figures = [metrics["out_of_scope"][split] for split in ("validation", "test")]
    assert sum(part["in_scope"] + part["out_of_scope"] for part in figures) == 12
    share = len(set(held_out) & {"Greet", "Leave", "Thank", "Joke"}) / 4
    assert sum(part["out_of_scope"] for part in figures) == 12 * share
    assert metrics["train_samples"] == 24 * (1 - share)
    card = model_card(tmp_path / "run")
    assert "held out of training" in card.text and f"`{held_out[0]}`" in card.text
    assert "half of the validation split" in card.text
    assert {result.dataset_split for result in card.data.eval_results} == {"validation"}


@pytest.mark.parametrize("protocol", ["class", "outlier_exposure"])
def test_the_card_tells_the_figures(runs, protocol):
    figures = metrics_of(runs[protocol])["out_of_scope"]["test"]
    section = str(model_card(runs[protocol])).split("\n## Out of scope\n")[1].split("\n## ")[0]
    assert section.strip().startswith("4 utterances of the test split have none of the intents, 12 have one.")
    name, title = ("argmax", "likeliest label") if protocol == "class" else ("doc", "DOC")
    values = [figures["open_intent"][name][key] for key in ("accuracy", "f1_in_scope", "f1_out_of_scope", "f1")]
    assert f"| {title} | " + " | ".join(f"{100 * value:.1f}" for value in values) + " |" in section
    energy = [figures["ood_detection"]["energy"][key] for key in ("auroc", "aupr_in", "aupr_out", "fpr95")]
    assert "| energy | " + " | ".join(f"{100 * value:.1f}" for value in energy) + " |" in section


def test_runs_of_different_protocols_do_not_share_a_table(runs):
    with pytest.raises(UnfinishedRunError, match="out_of_scope='none'"):
        sort_runs(read_run(runs["class"]), [read_run(runs["none"])])
