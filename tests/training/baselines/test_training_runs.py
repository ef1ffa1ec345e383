# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Baselines in the training script: they learn, and CAGC's bank holds training utterances alone."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pytest
from transformers import AutoModelForSequenceClassification

from training.train import main

from .. import tiny


# A random encoder learns in fewer epochs from the mean of the tokens than through its random pooler.
CONFIGS = {
    "mag_bert": "{pooling: mean}",
    "mult": "{projection_size: 8, fusion_num_attention_heads: 2, fusion_num_layers: 1}",
    "tcl_map": "{pooling: mean, fusion_num_attention_heads: 2, fusion_num_layers: 1}",
    "cagc": "{fusion_num_attention_heads: 2}",
}


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings of a run over 64 utterances, without its model."""
    folder: Path = tmp_path_factory.mktemp("preset")
    file = folder / "tiny.yaml"
    file.write_text(
        f"dataset: {tiny.make_dataset(folder / 'data', train=64, other=5)}\n"
        f"text_model: {tiny.make_text_model(folder / 'bert')}\n"
        "per_device_train_batch_size: 16\nlearning_rate: 5.0e-3\nnew_learning_rate: 5.0e-3\n"
        "use_cpu: true\ncpu_threads: 1\ncheckpoint_every_epochs: 0\n"
    )
    return [str(file)]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_overfitting_64_samples_learns_them(name, preset, tmp_path):
    choice = ["--model", name, "--model_config", CONFIGS[name], "--output_dir", str(tmp_path / "run")]
    debugging = ["--overfit_batches", "4", "--num_train_epochs", "60", "--eval_epochs", "20"]
    metrics = main([*preset, *choice, *debugging])[name]
    assert metrics["train_samples"] == 64
    assert metrics["test"]["accuracy"] > 0.9


def test_a_run_fills_the_bank_of_cagc_from_its_training_split_alone(preset, tmp_path):
    choice = ["--model", "cagc", "--model_config", CONFIGS["cagc"], "--output_dir", str(tmp_path / "run")]
    main([*preset, *choice, "--max_steps", "1", "--shots", "6"])
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "pretrained")
    data = datasets.load_from_disk(Path(preset[0]).parent / "data").with_format("numpy")

    def means(split: str) -> np.ndarray:
        return np.array([row["video_features"].mean(0) for row in data[split] if len(row["video_features"])])

    def is_in(bank: np.ndarray, others: np.ndarray) -> np.ndarray:
        return (np.abs(bank[:, None] - others).max(-1) < 1e-5).any(1)

    bank = model.bank.features.numpy()
    assert 0 < model.config.bank_size == len(bank) <= 18
    assert is_in(bank, means("train")).all()
    assert not is_in(bank, means("validation")).any() and not is_in(bank, means("test")).any()
