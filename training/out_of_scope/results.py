# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of every out-of-scope score and decision on every split, as `metrics.json` holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from ..evaluation import Evaluation
from ..label_scope import LabelScope
from ..metrics.ood_detection.detection_scores import ood_detection
from ..metrics.open_intent.open_intent_scores import open_intent
from .scores import DocDecision, MahalanobisScore, VimScore, energy, max_logit, max_probability
from .threshold import Threshold, fit_threshold


# The model's own decision: its out-of-scope label is the likeliest (`argmax`), or DOC.
CLASS_DECISION, DOC_DECISION = "argmax", "doc"
# The pipeline's decision, by the threshold in the model's config.
PIPELINE_DECISION = "pipeline"


@dataclass
class OutOfScopeResults:
    """Scores, decisions and metrics of a model on every split.

    Attributes:
        metrics: `thresholds`, and for each split with utterances of both kinds their numbers, `open_intent` by
            decision and `ood_detection` by score. The decisions are `argmax` (a model with an out-of-scope label) or
            `doc` (a model without one), `pipeline`, and each score with the threshold fitted for it. On the validation
            split those thresholds see the utterances that chose them.
        scores: Split -> score -> scores `(utterances,)`; higher means in scope.
        decisions: Split -> decisions of `argmax` or `doc`, ids 0 to K - 1 and K for out of scope `(utterances,)`.
    """

    metrics: dict[str, Any]
    scores: dict[str, dict[str, np.ndarray]]
    decisions: dict[str, np.ndarray]


def pipeline_threshold(validation: Evaluation, scope: LabelScope, temperature: float = 1.0) -> Threshold:
    """Fit the threshold of the likeliest label's probability, for the rule that the pipeline applies with it.

    Args:
        validation: Evaluation of the validation split.
        scope: Labels of the model.
        temperature: Number that the pipeline divides the logits by.
    """
    references, predictions = scope.open_ids(validation.labels), scope.open_ids(validation.predictions)
    return fit_threshold(max_probability(validation.logits / temperature), predictions, references, scope.num_intents)


def out_of_scope_results(
    train: Evaluation,
    evaluations: Mapping[str, Evaluation],
    scope: LabelScope,
    classifier: Sequence[np.ndarray],
    threshold: Threshold,
    temperature: float = 1.0,
) -> OutOfScopeResults:
    """Score and judge every split. All scores but `unknown_label` see the logits of the K intents only.

    Args:
        train: Evaluation of the training split, with representations; its utterances in scope fit scores and DOC.
        evaluations: Evaluations of the splits to judge, with representations; `validation` fits the thresholds.
        scope: Labels of the model that are intents, and the out-of-scope label if there is one.
        classifier: Weight `(labels, size)` and bias `(labels,)` of the model's last layer.
        threshold: Threshold of the pipeline.
        temperature: Number that the pipeline divides the logits by.
    """
    num_intents = scope.num_intents
    train_labels = scope.open_ids(train.labels)
    known = train_labels < num_intents
    train_logits, train_inputs = scope.intents_only(train.logits)[known], _representations(train)[known]
    mahalanobis = MahalanobisScore(train_inputs, train_labels[known])
    weight, bias = (scope.intents_only(part.T).T for part in classifier)
    vim = VimScore(train_inputs, train_logits, weight, bias)
    doc = DocDecision(train_logits, train_labels[known])

    def score(evaluation: Evaluation) -> dict[str, np.ndarray]:
        logits, inputs = scope.intents_only(evaluation.logits), _representations(evaluation)
        values = {
            "max_probability": max_probability(logits),
            "max_logit": max_logit(logits),
            "energy": energy(logits),
            "mahalanobis": mahalanobis(inputs),
            "vim": vim(inputs, logits),
        }
        if evaluation.description_similarity is not None:
            values["description_similarity"] = scope.intents_only(evaluation.description_similarity).max(-1)
        if scope.has_out_of_scope_label:
            probabilities = softmax(evaluation.logits.astype(np.float64), axis=-1)
            values["unknown_label"] = 1 - probabilities[:, scope.out_of_scope_id]
        return values

    scores = {split: score(evaluation) for split, evaluation in evaluations.items()}
    references = {split: scope.open_ids(evaluation.labels) for split, evaluation in evaluations.items()}
    likeliest = {name: scope.intents_only(evaluation.logits).argmax(-1) for name, evaluation in evaluations.items()}
    thresholds = {
        name: fit_threshold(values, likeliest["validation"], references["validation"], num_intents)
        for name, values in scores["validation"].items()
    }
    own_name = CLASS_DECISION if scope.has_out_of_scope_label else DOC_DECISION
    metrics: dict[str, Any] = {"thresholds": {name: asdict(item) for name, item in thresholds.items()}}
    own_decisions = {}
    for split, evaluation in evaluations.items():
        decisions = {
            name: item.decide(scores[split][name], likeliest[split], num_intents) for name, item in thresholds.items()
        }
        predictions = scope.open_ids(evaluation.predictions)
        decisions[own_name] = predictions if scope.has_out_of_scope_label else doc(evaluation.logits)
        confidence = max_probability(evaluation.logits / temperature)
        decisions[PIPELINE_DECISION] = threshold.decide(confidence, predictions, num_intents)
        own_decisions[split] = decisions[own_name]
        inside = references[split] < num_intents
        if inside.all() or not inside.any():
            continue
        metrics[split] = {
            "in_scope": int(inside.sum()),
            "out_of_scope": int((~inside).sum()),
            "open_intent": {name: open_intent(ids, references[split], num_intents) for name, ids in decisions.items()},
            "ood_detection": {name: ood_detection(values, inside) for name, values in scores[split].items()},
        }
    return OutOfScopeResults(metrics, scores, own_decisions)


def _representations(evaluation: Evaluation) -> np.ndarray:
    assert evaluation.representations is not None, "evaluate with_representations=True"
    return evaluation.representations
