# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`evaluate` module of intent classification; nothing but `evaluate.load` imports this file."""

from typing import Any

import datasets
import evaluate

from .classification_scores import intent_classification


class IntentClassification(evaluate.Metric):
    """Accuracy, and the F1, precision and recall that papers on multimodal intent recognition report.

    Macro: every intent counts the same, whatever its number of utterances. Weighted: by number of utterances. An
    intent that is never predicted has precision 0, one that never occurs in the references has recall 0; an intent
    that occurs in neither is left out of the means. These are the conventions of scikit-learn with `zero_division=0`.

    Args:
        predictions: Predicted label ids, one per utterance.
        references: Gold label ids, one per utterance.
        label_names (optional): Label names in the order of the ids. With them the result has `per_class`, a list of
            `{label, precision, recall, f1, support}`, one entry per label.

    Returns:
        accuracy, macro_f1, macro_precision, macro_recall, weighted_f1, weighted_precision, in [0, 1].

    Examples:
        >>> metric = evaluate.load("training/metrics/intent_classification")
        >>> metric.compute(predictions=[0, 1, 1], references=[0, 1, 0])["accuracy"]
        0.6666666666666666
    """

    def _info(self) -> evaluate.MetricInfo:
        ids = datasets.Value("int64")
        features = datasets.Features({"predictions": ids, "references": ids})
        return evaluate.MetricInfo(self.__doc__, citation="", features=features, inputs_description=self.__doc__)

    def _compute(self, predictions: Any, references: Any, label_names: Any = None) -> dict[str, Any]:
        return intent_classification(predictions, references, label_names)
