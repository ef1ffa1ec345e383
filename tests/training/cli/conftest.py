# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A model that takes clips, and two clips."""

from pathlib import Path

import pytest

from tests.modeling_amess.clips import write_clip
from tests.modeling_amess.tiny_recognizer import recognizer_model, recognizer_processor


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a model that takes clips."""
    folder = tmp_path_factory.mktemp("model")
    recognizer_model().save_pretrained(folder)
    recognizer_processor().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two clips: a.mp4, whose words stand beside it, and b.mp4 without sound."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "a.mp4", seconds=1.0)
    (folder / "a.txt").write_text("oh, great.\n")
    write_clip(folder / "b.mp4", seconds=0.7, audio=False)
    return folder
