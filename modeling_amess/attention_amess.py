# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Attention between sequences of different sizes: a few tokens that read many frames."""

from collections.abc import Callable

import torch
from torch import nn
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .configuration_amess import AmessConfig


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention with its weights: `(batch, heads, queries, keys)` beside the output."""
    weights = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        if attention_mask.dtype == torch.bool:
            weights = weights.masked_fill(~attention_mask, torch.finfo(weights.dtype).min)
        else:
            weights = weights + attention_mask
    weights = nn.functional.softmax(weights, dim=-1, dtype=torch.float32).to(query.dtype)
    dropped = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(dropped, value).transpose(1, 2).contiguous(), weights


class AmessAttentionProjection(nn.Linear):
    """
    A query, key or value projection of the fusion. A class of its own because it is initialised wider than BERT's
    layers (Xavier, as torch's own attention): at BERT's 0.02 the attention starts all but uniform over the frames, and
    the fusion takes about twice as many epochs to find anything (docs/results.md).
    """


class AmessAttention(nn.Module):
    """
    Multi-head attention of one sequence to another, which may have vectors of another size.

    Keys and values have no bias: in the scores it is a constant of each query, which the softmax takes out, and in the
    output, as the weights add up to one, what the bias of the linear layer that follows adds anyway.
    """

    def __init__(self, config: AmessConfig, key_size: int, project_value: bool = True):
        super().__init__()
        self.config = config
        self.num_heads = config.fusion_num_attention_heads
        self.scaling = (config.hidden_size // self.num_heads) ** -0.5
        self.attention_dropout = config.fusion_dropout
        self.is_causal = False
        self.q_proj = AmessAttentionProjection(config.hidden_size, config.hidden_size)
        self.k_proj = AmessAttentionProjection(key_size, config.hidden_size, bias=False)
        if project_value:
            self.v_proj = AmessAttentionProjection(key_size, config.hidden_size, bias=False)
        else:
            self.v_proj = nn.Identity()

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, key_mask: torch.Tensor, output_attentions: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """
        Args:
            query (`torch.Tensor` of shape `(batch, queries, hidden_size)`).
            key (`torch.Tensor` of shape `(batch, keys, key_size)`): keys and values.
            key_mask (`torch.BoolTensor` of shape `(batch, keys)`).
            output_attentions (`bool`): also return the weights, whatever the attention implementation.

        Returns:
            `(batch, queries, hidden_size)`, zero in rows without any real key, and the weights
            `(batch, heads, queries, keys)` or `None`.
        """
        has_keys = key_mask.any(-1)
        # A softmax over nothing is undefined: rows without keys look at position 0 and are zeroed afterwards.
        open_mask = torch.cat([key_mask[:, :1] | ~has_keys[:, None], key_mask[:, 1:]], dim=1)
        states = self._split_heads(self.q_proj(query))
        if self._unprojected_is_faster(query, key):
            projection = self.k_proj.weight.view(self.num_heads, -1, key.shape[-1])
            states = torch.einsum("bhqs,hsk->bhqk", states, projection)
            # The heads share their keys, so that they are more queries of one head.
            states = states.flatten(1, 2).unsqueeze(1)
            output, weights = self._attend(states, key.unsqueeze(1), key.unsqueeze(1), open_mask, output_attentions)
            output = output.view(query.shape[0], self.num_heads, query.shape[1], -1)
            projection = self.v_proj.weight.view(self.num_heads, -1, key.shape[-1])
            output = torch.einsum("bhqk,hsk->bqhs", output, projection)
        else:
            key_states, value_states = self._split_heads(self.k_proj(key)), self._split_heads(self.v_proj(key))
            output, weights = self._attend(states, key_states, value_states, open_mask, output_attentions)
        output = output.reshape(query.shape) * has_keys[:, None, None]
        if weights is not None:
            weights = weights.view(query.shape[0], self.num_heads, query.shape[1], -1)
            weights = weights * has_keys[:, None, None, None]
        return output, weights

    def _attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_mask: torch.Tensor,
        output_attentions: bool,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attention by the configured implementation, all `(batch, heads, sequence, size)`; every row has a key."""
        attention_mask = create_bidirectional_mask(
            config=self.config, inputs_embeds=query[:, 0], attention_mask=key_mask, encoder_hidden_states=key[:, 0]
        )
        attention_interface: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        if output_attentions:
            attention_interface = eager_attention_forward
        output, weights = attention_interface(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
        )
        return output, weights if output_attentions else None

    def _unprojected_is_faster(self, query: torch.Tensor, key: torch.Tensor) -> bool:
        """
        Whether to leave the keys as they are, and project the queries into their space and what was read out of it:
        q (W k)^T = (q W) k^T. A few tokens that read hundreds of frames save most of the products so.
        """
        for layer in (self.k_proj, self.v_proj):
            # Adapters take a layer's place, quantization and tensor parallelism its weight's, and offloaded weights
            # are there in their layer's own forward only.
            if not isinstance(layer, AmessAttentionProjection) or type(layer.weight) is not nn.Parameter:
                return False
            if layer.weight.is_meta:
                return False
        # Fused kernels of other implementations stop at heads of 256.
        if self.config._attn_implementation not in ("eager", "sdpa"):
            return False
        queries, keys = query.shape[1], key.shape[1]
        hidden_size, key_size = self.k_proj.weight.shape
        projected = keys * hidden_size * (key_size + queries)
        return queries * key_size * (hidden_size + self.num_heads * keys) < projected

    def _split_heads(self, states: torch.Tensor) -> torch.Tensor:
        return states.view(*states.shape[:-1], self.num_heads, -1).transpose(1, 2)
