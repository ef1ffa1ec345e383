# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Accuracy on the utterances that text alone cannot tell, by the ids of "Text Takes Over" (EMNLP 2025).

The authors trained text classifiers and kept the utterances that these get wrong: the debiased splits. Of a part of
all utterances their annotators also say which modalities a person needs to see the intent. The files are the authors'
and have no stated license, so that they are read from a folder of the user's and never shipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_scripts.errors import UserError
from dataset_scripts.tsv import read_table

from ..arguments import MODALITIES
from ..finished_run import Predictions, read_metrics, read_predictions, read_settings, with_baseline
from .experiments import DEBIASED_FOLDERS as FOLDERS
from .results import RowResults, compare, read_folders
from .runs import Run, TableRow
from .tables import comparison_text, markdown_table, result_text


ALL, DEBIASED, OTHERS = "all", "debiased", "others"
WHERE = (
    'They are in the repository of the paper "Text Takes Over: A Study of Modality Bias in Multimodal Intent '
    'Detection" (EMNLP 2025), which its page in the ACL Anthology names. The folder must hold MIntRec/ or MIntRec2.0/ '
    "with debiased_test.tsv or debiased_dev.tsv; modalities_*.tsv beside them are read, too."
)


class DebiasedError(UserError):
    """Files of ids that are missing, or that are of other utterances than the run's."""


@dataclass(frozen=True)
class Annotations:
    """Ids of "Text Takes Over" for one data set.

    Attributes:
        debiased: Ids of the utterances that text alone cannot tell.
        needed: Modalities that an annotator needs, as `text + audio`, by id; for a part of the utterances.
    """

    debiased: frozenset[str]
    needed: Mapping[str, str]

    def groups(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """Sort utterances into groups: all, debiased, others, and one per set of needed modalities.

        Args:
            ids: Ids of the tested utterances.
        """
        ids = list(ids)
        groups = {
            ALL: ids,
            DEBIASED: [name for name in ids if name in self.debiased],
            OTHERS: [name for name in ids if name not in self.debiased],
        }
        order = sorted(set(self.needed.values()), key=lambda words: (words.count("+"), words != "text", words))
        for words in order:
            groups[f"needs {words}"] = [name for name in ids if self.needed.get(name) == words]
        return {title: members for title, members in groups.items() if members}


def read_annotations(folder: Path, dataset: str) -> Annotations:
    """Read the ids of a data set from the authors' files, of all splits.

    Raises:
        DebiasedError: The data set has none, or the files are not there.
        TsvError: A file lacks the columns of an id.
    """
    if dataset not in FOLDERS:
        raise DebiasedError(
            f"--debiased has ids of {' and '.join(FOLDERS)}, and the run is on {dataset}. Give a run on one of these."
        )
    place = folder / FOLDERS[dataset] if (folder / FOLDERS[dataset]).is_dir() else folder
    files = sorted(place.glob("debiased_*.tsv"))
    if not files:
        raise DebiasedError(f"--debiased {folder}: there is no {FOLDERS[dataset]}/debiased_*.tsv in it. {WHERE}")
    needed: dict[str, str] = {}
    for file in sorted(place.glob("modalities_*.tsv")):
        for name, cells in _utterances(file, dataset):
            words = {word.strip().lower() for word in cells.get("Modality", "").split("+")}
            # A blank, or "Na", says nothing.
            if words and words <= set(MODALITIES):
                needed[name] = " + ".join(word for word in MODALITIES if word in words)
    return Annotations(frozenset(name for file in files for name, _ in _utterances(file, dataset)), needed)


def debiased_table(results: Sequence[RowResults], annotations: Annotations) -> str:
    """Make the Markdown table: one line per group of utterances, one column per row of results.

    Args:
        results: Results of the rows; the last column compares the first row with the last, where there are several.
        annotations: Groups of the utterances.

    Raises:
        DebiasedError: No tested utterance has an id of the files.
    """
    ids = dict.fromkeys(name for result in results for part in result.predictions.values() for name in part.ids)
    if not ids:
        raise DebiasedError("There are no predictions to take apart: train the runs first.")
    groups = annotations.groups(ids)
    if DEBIASED not in groups:
        example = next(iter(ids))
        raise DebiasedError(
            f"None of the {len(ids)} tested utterances, such as {example!r}, has an id of the debiased files: they "
            "are of another data set or split. Give the folder of this data set."
        )
    header = ["utterances", "number", *(f"{result.row.title}, ACC" for result in results)]
    if len(results) > 1:
        header.append(f"{results[-1].row.title} less {results[0].row.title}")
    rows = []
    for title, members in groups.items():
        parts = [of_utterances(result, members) for result in results]
        cells = [title, str(len(members)), *(result_text(part, "accuracy") for part in parts)]
        if len(results) > 1:
            cells.append(comparison_text(compare(parts[0], parts[-1], "accuracy")))
        rows.append(cells)
    return markdown_table(header, rows)


def of_utterances(result: RowResults, ids: Iterable[str]) -> RowResults:
    """Restrict the results of a row to some utterances; only the accuracy is left of its metrics."""
    wanted = set(ids)
    predictions = {seed: _restricted(part, wanted) for seed, part in result.predictions.items()}
    contents = {seed: {"test": {"accuracy": _accuracy(part)}} for seed, part in predictions.items() if part.ids}
    predictions = {seed: part for seed, part in predictions.items() if part.ids}
    # Made anew, because `replace` would keep the answers of all utterances.
    return RowResults(result.row, result.folders, contents, result.finished, predictions, {}, result.missing)


def results_of_run(folder: Path) -> list[RowResults]:
    """Read a run folder as one row, preceded by the text-only baseline that it may hold.

    Raises:
        UnfinishedRunError: The folder is not of a finished run with a test split.
    """
    rows = []
    for path in with_baseline(folder):
        read_predictions(path)  # refuses a folder without them in words, before metrics.json is read
        content = read_metrics(path)
        row = TableRow(content["model"], Run(path.name, "", read_settings(path)))
        rows.append(read_folders(row, {content["seed"]: path}))
    return rows


def _utterances(file: Path, dataset: str) -> list[tuple[str, dict[str, str]]]:
    """Ids and cells of a file's lines, the ids as the data set's builder makes them."""
    if dataset == "mintrec":
        rows = read_table(file, ("season", "episode", "clip"))
        return [(f"{row.cells['season']}_{row.cells['episode']}_{row.cells['clip']}", row.cells) for row in rows]
    rows = read_table(file, ("Dialogue_id", "Utterance_id"))
    return [(f"dia{row.cells['Dialogue_id']}_utt{row.cells['Utterance_id']}", row.cells) for row in rows]


def _restricted(part: Predictions, wanted: set[str]) -> Predictions:
    chosen = [index for index, name in enumerate(part.ids) if name in wanted]
    ids, labels, predicted = (tuple(column[i] for i in chosen) for column in (part.ids, part.labels, part.predicted))
    return Predictions(ids, labels, predicted, part.label_names)


def _accuracy(part: Predictions) -> float:
    right = [one == other for one, other in zip(part.labels, part.predicted, strict=True)]
    return sum(right) / max(len(right), 1)
