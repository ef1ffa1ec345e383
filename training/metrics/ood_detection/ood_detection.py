# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`evaluate` module of out-of-scope scores; nothing but `evaluate.load` imports this file."""

from typing import Any

import datasets
import evaluate

from .detection_scores import ood_detection


class OodDetection(evaluate.Metric):
    """How well a score tells utterances in scope from utterances out of scope, over all thresholds.

    AUROC, AUPR with either class as the positive one, FPR95, the equal error rate and the detection error of a score
    that is higher in scope. The detection error comes in the textbook form and, under its own name, in that of
    MIntRec2.0's and MIntOOD's code, where the class priors have changed places.

    Args:
        predictions: Scores, one per utterance; higher means in scope.
        references: 1 for in scope, 0 for out of scope.

    Returns:
        auroc, aupr_in, aupr_out, fpr95, eer, der, der_swapped_priors, in [0, 1].

    Examples:
        >>> metric = evaluate.load("training/metrics/ood_detection")
        >>> metric.compute(predictions=[0.9, 0.8, 0.4, 0.6], references=[1, 1, 1, 0])["auroc"]
        0.6666666666666666
    """

    def _info(self) -> evaluate.MetricInfo:
        features = datasets.Features({"predictions": datasets.Value("float64"), "references": datasets.Value("int64")})
        return evaluate.MetricInfo(self.__doc__, citation="", features=features, inputs_description=self.__doc__)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return ood_detection(predictions, references)
