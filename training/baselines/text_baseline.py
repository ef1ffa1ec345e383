# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the baselines share: a pretrained text encoder, its start and its pooling."""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from modeling_amess.modeling_amess import load_text_encoder, masked_mean


class TextBaselinePreTrainedModel(PreTrainedModel):
    """A classifier around `self.text_model`. Everything else in it is new."""

    base_model_prefix = "text_model"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def get_input_embeddings(self) -> nn.Module:
        """The text encoder's word embeddings."""
        return self.text_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the text encoder's word embeddings."""
        self.text_model.set_input_embeddings(value)

    @classmethod
    def from_text_pretrained(
        cls, text_model: str, *, num_text_layers: int | None = None, **config_fields: Any
    ) -> "TextBaselinePreTrainedModel":
        """
        A new classifier around a pretrained BERT-family encoder.

        Args:
            text_model: a Hub id or a folder.
            num_text_layers: keep only the first layers of the encoder.
            **config_fields: fields of the model's config, and `attn_implementation`.

        Raises:
            ValueError: `num_text_layers` outside the encoder's.
        """
        pretrained = load_text_encoder(text_model, num_text_layers)
        model = cls(cls.config_class(text_config=pretrained.config, **config_fields))
        wanted = model.text_model.state_dict()
        weights = {name: weight for name, weight in pretrained.state_dict().items() if name in wanted}
        model.text_model.load_state_dict(weights)
        return model

    def new_parameter_names(self) -> set[str]:
        """Names of the parameters that no pretrained weights came for."""
        return {name for name, _ in self.named_parameters() if not name.startswith("text_model.")}

    def encode_text(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        token_type_ids: torch.Tensor | None,
    ) -> torch.Tensor:
        """Text `(batch, tokens)` to one vector a row `(batch, hidden_size)`, by `config.pooling`."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        optional = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden_states = self.text_model(
            input_ids=input_ids, attention_mask=attention_mask, return_dict=True, **optional
        ).last_hidden_state
        return hidden_states[:, 0] if self.config.pooling == "cls" else masked_mean(hidden_states, attention_mask)
