# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which labels a model knows and which rows it is trained and tested on, by the settings of out of scope."""

from __future__ import annotations

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.arguments import SettingsError, parse_settings
from training.data import load_splits
from training.out_of_scope.label_scope import draw_held_out, label_scope
from training.row_selection import select_rows

from . import tiny


NAMES = ["Greet", "UNK", "Leave", "Thank"]


def scope_of(*arguments, names=NAMES):
    return label_scope(names, parse_settings(list(arguments)))


def test_as_a_class_it_is_a_label_like_the_others():
    scope = scope_of()
    assert list(scope.label_names) == NAMES and scope.label_ids == (0, 1, 2, 3)
    assert (scope.num_intents, scope.out_of_scope_id, scope.has_out_of_scope_label) == (3, 1, True)
    assert scope.open_ids(np.array([0, 1, 2, 3])).tolist() == [0, 3, 1, 2]
    np.testing.assert_array_equal(scope.intents_only(np.arange(8).reshape(2, 4)), [[0, 2, 3], [4, 6, 7]])


@pytest.mark.parametrize(("protocol", "trained"), [("none", False), ("outlier_exposure", True)])
def test_otherwise_the_model_has_the_intents_alone(protocol, trained):
    scope = scope_of("--out_of_scope", protocol)
    assert scope.label_names == ("Greet", "Leave", "Thank") and scope.label_ids == (0, 3, 1, 2)
    assert (scope.num_intents, scope.out_of_scope_id, scope.has_out_of_scope_label) == (3, 3, False)
    assert scope.trains_on_out_of_scope is trained
    assert scope.open_ids(np.array([0, 3, 1])).tolist() == [0, 3, 1]


def test_without_utterances_out_of_scope_nothing_changes():
    for protocol in ("class", "none"):
        scope = scope_of("--out_of_scope", protocol, names=["a", "b"])
        assert (scope.label_names, scope.label_ids, scope.out_of_scope_id) == (("a", "b"), (0, 1), None)


@given(st.integers(3, 40), st.floats(0.05, 0.9), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_draw_holds_out_the_share_and_follows_the_seed(number, share, seed):
    names = [f"intent {index:02}" for index in range(number)]
    wanted = round(share * number)
    if not 1 <= wanted <= number - 2:
        with pytest.raises(SettingsError, match="at least one"):
            draw_held_out(names, share, seed)
        return
    drawn = draw_held_out(names, share, seed)
    assert len(set(drawn)) == wanted and set(drawn) <= set(names)
    assert list(drawn) == sorted(drawn) == list(draw_held_out(names, share, seed))


def test_five_draws_differ():
    names = [f"intent {index}" for index in range(30)]
    assert len({draw_held_out(names, 0.33, seed) for seed in range(5)}) == 5


def test_held_out_intents_join_the_unknown_utterances():
    scope = scope_of("--out_of_scope", "none", "--held_out_intents", "0.3")
    (held_out,) = scope.held_out
    assert held_out not in scope.label_names and "UNK" not in scope.label_names
    assert scope.label_ids[NAMES.index(held_out)] == scope.label_ids[NAMES.index("UNK")] == 2
    assert not scope.trains_on_out_of_scope


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return tiny.make_released_mintrec2(tmp_path_factory.mktemp("scope") / "MIntRec2.0")


def rows_of(released, *arguments, drop=()):
    data = f"--dataset mintrec2 --data_dir {released} --modalities text"
    parsed = parse_settings([*data.split(), *arguments])
    splits = {name: split for name, split in load_splits(parsed).items() if name not in drop}
    return select_rows(splits, parsed, num_processes=1)


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
    ],
)
def test_what_cannot_be_done_is_named_with_a_remedy(released, arguments, words):
    with pytest.raises(SettingsError) as error:
        rows_of(released, *arguments)
    for word in words:
        assert word in str(error.value)


def test_intents_cannot_be_held_out_of_data_that_change_by_epoch():
    parsed = parse_settings(["planted", "--out_of_scope", "none", "--held_out_intents", "0.3"])
    with pytest.raises(SettingsError, match="held_out_intents cannot be drawn from planted"):
        select_rows(load_splits(parsed), parsed, num_processes=1)
