# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`evaluate` module: accuracy and F1 of intent classification where some utterances have none of the intents."""

import datasets
import evaluate

from .open_intent_scores import open_intent


_DESCRIPTION = """
Accuracy and macro F1 over the intents and the out-of-scope class, as MIntRec2.0's benchmark and A-MESS's Table II
report them: ACC, F1-IS (mean over the intents), F1-OOS (the out-of-scope class) and F1 (mean over both). Every class
counts, also one that occurs neither in the predictions nor in the references (its F1 is 0).
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: predicted ids, one a sample; `num_intents` is the id of the out-of-scope class.
    references: gold ids, one a sample.
    num_intents: number of intents, without the out-of-scope class.
Returns:
    accuracy, f1_in_scope, f1_out_of_scope, f1, as fractions in [0, 1].
Examples:
    >>> metric = evaluate.load("training/metrics/open_intent")
    >>> metric.compute(predictions=[0, 1, 2, 2], references=[0, 1, 2, 1], num_intents=2)["accuracy"]
    0.75
"""

_CITATION = ""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class OpenIntent(evaluate.Metric):
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

    def _compute(self, predictions, references, num_intents):
        return open_intent(predictions, references, num_intents)
