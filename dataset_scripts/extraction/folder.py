# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder that feature extraction writes, and `load_extracted_features`, which reads it back.

    features.json                  what the features are: encoders, sizes, columns, labels, rows of each split
    train/part-00000.parquet ...   the rows, a fixed number in each part; column `error` says why a clip failed
    media_encoder/                 the encoders themselves, for whoever wants to give a trained model clips
    failed.jsonl                   one line a clip that failed; written when every part is there

A part is written beside its place and renamed, so that a part that exists is whole, whenever the writer was killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq

from modeling_amess import AmessMediaEncoder
from modeling_amess.clip_amess import MediaLimits

from .rows import file_size


DESCRIPTION_FILE = "features.json"
FAILED_FILE = "failed.jsonl"
ENCODER_FOLDER = "media_encoder"
FEATURE_MODALITIES: tuple[str, ...] = ("video", "audio")


class ExtractedFeaturesError(ValueError):
    """A folder that is no extraction, is unfinished or belongs to other input; the message says what to do."""


@dataclass(frozen=True)
class SplitDescription:
    """The rows of a split: how many, and a fingerprint of everything that goes into them but the features."""

    rows: int
    fingerprint: str


@dataclass(frozen=True)
class FeaturesDescription:
    """The content of features.json. Two extractions with equal descriptions are the same extraction.

    Attributes:
        dataset: name of the data set whose label descriptions fit, or None.
        media_encoder: the encoders' record, as `AmessConfig.media_encoder` holds it.
        video_feature_size, audio_feature_size: size of a frame's and of a step's vector; None without that encoder.
        max_video_length, max_audio_length: frames and steps that were kept of a clip.
        dtype: `float16` or `float32`, of the features on disk.
        limits: what a clip had to stay below, the fields of `MediaLimits`.
        columns: the type of each further column of a row: `string`, `int64` or `float64`.
        labels: label names in id order; None where rows have no label.
        rows_per_part: rows of every part but a split's last.
        splits: the splits, in the order of the input.
    """

    dataset: str | None
    media_encoder: dict[str, Any]
    video_feature_size: int | None
    audio_feature_size: int | None
    max_video_length: int
    max_audio_length: int
    dtype: str
    limits: dict[str, Any]
    columns: dict[str, str]
    labels: list[str] | None
    rows_per_part: int
    splits: dict[str, SplitDescription]

    @property
    def features(self) -> datasets.Features:
        """The columns of a part."""
        columns: dict[str, object] = {"id": datasets.Value("string")}
        for name, kind in self.columns.items():
            columns[name] = datasets.Value(kind)
        if self.labels is not None:
            columns["label"] = datasets.ClassLabel(names=list(self.labels))
        for modality in FEATURE_MODALITIES:
            size = getattr(self, f"{modality}_feature_size")
            if size is not None:
                columns[f"{modality}_features"] = datasets.Array2D((None, size), self.dtype)
        columns["error"] = datasets.Value("string")
        return datasets.Features(columns)

    def parts(self) -> list[Part]:
        """All parts of all splits, in order."""
        return [
            Part(split, number, range(start, min(start + self.rows_per_part, description.rows)))
            for split, description in self.splits.items()
            for number, start in enumerate(range(0, description.rows, self.rows_per_part))
        ]


@dataclass(frozen=True)
class Part:
    """A fixed range of a split's rows, and the file that holds them."""

    split: str
    number: int
    rows: range

    def path(self, folder: Path) -> Path:
        """Where the part lies in the output folder."""
        return folder / self.split / f"part-{self.number:05d}.parquet"


def read_description(folder: str | Path) -> FeaturesDescription:
    """The description of an extraction.

    Raises:
        ExtractedFeaturesError: there is none, or it cannot be read.
    """
    path = Path(folder) / DESCRIPTION_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        splits = {name: SplitDescription(**split) for name, split in content.pop("splits").items()}
        return FeaturesDescription(**content, splits=splits)
    except FileNotFoundError as error:
        raise ExtractedFeaturesError(f"{folder} holds no extracted features: it has no {DESCRIPTION_FILE}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExtractedFeaturesError(f"{path} cannot be read ({error}); extract the features again.") from error


def write_description(folder: Path, description: FeaturesDescription) -> None:
    """Write features.json."""
    text = json.dumps(asdict(description), indent=2, ensure_ascii=False) + "\n"
    write_whole(folder / DESCRIPTION_FILE, lambda path: path.write_text(text, encoding="utf-8"))


def describe_other_input(found: FeaturesDescription, wanted: FeaturesDescription) -> list[str]:
    """What differs between the extraction found in a folder and the one asked for, in words."""
    differences = []
    ours, theirs = asdict(wanted), asdict(found)
    for name in ours:
        if ours[name] == theirs[name]:
            continue
        if name == "splits":
            differences += _describe_other_rows(theirs[name], ours[name])
        elif isinstance(ours[name], dict):
            for key in sorted({*ours[name], *theirs[name]}):
                if ours[name].get(key) != theirs[name].get(key):
                    differences.append(f"{name}[{key!r}] was {theirs[name].get(key)!r} and is {ours[name].get(key)!r}")
        else:
            differences.append(f"{name} was {theirs[name]!r} and is {ours[name]!r}")
    return differences


def _describe_other_rows(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    if list(found) != list(wanted):
        return [f"its splits are {', '.join(found)} instead of {', '.join(wanted)}"]
    differences = []
    for split, rows in wanted.items():
        if found[split]["rows"] != rows["rows"]:
            differences.append(f"its split {split} has {found[split]['rows']} rows instead of {rows['rows']}")
        elif found[split] != rows:
            differences.append(f"its split {split} has other rows, or the clips have changed since")
    return differences


def write_part(folder: Path, part: Part, rows: Sequence[Mapping[str, Any]], features: datasets.Features) -> None:
    """Write a part. The same rows give the same bytes."""
    columns = {name: [row[name] for row in rows] for name in features}
    table = datasets.Dataset.from_dict(columns, features=features).data.table
    table = table.replace_schema_metadata(features.arrow_schema.metadata)
    write_whole(part.path(folder), lambda path: pq.write_table(table, path))


def read_failures(folder: Path, parts: Sequence[Part]) -> Iterator[dict[str, str | None]]:
    """The clips of these parts that failed: split, id, clip and error."""
    for part in parts:
        for row in pq.read_table(part.path(folder), columns=["id", "clip", "error"]).to_pylist():
            if row["error"] is not None:
                yield {"split": part.split, **row}


def load_extracted_features(folder: str | Path, *, cache_dir: str | Path | None = None) -> datasets.DatasetDict:
    """The features of an extraction, one split for each of its own, in format "numpy".

    Rows: `id`, `clip`, `text` and `label` (ClassLabel) where the input had them, its further columns,
    `video_features` and `audio_features` `(frames, size)` (zero frames where a clip has none or failed) and `error`,
    None where all went well.

    Args:
        folder: the output folder of the extraction.
        cache_dir: where the Arrow files go; by default the cache of `datasets`.

    Raises:
        ExtractedFeaturesError: no extraction, or one that has not come to its end.
    """
    folder = Path(folder)
    description = read_description(folder)
    parts = description.parts()
    missing = [part for part in parts if not part.path(folder).is_file()]
    if missing:
        raise ExtractedFeaturesError(
            f"The extraction in {folder} is unfinished: {len(missing)} of {len(parts)} parts are missing. Give the "
            "same command again; it goes on where it stopped."
        )
    files = {split: [str(part.path(folder)) for part in parts if part.split == split] for split in description.splits}
    dataset = datasets.load_dataset(
        "parquet", data_files=files, cache_dir=None if cache_dir is None else str(cache_dir)
    )
    return dataset.with_format("numpy")


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Have `write` make a file beside `path`, force it to disk and put it in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_name(path)
    write(partial)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    partial.rename(path)


def partial_name(path: Path) -> Path:
    """Where a file or folder is made before it takes its name."""
    return path.with_name(f".{path.name}.partial")


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
