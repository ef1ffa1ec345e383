# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The media encoder of the sample: a tiny Swin that was never trained, and the first layers of Whisper tiny.en.

No pretrained encoder of pictures is small enough for the repository or comes with a package, and the sample must work
without a network. Random weights suffice for pictures as plain as ours (a linear layer reads the expression from these
features), if they are drawn wide enough to do more than average patches. numpy draws them, by the name of the
parameter, so that they are the same on every machine. Two things are not random: the filters of the patches have no
constant part, and the last LayerNorm standardises the features by statistics of the training split.

The sound goes through layer 2 of Whisper's encoder, where tone of voice is clearer than in its last one. A fixed
projection takes the mean of four of its steps (80 ms) to their 64 largest principal components on the training split,
each with deviation 1: the prepared features would be six times as large without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import SwinConfig, SwinModel

from modeling_amess import AmessMediaEncoder

from ..seeds import stable_generator
from .rows import SAMPLE_FOLDER
from .whisper import whisper_encoder


STATISTICS_FILE = SAMPLE_FOLDER / "encoder_statistics.json"
PROJECTION_FILE = SAMPLE_FOLDER / "sound_projection.safetensors"
_SOUND_LAYER = 2


def sample_media_encoder(standardise: bool = True) -> AmessMediaEncoder:
    """Create the encoder of the sample's prepared features: 64 numbers per frame and 64 per step of 80 ms.

    Args:
        standardise: Whether the features have mean 0 and deviation 1 on the training split. Otherwise those of frames
            have the mean and the deviation in `encoder_statistics.json`, and those of sound are Whisper's 384 numbers.

    Raises:
        WhisperWeightsError: The package with Whisper's weights is not installed or is damaged.
    """
    video = _video_model()
    projections = {}
    if standardise:
        statistics = json.loads(STATISTICS_FILE.read_text(encoding="utf-8"))
        _standardise(video.layernorm, statistics["video"])
        weights = load_file(PROJECTION_FILE)
        output_size, input_size = weights["weight"].shape
        projections["audio"] = nn.Linear(input_size, output_size)
        projections["audio"].load_state_dict(weights)
    return AmessMediaEncoder.from_models(
        video,
        whisper_encoder(_SOUND_LAYER),
        video_name="sample-swin",
        audio_name="whisper-tiny.en",
        audio_pooling=f"hidden_states[{_SOUND_LAYER}], mean of 4",
        projections=projections,
        preprocessing={"frame_rate": 6.0, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]},
    )


def _video_model() -> SwinModel:
    model = SwinModel(
        SwinConfig(
            image_size=64,
            embed_dim=16,
            depths=[2, 2, 2],
            num_heads=[2, 2, 4],
            window_size=4,
            mlp_ratio=2.0,
            # Features are averaged over the picture: without these, they would not say where something is.
            use_absolute_embeddings=True,
        )
    )
    _draw_weights(model)
    # Filters without a constant part answer to edges, not to plain colour, like most trained filters. With other ones
    # the colours of wall, hair and clothes drown everything else.
    patches = model.embeddings.patch_embeddings.projection.weight
    filters = patches.detach().double().numpy()
    _set_(patches, filters - filters.mean((2, 3), keepdims=True))
    return model.eval()


def _draw_weights(model: nn.Module) -> None:
    """Draw weights that keep the size of their input, and biases of half that; norms only normalise."""
    for name, parameter in model.named_parameters():
        if "norm" in name:
            nn.init.constant_(parameter, 0.0 if name.endswith("norm.bias") else 1.0)
        elif name.endswith("bias") or parameter.dim() < 2:
            _set_(parameter, 0.5 * _drawn(name, parameter.shape))
        elif name.endswith(("position_embeddings", "relative_position_bias_table")):
            _set_(parameter, _drawn(name, parameter.shape))
        else:
            _set_(parameter, _drawn(name, parameter.shape) / np.prod(parameter.shape[1:]) ** 0.5)


def _standardise(norm: nn.LayerNorm, statistics: Mapping[str, Sequence[float]]) -> None:
    mean, deviation = (np.array(statistics[name]) for name in ("mean", "deviation"))
    _set_(norm.weight, 1 / deviation)
    _set_(norm.bias, -mean / deviation)


def _drawn(name: str, shape: Sequence[int]) -> np.ndarray:
    return stable_generator("sample encoder", name).standard_normal(tuple(shape))


@torch.no_grad()
def _set_(parameter: torch.Tensor, values: np.ndarray) -> None:
    parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))
