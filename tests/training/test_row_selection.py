# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which rows a run trains, validates and tests on."""

from __future__ import annotations

from collections import Counter

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.arguments import SettingsError, parse_settings
from training.data import load_splits
from training.finished_run import read_run
from training.model_card import model_card
from training.row_selection import cross_validation_folds, draw_shots, halve_dialogues, select_rows
from training.train import main

from . import tiny


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    return dict(datasets.load_from_disk(tiny.make_dataset(tmp_path_factory.mktemp("rows") / "set")))


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return tiny.make_released_mintrec2(tmp_path_factory.mktemp("scope") / "MIntRec2.0")


def rows_of(released, *arguments, drop=()):
    data = f"--dataset mintrec2 --data_dir {released} --modalities text"
    parsed = parse_settings([*data.split(), *arguments])
    splits = {name: split for name, split in load_splits(parsed).items() if name not in drop}
    return select_rows(splits, parsed, num_processes=1)


def test_shots_give_every_label_its_number_and_follow_the_seed():
    labels = [index % 3 for index in range(60)]
    drawn = draw_shots(labels, tiny.LABELS, 4, seed=1)
    assert Counter(labels[index] for index in drawn) == {0: 4, 1: 4, 2: 4}
    assert drawn == draw_shots(labels, tiny.LABELS, 4, seed=1)
    assert drawn != draw_shots(labels, tiny.LABELS, 4, seed=2)
    with pytest.raises(SettingsError, match="'Thank' has only 19"):
        draw_shots([*labels[:-1], 0, 0], tiny.LABELS, 20, seed=0)


def test_overfitting_uses_the_same_few_rows_everywhere(splits):
    settings = parse_settings(["--overfit_batches", "2", "--per_device_train_batch_size", "4"])
    rows = select_rows(dict(splits), settings, num_processes=1)
    assert len(rows["train"]) == 8
    assert rows["train"] is rows["validation"] is rows["test"]


def test_rows_out_of_scope_are_trained_on_only_where_the_protocol_says_so(released):
    for protocol, trained, unknown in (("class", 8, 30), ("outlier_exposure", 8, 30), ("none", 0, 30)):
        rows = rows_of(released, "--scope", "all", "--out_of_scope", protocol)
        assert rows["train"].column("label").count(unknown) == trained
        assert rows["test"].column("label").count(unknown) == 4
        assert len(rows["train"].label_names) == (31 if protocol == "class" else 30)
        label = rows["test"].column("label")
        assert [rows["test"][index]["label"] for index in range(len(label))] == label


def test_shots_are_drawn_from_the_intents_that_are_left(tmp_path):
    splits = dict(datasets.load_from_disk(tiny.make_dataset(tmp_path / "set")))
    words = "--out_of_scope none --held_out_intents 0.3 --shots 4 --dataset_options {}"
    rows = select_rows(splits, parse_settings(words.split()), num_processes=1)
    assert sorted(rows["train"].column("label")) == [0] * 4 + [1] * 4
    assert rows["test"].column("label").count(2) in (4, 5)


def test_the_halves_of_validation_share_no_dialogue_and_miss_no_row(released):
    rows = rows_of(released, "--test_from_validation", drop=("test",))
    halves = [set(rows[name].column("id")) for name in ("validation", "test")]
    assert len(halves[0]) + len(halves[1]) == 12 and not halves[0] & halves[1]
    dialogues = [{row_id.split("_")[0] for row_id in half} for half in halves]
    assert not dialogues[0] & dialogues[1]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_halves_are_as_even_as_whole_dialogues_allow(dialogues):
    split = datasets.Dataset.from_dict({"dialogue_id": dialogues})
    if len(set(dialogues)) < 2:
        with pytest.raises(SettingsError, match="two dialogues"):
            halve_dialogues(split)
        return
    halves = halve_dialogues(split)
    assert sorted(halves["validation"] + halves["test"]) == list(range(len(dialogues)))
    largest = max(dialogues.count(dialogue) for dialogue in dialogues)
    assert abs(len(halves["validation"]) - len(dialogues) / 2) <= largest
    assert halves["test"]


@given(st.lists(st.integers(0, 3), min_size=10, max_size=80), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_folds_have_every_row_once_and_the_labels_shares(labels, number):
    features = datasets.Features({"label": datasets.ClassLabel(names=list("abcd"))})
    split = datasets.Dataset.from_dict({"label": labels}, features=features)
    counts = Counter(labels)
    if min(counts.values()) < number:
        with pytest.raises(SettingsError, match=f"cross_validation_folds={number}.*has only"):
            cross_validation_folds(split, number)
        return
    folds = cross_validation_folds(split, number)
    assert sorted(index for fold in folds for index in fold) == list(range(len(labels)))
    for fold in folds:
        found = Counter(labels[index] for index in fold)
        assert all(abs(found[label] - count / number) < 1 for label, count in counts.items())
    assert [fold.tolist() for fold in cross_validation_folds(split, number)] == [fold.tolist() for fold in folds]


def test_folds_do_not_cut_dialogues(released):
    tested, trained = [], []
    for fold in range(3):
        rows = rows_of(released, "--cross_validation_folds", "3", "--cross_validation_fold", str(fold))
        dialogues = [{row_id.split("_")[0] for row_id in rows[name].column("id")} for name in ("train", "test")]
        assert not dialogues[0] & dialogues[1]
        tested += rows["test"].column("id")
        trained += rows["train"].column("id")
    assert len(tested) == len(set(tested)) == 24
    assert Counter(trained) == Counter(dict.fromkeys(tested, 2))


def test_a_fold_takes_the_place_of_the_test_split_and_leaves_validation(splits):
    settings = parse_settings(["--cross_validation_folds", "3", "--cross_validation_fold", "1"])
    rows = select_rows(splits, settings, num_processes=1)
    assert rows["validation"].column("id") == splits["validation"]["id"][:]
    tested, trained = rows["test"].column("id"), rows["train"].column("id")
    assert len(tested) == 14 and sorted([*tested, *trained]) == sorted(splits["train"]["id"][:])
    assert [rows["test"][index]["id"] for index in range(14)] == tested
    # The same rows are tested on, however many others are trained on.
    few = parse_settings(["--cross_validation_folds", "3", "--cross_validation_fold", "1", "--shots", "2"])
    rows = select_rows(splits, few, num_processes=1)
    assert rows["test"].column("id") == tested
    assert Counter(rows["train"].column("label")) == {0: 2, 1: 2, 2: 2}
    assert set(rows["train"].column("id")) <= set(trained)


def test_utterances_out_of_scope_are_in_the_tested_fold(released):
    words = "--scope all --out_of_scope none --cross_validation_folds 2"
    rows = rows_of(released, *words.split())
    assert 30 not in rows["train"].column("label")
    assert rows["test"].column("label").count(30) == 4


def test_a_run_on_a_fold_says_so(tiny_settings, tmp_path):
    words = "--cross_validation_folds 3 --cross_validation_fold 2 --num_train_epochs 2 --eval_epochs 2"
    metrics = main([*tiny_settings, *words.split(), "--output_dir", str(tmp_path / "run")])["amess"]
    assert metrics["train_samples"] == 28
    assert read_run(tmp_path / "run").num_samples == 14
    card = model_card(tmp_path / "run")
    assert "fold 2 of 3 of the training split" in card.text and "The test split was not read." in card.text
    # One look at the validation split chooses nothing.
    assert "those of the last epoch" in card.text and "after the last epoch, 2:" in card.text
    assert "est validation" not in card.text
    assert {result.dataset_split for result in card.data.eval_results} == {"train"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--held_out_intents", "1.5", "--out_of_scope", "none"], ["held_out_intents=1.5", "below 1"]),
        (["--held_out_intents", "0.3"], ["held_out_intents", "--out_of_scope none"]),
        (["--shots", "1", "--out_of_scope", "outlier_exposure"], ["shots", "outlier_exposure"]),
        (["--out_of_scope", "outlier_exposure"], ["UNK", "mintrec2", "--scope all"]),
        (["--out_of_scope", "none", "--scope", "out-of-scope"], ["train split", "no utterance in scope"]),
        (["--out_of_scope", "classes"], ["classes", "'class'"]),
        (["--test_from_validation"], ["without a test split"]),
        (["--held_out_intents", "0.01", "--out_of_scope", "none"], ["holds out 0 of 30"]),
        (["--outlier_exposure_weight", "-1"], ["outlier_exposure_weight", "at least 0"]),
        (["--cross_validation_folds", "1"], ["cross_validation_folds=1", "at least 2"]),
        (["--cross_validation_folds", "3", "--cross_validation_fold", "3"], ["below", "counted from 0"]),
        (["--cross_validation_folds", "3", "--test_from_validation"], ["test_from_validation", "give one"]),
        (["--cross_validation_folds", "3", "--overfit_batches", "1"], ["overfit_batches", "cross_validation_folds"]),
        (["--cross_validation_folds", "7"], ["cross_validation_folds=7", "'Greet' has only 6"]),
    ],
)
def test_what_cannot_be_done_is_named_with_a_remedy(released, arguments, words):
    with pytest.raises(SettingsError) as error:
        rows_of(released, *arguments)
    for word in words:
        assert word in str(error.value)


def test_folds_need_as_many_dialogues():
    features = datasets.Features({"label": datasets.ClassLabel(names=["a"]), "dialogue_id": datasets.Value("int64")})
    split = datasets.Dataset.from_dict({"label": [0] * 8, "dialogue_id": [1, 2] * 4}, features=features)
    assert sorted(len(fold) for fold in cross_validation_folds(split, 2)) == [4, 4]
    with pytest.raises(SettingsError, match="only 2 dialogues"):
        cross_validation_folds(split, 3)


@pytest.mark.parametrize(
    ("arguments", "chosen_by"),
    [
        (["--out_of_scope", "none", "--held_out_intents", "0.3"], "held_out_intents"),
        (["--cross_validation_folds", "3"], "cross_validation_folds"),
    ],
)
def test_rows_cannot_be_chosen_from_data_that_change_by_epoch(arguments, chosen_by):
    parsed = parse_settings(["planted", *arguments])
    with pytest.raises(SettingsError, match=f"{chosen_by} cannot be drawn from planted"):
        select_rows(load_splits(parsed), parsed, num_processes=1)
