# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessMediaEncoder: the frozen Swin and WavLM that turn a clip's frames and samples into features."""

import copy
import hashlib
import json
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput, cached_file
from transformers.utils.hub import extract_commit_hash
from transformers.utils.output_capturing import capture_outputs

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
    """In words, where an encoder's record differs from the one that a model was trained with. A name may differ, such as
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


MODEL_TYPES = {"video": ("swin",), "audio": ("wavlm", "wav2vec2")}
# The commits that the default encoders are taken at; the commit of any other is looked up when it is loaded.
PINNED_REVISIONS = {"microsoft/wavlm-base-plus": "4c66d4806a428f2e922ccfa1a962776e232d487b"}

# Largest rows * steps ** 2 of one pass of the audio model, whose attention weights grow with it.
_AUDIO_ATTENTION_CELLS = 2**22


@dataclass
class AmessMediaEncoderOutput(ModelOutput):
    """Output of [`AmessMediaEncoder`]. A modality that was not given is `None`.

    Attributes:
        video_features (`(batch, frames, video_feature_size)`): one vector a frame; 0 where masked.
        video_attention_mask (`(batch, frames)`): 1 for real frames.
        audio_features (`(batch, steps, audio_feature_size)`): one vector a step; 0 where masked.
        audio_attention_mask (`(batch, steps)`): 1 for real steps; a row of zeros for sound too short for one.
    """

    video_features: torch.Tensor | None = None
    video_attention_mask: torch.Tensor | None = None
    audio_features: torch.Tensor | None = None
    audio_attention_mask: torch.Tensor | None = None


class AmessMediaEncoder(PreTrainedModel):
    """A Swin for frames and a WavLM (or wav2vec 2.0) for samples, or one of them. They are frozen: never in training
    mode, never with a gradient. What a clip becomes does not depend on the clips beside it or on padding.

    `record` names the encoders and how clips are prepared for them; a classifier keeps the record of the encoders
    that made its training features, so that no others are attached to it by mistake.

    Example:
    ```python
    >>> encoder = AmessMediaEncoder.from_encoders_pretrained(video="microsoft/swin-base-patch4-window7-224")
    >>> model.attach_media_encoder(encoder)
    ```
    """

    config: AmessConfig
    main_input_name = "pixel_values"
    input_modalities = ("video", "audio")
    _supports_sdpa = True
    frames_per_forward = 32

    def __init__(
        self,
        config: AmessConfig,
        video_model: PreTrainedModel | None = None,
        audio_model: PreTrainedModel | None = None,
    ):
        """Args:
        config: with `video_config`, `audio_config` or both.
        video_model, audio_model: with their weights; freshly initialised from the config by default.
        """
        super().__init__(config)
        for modality, sub_config in (("video", config.video_config), ("audio", config.audio_config)):
            if sub_config is not None:
                _check_sub_config(modality, sub_config)
        if config.video_config is not None:
            self.video_model = video_model or _built(config.video_config, config)
        if config.audio_config is not None:
            self.audio_model = audio_model or _built(config.audio_config, config)
        self.post_init()
        self.eval()

    @classmethod
    def from_encoders_pretrained(
        cls,
        video: str | None = "microsoft/swin-base-patch4-window7-224",
        audio: str | None = "microsoft/wavlm-base-plus",
        *,
        video_revision: str | None = None,
        audio_revision: str | None = None,
        frame_rate: float = 6.0,
    ) -> "AmessMediaEncoder":
        """Pretrained encoders with the preprocessing of their own `preprocessor_config.json`. The record holds the
        commits that they were taken at, or fingerprints of their weights where they come from folders.

        Args:
            video, audio: Hub ids or folders; `None` for no encoder of that modality.
            video_revision, audio_revision: commit, branch or tag; a branch is resolved to its commit once.
            frame_rate: frames a second that are encoded.

        Raises:
            ValueError: neither encoder, or a model that is not of a supported type.
            OSError: a model that cannot be found or read.
        """
        models, revisions, preprocessing = {}, {}, {"frame_rate": frame_rate}
        for modality, name, revision in (("video", video, video_revision), ("audio", audio, audio_revision)):
            if name is None:
                continue
            file = cached_file(name, "config.json", revision=revision or PINNED_REVISIONS.get(name, "main"))
            # What else is read comes from the commit of this file, even if the branch moves meanwhile.
            revisions[modality] = extract_commit_hash(file, None)
            source = {"revision": revisions[modality] or "main"}
            config = AutoConfig.from_pretrained(name, **source)
            _check_sub_config(modality, config)
            models[modality] = AutoModel.from_pretrained(name, config=config, dtype=torch.float32, **source)
            file = cached_file(name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False, **source)
            if file is not None:
                with open(file, encoding="utf-8") as stream:
                    preprocessing |= own_preprocessing(modality, json.load(stream))
        return cls.from_models(
            models.get("video"),
            models.get("audio"),
            video_name=video,
            audio_name=audio,
            video_revision=revisions.get("video"),
            audio_revision=revisions.get("audio"),
            preprocessing=preprocessing,
        )

    @classmethod
    def from_models(
        cls,
        video_model: PreTrainedModel | None = None,
        audio_model: PreTrainedModel | None = None,
        *,
        video_name: str | None = None,
        audio_name: str | None = None,
        video_revision: str | None = None,
        audio_revision: str | None = None,
        preprocessing: Mapping[str, Any] | None = None,
    ) -> "AmessMediaEncoder":
        """An encoder around models in memory, whose weights it keeps.

        Args:
            video_name, audio_name: what the record calls them, by default the name they were loaded by or their type.
            video_revision, audio_revision: by default a fingerprint of the weights.
            preprocessing: settings of [`AmessProcessor`] where they differ from 6 frames a second, the image size of
                the video model's config, ImageNet's mean and deviation, and 16 kHz without normalisation.

        Raises:
            ValueError: neither model, one of an unsupported type, or unknown preprocessing.
        """
        if video_model is None and audio_model is None:
            raise ValueError("Give a video model, an audio model or both: there is nothing to encode with.")
        record: dict[str, Any] = {"video": None, "audio": None, "preprocessing": {}}
        fields: dict[str, Any] = {"video_feature_size": None, "audio_feature_size": None}
        given = dict(preprocessing or {})
        for modality, model, name, revision in (
            ("video", video_model, video_name, video_revision),
            ("audio", audio_model, audio_name, audio_revision),
        ):
            if model is None:
                continue
            _check_sub_config(modality, model.config)
            record[modality] = {
                "name": name or model.config.name_or_path or model.config.model_type,
                "revision": revision or weights_fingerprint(model),
                "pooling": POOLING[modality],
            }
            settings = default_preprocessing(modality, model.config)
            record["preprocessing"] |= settings | {key: given[key] for key in settings if key in given}
            # A copy: a config that becomes part of another takes over settings of it.
            fields |= {
                f"{modality}_config": copy.deepcopy(model.config),
                f"{modality}_feature_size": model.config.hidden_size,
            }
        unknown = sorted(set(given) - {key for keys in PREPROCESSING.values() for key in keys})
        if unknown:
            raise ValueError(f"Unknown preprocessing {unknown}; known are {[*PREPROCESSING.values()]}.")
        # As it will be read from config.json, so that a record compares equal to its saved self.
        return cls(AmessConfig(media_encoder=json.loads(json.dumps(record)), **fields), video_model, audio_model)

    @property
    def record(self) -> dict[str, Any] | None:
        """`{"video": {"name", "revision", "pooling"} or None, "audio": likewise, "preprocessing": {...}}`; the
        preprocessing is in the words of [`AmessProcessor`]'s arguments.
        """
        return self.config.media_encoder

    def train(self, mode: bool = True) -> "AmessMediaEncoder":
        """Stays in eval mode and frozen, whatever the model around it is put into."""
        # Here, because loading makes new parameters, and ends with `eval()`, which calls this.
        self.requires_grad_(False)
        return super().train(False)

    # Its own `capture_outputs` keeps the encoders' layers out of the hidden states that the model around it records.
    @torch.no_grad()
    @capture_outputs
    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        pixel_values_mask: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        input_values_mask: torch.Tensor | None = None,
    ) -> AmessMediaEncoderOutput:
        """Args:
            pixel_values (`(batch, frames, 3, height, width)`): normalised frames.
            pixel_values_mask (`(batch, frames)`): 1 for real frames; all real by default.
            input_values (`(batch, samples)`): the sound.
            input_values_mask (`(batch, samples)`): 1 for real samples; all real by default.

        Raises:
            ValueError: nothing given, a modality that there is no encoder for, shapes that do not fit.
        """
        if pixel_values is None and input_values is None:
            raise ValueError("Give pixel_values, input_values or both.")
        output = AmessMediaEncoderOutput()
        if pixel_values is not None:
            mask = self._checked_mask("pixel_values", pixel_values, pixel_values_mask)
            output["video_features"], output["video_attention_mask"] = self._encode_frames(pixel_values, mask)
        if input_values is not None:
            mask = self._checked_mask("input_values", input_values, input_values_mask)
            output["audio_features"], output["audio_attention_mask"] = self._encode_samples(input_values, mask)
        return output

    def _encode_frames(self, pixel_values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        batch, frames = mask.shape
        features = pixel_values.new_zeros(
            (batch, max(1, frames), self.config.video_config.hidden_size), dtype=self.dtype
        )
        rows, columns = mask.nonzero(as_tuple=True)
        for start in range(0, len(rows), self.frames_per_forward):
            part = slice(start, start + self.frames_per_forward)
            where = rows[part], columns[part]
            features[where] = self.video_model(pixel_values[where].to(self.dtype)).pooler_output
        return features, nn.functional.pad(mask.long(), (0, features.shape[1] - frames))

    def _encode_samples(self, input_values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        model = self.audio_model
        steps = [_num_steps(length, model.config) for length in mask.sum(1).tolist()]
        shape = (len(steps), max(1, *steps))
        features = input_values.new_zeros((*shape, model.config.hidden_size), dtype=self.dtype)
        feature_mask = torch.zeros(shape, dtype=torch.long, device=mask.device)
        for rows in _parts_of_equal_cost(steps):
            # One by one: some of these models normalise over time here, where padding would count as sound.
            extracted = [
                model.feature_extractor(input_values[row][mask[row]][None].to(self.dtype))[0].T for row in rows
            ]
            padded = nn.utils.rnn.pad_sequence(extracted, batch_first=True)
            lengths = torch.tensor([len(row) for row in extracted], device=mask.device)
            real = torch.arange(padded.shape[1], device=mask.device) < lengths[:, None]
            hidden_states, _ = model.feature_projection(padded)
            with warnings.catch_warnings():
                # WavLM gives torch a boolean mask beside its float position bias, which torch wants to see changed.
                warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask and attn_mask")
                hidden_states = model.encoder(hidden_states, attention_mask=real).last_hidden_state
            features[rows, : padded.shape[1]] = hidden_states * real.unsqueeze(-1)
            feature_mask[rows, : padded.shape[1]] = real.long()
        return features, feature_mask

    def _checked_mask(self, name: str, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        modality, dims, shape = {
            "pixel_values": ("video", 5, "(batch, frames, 3, height, width)"),
            "input_values": ("audio", 2, "(batch, samples)"),
        }[name]
        if not hasattr(self, f"{modality}_model"):
            raise ValueError(f"{name} were given, but this media encoder has no {modality} model.")
        if values.dim() != dims or (modality == "video" and values.shape[2] != 3):
            raise ValueError(f"{name} have shape {tuple(values.shape)}; {shape} is needed.")
        if mask is None:
            return torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
        if mask.shape != values.shape[:2]:
            raise ValueError(f"{name}_mask has shape {tuple(mask.shape)}; {name} need {tuple(values.shape[:2])}.")
        return mask.bool()


def fitted_media_encoder(config: AmessConfig, encoder: AmessMediaEncoder) -> AmessMediaEncoder:
    """The encoder as a part of a model with that config, in which its configs and its record are entered. Only the
    modalities that the model has parts for are taken.

    Raises:
        ValueError: the encoder has none of the model's modalities, its features are of another size, or it is not
            the recorded one.
    """
    models = {
        modality: getattr(encoder, f"{modality}_model")
        for modality in ("video", "audio")
        if hasattr(encoder, f"{modality}_model") and modality in config.modalities
    }
    if not models:
        raise ValueError(f"The media encoder has none of this model's modalities, {', '.join(config.modalities)}.")
    for modality, model in models.items():
        needed = getattr(config, f"{modality}_feature_size")
        if model.config.hidden_size != needed:
            raise ValueError(
                f"The media encoder's {modality} features are of size {model.config.hidden_size}, but this model's "
                f"{modality}_feature_size is {needed}."
            )
    record = {
        "video": encoder.record["video"] if "video" in models else None,
        "audio": encoder.record["audio"] if "audio" in models else None,
        "preprocessing": {
            key: encoder.record["preprocessing"][key] for modality in models for key in PREPROCESSING[modality]
        },
    }
    if config.media_encoder is not None:
        differences = record_differences(config.media_encoder, record)
        if differences:
            raise ValueError(
                "This is not the media encoder whose features the model was trained on: "
                + "; ".join(differences)
                + ". Attach the recorded one (config.media_encoder)."
            )
    config.media_encoder = record
    config.video_config = copy.deepcopy(models["video"].config) if "video" in models else None
    config.audio_config = copy.deepcopy(models["audio"].config) if "audio" in models else None
    return AmessMediaEncoder(config, models.get("video"), models.get("audio"))


def _check_sub_config(modality: str, config: PreTrainedConfig) -> None:
    if config.model_type not in MODEL_TYPES[modality]:
        raise ValueError(
            f"The {modality} encoder is a {config.model_type!r} model; {' and '.join(MODEL_TYPES[modality])} models "
            "are supported."
        )
    if getattr(config, "add_adapter", False):
        raise ValueError("The audio encoder has an adapter behind its last layer (add_adapter=True): not supported.")


def _built(sub_config: PreTrainedConfig, config: AmessConfig) -> PreTrainedModel:
    if config._attn_implementation != "eager":
        # What is asked of the text encoder need not exist in these (WavLM has no SDPA): they choose for themselves.
        sub_config._attn_implementation = None
    return AutoModel.from_config(sub_config)


def _num_steps(num_samples: int, config: PreTrainedConfig) -> int:
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        if num_samples < kernel:
            return 0
        num_samples = (num_samples - kernel) // stride + 1
    return num_samples


def _parts_of_equal_cost(steps: list[int]) -> list[list[int]]:
    """Rows that go through the audio model together, longest first, so that padding and memory stay small."""
    rows = sorted((row for row, count in enumerate(steps) if count), key=lambda row: -steps[row])
    parts = []
    while rows:
        size = max(1, math.floor(_AUDIO_ATTENTION_CELLS / steps[rows[0]] ** 2))
        parts.append(rows[:size])
        rows = rows[size:]
    return parts


__all__ = [
    "POOLING",
    "PREPROCESSING",
    "AmessMediaEncoder",
    "AmessMediaEncoderOutput",
    "default_preprocessing",
    "missing_encoder_message",
    "own_preprocessing",
    "record_differences",
    "weights_fingerprint",
]
