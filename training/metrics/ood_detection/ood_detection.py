# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`evaluate` module: how well a score tells in-scope samples from out-of-scope ones, over all thresholds."""

import datasets
import evaluate

from .detection_scores import ood_detection


_DESCRIPTION = """
AUROC, AUPR with either class as the positive one, FPR95, the equal error rate and the detection error of a score that
is higher for in-scope samples. The detection error comes in the textbook form and, under its own name, in that of
MIntRec2.0's and MIntOOD's code, where the class priors have changed places.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: scores, one a sample; higher means in scope.
    references: 1 for in scope, 0 for out of scope.
Returns:
    auroc, aupr_in, aupr_out, fpr95, eer, der, der_swapped_priors, as fractions in [0, 1].
Examples:
    >>> metric = evaluate.load("training/metrics/ood_detection")
    >>> metric.compute(predictions=[0.9, 0.8, 0.4, 0.6], references=[1, 1, 1, 0])["auroc"]
    0.6666666666666666
"""

_CITATION = ""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class OodDetection(evaluate.Metric):
    """The metric; `compute` as in `evaluate.Metric`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions, references):
        return ood_detection(predictions, references)
