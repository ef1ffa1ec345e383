# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of intent classification, apart from the `evaluate` module.

The import of `evaluate` takes as long as the start of a short training run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def intent_classification(
    predictions: ArrayLike, references: ArrayLike, label_names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Compute accuracy, and macro and weighted F1, precision and recall, as scikit-learn does with `zero_division=0`.

    Args:
        predictions: Predicted label ids `(utterances,)`.
        references: Gold label ids `(utterances,)`.
        label_names: Label names in the order of the ids, for `per_class`.

    Returns:
        Metrics in [0, 1] by name, and with `label_names` the list `per_class` with the metrics of each label.

    Raises:
        ValueError: No utterance, different numbers of utterances, or an id without a name.
    """
    predicted_ids, gold_ids = np.asarray(predictions, dtype=np.int64), np.asarray(references, dtype=np.int64)
    if predicted_ids.shape != gold_ids.shape or predicted_ids.ndim != 1:
        raise ValueError(
            f"predictions {predicted_ids.shape} and references {gold_ids.shape} must be equally long lists: one id "
            "per utterance in each."
        )
    if len(gold_ids) == 0:
        raise ValueError("There is no utterance to compute metrics of: predictions and references are empty.")
    smallest, highest = min(predicted_ids.min(), gold_ids.min()), max(predicted_ids.max(), gold_ids.max())
    num_labels = int(highest) + 1 if label_names is None else len(label_names)
    if smallest < 0 or highest >= num_labels:
        raise ValueError(f"Label ids run from {smallest} to {highest}; expected 0 to {num_labels - 1}.")
    predicted = np.bincount(predicted_ids, minlength=num_labels)
    support = np.bincount(gold_ids, minlength=num_labels)
    correct = np.bincount(gold_ids[predicted_ids == gold_ids], minlength=num_labels)
    precision = correct / np.maximum(predicted, 1)
    recall = correct / np.maximum(support, 1)
    # 2PR / (P + R) in counts, which needs no case for P = R = 0.
    f1 = 2 * correct / np.maximum(predicted + support, 1)
    present = (predicted + support) > 0
    share = support / support.sum()
    result: dict[str, Any] = {
        "accuracy": float(correct.sum() / len(gold_ids)),
        "macro_f1": float(f1[present].mean()),
        "macro_precision": float(precision[present].mean()),
        "macro_recall": float(recall[present].mean()),
        "weighted_f1": float((f1 * share).sum()),
        "weighted_precision": float((precision * share).sum()),
    }
    if label_names is not None:
        result["per_class"] = [
            {
                "label": name,
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "support": int(support[index]),
            }
            for index, name in enumerate(label_names)
        ]
    return result
