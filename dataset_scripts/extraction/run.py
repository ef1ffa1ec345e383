# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Clips to features: decode and preprocess in worker processes, encode in batches, write in parts.

The rows of each split are cut into parts of a fixed size, and part i belongs to process i modulo the number of
processes: the output is the same for any number of them, and nothing has to be merged. A part that exists is whole and
is not made again, so that a run that was killed goes on when the same command is given again. What is in a batch
depends on the part alone: on one machine, with the same number of threads, the files come out the same to the byte.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from tqdm.auto import tqdm

from modeling_amess import AmessMediaEncoder
from modeling_amess.clip_amess import MediaLimits

from ..launching import check_launch, check_process_count
from .batches import ClipBatches, batches_of_part, create_loader, create_processor
from .folder import (
    DESCRIPTION_FILE,
    ENCODER_FOLDER,
    FEATURE_MODALITIES,
    ExtractedFeaturesError,
    FeaturesDescription,
    describe,
    prepare_output,
    write_failures,
    write_rows,
)


MODULE = "-m dataset_scripts.extract_features"
# Processes wait for the slowest at the end: with parts dealt out beforehand that may take far longer than the minutes
# after which a waiting process is usually given up.
_LONGEST_WAIT = timedelta(days=7)


@dataclass(frozen=True)
class ExtractionReport:
    """What became of an extraction: clips in all, how many failed, and where the features are."""

    clips: int
    failed: int
    output: Path


def extract_features(
    rows: Sequence[Mapping[str, Any]],
    output: str | Path,
    encoder: AmessMediaEncoder,
    *,
    root: str | Path = ".",
    labels: Sequence[str] | None = None,
    dataset: str | None = None,
    dtype: str = "float16",
    max_video_length: int = 180,
    max_audio_length: int = 400,
    limits: MediaLimits | None = None,
    rows_per_part: int = 64,
    batch_size: int = 8,
    num_workers: int | None = None,
    cpu: bool = False,
    progress: bool = True,
) -> ExtractionReport:
    """Extract the features of clips into a folder that `load_extracted_features` and `training/train.py` read.

    Called on every process of a launch, or on the only one. A clip that fails, and a row without a clip, is said on
    the standard error, gets zero frames and its reason in column `error`, and does not stop the others.

    Args:
        rows: dicts with `id`, `clip` (path, or None for none) and, the same in every row, any of `split` (`train` by
            default), `text`, `label` (a name) and further columns of texts or numbers.
        output: the folder. Parts that it holds already are kept.
        encoder: the media encoder; it is moved to this process's device and saved in the folder.
        root: the folder that relative clips are in.
        labels: label names in id order; by default those that occur, sorted.
        dataset: name of the data set of this project whose label descriptions fit.
        dtype: `float16` or `float32`, of the features on disk. They are computed in float32.
        max_video_length, max_audio_length: frames and steps that are kept of a clip, as the processor of a model with
            these fields in its config keeps them.
        limits: what a clip may cost, by default `MediaLimits()`.
        rows_per_part: rows of a part, what a kill can cost at most on each process.
        batch_size: clips that go through the encoders together. A batch has clips of similar file size.
        num_workers: processes that decode beside each encoding one; 0 decodes in turn with it. None: half of this
            process's share of the cores, at most 8.
        cpu: encode on the CPU even where there is an accelerator.
        progress: show a bar (main process).

    Raises:
        ExtractedFeaturesError: the folder holds something else, or an extraction of other input.
        LaunchError: the launcher was asked for another number of processes.
        ValueError: rows that do not fit each other.
    """
    state = process_state(cpu)
    output, root = Path(output), Path(root)
    limits = limits or MediaLimits()
    splits = _rows_by_split(rows)
    description = describe(
        splits,
        root,
        encoder,
        labels=labels,
        dataset=dataset,
        dtype=dtype,
        max_video_length=max_video_length,
        max_audio_length=max_audio_length,
        limits=limits,
        rows_per_part=rows_per_part,
    )
    _on_main_process(state, lambda: prepare_output(output, description, encoder))
    if not (output / DESCRIPTION_FILE).is_file():
        raise ExtractedFeaturesError(
            f"Process {state.process_index} does not see {output / DESCRIPTION_FILE}, which the main process wrote. "
            "With several machines the output must be on a disk that all of them share."
        )

    own = description.parts()[state.process_index :: state.num_processes]
    remaining = [part for part in own if not part.path(output).is_file()]
    bar = tqdm(
        total=sum(len(part.rows) for part in own),
        initial=sum(len(part.rows) for part in own if part not in remaining),
        desc="extracting" if state.num_processes == 1 else f"extracting (first of {state.num_processes} processes)",
        unit="clip",
        disable=not (progress and state.is_main_process),
    )
    batches = [batch for part in remaining for batch in batches_of_part(part, splits[part.split], root, batch_size)]
    clips = ClipBatches(batches, splits, root, create_processor(description), limits)
    encoder = encoder.to(state.device)
    loader = create_loader(clips, num_workers, state)
    done: dict[int, dict[str, Any]] = {}
    for batch, prepared in zip(batches, loader, strict=True):
        done.update(_encode(encoder, prepared, description, state.device))
        for index, reason in prepared["errors"].items():
            bar.write(f"failed: {splits[batch.part.split][index]['id']}: {reason}", file=sys.stderr)
        bar.update(len(batch.indices))
        if len(done) == len(batch.part.rows):
            write_rows(output, batch.part, splits[batch.part.split], done, description)
            done = {}
    bar.close()
    state.wait_for_everyone()
    failed = _on_main_process(state, lambda: write_failures(output, description))
    return ExtractionReport(len(rows), failed, output)


def process_state(cpu: bool) -> PartialState:
    """This process among those of the launch.

    Raises:
        LaunchError: the launcher was asked for another number of processes.
    """
    check_launch(os.environ, MODULE)
    # Without an accelerator the CPU must be asked for: otherwise each process of `torchrun` on a CPU-only machine
    # would take itself for the only one.
    state = PartialState(cpu=cpu or not torch.accelerator.is_available(), timeout=_LONGEST_WAIT)
    check_process_count(os.environ, state.num_processes, MODULE)
    return state


def _on_main_process(state: PartialState, work: Callable[[], Any]) -> Any:
    """What `work` returns on the main process, on all of them; an error of the input is raised on all of them, too."""
    outcome: list[Any] = [None]
    if state.is_main_process:
        try:
            outcome = [work()]
        except ExtractedFeaturesError as error:
            outcome = [error]
    if state.num_processes > 1:
        broadcast_object_list(outcome)
    if isinstance(outcome[0], ExtractedFeaturesError):
        raise outcome[0]
    return outcome[0]


def _rows_by_split(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    if not rows:
        raise ValueError("there are no rows to extract features of")
    splits: dict[str, list[dict[str, Any]]] = {}
    columns = {"split", *rows[0]}
    for number, row in enumerate(rows):
        if {"split", *row} != columns or not {"id", "clip"} <= columns:
            raise ValueError(
                f"row {number} has the columns {sorted(row)}; every row needs id and clip, and the columns of the "
                f"first: {sorted(columns)}"
            )
        row = {"split": "train", **row}
        split = row.pop("split")
        if split == ENCODER_FOLDER or not re.fullmatch(r"\w+", split):
            raise ValueError(f"row {number} is of split {split!r}, which cannot be the name of a folder of features")
        splits.setdefault(split, []).append(row)
    for name in (*(f"{modality}_features" for modality in FEATURE_MODALITIES), "error"):
        if name in columns:
            raise ValueError(f"the rows have a column {name!r}, which the extraction writes itself")
    return splits


@torch.no_grad()
def _encode(
    encoder: AmessMediaEncoder, prepared: dict[str, Any], description: FeaturesDescription, device: torch.device
) -> dict[int, dict[str, Any]]:
    """The features of a prepared batch by row index; what does not fit into the dtype becomes an error."""
    indices, errors = prepared["indices"], prepared["errors"]
    arrays: dict[str, list[np.ndarray]] = {}
    if indices:
        inputs = {name: tensor.to(device, non_blocking=True) for name, tensor in prepared["inputs"].items()}
        encoded = encoder(**inputs)
        for modality in FEATURE_MODALITIES:
            features = getattr(encoded, f"{modality}_features")
            if features is not None:
                masks = getattr(encoded, f"{modality}_attention_mask").bool().cpu()
                features = features.cpu()
                arrays[modality] = [row[mask].numpy() for row, mask in zip(features, masks, strict=True)]
    results: dict[int, dict[str, Any]] = {}
    for place, index in enumerate(indices):
        found = {modality: rows[place].astype(description.dtype) for modality, rows in arrays.items()}
        if all(np.isfinite(array).all() for array in found.values()):
            results[index] = found
        else:
            errors[index] = f"the features do not fit into {description.dtype}; extract with another dtype"
    return {**results, **{index: {"error": reason} for index, reason in errors.items()}}
