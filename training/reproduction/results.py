# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The finished runs of a row read back, and what they say: mean, deviation, interval, comparison with another row."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dataset_scripts.labels import OUT_OF_SCOPE_LABEL

from ..finished_run import Predictions as LabelledPredictions
from ..finished_run import read_decisions, read_metrics, read_predictions
from ..significance import Comparison, bootstrap_metrics, interval, mcnemar, paired_bootstrap
from .jobs import Job
from .rows import Row


@dataclass(frozen=True)
class Metric:
    """Attributes:
    title: its column.
    place: keys that lead to it in metrics.json; `{decision}` is the row's.
    resampled: its name among `bootstrap_metrics`; "" where predictions do not give it.
    open: whether it judges the decisions between intents and out-of-scope, not the predicted labels.
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
    # With out-of-scope utterances, the label for them counted as one more.
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
# The decisions that predictions.parquet holds; those by a score with a threshold stand in metrics.json alone.
_STORED_DECISIONS = ("argmax", "doc")


@dataclass(frozen=True, eq=False)
class RowResults:
    """What the finished runs of a row say.

    Attributes:
        row: what was trained.
        contents: metrics.json by seed.
        predictions: of the test split by seed, over the samples that have one of the model's labels.
        decisions: between intents and out-of-scope, over all samples, by seed; empty where there were none to make.
        missing: seeds without a finished run.
    """

    row: Row
    contents: Mapping[int, Mapping[str, Any]]
    predictions: Mapping[int, LabelledPredictions]
    decisions: Mapping[int, LabelledPredictions]
    missing: tuple[int, ...]
    _resampled: dict[tuple, dict[str, np.ndarray]] = field(default_factory=dict, repr=False)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that are finished."""
        return tuple(self.contents)

    def by_seed(self, metric: str) -> dict[int, float]:
        """A metric of `METRICS` by seed, in percent; without the seeds whose runs do not have it."""
        found = {}
        for seed, content in self.contents.items():
            value: Any = content
            for key in METRICS[metric].place:
                value = (value or {}).get(key.format(decision=self.row.decision))
            if value is not None:
                found[seed] = 100 * value
        return found

    def values(self, metric: str) -> list[float]:
        """`by_seed` without the seeds."""
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
        """The 95 % interval of the mean in percent, by bootstrap; `None` where predictions do not give it."""
        resampled = self.resampled(metric, tuple(self.samples(metric)))
        mean = self.mean(metric)
        return None if resampled is None or mean is None else interval(100 * resampled, mean)

    def samples(self, metric: str) -> Mapping[int, LabelledPredictions]:
        """By seed the predictions that a metric judges; empty where they were not kept."""
        if not METRICS[metric].resampled:
            return {}
        if METRICS[metric].open:
            return self.decisions if self.row.decision in _STORED_DECISIONS else {}
        return self.predictions

    def resampled(self, metric: str, seeds: tuple[int, ...]) -> np.ndarray | None:
        """The metric on resampled samples and seeds, as a fraction; the folds of a cross-validation count as one seed
        that was tested on all samples. `None` where there is none, or seeds share a part of their test samples only.
        """
        known = METRICS[metric]
        if (seeds, known.open) not in self._resampled:
            samples = self.samples(metric)
            self._resampled[seeds, known.open] = _resample([samples[seed] for seed in seeds])
        return self._resampled[seeds, known.open].get(known.resampled)


def read_row(jobs: Sequence[Job]) -> RowResults:
    """Read the runs of one row, a job for each seed."""
    finished = [job for job in jobs if job.finished]
    decisions = {job.seed: read_decisions(job.folder) for job in finished}
    return RowResults(
        row=jobs[0].row,
        contents={job.seed: read_metrics(job.folder) for job in finished},
        predictions={job.seed: read_predictions(job.folder) for job in finished},
        decisions={seed: part for seed, part in decisions.items() if part is not None},
        missing=tuple(job.seed for job in jobs if not job.finished),
    )


def compare(first: RowResults, second: RowResults, metric: str) -> Comparison | None:
    """`second` minus `first` in percentage points, on the seeds and samples that both have.

    Returns:
        The paired bootstrap's comparison, for the accuracy of one seed with McNemar's p-value; `None` where there is
        no common seed or the test samples differ.
    """
    one, other = first.samples(metric), second.samples(metric)
    seeds = tuple(seed for seed in one if seed in other)
    resampled = [part.resampled(metric, seeds) for part in (first, second)]
    if any(values is None for values in resampled) or not all(_same_samples(one[seed], other[seed]) for seed in seeds):
        return None
    values = [[part.by_seed(metric)[seed] for seed in seeds] for part in (first, second)]
    difference = statistics.mean(values[1]) - statistics.mean(values[0])
    found = paired_bootstrap(100 * resampled[0], 100 * resampled[1], difference)
    if len(seeds) == 1 and METRICS[metric].resampled == "accuracy":
        right = [np.array(part[seeds[0]].predicted) == np.array(part[seeds[0]].labels) for part in (one, other)]
        return replace(found, p_value=mcnemar(*right), test="McNemar")
    return found


def _same_samples(first: LabelledPredictions, second: LabelledPredictions) -> bool:
    return (first.ids, first.labels, first.label_names) == (second.ids, second.labels, second.label_names)


def _resample(parts: Sequence[LabelledPredictions]) -> dict[str, np.ndarray]:
    parts = _joined_folds(parts)
    if not parts or not all(_same_samples(parts[0], part) for part in parts):
        return {}
    names = parts[0].label_names
    ids = {name: index for index, name in enumerate(names)}
    labels = np.array([ids[name] for name in parts[0].labels])
    predicted = np.array([[ids[name] for name in part.predicted] for part in parts])
    return bootstrap_metrics(labels, predicted, len(names), out_of_scope=ids.get(OUT_OF_SCOPE_LABEL))


def _joined_folds(parts: Sequence[LabelledPredictions]) -> Sequence[LabelledPredictions]:
    """Runs that share no test sample, the folds of a cross-validation, as one that saw them all."""
    ids = [sample for part in parts for sample in part.ids]
    if len(parts) < 2 or len(set(ids)) < len(ids) or len({part.label_names for part in parts}) > 1:
        return parts
    columns = [
        tuple(value for part in parts for value in getattr(part, name)) for name in ("ids", "labels", "predicted")
    ]
    return [LabelledPredictions(*columns, parts[0].label_names)]
