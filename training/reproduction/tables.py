# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A table of results as Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ..significance import Comparison
from .experiments import Experiment
from .results import METRICS, RowResults, compare


EXPLANATION = (
    "In percent, on {tested_on}: mean ± standard deviation over the seeds (n - 1), [95 % interval of the mean by "
    "bootstrap over test samples and seeds; too narrow where a few seeds differ much]. Differences are paired: the "
    "same samples and seeds; p is two-sided, of the paired bootstrap or, for one seed's accuracy, McNemar's exact "
    "test."
)


def markdown(experiment: Experiment, results: Sequence[RowResults]) -> str:
    """The table with its heading, what differs from the paper, and what is missing."""
    main = experiment.metrics[0]
    published = any(result.row.published for result in results)
    header = ["row", *(METRICS[metric].title for metric in experiment.metrics)]
    if published:
        header += [f"paper {METRICS[metric].title}" for metric in experiment.metrics]
    header.append(f"{METRICS[main].title} against the row above")
    if experiment.reference:
        header.append(f"{experiment.reference} against this row")
    header.append("seeds")

    lines = [_line(header), _line(["---"] * len(header))]
    for index, result in enumerate(results):
        cells = [result.row.title, *(_figure(result, metric) for metric in experiment.metrics)]
        if published:
            figures = result.row.published
            cells += [f"{figures[metric]:.2f}" if metric in figures else "" for metric in experiment.metrics]
        cells.append(_comparison(compare_with_above(results, index, main)))
        if experiment.reference:
            cells.append(_comparison(compare_with_reference(experiment, results, index, main)))
        cells.append(", ".join(str(seed) for seed in result.seeds) or "none")
        lines.append(_line(cells))

    parts = [f"# {experiment.title}", EXPLANATION.format(tested_on=experiment.tested_on)]
    if experiment.differences:
        parts.append(f"What differs from the paper's setting: {experiment.differences}")
    parts.append("\n".join(lines))
    missing = [f"{result.row.title}, seed {seed}" for result in results for seed in result.missing]
    if missing:
        parts.append("Missing: " + "; ".join(missing) + ".")
    return "\n\n".join(parts) + "\n"


def csv_text(experiment: Experiment, results: Sequence[RowResults]) -> str:
    """One line for every row and metric."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    comparison = ("difference", "low", "high", "p", "test")
    writer.writerow(
        ["row", "metric", "mean", "std", "low", "high", "paper", "seeds", "values"]
        + [f"above_{name}" for name in comparison]
        + [f"reference_{name}" for name in comparison]
    )
    for index, result in enumerate(results):
        for metric in experiment.metrics:
            above = compare_with_above(results, index, metric)
            other = compare_with_reference(experiment, results, index, metric)
            writer.writerow(
                [
                    result.row.title,
                    metric,
                    *(_number(value) for value in (result.mean(metric), result.deviation(metric))),
                    *(_number(value) for value in result.interval(metric) or (None, None)),
                    _number(result.row.published.get(metric)),
                    " ".join(str(seed) for seed in result.seeds),
                    " ".join(_number(value) for value in result.values(metric)),
                    *_comparison_cells(above),
                    *_comparison_cells(other),
                ]
            )
    return stream.getvalue()


def compare_with_above(results: Sequence[RowResults], index: int, metric: str) -> Comparison | None:
    """A row minus the one above it; among curves only at the same place, where the models alone differ."""
    if index == 0 or (results[index].row.curve and results[index - 1].row.place != results[index].row.place):
        return None
    return compare(results[index - 1], results[index], metric)


def compare_with_reference(
    experiment: Experiment, results: Sequence[RowResults], index: int, metric: str
) -> Comparison | None:
    """The reference, among curves at the same place, minus a row; `None` for the reference itself."""
    row = results[index].row
    for other in results:
        named = other.row.title == experiment.reference
        if named or (other.row.curve == experiment.reference != "" and other.row.place == row.place):
            return None if other is results[index] else compare(results[index], other, metric)
    return None


def _figure(result: RowResults, metric: str) -> str:
    mean, deviation, bounds = result.mean(metric), result.deviation(metric), result.interval(metric)
    if mean is None:
        # DOC decides without a score, so it has none of a score's metrics.
        return "" if result.seeds else "missing"
    spread = f" ± {deviation:.1f}" if deviation is not None else ""
    return f"{mean:.1f}{spread}" + (f" [{bounds[0]:.1f}, {bounds[1]:.1f}]" if bounds else "")


def _comparison(found: Comparison | None) -> str:
    if found is None:
        return ""
    p_value = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    return f"{found.difference:+.1f} [{found.low:+.1f}, {found.high:+.1f}], {p_value}"


def _comparison_cells(found: Comparison | None) -> list[str]:
    if found is None:
        return [""] * 5
    return [_number(found.difference), _number(found.low), _number(found.high), f"{found.p_value:.4g}", found.test]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
