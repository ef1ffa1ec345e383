# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`evaluate` module of open-intent classification; nothing but `evaluate.load` imports this file."""

from typing import Any

import datasets
import evaluate

from .open_intent_scores import open_intent


class OpenIntent(evaluate.Metric):
    """Accuracy and macro F1 over the intents and the out-of-scope class.

    MIntRec2.0's benchmark and A-MESS's Table II report these metrics as ACC, F1-IS (mean over the intents), F1-OOS
    (the out-of-scope class) and F1 (mean over both). Every class counts, even one that occurs neither in the
    predictions nor in the references (its F1 is 0).

    Args:
        predictions: Predicted ids, one per utterance; `num_intents` is the id of the out-of-scope class.
        references: Gold ids, one per utterance.
        num_intents: Number of intents, without the out-of-scope class.

    Returns:
        accuracy, f1_in_scope, f1_out_of_scope, f1, in [0, 1].

    Examples:
        >>> metric = evaluate.load("training/metrics/open_intent")
        >>> metric.compute(predictions=[0, 1, 2, 2], references=[0, 1, 2, 1], num_intents=2)["accuracy"]
        0.75
    """

    def _info(self) -> evaluate.MetricInfo:
        ids = datasets.Value("int64")
        features = datasets.Features({"predictions": ids, "references": ids})
        return evaluate.MetricInfo(self.__doc__, citation="", features=features, inputs_description=self.__doc__)

    def _compute(self, predictions: Any, references: Any, num_intents: int) -> dict[str, float]:
        return open_intent(predictions, references, num_intents)
