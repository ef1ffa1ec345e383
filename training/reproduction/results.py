# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The results of a row's finished runs: mean, deviation, interval, comparison with another row."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dataset_scripts.labels import OUT_OF_SCOPE_LABEL

from ..finished_run import METRICS_FILE, Predictions, read_decisions, read_metrics, read_predictions
from ..significance import Answers, Comparison
from .jobs import Job
from .runs import TableRow


@dataclass(frozen=True)
class Metric:
    """A metric and where it is in a run folder.

    Attributes:
        title: Title of its column.
        place: Keys that lead to it in metrics.json; `{decision}` is replaced by the row's decision.
        resampled: Name among the metrics of `Answers`; "" where the predictions do not give the metric.
        open: Whether it judges the decisions between intents and out-of-scope, not the predicted labels.
    """

    title: str
    place: tuple[str, ...]
    resampled: str = ""
    open: bool = False


_OPEN_INTENT = ("out_of_scope", "test", "open_intent", "{decision}")
_DETECTION = ("out_of_scope", "test", "ood_detection", "{decision}")
METRICS = {
    "accuracy": Metric("ACC", ("test", "accuracy"), "accuracy"),
    "macro_f1": Metric("F1", ("test", "macro_f1"), "macro_f1"),
    "macro_precision": Metric("P", ("test", "macro_precision"), "macro_precision"),
    "macro_recall": Metric("R", ("test", "macro_recall"), "macro_recall"),
    # Of the planted benchmark: what was read from the text, from the video and from the audio.
    "group_accuracy": Metric("group (text)", ("test", "planted", "group_accuracy")),
    "video_bit_accuracy": Metric("video bit", ("test", "planted", "video_bit_accuracy")),
    "audio_bit_accuracy": Metric("audio bit", ("test", "planted", "audio_bit_accuracy")),
    # With out-of-scope utterances, whose label counts as one more.
    "open_accuracy": Metric("ACC", (*_OPEN_INTENT, "accuracy"), "accuracy", open=True),
    "f1_in_scope": Metric("F1-IS", (*_OPEN_INTENT, "f1_in_scope"), "f1_in_scope", open=True),
    "f1_out_of_scope": Metric("F1-OOS", (*_OPEN_INTENT, "f1_out_of_scope"), "f1_out_of_scope", open=True),
    "open_f1": Metric("F1", (*_OPEN_INTENT, "f1"), "f1", open=True),
    "auroc": Metric("AUROC", (*_DETECTION, "auroc")),
    "aupr_in": Metric("AUPR-in", (*_DETECTION, "aupr_in")),
    "aupr_out": Metric("AUPR-out", (*_DETECTION, "aupr_out")),
    "fpr95": Metric("FPR95", (*_DETECTION, "fpr95")),
    "eer": Metric("EER", (*_DETECTION, "eer")),
}
# Decisions in predictions.parquet; of those by a score with a threshold, only metrics.json holds the metrics.
_STORED_DECISIONS = ("argmax", "doc")


@dataclass(frozen=True, eq=False)
class RowResults:
    """The finished runs of a row.

    Attributes:
        row: Row of the table.
        folders: Run folders, in the order of `contents`.
        contents: Content of metrics.json by seed.
        finished: Time at which each run was finished, by seed.
        predictions: Predictions on the test split by seed, of the utterances with one of the model's labels.
        decisions: Decisions between intents and out-of-scope by seed, of all utterances; empty where a run makes none.
        missing: Seeds without a finished run.
    """

    row: TableRow
    folders: tuple[Path, ...]
    contents: Mapping[int, Mapping[str, Any]]
    finished: Mapping[int, datetime]
    predictions: Mapping[int, Predictions]
    decisions: Mapping[int, Predictions]
    missing: tuple[int, ...]
    _answers: dict[tuple[tuple[int, ...], bool], Answers | None] = field(default_factory=dict, repr=False)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds with a finished run."""
        return tuple(self.contents)

    def by_seed(self, metric: str) -> dict[int, float]:
        """A metric of `METRICS` by seed, in percent; seeds whose runs do not have the metric are left out."""
        percent = {}
        for seed, content in self.contents.items():
            value: Any = content
            for key in METRICS[metric].place:
                value = (value or {}).get(key.format(decision=self.row.decision))
            if value is not None:
                percent[seed] = 100 * value
        return percent

    def values(self, metric: str) -> list[float]:
        """The values of `by_seed`."""
        return list(self.by_seed(metric).values())

    def mean(self, metric: str) -> float | None:
        """Mean over the seeds, in percent."""
        values = self.values(metric)
        return statistics.mean(values) if values else None

    def deviation(self, metric: str) -> float | None:
        """Standard deviation over the seeds (n - 1), in percentage points; `None` for one seed."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None

    def interval(self, metric: str) -> tuple[float, float] | None:
        """95 % interval of the mean in percent; `None` where the predictions do not give it."""
        answers, mean = self.answers(metric, tuple(self.samples(metric))), self.mean(metric)
        if answers is None or mean is None:
            return None
        low, high = answers.interval(METRICS[metric].resampled, mean / 100)
        return 100 * low, 100 * high

    def samples(self, metric: str) -> Mapping[int, Predictions]:
        """Predictions that a metric judges, by seed; empty where the run folders do not hold them."""
        if not METRICS[metric].resampled:
            return {}
        if METRICS[metric].open:
            return self.decisions if self.row.decision in _STORED_DECISIONS else {}
        return self.predictions

    def answers(self, metric: str, seeds: tuple[int, ...]) -> Answers | None:
        """The answers that a metric judges.

        The folds of a cross-validation count as one seed that was tested on all utterances.

        Returns:
            The answers; `None` where there are none, or where seeds share only a part of their test utterances.
        """
        key = (seeds, METRICS[metric].open)
        if key not in self._answers:
            samples = self.samples(metric)
            self._answers[key] = _stack([samples[seed] for seed in seeds])
        return self._answers[key]


def read_row(jobs: Sequence[Job]) -> RowResults:
    """Read the runs of one row.

    Args:
        jobs: One job per seed.
    """
    folders = {job.seed: job.folder for job in jobs if job.finished}
    return read_folders(jobs[0].row, folders, tuple(job.seed for job in jobs if not job.finished))


def read_folders(row: TableRow, folders: Mapping[int, Path], missing: tuple[int, ...] = ()) -> RowResults:
    """Read finished runs.

    Args:
        row: Row that shows the runs.
        folders: Run folders by seed.
        missing: Seeds without a finished run.
    """
    decisions = {seed: read_decisions(folder) for seed, folder in folders.items()}
    return RowResults(
        row=row,
        folders=tuple(folders.values()),
        contents={seed: read_metrics(folder) for seed, folder in folders.items()},
        finished={seed: _finished_at(folder) for seed, folder in folders.items()},
        predictions={seed: read_predictions(folder) for seed, folder in folders.items()},
        decisions={seed: part for seed, part in decisions.items() if part is not None},
        missing=missing,
    )


def compare(first: RowResults, second: RowResults, metric: str) -> Comparison | None:
    """`second` minus `first` in percentage points, on the seeds and utterances that both have.

    Returns:
        The comparison; `None` where the rows have no seed in common or different test utterances.
    """
    one, other = first.samples(metric), second.samples(metric)
    seeds = tuple(seed for seed in one if seed in other)
    before, after = first.answers(metric, seeds), second.answers(metric, seeds)
    if before is None or after is None or not all(_same_samples(one[seed], other[seed]) for seed in seeds):
        return None
    means = [statistics.mean(part.by_seed(metric)[seed] for seed in seeds) for part in (first, second)]
    found = before.compare(after, METRICS[metric].resampled, (means[1] - means[0]) / 100)
    return replace(found, difference=means[1] - means[0], low=100 * found.low, high=100 * found.high)


def _finished_at(folder: Path) -> datetime:
    # A run writes metrics.json last.
    return datetime.fromtimestamp((folder / METRICS_FILE).stat().st_mtime, UTC)


def _same_samples(first: Predictions, second: Predictions) -> bool:
    return (first.ids, first.labels, first.label_names) == (second.ids, second.labels, second.label_names)


def _stack(parts: Sequence[Predictions]) -> Answers | None:
    parts = _joined_folds(parts)
    if not parts or not all(_same_samples(parts[0], part) for part in parts):
        return None
    names = parts[0].label_names
    ids = {name: index for index, name in enumerate(names)}
    labels = np.array([ids[name] for name in parts[0].labels])
    predicted = np.array([[ids[name] for name in part.predicted] for part in parts])
    return Answers(labels, predicted, len(names), ids.get(OUT_OF_SCOPE_LABEL))


def _joined_folds(parts: Sequence[Predictions]) -> Sequence[Predictions]:
    """Join runs that share no test utterance, the folds of a cross-validation, into one that was tested on all."""
    ids = [sample for part in parts for sample in part.ids]
    if len(parts) < 2 or len(set(ids)) < len(ids) or len({part.label_names for part in parts}) > 1:
        return parts
    return [
        Predictions(
            ids=tuple(ids),
            labels=tuple(label for part in parts for label in part.labels),
            predicted=tuple(label for part in parts for label in part.predicted),
            label_names=parts[0].label_names,
        )
    ]
