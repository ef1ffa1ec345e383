# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessMediaEncoder, the frozen encoders that turn clips into features, and its encoder record.

The record names the encoders, their revisions, what of them is a feature and the preprocessing of clips. This file
reads, compares and explains it, and knows the families of encoders: a family is one class with what is its own.
"""

import copy
import functools
import hashlib
import json
import math
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn.utils import parametrize
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder
from transformers.utils import output_capturing
from transformers.utils.generic import ModelOutput
from transformers.utils.hub import cached_file, extract_commit_hash
from transformers.utils.output_capturing import capture_outputs

from .configuration_amess import AmessConfig, AmessMediaEncoderConfig


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

_POOLING_FORM = re.compile(
    r"(?P<source>pooler_output|last_hidden_state|hidden_states\[(?P<layer>\d+)\])"
    r"(, (?:(?P<position>mean|first)|mean of (?P<steps>\d+)))?"
    r"(, projected to (?P<size>\d+))?"
)


@dataclass(frozen=True)
class Pooling:
    """What of an encoder's output is the feature of a frame or step; the encoder record holds it as text.

    The text is a source (`pooler_output`, `last_hidden_state`, or `hidden_states[2]` for the output of layer 2, where
    0 is the embeddings), for frames `, mean` or `, first` over the positions of the picture, for sound `, mean of 4`
    over that many steps, and `, projected to 64` for a linear layer behind it.

    Attributes:
        source: Output that is read.
        layer: Number of the layer whose output is read; `None` for another source.
        position: `mean` or `first` for the positions of a picture; `None` where the source has none.
        steps: Number of steps of sound in one feature.
        size: Size of the feature behind the projection; `None` without one.
    """

    source: str
    layer: int | None = None
    position: str | None = None
    steps: int = 1
    size: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Pooling":
        """Read the text of an encoder record.

        Raises:
            ValueError: The text has another form.
        """
        match = _POOLING_FORM.fullmatch(text)
        if match is None:
            raise ValueError(
                f"Pooling {text!r} is unknown. Write pooler_output, last_hidden_state or hidden_states[2], then "
                "', mean' or ', first' for frames or ', mean of 4' for sound, then ', projected to 64'."
            )
        layer, steps, size = (int(match[name]) if match[name] else None for name in ("layer", "steps", "size"))
        if steps == 0 or size == 0:
            raise ValueError(f"Pooling {text!r} would leave nothing: the numbers must be at least 1.")
        return cls(match["source"], layer, match["position"], steps or 1, size)


class EncoderFamily:
    """What is particular to one family of encoders; a subclass for each is all that a new family needs.

    Attributes:
        modality: `video` or `audio`.
        model_types: `model_type` of the configurations of the family.
        pooling: Pooling by default, as text.
        layers: Path of the list of layers in the model; `None` where layers have different sizes.
        num_layers: Name of their number in the configuration.
    """

    modality: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    pooling: ClassVar[str] = "pooler_output"
    layers: ClassVar[str | None] = "encoder.layers"
    num_layers: ClassVar[str] = "num_hidden_layers"

    def size(self, config: Any) -> int:
        """Size of the encoder's output."""
        return int(config.hidden_size)

    def part(self, config: PreTrainedConfig) -> PreTrainedConfig:
        """Configuration of the encoder in that of a whole model, such as CLIP with its text part."""
        return config

    def check(self, config: PreTrainedConfig) -> None:
        """Refuse a configuration that this file cannot run."""

    def new(self, config: PreTrainedConfig) -> PreTrainedModel:
        """Make the encoder with new weights."""
        model: PreTrainedModel = AutoModel.from_config(config)
        return model

    def load(self, name: str, config: PreTrainedConfig, **source: Any) -> PreTrainedModel:
        """Load the pretrained encoder."""
        model: PreTrainedModel = AutoModel.from_pretrained(name, config=config, dtype=torch.float32, **source)
        return model

    def encoder_of(self, model: PreTrainedModel) -> PreTrainedModel:
        """The encoder in a whole model; the model itself where it is nothing else."""
        return model

    def preprocessing(self, config: Any) -> dict[str, Any]:
        """Preprocessing of clips without a `preprocessor_config.json`, see [`AmessProcessor`]."""
        raise NotImplementedError

    def own_preprocessing(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Translate the content of a `preprocessor_config.json` to arguments of [`AmessProcessor`]."""
        raise NotImplementedError

    def keep_layers(self, model: PreTrainedModel, pooling: Pooling) -> None:
        """Drop the layers behind the one that is read, which would only cost time and space.

        Raises:
            ValueError: The encoder has no such layer.
        """
        if pooling.layer is None:
            return
        if self.layers is None:
            raise ValueError(
                f"{pooling.source} of a {model.config.model_type!r} model cannot be a feature: the layers have "
                f"different sizes. Use {self.pooling}."
            )
        layers: Any = model.get_submodule(self.layers)
        if pooling.layer > len(layers):
            raise ValueError(f"{pooling.source} was asked for, but the encoder has {len(layers)} layers.")
        # One layer at least: a model without any cannot be told from one that is not made yet.
        del layers[max(1, pooling.layer) :]
        setattr(model.config, self.num_layers, len(layers))

    def read(self, model: nn.Module, pooling: Pooling, run: Callable[[], Any]) -> torch.Tensor:
        """Run the model and return the output that the pooling names, `(rows, positions, size)` or `(rows, size)`."""
        if pooling.layer is None:
            output: torch.Tensor | None = run()[pooling.source]
            if output is None:
                raise ValueError(f"The encoder has no {pooling.source}. Choose another pooling.")
            return output
        seen: list[torch.Tensor] = []
        layers: Any = model.get_submodule(str(self.layers))

        def keep(value: Any) -> None:
            seen.append(value[0] if isinstance(value, tuple) else value)

        # Hooks, because the models differ in whether their list of hidden states ends before or behind the last norm.
        if pooling.layer:
            hook = layers[pooling.layer - 1].register_forward_hook(lambda module, args, output: keep(output))
        else:
            hook = layers[0].register_forward_pre_hook(
                lambda module, args, kwargs: keep(args or kwargs["hidden_states"]), with_kwargs=True
            )
        try:
            run()
        finally:
            hook.remove()
        return seen[0]


FAMILIES: dict[str, EncoderFamily] = {}
"""Families of encoders by the `model_type` of their configurations."""


def _register(family: type[EncoderFamily]) -> type[EncoderFamily]:
    FAMILIES.update(dict.fromkeys(family.model_types, family()))
    return family


class ImageFamily(EncoderFamily):
    """Encoders of pictures, which take `pixel_values`."""

    modality = "video"

    def encode(self, model: PreTrainedModel, pooling: Pooling, pixel_values: torch.Tensor) -> torch.Tensor:
        """Encode frames `(frames, 3, height, width)` to `(frames, size)`."""
        features = self.read(model, pooling, lambda: model(pixel_values=pixel_values))
        if features.dim() == 4:  # channels before rows and columns
            features = features.flatten(2).transpose(1, 2)
        if features.dim() == 2:
            return features
        return features[:, 0] if pooling.position == "first" else features.mean(1)

    def preprocessing(self, config: Any) -> dict[str, Any]:
        """ImageNet's mean and deviation, and the size of the config."""
        return {
            "frame_rate": 6.0,
            "image_size": config.image_size,
            "image_mean": IMAGENET_MEAN,
            "image_std": IMAGENET_STD,
        }

    def own_preprocessing(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Size, mean and deviation of the pictures."""
        settings = {}
        # What is cut out of the picture is what the encoder sees.
        size = content.get("crop_size") if content.get("do_center_crop") else None
        size = content.get("size") if size is None else size
        if isinstance(size, Mapping):
            size = [size["height"], size["width"]] if "height" in size else size["shortest_edge"]
            size = size[0] if isinstance(size, list) and size[0] == size[1] else size
        if size is not None:
            settings["image_size"] = size
        normalize = content.get("do_normalize", True)
        settings["image_mean"] = content.get("image_mean", IMAGENET_MEAN) if normalize else [0.0, 0.0, 0.0]
        settings["image_std"] = content.get("image_std", IMAGENET_STD) if normalize else [1.0, 1.0, 1.0]
        return settings


@_register
class StagedImageFamily(ImageFamily):
    """Swin and ConvNeXt: stages of different sizes; the pooled output is the mean over the picture."""

    model_types = ("swin", "convnext", "convnextv2")
    layers = None

    def size(self, config: Any) -> int:
        """Size of the last stage."""
        return int(config.hidden_sizes[-1] if config.model_type.startswith("convnext") else config.hidden_size)


@_register
class VitFamily(ImageFamily):
    """ViT and DeiT. Their pooled output is often untrained; the class token is not."""

    model_types = ("vit", "deit")
    pooling = "last_hidden_state, first"
    layers = "layers"


@_register
class Dinov2Family(ImageFamily):
    """DINOv2; its pooled output is the class token."""

    model_types = ("dinov2",)
    layers = "encoder.layer"

    def keep_layers(self, model: PreTrainedModel, pooling: Pooling) -> None:
        """Drop layers, and their names, which its configuration lists for uses as a backbone."""
        super().keep_layers(model, pooling)
        config: Any = model.config
        config.stage_names = config.stage_names[: 1 + config.num_hidden_layers]
        config.set_output_features_output_indices(out_indices=None, out_features=None)


@_register
class ContrastiveImageFamily(ImageFamily):
    """The picture parts of CLIP and SigLIP."""

    model_types = ("clip_vision_model", "siglip_vision_model", "clip", "siglip")

    def part(self, config: PreTrainedConfig) -> PreTrainedConfig:
        """The picture part of a configuration with two parts."""
        part: PreTrainedConfig = getattr(config, "vision_config", config)
        return part

    def encoder_of(self, model: PreTrainedModel) -> PreTrainedModel:
        """The picture part of a model with two parts."""
        part: PreTrainedModel = getattr(model, "vision_model", model)
        return part


class SoundFamily(EncoderFamily):
    """Encoders of sound, which take samples."""

    modality = "audio"
    pooling = "last_hidden_state"

    def rate(self, config: Any) -> tuple[int, int]:
        """Step and window of the encoder in samples."""
        raise NotImplementedError

    def num_steps(self, num_samples: int, config: Any) -> int:
        """Number of steps that so many samples give."""
        step, window = self.rate(config)
        return max(0, (num_samples - window) // step + 1)

    def encode(self, model: Any, pooling: Pooling, samples: list[torch.Tensor], steps: list[int]) -> torch.Tensor:
        """Encode sounds `(samples,)` with so many steps each to `(rows, most steps, size)`."""
        raise NotImplementedError

    def preprocessing(self, config: Any) -> dict[str, Any]:
        """16 kHz, not normalised."""
        step, window = self.rate(config)
        return {"sampling_rate": 16000, "normalize_audio": False, "audio_step": step, "audio_window": window}

    def own_preprocessing(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Sampling rate and normalisation."""
        return {
            "sampling_rate": content.get("sampling_rate", 16000),
            "normalize_audio": content.get("do_normalize", True),
        }


@_register
class Wav2Vec2Family(SoundFamily):
    """wav2vec 2.0, HuBERT and WavLM: convolutions, a projection, and layers that know a mask."""

    model_types = ("wavlm", "wav2vec2", "hubert")

    def check(self, config: PreTrainedConfig) -> None:
        """Refuse an adapter."""
        if getattr(config, "add_adapter", False):
            raise ValueError(
                "The audio encoder has an adapter behind its last layer (add_adapter=True): not supported. Load it "
                "with add_adapter=False."
            )

    def rate(self, config: Any) -> tuple[int, int]:
        """Step and window of the convolutions."""
        step, window = 1, 1
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            window += (kernel - 1) * step
            step *= stride
        return step, window

    def encode(self, model: Any, pooling: Pooling, samples: list[torch.Tensor], steps: list[int]) -> torch.Tensor:
        """Encode sounds together behind the convolutions."""
        # One by one: some of these models normalise over time here, where padding would count as sound.
        extracted = [model.feature_extractor(row[None])[0].T for row in samples]
        padded = nn.utils.rnn.pad_sequence(extracted, batch_first=True)
        lengths = torch.tensor(steps, device=padded.device)
        real = torch.arange(padded.shape[1], device=padded.device) < lengths[:, None]
        projected = model.feature_projection(padded)  # HuBERT's gives no features beside
        hidden_states = projected[0] if isinstance(projected, tuple) else projected
        with warnings.catch_warnings():
            # WavLM gives torch a boolean mask beside its float position bias, which torch warns about.
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask and attn_mask")
            return self.read(model, pooling, lambda: model.encoder(hidden_states, attention_mask=real))


@_register
class WhisperFamily(SoundFamily):
    """The encoder of Whisper, which always reads 30 seconds: a sound is padded to them, and a longer one is cut."""

    model_types = ("whisper",)
    pooling = "last_hidden_state, mean of 4"
    layers = "layers"
    num_layers = "encoder_layers"

    def size(self, config: Any) -> int:
        """Size of the encoder's output."""
        return int(config.d_model)

    def new(self, config: Any) -> PreTrainedModel:
        """Make the encoder without the decoder."""
        return WhisperEncoder(config)

    def load(self, name: str, config: PreTrainedConfig, **source: Any) -> PreTrainedModel:
        """Load the whole model and keep its encoder."""
        return self.encoder_of(super().load(name, config, **source))

    def encoder_of(self, model: PreTrainedModel) -> PreTrainedModel:
        """The encoder in a whole Whisper."""
        encoder: PreTrainedModel = model if isinstance(model, WhisperEncoder) else model.get_encoder()
        return encoder

    def rate(self, config: Any) -> tuple[int, int]:
        """Two frames of the spectrogram, which has one every 10 ms."""
        step = 2 * _log_mel(config.num_mel_bins).hop_length
        return step, step

    def own_preprocessing(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Sampling rate; Whisper's features are not of normalised sound, which `do_normalize` leaves out if false."""
        return super().own_preprocessing({"do_normalize": False, **content})

    def encode(self, model: Any, pooling: Pooling, samples: list[torch.Tensor], steps: list[int]) -> torch.Tensor:
        """Encode sounds in pieces of 30 seconds, each by itself, so that no row depends on another one."""
        step, _ = self.rate(model.config)
        extractor = _log_mel(model.config.num_mel_bins)
        longest = model.config.max_source_positions * step
        rows = []
        for row, count in zip(samples, steps, strict=True):
            pieces = []
            for piece in row.split(longest):
                with torch.autocast("cpu", enabled=False):  # the spectrogram goes through numpy, which has no bfloat16
                    spectrogram = extractor(
                        nn.functional.pad(piece.float(), (0, longest - len(piece))).cpu().numpy(),
                        sampling_rate=extractor.sampling_rate,
                        return_tensors="pt",
                        padding=False,  # type: ignore[arg-type]  # transformers documents a bool
                    ).input_features.to(model.device, model.dtype)
                pieces.append(self.read(model, pooling, functools.partial(model, input_features=spectrogram))[0])
            rows.append(torch.cat(pieces)[:count])
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)


@functools.cache
def _log_mel(num_mel_bins: int) -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=num_mel_bins)


def _families(modality: str) -> dict[str, EncoderFamily]:
    return {name: family for name, family in FAMILIES.items() if family.modality == modality}


MODEL_TYPES = {modality: tuple(_families(modality)) for modality in PREPROCESSING}
# Pooling of the encoders that version 0.1.0 knew, whose records may lack it.
POOLING = {"video": "pooler_output", "audio": "last_hidden_state"}


def family_of(modality: str, config: PreTrainedConfig) -> EncoderFamily:
    """Find the family of an encoder.

    Raises:
        ValueError: The encoder is of no known family of the modality.
    """
    family = FAMILIES.get(config.model_type)
    if family is None or family.modality != modality:
        raise ValueError(
            f"The {modality} encoder is a {config.model_type!r} model; {', '.join(MODEL_TYPES[modality])} models are "
            "supported."
        )
    family.check(config)
    return family


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
    """Frozen encoder of frames and frozen encoder of samples, or one of the two, such as Swin and WavLM.

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
        self.families: dict[str, Any] = {}
        self.pooling: dict[str, Pooling] = {}
        # Linear layers of the poolings with `projected to`, by modality.
        self.projections = nn.ModuleDict()
        for modality, sub_config, model in (
            ("video", config.video_config, video_model),
            ("audio", config.audio_config, audio_model),
        ):
            if not isinstance(sub_config, PreTrainedConfig):
                continue
            family = self.families[modality] = family_of(modality, sub_config)
            pooling = self.pooling[modality] = Pooling.parse(pooling_of(config.record, modality, sub_config))
            setattr(self, f"{modality}_model", model or _new_model(family, sub_config, config))
            if pooling.size is not None:
                self.projections[modality] = nn.Linear(family.size(sub_config), pooling.size)
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
        video_pooling: str | None = None,
        audio_pooling: str | None = None,
        frame_rate: float = 6.0,
    ) -> "AmessMediaEncoder":
        """Load pretrained encoders with the preprocessing of their own `preprocessor_config.json`.

        The record holds the commits of the encoders, or fingerprints of their weights if they come from folders.

        Args:
            video: Hub id or folder of the video encoder; `None` for none.
            audio: Hub id or folder of the audio encoder; `None` for none.
            video_revision: Commit, branch or tag of the video encoder; a branch is resolved to its commit once.
            audio_revision: Commit, branch or tag of the audio encoder.
            video_pooling: What of the video encoder is a feature, see [`Pooling`]; by default that of its family.
            audio_pooling: What of the audio encoder is a feature, likewise, such as `"hidden_states[2], mean of 4"`.
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
            family = family_of(modality, config)
            models[modality] = family.load(name, family.part(config), **source)
            file = cached_file(name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False, **source)
            if file is not None:
                with open(file, encoding="utf-8") as stream:
                    preprocessing |= family.own_preprocessing(json.load(stream))
        return cls.from_models(
            models.get("video"),
            models.get("audio"),
            video_name=video,
            audio_name=audio,
            video_revision=revisions.get("video"),
            audio_revision=revisions.get("audio"),
            video_pooling=video_pooling,
            audio_pooling=audio_pooling,
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
        video_pooling: str | None = None,
        audio_pooling: str | None = None,
        projections: Mapping[str, nn.Linear] | None = None,
        preprocessing: Mapping[str, Any] | None = None,
    ) -> "AmessMediaEncoder":
        """Make an encoder of models in memory, whose weights it keeps.

        Args:
            video_model: Swin, ViT, DINOv2, CLIP, SigLIP or ConvNeXt model; `None` for no video encoder.
            audio_model: WavLM, wav2vec 2.0, HuBERT or Whisper model; `None` for no audio encoder.
            video_name: Name in the record; by default the name that the model was loaded by, or its type.
            audio_name: Name in the record, likewise.
            video_revision: Revision in the record; by default a fingerprint of the weights.
            audio_revision: Revision in the record, likewise.
            video_pooling: What of the video encoder is a feature, see [`Pooling`]; by default that of its family.
            audio_pooling: What of the audio encoder is a feature, likewise. Layers behind it are dropped.
            projections: Linear layer by modality that makes the features smaller or standardises them.
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
        models: dict[str, PreTrainedModel] = {}
        projections = dict(projections or {})
        for modality, model, name, revision, pooling in (
            ("video", video_model, video_name, video_revision, video_pooling),
            ("audio", audio_model, audio_name, audio_revision, audio_pooling),
        ):
            if model is None:
                continue
            family = family_of(modality, model.config)
            name = name or model.config.name_or_path or model.config.model_type
            model = models[modality] = family.encoder_of(model)
            pooling = pooling or family.pooling
            family.keep_layers(model, Pooling.parse(pooling))
            parts: list[nn.Module] = [model]
            if modality in projections:
                pooling += f", projected to {projections[modality].out_features}"
                parts.append(projections[modality])
            record[modality] = {
                "name": name,
                "revision": revision or weights_fingerprint(*parts),
                "pooling": pooling,
            }
            settings = default_preprocessing(modality, model.config, pooling)
            record["preprocessing"] |= settings | {key: given[key] for key in settings if key in given}
            # A copy: a configuration that becomes part of another takes over some of its settings.
            configs[f"{modality}_config"] = copy.deepcopy(model.config)
        unknown = sorted(set(given) - {key for keys in PREPROCESSING.values() for key in keys})
        if unknown:
            raise ValueError(f"Unknown preprocessing {unknown}; known are {[*PREPROCESSING.values()]}.")
        # Through JSON, as config.json will hold it: a record then equals its saved self.
        config = AmessMediaEncoderConfig(record=json.loads(json.dumps(record)), **configs)
        encoder = cls(config, models.get("video"), models.get("audio"))
        for modality, projection in projections.items():
            encoder.projections[modality].load_state_dict(projection.state_dict())
        return encoder

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

    def feature_size(self, modality: str) -> int:
        """Size of the features of a modality that the encoder reads."""
        sub_config = self.config.video_config if modality == "video" else self.config.audio_config
        size: int = self.pooling[modality].size or self.families[modality].size(sub_config)
        return size

    def _projected(self, modality: str, features: torch.Tensor) -> torch.Tensor:
        if modality in self.projections:
            features = self.projections[modality](features)
        # Under autocast they may come in a shorter type than the weights.
        return features.to(self.dtype)

    def _encode_frames(self, pixel_values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        batch, frames = mask.shape
        family, pooling = self.families["video"], self.pooling["video"]
        shape = (batch, max(1, frames), self.feature_size("video"))
        features = pixel_values.new_zeros(shape, dtype=self.dtype)
        rows, columns = mask.nonzero(as_tuple=True)
        for start in range(0, len(rows), self.frames_per_forward):
            part = slice(start, start + self.frames_per_forward)
            where = rows[part], columns[part]
            encoded = family.encode(self.video_model, pooling, pixel_values[where].to(self.dtype))
            features[where] = self._projected("video", encoded)
        return features, nn.functional.pad(mask.long(), (0, features.shape[1] - frames))

    def _encode_samples(self, input_values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        model, family, pooling = self.audio_model, self.families["audio"], self.pooling["audio"]
        steps = [family.num_steps(length, model.config) for length in mask.sum(1).tolist()]
        counts = [count // pooling.steps for count in steps]
        shape = (len(steps), max(1, *counts))
        features = input_values.new_zeros((*shape, self.feature_size("audio")), dtype=self.dtype)
        feature_mask = torch.zeros(shape, dtype=torch.long, device=mask.device)
        for rows in _parts_of_equal_cost([count if counts[row] else 0 for row, count in enumerate(steps)]):
            samples = [input_values[row][mask[row]].to(self.dtype) for row in rows]
            encoded = family.encode(model, pooling, samples, [steps[row] for row in rows])
            whole = encoded.shape[1] // pooling.steps
            encoded = encoded[:, : whole * pooling.steps].unflatten(1, (whole, pooling.steps)).mean(2)
            numbers = torch.tensor([counts[row] for row in rows], device=mask.device)
            real = torch.arange(whole, device=mask.device) < numbers[:, None]
            features[rows, :whole] = self._projected("audio", encoded) * real.unsqueeze(-1)
            feature_mask[rows, :whole] = real.long()
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
        if encoder.feature_size(modality) != needed:
            raise ValueError(
                f"The media encoder's {modality} features are of size {encoder.feature_size(modality)}, but this "
                f"model's {modality}_feature_size is {needed}. Attach an encoder of that size."
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
    fitted = AmessMediaEncoder(encoder_config, models["video"], models["audio"])
    for modality, projection in fitted.projections.items():
        projection.load_state_dict(encoder.projections[modality].state_dict())
    return fitted


def pooling_of(record: Mapping[str, Any] | None, modality: str, config: PreTrainedConfig) -> str:
    """Pooling that an encoder record names, or that of the encoder's family without a record."""
    entry = (record or {}).get(modality)
    return str(entry["pooling"]) if entry else family_of(modality, config).pooling


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


def weights_fingerprint(*modules: nn.Module) -> str:
    """[`FINGERPRINT`] and 16 hexadecimal digits that depend on the names, types and values of all weights."""
    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return f"{FINGERPRINT}{digest.hexdigest()[:16]}"


def default_preprocessing(modality: str, config: PreTrainedConfig, pooling: str | None = None) -> dict[str, Any]:
    """Preprocessing of clips for an encoder that has no `preprocessor_config.json`."""
    family = family_of(modality, config)
    settings = family.preprocessing(config)
    if modality == "audio":
        # The processor cuts sound to whole features, of which one may be the mean of several steps.
        steps = Pooling.parse(pooling or family.pooling).steps
        settings["audio_window"] += (steps - 1) * settings["audio_step"]
        settings["audio_step"] *= steps
    return settings


def own_preprocessing(modality: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the content of a `preprocessor_config.json` to arguments of [`AmessProcessor`]."""
    family = SoundFamily() if modality == "audio" else ImageFamily()
    return family.own_preprocessing(content)


def _named(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "none"
    return f"{record['name']} (revision {record['revision']}, {record['pooling']})"


def _loading_arguments(record: Mapping[str, Any]) -> Iterator[str]:
    """Arguments of `from_encoders_pretrained` that load the recorded encoders."""
    for modality in ("video", "audio"):
        encoder = record[modality]
        yield f"{modality}={(encoder['name'] if encoder else None)!r}"
        if encoder and encoder["pooling"] != POOLING[modality]:
            yield f"{modality}_pooling={encoder['pooling']!r}"
        if encoder and not encoder["revision"].startswith(FINGERPRINT):
            yield f"{modality}_revision={encoder['revision']!r}"
    if "frame_rate" in record["preprocessing"]:
        yield f"frame_rate={record['preprocessing']['frame_rate']}"


def _new_model(
    family: EncoderFamily, sub_config: PreTrainedConfig, config: AmessMediaEncoderConfig
) -> PreTrainedModel:
    if config._attn_implementation != "eager":
        # These models need not have the text encoder's implementation (WavLM has no SDPA): they choose for themselves.
        sub_config._attn_implementation = None
    return family.new(sub_config)


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
    "FAMILIES",
    "POOLING",
    "PREPROCESSING",
    "AmessMediaEncoder",
    "AmessMediaEncoderOutput",
    "EncoderFamily",
    "Pooling",
    "default_preprocessing",
    "missing_encoder_message",
    "own_preprocessing",
    "record_differences",
    "weights_fingerprint",
]
