# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder that feature extraction writes, and `load_extracted_features`, which reads it back.

    features.json                  description of the features: encoders, sizes, columns, labels, rows of each split
    train/part-00000.parquet ...   the rows, a fixed number per part; column `error` says why a clip failed
    media_encoder/                 the encoders themselves, for a trained model that is to take clips
    failed.jsonl                   one line per clip that failed; written when every part exists

A part is written beside its place and renamed, so that a part that exists is whole, whenever the writer was killed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq

from modeling_amess import AmessMediaEncoder
from modeling_amess.clip_amess import MediaLimits

from ..errors import UserError
from ..files import is_unfinished, partial_of, replacing, sync, write_json
from ..registry import FEATURES_FILE
from .rows import file_size
from .settings import ContentSettings, ExtractionSettings


DESCRIPTION_FILE = FEATURES_FILE
FAILED_FILE = "failed.jsonl"
ENCODER_FOLDER = "media_encoder"
FEATURE_MODALITIES: tuple[str, ...] = ("video", "audio")
# Keys of a line of failed.jsonl.
_FAILURE_KEYS = {"split", "id", "clip", "error"}


class ExtractedFeaturesError(UserError):
    """A folder that is no extraction, is unfinished or holds other input. The message says what to do."""


@dataclass(frozen=True)
class SplitDescription:
    """The rows of a split.

    Attributes:
        rows: Number of rows.
        fingerprint: Fingerprint of everything in the rows but the features.
    """

    rows: int
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class FeaturesDescription(ContentSettings):
    """Content of features.json. Two extractions with equal descriptions are the same extraction.

    Attributes:
        dataset: Name of the data set whose label descriptions fit, or None.
        media_encoder: Encoder record, as `AmessConfig.media_encoder` holds it.
        video_feature_size: Size of a frame's features, or None without a video encoder.
        audio_feature_size: Size of an audio step's features, or None without an audio encoder.
        limits: Limits that a clip had to keep, the fields of `MediaLimits`.
        columns: Type of each further column of a row: `string`, `int64` or `float64`.
        labels: Label names in id order, or None where rows have no label.
        splits: The splits, in the order of the input.
    """

    dataset: str | None
    media_encoder: dict[str, Any]
    video_feature_size: int | None
    audio_feature_size: int | None
    limits: dict[str, Any]
    columns: dict[str, str]
    labels: list[str] | None
    splits: dict[str, SplitDescription]

    @property
    def feature_sizes(self) -> dict[str, int]:
        """Size of a frame or step by modality, for the modalities that have an encoder."""
        sizes = zip(FEATURE_MODALITIES, (self.video_feature_size, self.audio_feature_size), strict=True)
        return {modality: size for modality, size in sizes if size is not None}

    @property
    def features(self) -> datasets.Features:
        """The columns of a part."""
        columns: dict[str, object] = {"id": datasets.Value("string")}
        for name, kind in self.columns.items():
            columns[name] = datasets.Value(kind)
        if self.labels is not None:
            columns["label"] = datasets.ClassLabel(names=list(self.labels))
        for modality, size in self.feature_sizes.items():
            columns[f"{modality}_features"] = datasets.Array2D((None, size), self.dtype)
        columns["error"] = datasets.Value("string")
        return datasets.Features(columns)

    def parts(self) -> list[Part]:
        """Return all parts of all splits in order."""
        return [
            Part(split, number, range(start, min(start + self.rows_per_part, description.rows)))
            for split, description in self.splits.items()
            for number, start in enumerate(range(0, description.rows, self.rows_per_part))
        ]


@dataclass(frozen=True)
class Part:
    """A fixed range of a split's rows, which one file holds."""

    split: str
    number: int
    rows: range

    def path(self, folder: Path) -> Path:
        """Return the path of the file in the output folder."""
        return folder / self.split / f"part-{self.number:05d}.parquet"


def describe(
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    root: Path,
    encoder: AmessMediaEncoder,
    settings: ExtractionSettings,
    *,
    labels: Sequence[str] | None,
    dataset: str | None,
) -> FeaturesDescription:
    """Describe the extraction of these rows, by split, with these settings.

    See `extract_features` for the arguments.

    Raises:
        UserError: A column mixes types, or a row has a label that is not in `labels`.
    """
    rows = [row for part in splits.values() for row in part]
    occurring = sorted({row["label"] for row in rows}) if "label" in rows[0] else None
    if occurring is not None and labels is not None and not set(occurring) <= set(labels):
        raise UserError(f"Rows have labels that are not in labels: {sorted(set(occurring) - set(labels))}.")
    sizes = {modality: encoder.feature_size(modality) for modality in encoder.config.modalities}
    return FeaturesDescription(
        **{field.name: getattr(settings, field.name) for field in fields(ContentSettings)},
        dataset=dataset,
        # As features.json gives it back: JSON has lists for tuples.
        media_encoder=json.loads(json.dumps(encoder.record)),
        video_feature_size=sizes.get("video"),
        audio_feature_size=sizes.get("audio"),
        limits=asdict(settings.limits or MediaLimits()),
        columns={name: _column_type(name, rows) for name in rows[0] if name not in ("id", "label", "split")},
        labels=occurring and list(labels or occurring),
        splits={name: SplitDescription(len(part), _fingerprint(part, root)) for name, part in splits.items()},
    )


def read_description(folder: str | Path) -> FeaturesDescription:
    """Read the description of an extraction.

    Raises:
        ExtractedFeaturesError: There is none, or it cannot be read.
    """
    path = Path(folder) / DESCRIPTION_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        splits = {name: SplitDescription(**split) for name, split in content.pop("splits").items()}
        return FeaturesDescription(**content, splits=splits)
    except FileNotFoundError as error:
        raise ExtractedFeaturesError(f"{folder} holds no extracted features: it has no {DESCRIPTION_FILE}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExtractedFeaturesError(f"{path} cannot be read ({error}). Extract the features again.") from error


def write_description(
    folder: Path, description: FeaturesDescription, encoder: AmessMediaEncoder | None = None
) -> None:
    """Write features.json, and the encoder before features.json gets its name."""
    encoder_folder = folder / ENCODER_FOLDER
    try:
        with replacing(folder / DESCRIPTION_FILE) as partial:
            write_json(partial, asdict(description))
            if encoder is not None:
                # An encoder that a killed start left may be another one.
                with replacing(encoder_folder) as encoder_partial:
                    encoder.save_pretrained(encoder_partial)
    except BaseException:
        if encoder is not None:  # Without the description nothing says that it is ours.
            shutil.rmtree(encoder_folder, ignore_errors=True)
        raise


def describe_other_input(present: FeaturesDescription, wanted: FeaturesDescription) -> list[str]:
    """Say in words how the extraction in a folder differs from the wanted one."""
    differences = []
    old, new = asdict(present), asdict(wanted)
    for name in new:
        if new[name] == old[name]:
            continue
        if name == "splits":
            differences += _describe_other_rows(old[name], new[name])
        elif isinstance(new[name], dict):
            for key in sorted({*new[name], *old[name]}):
                if new[name].get(key) != old[name].get(key):
                    differences.append(f"{name}[{key!r}] was {old[name].get(key)!r} and is {new[name].get(key)!r}")
        else:
            differences.append(f"{name} was {old[name]!r} and is {new[name]!r}")
    return differences


def _describe_other_rows(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    if list(present) != list(wanted):
        return [f"its splits are {', '.join(present)} instead of {', '.join(wanted)}"]
    differences = []
    for split, rows in wanted.items():
        if present[split]["rows"] != rows["rows"]:
            differences.append(f"its split {split} has {present[split]['rows']} rows instead of {rows['rows']}")
        elif present[split] != rows:
            differences.append(f"its split {split} has other rows, or the clips have changed since")
    return differences


def prepare_output(output: Path, description: FeaturesDescription, encoder: AmessMediaEncoder) -> None:
    """Begin the folder with description and encoder, or check that it was begun with the same ones.

    Raises:
        ExtractedFeaturesError: The folder holds something else.
    """
    if output.is_file():
        raise ExtractedFeaturesError(f"The output {output} is a file. Give a folder.")
    if (output / DESCRIPTION_FILE).is_file():
        differences = describe_other_input(read_description(output), description)
        if differences:
            raise ExtractedFeaturesError(
                f"{output} holds an extraction of something else: {'; '.join(differences)}. Give another output "
                "folder, or delete this one."
            )
        _check_failures(output / FAILED_FILE)
        return
    encoder_folder = output / ENCODER_FOLDER
    present = [] if not output.is_dir() else [path for path in output.iterdir() if not is_unfinished(path)]
    # A killed start leaves the encoder, and its description with the name of a part.
    begun = partial_of(output / DESCRIPTION_FILE).is_file()
    foreign = sorted(path.name for path in present if not (begun and path == encoder_folder))
    if foreign:
        raise ExtractedFeaturesError(
            f"{output} holds files that no extraction wrote ({', '.join(foreign[:3])}). Give another output folder."
        )
    output.mkdir(parents=True, exist_ok=True)
    write_description(output, description, encoder)


def _check_failures(file: Path) -> None:
    """Refuse a file of the user's with the name of the list of failures, which is written at the end."""
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        ours = all(set(line) == _FAILURE_KEYS for line in lines)
    except FileNotFoundError:
        return
    except (ValueError, TypeError):
        ours = False
    if not ours:
        raise ExtractedFeaturesError(
            f"{file} was not written by the extraction, which writes a file of that name. It is kept. Move it to "
            "another folder and give the same command again."
        )


def write_rows(
    output: Path,
    part: Part,
    rows: Sequence[Mapping[str, Any]],
    done: Mapping[int, Mapping[str, Any]],
    description: FeaturesDescription,
) -> None:
    """Write a part.

    Args:
        output: Output folder.
        part: Part to write.
        rows: Rows of the split.
        done: Features of each modality, or the `error`, by row index.
        description: Description of the extraction.
    """
    written = []
    for index in part.rows:
        row = {**rows[index], "error": done[index].get("error")}
        for modality, size in description.feature_sizes.items():
            row[f"{modality}_features"] = done[index].get(modality, np.zeros((0, size), description.dtype))
        written.append(row)
    write_part(output, part, written, description.features)


def write_part(folder: Path, part: Part, rows: Sequence[Mapping[str, Any]], features: datasets.Features) -> None:
    """Write a part from its rows. The same rows give the same bytes."""
    columns = {name: [row[name] for row in rows] for name in features}
    table = datasets.Dataset.from_dict(columns, features=features).data.table
    path = part.path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        pq.write_table(table.replace_schema_metadata(features.arrow_schema.metadata), partial)
        sync(partial)


def write_failures(output: Path, description: FeaturesDescription) -> int:
    """Write failed.jsonl from the parts, and return how many clips failed."""
    lines = [json.dumps(failure, ensure_ascii=False) for failure in _read_failures(output, description.parts())]
    with replacing(output / FAILED_FILE) as partial:
        partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        sync(partial)
    return len(lines)


def _read_failures(folder: Path, parts: Sequence[Part]) -> Iterator[dict[str, str | None]]:
    for part in parts:
        for row in pq.read_table(part.path(folder), columns=["id", "clip", "error"]).to_pylist():
            if row["error"] is not None:
                yield {"split": part.split, **row}


def load_extracted_features(folder: str | Path, *, cache_dir: str | Path | None = None) -> datasets.DatasetDict:
    """Load the features of an extraction with its splits, in format "numpy".

    Rows have `id`, `clip`, `text` and `label` (ClassLabel) where the input had them, its further columns,
    `video_features` and `audio_features` `(frames, size)` (zero frames where a clip has none or failed) and `error`,
    which is None where nothing failed.

    Args:
        folder: Output folder of the extraction.
        cache_dir: Folder of the Arrow files, by default the cache of `datasets`.

    Raises:
        ExtractedFeaturesError: The folder holds no extraction, or an unfinished one.
    """
    folder = Path(folder)
    description = read_description(folder)
    parts = description.parts()
    missing = [part for part in parts if not part.path(folder).is_file()]
    if missing:
        raise ExtractedFeaturesError(
            f"The extraction in {folder} is unfinished: {len(missing)} of {len(parts)} parts are missing. Give the "
            "same command again to continue it."
        )
    files = {split: [str(part.path(folder)) for part in parts if part.split == split] for split in description.splits}
    dataset = datasets.load_dataset(
        "parquet", data_files=files, cache_dir=None if cache_dir is None else str(cache_dir)
    )
    return dataset.with_format("numpy")


def _column_type(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    kinds = {type(row[name]) for row in rows} - {type(None)}
    for kind, types in (("string", {str}), ("int64", {int}), ("float64", {int, float})):
        if kinds <= types:
            return kind
    raise UserError(
        f"Column {name!r} holds {', '.join(sorted(kind.__name__ for kind in kinds))}. Give texts or numbers alone."
    )


def _fingerprint(rows: Sequence[Mapping[str, Any]], root: Path) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([row, file_size(root, row)], ensure_ascii=False).encode())
    return digest.hexdigest()[:32]
