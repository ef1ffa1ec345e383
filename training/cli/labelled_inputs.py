# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Utterances with their intents, as inputs of the pipeline: from a TSV or CSV file, or from a data set's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple


class LabelledInput(NamedTuple):
    """An utterance: what the pipeline is given of it, and its intent."""

    parts: dict[str, Any]
    label: str


def read_labelled_inputs(source: str, split: str, modalities: tuple[str, ...]) -> list[LabelledInput]:
    """The utterances of a file or of one split of a data set.

    Args:
        source: a TSV or CSV file with the columns `text` and `label`, and `clip` (relative to the file) where the
            model reads more than text; or a folder that `amess extract` or `DatasetDict.save_to_disk` wrote.
        split: which one of the data set; a file is read whole.
        modalities: what the model reads; the rest is left out.

    Raises:
        OSError, ValueError: there is no such file, folder or split, or a defect in it.
    """
    path = Path(source).expanduser()
    more = tuple(name for name in modalities if name != "text")
    if not path.is_dir():
        from dataset_scripts.tsv import read_tsv

        columns = ("text", "label", *(("clip",) if more else ()))
        rows = read_tsv(path, columns, required=("label",), commas=path.suffix.lower() == ".csv")
        inputs = []
        for _, cells in rows:
            parts = {"text": cells["text"].strip()}
            if more and cells["clip"].strip():
                parts["video"] = str(path.parent / cells["clip"].strip())
            inputs.append(LabelledInput(parts, cells["label"].strip()))
        return inputs
    from training.data import IntentRows, read_splits

    splits = read_splits(str(path))
    if split not in splits:
        raise ValueError(f"{source} has no {split} split; it has {', '.join(splits)}.")
    rows = IntentRows(splits[split], modalities)
    wanted = ("text", *(f"{name}_features" for name in more))
    return [
        LabelledInput({name: row[name] for name in wanted}, rows.label_names[row["label"]])
        for row in (rows[index] for index in range(len(rows)))
    ]
