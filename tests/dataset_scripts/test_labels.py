# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from dataset_scripts.describing.prompt import normalized
from dataset_scripts.errors import UserError
from dataset_scripts.labels import (
    MINTREC2_LABELS,
    MINTREC_LABELS,
    OUT_OF_SCOPE_LABEL,
    UnknownLabelError,
    label_names,
    load_label_descriptions,
    normalize_label,
)


def test_label_order_is_that_of_the_released_repositories():
    assert (MINTREC_LABELS[5], MINTREC_LABELS[11], MINTREC_LABELS[19]) == ("Agree", "Care", "Ask for help")
    assert list(MINTREC2_LABELS) == sorted(MINTREC2_LABELS, key=str.casefold)
    assert label_names("mintrec2", out_of_scope=True).index(OUT_OF_SCOPE_LABEL) == 30


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Apologize", "Apologise"),
        ("apologise", "Apologise"),
        ("Ask for Help", "Ask for help"),
        ("ask_for_help", "Ask for help"),
        ("Ask for Opinions", "Asking for opinions"),
        ("ASKING-FOR-OPINIONS", "Asking for opinions"),
        (" complaint ", "Complain"),
        ("criticise", "Criticize"),
        ("UNKOWN", "UNK"),
        ("Unknown", "UNK"),
        ("unk", "UNK"),
        ("out-of-scope", "UNK"),
    ],
)
def test_other_spellings_are_understood(written, expected):
    assert normalize_label(written, label_names("mintrec2", out_of_scope=True)) == expected


def test_every_label_is_its_own_spelling_in_any_case():
    for label in (*MINTREC_LABELS, *MINTREC2_LABELS):
        labels = MINTREC_LABELS if label in MINTREC_LABELS else MINTREC2_LABELS
        assert normalize_label(label.upper(), labels) == label


def test_an_unknown_label_names_the_nearest_one():
    with pytest.raises(UnknownLabelError, match=r"'Complane'.*'Complain'"):
        normalize_label("Complane")


def test_an_alias_of_another_data_set_is_unknown():
    with pytest.raises(UnknownLabelError, match="Ask for Opinions"):
        normalize_label("Ask for Opinions", MINTREC_LABELS)


@pytest.mark.parametrize("written", ["UNK", "unknown"])
def test_out_of_scope_is_refused_where_it_is_no_label(written):
    with pytest.raises(UnknownLabelError, match="out of scope"):
        normalize_label(written, MINTREC2_LABELS)


@pytest.mark.parametrize(
    ("name", "labels"), [("sample", MINTREC_LABELS), ("mintrec", MINTREC_LABELS), ("mintrec2", MINTREC2_LABELS)]
)
def test_every_label_has_the_papers_three_descriptions_then_ten_of_ours_in_label_order(name, labels):
    everything = load_label_descriptions(name, 13)
    assert tuple(everything) == labels
    for number in range(1, 14):
        fewer = load_label_descriptions(name, number)
        assert fewer == {label: sentences[:number] for label, sentences in everything.items()}
        assert all(len(sentences) == number and all(sentences) for sentences in fewer.values())
    assert load_label_descriptions(name) == load_label_descriptions(name, 3)


def test_no_description_occurs_twice():
    descriptions = load_label_descriptions("mintrec2", 13)
    distinct = {normalized(text) for sentences in descriptions.values() for text in sentences}
    assert len(distinct) == 30 * 13


@pytest.mark.parametrize("number", [0, 14])
def test_a_number_of_descriptions_that_there_are_not_is_refused(number):
    with pytest.raises(UserError, match=f"num_descriptions={number}.* 1 to 13 "):
        load_label_descriptions("mintrec", number)


def test_an_unknown_data_set_names_the_nearest_one():
    with pytest.raises(UserError, match="'mintrec2'"):
        load_label_descriptions("mintrec2.0")
