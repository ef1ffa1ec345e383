# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""From clips to a checkpoint that takes clips: extraction, training on it, the encoders attached at the end."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoProcessor

from dataset_scripts import load_extracted_features
from dataset_scripts.extraction.rows import read_clip_rows
from dataset_scripts.extraction.run import extract_features
from dataset_scripts.extraction.settings import ExtractionSettings
from modeling_amess import AmessMediaEncoder
from tests.modeling_amess.clips import write_clip
from tests.modeling_amess.tiny import tiny_media_encoder
from training.arguments import SettingsError
from training.train import main

from . import tiny


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Features of eight clips with the tiny data set's labels, and the folder of the clips."""
    folder = tmp_path_factory.mktemp("clips")
    lines = ["clip\ttext\tlabel\tsplit"]
    for index, split in enumerate(["train"] * 4 + ["validation"] * 2 + ["test"] * 2):
        label = tiny.LABELS[index % len(tiny.LABELS)]
        write_clip(folder / f"{index}.mp4", seconds=0.5 + 0.1 * index)
        lines.append(f"{index}.mp4\toh {tiny.WORDS[label][0]}\t{label}\t{split}")
    (folder / "clips.tsv").write_text("\n".join(lines) + "\n")
    clips = read_clip_rows(folder / "clips.tsv")
    settings = ExtractionSettings(max_video_length=20, num_workers=0, use_cpu=True)
    options = {"root": clips.root, "labels": tiny.LABELS}
    return extract_features(clips.rows, folder / "features", tiny_media_encoder(), settings, **options).output


def train(tiny_settings, folder, features, *options):
    return main(
        [
            *tiny_settings,
            *("--dataset", str(features), "--output_dir", str(folder)),
            *("--per_device_train_batch_size", "2", "--max_steps", "2", *options),
        ]
    )


def test_a_model_trained_on_an_extraction_takes_clips_whole(tiny_settings, features, tmp_path):
    train(tiny_settings, tmp_path / "run", features)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "pretrained").eval()
    processor = AutoProcessor.from_pretrained(tmp_path / "run" / "pretrained")
    record = json.loads((features / "features.json").read_text())["media_encoder"]
    assert model.config.media_encoder == record
    assert model.config.max_video_length == processor.max_video_length == 20
    clip = features.parent / "5.mp4"
    row = load_extracted_features(features, cache_dir=tmp_path / "cache")["validation"][1]
    with torch.no_grad():
        whole = model(**processor(text=["oh thanks"], video=[clip])).logits
        by_features = model(
            **processor(
                text=["oh thanks"],
                video_features=[row["video_features"]],
                audio_features=[row["audio_features"]],
            )
        ).logits
    # The features on disk are in float16.
    torch.testing.assert_close(whole, by_features, atol=5e-3, rtol=0)


def test_the_encoder_changes_no_result_and_can_be_attached_later(tiny_settings, features, tmp_path):
    attached = train(tiny_settings, tmp_path / "attached", features)["amess"]
    plain = train(tiny_settings, tmp_path / "plain", features, "--attach_media_encoder", "false")["amess"]
    assert attached["test"] == plain["test"]
    models = {
        name: AutoModelForSequenceClassification.from_pretrained(tmp_path / name / "pretrained")
        for name in ("attached", "plain")
    }
    assert models["plain"].config.video_config is None
    processor = AutoProcessor.from_pretrained(tmp_path / "plain" / "pretrained")
    batch = processor(text=["oh thanks"], video=[features.parent / "5.mp4"])
    with pytest.raises(ValueError, match="attach_media_encoder"):
        models["plain"](**batch)
    models["plain"].attach_media_encoder(AmessMediaEncoder.from_pretrained(features / "media_encoder"))
    with torch.no_grad():
        found, expected = (model.eval()(**batch).logits for model in models.values())
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("modalities", ["text,audio", "text,video", "text"])
def test_a_run_without_a_modality_records_the_encoders_it_used(tiny_settings, features, tmp_path, modalities):
    train(tiny_settings, tmp_path / "run", features, "--modalities", modalities)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "pretrained").eval()
    used = set(modalities.split(",")) - {"text"}
    record = model.config.media_encoder
    assert (record is None) == (not used)
    for name in ("video", "audio"):
        assert (getattr(model.config, f"{name}_config") is not None) == (name in used)
        assert record is None or (record[name] is not None) == (name in used)
    if used:
        processor = AutoProcessor.from_pretrained(tmp_path / "run" / "pretrained")
        assert torch.isfinite(model(**processor(text=["oh"], video=[features.parent / "5.mp4"])).logits).all()


def test_a_baseline_trains_on_an_extraction_too(tiny_settings, features, tmp_path):
    results = train(tiny_settings, tmp_path / "run", features, "--model", "mean_fusion", "--model_config", "{}")
    assert 0 <= results["mean_fusion"]["test"]["accuracy"] <= 1


def test_an_extraction_without_labels_cannot_be_trained_on_and_says_what_to_give(tiny_settings, features, tmp_path):
    rows = [{"id": "0", "clip": str(features.parent / "0.mp4")}]
    settings = ExtractionSettings(num_workers=0, use_cpu=True)
    extract_features(rows, tmp_path / "features", tiny_media_encoder(), settings)
    with pytest.raises(SettingsError, match="without text and label: give amess extract a TSV"):
        train(tiny_settings, tmp_path / "run", tmp_path / "features")


def test_an_unfinished_extraction_is_refused(tiny_settings, features, tmp_path):
    shutil.copytree(features, tmp_path / "features")
    (tmp_path / "features" / "test" / "part-00000.parquet").unlink()
    with pytest.raises(SettingsError, match="unfinished: 1 of 3 parts"):
        train(tiny_settings, tmp_path / "run", tmp_path / "features")
