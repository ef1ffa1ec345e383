# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Labelled utterances as inputs of the pipeline: from a TSV or CSV file, or from the folder of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple


class LabelledInput(NamedTuple):
    """An utterance as the pipeline takes it, and its intent."""

    parts: dict[str, Any]
    label: str


def read_labelled_inputs(source: str, split: str, modalities: tuple[str, ...]) -> list[LabelledInput]:
    """Read the utterances of a file, or of one split of a data set.

    Args:
        source: A TSV or CSV file with the columns `text` and `label`, and `clip` (relative to the file) where the
            model reads more than text; or a folder that `amess extract` or `DatasetDict.save_to_disk` wrote.
        split: Split of the data set; a file is read whole.
        modalities: Modalities that the model reads; others are left out.

    Raises:
        OSError, ValueError: The file, folder or split does not exist, or has a defect.
    """
    path = Path(source).expanduser()
    return _of_data_set(path, split, modalities) if path.is_dir() else _of_file(path, modalities)


def _of_file(path: Path, modalities: tuple[str, ...]) -> list[LabelledInput]:
    from dataset_scripts.tsv import read_table  # here, so that `amess --help` does not load it

    media = set(modalities) - {"text"}
    columns = ("text", "label", "clip") if media else ("text", "label")
    inputs = []
    for _, cells in read_table(path, columns, required=("label",)):
        parts = {"text": cells["text"].strip()}
        if media and cells["clip"].strip():
            parts["video"] = str(path.parent / cells["clip"].strip())
        inputs.append(LabelledInput(parts, cells["label"].strip()))
    return inputs


def _of_data_set(folder: Path, split: str, modalities: tuple[str, ...]) -> list[LabelledInput]:
    # here, because these modules load torch and datasets
    from training.data import IntentRows, read_splits
    from training.split_checks import LEAVE_OUT, checked_splits

    splits = read_splits(str(folder))
    if split not in splits:
        raise ValueError(f"{folder} has no split {split}; its splits are {', '.join(splits)}.")
    # Utterances without a label are of no use here; a warning counts them.
    checked = checked_splits({split: splits[split]}, modalities, LEAVE_OUT)
    if split not in checked:
        return []
    rows = IntentRows(checked[split], modalities)
    columns = ("text", *(f"{name}_features" for name in modalities if name != "text"))
    return [
        LabelledInput({name: row[name] for name in columns}, rows.label_names[row["label"]])
        for row in (rows[index] for index in range(len(rows)))
    ]
