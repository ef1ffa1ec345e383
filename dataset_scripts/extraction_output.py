# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The output folder of an extraction while it is written: begun or taken up again, filled, closed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from modeling_amess import AmessMediaEncoder
from modeling_amess.media_amess import MediaLimits

from .clip_batches import file_size
from .extracted_features import (
    DESCRIPTION_FILE,
    ENCODER_FOLDER,
    FAILED_FILE,
    FEATURE_MODALITIES,
    ExtractedFeaturesError,
    FeaturesDescription,
    Part,
    SplitDescription,
    describe_other_input,
    partial_name,
    read_description,
    read_failures,
    write_description,
    write_part,
    write_whole,
)


def describe(
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    root: Path,
    encoder: AmessMediaEncoder,
    *,
    labels: Sequence[str] | None,
    dataset: str | None,
    dtype: str,
    max_video_length: int,
    max_audio_length: int,
    limits: MediaLimits,
    rows_per_part: int,
) -> FeaturesDescription:
    """What an extraction of these rows, by split, with these settings is; see `extract_features` for them."""
    if dtype not in ("float16", "float32"):
        raise ValueError(f"dtype={dtype!r} is not one of float16, float32")
    rows = [row for part in splits.values() for row in part]
    found = sorted({row["label"] for row in rows}) if "label" in rows[0] else None
    if found is not None and labels is not None and not set(found) <= set(labels):
        raise ValueError(f"rows have labels that are not in labels: {sorted(set(found) - set(labels))}")
    return FeaturesDescription(
        dataset=dataset,
        # As it is read back: JSON has lists for tuples.
        media_encoder=json.loads(json.dumps(encoder.record)),
        video_feature_size=encoder.config.video_feature_size,
        audio_feature_size=encoder.config.audio_feature_size,
        max_video_length=max_video_length,
        max_audio_length=max_audio_length,
        dtype=dtype,
        limits=asdict(limits),
        columns={name: _column_type(name, rows) for name in rows[0] if name not in ("id", "label", "split")},
        labels=found and list(labels or found),
        rows_per_part=rows_per_part,
        splits={name: SplitDescription(len(part), _fingerprint(part, root)) for name, part in splits.items()},
    )


def _column_type(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    kinds = {type(row[name]) for row in rows} - {type(None)}
    for kind, types in (("string", {str}), ("int64", {int}), ("float64", {int, float})):
        if kinds <= types:
            return kind
    raise ValueError(
        f"column {name!r} holds {', '.join(sorted(kind.__name__ for kind in kinds))}; give texts or numbers"
    )


def _fingerprint(rows: Sequence[Mapping[str, Any]], root: Path) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([row, file_size(root, row)], ensure_ascii=False).encode())
    return digest.hexdigest()[:32]


def prepare_output(output: Path, description: FeaturesDescription, encoder: AmessMediaEncoder) -> None:
    """Begin the folder with its description and the encoder, or find that it was begun so.

    Raises:
        ExtractedFeaturesError: it holds something else.
    """
    if output.is_file():
        raise ExtractedFeaturesError(f"output {output} is a file.")
    if (output / DESCRIPTION_FILE).is_file():
        differences = describe_other_input(read_description(output), description)
        if differences:
            raise ExtractedFeaturesError(
                f"{output} holds an extraction of something else: {'; '.join(differences)}. Give another output "
                "folder, or delete this one."
            )
        for stale in output.rglob(f"{partial_name(Path('*'))}"):
            stale.unlink()
        return
    encoder_folder = output / ENCODER_FOLDER
    own = {encoder_folder.name, partial_name(encoder_folder).name, partial_name(output / DESCRIPTION_FILE).name}
    foreign = sorted({path.name for path in output.iterdir()} - own) if output.is_dir() else []
    if foreign:
        raise ExtractedFeaturesError(
            f"{output} holds files that no extraction wrote ({', '.join(foreign[:3])}). Give another output folder."
        )
    # Nothing tells whether what an interrupted start left is whole, or of this encoder.
    for path in (encoder_folder, partial_name(encoder_folder)):
        shutil.rmtree(path, ignore_errors=True)
    encoder.save_pretrained(partial_name(encoder_folder))
    partial_name(encoder_folder).rename(encoder_folder)
    write_description(output, description)


def write_rows(
    output: Path,
    part: Part,
    rows: Sequence[Mapping[str, Any]],
    done: Mapping[int, Mapping[str, Any]],
    description: FeaturesDescription,
) -> None:
    """Write a part. `done` has, by row index, the features of each modality or the `error`."""
    written = []
    for index in part.rows:
        row = {**rows[index], "error": done[index].get("error")}
        for modality in FEATURE_MODALITIES:
            size = getattr(description, f"{modality}_feature_size")
            if size is not None:
                empty = np.zeros((0, size), description.dtype)
                row[f"{modality}_features"] = done[index].get(modality, empty)
        written.append(row)
    write_part(output, part, written, description.features)


def write_failures(output: Path, description: FeaturesDescription) -> int:
    """Write failed.jsonl from what the parts say; returns how many clips failed."""
    failures = list(read_failures(output, description.parts()))
    lines = "".join(json.dumps(failure, ensure_ascii=False) + "\n" for failure in failures)
    write_whole(output / FAILED_FILE, lambda path: path.write_text(lines, encoding="utf-8"))
    return len(failures)
