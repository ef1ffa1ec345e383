# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""CAGC's bank of training videos, and the transformer that reads the videos that resemble a clip."""

import torch
from torch import nn


class VideoBank(nn.Module):
    """Frame means of the training videos and their labels, saved with the weights.

    Args:
        bank_size: Number of videos; 0 for a bank that `fill` will fill.
        feature_size: Size of a frame's vector.
    """

    def __init__(self, bank_size: int, feature_size: int):
        super().__init__()
        self.features = nn.Buffer(torch.zeros(bank_size, feature_size))
        self.labels = nn.Buffer(torch.zeros(bank_size, dtype=torch.long))

    def fill(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Replace the content.

        Args:
            features: Frame means `(videos, feature_size)`.
            labels: Label ids `(videos,)`.
        """
        self.features = nn.Buffer(features.to(self.features))
        self.labels = nn.Buffer(labels.to(self.labels))

    @torch.no_grad()
    def nearest(self, queries: torch.Tensor, count: int, leave_out_self: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest videos by Euclidean distance, the nearest first.

        Args:
            queries: Frame means `(batch, feature_size)`.
            count: Number of videos per query; the bank may have fewer.
            leave_out_self: Leave out videos that equal the query within rounding.

        Returns:
            Their indices `(batch, videos)`, and booleans `(batch, videos)` that are false where a video is left out.
        """
        queries = queries.to(self.features.dtype)
        # From the differences: the way through products would lose the digits that tell a video from itself.
        distances = torch.cdist(queries, self.features, compute_mode="donot_use_mm_for_euclid_dist")
        if leave_out_self:
            is_self = distances <= 1e-5 * torch.linalg.vector_norm(queries, dim=-1, keepdim=True)
            distances = distances.masked_fill(is_self, float("inf"))
        smallest = distances.topk(min(count, len(self.features)), largest=False)
        return smallest.indices, smallest.values.isfinite()


class ContextAugmentedTransformer(nn.Module):
    """Lets a clip's frames read the clip's contexts, the nearest first.

    Attention of the frames h_v over the growing prefix of 1, 2, ..., k contexts, averaged over the prefixes, gives
    h_m; then h_mv = LayerNorm(h_m + h_v) and h_cv = LayerNorm(Linear(h_mv) + h_mv).

    Args:
        hidden_size: Size of all vectors.
        num_heads: Attention heads.
        dropout: Dropout of the attention's output and of the linear layer's.
    """

    def __init__(self, hidden_size: int, num_heads: int, dropout: float):
        super().__init__()
        self.num_heads = num_heads
        self.q_proj = nn.Linear(hidden_size, hidden_size)
        self.k_proj = nn.Linear(hidden_size, hidden_size)
        self.v_proj = nn.Linear(hidden_size, hidden_size)
        self.output = nn.Linear(hidden_size, hidden_size)
        self.attention_norm = nn.LayerNorm(hidden_size)
        self.linear = nn.Linear(hidden_size, hidden_size)
        self.linear_norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, video: torch.Tensor, contexts: torch.Tensor, context_mask: torch.Tensor) -> torch.Tensor:
        """Enrich the frames.

        Args:
            video: Frames h_v, `(batch, frames, hidden_size)`.
            contexts: Contexts in order `(batch, contexts, hidden_size)`; there may be none.
            context_mask: Boolean mask of the contexts `(batch, contexts)`.

        Returns:
            Enriched frames h_cv, `(batch, frames, hidden_size)`.
        """
        query, key, value = (
            projection(states).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for projection, states in ((self.q_proj, video), (self.k_proj, contexts), (self.v_proj, contexts))
        )
        scores = torch.matmul(query, key.transpose(2, 3)) * query.shape[-1] ** -0.5
        attended = torch.matmul(prefix_attention(scores, context_mask), value).transpose(1, 2).flatten(2)
        has_contexts = context_mask.any(-1)[:, None, None]
        attended = self.dropout(self.output(attended)) * has_contexts
        states = self.attention_norm(attended + video)
        enriched: torch.Tensor = self.linear_norm(self.dropout(self.linear(states)) + states)
        return enriched


def prefix_attention(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Compute attention weights averaged over prefixes, which grow by one unmasked context at a time.

    Args:
        scores: Attention scores `(batch, heads, queries, contexts)`.
        mask: Boolean mask of the contexts `(batch, contexts)`.

    Returns:
        Weights of the scores' shape.
    """
    contexts = scores.shape[-1]
    prefixes = torch.ones(contexts, contexts, dtype=torch.bool, device=scores.device).tril()
    allowed = (prefixes & mask[:, None, :])[:, None, None]  # (batch, 1, 1, prefix, context)
    lowest = torch.finfo(torch.float32).min
    weights = scores.float().unsqueeze(-2).masked_fill(~allowed, lowest).softmax(-1)
    ends = mask[:, None, None, :, None]  # a prefix counts if its last context is unmasked
    return ((weights * ends).sum(-2) / mask.sum(-1).clamp(min=1)[:, None, None, None]).to(scores.dtype)
