# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The mean-fusion baseline: the averages of video and audio over time, added to the text."""

from typing import Literal

from huggingface_hub.dataclasses import strict
from torch import nn

from modeling_amess.modeling_amess import masked_mean

from .base import (
    BaselineInputs,
    BaselinePreTrainedModel,
    MultimodalBaselineConfig,
    Represented,
    feature_projections,
)


@strict
class MeanFusionConfig(MultimodalBaselineConfig):
    r"""Configuration of [`MeanFusionForIntentClassification`].

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        classifier_dropout, initializer_range: See [`MultimodalBaselineConfig`].
        pooling (`str`, defaults to `"cls"`): How the text becomes one vector: the `[CLS]` token or the masked `"mean"`
            of all tokens.
    """

    model_type = "amess_mean_fusion"

    pooling: Literal["cls", "mean"] = "cls"


class MeanFusionForIntentClassification(BaselinePreTrainedModel):
    """Pooled text + means over time of the projected video and audio -> LayerNorm -> dropout -> linear classifier."""

    config: MeanFusionConfig
    config_class = MeanFusionConfig

    def __init__(self, config: MeanFusionConfig):
        super().__init__(config)
        self.projections = feature_projections(config)
        self.norm = nn.LayerNorm(config.hidden_size)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)
        self.post_init()

    def represent(self, batch: BaselineInputs) -> Represented:
        """Add the means of video and audio to the pooled text; a row without any frame adds nothing."""
        fused = self.pool(self.encode_text(batch), batch.attention_mask, self.config.pooling)
        for name, (values, mask) in batch.features.items():
            # The mean of the projections is the projection of the mean, except for the bias of a row without frames.
            fused = fused + masked_mean(self.projections[name](values), mask)
        return Represented(self.dropout(self.norm(fused)))
