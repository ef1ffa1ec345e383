# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the data is said before the first step: with the split, the row's id and what to do."""

from __future__ import annotations

import json
import logging
import pickle

import datasets
import numpy as np
import pytest
from datasets import Array2D, ClassLabel, Features, LargeList, List, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from training.arguments import SettingsError, TrainingSettings
from training.cli.labelled_inputs import read_labelled_inputs
from training.data import IntentRows, load_splits
from training.finished_run import read_run
from training.row_selection import select_rows
from training.split_checks import checked_splits
from training.train import main

from . import tiny


MODALITIES = ("text", "video", "audio")
FRAMES = Array2D((None, 4), "float32")
LISTS = List(List(Value("float32")))


def make_split(
    name: str, labels, names=("yes", "no"), *, label=None, frames=FRAMES, video=None, texts=None, ids=True
) -> datasets.Dataset:
    """A split of as many rows as there are labels, with ids like train-0 and features of sizes 4 and 6."""
    count = len(labels)
    columns = {
        "text": texts or [f"text {index}" for index in range(count)],
        "label": labels,
        "video_features": video or [np.ones((2 + index % 3, 4), np.float32) for index in range(count)],
        "audio_features": [np.ones((3, 6), np.float32)] * count,
    }
    features = {
        "text": Value("string"),
        "label": label or ClassLabel(names=list(names)),
        "video_features": frames,
        "audio_features": Array2D((None, 6), "float32"),
    }
    if ids:
        columns["id"] = [f"{name}-{index}" for index in range(count)]
        features["id"] = Value("string")
    return datasets.Dataset.from_dict(columns, features=Features(features))


def make_splits(**changed) -> dict[str, datasets.Dataset]:
    """A data set of six utterances per split in which some splits are others."""
    return {name: make_split(name, [0, 1] * 3) for name in ("train", "validation", "test")} | changed


def label_names(split) -> list[str]:
    return [split.features["label"].int2str(label) for label in split["label"][:]]


@pytest.fixture
def check(caplog):
    """Check splits, and return them with the warnings."""

    def run(splits, **options):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            return checked_splits(splits, MODALITIES, **options), [record.message for record in caplog.records]

    return run


def test_good_splits_come_back_as_they_are_and_without_a_word(check):
    splits = make_splits()
    checked, warnings = check(splits)
    assert warnings == [] and all(checked[name] is split for name, split in splits.items())


# Labels: names connect the splits.


def test_names_in_another_order_are_the_same_labels(check):
    splits = make_splits(
        validation=make_split("validation", [1, 0], ["no", "yes"]), test=make_split("test", [0], ["no", "yes"])
    )
    checked, _ = check(splits)
    assert label_names(checked["validation"]) == ["yes", "no"] and label_names(checked["test"]) == ["no"]
    assert {tuple(split.features["label"].names) for split in checked.values()} == {("yes", "no")}
    assert checked["test"]["label"][:] == [1]


@given(st.permutations(["a", "b", "c", "d"]), st.lists(st.integers(0, 3), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_any_order_of_names_leaves_every_row_its_name(order, labels):
    splits = {"train": make_split("train", [0, 1, 2, 3], "abcd"), "test": make_split("test", labels, order)}
    checked = checked_splits(splits, MODALITIES)
    assert label_names(checked["test"]) == [order[label] for label in labels]
    assert checked["test"].column_names == splits["test"].column_names
    assert checked["test"]["id"][:] == splits["test"]["id"][:]


@pytest.mark.parametrize("name", ["validation", "test"])
@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ([0, 2, 2], {"names": ["yes", "no", "maybe"]}),
        (["yes", "maybe", "maybe"], {"label": Value("string")}),
        (["yes", "maybe", "maybe"], {"label": Value("large_string")}),
    ],
)
def test_a_label_that_is_not_trained_is_refused(check, name, labels, options):
    with pytest.raises(SettingsError, match=rf"The {name} split has 2 .*maybe .*'{name}-1', '{name}-2'.*yes, no"):
        check(make_splits(**{name: make_split(name, labels, **options)}))


def test_a_name_that_no_row_has_is_no_error(check):
    checked, _ = check(make_splits(test=make_split("test", [0, 1], ["yes", "no", "maybe"])))
    assert checked["test"].features["label"].names == ["yes", "no"]


def test_a_label_of_training_may_be_absent_from_its_rows(check):
    checked, _ = check(make_splits(train=make_split("train", [0, 0]), test=make_split("test", [1])))
    assert label_names(checked["test"]) == ["no"]


def test_an_id_without_a_name_is_refused(check):
    table = make_split("test", [0, 1]).data.table
    column = table.column_names.index("label")
    broken = datasets.Dataset(table.set_column(column, table.schema.field(column), [[0, 7]]))
    with pytest.raises(SettingsError, match=r"test split has the label id 7 .*'test-1'"):
        check(make_splits(test=broken))


@pytest.mark.parametrize("kind", ["string", "large_string"])
def test_texts_become_labels_in_the_order_of_the_alphabet(check, kind):
    words = {name: make_split(name, ["yes", "no", "yes"], label=Value(kind)) for name in ("train", "test")}
    checked, warnings = check(words)
    assert [split.features["label"].names for split in checked.values()] == [["no", "yes"]] * 2
    assert label_names(checked["test"]) == ["yes", "no", "yes"] and warnings == []


def test_texts_of_one_split_go_with_a_class_label_of_another(check):
    checked, _ = check(make_splits(test=make_split("test", ["no", "yes"], label=Value("string"))))
    assert checked["test"]["label"][:] == [1, 0]


@pytest.mark.parametrize("kind", ["int64", "uint8", "float64"])
def test_numbers_become_names_in_the_order_of_numbers_and_a_warning_says_how_to_name_them(check, kind):
    numbers = {name: make_split(name, [2, 10, 1], label=Value(kind)) for name in ("train", "test")}
    checked, warnings = check(numbers)
    assert checked["test"].features["label"].names == ["1", "2", "10"]
    assert label_names(checked["test"]) == ["2", "10", "1"]
    assert len(warnings) == 1 and "cast_column" in warnings[0]


def test_truth_values_become_labels(check):
    checked, _ = check({"train": make_split("train", [True, False], label=Value("bool"))})
    assert label_names(checked["train"]) == ["True", "False"]


def test_numbers_do_not_go_with_names(check):
    with pytest.raises(SettingsError, match=r"test split .*cast_column"):
        check(make_splits(test=make_split("test", [0, 1], label=Value("int64"))))


@pytest.mark.parametrize(("labels", "kind"), [([0.5, 1.0], Value("float64")), ([[0, 1], [1]], List(Value("int64")))])
def test_shares_and_lists_are_no_labels(check, labels, kind):
    with pytest.raises(SettingsError, match=r"label column of the train split .*ClassLabel"):
        check({"train": make_split("train", labels, label=kind)})


@pytest.mark.parametrize("name", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ([0, -1, 1, -1], {}),
        ([0, None, 1, None], {}),
        (["yes", None, "no", "  "], {"label": Value("string")}),
    ],
)
def test_unlabelled_utterances_are_refused_or_left_out_and_counted(check, name, labels, options):
    splits = make_splits(**{name: make_split(name, labels, **options)})
    if name == "train" and options:
        del splits["validation"], splits["test"]
    with pytest.raises(SettingsError, match=f"2 of 4 .*{name} split.*'{name}-1', '{name}-3'.*--unlabelled leave_out"):
        check(splits)
    checked, warnings = check(splits, unlabelled="leave_out")
    assert checked[name]["id"][:] == [f"{name}-0", f"{name}-2"] and label_names(checked[name]) == ["yes", "no"]
    assert len(warnings) == 1 and f"2 of 4 utterances of the {name} split" in warnings[0]


@pytest.mark.parametrize(
    ("hidden", "kind"),
    [(-1, None), (None, None), (-100, Value("int64")), (None, Value("null")), ("", Value("string"))],
)
def test_a_split_whose_labels_are_hidden_is_left_out_whole(check, hidden, kind):
    splits = make_splits(test=make_split("test", [hidden] * 7, label=kind, ids=False))
    with pytest.raises(SettingsError, match=r"7 of 7 .*row 0, 1, 2, 3, 4, \.\.\."):
        check(splits)
    checked, warnings = check(splits, unlabelled="leave_out")
    assert list(checked) == ["train", "validation"] and "test split has no labelled" in warnings[1]


def test_labels_that_differ_by_case_or_blanks_only_are_told_once(check):
    _, warnings = check(make_splits(train=make_split("train", [0, 1], ["yes", "no", "Yes", "no "])))
    assert len(warnings) == 2 and "'yes' and 'Yes'" in warnings[0] and "'no' and 'no '" in warnings[1]


def test_an_empty_split_is_refused(check):
    with pytest.raises(SettingsError, match="validation split has no utterance"):
        check(make_splits(validation=make_split("validation", [0]).select([])))


def test_an_id_out_of_range_is_never_taken_for_the_last_label():
    rows = IntentRows(make_split("train", [0, -1]), MODALITIES)
    with pytest.raises(SettingsError, match="-1"):
        rows[1]
    with pytest.raises(SettingsError, match="-1"):
        rows.column("label")


# Texts.


def test_missing_texts_are_silence_and_counted(check):
    checked, warnings = check(make_splits(test=make_split("test", [0, 1, 0], texts=["a", None, None])))
    assert checked["test"]["text"][:] == ["a", "", ""]
    assert len(warnings) == 1 and "2 of 3 utterances of the test split" in warnings[0] and "'test-1'" in warnings[0]


def test_a_split_without_any_text_is_refused_unless_text_is_not_read(check):
    splits = make_splits(test=make_split("test", [0, 1], texts=[None, None]))
    with pytest.raises(SettingsError, match=r"test split .*--modalities"):
        check(splits)
    assert checked_splits(splits, ("video", "audio"))["test"]["text"][:] == ["", ""]


def test_a_text_column_of_numbers_is_refused(check):
    numbers = make_split("test", [0, 1], texts=["1", "2"]).cast_column("text", Value("int64"))
    with pytest.raises(SettingsError, match="text column of the test split holds int64"):
        check(make_splits(test=numbers))


# Features.


def with_value(value, frames=FRAMES, dtype=np.float32) -> datasets.Dataset:
    """600 rows, more than are read at once, of which one has the value in its last frame."""
    video = [np.ones((1 + index % 3, 4), dtype).tolist() for index in range(600)]
    video[401][-1][2] = value
    return make_split("test", [0] * 600, video=video, frames=frames)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "frames", [FRAMES, LISTS, LargeList(LargeList(Value("float64"))), List(List(Value("float16"), 4))]
)
def test_a_value_that_is_no_finite_number_is_found_in_any_type(check, value, frames):
    with pytest.raises(SettingsError, match=r"video_features of the test split .*'test-401'"):
        check(make_splits(test=with_value(value, frames)))


def test_a_value_beyond_float32_or_missing_is_found(check):
    for value, kind in ((1e300, "float64"), (None, "float32")):
        with pytest.raises(SettingsError, match="'test-401'"):
            check(make_splits(test=with_value(value, List(List(Value(kind))))))


def test_large_values_whose_sum_overflows_are_no_error(check):
    video = [np.full((3, 4), 3e38, np.float32)] * 4
    check(make_splits(test=make_split("test", [0] * 4, video=video)))


def test_whole_numbers_are_features(check):
    whole = make_split("test", [0] * 3, video=[[[1, 2, 3, 4]]] * 3, frames=List(List(Value("int32"))))
    check(make_splits(test=whole))


def test_rows_that_a_selection_leaves_out_are_not_checked(check):
    split = with_value(np.nan)
    check(make_splits(test=split.select(range(401))))
    with pytest.raises(SettingsError, match="'test-401'"):
        check(make_splits(test=split.select([5, 401, 7])))


def test_another_size_is_refused_with_both(check):
    nine = make_split("test", [0, 1], video=[np.ones((3, 9), np.float32)] * 2, frames=Array2D((None, 9), "float32"))
    with pytest.raises(SettingsError, match=r"test split has frames of size 9.* 4"):
        check(make_splits(test=nine))
    ragged = make_split("test", [0, 1], video=[[[1.0] * 4], [[1.0] * 4, [1.0] * 3]], frames=LISTS)
    with pytest.raises(SettingsError, match=r"test split has a frame of size 3 .*'test-1'.* 4"):
        check(make_splits(test=ragged))


@pytest.mark.parametrize("kind", [List(Value("float32")), List(List(Value("string")))])
def test_another_type_is_refused_with_the_right_one(check, kind):
    video = [["1.0"], ["2.0"]] if kind.feature == Value("float32") else [[["a"]], [["b"]]]
    with pytest.raises(SettingsError, match=r"test split holds .*Array2D"):
        check(make_splits(test=make_split("test", [0, 1], video=video, frames=kind)))


@pytest.mark.parametrize("frames", [FRAMES, LISTS])
@pytest.mark.parametrize("empty", [[], None])
def test_first_rows_without_frames_do_not_hide_the_size(check, frames, empty):
    video = [empty, empty, np.ones((2, 4)).tolist(), empty]
    splits = make_splits(train=make_split("train", [0, 1, 0, 1], video=video, frames=frames))
    checked, warnings = check(splits)
    rows = IntentRows(checked["train"], MODALITIES)
    assert rows.feature_sizes() == {"video_feature_size": 4, "audio_feature_size": 6}
    assert [rows[index]["video_features"].shape for index in range(4)] == [(0, 4), (0, 4), (2, 4), (0, 4)]
    assert rows.coverage() == {"video": 1, "audio": 4}
    assert IntentRows(checked["train"], MODALITIES, [2, 3]).coverage() == {"video": 1, "audio": 2}
    assert warnings == ["Utterances without video features: train 3 of 4."]


def test_lists_without_any_frame_are_refused(check):
    with pytest.raises(SettingsError, match=r"train split is empty.*video out of --modalities"):
        check(make_splits(train=make_split("train", [0, 1], video=[[], []], frames=LISTS)))


def test_a_modality_that_is_left_out_is_not_checked():
    checked_splits(make_splits(test=with_value(np.nan)), ("text", "audio"))


# Commands.


def run_settings(folder, splits, *, describe=("yes", "no"), **changed) -> TrainingSettings:
    datasets.DatasetDict(splits).save_to_disk(folder / "data")
    (folder / "described.json").write_text(json.dumps({name: [f"to say {name}"] for name in describe}))
    return TrainingSettings(dataset=str(folder / "data"), label_descriptions=str(folder / "described.json"), **changed)


def test_a_run_says_it_before_anything_else(tmp_path):
    settings = run_settings(tmp_path, make_splits(test=with_value(np.nan)))
    with pytest.raises(SettingsError, match="'test-401'"):  # neither an accelerator nor a run folder is needed
        load_splits(settings)


def test_numbers_that_the_descriptions_name_otherwise_say_how_to_cast(tmp_path):
    numbers = {name: make_split(name, [0, 1], label=Value("int64")) for name in ("train", "validation", "test")}
    settings = run_settings(tmp_path, numbers, output_dir=str(tmp_path / "run"), use_cpu=True, num_train_epochs=1)
    arguments = [f"--{name}={getattr(settings, name)}" for name in ("dataset", "label_descriptions", "output_dir")]
    with pytest.raises(SettingsError, match=r"describes labels.*cast_column\(\"label\""):
        main([*arguments, "--use_cpu", "--text_model", tiny.make_text_model(tmp_path / "bert")])


def test_a_split_that_the_run_does_not_use_is_not_checked(tmp_path):
    spare = make_split("spare", [-1, -1])
    settings = run_settings(tmp_path, make_splits(test=spare, unsupervised=spare), cross_validation_folds=3)
    assert set(select_rows(load_splits(settings), settings, 1)) == {"train", "validation", "test"}


def test_no_validation_split_says_the_way_out(tmp_path):
    settings = run_settings(tmp_path, {"train": make_split("train", [0, 1])})
    with pytest.raises(SettingsError, match=r"no validation split.*column split.*train_test_split"):
        select_rows(load_splits(settings), settings, 1)


def test_utterances_for_other_commands_go_by_name_and_without_unlabelled_ones(tmp_path, caplog):
    words = make_split("train", ["no", None, "yes"], label=Value("string"))
    datasets.DatasetDict(train=words).save_to_disk(tmp_path / "data")
    inputs = read_labelled_inputs(str(tmp_path / "data"), "train", ("text",))
    assert [(one.parts["text"], one.label) for one in inputs] == [("text 0", "no"), ("text 2", "yes")]
    assert "1 of 3 utterances of the train split" in caplog.text


@pytest.mark.parametrize("model", ["amess", "text_only"])
def test_a_run_by_names_equals_the_run_of_splits_in_one_order(tmp_path, tiny_settings, model):
    """Only the order of the names, their type and rows without labels differ, so that the metrics may not."""
    plain = datasets.load_from_disk(tiny.make_dataset(tmp_path / "plain"))
    mixed = datasets.DatasetDict(plain)
    turned = ClassLabel(names=tiny.LABELS[::-1])
    mixed["validation"] = plain["validation"].map(lambda row: {"label": 2 - row["label"]}).cast_column("label", turned)
    names = [tiny.LABELS[label] for label in plain["test"]["label"]]
    mixed["test"] = plain["test"].remove_columns("label").add_column("label", names)
    extra = plain["test"].select([0]).map(lambda row: {"label": -1})
    mixed["test"] = datasets.concatenate_datasets([mixed["test"], extra.remove_columns("label")])
    mixed.save_to_disk(tmp_path / "mixed")
    results = [
        main(
            [
                *tiny_settings,
                *("--dataset", str(tmp_path / name), "--unlabelled", "leave_out", "--num_train_epochs", "2"),
                *("--model", model, "--model_config", "{}", "--output_dir", str(tmp_path / f"run-{name}")),
            ]
        )[model]
        for name in ("plain", "mixed")
    ]
    assert results[0]["test"] == results[1]["test"] and results[0]["validation"] == results[1]["validation"]
    assert results[1]["train_samples_with_features"]["video"] == 33 if model == "amess" else True


def test_the_card_says_what_the_features_cover(tmp_path, tiny_settings):
    main([*tiny_settings, "--max_steps", "1", "--output_dir", str(tmp_path / "run")])
    metrics = read_run(tmp_path / "run").metrics
    covered, card = metrics["train_samples_with_features"]["video"], (tmp_path / "run/README.md").read_text()
    assert covered == 42 - 9 and f"Video features: {covered} of these samples have any" in card
    assert "Audio features:" not in card


def test_few_matching_ids_are_told_at_every_start(tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "MIntRec2.0"
    tiny.make_released_mintrec2(folder)
    path = folder / "in-scope/video_data/swin_roi_binary.pkl"
    content = pickle.loads(path.read_bytes())
    few = dict(list(content.items())[:3])
    path.write_bytes(pickle.dumps(few))
    settings = TrainingSettings(dataset="mintrec2", data_dir=str(folder))
    for _ in range(2):
        caplog.clear()
        load_splits(settings)
        assert "without video features: train 21 of 24, validation 12 of 12, test 12 of 12" in caplog.text
