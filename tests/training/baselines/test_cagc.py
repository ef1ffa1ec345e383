# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""CAGC: what is in the bank, what is retrieved, and that no label of a query reaches its logits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from training.baselines.cagc_context import VideoBank, prefix_attention
from training.baselines.contrastive_loss import supervised_contrastive_loss

from .tiny_baselines import build, make_batch, training_rows


def test_the_bank_holds_the_frame_means_of_the_training_rows_and_nothing_else(text_model):
    model = build("cagc", text_model, max_video_length=2)
    rows = training_rows()
    with_video = [row for row in rows if len(row["video_features"])]
    assert model.config.bank_size == len(with_video) < len(rows)
    # Cut to max_video_length, as the processor cuts.
    means = np.stack([row["video_features"][:2].mean(0) for row in with_video])
    np.testing.assert_allclose(model.bank.features.numpy(), means, rtol=1e-6)
    assert model.bank.labels.tolist() == [row["label"] for row in with_video]


def test_reading_the_rows_again_replaces_the_bank(text_model):
    model = build("cagc", text_model)
    model.read_training_rows(training_rows()[:3])
    assert model.config.bank_size == len(model.bank.features) == 2


def test_forward_passes_leave_the_bank_alone(text_model):
    model = build("cagc", text_model).train()
    before = {name: value.clone() for name, value in model.bank.named_buffers()}
    model(**make_batch())
    model.eval()(**make_batch())
    assert all(torch.equal(value, before[name]) for name, value in model.bank.named_buffers())


def test_labels_of_a_query_do_not_reach_its_logits_in_evaluation(text_model):
    model = build("cagc", text_model)
    batch = make_batch()
    logits = [
        model(**{**batch, "labels": torch.tensor(labels)}).logits for labels in ([0, 0, 0], [1, 2, 0], [2, 1, 1])
    ]
    del batch["labels"]
    assert all(torch.equal(given, model(**batch).logits) for given in logits)


def test_labels_in_the_bank_do_not_reach_the_logits_in_evaluation(text_model):
    model = build("cagc", text_model)
    expected = model(**make_batch()).logits
    model.bank.labels.add_(1).remainder_(3)
    assert torch.equal(model(**make_batch()).logits, expected)


def test_contexts_are_of_the_gold_label_in_training_only(text_model):
    model = build("cagc", text_model, num_contexts=6)
    values = torch.randn(1, 2, 4)
    mask = torch.ones(1, 2, dtype=torch.bool)
    for label in range(3):
        contexts, kept = model.retrieve(values, mask, torch.tensor([label]))
        of_label = model.bank.features[model.bank.labels == label]
        assert {tuple(row) for row in contexts[kept].tolist()} == {tuple(row) for row in of_label.tolist()}
    assert model.retrieve(values, mask, None)[1].all()
    model.config.same_intent_contexts = False
    assert model.retrieve(values, mask, torch.tensor([0]))[1].all()


def test_nearest_first_and_in_training_never_the_clip_itself():
    bank = VideoBank(0, 2)
    bank.fill(torch.tensor([[0.0, 3.0], [0.0, 1.0], [0.0, 2.0]]), torch.tensor([0, 1, 2]))
    query = torch.tensor([[0.0, 1.0]])
    indices, found = bank.nearest(query, 3, leave_out_self=False)
    assert indices.tolist() == [[1, 2, 0]] and found.all()
    indices, found = bank.nearest(query + 1e-7, 3, leave_out_self=True)
    assert indices[0, :2].tolist() == [2, 0] and found.tolist() == [[True, True, False]]
    assert bank.nearest(query, 9, leave_out_self=False)[0].shape == (1, 3)
    assert VideoBank(0, 2).nearest(query, 7, leave_out_self=True)[0].shape == (1, 0)


def test_a_training_clip_finds_itself_out_however_its_batch_is_padded(text_model):
    model = build("cagc", text_model, num_contexts=6, same_intent_contexts=False).train()
    row = next(row for row in training_rows() if len(row["video_features"]) == 3)
    values = torch.zeros(1, 9, 4)
    values[0, :3] = torch.from_numpy(row["video_features"])
    contexts, kept = model.retrieve(values, (torch.arange(9) < 3)[None], torch.tensor([row["label"]]))
    own = torch.from_numpy(row["video_features"]).mean(0)
    assert kept.sum() == 5
    assert not any(torch.allclose(context, own) for context in contexts[kept])


def test_prefix_attention_equals_the_prefixes_one_by_one():
    torch.manual_seed(0)
    scores = torch.randn(2, 3, 4, 5)
    mask = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0]]).bool()
    weights = prefix_attention(scores, mask)
    for row in range(2):
        kept = mask[row].nonzero().flatten()
        expected = torch.zeros(3, 4, 5)
        for end in range(1, len(kept) + 1):
            expected[..., kept[:end]] += scores[row][..., kept[:end]].softmax(-1) / len(kept)
        torch.testing.assert_close(weights[row], expected)


def test_the_supervised_contrastive_loss_by_hand():
    anchors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 5.0]])
    labels = torch.tensor([0, 1, 1])
    same = labels[:, None] == labels
    others = ~torch.eye(3, dtype=torch.bool)
    loss = supervised_contrastive_loss(anchors, anchors, same & others, others, 0.5)
    # The first has no positive. The other two: positive of cosine 1, negative of cosine 0.
    assert loss.item() == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 1)), rel=1e-6)
    anchors.requires_grad_()
    none = supervised_contrastive_loss(anchors, anchors, torch.zeros(3, 3).bool(), others, 0.5)
    none.backward()
    assert none.item() == 0 and torch.equal(anchors.grad, torch.zeros(3, 2))


def test_a_model_without_video_needs_no_bank(text_model):
    model = build("cagc", text_model, video_feature_size=None)
    batch = {key: value for key, value in make_batch().items() if not key.startswith("video")}
    assert torch.isfinite(model(**batch).loss)
    assert model.config.bank_size == 0


def test_an_empty_bank_gives_no_context_and_no_trouble(text_model):
    model = build("cagc", text_model).train()
    model.bank.fill(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    model(**make_batch()).loss.backward()
    assert all(torch.isfinite(value.grad).all() for value in model.parameters())
