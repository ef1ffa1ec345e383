# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The Multimodal Adaptation Gate (MAG), which shifts token embeddings by what was seen and heard."""

from collections.abc import Mapping

import torch
from torch import nn


class MultimodalAdaptationGate(nn.Module):
    """MAG (Rahman et al., ACL 2020). For a token t and each aligned modality m:

        g_m = ReLU(W_gm [m; t] + b_gm),  h = sum over m of g_m * (W_m m + b_m),
        alpha = min(1, beta |t| / (|h| + 1e-6)),  output = Dropout(LayerNorm(t + alpha h)).

    Args:
        hidden_size: of t.
        feature_sizes: of each modality.
        beta: how far a token may move, as a share of its length.
        dropout: of the output.
    """

    def __init__(self, hidden_size: int, feature_sizes: Mapping[str, int], beta: float, dropout: float):
        super().__init__()
        self.beta = beta
        self.gates = nn.ModuleDict(
            {name: nn.Linear(size + hidden_size, hidden_size) for name, size in feature_sizes.items()}
        )
        self.projections = nn.ModuleDict({name: nn.Linear(size, hidden_size) for name, size in feature_sizes.items()})
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, text: torch.Tensor, aligned: Mapping[str, torch.Tensor], present: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """Args:
            text: `(batch, tokens, hidden_size)`.
            aligned: for each modality `(batch, tokens, size)`.
            present: for each modality a boolean `(batch,)`; where it is false the modality moves nothing. (The
                published code has no such case: there zeros would move a token by b_m.)

        Returns:
            `(batch, tokens, hidden_size)`.
        """
        shift = torch.zeros_like(text)
        for name, gate in self.gates.items():
            opened = torch.relu(gate(torch.cat([aligned[name], text], dim=-1)))
            shift = shift + opened * self.projections[name](aligned[name]) * present[name][:, None, None]
        shift_norm = torch.linalg.vector_norm(shift, dim=-1, keepdim=True)
        shift_norm = torch.where(shift_norm == 0, 1.0, shift_norm)
        text_norm = torch.linalg.vector_norm(text, dim=-1, keepdim=True)
        alpha = (self.beta * text_norm / (shift_norm + 1e-6)).clamp(max=1.0)
        return self.dropout(self.norm(text + alpha * shift))
