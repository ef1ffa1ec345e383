# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The finished runs of a row read back, and what they say: mean, deviation, interval, comparison with another row."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from dataset_scripts.labels import OUT_OF_SCOPE_LABEL

from ..reporting import METRICS_FILE, PREDICTIONS_FILE
from ..significance import Comparison, bootstrap_metrics, interval, mcnemar, paired_bootstrap
from .jobs import Job
from .rows import Row


@dataclass(frozen=True)
class Metric:
    """
    Attributes:
        title: its column.
        place: keys that lead to it in metrics.json.
        resampled: its name among `bootstrap_metrics`; "" where predictions do not give it.
    """

    title: str
    place: tuple[str, ...]
    resampled: str = ""


METRICS = {
    "accuracy": Metric("ACC", ("test", "accuracy"), "accuracy"),
    "macro_f1": Metric("F1", ("test", "macro_f1"), "macro_f1"),
    "macro_precision": Metric("P", ("test", "macro_precision"), "macro_precision"),
    "macro_recall": Metric("R", ("test", "macro_recall"), "macro_recall"),
    # With out-of-scope utterances, the label for them counted as one more.
    "open_accuracy": Metric("ACC", ("out_of_scope", "accuracy"), "accuracy"),
    "f1_in_scope": Metric("F1-IS", ("out_of_scope", "f1_in_scope"), "f1_in_scope"),
    "f1_out_of_scope": Metric("F1-OOS", ("out_of_scope", "f1_out_of_scope"), "f1_out_of_scope"),
    "open_f1": Metric("F1", ("out_of_scope", "f1"), "f1"),
}


@dataclass(frozen=True)
class LabelledPredictions:
    """predictions.parquet of a run."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]  # gold, a sample each
    predicted: tuple[str, ...]
    label_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RowResults:
    """
    What the finished runs of a row say.

    Attributes:
        row: what was trained.
        contents: metrics.json by seed.
        predictions: of the test split by seed.
        missing: seeds without a finished run.
    """

    row: Row
    contents: Mapping[int, Mapping[str, Any]]
    predictions: Mapping[int, LabelledPredictions]
    missing: tuple[int, ...]
    _resampled: dict[tuple[int, ...], dict[str, np.ndarray]] = field(default_factory=dict, repr=False)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that are finished."""
        return tuple(self.contents)

    def values(self, metric: str) -> list[float]:
        """A metric of `METRICS` by seed, in percent; empty where the runs do not have it."""
        found: list[Any] = list(self.contents.values())
        for key in METRICS[metric].place:
            found = [content.get(key) if content else None for content in found]
        return [100 * value for value in found if value is not None]

    def mean(self, metric: str) -> float | None:
        """Mean over the seeds, in percent."""
        values = self.values(metric)
        return statistics.mean(values) if values else None

    def deviation(self, metric: str) -> float | None:
        """Standard deviation over the seeds (n - 1), in percentage points; `None` for one seed."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None

    def interval(self, metric: str) -> tuple[float, float] | None:
        """The 95 % interval of the mean in percent, by bootstrap; `None` where predictions do not give it."""
        resampled = self.resampled(tuple(self.predictions)).get(METRICS[metric].resampled)
        if resampled is None or not self.values(metric):
            return None
        low, high = interval(resampled)
        return 100 * low, 100 * high

    def resampled(self, seeds: tuple[int, ...]) -> dict[str, np.ndarray]:
        """`bootstrap_metrics` over these seeds; empty where there is none, or each has test samples of its own."""
        if seeds not in self._resampled:
            self._resampled[seeds] = _resample([self.predictions[seed] for seed in seeds])
        return self._resampled[seeds]


def read_row(jobs: Sequence[Job]) -> RowResults:
    """Read the runs of one row, a job for each seed."""
    finished = [job for job in jobs if job.finished]
    contents = {job.seed: json.loads((job.folder / METRICS_FILE).read_text(encoding="utf-8")) for job in finished}
    predictions = {
        job.seed: read_predictions(job.folder) for job in finished if (job.folder / PREDICTIONS_FILE).is_file()
    }
    missing = tuple(job.seed for job in jobs if not job.finished)
    return RowResults(jobs[0].row, contents, predictions, missing)


def read_predictions(folder: Path) -> LabelledPredictions:
    """predictions.parquet of a run folder."""
    table = pq.read_table(folder / PREDICTIONS_FILE, columns=["id", "label", "prediction"])
    labels, predicted = tuple(table["label"].to_pylist()), tuple(table["prediction"].to_pylist())
    names = json.loads((table.schema.metadata or {}).get(b"labels", b"[]"))
    # A label that the model has no score for, such as the out-of-scope label found by a threshold, comes last.
    names += sorted({*labels, *predicted} - set(names))
    return LabelledPredictions(tuple(table["id"].to_pylist()), labels, predicted, tuple(names))


def compare(first: RowResults, second: RowResults, metric: str) -> Comparison | None:
    """
    `second` minus `first` in percentage points, on the seeds and samples that both have.

    Returns:
        The paired bootstrap's comparison, for the accuracy of one seed with McNemar's p-value; `None` where there is
        no common seed or the test samples differ.
    """
    seeds = tuple(seed for seed in first.predictions if seed in second.predictions)
    name = METRICS[metric].resampled
    one, other = first.resampled(seeds), second.resampled(seeds)
    if name not in one or name not in other or not _same_samples(first, second, seeds):
        return None
    means = [
        statistics.mean(value for seed, value in zip(part.seeds, part.values(metric), strict=True) if seed in seeds)
        for part in (first, second)
    ]
    found = paired_bootstrap(100 * one[name], 100 * other[name], means[1] - means[0])
    if len(seeds) == 1 and name == "accuracy":
        right = [
            np.array(part.predictions[seeds[0]].predicted) == np.array(part.predictions[seeds[0]].labels)
            for part in (first, second)
        ]
        return Comparison(found.difference, found.low, found.high, mcnemar(*right), "McNemar")
    return found


def _same_samples(first: RowResults, second: RowResults, seeds: Sequence[int]) -> bool:
    parts = [part.predictions[seed] for part in (first, second) for seed in seeds]
    return all((part.ids, part.labels) == (parts[0].ids, parts[0].labels) for part in parts)


def _resample(parts: Sequence[LabelledPredictions]) -> dict[str, np.ndarray]:
    if not parts or any((part.ids, part.labels) != (parts[0].ids, parts[0].labels) for part in parts):
        return {}
    # Names of the first run, then what only other seeds predicted.
    names = list(dict.fromkeys(name for part in parts for name in part.label_names))
    ids = {name: index for index, name in enumerate(names)}
    labels = np.array([ids[name] for name in parts[0].labels])
    predicted = np.array([[ids[name] for name in part.predicted] for part in parts])
    return bootstrap_metrics(labels, predicted, len(names), out_of_scope=ids.get(OUT_OF_SCOPE_LABEL))
