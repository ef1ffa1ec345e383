# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""TCL-MAP: its sequences, its loss, and that the label's encoder is a teacher only."""

from __future__ import annotations

import math

import pytest
import torch

from training.baselines.tcl_map import nt_xent
from training.baselines.tcl_map_prompt import insert_slots

from .tiny_baselines import build, make_batch, padded


def test_slots_stand_between_the_words_and_the_separator():
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    ids, mask, slots = insert_slots(ids, mask, 2, filler=4)
    assert ids.tolist() == [[2, 5, 6, 4, 4, 3], [2, 7, 4, 4, 3, 0]]
    assert mask.tolist() == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]]
    assert slots.tolist() == [[3, 4], [2, 3]]


def test_labels_become_their_word_pieces_filled_up(text_model):
    labels = {0: "hello my friend", 1: "bye"}
    fields = {"id2label": labels, "label2id": {name: index for index, name in labels.items()}, "label_length": 4}
    model = build("tcl_map", text_model, **fields)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "welcome", "hi", "bye"]
    assert model.config.mask_token_id == words.index("[MASK]")
    first, second = model.label_token_ids.tolist()
    assert first[0] == words.index("hello") and first[3] == words.index("[MASK]")
    assert second == [words.index("bye"), *[words.index("[MASK]")] * 3]
    unknown = build("tcl_map", text_model, label_filler="unk", **fields)  # as published
    assert unknown.label_token_ids[1].tolist() == [words.index("bye"), 1, 1, 1]
    with pytest.raises(ValueError, match="label_length=2"):
        build("tcl_map", text_model, **{**fields, "label_length": 2})


def test_the_labels_encoder_has_no_influence_on_the_logits(text_model):
    model = build("tcl_map", text_model)
    batch = make_batch()
    output = model(**batch)
    other = model(**dict(batch, labels=torch.tensor([1, 0, 2])))
    assert torch.equal(other.logits, output.logits)
    assert not torch.equal(other.contrastive_loss, output.contrastive_loss)
    with torch.no_grad():
        for parameter in model.label_model.parameters():
            parameter.fill_(float("nan"))
    assert torch.equal(model(**batch).logits, output.logits)
    assert torch.isnan(model(**batch).contrastive_loss)


def test_the_teacher_draws_the_classifiers_encoder_to_the_label(text_model):
    model = build("tcl_map", text_model)
    batch = make_batch()
    output = model(**batch)
    torch.testing.assert_close(output.loss, output.classification_loss + output.contrastive_loss)
    output.contrastive_loss.backward()
    for part in (model.text_model, model.label_model, model.prompt_generator, model.gate):
        assert any((value.grad != 0).any() for value in part.parameters() if value.grad is not None)
    assert model.classifier.weight.grad is None


def test_the_loss_is_invariant_to_padding_too(text_model):
    model = build("tcl_map", text_model)
    batch = make_batch()
    torch.testing.assert_close(model(**padded(batch, 3, 4, 5)).loss, model(**batch).loss, rtol=1e-4, atol=1e-5)


def test_nt_xent_by_hand():
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    # Each of the four has one positive of cosine 1 and two negatives of cosine 0; temperature 0.5.
    expected = -math.log(math.exp(2) / (math.exp(2) + 2))
    assert nt_xent(first, second, 0.5).item() == pytest.approx(expected, rel=1e-6)
    assert nt_xent(first[:1], second[:1], 0.5).item() == pytest.approx(0.0, abs=1e-6)


def test_the_prompt_reads_video_and_audio_and_words(text_model):
    model = build("tcl_map", text_model)
    batch = make_batch()
    _, mask, slots = insert_slots(batch["input_ids"], batch["attention_mask"], 7, 4)
    text = torch.randn(3, 12, 16)

    def prompt(text, **changes):
        given = {**batch, **changes}
        names = ("video_features", "video_attention_mask", "audio_features", "audio_attention_mask")
        features = model.read_features(batch["input_ids"], *(given[name] for name in names))
        return model.prompt_generator(text, mask.bool(), slots[:, :3], features)

    start = prompt(text)
    assert start.shape == (3, 3, 16)
    for name in ("video_features", "audio_features"):
        changed = (prompt(text, **{name: batch[name] + 1}) - start).abs().amax((1, 2))
        assert changed[0] > 0 and changed[2] == 0  # row 2 has neither
    # Words after the prompt's own positions are not read.
    later = text.clone()
    later[0, -1] += 5
    assert torch.equal(prompt(later), start)
    earlier = text.clone()
    earlier[:, 1] += 5
    assert ((prompt(earlier) - start).abs().amax((1, 2)) > 0).tolist() == [True, True, False]
