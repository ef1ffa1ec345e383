# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The planted-anchor benchmark: synthetic features over real texts that test the claims of A-MESS.

A run takes minutes on a CPU.
Four generators:

* `groups`: texts of four related intents are pooled into a group; within the group the label is drawn at random and is
  carried by one bit in the video and one in the audio. A bit is an event, a few consecutive frames that show a cue and
  the prototype of the bit, beside a distractor event that shows the other prototype without the cue. Every clip holds
  the cue and both prototypes once, so the mean over time tells nothing. Text alone is capped at one in four, video and
  audio alone at about one in five.
* `token_cue`: as above, but there are several events, each with its own cue (a slot) and half of them with either
  prototype. A marker word in front of the text ("red: oh, great.") says which slot counts. Only a model that relates
  that one token to the matching frames does better than chance.
* `order_cue`: as `groups`, but both events show a prototype each and nothing else; the bit says which comes first. A
  model that sees a clip as a set of frames does no better than chance.
* `noise`: real text/label pairs with pure noise features, fixed by id: a model should lose nothing by them.

The gap to text-only and to mean fusion exists by construction: it shows that cross attention is wired right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .builders import row_features
from .errors import UserError
from .labels import MINTREC_LABELS, check_choice, normalize_label
from .seeds import stable_seed
from .synthetic_features import Event, orthonormal_vectors, place_events, render_events


# Related intents, which only face and voice would tell apart: reproach, self and others in a good light, warmth,
# coming and going, getting things done. The place in the group is the label's two bits (video, audio).
PLANTED_GROUPS: tuple[tuple[str, str, str, str], ...] = (
    ("Complain", "Criticize", "Taunt", "Oppose"),
    ("Praise", "Flaunt", "Joke", "Agree"),
    ("Apologise", "Thank", "Comfort", "Care"),
    ("Introduce", "Greet", "Leave", "Inform"),
    ("Advise", "Arrange", "Prevent", "Ask for help"),
)
# What the text names with `named_groups`. The sentence around it has as many words as a usual utterance.
GROUP_NAMES: tuple[str, ...] = ("blame", "pride", "kindness", "travel", "work")
NAMING_SENTENCE = "the people in this room are talking about {name} with each other"
GENERATORS: tuple[str, ...] = ("groups", "token_cue", "order_cue", "noise")
# Words that BERT's vocabularies hold whole, one per slot.
MARKER_WORDS: tuple[str, ...] = ("red", "blue", "green", "black", "white", "gold", "silver", "purple")

_PLACE_OF_LABEL = {
    label: (group, place) for group, labels in enumerate(PLANTED_GROUPS) for place, label in enumerate(labels)
}


def planted_accuracies(labels: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Take the accuracy apart: what a model reads from the text, from the video and from the audio.

    Args:
        labels: Label of each utterance.
        predictions: Predicted label of each.

    Returns:
        Fractions: `group_accuracy`, predictions in the text's group; `video_bit_accuracy` and `audio_bit_accuracy`,
        predictions with the bit of that modality, in whatever group. Guessing gets half of the bits.
    """
    groups, bits = np.array([_PLACE_OF_LABEL[label] for label in labels]).T
    other_groups, other_bits = np.array([_PLACE_OF_LABEL[label] for label in predictions]).T
    return {
        "group_accuracy": float((groups == other_groups).mean()),
        "video_bit_accuracy": float((bits >> 1 == other_bits >> 1).mean()),
        "audio_bit_accuracy": float((bits & 1 == other_bits & 1).mean()),
    }


@dataclass(frozen=True, kw_only=True)
class PlantedSettings:
    """Settings of the benchmark.

    Attributes:
        generator: Kind of benchmark, `groups`, `token_cue`, `order_cue` or `noise`.
        seed: Seed of labels, events and noise. Another seed is another data set over the same texts.
        video_feature_size: Size of a video frame's features.
        audio_feature_size: Size of an audio step's features.
        max_video_length: Length L of the longest clip in video frames.
        max_audio_length: Length L of the longest clip in audio steps.
        min_length_fraction: Lower bound of lengths, which are uniform in [min_length_fraction * L, L].
        video_event_length: Number of consecutive frames in a video event.
        audio_event_length: Number of consecutive steps in an audio event.
        amplitude: Length of the vectors in an event frame (cue and prototype each). Along such a vector the noise has
            standard deviation 1.
        num_slots: Number of events per modality in `token_cue`, each with its own cue. It is even, so that half of
            them can show either bit.
        named_groups: Whether the text is a fixed sentence that names the group, so that all errors are of the bits.
        fresh_clips: Whether train draws new clips every epoch. False keeps a row's clip and label and draws another
            text of its group instead, which is harder, since a model can then memorise the noise.
        rows_per_text: Number of rows of `train` per text, for sources with few texts such as the sample.
    """

    generator: Literal["groups", "token_cue", "order_cue", "noise"] = "groups"
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
    named_groups: bool = False
    fresh_clips: bool = True
    rows_per_text: int = 1

    def __post_init__(self) -> None:
        check_choice("generator", self.generator, GENERATORS)
        if not 0 < self.min_length_fraction <= 1:
            raise UserError(f"min_length_fraction={self.min_length_fraction} must be in (0, 1].")
        if self.rows_per_text < 1:
            raise UserError(f"rows_per_text={self.rows_per_text} must be 1 or more.")
        if self.named_groups and self.generator == "noise":
            raise UserError("named_groups=true needs groups, which the generator noise has none of.")
        if not 2 <= self.num_slots <= len(MARKER_WORDS) or self.num_slots % 2:
            raise UserError(f"num_slots={self.num_slots} must be even and from 2 to {len(MARKER_WORDS)}.")
        for modality in ("video", "audio"):
            shortest = self.length_range(modality)[0]
            needed = self.num_events * self.event_length(modality)
            if self.generator != "noise" and shortest < needed:
                raise UserError(
                    f"The shortest {modality} clip has {shortest} frames, but {self.num_events} events need {needed}. "
                    f"Raise max_{modality}_length or lower {modality}_event_length."
                )

    @property
    def num_events(self) -> int:
        """Number of events per modality in a clip, with the one that counts."""
        return self.num_slots if self.generator == "token_cue" else 2

    @property
    def num_cues(self) -> int:
        """Number of distinct cue vectors per modality."""
        return self.num_slots if self.generator == "token_cue" else 1

    def length_range(self, modality: str) -> tuple[int, int]:
        """Return the length of the shortest and of the longest clip in frames."""
        longest = self.max_video_length if modality == "video" else self.max_audio_length
        return max(1, round(self.min_length_fraction * longest)), longest

    def event_length(self, modality: str) -> int:
        """Return the number of frames in an event."""
        return self.video_event_length if modality == "video" else self.audio_event_length

    def feature_size(self, modality: str) -> int:
        """Return the size of a frame's features."""
        return self.video_feature_size if modality == "video" else self.audio_feature_size


@dataclass(frozen=True, kw_only=True)
class PlantedClip:
    """The plan of a row.

    Attributes:
        label: Label id.
        text: Text, with its marker word if any.
        video_events: Events of the video. The first one counts; its last vector is the bit (0 or 1). Vectors 0 and 1
            of the table are the prototypes, the others the cues. In `order_cue` the first one is the earlier one.
        audio_events: Events of the audio, likewise.
        video_length: Number of video frames.
        audio_length: Number of audio steps.
    """

    label: int
    text: str
    video_events: tuple[Event, ...]
    audio_events: tuple[Event, ...]
    video_length: int
    audio_length: int


class PlantedDataset:
    """One split of the benchmark, map-style. Rows are drawn on access and are the same in every process.

    A row has `id`, `text`, `label` (id), `video_features` float32 `(frames, video_feature_size)` and `audio_features`.
    The train split is a pure function of (seed, epoch, index); `set_epoch` chooses the epoch. The other splits are
    fixed.

    Args:
        split: Name of the split: `train`, `validation` or `test`. Only train changes by epoch.
        rows: Texts as (id, text, label name). Except for `noise`, a text that occurs with labels of several groups is
            left out, since it cannot tell its group.
        settings: Settings of the benchmark, by default `PlantedSettings()`.
        with_features: Whether rows have features.

    Raises:
        UserError: There are no rows.
        UnknownLabelError: A label is not one of MIntRec's.
    """

    def __init__(
        self,
        split: str,
        rows: Sequence[tuple[str, str, str]],
        settings: PlantedSettings | None = None,
        *,
        with_features: bool = True,
    ):
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
            raise UserError(f"The planted split {split!r} has no texts that belong to one group. Give other texts.")
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
        sizes = {modality: self.settings.feature_size(modality) for modality in ("video", "audio")}
        self.features = row_features(MINTREC_LABELS, sizes if with_features else {})

    @property
    def column_names(self) -> list[str]:
        """The keys of a row."""
        return list(self.features)

    def __len__(self) -> int:
        return len(self._texts)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch. In `train` every epoch pairs texts and labels anew; other splits do not change."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a row; see the class.

        Raises:
            IndexError: The row does not exist.
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
        """Return the plan of row `index` in this epoch, which says where a model's attention should go.

        Raises:
            IndexError: The row does not exist.
        """
        return self._draw(self._checked(index))[0]

    def table(self, modality: str) -> np.ndarray:
        """Return the prototypes (rows 0 and 1) and cues (the others) of a modality, float32 `(vectors, size)`."""
        return self._tables[modality].copy()

    def _checked(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"Row {index} does not exist: the split has {len(self)} rows.")
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
            if settings.named_groups:
                text = NAMING_SENTENCE.format(name=GROUP_NAMES[group])
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
            shown: list[tuple[int, ...]] = [(2 + slot, bit)]
            shown += [(2 + other, int(other_bit)) for other, other_bit in zip(other_slots, others, strict=True)]
        elif settings.generator == "order_cue":
            shown = [(bit,), (1 - bit,)]
        else:
            shown = [(2, bit), (1 - bit,)]  # the distractor has no cue
        length = settings.event_length(modality)
        starts = place_events(random, num_frames, [length] * len(shown))
        if settings.generator == "order_cue":
            starts.sort()
        return tuple(Event(start, length, vectors) for start, vectors in zip(starts, shown, strict=True))


def _texts_of_one_group(rows: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    groups: dict[str, set[int]] = {}
    for _, text, label in rows:
        groups.setdefault(text, set()).add(_PLACE_OF_LABEL[normalize_label(label, MINTREC_LABELS)][0])
    return [row for row in rows if len(groups[row[1]]) == 1]
