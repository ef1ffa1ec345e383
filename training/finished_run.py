# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A finished run's folder read back, and how other runs relate to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset_scripts.labels import OUT_OF_SCOPE_LABEL
from dataset_scripts.registry import LicenseTerms, license_terms

from .arguments import Role, TrainingSettings, settings_of
from .checkpointing import write_json


if TYPE_CHECKING:
    from .data import IntentRows
    from .evaluation import Evaluation
    from .out_of_scope.results import OutOfScopeResults


SETTINGS_FILE = "config.yaml"
METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"
LOG_FILE = "log.jsonl"
MODEL_FOLDER = "pretrained"
CHECKPOINT_FOLDER = "checkpoints"


class UnfinishedRunError(ValueError):
    """A folder that no finished run left, or runs that do not belong together. The message names the folder."""


@dataclass(frozen=True)
class Predictions:
    """predictions.parquet: what the model said of every test sample."""

    labels: np.ndarray  # (samples,) gold label ids; the number of labels for one out of scope without a label
    scores: np.ndarray  # (samples, labels), softmax
    label_names: list[str]

    @property
    def predicted(self) -> np.ndarray:
        """Predicted label ids `(samples,)`."""
        return self.scores.argmax(-1)


@dataclass(frozen=True)
class FinishedRun:
    """What a run left.

    Attributes:
        path: the run folder.
        metrics: metrics.json.
        config: pretrained/config.json.
        validations: the lines of log.jsonl that tell of an evaluation.
        predictions: of the test split; `None` without one.
    """

    path: Path
    metrics: dict[str, Any]
    config: dict[str, Any]
    validations: list[dict[str, Any]]
    predictions: Predictions | None

    @cached_property
    def settings(self) -> TrainingSettings:
        """The settings of the run, those of config.yaml."""
        return TrainingSettings.from_saved(self.metrics["settings"])

    @property
    def split(self) -> str:
        """The split that results are told of: `test`, or `validation` where there is none."""
        return "test" if self.metrics.get("test") else "validation"

    @property
    def results(self) -> dict[str, Any]:
        """The metrics on that split."""
        return self.metrics[self.split]

    @property
    def num_samples(self) -> int:
        """Samples of that split."""
        return sum(row["support"] for row in self.results["per_class"])

    @property
    def source(self) -> LicenseTerms:
        """Origin and terms of the data."""
        texts = self.settings.dataset_options.get("texts")
        return license_terms(self.settings.dataset, texts=texts, data_dir=self.settings.data_dir)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that the model reads."""
        names = self.settings.modalities.split(",")
        # The baseline is given all of them and leaves two aside. A-MESS always has its text input, if only its frame.
        return ("text",) if self.settings.model == "text_only" else tuple(names)


def read_run(folder: str | Path) -> FinishedRun:
    """Read a run folder.

    Raises:
        UnfinishedRunError: the folder, or a file that a finished run leaves, is missing.
    """
    folder = Path(folder)
    config_file = folder / MODEL_FOLDER / "config.json"
    for file in (folder / METRICS_FILE, config_file):
        if not file.is_file():
            raise UnfinishedRunError(
                f"{folder} is not the folder of a finished run: {file.relative_to(folder)} is missing. Give the "
                "folder that training/train.py wrote, and let the run end."
            )
    predictions = None
    if (folder / PREDICTIONS_FILE).is_file():
        table = pq.read_table(folder / PREDICTIONS_FILE)
        names = json.loads(table.schema.metadata[b"labels"])
        ids = {name: index for index, name in enumerate(names)}
        labels = np.array([ids.get(name, len(names)) for name in table["label"].to_pylist()])
        predictions = Predictions(labels, np.array(table["scores"].to_pylist()), names)
    log = folder / LOG_FILE
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    return FinishedRun(
        path=folder,
        metrics=json.loads((folder / METRICS_FILE).read_text(encoding="utf-8")),
        config=json.loads(config_file.read_text(encoding="utf-8")),
        validations=[line for line in lines if line["event"] == "validation"],
        predictions=predictions,
    )


def sort_runs(run: FinishedRun, others: Sequence[FinishedRun]) -> tuple[list[FinishedRun], list[FinishedRun]]:
    """Split other runs into those that differ from `run` in the seed alone, and those that read other modalities or are
    a baseline. `run` itself is the first of the former.

    Raises:
        UnfinishedRunError: runs on other data, which have no place in a table with `run`; the same seed twice.
    """
    seeds, comparisons = [run], []
    for other in others:
        for name in settings_of(Role.DATA):
            if getattr(other.settings, name) != getattr(run.settings, name):
                raise UnfinishedRunError(
                    f"{other.path} is a run with {name}={getattr(other.settings, name)!r}, {run.path} one with "
                    f"{getattr(run.settings, name)!r}: their results do not belong in one table."
                )
        same = other.settings.model == run.settings.model and other.modalities == run.modalities
        (seeds if same else comparisons).append(other)
    differing = [name for other in seeds[1:] for name in _differences(run, other)]
    if differing:
        raise UnfinishedRunError(
            f"The runs of several seeds differ in more than the seed: {', '.join(sorted(set(differing)))}."
        )
    numbers = [other.metrics["seed"] for other in seeds]
    if len(set(numbers)) < len(numbers):
        raise UnfinishedRunError(f"The same seed is given twice: the runs have the seeds {numbers}.")
    return sorted(seeds, key=lambda item: item.metrics["seed"]), comparisons


def _differences(run: FinishedRun, other: FinishedRun) -> list[str]:
    return [name for name in settings_of(Role.METHOD) if getattr(run.settings, name) != getattr(other.settings, name)]


@dataclass(frozen=True)
class LabelledPredictions:
    """Gold and predicted label of samples, and the names of all labels."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    label_names: tuple[str, ...]


def read_predictions(folder: Path) -> LabelledPredictions:
    """predictions.parquet of a run folder.

    Raises:
        UnfinishedRunError: there is none.
    """
    if not (folder / PREDICTIONS_FILE).is_file():
        raise UnfinishedRunError(f"{folder} holds no {PREDICTIONS_FILE}: it is not the folder of a finished run.")
    return predictions_of(pq.read_table(folder / PREDICTIONS_FILE))


def predictions_of(table: pa.Table) -> LabelledPredictions:
    names = tuple(json.loads(table.schema.metadata[b"labels"]))
    known = [label in names for label in table["label"].to_pylist()]
    table = table.filter(pa.array(known))
    return LabelledPredictions(*(tuple(table[name].to_pylist()) for name in ("id", "label", "prediction")), names)


def decisions_of(table: pa.Table) -> LabelledPredictions:
    intents = [name for name in json.loads(table.schema.metadata[b"labels"]) if name != OUT_OF_SCOPE_LABEL]
    columns = (tuple(table[name].to_pylist()) for name in ("id", "label", "decision"))
    return LabelledPredictions(*columns, (*intents, OUT_OF_SCOPE_LABEL))


def write_metrics(path: Path, content: Mapping[str, Any]) -> None:
    """Write metrics.json, whose presence says that the run is finished."""
    partial = path.with_name(f".{path.name}.partial")
    write_json(partial, content)
    partial.rename(path)


def write_predictions(
    path: Path, rows: IntentRows, evaluation: Evaluation, outside: OutOfScopeResults | None = None
) -> None:
    """One row a sample of the test split: `id, text, label, prediction` (names) and `scores` (one a label, in the order
    of the ids). With utterances out of scope, whose label is `UNK`, also `decision` (a name or `UNK`) and
    `scope_scores` (one a score).
    """
    ids, texts = rows.column("id"), rows.column("text")
    if ids is None or texts is None:
        read = [rows[index] for index in range(len(rows))]
        ids, texts = [row["id"] for row in read], [row["text"] for row in read]
    names = np.asarray([*rows.label_names, OUT_OF_SCOPE_LABEL])
    columns = {
        "id": [str(value) for value in ids],
        "text": [str(value) for value in texts],
        "label": names[evaluation.labels].tolist(),
        "prediction": names[evaluation.predictions].tolist(),
        "scores": pa.array(evaluation.scores.astype(np.float32).tolist(), pa.list_(pa.float32())),
    }
    if outside is not None:
        intents = [name for name in rows.label_names if name != OUT_OF_SCOPE_LABEL]
        columns["decision"] = np.asarray([*intents, OUT_OF_SCOPE_LABEL])[outside.decisions["test"]].tolist()
        scores = outside.scores["test"]
        columns["scope_scores"] = pa.StructArray.from_arrays([pa.array(row) for row in scores.values()], [*scores])
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata({"labels": json.dumps(rows.label_names)}), path)
