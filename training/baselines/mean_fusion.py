# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The mean-fusion baseline: the averages of video and audio over time, added to the text."""

from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec
from transformers.modeling_outputs import SequenceClassifierOutput

from modeling_amess.modeling_amess import masked_mean

from .text_baseline import TextBaselinePreTrainedModel


@strict
class MeanFusionConfig(PreTrainedConfig):
    r"""
    Configuration of [`MeanFusionForIntentClassification`].

    Args:
        text_config (`PreTrainedConfig` or `dict`, *optional*, defaults to a BERT-base): the text encoder.
        video_feature_size, audio_feature_size (`int`, *optional*, defaults to 256 and 768):
            size of one frame's or step's vector; `None` leaves the modality out.
        max_text_length, max_video_length, max_audio_length (`int`, defaults to 50, 180 and 400):
            tokens, frames and steps that the processor keeps.
        pooling (`str`, defaults to `"cls"`): how text becomes one vector: the `[CLS]` token or the masked `"mean"`.
        classifier_dropout (`float`, defaults to 0.1): dropout before the classifier.
        initializer_range (`float`, defaults to 0.02): standard deviation of new linear layers.
    """

    model_type = "amess_mean_fusion"
    sub_configs_defaults = {"text_config": SubConfigSpec(config_class=AutoConfig, model_type="bert")}

    text_config: dict | PreTrainedConfig | None = None
    video_feature_size: int | None = 256
    audio_feature_size: int | None = 768
    max_text_length: int = 50
    max_video_length: int = 180
    max_audio_length: int = 400
    pooling: Literal["cls", "mean"] = "cls"
    classifier_dropout: float | int = 0.1
    initializer_range: float = 0.02


class MeanFusionForIntentClassification(TextBaselinePreTrainedModel):
    """Pooled text + masked means over time of projected video and audio -> LayerNorm -> dropout -> linear."""

    config: MeanFusionConfig
    config_class = MeanFusionConfig

    def __init__(self, config: MeanFusionConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        hidden_size = config.text_config.hidden_size
        self.text_model = AutoModel.from_config(config.text_config, add_pooling_layer=False)
        sizes = {"video": config.video_feature_size, "audio": config.audio_feature_size}
        self.projections = nn.ModuleDict(
            {name: nn.Linear(size, hidden_size) for name, size in sizes.items() if size is not None}
        )
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        video_features: torch.Tensor | None = None,
        video_attention_mask: torch.Tensor | None = None,
        audio_features: torch.Tensor | None = None,
        audio_attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **unused: Any,
    ) -> SequenceClassifierOutput:
        """
        Args:
            input_ids, attention_mask, token_type_ids: `(batch, tokens)`.
            video_features, audio_features: `(batch, frames, size)`, their masks `(batch, frames)`; a row without any
                frame adds nothing.
            labels: gold label ids `(batch,)`, for the loss.

        Returns:
            `logits (batch, labels)` and, with labels, the cross-entropy `loss`.
        """
        fused = self.encode_text(input_ids, attention_mask, token_type_ids)
        given = {"video": (video_features, video_attention_mask), "audio": (audio_features, audio_attention_mask)}
        for name, projection in self.projections.items():
            features, mask = given[name]
            if features is None:
                continue
            if mask is None:
                mask = torch.ones(features.shape[:2], device=features.device)
            # The mean of the projections is the projection of the mean, except for the bias where nothing is there.
            fused = fused + masked_mean(projection(features.to(projection.weight.dtype)), mask)
        logits = self.classifier(self.dropout(self.norm(fused)))
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)
