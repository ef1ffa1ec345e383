# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Tiny baselines over the tiny text encoder, and batches for them."""

from __future__ import annotations

from typing import Any

import torch

from training.baselines import BASELINES, MODELS
from training.baselines.base import BaselinePreTrainedModel, MultimodalBaselineConfig

from ..tiny import AUDIO_SIZE, VIDEO_SIZE


# Words of the tiny vocabulary: TCL-MAP reads the labels' names.
LABELS = ("hello", "bye", "thanks")
MULTIMODAL = tuple(name for name in BASELINES if issubclass(MODELS[name].config_class, MultimodalBaselineConfig))
# Fields that make a model small, where its defaults are too large for the tiny text encoder.
SMALL: dict[str, dict[str, Any]] = {
    "mult": {"projection_size": 8, "fusion_num_attention_heads": 2, "fusion_num_layers": 1},
    "tcl_map": {"fusion_num_attention_heads": 2, "fusion_num_layers": 1},
    "cagc": {"fusion_num_attention_heads": 2, "num_contexts": 2},
}


def training_rows(rows: int = 9) -> list[dict[str, Any]]:
    """Utterances for a bank; every fourth has no video."""
    generator = torch.Generator().manual_seed(2)
    return [
        {
            "video_features": torch.randn(index % 4, VIDEO_SIZE, generator=generator).numpy(),
            "label": index % len(LABELS),
        }
        for index in range(rows)
    ]


def config_fields(name: str, **fields: Any) -> dict[str, Any]:
    """Fields of a tiny model of that name."""
    sizes = {"video_feature_size": VIDEO_SIZE, "audio_feature_size": AUDIO_SIZE, "max_text_length": 12}
    lengths = {"max_video_length": 10, "max_audio_length": 11}
    if name not in MULTIMODAL:
        sizes, lengths = {"max_text_length": 12}, {}
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
    return {**sizes, **lengths, **labels, **SMALL.get(name, {}), **fields}


def build(name: str, text_model: str, **fields: Any) -> BaselinePreTrainedModel:
    """A model in evaluation mode, with parameters away from their start, so that every part has an effect."""
    torch.manual_seed(0)
    model = MODELS[name].model_class.from_text_pretrained(text_model, **config_fields(name, **fields)).eval()
    model.read_training_rows(training_rows())
    with torch.no_grad():
        for key in sorted(model.new_parameter_names()):
            parameter = model.get_parameter(key)
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def make_batch() -> dict[str, torch.Tensor]:
    """Three rows: one with everything, one without video, one with text alone."""
    generator = torch.Generator().manual_seed(1)
    return {
        "input_ids": torch.tensor([[2, 5, 6, 9, 3], [2, 7, 3, 0, 0], [2, 8, 9, 3, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]),
        "video_features": torch.randn(3, 4, VIDEO_SIZE, generator=generator),
        "video_attention_mask": torch.tensor([[1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]),
        "audio_features": torch.randn(3, 3, AUDIO_SIZE, generator=generator),
        "audio_attention_mask": torch.tensor([[1, 1, 0], [1, 1, 1], [0, 0, 0]]),
        "labels": torch.tensor([0, 2, 1]),
    }


def only_row(batch: dict[str, torch.Tensor], row: int) -> dict[str, torch.Tensor]:
    """One row by itself, without any padding; a modality that it lacks is absent."""
    alone = {"labels": batch["labels"][row : row + 1]}
    for values, mask in (
        ("input_ids", "attention_mask"),
        ("video_features", "video_attention_mask"),
        ("audio_features", "audio_attention_mask"),
    ):
        real = batch[mask][row].bool()
        if real.any():
            alone[values], alone[mask] = batch[values][row, real][None], batch[mask][row, real][None]
    return alone


def padded(batch: dict[str, torch.Tensor], text: int, video: int, audio: int) -> dict[str, torch.Tensor]:
    """The batch with so much more padding of every sequence; padded frames hold anything but zeros."""
    more = dict(batch)
    for values, mask, count in (
        ("input_ids", "attention_mask", text),
        ("video_features", "video_attention_mask", video),
        ("audio_features", "audio_attention_mask", audio),
    ):
        shape = (len(batch[values]), count, *batch[values].shape[2:])
        filling = torch.full(shape, 0 if values == "input_ids" else 9.0, dtype=batch[values].dtype)
        more[values] = torch.cat([batch[values], filling], dim=1)
        more[mask] = torch.cat([batch[mask], torch.zeros(shape[:2], dtype=torch.long)], dim=1)
    return more
