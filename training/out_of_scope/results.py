# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What metrics.json says of utterances out of scope: figures of every score and every decision, on every split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from ..evaluation import Evaluation
from ..label_scope import LabelScope
from ..metrics.ood_detection.detection_scores import ood_detection
from ..metrics.open_intent.open_intent_scores import open_intent
from .scores import DocDecision, MahalanobisScore, VimScore, energy, max_logit, max_probability
from .threshold import Threshold, calibrate_threshold


# The decision of the model's own: its out-of-scope label is the likeliest (`class`), or DOC.
CLASS_DECISION, DOC_DECISION = "argmax", "doc"
# What the pipeline says, with the threshold in the model's config.
PIPELINE_DECISION = "pipeline"


@dataclass
class OutOfScopeResults:
    """Attributes:
    figures: `thresholds`, and for each split with rows of both kinds their numbers, `open_intent` by decision and
        `ood_detection` by score. The decisions are `argmax` (a model with an out-of-scope label) or `doc` (one
        without), `pipeline`, and each score with the threshold calibrated for it; on the validation split those
        thresholds see the rows that they were chosen on.
    scores: split -> score -> `(rows,)`, higher means in scope.
    decisions: split -> what `argmax` or `doc` says, ids 0 to K - 1 and K for out of scope `(rows,)`.
    """

    figures: dict[str, Any]
    scores: dict[str, dict[str, np.ndarray]]
    decisions: dict[str, np.ndarray]


def pipeline_threshold(validation: Evaluation, scope: LabelScope) -> Threshold:
    """The threshold of the likeliest label's probability, for the rule that the pipeline applies with it."""
    references, predictions = scope.open_ids(validation.labels), scope.open_ids(validation.predictions)
    return calibrate_threshold(max_probability(validation.logits), predictions, references, scope.num_intents)


def out_of_scope_results(
    train: Evaluation,
    evaluations: Mapping[str, Evaluation],
    scope: LabelScope,
    classifier: tuple[np.ndarray, np.ndarray],
    threshold: Threshold,
) -> OutOfScopeResults:
    """Score and judge every split. All scores but `unknown_label` see the K intents' logits only.

    Args:
        train: of the training split, with representations; its rows in scope are what scores and DOC are fitted on.
        evaluations: of the splits to judge, with representations; `validation` calibrates the thresholds.
        classifier: weight `(labels, size)` and bias `(labels,)` of the model's last layer.
        threshold: the pipeline's.
    """
    num_intents = scope.num_intents
    train_labels = scope.open_ids(train.labels)
    known = train_labels < num_intents
    train_logits, train_inputs = scope.intents_only(train.logits)[known], train.representations[known]
    mahalanobis = MahalanobisScore(train_inputs, train_labels[known])
    weight, bias = (scope.intents_only(part.T).T for part in classifier)
    vim = VimScore(train_inputs, train_logits, weight, bias)
    doc = DocDecision(train_logits, train_labels[known])

    def score(evaluation: Evaluation) -> dict[str, np.ndarray]:
        logits = scope.intents_only(evaluation.logits)
        found = {
            "max_probability": max_probability(logits),
            "max_logit": max_logit(logits),
            "energy": energy(logits),
            "mahalanobis": mahalanobis(evaluation.representations),
            "vim": vim(evaluation.representations, logits),
        }
        if evaluation.description_similarity is not None:
            found["description_similarity"] = scope.intents_only(evaluation.description_similarity).max(-1)
        if scope.has_out_of_scope_label:
            probabilities = softmax(evaluation.logits.astype(np.float64), axis=-1)
            found["unknown_label"] = 1 - probabilities[:, scope.out_of_scope_id]
        return found

    scores = {split: score(evaluation) for split, evaluation in evaluations.items()}
    references = {split: scope.open_ids(evaluation.labels) for split, evaluation in evaluations.items()}
    likeliest = {name: scope.intents_only(evaluation.logits).argmax(-1) for name, evaluation in evaluations.items()}
    thresholds = {
        name: calibrate_threshold(values, likeliest["validation"], references["validation"], num_intents)
        for name, values in scores["validation"].items()
    }
    figures: dict[str, Any] = {"thresholds": {name: asdict(item) for name, item in thresholds.items()}}
    decisions = {}
    for split, evaluation in evaluations.items():
        said = {
            name: item.decide(scores[split][name], likeliest[split], num_intents) for name, item in thresholds.items()
        }
        predictions = scope.open_ids(evaluation.predictions)
        own = CLASS_DECISION if scope.has_out_of_scope_label else DOC_DECISION
        said[own] = predictions if scope.has_out_of_scope_label else doc(evaluation.logits)
        said[PIPELINE_DECISION] = threshold.decide(max_probability(evaluation.logits), predictions, num_intents)
        decisions[split] = said[own]
        inside = references[split] < num_intents
        if inside.all() or not inside.any():
            continue
        figures[split] = {
            "in_scope": int(inside.sum()),
            "out_of_scope": int((~inside).sum()),
            "open_intent": {name: open_intent(ids, references[split], num_intents) for name, ids in said.items()},
            "ood_detection": {name: ood_detection(values, inside) for name, values in scores[split].items()},
        }
    return OutOfScopeResults(figures, scores, decisions)
