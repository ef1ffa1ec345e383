# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess env`: the report names what matters, also where packages are missing."""

import importlib.metadata
import platform
import sys

import numpy as np
import torch

import modeling_amess
from training.cli import env

from .command import PROJECT, amess


def report(out: str) -> dict[str, str]:
    rows = (line.split("  ", 1) for line in out.splitlines())
    return {name: value.strip() for name, value in rows}


def test_the_report_names_versions_and_hardware(capsys):
    status, out, err = amess(capsys, "env")
    facts = report(out)
    assert (status, err) == (0, "")
    assert facts["amess"] == modeling_amess.__version__
    assert facts["Python"] == platform.python_version()
    assert facts["torch"] == importlib.metadata.version("torch")
    assert facts["numpy"] == np.__version__
    assert facts["torch device"].startswith("cuda" if torch.cuda.is_available() else ("cpu", "mps"))
    assert facts["FFmpeg"][0].isdigit() or facts["FFmpeg"].startswith("n")
    assert facts["base packages"] == "complete"
    assert str(PROJECT) not in out, "a path may name a person"


def test_missing_and_broken_packages_are_reported(capsys, monkeypatch):
    def version(name: str) -> str:
        if name == "av":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    for name in ("av", "torch"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it raises ImportError
    status, out, _ = amess(capsys, "env")
    facts = report(out)
    assert status == 0
    assert facts["av"] == "not installed" and facts["transformers"] == "1.0"
    assert "av" in facts["extra media"] and facts["base packages"] == "complete"
    assert "ImportError" in facts["torch device"] or "ModuleNotFoundError" in facts["torch device"]
    assert facts["FFmpeg"].startswith("unknown")


def test_requirements_come_from_the_installation_or_from_setup_cfg(monkeypatch):
    asked = ["torch>=2.6", 'av>=18.1; extra == "media"', "matplotlib ; extra == 'media'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)
    assert env.requirements() == {"": ["torch"], "media": ["av", "matplotlib"]}

    def not_installed(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", not_installed)
    requirements = env.requirements()
    assert requirements[""] == ["torch", "transformers"]
    assert set(requirements["media"]) < set(requirements["sample"])
