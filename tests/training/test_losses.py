# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Class weights, label smoothing and soft labels: by PyTorch's loss, by their laws, and in runs of every model."""

from __future__ import annotations

import json
from types import SimpleNamespace

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from training.arguments import SettingsError, TrainingSettings, parse_settings
from training.baselines.base import BaselineOutput, BaselinePreTrainedModel
from training.data import IntentCollator
from training.launching import create_accelerator
from training.losses import SOFT_LABELS, WeightedLoss, class_weights, loss_of_settings, model_loss
from training.model_setup import create_model, create_processor
from training.models import MODELS
from training.preparation import load_rows
from training.train import main

from . import tiny


NAMES = ("Greet", "Leave", "Thank")


@pytest.fixture
def logits():
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)


LABELS = torch.tensor([0, 1, 2, 0, 0, 1, -100, 2])


def test_the_cross_entropy_is_that_of_the_definition(logits):
    weights, smoothing = torch.tensor([0.5, 2.0, 1.0]), 0.2
    found = WeightedLoss(weights, smoothing).cross_entropy(logits, LABELS)
    known = LABELS >= 0
    targets = (1 - smoothing) * torch.eye(3)[LABELS[known]] + smoothing / 3
    expected = -(weights * targets * logits[known].log_softmax(-1)).sum() / known.sum()
    torch.testing.assert_close(found, expected)


def test_soft_labels_that_are_certain_are_labels(logits):
    for loss in (WeightedLoss(), WeightedLoss(torch.tensor([0.5, 2.0, 1.0]), 0.1)):
        certain = torch.eye(3)[LABELS.clamp(min=0)]
        hard, soft = loss.cross_entropy(logits, LABELS), loss.cross_entropy(logits, LABELS, certain)
        torch.testing.assert_close(soft, hard)


@settings(deadline=None)
@given(st.integers(1, 4), st.floats(0, 0.9), st.booleans(), st.booleans())
def test_equal_parts_of_a_batch_have_its_loss_as_their_mean(parts, smoothing, weighted, soft):
    random = torch.Generator().manual_seed(parts)
    logits, labels = torch.randn(12, 3, generator=random), torch.randint(3, (12,), generator=random)
    targets = torch.rand(12, 3, generator=random).softmax(-1) if soft else None
    loss = WeightedLoss(torch.tensor([0.2, 5.0, 1.0]) if weighted else None, smoothing)
    pieces = [
        loss.cross_entropy(logits[part], labels[part], None if targets is None else targets[part])
        for part in torch.arange(12).chunk(parts)
    ]
    torch.testing.assert_close(torch.stack(pieces).mean(), loss.cross_entropy(logits, labels, targets))


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_balanced_weights_are_scikit_learns_and_their_mean_over_the_rows_is_one(labels):
    weights = np.array(class_weights("balanced", NAMES, [*labels, 3, -100]))
    present = np.unique(labels)
    np.testing.assert_allclose(weights[present], compute_class_weight("balanced", classes=present, y=labels))
    assert weights[labels].mean() == pytest.approx(1)
    assert (weights[np.setdiff1d(range(3), present)] == 1).all()


def test_weights_by_intent_are_read_from_the_command_line_and_from_a_preset():
    assert class_weights("{Leave: 2, Thank: 0.5}", NAMES, []) == [1, 2, 0.5]
    assert TrainingSettings(class_weights={"Leave": 2}).class_weights == "{Leave: 2}"
    assert loss_of_settings(TrainingSettings(), NAMES, []) is model_loss


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("heavy", "balanced"),
        ("{Lave: 2}", "Leave"),
        ("{Leave: -1}", "'Leave'"),
        ("{Leave: .nan}", "'Leave'"),
        ("{Leave: true}", "'Leave'"),
        ("[1, 2", "'balanced'"),
    ],
)
def test_weights_that_cannot_be_are_refused(text, word):
    with pytest.raises(SettingsError, match=word):
        class_weights(text, NAMES, [])


def with_column(folder, values):
    """The tiny data set with a column of soft labels in its training split."""
    splits = datasets.load_from_disk(tiny.make_dataset(folder / "data"))
    splits["train"] = splits["train"].add_column("votes", values(splits["train"]["label"][:]))
    splits.save_to_disk(folder / "with_votes")
    return str(folder / "with_votes")


def votes(labels):
    """Seven of ten annotators for the label, three for the next one."""
    eye = np.eye(3)
    return [(0.7 * eye[label] + 0.3 * eye[(label + 1) % 3]).tolist() for label in labels]


LOSSES = ["--class_weights", "{Greet: 3}", "--label_smoothing_factor", "0.1", "--soft_labels", "votes"]


@pytest.fixture(scope="module")
def voted(tmp_path_factory):
    """The tiny data set with votes."""
    return with_column(tmp_path_factory.mktemp("voted"), votes)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_them_and_equal_parts_of_a_batch_have_its_loss_as_their_mean(model, tiny_settings, voted):
    own = [] if model == "amess" else ["--model_config", "{}"]
    chosen = parse_settings([*tiny_settings, "--dataset", voted, "--model", model, *LOSSES, *own])
    rows, source = load_rows(chosen, create_accelerator(chosen))
    classifier = create_model(chosen, rows["train"].label_names, rows["train"].feature_sizes(), source).eval()
    if isinstance(classifier, BaselinePreTrainedModel):
        classifier.read_training_rows(rows["train"])
    collator = IntentCollator(create_processor(chosen, classifier), chosen.modality_names)
    loss = loss_of_settings(chosen, rows["train"].label_names, rows["train"].column("label"))
    picked = [rows["train"][index] for index in range(8)]
    with torch.no_grad():
        whole, first, second = (loss(classifier, collator(part)) for part in (picked, picked[:4], picked[4:]))
        plain = model_loss(classifier, {key: value for key, value in collator(picked).items() if key != SOFT_LABELS})
    name = "loss" if whole.get("classification_loss") is None else "classification_loss"
    torch.testing.assert_close((first[name] + second[name]) / 2, whole[name], atol=1e-5, rtol=1e-5)
    assert abs(whole[name] - plain[name]) > 1e-3
    torch.testing.assert_close(whole["loss"] - whole[name], plain["loss"] - plain[name], atol=1e-5, rtol=1e-5)


def test_a_run_that_accumulates_takes_the_steps_of_one_that_does_not(voted, tiny_settings, tmp_path):
    text_model = tiny.make_text_model(tmp_path / "bert", dropout=0.0)
    common = [*tiny_settings, "--dataset", voted, "--model", "text_only", "--text_model", text_model, *LOSSES]
    common += ["--model_config", "{classifier_dropout: 0}", "--max_steps", "3"]
    found = []
    for name, size, passes in (("whole", "4", "1"), ("shared", "2", "2")):
        sizes = ["--per_device_train_batch_size", size, "--gradient_accumulation_steps", passes]
        main([*common, *sizes, "--output_dir", str(tmp_path / name)])
        lines = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        found.append([line["loss"] for line in lines if line["event"] == "train"])
    assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_the_term_that_is_not_the_cross_entropy_stays():
    class Model(torch.nn.Module):
        def forward(self, logits, labels):
            plain = torch.nn.functional.cross_entropy(logits, labels)
            return BaselineOutput(plain + 5, plain, torch.tensor(5.0), logits)

    logits, labels = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 1, 2, 2])
    loss = WeightedLoss(label_smoothing=0.3)
    output = loss(Model(), {"logits": logits, "labels": labels})
    own = loss.cross_entropy(logits, labels)
    torch.testing.assert_close(output.loss, own + 5)
    torch.testing.assert_close(output.classification_loss, own)
    gradient = torch.autograd.grad(output.loss, logits, retain_graph=True)[0]
    torch.testing.assert_close(gradient, torch.autograd.grad(own, logits)[0])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (lambda labels: [[0.5, 0.5]] * len(labels), ["train_0", "3 numbers", "Greet, Leave, Thank"]),
        (lambda labels: [[1.0, 0, 0]] * 5 + [[0.9, 0.9, 0]] * (len(labels) - 5), ["train_5", "add up to 1.8"]),
        (lambda labels: [[1.5, -0.5, 0]] * len(labels), ["train_0", "at least 0"]),
        (lambda labels: [[float("nan"), 0.5, 0.5]] * len(labels), ["train_0", "no probabilities"]),
        (lambda labels: ["Greet"] * len(labels), ["train_0", "'Greet'"]),
    ],
)
def test_soft_labels_that_are_no_probabilities_are_refused_before_the_training(values, words, tiny_settings, tmp_path):
    run = [*tiny_settings, "--dataset", with_column(tmp_path, values), "--soft_labels", "votes"]
    with pytest.raises(SettingsError) as error:
        main([*run, "--output_dir", str(tmp_path / "run")])
    assert all(word in str(error.value) for word in words)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_column_that_does_not_exist_and_settings_that_contradict_it(tiny_settings, tmp_path):
    with pytest.raises(SettingsError, match="no column 'votes'"):
        main([*tiny_settings, "--soft_labels", "votes", "--output_dir", str(tmp_path / "run")])
    with pytest.raises(SettingsError, match="leaves labels out"):
        TrainingSettings(soft_labels="votes", out_of_scope="none", held_out_intents=0.3)
    with pytest.raises(SettingsError, match="class_weights"):
        TrainingSettings(model="logistic", modalities="text", class_weights="balanced")


def test_other_soft_labels_are_other_data(tiny_settings, tmp_path):
    run = [*tiny_settings, "--soft_labels", "votes", "--max_steps", "2", "--output_dir", str(tmp_path / "run")]
    digests = []
    for name, values in (("one", votes), ("other", lambda labels: np.eye(3)[np.asarray(labels)].tolist())):
        data = with_column(tmp_path / name, values)
        content = main([*run, "--dataset", data, "--overwrite"])["amess"]
        digests.append(content["trained_on"]["dataset (train)"])
    assert digests[0] != digests[1]


def test_the_validation_loss_is_the_plain_cross_entropy_in_log_and_metrics(tiny_settings, tmp_path):
    content = main([*tiny_settings, "--label_smoothing_factor", "0.4", "--output_dir", str(tmp_path / "run")])["amess"]
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = {line["epoch"]: line["loss"] for line in lines if line["event"] == "validation"}
    assert len(losses) == 3 and losses[content["best_epoch"]] == pytest.approx(content["validation"]["loss"], abs=1e-5)
    table = pq.read_table(tmp_path / "run" / "predictions.parquet")
    names = json.loads(table.schema.metadata[b"labels"])
    gold = [
        row[names.index(label)]
        for row, label in zip(table["scores"].to_pylist(), table["label"].to_pylist(), strict=True)
    ]
    assert content["test"]["loss"] == pytest.approx(-np.log(gold).mean(), abs=1e-4)


def test_a_batch_without_soft_labels_needs_none():
    model = SimpleNamespace(calls=[])

    def forward(**batch):
        model.calls.append(set(batch))
        return BaselineOutput(loss=torch.tensor(1.0), logits=torch.zeros(2, 3))

    WeightedLoss()(forward, {"labels": torch.tensor([0, 1]), SOFT_LABELS: torch.full((2, 3), 1 / 3)})
    assert model.calls == [{"labels"}]
