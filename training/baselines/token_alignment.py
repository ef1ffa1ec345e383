# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Alignment of video and audio to the tokens of the text: one vector per token."""

from collections.abc import Mapping

import torch
from torch import nn

from modeling_amess.fusion_amess import AmessAlignment

from .base import Features, MultimodalBaselineConfig


class TokenAlignment(nn.Module):
    """Brings frames to tokens, as the alignment net of the field's benchmarks does for MAG.

    - `"ctc"`, `"conv1d"`: As in [`AmessAlignment`], with as many steps as the longest text has tokens; token j gets
      step j.
    - `"avg_pool"`: Token j of a row's n tokens gets the mean of the j-th of n contiguous windows of the row's frames.
    - `"avg_pool_strided"`: The benchmarks' average pooling with its defect. It pads the frames to `max_length`, and
      step j is the mean of the frames j, j + num_tokens, j + 2 num_tokens, ..., padding among them.

    Args:
        kind: One of the names above.
        feature_size: Size of a frame's vector.
        max_length: Most frames.
        num_tokens: Most tokens.
    """

    def __init__(self, kind: str, feature_size: int, max_length: int, num_tokens: int):
        super().__init__()
        self.kind = kind
        self.max_length = max_length
        self.num_tokens = num_tokens
        if kind in ("ctc", "conv1d"):
            self.alignment = AmessAlignment(kind, feature_size, max_length, num_tokens)

    def forward(self, features: torch.Tensor, mask: torch.Tensor, text_mask: torch.Tensor) -> torch.Tensor:
        """Align a batch.

        Args:
            features: Vectors of frames `(batch, frames, feature_size)`, zero where padded.
            mask: Boolean mask of the frames `(batch, frames)`.
            text_mask: Boolean mask of the tokens `(batch, tokens)`.

        Returns:
            One vector per token `(batch, tokens, feature_size)`.

        Raises:
            ValueError: More tokens than `num_tokens`, or more frames than `max_length` where that matters.
        """
        tokens = text_mask.shape[1]
        if tokens > self.num_tokens:
            raise ValueError(
                f"The text has {tokens} tokens, but the alignment is made for {self.num_tokens}: truncate the text, "
                "as the processor does, or raise max_text_length."
            )
        if self.kind == "avg_pool":
            return self._average_windows(features, mask, text_mask)
        if self.kind == "avg_pool_strided":
            return self._average_strided(features)[:, :tokens]
        steps: torch.Tensor = self.alignment(features, mask)[0]
        return steps[:, :tokens]

    def _average_windows(self, features: torch.Tensor, mask: torch.Tensor, text_mask: torch.Tensor) -> torch.Tensor:
        """Average window j of n, which covers the frames floor(j * length / n) to ceil((j + 1) * length / n)."""
        lengths, counts = mask.sum(-1)[:, None], text_mask.sum(-1)[:, None].clamp(min=1)
        steps = torch.arange(text_mask.shape[1], device=features.device)
        start = (steps * lengths // counts)[..., None]
        end = (((steps + 1) * lengths + counts - 1) // counts)[..., None]
        frames = torch.arange(features.shape[1], device=features.device)
        inside = (frames >= start) & (frames < end) & mask[:, None, :]
        weights = inside / inside.sum(-1, keepdim=True).clamp(min=1)
        return torch.matmul(weights.to(features.dtype), features)

    def _average_strided(self, features: torch.Tensor) -> torch.Tensor:
        if features.shape[1] > self.max_length:
            raise ValueError(
                f"The clip has {features.shape[1]} frames, but alignment='avg_pool_strided' is made for "
                f"{self.max_length}: truncate the features, as the processor does, or raise max_video_length or "
                "max_audio_length."
            )
        features = nn.functional.pad(features, (0, 0, 0, self.max_length - features.shape[1]))
        windows = -(-self.max_length // self.num_tokens)
        # The last frame fills the sequence up to a multiple of the number of tokens. It is padding in all but the
        # longest clips.
        missing = windows * self.num_tokens - self.max_length
        features = torch.cat([features, features[:, -1:].expand(-1, missing, -1)], dim=1)
        return features.unflatten(1, (windows, self.num_tokens)).mean(1)


def token_alignments(config: MultimodalBaselineConfig, kind: str, num_tokens: int) -> nn.ModuleDict:
    """Make a [`TokenAlignment`] per nonverbal modality of the config."""
    lengths = config.max_feature_lengths
    return nn.ModuleDict(
        {name: TokenAlignment(kind, size, lengths[name], num_tokens) for name, size in config.feature_sizes.items()}
    )


def align_to_tokens(
    alignments: nn.ModuleDict, features: Features, text_mask: torch.Tensor
) -> Mapping[str, torch.Tensor]:
    """Align every modality of a batch, `(batch, tokens, size)` each, to tokens with mask `(batch, tokens)`."""
    return {name: alignments[name](values, mask, text_mask) for name, (values, mask) in features.items()}
