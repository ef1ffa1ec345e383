# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the baselines share: a pretrained text encoder, its start and its pooling."""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.masking_utils import create_bidirectional_mask

from modeling_amess.modeling_amess import load_text_encoder, masked_mean


class TextBaselinePreTrainedModel(PreTrainedModel):
    """A classifier around `self.text_model`. Everything else is new, but for copies of it in `text_encoder_names`."""

    base_model_prefix = "text_model"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    # Attributes that start from the pretrained weights.
    text_encoder_names: tuple[str, ...] = ("text_model",)

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
        """A new classifier around a pretrained BERT-family encoder.

        Args:
            text_model: a Hub id or a folder.
            num_text_layers: keep only the first layers of the encoder.
            **config_fields: fields of the model's config, and `attn_implementation`.

        Raises:
            ValueError: `num_text_layers` outside the encoder's.
        """
        pooling = config_fields.get("pooling", getattr(cls.config_class, "pooling", None))
        pretrained = load_text_encoder(text_model, num_text_layers, add_pooling_layer=pooling == "pooler")
        model = cls(cls.config_class(text_config=pretrained.config, **config_fields))
        weights = pretrained.state_dict()
        for name in cls.text_encoder_names:
            encoder = getattr(model, name)
            encoder.load_state_dict({key: weights[key] for key in encoder.state_dict()})
        return model

    def new_parameter_names(self) -> set[str]:
        """Names of the parameters that no pretrained weights came for."""
        pretrained = tuple(f"{name}." for name in self.text_encoder_names)
        return {name for name, _ in self.named_parameters() if not name.startswith(pretrained)}

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
        return self.pool(hidden_states, attention_mask)

    def pool(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """`(batch, tokens, hidden_size)` to `(batch, hidden_size)`, by `config.pooling`."""
        if self.config.pooling == "pooler":
            return self.text_model.pooler(hidden_states)
        return hidden_states[:, 0] if self.config.pooling == "cls" else masked_mean(hidden_states, attention_mask)


def encode_embeddings(
    text_model: PreTrainedModel, embeddings: torch.Tensor, attention_mask: torch.Tensor
) -> torch.Tensor:
    """The layers of a BERT-family encoder on what its embedding layer gave: `(batch, tokens, hidden_size)` twice. (As
    `inputs_embeds` the embeddings would get positions and a normalisation once more.)
    """
    mask = create_bidirectional_mask(config=text_model.config, inputs_embeds=embeddings, attention_mask=attention_mask)
    return text_model.encoder(embeddings, attention_mask=mask).last_hidden_state
