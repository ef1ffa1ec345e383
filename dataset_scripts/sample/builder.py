# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The embedded sample data set: 500 short utterances of our own writing with the 20 intents of MIntRec, and clips.

About 40 % of the rows are ambiguous in text alone: "oh, great." is a complaint, praise or a taunt, and only the face
and the tone of voice tell which. `INTENT_EXPRESSIONS` is the whole truth about that; clips are rendered from it
(`sample_clips.py`), and features extracted from the clips (`sample_features.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import datasets

from ..builders import description_features, description_rows, row_features
from ..fingerprints import fingerprint_files
from ..labels import MINTREC_LABELS
from .features import FEATURE_SIZES, PREPARED_FILE, read_prepared_features
from .rows import SAMPLE_FOLDER, SPLITS, read_sample


class IntentSample(datasets.GeneratorBasedBuilder):
    """Builder of the sample data set, configs `features`, `text`, `clips`, `label_descriptions`; needs no `data_dir`.

    Rows: `id`, `text`, `label`, `expression`, `tone`, with config `features` also `video_features` and
    `audio_features`, with config `clips` also `clip`: the path of the rendered clip, which is in the cache of
    `datasets`.
    """

    VERSION = datasets.Version("2.0.0")
    BUILDER_CONFIGS: ClassVar[list[datasets.BuilderConfig]] = [
        datasets.BuilderConfig(name=name, version=datasets.Version("2.0.0"))
        for name in ("features", "text", "clips", "label_descriptions")
    ]
    DEFAULT_CONFIG_NAME = "features"
    DEFAULT_WRITER_BATCH_SIZE = 128

    def __init__(self, *args, hash: str | None = None, **kwargs):
        # Without a fingerprint of texts and code, rows cached by an earlier version would be served for ever.
        data = [PREPARED_FILE, *sorted(SAMPLE_FOLDER.glob("*.tsv"))]
        super().__init__(*args, hash=hash or fingerprint_files(data, module=__file__), **kwargs)

    def download_and_prepare(self, *args, **kwargs) -> None:
        """As that of `datasets`; renders the clips of config `clips` that are not there yet."""
        if self.config.name == "clips":
            from .clips import render_sample

            render_sample(self._clip_folder())
        super().download_and_prepare(*args, **kwargs)

    def _clip_folder(self) -> Path:
        from .clips import renderer_fingerprint

        return Path(self._cache_dir_root).resolve() / "intent_sample_clips" / renderer_fingerprint()

    def _info(self) -> datasets.DatasetInfo:
        if self.config.name == "label_descriptions":
            return datasets.DatasetInfo(features=description_features("sample"))
        sizes = (FEATURE_SIZES["video"], FEATURE_SIZES["audio"]) if self.config.name == "features" else None
        extra = {name: datasets.Value("string") for name in ("expression", "tone")}
        if self.config.name == "clips":
            extra["clip"] = datasets.Value("string")
        return datasets.DatasetInfo(
            description="Short workplace utterances with the intents of MIntRec, and rendered clips of them.",
            features=row_features(MINTREC_LABELS, sizes, extra),
            license="apache-2.0",
        )

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        if self.config.name == "label_descriptions":
            return [datasets.SplitGenerator("train", gen_kwargs={"split": "train"})]
        return [datasets.SplitGenerator(split, gen_kwargs={"split": split}) for split in SPLITS]

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict]]:
        if self.config.name == "label_descriptions":
            yield from description_rows("sample")
            return
        features = read_prepared_features() if self.config.name == "features" else {}
        clips = self._clip_folder() / split if self.config.name == "clips" else None
        for index, cells in enumerate(read_sample(split)):
            row = {name: cells[name] for name in ("id", "text", "label", "expression", "tone")}
            for modality, frames in features.get(cells["id"], {}).items():
                row[f"{modality}_features"] = frames
            if clips is not None:
                row["clip"] = str(clips / f"{cells['id']}.mp4")
            yield index, row
