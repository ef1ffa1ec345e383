# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Draw the reliability diagram and the coverage curve of a finished run.

    python -m training.plots runs/sample-amess
    python -m training.plots runs/sample-amess --output figures --format svg

Reads metrics.json and predictions.parquet of the test split, and writes reliability.png and coverage.png into the run
folder or --output. Runs of earlier versions and runs that are not calibrated work, too.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("training.plots:main")


import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.special import softmax

from .calibration import (
    CALIBRATION_BINS,
    COVERAGES,
    MIN_UTTERANCES,
    conformal_thresholds,
    prediction_sets,
    reliability_bins,
)
from .finished_run import UnfinishedRunError, read_metrics, read_probabilities
from .reproduction.pictures import COLOURS, STYLE


FORMATS = ("png", "svg", "pdf")
RELIABILITY, COVERAGE = "reliability", "coverage"
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status.

    Raises:
        UnfinishedRunError: The folder is not of a finished run with a test split.
    """
    parser = argparse.ArgumentParser(
        prog="amess plot", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--output", type=Path, help="folder of the pictures; by default the run folder")
    parser.add_argument("--format", choices=FORMATS, default="png", help="kind of picture (%(default)s)")
    options = parser.parse_args(arguments)
    output = options.output or options.run
    for name, draw in ((RELIABILITY, draw_reliability), (COVERAGE, draw_coverage)):
        file = output / f"{name}.{options.format}"
        draw(options.run, file)
        print(f"Written: {file}")
    return 0


def draw_reliability(run: Path, file: Path) -> None:
    """Draw accuracy by confidence, with and without the temperature of the run.

    Args:
        run: Run folder.
        file: Picture to write; the ending (PNG, SVG, PDF) chooses the kind.

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
        _save(figure, file)


def draw_coverage(run: Path, file: Path) -> None:
    """Draw the coverage that prediction sets reach, and their mean size, by the coverage asked for.

    Args:
        run: Run folder.
        file: Picture to write; the ending (PNG, SVG, PDF) chooses the kind.

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
        _save(figure, file)


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


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
