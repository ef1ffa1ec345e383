# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of tables: valid settings, commands that give them, the settings of runs already made, shared runs."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from dataset_scripts.registry import DATASETS
from training.arguments import SENTENCE_METHODS, parse_settings
from training.baselines import MODELS
from training.finished_run import SETTINGS_FILE, settings_text
from training.model_setup import model_config_fields
from training.reproduce import choose_reference, choose_rows, create_parser, find_experiment, split_setting
from training.reproduction.experiments import (
    ENCODERS,
    EXPERIMENTS,
    FIGURES,
    TABLES,
    figure,
    named_experiment,
    table,
)
from training.reproduction.jobs import Job, OtherRunError, check_folders
from training.reproduction.pages import read_reading
from training.reproduction.runs import Run, command_words, preset_settings


DOCS = Path(__file__).parents[2] / "docs"


# Tables that need what these data sets alone have: utterances out of scope, ids of annotated utterances.
ONLY = {"2": ("mintrec2",), "debiased": ("mintrec", "mintrec2")}


@cache
def all_experiments():
    return tuple(each_experiment())


def each_experiment():
    for dataset in DATASETS:
        for encoder in ENCODERS:
            yield from (table(name, dataset, encoder) for name in TABLES if dataset in ONLY.get(name, DATASETS))
            yield from (figure(name, dataset, encoder) for name in FIGURES if name != "shots" or dataset != "planted")
    yield from (named_experiment(name) for name in EXPERIMENTS)


def test_every_row_has_settings_that_its_model_can_have(tmp_path):
    for experiment in all_experiments():
        assert len({row.title for row in experiment.rows}) == len(experiment.rows), experiment.name
        for row in experiment.rows:
            settings = Job(row, 0, tmp_path).settings
            known = model_config_fields(settings.model) if settings.model in MODELS else ()
            assert settings.model in (*MODELS, *SENTENCE_METHODS)
            assert set(settings.model_config) <= set(known), row.run.name


def test_the_generated_command_gives_the_settings_of_the_run(tmp_path):
    rows = {row.run.name: row for experiment in all_experiments() for row in experiment.rows}
    for row in rows.values():
        job = Job(row, 3, tmp_path, data_dir="some folder")
        settings = job.settings
        assert parse_settings(job.arguments) == settings, row.run.name
        assert (settings.seed, settings.data_dir) == (3, "some folder")


def test_the_generated_command_is_the_preset_and_what_differs_from_it(tmp_path):
    (row,) = (row for row in named_experiment("planted_deep").rows if row.title == "full")
    words = ["--num_text_layers", "6", "--model_config.use_semantic_synchronization", "false"]
    job = Job(row, 1, tmp_path, overrides=("--max_steps", "5"))
    command = " ".join(job.command())
    assert "-m training.train planted " in command and f"--output_dir {job.folder}" in command
    assert sorted(job.arguments) == sorted(
        ["planted", *words, "--save_epochs", "0", "--seed", "1", "--max_steps", "5"]
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"model_config": {}},
        {
            "model_config": {
                "pooling": "mean",
                "alignment": "no",
                "contrastive_temperature": 1e-7,
                "names": ["a", 1e-9],
            }
        },
        {"dataset_options": {"generator": "null", "nested": {"deep": None}}},
        {"text_model": "a folder/with spaces", "early_stopping_patience": 3, "learning_rate": 3e-7},
        {"num_train_epochs": 2, "mixed_precision": "no", "output_dir": None, "freeze_word_embeddings": False},
    ],
)
def test_any_settings_come_back_from_their_command(changes):
    settings = replace(preset_settings("mintrec_text_minilm"), **changes)
    assert parse_settings(command_words(settings, "mintrec_text_minilm")) == settings


def test_a_variant_changes_what_it_names_and_nothing_else():
    run = Run.of_preset("pool/one", "planted", num_train_epochs=3)
    other = run.variant("two", model_config={"num_anchors": 2}, dataset_options={"generator": "noise"})
    assert other.name == "pool/two" and other.preset == "planted"
    assert other.settings.dataset_options == {"generator": "noise", "amplitude": 14.0}
    assert replace(other.settings, model_config={}, dataset_options=run.settings.dataset_options) == run.settings
    assert run.settings.model_config == {}
    baseline = other.baseline("three", "text_only", pooling="mean")
    assert (baseline.settings.model, baseline.settings.model_config) == ("text_only", {"pooling": "mean"})


def test_a_folder_is_that_of_one_run():
    runs = {}
    for experiment in all_experiments():
        for row in experiment.rows:
            assert runs.setdefault(row.run.name, row.run) == row.run, row.run.name


def test_references_and_the_papers_metrics_meet_rows():
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
    assert [title for title, metrics in shown.items() if not metrics] == ["text-only"]
    assert [row.published["accuracy"] for row in table("4", "mintrec", "minilm").rows] == [73.83, 74.12, 74.07, 73.78]
    outside = [row.published.get("f1_out_of_scope") for row in table("2", "mintrec2", "bert-large").rows]
    assert [value for value in outside if value] == [62.47, 61.66, 63.42]


NO_SYNCHRONIZATION = {"use_semantic_synchronization": False}
PLAIN_TEXT = {"pooling": "cls", "semantic_residual": False, "semantic_logits": False}
# Runs that the pages of docs/experiments/ show: experiment, folder, and all that differs from the preset.
MADE = [
    ("planted", "planted/text_only", "planted", {"model": "text_only", "model_config": {"pooling": "mean"}}),
    ("planted", "planted/full", "planted", {"model_config": NO_SYNCHRONIZATION}),
    ("planted", "planted/full-with_SS", "planted", {}),
    ("planted", "planted/k=50", "planted", {"model_config": {**NO_SYNCHRONIZATION, "num_anchors": 50}}),
    ("planted_deep", "planted_deep/full-with_SS", "planted", {"num_text_layers": 6}),
    (
        "planted_anchors",
        "planted_anchors/frames",
        "planted_token_cue",
        {"model_config": {**NO_SYNCHRONIZATION, "anchor_kind": "frames"}},
    ),
    (
        "planted_order",
        "planted_order/none",
        "planted_order",
        {"model_config": {**NO_SYNCHRONIZATION, "time_encoding": "none"}},
    ),
    (
        "planted_selection",
        "planted_selection/k=50",
        "planted_weak",
        {"model_config": {**NO_SYNCHRONIZATION, "num_anchors": 50, "exclude_special_tokens": False}},
    ),
    (
        "planted_alignment",
        "planted_alignment/ctc",
        "planted",
        {"model_config": {**NO_SYNCHRONIZATION, "alignment": "ctc"}},
    ),
    ("mintrec_text", "mintrec_text/A-MESS_with_SS", "mintrec_text_minilm", {}),
    (
        "mintrec_text",
        "mintrec_text/A-MESS_wo_SS",
        "mintrec_text_minilm",
        {"model_config": {**PLAIN_TEXT, **NO_SYNCHRONIZATION}},
    ),
    (
        "mintrec_text",
        "mintrec_text/A-MESS_with_SS-noise_features",
        "mintrec_text_minilm",
        {"dataset": "planted", "dataset_options": {"generator": "noise"}, "modalities": "text,video,audio"},
    ),
    (
        "mintrec_text_recipes",
        "mintrec_text_recipes/text_only-cls-2e-4-2_layers_frozen",
        "mintrec_text_minilm",
        {"cross_validation_folds": 4, "model": "text_only", "model_config": {"pooling": "cls"}},
    ),
    (
        "mintrec_shots",
        "mintrec_shots/text_only-K=2",
        "mintrec_text_minilm",
        {
            "shots": 2,
            "num_train_epochs": 20,
            "eval_epochs": 5,
            "per_device_train_batch_size": 16,
            "freeze_text_layers": 0,
            "model": "text_only",
            "model_config": {},
        },
    ),
]


@pytest.mark.parametrize(("experiment", "name", "preset", "differing"), MADE, ids=[made[1] for made in MADE])
def test_runs_that_were_already_made_keep_their_folders_and_settings(experiment, name, preset, differing, tmp_path):
    (row,) = [row for row in named_experiment(experiment).rows if row.run.name == name]
    assert Job(row, 4, tmp_path).folder == tmp_path / name / "seed-4"
    expected = replace(preset_settings(preset), save_epochs=0, **differing)
    assert row.run.settings == expected


def test_size_of_encoder_and_published_settings_come_from_the_presets():
    rows = {row.title: row.run.settings for row in table("1", "mintrec", "bert-large").rows}
    assert rows["A-MESS"] == preset_settings("mintrec")
    assert rows["MulT"] == replace(preset_settings("mintrec_mult"), text_model="google-bert/bert-large-uncased")
    small = {row.title: row.run.settings for row in table("1", "mintrec", "minilm").rows}
    encoder = preset_settings("mintrec_text_minilm")
    for settings in (small["A-MESS"], small["MulT"]):
        assert (settings.text_model, settings.description_model) == ("minilm", "minilm")
        assert (settings.num_train_epochs, settings.learning_rate) == (encoder.num_train_epochs, encoder.learning_rate)
        assert settings.freeze_word_embeddings and settings.freeze_text_layers == 0
    base = {row.title: row.run.settings for row in table("1", "mintrec2", "bert-base").rows}
    assert base["A-MESS"].text_model == base["MAG-BERT"].text_model == "google-bert/bert-base-uncased"
    assert base["MAG-BERT"].dataset == "mintrec2"


def test_folds_and_draws_take_the_number_of_the_seed(tmp_path):
    folds = named_experiment("mintrec_text_recipes").rows[0]
    draws = table("held_out", "mintrec2", "minilm").rows[0]
    assert [Job(folds, seed, tmp_path).settings.cross_validation_fold for seed in (0, 3)] == [0, 3]
    assert [Job(draws, seed, tmp_path).settings.held_out_seed for seed in (0, 3)] == [0, 3]


def test_a_folder_of_another_method_is_refused(tmp_path):
    rows = {row.curve: row for row in figure("shots", "sample", "minilm").rows if row.place == "1"}
    setfit = Job(rows["SetFit"], 0, tmp_path)
    setfit.folder.mkdir(parents=True)
    (setfit.folder / SETTINGS_FILE).write_text(settings_text(setfit.settings))
    check_folders([setfit])
    assert (setfit.settings.model, setfit.settings.modalities) == ("setfit", "text")
    (setfit.folder / SETTINGS_FILE).write_text(settings_text(replace(setfit.settings, model="logistic")))
    with pytest.raises(OtherRunError, match="model was 'logistic' and is 'setfit'"):
        check_folders([setfit])


def test_weights_are_kept_where_a_picture_or_a_table_needs_the_models():
    kept = {row.run.name for experiment in all_experiments() for row in experiment.rows if row.run.keep_weights}
    shown = {
        row.run.name
        for dataset in DATASETS
        for encoder in ENCODERS
        for experiment in (figure("5", dataset, encoder), table("missing", dataset, encoder))
        for row in experiment.rows
    }
    assert kept == shown
    assert figure("5", "sample", "minilm").shows_planes and not figure("4", "sample", "minilm").shows_planes


def test_tables_share_the_runs_of_rows_that_they_have_in_common():
    tables = [table(name, "planted", "minilm") for name in ("1", "3", "4", "modalities", "alignments")]
    assert all("planted/full-with_SS" in [row.run.name for row in shown.rows] for shown in tables)
    anchors = {row.place: row.run.name for row in figure("4", "planted", "minilm").rows}
    assert list(anchors) == ["1", "2", "4", "8", "16", "32", "50"]
    assert anchors["8"] == "planted/full" and anchors["50"] == "planted/k=50"
    curve = {row.title: row.run.name for row in figure("shots", "mintrec", "minilm").rows}
    assert curve["A-MESS, all"] == "mintrec_text/A-MESS_with_SS"
    assert curve["A-MESS, K=1"] == "mintrec_shots/A-MESS-K=1"
    assert curve["A-MESS, K=0"] == "mintrec_shots/nearest_description-K=0"
    clips = [row.title.removesuffix(", K=0") for row in figure("shots", "sample", "minilm").rows if row.place == "0"]
    regression = "logistic regression with"
    numbers = ["descriptions", "eight descriptions", "utterances"]
    amess = [f"A-MESS, {number} as samples" for number in ("descriptions", "utterances")]
    assert clips == [*(f"{regression} {number}" for number in numbers), "nearest description", *amess]


def documented_commands():
    for page in [*DOCS.glob("*.md"), *DOCS.glob("*/*.md")]:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            if line.startswith("    python -m training.reproduce "):
                yield pytest.param(shlex.split(line)[3:], id=f"{page.stem}: {line.strip()[28:]}")


@pytest.mark.parametrize("words", list(documented_commands()))
def test_documented_commands_make_tables(words):
    options = create_parser().parse_args(words)
    if options.run is None:
        experiment = choose_rows(find_experiment(options), options.rows)
        assert choose_reference(experiment, options.reference).rows
        parse_settings([word for pair in options.settings for word in split_setting(pair)])


@pytest.mark.parametrize("page", sorted((DOCS / "experiments").glob("*.md")), ids=lambda page: page.stem)
def test_pages_of_experiments_have_a_table_first_a_reading_and_an_entry_in_the_results(page):
    text = page.read_text(encoding="utf-8")
    assert text.splitlines()[0].startswith("# ") and text.splitlines()[2].startswith("| ")
    assert read_reading(page)
    assert f"experiments/{page.name}" in (DOCS / "results.md").read_text(encoding="utf-8")


def test_experiments_that_a_data_set_cannot_have_are_refused():
    with pytest.raises(ValueError, match="--dataset mintrec2"):
        table("2", "mintrec", "minilm")
    with pytest.raises(ValueError, match="draws its labels"):
        figure("shots", "planted", "minilm")
    with pytest.raises(ValueError, match="There is no experiment 'x'"):
        named_experiment("x")
