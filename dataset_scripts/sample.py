# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The embedded sample data set: 500 short utterances of our own writing with the 20 intents of MIntRec.

About 40 % of the rows are ambiguous in text alone: "oh, great." is a complaint, praise or a taunt, and only the face
and the tone of voice tell which. `INTENT_EXPRESSIONS` is the whole truth about that: features are made from it here,
and rendered clips are to be made from the same table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import datasets
import numpy as np

from .builders import description_features, description_rows, fingerprint_files, row_features
from .labels import MINTREC_LABELS
from .synthetic_features import Event, orthonormal_vectors, place_events, render_events, stable_seed
from .tsv import TsvError, read_tsv


# What the camera sees (face or gesture) and what the microphone hears.
EXPRESSIONS: tuple[str, ...] = ("smile", "frown", "smirk", "nod", "wide_eyes")
TONES: tuple[str, ...] = ("bright", "low", "flat", "sharp", "rising")

# Intents may share a pair only where no text is said with both of them, so that text and pair together always tell
# the intent, while the pair alone cannot (12 pairs for 20 intents) and neither can the text.
INTENT_EXPRESSIONS: dict[str, tuple[str, str]] = {
    "Complain": ("frown", "flat"),
    "Praise": ("smile", "bright"),
    "Apologise": ("frown", "low"),
    "Thank": ("smile", "low"),
    "Criticize": ("frown", "sharp"),
    "Agree": ("nod", "bright"),
    "Taunt": ("smirk", "flat"),
    "Flaunt": ("smirk", "bright"),
    "Joke": ("smirk", "bright"),
    "Oppose": ("wide_eyes", "sharp"),
    "Comfort": ("smile", "low"),
    "Care": ("frown", "low"),
    "Inform": ("nod", "flat"),
    "Advise": ("nod", "rising"),
    "Arrange": ("nod", "flat"),
    "Introduce": ("nod", "rising"),
    "Leave": ("frown", "flat"),
    "Prevent": ("frown", "sharp"),
    "Greet": ("smile", "bright"),
    "Ask for help": ("wide_eyes", "rising"),
}

VIDEO_FEATURE_SIZE = 64
AUDIO_FEATURE_SIZE = 64
VIDEO_FRAMES = (20, 60)  # shortest and longest clip, in feature frames
AUDIO_FRAMES = (40, 100)
VIDEO_EVENT_FRAMES = 4
AUDIO_EVENT_FRAMES = 8
# A prototype is a unit vector and a noise frame has length 8 (the square root of 64): at 8 the two are equally loud
# in an event frame, and along the prototype the event stands 8 standard deviations above the noise. Found easily by
# attention from a few hundred rows; less than 5 leaves single frames mistakable for noise.
AMPLITUDE = 8.0

SPLITS: tuple[str, ...] = ("train", "validation", "test")
_FOLDER = Path(__file__).with_name("sample")
_COLUMNS = ("id", "text", "label", "expression", "tone", "missing")


def read_sample(split: str) -> list[dict[str, str]]:
    """The rows of one split: `id`, `text`, `label` (a name), `expression`, `tone`, `missing` ("", "video", "audio").

    Raises:
        ValueError: unknown split, or a row that contradicts `INTENT_EXPRESSIONS`.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; the sample has {', '.join(SPLITS)}")
    path = _FOLDER / f"{split}.tsv"
    rows = []
    for line, cells in read_tsv(path, _COLUMNS, required=_COLUMNS[:-1]):
        if INTENT_EXPRESSIONS.get(cells["label"]) != (cells["expression"], cells["tone"]):
            raise TsvError(f"{path}, line {line}: expression and tone are not those of label {cells['label']!r}")
        rows.append(cells)
    return rows


def sample_video_features(row_id: str, expression: str | None) -> np.ndarray:
    """The video features of a row, float32 `(frames, 64)`; `expression=None` gives `(0, 64)`, a row without video."""
    return _features("video", row_id, EXPRESSIONS, expression, VIDEO_FRAMES, VIDEO_EVENT_FRAMES, VIDEO_FEATURE_SIZE)


def sample_audio_features(row_id: str, tone: str | None) -> np.ndarray:
    """The audio features of a row, float32 `(frames, 64)`; `tone=None` gives `(0, 64)`, a row without audio."""
    return _features("audio", row_id, TONES, tone, AUDIO_FRAMES, AUDIO_EVENT_FRAMES, AUDIO_FEATURE_SIZE)


def _features(
    modality: str,
    row_id: str,
    names: tuple[str, ...],
    name: str | None,
    frames: tuple[int, int],
    event_frames: int,
    size: int,
) -> np.ndarray:
    if name is None:
        return np.zeros((0, size), dtype=np.float32)
    table = orthonormal_vectors(len(names), size, stable_seed("sample prototypes", modality))
    random = np.random.Generator(np.random.PCG64(stable_seed("sample", modality, row_id)))
    num_frames = int(random.integers(frames[0], frames[1] + 1))
    start = place_events(random, num_frames, [event_frames])[0]
    return render_events(random, num_frames, table, [Event(start, event_frames, (names.index(name),))], AMPLITUDE)


class IntentSample(datasets.GeneratorBasedBuilder):
    """Builder of the sample data set, configs `features`, `text` and `label_descriptions`; needs no `data_dir`."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIGS: ClassVar[list[datasets.BuilderConfig]] = [
        datasets.BuilderConfig(name=name, version=datasets.Version("1.0.0"))
        for name in ("features", "text", "label_descriptions")
    ]
    DEFAULT_CONFIG_NAME = "features"
    DEFAULT_WRITER_BATCH_SIZE = 128

    def __init__(self, *args, hash: str | None = None, **kwargs):
        # Without a fingerprint of texts and code, rows cached by an earlier version would be served for ever.
        super().__init__(
            *args, hash=hash or fingerprint_files(sorted(_FOLDER.glob("*.tsv")), sources=[__file__]), **kwargs
        )

    def _info(self) -> datasets.DatasetInfo:
        if self.config.name == "label_descriptions":
            return datasets.DatasetInfo(features=description_features("sample"))
        sizes = (VIDEO_FEATURE_SIZE, AUDIO_FEATURE_SIZE) if self.config.name == "features" else None
        extra = {name: datasets.Value("string") for name in ("expression", "tone")}
        return datasets.DatasetInfo(
            description="Short workplace utterances with the intents of MIntRec; synthetic features.",
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
        for index, cells in enumerate(read_sample(split)):
            row = {name: cells[name] for name in ("id", "text", "label", "expression", "tone")}
            if self.config.name == "features":
                row["video_features"] = sample_video_features(
                    cells["id"], None if cells["missing"] == "video" else cells["expression"]
                )
                row["audio_features"] = sample_audio_features(
                    cells["id"], None if cells["missing"] == "audio" else cells["tone"]
                )
            yield index, row
