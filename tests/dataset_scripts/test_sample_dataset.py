# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import collections
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from dataset_scripts import load_intent_dataset
from dataset_scripts.labels import MINTREC_LABELS, load_label_descriptions
from dataset_scripts.sample import (
    AMPLITUDE,
    AUDIO_FRAMES,
    EXPRESSIONS,
    INTENT_EXPRESSIONS,
    SPLITS,
    TONES,
    VIDEO_FRAMES,
    read_sample,
)
from dataset_scripts.synthetic_features import orthonormal_vectors, stable_seed


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


def test_the_event_of_a_row_shows_its_own_expression_and_tone(sample):
    for modality, names, column in (("video", EXPRESSIONS, "expression"), ("audio", TONES, "tone")):
        table = orthonormal_vectors(len(names), 64, stable_seed("sample prototypes", modality))
        for row in sample["test"]:
            features = row[f"{modality}_features"]
            if len(features):
                projected = features @ table.T
                assert names[int(projected.max(axis=0).argmax())] == row[column]
                assert projected.max() > AMPLITUDE / 2


def test_lengths_are_within_their_range_and_a_few_rows_lack_one_modality(sample):
    for split, rows in sample.items():
        lengths = {
            modality: np.array([len(row[f"{modality}_features"]) for row in rows]) for modality in ("video", "audio")
        }
        for modality, (low, high) in (("video", VIDEO_FRAMES), ("audio", AUDIO_FRAMES)):
            present = lengths[modality][lengths[modality] > 0]
            assert low <= present.min() < present.max() <= high
            assert 1 <= (lengths[modality] == 0).sum() <= 0.05 * len(rows), split
        assert not ((lengths["video"] == 0) & (lengths["audio"] == 0)).any()
        absent = next(row for row in rows if not len(row["video_features"]))
        assert absent["video_features"].shape == (0, 64)


DIGEST = """
import hashlib
from dataset_scripts.sample import read_sample, sample_audio_features, sample_video_features
digest = hashlib.sha256()
for row in read_sample("test"):
    digest.update(sample_video_features(row["id"], row["expression"]).tobytes())
    digest.update(sample_audio_features(row["id"], row["tone"]).tobytes())
print(digest.hexdigest())
"""


def test_features_are_the_same_in_every_process(project, sample):
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=project,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    complete = [row for row in sample["test"] if len(row["video_features"]) and len(row["audio_features"])]
    assert len({hashlib.sha256(row["video_features"].tobytes()).digest() for row in complete}) == len(complete)


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
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        read_sample("dev")
