# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The text-only baseline: a pretrained encoder that reads the words alone."""

from typing import Literal

from huggingface_hub.dataclasses import strict
from torch import nn

from .base import BaselineConfig, BaselineInputs, BaselinePreTrainedModel, Represented


@strict
class TextOnlyConfig(BaselineConfig):
    r"""Configuration of [`TextOnlyForIntentClassification`].

    Args:
        text_config, max_text_length, classifier_dropout, initializer_range: See [`BaselineConfig`].
        pooling (`str`, defaults to `"cls"`): How the text becomes one vector: the `[CLS]` token, the masked `"mean"`
            of all tokens, or BERT's `"pooler"`, as in MIntRec's published baseline.
    """

    model_type = "amess_text_only"

    pooling: Literal["cls", "mean", "pooler"] = "cls"

    @property
    def uses_pooler(self) -> bool:
        """Whether the model needs the text encoder's pooler."""
        return self.pooling == "pooler"


class TextOnlyForIntentClassification(BaselinePreTrainedModel):
    """Text encoder, pooling, dropout and a linear classifier; the model ignores features in the batch."""

    config: TextOnlyConfig
    config_class = TextOnlyConfig

    def __init__(self, config: TextOnlyConfig):
        super().__init__(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)
        self.post_init()

    def represent(self, batch: BaselineInputs) -> Represented:
        """Pool the text."""
        text = self.pool(self.encode_text(batch), batch.attention_mask, self.config.pooling)
        return Represented(self.dropout(text))
