# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Builder of MIntRec (Zhang et al., 2022, 2224 utterances, 20 intents) from the files its authors release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import datasets
import numpy as np

from .builders import description_features, description_rows, row_features
from .fingerprints import fingerprint_files
from .labels import MINTREC_LABELS
from .released_files import (
    CLIP_FOLDER,
    MODALITIES,
    SPLIT_FILES,
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
from .tsv import read_tsv


SPLIT_SIZES: dict[str, int] = {"train": 1334, "validation": 445, "test": 445}
# Names of the feature files and the size of their frames: Faster R-CNN, Swin (whole frames), Swin (speaker);
# wav2vec 2.0, WavLM. TCL-MAP's files lie in the folder itself, under the names of the old ones but with other content.
FEATURE_FILES: dict[str, dict[str, int]] = {
    "video": {
        "video_data/video_feats.pkl": 256,
        "video_data/swin_feats.pkl": 1024,
        "video_data/swin_roi.pkl": 256,
        "video_feats.pkl": 1024,
    },
    "audio": {"audio_data/audio_feats.pkl": 768, "audio_data/wavlm_feats.pkl": 768, "audio_feats.pkl": 768},
}
DEFAULT_FEATURE_SIZES: dict[str, int] = {"video": 256, "audio": 768}
COLUMNS: tuple[str, ...] = ("season", "episode", "clip", "text", "label")
HELP_TEXT = """MIntRec is downloaded by hand; its authors' page links to it: https://github.com/thuiar/MIntRec
Expected in data_dir:
  MIntRec/
    train.tsv  dev.tsv  test.tsv
    video_data/video_feats.pkl    (or swin_feats.pkl)   for config_name="features"
    audio_data/audio_feats.pkl    (or wavlm_feats.pkl)  for config_name="features"
    raw_data/S04/E01/29.mp4  ...                        for config_name="clips\""""


class MIntRec(datasets.GeneratorBasedBuilder):
    """MIntRec, configs `features`, `text`, `clips` and `label_descriptions`.

    `MIntRec(config_name="features", data_dir="MIntRec")`, then `download_and_prepare()` and `as_dataset()`.
    Rows: `id` (season_episode_clip), `text`, `label`, `clip` (path of the video in the download), and with config
    `features` also `video_features`, `audio_features`; their sizes are `feature_files[modality].size`. With config
    `clips`, `clip` is the path on this machine, None where there is no such file.
    """

    BUILDER_CONFIG_CLASS = FeatureFilesConfig
    BUILDER_CONFIGS: ClassVar[list[datasets.BuilderConfig]] = [
        FeatureFilesConfig(name=name, version=datasets.Version("1.0.0"))
        for name in ("features", "text", "clips", "label_descriptions")
    ]
    DEFAULT_CONFIG_NAME = "features"
    DEFAULT_WRITER_BATCH_SIZE = 64

    feature_files: dict[str, FeatureFile]

    def __init__(self, *args, data_dir: str | None = None, hash: str | None = None, **kwargs):
        if hash is None:
            # Without it, rows cached earlier would be served although the files under the same path have changed.
            folder = Path(data_dir or ".").expanduser()
            names = [*SPLIT_FILES.values(), *FEATURE_FILES["video"], *FEATURE_FILES["audio"]]
            names += [kwargs.get(f"{modality}_features_file") or "" for modality in MODALITIES]
            clips = list_clips([folder / CLIP_FOLDER]) if kwargs.get("config_name") == "clips" else ()
            hash = fingerprint_files([folder / name for name in names], module=__file__, names=clips)
        super().__init__(*args, data_dir=data_dir, hash=hash, **kwargs)

    def _info(self) -> datasets.DatasetInfo:
        self.feature_files = {}
        self._store = FeatureStore(self.config.strict)
        if self.config.name == "label_descriptions":
            return datasets.DatasetInfo(features=description_features("mintrec"))
        folder = require_data_dir(self.config.data_dir, tuple(SPLIT_FILES.values()), HELP_TEXT)
        sizes = None
        if self.config.name == "features":
            self.feature_files = {
                modality: find_feature_file(
                    [folder], modality, FEATURE_FILES[modality], self.config, DEFAULT_FEATURE_SIZES[modality]
                )
                for modality in MODALITIES
            }
            sizes = (self.feature_files["video"].size, self.feature_files["audio"].size)
        if self.config.name == "clips":
            require_clip_folder([folder / CLIP_FOLDER], HELP_TEXT)
        return datasets.DatasetInfo(
            description="MIntRec: multimodal intent recognition, scenes of one sitcom, 20 intents.",
            homepage="https://github.com/thuiar/MIntRec",
            features=row_features(MINTREC_LABELS, sizes, {"clip": datasets.Value("string")}),
        )

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        if self.config.name == "label_descriptions":
            return [datasets.SplitGenerator("train", gen_kwargs={"split": "train", "rows": None})]
        folder = require_data_dir(self.config.data_dir, tuple(SPLIT_FILES.values()), HELP_TEXT)
        lines: dict[str, str] = {}
        splits = {split: _read_rows(path, lines) for split, path in present_splits(folder).items()}
        report_split_sizes("MIntRec", {split: len(rows) for split, rows in splits.items()}, SPLIT_SIZES)
        return [
            datasets.SplitGenerator(split, gen_kwargs={"split": split, "rows": rows}) for split, rows in splits.items()
        ]

    def _download_and_prepare(self, *args, **kwargs):
        try:
            return super()._download_and_prepare(*args, **kwargs)
        finally:
            self._store.clear()

    def _generate_examples(self, split: str, rows: tuple[dict[str, str], ...] | None) -> Iterator[tuple[int, dict]]:
        if rows is None:
            yield from description_rows("mintrec")
            return
        missing: dict[str, list[str]] = {modality: [] for modality in self.feature_files}
        clipless: list[str] = []
        for index, row in enumerate(rows):
            row = dict(row)
            if self.config.name == "clips":
                row["clip"] = find_clip([Path(self.config.data_dir).expanduser()], row["clip"])
                if row["clip"] is None:
                    clipless.append(row["id"])
            for modality, file in self.feature_files.items():
                found = self._store.features(file, row["id"])
                if found is None:
                    missing[modality].append(row["id"])
                    found = np.zeros((0, file.size), dtype=np.float32)
                row[f"{modality}_features"] = found
            yield index, row
        report_missing_features("MIntRec", split, missing, len(rows))
        report_missing_clips("MIntRec", split, clipless, len(rows))


def _read_rows(path: Path, lines: dict[str, str]) -> tuple[dict[str, str], ...]:
    rows = []
    for row in read_tsv(path, COLUMNS, required=COLUMNS):
        cells = row.cells
        row_id = f"{cells['season']}_{cells['episode']}_{cells['clip']}"
        check_unique(path, row, row_id, lines)
        rows.append(
            {
                "id": row_id,
                "text": cells["text"],
                "label": read_label(path, row, "label", MINTREC_LABELS),
                "clip": f"{CLIP_FOLDER}/{cells['season']}/{cells['episode']}/{cells['clip']}.mp4",
            }
        )
    return tuple(rows)  # `datasets` would take a list for shards
