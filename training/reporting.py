# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves for people and scripts: metrics.json, predictions.parquet, README.md, a table, a few words."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .checkpointing import write_json
from .data import IntentRows
from .evaluation import Evaluation


METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"
_TABLE_COLUMNS = {
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


def write_predictions(path: Path, rows: IntentRows, evaluation: Evaluation) -> None:
    """One row a sample: `id, text, label, prediction` (names) and `scores` (one a label, in the order of the ids)."""
    ids, texts = rows.column("id"), rows.column("text")
    if ids is None or texts is None:
        read = [rows[index] for index in range(len(rows))]
        ids, texts = [row["id"] for row in read], [row["text"] for row in read]
    names = np.asarray(rows.label_names)
    table = pa.table(
        {
            "id": [str(value) for value in ids],
            "text": [str(value) for value in texts],
            "label": names[evaluation.labels].tolist(),
            "prediction": names[evaluation.predictions].tolist(),
            "scores": pa.array(evaluation.scores.astype(np.float32).tolist(), pa.list_(pa.float32())),
        }
    )
    pq.write_table(table.replace_schema_metadata({"labels": json.dumps(rows.label_names)}), path)


def write_metrics(path: Path, content: Mapping[str, Any]) -> None:
    """Write metrics.json, whose presence says that the run is finished."""
    partial = path.with_name(f".{path.name}.partial")
    write_json(partial, content)
    partial.rename(path)


def metrics_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table of name -> metrics, in percent."""
    width = max(len(name) for name in ("", *rows))
    header = f"| {'':{width}} | " + " | ".join(_TABLE_COLUMNS.values()) + " |"
    rule = f"|{'-' * (width + 2)}|" + "|".join("-" * (len(title) + 1) + ":" for title in _TABLE_COLUMNS.values()) + "|"
    lines = [header, rule]
    for name, metrics in rows.items():
        cells = [f"{100 * metrics[key]:>{len(title)}.2f}" for key, title in _TABLE_COLUMNS.items()]
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


def write_card(path: Path, metrics: Mapping[str, Any], sentences: Sequence[str]) -> None:
    """A short README.md for the run folder."""
    settings = metrics["settings"]
    table = metrics_table({split: metrics[split] for split in ("validation", "test") if metrics.get(split)})
    train = f"{metrics['train_samples']} samples, {metrics['steps']} optimizer steps"
    best = metrics["best_epoch"]
    parts = [
        f"# {settings['model']} on {settings['dataset']}",
        f"Trained on {train}, modalities {settings['modalities']}, text encoder `{settings['text_model']}`, seed "
        f"{settings['seed']}. The weights are those after epoch {best}, which had the best validation "
        f"{settings['monitor']}; the test split was then read once.",
        f"Percent:\n\n{table}",
        "Some predictions of the test split:\n\n" + "\n".join(f"- {sentence}" for sentence in sentences)
        if sentences
        else "There was no test split.",
        "- `pretrained/`: the model and its processor\n- `config.yaml`: all settings; training starts again with "
        "`accelerate launch training/train.py config.yaml`\n- `metrics.json`, `predictions.parquet`, `log.jsonl`: "
        "results, every prediction, the course of training",
        "```python\nimport training.baselines  # registers A-MESS and its baselines\n"
        "from transformers import AutoModelForSequenceClassification, AutoProcessor\n\n"
        'model = AutoModelForSequenceClassification.from_pretrained("pretrained").eval()\n'
        'processor = AutoProcessor.from_pretrained("pretrained")\n'
        'logits = model(**processor(text=["oh, great."])).logits\n```',
    ]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
