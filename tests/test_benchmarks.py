# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The documented commands of the benchmarks are understood by the scripts."""

import argparse
import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest


FOLDER = Path(__file__).parents[1] / "benchmarks"


def documented_commands() -> list[str]:
    pages = [FOLDER / "README.md", *sorted(FOLDER.glob("*.py"))]
    return [
        line
        for page in pages
        for line in re.findall(r"^    (python -m benchmarks\..+)$", page.read_text(), flags=re.MULTILINE)
    ]


class Understood(Exception):
    """Stops a script once its command line is read."""


@pytest.mark.parametrize("command", documented_commands())
def test_every_documented_command_is_understood(command, monkeypatch):
    words = shlex.split(command, comments=True)
    parse_args = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser, *arguments):
        parse_args(parser, *arguments)
        raise Understood

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", words[2:])
    with pytest.raises(Understood):
        importlib.import_module(words[2]).main()


def test_every_script_is_documented():
    scripts = {path.stem for path in FOLDER.glob("*.py") if "def main" in path.read_text()}
    readme = (FOLDER / "README.md").read_text()
    assert scripts == set(re.findall(r"python -m benchmarks\.(\w+)", readme))
