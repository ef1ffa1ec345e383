# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""New Python processes: one that can import this package, or one from which it is hidden, as on a user's machine."""

import os
import subprocess
import sys
from pathlib import Path


PROJECT = Path(__file__).parents[2]
# An editable install puts the project on the path: take it off again.
HIDE = f"""
import importlib.util, sys
sys.meta_path[:] = [
    finder for finder in sys.meta_path
    if "__editable__" not in getattr(finder, "__module__", "") + getattr(finder, "__name__", "")
]
sys.path[:] = [path for path in sys.path if path != {str(PROJECT)!r}]
assert importlib.util.find_spec("modeling_amess") is None, "the package must not be importable here"
trust = {{"trust_remote_code": True}}
"""
IMPORT = """
import modeling_amess
trust = {}
"""


def run_python(code: str, *arguments: object, home: Path, with_package: bool) -> str:
    """Run a script offline, in which `trust` holds the arguments that the Auto classes need; return its output.

    Args:
        code: The script.
        arguments: Its `sys.argv[1:]`.
        home: Folder that it runs in, with the caches of the Hugging Face libraries.
        with_package: Whether it imports this package, or cannot.
    """
    home.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    if with_package:
        environment["PYTHONPATH"] = str(PROJECT)
    run = subprocess.run(
        [sys.executable, "-c", (IMPORT if with_package else HIDE) + code, *map(str, arguments)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout
