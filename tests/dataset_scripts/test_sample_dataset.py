# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import collections
import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dataset_scripts import load_intent_dataset
from dataset_scripts.describing.prompt import normalized
from dataset_scripts.labels import MINTREC_LABELS, load_label_descriptions
from dataset_scripts.sample.clips import event_of
from dataset_scripts.sample.features import PREPARED_FILE
from dataset_scripts.sample.rows import EXPRESSIONS, INTENT_EXPRESSIONS, SPLITS, TONES, read_sample
from dataset_scripts.sample.voice import speech_of


@pytest.fixture(scope="module")
def sample(shared_cache):
    return load_intent_dataset("sample", cache_dir=shared_cache)


def test_sizes_and_columns(sample):
    assert {split: len(rows) for split, rows in sample.items()} == {"train": 334, "validation": 83, "test": 83}
    row = sample["train"][0]
    assert set(row) >= {"id", "text", "label", "expression", "tone", "video_features", "audio_features"}
    assert row["video_features"].dtype == row["audio_features"].dtype == np.float32
    assert sample["train"].features["label"].names == list(MINTREC_LABELS)


def test_no_text_is_in_two_splits_and_no_row_occurs_twice():
    texts = {split: [row["text"] for row in read_sample(split)] for split in SPLITS}
    for split in SPLITS:
        for other in SPLITS:
            assert split == other or not set(texts[split]) & set(texts[other])
        pairs = [(row["text"], row["label"]) for row in read_sample(split)]
        assert len(pairs) == len(set(pairs))
    ids = [row["id"] for split in SPLITS for row in read_sample(split)]
    assert len(ids) == len(set(ids))


def test_no_description_is_one_of_its_texts():
    descriptions = load_label_descriptions("sample", 13)
    described = {normalized(text) for sentences in descriptions.values() for text in sentences}
    assert not described & {normalized(row["text"]) for split in SPLITS for row in read_sample(split)}


@pytest.mark.parametrize("split", SPLITS)
def test_every_intent_is_in_every_split(split):
    counts = collections.Counter(row["label"] for row in read_sample(split))
    assert set(counts) == set(MINTREC_LABELS)
    assert min(counts.values()) >= 3


@pytest.mark.parametrize("split", SPLITS)
def test_two_rows_in_five_are_ambiguous_in_text_alone_and_told_apart_by_face_and_voice(split):
    rows = collections.defaultdict(list)
    for row in read_sample(split):
        rows[row["text"]].append(row)
    ambiguous = [group for group in rows.values() if len(group) > 1]
    assert sum(map(len, ambiguous)) / sum(map(len, rows.values())) == pytest.approx(0.4, abs=0.03)
    for group in ambiguous:
        assert 2 <= len(group) <= 4
        assert len({row["label"] for row in group}) == len(group)
        assert len({(row["expression"], row["tone"]) for row in group}) == len(group)
        assert not any(row["missing"] for row in group)


def test_neither_face_nor_voice_nor_both_together_tell_the_intent():
    pairs = set(INTENT_EXPRESSIONS.values())
    assert list(INTENT_EXPRESSIONS) == list(MINTREC_LABELS)
    assert len(pairs) == 12
    assert {expression for expression, _ in pairs} == set(EXPRESSIONS)
    assert {tone for _, tone in pairs} == set(TONES)


def test_texts_are_short_lower_case_speech():
    for split in SPLITS:
        for row in read_sample(split):
            assert row["text"] == row["text"].lower().strip()
            assert 1 <= len(row["text"].split()) <= 20


def test_lengths_are_those_of_the_clips_and_a_few_rows_lack_one_modality(sample):
    missing = {row["id"]: row["missing"] for split in SPLITS for row in read_sample(split)}
    durations = {row["id"]: speech_of(row).duration for split in SPLITS for row in read_sample(split)}
    for split, rows in sample.items():
        for modality, rate in (("video", 6.0), ("audio", 12.5)):
            assert 1 <= sum(missing[row_id] == modality for row_id in rows["id"]) <= 0.05 * len(rows), split
            for row in rows:
                features = row[f"{modality}_features"]
                assert features.shape[1] == 64
                if missing[row["id"]] == modality:
                    assert len(features) == 0
                else:
                    assert len(features) == pytest.approx(durations[row["id"]] * rate, abs=2.5)


def event_frames(row) -> np.ndarray:
    """The frames in which a row's expression is fully there."""
    start, end = event_of(row["id"], speech_of(row).duration)
    times = np.arange(len(row["video_features"])) / 6.0
    return row["video_features"][(times >= start) & (times <= end)]


def spoken_steps(row) -> np.ndarray:
    """The steps in which a row's voice is heard."""
    speech = speech_of(row)
    times = (np.arange(len(row["audio_features"])) + 0.5) * 0.08
    heard = (times > speech.start) & (times < speech.end)
    return row["audio_features"][heard]


@pytest.mark.parametrize(
    "column, names, read", [("expression", EXPRESSIONS, event_frames), ("tone", TONES, spoken_steps)]
)
def test_a_linear_layer_reads_the_expression_and_the_tone_from_the_features(sample, column, names, read):
    def frames_and_rows(split):
        parts = [(read(row), names.index(row[column])) for row in sample[split]]
        return [(frames, name) for frames, name in parts if len(frames)]

    train, test = frames_and_rows("train"), frames_and_rows("test")
    probe = LogisticRegression(max_iter=300).fit(
        np.concatenate([frames for frames, _ in train]),
        np.concatenate([np.full(len(frames), name) for frames, name in train]),
    )
    single = np.concatenate([probe.predict(frames) == name for frames, name in test])
    whole = [probe.predict_log_proba(frames).sum(0).argmax() == name for frames, name in test]
    # The face is drawn alike for everybody; the voices of the test split are of speakers that no training clip has.
    assert np.mean(single) > (0.9 if column == "expression" else 0.65)
    assert np.mean(whole) > (0.95 if column == "expression" else 0.82)


def test_features_are_standardised_and_small_on_disk(sample):
    for modality in ("video", "audio"):
        frames = np.concatenate([row[f"{modality}_features"] for row in sample["train"]])
        np.testing.assert_allclose(frames.mean(0), 0, atol=0.05)
        np.testing.assert_allclose(frames.std(0), 1, atol=0.05)
    assert PREPARED_FILE.stat().st_size < 3.2e6


def test_text_config_has_no_features(shared_cache):
    sample = load_intent_dataset("sample", config_name="text", cache_dir=shared_cache)
    assert {"id", "text", "label"} <= set(sample["test"].column_names)
    assert not any("features" in column for column in sample["test"].column_names)


@pytest.mark.parametrize("name", ["sample", "planted", "mintrec", "mintrec2"])
def test_label_descriptions_config_has_one_row_a_label(shared_cache, name):
    rows = load_intent_dataset(name, config_name="label_descriptions", cache_dir=shared_cache)["train"]
    assert rows.column_names == ["label", "description_1", "description_2", "description_3"]
    assert {row["label"]: [row[f"description_{n}"] for n in (1, 2, 3)] for row in rows} == load_label_descriptions(
        name
    )


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split 'dev'"):
        read_sample("dev")


def test_the_demos_examples_are_whole_clips_of_the_test_split_with_texts_that_leave_the_intent_open(project):
    folder = project / "space" / "examples"
    examples = json.loads((folder / "examples.json").read_text())
    rows = {row["id"]: row for row in read_sample("test")}
    assert len(examples) == 10
    assert sorted(example["file"] for example in examples) == sorted(path.name for path in folder.glob("*.mp4"))
    for example in examples:
        row = rows[example["file"].removesuffix(".mp4")]
        assert (row["text"], row["label"], row["missing"]) == (example["text"], example["label"], "")
        # `amess predict` finds the text of a clip beside it.
        assert (folder / example["file"]).with_suffix(".txt").read_text().strip() == example["text"]
    texts = collections.Counter(example["text"] for example in examples)
    assert sum(count for count in texts.values() if count > 1) >= 6
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2e6
