# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Builder of MIntRec2.0 (Zhang et al., 2024, 15040 utterances of 1245 dialogues, 30 intents and out of scope)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import datasets
import numpy as np

from .builders import description_features, description_rows, row_features
from .fingerprints import fingerprint_files
from .labels import OUT_OF_SCOPE_LABEL, label_names
from .released_files import (
    CLIP_FOLDER,
    MODALITIES,
    SPLIT_FILES,
    DataDirError,
    FeatureFile,
    FeatureFilesConfig,
    FeatureStore,
    check_unique,
    find_clip,
    find_feature_file,
    list_clips,
    present_splits,
    read_label,
    report_missing_clips,
    report_missing_features,
    report_split_sizes,
    require_clip_folder,
    require_data_dir,
)
from .tsv import TsvError, TsvRow, parse_timestamp, read_tsv


logger = logging.getLogger(__name__)

PARTS: dict[str, str] = {"in-scope": "in-scope", "out-of-scope": "out-of-scope/MIntRec2.0-OOD"}
SCOPES: dict[str, tuple[str, ...]] = {
    "in-scope": ("in-scope",),
    "out-of-scope": ("out-of-scope",),
    "all": ("in-scope", "out-of-scope"),
}
SPLIT_SIZES: dict[str, dict[str, int]] = {
    "in-scope": {"train": 6165, "validation": 1106, "test": 2033},
    "out-of-scope": {"train": 3824, "validation": 715, "test": 1197},
}
# Names of the feature files and the size of their frames: Swin features of the speaker's box, WavLM.
FEATURE_FILES: dict[str, dict[str, int]] = {
    "video": {
        "video_data/swin_roi_binary.pkl": 256,
        "video_data/swin_roi.pkl": 256,
        "video_data/swin_feats.pkl": 1024,
    },
    "audio": {"audio_data/wavlm_feats_binary.pkl": 768, "audio_data/wavlm_feats.pkl": 768},
}
DEFAULT_FEATURE_SIZES: dict[str, int] = {"video": 256, "audio": 768}
COLUMNS: tuple[str, ...] = (
    "Dialogue_id",
    "Utterance_id",
    "Text",
    "Label",
    "Start_timestamp",
    "End_timestamp",
    "Source",
    "speakername",
)
HELP_TEXT = """MIntRec2.0 is downloaded by hand; its authors' page links to it: https://github.com/thuiar/MIntRec2.0
Expected in data_dir (the pickles for config_name="features" only, the videos for config_name="clips" only):
  MIntRec2.0/
    in-scope/train.tsv  dev.tsv  test.tsv
    in-scope/video_data/swin_roi_binary.pkl
    in-scope/audio_data/wavlm_feats_binary.pkl
    out-of-scope/MIntRec2.0-OOD/train.tsv  dev.tsv  test.tsv         for scope="out-of-scope" and scope="all"
    out-of-scope/MIntRec2.0-OOD/video_data/swin_roi_binary.pkl
    out-of-scope/MIntRec2.0-OOD/audio_data/wavlm_feats_binary.pkl
    raw_data/dia0_utt0.mp4  ...                                      or in a raw_data of each part"""


@dataclass
class MIntRec2Config(FeatureFilesConfig):
    """As `FeatureFilesConfig`, and `scope`: `in-scope` (30 labels), `out-of-scope` or `all` (31, the last is UNK)."""

    scope: str = "in-scope"


class MIntRec2(datasets.GeneratorBasedBuilder):
    """MIntRec2.0, configs `features`, `text`, `clips` and `label_descriptions`, option `scope`.

    `MIntRec2(config_name="features", data_dir="MIntRec2.0", scope="all")`, then `download_and_prepare()` and
    `as_dataset()`. Rows come in the order of dialogues and of utterances in them: `id` (dia0_utt3), `text`, `label`,
    `dialogue_id`, `utterance_id`, `speaker`, `source`, `start` and `end` (seconds; None where the file holds no
    timestamp), `clip` (file name of the video), and with config `features` also `video_features`, `audio_features`.
    With config `clips`, `clip` is the path on this machine, None where there is no such file.
    """

    BUILDER_CONFIG_CLASS = MIntRec2Config
    BUILDER_CONFIGS: ClassVar[list[datasets.BuilderConfig]] = [
        MIntRec2Config(name=name, version=datasets.Version("1.0.0"))
        for name in ("features", "text", "clips", "label_descriptions")
    ]
    DEFAULT_CONFIG_NAME = "features"
    DEFAULT_WRITER_BATCH_SIZE = 64

    feature_files: dict[str, dict[str, FeatureFile]]

    def __init__(self, *args, data_dir: str | None = None, hash: str | None = None, **kwargs):
        if hash is None:
            # Without it, rows cached earlier would be served although the files under the same path have changed.
            names = [*SPLIT_FILES.values(), *FEATURE_FILES["video"], *FEATURE_FILES["audio"]]
            names += [kwargs.get(f"{modality}_features_file") or "" for modality in MODALITIES]
            root = Path(data_dir or ".").expanduser()
            folders = [root / part for part in (*PARTS.values(), "total")]
            clips = list_clips(_clip_folders(root)) if kwargs.get("config_name") == "clips" else ()
            files = [folder / name for folder in folders for name in names]
            hash = fingerprint_files(files, module=__file__, names=clips)
        super().__init__(*args, data_dir=data_dir, hash=hash, **kwargs)

    def _info(self) -> datasets.DatasetInfo:
        self.feature_files = {}
        self._store = FeatureStore(self.config.strict)
        if self.config.name == "label_descriptions":
            return datasets.DatasetInfo(features=description_features("mintrec2"))
        if self.config.scope not in SCOPES:
            raise ValueError(f"unknown scope {self.config.scope!r}; one of {', '.join(SCOPES)}")
        folder = self._folder()
        sizes = None
        if self.config.name == "features":
            for part in SCOPES[self.config.scope]:
                # Files of the whole (the authors' multi-turn code) serve where a part has none of its own.
                folders = [folder / PARTS[part], folder / "total"]
                self.feature_files[part] = {
                    modality: find_feature_file(
                        folders, modality, FEATURE_FILES[modality], self.config, DEFAULT_FEATURE_SIZES[modality]
                    )
                    for modality in MODALITIES
                }
            sizes = tuple(self._feature_size(modality) for modality in MODALITIES)
        if self.config.name == "clips":
            require_clip_folder(_clip_folders(folder), HELP_TEXT)
        extra = {
            "dialogue_id": datasets.Value("int64"),
            "utterance_id": datasets.Value("int64"),
            "speaker": datasets.Value("string"),
            "source": datasets.Value("string"),
            "start": datasets.Value("float64"),
            "end": datasets.Value("float64"),
            "clip": datasets.Value("string"),
        }
        return datasets.DatasetInfo(
            description="MIntRec2.0: multimodal intent recognition in dialogues, 30 intents and out of scope.",
            homepage="https://github.com/thuiar/MIntRec2.0",
            features=row_features(self._labels(), sizes, extra),
        )

    def _labels(self) -> tuple[str, ...]:
        return label_names("mintrec2", out_of_scope=self.config.scope != "in-scope")

    def _folder(self) -> Path:
        folder = require_data_dir(self.config.data_dir, tuple(PARTS.values()), HELP_TEXT)
        for part in SCOPES[self.config.scope]:
            if not (folder / PARTS[part]).is_dir():
                raise DataDirError(f"scope={self.config.scope!r} needs {folder / PARTS[part]}.\n{HELP_TEXT}")
        return folder

    def _feature_size(self, modality: str) -> int:
        sizes = {part: files[modality].size for part, files in self.feature_files.items()}
        if len(set(sizes.values())) > 1:
            raise DataDirError(
                f"the parts have {modality} features of different sizes ({sizes}); "
                f"choose with {modality}_features_file"
            )
        return next(iter(sizes.values()))

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        if self.config.name == "label_descriptions":
            return [datasets.SplitGenerator("train", gen_kwargs={"split": "train", "rows": None})]
        folder = self._folder()
        lines: dict[str, str] = {}
        splits: dict[str, dict[str, list[dict[str, Any]]]] = {split: {} for split in SPLIT_FILES}
        for part in SCOPES[self.config.scope]:
            sizes = {}
            for split, path in present_splits(folder / PARTS[part]).items():
                splits[split][part] = _read_rows(path, part, lines)
                sizes[split] = len(splits[split][part])
            report_split_sizes(f"MIntRec2.0 {part}", sizes, SPLIT_SIZES[part])
        generators = []
        for split, parts in splits.items():
            if len(parts) < len(SCOPES[self.config.scope]):
                if parts:
                    logger.warning(
                        "MIntRec2.0: split %s has %s only; left out of scope='all'", split, next(iter(parts))
                    )
                continue
            rows = sorted(
                (row for part in parts.values() for row in part),
                key=lambda row: (row["dialogue_id"], row["utterance_id"]),
            )
            # A tuple: `datasets` would take a list for shards.
            generators.append(datasets.SplitGenerator(split, gen_kwargs={"split": split, "rows": tuple(rows)}))
        if not generators:
            raise DataDirError(f"{folder}: no split is there in every part of scope {self.config.scope!r}")
        return generators

    def _download_and_prepare(self, *args, **kwargs):
        try:
            return super()._download_and_prepare(*args, **kwargs)
        finally:
            self._store.clear()

    def _generate_examples(self, split: str, rows: tuple[dict[str, Any], ...] | None) -> Iterator[tuple[int, dict]]:
        if rows is None:
            yield from description_rows("mintrec2")
            return
        missing: dict[str, list[str]] = {modality: [] for modality in MODALITIES}
        clipless: list[str] = []
        for index, row in enumerate(rows):
            row = dict(row)
            if self.config.name == "clips":
                row["clip"] = find_clip(_clip_folders(Path(self.config.data_dir).expanduser()), row["clip"])
                if row["clip"] is None:
                    clipless.append(row["id"])
            for modality, file in self.feature_files.get(row.pop("part"), {}).items():
                found = self._store.features(file, row["id"])
                if found is None:
                    missing[modality].append(row["id"])
                    found = np.zeros((0, file.size), dtype=np.float32)
                row[f"{modality}_features"] = found
            yield index, row
        report_missing_features("MIntRec2.0", split, missing, len(rows))
        report_missing_clips("MIntRec2.0", split, clipless, len(rows))


def _clip_folders(folder: Path) -> list[Path]:
    # One folder for all clips, or one in each part.
    return [folder / part / CLIP_FOLDER for part in (".", *PARTS.values(), "total")]


def _read_rows(path: Path, part: str, lines: dict[str, str]) -> list[dict[str, Any]]:
    labels = label_names("mintrec2") if part == "in-scope" else (OUT_OF_SCOPE_LABEL,)
    rows = []
    for row in read_tsv(path, COLUMNS, required=COLUMNS[:4]):
        dialogue_id = _number(path, row, "Dialogue_id")
        utterance_id = _number(path, row, "Utterance_id")
        row_id = f"dia{dialogue_id}_utt{utterance_id}"
        check_unique(path, row, row_id, lines)
        rows.append(
            {
                "part": part,
                "id": row_id,
                "text": row.cells["Text"],
                "label": read_label(path, row, "Label", labels),
                "dialogue_id": dialogue_id,
                "utterance_id": utterance_id,
                "speaker": row.cells["speakername"],
                "source": row.cells["Source"],
                "start": _seconds(path, row, "Start_timestamp"),
                "end": _seconds(path, row, "End_timestamp"),
                "clip": f"{row_id}.mp4",
            }
        )
    return rows


def _number(path: Path, row: TsvRow, column: str) -> int:
    cell = row.cells[column].strip()
    if not (cell.isascii() and cell.isdigit()):
        raise TsvError(f"{path}, line {row.line}, column {column!r}: {cell!r} is not a number")
    return int(cell)


def _seconds(path: Path, row: TsvRow, column: str) -> float | None:
    seconds = parse_timestamp(row.cells[column])
    if seconds is None:
        # The release itself has one such cell (dev.tsv, dia1267_utt3: "65"), and nothing depends on the time.
        logger.warning(
            "%s, line %d, column %r: %r is not a timestamp HH:MM:SS,mmm; taken as unknown",
            path,
            row.line,
            column,
            row.cells[column],
        )
    return seconds
