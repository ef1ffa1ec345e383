# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`add_label`: a trained model learns one more label and forgets nothing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_amess import AmessForIntentClassification
from modeling_amess.modeling_amess import fit_label_row

from .test_candidate_labels import HashEncoder
from .tiny import LABELS, rows, tiny_batch, tiny_model


NEW = ["To take away a worry.", "To calm someone.", "To give heart."]


def outputs(model: AmessForIntentClassification, batch: dict):
    with torch.no_grad():
        return model.eval()(**batch)


@pytest.mark.parametrize("fields", [{"semantic_logits": True}, {"use_semantic_synchronization": False}, {}])
def test_the_other_labels_keep_their_logits(fields):
    model, batch = tiny_model(**fields), tiny_batch()
    before = outputs(model, batch)
    described = model.config.use_semantic_synchronization
    given_descriptions = (NEW, HashEncoder()) if described else (None, None)
    index = model.add_label("Reassure", *given_descriptions, [rows(batch, [0, 1])], [rows(batch, [2, 3])])
    after = outputs(model, batch)
    assert index == 4 and model.num_labels == model.config.num_labels == 5
    torch.testing.assert_close(after.logits[:, :4], before.logits)
    assert model.config.id2label[4] == "Reassure" and model.config.label2id["Reassure"] == 4
    assert [model.config.id2label[i] for i in range(4)] == list(LABELS)
    if described:
        torch.testing.assert_close(after.description_similarity[:, :4], before.description_similarity)
        assert model.config.label_descriptions["Reassure"] == NEW
        assert model.label_description_mask.sum(-1).tolist() == [2, 2, 1, 0, 3]


def test_examples_make_the_label_likelier_and_others_less_likely():
    batch = tiny_batch(batch=8)
    new, others = rows(batch, [0, 1, 2, 3]), rows(batch, [4, 5, 6, 7])
    likelihood = {}
    for name, examples, other_examples in (
        ("new", [new], []),
        ("both", [new], [others]),
        ("swapped", [others], [new]),
    ):
        model = tiny_model()
        model.add_label("Reassure", NEW, HashEncoder(), examples, other_examples)
        likelihood[name] = outputs(model, batch).logits.softmax(-1)[:, 4]
    assert likelihood["both"][:4].mean() > likelihood["both"][4:].mean()
    assert likelihood["swapped"][:4].mean() < likelihood["swapped"][4:].mean()
    assert (likelihood["both"][4:] < likelihood["new"][4:]).all()


def test_descriptions_alone_are_enough_where_they_take_part_in_the_logits():
    model, batch, encoder = tiny_model(semantic_logits=True), tiny_batch(), HashEncoder()
    rows_before, bias_before = model.classifier.weight.detach().clone(), model.classifier.bias.detach().clone()
    model.add_label("Reassure", NEW, encoder)
    # The new row is the mean of the others, and stays so if the same is added to all of them.
    torch.testing.assert_close(model.classifier.weight[4], rows_before.mean(0))
    torch.testing.assert_close(model.classifier.bias[4], bias_before.mean())
    found = outputs(model, batch)
    vectors = encoder.encode([f"Reassure: {text}" for text in NEW])
    cosines = torch.nn.functional.cosine_similarity(found.semantic_embedding[:, None], vectors[None], dim=-1)
    torch.testing.assert_close(found.description_similarity[:, 4], cosines.mean(-1), atol=1e-5, rtol=1e-4)


def test_a_saved_model_is_the_same_and_can_be_trained_and_extended_again(tmp_path):
    model, batch = tiny_model(semantic_logits=True), tiny_batch()
    model.add_label("Reassure", NEW, HashEncoder(), [rows(batch, [0])])
    model.save_pretrained(tmp_path)
    loaded = AmessForIntentClassification.from_pretrained(tmp_path)
    torch.testing.assert_close(outputs(loaded, batch).logits, outputs(model, batch).logits)
    for name in ("id2label", "label2id", "label_descriptions", "num_descriptions", "out_of_scope_label"):
        assert getattr(loaded.config, name) == getattr(model.config, name)
    loaded.train()(**batch, labels=torch.tensor([4, 0, 1, 2])).loss.backward()
    assert loaded.classifier.weight.grad[4].abs().sum() > 0
    assert loaded.add_label("Boast", ["To speak proudly."], HashEncoder(), [rows(batch, [1])]) == 5
    assert loaded.training, "the mode is as it was"


@pytest.mark.parametrize(
    ("fields", "arguments", "message"),
    [
        ({}, {"name": "Thank", "descriptions": NEW}, "'Thank'"),
        ({}, {"name": "", "descriptions": NEW}, "must not be empty"),
        ({}, {"name": "Reassure"}, "has no descriptions"),
        ({}, {"name": "Reassure", "descriptions": "To calm."}, "needs a list"),
        ({}, {"name": "Reassure", "descriptions": NEW, "examples": ()}, "needs examples"),
        ({"use_semantic_synchronization": False}, {"name": "Reassure", "descriptions": NEW}, "reads no descriptions"),
    ],
)
def test_what_cannot_be_added_is_refused_and_leaves_the_model_as_it_is(fields, arguments, message):
    model = tiny_model(**fields)
    config, weights = model.config.to_dict(), model.state_dict()
    given_examples = {"examples": [rows(tiny_batch(), [0])], "encoder": HashEncoder()} | arguments
    with pytest.raises(ValueError, match=message):
        model.add_label(**given_examples)
    assert model.config.to_dict() == config and model.state_dict().keys() == weights.keys()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 12), number=st.integers(1, 6))
def test_the_fitted_row_is_the_minimum_of_its_loss(seed, size, number):
    """The gradient of the regularised cross-entropy vanishes there."""
    from modeling_amess.modeling_amess import REGULARIZATION

    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(2 * number, size, generator=generator, dtype=torch.double)
    margins = torch.randn(2 * number, generator=generator, dtype=torch.double)
    is_new = torch.arange(2 * number) < number
    start = torch.randn(size, generator=generator, dtype=torch.double)
    weight, bias = fit_label_row(inputs, margins, is_new, start, torch.zeros((), dtype=torch.double))
    error = (inputs @ weight + bias + margins).sigmoid() - is_new.double()
    slope = inputs.T @ error / size**0.5 + REGULARIZATION * (weight - start) * size**0.5
    assert slope.abs().max() < 1e-3
    assert abs(error.sum() + REGULARIZATION / 10 * bias) < 1e-3
