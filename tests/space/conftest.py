# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""One running demo for all tests here, a clip to give it, and the modules of `space/`, which is no package."""

import sys
from pathlib import Path

import pytest

from tests.modeling_amess.clips import write_clip

from .server import SPACE, one_thread, running, save_tiny_model


sys.path.insert(0, str(SPACE))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random model."""
    return save_tiny_model(tmp_path_factory.mktemp("demo_model"))


@pytest.fixture(scope="session")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory):
    """The demo in a process of its own."""
    with running(tiny_model, tmp_path_factory.mktemp("demo")) as running_server:
        yield running_server
        assert "Traceback" not in running_server.log.read_text()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds with picture and sound."""
    return write_clip(tmp_path_factory.mktemp("clips") / "visitor.mp4")


@pytest.fixture(scope="session")
def recognizer(tiny_model: Path):
    """The same model in this process."""
    from recognition import Recognizer
    from transformers import pipeline

    one_thread()
    return Recognizer(pipeline("multimodal-intent-recognition", model=str(tiny_model)), "tiny")
