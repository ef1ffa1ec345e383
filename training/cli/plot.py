# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess plot`: pictures of finished runs, at print size."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_scripts.errors import UserError


if TYPE_CHECKING:
    from matplotlib.figure import Figure


DESCRIPTION = """\
Draw finished runs: the training (loss of both splits, the metric that chose the epoch, learning rates), and of the
test split the confusion matrix, the reliability diagram, coverage and size of prediction sets. The training of several
runs comes into one picture, the others into a folder per run. A picture that a run has no data for is told and left
out: runs without a test split have the training alone.
"""
EXAMPLES = """\
examples:
  amess plot runs/sample-amess --output figures/
  amess plot runs/* --output figures/ --format pdf

exit status: 0, or 1 where a picture could not be drawn, or 2 where the command or a run is wrong.
"""
FORMATS = ("png", "svg", "pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--output", type=Path, required=True, help="folder of the pictures; earlier ones are replaced")
    parser.add_argument("--format", choices=FORMATS, default="png", help="kind of picture (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Draw the pictures and return the exit status.

    Raises:
        UserError: A folder is not of a finished run, or two runs have one name.
    """
    from ..finished_run import MODEL_FOLDER, UnfinishedRunError, read_run

    for folder in arguments.runs:
        if folder.name == MODEL_FOLDER:
            raise UserError(f"{folder} is a model. Give the run folder: {folder.parent}.")
    runs = [read_run(folder) for folder in arguments.runs]  # before the first picture is written
    folders = picture_folders(arguments.runs, arguments.output)

    from .. import plots

    wanted: list[tuple[Path, Callable[[], Figure]]] = [
        (arguments.output / plots.TRAINING, partial(plots.training_figure, runs))
    ]
    for folder, output in zip(arguments.runs, folders, strict=True):
        wanted += [(output / name, partial(draw, folder)) for name, draw in plots.OF_TEST_SPLIT.items()]
    status = 0
    for place, draw in wanted:
        file = place.with_name(f"{place.name}.{arguments.format}")
        try:
            plots.save(draw(), file)
            print(f"Written: {file}")
        except UnfinishedRunError as error:
            print(f"Left out: {file}: {error}")
            status = 1
    return status


def picture_folders(runs: Sequence[Path], output: Path) -> list[Path]:
    """Choose the folder of each run's pictures: `output`, or one in it per run where there are several.

    Raises:
        UserError: Two runs have one name.
    """
    if len(runs) == 1:
        return [output]
    names = [run.resolve().name for run in runs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"Two runs are named {twice}: their pictures would replace each other. Plot them one by one.")
    return [output / name for name in names]
