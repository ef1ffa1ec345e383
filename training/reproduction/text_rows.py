# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows on MIntRec's texts alone, and rows with few training samples an intent."""

from __future__ import annotations

from dataclasses import replace

from .rows import (
    AS_PRINTED,
    DESCRIPTIONS,
    MINTREC_TEXT,
    NO_SYNCHRONIZATION,
    Row,
    base_settings,
    named_rows,
    pool_of,
)


# Models of the few-shot curve -> what follows the preset. The presets' model_config is that of A-MESS.
SHOT_MODELS = {
    "text_only": "--model text_only --model_config {}",
    "mean_fusion": "--model mean_fusion --model_config {}",
    "A-MESS": "",
}
# Few samples make short epochs: tens of optimizer steps for every K, and a few looks at the validation split.
SHOTS = {
    1: "--num_train_epochs 30 --evaluate_every_epochs 10",
    2: "--num_train_epochs 20 --evaluate_every_epochs 5",
    5: "--num_train_epochs 15 --evaluate_every_epochs 5",
    10: "--num_train_epochs 10 --evaluate_every_epochs 5",
    20: "--num_train_epochs 8 --evaluate_every_epochs 4",
}


def mintrec_text_rows() -> tuple[Row, ...]:
    """MIntRec's texts, all of MiniLM: what synchronization, its descriptions and features of noise do."""
    rows = {
        "text_only": f"{MINTREC_TEXT} {SHOT_MODELS['text_only']}",
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


def shot_rows(dataset: str, preset: str) -> tuple[Row, ...]:
    """
    The few-shot curve: every model at every number of training samples an intent, and with all of them.

    On MIntRec with MiniLM the models read text alone.

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
        arguments = {
            f"{model}, K={shots}": f"{base} --shots {shots} {SHOTS[shots]} --batch_size 16 {settings}"
            for model, settings in SHOT_MODELS.items()
        }
        rows = named_rows(pool, arguments)
        points += [replace(row, place=str(shots), curve=model) for row, model in zip(rows, SHOT_MODELS, strict=True)]
    everything = {row.title: row for row in mintrec_text_rows()} if text_alone else {}
    for model, settings in SHOT_MODELS.items():
        name = f"{model}, all"
        # With all samples the runs are those of the table on MIntRec's texts, where it has them.
        shared = everything.get("A-MESS with SS" if model == "A-MESS" else model)
        row = shared or named_rows(pool, {name: f"{base} {settings}"})[0]
        points.append(replace(row, title=name, place="all", curve=model))
    return tuple(points)
