# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of results: rows as points with intervals, curves, a confusion matrix, bars by intent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..finished_run import Predictions
from .experiments import Experiment
from .results import METRICS, RowResults


# Readers with colour blindness can tell these colours apart (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_PUBLISHED: dict[str, Any] = {"marker": "D", "color": "grey", "markerfacecolor": "none", "markersize": 5}
STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 110}


def draw(experiment: Experiment, results: Sequence[RowResults], file: Path) -> None:
    """Draw a figure's curves, or a table's rows as points, one panel per metric; the paper's values are diamonds."""
    with matplotlib.rc_context(rc=STYLE):
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
        figure.suptitle(experiment.title + ("  (◇ the paper)" if published else ""))
        figure.savefig(file, format="png")


def draw_confusion_matrix(predictions: Predictions, file: Path) -> None:
    """Write the picture of `draw_confusions` as PNG."""
    draw_confusions(predictions).savefig(file, format="png")


def draw_confusions(predictions: Predictions) -> Figure:
    """Draw gold intents as rows and predicted intents as columns; numbers are utterances, colours their share."""
    counts = confusion_matrix(predictions)
    names = predictions.label_names
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    with matplotlib.rc_context(rc=STYLE | {"axes.spines.top": True, "axes.spines.right": True}):
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
        panel.set_title(f"{counts.sum()} test utterances")
        return figure


def draw_intents(predictions: Predictions, file: Path) -> None:
    """Draw the F1 of every intent as a bar, the best on top, with the number of its test utterances."""
    counts = confusion_matrix(predictions)
    support, predicted = counts.sum(1), counts.sum(0)
    f1 = 200 * counts.diagonal() / np.maximum(support + predicted, 1)
    order = np.argsort(f1, kind="stable")
    with matplotlib.rc_context(rc=STYLE):
        figure = Figure(figsize=(5.5, 1 + 0.22 * len(order)), layout="constrained")
        panel = figure.subplots()
        panel.barh(range(len(order)), f1[order], color=COLOURS[0])
        panel.set_yticks(
            range(len(order)), [f"{predictions.label_names[index]} ({support[index]})" for index in order]
        )
        panel.set_xlim(0, 100)
        panel.set_xlabel("F1 (%); in brackets the number of test utterances")
        figure.savefig(file, format="png")


def confusion_matrix(predictions: Predictions) -> np.ndarray:
    """Count the utterances by gold label (rows) and predicted label (columns), `(labels, labels)`."""
    ids = {name: index for index, name in enumerate(predictions.label_names)}
    counts = np.zeros((len(ids), len(ids)), dtype=int)
    gold, predicted = ([ids[name] for name in column] for column in (predictions.labels, predictions.predicted))
    np.add.at(counts, (gold, predicted), 1)
    return counts


def _draw_rows(panel: Axes, results: Sequence[RowResults], metric: str) -> None:
    for place, result in enumerate(results):
        mean, bounds = result.mean(metric), result.interval(metric)
        if mean is not None:
            if bounds:
                panel.plot(bounds, (place, place), color=COLOURS[0], linewidth=1.5)
            panel.plot(mean, place, "o", color=COLOURS[0], markersize=5)
        if metric in result.row.published:
            panel.plot(result.row.published[metric], place, **_PUBLISHED)
    panel.set_yticks(range(len(results)), [result.row.title for result in results])
    panel.set_ylim(len(results) - 0.5, -0.5)
    panel.grid(axis="x", color="0.9")


def _draw_curves(panel: Axes, results: Sequence[RowResults], metric: str) -> None:
    places = list(dict.fromkeys(result.row.place for result in results))
    for number, curve in enumerate(dict.fromkeys(result.row.curve for result in results)):
        colour, line = COLOURS[number % len(COLOURS)], "o-" if number < len(COLOURS) else "s--"
        points = [result for result in results if result.row.curve == curve]
        means = [(places.index(point.row.place), mean) for point in points if (mean := point.mean(metric)) is not None]
        panel.plot([x for x, _ in means], [mean for _, mean in means], line, color=colour, markersize=4, label=curve)
        bounded = [(places.index(point.row.place), *bounds) for point in points if (bounds := point.interval(metric))]
        if bounded:
            x, low, high = zip(*bounded, strict=True)
            panel.fill_between(x, low, high, color=colour, alpha=0.1, linewidth=0)
    for result in results:
        if metric in result.row.published:
            panel.plot(places.index(result.row.place), result.row.published[metric], **_PUBLISHED)
    panel.set_xticks(range(len(places)), places)
    panel.grid(axis="y", color="0.9")
