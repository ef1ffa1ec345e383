# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Utterances without some of their modalities: what is lost, how often, and that a continued run loses the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

from training.arguments import SettingsError, TrainingSettings
from training.missing_modalities import DroppedRows, without
from training.train import main


class Rows:
    """Rows of which every fourth has no video."""

    modalities = ("text", "video", "audio")
    epoch = 0

    def __len__(self):
        return 400

    def __getitem__(self, index):
        video = np.ones((0 if index % 4 == 0 else 3, 2), np.float32)
        audio = np.ones((2, 2), np.float32)
        return {"text": "hello", "label": 0, "context": ["hi"], "video_features": video, "audio_features": audio}

    def set_epoch(self, epoch):
        self.epoch = epoch


def present(row):
    lengths = {"text": len(row["text"]), "video": len(row["video_features"]), "audio": len(row["audio_features"])}
    return {name for name, length in lengths.items() if length}


def test_a_row_without_a_modality_is_one_that_never_had_it():
    row = without(Rows()[1], ("text", "audio"))
    assert (row["text"], row["context"], row["audio_features"].shape) == ("", [], (0, 2))
    assert present(row) == {"video"} and row["label"] == 0
    assert present(Rows()[1]) == {"text", "video", "audio"}, "the row itself stays"


def test_modalities_are_lost_at_the_rate_and_independently():
    rows = DroppedRows(Rows(), 0.3, ("video", "audio"), seed=0)
    kept = []
    for epoch in range(5):
        rows.set_epoch(epoch)
        kept += [present(rows[index]) for index in range(400) if index % 4]
    number = len(kept)
    lost = {name: sum(name not in row for row in kept) / number for name in ("text", "video", "audio")}
    both = sum(row == {"text"} for row in kept) / number
    deviation = (0.3 * 0.7 / number) ** 0.5
    assert lost["text"] == 0 and rows.rows.epoch == 4
    assert abs(lost["video"] - 0.3) < 4 * deviation and abs(lost["audio"] - 0.3) < 4 * deviation
    assert abs(both - 0.09) < 4 * deviation


def test_one_modality_always_stays_that_the_row_really_has():
    rows = DroppedRows(Rows(), 0.95, ("text", "video", "audio"), seed=0)
    kept = [present(rows[index]) for index in range(400)]
    assert all(kept) and {"text"} in kept and {"video"} in kept and {"audio"} in kept


def test_what_is_lost_depends_on_seed_epoch_and_row_alone():
    def lost(seed, epoch, order):
        rows = DroppedRows(Rows(), 0.5, ("video", "audio"), seed)
        rows.set_epoch(epoch)
        found = {index: frozenset(present(rows[index])) for index in order}
        return [found[index] for index in sorted(found)]

    forwards, backwards = range(100), range(99, -1, -1)
    assert lost(0, 3, forwards) == lost(0, 3, backwards)
    assert lost(0, 3, forwards) != lost(0, 4, forwards) and lost(0, 3, forwards) != lost(1, 3, forwards)


def test_a_continued_run_loses_what_an_uninterrupted_one_does(tiny_settings, tmp_path):
    settings = [
        *tiny_settings,
        "--modality_dropout",
        "0.5",
        "--num_train_epochs",
        "2",
        "--save_steps",
        "15",
        "--save_epochs",
        "0",
    ]

    def log(name):
        lines = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        return [(line["step"], line["loss"]) for line in lines if line["event"] == "train"]

    main([*settings, "--output_dir", str(tmp_path / "whole")])
    # 42 utterances, 4 per step: the checkpoint of step 15 is within the second epoch.
    checkpoint = tmp_path / "part" / "checkpoints" / "step-15"
    main([*settings, "--output_dir", str(tmp_path / "part"), "--save_total_limit", "9"])
    (tmp_path / "part" / "metrics.json").unlink()
    main([*settings, "--output_dir", str(tmp_path / "part"), "--resume_from_checkpoint", str(checkpoint)])
    assert log("part") == log("whole") and len(log("whole")) == 22
    main([*settings, "--modality_dropout", "0", "--output_dir", str(tmp_path / "without")])
    assert log("without") != log("whole")


@pytest.mark.parametrize(
    "settings",
    [
        {"modalities": "text"},
        {"modalities": "text,video", "dropped_modalities": "audio"},
        {"modalities": "video"},
    ],
)
def test_a_dropout_without_anything_to_drop_is_refused(settings):
    with pytest.raises(SettingsError, match="modality_dropout has nothing to drop"):
        TrainingSettings(modality_dropout=0.2, **settings)
    with pytest.raises(SettingsError, match="dropped_modalities"):
        TrainingSettings(dropped_modalities="sound")
