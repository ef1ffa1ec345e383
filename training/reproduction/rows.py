# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What is trained: each row is a preset of training/configs/ and the settings that follow it.

Rows on one data set with one size of encoder share a pool, a folder of runs, so that a run that several tables show
(A-MESS itself stands in all of them) is trained once. Recipes were chosen on the validation split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..models import MODELS


DATASETS = ("mintrec", "mintrec2", "planted", "sample")
PRESETS = ("minilm", "bert-base", "bert-large")


@dataclass(frozen=True)
class Row:
    """A line of a table or a point of a figure.

    Attributes:
        folder: of its runs, under the output folder: `<pool>/<name>`; a seed's run is in `seed-N` there.
        arguments: the command line of `module` without `--data_dir`, `--seed` and `--output_dir`, which the runner
            adds; `{seed}` stands for the seed.
        module: what is run, as `python -m module`: `training.train`, or something that takes the name of a method and
            then the same settings, and leaves config.yaml, metrics.json and predictions.parquet as train.py does.
        keep_weights: whether something is computed from the trained model afterwards.
        title: its name in the table.
        published: the paper's figures by metric, in percent.
        decision: which decision or score the out-of-scope metrics are of: `argmax` of a model with a label for them,
            `doc`, or a score.
        place: where it stands on a figure's axis.
        curve: which of a figure's curves it belongs to.
    """

    folder: str
    arguments: str
    module: str = "training.train"
    keep_weights: bool = False
    title: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    decision: str = ""
    place: str = ""
    curve: str = ""


# A-MESS in its ablations. "full" is all of A-ME without semantic synchronization.
NO_SYNCHRONIZATION = "--model_config.use_semantic_synchronization false"
NO_ANCHOR_EMBEDDING = "--model_config.use_anchor_embedding false"
LITERAL = "--model_config.fusion_residual false --model_config.attention_residual false"
AS_PRINTED = "--model_config.semantic_residual false --model_config.semantic_logits false"
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
# name of --model -> title
BASELINES = {model.name: model.title for model in MODELS.values() if model.title and not model.in_pipeline}

# Runs of minutes start anew after an interruption; those of hours write a checkpoint every epoch.
_ANEW = "--save_epochs 0"
PLANTED = f"planted {_ANEW}"
MINTREC_TEXT = f"mintrec_text_minilm {_ANEW}"
_MINILM = (
    "--text_model minilm --description_model minilm --freeze_word_embeddings true --num_train_epochs 8 "
    f"--early_stopping_patience null --per_device_train_batch_size 32 --learning_rate 2e-4 --new_learning_rate 1e-3 {_ANEW}"
)
# The paper's recipe with the description encoder of the text encoder's size.
_BERT = (
    "--num_text_layers null --freeze_word_embeddings false --num_train_epochs 40 --early_stopping_patience 8 "
    "--per_device_train_batch_size 8 --learning_rate 2e-5 --new_learning_rate 2e-5 --save_epochs 1"
)
_TEXT_MODELS = {
    "bert-base": "google-bert/bert-base-uncased",
    "bert-large": "google-bert/bert-large-uncased",
}
_DESCRIPTION_MODELS = {
    "bert-base": "sentence-transformers/all-mpnet-base-v2",
    "bert-large": "sentence-transformers/all-roberta-large-v1",
}
MULT_OF_MINTREC2 = (
    "--model_config.projection_size 80 --model_config.fusion_num_attention_heads 2 --model_config.fusion_num_layers 2 "
    "--model_config.relu_dropout 0.3"
)
_SAMPLE = "--compare_with_text_only false --attach_media_encoder false"


def base_settings(dataset: str, preset: str) -> str:
    """Preset file and settings that all rows of a data set and size of encoder share."""
    start = f"sample {_SAMPLE}" if dataset == "sample" else dataset
    if preset == "minilm":
        # The presets of planted and sample are MiniLM's recipes already.
        return f"{start} {_ANEW if dataset in ('planted', 'sample') else _MINILM}"
    return f"{start} --text_model {_TEXT_MODELS[preset]} --description_model {_DESCRIPTION_MODELS[preset]} {_BERT}"


def method_settings(model: str, dataset: str, preset: str) -> str:
    """Preset file and settings of a method: with BERT the recipe published with it, with MiniLM that of all rows."""
    published = MODELS[model].preset
    if published and preset != "minilm" and dataset in ("mintrec", "mintrec2"):
        text_model = f"--text_model {_TEXT_MODELS[preset]}"
        return f"{published} --dataset {dataset} {text_model} --save_epochs 1"
    base = base_settings(dataset, preset)
    if model == "amess":
        return base
    options = ""
    if dataset == "planted":
        # Baselines pool as A-MESS does: from the mean they learn in fewer epochs than from the first token. MulT has
        # no choice, and the size published for MIntRec2.0: with MIntRec's eight layers a run takes 50 core minutes.
        options = MULT_OF_MINTREC2 if model == "mult" else "--model_config.pooling mean"
    return f"{base} --model {model} {options}"


def folder_name(row: str) -> str:
    """A row's name as the name of a folder."""
    return row.replace(", ", "-").replace(" ", "_").replace("/", "")


def named_rows(pool: str, arguments: Mapping[str, str]) -> tuple[Row, ...]:
    """Rows of a pool of their own, from name -> preset and settings."""
    return tuple(
        Row(f"{pool}/{folder_name(name)}", " ".join(words.split()), title=name) for name, words in arguments.items()
    )


def pool_of(dataset: str, preset: str) -> str:
    """The folder of runs that the tables of a data set and size of encoder share."""
    return dataset if preset == "minilm" else f"{dataset}-{preset}"


def pool_rows(dataset: str, preset: str) -> dict[str, Row]:
    """All rows of the tables of the paper, and of further ablations, on a data set, by name."""
    base = base_settings(dataset, preset)
    methods = {model: method_settings(model, dataset, preset) for model in (*BASELINES, "mean_fusion", "amess")}
    # On the planted benchmark anchors are counted without SS, which tells more of them and takes half the time.
    anchors = NO_SYNCHRONIZATION if dataset == "planted" else ""
    ablations = {
        "full": NO_SYNCHRONIZATION,
        "literal": f"{NO_SYNCHRONIZATION} {LITERAL}",
        "w/o A-ME": NO_ANCHOR_EMBEDDING,
        "w/o both": f"{NO_ANCHOR_EMBEDDING} {NO_SYNCHRONIZATION}",
        **{f"k={k}": f"{anchors} --model_config.num_anchors {k}" for k in ANCHORS if k != 8},
        **{f"{number} descriptions": f"--num_descriptions {number}" for number in DESCRIPTIONS if number != 3},
        **{name: f"--modalities {modalities}" for name, modalities in MODALITIES.items() if name != "TAV"},
        **{f"alignment {kind}": f"--model_config.alignment {kind}" for kind in ALIGNMENTS if kind != "none"},
        "full, with SS, weights kept": "",
    }
    arguments = {
        **{model: words for model, words in methods.items() if model != "amess"},
        "full, with SS": methods["amess"],
        **{name: f"{base} {words}" for name, words in ablations.items()},
        **{
            f"{model}, {protocol}": f"{words} --scope all --out_of_scope {protocol}"
            for model, words in methods.items()
            for protocol in ("class", "outlier_exposure")
        },
        **{
            f"{model}, a third held out": f"{words} --held_out_intents 0.33 --held_out_seed {{seed}} "
            "--out_of_scope none"
            for model, words in methods.items()
        },
    }
    pool = pool_of(dataset, preset)
    return {
        name: Row(
            folder=f"{pool}/{folder_name(name)}",
            arguments=" ".join(words.split()),
            keep_weights=name.endswith("weights kept"),
            title=name,
        )
        for name, words in arguments.items()
    }
