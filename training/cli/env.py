# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess env`: versions and hardware, to paste into a bug report."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import re
from pathlib import Path

from dataset_scripts.launching import available_cores
from dataset_scripts.requirements import requirements


DESCRIPTION = """\
Print the versions of A-MESS and of every package that it can use, and the hardware. Paste the output into a bug
report. The command also works where packages are missing or broken. It prints no paths, names or tokens.
"""
_ROOT = Path(__file__).parents[2]
# Packages that come with transformers and that A-MESS uses directly.
_COME_ALONG = ("huggingface-hub", "numpy", "safetensors", "tokenizers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description to a parser."""
    parser.description = DESCRIPTION


def run(arguments: argparse.Namespace) -> int:
    """Print the report and return the exit status."""
    facts = environment()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {value}")
    return 0


def environment() -> dict[str, str]:
    """Collect what a bug report needs, in the order in which it is printed."""
    extras = requirements()
    packages = {*_COME_ALONG, *(name for names in extras.values() for name in names)}
    versions = {name: _version(name) for name in sorted(packages)}
    facts = {
        "amess": project_version(),
        "Python": platform.python_version(),
        "platform": platform.platform(),
        "CPU cores": str(available_cores()),
        "torch device": _torch_device(),
        "FFmpeg": _ffmpeg(),
    }
    for extra, names in extras.items():
        missing = [name for name in names if versions[name] is None]
        title = f"extra {extra}" if extra else "base packages"
        facts[title] = f"incomplete, without {', '.join(missing)}" if missing else "complete"
    return facts | {name: version or "not installed" for name, version in versions.items()}


def project_version() -> str:
    """Read the version of this code, whether it is installed or a checkout, without importing torch."""
    source = (_ROOT / "modeling_amess" / "configuration_amess.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"', source, flags=re.MULTILINE)
    assert version is not None
    return version[1]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch_device() -> str:
    try:
        import torch  # here, so that `amess --help` does not load it

        if torch.cuda.is_available():
            names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
            return f"cuda ({', '.join(names)}; CUDA {torch.version.cuda})"
        return f"{'mps' if torch.backends.mps.is_available() else 'cpu'} ({torch.get_num_threads()} thread(s))"
    except Exception as error:  # a broken installation is what a bug report may be about
        return f"unknown: {type(error).__name__}: {error}"


def _ffmpeg() -> str:
    try:
        import av  # here, because it loads FFmpeg

        return f"{av.ffmpeg_version_info} (in PyAV {av.__version__})"
    except Exception as error:
        return f"unknown: {type(error).__name__}: {error}"
