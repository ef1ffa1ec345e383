# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""
The record of a media encoder: which encoders made a model's features, and how clips were prepared for them.

    {"video": {"name", "revision", "pooling"} or None, "audio": likewise, "preprocessing": {...}}

The preprocessing is in the words of `AmessProcessor`'s arguments.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig

from .configuration_amess import AmessConfig


POOLING = {"video": "pooler_output", "audio": "last_hidden_state"}
# Settings of the processor by the encoder that they belong to.
PREPROCESSING = {
    "video": ("frame_rate", "image_size", "image_mean", "image_std"),
    "audio": ("sampling_rate", "normalize_audio", "audio_step", "audio_window"),
}

# What the revision of an encoder without a commit begins with.
FINGERPRINT = "sha256:"
IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]


def default_preprocessing(modality: str, config: PreTrainedConfig) -> dict[str, Any]:
    """How clips are prepared for an encoder that does not say so itself."""
    if modality == "video":
        return {
            "frame_rate": 6.0,
            "image_size": config.image_size,
            "image_mean": IMAGENET_MEAN,
            "image_std": IMAGENET_STD,
        }
    step, window = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        window += (kernel - 1) * step
        step *= stride
    return {"sampling_rate": 16000, "normalize_audio": False, "audio_step": step, "audio_window": window}


def own_preprocessing(modality: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint's `preprocessor_config.json` in the words of the processor."""
    if modality == "audio":
        return {
            "sampling_rate": content.get("sampling_rate", 16000),
            "normalize_audio": content.get("do_normalize", True),
        }
    own = {}
    size = content.get("size")
    if isinstance(size, Mapping):
        size = [size["height"], size["width"]] if "height" in size else size["shortest_edge"]
        size = size[0] if isinstance(size, list) and size[0] == size[1] else size
    if size is not None:
        own["image_size"] = size
    normalize = content.get("do_normalize", True)
    own["image_mean"] = content.get("image_mean", IMAGENET_MEAN) if normalize else [0.0, 0.0, 0.0]
    own["image_std"] = content.get("image_std", IMAGENET_STD) if normalize else [1.0, 1.0, 1.0]
    return own


def record_differences(recorded: Mapping[str, Any], offered: Mapping[str, Any]) -> list[str]:
    """
    In words, where an encoder's record differs from the one that a model was trained with. A name may differ, such as
    that of a folder: the revision tells whether the weights are the same.
    """
    differences = []
    for modality in ("video", "audio"):
        ours, theirs = recorded[modality], offered[modality]
        if ours is None and theirs is None:
            continue
        if ours is None or theirs is None:
            differences.append(f"{modality}: {_named(theirs)} instead of {_named(ours)}")
            continue
        if (ours["revision"], ours["pooling"]) != (theirs["revision"], theirs["pooling"]):
            differences.append(f"{modality}: {_named(theirs)} instead of {_named(ours)}")
        for key in PREPROCESSING[modality]:
            values = offered["preprocessing"].get(key), recorded["preprocessing"].get(key)
            if values[0] != values[1]:
                differences.append(f"{key}: {values[0]} instead of {values[1]}")
    return differences


def missing_encoder_message(config: AmessConfig, modality: str, inputs: str) -> str:
    """What to do about clips for a model that has no encoder for them."""
    record = config.media_encoder or {}
    if record.get(modality) is None:
        which = f"Which {modality} encoder made its features is not recorded; attach that one"
        arguments = f"{modality}=..."
    else:
        which = f"Attach the {modality} encoder that made its features, {_named(record[modality])}"
        arguments = ", ".join(_loading_arguments(record))
    return (
        f"{inputs} were given, but this model has no {modality} encoder: it takes {modality}_features. {which}: "
        f"model.attach_media_encoder(AmessMediaEncoder.from_encoders_pretrained({arguments})), or a saved one from "
        "AmessMediaEncoder.from_pretrained(...)."
    )


def _loading_arguments(record: Mapping[str, Any]) -> Iterator[str]:
    """Of `from_encoders_pretrained`, for the recorded encoders."""
    for modality in ("video", "audio"):
        encoder = record[modality]
        yield f"{modality}={(encoder['name'] if encoder else None)!r}"
        if encoder and not encoder["revision"].startswith(FINGERPRINT):
            yield f"{modality}_revision={encoder['revision']!r}"
    if "frame_rate" in record["preprocessing"]:
        yield f"frame_rate={record['preprocessing']['frame_rate']}"


def weights_fingerprint(model: nn.Module) -> str:
    """[`FINGERPRINT`] and 16 hexadecimal digits that depend on the names, types and values of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return f"{FINGERPRINT}{digest.hexdigest()[:16]}"


def _named(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "none"
    return f"{record['name']} (revision {record['revision']}, {record['pooling']})"


__all__ = [
    "POOLING",
    "PREPROCESSING",
    "default_preprocessing",
    "missing_encoder_message",
    "own_preprocessing",
    "record_differences",
    "weights_fingerprint",
]
