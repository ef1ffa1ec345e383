# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""New weights start from the distributions of the published code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from transformers import BertForSequenceClassification

from training.baselines import MODELS
from training.baselines.cross_modal_transformer import CrossModalAttention

from .tiny_baselines import config_fields, make_batch


def fresh(name, text_model, **fields):
    torch.manual_seed(0)
    return MODELS[name].model_class.from_text_pretrained(text_model, **config_fields(name, **fields))


def assert_uniform(parameter, bound):
    values = parameter.detach()
    assert values.abs().max() <= bound
    assert values.numel() < 50 or values.std() == pytest.approx(bound / math.sqrt(3), rel=0.2)


def test_queries_keys_and_values_are_drawn_as_one_matrix(text_model):
    attentions = [part for part in fresh("mult", text_model).modules() if isinstance(part, CrossModalAttention)]
    for part in attentions:
        size = part.output.in_features
        for projection in (part.q_proj, part.k_proj, part.v_proj):
            assert_uniform(projection.weight, math.sqrt(6 / (4 * size)))
        assert_uniform(part.output.weight, math.sqrt(6 / (2 * size)))
        assert part.q_proj.bias.abs().max() == 0
    assert attentions


@pytest.mark.parametrize("name", ["mult", "mag_bert", "tcl_map"])
def test_convolutions_and_lstms_start_as_torch_has_them(name, text_model):
    parts = [part for part in fresh(name, text_model).modules() if isinstance(part, (nn.Conv1d, nn.LSTM))]
    for part in parts:
        inputs = part.hidden_size if isinstance(part, nn.LSTM) else part.in_channels * part.kernel_size[0]
        for parameter in part.parameters():
            assert_uniform(parameter, inputs**-0.5)
    assert parts


def test_the_last_layers_of_mult_start_as_torch_has_them(text_model):
    model = fresh("mult", text_model)
    for part in (model.residual_block[0], model.residual_block[3], model.classifier):
        for parameter in part.parameters():
            assert_uniform(parameter, part.in_features**-0.5)


def test_the_context_vectors_of_tcl_map_are_as_large_as_published(text_model):
    context = fresh("tcl_map", text_model, prompt_length=3).prompt_generator.context
    # A normal distribution of deviation 1, cut at 2, has deviation 0.88.
    assert context.abs().max() <= 2 and 0.6 < context.std() < 1.1


def test_text_only_with_the_pooler_is_berts_classifier(text_model):
    model = fresh("text_only", text_model, pooling="pooler", classifier_dropout=0.1).eval()
    expected = BertForSequenceClassification.from_pretrained(text_model, num_labels=3).eval()
    expected.bert.load_state_dict(model.text_model.state_dict())
    expected.classifier.load_state_dict(model.classifier.state_dict())
    batch = {name: make_batch()[name] for name in ("input_ids", "attention_mask")}
    torch.testing.assert_close(model(**batch).logits, expected(**batch).logits)
    assert not torch.allclose(model(**batch).logits, fresh("text_only", text_model).eval()(**batch).logits)
