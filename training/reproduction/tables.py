# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A table of results as Markdown and CSV."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterable, Sequence

from ..significance import Comparison
from .experiments import Experiment
from .results import METRICS, RowResults, compare


EXPLANATION = (
    "In percent, on {tested_on}. A cell holds the mean ± standard deviation over the seeds (n - 1), and in brackets "
    "the 95 % interval of the mean over test utterances and seeds. Differences are paired: both rows are compared on "
    "the same utterances and seeds. p is two-sided. Intervals and p-values of several seeds are from the two-way "
    "variance, seeds by utterances; of one seed from the bootstrap over utterances, and from McNemar's exact test for "
    "a difference in accuracy. With one seed they say nothing about other seeds."
)


def markdown(experiment: Experiment, results: Sequence[RowResults]) -> str:
    """The table under its heading, with how to read it."""
    return f"# {experiment.title}\n\n{explanation(experiment)}\n\n{table_text(experiment, results)}\n"


def explanation(experiment: Experiment) -> str:
    """How to read the table, and what differs from the paper's setting."""
    parts = [EXPLANATION.format(tested_on=experiment.tested_on)]
    if experiment.differences:
        parts.append(f"What differs from the paper's setting: {experiment.differences}")
    return "\n\n".join(textwrap.fill(part, 119, break_on_hyphens=False) for part in parts)


def table_text(experiment: Experiment, results: Sequence[RowResults]) -> str:
    """The table, and the runs that it lacks."""
    main = experiment.metrics[0]
    published = any(result.row.published for result in results)
    header = ["row", *(METRICS[metric].title for metric in experiment.metrics)]
    if published:
        header += [f"paper {METRICS[metric].title}" for metric in experiment.metrics]
    header.append(f"{METRICS[main].title} against the row above")
    if experiment.reference:
        header.append(f"{experiment.reference} against this row")
    header.append("seeds")

    rows = []
    for index, result in enumerate(results):
        cells = [result.row.title, *(result_text(result, metric) for metric in experiment.metrics)]
        if published:
            papers = result.row.published
            cells += [f"{papers[metric]:.2f}" if metric in papers else "" for metric in experiment.metrics]
        cells.append(comparison_text(compare_with_above(results, index, main)))
        if experiment.reference:
            cells.append(comparison_text(compare_with_reference(experiment, results, index, main)))
        cells.append(", ".join(str(seed) for seed in result.seeds) or "none")
        rows.append(cells)
    text = markdown_table(header, rows)
    missing = [f"{result.row.title}, seed {seed}" for result in results for seed in result.missing]
    return text + (f"\n\nMissing: {'; '.join(missing)}." if missing else "")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(_line(cells) for cells in (header, ["---"] * len(header), *rows))


def csv_text(experiment: Experiment, results: Sequence[RowResults]) -> str:
    """The results as CSV, one line per row and metric."""
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
    """Compare a row with the row above it; in a figure with curves only at the same place, where the models differ."""
    if index == 0 or (results[index].row.curve and results[index - 1].row.place != results[index].row.place):
        return None
    return compare(results[index - 1], results[index], metric)


def compare_with_reference(
    experiment: Experiment, results: Sequence[RowResults], index: int, metric: str
) -> Comparison | None:
    """Compare the reference, among curves its point at the same place, with a row; `None` for the reference itself."""
    row = results[index].row
    for other in results:
        named = other.row.title == experiment.reference
        if named or (other.row.curve == experiment.reference != "" and other.row.place == row.place):
            return None if other is results[index] else compare(results[index], other, metric)
    return None


def result_text(result: RowResults, metric: str) -> str:
    """Mean ± deviation [interval] of a metric."""
    mean, deviation, bounds = result.mean(metric), result.deviation(metric), result.interval(metric)
    if mean is None:
        # DOC decides without a score, so it has no metric of a score.
        return "" if result.seeds else "missing"
    spread = f" ± {deviation:.1f}" if deviation is not None else ""
    return f"{mean:.1f}{spread}" + (f" [{bounds[0]:.1f}, {bounds[1]:.1f}]" if bounds else "")


def comparison_text(comparison: Comparison | None) -> str:
    """Difference [interval], p-value; "" without a comparison."""
    if comparison is None:
        return ""
    p_value = "p < 0.001" if comparison.p_value < 0.001 else f"p = {comparison.p_value:.3f}"
    return f"{comparison.difference:+.1f} [{comparison.low:+.1f}, {comparison.high:+.1f}], {p_value}"


def _comparison_cells(comparison: Comparison | None) -> list[str]:
    if comparison is None:
        return [""] * 5
    numbers = [_number(value) for value in (comparison.difference, comparison.low, comparison.high)]
    return [*numbers, f"{comparison.p_value:.4g}", comparison.test]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
