# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The registry of models: its entries agree with the classes and presets that they name."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from transformers import AutoModelForSequenceClassification, PreTrainedConfig

from modeling_amess import AmessForIntentClassification
from training.arguments import CONFIG_FOLDER, TrainingSettings, find_preset
from training.baselines import BASELINES, MODELS
from training.baselines.base import BaselinePreTrainedModel


@pytest.mark.parametrize("name", MODELS)
def test_an_entry_names_a_model_with_its_own_config_that_the_auto_classes_know(name):
    model = MODELS[name]
    assert model.name == name
    assert issubclass(model.config_class, PreTrainedConfig)
    assert model.model_class.config_class is model.config_class
    assert AutoModelForSequenceClassification._model_mapping[model.config_class] is model.model_class
    assert issubclass(
        model.model_class, BaselinePreTrainedModel if name in BASELINES else AmessForIntentClassification
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_preset_is_the_models_own(name):
    if MODELS[name].preset is not None:
        assert yaml.safe_load(find_preset(MODELS[name].preset).read_text())["model"] == name


def test_every_preset_of_a_baseline_is_in_the_registry():
    models = {
        path.stem: yaml.safe_load(path.read_text()).get("model", "amess") for path in CONFIG_FOLDER.glob("*.yaml")
    }
    assert {stem for stem, model in models.items() if model in BASELINES} == {
        MODELS[name].preset for name in BASELINES if MODELS[name].preset
    }


def test_settings_know_every_model():
    assert [TrainingSettings(model=name).model for name in MODELS] == list(MODELS)


def test_names_of_models_need_no_torch():
    code = "import sys, training.arguments; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
