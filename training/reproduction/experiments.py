# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The tables and figures: their rows, their metrics, and what the paper reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dataset_scripts.registry import DATASETS

from . import published
from .catalogue import (
    ALIGNMENTS,
    ANCHOR_CHOICES,
    ANCHORS,
    BASELINES,
    DESCRIPTIONS,
    ENCODER_PRESETS,
    MODALITIES,
    NO_ANCHOR_EMBEDDING,
    NO_SYNCHRONIZATION,
    amess_run,
    pool_name,
    pool_runs,
)
from .datasets import WITH_OUT_OF_SCOPE
from .runs import Run, TableRow
from .text_runs import CHOSEN, mintrec_text_candidates, mintrec_text_runs, shot_rows


CLASSIFICATION = ("accuracy", "macro_f1", "macro_precision", "macro_recall")
PLANTED_PARTS = ("accuracy", "group_accuracy", "video_bit_accuracy", "audio_bit_accuracy")
OPEN_INTENT = ("open_accuracy", "f1_in_scope", "f1_out_of_scope", "open_f1")
DETECTION = ("auroc", "aupr_in", "aupr_out", "fpr95", "eer")
OUT_OF_SCOPE_SCORES = (
    "doc",
    "max_probability",
    "max_logit",
    "energy",
    "mahalanobis",
    "vim",
    "description_similarity",
)
AMESS = "full-with_SS"
# Data set -> its folder among the files of "Text Takes Over".
DEBIASED_FOLDERS = {"mintrec": "MIntRec", "mintrec2": "MIntRec2.0"}
# Title on the planted benchmark -> run.
PLANTED = {
    "text_only": "text_only",
    "mean_fusion": "mean_fusion",
    "full": "full",
    "full, with SS": AMESS,
    "literal": "literal",
    "k=1": "k=1",
    "k=50": "k=50",
}
DEEP = ("full", "text_only", "mean_fusion", "full, with SS")


@dataclass(frozen=True)
class Experiment:
    """A table or a figure.

    Attributes:
        name: Name of its files.
        title: Heading.
        rows: Rows in the order shown; each is compared with the row above it.
        metrics: Columns, names of `results.METRICS`.
        differences: What differs from the paper's setting; "" where the paper has nothing like it.
        reference: Title of the row, or name of the curve, that all others are compared with as well.
        axis: Label of a figure's horizontal axis; "" for a table.
        tested_on: What the metrics are computed on.
        shows_planes: Whether the picture is that of the descriptions' planes.
        shows_missing: Whether the trained models are tested without some of their modalities.
        shows_debiased: Whether the accuracy is split by the ids of "Text Takes Over".
    """

    name: str
    title: str
    rows: tuple[TableRow, ...]
    metrics: tuple[str, ...] = ("accuracy", "macro_f1")
    differences: str = ""
    reference: str = ""
    axis: str = ""
    tested_on: str = "the test split"
    shows_planes: bool = False
    shows_missing: bool = False
    shows_debiased: bool = False


def table(name: str, dataset: str, encoder: str) -> Experiment:
    """A table of `TABLES` on a data set, with a size of encoder.

    Raises:
        ValueError: The data set has nothing for this table.
    """
    return _in_parts(TABLES[name](dataset, encoder), dataset)


def figure(name: str, dataset: str, encoder: str) -> Experiment:
    """A figure of `FIGURES` on a data set, with a size of encoder.

    Raises:
        ValueError: The data set has nothing for this figure.
    """
    return _in_parts(FIGURES[name](dataset, encoder), dataset)


def _in_parts(experiment: Experiment, dataset: str) -> Experiment:
    """On the planted benchmark, show what was read from text, video and audio in place of F1, precision and recall."""
    if dataset == "planted" and set(experiment.metrics) <= set(CLASSIFICATION) and not experiment.shows_planes:
        return replace(experiment, metrics=PLANTED_PARTS)
    return experiment


def named_experiment(name: str) -> Experiment:
    """A table of `EXPERIMENTS`, which has a data set and settings of its own.

    Raises:
        ValueError: There is no such table.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"There is no experiment {name!r}. Choose one of {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name](name)


def _methods(dataset: str, encoder: str) -> Experiment:
    runs = pool_runs(dataset, encoder)
    papers = published.TABLE_1.get(dataset, published.TABLE_1["mintrec"])
    titles = {title: runs[model] for model, title in BASELINES.items()} | {"A-MESS": runs[AMESS]}
    if dataset == "planted":
        titles["A-MESS w/o A-ME"] = runs["wo_A-ME"]
    rows = _rows(titles, {**papers, BASELINES["cagc"]: papers.get("CAGC", {})})
    title = f"Table I on {dataset}: methods"
    return _papers("table_1", title, rows, dataset, encoder, metrics=CLASSIFICATION, reference="A-MESS")


def _open_intent(dataset: str, encoder: str) -> Experiment:
    if dataset not in WITH_OUT_OF_SCOPE:
        raise ValueError(
            f"Table 2 needs out-of-scope utterances, which {dataset} does not have. Give "
            f"--dataset {' or '.join(WITH_OUT_OF_SCOPE)}."
        )
    runs = pool_runs(dataset, encoder)
    methods = {**BASELINES, "amess": "A-MESS"}
    # The paper's protocol comes first, and the paper's metrics stand beside it only.
    rows = _rows({title: runs[f"{model}-class"] for model, title in methods.items()}, published.TABLE_2, "argmax")
    exposed = {f"{title}, outlier exposure": runs[f"{model}-outlier_exposure"] for model, title in methods.items()}
    title = "Table II: MIntRec2.0 with out-of-scope utterances"
    return _papers("table_2", title, rows + _rows(exposed, decision="doc"), dataset, encoder, metrics=OPEN_INTENT)


def _ablation(dataset: str, encoder: str) -> Experiment:
    runs = pool_runs(dataset, encoder)
    names = {"w/o both": "wo_both", "w/o SS": "full", "w/o A-ME": "wo_A-ME", "full": AMESS}
    rows = _rows({title: runs[name] for title, name in names.items()}, published.TABLE_3)
    title = f"Table III on {dataset}: ablation"
    return _papers("table_3", title, rows, dataset, encoder, metrics=CLASSIFICATION, reference="full")


def _descriptions(dataset: str, encoder: str) -> Experiment:
    runs = pool_runs(dataset, encoder)
    titles = {str(number): runs[AMESS if number == 3 else f"{number}_descriptions"] for number in DESCRIPTIONS}
    title = f"Table IV on {dataset}: descriptions per label"
    ours = " The first three descriptions are the paper's, the others are ours."
    return _papers("table_4", title, _rows(titles, published.TABLE_4), dataset, encoder, differences=ours)


def _modalities(dataset: str, encoder: str) -> Experiment:
    runs = pool_runs(dataset, encoder)
    rows = _rows({title: runs[AMESS if title == "TAV" else title] for title in MODALITIES})
    return _own("table_modalities", f"Modalities on {dataset}: A-MESS", rows, dataset, encoder, reference="TAV")


def _alignments(dataset: str, encoder: str) -> Experiment:
    runs = pool_runs(dataset, encoder)
    rows = _rows({kind: runs[AMESS if kind == "none" else f"alignment_{kind}"] for kind in ALIGNMENTS})
    return _own("table_alignments", f"Alignments on {dataset}: A-MESS", rows, dataset, encoder, reference="none")


def _held_out(dataset: str, encoder: str) -> Experiment:
    runs = pool_runs(dataset, encoder)
    rows = tuple(
        TableRow(f"{title}, {score}", runs[f"{model}-a_third_held_out"], decision=score)
        for model, title in (("text_only", "text-only"), ("amess", "A-MESS"))
        for score in OUT_OF_SCOPE_SCORES
        if model == "amess" or score != "description_similarity"
    )
    title = f"A third of the intents of {dataset} held out as out-of-scope; a seed is a draw"
    return _own("table_held_out", title, rows, dataset, encoder, metrics=(*OPEN_INTENT, *DETECTION))


def _missing(dataset: str, encoder: str) -> Experiment:
    runs = pool_runs(dataset, encoder)
    models = {**{title: runs[model] for model, title in BASELINES.items()}, "w/o A-ME": runs["wo_A-ME"]}
    # Folders of their own, as figure 5 has one: the other tables delete the weights of their runs.
    kept = {
        title: replace(run.variant(f"{_name(run)}-weights_kept"), keep_weights=True) for title, run in models.items()
    }
    rows = _rows({**kept, "A-MESS": runs[f"{AMESS}-weights_kept"]})
    title = f"Modalities missing or noisy at test time on {dataset}"
    return _own("table_missing", title, rows, dataset, encoder, metrics=("accuracy",), shows_missing=True)


def _debiased(dataset: str, encoder: str) -> Experiment:
    if dataset not in DEBIASED_FOLDERS:
        raise ValueError(
            f"Table debiased needs the ids of {' or '.join(DEBIASED_FOLDERS)}, which {dataset} does not have. Give "
            f"--dataset {' or '.join(DEBIASED_FOLDERS)}."
        )
    if (dataset, encoder) == ("mintrec", "minilm"):  # the text alone, as in the few-shot figure
        texts = mintrec_text_runs()
        runs = {"text-only": texts["text_only"], "A-MESS": texts["A-MESS with SS"]}
    else:
        pool = pool_runs(dataset, encoder)
        runs = {**{title: pool[model] for model, title in BASELINES.items()}, "A-MESS": pool[AMESS]}
    title = f"Where text is not enough, on {dataset}"
    return _own("table_debiased", title, _rows(runs), dataset, encoder, metrics=("accuracy",), shows_debiased=True)


def _anchors(dataset: str, encoder: str) -> Experiment:
    runs, planted = pool_runs(dataset, encoder), dataset == "planted"
    eight = "full" if planted else AMESS
    rows = tuple(
        TableRow(
            title=f"k={number}",
            run=runs[eight if number == 8 else f"k={number}"],
            published=published.TABLE_3["full"] if number == 8 else {},
            place=str(number),
        )
        for number in ANCHORS
    )
    alone = " Without semantic synchronization, so that the anchors alone differ." if planted else ""
    title = f"Figure 4 on {dataset}: number of anchors"
    return _papers("figure_4", title, rows, dataset, encoder, differences=alone, axis="anchors k")


def _planes(dataset: str, encoder: str) -> Experiment:
    rows = _rows({"A-MESS": pool_runs(dataset, encoder)[f"{AMESS}-weights_kept"]})
    title = f"Figure 5 on {dataset}: T_f before and after synchronization"
    return _papers("figure_5", title, rows, dataset, encoder, metrics=("accuracy",), shows_planes=True)


def _shots(dataset: str, encoder: str) -> Experiment:
    rows = shot_rows(dataset, encoder)
    title, axis = f"Few utterances per intent on {dataset}", "training utterances per intent"
    return _own("figure_shots", title, rows, dataset, encoder, metrics=("accuracy",), reference="A-MESS", axis=axis)


def _planted(name: str) -> Experiment:
    runs = pool_runs("planted", "minilm")
    rows = _rows({title: runs[run] for title, run in PLANTED.items()})
    return Experiment(name, "The planted benchmark: is the cross attention wired right?", rows, PLANTED_PARTS)


def _planted_deep(name: str) -> Experiment:
    runs = pool_runs("planted", "minilm")
    deep = {title: _in_pool(name, runs[PLANTED[title]]).variant(PLANTED[title], num_text_layers=6) for title in DEEP}
    return Experiment(name, "The planted benchmark with six encoder layers", _rows(deep), PLANTED_PARTS)


def _anchor_choices(base: Run) -> dict[str, Run]:
    """Ways to choose the anchors, and all tokens as anchors, by title."""
    runs = {
        title: base.variant(re.sub(r"\W+", "_", title), model_config=fields)
        for title, fields in ANCHOR_CHOICES.items()
    }
    return {
        **runs,
        "one anchor": base.variant("k=1", model_config={"num_anchors": 1}),
        "no selection": base.variant("k=50", model_config={"num_anchors": 50, "exclude_special_tokens": False}),
    }


def _planted_anchors(name: str) -> Experiment:
    base = Run.of_preset(f"{name}/base", "planted_token_cue", save_epochs=0)
    chosen = _anchor_choices(base)
    return Experiment(
        name, "The planted benchmark where one word says which event counts", _rows(chosen), PLANTED_PARTS
    )


def _planted_selection(name: str) -> Experiment:
    base = Run.of_preset(f"{name}/base", "planted_weak", save_epochs=0)
    chosen = _anchor_choices(base)
    chosen["w/o A-ME"] = base.variant("wo_A-ME", model_config=NO_ANCHOR_EMBEDDING)
    title = "The planted benchmark with weak events: selection against no selection"
    return Experiment(name, title, _rows(chosen), PLANTED_PARTS, reference="no selection")


def _planted_order(name: str) -> Experiment:
    base = Run.of_preset(f"{name}/base", "planted_order", save_epochs=0)
    timed = {
        "with times": base.variant("sinusoids", model_config={"time_encoding": "sinusoids"}),
        "without times": base.variant("none", model_config={"time_encoding": "none"}),
    }
    return Experiment(name, "The planted benchmark where the order of two events counts", _rows(timed), PLANTED_PARTS)


def _planted_alignment(name: str) -> Experiment:
    base = _in_pool(name, amess_run("planted", "minilm")).variant("base", model_config=NO_SYNCHRONIZATION)
    aligned = {kind: base.variant(kind, model_config={"alignment": kind}) for kind in ALIGNMENTS}
    title = "The planted benchmark: ways to align"
    return Experiment(name, title, _rows(aligned), PLANTED_PARTS, reference="none")


def _mintrec_text(name: str) -> Experiment:
    return Experiment(name, "The texts of MIntRec alone, all of MiniLM", _rows(mintrec_text_runs()), CLASSIFICATION)


def _mintrec_text_recipes(name: str) -> Experiment:
    return Experiment(
        name,
        "Settings for the texts of MIntRec, by cross-validation",
        _rows(mintrec_text_candidates()),
        reference=CHOSEN,
        tested_on="the four folds of the training split, of which a seed is one",
    )


def _mintrec_shots(name: str) -> Experiment:
    # The heart of the few-shot figure, which has more curves and more places.
    rows = tuple(
        row
        for row in shot_rows("mintrec", "minilm")
        if row.curve in ("text_only", "A-MESS") and row.place in ("1", "2", "5", "10")
    )
    title = "Few utterances per intent of MIntRec, text alone, all of MiniLM"
    return Experiment(name, title, rows, reference="A-MESS")


TABLES: dict[str, Callable[[str, str], Experiment]] = {
    "1": _methods,
    "2": _open_intent,
    "3": _ablation,
    "4": _descriptions,
    "modalities": _modalities,
    "alignments": _alignments,
    "held_out": _held_out,
    "missing": _missing,
    "debiased": _debiased,
}
FIGURES: dict[str, Callable[[str, str], Experiment]] = {"4": _anchors, "5": _planes, "shots": _shots}
EXPERIMENTS: dict[str, Callable[[str], Experiment]] = {
    "planted": _planted,
    "planted_deep": _planted_deep,
    "planted_anchors": _planted_anchors,
    "planted_selection": _planted_selection,
    "planted_order": _planted_order,
    "planted_alignment": _planted_alignment,
    "mintrec_text": _mintrec_text,
    "mintrec_text_recipes": _mintrec_text_recipes,
    "mintrec_shots": _mintrec_shots,
}
# Sizes of encoder, the choices of --preset.
ENCODERS = tuple(ENCODER_PRESETS)


def _rows(
    runs: Mapping[str, Run], papers: Mapping[str, Mapping[str, float]] | None = None, decision: str = ""
) -> tuple[TableRow, ...]:
    """Rows by title, with the paper's metrics beside them."""
    return tuple(TableRow(title, run, (papers or {}).get(title, {}), decision) for title, run in runs.items())


def _name(run: Run) -> str:
    """Name of a run in its pool."""
    return run.name.partition("/")[2]


def _in_pool(pool: str, run: Run) -> Run:
    return Run(f"{pool}/base", run.preset, run.settings)


def _own(name: str, title: str, rows: Sequence[TableRow], dataset: str, encoder: str, **more: Any) -> Experiment:
    """A table that the paper does not have."""
    return Experiment(f"{name}-{pool_name(dataset, encoder)}", title, tuple(rows), **more)


def _papers(
    name: str,
    title: str,
    rows: Sequence[TableRow],
    dataset: str,
    encoder: str,
    differences: str = "",
    **more: Any,
) -> Experiment:
    """A table of the paper, with what differs from the paper's setting."""
    size = {
        "minilm": "MiniLM (6 layers of 384; 2 layers on planted) in place of BERT-large, with settings of its own",
        "bert-base": "BERT-base in place of BERT-large",
        "bert-large": "BERT-large as in the paper",
    }[encoder]
    baselines = (
        ""
        if encoder == "minilm"
        else " On MIntRec and MIntRec2.0 the baselines have the settings published with them."
    )
    told = (
        f"Encoder: {size}. Data: {DATASETS[dataset].compared_with_paper}.{baselines} The paper names neither its "
        "Sentence-BERT nor its seeds."
    )
    return _own(name, title, rows, dataset, encoder, differences=told + differences, **more)
