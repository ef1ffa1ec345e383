# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Batches of clips, decoded and preprocessed in worker processes by the model's own processor."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState
from torch.utils.data import DataLoader, Dataset

from modeling_amess.clip_amess import Clip, MediaError, MediaLimits
from modeling_amess.processing_amess import AmessProcessor

from ..errors import leave_interrupts_to_parent
from ..launching import available_cores
from .folder import FeaturesDescription, Part
from .rows import file_size


NO_CLIP = "The row has no clip."
_BATCHES_AHEAD = 2  # per worker


@dataclass(frozen=True)
class ClipBatch:
    """Rows of one part that go through the encoders together.

    Attributes:
        part: Part of the rows.
        indices: Index of each row in its split.
    """

    part: Part
    indices: tuple[int, ...]


def batches_of_part(part: Part, rows: Sequence[Mapping[str, Any]], root: Path, batch_size: int) -> Iterator[ClipBatch]:
    """Yield the batches of a part. Their content depends on nothing but the part's rows and clips."""
    # The length of a clip is known when it is decoded. The size of its file costs nothing and says nearly as much.
    order = sorted(part.rows, key=lambda index: (file_size(root, rows[index]), index))
    for start in range(0, len(order), batch_size):
        yield ClipBatch(part, tuple(order[start : start + batch_size]))


class ClipBatches(Dataset[dict[str, Any]]):
    """Batches of clips, decoded and preprocessed by the model's own processor on access.

    An item is a dict: `indices` of the rows that could be decoded, `inputs` of the encoder for them (empty if there
    are none), and `errors`, index -> reason, for the other rows.

    Args:
        batches: Batches in order.
        splits: Rows of each split.
        root: Folder of relative clip paths.
        processor: Processor that decodes and preprocesses.
        limits: Limits that a clip must keep.
    """

    def __init__(
        self,
        batches: Sequence[ClipBatch],
        splits: Mapping[str, Sequence[Mapping[str, Any]]],
        root: Path,
        processor: AmessProcessor,
        limits: MediaLimits,
    ):
        self.batches = batches
        self.splits = splits
        self.root = root
        self.processor = processor
        self.limits = limits

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, position: int) -> dict[str, Any]:
        batch = self.batches[position]
        clips: dict[int, Clip] = {}
        errors: dict[int, str] = {}
        for index in batch.indices:
            path = self.splits[batch.part.split][index]["clip"]
            if path is None:
                errors[index] = NO_CLIP
                continue
            try:
                clips[index] = self.processor.decode(self.root / path, limits=self.limits)
            except ImportError:  # nothing can be decoded here
                raise
            except Exception as error:  # whatever a clip does to its decoder, the others are extracted
                errors[index] = _reason(error)
        inputs = dict(self.processor.clip_inputs(list(clips.values()))) if clips else {}
        return {"indices": list(clips), "errors": errors, "inputs": inputs}


def create_processor(description: FeaturesDescription) -> AmessProcessor:
    """Create the processor that decodes and preprocesses the clips of an extraction. It reads no text."""
    return AmessProcessor(
        None,
        video_feature_size=description.video_feature_size,
        audio_feature_size=description.audio_feature_size,
        max_video_length=description.max_video_length,
        max_audio_length=description.max_audio_length,
        **description.media_encoder["preprocessing"],
    )


def create_loader(clips: ClipBatches, num_workers: int | None, state: PartialState) -> DataLoader[dict[str, Any]]:
    """Create the loader that prepares batches ahead of the encoders, in order.

    Args:
        clips: Batches.
        num_workers: Number of worker processes, or None for half of this process's share of the cores, at most 8.
        state: State of this process.
    """
    if num_workers is None:
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        num_workers = min(8, max(1, available_cores() // processes // 2))
    num_workers = min(num_workers, len(clips))
    return DataLoader(
        clips,
        batch_size=None,
        collate_fn=_unchanged,
        num_workers=num_workers,
        prefetch_factor=_BATCHES_AHEAD if num_workers else None,
        pin_memory=state.device.type == "cuda",
        worker_init_fn=leave_interrupts_to_parent,
    )


def _unchanged(batch: Any) -> Any:
    return batch


def _reason(error: Exception) -> str:
    # Without the path, which may differ between machines and is in the row's own column.
    if isinstance(error, MediaError):
        reason: object = error.command_reason
    else:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
    return f"{type(error).__name__}: {reason}"
