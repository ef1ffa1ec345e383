# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of a run folder: their names, and the only functions that write and read them.

`train.py` leaves all of these files. `sentence_embeddings.py` leaves `config.yaml`, `metrics.json` and
`predictions.parquet`, because its methods have no checkpoint, no epochs and no model to load.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from dataset_scripts.errors import UserError
from dataset_scripts.files import replacing, write_json
from dataset_scripts.labels import OUT_OF_SCOPE_LABEL
from dataset_scripts.registry import LicenseTerms, license_terms

from .arguments import Role, SettingsError, TrainingSettings, settings_of
from .checkpointing import complete_checkpoints


SETTINGS_FILE = "config.yaml"
METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"
LOG_FILE = "log.jsonl"
CARD_FILE = "README.md"
MODEL_FOLDER = "pretrained"
CHECKPOINT_FOLDER = "checkpoints"
# The run of the text-only baseline that `compare_with_text_only` adds.
BASELINE_FOLDER = "text_only"
# Folder of a tracker that keeps its files in the run folder (TensorBoard).
TRACKER_FOLDER = "amess"
# Pictures that `python -m training.reproduce --run` draws.
CONFUSION_FILE, INTENTS_FILE = "confusion_matrix.png", "intents.png"
# The mark of a run folder: only a folder that has it is ever changed by a later run.
MARKER_FILE = ".amess-run.json"
# Key of the mark: the files of `RUN_FILES` that runs wrote in the folder, with the fingerprints of a card.
_WRITTEN = "written"
# Results without some modalities, and by the modalities that utterances need (`python -m training.reproduce --run`).
MISSING_FILE, MISSING_PICTURE = "missing.json", "missing.png"
MISSING_TABLE, MISSING_CSV, DEBIASED_TABLE = "missing.md", "missing.csv", "debiased.md"
RUN_FILES = (
    *(SETTINGS_FILE, METRICS_FILE, PREDICTIONS_FILE, LOG_FILE, CARD_FILE, CONFUSION_FILE, INTENTS_FILE),
    *(MISSING_FILE, MISSING_PICTURE, MISSING_TABLE, MISSING_CSV, DEBIASED_TABLE),
)


class UnfinishedRunError(UserError):
    """A folder that no finished run left, or runs that do not belong together. The message names the folder."""


@dataclass(frozen=True)
class Predictions:
    """Gold and predicted labels of the test split, for the utterances that have one of `label_names`.

    Attributes:
        ids: Ids of the utterances.
        labels: Gold labels.
        predicted: Predicted labels.
        label_names: All labels, in the order of their ids.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    label_names: tuple[str, ...]

    def label_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """Gold and predicted label ids, each `(utterances,)`."""
        ids = {name: index for index, name in enumerate(self.label_names)}
        return np.array([ids[name] for name in self.labels]), np.array([ids[name] for name in self.predicted])


@dataclass(frozen=True)
class FinishedRun:
    """A finished run, read from its folder.

    Attributes:
        path: Run folder.
        metrics: Content of `metrics.json`.
        config: Content of the model's `config.json`.
        validations: Lines of `log.jsonl` about an evaluation on the validation split.
        trainings: Lines of `log.jsonl` about training steps.
        predictions: Predictions on the test split; `None` without one.
    """

    path: Path
    metrics: dict[str, Any]
    config: dict[str, Any]
    validations: list[dict[str, Any]]
    trainings: list[dict[str, Any]]
    predictions: Predictions | None

    @cached_property
    def settings(self) -> TrainingSettings:
        """Settings of the run."""
        return TrainingSettings.from_saved(self.metrics["settings"])

    @property
    def split(self) -> str:
        """Split that the results are of: `test`, or `validation` where there is no test split."""
        return "test" if self.metrics.get("test") else "validation"

    @property
    def results(self) -> Mapping[str, Any]:
        """Metrics on `split`."""
        results: Mapping[str, Any] = self.metrics[self.split]
        return results

    @property
    def num_samples(self) -> int:
        """Number of utterances that `results` are computed from."""
        return sum(row["support"] for row in self.results["per_class"])

    @property
    def source(self) -> LicenseTerms:
        """Origin and license terms of the data."""
        texts = self.settings.dataset_options.get("texts")
        return license_terms(self.settings.dataset, texts=texts, data_dir=self.settings.data_dir)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that the model reads."""
        # text_only gets all modalities and reads one. A-MESS always has a text input, if only [CLS] [SEP].
        return ("text",) if self.settings.model == "text_only" else self.settings.modality_names


class ForeignFileError(UserError):
    """A file of the user's in a run folder, with the name of a file that the run writes. It is kept."""


def is_finished(folder: Path) -> bool:
    """Whether the run in the folder is finished: `metrics.json` is written last."""
    return (folder / METRICS_FILE).is_file() and is_own(folder, METRICS_FILE)


def is_own(folder: Path, name: str) -> bool:
    """Return whether runs wrote this file of a run folder, or will: the mark lists what they wrote.

    A card counts as long as it is as a run wrote it: people add to a README.md.

    Args:
        folder: Run folder.
        name: One of `RUN_FILES`.
    """
    written = (read_marker(folder) or {}).get(_WRITTEN)
    if written is None or not (folder / name).exists():
        return True  # A run of version 0.1.0 has no list.
    return name in written and (name != CARD_FILE or digest((folder / name).read_bytes()) in written[name])


def claim(folder: Path, name: str, content: bytes = b"") -> None:
    """Note in the mark of a run folder that a run writes this file. Called before the file gets its name.

    Args:
        folder: Run folder.
        name: One of `RUN_FILES`.
        content: What the run writes, for a file that people add to.

    Raises:
        ForeignFileError: The user has a file of this name there.
    """
    marker = read_marker(folder)
    if marker is None:
        return  # A run of version 0.1.0, and `sentence_embeddings` before its first file.
    if not is_own(folder, name):
        raise ForeignFileError(foreign_file(folder, name))
    written = marker.get(_WRITTEN)
    if written is None:
        return
    # The last two: a kill may come between this mark and the file.
    digests = [*written.get(name, []), digest(content)][-2:] if name == CARD_FILE else []
    if name not in written or digests != written[name]:
        write_marker(folder, {**marker, _WRITTEN: {**written, name: digests}})


def foreign_file(folder: Path, name: str) -> str:
    """Say that a file of the user's has the name of a file that the run writes."""
    return (
        f"{folder / name} was not written by the run in {folder}, which writes a file of that name. It is kept. Move "
        "it to another folder and give the same command again."
    )


def digest(content: bytes) -> str:
    """Return a fingerprint of a file's content."""
    return hashlib.sha256(content).hexdigest()


def with_baseline(folder: Path) -> list[Path]:
    """List the text-only baseline that the run in a folder may hold, if it is finished, and the folder."""
    baseline = folder / BASELINE_FOLDER
    return [baseline, folder] if is_finished(baseline) else [folder]


def read_run(folder: str | Path) -> FinishedRun:
    """Read a finished run that left a model.

    Raises:
        UnfinishedRunError: The folder, `metrics.json` or the model's config is missing.
    """
    folder = Path(folder)
    config_file = folder / MODEL_FOLDER / "config.json"
    for file in (folder / METRICS_FILE, config_file):
        if not file.is_file():
            raise UnfinishedRunError(
                f"{folder} is not the folder of a finished run: {file.relative_to(folder)} is missing. Give the "
                "folder that training/train.py wrote, and let the run end."
            )
    log = folder / LOG_FILE
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    return FinishedRun(
        path=folder,
        metrics=read_metrics(folder),
        config=json.loads(config_file.read_text(encoding="utf-8")),
        validations=[line for line in lines if line["event"] == "validation"],
        trainings=[line for line in lines if line["event"] == "train"],
        predictions=read_predictions(folder) if (folder / PREDICTIONS_FILE).is_file() else None,
    )


def read_metrics(folder: Path) -> dict[str, Any]:
    """Read `metrics.json`."""
    metrics: dict[str, Any] = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
    return metrics


def read_settings(folder: Path) -> TrainingSettings:
    """Read `config.yaml`, which a run writes first.

    Raises:
        SettingsError: The file is damaged, or has a setting that this version does not know.
    """
    file = folder / SETTINGS_FILE
    try:
        saved = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        saved = str(error).splitlines()[0]
    if not isinstance(saved, dict):
        raise SettingsError(
            f"{file} holds no settings ({saved or 'it is empty'}), as a power cut may leave it. Delete that file and "
            "give the command of the run again: its checkpoints hold the settings, too, and are compared with it."
        )
    return TrainingSettings.from_saved(saved)


def read_marker(folder: Path) -> dict[str, Any] | None:
    """Read the mark of a run folder; `None` for a folder without one."""
    try:
        content = json.loads((folder / MARKER_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError):
        return {}  # damaged, but nothing else has this name
    return content if isinstance(content, dict) else {}


def write_marker(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the mark of a run folder."""
    with replacing(folder / MARKER_FILE) as partial:
        write_json(partial, content)


def is_run(folder: Path) -> bool:
    """Return whether a run wrote the folder: by its mark or, from version 0.1.0, by its content.

    Many programs write a `config.yaml`, so that its name is no evidence.
    """
    if read_marker(folder) is not None:
        return True
    if complete_checkpoints(folder / CHECKPOINT_FOLDER):
        return True
    try:
        read_settings(folder)
    except (OSError, UserError, TypeError, AttributeError):
        return False
    return _has_our_metrics(folder) or _has_our_log(folder)


def _has_our_metrics(folder: Path) -> bool:
    try:
        metrics = read_metrics(folder)
    except (OSError, ValueError):
        return False
    return isinstance(metrics, dict) and {"model", "settings", "versions"} <= set(metrics)


def _has_our_log(folder: Path) -> bool:
    try:
        with (folder / LOG_FILE).open(encoding="utf-8") as stream:
            first = json.loads(stream.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and {"event", "step"} <= set(first)


def read_prediction_rows(folder: Path) -> list[dict[str, Any]]:
    """Read all rows of `predictions.parquet`; none where the run had no test split."""
    file = folder / PREDICTIONS_FILE
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist() if file.is_file() else []
    return rows


def read_predictions(folder: Path) -> Predictions:
    """Read the predicted labels of a run; utterances without one of the model's labels are left out.

    Raises:
        UnfinishedRunError: The folder has no predictions.
    """
    table, names = _read_table(folder)
    known = pa.array([label in names for label in table["label"].to_pylist()], pa.bool_())
    return _predictions(table.filter(known), "prediction", names)


def read_probabilities(folder: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Read the probabilities of a run on its test split; utterances without one of the model's labels are left out.

    Returns:
        Probabilities `(utterances, labels)`, gold label ids `(utterances,)`, and the temperature of the probabilities
        (1 for a run of an earlier version).

    Raises:
        UnfinishedRunError: The folder has no predictions.
    """
    table, names = _read_table(folder)
    ids = {name: index for index, name in enumerate(names)}
    labels = np.array([ids.get(name, -1) for name in table["label"].to_pylist()])
    probabilities = np.array(table["scores"].to_pylist(), dtype=np.float64)
    return probabilities[labels >= 0], labels[labels >= 0], json.loads(table.schema.metadata.get(b"temperature", b"1"))


def read_decisions(folder: Path) -> Predictions | None:
    """Read the decisions between intents and out of scope, for all utterances; `None` for a run without any.

    Raises:
        UnfinishedRunError: The folder has no predictions.
    """
    table, names = _read_table(folder)
    if "decision" not in table.column_names:
        return None
    intents = tuple(name for name in names if name != OUT_OF_SCOPE_LABEL)
    return _predictions(table, "decision", (*intents, OUT_OF_SCOPE_LABEL))


def settings_text(settings: TrainingSettings) -> str:
    """Return the content of `config.yaml`."""
    return yaml.safe_dump(asdict(settings), sort_keys=False, allow_unicode=True)


def write_metrics(folder: Path, content: Mapping[str, Any]) -> None:
    """Write `metrics.json`, whose presence says that the run is finished."""
    with replacing(folder / METRICS_FILE) as partial:
        write_json(partial, content)
        claim(folder, METRICS_FILE)


def write_predictions(
    folder: Path, columns: Mapping[str, Any], label_names: Sequence[str], temperature: float = 1.0
) -> None:
    """Write `predictions.parquet`, one row per utterance of the test split.

    Args:
        folder: Run folder.
        columns: `id`, `text`, `label` and `prediction` (names), `scores` (one per label, in the order of the ids). A
            run with utterances out of scope, whose label is `UNK`, also has `decision` (a name or `UNK`) and
            `scope_scores` (one number per score).
        label_names: Labels of the model in the order of their ids.
        temperature: Number that the logits were divided by before the `scores`.
    """
    metadata = {"labels": json.dumps(list(label_names)), "temperature": json.dumps(temperature)}
    table = pa.table(dict(columns)).replace_schema_metadata(metadata)
    with replacing(folder / PREDICTIONS_FILE) as partial:
        pq.write_table(table, partial)
        claim(folder, PREDICTIONS_FILE)


def write_card_text(folder: Path, text: str) -> bool:
    """Write the card of a run, unless the user has a `README.md` of their own there.

    Returns:
        Whether the card was written.
    """
    content = text.encode()
    if not is_own(folder, CARD_FILE):
        return False
    with replacing(folder / CARD_FILE) as partial:
        partial.write_bytes(content)
        claim(folder, CARD_FILE, content)
    return True


def write_result(folder: Path, name: str, write: Callable[[Path], Any]) -> None:
    """Write a picture or a table of a run's results.

    Args:
        folder: Run folder.
        name: One of `RUN_FILES`.
        write: Function that draws or writes the content into a file.

    Raises:
        ForeignFileError: The user has a file of this name there.
    """
    with replacing(folder / name) as partial:
        write(partial)
        claim(folder, name)


def sort_runs(run: FinishedRun, others: Sequence[FinishedRun]) -> tuple[list[FinishedRun], list[FinishedRun]]:
    """Split runs into other seeds of one experiment and other experiments on the same data.

    Args:
        run: Run that the others are compared with.
        others: Runs to sort.

    Returns:
        `run` and the runs that differ from it in the seed alone, by seed; then the runs of baselines or with other
        modalities.

    Raises:
        UnfinishedRunError: A run on other data, two runs with the same seed, or runs of several seeds that differ in
            another setting.
    """
    seeds, comparisons = [run], list[FinishedRun]()
    for other in others:
        for name in settings_of(Role.DATA):
            if getattr(other.settings, name) != getattr(run.settings, name):
                raise UnfinishedRunError(
                    f"{other.path} is a run with {name}={getattr(other.settings, name)!r}, {run.path} one with "
                    f"{getattr(run.settings, name)!r}: their results do not belong in one table."
                )
        same = other.settings.model == run.settings.model and other.modalities == run.modalities
        (seeds if same else comparisons).append(other)
    differing = {
        name
        for other in seeds[1:]
        for name in settings_of(Role.METHOD)
        if getattr(run.settings, name) != getattr(other.settings, name)
    }
    if differing:
        raise UnfinishedRunError(
            f"The runs of several seeds differ in more than the seed: {', '.join(sorted(differing))}."
        )
    numbers = [other.metrics["seed"] for other in seeds]
    if len(set(numbers)) < len(numbers):
        raise UnfinishedRunError(f"The same seed is given twice: the runs have the seeds {numbers}.")
    return sorted(seeds, key=lambda item: item.metrics["seed"]), comparisons


def _read_table(folder: Path) -> tuple[pa.Table, tuple[str, ...]]:
    """Table and label names of `predictions.parquet`."""
    file = folder / PREDICTIONS_FILE
    if not file.is_file():
        raise UnfinishedRunError(f"{folder} holds no {PREDICTIONS_FILE}: it is not the folder of a finished run.")
    table = pq.read_table(file)
    return table, tuple(json.loads(table.schema.metadata[b"labels"]))


def _predictions(table: pa.Table, column: str, label_names: tuple[str, ...]) -> Predictions:
    ids, labels, predicted = (tuple(table[name].to_pylist()) for name in ("id", "label", column))
    return Predictions(ids, labels, predicted, label_names)
