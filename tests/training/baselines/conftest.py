# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a tiny text encoder on disk."""

import pytest

from .. import tiny


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a random BERT of 16 dimensions."""
    return tiny.make_text_model(tmp_path_factory.mktemp("bert"))
