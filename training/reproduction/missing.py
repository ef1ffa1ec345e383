# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Accuracy when modalities are missing, wrong or noisy at test time: trained models, changed test utterances.

A condition changes the test split and nothing else: no model is trained for it. The same utterances lose their
modality in every model and at every rate that is higher, so that rows can be compared.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from accelerate import Accelerator
from matplotlib.figure import Figure
from torch.utils.data import Dataset

from dataset_scripts.errors import UserError
from dataset_scripts.files import write_json
from modeling_amess import AmessProcessor

from ..data import IntentCollator, IntentRows
from ..evaluation import Evaluator
from ..finished_run import METRICS_FILE, MISSING_FILE, MODEL_FOLDER, read_settings, write_result
from ..launching import create_accelerator
from ..missing_modalities import without
from ..model_setup import quiet_transformers
from ..models import MODELS
from ..preparation import load_rows
from .pictures import STYLE
from .results import RowResults
from .tables import markdown_table


RATES = (0.25, 0.5, 0.75, 1.0)
CLEAN = "nothing changed"
# What happens to the chosen modalities of an utterance.
MISSING, REPLACED, NOISE, WORD_ERRORS = "missing", "of another utterance", "with noise", "with word errors"
EXPLANATION = (
    "`missing`: this share of the test utterances has no such modality. `of another utterance`: it has that of "
    "another test utterance. `with noise`: to each feature of every utterance a normal number is added, whose "
    "deviation is this multiple of the features' own. `with word errors`: each word is wrong with this probability; "
    "half of the wrong words are replaced by another word of the split, a quarter are left out, a quarter get a word "
    "behind them. Mean ± standard deviation over the seeds, in percent; draws are the same for all models and seeds."
)
_SEED = 0
# So many utterances give the deviation of the features.
_MEASURED = 200


@dataclass(frozen=True)
class Condition:
    """A change of the test split.

    Attributes:
        kind: `MISSING`, `REPLACED`, `NOISE` or `WORD_ERRORS`; `CLEAN` for no change.
        modalities: Modalities that are changed.
        rate: Share of utterances or of words, or multiple of the features' deviation.
    """

    kind: str
    modalities: tuple[str, ...] = ()
    rate: float = 0.0

    @property
    def title(self) -> str:
        """Name of the condition without its rate."""
        return " ".join([" and ".join(self.modalities), self.kind]).strip()


def conditions(modalities: Sequence[str], rates: Sequence[float] = RATES) -> list[Condition]:
    """List the conditions for a run that reads these modalities, the unchanged split first."""
    nonverbal = tuple(name for name in ("video", "audio") if name in modalities)
    groups = [(name,) for name in nonverbal] + ([nonverbal] if len(nonverbal) > 1 else [])
    groups += [("text",)] if "text" in modalities else []
    kinds = [(MISSING, group) for group in groups]
    kinds += [(REPLACED, (name,)) for name in modalities]
    kinds += [(NOISE, (name,)) for name in nonverbal]
    kinds += [(WORD_ERRORS, ("text",))] if "text" in modalities else []
    return [Condition(CLEAN)] + [Condition(kind, group, rate) for kind, group in kinds for rate in rates]


class ChangedRows(Dataset[dict[str, Any]]):
    """Test rows under a condition.

    Args:
        rows: Test rows.
        condition: Change.
        deviations: Standard deviation of the features, by modality, for noise.
        words: Words that errors put in.
    """

    def __init__(
        self,
        rows: IntentRows,
        condition: Condition,
        deviations: Mapping[str, float] | None = None,
        words: Sequence[str] = (),
    ):
        self.rows, self.condition = rows, condition
        self.deviations, self.words = deviations or {}, list(words)
        self.label_names, self.has_planted_bits = rows.label_names, rows.has_planted_bits
        # The first of these lose their modality; at a higher rate more of them do.
        self.order = np.random.default_rng(_SEED).permutation(len(rows))
        self.place = np.argsort(self.order)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row, condition = self.rows[index], self.condition
        place = int(self.place[index])
        if condition.kind in (MISSING, REPLACED) and place >= round(condition.rate * len(self)):
            return row
        if condition.kind == MISSING:
            return without(row, condition.modalities)
        if condition.kind == REPLACED:
            other = self.rows[int(self.order[(place + 1) % len(self)])]
            names = [name if name == "text" else f"{name}_features" for name in condition.modalities]
            return row | {name: other[name] for name in names}
        draw = np.random.default_rng((_SEED, int(index)))
        if condition.kind == NOISE:
            return row | {
                f"{name}_features": self._noisy(np.asarray(row[f"{name}_features"]), self.deviations[name], draw)
                for name in condition.modalities
            }
        return row | {"text": misheard(row["text"], condition.rate, self.words, draw)}

    def _noisy(self, features: np.ndarray, deviation: float, draw: np.random.Generator) -> np.ndarray:
        noise = draw.standard_normal(features.shape)
        return (features + self.condition.rate * deviation * noise).astype(np.float32)


def misheard(text: str, rate: float, words: Sequence[str], draw: np.random.Generator) -> str:
    """Make word errors, as a speech recogniser does.

    Args:
        text: What was said.
        rate: Probability that a word is wrong.
        words: Words that errors put in.
        draw: Generator of the draws.
    """
    heard = []
    for word in text.split():
        wrong, kind, chosen = draw.random(3)
        other = words[int(chosen * len(words))]
        if wrong >= rate:
            heard.append(word)
        elif kind < 0.5:
            heard.append(other)
        elif kind < 0.75:
            heard += [word, other]
    return " ".join(heard)


def read_conditions(folder: Path, rates: Sequence[float] = RATES) -> dict[str, dict[str, Any]]:
    """Evaluate the model of a finished run under each condition, or read what was evaluated before.

    Args:
        folder: Run folder; it gets `missing.json`.
        rates: Rates of each condition.

    Returns:
        `accuracy`, and for planted runs `group_accuracy` (text), by rate as text, by title of the condition.

    Raises:
        UserError: The folder has no test split, or no weights any more.
    """
    file = folder / MISSING_FILE
    wanted = conditions(read_settings(folder).modality_names, rates)
    # Another run may have taken the folder since.
    digest = hashlib.sha256((folder / METRICS_FILE).read_bytes()).hexdigest()[:32]
    if file.is_file():
        content = json.loads(file.read_text(encoding="utf-8"))
        known: dict[str, dict[str, Any]] = content["results"] if content.get("run") == digest else {}
        if all(f"{condition.rate:g}" in known.get(condition.title, {}) for condition in wanted):
            return known
    results: dict[str, dict[str, Any]] = {}
    for condition, values in zip(wanted, _evaluated(folder, wanted), strict=True):
        results.setdefault(condition.title, {})[f"{condition.rate:g}"] = values
    content = {"run": digest, "results": results}
    write_result(folder, MISSING_FILE, lambda file: write_json(file, content))
    return results


def _evaluated(folder: Path, wanted: Sequence[Condition]) -> list[dict[str, float]]:
    settings = read_settings(folder)
    model_folder = folder / MODEL_FOLDER
    if not any(model_folder.glob("*.safetensors")):
        raise UserError(
            f"{folder} has no weights in {MODEL_FOLDER}/, which the table of missing modalities runs: tables delete "
            "them. Move the folder away, and the command trains the run again and keeps them."
        )
    accelerator: Accelerator = create_accelerator(settings)
    rows, _ = load_rows(settings, accelerator)
    if "test" not in rows:
        raise UserError(f"{folder} is a run without a test split: there is nothing to test on. Give another run.")
    test = rows["test"]
    with quiet_transformers():
        model = MODELS[settings.model].model_class.from_pretrained(model_folder)
    model = accelerator.prepare_model(model, evaluation_mode=True)
    collator = IntentCollator(AmessProcessor.from_pretrained(model_folder), settings.modality_names)
    deviations: dict[str, float] = {
        name: _deviation(test, f"{name}_features") for name in ("video", "audio") if name in settings.modality_names
    }
    words = sorted({word for text in test.column("text") or () for word in text.split()}) or [""]
    found = []
    for condition in wanted:
        changed: Any = ChangedRows(test, condition, deviations, words)
        evaluator = Evaluator(changed, collator, None, settings.per_device_eval_batch_size, accelerator)
        evaluation = evaluator.evaluate(model)
        values = {"accuracy": evaluation.metrics["accuracy"]}
        if evaluation.planted is not None:
            values["group_accuracy"] = evaluation.planted["group_accuracy"]
        found.append(values)
    return found


def _deviation(rows: IntentRows, name: str) -> float:
    indices = np.linspace(0, len(rows) - 1, min(_MEASURED, len(rows))).round().astype(int)
    arrays = [np.asarray(rows[int(index)][name], np.float64).ravel() for index in indices]
    values = np.concatenate([*arrays, np.zeros(0)])
    return float(values.std()) if len(values) else 0.0


@dataclass(frozen=True)
class MissingResults:
    """What a row of the table lost under each condition.

    Attributes:
        title: Name of the row.
        by_seed: Result of `read_conditions` of each run.
    """

    title: str
    by_seed: Sequence[Mapping[str, Mapping[str, Mapping[str, float]]]]

    def values(self, title: str, rate: str, metric: str) -> list[float]:
        """A metric in percent, one number per run that has it."""
        cells = [run.get(title, {}).get(rate, {}) for run in self.by_seed]
        return [100 * cell[metric] for cell in cells if metric in cell]


def missing_results(results: Sequence[RowResults], rates: Sequence[float] = RATES) -> list[MissingResults]:
    """Evaluate all finished runs of the rows."""
    return [
        MissingResults(result.row.title, [read_conditions(folder, rates) for folder in result.folders])
        for result in results
    ]


def missing_table(results: Sequence[MissingResults]) -> str:
    """Make the Markdown tables: one of the accuracy and, for planted runs, one of the text's part of it."""
    titles = {"accuracy": "Accuracy", "group_accuracy": "Accuracy of the group, which the text tells"}
    parts = []
    for metric, title in titles.items():
        rows = []
        for name, rate in _places(results):
            cells = [result.values(name, rate, metric) for result in results]
            if any(cells):
                rows.append([name, "" if name == CLEAN else rate, *map(_cell, cells)])
        if rows:
            header = ["test utterances", "rate", *(result.title for result in results)]
            parts.append(f"{title}:\n\n{markdown_table(header, rows)}")
    return "\n\n".join([*parts, EXPLANATION])


def missing_csv(results: Sequence[MissingResults]) -> str:
    """Write one line per row, condition, rate and metric."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row", "condition", "rate", "metric", "mean", "std", "values"])
    for result in results:
        for name, rate in _places([result]):
            for metric in ("accuracy", "group_accuracy"):
                if values := result.values(name, rate, metric):
                    deviation = f"{statistics.stdev(values):.2f}" if len(values) > 1 else ""
                    listed = " ".join(f"{value:.2f}" for value in values)
                    writer.writerow(
                        [result.title, name, rate, metric, f"{statistics.mean(values):.2f}", deviation, listed]
                    )
    return stream.getvalue()


def draw_missing(results: Sequence[MissingResults], title: str, file: Path) -> None:
    """Draw one panel per condition: accuracy by rate, one line per row; the rate 0 is the unchanged split."""
    names = [name for name in dict.fromkeys(name for name, _ in _places(results)) if name != CLEAN]
    columns = min(len(names), 4) or 1
    lines = -(-len(names) // columns) or 1
    with matplotlib.rc_context(rc=STYLE):
        figure = Figure(figsize=(2.6 * columns + 1, 2.3 * lines + 0.6), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
        for panel, name in zip(panels, names, strict=False):
            for result in results:
                rates = ["0", *(rate for other, rate in _places([result]) if other == name)]
                points = [
                    (float(rate), result.values(name if float(rate) else CLEAN, rate, "accuracy")) for rate in rates
                ]
                known = [(rate, statistics.mean(values)) for rate, values in points if values]
                panel.plot(*zip(*known, strict=True), "o-", markersize=3, label=result.title)
            panel.set_title(name, fontsize=9)
            panel.set_xlabel("rate")
            panel.set_ylabel("ACC (%)")
        for panel in panels[len(names) :]:
            panel.set_axis_off()
        figure.suptitle(title)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
        figure.savefig(file, format="png")


def _places(results: Sequence[MissingResults]) -> list[tuple[str, str]]:
    """Conditions and rates of all runs, in their order."""
    places = [
        (name, rate) for result in results for run in result.by_seed for name, rates in run.items() for rate in rates
    ]
    return list(dict.fromkeys(places))


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"
