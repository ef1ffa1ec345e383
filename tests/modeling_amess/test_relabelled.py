# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A model with new labels keeps nothing of the old ones: descriptions, their embeddings, temperature, thresholds."""

import json
import logging
from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from transformers import AutoConfig, AutoModelForSequenceClassification

from modeling_amess import AmessConfig, AmessForIntentClassification

from .tiny import DESCRIPTIONS, LABELS, OneHotEncoder, tiny_batch, tiny_config, tiny_model


NAMES = ("happy", "sad", "angry", "calm")
BATCH = tiny_batch()


def ids(names: tuple[str, ...]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Folder of a model with descriptions, an out-of-scope label, a temperature and thresholds."""
    model = tiny_model(semantic_logits=True)
    model.config.out_of_scope_threshold = 0.6
    model.config.temperature = 2.0
    model.config.coverage_thresholds = {"90": 0.1}
    model.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    for name in ("transformers", "modeling_amess"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    return caplog


def assert_cleared(model: AmessForIntentClassification) -> None:
    config = model.config
    assert config.label_descriptions is None and config.out_of_scope_threshold is None
    assert config.out_of_scope_label is None and config.temperature is None and config.coverage_thresholds is None
    assert config.label2id == {name: index for index, name in config.id2label.items()}
    with torch.no_grad():
        assert model(**BATCH).description_similarity.abs().max() == 0
    with pytest.raises(ValueError, match="set_label_descriptions"):
        model(**BATCH, labels=torch.tensor([0, 1, 1, 0]))


RELABELLINGS = {
    "the same number": {"id2label": dict(enumerate(NAMES)), "label2id": ids(NAMES)},
    "names alone": {"id2label": dict(enumerate(NAMES))},
    "ids alone": {"label2id": ids(NAMES)},
    "fewer": {"id2label": dict(enumerate(NAMES[:2])), "label2id": ids(NAMES[:2]), "ignore_mismatched_sizes": True},
    "a number": {"num_labels": 3, "ignore_mismatched_sizes": True},
    "keys as JSON has them": {"id2label": {str(index): name for index, name in enumerate(NAMES)}},
}


@pytest.mark.parametrize("arguments", RELABELLINGS.values(), ids=RELABELLINGS)
@pytest.mark.parametrize("auto", [False, True])
def test_a_model_that_is_loaded_with_other_labels_keeps_nothing_of_the_old_ones(arguments, auto, saved, warnings):
    model_class = AutoModelForSequenceClassification if auto else AmessForIntentClassification
    model = model_class.from_pretrained(saved, **arguments)
    assert_cleared(model)
    assert model.label_description_embeddings.abs().max() == 0 and model.label_description_mask.sum() == 0
    assert "label_descriptions" in warnings.text and "out_of_scope_threshold" in warnings.text
    model.save_pretrained(saved.parent / "again")
    assert_cleared(AmessForIntentClassification.from_pretrained(saved.parent / "again"))
    descriptions = {name: [f"To be {name}."] for name in model.config.label_names}
    model.set_label_descriptions(descriptions, encoder=OneHotEncoder())
    assert model(**BATCH, labels=torch.tensor([0, 1, 1, 0])).contrastive_loss > 0


def test_other_labels_in_another_order_are_other_labels(saved):
    order = ("UNK", *LABELS[:3])
    model = AmessForIntentClassification.from_pretrained(saved, id2label=dict(enumerate(order)))
    assert model.config.label_descriptions is None and model.label_description_mask.sum() == 0
    assert model.config.out_of_scope_label == "UNK", "it still is a label of this name"


def test_the_same_labels_are_no_new_labels(saved, warnings):
    expected = tiny_model(semantic_logits=True)(**BATCH, labels=torch.tensor([0, 1, 1, 0]))
    for arguments in ({}, {"id2label": dict(enumerate(LABELS)), "label2id": ids(LABELS)}, {"num_labels": 4}):
        model = AmessForIntentClassification.from_pretrained(saved, **arguments)
        assert model.config.label_descriptions == DESCRIPTIONS and model.config.out_of_scope_threshold == 0.6
        assert model.config.temperature == 2 and model.config.coverage_thresholds == {"90": 0.1}
        assert model(**BATCH, labels=torch.tensor([0, 1, 1, 0])).loss == expected.loss
    assert "label" not in warnings.text


def test_fields_that_are_given_with_the_labels_are_about_these(saved):
    config = AutoConfig.from_pretrained(
        saved, out_of_scope_threshold=0.3, out_of_scope_label="calm", id2label=dict(enumerate(NAMES))
    )
    assert config.out_of_scope_threshold == 0.3 and config.out_of_scope_label == "calm"


def test_one_more_label_clears_the_thresholds_and_keeps_the_temperature(saved, warnings):
    model = AmessForIntentClassification.from_pretrained(saved)
    model.add_label("Boast", ["To speak proudly."], encoder=OneHotEncoder())
    config = model.config
    assert config.out_of_scope_threshold is None and config.coverage_thresholds is None and config.temperature == 2
    assert config.out_of_scope_label == "UNK" and "Boast" in config.label_descriptions
    assert "out_of_scope_threshold, coverage_thresholds" in warnings.text and "Boast" in warnings.text


def test_labels_that_are_set_on_a_live_model(saved, warnings):
    for change in ("id2label", "label2id"):
        model = AmessForIntentClassification.from_pretrained(saved)
        setattr(model.config, change, dict(enumerate(NAMES)) if change == "id2label" else ids(NAMES))
        assert_cleared(model)
        assert "cleared" in warnings.text
        model.save_pretrained(saved.parent / "again")
        again = AmessForIntentClassification.from_pretrained(saved.parent / "again")
        assert_cleared(again)
        torch.testing.assert_close(again(**BATCH).logits, model(**BATCH).logits)
        warnings.clear()
    model.config.num_labels = 2
    with pytest.raises(ValueError, match=r"2 labels, but the classifier has 4.*ignore_mismatched_sizes"):
        model(**BATCH)


def change_config(folder: Path, **fields: object) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"label_descriptions": {**DESCRIPTIONS, "Joke": ["Another text."]}},
        {"description_template": "{description} is {label}"},
        {"id2label": {"0": "Taunt", "1": "Thank", "2": "Joke", "3": "UNK"}},
    ],
    ids=["texts", "template", "order"],
)
def test_texts_that_were_changed_in_the_file_lose_their_embeddings(fields, saved, warnings):
    change_config(saved, **fields)
    model = AmessForIntentClassification.from_pretrained(saved)
    assert model.config.label_descriptions is None and model.label_description_mask.sum() == 0
    assert "not those whose embeddings are in the weights" in warnings.text


def test_the_config_of_another_model_does_not_describe_these_weights(saved, warnings):
    labels = {"id2label": dict(enumerate(NAMES)), "label2id": ids(NAMES), "out_of_scope_label": None}
    other = AmessForIntentClassification(tiny_config(semantic_logits=True, **labels))
    other.set_label_descriptions({name: [name, "!"] for name in NAMES}, encoder=OneHotEncoder())
    model = AmessForIntentClassification.from_pretrained(saved, config=other.config)
    assert model.config.label_descriptions is None and model.label_description_mask.sum() == 0
    assert other.config.label_descriptions is not None, "a config that is passed stays"
    assert "not those" in warnings.text


def test_a_relabelled_model_of_an_earlier_version_loads_without_what_is_stale(saved, warnings):
    """Version 0.1.0 kept descriptions of old labels, in files that people have."""
    change_config(saved, id2label={str(index): name for index, name in enumerate(NAMES)})
    model = AmessForIntentClassification.from_pretrained(saved)
    assert_cleared(model)
    assert "other labels" in warnings.text


def test_a_model_without_a_fingerprint_keeps_its_descriptions_and_gets_one():
    model = tiny_model()
    state = model.state_dict()
    fingerprint = state.pop("label_description_fingerprint")
    other = tiny_model(seed=1)
    other.load_state_dict(state)
    other._check_embedded_descriptions()
    assert other.label_description_fingerprint == fingerprint == model.config.description_fingerprint != 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label_descriptions": {"Boast": ["x"]}}, "Boast"),
        ({"id2label": {0: "a", 2: "b"}, "label2id": {"a": 0, "b": 2}}, "ids 0 to 1"),
        ({"id2label": {0: "a", 1: "a"}, "label2id": None}, "no name twice"),
        ({"id2label": {0: "a", 1: "b"}, "label2id": {"a": 1, "b": 0}}, "do not agree"),
    ],
)
def test_a_config_whose_labels_do_not_fit_together_is_refused(fields, message):
    with pytest.raises(StrictDataclassClassValidationError, match=message):
        tiny_config(out_of_scope_label=None, **fields)


def test_two_arguments_that_do_not_agree_are_refused(saved):
    with pytest.raises(ValueError, match="do not agree"):
        AutoConfig.from_pretrained(saved, id2label=dict(enumerate(NAMES)), label2id=ids(LABELS))


def test_ids_alone_make_the_names():
    config = AmessConfig(label2id={"sad": 1, "happy": 0})
    assert config.id2label == {0: "happy", 1: "sad"}
    assert AmessConfig(id2label=config.id2label).label2id == ids(NAMES[:2])


def test_a_new_model_of_a_config_with_descriptions_says_that_they_are_not_embedded(warnings, saved):
    AmessForIntentClassification(tiny_config())
    AmessForIntentClassification.from_pretrained(saved)
    assert "not embedded yet" not in warnings.text
    AmessForIntentClassification(AutoConfig.from_pretrained(saved))
    assert "not embedded yet" in warnings.text
