# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What differs between Linux, macOS and Windows: cores, encodings of output."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_scripts.errors import missing_package
from dataset_scripts.launching import available_cores


PROJECT = Path(__file__).parents[2]


def test_the_cores_of_this_process_are_counted():
    assert 1 <= available_cores() <= os.cpu_count()


def test_cores_are_counted_where_processes_are_bound_to_none(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS and Windows
    assert available_cores() >= 1
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    if sys.version_info < (3, 13):
        assert available_cores() == 1


def test_nothing_else_counts_cores():
    files = [
        file
        for folder in ("modeling_amess", "dataset_scripts", "training", "space", "benchmarks")
        for file in (PROJECT / folder).rglob("*.py")
    ]
    counting = [file.name for file in files if re.search(r"sched_getaffinity|cpu_count\(", file.read_text("utf-8"))]
    assert counting == ["launching.py"]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8", "cp936"])
def test_a_command_escapes_what_its_output_does_not_have(encoding):
    code = "from dataset_scripts.errors import UserError, run_command\n"
    code += "def main():\n    print('é 你好 😀 \\udce9')\n    raise UserError('你好')\nrun_command(main)"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(PROJECT)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert run.returncode == 1, run.stderr
    out = run.stdout.decode(encoding)
    assert ("你好" in out) == (encoding in ("utf-8", "cp936"))
    assert ("\\u4f60" in out) == (encoding in ("cp1252", "ascii"))
    assert run.stderr.decode(encoding).startswith("UserError: ")


def test_a_package_that_is_missing_is_named_with_its_extra():
    message = missing_package(ModuleNotFoundError("No module named 'accelerate.utils'", name="accelerate.utils"))
    assert "package accelerate" in message and '".[train]"' in message and "The extra sample" in message
    message = missing_package(ModuleNotFoundError("No module named 'tensorboard'", name="tensorboard"))
    assert message.endswith("pip install tensorboard.")  # only the tests' extra has it
    with pytest.raises(ModuleNotFoundError):  # a defect of ours keeps its traceback
        missing_package(ModuleNotFoundError("No module named 'training.nowhere'", name="training.nowhere"))
