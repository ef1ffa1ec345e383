# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""An explanation says which token stands for a modality, what it reads most from, and when that is."""

import numpy as np
import pytest
import torch
from transformers import RobertaTokenizer

from modeling_amess.clip_amess import Clip
from modeling_amess.pipeline_amess import explanation

from .tiny import DESCRIPTIONS, tiny_batch, tiny_config, tiny_model, tiny_tokenizer


TOKEN_IDS = [2, 5, 6, 7, 8, 3]  # [CLS] oh , great . [SEP]
RECORD = {"preprocessing": {"frame_rate": 4.0, "sampling_rate": 16000, "audio_step": 320}}


def outputs(modality: str = "video", places: tuple[int, ...] = (3, 1)) -> dict:
    """Two anchors, "great" and "oh", and an empty slot; token number i reads frame `places` by a weight of 0.7."""
    attentions = torch.full((2, len(TOKEN_IDS), 4), 0.1)
    for position, place in zip((3, 1), places, strict=True):
        attentions[:, position, place] = 0.7
    return {
        f"{modality}_anchor_indices": torch.tensor([3, 1, 0]),
        f"{modality}_anchor_scores": torch.tensor([1.5, 1.25, 0.0]),
        f"{modality}_anchor_mask": torch.tensor([1, 1, 0]),
        f"{modality}_attentions": attentions,
    }


def explain(row: dict, clip: Clip | None = None, **fields) -> dict:
    return explanation(row, TOKEN_IDS, tiny_tokenizer(), tiny_config(**fields), clip)


def test_anchors_name_their_token_and_the_frame_it_reads_most_with_its_time():
    clip = Clip(np.zeros((4, 2, 2, 3), np.uint8), np.array([0.0, 0.2, 0.4, 0.7]), None, 16000, 0.8)
    result = explain(outputs(), clip)
    assert result["tokens"] == ["[CLS]", "oh", ",", "great", ".", "[SEP]"]
    attention = {"weight": pytest.approx(0.7), "times_uniform": pytest.approx(2.8)}
    assert result["video_anchors"] == [
        {"token": "great", "position": 3, "score": 1.5, "frame": 3, "time": 0.7, **attention},
        {"token": "oh", "position": 1, "score": 1.25, "frame": 1, "time": 0.2, **attention},
    ]
    assert result["audio_anchors"] == []


def test_positions_are_those_of_the_tokens():
    result = explain(outputs())
    assert all(result["tokens"][anchor["position"]] == anchor["token"] for anchor in result["video_anchors"])


def test_the_weight_is_the_mean_over_the_heads():
    row = outputs()
    row["video_attentions"][0, 3] = torch.tensor([0.9, 0.1, 0.0, 0.0])
    row["video_attentions"][1, 3] = torch.tensor([0.2, 0.1, 0.1, 0.6])
    anchor = explain(row)["video_anchors"][0]
    assert (anchor["frame"], anchor["weight"]) == (0, pytest.approx(0.55))


def test_a_weight_is_compared_with_attention_to_all_real_frames_alike():
    row = outputs()
    row["video_attentions"] = torch.nn.functional.pad(torch.full((2, len(TOKEN_IDS), 4), 0.25), (0, 3))
    anchors = explain(row)["video_anchors"]
    assert [anchor["times_uniform"] for anchor in anchors] == [1.0, 1.0], "padding is not counted"


def test_features_have_times_where_the_record_names_their_rate():
    assert [anchor["time"] for anchor in explain(outputs(), media_encoder=RECORD)["video_anchors"]] == [0.75, 0.25]
    audio = explain(outputs("audio", (2, 3)), media_encoder=RECORD)["audio_anchors"]
    assert [(anchor["step"], anchor["time"]) for anchor in audio] == [(2, 0.04), (3, 0.06)]


def test_features_of_an_unknown_rate_have_frames_without_times():
    assert [(anchor["frame"], anchor["time"]) for anchor in explain(outputs())["video_anchors"]] == [
        (3, None),
        (1, None),
    ]
    assert [anchor["time"] for anchor in explain(outputs("audio"))["audio_anchors"]] == [None, None]


@pytest.mark.parametrize("alignment", ["ctc", "conv1d", "avg_pool"])
def test_aligned_frames_are_not_passed_off_as_frames_of_the_clip(alignment):
    for anchor in explain(outputs(), alignment=alignment, media_encoder=RECORD)["video_anchors"]:
        assert [anchor[name] for name in ("frame", "time", "weight", "times_uniform")] == [None] * 4
        assert anchor["token"] in ("great", "oh")


def test_similarity_is_told_for_the_labels_that_have_descriptions():
    row = {"description_similarity": torch.tensor([0.25, -0.5, 0.75, 0.0])}
    described = explain(row, label_descriptions=DESCRIPTIONS)["description_similarity"]
    assert described == {"Thank": 0.25, "Taunt": -0.5, "Joke": 0.75}
    assert explain(row)["description_similarity"] == {}


def test_tokens_of_a_byte_level_tokenizer_read_as_text():
    words = ("<s>", "<pad>", "</s>", "<unk>", "oh", "Ġgreat", "<mask>")
    tokenizer = RobertaTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[])
    assert explanation({}, [0, 4, 5, 2], tokenizer, tiny_config())["tokens"] == ["<s>", "oh", "great", "</s>"]


def test_what_a_model_returns_can_be_explained():
    model, batch = tiny_model(exclude_special_tokens=False), tiny_batch(batch=2)
    with torch.no_grad():
        rows = model(**batch, output_attentions=True)
    row = {name: value[1] for name, value in rows.items() if isinstance(value, torch.Tensor)}
    token_ids = batch["input_ids"][1][batch["attention_mask"][1].bool()].tolist()
    result = explanation(row, token_ids, tiny_tokenizer(), model.config)
    assert len(result["tokens"]) == len(token_ids) == 3
    assert len(result["video_anchors"]) == len(result["audio_anchors"]) == 3
    # The last row has one frame and one audio step: all attention is on it.
    assert {(anchor["frame"], round(anchor["weight"], 5)) for anchor in result["video_anchors"]} == {(0, 1.0)}


def test_a_frame_as_anchor_is_explained_by_the_token_that_reads_most_from_it():
    model, batch = tiny_model(anchor_kind="frames"), tiny_batch(batch=1)
    with torch.no_grad():
        rows = model(**batch, output_attentions=True)
    row = {name: value[0] for name, value in rows.items() if isinstance(value, torch.Tensor)}
    anchors = explanation(row, batch["input_ids"][0].tolist(), tiny_tokenizer(), model.config)["video_anchors"]
    assert [anchor["frame"] for anchor in anchors] == row["video_anchor_indices"].tolist()
    for anchor in anchors:
        attention = row["video_attentions"].mean(0)[:, anchor["frame"]]
        assert anchor["position"] == attention.argmax() and anchor["weight"] == pytest.approx(attention.max().item())
