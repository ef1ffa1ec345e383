# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Laws of the training order, and the way from rows to batches."""

from __future__ import annotations

from collections import Counter

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_amess import AmessProcessor
from training.arguments import SettingsError, parse_settings
from training.batch_sampler import BucketBatchSampler
from training.data import IntentCollator, IntentRows, load_splits

from . import tiny


def samplers(num_samples, batch_size, num_processes, accumulation=1, seed=0, lengths=None):
    return [
        BucketBatchSampler(
            num_samples,
            batch_size,
            seed=seed,
            lengths=lengths,
            gradient_accumulation_steps=accumulation,
            process_index=process,
            num_processes=num_processes,
        )
        for process in range(num_processes)
    ]


sizes = st.tuples(st.integers(4, 150), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))


@given(sizes, st.integers(0, 5), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_sample_comes_once_an_epoch_and_to_one_process(size, epoch, with_lengths):
    num_samples, batch_size, num_processes, accumulation = size
    lengths = np.random.default_rng(1).integers(1, 30, num_samples) if with_lengths else None
    group = samplers(num_samples, batch_size, num_processes, accumulation, lengths=lengths)
    seen = []
    for sampler in group:
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == len(sampler.loss_weights())
        assert all(1 <= len(batch) <= batch_size + 1 for batch in batches)
        seen.extend(index for batch in batches for index in batch)
    assert sorted(seen) == list(range(num_samples))
    assert len({len(sampler) for sampler in group}) == 1  # processes that took unequal steps would wait for ever
    assert sum(group[0].step_sizes) == num_samples


@given(sizes, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_weighted_batch_means_add_up_to_the_mean_of_the_step(size, epoch):
    num_samples, batch_size, num_processes, accumulation = size
    values = np.random.default_rng(2).normal(size=num_samples)
    group = samplers(num_samples, batch_size, num_processes, accumulation)
    per_step = Counter()
    members = {}
    for sampler in group:
        sampler.set_epoch(epoch)
        for position, (batch, weight) in enumerate(zip(sampler, sampler.loss_weights(), strict=True)):
            step = min(position // accumulation, sampler.num_steps - 1)
            per_step[step] += values[batch].mean() * weight / (num_processes * accumulation)
            members.setdefault(step, []).extend(batch)
    for step, indices in members.items():
        assert len(indices) == group[0].step_size(step)
        assert per_step[step] == pytest.approx(values[indices].mean(), abs=1e-9)


def test_order_is_a_function_of_seed_and_epoch_alone():
    lengths = np.random.default_rng(0).integers(1, 30, 90)

    def order(seed, epoch, history=()):
        (sampler,) = samplers(90, 4, 1, seed=seed, lengths=lengths)
        for earlier in history:
            sampler.set_epoch(earlier)
            list(sampler)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(5, 2) == order(5, 2, history=(0, 1, 7))
    assert order(5, 2) != order(5, 3)
    assert order(5, 2) != order(6, 2)


@pytest.mark.parametrize("first", [0, 1, 5, 11])
def test_starting_in_the_middle_gives_exactly_the_tail(first):
    (sampler,) = samplers(91, 4, 1, accumulation=2)
    sampler.set_epoch(3)
    whole, weights = list(sampler), sampler.loss_weights()
    sampler.start_at(first)
    assert list(sampler) == whole[2 * first :]
    assert sampler.loss_weights() == weights[2 * first :]
    assert len(sampler) == len(whole) - 2 * first


def test_two_processes_and_two_passes_share_the_steps_of_one_with_twice_the_batch():
    lengths = np.random.default_rng(0).integers(1, 30, 50)
    (large,) = samplers(50, 8, 1, lengths=lengths)
    (accumulated,) = samplers(50, 4, 1, accumulation=2, lengths=lengths)
    pair = samplers(50, 4, 2, lengths=lengths)
    steps = [sorted(batch) for batch in large][:-1]
    passes = list(accumulated)
    assert [sorted(passes[2 * i] + passes[2 * i + 1]) for i in range(len(steps))] == steps
    assert [sorted(a + b) for a, b in zip(*pair, strict=True)][:-1] == steps


def test_buckets_need_far_less_padding_than_random_batches():
    lengths = np.random.default_rng(0).integers(3, 50, 2000)
    padding = {}
    for name, given_lengths in (("buckets", lengths), ("random", None)):
        (sampler,) = samplers(2000, 8, 1, lengths=given_lengths)
        padding[name] = sum(max(lengths[batch]) * len(batch) - sum(lengths[batch]) for batch in sampler)
    assert padding["buckets"] < 0.2 * padding["random"]


def test_fewer_samples_than_processes_are_refused():
    with pytest.raises(ValueError, match="3 training samples cannot be shared among 4"):
        samplers(3, 1, 4)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    return datasets.load_from_disk(tiny.make_dataset(tmp_path_factory.mktemp("data") / "set"))


@pytest.fixture(scope="module")
def processor(tmp_path_factory):
    from transformers import AutoTokenizer

    folder = tiny.make_text_model(tmp_path_factory.mktemp("bert"))
    return AmessProcessor(
        AutoTokenizer.from_pretrained(folder), video_feature_size=tiny.VIDEO_SIZE, audio_feature_size=tiny.AUDIO_SIZE
    )


def test_a_batch_has_padding_and_masks_of_its_own_longest_row(splits, processor):
    rows = IntentRows(splits["train"], ("text", "video", "audio"))
    chosen = [rows[index] for index in (0, 1, 2)]  # the first has no video
    batch = IntentCollator(processor, rows.modalities)(chosen)
    frames = [len(row["video_features"]) for row in chosen]
    assert frames[0] == 0
    assert batch["video_features"].shape == (3, max(frames), tiny.VIDEO_SIZE)
    assert batch["video_attention_mask"].sum(-1).tolist() == frames
    assert batch["labels"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(batch["video_features"][1, : frames[1]], chosen[1]["video_features"])


def test_a_modality_that_is_left_out_is_neither_read_nor_in_the_batch(splits, processor):
    rows = IntentRows(splits["train"], ("audio",))
    assert set(rows[1]) == {"id", "text", "label", "audio_features"}
    assert rows[1]["text"] == ""
    assert rows.feature_sizes() == {"video_feature_size": None, "audio_feature_size": tiny.AUDIO_SIZE}
    batch = IntentCollator(processor, rows.modalities)([rows[1], rows[2]])
    assert "video_features" not in batch
    assert batch["input_ids"].shape[1] == 2  # [CLS] and [SEP] only


def test_features_stay_in_the_arrow_file(splits):
    rows = IntentRows(splits["train"], ("text", "video", "audio"))
    assert rows.split.cache_files == splits["train"].cache_files
    assert rows.column("text") == splits["train"]["text"][:]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset", "no_such_folder"], ["no_such_folder", "mintrec2"]),
        (["--dataset", "{empty}"], ["holds no data set", "save_to_disk"]),
        (["--dataset_options.amplitud", "3", "--dataset", "planted"], ["amplitud", "amplitude"]),
        (["--dataset", "mintrec", "--data_dir", "{empty}"], ["mintrec", "could not be loaded"]),
    ],
)
def test_data_that_cannot_be_loaded_are_named(tmp_path, arguments, words):
    arguments = [argument.replace("{empty}", str(tmp_path)) for argument in arguments]
    with pytest.raises(SettingsError) as error:
        load_splits(parse_settings(arguments))
    for word in words:
        assert word in str(error.value)


def test_a_missing_column_is_named(splits):
    with pytest.raises(SettingsError, match=r"video_features.*--modalities"):
        IntentRows(splits["train"].remove_columns("video_features"), ("text", "video"))


def test_the_planted_benchmark_changes_by_epoch_in_training_only():
    splits = load_splits(parse_settings(["planted"]))
    train, test = (IntentRows(splits[name], ("text", "video", "audio")) for name in ("train", "test"))
    assert train.changes_by_epoch
    first, fixed = [train[index]["label"] for index in range(40)], test[0]["video_features"]
    for rows in (train, test):
        rows.set_epoch(1)
    assert [train[index]["label"] for index in range(40)] != first
    np.testing.assert_array_equal(test[0]["video_features"], fixed)
    assert train.column("label")[:40] == [train[index]["label"] for index in range(40)]
