# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""MulT: what a step may see, and what the published treatment of padding does."""

from __future__ import annotations

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError

from training.baselines.cross_modal_transformer import CrossModalTransformer, sinusoidal_positions, visible_past

from .tiny_baselines import build, make_batch, padded


def test_the_mask_of_the_future_counts_real_steps():
    query = torch.tensor([[1, 1, 0]]).bool()
    key = torch.tensor([[1, 1, 1, 1, 0]]).bool()
    # Two queries, four keys: the first sees 3 of them, the last all.
    assert visible_past(query, key)[0, :2].int().tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]
    # A sequence with itself: nobody sees what comes later.
    assert visible_past(key, key)[0, :4, :4].int().tolist() == torch.ones(4, 4).tril().int().tolist()
    # The longer one reads the shorter.
    assert visible_past(key, query)[0, :4].int().tolist() == [[1, 1, 0]] * 4


def test_positions_are_sinusoids_from_one_and_nothing_where_there_is_no_step():
    encoded = sinusoidal_positions(torch.tensor([[0, 1, -1]]), 4)[0]
    one, two = torch.tensor(1.0), torch.tensor(2.0)
    expected = torch.stack([one.sin(), (one / 10000).sin(), one.cos(), (one / 10000).cos()])
    torch.testing.assert_close(encoded[0], expected)
    torch.testing.assert_close(encoded[1, [0, 2]], torch.stack([two.sin(), two.cos()]))
    assert encoded[2].tolist() == [0, 0, 0, 0]
    odd = sinusoidal_positions(torch.tensor([[0]]), 5)[0, 0]
    torch.testing.assert_close(odd, torch.cat([expected, torch.zeros(1)]))


def test_a_query_that_sees_nothing_reads_nothing():
    torch.manual_seed(0)
    dropouts = {"attention_dropout": 0.0, "relu_dropout": 0.0, "residual_dropout": 0.0, "embedding_dropout": 0.0}
    transformer = CrossModalTransformer(8, 2, 2, **dropouts)
    query, steps = torch.randn(1, 2, 8), torch.tensor([[0, 1]])
    nothing = torch.zeros(1, 2, 3, dtype=torch.bool)
    outputs = [
        transformer(query, steps, nothing, key=key, value=key, key_positions=torch.tensor([[0, 1, 2]]))
        for key in (torch.randn(1, 3, 8), torch.randn(1, 3, 8))
    ]
    assert torch.isfinite(outputs[0]).all()
    assert torch.equal(*outputs)


def test_a_later_frame_is_read_by_the_last_step_of_the_text(text_model):
    model = build("mult", text_model)
    batch = make_batch()
    changed = dict(batch, video_features=batch["video_features"].clone())
    changed["video_features"][0, 2] += 1  # row 0's last real frame
    difference = (model(**changed).logits - model(**batch).logits).abs().amax(-1)
    assert difference[0] > 1e-5 and difference[1] == 0


def test_the_published_treatment_of_padding_depends_on_how_much_there_is(text_model):
    """The published loader pads to the maximum lengths, so these are what its result depends on."""
    batch = make_batch()
    for masks, same in ((True, True), (False, False)):
        logits = [
            build("mult", text_model, mask_padding=masks, max_text_length=12, max_video_length=10 + more)(
                **batch
            ).logits
            for more in (0, 5)
        ]
        assert torch.allclose(*logits, rtol=1e-4, atol=1e-5) == same


def test_the_published_treatment_of_padding_does_not_depend_on_the_batch(text_model):
    """Every sequence is padded to its maximum: how far the batch was padded before makes no difference."""
    model = build("mult", text_model, mask_padding=False)
    batch = make_batch()
    torch.testing.assert_close(model(**padded(batch, 2, 3, 4)).logits, model(**batch).logits, rtol=1e-4, atol=1e-5)


def test_streams_stand_in_the_published_order(text_model):
    model = build("mult", text_model)
    assert list(model.cross_modal) == [
        "text_from_audio", "text_from_video",
        "audio_from_text", "audio_from_video",
        "video_from_text", "video_from_audio",
    ]  # fmt: skip
    assert list(model.memories) == ["text", "audio", "video"]
    only_video = build("mult", text_model, audio_feature_size=None)
    assert list(only_video.memories) == ["text", "video"]


def test_attention_is_dropped_by_what_is_read_and_not_in_the_memories(text_model):
    def rates(**fields):
        model = build("mult", text_model, text_attention_dropout=0.1, audio_attention_dropout=0.3, **fields)
        parts = {**model.cross_modal, **{f"{name} memory": part for name, part in model.memories.items()}}
        return {name: {layer.attention.dropout for layer in part.layers} for name, part in parts.items()}

    for name, found in rates().items():
        expected = {"text": 0.1, "video": 0.2, "audio": 0.3}.get(name.rpartition("_from_")[2], 0.0)
        assert found == {expected}, name
    assert rates(memory_attention_dropout=0.4)["text memory"] == {0.4}
    before = rates(memory_attention_dropout=None)
    assert (before["text memory"], before["video memory"]) == ({0.1}, {0.2})


def test_heads_that_do_not_divide_the_size_are_refused(text_model):
    with pytest.raises(StrictDataclassError, match="projection_size=8"):
        build("mult", text_model, fusion_num_attention_heads=3)
