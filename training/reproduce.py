# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Make a table or a figure: train the runs that are missing, then write Markdown, CSV and a picture.

    python -m training.reproduce --table 1 --dataset mintrec --data_dir data/mintrec --preset bert-large
    python -m training.reproduce --table 2 --dataset mintrec2 --data_dir data/mintrec2     # with out-of-scope
    python -m training.reproduce --table 3 --dataset planted --data_dir data/mintrec       # ablation
    python -m training.reproduce --table modalities --dataset sample                       # also: alignments, held_out
    python -m training.reproduce --figure 4 --dataset planted --data_dir data/mintrec      # number of anchors
    python -m training.reproduce --figure 5 --dataset sample                               # plane of the descriptions
    python -m training.reproduce --figure shots --dataset mintrec --data_dir data/mintrec --seeds 0 1 2 3 4
    python -m training.reproduce --run runs/sample-amess                                   # confusions of a run
    python -m training.reproduce --table missing --dataset planted --data_dir data/mintrec # no sound, noise, ...
    python -m training.reproduce --run runs/sample-amess --missing                         # the same for one run
    python -m training.reproduce --table debiased --dataset mintrec --data_dir data/mintrec --debiased text_takes_over
    python -m training.reproduce --run runs/mintrec-amess --debiased text_takes_over       # the same for one run

Some tables have a data set and settings of their own:

    python -m training.reproduce --experiment mintrec_text --data_dir data/mintrec --seeds 0 1 2 3 4
    python -m training.reproduce --experiment planted --data_dir data/mintrec      # is attention wired right?
    python -m training.reproduce --experiment planted_deep --data_dir data/mintrec --rows full text_only

A finished run is not repeated. An interrupted command continues when you give it again. Tables on the same data set
and size of encoder share their runs. `--jobs 2` trains two runs side by side: on the CPU with one thread each, on GPUs
with one device each. `--page` also writes a page with the table, the command, the settings, the versions and the date.
`--print_jobs` trains nothing and writes the missing runs as a Slurm array script:

    python -m training.reproduce --table 1 --dataset mintrec --data_dir data/mintrec --preset bert-large \
        --seeds 0 1 2 3 4 --print_jobs > table1.sh && sbatch table1.sh

When the array is done, the same command without --print_jobs makes the table.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("training.reproduce:main", "Interrupted. The same command goes on.", failure=2)


import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dataset_scripts.errors import UserError
from dataset_scripts.registry import DATASETS
from training.finished_run import (
    CONFUSION_FILE,
    DEBIASED_TABLE,
    INTENTS_FILE,
    MISSING_CSV,
    MISSING_PICTURE,
    MISSING_TABLE,
    read_predictions,
    write_result,
)
from training.reproduction.debiased import WHERE, Annotations, debiased_table, read_annotations, results_of_run
from training.reproduction.experiments import (
    ENCODERS,
    EXPERIMENTS,
    FIGURES,
    TABLES,
    Experiment,
    figure,
    named_experiment,
    table,
)
from training.reproduction.jobs import Job, OtherRunError, check_folders, slurm_script
from training.reproduction.outputs import check_results, write_result_file
from training.reproduction.pages import read_reading, write_page
from training.reproduction.pictures import draw, draw_confusion_matrix, draw_intents
from training.reproduction.results import read_row
from training.reproduction.runner import run_missing
from training.reproduction.tables import csv_text, markdown


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Command line without the program's name; `sys.argv` by default.

    Returns:
        Exit status: 1 where a run failed, so that the table has a gap.
    """
    parser = create_parser()
    options = parser.parse_args(arguments)
    try:
        if options.run is not None:
            describe_run(options.run, options.missing, options.debiased)
            return 0
        experiment = choose_reference(choose_rows(find_experiment(options), options.rows), options.reference)
        annotations = read_ids(experiment, options)
        overrides = tuple(word for pair in options.settings for word in split_setting(pair))
        if options.page is not None:
            # A page that cannot be written is refused before the training.
            read_reading(options.page, has_picture(experiment))
        # Seed by seed, so that an interrupted table already compares all rows.
        jobs = [
            Job(row, seed, options.output, options.data_dir, overrides)
            for seed in options.seeds
            for row in experiment.rows
        ]
        # Rows that show several decisions of one model share its run.
        runs = list({job.folder: job for job in jobs}.values())
        check_folders(runs)
        check_results(options.output, experiment.name, experiment.title)
        if options.print_jobs:
            print(slurm_script(experiment.name, runs), end="")
            return 0
        try:
            failed = [] if options.finished_only else run_missing(runs, options.jobs, options.keep_weights)
        except KeyboardInterrupt as interrupt:
            finished = sum(job.finished for job in runs)
            raise type(interrupt)(
                f"Interrupted: {finished} of {len(runs)} runs are finished in {options.output}. The same command goes "
                "on, with runs from their newest checkpoints."
            ) from None
        write_results(experiment, jobs, options.output, options.page, shown_command(parser, options), annotations)
    except (OtherRunError, UserError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    if failed:
        print(f"{len(failed)} of {len(runs)} runs failed; the table has gaps:", file=sys.stderr)
        for job in failed:
            print(f"  {job.row.title}, seed {job.seed}: {job.log}", file=sys.stderr)
    return 1 if failed else 0


def create_parser() -> argparse.ArgumentParser:
    """Create the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="amess reproduce",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--table", choices=TABLES, help="a table of the paper, or a table like it")
    what.add_argument("--figure", choices=FIGURES, help="a figure of the paper, or the few-shot curve")
    what.add_argument("--experiment", choices=EXPERIMENTS, help="a table with a data set and settings of its own")
    what.add_argument("--run", type=Path, help="draw confusion matrix and F1 by intent of a finished run")
    parser.add_argument("--dataset", choices=DATASETS, help="for --table and --figure")
    parser.add_argument(
        "--preset", choices=ENCODERS, default="minilm", help="size of the encoder, with the settings for it"
    )
    parser.add_argument("--data_dir", help="folder with the released files (mintrec, mintrec2, planted)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", help="only these rows")
    parser.add_argument("--reference", metavar="ROW", help="compare all rows with this row, or curve of a figure")
    parser.add_argument(
        "--missing", action="store_true", help="for --run: test without some modalities, and with noise"
    )
    parser.add_argument(
        "--debiased",
        type=Path,
        metavar="DIR",
        help='for --table debiased and --run: folder with the ids of "Text Takes Over" (MIntRec/debiased_test.tsv)',
    )
    parser.add_argument("--jobs", type=int, default=1, help="number of runs side by side")
    parser.add_argument("--output", type=Path, default=Path("runs/reproduce"), help="folder of the runs and results")
    parser.add_argument(
        "--settings", nargs="+", default=[], metavar="KEY=VALUE", help="settings of training/train.py for every row"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="also write a page; its hand-written part is kept")
    parser.add_argument("--keep_weights", action="store_true", help="keep the trained models of finished runs")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--finished_only", action="store_true", help="train nothing: make the table of the finished runs"
    )
    instead.add_argument("--print_jobs", action="store_true", help="train nothing: print a Slurm array script")
    return parser


def find_experiment(options: argparse.Namespace) -> Experiment:
    """The table or figure that the options name."""
    if options.experiment is not None:
        if options.dataset is not None or options.preset != "minilm":
            raise ValueError(
                f"--experiment {options.experiment} has a data set and settings of its own: leave out --dataset and "
                "--preset."
            )
        return named_experiment(options.experiment)
    if options.dataset is None:
        raise ValueError(f"--dataset is missing. Give one of {', '.join(DATASETS)}.")
    if options.table is not None:
        return table(options.table, options.dataset, options.preset)
    return figure(options.figure, options.dataset, options.preset)


def choose_rows(experiment: Experiment, titles: Sequence[str] | None) -> Experiment:
    """The experiment with only these rows."""
    known = [row.title for row in experiment.rows]
    unknown = sorted(set(titles or ()) - set(known))
    if unknown:
        raise ValueError(
            f"--rows: {experiment.name} has no row {', '.join(unknown)}. Choose from: {'; '.join(known)}."
        )
    return replace(experiment, rows=tuple(row for row in experiment.rows if not titles or row.title in titles))


def choose_reference(experiment: Experiment, reference: str | None) -> Experiment:
    """The experiment with another row, or curve, as the reference of all comparisons."""
    if reference is None:
        return experiment
    known = dict.fromkeys(name for row in experiment.rows for name in (row.title, row.curve) if name)
    if reference not in known:
        raise ValueError(f"--reference {reference}: the table shows no such row. Choose from: {'; '.join(known)}.")
    return replace(experiment, reference=reference)


def split_setting(pair: str) -> tuple[str, str]:
    """Words of train.py's command line for `key=value`."""
    key, equals, value = pair.partition("=")
    if not equals:
        raise ValueError(f"--settings {pair}: not of the form key=value. Write for example num_train_epochs=2.")
    return f"--{key.removeprefix('--')}", value


def shown_command(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """The command that makes the table, without options that say where and how it runs."""
    words = ["python", "-m", "training.reproduce"]
    for name in (
        "table",
        "figure",
        "experiment",
        "dataset",
        "preset",
        "data_dir",
        "debiased",
        "rows",
        "reference",
        "settings",
    ):
        value = getattr(options, name)
        value = str(value) if isinstance(value, Path) else value
        if value != parser.get_default(name):
            words += [f"--{name}", *(value if isinstance(value, list) else [value])]
    return shlex.join([*words, "--seeds", *(str(seed) for seed in options.seeds)])


def write_results(
    experiment: Experiment,
    jobs: Sequence[Job],
    output: Path,
    page: Path | None = None,
    command: str = "",
    annotations: Annotations | None = None,
) -> None:
    """Read the runs, write Markdown, CSV and the picture, and print the table.

    Args:
        experiment: Table or figure.
        jobs: Jobs of all rows and seeds.
        output: Folder of the results.
        page: Page to write as well.
        command: Command that the page shows.
        annotations: Groups of utterances, for the debiased table.
    """
    results = [read_row([job for job in jobs if job.row is row]) for row in experiment.rows]
    output.mkdir(parents=True, exist_ok=True)  # absent where --finished_only finds no run
    picture, distances = output / f"{experiment.name}.png", ""
    if experiment.shows_planes:
        distances = write_planes(experiment, next((job for job in jobs if job.finished), None), picture)
    else:
        write_result_file(picture, lambda file: draw(experiment, results, file))
    lines = csv_text(experiment, results)
    if experiment.shows_missing:
        # Late: it loads torch and the models, which the other tables do without.
        from training.reproduction.missing import draw_missing, missing_csv, missing_results, missing_table

        changed = missing_results(results)
        write_result_file(picture, lambda file: draw_missing(changed, experiment.title, file))
        distances, lines = f"\n{missing_table(changed)}\n", missing_csv(changed)
    if annotations is not None:
        distances = f"\n{debiased_table(results, annotations)}\n"
    text = markdown(experiment, results) + distances
    table_file, csv_file = (output / f"{experiment.name}{ending}" for ending in (".md", ".csv"))
    write_result_file(table_file, lambda file: file.write_text(text, encoding="utf-8"))
    write_result_file(csv_file, lambda file: file.write_text(lines, encoding="utf-8"))
    print(f"\n{text}\nResults are in {output / experiment.name}.md, .csv and .png.")
    if page is not None:
        shown = picture if has_picture(experiment) and picture.is_file() else None
        write_page(page, experiment, results, jobs, command, distances, shown)
        print(f"The page is {page}.")


def has_picture(experiment: Experiment) -> bool:
    """Whether the page shows a picture: that of a table says the same as the table."""
    return bool(experiment.axis or experiment.shows_planes or experiment.shows_missing)


def write_planes(experiment: Experiment, job: Job | None, picture: Path) -> str:
    """Draw figure 5 from the first finished run, and return the Markdown of its distances."""
    if job is None:
        return ""
    # Late: it loads transformers, which the other tables do without.
    from training.reproduction.description_plane import distance_table, draw_planes, semantic_tokens

    tokens = semantic_tokens(job.folder)
    write_result_file(picture, lambda file: draw_planes(tokens, experiment.title, file))
    return f"\nMean distance to the plane of the intent's descriptions, seed {job.seed}:\n\n{distance_table(tokens)}\n"


def read_ids(experiment: Experiment, options: argparse.Namespace) -> Annotations | None:
    """Read the ids of the debiased table before anything is trained; `None` for other tables."""
    if options.missing:
        raise ValueError("--missing is for --run FOLDER. Give --table missing to train models and test them.")
    if not experiment.shows_debiased:
        if options.debiased is not None:
            raise ValueError("--debiased is for --table debiased and for --run FOLDER: leave it out.")
        return None
    if options.debiased is None:
        raise ValueError(
            f'Table debiased needs the ids of "Text Takes Over": give their folder, --debiased DIR. {WHERE}'
        )
    return read_annotations(options.debiased, options.dataset)


def describe_run(folder: Path, missing: bool = False, debiased: Path | None = None) -> None:
    """Draw `confusion_matrix.png` and `intents.png` into a run folder.

    Args:
        folder: Run folder.
        missing: Whether to test without some modalities instead; writes `missing.md`, `.csv` and `.png`.
        debiased: Folder with the ids of "Text Takes Over", to split the accuracy by instead; writes `debiased.md`.
    """
    if missing:
        # Late, as in `write_results`.
        from training.reproduction.missing import draw_missing, missing_csv, missing_results, missing_table

        changed = missing_results(results_of_run(folder))
        title = f"Modalities missing or noisy at test time: {folder.name}"
        write_result(folder, MISSING_PICTURE, lambda file: draw_missing(changed, title, file))
        write_result(folder, MISSING_CSV, lambda file: file.write_text(missing_csv(changed), encoding="utf-8"))
        _tell(missing_table(changed), folder, MISSING_TABLE)
    if debiased is not None:
        results = results_of_run(folder)
        annotations = read_annotations(debiased, results[-1].row.run.settings.dataset)
        _tell(debiased_table(results, annotations), folder, DEBIASED_TABLE)
    if missing or debiased is not None:
        return
    predictions = read_predictions(folder)
    write_result(folder, CONFUSION_FILE, lambda file: draw_confusion_matrix(predictions, file))
    write_result(folder, INTENTS_FILE, lambda file: draw_intents(predictions, file))
    print(f"Written: {folder / CONFUSION_FILE} and {folder / INTENTS_FILE}")


def _tell(table: str, folder: Path, name: str) -> None:
    write_result(folder, name, lambda file: file.write_text(f"{table}\n", encoding="utf-8"))
    print(f"{table}\n\nWritten: {folder / name}")
