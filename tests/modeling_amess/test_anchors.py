# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Choice of anchors (eq. 5 and 7), and the anchors that the model returns."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_amess.fusion_amess import attention_peaks, best_places, select_anchors, without_special_tokens

from .tiny import tiny_batch, tiny_model


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 12),
    real=st.integers(1, 12),
    num_anchors=st.integers(1, 15),
    score=st.sampled_from(["ratio", "lowe", "raw"]),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_anchors_are_distinct_real_tokens_with_finite_falling_scores(length, real, num_anchors, score, scale, seed):
    generator = torch.Generator().manual_seed(seed)
    real = min(real, length)
    text, fused = (scale * torch.randn(2, length, 8, generator=generator) for _ in range(2))
    mask = torch.arange(length).expand(2, -1) < real
    indices, scores, anchor_mask = select_anchors(text, fused, mask, num_anchors, score)
    assert indices.shape == scores.shape == anchor_mask.shape == (2, min(num_anchors, length))
    assert torch.isfinite(scores).all()
    assert anchor_mask.sum(-1).tolist() == [min(num_anchors, real)] * 2
    for row in range(2):
        chosen = indices[row][anchor_mask[row]]
        assert (chosen < real).all()
        assert len(set(chosen.tolist())) == len(chosen)
        assert (scores[row][anchor_mask[row]].diff() <= 0).all()


def test_scores_stay_finite_where_the_second_cosine_is_not_positive():
    text = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]])
    fused = torch.tensor([[[1.0, 0.0], [-1.0, -0.1], [-1.0, 0.1]]])
    for score in ("ratio", "lowe", "raw"):
        assert torch.isfinite(select_anchors(text, fused, torch.ones(1, 3, dtype=torch.bool), 3, score)[1]).all()


def test_the_token_whose_nearest_stands_out_is_the_best_anchor():
    text = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.1]]])
    # Token 0 has one close fused token, token 1 has two that are equally close.
    fused = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.2]]])[:, :3]
    mask = torch.ones(1, 3, dtype=torch.bool)
    padded_text = torch.cat([text, torch.tensor([[[0.0, 1.0, 0.1]]])], dim=1)
    for score in ("ratio", "lowe", "raw"):
        assert select_anchors(padded_text, fused, mask, 1, score)[0].item() == 0


def test_equal_scores_go_to_the_earlier_token():
    same = torch.ones(1, 5, 4)
    indices, _, _ = select_anchors(same, same, torch.ones(1, 5, dtype=torch.bool), 3)
    assert indices.tolist() == [[0, 1, 2]]


def test_an_unknown_score_is_refused():
    with pytest.raises(ValueError, match="anchor_score='best'"):
        select_anchors(torch.ones(1, 3, 4), torch.ones(1, 3, 4), torch.ones(1, 3, dtype=torch.bool), 2, "best")


def test_at_or_above_the_length_nothing_is_selected_away():
    """k = length and every larger k give the same answer: all tokens, in whatever order."""
    batch = tiny_batch(text=9)
    outputs = []
    for num_anchors in (9, 10, 50):
        model = tiny_model(num_anchors=num_anchors, exclude_special_tokens=False)
        with torch.no_grad():
            outputs.append(model(**batch).logits)
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(outputs[0], outputs[2])


def test_all_anchors_in_any_order_equal_attending_to_the_whole_fused_sequence():
    model = tiny_model(num_anchors=50, exclude_special_tokens=False)
    batch = tiny_batch(batch=1)
    fusion = model.amess.fusion
    text = model.amess.text_model.embeddings(input_ids=batch["input_ids"])
    mask = batch["attention_mask"].bool()
    features = {
        name: (batch[f"{name}_features"], batch[f"{name}_attention_mask"].bool()) for name in ("video", "audio")
    }
    with torch.no_grad():
        selected, _, _ = fusion(text, mask, features)
        fused = {name: getattr(fusion, name).read(text, *features[name], False).fused for name in features}
        total = 0
        for name, other in (("video", "audio"), ("audio", "video")):
            branch = getattr(fusion, name)
            enhanced = branch.anchor_attention(fused[name], fused[other], mask)
            total = total + branch.temporal_attention(fused[name], enhanced, mask)[0]
        torch.testing.assert_close(selected, text + fusion.layer_norm(total))


def test_fewer_anchors_change_the_answer():
    batch = tiny_batch()
    with torch.no_grad():
        few, all_ = (tiny_model(num_anchors=k)(**batch).logits for k in (1, 50))
    assert not torch.allclose(few, all_, atol=1e-6)


def test_the_model_returns_its_anchors_and_on_request_what_they_looked_at():
    model = tiny_model(exclude_special_tokens=False)
    batch = tiny_batch()
    batch["audio_attention_mask"][2] = 0
    with torch.no_grad():
        output = model(**batch, output_attentions=True)
    assert output.video_anchor_indices.shape == (4, 4)
    assert (output.video_anchor_indices[3][output.video_anchor_mask[3].bool()] < 3).all()
    assert output.video_anchor_mask.sum(-1).tolist() == [4, 4, 4, 3]
    assert output.audio_anchor_mask[2].sum() == 0 and output.audio_anchor_scores[2].abs().sum() == 0
    weights = output.video_attentions
    assert weights.shape == (4, 4, 9, 7)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 4, 9))
    assert weights[3, :, :, 1:].abs().sum() == 0, "padded frames got attention"
    assert output.audio_attentions[2].abs().sum() == 0, "a missing modality got attention"


def test_no_gradient_flows_through_the_choice_but_it_does_through_the_chosen():
    model = tiny_model().train()
    batch = tiny_batch()
    output = model(**batch, labels=torch.tensor([0, 1, 2, 3]))
    assert not output.video_anchor_scores.requires_grad
    output.loss.backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []


def test_the_token_whose_attention_is_the_most_peaked_is_the_best_anchor_however_many_frames_there_are():
    even, wide, narrow = [0.25] * 4, [0.5, 0.5, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]
    weights = torch.tensor([[[even, wide, narrow]]])
    scores = attention_peaks(weights, torch.ones(1, 4, dtype=torch.bool))
    torch.testing.assert_close(scores, torch.tensor([[0.0, 0.5, 1.0]]))
    # Padding has no weight and does not count.
    padded = torch.nn.functional.pad(weights, (0, 3))
    torch.testing.assert_close(attention_peaks(padded, torch.arange(7)[None] < 4), scores)
    assert best_places(scores, torch.ones(1, 3, dtype=torch.bool), 2)[0].tolist() == [[2, 1]]


def test_special_tokens_are_the_ends_of_the_segments_unless_there_is_nothing_else():
    mask = torch.tensor([[1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0, 0]]).bool()
    segments = torch.tensor([[0] * 7, [0, 0, 0, 1, 1, 1, 1], [0] * 7])
    words = without_special_tokens(mask, segments).int().tolist()
    assert words == [[0, 1, 1, 1, 1, 0, 0], [0, 1, 0, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0, 0]]
    assert without_special_tokens(mask)[:1].tolist() == without_special_tokens(mask, segments)[:1].tolist()


@pytest.mark.parametrize("score", ["ratio", "attention"])
def test_special_tokens_are_no_anchors_where_they_are_excluded(score):
    batch = tiny_batch()
    last = batch["attention_mask"].sum(-1) - 1
    with torch.no_grad():
        output = tiny_model(anchor_score=score, exclude_special_tokens=True)(**batch)
    for row in range(4):
        chosen = output.video_anchor_indices[row][output.video_anchor_mask[row].bool()].tolist()
        assert chosen and not {0, int(last[row])} & set(chosen)


def test_frames_as_anchors_are_those_that_the_tokens_attend_to_most():
    batch = tiny_batch()
    with torch.no_grad():
        output = tiny_model(anchor_kind="frames")(**batch, output_attentions=True)
    tokens, frames = (batch[name].sum(-1).tolist() for name in ("attention_mask", "video_attention_mask"))
    for row in range(4):
        share = output.video_attentions[row, :, : tokens[row]].mean((0, 1))
        order = share.argsort(descending=True)[: min(frames[row], 4)]
        assert output.video_anchor_indices[row][output.video_anchor_mask[row].bool()].tolist() == order.tolist()
