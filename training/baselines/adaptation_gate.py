# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The Multimodal Adaptation Gate (MAG), which lets video and audio shift token embeddings."""

from collections.abc import Mapping

import torch
from torch import nn


class MultimodalAdaptationGate(nn.Module):
    """MAG (Rahman et al., ACL 2020): shifts every token embedding by the video and audio aligned to it.

    For a token t and each aligned modality m:

        g_m = ReLU(W_gm [m; t] + b_gm),  h = sum over m of g_m * (W_m m + b_m),
        alpha = min(1, beta |t| / (|h| + 1e-6)),  output = Dropout(LayerNorm(t + alpha h)).

    Args:
        hidden_size: Size of a token embedding t.
        feature_sizes: Size of a feature vector m, per modality.
        beta: Limit of a token's shift, as a share of the token's length.
        dropout: Dropout of the output.
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
        """Shift the tokens.

        Args:
            text: Token embeddings `(batch, tokens, hidden_size)`.
            aligned: Feature vectors per token `(batch, tokens, size)`, by modality.
            present: Booleans `(batch,)` by modality; where one is false, the modality shifts no token. The published
                code has no such case: its zeros would shift a token by b_m.

        Returns:
            Shifted embeddings `(batch, tokens, hidden_size)`.
        """
        shift = torch.zeros_like(text)
        for name, gate in self.gates.items():
            opened = torch.relu(gate(torch.cat([aligned[name], text], dim=-1)))
            shift = shift + opened * self.projections[name](aligned[name]) * present[name][:, None, None]
        shift_norm = torch.linalg.vector_norm(shift, dim=-1, keepdim=True)
        shift_norm = torch.where(shift_norm == 0, 1.0, shift_norm)
        text_norm = torch.linalg.vector_norm(text, dim=-1, keepdim=True)
        alpha = (self.beta * text_norm / (shift_norm + 1e-6)).clamp(max=1.0)
        output: torch.Tensor = self.dropout(self.norm(text + alpha * shift))
        return output
