# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which clips are extracted: folders, TSV and CSV files, released data sets."""

from __future__ import annotations

import os
import sys

import pytest

from dataset_scripts import ClipRowsError, TsvError
from dataset_scripts.extraction.rows import load_dataset_clips, read_clip_rows


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"a clip")


def test_a_folder_gives_its_clips_by_their_stems_with_subfolders(tmp_path):
    touch(tmp_path, "b.mp4", "a.WEBM", "S04/E01/1.mp4", "S05/E01/1.mp4", "notes.txt")
    clips = read_clip_rows(tmp_path)
    assert [(row["id"], row["clip"]) for row in clips.rows] == [
        ("S04/E01/1", "S04/E01/1.mp4"),
        ("S05/E01/1", "S05/E01/1.mp4"),
        ("a", "a.WEBM"),
        ("b", "b.mp4"),
    ]
    assert {row["split"] for row in clips.rows} == {"train"}
    assert clips.labels is None


def test_two_clips_of_one_id_are_refused(tmp_path):
    touch(tmp_path, "a.mp4", "a.webm")
    with pytest.raises(ClipRowsError, match=r"id 'a' .*a.mp4 and a.webm"):
        read_clip_rows(tmp_path)


def test_names_of_systems_are_no_clips(tmp_path):
    touch(tmp_path, "a.mp4", "._a.mp4", ".Trash-1000/b.mp4", "__MACOSX/c.mp4", "x/.ipynb_checkpoints/d.mp4")
    touch(tmp_path, "@eaDir/e.mp4", "$RECYCLE.BIN/f.mp4")
    assert [row["id"] for row in read_clip_rows(tmp_path).rows] == ["a"]
    touch(tmp_path / ".hidden", "g.mp4")  # a folder that the user names
    assert [row["id"] for row in read_clip_rows(tmp_path / ".hidden").rows] == ["g"]


def test_a_link_to_an_absent_file_is_not_left_out_in_silence(tmp_path):
    touch(tmp_path, "a.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "nowhere.mp4")  # as git-annex leaves them
    assert [row["id"] for row in read_clip_rows(tmp_path).rows] == ["a", "b"]


def test_the_sound_beside_a_video_is_no_clip_of_its_own_and_is_told_once(tmp_path, caplog):
    touch(tmp_path, "a.mp4", "a.wav", "a.m4a", "b.MKV", "b.flac", "c.wav", "d/a.wav")
    assert [row["clip"] for row in read_clip_rows(tmp_path).rows] == ["a.mp4", "b.MKV", "c.wav", "d/a.wav"]
    assert len(caplog.messages) == 1 and "3 files, such as a.m4a" in caplog.messages[0]


def test_files_that_are_passed_over_are_counted_by_ending(tmp_path, caplog):
    touch(tmp_path, "a.mp4", "a.txt", "b.xyz", "c.XYZ", "README")
    assert len(read_clip_rows(tmp_path).rows) == 1
    assert len(caplog.messages) == 1 and "4 files" in caplog.messages[0] and "2 .xyz" in caplog.messages[0]


def test_cameras_messengers_and_recorders_write_clips(tmp_path, caplog):
    names = ["1.oga", "2.amr", "3.MTS", "4.m2ts", "5.aiff", "6.wma", "7.gif", "8.mka", "9.3g2", "a.caf"]
    touch(tmp_path, *names)
    assert sorted(row["clip"] for row in read_clip_rows(tmp_path).rows) == sorted(names)
    assert not caplog.messages


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_unicode_is_told_and_stops_no_folder(tmp_path, caplog):
    touch(tmp_path, "é.mp4", os.fsdecode(b"caf\xe9.mp4"))
    assert [row["id"] for row in read_clip_rows(tmp_path).rows] == ["é"]
    assert len(caplog.messages) == 1 and "caf\\udce9.mp4" in caplog.messages[0]


def test_labels_that_differ_in_case_blanks_or_unicode_form_are_told(tmp_path, caplog):
    labels = ["Praise", "praise", "Praise ", "Make fun", "Makefun", "Caf\u00e9", "Cafe\u0301", "Agree"]
    path = tmp_path / "clips.tsv"
    rows = "".join(f"{n}.mp4\t{label}\n" for n, label in enumerate(labels))
    path.write_text("clip\tlabel\n" + rows, encoding="utf-8")
    assert len(read_clip_rows(path).labels) == 7
    assert len(caplog.messages) == 3
    assert all("clips.tsv" in message for message in caplog.messages)
    assert sum("'Praise' and 'praise'" in message for message in caplog.messages) == 1


def test_a_tsv_gives_every_column(tmp_path):
    path = tmp_path / "clips.tsv"
    path.write_text('clip\ttext\tlabel\tsplit\tspeaker\nx/1.mp4\t"hi\tGreet\ttrain\tAmy\n2.mp4\t\tAgree\tdev\tBo\n')
    clips = read_clip_rows(path)
    assert clips.rows[0] == {
        "id": "x/1",
        "clip": "x/1.mp4",
        "text": '"hi',
        "label": "Greet",
        "split": "train",
        "speaker": "Amy",
    }
    assert clips.rows[1]["split"] == "validation"
    assert clips.labels == ("Agree", "Greet")
    assert clips.root == tmp_path


def test_a_csv_has_commas_and_quotes(tmp_path):
    path = tmp_path / "clips.csv"
    path.write_text('id,clip,text\n7,a.mp4,"oh, ""great"""\n')
    assert read_clip_rows(path).rows == [{"id": "7", "clip": "a.mp4", "text": 'oh, "great"', "split": "train"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\nhello\n", "no column 'clip'"),
        ("clip\n", "no rows"),
        ("clip\tlabel\na.mp4\t\n", "line 2, column 'label': .*empty"),
        ("clip\tsplit\na.mp4\t../up\n", "line 2, column 'split': '../up'"),
        ("id\tclip\n1\ta.mp4\n1\tb.mp4\n", "id '1' .line 2 and line 3.*column id"),
        ("clip\ttext\na.mp4\toh\na.mp4\tno\n", "id 'a' .line 2 and line 3.*column id"),
        ("clip\n.\n", "line 2, column 'clip': '.'"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(tmp_path, content, message):
    path = tmp_path / "clips.tsv"
    path.write_text(content)
    with pytest.raises((ClipRowsError, TsvError), match=message):
        read_clip_rows(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("empty", "holds no clips"), ("one.mp4", "a single clip"), ("absent", "neither a folder of clips nor")],
)
def test_what_names_no_clips_is_refused(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "one.mp4")
    with pytest.raises(ClipRowsError, match=message):
        read_clip_rows(tmp_path / name)


def test_a_released_data_set_gives_its_clips_with_labels_in_their_order(mintrec_dir, tmp_path):
    touch(mintrec_dir, "raw_data/S04/E01/1.mp4", "raw_data/S04/E02/3.mp4")
    clips = load_dataset_clips("mintrec", mintrec_dir, cache_dir=tmp_path / "cache")
    assert [(row["split"], row["id"], row["clip"]) for row in clips.rows] == [
        ("train", "S04_E01_1", "raw_data/S04/E01/1.mp4"),
        ("train", "S04_E01_2", None),
        ("train", "S04_E02_3", "raw_data/S04/E02/3.mp4"),
        ("validation", "S05_E01_7", None),
        ("test", "S06_E10_9", None),
    ]
    assert clips.rows[0]["label"] == "Complain" and clips.labels[0] == "Complain"
    assert clips.dataset == "mintrec"
