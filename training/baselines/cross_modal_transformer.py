# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The transformer of MulT, in which one sequence reads another; TCL-MAP makes its prompts with it."""

import math

import torch
from torch import nn

from .base import XavierLinear


class CrossModalTransformer(nn.Module):
    """Layers of pre-normalised attention and feed-forward (Tsai et al., ACL 2019).

    In every layer, keys and values come from the other sequence's first representation; without another sequence the
    attention is self-attention. Inputs are scaled by the square root of their size and get sinusoidal positions.

    Args:
        size: Size of all vectors.
        num_heads: Attention heads.
        num_layers: Layers.
        attention_dropout: Dropout of the attention weights.
        relu_dropout: Dropout of the feed-forward's inner layer.
        residual_dropout: Dropout before each residual sum.
        embedding_dropout: Dropout of the inputs.
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
        *,
        key: torch.Tensor | None = None,
        value: torch.Tensor | None = None,
        key_positions: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Let the queries read keys and values, which are given together, or else the queries themselves.

        Args:
            query: Vectors `(batch, queries, size)`.
            query_positions: Positions `(batch, queries)` from 0; a vector gets none where the position is below 0.
            visible: Booleans `(batch, queries, keys)`: the keys that a query may read. A query that sees no key reads
                nothing.
            key: Keys `(batch, keys, size)`.
            value: Values `(batch, keys, size)`.
            key_positions: Positions of keys and values `(batch, keys)`.

        Returns:
            Vectors `(batch, queries, size)`.
        """
        hidden_states = self._embed(query, query_positions)
        if key is not None:
            assert value is not None and key_positions is not None
            key, value = self._embed(key, key_positions), self._embed(value, key_positions)
        for layer in self.layers:
            hidden_states = layer(hidden_states, visible, key, value)
        output: torch.Tensor = self.norm(hidden_states)
        return output

    def _embed(self, states: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        positioned = self.scale * states + sinusoidal_positions(positions, states.shape[-1]).to(states.dtype)
        embedded: torch.Tensor = self.embedding_dropout(positioned)
        return embedded


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
        """Run the layer; shapes as in [`CrossModalTransformer`]."""
        states = self.attention_norm(query)
        keys = states if key is None else self.attention_norm(key)
        values = keys if value is key else self.attention_norm(value)
        query = query + self.dropout(self.attention(states, keys, values, visible))
        output: torch.Tensor = query + self.dropout(self.feed_forward(self.feed_forward_norm(query)))
        return output


class CrossModalAttention(nn.Module):
    """Multi-head attention of vectors of one size, by torch's scaled dot product."""

    def __init__(self, size: int, num_heads: int, dropout: float):
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.q_proj = XavierLinear(size, size, stacked=3)
        self.k_proj = XavierLinear(size, size, stacked=3)
        self.v_proj = XavierLinear(size, size, stacked=3)
        self.output = XavierLinear(size, size)

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, visible: torch.Tensor
    ) -> torch.Tensor:
        """Attend; shapes as in [`CrossModalTransformer`]. The result is zero for a query that sees no key."""
        sees_any = visible.any(-1, keepdim=True)
        # A softmax over no key is undefined: such a query attends to all keys, and its result becomes zero.
        attended = nn.functional.scaled_dot_product_attention(
            self._split_heads(self.q_proj(query)),
            self._split_heads(self.k_proj(key)),
            self._split_heads(self.v_proj(value)),
            attn_mask=(visible | ~sees_any)[:, None],
            dropout_p=self.dropout if self.training else 0.0,
        )
        output: torch.Tensor = self.output(attended.transpose(1, 2).flatten(2)) * sees_any
        return output

    def _split_heads(self, states: torch.Tensor) -> torch.Tensor:
        return states.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def sinusoidal_positions(positions: torch.Tensor, size: int) -> torch.Tensor:
    """Encode positions as sines, then cosines, of ever longer waves; zero for positions below 0.

    The last number of an odd size is 0.

    Args:
        positions: Positions `(batch, steps)`, from 0.
        size: Size of an encoding.

    Returns:
        Encodings `(batch, steps, size)`.
    """
    half = size // 2
    rates = torch.exp(torch.arange(half, device=positions.device) * (-math.log(10000.0) / max(half - 1, 1)))
    angles = (positions + 1).unsqueeze(-1) * rates  # positions count from 1
    waves = nn.functional.pad(torch.cat([angles.sin(), angles.cos()], dim=-1), (0, size % 2))
    return waves * (positions >= 0).unsqueeze(-1)


def visible_past(query_mask: torch.Tensor, key_mask: torch.Tensor) -> torch.Tensor:
    """Compute MulT's mask of the future: query i of n sees the keys up to i + |n - m| of m.

    The last query therefore sees all keys.

    Departure from the published code: n and m are a row's own real steps, where that code takes the padded lengths.

    Args:
        query_mask: Boolean mask of the queries `(batch, queries)`.
        key_mask: Boolean mask of the keys `(batch, keys)`.

    Returns:
        Booleans `(batch, queries, keys)`: the keys that a query may read.
    """
    difference = (query_mask.sum(-1) - key_mask.sum(-1)).abs()
    last_visible = query_mask.cumsum(-1) - 1 + difference[:, None]
    return (key_mask.cumsum(-1)[:, None, :] - 1 <= last_visible[:, :, None]) & key_mask[:, None, :]
