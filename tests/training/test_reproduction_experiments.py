# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of rows: valid settings, the settings of runs already made, shared runs."""

from __future__ import annotations

import importlib

import pytest

from training.arguments import parse_settings
from training.baselines import MODELS
from training.model_setup import model_config_fields
from training.reproduction.experiments import EXPERIMENTS, FIGURES, TABLES, figure, named_experiment, table
from training.reproduction.jobs import TRAIN, Job
from training.reproduction.rows import DATASETS, PRESETS


def all_experiments():
    for dataset in DATASETS:
        for preset in PRESETS:
            yield from (table(name, dataset, preset) for name in TABLES if name != "2" or dataset == "mintrec2")
            yield from (figure(name, dataset, preset) for name in FIGURES if name != "shots" or dataset != "planted")
    yield from (named_experiment(name) for name in EXPERIMENTS)


def settings_of(row, seed=0, output="runs"):
    return parse_settings(Job(row, seed, output).arguments)


def test_every_row_has_settings_that_its_model_can_have(tmp_path):
    for experiment in all_experiments():
        assert len({row.title for row in experiment.rows}) == len(experiment.rows), experiment.name
        for row in experiment.rows:
            arguments = Job(row, 0, tmp_path).arguments
            if row.module != TRAIN:
                assert importlib.import_module(row.module).METHODS.count(arguments.pop(0)) == 1
            settings = parse_settings(arguments)
            assert settings.model in MODELS
            assert set(settings.model_config) <= set(model_config_fields(settings.model)), row.folder


def test_a_folder_is_that_of_one_row(tmp_path):
    found = {}
    for experiment in all_experiments():
        for row in experiment.rows:
            assert found.setdefault(row.folder, row.arguments) == row.arguments, row.folder


def test_references_and_the_papers_figures_meet_rows():
    for experiment in all_experiments():
        titles = {row.title for row in experiment.rows} | {row.curve for row in experiment.rows}
        assert experiment.reference in ("", *titles), experiment.name
    shown = {row.title: row.published for row in table("1", "mintrec", "bert-large").rows}
    assert shown["A-MESS"] == {
        "accuracy": 74.12,
        "macro_f1": 70.49,
        "macro_precision": 72.95,
        "macro_recall": 69.94,
    }
    assert [title for title, figures in shown.items() if not figures] == ["text-only"]
    assert [row.published["accuracy"] for row in table("4", "mintrec", "minilm").rows] == [73.83, 74.12, 74.07, 73.78]
    outside = [row.published.get("f1_out_of_scope") for row in table("2", "mintrec2", "bert-large").rows]
    assert [value for value in outside if value] == [62.47, 61.66, 63.42]


# Runs that were made before this command was written, and how: docs/results.md tells of them.
MADE = [
    ("planted", "planted/text_only", "planted --model text_only --model_config.pooling mean"),
    ("planted", "planted/full", "planted --model_config.use_semantic_synchronization false"),
    ("planted", "planted/full-with_SS", "planted"),
    (
        "planted",
        "planted/k=50",
        "planted --model_config.use_semantic_synchronization false --model_config.num_anchors 50",
    ),
    ("planted_deep", "planted_deep/full-with_SS", "planted --num_text_layers 6"),
    (
        "planted_anchors",
        "planted_anchors/k=8",
        "planted --dataset_options.generator token_cue --dataset_options.num_slots 2 --num_train_epochs 8 "
        "--model_config.use_semantic_synchronization false "
        "--model_config.num_anchors 8",
    ),
    (
        "planted_alignment",
        "planted_alignment/ctc",
        "planted --model_config.use_semantic_synchronization false --model_config.alignment ctc",
    ),
    ("mintrec_text", "mintrec_text/A-MESS_with_SS", "mintrec_text_minilm"),
    (
        "mintrec_text",
        "mintrec_text/A-MESS_wo_SS",
        "mintrec_text_minilm --model_config.use_semantic_synchronization false "
        "--model_config.semantic_residual false --model_config.semantic_logits false",
    ),
    (
        "mintrec_text",
        "mintrec_text/A-MESS_with_SS-noise_features",
        "mintrec_text_minilm --dataset planted --dataset_options.generator noise --modalities text,video,audio",
    ),
    (
        "mintrec_text_recipes",
        "mintrec_text_recipes/text_only-cls-2e-4-2_layers_frozen",
        "mintrec_text_minilm --cross_validation_folds 4 --cross_validation_fold 0 --model text_only --model_config {} "
        "--model_config.pooling cls",
    ),
    (
        "mintrec_shots",
        "mintrec_shots/text_only-K=2",
        "mintrec_text_minilm --shots 2 --num_train_epochs 20 --eval_epochs 5 --per_device_train_batch_size 16 "
        "--freeze_text_layers 0 --model text_only --model_config {}",
    ),
]


@pytest.mark.parametrize(("experiment", "folder", "arguments"), MADE, ids=[folder for _, folder, _ in MADE])
def test_rows_that_were_already_measured_keep_their_folders_and_settings(experiment, folder, arguments):
    (row,) = [row for row in named_experiment(experiment).rows if row.folder == folder]
    preset, *words = arguments.split()
    made = parse_settings([f"{preset}.yaml", *words, "--save_epochs", "0"])
    assert settings_of(row) == made


def test_tables_share_the_runs_of_rows_that_they_have_in_common():
    tables = [table(name, "planted", "minilm") for name in ("1", "3", "4", "modalities", "alignments")]
    assert all("planted/full-with_SS" in [row.folder for row in found.rows] for found in tables)
    anchors = {row.place: row.folder for row in figure("4", "planted", "minilm").rows}
    assert list(anchors) == ["1", "2", "4", "8", "16", "32", "50"]
    assert anchors["8"] == "planted/full" and anchors["50"] == "planted/k=50"
    curve = {row.title: row.folder for row in figure("shots", "mintrec", "minilm").rows}
    assert curve["A-MESS, all"] == "mintrec_text/A-MESS_with_SS"
    assert curve["A-MESS, K=1"] == "mintrec_shots/A-MESS-K=1"
    assert curve["A-MESS, K=0"] == "mintrec_shots/nearest_description-K=0"
    clips = [row.title.removesuffix(", K=0") for row in figure("shots", "sample", "minilm").rows if row.place == "0"]
    regression = "logistic regression with"
    numbers = ["descriptions", "eight descriptions", "utterances"]
    amess = [f"A-MESS, {number} as samples" for number in ("descriptions", "utterances")]
    assert clips == [*(f"{regression} {number}" for number in numbers), "nearest description", *amess]


def test_experiments_that_a_data_set_cannot_have_are_refused():
    with pytest.raises(ValueError, match="--dataset mintrec2"):
        table("2", "mintrec", "minilm")
    with pytest.raises(ValueError, match="few samples of an intent cannot be chosen"):
        figure("shots", "planted", "minilm")
    with pytest.raises(ValueError, match="There is no experiment 'x'; there are planted"):
        named_experiment("x")
