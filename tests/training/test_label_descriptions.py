# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which descriptions a run trains with, and how many of them."""

from __future__ import annotations

import json

import pytest
from transformers import AutoModelForSequenceClassification

from dataset_scripts.labels import MINTREC_LABELS, load_label_descriptions
from training.arguments import SettingsError, TrainingSettings
from training.model_setup import read_label_descriptions
from training.train import main


TEXTS = {"Greet": ["hello", "hi", "welcome"], "Leave": ["bye", "later", "farewell"], "Thank": ["thanks", "kind"]}


@pytest.mark.parametrize("number", [None, 2, 3, 5, 8])
def test_the_numbers_of_table_iv_are_the_first_of_the_data_sets_own(number):
    settings = TrainingSettings(dataset="mintrec", num_descriptions=number)
    descriptions = read_label_descriptions(settings, MINTREC_LABELS, "mintrec")
    assert descriptions == load_label_descriptions("mintrec", number or 3)


def test_a_run_trains_with_the_first_so_many_of_a_file(tiny_settings, tmp_path):
    file, run = tmp_path / "mine.json", tmp_path / "run"
    file.write_text(json.dumps(TEXTS))
    arguments = ["--label_descriptions", str(file), "--max_train_steps", "1", "--output_dir", str(run)]
    main([*tiny_settings, *arguments, "--num_descriptions", "2"])
    model = AutoModelForSequenceClassification.from_pretrained(run / "pretrained")
    assert model.config.label_descriptions == {label: texts[:2] for label, texts in TEXTS.items()}
    assert model.label_description_embeddings.shape[:2] == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--num_descriptions", "9"], r"mine.json has fewer descriptions of \['Greet', 'Leave', 'Thank'\]"),
        (["--num_descriptions", "0"], "num_descriptions=0 must be at least 1"),
        (["--model_config.num_descriptions", "2"], "give --num_descriptions"),
    ],
)
def test_a_number_that_cannot_be_had_is_told(tiny_settings, tmp_path, arguments, message):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(TEXTS))
    given = ["--label_descriptions", str(file), "--output_dir", str(tmp_path / "run")]
    with pytest.raises(SettingsError, match=message):
        main([*tiny_settings, *given, *arguments])


def test_more_than_the_data_set_has_is_told():
    with pytest.raises(SettingsError, match="mintrec has 1 to 8 descriptions a label. Give a JSON file"):
        read_label_descriptions(TrainingSettings(dataset="mintrec", num_descriptions=9), MINTREC_LABELS, "mintrec")
