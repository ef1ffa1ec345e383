# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What this project asks for: its extras, their packages, and the extra that brings a missing module."""

from __future__ import annotations

import configparser
import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from pathlib import Path


OF_DEVELOPERS = ("test", "docs", "dev")  # extras that no user wants for one package of them
_ROOT = Path(__file__).parents[1]
_DISTRIBUTION = "amess-hf"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
# Modules whose distribution has another name than theirs.
_DISTRIBUTIONS = {"PIL": "pillow", "pympi": "pympi-ling", "sklearn": "scikit-learn", "yaml": "pyyaml"}


def requirements() -> dict[str, list[str]]:
    """Packages that the base (under `""`) and each extra ask for: from the installation, or else from setup.cfg."""
    extras: dict[str, list[str]] = {"": []}
    try:
        for requirement in importlib.metadata.requires(_DISTRIBUTION) or ():
            extra = re.search(r"""extra == ["']([^"']+)["']""", requirement)
            extras.setdefault(extra[1] if extra else "", []).append(_package(requirement))
    except importlib.metadata.PackageNotFoundError:
        config = configparser.ConfigParser()
        config.read(_ROOT / "setup.cfg", encoding="utf-8")
        if config.has_section("options"):
            extras[""] = _packages(config["options"]["install_requires"])
            extras |= {extra: _packages(lines) for extra, lines in config["options.extras_require"].items()}
    return extras


def _packages(lines: str) -> list[str]:
    return [_package(line) for line in lines.splitlines() if line.strip()]


def _package(requirement: str) -> str:
    name = _NAME.match(requirement.strip())
    assert name is not None
    return name[0]


def extra_with(module: str, extras: Mapping[str, Sequence[str]]) -> tuple[str, str | None]:
    """Find the distribution that has a module, and the first extra for users that asks for it.

    Args:
        module: Name of the module, such as `sklearn`.
        extras: Packages by extra, as `requirements` returns them.

    Returns:
        The name of the distribution, as far as it is known, and the extra; `None` where no extra has it.
    """
    distribution = _DISTRIBUTIONS.get(module, module).lower().replace("_", "-")
    for_users = {extra: names for extra, names in extras.items() if extra and extra not in OF_DEVELOPERS}
    having = (extra for extra, names in for_users.items() if distribution in map(str.lower, names))
    return distribution, next(having, None)
