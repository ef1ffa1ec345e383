# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The builder of the embedded sample: 500 short utterances with MIntRec's intents, and clips.

About 40 % of the rows are ambiguous in text alone: "oh, great." is a complaint, praise or a taunt, and only the face
and the tone of voice tell which. `rows.INTENT_EXPRESSIONS` is the whole truth about that: `clips.py` renders the clips
from it, and `features.py` holds the features that were extracted from the clips.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import datasets

from ..builders import builder_configs, description_features, description_rows, row_features
from ..fingerprints import fingerprint_files
from ..labels import MINTREC_LABELS, description_files
from .features import FEATURE_SIZES, PREPARED_FILE, read_prepared_features
from .rows import SAMPLE_FOLDER, SPLITS, read_sample


class IntentSample(datasets.GeneratorBasedBuilder):
    """Builder of the sample with configs `features`, `text`, `clips`, `label_descriptions`.

    Rows have `id`, `text`, `label`, `expression`, `tone`, with config `features` also `video_features` and
    `audio_features`, with config `clips` also `clip`: the path of the rendered clip in the cache of `datasets`.
    """

    VERSION = datasets.Version("2.0.0")
    BUILDER_CONFIGS: ClassVar = builder_configs(datasets.BuilderConfig, "2.0.0")
    DEFAULT_CONFIG_NAME = "features"
    DEFAULT_WRITER_BATCH_SIZE = 128

    def __init__(self, *args: Any, hash: str | None = None, **kwargs: Any):
        # Without a fingerprint of texts and code, rows cached by an earlier version would be served for ever.
        data = [PREPARED_FILE, *description_files("sample"), *sorted(SAMPLE_FOLDER.glob("*.tsv"))]
        super().__init__(*args, hash=hash or fingerprint_files(data, module=__file__), **kwargs)

    def download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """Prepare the data set as `datasets` does; config `clips` first renders the clips that are missing."""
        if self.config.name == "clips":
            from .clips import render_sample  # PyAV is for the clips alone

            render_sample(self._clip_folder())
        super().download_and_prepare(*args, **kwargs)

    def _clip_folder(self) -> Path:
        from .clips import renderer_fingerprint  # PyAV is for the clips alone

        return Path(self._cache_dir_root).resolve() / "intent_sample_clips" / renderer_fingerprint()

    def _info(self) -> datasets.DatasetInfo:
        if self.config.name == "label_descriptions":
            return datasets.DatasetInfo(features=description_features("sample"))
        extra = {name: datasets.Value("string") for name in ("expression", "tone")}
        if self.config.name == "clips":
            extra["clip"] = datasets.Value("string")
        return datasets.DatasetInfo(
            description="Short workplace utterances with the intents of MIntRec, and rendered clips of them.",
            features=row_features(MINTREC_LABELS, FEATURE_SIZES if self.config.name == "features" else {}, extra),
            license="apache-2.0",
        )

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        if self.config.name == "label_descriptions":
            return [datasets.SplitGenerator("train", gen_kwargs={"split": "train"})]
        return [datasets.SplitGenerator(split, gen_kwargs={"split": split}) for split in SPLITS]

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        if self.config.name == "label_descriptions":
            yield from description_rows("sample")
            return
        features = read_prepared_features() if self.config.name == "features" else {}
        clips = self._clip_folder() / split if self.config.name == "clips" else None
        for index, cells in enumerate(read_sample(split)):
            row: dict[str, Any] = {name: cells[name] for name in ("id", "text", "label", "expression", "tone")}
            for modality, frames in features.get(cells["id"], {}).items():
                row[f"{modality}_features"] = frames
            if clips is not None:
                row["clip"] = str(clips / f"{cells['id']}.mp4")
            yield index, row
