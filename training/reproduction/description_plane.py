# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The paper's figure 5: semantic tokens of an intent beside the plane of the intent's descriptions.

"Before" synchronization is the plain mean of E_f, "after" is T_f. Eq. 15 reads directions alone (cosines), so all
vectors get length one first. Distances are between 0 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from torch.utils.data import DataLoader
from transformers import AutoModelForSequenceClassification

from modeling_amess import AmessProcessor
from modeling_amess.modeling_amess import masked_mean

from ..data import IntentCollator, load_splits
from ..finished_run import MODEL_FOLDER, read_run
from ..row_selection import select_rows
from .pictures import COLOURS


FIGURE_5_LABELS = ("Agree", "Joke", "Criticize", "Oppose")


@dataclass(frozen=True)
class SemanticTokens:
    """Semantic tokens of a test split and descriptions of its labels, all of length one."""

    before: np.ndarray  # (samples, size): mean of E_f
    after: np.ndarray  # (samples, size): T_f
    labels: np.ndarray  # (samples,)
    descriptions: dict[str, np.ndarray]  # label -> (descriptions, size)
    label_names: list[str]

    def distances(self, label: str) -> tuple[float, float]:
        """Mean distance of a label's tokens to the plane of its descriptions, before and after."""
        chosen, points = self.labels == self.label_names.index(label), self.descriptions[label]
        before, after = (float(plane_distances(part[chosen], points).mean()) for part in (self.before, self.after))
        return before, after


def semantic_tokens(folder: Path) -> SemanticTokens:
    """Run a trained A-MESS over its test split.

    Args:
        folder: Run folder of a finished run that kept its weights.

    Raises:
        UnfinishedRunError: The folder does not hold a finished run.
        ValueError: Descriptions and hidden states of the model differ in size, so they cannot lie in one plane.
    """
    settings = read_run(folder).settings
    model = AutoModelForSequenceClassification.from_pretrained(folder / MODEL_FOLDER).eval()
    if model.config.description_size != model.config.hidden_size:
        raise ValueError(
            f"The descriptions in {folder} have size {model.config.description_size}, the hidden states "
            f"{model.config.hidden_size}, and figure 5 draws both in one plane. Train with a --description_model of "
            "the text encoder's size."
        )
    processor = AmessProcessor.from_pretrained(folder / MODEL_FOLDER)
    rows = select_rows(load_splits(settings), settings, num_processes=1)["test"]
    collator = IntentCollator(processor, settings.modality_names)
    before, after, labels = [], [], []
    with torch.no_grad():
        for batch in DataLoader(rows, batch_size=settings.per_device_eval_batch_size, collate_fn=collator):
            labels.append(batch.pop("labels").numpy())
            output = model.amess(**batch)
            before.append(masked_mean(output.last_hidden_state, batch["attention_mask"]).numpy())
            after.append(output.semantic_embedding.numpy())
    embeddings, mask = model.label_description_embeddings.numpy(), model.label_description_mask.bool().numpy()
    names = rows.label_names
    return SemanticTokens(
        before=_unit(np.concatenate(before)),
        after=_unit(np.concatenate(after)),
        labels=np.concatenate(labels),
        descriptions={name: _unit(embeddings[i][mask[i]]) for i, name in enumerate(names) if mask[i].any()},
        label_names=names,
    )


def plane_distances(vectors: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Euclidean distances of vectors to the plane through some points.

    Three points span a plane, more points the smallest flat space that holds all of them.

    Args:
        vectors (`(samples, size)`): Vectors to measure.
        points (`(points, size)`): Points of the plane.

    Returns:
        Distances `(samples,)`.
    """
    origin = points[0]
    _, lengths, directions = np.linalg.svd(points[1:] - origin, full_matrices=False)
    directions = directions[lengths > 1e-6 * max(lengths.max(initial=0.0), 1e-12)]
    offsets = vectors - origin
    distances: np.ndarray = np.linalg.norm(offsets - offsets @ directions.T @ directions, axis=-1)
    return distances


def project(*parts: np.ndarray) -> list[np.ndarray]:
    """Project each part `(samples, size)` on the two principal components of all parts together, `(samples, 2)`."""
    everything = np.concatenate(parts)
    mean = everything.mean(0)
    components = np.linalg.svd(everything - mean, full_matrices=False)[2][:2]
    return [(part - mean) @ components.T for part in parts]


def distance_table(tokens: SemanticTokens) -> str:
    """Markdown table of the mean distance to the plane by intent, and over all intents (each counts the same)."""
    rows = {name: tokens.distances(name) for name in tokens.descriptions if name in _present(tokens)}
    means = np.mean(list(rows.values()), axis=0)
    lines = ["| intent | utterances | before | after |", "|---|---|---|---|"]
    for name, (before, after) in rows.items():
        samples = int((tokens.labels == tokens.label_names.index(name)).sum())
        lines.append(f"| {name} | {samples} | {before:.3f} | {after:.3f} |")
    lines.append(f"| all {len(rows)} intents | {len(tokens.labels)} | {means[0]:.3f} | {means[1]:.3f} |")
    return "\n".join(lines)


def draw_planes(tokens: SemanticTokens, title: str, file: Path) -> None:
    """Draw tokens, descriptions and their triangle, one panel per intent of the paper's four that the data have."""
    labels = [name for name in FIGURE_5_LABELS if name in tokens.descriptions and name in _present(tokens)]
    with matplotlib.rc_context(rc={"font.size": 9}):
        figure = Figure(figsize=(3.2 * len(labels), 3.4), layout="constrained")
        panels = figure.subplots(1, len(labels), squeeze=False)[0]
        for panel, name in zip(panels, labels, strict=True):
            chosen = tokens.labels == tokens.label_names.index(name)
            before, after, corners = project(tokens.before[chosen], tokens.after[chosen], tokens.descriptions[name])
            panel.fill(*corners.T, color=COLOURS[2], alpha=0.2, linewidth=0)
            panel.scatter(*before.T, s=12, color=COLOURS[1], label="before")
            panel.scatter(*after.T, s=12, color=COLOURS[0], label="after")
            panel.scatter(*corners.T, s=50, marker="*", color=COLOURS[2], label="descriptions")
            first, second = tokens.distances(name)
            panel.set_title(f"{name}: distance {first:.2f} → {second:.2f}")
            panel.set_xticks([])
            panel.set_yticks([])
        panels[0].legend(frameon=False)
        figure.suptitle(title)
        figure.savefig(file, format="png")


def _present(tokens: SemanticTokens) -> set[str]:
    return {tokens.label_names[label] for label in np.unique(tokens.labels)}


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return unit
