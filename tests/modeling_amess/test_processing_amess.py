# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessProcessor: utterances and features to padded batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_amess import AmessProcessor

from .tiny import tiny_model, tiny_tokenizer


@pytest.fixture
def processor() -> AmessProcessor:
    return AmessProcessor(
        tiny_tokenizer(),
        video_feature_size=6,
        audio_feature_size=5,
        max_text_length=12,
        max_video_length=20,
        max_audio_length=24,
    )


def frames(length: int, size: int) -> np.ndarray:
    return np.random.default_rng(length).standard_normal((length, size)).astype(np.float32)


def test_a_batch_is_padded_to_its_longest_row_with_masks(processor):
    batch = processor(
        text=["oh, great.", "thanks a lot"],
        video_features=[frames(3, 6), frames(5, 6)],
        audio_features=[frames(4, 5), None],
        return_tensors="pt",
    )
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, 6)
    assert batch["video_features"].shape == (2, 5, 6)
    assert batch["video_attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch["audio_attention_mask"].tolist() == [[1, 1, 1, 1], [0, 0, 0, 0]]
    assert batch["video_features"].dtype == torch.float32
    assert set(batch) == set(processor.model_input_names)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=5))
def test_features_come_back_from_under_the_mask(lengths):
    processor = AmessProcessor(tiny_tokenizer(), video_feature_size=6, max_video_length=20)
    arrays = [frames(length, 6) for length in lengths]
    batch = processor(video_features=arrays)
    for row, array in enumerate(arrays):
        mask = batch["video_attention_mask"][row].bool()
        np.testing.assert_array_equal(batch["video_features"][row][mask].numpy(), array[:20])
        assert batch["video_features"][row][~mask].abs().sum() == 0


def test_one_utterance_makes_a_batch_of_one(processor):
    batch = processor(text="no way", video_features=frames(3, 6), audio_features=torch.zeros(2, 5))
    assert batch["input_ids"].shape[0] == batch["video_features"].shape[0] == batch["audio_features"].shape[0] == 1


def test_a_modality_that_no_row_has_is_masked_rather_than_empty(processor):
    batch = processor(text=["no", "way"], video_features=[None, np.zeros((0, 6))])
    assert batch["video_features"].shape == (2, 1, 6)
    assert batch["video_attention_mask"].sum() == 0
    assert torch.isfinite(tiny_model()(**batch).logits).all()


def test_long_inputs_are_cut_and_it_is_said_once(processor, caplog):
    import logging

    from transformers.utils import logging as transformers_logging

    transformers_logging.get_logger("transformers").addHandler(caplog.handler)
    transformers_logging.warning_once.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                batch = processor(text="no " * 40, video_features=frames(25, 6))
    finally:
        transformers_logging.get_logger("transformers").removeHandler(caplog.handler)
    assert batch["input_ids"].shape == (1, 12) and batch["video_features"].shape == (1, 20, 6)
    said = [record.getMessage() for record in caplog.records if "is cut to" in record.getMessage()]
    assert sorted(said) == [
        "text is cut to max_text_length=12 tokens where it is longer.",
        "video is cut to max_video_length=20 frames where it is longer.",
    ]


def test_numpy_batches(processor):
    batch = processor(text="no way", audio_features=frames(4, 5), return_tensors="np")
    assert all(isinstance(value, np.ndarray) for value in batch.values())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "Nothing to process"),
        ({"text": []}, "Nothing to process"),
        ({"text": ["no", "way"], "video_features": [frames(3, 6)]}, "2 texts but 1 video_features"),
        ({"text": "no", "video_features": frames(3, 7)}, r"utterance 0 have shape \(3, 7\).*\(frames, 6\)"),
        ({"text": "no", "audio_features": [np.zeros(5)]}, r"utterance 0 have shape \(5,\)"),
        ({"text": "no", "audio_features": np.full((2, 5), np.nan)}, "NaN"),
        ({"text": "no", "return_tensors": "tf"}, "return_tensors='tf'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_inputs_are_named(processor, inputs, message):
    with pytest.raises(ValueError, match=message):
        processor(**inputs)


def test_features_for_a_model_without_that_part_are_refused():
    processor = AmessProcessor(tiny_tokenizer(), audio_feature_size=5)
    with pytest.raises(ValueError, match="without a video part"):
        processor(text="no", video_features=frames(3, 6))
