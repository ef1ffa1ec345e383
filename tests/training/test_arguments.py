# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings: what the command line and the presets mean, and what they refuse."""

from __future__ import annotations

from dataclasses import fields

import pytest
import yaml

from training import arguments
from training.arguments import (
    CONFIG_FOLDER,
    RENAMED,
    SENTENCE_METHODS,
    SETTING_NAMES,
    Role,
    SettingsError,
    TrainingSettings,
    help_text,
    parse_settings,
    setting,
    settings_of,
)
from training.models import MODELS


def test_no_argument_is_the_sample_preset():
    settings = parse_settings([])
    assert settings.dataset == "sample"
    assert settings.compare_with_text_only
    assert str(settings.run_folder) == "runs/sample-amess"


@pytest.mark.parametrize("preset", sorted(path.name for path in CONFIG_FOLDER.glob("*.yaml")))
def test_every_preset_is_valid(preset):
    parse_settings([preset])


def test_paper_presets_hold_the_papers_settings():
    for preset in ("mintrec", "mintrec2.yaml"):
        settings = parse_settings([preset])
        assert (settings.per_device_train_batch_size, settings.num_train_epochs, settings.early_stopping_patience) == (
            8,
            40,
            8,
        )
        assert settings.learning_rate == 2e-5
        assert settings.text_model.endswith("bert-large-uncased")


def test_command_line_replaces_the_presets_values_in_every_notation(tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text("dataset: planted\nseed: 3\nmodel_config: {num_anchors: 2, pooling: cls}\n")
    arguments = [
        "--seed=7",
        "--learning-rate",
        "2e-5",
        "--use_cpu",
        "--freeze_word_embeddings",
        "false",
        "--model_config.num_anchors",
        "4",
    ]
    arguments += [
        "--dataset_options.generator",
        "token_cue",
        "--dataset_options.amplitude",
        "1e1",
        "--shots",
        "null",
        "--resume_from_checkpoint",
    ]
    settings = parse_settings([str(preset), *arguments])
    assert settings.seed == 7
    assert settings.learning_rate == 2e-5
    assert settings.use_cpu is True
    assert settings.freeze_word_embeddings is False
    assert settings.model_config == {"num_anchors": 4, "pooling": "cls"}
    assert settings.dataset_options == {"generator": "token_cue", "amplitude": 10.0}
    assert settings.shots is None
    assert settings.resume_from_checkpoint == "true"


def test_entries_may_follow_a_whole_dict(tmp_path):
    preset = tmp_path / "my.yaml"
    preset.write_text("model_config: {num_anchors: 2}\n")
    words = ["--model_config", "{}", "--model_config.pooling", "cls", "--model_config.num_layers", "3"]
    assert parse_settings([str(preset), *words]).model_config == {"pooling": "cls", "num_layers": 3}
    preset.write_text("model_config: 3\n")
    with pytest.raises(SettingsError, match="model_config=3 is of the wrong type"):
        parse_settings([str(preset), "--model_config.pooling", "cls"])


def test_modalities_have_one_order_whatever_was_written(tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text("modalities: [audio, text]\n")
    assert parse_settings([str(preset)]).modalities == "text,audio"
    assert parse_settings(["--modalities", "video, text"]).modality_names == ("text", "video")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--learning_rat", "1"], ["learning_rat", "'learning_rate'"]),
        (["--modell", "amess"], ["modell", "'model'"]),
        (["--seed", "one"], ["seed", "'one'", "int"]),
        (["--learning_rate", "fast"], ["learning_rate", "'fast'", "float"]),
        (["--use_cpu", "maybe"], ["cpu", "'maybe'", "bool"]),
        (["--seed", "1.5"], ["seed", "'1.5'", "int"]),
        (["--seed"], ["--seed", "needs a value"]),
        (["--model", "text_onyl"], ["text_onyl", "'text_only'"]),
        (["--metric_for_best_model", "f1"], ["metric_for_best_model", "macro_f1"]),
        (["--modalities", "text,vidoe"], ["vidoe", "'video'"]),
        (["--modalities", ""], ["modalities", "empty"]),
        (["--per_device_train_batch_size", "0"], ["batch_size", "at least 1"]),
        (["--learning_rate", "-1"], ["learning_rate", "at least 0"]),
        (["--warmup_steps", "-1"], ["warmup_steps", "at least 0"]),
        (["--seed.x", "1"], ["seed", "single value"]),
        (["mintrek.yaml"], ["mintrek.yaml", "'mintrec.yaml'"]),
        (["sample.yaml", "stray"], ["stray", "--key value"]),
    ],
)
def test_a_mistake_is_named_with_its_remedy(arguments, words):
    with pytest.raises(SettingsError) as error:
        parse_settings(arguments)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("sed: 1\n", ["mine.yaml", "sed", "'seed'"]),
        ("- a\n- b\n", ["mine.yaml", "list"]),
        ("a: [1\n", ["mine.yaml", "YAML"]),
        ("seed: abc\n", ["seed", "'abc'", "int"]),
        ("model_config: 3\n", ["model_config", "3", "dict"]),
        ("dataset: 3\n", ["dataset", "3", "str"]),
    ],
)
def test_a_mistake_in_a_preset_is_named(tmp_path, content, words):
    preset = tmp_path / "mine.yaml"
    preset.write_text(content)
    with pytest.raises(SettingsError) as error:
        parse_settings([str(preset)])
    for word in words:
        assert word in str(error.value)


def test_yaml_no_is_the_mixed_precision_no(tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text("mixed_precision: no\n")  # YAML 1.1 reads this as false
    assert parse_settings([str(preset)]).mixed_precision == "no"


def test_help_shows_every_setting_with_its_choices_and_bounds():
    text = help_text()
    for name in TrainingSettings.__dataclass_fields__:
        assert f"--{name} (" in text
    assert "--metric_for_best_model (str; default accuracy; one of accuracy, macro_f1)" in text
    assert "--held_out_intents (float or null; default null; above 0; below 1)" in text
    assert "\n\nData:\n  --dataset (" in text


def test_the_choices_of_model_are_the_models_and_the_sentence_methods():
    (choices,) = (item.metadata["choices"] for item in fields(TrainingSettings) if item.name == "model")
    assert set(choices) == {*MODELS, *SENTENCE_METHODS}


def test_settings_of_an_earlier_run_of_a_sentence_method_are_read():
    saved = {"model": "setfit", "modalities": "text", "model_config": {}, "batch_size": 4}
    settings = TrainingSettings.from_saved(saved)
    assert (settings.model, settings.per_device_train_batch_size) == ("setfit", 4)


def test_accelerate_presets_load_in_accelerate():
    from accelerate.commands.config.config_args import load_config_from_file

    for path in sorted((CONFIG_FOLDER / "accelerate").glob("*.yaml")):
        config = load_config_from_file(str(path))
        assert config.num_processes == yaml.safe_load(path.read_text())["num_processes"]


def test_every_setting_says_what_it_means():
    with pytest.raises(TypeError, match="role"):
        setting(0, "A setting whose role nobody chose.")
    names = [name for role in Role for name in settings_of(role)]
    assert sorted(names) == sorted(SETTING_NAMES)


@pytest.mark.parametrize("source", ["command line", "preset"])
def test_a_name_of_an_earlier_version_is_understood_and_the_new_one_is_told_once(source, tmp_path, capsys):
    arguments._tell_renamed.cache_clear()
    old = {"batch_size": "4", "resume": "false", "cpu": "true", "bucket_by_length": "false", "warmup_ratio": "0.2"}
    if source == "command line":
        settings = parse_settings([word for name, value in old.items() for word in (f"--{name}", value)])
    else:
        (tmp_path / "old.yaml").write_text("".join(f"{name}: {value}\n" for name, value in old.items()))
        settings = parse_settings([str(tmp_path / "old.yaml")])
    assert settings.per_device_train_batch_size == 4
    assert settings.resume_from_checkpoint == "false"
    assert settings.use_cpu is True
    assert settings.train_sampling_strategy == "random"
    assert settings.warmup_steps == 0.2
    if source == "command line":  # a command reads its words twice
        parse_settings(["--batch_size", "4", "--resume", "false"])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(old)
    assert "batch_size is called per_device_train_batch_size now" in lines[0]


def test_an_old_name_beside_the_new_one_is_refused():
    with pytest.raises(SettingsError, match="per_device_train_batch_size"):
        parse_settings(["--batch_size", "4", "--per_device_train_batch_size", "8"])


def test_today_s_names_are_not_old_names():
    for old, (new, _) in RENAMED.items():
        assert old not in SETTING_NAMES
        assert new in SETTING_NAMES


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_a_preset_has_any_encoding(tmp_path, encoding):
    preset = tmp_path / "mine.yaml"
    preset.write_bytes("output_dir: runs/café\nseed: 3\n".encode(encoding))
    settings = parse_settings([str(preset)])
    assert (settings.output_dir, settings.seed) == ("runs/café", 3)
    preset.write_bytes(b"\x00\x01seed: 3\n")
    with pytest.raises(SettingsError, match=r"mine\.yaml"):
        parse_settings([str(preset)])
