# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The numbers of the metric, apart from `evaluate`, whose import takes as long as a short training run's start."""

import numpy as np


def intent_classification(predictions, references, label_names=None) -> dict:
    """Accuracy, macro and weighted F1, precision and recall, as scikit-learn with `zero_division=0` gives them.

    Args:
        predictions, references: label ids `(samples,)`.
        label_names: names in the order of the ids, for `per_class`.

    Raises:
        ValueError: no sample, unequal numbers, or an id without a name.
    """
    predictions, references = np.asarray(predictions, dtype=np.int64), np.asarray(references, dtype=np.int64)
    if predictions.shape != references.shape or predictions.ndim != 1:
        raise ValueError(
            f"predictions {predictions.shape} and references {references.shape} must be equally long lists."
        )
    if len(references) == 0:
        raise ValueError("There is no sample to compute metrics of.")
    smallest = min(predictions.min(), references.min())
    highest = max(predictions.max(), references.max())
    if smallest < 0 or (label_names is not None and highest >= len(label_names)):
        raise ValueError(f"Label ids run from {smallest} to {highest}; expected 0 to {len(label_names or []) - 1}.")
    num_labels = int(highest) + 1 if label_names is None else len(label_names)
    predicted = np.bincount(predictions, minlength=num_labels)
    support = np.bincount(references, minlength=num_labels)
    correct = np.bincount(references[predictions == references], minlength=num_labels)
    precision = correct / np.maximum(predicted, 1)
    recall = correct / np.maximum(support, 1)
    # 2PR / (P + R) in counts, which needs no case for P = R = 0.
    f1 = 2 * correct / np.maximum(predicted + support, 1)
    present = (predicted + support) > 0
    share = support / support.sum()
    result = {
        "accuracy": float(correct.sum() / len(references)),
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
