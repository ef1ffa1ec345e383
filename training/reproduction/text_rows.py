# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows on MIntRec's texts alone, and rows with few training samples an intent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .rows import AS_PRINTED, DESCRIPTIONS, MINTREC_TEXT, NO_SYNCHRONIZATION, Row, base_settings, named_rows, pool_of


# The presets' model_config is that of A-MESS.
TEXT_ONLY = "--model text_only --model_config {}"
MEAN_FUSION = "--model mean_fusion --model_config {}"
SHOT_MODELS = {"text_only": TEXT_ONLY, "mean_fusion": MEAN_FUSION, "A-MESS": ""}
# With few samples all layers of the text encoder are trained: the text preset's frozen ones were chosen with all.
ALL_LAYERS = "--freeze_text_layers 0"
# What cross-validation chooses among on MIntRec's texts: pooling, learning rate, frozen layers ...
RECIPES = tuple(itertools.product(("mean", "cls"), ("1e-4", "2e-4"), (0, 2)))
# ... and for A-MESS, around the best of them, more frozen layers, the epoch and the number of epochs.
FROZEN_DEEPER = (("mean", "2e-4", 4), ("cls", "2e-4", 3), ("cls", "2e-4", 4), ("cls", "4e-4", 4))
CHOSEN_RECIPE = "A-MESS, cls, 2e-4, 2 layers frozen"
KEEP_LAST = "--eval_epochs 8"
# As samples of their intents: the paper's descriptions, these and five of ours, and these and five utterances of ours.
THREE_AS_SAMPLES = "--train_on_descriptions true"
DESCRIPTIONS_AS_SAMPLES = f"--num_descriptions 8 {THREE_AS_SAMPLES}"
UTTERANCES_AS_SAMPLES = f"--num_descriptions 13 {THREE_AS_SAMPLES}"
# Methods of training.sentence_embeddings by title, with their settings.
EMBEDDING_MODULE = "training.sentence_embeddings"
# SetFit has at most the batches of pairs that it makes of ten samples an intent; those of all would be hours on a CPU.
SETFIT = "--max_steps 500"
REGRESSION_DESCRIBED = {
    "logistic regression with descriptions": ("logistic", THREE_AS_SAMPLES),
    "logistic regression with eight descriptions": ("logistic", DESCRIPTIONS_AS_SAMPLES),
    "logistic regression with utterances": ("logistic", UTTERANCES_AS_SAMPLES),
}
SHOT_METHODS = {
    "logistic regression": ("logistic", ""),
    **REGRESSION_DESCRIBED,
    "SetFit": ("setfit", SETFIT),
}
# With one or two samples an intent, where descriptions are worth most: five minutes a run for each of its points.
SETFIT_DESCRIBED = {
    "SetFit with eight descriptions": ("setfit", f"{SETFIT} {DESCRIPTIONS_AS_SAMPLES}"),
    "SetFit with utterances": ("setfit", f"{SETFIT} {UTTERANCES_AS_SAMPLES}"),
}
AMESS_DESCRIBED = {
    "A-MESS, descriptions as samples": DESCRIPTIONS_AS_SAMPLES,
    "A-MESS, utterances as samples": UTTERANCES_AS_SAMPLES,
}
# What answers without a sample.
ZERO_SHOT_METHODS = {**REGRESSION_DESCRIBED, "nearest description": ("descriptions", "")}
# By K; with more samples it is SHOT_METHODS.
METHODS_OF_FEW = {0: ZERO_SHOT_METHODS, **dict.fromkeys((1, 2), {**SHOT_METHODS, **SETFIT_DESCRIBED})}
# Few samples make short epochs: tens of optimizer steps for every K, and a few looks at the validation split.
SHOTS = {
    0: "--num_train_epochs 30 --eval_epochs 10",
    1: "--num_train_epochs 30 --eval_epochs 10",
    2: "--num_train_epochs 20 --eval_epochs 5",
    5: "--num_train_epochs 15 --eval_epochs 5",
    10: "--num_train_epochs 10 --eval_epochs 5",
    20: "--num_train_epochs 8 --eval_epochs 4",
}


def mintrec_text_rows() -> tuple[Row, ...]:
    """MIntRec's texts, all of MiniLM: what synchronization, its descriptions and features of noise do."""
    rows = {
        "text_only": f"{MINTREC_TEXT} {TEXT_ONLY}",
        "A-MESS w/o SS": f"{MINTREC_TEXT} {NO_SYNCHRONIZATION} {AS_PRINTED}",
        "A-MESS with SS": MINTREC_TEXT,
        **{
            f"A-MESS with SS, {number} descriptions": f"{MINTREC_TEXT} --num_descriptions {number}"
            for number in DESCRIPTIONS
            if number != 3
        },
        "A-MESS with SS, noise features": f"{MINTREC_TEXT} --dataset planted --dataset_options.generator noise "
        "--modalities text,video,audio",
    }
    return named_rows("mintrec_text", rows)


def mintrec_text_recipe_rows() -> tuple[Row, ...]:
    """Recipes for MIntRec's texts, tested on the training split's four folds (a seed is a fold), of which three are
    trained on: 1,334 samples tell more of a recipe than the 445 of the validation split do. The last epoch is kept,
    except where the row says that the validation split chooses the best.
    """
    rows = {
        **_recipes("A-MESS", "", (*RECIPES, *FROZEN_DEEPER)),
        **_recipes("text_only", TEXT_ONLY, RECIPES),
    }
    chosen = rows[CHOSEN_RECIPE]
    rows[f"{CHOSEN_RECIPE}, 12 epochs"] = f"{chosen} --num_train_epochs 12 --eval_epochs 12"
    rows[f"{CHOSEN_RECIPE}, best epoch"] = f"{chosen} --eval_epochs 1"
    rows[f"{CHOSEN_RECIPE}, w/o SS"] = f"{chosen} {NO_SYNCHRONIZATION} {AS_PRINTED}"
    return named_rows("mintrec_text_recipes", rows)


def _recipes(model: str, settings: str, recipes: Sequence[tuple[str, str, int]]) -> dict[str, str]:
    folds = f"{MINTREC_TEXT} --cross_validation_folds 4 --cross_validation_fold {{seed}} {settings} {KEEP_LAST}"
    return {
        f"{model}, {pooling}, {rate}" + (f", {frozen} layers frozen" if frozen else ""): f"{folds} "
        f"--model_config.pooling {pooling} --learning_rate {rate} --freeze_text_layers {frozen}"
        for pooling, rate, frozen in recipes
    }


def shot_rows(dataset: str, preset: str) -> tuple[Row, ...]:
    """The few-shot curve: every model at every number of training samples an intent, and with all of them; with none
    what the descriptions alone tell.

    On MIntRec with MiniLM the models read text alone. Methods on sentence embeddings always do.

    Raises:
        ValueError: a data set whose labels are drawn anew every epoch.
    """
    if dataset == "planted":
        raise ValueError("planted draws its labels anew every epoch; few samples of an intent cannot be chosen.")
    text_alone = (dataset, preset) == ("mintrec", "minilm")
    base = MINTREC_TEXT if text_alone else base_settings(dataset, preset)
    pool = f"{pool_of(dataset, preset)}_shots"
    # The sample's rarest intent has fewer than twenty training samples.
    numbers = [shots for shots in SHOTS if shots < 20 or dataset != "sample"]
    points = []
    for shots in numbers:
        few = f"{base} --shots {shots} {SHOTS[shots]} --per_device_train_batch_size 16 {ALL_LAYERS if text_alone else ''}"
        trained = {title: f"{few} {settings}" for title, settings in AMESS_DESCRIBED.items()}
        if shots:
            trained = {model: f"{few} {settings}" for model, settings in SHOT_MODELS.items()} | trained
        methods = METHODS_OF_FEW.get(shots, SHOT_METHODS)
        points += _points(pool, f"K={shots}", str(shots), trained, _embedded(methods, f"{base} --shots {shots}"))
    if text_alone:
        # Before training A-MESS is the nearest description (`sentence_embeddings.nearest_descriptions`).
        points = [
            replace(row, title="A-MESS, K=0", curve="A-MESS") if row.curve == "nearest description" else row
            for row in points
        ]
    trained = {model: f"{base} {settings}" for model, settings in SHOT_MODELS.items()}
    embedded = _embedded(SHOT_METHODS, base)
    everything = _points(pool, "all", "all", trained, embedded)
    if text_alone:
        # With all samples the runs are those of the table on MIntRec's texts, where it has them.
        made = {row.title: row for row in mintrec_text_rows()}
        shared = {"text_only": made["text_only"], "A-MESS": made["A-MESS with SS"]}
        everything = [
            replace(shared.get(row.curve, row), title=row.title, place=row.place, curve=row.curve)
            for row in everything
        ]
    return (*points, *everything)


def _embedded(methods: Mapping[str, tuple[str, str]], base: str) -> dict[str, str]:
    """The command line of each method, by title."""
    return {title: f"{method} {base} {settings}" for title, (method, settings) in methods.items()}


def _points(pool: str, suffix: str, place: str, trained: Mapping[str, str], embedded: Mapping[str, str]) -> list[Row]:
    """A point of every curve; methods on embeddings first, A-MESS last."""
    methods = named_rows(pool, {f"{title}, {suffix}": words for title, words in embedded.items()})
    rows = [replace(row, module=EMBEDDING_MODULE) for row in methods]
    rows += named_rows(pool, {f"{model}, {suffix}": words for model, words in trained.items()})
    return [replace(row, place=place, curve=row.title.removesuffix(f", {suffix}")) for row in rows]
