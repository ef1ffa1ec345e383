# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessConfig: defaults, round trips, and settings that cannot work."""

import ast
import configparser
import importlib.util
from pathlib import Path

import pytest
from huggingface_hub.errors import StrictDataclassClassValidationError, StrictDataclassFieldValidationError
from transformers import BertConfig, GPT2Config

from modeling_amess import AmessConfig, __version__

from .tiny import tiny_config


def test_it_works_without_arguments():
    config = AmessConfig()
    assert config.text_config.model_type == "bert"
    assert config.hidden_size == config.description_size == 768
    assert config.modalities == ("text", "video", "audio")
    assert config.video_config is None and config.audio_config is None


def test_the_papers_settings_are_the_defaults():
    config = AmessConfig()
    assert (config.max_text_length, config.max_video_length, config.max_audio_length) == (50, 180, 400)
    assert (config.num_anchors, config.num_descriptions, config.contrastive_temperature) == (8, 3, 0.7)


def test_it_survives_a_round_trip_through_its_file(tmp_path):
    config = tiny_config(alignment="ctc", label_descriptions={"Thank": ["To express gratitude."]}, num_anchors=3)
    config.save_pretrained(tmp_path)
    assert AmessConfig.from_pretrained(tmp_path).to_dict() == config.to_dict() | {
        "transformers_version": AmessConfig.from_pretrained(tmp_path).transformers_version
    }


def test_a_saved_configuration_records_the_version_that_setuptools_reads(tmp_path):
    config = tiny_config()
    assert config.amess_version is None
    config.save_pretrained(tmp_path)
    assert AmessConfig.from_pretrained(tmp_path).amess_version == __version__
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    module, _, attribute = setup["metadata"]["version"].removeprefix("attr:").strip().rpartition(".")
    source = ast.parse(Path(importlib.util.find_spec(module).origin).read_text())
    # A literal: setuptools reads it without importing torch.
    values = [node.value for node in source.body if isinstance(node, ast.Assign) and node.targets[0].id == attribute]
    assert [value.value for value in values] == [__version__]


def test_a_missing_modality_is_named_by_what_remains():
    assert tiny_config(video_feature_size=None).modalities == ("text", "audio")
    assert tiny_config(video_feature_size=None, audio_feature_size=None).modalities == ("text",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fusion_num_attention_heads": 5}, "fusion_num_attention_heads=5"),
        ({"num_anchors": 0}, "num_anchors=0"),
        ({"max_video_length": 0}, "max_video_length=0"),
        ({"contrastive_temperature": 0.0}, "contrastive_temperature=0.0"),
        ({"semantic_residual": True, "description_size": 8}, "semantic_residual"),
        ({"semantic_logits": True, "use_semantic_synchronization": False}, "use_semantic_synchronization=True"),
        ({"description_template": "{label}"}, "description_template"),
        ({"out_of_scope_label": "Nothing"}, "out_of_scope_label='Nothing'"),
        ({"out_of_scope_threshold": 1.5}, "out_of_scope_threshold=1.5"),
        ({"temperature": 0}, "temperature=0"),
        ({"coverage_thresholds": {"120": 0.5}}, "coverage_thresholds has '120'"),
        ({"coverage_thresholds": {"90": 1.5}}, "coverage_thresholds has '90'"),
        ({"text_config": GPT2Config(n_embd=32, n_layer=1, n_head=4)}, "'gpt2'"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused_by_name(fields, message):
    with pytest.raises(StrictDataclassClassValidationError, match=message):
        tiny_config(**fields)


@pytest.mark.parametrize("fields", [{"num_anchors": "8"}, {"alignment": "dtw"}, {"semantic_logits": "yes"}], ids=str)
def test_values_of_a_wrong_type_are_refused(fields):
    with pytest.raises(StrictDataclassFieldValidationError, match=next(iter(fields))):
        tiny_config(**fields)


def test_a_text_config_may_be_a_dict():
    config = AmessConfig(text_config=BertConfig(hidden_size=48, num_attention_heads=4).to_dict())
    assert config.text_config.hidden_size == config.description_size == 48


def test_the_place_of_the_text_in_eq_13_may_be_given_as_earlier_versions_did():
    assert AmessConfig().fusion_residual == "outside"
    config = tiny_config(fusion_residual=True)
    assert config.fusion_residual == "inside"
    config.fusion_residual = False
    assert config.fusion_residual == "none"
