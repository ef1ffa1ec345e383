# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves for people and scripts: metrics.json, predictions.parquet, a table, a few words."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset_scripts.labels import OUT_OF_SCOPE_LABEL

from .checkpointing import write_json
from .data import IntentRows
from .evaluation import Evaluation
from .out_of_scope.results import OutOfScopeResults


METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"
# Metrics as they are told, in this order.
METRIC_TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "macro_precision": "macro P",
    "macro_recall": "macro R",
    "weighted_f1": "weighted F1",
    "weighted_precision": "weighted P",
}


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    names = ("amess-hf", "torch", "transformers", "accelerate", "datasets", "sentence-transformers", "numpy")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_predictions(
    path: Path, rows: IntentRows, evaluation: Evaluation, outside: OutOfScopeResults | None = None
) -> None:
    """
    One row a sample of the test split: `id, text, label, prediction` (names) and `scores` (one a label, in the order
    of the ids). With utterances out of scope, whose label is `UNK`, also `decision` (a name or `UNK`) and
    `scope_scores` (one a score).
    """
    ids, texts = rows.column("id"), rows.column("text")
    if ids is None or texts is None:
        read = [rows[index] for index in range(len(rows))]
        ids, texts = [row["id"] for row in read], [row["text"] for row in read]
    names = np.asarray([*rows.label_names, OUT_OF_SCOPE_LABEL])
    columns = {
        "id": [str(value) for value in ids],
        "text": [str(value) for value in texts],
        "label": names[evaluation.labels].tolist(),
        "prediction": names[evaluation.predictions].tolist(),
        "scores": pa.array(evaluation.scores.astype(np.float32).tolist(), pa.list_(pa.float32())),
    }
    if outside is not None:
        intents = [name for name in rows.label_names if name != OUT_OF_SCOPE_LABEL]
        columns["decision"] = np.asarray([*intents, OUT_OF_SCOPE_LABEL])[outside.decisions["test"]].tolist()
        scores = outside.scores["test"]
        columns["scope_scores"] = pa.StructArray.from_arrays([pa.array(row) for row in scores.values()], [*scores])
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata({"labels": json.dumps(rows.label_names)}), path)


def write_metrics(path: Path, content: Mapping[str, Any]) -> None:
    """Write metrics.json, whose presence says that the run is finished."""
    partial = path.with_name(f".{path.name}.partial")
    write_json(partial, content)
    partial.rename(path)


def metrics_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table of name -> metrics, in percent."""
    width = max(len(name) for name in ("", *rows))
    header = f"| {'':{width}} | " + " | ".join(METRIC_TITLES.values()) + " |"
    rule = f"|{'-' * (width + 2)}|" + "|".join("-" * (len(title) + 1) + ":" for title in METRIC_TITLES.values()) + "|"
    lines = [header, rule]
    for name, metrics in rows.items():
        cells = [f"{100 * metrics[key]:>{len(title)}.2f}" for key, title in METRIC_TITLES.items()]
        lines.append(f"| {name:{width}} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def predictions_in_words(path: Path, number: int = 3) -> list[str]:
    """A few rows of predictions.parquet as sentences, evenly spread over the file."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    chosen = [rows[round(index)] for index in np.linspace(0, len(rows) - 1, min(number, len(rows)))]
    sentences = []
    for row in chosen:
        verdict = "right" if row["prediction"] == row["label"] else f"it was {row['label']}"
        said = f'"{row["text"]}"' if row["text"] else f"{row['id']} (text left out)"
        sentences.append(f"{said} -> {row['prediction']} ({100 * max(row['scores']):.0f} %); {verdict}")
    return sentences
