# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The base of the builders that read a release from disk: folder, rows, feature files and clips."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import datasets
import numpy as np

from .builders import description_features, description_rows, row_features
from .errors import UserError
from .feature_pickles import FeaturePickleError, load_feature_pickle
from .fingerprints import fingerprint_files
from .labels import UnknownLabelError, description_files, label_names, normalize_label
from .tsv import TsvError, TsvRow


logger = logging.getLogger(__name__)

MODALITIES: tuple[str, ...] = ("video", "audio")
# Names that both releases give to the files of the splits and to the folder of the clips.
SPLIT_FILES: dict[str, str] = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
CLIP_FOLDER = "raw_data"
NO_FILE = "none"


class DataDirError(UserError, FileNotFoundError):
    """`data_dir` is not given, does not exist, or lacks files. The message draws the layout."""


@dataclass
class FeatureFilesConfig(datasets.BuilderConfig):
    """Configuration of the builders that read a release.

    Attributes:
        video_features_file: Pickle of the video features, relative to `data_dir` (MIntRec2.0: to its folders
            `in-scope` and `out-of-scope/MIntRec2.0-OOD`). None takes the one file with a known name, "none" loads the
            data set without this modality.
        audio_features_file: Pickle of the audio features, likewise.
        video_feature_size: Size of a video frame's features. None takes the known size of the file.
        audio_feature_size: Size of an audio step's features, likewise.
        strict: Whether an id without features is an error. Otherwise its row has zero frames and is reported.
    """

    video_features_file: str | None = None
    audio_features_file: str | None = None
    video_feature_size: int | None = None
    audio_feature_size: int | None = None
    strict: bool = False


@dataclass(frozen=True)
class FeatureFile:
    """One modality's pickle, None for a data set without the modality, and the size of its frames."""

    path: Path | None
    size: int


class ReleasedBuilder(datasets.GeneratorBasedBuilder):
    """Base of the builders of MIntRec and MIntRec2.0.

    A subclass names the folders, files and sizes of its release, and reads the rows.

    Rows have `id`, `text`, `label`, `clip` and further columns of the subclass, and with config `features` also
    `video_features` and `audio_features`, whose sizes are `feature_sizes`. With config `clips`, column `clip` holds
    the path on this machine, or None where the file is missing.

    Attributes:
        NAME: Name of the data set in the registry.
        TITLE: Name of the data set in messages.
        DESCRIPTION: One sentence for `DatasetInfo`.
        HOMEPAGE: Page of the release.
        HELP_TEXT: Where the release comes from, and its layout.
        PARTS: Folder of each part of the release, relative to `data_dir`, by the part's name.
        SHARED_FOLDERS: Folders whose features serve parts that have no features of their own.
        EXPECTED: Paths of which a `data_dir` holds at least one.
        SPLIT_SIZES: Published number of rows by part and split.
        FEATURE_FILES: Known feature files by modality, each with the size of its frames.
        DEFAULT_FEATURE_SIZES: Size of a frame in a file with another name.
        COLUMN_TYPES: Types of the columns beside `id`, `text`, `label` and the features.
        TABLE_COLUMNS: Header of the files of the splits.
        TEXT_COLUMN: The column of them with what is said.
        LABEL_COLUMN: The column of them with the label.
        ID_IN_NAME: Id in the name of a clip, without its ending, or in a table of another form. Its groups are named
            as the columns that make up the id.
    """

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    DESCRIPTION: ClassVar[str]
    HOMEPAGE: ClassVar[str]
    HELP_TEXT: ClassVar[str]
    PARTS: ClassVar[Mapping[str, str]]
    SHARED_FOLDERS: ClassVar[Sequence[str]] = ()
    EXPECTED: ClassVar[Sequence[str]]
    SPLIT_SIZES: ClassVar[Mapping[str, Mapping[str, int]]]
    FEATURE_FILES: ClassVar[Mapping[str, Mapping[str, int]]]
    DEFAULT_FEATURE_SIZES: ClassVar[Mapping[str, int]] = {"video": 256, "audio": 768}
    COLUMN_TYPES: ClassVar[Mapping[str, str]]
    TABLE_COLUMNS: ClassVar[Sequence[str]]
    TEXT_COLUMN: ClassVar[str]
    LABEL_COLUMN: ClassVar[str]
    ID_IN_NAME: ClassVar[re.Pattern[str]]

    BUILDER_CONFIG_CLASS = FeatureFilesConfig
    DEFAULT_CONFIG_NAME = "features"
    DEFAULT_WRITER_BATCH_SIZE = 64

    def __init__(self, *args: Any, data_dir: str | None = None, hash: str | None = None, **kwargs: Any):
        if hash is None:
            # Without it, rows cached earlier would be served although the files under the same path have changed.
            root = Path(data_dir or ".").expanduser()
            names = [*SPLIT_FILES.values(), *(name for files in self.FEATURE_FILES.values() for name in files)]
            names += [kwargs.get(f"{modality}_features_file") or "" for modality in MODALITIES]
            folders = [root / folder for folder in (*self.PARTS.values(), *self.SHARED_FOLDERS)]
            files = [*description_files(self.NAME), *(folder / name for folder in folders for name in names)]
            clips = _list_clips(self._clip_folders(root)) if kwargs.get("config_name") == "clips" else ()
            hash = fingerprint_files(files, module=inspect.getfile(type(self)), names=clips)
        super().__init__(*args, data_dir=data_dir, hash=hash, **kwargs)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the release that are read."""
        return tuple(self.PARTS)

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in id order."""
        return label_names(self.NAME)

    @property
    def feature_sizes(self) -> dict[str, int]:
        """Size of a frame by modality, with config `features`."""
        sizes: dict[str, int] = {}
        for files in self.feature_files.values():
            for modality, file in files.items():
                if sizes.setdefault(modality, file.size) != file.size:
                    raise DataDirError(
                        f"The parts of {self.TITLE} have {modality} features of different sizes "
                        f"({sizes[modality]} and {file.size}). Choose files with "
                        f"{in_words(f'{modality}_features_file')}."
                    )
        return sizes

    @classmethod
    def clip_path(cls, cells: Mapping[str, str]) -> str:
        """Return the path of a clip in `data_dir`, from the cells that make up its id."""
        raise NotImplementedError

    @classmethod
    def table_row(cls, id_cells: Mapping[str, str], text: str, label: str) -> dict[str, str]:
        """Return a row of a split's file, by column. What is not known is an empty cell."""
        return {
            **dict.fromkeys(cls.TABLE_COLUMNS, ""),
            **id_cells,
            cls.TEXT_COLUMN: text,
            cls.LABEL_COLUMN: label,
        }

    @classmethod
    def part_of_label(cls, label: str) -> str:
        """Return the part of the release that holds the utterances of a label."""
        (part,) = cls.PARTS
        return part

    def read_rows(self, path: Path, part: str, places: dict[str, str]) -> list[dict[str, Any]]:
        """Read the rows of a split file of a part.

        Args:
            path: TSV file of the split.
            part: Name of the part.
            places: Place of each id that was read before, for `check_unique`.
        """
        raise NotImplementedError

    def in_order(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows of all parts of a split in the order of the data set."""
        return rows

    def data_folder(self) -> Path:
        """Return `data_dir` after a check that it holds the release.

        Raises:
            DataDirError: `data_dir` is not given, is no folder, or holds none of `EXPECTED`.
        """
        if self.config.data_dir is None:
            raise DataDirError(
                f"data_dir is not set. Give the folder of the unpacked download (--data_dir).\n{self.HELP_TEXT}"
            )
        folder = Path(self.config.data_dir).expanduser()
        if not folder.is_dir():
            raise DataDirError(f"data_dir {str(folder)!r} is not a folder.\n{self.HELP_TEXT}")
        if self._holds_release(folder):
            return folder
        for other in (*sorted(child for child in folder.iterdir() if child.is_dir()), folder.parent):
            if self._holds_release(other):
                raise DataDirError(
                    f"data_dir {str(folder)!r} has no {self.EXPECTED[0]}, but {str(other)!r} has one. Use that folder."
                )
        raise DataDirError(f"data_dir {str(folder)!r} has none of {', '.join(self.EXPECTED)}.\n{self.HELP_TEXT}")

    def _holds_release(self, folder: Path) -> bool:
        return any((folder / path).exists() for path in self.EXPECTED)

    def _clip_folders(self, root: Path) -> list[Path]:
        # A release has one folder for all clips, or one in each part.
        parents = dict.fromkeys((".", *self.PARTS.values(), *self.SHARED_FOLDERS))
        return [root / parent / CLIP_FOLDER for parent in parents]

    def _info(self) -> datasets.DatasetInfo:
        self.feature_files: dict[str, dict[str, FeatureFile]] = {}
        self._store = FeatureStore(self.config.strict)
        if self.config.name == "label_descriptions":
            return datasets.DatasetInfo(features=description_features(self.NAME))
        root = self.data_folder()
        if self.config.name == "features":
            for part in self.parts:
                folders = [root / folder for folder in (self.PARTS[part], *self.SHARED_FOLDERS)]
                self.feature_files[part] = {
                    modality: _find_feature_file(
                        folders,
                        modality,
                        self.FEATURE_FILES[modality],
                        self.config,
                        self.DEFAULT_FEATURE_SIZES[modality],
                    )
                    for modality in MODALITIES
                }
        clip_folders = self._clip_folders(root)
        if self.config.name == "clips" and not any(folder.is_dir() for folder in clip_folders):
            absent = " or ".join(map(str, clip_folders))
            raise DataDirError(f'config_name="clips" needs the clips. There is no {absent}.\n{self.HELP_TEXT}')
        return datasets.DatasetInfo(
            description=self.DESCRIPTION,
            homepage=self.HOMEPAGE,
            features=row_features(
                self.labels,
                self.feature_sizes,
                {name: datasets.Value(kind) for name, kind in self.COLUMN_TYPES.items()},
            ),
        )

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        if self.config.name == "label_descriptions":
            return [datasets.SplitGenerator("train", gen_kwargs={"split": "train", "rows": None})]
        root = self.data_folder()
        places: dict[str, str] = {}
        splits: dict[str, dict[str, list[dict[str, Any]]]] = {split: {} for split in SPLIT_FILES}
        for part in self.parts:
            sizes = {}
            for split, path in _present_splits(root / self.PARTS[part]).items():
                rows = self.read_rows(path, part, places)
                splits[split][part] = [{**row, "part": part} for row in rows]
                sizes[split] = len(rows)
            _report_split_sizes(f"{self.TITLE} {part}".strip(), sizes, self.SPLIT_SIZES[part])
        self._check_feature_ids(splits)
        generators = []
        for split, parts in splits.items():
            if len(parts) < len(self.parts):
                if parts:
                    logger.warning("%s: split %s has only %s. It is left out.", self.TITLE, split, ", ".join(parts))
                continue
            ordered = self.in_order([row for rows in parts.values() for row in rows])
            # A tuple: `datasets` would take a list for shards.
            generators.append(datasets.SplitGenerator(split, gen_kwargs={"split": split, "rows": tuple(ordered)}))
        if not generators:
            raise DataDirError(f"{root}: No split exists in every one of the parts {', '.join(self.parts)}.")
        return generators

    def _check_feature_ids(self, splits: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> None:
        """Raise FeaturePickleError for a file that has features of none of the rows that it serves."""
        served: dict[FeatureFile, list[str]] = {}
        for parts in splits.values():
            for part, rows in parts.items():
                for file in self.feature_files.get(part, {}).values():
                    served.setdefault(file, []).extend(row["id"] for row in rows)
        for file, row_ids in served.items():
            ids = self._store.ids(file)
            if ids is not None and ids.isdisjoint(row_ids):
                raise FeaturePickleError(
                    f"{file.path} has features of none of the {len(row_ids)} rows of {self.TITLE}: its {len(ids)} ids "
                    f"are written like {_first(sorted(ids))}, those of the rows like {_first(row_ids)}. It belongs to "
                    "other data, or its ids need to be renamed."
                )

    def _download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        try:
            super()._download_and_prepare(*args, **kwargs)
        finally:
            self._store.clear()

    def _generate_examples(
        self, split: str, rows: tuple[dict[str, Any], ...] | None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        if rows is None:
            yield from description_rows(self.NAME)
            return
        missing: dict[str, list[str]] = {modality: [] for modality in (*MODALITIES, "clip")}
        for index, row in enumerate(rows):
            row = dict(row)
            if self.config.name == "clips":
                row["clip"] = self._find_clip(row["clip"])
                if row["clip"] is None:
                    missing["clip"].append(row["id"])
            for modality, file in self.feature_files.get(row.pop("part"), {}).items():
                features = self._store.features(file, row["id"])
                if features is None:
                    missing[modality].append(row["id"])
                    features = np.zeros((0, file.size), dtype=np.float32)
                row[f"{modality}_features"] = features
            yield index, row
        where = f"{self.TITLE}, split {split}"
        for modality in MODALITIES:
            _report_missing(where, f"no {modality} features and get zero frames", missing[modality], len(rows))
        _report_missing(where, "no clip (column clip is None)", missing["clip"], len(rows))

    def _find_clip(self, name: str) -> str | None:
        folders = self._clip_folders(Path(self.config.data_dir).expanduser())
        paths = [folder / name.removeprefix(f"{CLIP_FOLDER}/") for folder in folders]
        return next((str(path) for path in paths if path.is_file()), None)


class FeatureStore:
    """The features of one or more pickles by id. Each pickle is read on first use and then kept.

    Args:
        strict: Whether an id without features is an error.
    """

    def __init__(self, strict: bool = False):
        self.strict = strict
        self._contents: dict[Path, dict[str, np.ndarray]] = {}

    def features(self, file: FeatureFile, row_id: str) -> np.ndarray | None:
        """Return the features of an id, float32 `(frames, size)`, or None where there are none.

        Raises:
            FeaturePickleError: The pickle is malformed, or lacks the id while `strict` is set.
        """
        contents = self._read(file)
        if contents is None:
            return None
        features = contents.get(row_id)
        if features is None and self.strict:
            raise FeaturePickleError(
                f"{file.path} has no id {row_id!r}. Without {in_words('strict')} its row gets zero frames."
            )
        return features

    def ids(self, file: FeatureFile) -> Set[str] | None:
        """Return the ids that have features, or None for a data set without the modality.

        Raises:
            FeaturePickleError: The pickle is malformed.
        """
        contents = self._read(file)
        return None if contents is None else contents.keys()

    def _read(self, file: FeatureFile) -> dict[str, np.ndarray] | None:
        if file.path is not None and file.path not in self._contents:
            self._contents[file.path] = load_feature_pickle(file.path, file.size)
        return None if file.path is None else self._contents[file.path]

    def clear(self) -> None:
        """Free the memory of the pickles."""
        self._contents.clear()


def in_words(option: str) -> str:
    """Name an option of the builders as a command line and as Python have it."""
    return f"--dataset_options.{option} (in Python {option}=)"


def read_label(path: Path, row: TsvRow, column: str, labels: Sequence[str]) -> str:
    """Return the label of a row in the data set's own spelling.

    Raises:
        UnknownLabelError: The label is not one of `labels`. The message names file, line and column.
    """
    try:
        return normalize_label(row.cells[column], labels)
    except UnknownLabelError as error:
        raise UnknownLabelError(f"{path}, line {row.line}, column {column!r}: {error}") from error


def check_unique(path: Path, row: TsvRow, row_id: str, places: dict[str, str]) -> None:
    """Note the place of an id in `places`.

    Raises:
        TsvError: The id occurs twice. The message names both places.
    """
    place = f"{path}, line {row.line}"
    if row_id in places:
        raise TsvError(f"{place}: Id {row_id!r} occurs already in {places[row_id]}.")
    places[row_id] = place


def _present_splits(folder: Path) -> dict[str, Path]:
    """The files of the splits that exist. One warning names the others."""
    present = {split: folder / file for split, file in SPLIT_FILES.items() if (folder / file).is_file()}
    absent = [file for split, file in SPLIT_FILES.items() if split not in present]
    if not present:
        raise DataDirError(f"{folder} has none of {', '.join(absent)}.")
    if absent:
        logger.warning("%s lacks %s. Only %s are loaded.", folder, ", ".join(absent), ", ".join(present))
    return present


def _report_split_sizes(name: str, sizes: Mapping[str, int], published: Mapping[str, int]) -> None:
    different = [
        f"{split} {size} rows (published: {published[split]})"
        for split, size in sizes.items()
        if size != published[split]
    ]
    if different:
        logger.warning(
            "%s: The sizes differ from the published ones: %s. Do not compare results on it with published ones.",
            name,
            "; ".join(different),
        )


def _report_missing(where: str, what: str, ids: Sequence[str], num_rows: int) -> None:
    if ids:
        logger.warning("%s: %d of %d rows have %s: %s", where, len(ids), num_rows, what, _first(ids))


def _first(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")


def _list_clips(folders: Sequence[Path]) -> list[str]:
    return sorted(f"{folder}/{path.relative_to(folder)}" for folder in folders for path in folder.rglob("*.mp4"))


def _find_feature_file(
    folders: Sequence[Path], modality: str, known: Mapping[str, int], config: FeatureFilesConfig, default_size: int
) -> FeatureFile:
    """The pickle of a modality in the first of the folders that has one.

    Raises:
        DataDirError: No file, several files, or the file that the configuration names does not exist.
    """
    setting = f"{modality}_features_file"
    chosen = getattr(config, setting)
    size = getattr(config, f"{modality}_feature_size")
    places = " or ".join(map(str, folders))
    if chosen == NO_FILE:
        return FeatureFile(None, size or default_size)
    if chosen is not None:
        for folder in folders:
            if (folder / chosen).is_file():
                return FeatureFile(folder / chosen, size or known.get(chosen, default_size))
        raise DataDirError(f"{setting}={chosen!r} is not in {places}.")
    for folder in folders:
        present = [name for name in known if (folder / name).is_file()]
        if len(present) > 1:
            raise DataDirError(
                f"{folder} has several {modality} feature files: {', '.join(present)}. Choose one with "
                f"{in_words(setting)}."
            )
        if present:
            return FeatureFile(folder / present[0], size or known[present[0]])
    raise DataDirError(
        f"There are no {modality} features in {places}. Expected one of {', '.join(known)}. Name another file with "
        f"--dataset_options.{setting} FILE, go without this modality with --dataset_options.{setting} {NO_FILE}, or "
        f"without any features with --modalities text. (In Python: {setting}='FILE', {setting}={NO_FILE!r}, or "
        'config_name="text".)'
    )
