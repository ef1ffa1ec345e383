# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The media encoder of the sample: a tiny Swin and a tiny WavLM that were never trained.

Pretrained encoders are too large for the repository, and the sample must work without a network. Random weights
suffice for clips as plain as ours (a linear layer reads the expression and the tone from these features), if they are
drawn wide enough to do more than average patches and samples. numpy draws them, by the name of the parameter, so that
they are the same on every machine. Three things are not random: the filters of the patches have no constant part, the
first convolution of the sound is a bank of band-pass filters, and the last LayerNorms standardise the features by
statistics of the training split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import SwinConfig, SwinModel, WavLMConfig, WavLMModel

from modeling_amess import AmessMediaEncoder

from ..seeds import stable_generator
from .rows import SAMPLE_FOLDER


STATISTICS_FILE = SAMPLE_FOLDER / "encoder_statistics.json"
_BAND_PASS_HZ = (60.0, 7000.0)  # the lowest and the highest filter


def sample_media_encoder(standardise: bool = True) -> AmessMediaEncoder:
    """Create the encoder of the sample's prepared features: 64 numbers per frame and 64 per step of 80 ms.

    Args:
        standardise: Whether the features have mean 0 and deviation 1 on the training split. Otherwise they have the
            mean and the deviation in `encoder_statistics.json`.
    """
    video, audio = _video_model(), _audio_model()
    if standardise:
        statistics = json.loads(STATISTICS_FILE.read_text(encoding="utf-8"))
        _standardise(video.layernorm, statistics["video"])
        _standardise(cast(Any, audio.encoder.layers[-1]).final_layer_norm, statistics["audio"])
    return AmessMediaEncoder.from_models(
        video,
        audio,
        video_name="sample-swin",
        audio_name="sample-wavlm",
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


def _audio_model() -> WavLMModel:
    model = WavLMModel(
        WavLMConfig(
            hidden_size=64,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=128,
            # A group norm would leave nothing of the filters but loudness relative to that of the clip.
            feat_extract_norm="layer",
            conv_bias=True,
            conv_dim=[64, 64],
            conv_kernel=[512, 80],
            conv_stride=[32, 40],
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=4,
            num_buckets=32,
            max_bucket_distance=64,
            apply_spec_augment=False,
            mask_time_prob=0.0,
        )
    )
    _draw_weights(model)
    first, second = (cast(nn.Conv1d, layer.conv) for layer in model.feature_extractor.conv_layers)
    _set_(first.weight, _band_pass_filters(first.out_channels, first.kernel_size[0])[:, None])
    # The second convolution mixes the bands and averages over time.
    mixing = _drawn("mixing of the bands", (second.out_channels, second.in_channels)) / second.in_channels**0.5
    window = np.hanning(second.kernel_size[0] + 2)[1:-1]
    _set_(second.weight, mixing[:, :, None] * (window / window.sum()))
    for convolution in (first, second):
        assert convolution.bias is not None
        nn.init.zeros_(convolution.bias)
    return model.eval()


def _draw_weights(model: nn.Module) -> None:
    """Draw weights that keep the size of their input, and biases of half that; norms only normalise."""
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if "norm" in name or name.endswith("gru_rel_pos_const"):
            nn.init.constant_(parameter, 0.0 if name.endswith("norm.bias") else 1.0)
        elif name.endswith("parametrizations.weight.original0"):
            continue  # the length of the vectors in original1, below
        elif name.endswith("bias") or parameter.dim() < 2:
            _set_(parameter, 0.5 * _drawn(name, parameter.shape))
        elif name.endswith(("position_embeddings", "relative_position_bias_table")):
            _set_(parameter, _drawn(name, parameter.shape))
        else:
            _set_(parameter, _drawn(name, parameter.shape) / np.prod(parameter.shape[1:]) ** 0.5)
    for name, parameter in parameters.items():
        if name.endswith("original0"):
            directions = parameters[name.removesuffix("0") + "1"].detach().double().numpy()
            _set_(parameter, np.sqrt((directions**2).sum((0, 1), keepdims=True)))


def _band_pass_filters(count: int, length: int) -> np.ndarray:
    """Windowed waves of random phase, from low to high pitch, float64 `(count, length)`."""
    low, high = _BAND_PASS_HZ
    frequencies = low * (high / low) ** (np.arange(count) / (count - 1))
    random = stable_generator("sample encoder", "phases")
    phases = random.uniform(0, 2 * np.pi, count)
    times = (np.arange(length) - length / 2) / 16000
    waves = np.cos(2 * np.pi * frequencies[:, None] * times + phases[:, None]) * np.hanning(length)
    return waves / np.sqrt((waves**2).sum(1, keepdims=True))


def _standardise(norm: nn.LayerNorm, statistics: Mapping[str, Sequence[float]]) -> None:
    mean, deviation = (np.array(statistics[name]) for name in ("mean", "deviation"))
    _set_(norm.weight, 1 / deviation)
    _set_(norm.bias, -mean / deviation)


def _drawn(name: str, shape: Sequence[int]) -> np.ndarray:
    return stable_generator("sample encoder", name).standard_normal(tuple(shape))


@torch.no_grad()
def _set_(parameter: torch.Tensor, values: np.ndarray) -> None:
    parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))
