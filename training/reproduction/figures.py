# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Results as pictures: rows as points with intervals, curves, a confusion matrix, bars by intent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ..finished_run import Predictions as LabelledPredictions
from .experiments import Experiment
from .results import METRICS, RowResults


# A palette that readers with colour blindness tell apart (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 110}


def draw(experiment: Experiment, results: Sequence[RowResults], file: Path) -> None:
    """A figure's curves, or a table's rows as points, one panel a metric; the paper's figures as hollow diamonds."""
    with matplotlib.rc_context(_STYLE):
        number = len(experiment.metrics)
        height = 3.2 if experiment.axis else 0.9 + 0.3 * len(results)
        width = 1.6 + (3.6 if experiment.axis else 2.4) * number
        several = len({result.row.curve for result in results}) > 1
        figure = Figure(figsize=(width + 2.6 * several, height), layout="constrained")
        panels = figure.subplots(1, number, squeeze=False, sharey=not experiment.axis)[0]
        for panel, metric in zip(panels, experiment.metrics, strict=True):
            if experiment.axis:
                _draw_curves(panel, results, metric)
                panel.set_xlabel(experiment.axis)
                panel.set_ylabel(f"{METRICS[metric].title} (%)")
            else:
                _draw_rows(panel, results, metric)
                panel.set_xlabel(f"{METRICS[metric].title} (%)")
        if several:
            figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
        published = any(result.row.published for result in results)
        figure.suptitle(experiment.title + ("  (◇ the paper's)" if published else ""))
        figure.savefig(file)


def draw_confusion_matrix(predictions: LabelledPredictions, file: Path) -> None:
    """Rows are the gold intents, columns the predicted ones; colours are shares of the row, numbers are samples."""
    counts = confusion_matrix(predictions)
    names = predictions.label_names
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    with matplotlib.rc_context(_STYLE | {"axes.spines.top": True, "axes.spines.right": True}):
        side = 2 + 0.28 * len(names)
        figure = Figure(figsize=(side, side), layout="constrained")
        panel = figure.subplots()
        panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*counts.nonzero(), strict=True):
            colour = "white" if shares[row, column] > 0.6 else "black"
            panel.text(column, row, counts[row, column], ha="center", va="center", fontsize=7, color=colour)
        panel.set_xticks(range(len(names)), names, rotation=90)
        panel.set_yticks(range(len(names)), names)
        panel.set_xlabel("predicted")
        panel.set_ylabel("gold")
        figure.savefig(file)


def draw_intents(predictions: LabelledPredictions, file: Path) -> None:
    """F1 of every intent as bars, the best above, with the number of its test samples."""
    counts = confusion_matrix(predictions)
    support, predicted = counts.sum(1), counts.sum(0)
    f1 = 200 * counts.diagonal() / np.maximum(support + predicted, 1)
    order = np.argsort(f1, kind="stable")
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.5, 1 + 0.22 * len(order)), layout="constrained")
        panel = figure.subplots()
        panel.barh(range(len(order)), f1[order], color=COLOURS[0])
        panel.set_yticks(
            range(len(order)), [f"{predictions.label_names[index]} ({support[index]})" for index in order]
        )
        panel.set_xlim(0, 100)
        panel.set_xlabel("F1 (%); in brackets the number of test samples")
        figure.savefig(file)


def confusion_matrix(predictions: LabelledPredictions) -> np.ndarray:
    """Samples by gold (rows) and predicted label (columns), `(labels, labels)`."""
    ids = {name: index for index, name in enumerate(predictions.label_names)}
    counts = np.zeros((len(ids), len(ids)), dtype=int)
    gold, predicted = ([ids[name] for name in column] for column in (predictions.labels, predictions.predicted))
    np.add.at(counts, (gold, predicted), 1)
    return counts


def _draw_rows(panel, results: Sequence[RowResults], metric: str) -> None:
    for place, result in enumerate(results):
        mean, bounds = result.mean(metric), result.interval(metric)
        if mean is not None:
            if bounds:
                panel.plot(bounds, (place, place), color=COLOURS[0], linewidth=1.5)
            panel.plot(mean, place, "o", color=COLOURS[0], markersize=5)
        if metric in result.row.published:
            panel.plot(result.row.published[metric], place, "D", color="grey", markerfacecolor="none", markersize=5)
    panel.set_yticks(range(len(results)), [result.row.title for result in results])
    panel.set_ylim(len(results) - 0.5, -0.5)
    panel.grid(axis="x", color="0.9")


def _draw_curves(panel, results: Sequence[RowResults], metric: str) -> None:
    places = list(dict.fromkeys(result.row.place for result in results))
    for number, curve in enumerate(dict.fromkeys(result.row.curve for result in results)):
        colour, line = COLOURS[number % len(COLOURS)], "o-" if number < len(COLOURS) else "s--"
        points = [result for result in results if result.row.curve == curve and result.mean(metric) is not None]
        where = [places.index(result.row.place) for result in points]
        panel.plot(where, [result.mean(metric) for result in points], line, color=colour, markersize=4, label=curve)
        bounded = [
            (x, *result.interval(metric)) for x, result in zip(where, points, strict=True) if result.interval(metric)
        ]
        if bounded:
            x, low, high = zip(*bounded, strict=True)
            panel.fill_between(x, low, high, color=colour, alpha=0.1, linewidth=0)
    for result in results:
        if metric in result.row.published:
            figure = result.row.published[metric]
            panel.plot(places.index(result.row.place), figure, "D", color="grey", markerfacecolor="none", markersize=5)
    panel.set_xticks(range(len(places)), places)
    panel.grid(axis="y", color="0.9")
