# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Results for people: versions, a table of metrics, a few predictions in words."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modeling_amess import __version__


# Titles of the metrics, in the order of tables.
METRIC_TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "macro_precision": "macro P",
    "macro_recall": "macro R",
    "weighted_f1": "weighted F1",
    "weighted_precision": "weighted P",
}


def versions() -> dict[str, str]:
    """Return the versions that a result depends on, this package's first, and in a git checkout the commit."""
    names = ("torch", "transformers", "accelerate", "datasets", "sentence-transformers", "numpy")
    found = {"amess-hf": __version__, "python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    commit = code_commit()
    return found | ({"commit": commit} if commit else {})


def code_commit() -> str | None:
    """The git commit of this code, with `-dirty` where tracked files were changed; `None` outside a checkout."""
    file = Path(__file__).resolve()
    git = ["git", "-C", str(file.parent)]
    try:
        # An installed copy may lie in the checkout of another project, whose commit says nothing about this code.
        subprocess.run([*git, "ls-files", "--error-unmatch", file.name], check=True, capture_output=True)
        describe = [*git, "describe", "--always", "--dirty", "--exclude", "*", "--abbrev=40"]
        return subprocess.run(describe, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def metrics_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Make a Markdown table of metrics in percent, one line per name."""
    width = max(len(name) for name in ("", *rows))
    header = f"| {'':{width}} | " + " | ".join(METRIC_TITLES.values()) + " |"
    rule = f"|{'-' * (width + 2)}|" + "|".join("-" * (len(title) + 1) + ":" for title in METRIC_TITLES.values()) + "|"
    lines = [header, rule]
    for name, metrics in rows.items():
        cells = [f"{100 * metrics[key]:>{len(title)}.2f}" for key, title in METRIC_TITLES.items()]
        lines.append(f"| {name:{width}} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def predictions_in_words(rows: Sequence[Mapping[str, Any]], number: int = 3) -> list[str]:
    """Describe a few predictions, evenly spread over the rows.

    Args:
        rows: Rows of `predictions.parquet`.
        number: Largest number of sentences.
    """
    sentences = []
    for index in np.linspace(0, len(rows) - 1, min(number, len(rows))):
        row = rows[round(index)]
        verdict = "right" if row["prediction"] == row["label"] else f"it was {row['label']}"
        utterance = f'"{row["text"]}"' if row["text"] else f"{row['id']} (text left out)"
        sentences.append(f"{utterance} -> {row['prediction']} ({100 * max(row['scores']):.0f} %); {verdict}")
    return sentences
