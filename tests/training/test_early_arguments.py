# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The training script answers for help and typos before it loads a library that takes time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from . import tiny


# Runs the script with these libraries refused: whoever imports them ends with the name of the library.
RUN = """
import runpy, sys
class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "transformers", "datasets", "accelerate", "scipy", "numpy", "huggingface_hub"):
            sys.exit(f"{name} was imported")
sys.meta_path.insert(0, Refusing())
sys.argv = ["train.py", *sys.argv[1:]]
runpy.run_path("training/train.py", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--help"], 0, "--learning_rate"),
        (["--learning_rte", "1"], 1, "learning_rate"),
        (["--learning_rate", "fast"], 1, "learning_rate"),
        (["nothere.yaml"], 1, "nothere.yaml"),
        (["--model", "amness"], 1, "amess"),
        ([], 1, "was imported"),  # what is right goes on to the work
    ],
)
def test_help_and_typos_are_answered_without_the_libraries(words, status, told):
    run = subprocess.run(
        [sys.executable, "-c", RUN, *words], cwd=tiny.ROOT, env=tiny.environment(), capture_output=True, text=True
    )
    assert run.returncode == status, run.stderr
    assert told in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    assert ("was imported" in run.stderr) == (not words)
