# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Configuration of A-MESS."""

from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec


# A saved head alone would name only its own Auto class; with the whole map each of them loads from any checkpoint.
AUTO_MAP = {
    "AutoConfig": "configuration_amess.AmessConfig",
    "AutoModel": "modeling_amess.AmessModel",
    "AutoModelForSequenceClassification": "modeling_amess.AmessForIntentClassification",
    "AutoProcessor": "processing_amess.AmessProcessor",
}
# What `pipeline` of transformers makes of a checkpoint: task -> class, as it stands in the files beside the weights.
CUSTOM_PIPELINES = {
    "multimodal-intent-recognition": {
        "impl": "pipeline_amess.IntentRecognitionPipeline",
        "pt": ["AutoModelForSequenceClassification"],
        "type": "multimodal",
    }
}

# Encoders whose embedding layer and layer stack can be run apart, which equations 1 and 14 need.
TEXT_MODEL_TYPES = ("bert", "roberta", "xlm-roberta", "camembert")


@strict
class AmessConfig(PreTrainedConfig):
    r"""Configuration of [`AmessModel`] and [`AmessForIntentClassification`]. Equation numbers are those of the paper
    (arXiv 2503.19474).

    What you will most likely change: `text_config` (through `from_text_pretrained`), `video_feature_size` and
    `audio_feature_size` (they must fit your features), `num_anchors`, and the `semantic_*` switches.

    Args:
        text_config (`PreTrainedConfig` or `dict`, *optional*, defaults to a BERT-base):
            The BERT-family encoder. Its embedding layer gives E_text (eq. 1), its layers are the multimodal encoder
            (eq. 14).
        video_config, audio_config (`PreTrainedConfig` or `dict`, *optional*):
            The frozen media encoders (Swin, WavLM) that turn a clip into features. `None` for a model that takes
            features. [`AmessModel.attach_media_encoder`] sets them.
        media_encoder (`dict`, *optional*):
            Record of the media encoders that made the features of the training data: name, revision and pooling of
            each, and the preprocessing of clips ([`AmessMediaEncoder.record`]).
        video_feature_size, audio_feature_size (`int`, *optional*, defaults to 256 and 768):
            Size of one video frame's and one audio step's feature vector. `None` leaves the modality out of the model.
        max_text_length, max_video_length, max_audio_length (`int`, defaults to 50, 180 and 400):
            The lengths that the processor truncates to: tokens, frames, steps. `max_text_length` is also the length
            that `alignment` aligns to.
        alignment (`str`, defaults to `"none"`):
            How frames are brought to the text's length before eq. 4: `"ctc"` (LSTM and softmax, the reference
            baselines' way), `"conv1d"` (a learned mixing of time steps), `"avg_pool"` (contiguous windows), or
            `"none"` (the text attends to the frames as they are).
        num_anchors (`int`, defaults to 8):
            k, the number of anchors a modality.
        anchor_score (`str`, defaults to `"ratio"`):
            Reliability of a token: nearest against second-nearest similarity. `"ratio"` maps cosines to (0, 1] first,
            `"lowe"` compares distances as Lowe's ratio test does, `"raw"` divides the cosines as they are.
        anchor_value_projection (`bool`, defaults to `True`):
            Whether eq. 9 and 10 read a projection of the other modality's anchors or the anchors themselves.
        fusion_num_attention_heads (`int`, defaults to 8):
            Heads of the cross attentions of eq. 4 and 8 to 12.
        fusion_dropout (`float`, defaults to 0.1):
            Dropout in the fusion (eq. 13 included).
        text_input (`str`, defaults to `"embeddings"`):
            E_text: `"embeddings"` is the encoder's embedding layer; `"encoder"` is a whole text encoder, the
            multimodal encoder then being a second stack that starts from the same weights.
        fusion_residual (`bool`, defaults to `True`):
            Whether the text itself stays in the sum of eq. 13.
        attention_residual (`bool`, defaults to `True`):
            Whether eq. 4, 11 and 12 add their query and normalise.
        use_anchor_embedding (`bool`, defaults to `True`):
            `False` is the ablation "w/o A-ME": the cross attentions of eq. 4 are added, without anchors.
        use_semantic_synchronization (`bool`, defaults to `True`):
            `False` is the ablation "w/o SS": no contrastive loss and no semantic token in the classifier.
        pooling (`str`, defaults to `"mean"`):
            How E_f becomes one vector: masked `"mean"` over the tokens, or `"cls"`.
        description_size (`int`, *optional*):
            Size of the semantic token T_f and of the description embeddings; the text model's hidden size by default.
        num_descriptions (`int`, defaults to 3):
            Largest number of descriptions a label.
        contrastive_temperature (`float`, defaults to 0.7):
            tau of eq. 15.
        contrastive_weight (`float`, defaults to 1.0):
            Weight of eq. 15 in eq. 17.
        contrastive_form (`str`, defaults to `"classes"`):
            `"classes"` contrasts with the descriptions of every label; `"batch"` is eq. 15 as printed, with the labels
            of the other rows of the batch.
        semantic_residual (`bool`, defaults to `False`):
            T_f = pooled E_f + MLP, the MLP zero at the start: T_f begins in the description encoder's space where the
            text model is that encoder.
        semantic_logits (`bool`, defaults to `False`):
            Adds to each logit a learned scale times the mean similarity of T_f to the label's descriptions.
        description_template (`str`, defaults to `"{label}: {description}"`):
            What is embedded for a description.
        description_encoder (`str`, *optional*):
            Name of the Sentence-BERT that embedded the descriptions, for whoever adds labels later.
        label_descriptions (`dict[str, list[str]]`, *optional*):
            Descriptions of each label; set them with `set_label_descriptions`.
        out_of_scope_label (`str`, *optional*):
            Name of the label for utterances of no known intent. It has no descriptions and no contrastive term.
        out_of_scope_threshold (`float`, *optional*):
            Lowest probability of the likeliest intent that still counts as in scope; the pipeline reads it.
        classifier_dropout (`float`, defaults to 0.1):
            Dropout before the classifier.
        initializer_range (`float`, defaults to 0.02):
            Standard deviation of new linear layers.

    Example:
    ```python
    >>> from modeling_amess import AmessConfig, AmessModel

    >>> config = AmessConfig(video_feature_size=1024, audio_feature_size=768, num_anchors=8)
    >>> model = AmessModel(config)
    ```
    """

    model_type = "amess"
    sub_configs_defaults = {
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="bert"),
        "video_config": SubConfigSpec(config_class=AutoConfig, model_type="swin", optional=True),
        "audio_config": SubConfigSpec(config_class=AutoConfig, model_type="wavlm", optional=True),
    }

    text_config: dict | PreTrainedConfig | None = None
    video_config: dict | PreTrainedConfig | None = None
    audio_config: dict | PreTrainedConfig | None = None
    media_encoder: dict[str, Any] | None = None

    video_feature_size: int | None = 256
    audio_feature_size: int | None = 768
    max_text_length: int = 50
    max_video_length: int = 180
    max_audio_length: int = 400

    alignment: Literal["ctc", "conv1d", "avg_pool", "none"] = "none"
    num_anchors: int = 8
    anchor_score: Literal["ratio", "lowe", "raw"] = "ratio"
    anchor_value_projection: bool = True
    fusion_num_attention_heads: int = 8
    fusion_dropout: float | int = 0.1
    text_input: Literal["embeddings", "encoder"] = "embeddings"
    fusion_residual: bool = True
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

    classifier_dropout: float | int = 0.1
    initializer_range: float = 0.02

    def __post_init__(self, **kwargs):
        kwargs.setdefault("auto_map", dict(AUTO_MAP))
        super().__post_init__(**kwargs)
        if self.description_size is None:
            self.description_size = self.text_config.hidden_size

    @property
    def hidden_size(self) -> int:
        """Size of the text encoder's hidden states, which the whole model shares (the paper's d_t)."""
        return self.text_config.hidden_size

    @property
    def num_hidden_layers(self) -> int:
        """Number of layers of the multimodal encoder."""
        return self.text_config.num_hidden_layers

    @property
    def custom_pipelines(self) -> dict[str, dict[str, Any]]:
        """What `transformers.pipeline` loads with `trust_remote_code=True`; nothing where this package is imported and
        has registered the pipeline, which then needs no trust. A property, because transformers puts a field of the
        file above the registered pipeline, and writes classes into it that cannot be saved.
        """
        # Here, because the pipelines import configurations.
        from transformers.pipelines import PIPELINE_REGISTRY

        registered = PIPELINE_REGISTRY.get_supported_tasks()
        return {task: dict(entry) for task, entry in CUSTOM_PIPELINES.items() if task not in registered}

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that the model has parts for; text is always one of them."""
        sizes = {"text": self.hidden_size, "video": self.video_feature_size, "audio": self.audio_feature_size}
        return tuple(name for name, size in sizes.items() if size is not None)

    def validate_amess(self):
        """Refuse settings that cannot work together, in words."""
        if self.text_config.model_type not in TEXT_MODEL_TYPES:
            raise ValueError(
                f"text_config is a {self.text_config.model_type!r} model. A-MESS runs the embedding layer and the "
                f"layers of its text encoder apart and supports {', '.join(TEXT_MODEL_TYPES)}."
            )
        for name in ("num_anchors", "num_descriptions", "max_text_length", "max_video_length", "max_audio_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1.")
        if self.hidden_size % self.fusion_num_attention_heads:
            raise ValueError(
                f"fusion_num_attention_heads={self.fusion_num_attention_heads} does not divide the text model's "
                f"hidden size {self.hidden_size}."
            )
        if self.out_of_scope_threshold is not None and not 0 <= self.out_of_scope_threshold <= 1:
            raise ValueError(f"out_of_scope_threshold={self.out_of_scope_threshold} must be a probability, 0 to 1.")
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
                f"description_template={self.description_template!r} has no {{description}} to put the text in."
            )
        if self.out_of_scope_label is not None and self.out_of_scope_label not in self.label2id:
            raise ValueError(
                f"out_of_scope_label={self.out_of_scope_label!r} is not a label of this model: "
                f"{sorted(self.label2id)}."
            )


__all__ = ["AmessConfig"]
