# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses and predictions as `transformers.Trainer` and its users expect them, of A-MESS and of every baseline."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments

from modeling_amess import AmessModel
from modeling_amess.descriptions_amess import semantic_synchronization_loss
from tests.training.tiny import make_text_model
from training.out_of_scope.outlier_exposure import exposed_loss

from .test_common import SUBJECTS, Subject, gradients
from .tiny import tiny_batch, tiny_model


ROWS = 12
CLASSIFIERS = [name for name in SUBJECTS if name != "AmessMediaEncoder" and not name.startswith("AmessModel")]


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a random BERT without dropout."""
    return make_text_model(tmp_path_factory.mktemp("bert"), dropout=0.0)


def without_dropout(model: PreTrainedModel, subject: Subject) -> PreTrainedModel:
    gradients(model, subject.batch)
    for module in model.modules():
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
    model.zero_grad()
    return model


def dataset(subject: Subject, labels: list[int]) -> list[dict[str, torch.Tensor]]:
    """As many utterances as labels, the subject's rows over and over with other texts."""
    rows = []
    for index, label in enumerate(labels):
        row = {name: value[index % 3] for name, value in subject.batch.items()}
        row["input_ids"] = row["input_ids"].roll(index // 3)
        rows.append(row | {"labels": torch.tensor(label)})
    return rows


def trainer(model: PreTrainedModel, rows: list, folder: Path, **arguments: object) -> Trainer:
    settings = {"report_to": [], "save_strategy": "no", "use_cpu": True, "disable_tqdm": True, "logging_steps": 1}
    settings |= {"learning_rate": 0.0, "max_grad_norm": 1e9, "remove_unused_columns": False}
    return Trainer(
        model=model,
        args=TrainingArguments(output_dir=str(folder), **(settings | arguments)),
        train_dataset=rows,
        eval_dataset=rows,
    )


def training_loss(model: PreTrainedModel, rows: list, folder: Path, size: int, steps: int) -> tuple[float, float]:
    """Loss and norm of the gradient of one optimizer step over all rows."""
    one = trainer(
        model, rows, folder, per_device_train_batch_size=size, gradient_accumulation_steps=steps, max_steps=1
    )
    one.train()
    log = next(entry for entry in one.state.log_history if "loss" in entry)
    return log["loss"], log["grad_norm"]


# Losses that compare the rows of a batch with each other depend on which rows share a forward pass.
@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name not in ("tcl_map", "cagc")])
def test_the_loss_does_not_depend_on_the_accumulation(name, text_model, tmp_path):
    subject = SUBJECTS[name]
    model = without_dropout(subject.make(text_model), subject)
    rows = dataset(subject, [index % 3 for index in range(ROWS)])
    batch = {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
    whole = training_loss(model, rows, tmp_path, ROWS, 1)
    assert whole[0] == pytest.approx(model.train()(**batch).loss.item(), rel=1e-4)
    for size, steps in ((4, 3), (1, 12), (5, 3)):  # the last has a smaller batch at its end
        assert training_loss(model, rows, tmp_path, size, steps) == pytest.approx(whole, rel=1e-3), (size, steps)


def test_rows_without_a_label_do_not_dilute_an_accumulated_loss(tmp_path, text_model):
    subject = SUBJECTS["AmessForIntentClassification bert"]
    model = without_dropout(subject.make(text_model), subject)
    labels = [-100, 0, -100, -100, 1, 2, 0, 1, 2, -100, 1, -100]
    rows = dataset(subject, labels)
    whole = training_loss(model, rows, tmp_path, ROWS, 1)
    for size, steps in ((3, 4), (1, 12)):  # one batch of three and five of one have no label at all
        assert training_loss(model, rows, tmp_path, size, steps) == pytest.approx(whole, rel=1e-3)


@pytest.mark.parametrize("name", ["tcl_map", "cagc"])
def test_the_cross_entropy_does_not_depend_on_the_accumulation(name, text_model, tmp_path):
    subject = SUBJECTS[name]
    model = without_dropout(subject.make(text_model), subject)
    for weight in ("contrastive_weight", "local_contrastive_weight", "global_contrastive_weight"):
        if weight in model.config.to_dict():
            setattr(model.config, weight, 0.0)
    model.config.same_intent_contexts = False
    rows = dataset(subject, [index % 3 for index in range(ROWS)])
    whole = training_loss(model, rows, tmp_path, ROWS, 1)
    assert training_loss(model, rows, tmp_path, 3, 4) == pytest.approx(whole, rel=1e-3)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_predictions_are_the_logits_and_evaluation_gives_the_loss_of_the_model(name, text_model, tmp_path):
    subject = SUBJECTS[name]
    model = subject.make(text_model)
    rows = dataset(subject, [0, 1, 2, 1, 0])
    batch = {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
    with torch.no_grad():
        expected = model.eval()(**batch)
    seen = {}

    def accuracy(prediction) -> dict[str, float]:
        seen["logits"] = prediction.predictions
        return {"accuracy": float((np.argmax(prediction.predictions, -1) == prediction.label_ids).mean())}

    one = trainer(model, rows, tmp_path, per_device_eval_batch_size=5)
    one.compute_metrics = accuracy
    metrics = one.evaluate()
    np.testing.assert_allclose(seen["logits"], expected.logits.numpy(), atol=1e-5)
    assert metrics["eval_loss"] == pytest.approx(expected.loss.item(), rel=1e-5)
    # Without labels, too, and more than one batch.
    one.args.per_device_eval_batch_size = 2
    unlabelled = [{key: value for key, value in row.items() if key != "labels"} for row in rows]
    assert one.predict(unlabelled).predictions.shape == (5, model.config.num_labels)


def test_the_encoder_alone_predicts_its_hidden_states(text_model, tmp_path):
    subject = SUBJECTS["AmessModel bert"]
    rows = [{key: value for key, value in row.items() if key != "labels"} for row in dataset(subject, [0, 0, 0])]
    predictions = trainer(subject.make(text_model), rows, tmp_path).predict(rows).predictions
    assert isinstance(predictions, np.ndarray) and predictions.shape[0] == 3 and predictions.ndim == 3


def loss_and_gradients(model: PreTrainedModel, batch: dict, labels: torch.Tensor) -> tuple[float, dict]:
    torch.manual_seed(0)
    model.zero_grad()
    loss = model(**batch, labels=labels).loss
    loss.backward()
    return loss.item(), {key: value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("contrastive_form", ["classes", "batch"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_row_of_label_minus_100_takes_no_part_in_any_loss(name, contrastive_form, text_model):
    subject = SUBJECTS[name]
    model = without_dropout(subject.make(text_model), subject).train()
    if not name.startswith("Amess") and contrastive_form == "batch":
        contrastive_form = None  # baselines have one form: the second pass checks them in evaluation mode
        model.eval()
    else:
        model.config.contrastive_form = contrastive_form
    labelled = {key: value[1:] for key, value in subject.batch.items()}
    loss, expected = loss_and_gradients(model, labelled, torch.tensor([1, 2]))
    with_unlabelled, same = loss_and_gradients(model, subject.batch, torch.tensor([-100, 1, 2]))
    assert with_unlabelled == pytest.approx(loss, rel=1e-4)
    for key, value in expected.items():
        torch.testing.assert_close(same[key], value, atol=1e-4, rtol=1e-3)
    nothing, zeros = loss_and_gradients(model, subject.batch, torch.tensor([-100, -100, -100]))
    assert nothing == 0
    assert all(value.abs().max() == 0 for value in zeros.values())


@pytest.mark.parametrize("form", ["classes", "batch"])
def test_a_row_of_label_minus_100_is_no_negative_of_the_contrastive_loss(form):
    similarity = torch.rand(4, 3, 2, dtype=torch.float64) * 2 - 1
    mask, labels = torch.ones(3, 2), torch.tensor([0, -100, 2, -100])
    known = labels >= 0
    loss = semantic_synchronization_loss(similarity, mask, labels, 0.7, form)
    assert loss == semantic_synchronization_loss(similarity[known], mask, labels[known], 0.7, form)


def test_a_row_of_label_minus_100_takes_no_part_in_outlier_exposure():
    model = tiny_model(use_semantic_synchronization=False)
    batch, labels = tiny_batch(batch=5), torch.tensor([0, 9, 2, -100, 1])
    without = {key: value[[0, 1, 2, 4]] for key, value in batch.items()}
    expected = exposed_loss(model, {**without, "labels": labels[[0, 1, 2, 4]]}, 1.5).loss
    torch.testing.assert_close(exposed_loss(model, {**batch, "labels": labels}, 1.5).loss, expected)
    for all_of_one_kind in (torch.full((5,), -100), torch.tensor([-100, 9, 9, -100, 9])):
        assert torch.isfinite(exposed_loss(model, {**batch, "labels": all_of_one_kind}, 1.5).loss)
    assert exposed_loss(model, {**batch, "labels": torch.full((5,), -100)}, 1.5).loss == 0


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_that_are_no_ids_are_refused_in_words(name, text_model):
    subject = SUBJECTS[name]
    model = subject.make(text_model)
    number = model.config.num_labels
    for soft in (
        torch.full((3, number), 1 / number),
        torch.tensor([0.0, 1.0, 2.0]),
        torch.tensor([True, False, True]),
    ):
        with pytest.raises(TypeError, match="label id per utterance"):
            model(**subject.batch, labels=soft)
    for shape in ((3, 1), (3, number), (2,), ()):
        with pytest.raises(ValueError, match="label id per utterance"):
            model(**subject.batch, labels=torch.zeros(shape, dtype=torch.long))
    for dtype in (torch.int32, torch.uint8):  # as numpy on Windows and small tables give them
        assert torch.isfinite(model(**subject.batch, labels=torch.tensor([0, 1, 2], dtype=dtype)).loss)


def test_a_model_without_semantic_synchronization_has_no_buffer_to_keep_in_float32(tmp_path):
    for fields in ({}, {"use_semantic_synchronization": False}):
        model = tiny_model(**fields)
        names = [part for key in model.state_dict() for part in key.split(".")]
        assert set(model._keep_in_fp32_modules_strict) <= set(names)
        model.save_pretrained(tmp_path)
        half = type(model).from_pretrained(tmp_path, dtype=torch.bfloat16)
        assert half.classifier.weight.dtype == torch.bfloat16
    assert isinstance(model.amess, AmessModel)
