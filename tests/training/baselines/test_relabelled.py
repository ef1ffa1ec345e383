# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A baseline that is given other labels uses nothing that it stored about the old ones."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from training.baselines import BASELINES, MODELS

from .tiny_baselines import LABELS, build, make_batch, training_rows


STORING = [name for name in BASELINES if MODELS[name].model_class.stores_labels]
ASKS = r"set_label_words|read_training_rows"
OTHERS = ("bye", "hi", "hello")
RELABELLINGS = {
    "the same number": {"id2label": dict(enumerate(OTHERS))},
    "another order": {"id2label": dict(enumerate(reversed(LABELS)))},
    "fewer": {"id2label": dict(enumerate(OTHERS[:2])), "ignore_mismatched_sizes": True},
    "a number": {"num_labels": 4, "ignore_mismatched_sizes": True},
}


@pytest.fixture(params=STORING)
def saved(request, text_model, tmp_path):
    """Folder of a model that stored something about its labels."""
    build(request.param, text_model).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def train_step(model):
    batch = make_batch()
    batch["labels"] = batch["labels"] % model.num_labels
    torch.manual_seed(0)
    return model.train()(**batch).loss


def learn_labels(model, text_model):
    model.set_label_words(AutoTokenizer.from_pretrained(text_model))
    model.read_training_rows([row | {"label": row["label"] % model.num_labels} for row in training_rows()])


def test_every_baseline_that_holds_labels_says_so(text_model):
    """Buffers of whole numbers besides positions are labels, or made of them."""
    for name in BASELINES:
        buffers = {
            key for key, value in build(name, text_model).named_buffers()
            if not value.is_floating_point() and not key.endswith(("position_ids", "token_type_ids"))
        }  # fmt: skip
        assert bool(buffers) == (name in STORING), buffers


@pytest.mark.parametrize("arguments", RELABELLINGS.values(), ids=RELABELLINGS)
@pytest.mark.parametrize("auto", [False, True])
def test_a_model_that_is_loaded_with_other_labels_asks_for_what_belongs_to_these(arguments, auto, saved, text_model):
    own = AutoModelForSequenceClassification.from_pretrained(saved)
    model_class = AutoModelForSequenceClassification if auto else type(own)
    model = model_class.from_pretrained(saved, **arguments)
    with pytest.raises(ValueError, match=ASKS):
        train_step(model)
    assert model.eval()(**{**make_batch(), "labels": None}).logits.shape == (3, model.num_labels)
    # Nor after it was saved like this.
    model.save_pretrained(saved.parent / "again")
    again = model_class.from_pretrained(saved.parent / "again")
    with pytest.raises(ValueError, match=ASKS):
        train_step(again)
    learn_labels(again, text_model)
    assert torch.isfinite(train_step(again))


def test_labels_that_are_set_on_a_live_model(saved):
    model = AutoModelForSequenceClassification.from_pretrained(saved)
    model.config.id2label = dict(enumerate(OTHERS))
    with pytest.raises(ValueError, match=ASKS):
        train_step(model)


def test_the_same_labels_are_no_new_labels(saved, text_model):
    expected = train_step(AutoModelForSequenceClassification.from_pretrained(saved))
    for arguments in ({"id2label": dict(enumerate(LABELS))}, {"num_labels": len(LABELS)}):
        assert train_step(AutoModelForSequenceClassification.from_pretrained(saved, **arguments)) == expected


def test_the_config_of_another_model_does_not_describe_these_weights(saved, text_model):
    own = AutoModelForSequenceClassification.from_pretrained(saved)
    config = type(own.config)(**own.config.to_dict() | {"id2label": dict(enumerate(OTHERS)), "label2id": None})
    with pytest.raises(ValueError, match=ASKS):
        train_step(type(own).from_pretrained(saved, config=config))


def test_a_model_of_version_0_1_0_is_about_the_labels_of_its_file(saved):
    """That version saved no record of the labels."""
    expected = train_step(AutoModelForSequenceClassification.from_pretrained(saved))
    weights = load_file(saved / "model.safetensors")
    del weights["label_record.fingerprint"]
    save_file(weights, saved / "model.safetensors", metadata={"format": "pt"})
    assert json.loads((saved / "config.json").read_text())["id2label"] == {"0": "hello", "1": "bye", "2": "thanks"}
    model = AutoModelForSequenceClassification.from_pretrained(saved)
    assert train_step(model) == expected
    relabelled = AutoModelForSequenceClassification.from_pretrained(saved, id2label=dict(enumerate(OTHERS)))
    with pytest.raises(ValueError, match=ASKS):
        train_step(relabelled)
    model.load_state_dict(weights)  # as a run is continued
    assert train_step(model) == expected
