# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Builder of MIntRec2.0 (Zhang et al., 2024): 15040 utterances of 1245 dialogues, 30 intents."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from .builders import builder_configs
from .errors import UserError
from .labels import OUT_OF_SCOPE_LABEL, label_names
from .registry import DATASETS
from .released_files import CLIP_FOLDER, DataDirError, FeatureFilesConfig, ReleasedBuilder, check_unique, read_label
from .tsv import TsvError, TsvRow, parse_timestamp, read_tsv


logger = logging.getLogger(__name__)

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


@dataclass
class MIntRec2Config(FeatureFilesConfig):
    """Configuration of MIntRec2.0: that of `FeatureFilesConfig`, and the scope.

    Attributes:
        scope: `in-scope` (30 labels), `out-of-scope` or `all` (31 labels, the last is UNK).
    """

    scope: str = "in-scope"


class MIntRec2(ReleasedBuilder):
    """MIntRec2.0 with configs `features`, `text`, `clips`, `label_descriptions`, and option `scope`.

    `MIntRec2(config_name="features", data_dir="MIntRec2.0", scope="all")`, then `download_and_prepare()` and
    `as_dataset()`. Rows come in the order of dialogues and of utterances in them. Columns beside those of
    `ReleasedBuilder`: `dialogue_id`, `utterance_id`, `speaker`, `source`, `start` and `end` (seconds; None where the
    file holds no timestamp, which numpy's format shows as NaN). An `id` is dia0_utt3, `clip` the name of the file.
    """

    NAME = "mintrec2"
    TITLE = "MIntRec2.0"
    DESCRIPTION = "MIntRec2.0: multimodal intent recognition in dialogues, 30 intents and out of scope."
    HOMEPAGE = "https://github.com/thuiar/MIntRec2.0"
    HELP_TEXT = """Download it with `amess download mintrec2 --output MIntRec2.0`, or by hand from its authors' page:
https://github.com/thuiar/MIntRec2.0
Expected in data_dir (the pickles for config_name="features" only, the clips for config_name="clips" only):
  MIntRec2.0/
    in-scope/train.tsv  dev.tsv  test.tsv
    in-scope/video_data/swin_roi_binary.pkl
    in-scope/audio_data/wavlm_feats_binary.pkl
    out-of-scope/MIntRec2.0-OOD/train.tsv  dev.tsv  test.tsv         for scope="out-of-scope" and scope="all"
    out-of-scope/MIntRec2.0-OOD/video_data/swin_roi_binary.pkl
    out-of-scope/MIntRec2.0-OOD/audio_data/wavlm_feats_binary.pkl
    raw_data/dia0_utt0.mp4  ...                                      or in a raw_data of each part"""
    PARTS: ClassVar = {"in-scope": "in-scope", "out-of-scope": "out-of-scope/MIntRec2.0-OOD"}
    # The authors' multi-turn code keeps the files of both parts here.
    SHARED_FOLDERS = ("total",)
    EXPECTED = tuple(PARTS.values())
    SPLIT_SIZES: ClassVar = {
        "in-scope": {"train": 6165, "validation": 1106, "test": 2033},
        "out-of-scope": {"train": 3824, "validation": 715, "test": 1197},
    }
    # Swin features of the speaker's box; WavLM.
    FEATURE_FILES: ClassVar = {
        "video": {
            "video_data/swin_roi_binary.pkl": 256,
            "video_data/swin_roi.pkl": 256,
            "video_data/swin_feats.pkl": 1024,
        },
        "audio": {"audio_data/wavlm_feats_binary.pkl": 768, "audio_data/wavlm_feats.pkl": 768},
    }
    COLUMN_TYPES: ClassVar = {
        "dialogue_id": "int64",
        "utterance_id": "int64",
        "speaker": "string",
        "source": "string",
        "start": "float64",
        "end": "float64",
        "clip": "string",
    }
    TABLE_COLUMNS = COLUMNS
    TEXT_COLUMN, LABEL_COLUMN = "Text", "Label"
    ID_IN_NAME = re.compile(r"(?:.*[/_])?(?:dia)?(?P<Dialogue_id>\d+)_(?:utt)?(?P<Utterance_id>\d+)", re.IGNORECASE)
    BUILDER_CONFIG_CLASS = MIntRec2Config
    BUILDER_CONFIGS: ClassVar = builder_configs(MIntRec2Config, "1.0.0")

    @classmethod
    def clip_path(cls, cells: Mapping[str, str]) -> str:
        """Return the path of a clip in `data_dir`."""
        return f"{CLIP_FOLDER}/dia{cells['Dialogue_id']}_utt{cells['Utterance_id']}.mp4"

    @classmethod
    def part_of_label(cls, label: str) -> str:
        """Return the part of the release that holds the utterances of a label."""
        return "out-of-scope" if label == OUT_OF_SCOPE_LABEL else "in-scope"

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that the scope covers."""
        return tuple(self.PARTS) if self.config.scope == "all" else (self.config.scope,)

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in id order, with UNK last if the scope covers it."""
        return label_names(self.NAME, out_of_scope=self.config.scope != "in-scope")

    def data_folder(self) -> Path:
        """Return `data_dir` after a check that it holds the parts that the scope covers.

        Raises:
            UserError: The scope is unknown.
            DataDirError: A part is missing, or see `ReleasedBuilder.data_folder`.
        """
        scopes = DATASETS[self.NAME].scopes
        if self.config.scope not in scopes:
            raise UserError(f"Unknown scope {self.config.scope!r}. It is one of {', '.join(scopes)}.")
        root = super().data_folder()
        for part in self.parts:
            if not (root / self.PARTS[part]).is_dir():
                raise DataDirError(f"scope={self.config.scope!r} needs {root / self.PARTS[part]}.\n{self.HELP_TEXT}")
        return root

    def in_order(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows in the order of dialogues and of utterances in them."""
        return sorted(rows, key=lambda row: (row["dialogue_id"], row["utterance_id"]))

    def read_rows(self, path: Path, part: str, places: dict[str, str]) -> list[dict[str, Any]]:
        """Read the rows of a split file of a part."""
        labels = label_names(self.NAME) if part == "in-scope" else (OUT_OF_SCOPE_LABEL,)
        rows = []
        for row in read_tsv(path, COLUMNS, required=COLUMNS[:4]):
            dialogue_id = _number(path, row, "Dialogue_id")
            utterance_id = _number(path, row, "Utterance_id")
            row_id = f"dia{dialogue_id}_utt{utterance_id}"
            check_unique(path, row, row_id, places)
            rows.append(
                {
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
        raise TsvError(f"{path}, line {row.line}, column {column!r}: {cell!r} is not a number.")
    return int(cell)


def _seconds(path: Path, row: TsvRow, column: str) -> float | None:
    seconds = parse_timestamp(row.cells[column])
    # Collections without times leave the cells empty.
    if seconds is None and row.cells[column].strip():
        # The release itself has one such cell (dev.tsv, dia1267_utt3: "65"), and nothing depends on the time.
        logger.warning(
            "%s, line %d, column %r: %r is not a timestamp HH:MM:SS,mmm. It counts as unknown.",
            path,
            row.line,
            column,
            row.cells[column],
        )
    return seconds
