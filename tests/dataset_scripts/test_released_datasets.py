# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import os
import pickle

import numpy as np
import pytest

from dataset_scripts import DataDirError, FeaturePickleError, MIntRec, TsvError, UnknownLabelError, load_intent_dataset
from dataset_scripts.errors import UserError
from dataset_scripts.labels import MINTREC2_LABELS, MINTREC_LABELS


def load(name, folder, tmp_path, **options):
    return load_intent_dataset(name, data_dir=folder, cache_dir=tmp_path / "cache", **options)


def edit(path, old: str, new: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")


def test_mintrec_layout_round_trip(mintrec_dir, tmp_path, caplog):
    dataset = load("mintrec", mintrec_dir, tmp_path)
    assert {split: list(rows["id"]) for split, rows in dataset.items()} == {
        "train": ["S04_E01_1", "S04_E01_2", "S04_E02_3"],
        "validation": ["S05_E01_7"],
        "test": ["S06_E10_9"],
    }
    train = dataset["train"]
    assert train.features["label"].names == list(MINTREC_LABELS)
    assert train[0]["text"] == 'oh, "great.'
    assert MINTREC_LABELS[train[1]["label"]] == "Thank"
    assert train[2]["clip"] == "raw_data/S04/E02/3.mp4"
    np.testing.assert_array_equal(train[2]["video_features"], np.full((3, 256), 2, np.float32))
    np.testing.assert_array_equal(train[2]["audio_features"], np.full((5, 768), 2, np.float32))
    assert train[1]["video_features"].shape == (0, 256)
    assert "1 of 3 rows have no video features and get zero frames: S04_E01_2" in caplog.text
    assert "train 3 rows (published: 1334); validation 1 rows (published: 445)" in caplog.text


def test_strict_makes_an_id_without_features_an_error(mintrec_dir, tmp_path):
    with pytest.raises(FeaturePickleError) as error:
        load("mintrec", mintrec_dir, tmp_path, strict=True)
    assert "no id 'S04_E01_2'" in str(error.value)


def test_text_config_needs_no_pickles(mintrec_dir, tmp_path):
    (mintrec_dir / "video_data/video_feats.pkl").unlink()
    dataset = load("mintrec", mintrec_dir, tmp_path, config_name="text")
    assert dataset["train"].column_names == ["id", "text", "label", "clip"]


def test_feature_files_are_found_by_the_names_of_both_repositories(mintrec_dir, tmp_path):
    (mintrec_dir / "video_data/video_feats.pkl").unlink()
    swin = {"S04_E01_1": np.ones((4, 1, 1024), np.float32)}
    (mintrec_dir / "video_data/swin_feats.pkl").write_bytes(pickle.dumps(swin))
    dataset = load("mintrec", mintrec_dir, tmp_path)
    assert dataset["train"].features["video_features"].shape == (None, 1024)
    assert dataset["train"][0]["video_features"].shape == (4, 1024)


def test_two_known_feature_files_need_the_setting(mintrec_dir, tmp_path):
    swin = {"S04_E01_1": np.ones((4, 1, 1024), np.float32)}
    (mintrec_dir / "video_data/swin_feats.pkl").write_bytes(pickle.dumps(swin))
    with pytest.raises(DataDirError, match=r"several video .*video_features_file"):
        load("mintrec", mintrec_dir, tmp_path)
    dataset = load("mintrec", mintrec_dir, tmp_path, video_features_file="video_data/swin_feats.pkl")
    assert dataset["train"][0]["video_features"].shape == (4, 1024)


def test_own_feature_files_and_sizes_and_going_without(mintrec_dir, tmp_path):
    (mintrec_dir / "mine.pkl").write_bytes(pickle.dumps({"S04_E01_1": np.ones((2, 12), np.float64)}))
    options = {"video_features_file": "mine.pkl", "video_feature_size": 12, "audio_features_file": "none"}
    dataset = load("mintrec", mintrec_dir, tmp_path, **options)
    assert dataset["train"][0]["video_features"].shape == (2, 12)
    assert dataset["train"][0]["audio_features"].shape == (0, 768)
    with pytest.raises(DataDirError, match=r"audio_features_file='other\.pkl' is not in"):
        load("mintrec", mintrec_dir, tmp_path, audio_features_file="other.pkl")


def test_a_wrong_feature_size_is_an_error_that_names_file_and_id(mintrec_dir, tmp_path):
    with pytest.raises(FeaturePickleError) as error:
        load("mintrec", mintrec_dir, tmp_path, audio_feature_size=128)
    assert "Features of size 768, expected 128" in str(error.value)
    assert "audio_feats.pkl" in str(error.value)


def test_a_malicious_feature_file_stops_the_builder_and_runs_nothing(mintrec_dir, tmp_path):
    marker = tmp_path / "it-ran"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)

    (mintrec_dir / "audio_data/audio_feats.pkl").write_bytes(pickle.dumps({"S04_E01_1": Evil()}))
    with pytest.raises(FeaturePickleError) as error:
        load("mintrec", mintrec_dir, tmp_path)
    assert f"names {os.system.__module__}.system" in str(error.value)
    assert not marker.exists()


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_changed_text_file_under_the_same_path_gives_no_stale_rows(mintrec_dir, tmp_path, keep_time):
    path = mintrec_dir / "train.tsv"
    before = path.stat()
    assert load("mintrec", mintrec_dir, tmp_path)["train"][1]["text"] == "thanks!"
    edit(path, "thanks!", "thanks?")  # the same length
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load("mintrec", mintrec_dir, tmp_path)["train"][1]["text"] == "thanks?"


def test_a_changed_feature_file_under_the_same_path_gives_no_stale_rows(mintrec_dir, tmp_path):
    path = mintrec_dir / "audio_data/audio_feats.pkl"
    assert load("mintrec", mintrec_dir, tmp_path)["train"][0]["audio_features"][0, 0] == 0
    content = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps({**content, "S04_E01_1": content["S04_E01_1"] + 1}))
    assert load("mintrec", mintrec_dir, tmp_path)["train"][0]["audio_features"][0, 0] == 1


def test_unchanged_files_come_from_the_cache(mintrec_dir, tmp_path, caplog):
    load("mintrec", mintrec_dir, tmp_path)
    caplog.clear()
    load("mintrec", mintrec_dir, tmp_path)
    assert "published" not in caplog.text  # nothing was read again


def test_the_builder_can_be_used_by_itself_and_streams(mintrec_dir, tmp_path):
    builder = MIntRec(config_name="features", data_dir=str(mintrec_dir), cache_dir=str(tmp_path / "cache"))
    assert builder.feature_sizes == {"video": 256, "audio": 768}
    rows = list(builder.as_streaming_dataset(split="train"))
    assert [row["id"] for row in rows] == ["S04_E01_1", "S04_E01_2", "S04_E02_3"]
    assert np.array(rows[2]["audio_features"]).shape == (5, 768)


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("thanks!", "", TsvError, "train.tsv, line 3, column 'text': .*empty"),
        (
            "\tThank",
            "\tThankk",
            UnknownLabelError,
            "train.tsv, line 3, column 'label'.*'Thankk'.*'Thank'",
        ),
        ("\tThank", "", TsvError, "train.tsv, line 3: 4 cells where the header has 5"),
        ("thanks!", "thanks\tyou", TsvError, "train.tsv, line 3: 6 cells"),
        ("E01\t2", "E01\t1", TsvError, "train.tsv, line 3: .*'S04_E01_1'.* already in .*train.tsv, line 2"),
        ("season", "Season", TsvError, "line 1: .*no column 'season'"),
    ],
)
def test_a_malformed_row_is_refused_with_its_place(mintrec_dir, tmp_path, old, new, error, message):
    edit(mintrec_dir / "train.tsv", old, new)
    with pytest.raises(error, match=message):
        load("mintrec", mintrec_dir, tmp_path)


def test_labels_in_other_spellings_are_understood(mintrec_dir, tmp_path):
    edit(mintrec_dir / "dev.tsv", "Apologise", "apologize")
    dataset = load("mintrec", mintrec_dir, tmp_path)
    assert MINTREC_LABELS[dataset["validation"][0]["label"]] == "Apologise"


@pytest.mark.parametrize(("name", "page"), [("mintrec", "thuiar/MIntRec"), ("mintrec2", "thuiar/MIntRec2.0")])
@pytest.mark.parametrize("kind", ["none", "absent", "empty", "a file"])
def test_a_wrong_data_dir_names_the_download_and_draws_the_layout(name, page, kind, tmp_path):
    folder = {"none": None, "absent": tmp_path / "no", "empty": tmp_path, "a file": tmp_path / "file"}[kind]
    (tmp_path / "file").touch()
    with pytest.raises(DataDirError, match=f"https://github.com/{page}\n") as error:
        load(name, folder, tmp_path)
    assert "train.tsv  dev.tsv  test.tsv" in str(error.value)


def test_a_data_dir_one_level_off_names_the_right_one(mintrec_dir, mintrec2_dir, tmp_path):
    with pytest.raises(DataDirError, match=f"'{mintrec_dir}' has one"):
        load("mintrec", mintrec_dir.parent, tmp_path)
    with pytest.raises(DataDirError, match=f"'{mintrec2_dir}' has one"):
        load("mintrec2", mintrec2_dir / "in-scope", tmp_path)


def test_no_feature_files_names_those_expected_and_the_way_without(mintrec_dir, tmp_path):
    (mintrec_dir / "video_data/video_feats.pkl").unlink()
    with pytest.raises(
        DataDirError, match=r"no video features.*swin_feats\.pkl.*video_features_file='none'.*text"
    ) as error:
        load("mintrec", mintrec_dir, tmp_path)
    for option in ("--modalities text", "--dataset_options.video_features_file none"):
        assert option in str(error.value)


@pytest.mark.parametrize(
    "rename",
    [
        lambda row_id: f"{row_id}.mp4",
        str.lower,
        lambda row_id: row_id.replace("_", "/"),
        lambda row_id: f"dia{row_id}",
    ],
    ids=["file names", "lower case", "slashes", "another data set"],
)
@pytest.mark.parametrize("file", ["video_data/video_feats.pkl", "audio_data/audio_feats.pkl"])
def test_a_feature_file_of_which_no_id_matches_is_an_error_with_both_ways_of_writing(
    mintrec_dir, tmp_path, rename, file
):
    path = mintrec_dir / file
    content = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps({rename(row_id): value for row_id, value in content.items()}))
    for _ in range(2):  # nothing is left in the cache
        with pytest.raises(FeaturePickleError, match=f"{file}.*none of the 5 rows.*{rename('S04_E01_1')}.*S04_E01_1"):
            load("mintrec", mintrec_dir, tmp_path)
    assert len(load("mintrec", mintrec_dir, tmp_path, config_name="text")["train"]) == 3


def test_an_empty_feature_file_is_an_error(mintrec_dir, tmp_path):
    (mintrec_dir / "audio_data/audio_feats.pkl").write_bytes(pickle.dumps({}))
    with pytest.raises(FeaturePickleError, match="none of the 5 rows"):
        load("mintrec", mintrec_dir, tmp_path)


def test_mintrec2_in_scope(mintrec2_dir, tmp_path, caplog):
    dataset = load("mintrec2", mintrec2_dir, tmp_path)
    train = dataset["train"]
    assert list(train["id"]) == ["dia0_utt2", "dia0_utt10", "dia1_utt0"]  # in the order of dialogue and utterance
    assert train.features["label"].names == list(MINTREC2_LABELS)
    row = train[2]
    assert row["text"] == "café, déjà vu."
    assert (row["dialogue_id"], row["utterance_id"], row["speaker"], row["source"]) == (1, 0, "Ross", "friends")
    assert (row["start"], row["end"], row["clip"]) == (2.035, 69.309, "dia1_utt0.mp4")
    assert row["video_features"].shape == (1, 256) and row["audio_features"].shape == (1, 768)
    assert train[1]["video_features"].shape == (3, 256)
    assert "in-scope: The sizes differ from the published ones: train 3 rows (published: 6165)" in caplog.text
    assert "split validation: 3 of 3 rows have no video features" in caplog.text


def test_mintrec2_out_of_scope_and_all(mintrec2_dir, tmp_path):
    names = [*MINTREC2_LABELS, "UNK"]
    outside = load("mintrec2", mintrec2_dir, tmp_path, scope="out-of-scope")["train"]
    assert list(outside["id"]) == ["dia0_utt9", "dia1_utt1"]
    assert outside.features["label"].names == names and set(outside["label"][:]) == {30}
    everything = load("mintrec2", mintrec2_dir, tmp_path, scope="all")["train"]
    assert list(everything["id"]) == ["dia0_utt2", "dia0_utt9", "dia0_utt10", "dia1_utt0", "dia1_utt1"]
    assert [names[label] for label in everything["label"]] == ["Oppose", "UNK", "Greet", "Inform", "UNK"]
    assert [len(row["video_features"]) for row in everything] == [2, 1, 3, 1, 2]


def test_mintrec2_files_of_the_whole_serve_parts_without_their_own(mintrec2_dir, tmp_path):
    for part in ("in-scope", "out-of-scope/MIntRec2.0-OOD"):
        (mintrec2_dir / part / "video_data/swin_roi_binary.pkl").unlink()
    whole = {row_id: np.full((7, 1, 256), 3, np.float32) for row_id in ("dia0_utt2", "dia0_utt9")}
    (mintrec2_dir / "total/video_data").mkdir(parents=True)
    (mintrec2_dir / "total/video_data/swin_roi.pkl").write_bytes(pickle.dumps(whole))
    rows = load("mintrec2", mintrec2_dir, tmp_path, scope="all")["train"]
    assert [len(row["video_features"]) for row in rows] == [7, 7, 0, 0, 0]


def test_mintrec2_reports_a_missing_split_and_goes_on(mintrec2_dir, tmp_path, caplog):
    (mintrec2_dir / "in-scope/test.tsv").unlink()
    assert list(load("mintrec2", mintrec2_dir, tmp_path)) == ["train", "validation"]
    assert "in-scope lacks test.tsv" in caplog.text
    caplog.clear()
    assert list(load("mintrec2", mintrec2_dir, tmp_path, scope="all")) == ["train", "validation"]
    assert "split test has only out-of-scope" in caplog.text


def test_mintrec2_without_the_out_of_scope_part_says_so(mintrec2_dir, tmp_path):
    (mintrec2_dir / "out-of-scope").rename(tmp_path / "elsewhere")
    with pytest.raises(DataDirError, match=r"scope='all' needs .*MIntRec2.0-OOD(?s:.*)https://github.com"):
        load("mintrec2", mintrec2_dir, tmp_path, scope="all")
    assert list(load("mintrec2", mintrec2_dir, tmp_path)) == ["train", "validation", "test"]


def test_mintrec2_reports_a_bad_timestamp_and_keeps_the_row(mintrec2_dir, tmp_path, caplog):
    edit(mintrec2_dir / "in-scope/dev.tsv", "no!\tOppose\t00:00:02,035", "no!\tOppose\t65")
    rows = load("mintrec2", mintrec2_dir, tmp_path, config_name="text")["validation"]
    assert [row["start"] for row in rows] == [None, 2.035, 2.035]
    assert "dev.tsv, line 3, column 'Start_timestamp': '65' is not a timestamp" in caplog.text


@pytest.mark.parametrize(
    ("part", "old", "new", "error", "message"),
    [
        ("in-scope", "\tOppose\t", "\tUNK\t", UnknownLabelError, "line 3, column 'Label'.*means out of scope"),
        ("in-scope", "0\t2\tno!", "zero\t2\tno!", TsvError, "line 3, column 'Dialogue_id': 'zero' is not a number"),
        ("in-scope", "no!", " ", TsvError, "line 3, column 'Text': .*empty"),
        ("out-of-scope/MIntRec2.0-OOD", "\tUNK\t", "\tGreet\t", UnknownLabelError, "'Greet'"),
        ("out-of-scope/MIntRec2.0-OOD", "0\t9\t", "0\t10\t", TsvError, "'dia0_utt10'.* already in .*in-scope"),
    ],
)
def test_mintrec2_malformed_rows_are_refused_with_their_place(mintrec2_dir, tmp_path, part, old, new, error, message):
    edit(mintrec2_dir / part / "train.tsv", old, new)
    with pytest.raises(error, match=message):
        load("mintrec2", mintrec2_dir, tmp_path, scope="all", config_name="text")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mintrec2.0"}, "data set 'mintrec2.0'.*'mintrec2'"),
        ({"name": "sample", "config_name": "feature"}, "configuration 'feature'.*'features'"),
        ({"name": "sample", "strict": True}, "sample has no option 'strict'"),
        ({"name": "sample", "scope": "all"}, "scope='all' is for mintrec2 only"),
        ({"name": "mintrec", "video_file": "x"}, "option 'video_file'.*'video_features_file'"),
        ({"name": "planted", "generators": "x"}, "option 'generators'.*'generator'"),
        ({"name": "planted", "texts": "mintrec2"}, "source of texts 'mintrec2'.*'mintrec'"),
    ],
)
def test_unknown_names_and_options_name_the_nearest(arguments, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load_intent_dataset(**arguments, cache_dir=tmp_path)


def test_an_unknown_scope_is_refused(mintrec2_dir, tmp_path):
    with pytest.raises(UserError, match=r"scope 'some'.*in-scope, out-of-scope, all"):
        load("mintrec2", mintrec2_dir, tmp_path, scope="some")


@pytest.fixture
def real_data(project):
    folder = project.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip("the real MIntRec files are not at ../shared/data")
    return folder


def test_real_mintrec_has_the_published_sizes_and_class_counts(real_data, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        dataset = load("mintrec", real_data / "mintrec", tmp_path, config_name="text")
    assert caplog.text == ""
    assert {split: len(rows) for split, rows in dataset.items()} == {"train": 1334, "validation": 445, "test": 445}
    counts = {split: np.bincount(rows["label"][:], minlength=20).tolist() for split, rows in dataset.items()}
    assert counts == {
        "train": [172, 127, 82, 74, 70, 35, 38, 32, 31, 31, 52, 57, 170, 73, 66, 63, 51, 43, 36, 31],
        "validation": [57, 43, 27, 25, 24, 12, 12, 10, 10, 10, 18, 19, 57, 24, 22, 21, 17, 15, 12, 10],
        "test": [57, 43, 27, 25, 23, 12, 12, 10, 10, 10, 18, 19, 57, 25, 22, 21, 17, 15, 12, 10],
    }


def test_real_mintrec2_has_the_published_sizes_and_one_bad_timestamp(real_data, tmp_path, caplog):
    dataset = load("mintrec2", real_data / "mintrec2.0", tmp_path, config_name="text")
    assert len(dataset["train"]) == 6165 and len(dataset["validation"]) == 1106
    assert "published" not in caplog.text
    assert caplog.text.count("is not a timestamp") == 1 and "dev.tsv, line 1037" in caplog.text
    unknown = [row["id"] for row in dataset["validation"] if row["start"] is None]
    assert unknown == ["dia1267_utt3"]
    assert "\ue559" in next(row["text"] for row in dataset["train"] if row["id"] == "dia337_utt3")
    assert dataset["train"]["dialogue_id"][:] == sorted(dataset["train"]["dialogue_id"][:])


def test_planted_over_real_texts(real_data, tmp_path):
    splits = load("planted", real_data / "mintrec", tmp_path)
    assert splits["train"][0]["text"] and len(splits["test"]) > 420
    noise = load("planted", real_data / "mintrec", tmp_path, generator="noise")
    assert [len(rows) for rows in noise.values()] == [1334, 445, 445]


def make_clips(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"a clip")


def test_mintrec_clips_hold_paths_that_exist_and_absent_ones_are_counted(mintrec_dir, tmp_path, caplog):
    make_clips(mintrec_dir, "raw_data/S04/E01/1.mp4", "raw_data/S04/E02/3.mp4", "raw_data/S05/E01/7.mp4")
    dataset = load("mintrec", mintrec_dir, tmp_path, config_name="clips")
    assert dataset["train"].column_names == ["id", "text", "label", "clip"]
    assert dataset["train"]["clip"][:] == [
        str(mintrec_dir / "raw_data/S04/E01/1.mp4"),
        None,
        str(mintrec_dir / "raw_data/S04/E02/3.mp4"),
    ]
    assert "split train: 1 of 3 rows have no clip (column clip is None): S04_E01_2" in caplog.text
    assert "split test: 1 of 1 rows have no clip" in caplog.text
    # A clip that is added later is found, although text files and path are the same.
    make_clips(mintrec_dir, "raw_data/S04/E01/2.mp4")
    assert None not in load("mintrec", mintrec_dir, tmp_path, config_name="clips")["train"]["clip"][:]


@pytest.mark.parametrize("folder", ["raw_data", "in-scope/raw_data"])
def test_mintrec2_clips_are_found_in_one_folder_or_in_each_part(mintrec2_dir, tmp_path, folder, caplog):
    make_clips(mintrec2_dir / folder, "dia0_utt2.mp4", "dia0_utt10.mp4", "dia1_utt0.mp4")
    make_clips(mintrec2_dir / folder.replace("in-scope", "out-of-scope/MIntRec2.0-OOD"), "dia0_utt9.mp4")
    train = load("mintrec2", mintrec2_dir, tmp_path, config_name="clips", scope="all")["train"]
    found = dict(zip(train["id"], train["clip"], strict=True))
    assert found.pop("dia1_utt1") is None
    assert found.keys() == {"dia0_utt2", "dia0_utt9", "dia0_utt10", "dia1_utt0"}
    assert all(os.path.isfile(path) and path.endswith(f"/{row_id}.mp4") for row_id, path in found.items())
    assert "MIntRec2.0, split train: 1 of 5 rows have no clip" in caplog.text


@pytest.mark.parametrize("name", ["mintrec", "mintrec2"])
def test_a_release_without_videos_says_where_they_are_expected(name, request, tmp_path):
    folder = request.getfixturevalue(f"{name}_dir")
    with pytest.raises(DataDirError, match=r"needs the clips.*raw_data"):
        load(name, folder, tmp_path, config_name="clips")


def test_the_planted_benchmark_has_no_clips():
    with pytest.raises(ValueError, match="no clips"):
        load_intent_dataset("planted", config_name="clips")
