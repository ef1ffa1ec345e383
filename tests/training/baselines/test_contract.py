# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What every baseline owes the trainer: one forward contract, whatever a batch lacks or how far it is padded."""

from __future__ import annotations

import pytest
import torch
from transformers import BertModel

from training.baselines import BASELINES, MODELS
from training.model_setup import model_config_fields

from .tiny_baselines import MULTIMODAL, build, config_fields, make_batch, only_row, padded


@pytest.mark.parametrize("name", BASELINES)
def test_a_batch_gives_logits_and_with_labels_a_loss(name, text_model):
    model = build(name, text_model)
    batch = make_batch()
    output = model(**batch)
    assert output.logits.shape == (3, 3)
    assert output.loss.shape == () and torch.isfinite(output.loss)
    del batch["labels"]
    assert model(**batch).loss is None
    assert torch.equal(model(**batch).logits, output.logits)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("left_out", [(), ("video",), ("audio",), ("video", "audio")])
def test_every_parameter_learns_whatever_the_model_has_parts_for(name, left_out, text_model):
    if name not in MULTIMODAL:
        left_out = ()
    model = build(name, text_model, **{f"{modality}_feature_size": None for modality in left_out}).train()
    batch = make_batch()
    batch = {key: value for key, value in batch.items() if not key.startswith(left_out)} if left_out else batch
    model(**batch).loss.backward()
    without = [key for key, value in model.named_parameters() if value.grad is None]
    assert without == []
    assert all(torch.isfinite(value.grad).all() for value in model.parameters())


@pytest.mark.parametrize("name", BASELINES)
def test_no_parameter_of_the_full_model_is_dead(name, text_model):
    model = build(name, text_model)
    # Every row with everything, twice each label: every part takes part.
    batch = only_row(make_batch(), 0)
    batch = {key: value.repeat_interleave(6, dim=0) for key, value in batch.items()}
    for key in ("video_features", "audio_features"):
        batch[key] = batch[key] + torch.randn_like(batch[key])
    batch["labels"] = torch.arange(6) % 3
    model(**batch).loss.backward()
    # A key's bias shifts all scores of a softmax alike: its gradient is zero by nature.
    silent = [key for key, value in model.named_parameters() if not (value.grad != 0).any()]
    assert [key for key in silent if not key.endswith(("k_proj.bias", "key.bias"))] == []


@pytest.mark.parametrize("name", BASELINES)
def test_padding_and_the_other_rows_do_not_count(name, text_model):
    model = build(name, text_model)
    batch = make_batch()
    expected = model(**batch).logits
    torch.testing.assert_close(model(**padded(batch, 3, 4, 5)).logits, expected, rtol=1e-4, atol=1e-5)
    for row in range(3):
        alone = model(**only_row(batch, row)).logits
        torch.testing.assert_close(alone, expected[row : row + 1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MULTIMODAL)
def test_an_absent_modality_is_one_with_an_empty_mask(name, text_model):
    model = build(name, text_model)
    batch = make_batch()
    for modality in ("video", "audio"):
        empty = dict(batch)
        empty[f"{modality}_attention_mask"] = torch.zeros_like(batch[f"{modality}_attention_mask"])
        absent = {key: value for key, value in batch.items() if not key.startswith(modality)}
        assert torch.equal(model(**empty).logits, model(**absent).logits)
        # Row 0 has both modalities, row 2 has neither.
        differs = (model(**absent).logits - model(**batch).logits).abs().amax(-1)
        assert differs[0] > 1e-5 and differs[2] == 0


@pytest.mark.parametrize("name", BASELINES)
def test_what_a_checkpoint_lacks_is_initialised_as_at_the_start(name, text_model):
    """`from_pretrained` builds without memory: what `_init_weights` does not reach would be whatever lay there."""
    model_class = MODELS[name].model_class
    torch.manual_seed(0)
    fresh = model_class.from_text_pretrained(text_model, **config_fields(name))
    loaded = model_class.from_pretrained(text_model, config=fresh.config)  # a BERT's weights alone
    for key, value in loaded.state_dict().items():
        if not value.is_floating_point():
            continue
        expected = fresh.state_dict()[key]
        assert torch.isfinite(value).all(), key
        if expected.numel() <= 1 or expected.std() == 0:  # a constant
            assert torch.equal(value, expected), key
        elif value.numel() > 100:
            assert 0.5 < value.std() / expected.std() < 2, key


@pytest.mark.parametrize("name", BASELINES)
def test_pretrained_weights_arrive_and_the_rest_is_called_new(name, text_model):
    model = MODELS[name].model_class.from_text_pretrained(text_model, num_text_layers=1, **config_fields(name))
    pretrained = BertModel.from_pretrained(text_model).state_dict()
    for encoder in model.text_encoder_names:
        own = getattr(model, encoder).state_dict()
        assert len(getattr(model, encoder).encoder.layer) == 1
        assert all(torch.equal(own[key], pretrained[key]) for key in own)
    new = model.new_parameter_names()
    assert {"classifier.weight", "classifier.bias"} <= new
    assert not any(key.startswith(("text_model.", "label_model.")) for key in new)


@pytest.mark.parametrize("name", MULTIMODAL)
def test_features_that_do_not_fit_are_refused_in_words(name, text_model):
    model = build(name, text_model)
    batch = make_batch()
    with pytest.raises(ValueError, match=r"video_features have shape \(3, 4, 5\).* needs \(3, frames, 4\)"):
        model(**{**batch, "video_features": torch.zeros(3, 4, 5)})
    with pytest.raises(ValueError, match="audio_attention_mask"):
        model(**{**batch, "audio_attention_mask": torch.ones(3, 9)})


@pytest.mark.parametrize("name", [name for name in BASELINES if "alignment" in model_config_fields(name)])
@pytest.mark.parametrize("alignment", ["ctc", "conv1d", "avg_pool", "avg_pool_strided"])
def test_every_alignment_keeps_to_the_contract(name, alignment, text_model):
    model = build(name, text_model, alignment=alignment)
    batch = make_batch()
    expected = model(**batch).logits
    more = model(**padded(batch, 3, 4, 5)).logits
    torch.testing.assert_close(more, expected, rtol=1e-4, atol=1e-5)
    for row in range(3):
        alone = model(**only_row(batch, row)).logits
        torch.testing.assert_close(alone, expected[row : row + 1], rtol=1e-4, atol=1e-5)
