# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The text-only baseline: what a pretrained encoder makes of the words alone."""

from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec
from transformers.modeling_outputs import SequenceClassifierOutput

from .text_baseline import TextBaselinePreTrainedModel


@strict
class TextOnlyConfig(PreTrainedConfig):
    r"""Configuration of [`TextOnlyForIntentClassification`].

    Args:
        text_config (`PreTrainedConfig` or `dict`, *optional*, defaults to a BERT-base): the text encoder.
        max_text_length (`int`, defaults to 50): tokens that the processor keeps.
        pooling (`str`, defaults to `"cls"`): the `[CLS]` token or the masked `"mean"` of all.
        classifier_dropout (`float`, defaults to 0.1): dropout before the classifier.
        initializer_range (`float`, defaults to 0.02): standard deviation of the new linear layer.
    """

    model_type = "amess_text_only"
    sub_configs_defaults = {"text_config": SubConfigSpec(config_class=AutoConfig, model_type="bert")}

    text_config: dict | PreTrainedConfig | None = None
    max_text_length: int = 50
    pooling: Literal["cls", "mean"] = "cls"
    classifier_dropout: float | int = 0.1
    initializer_range: float = 0.02


class TextOnlyForIntentClassification(TextBaselinePreTrainedModel):
    """Pretrained encoder, pooling, dropout, linear. Features in the batch are accepted and not read."""

    config: TextOnlyConfig
    config_class = TextOnlyConfig

    def __init__(self, config: TextOnlyConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.text_model = AutoModel.from_config(config.text_config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.text_config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **unused: Any,
    ) -> SequenceClassifierOutput:
        """Args:
            input_ids, attention_mask, token_type_ids: `(batch, tokens)`.
            labels: gold label ids `(batch,)`, for the loss.

        Returns:
            `logits (batch, labels)` and, with labels, the cross-entropy `loss`.
        """
        pooled = self.encode_text(input_ids, attention_mask, token_type_ids)
        logits = self.classifier(self.dropout(pooled))
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)
