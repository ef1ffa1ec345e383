# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The runs of the paper's tables, by data set and size of encoder.

The runs on one data set with one size of encoder form a pool. Tables share the runs of a pool: A-MESS itself is in all
tables and is trained once. The settings were chosen on the validation split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from .datasets import FACTS
from .runs import Run, preset_settings


# Size of encoder -> preset that holds the encoders and the settings that go with the size.
ENCODER_PRESETS = {"minilm": "mintrec_text_minilm", "bert-base": "mintrec", "bert-large": "mintrec"}
# The settings that go with a size.
_ENCODER_SETTINGS = (
    "text_model",
    "num_text_layers",
    "description_model",
    "freeze_word_embeddings",
    "num_train_epochs",
    "early_stopping_patience",
    "per_device_train_batch_size",
    "learning_rate",
    "new_learning_rate",
)
# The presets are for BERT-large. The description encoder has the size of the text encoder.
_BERT_BASE = {
    "text_model": "google-bert/bert-base-uncased",
    "description_model": "sentence-transformers/all-mpnet-base-v2",
}

# Fields of A-MESS's config.
NO_SYNCHRONIZATION = {"use_semantic_synchronization": False}
NO_ANCHOR_EMBEDDING = {"use_anchor_embedding": False}
LITERAL = {
    "fusion_residual": "none",
    "attention_residual": False,
    "time_encoding": "none",
    "anchor_score": "ratio",
    "exclude_special_tokens": False,
}
# Ways to choose the anchors.
ANCHOR_CHOICES = {
    "similarity, the paper's": {"anchor_kind": "tokens", "anchor_score": "ratio", "exclude_special_tokens": False},
    "similarity, words only": {"anchor_kind": "tokens", "anchor_score": "ratio", "exclude_special_tokens": True},
    "attention": {"anchor_kind": "tokens", "anchor_score": "attention", "exclude_special_tokens": False},
    "attention, words only": {"anchor_kind": "tokens", "anchor_score": "attention", "exclude_special_tokens": True},
    "frames": {"anchor_kind": "frames"},
}
ANCHORS = (1, 2, 4, 8, 16, 32, 50)
DESCRIPTIONS = (2, 3, 5, 8)
ALIGNMENTS = ("none", "avg_pool", "conv1d", "ctc")
MODALITIES = {
    "T": "text",
    "A": "audio",
    "V": "video",
    "TA": "text,audio",
    "TV": "text,video",
    "AV": "video,audio",
    "TAV": "text,video,audio",
}
# `model` -> title.
BASELINES = {
    "text_only": "text-only",
    "mag_bert": "MAG-BERT",
    "mult": "MulT",
    "tcl_map": "TCL-MAP",
    "cagc": "CAGC (unofficial)",
}
# Baselines with a preset of the settings published for MIntRec: mintrec_mult and so on.
_PUBLISHED_PRESETS = ("mag_bert", "mult", "tcl_map", "cagc")
# The size published for MIntRec2.0.
_SMALL_MULT = {
    "projection_size": 80,
    "fusion_num_attention_heads": 2,
    "fusion_num_layers": 2,
    "relu_dropout": 0.3,
}


def pool_name(dataset: str, encoder: str) -> str:
    """Name of the folder that holds a pool."""
    return dataset if encoder == "minilm" else f"{dataset}-{encoder}"


@cache
def pool_runs(dataset: str, encoder: str) -> dict[str, Run]:
    """All runs of a pool by name, without the pool's name."""
    amess = amess_run(dataset, encoder)
    baselines = [baseline_run(model, amess, dataset, encoder) for model in (*BASELINES, "mean_fusion")]
    runs = [*baselines, amess, *_ablations(amess, dataset)]
    for method in (*baselines, amess):
        runs += _out_of_scope(method)
    return {run.name.partition("/")[2]: run for run in runs}


def amess_run(dataset: str, encoder: str) -> Run:
    """A-MESS with all its parts."""
    facts = FACTS[dataset]
    # Runs of minutes start again after an interruption; runs of hours write a checkpoint every epoch.
    changes = {**facts.changes, "save_epochs": 0 if encoder == "minilm" else 1}
    if not (encoder == "minilm" and facts.preset_is_for_minilm):
        source = preset_settings(ENCODER_PRESETS[encoder])
        changes |= {name: getattr(source, name) for name in _ENCODER_SETTINGS}
    if encoder == "bert-base":
        changes |= _BERT_BASE
    return Run.of_preset(f"{pool_name(dataset, encoder)}/full-with_SS", dataset, **changes)


def baseline_run(model: str, amess: Run, dataset: str, encoder: str) -> Run:
    """A baseline: with BERT it has the settings published with it, with MiniLM those of A-MESS."""
    if model in _PUBLISHED_PRESETS and encoder != "minilm" and FACTS[dataset].is_the_papers:
        name = f"{pool_name(dataset, encoder)}/{model}"
        text_model = amess.settings.text_model
        return Run.of_preset(name, f"mintrec_{model}", dataset=dataset, text_model=text_model, save_epochs=1)
    if dataset != "planted":
        return amess.baseline(model, model)
    # Baselines pool as A-MESS does: they learn in fewer epochs from the mean than from the first token. MulT cannot
    # choose. With the eight layers that were published for MIntRec, a run of MulT takes 50 core minutes.
    return amess.baseline(model, model, **(_SMALL_MULT if model == "mult" else {"pooling": "mean"}))


def _ablations(amess: Run, dataset: str) -> Iterator[Run]:
    full = amess.variant("full", model_config=NO_SYNCHRONIZATION)
    yield full
    yield full.variant("literal", model_config=LITERAL)
    yield full.variant("wo_both", model_config=NO_ANCHOR_EMBEDDING)
    yield amess.variant("wo_A-ME", model_config=NO_ANCHOR_EMBEDDING)
    # On the planted benchmark, runs without synchronization say more about anchors and take half the time.
    counted = full if dataset == "planted" else amess
    for number in ANCHORS:
        if number != 8:
            yield counted.variant(f"k={number}", model_config={"num_anchors": number})
    for number in DESCRIPTIONS:
        if number != 3:
            yield amess.variant(f"{number}_descriptions", num_descriptions=number)
    for name, modalities in MODALITIES.items():
        if name != "TAV":
            yield amess.variant(name, modalities=modalities)
    for kind in ALIGNMENTS:
        if kind != "none":
            yield amess.variant(f"alignment_{kind}", model_config={"alignment": kind})
    yield replace(amess.variant("full-with_SS-weights_kept"), keep_weights=True)


def _out_of_scope(method: Run) -> Iterator[Run]:
    model = method.settings.model
    for protocol in ("class", "outlier_exposure"):
        yield method.variant(f"{model}-{protocol}", scope="all", out_of_scope=protocol)
    held_out = method.variant(f"{model}-a_third_held_out", held_out_intents=0.33, out_of_scope="none")
    yield replace(held_out, seeded=("held_out_seed",))
