# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Configurations of A-MESS and of its media encoder, and the version of the package that they record."""

import copy
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec
from transformers.utils import logging


# In this file, because configurations record it and setuptools reads it here without importing torch.
__version__ = "0.2.0"

# A saved head alone would name only its own Auto class; with the whole map each of them loads from any checkpoint.
AUTO_MAP = {
    "AutoConfig": "configuration_amess.AmessConfig",
    "AutoModel": "modeling_amess.AmessModel",
    "AutoModelForSequenceClassification": "modeling_amess.AmessForIntentClassification",
    "AutoProcessor": "processing_amess.AmessProcessor",
}
MEDIA_ENCODER_AUTO_MAP = {
    "AutoConfig": "configuration_amess.AmessMediaEncoderConfig",
    "AutoModel": "media_encoder_amess.AmessMediaEncoder",
}
# The pipelines that `transformers.pipeline` loads from a checkpoint: task -> class in the files beside the weights.
CUSTOM_PIPELINES = {
    "multimodal-intent-recognition": {
        "impl": "pipeline_amess.IntentRecognitionPipeline",
        "pt": ["AutoModelForSequenceClassification"],
        "type": "multimodal",
    }
}

# Label of a row that takes no part in any loss, as everywhere in transformers.
IGNORED_LABEL = -100

# Fields of AmessConfig that were fitted on the probabilities of the model's labels: one more label changes them all.
PROBABILITY_FIELDS = ("out_of_scope_threshold", "coverage_thresholds")
# Fields of AmessConfig that are about the labels that the model was trained with, and about no others.
LABEL_FIELDS = ("label_descriptions", "out_of_scope_label", "temperature", *PROBABILITY_FIELDS)

logger = logging.get_logger(__name__)

# Fields that older versions did not save, with the value by which a model of theirs stays the same.
VALUES_BEFORE_THE_FIELD = {
    "fusion_residual": "inside",
    "time_encoding": "none",
    "anchor_score": "ratio",
    "exclude_special_tokens": False,
}

# Encoders whose embedding layer and layer stack can be run apart, which equations 1 and 14 need, and the family whose
# way of doing that they share.
TEXT_FAMILIES = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert"), "bert"),
    "mpnet": "mpnet",
    "deberta-v2": "deberta",
    "modernbert": "modernbert",
}
TEXT_MODEL_TYPES = tuple(TEXT_FAMILIES)


@strict
class AmessVersionedConfig(PreTrainedConfig):
    """Configuration that records which version of this package saved it.

    Args:
        amess_version (`str`, *optional*):
            Version that wrote the configuration; `None` before it is saved, and for version 0.1.0.
    """

    amess_version: str | None = None

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any
    ) -> None:
        """Save the configuration, with the version of this package, to a folder."""
        self.amess_version = __version__
        super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)


@strict
class AmessMediaEncoderConfig(AmessVersionedConfig):
    """Configuration of [`AmessMediaEncoder`].

    Args:
        video_config, audio_config (`PreTrainedConfig` or `dict`, *optional*):
            Configurations of the encoder of frames (Swin, ViT, DINOv2, CLIP, SigLIP, ConvNeXt) and of samples (WavLM,
            wav2vec 2.0, HuBERT, Whisper); `None` for no encoder of that modality.
        record (`dict`, *optional*):
            Encoder record: name, revision and pooling of each encoder, and the preprocessing of clips.
    """

    model_type = "amess_media_encoder"
    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {
        "video_config": SubConfigSpec(config_class=AutoConfig, model_type="swin", optional=True),
        "audio_config": SubConfigSpec(config_class=AutoConfig, model_type="wavlm", optional=True),
    }

    video_config: dict[str, Any] | PreTrainedConfig | None = None
    audio_config: dict[str, Any] | PreTrainedConfig | None = None
    record: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("auto_map", dict(MEDIA_ENCODER_AUTO_MAP))
        super().__post_init__(**kwargs)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that the encoder reads."""
        configs = {"video": self.video_config, "audio": self.audio_config}
        return tuple(name for name, config in configs.items() if config is not None)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Make the configuration from the content of a `config.json`.

        Version 0.1.0 saved an encoder with a whole [`AmessConfig`], of which this takes the encoder's part.

        Raises:
            ValueError: The content describes another A-MESS model.
        """
        if config_dict.get("model_type") == AmessConfig.model_type:
            if not _describes_media_encoder(config_dict):
                raise ValueError(
                    f"This config.json describes {config_dict.get('architectures') or 'an A-MESS model'}, not a media "
                    "encoder. Load it with AmessForIntentClassification.from_pretrained(...); an attached encoder is "
                    "its amess.media_encoder."
                )
            fields = ("architectures", "video_config", "audio_config", "dtype", "transformers_version")
            record = config_dict.get("media_encoder")
            config_dict = {name: config_dict[name] for name in fields if name in config_dict} | {"record": record}
        return super().from_dict(config_dict, **kwargs)


@strict
class AmessConfig(AmessVersionedConfig):
    r"""Configuration of [`AmessModel`] and [`AmessForIntentClassification`].

    Equation numbers are those of the paper (arXiv 2503.19474). The fields that users change most: `text_config`
    (through `from_text_pretrained`), `video_feature_size` and `audio_feature_size` (they must fit your features),
    `num_anchors`, and the `semantic_*` switches.

    Args:
        text_config (`PreTrainedConfig` or `dict`, *optional*, defaults to a BERT-base):
            Encoder of the BERT family, ModernBERT, DeBERTa-v2 or v3, or MPNet. Its embedding layer gives E_text
            (eq. 1), its layers are the multimodal encoder (eq. 14).
        video_config, audio_config (`PreTrainedConfig` or `dict`, *optional*):
            Frozen media encoders (Swin, WavLM) that turn a clip into features; `None` for a model that takes
            features. [`AmessModel.attach_media_encoder`] sets them.
        media_encoder (`dict`, *optional*):
            Encoder record of the media encoders that made the features of the training data: name, revision and
            pooling of each, and the preprocessing of clips ([`AmessMediaEncoder.record`]).
        video_feature_size, audio_feature_size (`int`, *optional*, defaults to 256 and 768):
            Size of the feature of one video frame and of one audio step. `None` leaves the modality out of the model.
        max_text_length, max_video_length, max_audio_length (`int`, defaults to 50, 180 and 400):
            Numbers of tokens, frames and steps that the processor truncates to. `max_text_length` is also the length
            that `alignment` aligns to.
        alignment (`str`, defaults to `"none"`):
            Method that brings frames to the text's length before eq. 4: `"ctc"` (LSTM and softmax, as in the
            reference baselines), `"conv1d"` (a learned mixing of time steps), `"avg_pool"` (contiguous windows), or
            `"none"` (the text attends to the frames themselves).
        time_encoding (`str`, defaults to `"sinusoids"`):
            Whether the text sees when a frame or step is, with `alignment="none"`: `"sinusoids"` puts sine and cosine
            of its time beside its feature, `"none"` leaves the frames without an order. (The other alignments know
            the order by themselves.)
        video_frame_rate, audio_step_rate (`float`, *optional*):
            Frames and steps per second, for their times; by default those of the encoder record. A modality without
            a rate takes the share of the utterance's length for its time.
        num_anchors (`int`, defaults to 8):
            Number of anchors per modality, the paper's k.
        anchor_kind (`str`, defaults to `"tokens"`):
            What an anchor is: `"tokens"` are text positions, as in the paper, `"frames"` are the frames (or steps)
            that all tokens together attend to most.
        anchor_score (`str`, defaults to `"attention"`):
            Score of a token: `"attention"` is how peaked its attention over the frames is. The paper's is nearest
            against second-nearest similarity: `"ratio"` maps cosines to (0, 1] first, `"lowe"` compares distances as
            Lowe's ratio test does, `"raw"` divides the cosines themselves. Frames have a score of their own.
        exclude_special_tokens (`bool`, defaults to `True`):
            Whether the tokens around the text ([CLS], [SEP]) are no anchors.
        anchor_value_projection (`bool`, defaults to `True`):
            Whether eq. 9 and 10 read a projection of the other modality's anchors, not the anchors themselves.
        fusion_num_attention_heads (`int`, defaults to 8):
            Number of heads of the cross attentions of eq. 4 and 8 to 12.
        fusion_dropout (`float`, defaults to 0.1):
            Dropout rate in the fusion (eq. 13 included).
        text_input (`str`, defaults to `"embeddings"`):
            Source of E_text: `"embeddings"` is the encoder's embedding layer; `"encoder"` is a whole text encoder,
            and the multimodal encoder is then a second stack that starts from the same weights.
        fusion_residual (`str`, defaults to `"outside"`):
            Place of the text in eq. 13: `"outside"` adds E_text to the normalised sum of the modalities, `"inside"`
            normalises the text with them, `"none"` is the equation as printed, without the text. `True` and `False`
            of earlier versions mean `"inside"` and `"none"`; a saved configuration without the field means
            `"inside"`.
        fusion_gain (`float`, defaults to 0.2):
            With `fusion_residual="outside"`, the size at the start of what the modalities add to the text, as a share
            of the size of the word embeddings.
        attention_residual (`bool`, defaults to `True`):
            Whether eq. 4, 11 and 12 add their query and normalise.
        use_anchor_embedding (`bool`, defaults to `True`):
            Whether A-ME is used. `False` is the ablation "w/o A-ME": the model adds the cross attentions of eq. 4,
            without anchors.
        use_semantic_synchronization (`bool`, defaults to `True`):
            Whether semantic synchronization is used. `False` is the ablation "w/o SS": no contrastive loss and no
            semantic token in the classifier.
        pooling (`str`, defaults to `"mean"`):
            Way from E_f to one vector: masked `"mean"` over the tokens, or `"cls"`.
        description_size (`int`, *optional*):
            Size of the semantic token T_f and of the description embeddings; by default the text model's hidden size.
        num_descriptions (`int`, defaults to 3):
            Largest number of descriptions per label.
        contrastive_temperature (`float`, defaults to 0.7):
            Temperature tau of eq. 15.
        contrastive_weight (`float`, defaults to 1.0):
            Weight of eq. 15 in eq. 17.
        contrastive_form (`str`, defaults to `"classes"`):
            Negatives of the contrastive loss: `"classes"` contrasts with the descriptions of every label, `"batch"`
            is eq. 15 as printed, with the labels of the other rows of the batch, but without pairs of the same label.
        semantic_residual (`bool`, defaults to `False`):
            Whether T_f = pooled E_f + MLP, where the MLP starts at zero. If the text model is also the description
            encoder, T_f then starts in the space of the descriptions.
        semantic_logits (`bool`, defaults to `False`):
            Whether each logit gets a learned scale times the mean similarity of T_f to the label's descriptions.
        description_template (`str`, defaults to `"{label}: {description}"`):
            Text that is embedded for a description.
        description_encoder (`str`, *optional*):
            Name of the Sentence-BERT that embedded the descriptions; new labels need the same one.
        label_descriptions (`dict[str, list[str]]`, *optional*):
            Descriptions by label; set them with `set_label_descriptions`. They and the four fields below are cleared,
            with a warning, if the labels change.
        out_of_scope_label (`str`, *optional*):
            Name of the label for utterances of no known intent. It has no descriptions and no contrastive term.
        out_of_scope_threshold (`float`, *optional*):
            Lowest probability of the likeliest intent that still counts as in scope; the pipeline reads it.
        unsure_ratio (`float`, *optional*, defaults to 0.5):
            Share of the likeliest intent's probability from which the second is its rival: where the two together
            reach `out_of_scope_threshold` and the first alone does not, the verdict is "unsure" and not "out of
            scope" ([`AmessConfig.verdict`]). `None` never says "unsure".
        familiar_clips (`dict[str, int]`, *optional*):
            Number of training clips by modality that the model keeps to tell unfamiliar ones;
            `set_familiar_clips` sets it. `None` for a model that cannot tell.
        known_clips (`str`, *optional*):
            What the training clips show, for sentences to users such as "It knows {known_clips}."
        temperature (`float`, *optional*):
            Divisor of the logits that calibrates the pipeline's probabilities, fitted on the validation split. The
            model's own logits are not divided. `None` leaves the probabilities uncalibrated.
        coverage_thresholds (`dict[str, float]`, *optional*):
            Lowest probability of an intent in a prediction set, by the coverage in percent (`"90"`): split conformal
            prediction on the validation split. `None` for a model without prediction sets.
        classifier_dropout (`float`, defaults to 0.1):
            Dropout rate before the classifier.
        initializer_range (`float`, defaults to 0.02):
            Standard deviation of the weights of new linear layers.

    Example:
    ```python
    >>> from modeling_amess import AmessConfig, AmessModel

    >>> config = AmessConfig(video_feature_size=1024, audio_feature_size=768, num_anchors=8)
    >>> model = AmessModel(config)
    ```
    """

    model_type = "amess"
    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="bert"),
        **AmessMediaEncoderConfig.sub_configs_defaults,
    }

    # `Trainer` takes for predictions what is not named here; the file of the models names all outputs but the logits.
    keys_to_ignore_at_inference: ClassVar[list[str]] = []

    text_config: dict[str, Any] | PreTrainedConfig | None = None
    video_config: dict[str, Any] | PreTrainedConfig | None = None
    audio_config: dict[str, Any] | PreTrainedConfig | None = None
    media_encoder: dict[str, Any] | None = None

    video_feature_size: int | None = 256
    audio_feature_size: int | None = 768
    max_text_length: int = 50
    max_video_length: int = 180
    max_audio_length: int = 400

    alignment: Literal["ctc", "conv1d", "avg_pool", "none"] = "none"
    time_encoding: Literal["sinusoids", "none"] = "sinusoids"
    video_frame_rate: float | int | None = None
    audio_step_rate: float | int | None = None
    num_anchors: int = 8
    anchor_kind: Literal["tokens", "frames"] = "tokens"
    anchor_score: Literal["ratio", "lowe", "raw", "attention"] = "attention"
    exclude_special_tokens: bool = True
    anchor_value_projection: bool = True
    fusion_num_attention_heads: int = 8
    fusion_dropout: float | int = 0.1
    text_input: Literal["embeddings", "encoder"] = "embeddings"
    fusion_residual: Literal["outside", "inside", "none"] | bool = "outside"
    fusion_gain: float | int = 0.2
    attention_residual: bool = True
    use_anchor_embedding: bool = True

    use_semantic_synchronization: bool = True
    pooling: Literal["mean", "cls"] = "mean"
    description_size: int | None = None
    num_descriptions: int = 3
    contrastive_temperature: float | int = 0.7
    contrastive_weight: float | int = 1.0
    contrastive_form: Literal["classes", "batch"] = "classes"
    semantic_residual: bool = False
    semantic_logits: bool = False
    description_template: str = "{label}: {description}"
    description_encoder: str | None = None
    label_descriptions: dict[str, list[str]] | None = None
    out_of_scope_label: str | None = None
    out_of_scope_threshold: float | int | None = None
    unsure_ratio: float | int | None = 0.5
    familiar_clips: dict[str, int] | None = None
    known_clips: str | None = None
    temperature: float | int | None = None
    coverage_thresholds: dict[str, float | int] | None = None

    classifier_dropout: float | int = 0.1
    initializer_range: float = 0.02

    def __post_init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("auto_map", dict(AUTO_MAP))
        if self.id2label is None and self.label2id:
            self.id2label = _names_by_id(self.label2id)
        given = self.label_names
        super().__post_init__(**kwargs)
        if given and given != self.label_names:  # `num_labels` may differ from the number of names
            self._clear_label_fields()
        if not self.label2id:
            self.label2id = _ids_by_name(self.id2label or {})
        if self.description_size is None:
            self.description_size = self.hidden_size
        # Here and not when they are used: an encoder that is attached later does not move the frames in time.
        # A saved configuration says what the model was trained with, also where that is nothing.
        record = (self.media_encoder or {}).get("preprocessing", {}) if self.amess_version is None else {}
        if self.video_frame_rate is None:
            self.video_frame_rate = record.get("frame_rate")
        if self.audio_step_rate is None and record.get("audio_step"):
            self.audio_step_rate = record["sampling_rate"] / record["audio_step"]

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "fusion_residual" and isinstance(value, bool):  # earlier versions asked "inside or not at all?"
            value = "inside" if value else "none"
        is_made = vars(self).get("_post_init_done", False)  # transformers sets it at the end of its __post_init__
        if not is_made or name not in ("id2label", "label2id") or not value:
            super().__setattr__(name, value)
            return
        before = self.label_names
        names = _names_by_id(value) if name == "label2id" else {int(index): label for index, label in value.items()}
        super().__setattr__("id2label", names)
        super().__setattr__("label2id", _ids_by_name(names))
        if before != self.label_names:
            self._clear_label_fields()

    def append_label(self, name: str) -> None:
        """Add a label behind the others; what belongs to these stays.

        Thresholds on probabilities are cleared, with a warning, because a share of every probability now goes to the
        new label. The temperature stays: the logits of the other labels are what it was fitted on.
        """
        labels = dict(enumerate([*self.label_names, name]))
        vars(self).update(id2label=labels, label2id=_ids_by_name(labels))
        if stale := self._cleared(PROBABILITY_FIELDS):
            logger.warning(
                f"{', '.join(stale)} of the model without {name!r} are cleared: they were fitted on probabilities "
                "that the new label changes. Set them on model.config, or train with all labels."
            )

    def _cleared(self, names: Sequence[str]) -> list[str]:
        """Clear fields, and return the names of those that held something."""
        stale = [name for name in names if getattr(self, name) is not None]
        for name in stale:
            setattr(self, name, None)
        return stale

    def _clear_label_fields(self) -> None:
        """Clear what belongs to other labels; an out-of-scope label stays if there still is a label of this name."""
        keeps_unknown = self.out_of_scope_label in self.label_names
        stale = self._cleared([name for name in LABEL_FIELDS if name != "out_of_scope_label" or not keeps_unknown])
        if not stale:
            return
        logger.warning(
            f"The labels are now {', '.join(map(repr, self.label_names))}; {', '.join(stale)} of the other labels "
            "are cleared. Give the new labels theirs: model.set_label_descriptions(...), and set the others on "
            "model.config."
        )

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Make the configuration from the content of a `config.json`.

        A media encoder that version 0.1.0 saved has this class's `model_type`. The content gives an
        [`AmessMediaEncoderConfig`] then, so that the Auto classes load the encoder.
        """
        if _describes_media_encoder(config_dict):
            return AmessMediaEncoderConfig.from_dict(config_dict, **kwargs)
        config_dict = VALUES_BEFORE_THE_FIELD | _without_stale_labels(config_dict)
        id2label, label2id = kwargs.pop("id2label", None), kwargs.pop("label2id", None)
        if id2label and label2id and _ids_by_name(id2label) != _ids_by_name(_names_by_id(label2id)):
            raise ValueError(f"id2label={id2label} and label2id={label2id} do not agree: give one of them.")
        if id2label or label2id:
            # First, because the other arguments may be about the new labels.
            kwargs = {"id2label": id2label or _names_by_id(label2id), **kwargs}
        made = super().from_dict(config_dict, **kwargs)
        (made[0] if isinstance(made, tuple) else made).validate()
        return made

    @property
    def text_encoder_config(self) -> PreTrainedConfig:
        """`text_config` as a configuration, which it is once this object is made."""
        assert isinstance(self.text_config, PreTrainedConfig)
        return self.text_config

    @property
    def media_encoder_config(self) -> AmessMediaEncoderConfig | None:
        """Configuration of the attached media encoder; `None` without one."""
        if self.video_config is None and self.audio_config is None:
            return None
        # Copies: a configuration that becomes part of another takes over some of its settings.
        fields: dict[str, Any] = copy.deepcopy({"video_config": self.video_config, "audio_config": self.audio_config})
        fields |= {"record": self.media_encoder, "attn_implementation": self._attn_implementation}
        return AmessMediaEncoderConfig(**fields)

    @property
    def hidden_size(self) -> int:
        """Size of the text encoder's hidden states, which the whole model shares (the paper's d_t)."""
        size: int = self.text_encoder_config.hidden_size
        return size

    @property
    def num_hidden_layers(self) -> int:
        """Number of layers of the multimodal encoder."""
        number: int = self.text_encoder_config.num_hidden_layers
        return number

    @property
    def custom_pipelines(self) -> dict[str, dict[str, Any]]:
        """The pipelines that `transformers.pipeline` loads with `trust_remote_code=True`.

        Empty if this package is imported and has registered the pipeline, which then needs no trust. A property,
        because transformers prefers a field of the file to the registered pipeline, and writes classes into it that
        cannot be saved.
        """
        # A late import, because the pipelines import configurations.
        from transformers.pipelines import PIPELINE_REGISTRY

        registered = PIPELINE_REGISTRY.get_supported_tasks()
        return {task: dict(entry) for task, entry in CUSTOM_PIPELINES.items() if task not in registered}

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that the model has parts for; text is always one of them."""
        return ("text", *(name for name, size in self.feature_sizes.items() if size is not None))

    @property
    def feature_sizes(self) -> dict[str, int | None]:
        """Size of one feature by modality; `None` for a modality that the model has no part for."""
        return {"video": self.video_feature_size, "audio": self.audio_feature_size}

    @property
    def feature_rates(self) -> dict[str, float | None]:
        """Frames and steps per second by modality; `None` where they are not known."""
        return {"video": self.video_frame_rate, "audio": self.audio_step_rate}

    @property
    def label_names(self) -> list[str]:
        """Names of the labels in the order of their ids."""
        return [label for _, label in sorted((int(index), label) for index, label in (self.id2label or {}).items())]

    @property
    def description_fingerprint(self) -> int:
        """Number that depends on the labels, their order, their descriptions and the template; never 0."""
        described = self.label_descriptions or {}
        content = [self.description_template, [[label, described.get(label)] for label in self.label_names]]
        return 1 + int.from_bytes(hashlib.sha256(json.dumps(content).encode()).digest()[:7], "big")

    def is_out_of_scope(self, label: str, score: float, threshold: float | None = None) -> bool:
        """Judge whether an answer means none of the intents that the model knows.

        Args:
            label: Most probable intent.
            score: Its calibrated probability.
            threshold: Lowest probability in scope; by default `out_of_scope_threshold`.
        """
        threshold = self.out_of_scope_threshold if threshold is None else threshold
        return label == self.out_of_scope_label or (threshold is not None and score < threshold)

    def verdict(
        self, intents: Sequence[tuple[str, float]], threshold: float | None = None
    ) -> tuple[str, tuple[str, ...]]:
        """Judge an answer in words for people: `is_out_of_scope`, but between two known intents it is "unsure".

        An answer is unsure if the likeliest intent alone does not reach the threshold, the second is a known intent
        that is at least `unsure_ratio` times as probable, and the two together reach the threshold.

        Args:
            intents: Labels with their calibrated probabilities, the likeliest first; at least two where there are.
            threshold: Lowest probability in scope; by default `out_of_scope_threshold`.

        Returns:
            `"in_scope"`, `"unsure"` or `"out_of_scope"`, and for `"unsure"` the two intents.
        """
        threshold = self.out_of_scope_threshold if threshold is None else threshold
        (first, score), *others = intents
        if not self.is_out_of_scope(first, score, threshold):
            return "in_scope", ()
        if self.unsure_ratio is not None and threshold is not None and self.out_of_scope_label != first and others:
            second, rival = others[0]
            if second != self.out_of_scope_label and rival >= self.unsure_ratio * score and score + rival >= threshold:
                return "unsure", (first, second)
        return "out_of_scope", ()

    def coverage_threshold(self, coverage: float) -> float:
        """Find the lowest probability of an intent in a prediction set.

        A coverage between two whole percents gets the threshold of the higher one, so that the guarantee holds.

        Args:
            coverage: Share of utterances whose set is to hold their intent, such as 0.9.

        Raises:
            ValueError: The model has no thresholds, or none for this coverage.
        """
        if not self.coverage_thresholds:
            raise ValueError(
                f"coverage={coverage!r} needs a model with prediction sets, and this one has no coverage_thresholds: "
                "it was trained by an earlier version or with a small validation split, or its labels have changed. "
                "Train it with at least 50 validation utterances, or leave coverage out."
            )
        known = {int(percent): float(threshold) for percent, threshold in self.coverage_thresholds.items()}
        is_number = isinstance(coverage, (int, float)) and not isinstance(coverage, bool)
        # Rounded, because 100 * 0.57 is above 57.
        percent = math.ceil(round(100 * coverage, 6)) if is_number and math.isfinite(coverage) else -1
        if not min(known) <= percent <= max(known):
            raise ValueError(
                f"coverage={coverage!r} must be a share of utterances from {min(known) / 100} to {max(known) / 100}: "
                "the validation split of this model gives thresholds for these."
            )
        return known[percent]

    def validate_amess(self) -> None:
        """Refuse settings that cannot work together."""
        check_text_model_type(self.text_encoder_config)
        for name in ("num_anchors", "num_descriptions", "max_text_length", "max_video_length", "max_audio_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1.")
        if self.hidden_size % self.fusion_num_attention_heads:
            raise ValueError(
                f"fusion_num_attention_heads={self.fusion_num_attention_heads} does not divide the text model's "
                f"hidden size {self.hidden_size}. Choose a divisor of it."
            )
        for name in ("video_frame_rate", "audio_step_rate"):
            rate = getattr(self, name)
            if rate is not None and rate <= 0:
                raise ValueError(f"{name}={rate} must be above 0, or None where it is not known.")
        if self.fusion_gain < 0:
            raise ValueError(f"fusion_gain={self.fusion_gain} must be 0 or more.")
        if self.out_of_scope_threshold is not None and not 0 <= self.out_of_scope_threshold <= 1:
            raise ValueError(f"out_of_scope_threshold={self.out_of_scope_threshold} must be a probability, 0 to 1.")
        if self.unsure_ratio is not None and not 0 < self.unsure_ratio <= 1:
            raise ValueError(f"unsure_ratio={self.unsure_ratio} must be above 0 and at most 1, or None.")
        kept = self.familiar_clips or {}
        if not set(kept) <= set(self.feature_sizes) or any(number < 1 for number in kept.values()):
            raise ValueError(f"familiar_clips={kept} must hold numbers above 0, of video and audio clips.")
        if self.temperature is not None and not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise ValueError(f"temperature={self.temperature} must be a number above 0, or None.")
        for percent, threshold in (self.coverage_thresholds or {}).items():
            if not percent.isdecimal() or not 0 < int(percent) < 100 or not 0 <= threshold <= 1:
                raise ValueError(
                    f"coverage_thresholds has {percent!r}: {threshold}. Keys are whole percents from 1 to 99, as "
                    "text; values are probabilities, 0 to 1."
                )
        if self.contrastive_temperature <= 0:
            raise ValueError(f"contrastive_temperature={self.contrastive_temperature} must be above 0.")
        if self.semantic_residual and self.description_size not in (None, self.hidden_size):
            raise ValueError(
                f"semantic_residual adds the pooled hidden states (size {self.hidden_size}) to the semantic token "
                f"(size {self.description_size}): the sizes must be equal. Use a description encoder of that size or "
                "set semantic_residual=False."
            )
        if (self.semantic_residual or self.semantic_logits) and not self.use_semantic_synchronization:
            raise ValueError("semantic_residual and semantic_logits need use_semantic_synchronization=True.")
        if "{description}" not in self.description_template:
            raise ValueError(
                f"description_template={self.description_template!r} has no {{description}}, where the text goes."
            )
        ids = sorted(self.id2label or {})
        if ids != list(range(len(ids))) or len(set(self.label_names)) < len(ids):
            raise ValueError(
                f"id2label={self.id2label} must have the ids 0 to {len(ids) - 1}, one name per id, and no name twice."
            )
        if _names_by_id(self.label2id or {}) != self.id2label:
            raise ValueError(f"id2label={self.id2label} and label2id={self.label2id} do not agree: give one of them.")
        unknown = sorted(set(self.label_descriptions or {}) - set(self.label_names))
        if unknown:
            raise ValueError(
                f"label_descriptions describes {unknown}, which are no labels of this model: "
                f"{sorted(self.label_names)}."
            )
        if self.out_of_scope_label is not None and self.out_of_scope_label not in (self.label2id or {}):
            raise ValueError(
                f"out_of_scope_label={self.out_of_scope_label!r} is not a label of this model: "
                f"{sorted(self.label_names)}."
            )


def check_text_model_type(config: PreTrainedConfig) -> None:
    """Refuse a text encoder of a family that A-MESS cannot take apart.

    Raises:
        ValueError: The configuration is of such an encoder.
    """
    if config.model_type not in TEXT_FAMILIES:
        raise ValueError(
            f"text_config is a {config.model_type!r} model. A-MESS runs the embedding layer and the layers of its "
            f"text encoder apart, which it can do with: {', '.join(TEXT_FAMILIES)}."
        )


def _ids_by_name(id2label: Mapping[Any, str]) -> dict[str, int]:
    return {name: int(index) for index, name in id2label.items()}


def _names_by_id(label2id: Mapping[str, Any]) -> dict[int, str]:
    return {int(index): name for name, index in label2id.items()}


def _without_stale_labels(config_dict: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is about other labels: version 0.1.0 could save that of a model that was given new labels."""
    labels = _ids_by_name(config_dict.get("id2label") or {})
    if not labels:
        return config_dict
    stale = [name for name in ("label2id",) if _ids_by_name(_names_by_id(config_dict.get(name) or labels)) != labels]
    known = {*labels, None}
    if not known.issuperset({*(config_dict.get("label_descriptions") or {}), config_dict.get("out_of_scope_label")}):
        stale += LABEL_FIELDS
        logger.warning(f"This model's {', '.join(LABEL_FIELDS)} are of other labels than {sorted(labels)}: not used.")
    return {name: value for name, value in config_dict.items() if name not in stale}


def _describes_media_encoder(config_dict: dict[str, Any]) -> bool:
    return config_dict.get("architectures") == ["AmessMediaEncoder"]


__all__ = ["AmessConfig", "AmessMediaEncoderConfig"]
