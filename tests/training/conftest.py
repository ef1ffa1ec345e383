# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Fixtures: tiny models and data, and a fresh Accelerate for every test."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState

from . import tiny


@pytest.fixture(scope="session")
def tiny_settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Command line of a run that takes a second: everything but --output_dir."""
    folder: Path = tmp_path_factory.mktemp("tiny")
    text_model = tiny.make_text_model(folder / "bert")
    preset = folder / "tiny.yaml"
    preset.write_text(
        f"dataset: {tiny.make_dataset(folder / 'data')}\n"
        f"text_model: {text_model}\n"
        f"description_model: {tiny.make_sentence_encoder(folder / 'sentence', text_model)}\n"
        f"label_descriptions: {tiny.make_descriptions(folder / 'descriptions.json')}\n"
        "model_config: {fusion_num_attention_heads: 2, num_anchors: 2}\n"
        "num_train_epochs: 3\nper_device_train_batch_size: 4\nlearning_rate: 1.0e-3\nnew_learning_rate: 2.0e-3\n"
        "use_cpu: true\ncpu_threads: 1\nlogging_steps: 1\n"
    )
    return [str(preset)]


@pytest.fixture(autouse=True)
def fresh_accelerate(monkeypatch: pytest.MonkeyPatch):
    """Accelerate keeps its state in the process; each test starts without one, and with one thread."""
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "ACCELERATE_MIXED_PRECISION"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    torch.set_num_threads(threads)
