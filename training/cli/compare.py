# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess compare`: a table of finished runs, with paired tests and the settings that differ."""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_scripts.errors import UserError
from dataset_scripts.files import replacing
from dataset_scripts.markdown import table


if TYPE_CHECKING:
    from ..reproduction.results import RowResults

DESCRIPTION = """\
Put finished runs into one table. Runs that differ in the seed alone are one experiment: the table shows its mean, its
standard deviation over the seeds and the 95 % interval of the mean. Every experiment is compared with one of them, the
reference, on the seeds and test utterances that both have.
"""
EXAMPLES = """\
examples:
  amess compare runs/*                                       # every finished run under runs/
  amess compare runs/a runs/b --metric macro_f1 --output comparison.csv

how to read the table:
  "+1.6 [-0.4, +3.6], p = 0.112" is the difference from the reference in percentage points, its 95 % interval, and the
  two-sided p-value of no difference. Without a test the runs have no seed in common, or other test utterances.

exit status: 0, or 2 where the command or a run is wrong.
"""
_FORMATS = {"": "text", ".txt": "text", ".md": "markdown", ".csv": "csv"}


class CompareError(UserError):
    """Runs that cannot be compared. The message names the folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folder, or folder of run folders")
    parser.add_argument(
        "--metric",
        action="append",
        metavar="NAME",
        help="metric to show; may be given several times (accuracy, macro_f1); the first one is tested",
    )
    parser.add_argument(
        "--reference", metavar="RUN", help="run that the others are compared with; by default the first one"
    )
    parser.add_argument("--output", metavar="FILE", help="file to write instead: .md, .csv or .txt")


def run(arguments: argparse.Namespace) -> int:
    """Compare the runs of the command line and return the exit status."""
    output = Path(arguments.output).expanduser() if arguments.output else None
    form = _FORMATS.get(output.suffix.lower() if output else "")
    if form is None:
        raise CompareError(f"--output {arguments.output} has an unknown ending. Give a name in .md, .csv or .txt.")
    if output is not None and output.exists():
        raise CompareError(f"--output {arguments.output} exists already. Give a new name, or move that file away.")
    from ..reproduction.results import METRICS  # here, because this module loads torch

    metrics = arguments.metric or ["accuracy", "macro_f1"]
    for name in metrics:
        if name not in METRICS:
            raise CompareError(f"--metric {name} is unknown. Give one of {', '.join(METRICS)}.")
    folders, passed_over = run_folders(arguments.runs)
    experiments = group_by_experiment(folders)
    reference = _reference(experiments, arguments.reference)
    text = {"text": text_table, "markdown": markdown_table, "csv": csv_table}[form](experiments, reference, metrics)
    if passed_over:
        print(f"{passed_over} folder(s) without a finished run were passed over.", file=sys.stderr)
    if output is None:
        print(text, end="")
        return 0
    with replacing(output) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"Wrote {output}: {len(experiments)} experiment(s), {len(folders)} run(s).")
    return 0


def run_folders(given: Sequence[str]) -> tuple[list[Path], int]:
    """Find the finished runs in the given folders and up to two levels below, such as the seeds of a table.

    Returns:
        The run folders in the order given, and the number of given folders without any.

    Raises:
        CompareError: A folder does not exist, or no folder holds a finished run.
    """
    folders: list[Path] = []
    passed_over = 0
    for name in given:
        path = Path(name).expanduser()
        if not path.is_dir():
            raise CompareError(f"{name} is no folder. Give the folders that training wrote, such as runs/*.")
        found = _finished_in(path, levels=2)
        folders += [folder for folder in found if folder not in folders]
        passed_over += not found
    if not folders:
        raise CompareError(
            f"No finished run in {', '.join(given)}: there is no metrics.json. Give the folders that training wrote, "
            "and let the runs end."
        )
    return folders, passed_over


def group_by_experiment(folders: Sequence[Path]) -> list[RowResults]:
    """Read runs and group those that differ in the seed alone.

    Returns:
        One result per experiment, in the order of the folders, titled by what its folders have in common.

    Raises:
        CompareError: Two runs have the same settings and seed, or a run is damaged.
    """
    # here, because these modules load torch
    from ..arguments import Role, SettingsError, TrainingSettings, settings_of
    from ..finished_run import read_metrics
    from ..reproduction.results import read_folders
    from ..reproduction.runs import Run, TableRow

    alike = settings_of(Role.DATA, Role.METHOD)
    groups: dict[str, dict[int, Path]] = {}
    settings_by_group: dict[str, TrainingSettings] = {}
    for folder in folders:
        try:
            content = read_metrics(folder)
            settings = TrainingSettings.from_saved(content["settings"])
            seed = int(content["seed"])
        except (SettingsError, ValueError, KeyError, TypeError) as error:
            raise CompareError(
                f"{folder / 'metrics.json'} is not what a run of this version or of 0.1.0 writes: {error}. Leave the "
                "folder out."
            ) from error
        key = repr([(name, getattr(settings, name)) for name in alike])
        seeds = groups.setdefault(key, {})
        settings_by_group.setdefault(key, settings)
        if seed in seeds:
            raise CompareError(f"{folder} and {seeds[seed]} have equal settings and seed {seed}. Give one of them.")
        seeds[seed] = folder
    titles = _titles(list(groups.values()))
    return [
        read_folders(TableRow(title, Run(title, "", settings_by_group[key])), dict(sorted(groups[key].items())))
        for title, key in zip(titles, groups, strict=True)
    ]


def differing_settings(experiments: Sequence[RowResults]) -> list[dict[str, Any]]:
    """Return per experiment the settings of the data and the method that are not equal in all experiments.

    An entry of a dict counts by itself and has a dotted name; `None` stands for an entry that is not given.
    """
    from ..arguments import Role, settings_of  # here, because this module loads yaml

    flat = []
    for experiment in experiments:
        values: dict[str, Any] = {}
        for name in settings_of(Role.DATA, Role.METHOD):
            value = getattr(experiment.row.run.settings, name)
            if isinstance(value, Mapping):
                values |= {f"{name}.{key}": entry for key, entry in value.items()}
            else:
                values[name] = value
        flat.append(values)
    names = list(dict.fromkeys(name for values in flat for name in values))
    differing = [name for name in names if len({repr(values.get(name)) for values in flat}) > 1]
    return [{name: values.get(name) for name in differing} for values in flat]


def text_table(experiments: Sequence[RowResults], reference: RowResults, metrics: Sequence[str]) -> str:
    """The comparison for a terminal: columns of equal width, and the settings below."""
    header, rows = _cells(experiments, reference, metrics)
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    return "\n".join(line.rstrip() for line in [*lines, "", *_notes(experiments, reference)]) + "\n"


def markdown_table(experiments: Sequence[RowResults], reference: RowResults, metrics: Sequence[str]) -> str:
    """The comparison as a Markdown table, and the settings below."""
    header, rows = _cells(experiments, reference, metrics)
    notes = "\n".join(f"- {note}" for note in _notes(experiments, reference))
    return f"{table(header, rows, '---')}\n\n{notes}\n"


def csv_table(experiments: Sequence[RowResults], reference: RowResults, metrics: Sequence[str]) -> str:
    """The comparison as CSV: one line per experiment and metric, in percent, with a column per differing setting."""
    from ..reproduction.results import compare  # here, because this module loads torch

    settings = differing_settings(experiments)
    columns = ["run", "metric", "mean", "std", "low", "high", "seeds", "values", "utterances"]
    columns += ["difference", "difference_low", "difference_high", "p", "test", *settings[0]]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for experiment, values in zip(experiments, settings, strict=True):
        for metric in metrics:
            other = None if experiment is reference else compare(reference, experiment, metric)
            tested = (other.difference, other.low, other.high, other.p_value, other.test) if other else ("",) * 5
            writer.writerow(
                [
                    experiment.row.title,
                    metric,
                    experiment.mean(metric),
                    experiment.deviation(metric),
                    *(experiment.interval(metric) or ("", "")),
                    " ".join(map(str, experiment.seeds)),
                    " ".join(map(str, experiment.values(metric))),
                    _num_utterances(experiment),
                    *tested,
                    *values.values(),
                ]
            )
    return stream.getvalue()


def _cells(
    experiments: Sequence[RowResults], reference: RowResults, metrics: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    from ..reproduction.results import compare  # here, because this module loads torch
    from ..reproduction.tables import comparison_text, result_text

    header = ["run", "seeds", "utterances", *metrics]
    several = len(experiments) > 1
    if several:
        header.append(f"{metrics[0]} against {reference.row.title}")
    rows = []
    for experiment in experiments:
        cells = [experiment.row.title, ", ".join(map(str, experiment.seeds)), str(_num_utterances(experiment))]
        cells += [result_text(experiment, metric) for metric in metrics]
        if several:
            same = experiment is reference
            cells.append("" if same else comparison_text(compare(reference, experiment, metrics[0])) or "no test")
        rows.append(cells)
    return header, rows


def _notes(experiments: Sequence[RowResults], reference: RowResults) -> list[str]:
    """Lines below a table: the settings that differ, and why there may be no test."""
    lines = ["In percent: mean ± standard deviation over the seeds [95 % interval of the mean]."]
    for experiment, values in zip(experiments, differing_settings(experiments), strict=True):
        if values:
            lines.append(f"{experiment.row.title}: " + ", ".join(f"{name}={value}" for name, value in values.items()))
    if len({_utterances(experiment) for experiment in experiments}) > 1:
        lines.append("The runs have different test utterances or labels, so not all of them can be compared.")
    return lines


def _utterances(experiment: RowResults) -> tuple[Any, ...]:
    return tuple({(part.ids, part.labels, part.label_names): None for part in experiment.predictions.values()})


def _num_utterances(experiment: RowResults) -> int:
    return len({row for part in experiment.predictions.values() for row in part.ids})


def _finished_in(path: Path, levels: int) -> list[Path]:
    from ..finished_run import is_finished, with_baseline  # here, because this module loads pyarrow

    if is_finished(path):
        return with_baseline(path)[::-1]
    below = sorted(child for child in path.iterdir() if child.is_dir()) if levels else []
    return [run for child in below for run in _finished_in(child, levels - 1)]


def _reference(experiments: Sequence[RowResults], name: str | None) -> RowResults:
    if name is None:
        return experiments[0]
    for experiment in experiments:
        if Path(name) == Path(experiment.row.title) or Path(name) in experiment.folders:
            return experiment
    raise CompareError(
        f"--reference {name} is none of the runs. Give one of {', '.join(one.row.title for one in experiments)}."
    )


def _titles(groups: Sequence[Mapping[int, Path]]) -> list[str]:
    """Name each experiment by the folder that its runs have in common, or where that says too little by the first."""
    first = [str(next(iter(group.values()))) for group in groups]
    common = [os.path.commonpath([str(path) for path in group.values()]) or "." for group in groups]
    return [
        shared if len(group) > 1 and common.count(shared) == 1 and shared not in first else name
        for group, shared, name in zip(groups, common, first, strict=True)
    ]
