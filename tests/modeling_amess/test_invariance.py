# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Predictions do not depend on padding, the other rows of the batch, or the order of frames in attention."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_amess.fusion_amess import UNTIMED_SECONDS, frame_times

from .tiny import padded, rows, tiny_batch, tiny_config, tiny_model


ALIGNMENTS = ["none", "avg_pool", "ctc", "conv1d"]
SETTINGS = [{"alignment": kind} for kind in ALIGNMENTS] + [
    {"text_input": "encoder"},
    {"use_anchor_embedding": False},
    {"use_semantic_synchronization": False},
    {"fusion_residual": "inside"},
    {"fusion_residual": "none", "attention_residual": False},
    {"anchor_score": "lowe"},
    {"anchor_score": "raw"},
    {"anchor_score": "ratio"},
    {"anchor_kind": "frames"},
    {"exclude_special_tokens": False},
    {"time_encoding": "none"},
    {"video_frame_rate": 5, "audio_step_rate": 12.5},
    {"num_anchors": 50},
    {"pooling": "cls"},
    {"semantic_residual": True, "semantic_logits": True},
    {"anchor_value_projection": False},
]


def logits(model, batch) -> torch.Tensor:
    with torch.no_grad():
        return model(**batch).logits


@pytest.mark.parametrize("fields", SETTINGS, ids=str)
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_extra_padding_changes_nothing(fields, implementation):
    model = tiny_model(**fields, attn_implementation=implementation)
    batch = tiny_batch()
    torch.testing.assert_close(logits(model, padded(batch)), logits(model, batch), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("fields", SETTINGS, ids=str)
def test_a_row_does_not_depend_on_the_other_rows(fields):
    model = tiny_model(**fields)
    batch = tiny_batch()
    whole = logits(model, batch)
    for index in range(4):
        torch.testing.assert_close(logits(model, rows(batch, [index])), whole[[index]], atol=2e-5, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(4)), video=st.integers(0, 6), audio=st.integers(0, 6), text=st.integers(0, 3))
def test_permuting_and_padding_a_batch_permutes_its_logits(order, video, audio, text):
    model = tiny_model()
    batch = tiny_batch()
    moved = padded(rows(batch, list(order)), text=text, video=video, audio=audio)
    torch.testing.assert_close(logits(model, moved), logits(model, batch)[list(order)], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("missing", [("video",), ("audio",), ("video", "audio")])
def test_an_empty_mask_in_a_mixed_batch_equals_leaving_the_modality_out(missing):
    model = tiny_model()
    batch = tiny_batch()
    mixed = {name: value.clone() for name, value in batch.items()}
    for modality in missing:
        mixed[f"{modality}_attention_mask"][1] = 0
    alone = {name: value for name, value in rows(batch, [1]).items() if not name.startswith(missing)}
    mixed_logits = logits(model, mixed)
    torch.testing.assert_close(mixed_logits[[1]], logits(model, alone), atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(mixed_logits[[0, 2, 3]], logits(model, batch)[[0, 2, 3]], atol=2e-5, rtol=1e-4)


def test_text_alone_is_the_text_encoder_alone():
    model = tiny_model()
    batch = {name: value for name, value in tiny_batch().items() if name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        expected = model.amess.text_model(**batch).last_hidden_state
        torch.testing.assert_close(model.amess(**batch).last_hidden_state, expected)


@pytest.mark.parametrize("fields", [{}, {"video_frame_rate": 5, "audio_step_rate": 50}], ids=str)
@pytest.mark.parametrize("modality", ["video", "audio"])
def test_the_order_of_frames_matters_with_their_times_and_not_without(modality, fields):
    batch = tiny_batch(batch=1)
    name = f"{modality}_features"
    shuffled = dict(batch, **{name: batch[name].flip(1)})
    # At the start the modalities are a small part of the whole; a gain of 1 makes the difference easy to see.
    timed, untimed = tiny_model(fusion_gain=1, **fields), tiny_model(fusion_gain=1, time_encoding="none", **fields)
    assert not torch.allclose(logits(timed, shuffled), logits(timed, batch), atol=1e-4)
    torch.testing.assert_close(logits(untimed, shuffled), logits(untimed, batch), atol=2e-5, rtol=1e-4)


def test_the_other_alignments_know_the_order_by_themselves():
    batch = tiny_batch(batch=1)
    mask = torch.ones(1, 7, dtype=torch.bool)
    for kind in ("ctc", "conv1d", "avg_pool"):
        align = tiny_model(alignment=kind).amess.fusion.video.alignment
        first, second = (
            align(features, mask)[0] for features in (batch["video_features"], batch["video_features"].flip(1))
        )
        assert not torch.allclose(first, second, atol=1e-4), kind


def test_times_are_seconds_where_the_rate_is_known_and_shares_of_the_utterance_where_it_is_not():
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    torch.testing.assert_close(frame_times(mask, 2.0)[0], torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0]))
    shares = frame_times(mask, None) / UNTIMED_SECONDS
    torch.testing.assert_close(shares[0, :4], torch.tensor([0.0, 0.25, 0.5, 0.75]))
    torch.testing.assert_close(shares[1, :2], torch.tensor([0.0, 0.5]))
    assert torch.isfinite(shares).all()


def test_the_clock_comes_from_the_encoder_record_and_stays():
    preprocessing = {"frame_rate": 4, "sampling_rate": 16000, "audio_step": 320}
    config = tiny_config(media_encoder={"preprocessing": preprocessing})
    assert config.feature_rates == {"video": 4, "audio": 50}
    assert tiny_config().feature_rates == {"video": None, "audio": None}
    assert tiny_config(media_encoder={"preprocessing": preprocessing}, video_frame_rate=8).feature_rates["video"] == 8


@pytest.mark.parametrize("modality", ["video", "audio"])
def test_a_modality_changes_the_answer(modality):
    """The laws above would hold for a model that ignores its features; this one does not."""
    model = tiny_model()
    batch = tiny_batch()
    other = dict(batch, **{f"{modality}_features": batch[f"{modality}_features"] + 1})
    assert not torch.allclose(logits(model, other), logits(model, batch), atol=1e-5)


def test_average_windows_are_contiguous_means():
    model = tiny_model(alignment="avg_pool", max_text_length=4)
    features = torch.arange(8.0).repeat_interleave(6).view(1, 8, 6)
    aligned, mask = model.amess.fusion.video.alignment(features, torch.ones(1, 8, dtype=torch.bool))
    torch.testing.assert_close(aligned[0, :, 0], torch.tensor([0.5, 2.5, 4.5, 6.5]))
    assert mask.all() and mask.shape == (1, 4)
    short = torch.zeros(1, 8, dtype=torch.bool)
    short[:, :2] = True
    aligned, _ = model.amess.fusion.video.alignment(features, short)
    torch.testing.assert_close(aligned[0, :, 0], torch.tensor([0.0, 0.0, 1.0, 1.0]))
