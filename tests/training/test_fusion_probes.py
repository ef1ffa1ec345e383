# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Probes of a trained fusion: overlap of anchors, the cue among them, the cost of a missing modality."""

from __future__ import annotations

import pytest

from training.reproduction.fusion_probes import jaccard, main, probe, random_overlap
from training.train import main as train


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ([[1, 2]], [[2, 1]], 1.0),
        ([[1, 2]], [[3, 4]], 0.0),
        ([[1, 2], [1]], [[2, 3], [1]], (1 / 3 + 1) / 2),
        ([[]], [[]], 0),
    ],
)
def test_overlap_is_the_intersection_as_a_share_of_the_union(first, second, overlap):
    assert jaccard(first, second) == pytest.approx(overlap)


def test_random_choices_overlap_as_much_as_they_should():
    assert random_overlap([[0, 1, 2]], [3]) == 1
    assert random_overlap([[0]] * 20, [4] * 20) == pytest.approx(1 / 4, abs=0.03)  # one of four, twice


@pytest.fixture(scope="module", params=["tokens", "frames"])
def run(request, tiny_settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("probes") / request.param
    data = ["--dataset", "planted", "--dataset_options", "{generator: token_cue, num_slots: 2}"]
    fields = f"{{use_semantic_synchronization: false, num_anchors: 2, anchor_kind: {request.param}}}"
    train([*tiny_settings, *data, "--model_config", fields, "--num_train_epochs", "1", "--output_dir", str(folder)])
    return folder


def test_a_run_is_probed_on_its_test_split(run, capsys):
    followed, kept = probe(run)
    shares = [float(value) for name, value in followed.items() if name.startswith(("video", "audio"))]
    assert len(shares) == 6 and all(0 <= share <= 1 for share in shares)
    assert {"all", "without video", "without audio", "without video and audio"} < set(kept)
    assert all(0 <= float(value) <= 100 for name, value in kept.items() if name != "run")
    assert main([str(run)]) == 0
    assert str(run) in capsys.readouterr().out


def test_a_folder_without_a_run_is_refused_in_words(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path)])
    assert stop.value.code == 2 and str(tmp_path) in capsys.readouterr().err
