# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Alignment of video and audio to the tokens of the text, one vector a token."""

from types import SimpleNamespace

import torch
from torch import nn

from modeling_amess.fusion_amess import AmessAlignment


class TokenAlignment(nn.Module):
    """Brings frames to tokens, as the alignment net of the field's benchmarks does for MAG.

    - `"ctc"`, `"conv1d"`: as in [`AmessAlignment`], with as many steps as the longest text has tokens; step j goes to
      token j.
    - `"avg_pool"`: token j of a row's n gets the mean of the j-th of n contiguous windows of the row's frames.
    - `"avg_pool_strided"`: the benchmarks' average pooling, defect included. Frames are padded to `max_length` and
      step j is the mean of the frames j, j + num_tokens, j + 2 num_tokens, ..., padding among them.

    Args:
        kind: one of them.
        feature_size: of a frame.
        max_length: most frames.
        num_tokens: most tokens.
    """

    def __init__(self, kind: str, feature_size: int, max_length: int, num_tokens: int):
        super().__init__()
        self.kind = kind
        self.max_length = max_length
        self.num_tokens = num_tokens
        if kind in ("ctc", "conv1d"):
            config = SimpleNamespace(alignment=kind, max_text_length=num_tokens)
            self.alignment = AmessAlignment(config, feature_size, max_length)

    def forward(self, features: torch.Tensor, mask: torch.Tensor, text_mask: torch.Tensor) -> torch.Tensor:
        """Args:
            features: `(batch, frames, feature_size)`, zero where padded.
            mask: `(batch, frames)`.
            text_mask: `(batch, tokens)`.

        Returns:
            `(batch, tokens, feature_size)`.

        Raises:
            ValueError: more tokens than `num_tokens`, or more frames than `max_length` where that matters.
        """
        tokens = text_mask.shape[1]
        if tokens > self.num_tokens:
            raise ValueError(
                f"The text has {tokens} tokens, the alignment is made for {self.num_tokens}: truncate it (the "
                "processor does) or raise max_text_length."
            )
        if self.kind == "avg_pool":
            return self._average_windows(features, mask, text_mask)
        if self.kind == "avg_pool_strided":
            return self._average_strided(features)[:, :tokens]
        return self.alignment(features, mask)[0][:, :tokens]

    def _average_windows(self, features: torch.Tensor, mask: torch.Tensor, text_mask: torch.Tensor) -> torch.Tensor:
        """Window j of n covers the frames from floor(j * length / n) to ceil((j + 1) * length / n)."""
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
                f"alignment='avg_pool_strided' is made for {self.max_length} frames, got {features.shape[1]}: "
                "truncate the features (the processor does) or raise max_video_length / max_audio_length."
            )
        features = nn.functional.pad(features, (0, 0, 0, self.max_length - features.shape[1]))
        windows = -(-self.max_length // self.num_tokens)
        # The last frame again and again, up to a multiple of the number of tokens; it is padding in all but the
        # longest clips.
        missing = windows * self.num_tokens - self.max_length
        features = torch.cat([features, features[:, -1:].expand(-1, missing, -1)], dim=1)
        return features.unflatten(1, (windows, self.num_tokens)).mean(1)
