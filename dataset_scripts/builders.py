# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the builders of this folder share: the columns of a row, the descriptions' table, the cache's fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import datasets

from .labels import load_label_descriptions


# Feature pickles have gigabytes; of a file longer than this only size, time, head and tail are looked at.
_WHOLE_FILE_BYTES = 4 * 1024 * 1024
_SAMPLED_BYTES = 64 * 1024


def row_features(
    labels: Sequence[str],
    feature_sizes: tuple[int, int] | None,
    extra: Mapping[str, object] | None = None,
) -> datasets.Features:
    """The columns of a data set.

    Args:
        labels: label names in id order.
        feature_sizes: sizes of a video and of an audio frame, or None for a data set of text alone.
        extra: further columns.
    """
    columns: dict[str, object] = {
        "id": datasets.Value("string"),
        "text": datasets.Value("string"),
        "label": datasets.ClassLabel(names=list(labels)),
        **(extra or {}),
    }
    if feature_sizes is not None:
        columns["video_features"] = datasets.Array2D((None, feature_sizes[0]), "float32")
        columns["audio_features"] = datasets.Array2D((None, feature_sizes[1]), "float32")
    return datasets.Features(columns)


def description_features(name: str) -> datasets.Features:
    """The columns of config `label_descriptions`: `label`, `description_1`, `description_2`, ..."""
    count = max(len(sentences) for sentences in load_label_descriptions(name).values())
    columns = ["label", *(f"description_{number}" for number in range(1, count + 1))]
    return datasets.Features({column: datasets.Value("string") for column in columns})


def description_rows(name: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The rows of config `label_descriptions`, one a label in id order; a label with fewer sentences has None."""
    columns = list(description_features(name))[1:]
    for index, (label, sentences) in enumerate(load_label_descriptions(name).items()):
        padded = [*sentences, *[None] * (len(columns) - len(sentences))]
        yield index, {"label": label, **dict(zip(columns, padded, strict=True))}


def fingerprint_files(
    files: Iterable[str | Path], sources: Iterable[str | Path] = (), names: Iterable[str] = ()
) -> str:
    """A fingerprint of data files and of the code that reads them, for the `hash=` of a builder.

    `datasets` keys its cache by path and settings alone, so that a file changed in place would give stale rows.
    Small files count by content; large ones by size, time of change, head and tail. A file that does not exist counts
    as such. Of `names` (clips, of which only the path goes into a row) nothing but the name counts.
    """
    digest = hashlib.sha256()
    code = [
        *sources,
        *(
            Path(__file__).with_name(f"{name}.py")
            for name in ("builders", "labels", "tsv", "feature_pickles", "synthetic_features")
        ),
    ]
    for path in [*map(Path, code), *map(Path, files)]:
        digest.update(f"\0{path.name}\0".encode())
        if path.is_file():
            _update_digest(digest, path)
    for name in names:
        digest.update(f"\0{name}\0".encode())
    return digest.hexdigest()[:32]


def _update_digest(digest, path: Path) -> None:
    status = path.stat()
    digest.update(f"{status.st_size}\0".encode())
    with open(path, "rb") as file:
        if status.st_size <= _WHOLE_FILE_BYTES:
            digest.update(file.read())
            return
        digest.update(f"{status.st_mtime_ns}\0".encode())
        digest.update(file.read(_SAMPLED_BYTES))
        file.seek(-_SAMPLED_BYTES, 2)
        digest.update(file.read())
