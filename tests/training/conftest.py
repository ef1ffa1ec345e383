# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Fixtures: tiny models and data, and a fresh Accelerate for every test."""

from __future__ import annotations

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState

from . import tiny


@pytest.fixture(scope="session")
def tiny_settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Command line of a run that takes a second: everything but --output_dir."""
    return [tiny.make_preset(tmp_path_factory.mktemp("tiny"))]


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
