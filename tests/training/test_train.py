# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The training script in one process: what it learns, writes, keeps and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.metrics import f1_score
from transformers import AutoModelForSequenceClassification, AutoProcessor

import training
from dataset_scripts.launching import LaunchError, check_launch
from modeling_amess import __version__
from training.arguments import SettingsError
from training.checkpointing import CheckpointError, complete_checkpoints
from training.train import TrainingDivergedError, main

from . import tiny


METRIC_NAMES = ("accuracy", "macro_f1", "macro_precision", "macro_recall", "weighted_f1", "weighted_precision")


def run(settings, folder, *arguments):
    return main([*settings, "--output_dir", str(folder), *(str(argument) for argument in arguments)])


def log_lines(folder, event):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def scores(folder):
    return np.array(pq.read_table(folder / "predictions.parquet")["scores"].to_pylist())


def test_the_log_starts_with_the_version_and_a_checkpoint_keeps_its_files(tiny_settings, tmp_path):
    folder = tmp_path / "run"
    content = run(tiny_settings, folder, "--max_steps", 2)["amess"]
    assert log_lines(folder, "start") == [{"event": "start", "step": 0, "version": __version__}]
    assert content["versions"]["amess-hf"] == __version__
    configs = [folder / "pretrained", *(path / "best" for path in complete_checkpoints(folder / "checkpoints"))]
    thresholds = [json.loads((path / "config.json").read_text())["out_of_scope_threshold"] for path in configs]
    # The checkpoint's files are hard links to those of the model, which the end of the run replaces.
    assert thresholds == [content["out_of_scope_threshold"]["value"], None]


def test_checkpoints_go_when_the_run_is_finished_and_the_same_command_reads_its_results(tiny_settings, tmp_path):
    folder = tmp_path / "run"
    settings = [*tiny_settings, "--keep_finished_checkpoints", "false"]
    first = run(settings, folder, "--max_steps", 2, "--compare_with_text_only")
    assert not list(folder.rglob("checkpoints")) and not list(folder.rglob("optimizer*"))
    weights = {str(path.relative_to(folder)) for path in folder.rglob("*.safetensors")}
    assert weights == {"pretrained/model.safetensors", "text_only/pretrained/model.safetensors"}
    assert run(settings, folder, "--max_steps", 2, "--compare_with_text_only") == first


def test_one_module_knows_the_names_in_a_run_folder():
    names = r'"(config\.yaml|metrics\.json|predictions\.parquet|log\.jsonl|pretrained|checkpoints)"'
    package = Path(training.__file__).parent
    found = {path.name for path in package.rglob("*.py") if re.search(names, path.read_text(encoding="utf-8"))}
    assert found == {"finished_run.py"}


def test_a_run_folder_holds_everything_about_the_run(tiny_settings, tmp_path, capsys):
    folder = tmp_path / "run"
    results = run(tiny_settings, folder, "--compare_with_text_only")
    assert {path.name for path in folder.iterdir()} == {
        "pretrained",
        "checkpoints",
        "metrics.json",
        "predictions.parquet",
        "config.yaml",
        "log.jsonl",
        "README.md",
        "text_only",
        ".amess-run.json",
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == results["amess"]
    for split in ("validation", "test"):
        assert all(0 <= metrics[split][name] <= 1 for name in METRIC_NAMES)
        assert [row["label"] for row in metrics[split]["per_class"]] == tiny.LABELS
        assert sum(row["support"] for row in metrics[split]["per_class"]) == 13
    assert metrics["seed"] == 0
    assert metrics["wall_seconds"] > metrics["train_seconds"] > 0
    assert metrics["train_samples_per_second"] == pytest.approx(3 * 42 / metrics["train_seconds"])
    assert {"torch", "transformers", "accelerate", "python"} <= set(metrics["versions"])
    assert metrics["settings"]["per_device_train_batch_size"] == 4

    table = pq.read_table(folder / "predictions.parquet").to_pandas()
    assert list(table.columns) == ["id", "text", "label", "prediction", "scores"]
    assert sorted(table["id"]) == sorted(f"test_{index}" for index in range(13))
    assert metrics["test"]["accuracy"] == pytest.approx((table["label"] == table["prediction"]).mean())
    assert metrics["test"]["macro_f1"] == pytest.approx(
        f1_score(table["label"], table["prediction"], average="macro", zero_division=0)
    )
    np.testing.assert_allclose(table["scores"].map(sum), 1, atol=1e-5)

    # The saved model and processor give those very scores.
    model = AutoModelForSequenceClassification.from_pretrained(folder / "pretrained").eval()
    processor = AutoProcessor.from_pretrained(folder / "pretrained")
    row = tiny.datasets.load_from_disk(metrics["settings"]["dataset"])["test"].with_format("numpy")[3]
    batch = processor(
        text=[str(row["text"])], video_features=[row["video_features"]], audio_features=[row["audio_features"]]
    )
    expected = table.set_index("id").loc["test_3", "scores"]
    np.testing.assert_allclose(model(**batch).logits.softmax(-1)[0].detach().numpy(), expected, atol=1e-5)

    printed = capsys.readouterr().out
    for name in ("amess", "text_only"):
        (cells,) = re.findall(rf"^\| {name} +\|(.*)\|$", printed, flags=re.MULTILINE)
        assert float(cells.split("|")[0]) == pytest.approx(100 * results[name]["test"]["accuracy"], abs=0.01)
    words = [
        line for line in printed.splitlines() if re.search(r'^  ".+" -> \w+ \(\d+ %\); (right|it was \w+)$', line)
    ]
    assert len(words) == 3
    card = (folder / "README.md").read_text()
    assert f"{100 * metrics['test']['accuracy']:.2f}" in card

    # config.yaml is a preset that starts the same run.
    again = main(
        [str(folder / "config.yaml"), "--output_dir", str(tmp_path / "again"), "--compare_with_text_only=false"]
    )
    assert again["amess"]["test"] == metrics["test"]
    assert yaml.safe_load((folder / "config.yaml").read_text())["compare_with_text_only"] is True


@pytest.mark.parametrize("model", ["amess", "text_only", "mean_fusion"])
def test_overfitting_a_few_batches_learns_them(tiny_settings, tmp_path, model):
    settings = [*tiny_settings, "--model", model, "--overfit_batches", "3", "--num_train_epochs", "40"]
    if model != "amess":
        settings += ["--model_config", "{}"]
    metrics = run(settings, tmp_path / "run", "--learning_rate", "3e-3", "--save_epochs", "0")[model]
    assert metrics["train_samples"] == 12
    assert metrics["test"]["accuracy"] > 0.9
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_training_stops_once_the_monitor_no_longer_rises(tiny_settings, tmp_path):
    # With a learning rate of zero no epoch is better than the first.
    frozen = ["--learning_rate", "0", "--new_learning_rate", "0", "--num_train_epochs", "9"]
    metrics = run(tiny_settings, tmp_path / "run", *frozen, "--early_stopping_patience", "2")["amess"]
    assert (metrics["epochs"], metrics["best_epoch"]) == (3, 1)


def test_the_best_epoch_is_the_one_that_is_tested(tiny_settings, tmp_path):
    metrics = run(tiny_settings, tmp_path / "run", "--num_train_epochs", "5", "--metric_for_best_model", "macro_f1")[
        "amess"
    ]
    validation = log_lines(tmp_path / "run", "validation")
    values = [line["macro_f1"] for line in validation]
    assert metrics["best_epoch"] == 1 + values.index(max(values))
    assert metrics["validation"]["macro_f1"] == pytest.approx(max(values))


def test_the_rate_rises_then_falls_to_zero_and_differs_for_new_weights(tiny_settings, tmp_path):
    run(tiny_settings, tmp_path / "run", "--max_steps", "20", "--warmup_steps", "0.2")
    train = log_lines(tmp_path / "run", "train")
    rates = [line["learning_rate"] for line in train]
    assert len(rates) == 20
    np.testing.assert_allclose(rates[:5], [0, 0.25e-3, 0.5e-3, 0.75e-3, 1e-3])
    np.testing.assert_allclose(rates[4:], np.linspace(1e-3, 0, 17)[:16])
    np.testing.assert_allclose([line["new_learning_rate"] for line in train], 2 * np.array(rates))


def test_a_schedule_shorter_than_the_run_ends_at_zero(tiny_settings, tmp_path):
    """MIntRec2.0's benchmark takes the length of its schedule from another data set."""
    run(tiny_settings, tmp_path / "run", "--max_steps", "20", "--warmup_steps", "0.2", "--decay_ratio", "0.5")
    rates = [line["learning_rate"] for line in log_lines(tmp_path / "run", "train")]
    np.testing.assert_allclose(rates, [0, 0.5e-3, *np.linspace(1e-3, 0, 9), *[0] * 9], atol=1e-12)


def test_accumulated_passes_equal_the_larger_batch(tiny_settings, tmp_path):
    text_model = tiny.make_text_model(tmp_path / "bert", dropout=0.0)
    settings = [*tiny_settings, "--text_model", text_model, "--max_steps", "12"]
    settings += ["--model_config.fusion_dropout", "0", "--model_config.classifier_dropout", "0"]
    run(settings, tmp_path / "large", "--per_device_train_batch_size", "8")
    run(settings, tmp_path / "accumulated", "--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "2")
    run(settings, tmp_path / "small", "--per_device_train_batch_size", "4")
    large = [line["loss"] for line in log_lines(tmp_path / "large", "train")]
    accumulated = [line["loss"] for line in log_lines(tmp_path / "accumulated", "train")]
    # 42 samples are 6 steps of 8, the last one of 2: the two epochs hold a ragged step each.
    np.testing.assert_allclose(accumulated, large, rtol=1e-3)
    np.testing.assert_allclose(scores(tmp_path / "accumulated"), scores(tmp_path / "large"), atol=2e-3)
    assert np.abs(scores(tmp_path / "small") - scores(tmp_path / "large")).max() > 1e-2


@pytest.mark.parametrize("modalities", ["text", "video", "text,audio"])
def test_any_set_of_modalities_trains(tiny_settings, tmp_path, modalities):
    metrics = run(tiny_settings, tmp_path / "run", "--modalities", modalities, "--max_steps", "3")["amess"]
    config = json.loads((tmp_path / "run" / "pretrained" / "config.json").read_text())
    assert (config["video_feature_size"] is not None) == ("video" in modalities)
    assert (config["audio_feature_size"] is not None) == ("audio" in modalities)
    assert metrics["settings"]["modalities"] == modalities


def test_bf16_trains(tiny_settings, tmp_path):
    metrics = run(tiny_settings, tmp_path / "run", "--mixed_precision", "bf16", "--max_steps", "4")["amess"]
    assert metrics["mixed_precision"] == "bf16"
    assert np.isfinite(metrics["test"]["accuracy"])


def test_tensorboard_gets_the_course_of_training(tiny_settings, tmp_path):
    run(tiny_settings, tmp_path / "run", "--report_to", "tensorboard", "--max_steps", "2")
    assert list((tmp_path / "run").rglob("events.out.tfevents.*"))


def test_a_finished_run_is_kept_under_a_new_name_unless_told_otherwise(tiny_settings, tmp_path, capsys):
    folder = tmp_path / "run"
    for seed in (0, 1):
        run(tiny_settings, folder, "--max_steps", "2", "--seed", seed)
    assert str(tmp_path / "run.1") in capsys.readouterr().out
    assert json.loads((tmp_path / "run.1" / "metrics.json").read_text())["seed"] == 0
    assert json.loads((folder / "metrics.json").read_text())["seed"] == 1
    run(tiny_settings, folder, "--max_steps", "2", "--overwrite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.1"]


def test_resuming_a_finished_run_returns_its_results(tiny_settings, tmp_path):
    first = run(tiny_settings, tmp_path / "run", "--max_steps", "2")
    assert run(tiny_settings, tmp_path / "run", "--max_steps", "2", "--resume_from_checkpoint", "true") == first


def test_an_interrupted_comparison_goes_on_with_its_second_part(tiny_settings, tmp_path):
    folder = tmp_path / "run"
    first = run(tiny_settings, folder, "--max_steps", "2")
    both = run(tiny_settings, folder, "--max_steps", "2", "--compare_with_text_only")
    assert both["amess"] == first["amess"]
    assert both["text_only"]["model"] == "text_only"


def test_a_folder_of_someone_else_is_left_alone(tiny_settings, tmp_path):
    (tmp_path / "thesis.txt").write_text("two years of work")
    with pytest.raises(SettingsError, match="no run wrote"):
        run(tiny_settings, tmp_path, "--overwrite")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_checkpoint_of_other_settings_is_refused_with_the_difference(tiny_settings, tmp_path):
    run(tiny_settings, tmp_path / "run", "--max_steps", "2")
    checkpoint = next((tmp_path / "run" / "checkpoints").iterdir())
    with pytest.raises(CheckpointError, match="seed was 0 and is 1"):
        run(
            tiny_settings,
            tmp_path / "other",
            "--max_steps",
            "2",
            "--seed",
            "1",
            "--resume_from_checkpoint",
            checkpoint,
        )
    (tmp_path / "run" / "metrics.json").unlink()  # as if it had been interrupted
    with pytest.raises(SettingsError, match=r"batch_size was 4 and is 8.*--resume_from_checkpoint false"):
        run(tiny_settings, tmp_path / "run", "--max_steps", "2", "--per_device_train_batch_size", "8")
    with pytest.raises(SettingsError, match=r"no whole checkpoint|Cannot continue|not a checkpoint"):
        run(tiny_settings, tmp_path / "new", "--resume_from_checkpoint", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model_config.num_anchor", "4"], ["num_anchor", "'num_anchors'"]),
        (["--model", "text_only"], ["text_only", "'fusion_num_attention_heads'"]),
        (["--model_config.num_anchors", "0"], ["num_anchors"]),
        (["--num_text_layers", "9"], ["num_text_layers=9", "1 to 2"]),
        (["--label_descriptions", "null"], ["--label_descriptions", "use_semantic_synchronization"]),
        (["--label_descriptions", "/no/such.json"], ["/no/such.json"]),
        (["--mixed_precision", "fp16"], ["fp16", "GPU"]),
        (["--report_to", "wandb"], ["wandb", "pip install"]),
    ],
)
def test_what_does_not_fit_is_named(tiny_settings, tmp_path, arguments, words):
    import importlib.util

    if "wandb" in words and importlib.util.find_spec("wandb"):
        pytest.skip("wandb is installed here")
    with pytest.raises(SettingsError) as error:
        run(tiny_settings, tmp_path / "run", *arguments)
    for word in words:
        assert word in str(error.value)


def test_a_loss_that_is_no_number_stops_training(tiny_settings, tmp_path):
    with pytest.raises(TrainingDivergedError, match="Lower --learning_rate"):
        run(tiny_settings, tmp_path / "run", "--learning_rate", "1e30", "--max_grad_norm", "0", "--warmup_steps", "0")


def test_a_rendezvous_without_a_world_size_is_refused():
    launched = {"ACCELERATE_MIXED_PRECISION": "no"}
    script = "training/train.py"
    check_launch(launched, script)
    check_launch({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}, script)  # a shell's, without accelerate launch
    check_launch({**launched, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "WORLD_SIZE": "2"}, script)
    with pytest.raises(LaunchError, match="torchrun --nproc_per_node 2"):
        check_launch({**launched, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}, script)
