# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs on MIntRec's texts alone, and runs with few training utterances per intent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ..arguments import SENTENCE_METHODS
from .catalogue import DESCRIPTIONS, NO_SYNCHRONIZATION, amess_run, pool_name
from .datasets import FACTS
from .runs import Run, TableRow


TEXT_PRESET = "mintrec_text_minilm"
# The text preset's residual and logits are made for synchronization.
WITHOUT_SYNCHRONIZATION = {**NO_SYNCHRONIZATION, "semantic_residual": False, "semantic_logits": False}

# What cross-validation chooses among on MIntRec's texts: pooling, learning rate, frozen layers.
CANDIDATES = tuple(itertools.product(("mean", "cls"), ("1e-4", "2e-4"), (0, 2)))
# For A-MESS also more frozen layers, around the best of the candidates.
FROZEN_DEEPER = (("mean", "2e-4", 4), ("cls", "2e-4", 3), ("cls", "2e-4", 4), ("cls", "4e-4", 4))
CHOSEN = "A-MESS, cls, 2e-4, 2 layers frozen"


@cache
def mintrec_text_runs() -> dict[str, Run]:
    """Runs on MIntRec's texts with all layers of MiniLM, by title: synchronization, descriptions, noise features."""
    amess = _text_run("mintrec_text/A-MESS_with_SS")
    described = {
        f"A-MESS with SS, {number} descriptions": amess.variant(
            f"A-MESS_with_SS-{number}_descriptions", num_descriptions=number
        )
        for number in DESCRIPTIONS
        if number != 3
    }
    noise = amess.variant(
        "A-MESS_with_SS-noise_features",
        dataset="planted",
        dataset_options={"generator": "noise"},
        modalities="text,video,audio",
    )
    return {
        "text_only": amess.baseline("text_only", "text_only"),
        "A-MESS w/o SS": amess.variant("A-MESS_wo_SS", model_config=WITHOUT_SYNCHRONIZATION),
        "A-MESS with SS": amess,
        **described,
        "A-MESS with SS, noise features": noise,
    }


def mintrec_text_candidates() -> dict[str, Run]:
    """Candidate settings for MIntRec's texts by title, trained and tested on the four folds of the training split.

    A seed is a fold. Each run trains on three folds and tests on the fourth, so all 1,334 utterances say something
    about the settings; the validation split has 445. The model is that of the last epoch, except where the title says
    that the validation split chooses the best epoch.
    """
    amess = replace(
        _text_run("mintrec_text_recipes/base", cross_validation_folds=4), seeded=("cross_validation_fold",)
    )
    text_only = amess.baseline("base", "text_only")
    runs = {}
    for title, base, candidates in (
        ("A-MESS", amess, (*CANDIDATES, *FROZEN_DEEPER)),
        ("text_only", text_only, CANDIDATES),
    ):
        for pooling, rate, frozen in candidates:
            name = f"{title}-{pooling}-{rate}" + (f"-{frozen}_layers_frozen" if frozen else "")
            shown = f"{title}, {pooling}, {rate}" + (f", {frozen} layers frozen" if frozen else "")
            runs[shown] = base.variant(
                name, model_config={"pooling": pooling}, learning_rate=float(rate), freeze_text_layers=frozen
            )
    chosen = runs[CHOSEN]
    name = chosen.name.partition("/")[2]
    runs[f"{CHOSEN}, 12 epochs"] = chosen.variant(f"{name}-12_epochs", num_train_epochs=12, eval_epochs=12)
    runs[f"{CHOSEN}, best epoch"] = chosen.variant(f"{name}-best_epoch", eval_epochs=1)
    runs[f"{CHOSEN}, w/o SS"] = chosen.variant(f"{name}-wo_SS", model_config=WITHOUT_SYNCHRONIZATION)
    return runs


# Few utterances make short epochs: every number trains for tens of optimizer steps and reads the validation split a
# few times. Number of utterances per intent -> epochs, and epochs between two evaluations.
SCHEDULES = {0: (30, 10), 1: (30, 10), 2: (20, 5), 5: (15, 5), 10: (10, 5), 20: (8, 4)}
_SHOTS = (*SCHEDULES, None)  # None: all utterances


@dataclass(frozen=True)
class Curve:
    """A method of the few-shot figure.

    Attributes:
        title: Name of the curve.
        name: Start of the names of its runs.
        shots: Numbers of training utterances per intent that it has a point for; `None`: all utterances.
        model: Model, or method on sentence embeddings.
        changes: Settings of its own.
    """

    title: str
    name: str
    shots: tuple[int | None, ...] = _SHOTS[1:]
    model: str = "amess"
    changes: Mapping[str, Any] = field(default_factory=dict)


# Sentences that are training samples of their intents: the paper's three descriptions; these and five of ours; these
# and five utterances of ours.
_THREE = {"train_on_descriptions": True}
_EIGHT = {**_THREE, "num_descriptions": 8}
_UTTERANCES = {**_THREE, "num_descriptions": 13}
# SetFit makes at most as many batches of pairs as from ten utterances per intent; all utterances would take hours.
_SETFIT = {"max_steps": 500}
NEAREST = Curve("nearest description", "nearest_description", (0,), "descriptions")
CURVES = (
    Curve("logistic regression", "logistic_regression", model="logistic"),
    Curve("logistic regression with descriptions", "logistic_regression_with_descriptions", _SHOTS, "logistic",
          changes=_THREE),
    Curve("logistic regression with eight descriptions", "logistic_regression_with_eight_descriptions", _SHOTS,
          "logistic", changes=_EIGHT),
    Curve("logistic regression with utterances", "logistic_regression_with_utterances", _SHOTS, "logistic",
          changes=_UTTERANCES),
    Curve("SetFit", "SetFit", model="setfit", changes=_SETFIT),
    # Five minutes per run: only where the sentences are worth most.
    Curve("SetFit with eight descriptions", "SetFit_with_eight_descriptions", (1, 2), "setfit",
          changes={**_SETFIT, **_EIGHT}),
    Curve("SetFit with utterances", "SetFit_with_utterances", (1, 2), "setfit", changes={**_SETFIT, **_UTTERANCES}),
    NEAREST,
    Curve("text_only", "text_only", model="text_only"),
    Curve("mean_fusion", "mean_fusion", model="mean_fusion"),
    Curve("A-MESS", "A-MESS"),
    Curve("A-MESS, descriptions as samples", "A-MESS-descriptions_as_samples", _SHOTS[:-1], changes=_EIGHT),
    Curve("A-MESS, utterances as samples", "A-MESS-utterances_as_samples", _SHOTS[:-1], changes=_UTTERANCES),
)  # fmt: skip


def shot_rows(dataset: str, encoder: str) -> tuple[TableRow, ...]:
    """Points of the few-shot figure: every method with every number of training utterances per intent.

    On MIntRec with MiniLM the models read the text alone. The methods on sentence embeddings always do.

    Raises:
        ValueError: The data set draws its labels anew every epoch.
    """
    if FACTS[dataset].redraws_labels:
        raise ValueError(
            f"The few-shot figure cannot use {dataset}: the data set draws its labels anew every epoch, so a few "
            "utterances per intent cannot be chosen. Give another --dataset."
        )
    text_alone = (dataset, encoder) == ("mintrec", "minilm")
    pool = f"{pool_name(dataset, encoder)}_shots"
    base = _text_run(f"{pool}/base") if text_alone else replace(amess_run(dataset, encoder), name=f"{pool}/base")
    # With all utterances two runs are those of the table on MIntRec's texts.
    texts = mintrec_text_runs() if text_alone else {}
    shared = {"text_only": texts["text_only"], "A-MESS": texts["A-MESS with SS"]} if text_alone else {}
    rows = []
    for shots in _SHOTS:
        if shots is not None and shots > FACTS[dataset].max_shots:
            continue
        place, suffix = ("all", "all") if shots is None else (str(shots), f"K={shots}")
        for curve in CURVES:
            if shots not in curve.shots:
                continue
            # A-MESS without training is the nearest description (`sentence_embeddings.nearest_descriptions`).
            title = "A-MESS" if text_alone and curve is NEAREST else curve.title
            if shots is None and title in shared:
                run = shared[title]
            else:
                run = _point(base, curve, shots, f"{curve.name}-{suffix}", all_layers=text_alone)
            rows.append(TableRow(f"{title}, {suffix}", run, place=place, curve=title))
    return tuple(rows)


def _point(base: Run, curve: Curve, shots: int | None, name: str, all_layers: bool) -> Run:
    run = base.variant(name) if curve.model == "amess" else base.baseline(name, curve.model)
    if shots is not None:
        run = run.variant(name, shots=shots)
        if curve.model not in SENTENCE_METHODS:
            epochs, between = SCHEDULES[shots]
            run = run.variant(name, num_train_epochs=epochs, eval_epochs=between, per_device_train_batch_size=16)
            if all_layers:  # The text preset's frozen layers were chosen with all utterances.
                run = run.variant(name, freeze_text_layers=0)
    return run.variant(name, **curve.changes)


def _text_run(name: str, **changes: Any) -> Run:
    return Run.of_preset(name, TEXT_PRESET, save_epochs=0, **changes)
