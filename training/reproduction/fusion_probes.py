# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a trained fusion does with a clip: do its anchors follow the clip, and what does a missing modality cost?

    python -m training.reproduction.fusion_probes runs/planted-amess [RUN ...]

The runs are finished runs of A-MESS that kept their weights. The command prints two Markdown tables about their test
splits; it trains nothing.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("training.reproduction.fusion_probes:main", "Interrupted. The same command starts again.")


import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from dataset_scripts.errors import UserError
from dataset_scripts.planted import PlantedDataset, planted_accuracies
from modeling_amess import AmessForIntentClassification, AmessProcessor

from ..data import IntentCollator, IntentRows, load_splits
from ..finished_run import MODEL_FOLDER, read_run
from ..row_selection import select_rows
from .tables import markdown_table


MODALITIES = ("video", "audio")
# Marker word of `token_cue`: the first word, after [CLS].
_MARKER_POSITION = 1
_BATCH_SIZE = 64


@dataclass(frozen=True)
class Reading:
    """Answers of a model for the rows of a split.

    Attributes:
        predictions: Predicted label ids `(rows,)`.
        anchors: By modality, the places of each row's anchors, the best first.
        places: By modality, the number of places that each row's anchors were chosen among.
    """

    predictions: np.ndarray
    anchors: dict[str, list[list[int]]]
    places: dict[str, list[int]]


def read_split(
    model: AmessForIntentClassification,
    collator: IntentCollator,
    rows: IntentRows,
    change: Callable[[int, dict[str, Any]], dict[str, Any]],
) -> Reading:
    """Run a model over rows with changed features.

    Args:
        model: Model in evaluation mode.
        collator: Collator of the rows.
        rows: Rows.
        change: Function of a row's index and the row that returns the row to use.
    """
    predictions: list[np.ndarray] = []
    anchors: dict[str, list[list[int]]] = {name: [] for name in MODALITIES}
    places: dict[str, list[int]] = {name: [] for name in MODALITIES}
    frames_are_anchors = model.config.anchor_kind == "frames"
    with torch.no_grad():
        for start in range(0, len(rows), _BATCH_SIZE):
            batch = collator([change(index, rows[index]) for index in range(len(rows))[start : start + _BATCH_SIZE]])
            del batch["labels"]
            output = model(**batch)
            predictions.append(output.logits.argmax(-1).numpy())
            for name in MODALITIES:
                indices, mask = output.get(f"{name}_anchor_indices"), output.get(f"{name}_anchor_mask")
                if indices is None or mask is None:
                    continue
                for row, real in zip(indices.tolist(), mask.tolist(), strict=True):
                    anchors[name].append([place for place, is_real in zip(row, real, strict=True) if is_real])
                chosen_among = batch[f"{name}_attention_mask" if frames_are_anchors else "attention_mask"]
                places[name] += chosen_among.sum(-1).tolist()
    return Reading(np.concatenate(predictions), anchors, places)


def probe(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Measure the anchors and the cost of missing modalities of one run, in words for the two tables.

    Args:
        folder: Run folder of a finished run of A-MESS that kept its weights.

    Raises:
        UnfinishedRunError: The folder does not hold a finished run.
        UserError: The run kept no weights, or is of another model.
    """
    settings = read_run(folder).settings
    if settings.model != "amess" or not (folder / MODEL_FOLDER).is_dir():
        raise UserError(
            f"{folder} holds no weights of A-MESS (its model is {settings.model}). Give a run of A-MESS that kept "
            "them: of `training.train`, or of `training.reproduce --keep_weights`."
        )
    model = AutoModelForSequenceClassification.from_pretrained(folder / MODEL_FOLDER).eval()
    collator = IntentCollator(AmessProcessor.from_pretrained(folder / MODEL_FOLDER), settings.modality_names)
    rows = select_rows(load_splits(settings), settings, num_processes=1)["test"]
    present = [name for name in MODALITIES if f"{name}_features" in rows.feature_names]
    labels = np.array([rows[index]["label"] for index in range(len(rows))])

    def other_clip(index: int, row: dict[str, Any]) -> dict[str, Any]:
        other = rows[(index + 1) % len(rows)]
        return row | {name: other[name] for name in rows.feature_names}

    def without(*names: str) -> Callable[[int, dict[str, Any]], dict[str, Any]]:
        return lambda _, row: row | {f"{name}_features": row[f"{name}_features"][:0] for name in names}

    whole = read_split(model, collator, rows, lambda _, row: row)
    other = read_split(model, collator, rows, other_clip)
    title = {"run": str(folder)}
    followed = title | {"accuracy": _percent(whole.predictions == labels)}
    for name in present:
        if whole.anchors[name]:
            followed |= {
                f"{name}: overlap with another clip's": _share(jaccard(whole.anchors[name], other.anchors[name])),
                f"{name}: overlap of a random choice": _share(random_overlap(whole.anchors[name], whole.places[name])),
                f"{name}: cue among the anchors": _cue_share(rows.split, model.config.anchor_kind, name, whole),
            }
    kept = title | {"all": _text_accuracy(rows, labels, whole.predictions)}
    for names in (*([name] for name in present), present):
        reading = read_split(model, collator, rows, without(*names))
        kept[f"without {' and '.join(names)}"] = _text_accuracy(rows, labels, reading.predictions)
    return followed, kept


def jaccard(first: Sequence[Sequence[int]], second: Sequence[Sequence[int]]) -> float:
    """Mean overlap of two choices of anchors: their intersection as a share of their union."""
    pairs = [(set(one), set(other)) for one, other in zip(first, second, strict=True)]
    return float(np.mean([len(one & other) / max(len(one | other), 1) for one, other in pairs]))


def random_overlap(chosen: Sequence[Sequence[int]], places: Sequence[int]) -> float:
    """Mean overlap of two random choices of as many places, drawn a hundred times."""
    random = np.random.default_rng(0)
    overlaps = []
    for anchors, number in zip(chosen, places, strict=True):
        draws = random.random((100, 2, number)).argsort(-1)[..., : len(anchors)]
        overlaps += [jaccard([one], [other]) for one, other in draws.tolist()]
    return float(np.mean(overlaps))


def _cue_share(split: Any, kind: str, modality: str, reading: Reading) -> str:
    """Share of the rows where the marker word, or a frame of the event that counts, is an anchor."""
    if not isinstance(split, PlantedDataset) or (kind == "tokens" and split.settings.generator != "token_cue"):
        return ""
    found = []
    for index, anchors in enumerate(reading.anchors[modality]):
        cue = {_MARKER_POSITION}
        if kind == "frames":
            event = getattr(split.clip(index), f"{modality}_events")[0]
            cue = set(range(event.start, event.start + event.length))
        found.append(bool(cue & set(anchors)))
    return _share(float(np.mean(found)))


def _text_accuracy(rows: IntentRows, labels: np.ndarray, predictions: np.ndarray) -> str:
    """Share of the predictions in the right group on the planted benchmark, else of right predictions."""
    if not rows.has_planted_bits:
        return _percent(predictions == labels)
    names = np.array(rows.label_names)
    return f"{100 * planted_accuracies(names[labels].tolist(), names[predictions].tolist())['group_accuracy']:.1f}"


def _percent(right: np.ndarray) -> str:
    return f"{100 * right.mean():.1f}"


def _share(value: float) -> str:
    return f"{value:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; `arguments` without the program's name, `sys.argv` by default."""
    parser = argparse.ArgumentParser(
        prog="python -m training.reproduction.fusion_probes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a finished run of A-MESS")
    folders = parser.parse_args(arguments).runs
    try:
        probes = [probe(folder) for folder in folders]
    except UserError as error:
        parser.exit(2, f"{error}\n")
    text = (
        "Accuracy in percent; overlaps and shares from 0 to 1. Another clip's: the next utterance's video and audio."
    )
    print(f"Anchors. {text}\n\n{_table([followed for followed, _ in probes])}\n")
    print(f"Group (text) accuracy on the planted benchmark, else accuracy.\n\n{_table([kept for _, kept in probes])}")
    return 0


def _table(rows: Sequence[dict[str, str]]) -> str:
    header = list(dict.fromkeys(name for row in rows for name in row))
    return markdown_table(header, [[row.get(name, "") for name in header] for row in rows])
