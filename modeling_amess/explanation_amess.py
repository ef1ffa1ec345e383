# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a decision of A-MESS rested on: tokens, anchors with the frames and steps they read, and label descriptions."""

from collections.abc import Mapping
from typing import Any

import torch

from .clip_amess import Clip
from .configuration_amess import AmessConfig


UNITS = {"video": "frame", "audio": "step"}


def explanation(
    outputs: Mapping[str, Any], token_ids: list[int], tokenizer: Any, config: AmessConfig, clip: Clip | None = None
) -> dict[str, Any]:
    """
    Puts one row of the model's output into words and times.

    Args:
        outputs: the row's `description_similarity` `(labels,)`, `<modality>_anchor_indices`, `_scores` and `_mask`
            `(anchors,)` and `<modality>_attentions` `(heads, text, frames)`; of these what the model gave.
        token_ids: the row's real tokens, the special ones too.
        tokenizer: which made them.
        config: the model's.
        clip: which the row was made of, for the times of its frames.

    Returns:
        A dict of plain numbers, texts and lists:
        - `tokens`: the text as the model reads it, special tokens included.
        - `video_anchors`, `audio_anchors`: the tokens that stand for the modality, the most reliable first. Each has
          its `token`, its `position` in `tokens`, the `score` of its reliability, the `frame` (or `step`) that it
          reads most from, the `time` in seconds at which that begins, and the `weight` of the attention to it, the
          mean over the heads. With an `alignment` other than `"none"` the attention is not to real frames: then
          `frame`, `time` and `weight` are `None`. `time` is also `None` for features of an unknown frame rate.
        - `description_similarity`: mean cosine to the descriptions of each label that has any.
    """
    # One by one, so that they read as text whatever marks the tokenizer puts on them.
    tokens = [tokenizer.decode([token]).strip() for token in token_ids]
    similarity = {}
    if config.label_descriptions is not None and outputs.get("description_similarity") is not None:
        values = outputs["description_similarity"].float().tolist()
        similarity = {config.id2label[index]: value for index, value in enumerate(values)}
        similarity = {label: value for label, value in similarity.items() if label in config.label_descriptions}
    return {
        "tokens": tokens,
        "video_anchors": _anchors("video", outputs, tokens, config, clip),
        "audio_anchors": _anchors("audio", outputs, tokens, config, clip),
        "description_similarity": similarity,
    }


def seconds(modality: str, index: int, config: AmessConfig, clip: Clip | None = None) -> float | None:
    """When video frame or audio step `index` begins, from the start of the clip; `None` where that is not known."""
    if modality == "video" and clip is not None and clip.frame_times is not None:
        return float(clip.frame_times[index])
    preprocessing = (config.media_encoder or {}).get("preprocessing", {})
    rate = preprocessing.get("frame_rate")
    if modality == "audio":
        step = preprocessing.get("audio_step")
        rate = preprocessing["sampling_rate"] / step if step else None
    return index / rate if rate else None


def _anchors(
    modality: str, outputs: Mapping[str, Any], tokens: list[str], config: AmessConfig, clip: Clip | None
) -> list[dict[str, Any]]:
    if outputs.get(f"{modality}_anchor_indices") is None:
        return []
    anchors = []
    columns = (outputs[f"{modality}_anchor_{name}"].tolist() for name in ("indices", "scores", "mask"))
    for position, score, real in zip(*columns, strict=True):
        if not real:
            continue
        index = time = weight = None
        if config.alignment == "none":
            attention: torch.Tensor = outputs[f"{modality}_attentions"][:, position].float().mean(0)
            index, weight = attention.argmax().item(), attention.max().item()
            time = seconds(modality, index, config, clip)
        anchors.append(
            {
                "token": tokens[position],
                "position": position,
                "score": score,
                UNITS[modality]: index,
                "time": time,
                "weight": weight,
            }
        )
    return anchors


__all__ = ["explanation", "seconds"]
