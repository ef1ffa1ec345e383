# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The transformer of MulT, in which one sequence reads another; TCL-MAP makes its prompts with it."""

import math

import torch
from torch import nn

from .multimodal_baseline import XavierLinear


class CrossModalTransformer(nn.Module):
    """Layers of pre-normalised attention and feed-forward (Tsai et al., ACL 2019). Keys and values are those of the other
    sequence's first representation in every layer; without another sequence it is self-attention. Inputs are scaled by
    the square root of their size and get sinusoidal positions.

    Args:
        size: of all vectors.
        num_heads, num_layers: of attention, and of layers.
        attention_dropout, relu_dropout, residual_dropout, embedding_dropout: of the attention weights, of the
            feed-forward's inner layer, before each residual sum, of the inputs.
    """

    def __init__(
        self,
        size: int,
        num_heads: int,
        num_layers: int,
        *,
        attention_dropout: float,
        relu_dropout: float,
        residual_dropout: float,
        embedding_dropout: float,
    ):
        super().__init__()
        self.scale = math.sqrt(size)
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.layers = nn.ModuleList(
            CrossModalLayer(size, num_heads, attention_dropout, relu_dropout, residual_dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(size)

    def forward(
        self,
        query: torch.Tensor,
        query_positions: torch.Tensor,
        visible: torch.Tensor,
        key: torch.Tensor | None = None,
        value: torch.Tensor | None = None,
        key_positions: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Args:
            query: `(batch, queries, size)`.
            query_positions: `(batch, queries)`, from 0; below 0 a vector gets no position.
            visible: `(batch, queries, keys)`, true where a query may read a key; a query that sees nothing reads
                nothing.
            key, value: `(batch, keys, size)`; the queries themselves by default.
            key_positions: `(batch, keys)`, of both.

        Returns:
            `(batch, queries, size)`.
        """
        hidden_states = self._embed(query, query_positions)
        if key is not None:
            key, value = self._embed(key, key_positions), self._embed(value, key_positions)
        for layer in self.layers:
            hidden_states = layer(hidden_states, visible, key, value)
        return self.norm(hidden_states)

    def _embed(self, states: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        embedded = self.scale * states + sinusoidal_positions(positions, states.shape[-1]).to(states.dtype)
        return self.embedding_dropout(embedded)


class CrossModalLayer(nn.Module):
    """x + Attention(LN x, LN key, LN value), one normalisation for all three, then x + FF(LN x)."""

    def __init__(
        self, size: int, num_heads: int, attention_dropout: float, relu_dropout: float, residual_dropout: float
    ):
        super().__init__()
        self.attention_norm = nn.LayerNorm(size)
        self.attention = CrossModalAttention(size, num_heads, attention_dropout)
        self.feed_forward_norm = nn.LayerNorm(size)
        self.feed_forward = nn.Sequential(
            XavierLinear(size, 4 * size), nn.ReLU(), nn.Dropout(relu_dropout), XavierLinear(4 * size, size)
        )
        self.dropout = nn.Dropout(residual_dropout)

    def forward(
        self, query: torch.Tensor, visible: torch.Tensor, key: torch.Tensor | None, value: torch.Tensor | None
    ) -> torch.Tensor:
        """Shapes as in [`CrossModalTransformer`]."""
        states = self.attention_norm(query)
        keys = states if key is None else self.attention_norm(key)
        values = keys if value is key else self.attention_norm(value)
        query = query + self.dropout(self.attention(states, keys, values, visible))
        return query + self.dropout(self.feed_forward(self.feed_forward_norm(query)))


class CrossModalAttention(nn.Module):
    """Multi-head attention of vectors of one size, by torch's scaled dot product."""

    def __init__(self, size: int, num_heads: int, dropout: float):
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.q_proj = XavierLinear(size, size)
        self.k_proj = XavierLinear(size, size)
        self.v_proj = XavierLinear(size, size)
        self.output = XavierLinear(size, size)

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, visible: torch.Tensor
    ) -> torch.Tensor:
        """Shapes as in [`CrossModalTransformer`]; zero for a query that sees nothing."""
        sees_any = visible.any(-1, keepdim=True)
        # A softmax over nothing is undefined: such a query looks everywhere and is zeroed afterwards.
        attended = nn.functional.scaled_dot_product_attention(
            self._split_heads(self.q_proj(query)),
            self._split_heads(self.k_proj(key)),
            self._split_heads(self.v_proj(value)),
            attn_mask=(visible | ~sees_any)[:, None],
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.output(attended.transpose(1, 2).flatten(2)) * sees_any

    def _split_heads(self, states: torch.Tensor) -> torch.Tensor:
        return states.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def sinusoidal_positions(positions: torch.Tensor, size: int) -> torch.Tensor:
    """`(batch, steps)` to `(batch, steps, size)`: sines, then cosines, of ever longer waves; zero below position 0."""
    half = (size + 1) // 2
    rates = torch.exp(torch.arange(half, device=positions.device) * (-math.log(10000.0) / max(half - 1, 1)))
    angles = (positions + 1).unsqueeze(-1) * rates  # positions count from 1
    waves = torch.cat([angles.sin(), angles.cos()], dim=-1)[..., :size]
    return waves * (positions >= 0).unsqueeze(-1)


def visible_past(query_mask: torch.Tensor, key_mask: torch.Tensor) -> torch.Tensor:
    """MulT's mask of the future: step i of n queries sees the keys up to i + |n - m| of m, so that the last query sees
    all of them. The n and m are a row's own real steps here; the published code takes the padded lengths.

    Args:
        query_mask: `(batch, queries)`.
        key_mask: `(batch, keys)`.

    Returns:
        `(batch, queries, keys)`.
    """
    difference = (query_mask.sum(-1) - key_mask.sum(-1)).abs()
    last_visible = query_mask.cumsum(-1) - 1 + difference[:, None]
    return (key_mask.cumsum(-1)[:, None, :] - 1 <= last_visible[:, :, None]) & key_mask[:, None, :]
