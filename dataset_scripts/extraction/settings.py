# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of feature extraction. The command's options come from them, so imports are quick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UserError


if TYPE_CHECKING:
    from modeling_amess.clip_amess import MediaLimits

DTYPES: tuple[str, ...] = ("float16", "float32")


@dataclass(frozen=True, kw_only=True)
class ContentSettings:
    """Settings that features.json records: an extraction with other values is another extraction.

    Attributes:
        dtype: Type of the features on disk, `float16` or `float32`. They are computed in float32.
        max_video_length: Number of frames that are kept per clip, as the processor of a model with this config field
            keeps them.
        max_audio_length: Number of audio steps that are kept per clip, likewise.
        rows_per_part: Number of rows per part, which is what a kill costs at most in each process.
    """

    dtype: str = "float16"
    max_video_length: int = 180
    max_audio_length: int = 400
    rows_per_part: int = 64

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise UserError(f"dtype={self.dtype!r} is not one of {', '.join(DTYPES)}.")
        _check_least(self, 1, "max_video_length", "max_audio_length", "rows_per_part")


@dataclass(frozen=True, kw_only=True)
class ExtractionSettings(ContentSettings):
    """Settings of an extraction.

    Attributes:
        limits: Limits that a clip must keep, by default `MediaLimits()`.
        batch_size: Number of clips that the encoders read together. A batch has clips of similar file size.
        num_workers: Number of processes that decode beside each encoding process; 0 decodes in the encoding process.
            None takes half of this process's share of the cores, at most 8.
        use_cpu: Whether to encode on the CPU although there is an accelerator.
    """

    limits: MediaLimits | None = None
    batch_size: int = 8
    num_workers: int | None = None
    use_cpu: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_least(self, 1, "batch_size")
        if self.num_workers is not None:
            _check_least(self, 0, "num_workers")


def _check_least(settings: ContentSettings, least: int, *names: str) -> None:
    for name in names:
        if getattr(settings, name) < least:
            raise UserError(f"{name}={getattr(settings, name)} must be at least {least}.")
