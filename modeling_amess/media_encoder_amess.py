# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessMediaEncoder, the frozen Swin and WavLM that turn clips into features, and its encoder record.

The record names the encoders, their revisions and the preprocessing of clips. This file reads, compares and explains
it, and knows the preprocessing of pretrained encoders.
"""

import copy
import hashlib
import json
import math
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import output_capturing
from transformers.utils.generic import ModelOutput
from transformers.utils.hub import cached_file, extract_commit_hash
from transformers.utils.output_capturing import capture_outputs

from .configuration_amess import AmessConfig, AmessMediaEncoderConfig


MODEL_TYPES = {"video": ("swin",), "audio": ("wavlm", "wav2vec2")}
POOLING = {"video": "pooler_output", "audio": "last_hidden_state"}
# Settings of the processor by the encoder that they belong to.
PREPROCESSING = {
    "video": ("frame_rate", "image_size", "image_mean", "image_std"),
    "audio": ("sampling_rate", "normalize_audio", "audio_step", "audio_window"),
}
IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]

# Commits of the default encoders; the commit of any other encoder is looked up when it is loaded.
PINNED_REVISIONS = {"microsoft/wavlm-base-plus": "4c66d4806a428f2e922ccfa1a962776e232d487b"}
# Beginning of the revision of an encoder without a commit.
FINGERPRINT = "sha256:"

# Largest rows * steps ** 2 of one pass of the audio model, whose attention weights grow with it.
_AUDIO_ATTENTION_CELLS = 2**22


@dataclass
class AmessMediaEncoderOutput(ModelOutput):
    """Output of [`AmessMediaEncoder`]. Fields of a modality that was not given are `None`.

    Attributes:
        video_features (`(batch, frames, video_feature_size)`): One feature per frame; 0 where masked.
        video_attention_mask (`(batch, frames)`): 1 for real frames.
        audio_features (`(batch, steps, audio_feature_size)`): One feature per step; 0 where masked.
        audio_attention_mask (`(batch, steps)`): 1 for real steps; a row of zeros for sound too short for one.
    """

    video_features: torch.Tensor | None = None
    video_attention_mask: torch.Tensor | None = None
    audio_features: torch.Tensor | None = None
    audio_attention_mask: torch.Tensor | None = None


class PicklableModel(PreTrainedModel):
    """Model that can be pickled, copied and sent to another process, whatever it was used for before."""

    def __getstate__(self) -> dict[str, Any]:
        """Take off the hooks that capture attentions and hidden states.

        They are local functions, which cannot be pickled; transformers installs them again when they are needed.
        """
        for module in self.modules():
            for key, hook in list(module._forward_hooks.items()):
                if hook.__module__ == output_capturing.__name__:
                    del module._forward_hooks[key]
            vars(module).pop("_output_capturing_hooks_installed", None)
        return dict(vars(self))


class AmessMediaEncoder(PicklableModel):
    """Frozen Swin for frames and WavLM (or wav2vec 2.0) for samples, or one of the two.

    The encoders are never in training mode and never have a gradient. The features of a clip do not depend on padding
    or on the other clips of the batch.

    `record` names the encoders and the preprocessing of clips. A classifier keeps the record of the encoders that made
    its training features, so that nobody attaches others by mistake.

    Args:
        config: Configuration with `video_config`, `audio_config` or both.
        video_model, audio_model: Models with their weights; by default freshly initialised from the config.

    Example:
    ```python
    >>> encoder = AmessMediaEncoder.from_encoders_pretrained(video="microsoft/swin-base-patch4-window7-224")
    >>> model.attach_media_encoder(encoder)
    ```
    """

    config: AmessMediaEncoderConfig
    main_input_name = "pixel_values"
    input_modalities = ["video", "audio"]
    _supports_sdpa = True
    frames_per_forward = 32

    # Any: the supported models share the names of their parts, but no base class declares them.
    video_model: Any
    audio_model: Any

    def __init__(
        self,
        config: AmessMediaEncoderConfig,
        video_model: PreTrainedModel | None = None,
        audio_model: PreTrainedModel | None = None,
    ):
        super().__init__(config)
        if isinstance(config.video_config, PreTrainedConfig):
            _check_sub_config("video", config.video_config)
            self.video_model = video_model or _new_model(config.video_config, config)
        if isinstance(config.audio_config, PreTrainedConfig):
            _check_sub_config("audio", config.audio_config)
            self.audio_model = audio_model or _new_model(config.audio_config, config)
        self.post_init()
        self.eval()
        for module in self.modules():
            if parametrize.is_parametrized(module):
                _make_picklable(module)

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
        """Load pretrained encoders with the preprocessing of their own `preprocessor_config.json`.

        The record holds the commits of the encoders, or fingerprints of their weights if they come from folders.

        Args:
            video: Hub id or folder of the video encoder; `None` for none.
            audio: Hub id or folder of the audio encoder; `None` for none.
            video_revision: Commit, branch or tag of the video encoder; a branch is resolved to its commit once.
            audio_revision: Commit, branch or tag of the audio encoder.
            frame_rate: Number of frames per second that are encoded.

        Raises:
            ValueError: Neither encoder is given, or a model is not of a supported type.
            OSError: A model does not exist or cannot be read.
        """
        models, revisions, preprocessing = {}, {}, {"frame_rate": frame_rate}
        for modality, name, revision in (("video", video, video_revision), ("audio", audio, audio_revision)):
            if name is None:
                continue
            file = cached_file(name, "config.json", revision=revision or PINNED_REVISIONS.get(name, "main"))
            # The other files come from the commit of this file, even if the branch moves meanwhile.
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
        """Make an encoder of models in memory, whose weights it keeps.

        Args:
            video_model: Swin model; `None` for no video encoder.
            audio_model: WavLM or wav2vec 2.0 model; `None` for no audio encoder.
            video_name: Name in the record; by default the name that the model was loaded by, or its type.
            audio_name: Name in the record, likewise.
            video_revision: Revision in the record; by default a fingerprint of the weights.
            audio_revision: Revision in the record, likewise.
            preprocessing: Settings of [`AmessProcessor`] that differ from the defaults: 6 frames per second, the image
                size of the video model's config, ImageNet's mean and deviation, and 16 kHz without normalisation.

        Raises:
            ValueError: Neither model is given, a model is of an unsupported type, or a setting is unknown.
        """
        if video_model is None and audio_model is None:
            raise ValueError("Give a video model, an audio model or both: there is nothing to encode with.")
        record: dict[str, Any] = {"video": None, "audio": None, "preprocessing": {}}
        configs: dict[str, Any] = {}
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
            # A copy: a configuration that becomes part of another takes over some of its settings.
            configs[f"{modality}_config"] = copy.deepcopy(model.config)
        unknown = sorted(set(given) - {key for keys in PREPROCESSING.values() for key in keys})
        if unknown:
            raise ValueError(f"Unknown preprocessing {unknown}; known are {[*PREPROCESSING.values()]}.")
        # Through JSON, as config.json will hold it: a record then equals its saved self.
        config = AmessMediaEncoderConfig(record=json.loads(json.dumps(record)), **configs)
        return cls(config, video_model, audio_model)

    @property
    def record(self) -> dict[str, Any]:
        """Encoder record: `{"video": {"name", "revision", "pooling"} or None, "audio": ..., "preprocessing": {...}}`.

        The keys of the preprocessing are arguments of [`AmessProcessor`].
        """
        assert self.config.record is not None, "every way to make an encoder records its models"
        return self.config.record

    def train(self, mode: bool = True) -> "AmessMediaEncoder":
        """Stay frozen and in evaluation mode, whatever the mode of the model around it."""
        # Here, because loading makes new parameters, and ends with `eval()`, which calls this.
        self.requires_grad_(False)
        super().train(False)
        return self

    # `capture_outputs` here keeps the layers of the encoders out of the hidden states that the outer model records.
    @torch.no_grad()
    @capture_outputs  # type: ignore[untyped-decorator]  # transformers does not annotate it
    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        pixel_values_mask: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        input_values_mask: torch.Tensor | None = None,
    ) -> AmessMediaEncoderOutput:
        """Encode frames, sound or both.

        Args:
            pixel_values (`(batch, frames, 3, height, width)`): Normalised frames.
            pixel_values_mask (`(batch, frames)`): 1 for real frames; by default all are real.
            input_values (`(batch, samples)`): Samples of the sound.
            input_values_mask (`(batch, samples)`): 1 for real samples; by default all are real.

        Raises:
            ValueError: Nothing is given, there is no encoder for a modality, or shapes do not fit.
        """
        if pixel_values is None and input_values is None:
            raise ValueError("Give pixel_values, input_values or both.")
        output = AmessMediaEncoderOutput()
        if pixel_values is not None:
            pixel_values = pixel_values.to(self.device)
            mask = self._checked_mask("pixel_values", pixel_values, pixel_values_mask)
            output["video_features"], output["video_attention_mask"] = self._encode_frames(pixel_values, mask)
        if input_values is not None:
            input_values = input_values.to(self.device)
            mask = self._checked_mask("input_values", input_values, input_values_mask)
            output["audio_features"], output["audio_attention_mask"] = self._encode_samples(input_values, mask)
        return output

    def _encode_frames(self, pixel_values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        batch, frames = mask.shape
        size = self.video_model.config.hidden_size
        features = pixel_values.new_zeros((batch, max(1, frames), size), dtype=self.dtype)
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
                # WavLM gives torch a boolean mask beside its float position bias, which torch warns about.
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
        if modality not in self.config.modalities:
            raise ValueError(f"{name} were given, but this media encoder has no {modality} model.")
        if values.dim() != dims or (modality == "video" and values.shape[2] != 3):
            raise ValueError(f"{name} have shape {tuple(values.shape)}; {shape} is needed.")
        if mask is None:
            return torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
        if mask.shape != values.shape[:2]:
            raise ValueError(f"{name}_mask has shape {tuple(mask.shape)}; {name} need {tuple(values.shape[:2])}.")
        return mask.to(values.device).bool()


def fitted_media_encoder(config: AmessConfig, encoder: AmessMediaEncoder) -> AmessMediaEncoder:
    """Make the encoder a part of a model: enter it in the model's config and leave out what the model has no use for.

    Args:
        config: Configuration of the model; gets the encoder's configurations and record.
        encoder: Encoder, of which the modalities of the model are taken.

    Raises:
        ValueError: The encoder has none of the model's modalities, its features are of another size, or it is not the
            recorded one.
    """
    models: dict[str, PreTrainedModel | None] = {"video": None, "audio": None}
    record: dict[str, Any] = {"video": None, "audio": None, "preprocessing": {}}
    for modality in encoder.config.modalities:
        if modality not in config.modalities:
            continue
        model = encoder.video_model if modality == "video" else encoder.audio_model
        needed = config.feature_sizes[modality]
        if model.config.hidden_size != needed:
            raise ValueError(
                f"The media encoder's {modality} features are of size {model.config.hidden_size}, but this model's "
                f"{modality}_feature_size is {needed}. Attach an encoder of that size."
            )
        models[modality] = model
        record[modality] = encoder.record[modality]
        record["preprocessing"] |= {key: encoder.record["preprocessing"][key] for key in PREPROCESSING[modality]}
    if not any(models.values()):
        raise ValueError(
            f"The media encoder reads {' and '.join(encoder.config.modalities)}, but this model's modalities are "
            f"{', '.join(config.modalities)}. Attach an encoder of one of these."
        )
    if config.media_encoder is not None:
        differences = record_differences(config.media_encoder, record)
        if differences:
            raise ValueError(
                f"This is not the media encoder whose features the model was trained on: {'; '.join(differences)}. "
                "Attach the one in config.media_encoder."
            )
    config.media_encoder = record
    config.video_config = None if models["video"] is None else copy.deepcopy(models["video"].config)
    config.audio_config = None if models["audio"] is None else copy.deepcopy(models["audio"].config)
    encoder_config = config.media_encoder_config
    assert encoder_config is not None
    return AmessMediaEncoder(encoder_config, models["video"], models["audio"])


def record_differences(recorded: Mapping[str, Any], offered: Mapping[str, Any]) -> list[str]:
    """Say where an encoder's record differs from the one that a model was trained with.

    Names may differ, such as those of folders: the revision tells whether the weights are the same.
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
    """Say what to do about clips for a model that has no encoder for them."""
    record = config.media_encoder or {}
    if record.get(modality) is None:
        advice = f"The {modality} encoder that made its features is not recorded; attach that one"
        arguments = f"{modality}=..."
    else:
        advice = f"Attach the {modality} encoder that made its features, {_named(record[modality])}"
        arguments = ", ".join(_loading_arguments(record))
    return (
        f"{inputs} were given, but this model has no {modality} encoder: it takes {modality}_features. {advice}: "
        f"model.attach_media_encoder(AmessMediaEncoder.from_encoders_pretrained({arguments})), or a saved one from "
        "AmessMediaEncoder.from_pretrained(...)."
    )


def weights_fingerprint(model: nn.Module) -> str:
    """[`FINGERPRINT`] and 16 hexadecimal digits that depend on the names, types and values of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return f"{FINGERPRINT}{digest.hexdigest()[:16]}"


def default_preprocessing(modality: str, config: PreTrainedConfig) -> dict[str, Any]:
    """Preprocessing of clips for an encoder that has no `preprocessor_config.json`."""
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
    """Translate the content of a `preprocessor_config.json` to arguments of [`AmessProcessor`]."""
    if modality == "audio":
        return {
            "sampling_rate": content.get("sampling_rate", 16000),
            "normalize_audio": content.get("do_normalize", True),
        }
    settings = {}
    size = content.get("size")
    if isinstance(size, Mapping):
        size = [size["height"], size["width"]] if "height" in size else size["shortest_edge"]
        size = size[0] if isinstance(size, list) and size[0] == size[1] else size
    if size is not None:
        settings["image_size"] = size
    normalize = content.get("do_normalize", True)
    settings["image_mean"] = content.get("image_mean", IMAGENET_MEAN) if normalize else [0.0, 0.0, 0.0]
    settings["image_std"] = content.get("image_std", IMAGENET_STD) if normalize else [1.0, 1.0, 1.0]
    return settings


def _named(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "none"
    return f"{record['name']} (revision {record['revision']}, {record['pooling']})"


def _loading_arguments(record: Mapping[str, Any]) -> Iterator[str]:
    """Arguments of `from_encoders_pretrained` that load the recorded encoders."""
    for modality in ("video", "audio"):
        encoder = record[modality]
        yield f"{modality}={(encoder['name'] if encoder else None)!r}"
        if encoder and not encoder["revision"].startswith(FINGERPRINT):
            yield f"{modality}_revision={encoder['revision']!r}"
    if "frame_rate" in record["preprocessing"]:
        yield f"frame_rate={record['preprocessing']['frame_rate']}"


def _check_sub_config(modality: str, config: PreTrainedConfig) -> None:
    if config.model_type not in MODEL_TYPES[modality]:
        raise ValueError(
            f"The {modality} encoder is a {config.model_type!r} model; {' and '.join(MODEL_TYPES[modality])} models "
            "are supported."
        )
    if getattr(config, "add_adapter", False):
        raise ValueError("The audio encoder has an adapter behind its last layer (add_adapter=True): not supported.")


def _new_model(sub_config: PreTrainedConfig, config: AmessMediaEncoderConfig) -> PreTrainedModel:
    if config._attn_implementation != "eager":
        # These models need not have the text encoder's implementation (WavLM has no SDPA): they choose for themselves.
        sub_config._attn_implementation = None
    model: PreTrainedModel = AutoModel.from_config(sub_config)
    return model


def _make_picklable(module: nn.Module) -> None:
    """Let a module with weight norm be pickled, which torch refuses.

    Torch gives each such module a class of its own, so that no other module changes.
    """
    type(module).__reduce__ = _reduced  # type: ignore[assignment, method-assign]  # that is what this function is for


def _reduced(module: nn.Module) -> tuple[Any, ...]:
    parts = dict(module._modules)
    norms: Any = parts.pop("parametrizations")
    # The hook is torch's, a local function that `weight_norm` makes anew.
    state = {**module.__dict__, "_modules": parts, "_load_state_dict_pre_hooks": OrderedDict()}
    return _weight_normed, (parametrize.type_before_parametrizations(module), state, dict(norms))


def _weight_normed(base: type[nn.Module], state: dict[str, Any], norms: dict[str, Any]) -> nn.Module:
    module = base.__new__(base)
    module.__setstate__(state)
    for name, norm in norms.items():
        module.register_parameter(name, nn.Parameter(norm().detach()))
        nn.utils.parametrizations.weight_norm(module, name, norm[0].dim)
        module.get_submodule("parametrizations").register_module(name, norm)
    _make_picklable(module)
    return module


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


AmessMediaEncoder.register_for_auto_class("AutoModel")


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
