# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A run is a set of settings; a table row says how a table shows a run.

The settings of a run are those of a preset of `training/configs/` with a few of them replaced. The command line that
starts the run is generated from the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any

import yaml

from ..arguments import SENTENCE_METHODS, TrainingSettings, find_preset, read_preset


@dataclass(frozen=True)
class Run:
    """A training without its seed.

    Attributes:
        name: Name, `<pool>/<run>`. The run folders are `<output>/<pool>/<run>/seed-N`, so a new name loses old runs.
        preset: Preset that the settings start from.
        settings: All settings. A job adds `seed`, `data_dir` and `output_dir`.
        seeded: Settings that take the number of the seed, for example the fold of a cross-validation.
        keep_weights: Whether a picture needs the trained model.
    """

    name: str
    preset: str
    settings: TrainingSettings
    seeded: tuple[str, ...] = ()
    keep_weights: bool = False

    @classmethod
    def of_preset(cls, name: str, preset: str, **changes: Any) -> Run:
        """A preset with some settings changed."""
        return cls(name, preset, preset_settings(preset)).variant(name.partition("/")[2], **changes)

    def variant(self, name: str, **changes: Any) -> Run:
        """Another run of the same pool with some settings changed; entries are added to settings that are dicts."""
        merged: dict[str, Any] = {
            key: {**getattr(self.settings, key), **value} if isinstance(value, Mapping) else value
            for key, value in changes.items()
        }
        pool = self.name.partition("/")[0]
        return replace(self, name=f"{pool}/{name}", settings=replace(self.settings, **merged))

    def baseline(self, name: str, model: str, **model_config: Any) -> Run:
        """Another run of the same pool with a baseline, which has none of the model's config fields.

        A method on sentence embeddings reads the text alone.
        """
        modalities = "text" if model in SENTENCE_METHODS else self.settings.modalities
        settings = replace(self.settings, model=model, model_config=model_config, modalities=modalities)
        return replace(self.variant(name), settings=settings)


@dataclass(frozen=True)
class TableRow:
    """One line of a table, or one point of a figure.

    Attributes:
        title: Name in the table.
        run: Run that the row shows.
        published: The paper's metrics, in percent.
        decision: Decision or score that the out-of-scope metrics judge: `argmax` of a model with a label for
            out-of-scope utterances, `doc`, or the name of a score.
        place: Place on the horizontal axis of a figure.
        curve: Curve of a figure that the point belongs to.
    """

    title: str
    run: Run
    published: Mapping[str, float] = field(default_factory=dict)
    decision: str = ""
    place: str = ""
    curve: str = ""


def preset_settings(name: str) -> TrainingSettings:
    """Settings of a preset of `training/configs/`."""
    return TrainingSettings(**_preset_values(name))


def command_words(settings: TrainingSettings, preset: str) -> list[str]:
    """Command line that gives these settings: the preset, then `--key value` for all that differs from the preset."""
    start = preset_settings(preset)
    words = [preset]
    for item in fields(settings):
        old, new = getattr(start, item.name), getattr(settings, item.name)
        if isinstance(new, dict) and set(old) <= set(new):
            for key, value in new.items():
                if key not in old or old[key] != value:
                    words += [f"--{item.name}.{key}", _yaml(value)]
        elif new != old:
            words += [f"--{item.name}", new if isinstance(new, str) else _yaml(new)]
    return words


@cache
def _preset_values(name: str) -> dict[str, Any]:
    return read_preset(find_preset(name))


def _yaml(value: Any) -> str:
    """The value as the command line reads it."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")
