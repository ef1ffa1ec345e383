# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Run folders with given predictions, as training/train.py leaves them but for the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from training.metrics.intent_classification.classification_scores import intent_classification


def write_run(
    folder: Path,
    label_names: Sequence[str],
    labels: Sequence[str],
    predicted: Sequence[str],
    decisions: Sequence[str] | None = None,
    first_id: int = 0,
    ids: Sequence[str] | None = None,
    **content: Mapping,
) -> None:
    """
    metrics.json and predictions.parquet.

    Args:
        decisions: between intents and `UNK`, of a run with utterances out of scope.
        first_id: number of the first sample; the others follow.
        ids: ids of the samples, in place of numbered ones.
        content: more of metrics.json.
    """
    folder.mkdir(parents=True)
    names = list(ids or [f"test_{first_id + index}" for index in range(len(labels))])
    columns = {"id": names, "label": list(labels), "prediction": list(predicted)}
    if decisions is not None:
        columns["decision"] = list(decisions)
    table = pa.table(columns).replace_schema_metadata({"labels": json.dumps(list(label_names))})
    pq.write_table(table, folder / "predictions.parquet")
    ids = {name: index for index, name in enumerate(label_names)}
    known = [(ids[p], ids[g]) for p, g in zip(predicted, labels, strict=True) if g in ids]
    test = intent_classification(*zip(*known, strict=True), label_names)
    (folder / "metrics.json").write_text(json.dumps({"test": test, **content}))
