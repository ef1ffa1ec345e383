# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Clips to features: decode and preprocess in worker processes, encode in batches, write in parts.

The rows of each split are cut into parts of a fixed size, and part i goes to process i modulo the number of processes:
the output is the same for any number of processes, and nothing has to be merged. A part that exists is whole and is
not made again, so that a run that was killed continues when the same command is given again. The content of a batch
depends on the part alone: on one machine, with the same number of threads, the files are the same to the byte.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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

from ..errors import UserError
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
from .settings import ExtractionSettings


MODULE = "-m dataset_scripts.extract_features"
# Processes that start meet within minutes, or their launcher is dead and they end.
_MEETING = timedelta(minutes=10)
# At the end they wait for the slowest, and at the start for a download by the first. Parts are dealt out beforehand,
# so that this may take far longer.
_LONGEST_WAIT = timedelta(days=7)


@dataclass(frozen=True)
class ExtractionReport:
    """Result of an extraction.

    Attributes:
        clips: Number of clips.
        failed: Number of clips that failed.
        output: Folder of the features.
    """

    clips: int
    failed: int
    output: Path


def extract_features(
    rows: Sequence[Mapping[str, Any]],
    output: str | Path,
    encoder: AmessMediaEncoder,
    settings: ExtractionSettings | None = None,
    *,
    root: str | Path = ".",
    labels: Sequence[str] | None = None,
    dataset: str | None = None,
    progress: bool = True,
) -> ExtractionReport:
    """Extract the features of clips into a folder for `load_extracted_features` and training.

    Call it in every process of a launch, or in a single one. A clip that fails, and a row without a clip, is reported
    on the standard error, gets zero frames and its reason in column `error`, and does not stop the others.

    Args:
        rows: Dicts with `id`, `clip` (path, or None for none) and, the same in every row, any of `split` (default
            `train`), `text`, `label` (a name) and further columns of texts or numbers.
        output: Folder of the features. Parts that it already holds are kept.
        encoder: Media encoder. It is moved to this process's device and saved in the folder.
        settings: Settings of the extraction, by default `ExtractionSettings()`.
        root: Folder of relative clip paths.
        labels: Label names in id order, by default those that occur, sorted.
        dataset: Name of the data set of this project whose label descriptions fit.
        progress: Whether the main process shows a bar.

    Raises:
        ExtractedFeaturesError: The folder holds something else, or an extraction of other input.
        LaunchError: The launcher started another number of processes than it was asked for.
        UserError: The rows do not fit each other.
    """
    settings = settings or ExtractionSettings()
    state = process_state(settings.use_cpu)
    output, root = Path(output), Path(root)
    splits = _rows_by_split(rows)
    description = describe(splits, root, encoder, settings, labels=labels, dataset=dataset)
    _on_main_process(state, lambda: prepare_output(output, description, encoder))
    if not (output / DESCRIPTION_FILE).is_file():
        raise ExtractedFeaturesError(
            f"Process {state.process_index} does not see {output / DESCRIPTION_FILE}, which the main process wrote. "
            "With several machines the output must be on a disk that all of them share."
        )
    mine = description.parts()[state.process_index :: state.num_processes]
    remaining = [part for part in mine if not part.path(output).is_file()]
    clips = ClipBatches(
        [
            batch
            for part in remaining
            for batch in batches_of_part(part, splits[part.split], root, settings.batch_size)
        ],
        splits,
        root,
        create_processor(description),
        settings.limits or MediaLimits(),
    )
    with tqdm(
        total=sum(len(part.rows) for part in mine),
        initial=sum(len(part.rows) for part in mine if part not in remaining),
        desc="extracting" if state.num_processes == 1 else f"extracting (first of {state.num_processes} processes)",
        unit="clip",
        disable=not (progress and state.is_main_process),
    ) as bar:
        _write_parts(clips, output, description, encoder.to(state.device), settings.num_workers, state, bar)
    wait_for_all(state)
    failed = _on_main_process(state, lambda: write_failures(output, description))
    return ExtractionReport(len(rows), failed, output)


def _write_parts(
    clips: ClipBatches,
    output: Path,
    description: FeaturesDescription,
    encoder: AmessMediaEncoder,
    num_workers: int | None,
    state: PartialState,
    bar: tqdm,
) -> None:
    """Encode all batches, and write each part when its last batch is done."""
    done: dict[int, dict[str, Any]] = {}
    for batch, prepared in zip(clips.batches, create_loader(clips, num_workers, state), strict=True):
        rows = clips.splits[batch.part.split]
        done.update(_encode(encoder, prepared, description, state.device))
        for index, reason in prepared["errors"].items():
            bar.write(f"failed: {rows[index]['id']}: {reason}", file=sys.stderr)
        bar.update(len(batch.indices))
        if len(done) == len(batch.part.rows):
            write_rows(output, batch.part, rows, done, description)
            done = {}


def process_state(use_cpu: bool) -> PartialState:
    """Return this process's place among those of the launch.

    Raises:
        LaunchError: The launcher started another number of processes than it was asked for.
    """
    check_launch(os.environ, MODULE)
    # Without an accelerator `cpu` must be True: otherwise each process of `torchrun` on a CPU-only machine would take
    # itself for the only one.
    state = PartialState(cpu=use_cpu or not torch.accelerator.is_available(), timeout=_MEETING)
    check_process_count(os.environ, state.num_processes, MODULE)
    return state


def wait_for_all(state: PartialState) -> None:
    """Wait until every process is here, for days if need be."""
    if state.num_processes > 1:
        # Gloo alone has a barrier with a limit of its own; the limit of a group holds for its meeting, too.
        group = torch.distributed.new_group(backend="gloo", timeout=_LONGEST_WAIT)
        torch.distributed.monitored_barrier(group, timeout=_LONGEST_WAIT)


@contextmanager
def main_process_first(state: PartialState) -> Iterator[None]:
    """Let the main process do the block before the others, however long it takes."""
    if not state.is_main_process:
        wait_for_all(state)
    yield
    if state.is_main_process:
        wait_for_all(state)


def _on_main_process(state: PartialState, work: Callable[[], Any]) -> Any:
    """Do `work` in the main process, and return its result, or raise its error, in all of them."""
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
        raise UserError("There are no rows to extract features of.")
    splits: dict[str, list[dict[str, Any]]] = {}
    columns = {"split", *rows[0]}
    for number, row in enumerate(rows):
        if {"split", *row} != columns or not {"id", "clip"} <= columns:
            raise UserError(
                f"Row {number} has the columns {sorted(row)}. Every row needs id and clip, and the columns of the "
                f"first row: {sorted(columns)}."
            )
        row = {"split": "train", **row}
        split = row.pop("split")
        if split == ENCODER_FOLDER or not re.fullmatch(r"\w+", split):
            raise UserError(f"Row {number} is of split {split!r}, which cannot be the name of a folder of features.")
        splits.setdefault(split, []).append(row)
    for name in (*(f"{modality}_features" for modality in FEATURE_MODALITIES), "error"):
        if name in columns:
            raise UserError(f"The rows have a column {name!r}, which the extraction writes itself. Rename it.")
    return splits


@torch.no_grad()
def _encode(
    encoder: AmessMediaEncoder, prepared: dict[str, Any], description: FeaturesDescription, device: torch.device
) -> dict[int, dict[str, Any]]:
    """The features of a batch by row index, or an error, also if they do not fit into the dtype."""
    indices, errors = prepared["indices"], prepared["errors"]
    arrays: dict[str, list[np.ndarray]] = {}
    if indices:
        inputs = {name: tensor.to(device, non_blocking=True) for name, tensor in prepared["inputs"].items()}
        encoded = encoder(**inputs)
        for modality in FEATURE_MODALITIES:
            padded = encoded.get(f"{modality}_features")
            if padded is not None:
                masks = encoded[f"{modality}_attention_mask"].bool().cpu()
                arrays[modality] = [row[mask].numpy() for row, mask in zip(padded.cpu(), masks, strict=True)]
    results: dict[int, dict[str, Any]] = {}
    for place, index in enumerate(indices):
        features = {modality: rows[place].astype(description.dtype) for modality, rows in arrays.items()}
        if all(np.isfinite(array).all() for array in features.values()):
            results[index] = features
        else:
            errors[index] = f"The features do not fit into {description.dtype}. Extract with another dtype."
    return {**results, **{index: {"error": reason} for index, reason in errors.items()}}
