# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A training leaves in its model what its clips look like, with limits from the validation split."""

import json
from pathlib import Path

import datasets
import numpy as np
import pytest

from modeling_amess import AmessForIntentClassification
from tests.modeling_amess.tiny import tiny_model
from training.data import IntentRows
from training.familiarity import FALSE_ALARMS, add_familiar_clips, clip_means, few_clips
from training.train import main as train

from . import tiny


LENGTHS = {"video": 4, "audio": 3}


@pytest.fixture(scope="module")
def splits(tmp_path_factory) -> dict[str, datasets.Dataset]:
    folder = tmp_path_factory.mktemp("familiarity")
    return dict(datasets.load_from_disk(tiny.make_dataset(folder, train=90, other=80)))


def rows(splits, modalities=("text", "video", "audio")) -> dict[str, IntentRows]:
    return {name: IntentRows(split, modalities) for name, split in splits.items()}


def model_for_data() -> AmessForIntentClassification:
    return tiny_model(video_feature_size=tiny.VIDEO_SIZE, audio_feature_size=tiny.AUDIO_SIZE)


def test_means_are_of_what_the_model_reads_and_leave_out_what_is_missing(splits):
    means = clip_means(rows(splits)["train"], LENGTHS)
    read = [np.asarray(value)[:4] for value in splits["train"]["video_features"] if len(value)]
    np.testing.assert_allclose(means["video"], [value.mean(0) for value in read], rtol=1e-5, atol=1e-6)
    assert len(means["video"]) < len(means["audio"]) == len(splits["train"])


def test_text_alone_has_nothing_to_be_unfamiliar_with(splits):
    model = tiny_model(video_feature_size=None, audio_feature_size=None)
    assert add_familiar_clips(model, rows(splits, ("text",)), LENGTHS) == {}
    assert model.config.familiar_clips is None


def test_limits_come_from_the_validation_split_and_are_told(splits):
    model = model_for_data()
    figures = add_familiar_clips(model, rows(splits), LENGTHS)
    assert list(figures) == ["video", "audio"] and list(figures["audio"]["flagged"]) == ["validation", "test"]
    for one in figures.values():
        assert one["flagged"]["validation"] <= FALSE_ALARMS / 2
        assert one["flagged"]["test"] < 0.15
    assert (figures["audio"]["training_clips"], figures["audio"]["validation_clips"]) == (90, 80)
    assert [line for line in few_clips(figures) if "audio" in line] == []
    assert "64 validation clips" in few_clips(figures)[0], "every fifth of 80 has no video, and 67 are needed"


def test_the_same_training_gives_the_same_statistics(splits):
    first, second = model_for_data(), model_for_data()
    for model in (first, second):
        add_familiar_clips(model, rows(splits), LENGTHS)
    states = [{k: v for k, v in m.state_dict().items() if "familiar" in k} for m in (first, second)]
    assert states[0] and all(states[0][name].equal(states[1][name]) for name in states[0])


def test_a_modality_without_clips_in_a_split_is_not_compared(splits):
    silent = {
        name: split.map(lambda row: {"audio_features": np.zeros((0, tiny.AUDIO_SIZE))}, features=split.features)
        if name == "validation"
        else split
        for name, split in splits.items()
    }
    assert list(add_familiar_clips(model_for_data(), rows(silent), LENGTHS)) == ["video"]


def test_a_run_saves_them_and_says_how_many_clips_they_rest_on(tiny_settings, tmp_path: Path, capsys):
    folder = tmp_path / "run"
    train([*tiny_settings, "--output_dir", str(folder), "--max_steps", "2", "--compare_with_text_only", "false"])
    metrics = json.loads((folder / "metrics.json").read_text())
    model = AmessForIntentClassification.from_pretrained(folder / "pretrained")
    assert model.config.familiar_clips == {m: metrics["familiarity"][m]["training_clips"] for m in ("video", "audio")}
    assert "unfamiliar audio is the farthest of 13 validation clips" in capsys.readouterr().out
