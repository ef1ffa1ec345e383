# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The downloads of MIntRec and MIntRec2.0 on disk: is the folder there, which feature files, do the sizes agree."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np

from .feature_pickles import FeaturePickleError, load_feature_pickle
from .labels import UnknownLabelError, normalize_label
from .tsv import TsvError, TsvRow


logger = logging.getLogger(__name__)

MODALITIES: tuple[str, ...] = ("video", "audio")
# The released files' names of the splits.
SPLIT_FILES: dict[str, str] = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
NO_FILE = "none"
# Where both releases keep their videos.
CLIP_FOLDER = "raw_data"


class DataDirError(FileNotFoundError):
    """`data_dir` is not given, not there, or lacks files; the message names the download and draws the layout."""


@dataclass
class FeatureFilesConfig(datasets.BuilderConfig):
    """Configuration of the builders that read a released layout.

    Attributes:
        video_features_file, audio_features_file: the pickle, relative to `data_dir` (MIntRec2.0: to its `in-scope`
            and `out-of-scope/MIntRec2.0-OOD` folders); None takes the one of the known names that is there, "none"
            goes without this modality.
        video_feature_size, audio_feature_size: size of a frame; None takes the known size of the file found.
        strict: an id without features is an error instead of a row with zero frames that is counted and reported.
    """

    video_features_file: str | None = None
    audio_features_file: str | None = None
    video_feature_size: int | None = None
    audio_feature_size: int | None = None
    strict: bool = False


@dataclass(frozen=True)
class FeatureFile:
    """One modality's pickle and the size of its frames; `path` is None where there is none."""

    path: Path | None
    size: int


def require_data_dir(data_dir: str | None, expected: Sequence[str], help_text: str) -> Path:
    """The folder, after checking that it holds at least one of the `expected` paths.

    Raises:
        DataDirError: not given, not there, or none of the paths in it.
    """
    if data_dir is None:
        raise DataDirError(f"data_dir is not set; point it at the unpacked download.\n{help_text}")
    folder = Path(data_dir).expanduser()
    if not folder.is_dir():
        raise DataDirError(f"data_dir {str(folder)!r} is not a folder.\n{help_text}")
    if any((folder / path).exists() for path in expected):
        return folder
    nested = [child for child in sorted(folder.iterdir()) if child.is_dir()]
    for child in [*nested, folder.parent]:
        if any((child / path).exists() for path in expected):
            raise DataDirError(f"data_dir {str(folder)!r} has no {expected[0]}, but {str(child)!r} has; use that.")
    raise DataDirError(f"data_dir {str(folder)!r} has none of {', '.join(expected)}.\n{help_text}")


def present_splits(folder: Path) -> dict[str, Path]:
    """Split name -> file, for those that exist; one warning names the others.

    Raises:
        DataDirError: none exists.
    """
    present = {split: folder / file for split, file in SPLIT_FILES.items() if (folder / file).is_file()}
    absent = [file for split, file in SPLIT_FILES.items() if split not in present]
    if not present:
        raise DataDirError(f"{folder} has none of {', '.join(absent)}")
    if absent:
        logger.warning("%s lacks %s; going on with %s", folder, ", ".join(absent), ", ".join(present))
    return present


def report_split_sizes(name: str, found: Mapping[str, int], published: Mapping[str, int]) -> None:
    """Warn once if the splits found have other sizes than the published ones."""
    different = [
        f"{split} {found[split]} rows (published: {published[split]})"
        for split in found
        if found[split] != published[split]
    ]
    if different:
        logger.warning(
            "%s: the sizes differ from the published ones: %s. Results on it do not compare with published ones.",
            name,
            "; ".join(different),
        )


def find_feature_file(
    folders: Sequence[Path], modality: str, known: Mapping[str, int], config: FeatureFilesConfig, default_size: int
) -> FeatureFile:
    """The pickle of a modality.

    Args:
        folders: where to look, the first that has one wins.
        modality: `video` or `audio`.
        known: path within a folder -> size of its frames, the released names.
        config: the settings.
        default_size: size of a frame where neither settings nor the name tell it.

    Raises:
        DataDirError: no file, several files, or the file set is not there.
    """
    setting = f"{modality}_features_file"
    chosen = getattr(config, setting)
    size = getattr(config, f"{modality}_feature_size")
    if chosen == NO_FILE:
        return FeatureFile(None, size or default_size)
    if chosen is not None:
        for folder in folders:
            if (folder / chosen).is_file():
                return FeatureFile(folder / chosen, size or known.get(chosen, default_size))
        raise DataDirError(f"{setting}={chosen!r} is not in {' or '.join(map(str, folders))}")
    for folder in folders:
        present = [name for name in known if (folder / name).is_file()]
        if len(present) > 1:
            raise DataDirError(
                f"{folder} has several {modality} feature files; choose with {setting}: {', '.join(present)}"
            )
        if present:
            return FeatureFile(folder / present[0], size or known[present[0]])
    raise DataDirError(
        f"no {modality} features in {' or '.join(map(str, folders))}; expected one of {', '.join(known)}. "
        f"Name another file with {setting}, go without this modality with {setting}={NO_FILE!r}, "
        'or use config_name="text"'
    )


def list_clips(folders: Sequence[Path]) -> list[str]:
    """The names of all `.mp4` files below the folders, sorted; a folder that is not there has none."""
    return sorted(f"{folder}/{path.relative_to(folder)}" for folder in folders for path in folder.rglob("*.mp4"))


def require_clip_folder(folders: Sequence[Path], help_text: str) -> None:
    """Check that there are clips to speak of.

    Raises:
        DataDirError: none of the folders exists.
    """
    if not any(folder.is_dir() for folder in folders):
        raise DataDirError(
            f'config_name="clips" needs the videos; there is no {" and no ".join(map(str, folders))}.\n{help_text}'
        )


def find_clip(folders: Sequence[Path], name: str) -> str | None:
    """Path of the clip of that name in the first of the folders that has it, or None."""
    return next((str(folder / name) for folder in folders if (folder / name).is_file()), None)


def report_missing_clips(name: str, split: str, missing: Sequence[str], num_rows: int) -> None:
    """Warn once of rows whose clip is not there, with their number and the first few ids."""
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        logger.warning(
            "%s, split %s: %d of %d rows have no clip (column clip is None): %s",
            name,
            split,
            len(missing),
            num_rows,
            shown,
        )


class FeatureStore:
    """The features of one or more pickles by id; each pickle is read when first asked for and then kept.

    Args:
        strict: an id without features is an error.
    """

    def __init__(self, strict: bool = False):
        self.strict = strict
        self._contents: dict[Path, dict[str, np.ndarray]] = {}

    def features(self, file: FeatureFile, row_id: str) -> np.ndarray | None:
        """Features of an id, float32 `(frames, size)`, or None where the file has none or there is no file.

        Raises:
            FeaturePickleError: a defect in the pickle, or a missing id under `strict`.
        """
        if file.path is None:
            return None
        if file.path not in self._contents:
            self._contents[file.path] = load_feature_pickle(file.path, file.size)
        found = self._contents[file.path].get(row_id)
        if found is None and self.strict:
            raise FeaturePickleError(f"{file.path} has no id {row_id!r}; with strict=False its row gets zero frames")
        return found

    def clear(self) -> None:
        """Let go of what was read."""
        self._contents.clear()


def report_missing_features(name: str, split: str, missing: Mapping[str, Sequence[str]], num_rows: int) -> None:
    """Warn, once a modality, of rows whose id has no features, with their number and the first few ids."""
    for modality, ids in missing.items():
        if ids:
            shown = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
            logger.warning(
                "%s, split %s: %d of %d rows have no %s features and get zero frames: %s",
                name,
                split,
                len(ids),
                num_rows,
                modality,
                shown,
            )


def read_label(path: Path, row: TsvRow, column: str, labels: Sequence[str]) -> str:
    """The label of a row in the data set's own spelling.

    Raises:
        UnknownLabelError: not one of `labels`; with file, line and column.
    """
    try:
        return normalize_label(row.cells[column], labels)
    except UnknownLabelError as error:
        raise UnknownLabelError(f"{path}, line {row.line}, column {column!r}: {error}") from error


def check_unique(path: Path, row: TsvRow, row_id: str, lines: dict[str, str]) -> None:
    """Note the id of a row in `lines`.

    Raises:
        TsvError: the id occurred before; with both places.
    """
    place = f"{path}, line {row.line}"
    if row_id in lines:
        raise TsvError(f"{place}: id {row_id!r} occurs already in {lines[row_id]}")
    lines[row_id] = place
