# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of finished runs: training, confusion matrix, reliability, coverage (`amess plot`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from scipy.special import softmax

from dataset_scripts.files import replacing

from .calibration import (
    CALIBRATION_BINS,
    COVERAGES,
    MIN_UTTERANCES,
    conformal_thresholds,
    prediction_sets,
    reliability_bins,
)
from .finished_run import FinishedRun, UnfinishedRunError, read_metrics, read_probabilities, read_run
from .reproduction.pictures import COLOURS, STYLE, draw_confusions
from .reproduction.results import METRICS


TRAINING = "training"
# Random halves of the test split, for a run that has no thresholds of its own.
_HALVES = 50


@dataclass(frozen=True)
class Coverages:
    """Prediction sets of a run on its test split.

    Attributes:
        asked: Coverages asked for, as fractions.
        found: Share of sets that hold the right intent, by coverage asked for.
        sizes: Mean number of intents in a set, by coverage asked for.
        utterances: Number of utterances that are tested.
        source: Where the thresholds come from, in words.
    """

    asked: tuple[float, ...]
    found: tuple[float, ...]
    sizes: tuple[float, ...]
    utterances: int
    source: str


def save(figure: Figure, file: Path) -> None:
    """Write a picture whole or not at all, and make its folder; the ending (png, svg, pdf) chooses the kind."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as partial:
        figure.savefig(partial, format=file.suffix[1:])


def training_figure(runs: Sequence[FinishedRun]) -> Figure:
    """Draw losses, the metric that chose the epoch, and learning rates by epoch; a colour per run.

    Args:
        runs: Finished runs.

    Raises:
        UnfinishedRunError: No run has a log of its epochs.
    """
    with matplotlib.rc_context(rc=STYLE):
        figure = Figure(figsize=(9.6, 3.4), layout="constrained")
        loss, metric, rate = figure.subplots(1, 3)
        for index, run in enumerate(runs):
            colour = COLOURS[index % len(COLOURS)]
            chosen = run.metrics["settings"]["metric_for_best_model"]
            if not run.validations:
                continue
            epochs = [line["epoch"] for line in run.validations]
            passed = [line["step"] * epochs[-1] / run.validations[-1]["step"] for line in run.trainings]
            # Validation has no loss of the descriptions, which the whole loss of a training step has.
            loss.plot(passed, [line.get("classification_loss", line["loss"]) for line in run.trainings], color=colour)
            loss.plot(epochs, [line["loss"] for line in run.validations], color=colour, linestyle="--")
            name = f"{run.path.resolve().name}: {METRICS[chosen].title}"
            values = [100 * line[chosen] for line in run.validations]
            metric.plot(epochs, values, color=colour, label=name)
            best = run.metrics["best_epoch"]
            if best in epochs:
                metric.plot([best], [values[epochs.index(best)]], "o", color=colour, markersize=5)
            for kind, style in (("learning_rate", "-"), ("new_learning_rate", "--")):
                rate.plot(passed, [line[kind] for line in run.trainings], color=colour, linestyle=style)
        if not metric.lines:
            raise UnfinishedRunError("The logs of the runs have no epoch.")
        _legend(loss, "training, single steps", "validation")
        _legend(rate, "text encoder", "other layers")
        loss.set_ylabel("classification loss")
        metric.set_ylabel("validation (%)")
        rate.set_ylabel("learning rate")
        rate.set_yscale("log")
        for panel in (loss, metric, rate):
            panel.set_xlabel("epoch")
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        metric.legend(loc="lower right", frameon=False, title="dot: the chosen epoch")
        figure.suptitle(f"Training: {_utterances(runs)}")
        return figure


def confusion_figure(run: Path) -> Figure:
    """Draw the confusion matrix of a run on its test split.

    Args:
        run: Run folder.

    Raises:
        UnfinishedRunError: The run has no test split.
    """
    predictions = read_run(run).predictions
    if predictions is None:
        raise UnfinishedRunError(f"{run} has no predictions of a test split.")
    return draw_confusions(predictions)


def _legend(panel: Axes, solid: str, dashed: str) -> None:
    """Explain the two kinds of lines of a panel, whose colours are those of the runs."""
    lines = [Line2D([], [], color="0.3", linestyle=style) for style in ("-", "--")]
    panel.legend(lines, (solid, dashed), loc="best", frameon=False)


def _utterances(runs: Sequence[FinishedRun]) -> str:
    """Say how many utterances the runs learned from and were evaluated on."""
    numbers = set()
    for run in runs:
        validation = sum(row["support"] for row in run.metrics["validation"]["per_class"])
        numbers.add((run.metrics["train_samples"], validation))
    train, validation = (" or ".join(map(str, sorted(set(column)))) for column in zip(*numbers, strict=True))
    return f"{train} training and {validation} validation utterances"


def reliability_figure(run: Path) -> Figure:
    """Draw accuracy by confidence, with and without the temperature of the run.

    Args:
        run: Run folder.

    Raises:
        UnfinishedRunError: The folder is not of a finished run with a test split.
    """
    probabilities, labels, temperature = read_probabilities(run)
    # softmax(z / T) to the power of T, normalised, is softmax(z).
    log_probabilities = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    drawn = {"of the pipeline": probabilities}
    if temperature != 1:
        drawn = {"without temperature": softmax(log_probabilities * temperature, axis=-1), **drawn}
    with matplotlib.rc_context(rc=STYLE):
        figure = Figure(figsize=(4.6, 4.8), layout="constrained")
        panel = figure.subplots()
        panel.plot((0, 100), (0, 100), color="0.7", linewidth=1, label="as sure as right")
        for (name, values), colour in zip(drawn.items(), COLOURS[1::-1][-len(drawn) :], strict=True):
            confidence, accuracy, counts = reliability_bins(values, labels)
            error = float(np.abs(accuracy - confidence) @ counts / len(labels))
            title = f"{name}: calibration error {100 * error:.1f} %"
            panel.plot(100 * confidence, 100 * accuracy, "o-", color=colour, markersize=4, label=title)
        panel.set_xlim(0, 100)
        panel.set_ylim(0, 100)
        panel.set_xlabel(f"mean probability of the answer in a bin (%), {CALIBRATION_BINS} bins")
        panel.set_ylabel("right answers in a bin (%)")
        panel.set_title(f"Reliability: {run.resolve().name}, {len(labels)} test utterances")
        panel.legend(loc="upper left", frameon=False)
        return figure


def coverage_figure(run: Path) -> Figure:
    """Draw the coverage that prediction sets reach, and their mean size, by the coverage asked for.

    Args:
        run: Run folder.

    Raises:
        UnfinishedRunError: The folder is not of a finished run with a test split, or the split is too small.
    """
    curve = coverages(run)
    with matplotlib.rc_context(rc=STYLE):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        reached, size = figure.subplots(1, 2)
        asked = 100 * np.array(curve.asked)
        reached.plot(asked, asked, color="0.7", linewidth=1, label="asked for")
        reached.plot(asked, 100 * np.array(curve.found), color=COLOURS[0], label="reached")
        reached.set_ylabel("sets with the right intent (%)")
        reached.legend(loc="upper left", frameon=False)
        size.plot(asked, curve.sizes, color=COLOURS[0])
        size.set_ylabel("mean number of intents in a set")
        for panel in (reached, size):
            panel.set_xlabel("coverage asked for (%)")
        figure.suptitle(
            f"Prediction sets: {run.resolve().name}, {curve.utterances} test utterances\n"
            f"(thresholds from {curve.source})"
        )
        return figure


def coverages(run: Path) -> Coverages:
    """Evaluate the prediction sets of a run for all coverages.

    A run without thresholds (of an earlier version, or with a small validation split) is calibrated on random halves
    of its test split and tested on the other halves.

    Raises:
        UnfinishedRunError: The folder is not of a finished run with a test split, or the split is too small.
    """
    probabilities, labels, _ = read_probabilities(run)
    saved = read_metrics(run).get("calibration", {}).get("coverage_thresholds")
    if saved:
        everything = np.arange(len(labels))
        draws, source, tested = [(saved, everything)], "the validation split", len(labels)
    else:
        if len(labels) < 2 * MIN_UTTERANCES:
            raise UnfinishedRunError(
                f"{run} has no thresholds of prediction sets, and its {len(labels)} test utterances are too few to "
                f"make some: {2 * MIN_UTTERANCES} are needed. Train it with at least {MIN_UTTERANCES} validation "
                "utterances."
            )
        random, draws, tested = np.random.default_rng(0), [], len(labels) - len(labels) // 2
        for _ in range(_HALVES):
            held_out, others = np.split(random.permutation(len(labels)), [len(labels) // 2])
            draws.append((conformal_thresholds(probabilities[held_out, labels[held_out]]), others))
        source = f"{_HALVES} random halves of the test split"
    asked = [percent for percent in COVERAGES if all(str(percent) in thresholds for thresholds, _ in draws)]
    found, sizes = [], []
    for percent in asked:
        sets = [prediction_sets(probabilities[rows], thresholds[str(percent)]) for thresholds, rows in draws]
        held = [part[np.arange(len(rows)), labels[rows]] for part, (_, rows) in zip(sets, draws, strict=True)]
        found.append(float(np.mean(held)))
        sizes.append(float(np.mean([part.sum(-1).mean() for part in sets])))
    return Coverages(tuple(percent / 100 for percent in asked), tuple(found), tuple(sizes), tested, source)


# Pictures of a run's test split, by the name of the file.
OF_TEST_SPLIT: dict[str, Callable[[Path], Figure]] = {
    "confusion_matrix": confusion_figure,
    "reliability": reliability_figure,
    "coverage": coverage_figure,
}
