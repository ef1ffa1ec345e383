# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Builder of MIntRec (Zhang et al., 2022: 2224 utterances, 20 intents) from the released files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from .builders import builder_configs
from .released_files import CLIP_FOLDER, SPLIT_FILES, FeatureFilesConfig, ReleasedBuilder, check_unique, read_label
from .tsv import read_tsv


COLUMNS: tuple[str, ...] = ("season", "episode", "clip", "text", "label")


class MIntRec(ReleasedBuilder):
    """MIntRec with the configs `features`, `text`, `clips` and `label_descriptions`.

    `MIntRec(config_name="features", data_dir="MIntRec")`, then `download_and_prepare()` and `as_dataset()`. An `id` is
    season_episode_clip; see `ReleasedBuilder` for the columns.
    """

    NAME = "mintrec"
    TITLE = "MIntRec"
    DESCRIPTION = "MIntRec: multimodal intent recognition, scenes of one sitcom, 20 intents."
    HOMEPAGE = "https://github.com/thuiar/MIntRec"
    HELP_TEXT = """Download it with `amess download mintrec --output MIntRec`, or by hand from its authors' page:
https://github.com/thuiar/MIntRec
Expected in data_dir:
  MIntRec/
    train.tsv  dev.tsv  test.tsv
    video_data/video_feats.pkl    (or swin_feats.pkl)   for config_name="features"
    audio_data/audio_feats.pkl    (or wavlm_feats.pkl)  for config_name="features"
    raw_data/S04/E01/29.mp4  ...                        for config_name="clips\""""
    PARTS: ClassVar = {"": "."}
    EXPECTED = tuple(SPLIT_FILES.values())
    SPLIT_SIZES: ClassVar = {"": {"train": 1334, "validation": 445, "test": 445}}
    # Faster R-CNN, Swin (whole frames), Swin (speaker); wav2vec 2.0, WavLM. TCL-MAP's files are in the folder itself,
    # under the names of the old ones but with other content.
    FEATURE_FILES: ClassVar = {
        "video": {
            "video_data/video_feats.pkl": 256,
            "video_data/swin_feats.pkl": 1024,
            "video_data/swin_roi.pkl": 256,
            "video_feats.pkl": 1024,
        },
        "audio": {"audio_data/audio_feats.pkl": 768, "audio_data/wavlm_feats.pkl": 768, "audio_feats.pkl": 768},
    }
    COLUMN_TYPES: ClassVar = {"clip": "string"}
    TABLE_COLUMNS = COLUMNS
    TEXT_COLUMN, LABEL_COLUMN = "text", "label"
    ID_IN_NAME = re.compile(r"(?:.*[/_])?(?P<season>S\d+)[/_](?P<episode>E\d+)[/_](?P<clip>\d+)", re.IGNORECASE)
    BUILDER_CONFIGS: ClassVar = builder_configs(FeatureFilesConfig, "1.0.0")

    @classmethod
    def clip_path(cls, cells: Mapping[str, str]) -> str:
        """Return the path of a clip in `data_dir`."""
        return f"{CLIP_FOLDER}/{cells['season']}/{cells['episode']}/{cells['clip']}.mp4"

    def read_rows(self, path: Path, part: str, places: dict[str, str]) -> list[dict[str, Any]]:
        """Read the rows of a split file."""
        rows = []
        for row in read_tsv(path, COLUMNS, required=COLUMNS):
            cells = row.cells
            row_id = f"{cells['season']}_{cells['episode']}_{cells['clip']}"
            check_unique(path, row, row_id, places)
            rows.append(
                {
                    "id": row_id,
                    "text": cells["text"],
                    "label": read_label(path, row, "label", self.labels),
                    "clip": self.clip_path(cells),
                }
            )
        return rows
