# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`evaluate` module: accuracy and macro and weighted F1, precision and recall of intent classification."""

import datasets
import evaluate

from .classification_scores import intent_classification


_DESCRIPTION = """
Accuracy, and the F1, precision and recall that papers on multimodal intent recognition report: macro (every intent
counts the same, whatever its number of samples) and weighted (by number of samples). An intent that is never predicted
has precision 0, one that never occurs in the references has recall 0; an intent that occurs in neither is left out of
the means. These are the conventions of scikit-learn with `zero_division=0`.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: predicted label ids, one a sample.
    references: gold label ids, one a sample.
    label_names (optional): names in the order of the ids. With it the result has `per_class`, a list of rows
        `{label, precision, recall, f1, support}`, one for every name.
Returns:
    accuracy, macro_f1, macro_precision, macro_recall, weighted_f1, weighted_precision, as fractions in [0, 1].
Examples:
    >>> metric = evaluate.load("training/metrics/intent_classification")
    >>> metric.compute(predictions=[0, 1, 1], references=[0, 1, 0])["accuracy"]
    0.6666666666666666
"""

_CITATION = ""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class IntentClassification(evaluate.Metric):
    """The metric; `compute` as in `evaluate.Metric`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(
                {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions, references, label_names=None):
        return intent_classification(predictions, references, label_names)
