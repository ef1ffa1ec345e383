# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which labels a model knows, by the settings of out of scope."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.arguments import SettingsError, parse_settings
from training.label_scope import draw_held_out, label_scope


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
