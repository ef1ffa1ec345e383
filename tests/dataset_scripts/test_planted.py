# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import collections
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from dataset_scripts import load_intent_dataset
from dataset_scripts.labels import MINTREC_LABELS, UnknownLabelError
from dataset_scripts.planted import (
    GENERATORS,
    GROUP_NAMES,
    MARKER_WORDS,
    PLANTED_GROUPS,
    PlantedDataset,
    PlantedSettings,
    planted_accuracies,
)


BITS = {label: (place >> 1, place & 1) for group in PLANTED_GROUPS for place, label in enumerate(group)}
GROUP = {label: number for number, group in enumerate(PLANTED_GROUPS) for label in group}
TEXTS = [(f"id{n}", f"text {n}", MINTREC_LABELS[n % 20]) for n in range(200)]


def planted(split="train", rows=TEXTS, **options) -> PlantedDataset:
    return PlantedDataset(split, rows, PlantedSettings(**options))


def same(row, other) -> bool:
    return all(np.array_equal(row[key], other[key]) for key in row)


def bit(dataset, label: int, modality: str) -> int:
    return BITS[MINTREC_LABELS[label]][modality == "audio"]


def test_groups_hold_every_intent_once():
    assert sorted(label for group in PLANTED_GROUPS for label in group) == sorted(MINTREC_LABELS)


@pytest.mark.parametrize("generator", GENERATORS)
def test_rows_are_a_pure_function_of_seed_epoch_and_index(generator):
    dataset, again = planted(generator=generator), planted(generator=generator)
    first = dataset[7]
    for index in (3, 9, 7):  # the order of reading does not matter
        again[index]
    assert same(again[7], first)
    dataset.set_epoch(5)
    dataset[0]
    dataset.set_epoch(0)
    assert same(dataset[7], first)
    assert not same(planted(generator=generator, seed=1)[7], first)
    assert same(dataset[-1], dataset[len(dataset) - 1])
    with pytest.raises(IndexError):
        dataset[len(dataset)]


@pytest.mark.parametrize("generator", ["groups", "token_cue", "order_cue"])
def test_train_pairs_texts_and_labels_anew_every_epoch_within_the_group(generator):
    dataset = planted(generator=generator)
    seen = collections.defaultdict(set)
    for epoch in range(30):
        dataset.set_epoch(epoch)
        for index in range(20):
            clip = dataset.clip(index)
            assert GROUP[MINTREC_LABELS[clip.label]] == GROUP[TEXTS[index][2]]
            seen[index].add(clip.label)
    assert all(len(labels) == 4 for labels in seen.values())


@pytest.mark.parametrize("split", ["validation", "test"])
def test_other_splits_are_the_same_in_every_epoch_and_differ_from_each_other(split):
    dataset = planted(split)
    first = dataset[3]
    dataset.set_epoch(4)
    assert same(dataset[3], first)
    assert not same(planted("train")[3], first)


def test_fixed_clips_keep_label_and_frames_and_change_the_text_within_the_group():
    dataset = planted(fresh_clips=False)
    group_of_text = {text: GROUP[label] for _, text, label in TEXTS}
    first = dataset[11]
    texts = set()
    for epoch in range(1, 6):
        dataset.set_epoch(epoch)
        row = dataset[11]
        assert row["label"] == first["label"]
        np.testing.assert_array_equal(row["video_features"], first["video_features"])
        assert group_of_text[row["text"]] == group_of_text[first["text"]]
        texts.add(row["text"])
    assert len(texts) > 2


@pytest.mark.parametrize("generator", ["groups", "token_cue"])
def test_every_clip_shows_both_prototypes_and_every_cue_equally_often(generator):
    dataset = planted(generator=generator)
    for index in range(len(dataset)):
        clip = dataset.clip(index)
        for modality in ("video", "audio"):
            events = getattr(clip, f"{modality}_events")
            shown = collections.Counter(vector for event in events for vector in event.vectors)
            assert shown[0] == shown[1] == len(events) // 2
            assert all(shown[vector] == 1 for vector in range(2, 2 + dataset.settings.num_cues))
            frames = [f for event in events for f in range(event.start, event.start + event.length)]
            assert len(frames) == len(set(frames))
            assert min(frames) >= 0 and max(frames) < getattr(clip, f"{modality}_length")
            assert events[0].vectors[1] == bit(dataset, clip.label, modality)


@pytest.mark.parametrize("generator", ["groups", "token_cue"])
@pytest.mark.parametrize("modality", ["video", "audio"])
def test_the_mean_over_time_tells_nothing_of_the_bit_and_the_cued_frames_tell_it(generator, modality):
    dataset = planted(generator=generator, rows_per_text=5)
    rows = [dataset[index] for index in range(len(dataset))]
    bits = np.array([bit(dataset, row["label"], modality) for row in rows])
    means = np.stack([row[f"{modality}_features"].mean(axis=0) for row in rows])
    score = cross_val_score(LogisticRegression(C=0.1), means, bits, cv=5).mean()
    assert score == pytest.approx(0.5, abs=0.06)

    table = dataset.table(modality)
    found = []
    for row in rows:
        slot = MARKER_WORDS.index(row["text"].split(":")[0]) if generator == "token_cue" else 0
        frames = row[f"{modality}_features"]
        length = dataset.settings.event_length(modality)
        cue = np.convolve(frames @ table[2 + slot], np.ones(length), mode="valid")
        window = frames[cue.argmax() : cue.argmax() + length].mean(axis=0)
        found.append(int(window @ table[1] > window @ table[0]))
    assert (np.array(found) == bits).mean() > 0.97


def test_in_token_cue_the_events_without_the_text_tell_nothing():
    dataset = planted(generator="token_cue", rows_per_text=5)
    agree = []
    for index in range(len(dataset)):
        clip = dataset.clip(index)
        by_slot = {event.vectors[0] - 2: event.vectors[1] for event in clip.video_events}
        agree.append(by_slot[0] == bit(dataset, clip.label, "video"))  # always reading the first slot
    # Right when slot 0 counts (1 in 6), else by chance: 2 of the 5 others share the bit.
    assert np.mean(agree) == pytest.approx(1 / 6 + 5 / 6 * 2 / 5, abs=0.05)


def test_token_cue_puts_the_marker_word_of_the_slot_before_the_text():
    dataset = planted(generator="token_cue")
    words = collections.Counter()
    for index in range(len(dataset)):
        clip = dataset.clip(index)
        word, text = clip.text.split(": ", 1)
        assert text == TEXTS[index][1]
        assert MARKER_WORDS.index(word) == clip.video_events[0].vectors[0] - 2 == clip.audio_events[0].vectors[0] - 2
        words[word] += 1
    assert set(words) == set(MARKER_WORDS[:6])


def test_text_is_capped_at_one_label_in_four():
    dataset = planted("test", [(f"id{n}", "sorry.", "Thank") for n in range(2000)])
    labels = [dataset.clip(index).label for index in range(2000)]
    counts = collections.Counter(MINTREC_LABELS[label] for label in labels)
    assert set(counts) == set(PLANTED_GROUPS[2])
    assert max(counts.values()) / 2000 < 0.29


def test_noise_keeps_the_real_labels_and_has_no_events_and_belongs_to_the_id():
    train, test = planted(generator="noise"), planted("test", generator="noise")
    for index in (0, 5):
        assert same(train[index], test[index])
        assert train[index]["label"] == MINTREC_LABELS.index(TEXTS[index][2])
        assert train.clip(index).video_events == train.clip(index).audio_events == ()
    train.set_epoch(3)
    assert same(train[0], test[0])
    frames = np.concatenate([train[index]["audio_features"] for index in range(30)])
    assert abs(frames.mean()) < 0.01 and abs(frames.std() - 1) < 0.01


def test_lengths_and_sizes_follow_the_settings():
    dataset = planted(max_video_length=40, max_audio_length=90, video_feature_size=32, audio_feature_size=16)
    shapes = [
        (row["video_features"].shape, row["audio_features"].shape) for row in map(dataset.__getitem__, range(100))
    ]
    assert {size for (_, size), _ in shapes} == {32} and {size for _, (_, size) in shapes} == {16}
    lengths = [video for (video, _), _ in shapes]
    assert 14 <= min(lengths) < 18 and 36 < max(lengths) <= 40


def test_a_text_of_several_groups_is_left_out_except_in_noise():
    rows = [
        ("a", "oh, great.", "Complain"),
        ("b", "oh, great.", "Praise"),
        ("c", "hi.", "Greet"),
        ("d", "hi.", "Leave"),
    ]
    assert len(planted(rows=rows)) == 2
    assert len(planted(rows=rows, generator="noise")) == 4


def test_rows_per_text_multiplies_train_with_ids_of_its_own():
    dataset = planted(rows_per_text=3)
    assert len(dataset) == 600 and len({dataset[index]["id"] for index in range(600)}) == 600
    assert len(planted("test", rows_per_text=3)) == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generator": "group"}, "generator 'group'"),
        ({"min_length_fraction": 0.0}, "min_length_fraction"),
        ({"num_slots": 5}, "num_slots.* even"),
        ({"generator": "noise", "named_groups": True}, "named_groups"),
        ({"rows_per_text": 0}, "rows_per_text"),
        ({"max_video_length": 10}, "video clip has 4 frames.* 8"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PlantedSettings(**options)


def test_unknown_labels_and_no_texts_are_refused():
    with pytest.raises(UnknownLabelError, match=r"'Greett'.*'Greet'"):
        planted(rows=[("a", "hi.", "Greett")])
    with pytest.raises(ValueError, match="no texts"):
        planted(rows=[])


def test_too_small_frames_for_the_prototypes_are_refused():
    with pytest.raises(ValueError, match="8 distinct prototypes and cues do not fit into features of size 4"):
        planted(generator="token_cue", video_feature_size=4)


def test_over_the_sample_texts_by_name(shared_cache):
    splits = load_intent_dataset("planted", cache_dir=shared_cache, generator="token_cue", seed=3)
    assert list(splits) == ["train", "validation", "test"]
    assert splits["train"].column_names == ["id", "text", "label", "video_features", "audio_features"]
    assert splits["train"].features["label"].names == list(MINTREC_LABELS)
    assert list(splits["train"][0]) == splits["train"].column_names
    text = load_intent_dataset("planted", config_name="text", cache_dir=shared_cache, generator="token_cue", seed=3)
    assert text["test"][2] == {key: splits["test"][2][key] for key in ("id", "text", "label")}


def test_rows_are_the_same_in_every_process(project):
    code = (
        "import hashlib; from dataset_scripts.planted import PlantedDataset as P, PlantedSettings as S\n"
        "d = P('train', [('a', 'hi.', 'Greet'), ('b', 'no.', 'Oppose')], S(seed=5)); d.set_epoch(2)\n"
        "print([(r['label'], hashlib.md5(r['video_features'].tobytes() + r['audio_features'].tobytes()).hexdigest())"
        " for r in (d[0], d[1])])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=project,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_a_row_takes_about_a_millisecond():
    dataset = planted(generator="token_cue")
    times = []
    for index in range(200):
        start = time.perf_counter()
        dataset[index]
        times.append(time.perf_counter() - start)
    assert np.median(times) < 3e-3  # 0.4 ms on one idle core; the margin is for a busy machine


@settings(max_examples=50, deadline=None)
@given(pairs=st.lists(st.tuples(*[st.sampled_from(MINTREC_LABELS)] * 2), min_size=1, max_size=30))
def test_the_accuracy_taken_apart(pairs):
    labels, predictions = zip(*pairs, strict=True)
    found = planted_accuracies(labels, predictions)
    right = np.array([(GROUP[a] == GROUP[b], *np.equal(BITS[a], BITS[b])) for a, b in pairs])
    np.testing.assert_allclose([*found.values()], right.mean(axis=0))
    # A label is right where its three parts are.
    assert np.mean([a == b for a, b in pairs]) == pytest.approx(right.all(axis=1).mean())
    assert [*found] == ["group_accuracy", "video_bit_accuracy", "audio_bit_accuracy"]


@pytest.mark.parametrize("modality", ["video", "audio"])
def test_in_order_cue_the_earlier_event_shows_the_bit_and_a_set_of_frames_tells_nothing(modality):
    dataset = planted(generator="order_cue", rows_per_text=3)
    for index in range(len(dataset)):
        clip = dataset.clip(index)
        first, second = getattr(clip, f"{modality}_events")
        assert first.start + first.length <= second.start
        assert (first.vectors, second.vectors) in [((0,), (1,)), ((1,), (0,))]
        assert first.vectors[0] == bit(dataset, clip.label, modality)
    # With the events in reverse order the frames are the same set, and the bit is the other one.
    rows = [dataset[index] for index in range(len(dataset))]
    bits = [bit(dataset, row["label"], modality) for row in rows]
    sorted_frames = np.stack(
        [np.sort(row[f"{modality}_features"] @ dataset.table(modality).T, axis=0)[-8:].ravel() for row in rows]
    )
    assert cross_val_score(
        LogisticRegression(C=0.01, max_iter=1000), sorted_frames, bits, cv=5
    ).mean() == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("generator", ["groups", "token_cue", "order_cue"])
def test_a_text_may_name_its_group_and_nothing_else(generator):
    dataset = planted(generator=generator, named_groups=True)
    texts = collections.defaultdict(set)
    for index in range(len(dataset)):
        clip = dataset.clip(index)
        texts[GROUP[MINTREC_LABELS[clip.label]]].add(clip.text.split(": ", 1)[-1])
    assert all(len(found) == 1 for found in texts.values()) and len(texts) == len(PLANTED_GROUPS)
    assert all(GROUP_NAMES[group] in found.pop() for group, found in texts.items())
    assert dataset[0]["text"] == dataset.clip(0).text
