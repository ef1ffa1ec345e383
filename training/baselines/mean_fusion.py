# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The mean-fusion baseline: the averages of video and audio over time, added to the text."""

from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import AutoModel
from transformers.modeling_outputs import SequenceClassifierOutput

from modeling_amess.modeling_amess import masked_mean

from .multimodal_baseline import MultimodalBaselineConfig, MultimodalBaselinePreTrainedModel


@strict
class MeanFusionConfig(MultimodalBaselineConfig):
    r"""Configuration of [`MeanFusionForIntentClassification`].

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        classifier_dropout, initializer_range: see [`MultimodalBaselineConfig`].
        pooling (`str`, defaults to `"cls"`): how text becomes one vector: the `[CLS]` token or the masked `"mean"`.
    """

    model_type = "amess_mean_fusion"

    pooling: Literal["cls", "mean"] = "cls"


class MeanFusionForIntentClassification(MultimodalBaselinePreTrainedModel):
    """Pooled text + masked means over time of projected video and audio -> LayerNorm -> dropout -> linear."""

    config: MeanFusionConfig
    config_class = MeanFusionConfig

    def __init__(self, config: MeanFusionConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        hidden_size = config.text_config.hidden_size
        self.text_model = AutoModel.from_config(config.text_config, add_pooling_layer=False)
        self.projections = nn.ModuleDict(
            {name: nn.Linear(size, hidden_size) for name, size in config.feature_sizes.items()}
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
        """Args:
            input_ids, attention_mask, token_type_ids: `(batch, tokens)`.
            video_features, audio_features: `(batch, frames, size)`, their masks `(batch, frames)`; a row without any
                frame adds nothing.
            labels: gold label ids `(batch,)`, for the loss.

        Returns:
            `logits (batch, labels)` and, with labels, the cross-entropy `loss`.
        """
        fused = self.encode_text(input_ids, attention_mask, token_type_ids)
        features = self.read_features(
            input_ids, video_features, video_attention_mask, audio_features, audio_attention_mask
        )
        for name, (values, mask) in features.items():
            # The mean of the projections is the projection of the mean, except for the bias where nothing is there.
            fused = fused + masked_mean(self.projections[name](values), mask)
        logits = self.classifier(self.dropout(self.norm(fused)))
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)
