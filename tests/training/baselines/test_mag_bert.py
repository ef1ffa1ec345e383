# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""MAG by hand, and the alignment before it."""

from __future__ import annotations

import math

import pytest
import torch

from training.baselines.adaptation_gate import MultimodalAdaptationGate
from training.baselines.token_alignment import TokenAlignment

from .tiny_baselines import build, make_batch


def make_gate(beta: float) -> MultimodalAdaptationGate:
    """A gate over one token of size 2, with a video vector of size 1."""
    gate = MultimodalAdaptationGate(2, {"video": 1}, beta=beta, dropout=0.0)
    with torch.no_grad():
        gate.gates["video"].weight.copy_(torch.tensor([[1.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]))
        gate.gates["video"].bias.copy_(torch.tensor([0.5, 0.0]))
        gate.projections["video"].weight.copy_(torch.tensor([[3.0], [5.0]]))
        gate.projections["video"].bias.copy_(torch.tensor([-2.0, 1.0]))
    return gate


@pytest.mark.parametrize(("beta", "alpha"), [(0.5, 0.5 * 5 / (26 + 1e-6)), (100.0, 1.0)])
def test_a_step_computed_by_hand(beta, alpha):
    # t = (3, 4), v = 2: g = ReLU(2 + 3 + 0.5, -2) = (5.5, 0), projected v = (4, 11), h = (22, 0).
    # |t| = 5. Made |h| = 26 by a second modality that adds (2, 10): |(24, 10)| = 26.
    gate = MultimodalAdaptationGate(2, {"video": 1, "audio": 1}, beta=beta, dropout=0.0)
    gate.load_state_dict(make_gate(beta).state_dict(), strict=False)
    with torch.no_grad():
        gate.gates["audio"].weight.zero_()
        gate.gates["audio"].bias.copy_(torch.tensor([1.0, 2.0]))
        gate.projections["audio"].weight.copy_(torch.tensor([[2.0], [5.0]]))
        gate.projections["audio"].bias.zero_()
    text = torch.tensor([[[3.0, 4.0]]])
    aligned = {"video": torch.tensor([[[2.0]]]), "audio": torch.tensor([[[1.0]]])}
    present = {"video": torch.tensor([True]), "audio": torch.tensor([True])}
    moved = (3 + alpha * 24, 4 + alpha * 10)
    deviation = (moved[0] - moved[1]) / 2  # LayerNorm of two numbers: minus and plus d / sqrt(d^2 + epsilon)
    expected = deviation / math.sqrt(deviation**2 + 1e-5)
    output = gate(text, aligned, present)[0, 0].tolist()
    assert output == pytest.approx([expected, -expected], rel=1e-5)


def test_where_a_modality_is_missing_not_even_its_bias_moves_a_token():
    gate = make_gate(100.0)
    text = torch.tensor([[[3.0, 4.0]]])
    aligned = {"video": torch.zeros(1, 1, 1)}
    normed = gate.norm(text)
    assert torch.equal(gate(text, aligned, {"video": torch.tensor([False])}), normed)
    assert not torch.allclose(gate(text, aligned, {"video": torch.tensor([True])}), normed)


def test_a_token_never_moves_further_than_beta_times_its_length():
    torch.manual_seed(0)
    gate = MultimodalAdaptationGate(8, {"video": 4}, beta=0.01, dropout=0.0)
    gate.norm = torch.nn.Identity()
    text, video = torch.randn(5, 7, 8), 100 * torch.randn(5, 7, 4)
    moved = gate(text, {"video": video}, {"video": torch.ones(5, dtype=torch.bool)}) - text
    assert (moved.norm(dim=-1) <= 0.01 * text.norm(dim=-1) * 1.001).all()
    assert (moved.norm(dim=-1) > 0).any()


def test_average_pooling_gives_each_token_its_window_of_the_rows_own_frames():
    align = TokenAlignment("avg_pool", 1, max_length=8, num_tokens=4)
    frames = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0]])[..., None]
    mask = torch.tensor([[1, 1, 1, 1, 1, 1, 0, 0]]).bool()
    two_tokens = align(frames, mask, torch.tensor([[True, True]]))
    assert two_tokens[0, :, 0].tolist() == [2.0, 5.0]
    three_tokens = align(frames, mask, torch.tensor([[True, True, True, False]]))
    assert three_tokens[0, :3, 0].tolist() == [1.5, 3.5, 5.5]


def test_the_strided_option_averages_every_other_frame_and_padding_as_the_benchmarks_do():
    align = TokenAlignment("avg_pool_strided", 1, max_length=8, num_tokens=4)
    frames = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])[..., None]
    text_mask = torch.ones(1, 4, dtype=torch.bool)
    # Padded to 8: step j is the mean of frames j and j + 4.
    assert align(frames, torch.ones(1, 6).bool(), text_mask)[0, :, 0].tolist() == [3.0, 4.0, 1.5, 2.0]
    # 7 frames are no multiple of 4: the last one is repeated.
    align = TokenAlignment("avg_pool_strided", 1, max_length=7, num_tokens=4)
    frames = torch.arange(1.0, 8.0)[None, :, None]
    assert align(frames, torch.ones(1, 7).bool(), text_mask)[0, :, 0].tolist() == [3.0, 4.0, 5.0, 5.5]


@pytest.mark.parametrize("alignment", ["ctc", "conv1d", "avg_pool", "avg_pool_strided"])
def test_a_text_longer_than_the_alignment_is_refused_in_words(alignment, text_model):
    model = build("mag_bert", text_model, alignment=alignment, max_text_length=4)
    with pytest.raises(ValueError, match="max_text_length"):
        model(**make_batch())
