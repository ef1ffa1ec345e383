# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which descriptions a run trains with, and how many of them."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoProcessor

from dataset_scripts.labels import MINTREC_LABELS, load_label_descriptions
from training.arguments import SettingsError, TrainingSettings, parse_settings
from training.data import DescribedRows, IntentCollator, load_splits
from training.model_setup import read_label_descriptions
from training.row_selection import select_rows
from training.train import main


TEXTS = {"Greet": ["hello", "hi", "welcome"], "Leave": ["bye", "later", "farewell"], "Thank": ["thanks", "kind"]}


@pytest.mark.parametrize("number", [None, 2, 3, 5, 8, 13])
def test_the_numbers_of_table_iv_and_more_are_the_first_of_the_data_sets_own(number):
    settings = TrainingSettings(dataset="mintrec", num_descriptions=number)
    descriptions = read_label_descriptions(settings, MINTREC_LABELS, "mintrec")
    assert descriptions == load_label_descriptions("mintrec", number or 3)


def test_a_run_trains_with_the_first_so_many_of_a_file(tiny_settings, tmp_path):
    file, run = tmp_path / "mine.json", tmp_path / "run"
    file.write_text(json.dumps(TEXTS))
    arguments = ["--label_descriptions", str(file), "--max_steps", "1", "--output_dir", str(run)]
    main([*tiny_settings, *arguments, "--num_descriptions", "2"])
    model = AutoModelForSequenceClassification.from_pretrained(run / "pretrained")
    assert model.config.label_descriptions == {label: texts[:2] for label, texts in TEXTS.items()}
    assert model.label_description_embeddings.shape[:2] == (3, 2)


def test_descriptions_can_be_samples_of_their_intents(tiny_settings, tmp_path):
    file, run = tmp_path / "mine.json", tmp_path / "run"
    file.write_text(json.dumps(TEXTS))
    given = ["--label_descriptions", str(file), "--output_dir", str(run), "--num_train_epochs", "1"]
    main([*tiny_settings, *given, "--per_device_train_batch_size", "7", "--train_on_descriptions", "true"])
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["train_samples"], metrics["steps"]) == (42, 8)  # 42 utterances and 8 descriptions

    settings = parse_settings([*tiny_settings, *given])
    rows = select_rows(load_splits(settings), settings, num_processes=1)["train"]
    described = DescribedRows(rows, TEXTS)
    assert len(described) == len(rows) + 8
    assert described.column("text")[-2:] == ["thanks", "kind"]
    names = [rows.label_names[label] for label in described.column("label")[-8:]]
    assert names == ["Greet"] * 3 + ["Leave"] * 3 + ["Thank"] * 2
    assert described[len(rows) - 1]["text"] == rows[len(rows) - 1]["text"]

    # To the model they are texts alone, whatever else is in their batch.
    model = AutoModelForSequenceClassification.from_pretrained(run / "pretrained").eval()
    collator = IntentCollator(AutoProcessor.from_pretrained(run / "pretrained"), rows.modalities)
    batch = collator([described[1], described[len(rows)]])  # every fifth has no video
    assert batch["video_attention_mask"][0].any() and not batch["video_attention_mask"][1].any()
    assert not batch["audio_attention_mask"][1].any()
    alone = collator.processor(text=["hello"], return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(model(**batch).logits[1:], model(**alone).logits, atol=1e-5, rtol=1e-4)


def test_descriptions_can_be_all_that_is_learned_from(tiny_settings, tmp_path):
    file, run = tmp_path / "mine.json", tmp_path / "run"
    file.write_text(json.dumps(TEXTS))
    given = ["--label_descriptions", str(file), "--output_dir", str(run), "--num_train_epochs", "2"]
    main(
        [
            *tiny_settings,
            *given,
            "--per_device_train_batch_size",
            "8",
            "--shots",
            "0",
            "--train_on_descriptions",
            "true",
        ]
    )
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["train_samples"], metrics["steps"]) == (0, 2)
    model = AutoModelForSequenceClassification.from_pretrained(run / "pretrained")
    assert list(model.config.label2id) == ["Greet", "Leave", "Thank"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shots", "0"], "shots=0 leaves nothing.*--train_on_descriptions"),
        (
            ["--shots", "0", "--train_on_descriptions", "true", "--overfit_batches", "1"],
            "shots=0 .*overfit",
        ),
        (
            [
                "--shots",
                "0",
                "--train_on_descriptions",
                "true",
                "--out_of_scope",
                "none",
                "--held_out_intents",
                "0.34",
            ],
            "shots=0 .*out-of-scope",
        ),
        (["--num_descriptions", "9"], r"mine.json has fewer descriptions of \['Greet', 'Leave', 'Thank'\]"),
        (["--num_descriptions", "0"], "num_descriptions=0 must be at least 1"),
        (["--model_config.num_descriptions", "2"], "--num_descriptions"),
        (["--train_on_descriptions", "true", "--modalities", "audio"], "--modalities"),
    ],
)
def test_what_cannot_be_had_is_told(tiny_settings, tmp_path, arguments, message):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(TEXTS))
    given = ["--label_descriptions", str(file), "--output_dir", str(tmp_path / "run")]
    with pytest.raises(SettingsError, match=message):
        main([*tiny_settings, *given, *arguments])


def test_more_than_the_data_set_has_is_told():
    with pytest.raises(SettingsError, match=r"1 to 13 .*--label_descriptions"):
        read_label_descriptions(TrainingSettings(dataset="mintrec", num_descriptions=14), MINTREC_LABELS, "mintrec")


def test_a_file_that_is_not_there_is_named_without_the_systems_number():
    with pytest.raises(SettingsError, match=r"nope\.json cannot be read: No such file or directory\. Give") as error:
        read_label_descriptions(TrainingSettings(label_descriptions="nope.json"), MINTREC_LABELS, None)
    assert "Errno" not in str(error.value)
