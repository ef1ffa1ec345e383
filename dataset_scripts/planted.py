# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The planted-anchor benchmark: synthetic features over real texts that test, on a CPU in minutes, what A-MESS claims.

Three generators:

* `groups`: texts of four related intents are pooled into a group; within the group the label is drawn at random and is
  carried by one bit in the video and one in the audio. A bit is an event, a few consecutive frames that show a cue and
  the prototype of the bit, beside a distractor event that shows the other prototype without the cue. Every clip holds
  the cue and both prototypes once, so the mean over time tells nothing. Text alone is capped at one in four, video and
  audio alone at about one in five.
* `token_cue`: as above, but there are several events, each with a cue of its own (a slot) and half of them with either
  prototype; which slot counts is told by a marker word in front of the text ("red: oh, great."). Only a model that
  relates that one token to the matching frames can do better than chance.
* `noise`: real text/label pairs with pure noise features, fixed by id: a model should lose nothing by them.

The gap to text-only and to mean fusion is there by construction: it shows that cross attention is wired right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import datasets
import numpy as np

from .labels import MINTREC_LABELS, normalize_label
from .synthetic_features import Event, orthonormal_vectors, place_events, render_events, stable_seed


# Related intents, which only face and voice would tell apart: reproach, self and others in a good light, warmth,
# coming and going, getting things done. The place in the group is the label's two bits (video, audio).
PLANTED_GROUPS: tuple[tuple[str, str, str, str], ...] = (
    ("Complain", "Criticize", "Taunt", "Oppose"),
    ("Praise", "Flaunt", "Joke", "Agree"),
    ("Apologise", "Thank", "Comfort", "Care"),
    ("Introduce", "Greet", "Leave", "Inform"),
    ("Advise", "Arrange", "Prevent", "Ask for help"),
)
GENERATORS: tuple[str, ...] = ("groups", "token_cue", "noise")
# Words that BERT's vocabularies hold whole, one a slot.
MARKER_WORDS: tuple[str, ...] = ("red", "blue", "green", "black", "white", "gold", "silver", "purple")

_PLACE_OF_LABEL = {
    label: (group, place) for group, labels in enumerate(PLANTED_GROUPS) for place, label in enumerate(labels)
}


@dataclass(frozen=True, kw_only=True)
class PlantedSettings:
    """Settings of the benchmark.

    Attributes:
        generator: `groups`, `token_cue` or `noise`.
        seed: draws labels, events and noise; another seed is another data set over the same texts.
        video_feature_size, audio_feature_size: size of a frame.
        max_video_length, max_audio_length: longest clip in frames (L).
        min_length_fraction: valid lengths are uniform in [min_length_fraction * L, L].
        video_event_length, audio_event_length: consecutive frames of one event.
        amplitude: length of the vectors added in an event frame (cue and prototype each); along such a vector the
            noise has standard deviation 1.
        num_slots: events with a cue of their own per modality in `token_cue`; even, so that half can show either bit.
        fresh_clips: train draws new clips every epoch; False keeps a row's clip and label and draws another text of
            its group instead, which is harder since noise can then be memorised.
        rows_per_text: rows of `train` for each text, for sources with few texts such as the sample.
    """

    generator: Literal["groups", "token_cue", "noise"] = "groups"
    seed: int = 0
    video_feature_size: int = 64
    audio_feature_size: int = 64
    max_video_length: int = 120
    max_audio_length: int = 200
    min_length_fraction: float = 0.35
    video_event_length: int = 4
    audio_event_length: int = 8
    amplitude: float = 8.0
    num_slots: int = 6
    fresh_clips: bool = True
    rows_per_text: int = 1

    def __post_init__(self) -> None:
        if self.generator not in GENERATORS:
            raise ValueError(f"unknown generator {self.generator!r}; one of {', '.join(GENERATORS)}")
        if not 0 < self.min_length_fraction <= 1:
            raise ValueError(f"min_length_fraction must be in (0, 1], not {self.min_length_fraction}")
        if self.rows_per_text < 1:
            raise ValueError(f"rows_per_text must be 1 or more, not {self.rows_per_text}")
        if not 2 <= self.num_slots <= len(MARKER_WORDS) or self.num_slots % 2:
            raise ValueError(f"num_slots must be even and from 2 to {len(MARKER_WORDS)}, not {self.num_slots}")
        for modality in ("video", "audio"):
            shortest = self.length_range(modality)[0]
            needed = self.num_events * self.event_length(modality)
            if self.generator != "noise" and shortest < needed:
                raise ValueError(
                    f"the shortest {modality} clip has {shortest} frames but {self.num_events} events need {needed}; "
                    f"raise max_{modality}_length or lower {modality}_event_length"
                )

    @property
    def num_events(self) -> int:
        """Events in a clip of one modality, the one that counts included."""
        return self.num_slots if self.generator == "token_cue" else 2

    @property
    def num_cues(self) -> int:
        """Distinct cue vectors of one modality."""
        return self.num_slots if self.generator == "token_cue" else 1

    def length_range(self, modality: str) -> tuple[int, int]:
        """The shortest and longest clip in frames."""
        longest = self.max_video_length if modality == "video" else self.max_audio_length
        return max(1, round(self.min_length_fraction * longest)), longest

    def event_length(self, modality: str) -> int:
        """Frames of one event."""
        return self.video_event_length if modality == "video" else self.audio_event_length

    def feature_size(self, modality: str) -> int:
        """Size of a frame."""
        return self.video_feature_size if modality == "video" else self.audio_feature_size


@dataclass(frozen=True, kw_only=True)
class PlantedClip:
    """How a row was made.

    Attributes:
        label: label id.
        text: the text, with its marker word if any.
        video_events, audio_events: the first event is the one that counts; its second vector is the bit (0 or 1).
            Vectors 0 and 1 of the table are the prototypes, the others the cues.
        video_length, audio_length: frames.
    """

    label: int
    text: str
    video_events: tuple[Event, ...]
    audio_events: tuple[Event, ...]
    video_length: int
    audio_length: int


class PlantedDataset:
    """One split of the benchmark, map-style; rows are made when asked for and are the same in every process.

    A row has `id`, `text`, `label` (id), `video_features` float32 `(frames, video_feature_size)` and `audio_features`.
    The train split is a pure function of (seed, epoch, index); `set_epoch` chooses the epoch. The other splits are
    fixed.
    """

    def __init__(
        self,
        split: str,
        rows: Sequence[tuple[str, str, str]],
        settings: PlantedSettings | None = None,
        *,
        with_features: bool = True,
    ):
        """Make a split from texts.

        Args:
            split: `train`, `validation` or `test`; only train changes by epoch.
            rows: (id, text, label name) of the texts to use. Except for `noise`, a text that occurs with labels of
                several groups is left out, since it could not tell its group.
            settings: the benchmark's settings, by default `PlantedSettings()`.
            with_features: False leaves the feature columns out.

        Raises:
            ValueError: no rows.
            UnknownLabelError: a label that is not one of MIntRec's.
        """
        self.split = split
        self.settings = settings or PlantedSettings()
        self.epoch = 0
        self.with_features = with_features
        if self.settings.generator != "noise":
            rows = _texts_of_one_group(rows)
        if split == "train" and self.settings.rows_per_text > 1:
            copies = range(self.settings.rows_per_text)
            rows = [(f"{row_id}_{copy}", text, label) for copy in copies for row_id, text, label in rows]
        if not rows:
            raise ValueError(f"planted split {split!r} has no texts that belong to one group")
        self._ids = [row_id for row_id, _, _ in rows]
        self._texts = [text for _, text, _ in rows]
        self._labels = [normalize_label(label, MINTREC_LABELS) for _, _, label in rows]
        self._texts_of_group: list[list[str]] = [[] for _ in PLANTED_GROUPS]
        for text, label in zip(self._texts, self._labels, strict=True):
            self._texts_of_group[_PLACE_OF_LABEL[label][0]].append(text)
        self._tables = {
            modality: orthonormal_vectors(
                2 + self.settings.num_cues,
                self.settings.feature_size(modality),
                stable_seed("planted table", self.settings.seed, modality),
            )
            for modality in ("video", "audio")
        }
        columns: dict[str, object] = {
            "id": datasets.Value("string"),
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=list(MINTREC_LABELS)),
        }
        if with_features:
            columns["video_features"] = datasets.Array2D((None, self.settings.video_feature_size), "float32")
            columns["audio_features"] = datasets.Array2D((None, self.settings.audio_feature_size), "float32")
        self.features = datasets.Features(columns)

    @property
    def column_names(self) -> list[str]:
        """The keys of a row."""
        return list(self.features)

    def __len__(self) -> int:
        return len(self._texts)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch: in `train` every epoch pairs texts and labels anew; other splits stay as they are."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One row, see the class.

        Raises:
            IndexError: no such row.
        """
        index = self._checked(index)
        clip, random = self._draw(index)
        row: dict[str, Any] = {"id": self._ids[index], "text": clip.text, "label": clip.label}
        if self.with_features:
            amplitude = self.settings.amplitude
            row["video_features"] = render_events(
                random, clip.video_length, self._tables["video"], clip.video_events, amplitude
            )
            row["audio_features"] = render_events(
                random, clip.audio_length, self._tables["audio"], clip.audio_events, amplitude
            )
        return row

    def clip(self, index: int) -> PlantedClip:
        """How row `index` of this epoch was made: what to look for when a model's attention is inspected.

        Raises:
            IndexError: no such row.
        """
        return self._draw(self._checked(index))[0]

    def table(self, modality: str) -> np.ndarray:
        """The prototypes (rows 0 and 1) and cues (the others) of `video` or `audio`, float32 `(vectors, size)`."""
        return self._tables[modality].copy()

    def _checked(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return int(index) % len(self)

    def _random(self, purpose: str, index: int, epoch: int) -> np.random.Generator:
        # A noise clip belongs to its id, whichever split or epoch it is read in.
        key = (self._ids[index],) if self.settings.generator == "noise" else (self.split, index, epoch)
        return np.random.Generator(np.random.PCG64([self.settings.seed, stable_seed("planted", purpose, *key)]))

    def _draw(self, index: int) -> tuple[PlantedClip, np.random.Generator]:
        settings = self.settings
        epoch = self.epoch if self.split == "train" else 0
        random = self._random("clip", index, epoch if settings.fresh_clips else 0)
        text = self._texts[index]
        label = self._labels[index]
        group = _PLACE_OF_LABEL[label][0]
        lengths = {
            modality: int(random.integers(*settings.length_range(modality), endpoint=True))
            for modality in ("video", "audio")
        }
        events: dict[str, tuple[Event, ...]] = {"video": (), "audio": ()}
        if settings.generator != "noise":
            place = int(random.integers(4))
            label = PLANTED_GROUPS[group][place]
            if not settings.fresh_clips and self.split == "train":
                texts = self._texts_of_group[group]
                text = texts[int(self._random("text", index, epoch).integers(len(texts)))]
            slot = int(random.integers(settings.num_cues))
            if settings.generator == "token_cue":
                # In front, where no truncation of long texts can cut it off.
                text = f"{MARKER_WORDS[slot]}: {text}"
            for modality, bit in (("video", place >> 1), ("audio", place & 1)):
                events[modality] = self._events(random, modality, lengths[modality], slot, bit)
        clip = PlantedClip(
            label=MINTREC_LABELS.index(label),
            text=text,
            video_events=events["video"],
            audio_events=events["audio"],
            video_length=lengths["video"],
            audio_length=lengths["audio"],
        )
        return clip, random

    def _events(
        self, random: np.random.Generator, modality: str, num_frames: int, slot: int, bit: int
    ) -> tuple[Event, ...]:
        settings = self.settings
        if settings.generator == "token_cue":
            # As many events of either bit in every clip, or the mean over time would lean towards the bit that counts.
            others = np.array([1 - bit] + [0, 1] * (settings.num_slots // 2 - 1))
            random.shuffle(others)
            other_slots = [other for other in range(settings.num_slots) if other != slot]
            shown = [(2 + slot, bit)]
            shown += [(2 + other, int(other_bit)) for other, other_bit in zip(other_slots, others, strict=True)]
        else:
            shown = [(2, bit), (1 - bit,)]  # the distractor has no cue
        length = settings.event_length(modality)
        starts = place_events(random, num_frames, [length] * len(shown))
        return tuple(Event(start, length, vectors) for start, vectors in zip(starts, shown, strict=True))


def _texts_of_one_group(rows: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    groups: dict[str, set[int]] = {}
    for _, text, label in rows:
        groups.setdefault(text, set()).add(_PLACE_OF_LABEL[normalize_label(label, MINTREC_LABELS)][0])
    return [row for row in rows if len(groups[row[1]]) == 1]
