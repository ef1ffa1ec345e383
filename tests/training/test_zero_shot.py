# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Zero-shot evaluation, weights between start and end of training, frozen layers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import zero_shot
from training.arguments import SettingsError, parse_settings
from training.data import IntentRows
from training.metrics.zero_shot_scores import zero_shot_metrics
from training.model_setup import load_sentence_encoder
from training.train import main as train
from training.zero_shot import interpolated_model

from .tiny import LABELS, make_released_mintrec2


SEMANTIC = ["--modalities", "text", "--model_config.semantic_residual", "true"]


@pytest.fixture(scope="module")
def run_folder(tiny_settings, tmp_path_factory):
    """A finished run on text, whose semantic token starts in the descriptions' space."""
    folder = tmp_path_factory.mktemp("run") / "run"
    train([*tiny_settings, *SEMANTIC, "--output_dir", str(folder), "--freeze_text_layers", "1"])
    return folder


def test_metrics_by_hand():
    # Labels 0 and 1 were trained on, 2 and 3 not.
    similarity = np.array([[0.9, 0, 0, 0], [0, 0.1, 0.2, 0], [0.5, 0, 0.4, 0], [0, 0, 0.3, 0.2]])
    found = zero_shot_metrics(similarity, np.array([0, 1, 2, 3]), np.array([True, True, False, False]))
    assert found["unseen_accuracy"] == 0.5  # the third by choosing among 2 and 3
    assert (found["generalized_seen_accuracy"], found["generalized_unseen_accuracy"]) == (0.5, 0.0)
    assert (found["harmonic_mean"], found["generalized_accuracy"]) == (0.0, 0.25)
    # Largest similarity to a seen label: 0.9 and 0.1 of seen rows, 0.5 and 0 of unseen ones.
    assert found["auroc"] == 0.75


@given(seed=st.integers(0, 10_000))
def test_choosing_among_fewer_labels_is_never_harder(seed):
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(5), random.integers(0, 5, 20)])
    found = zero_shot_metrics(random.normal(size=(25, 5)), labels, np.arange(5) < 3)
    assert found["unseen_accuracy"] >= found["generalized_unseen_accuracy"]
    parts = found["unseen_rows"] * found["generalized_unseen_accuracy"]
    parts += found["seen_rows"] * found["generalized_seen_accuracy"]
    assert found["generalized_accuracy"] == pytest.approx(parts / 25)


def test_leaving_labels_out_keeps_all_else(tiny_settings):
    splits = datasets.load_from_disk(parse_settings(tiny_settings).dataset)
    reduced = zero_shot.without_labels(splits, ["Leave"])
    for name, split in splits.items():
        before = [row for row in split if LABELS[row["label"]] != "Leave"]
        names = reduced[name].features["label"].names
        assert names == ["Greet", "Thank"]
        after = list(reduced[name])
        assert [row["id"] for row in after] == [row["id"] for row in before]
        assert [names[row["label"]] for row in after] == [LABELS[row["label"]] for row in before]
        assert reduced[name].features["video_features"] == split.features["video_features"]


def test_between_start_and_end(run_folder, tiny_settings):
    start, half, end = (interpolated_model(run_folder, share).state_dict() for share in (0, 0.5, 1))
    assert any(not torch.equal(start[name], end[name]) for name in start)
    for name, value in half.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (start[name] + end[name]) / 2)
    # The start is the very one of training: what was frozen is the same, and T_f is the sentence embedding.
    frozen = [name for name in start if "text_model.embeddings" in name or "text_model.encoder.layer.0." in name]
    assert frozen and all(torch.equal(start[name], end[name]) for name in frozen)
    assert any(not torch.equal(start[n], end[n]) for n in start if "text_model.encoder.layer.1." in n)
    settings = parse_settings([*tiny_settings, *SEMANTIC])
    rows = IntentRows(datasets.load_from_disk(settings.dataset)["test"], ("text",))
    processor = zero_shot.AmessProcessor.from_pretrained(run_folder / "pretrained")
    tokens = zero_shot.semantic_embeddings(interpolated_model(run_folder, 0), processor, rows)
    expected = torch.as_tensor(load_sentence_encoder(settings).encode(rows.column("text")))
    torch.testing.assert_close(tokens, expected, atol=1e-5, rtol=1e-4)


def test_a_run_is_measured_beside_the_sentence_encoder(run_folder, tiny_settings):
    settings = parse_settings(tiny_settings)
    splits = datasets.load_from_disk(settings.dataset)
    descriptions = json.loads(Path(settings.label_descriptions).read_text())
    found = zero_shot.evaluate(run_folder, {"test": splits["test"]}, descriptions, ["Greet", "Thank"], [1.0, 0.0])
    assert list(found["test"]) == ["Sentence-BERT", "A-MESS", "A-MESS, share 0"]
    # Without training, on text alone, A-MESS is the sentence encoder.
    assert found["test"]["A-MESS, share 0"] == pytest.approx(found["test"]["Sentence-BERT"])
    table = zero_shot.markdown({0: {"held_out": [], **found}, 1: {"held_out": [], **found}})
    assert table.count("|\n") == 4 and "± 0.0" in table


def test_a_run_is_tested_on_other_labels_with_as_many_descriptions_as_it_was_trained_with(run_folder, tmp_path):
    released = make_released_mintrec2(tmp_path / "MIntRec2.0")
    few = zero_shot.transfer(run_folder, str(released), [1.0])
    assert len(few["held_out"]) == 30 - len(LABELS) and not set(few["held_out"]) & set(LABELS)
    assert list(few["validation"]) == ["Sentence-BERT", "A-MESS"]
    more = tmp_path / "more"
    shutil.copytree(run_folder, more)
    config = more / "config.yaml"
    config.write_text(config.read_text().replace("num_descriptions: null", "num_descriptions: 14"))
    with pytest.raises(SettingsError, match="num_descriptions=14: mintrec2 has 1 to 13"):
        zero_shot.transfer(more, str(released), [1.0])


def test_wrong_commands_say_what_to_change(tiny_settings, tmp_path):
    with pytest.raises(SettingsError, match="leave_out or transfer"):
        zero_shot.main(["--draws", "0"])
    with pytest.raises(SettingsError, match="needs --test_data_dir"):
        zero_shot.main(["transfer"])
    with pytest.raises(SettingsError, match=r"--held_out.* 3 intents"):
        zero_shot.main(["leave_out", *tiny_settings, "--held_out", "2", "--output", str(tmp_path)])
    with pytest.raises(SettingsError, match="freeze_text_layers=3"):
        train([*tiny_settings, "--freeze_text_layers", "3", "--output_dir", str(tmp_path / "run")])
    missing = ["--label_descriptions", str(tmp_path / "mine.json"), "--output", str(tmp_path)]
    with pytest.raises(SettingsError, match=r"mine.json cannot be read"):
        zero_shot.main(["leave_out", "sample.yaml", *missing])
