# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of a table or figure in the output folder. A file that `reproduce` did not write is never replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dataset_scripts.files import replacing, write_json

from ..finished_run import ForeignFileError, digest


# Fingerprints of the results in the folder, by name.
RECORD_FILE = ".amess-results.json"
ENDINGS = (".md", ".csv", ".png")


def check_results(output: Path, name: str, title: str) -> None:
    """Refuse files of the user's with the names of a table's files. Called before anything is trained.

    Args:
        output: Output folder.
        name: Name of the table or figure.
        title: Title of the table or figure.

    Raises:
        ForeignFileError: There is such a file.
    """
    if not (output / RECORD_FILE).exists() and _is_of_0_1_0(output / f"{name}.md", title):
        _record(output, [output / f"{name}{ending}" for ending in ENDINGS])
    for ending in ENDINGS:
        _check(output / f"{name}{ending}")


def write_result_file(file: Path, write: Callable[[Path], Any]) -> None:
    """Write one file of a table or figure.

    Args:
        file: File in the output folder.
        write: Function that draws or writes the content into a file.

    Raises:
        ForeignFileError: The user has a file of this name there.
    """
    with replacing(file) as partial:
        write(partial)
        _check(file)
        # Before the file gets its name: after a kill, it is known as ours.
        _record(file.parent, [file], partial)


def _check(file: Path) -> None:
    if file.exists() and digest(file.read_bytes()) not in _read_record(file.parent).get(file.name, ()):
        raise ForeignFileError(
            f"{file} was not written by training.reproduce, or was changed since. It is kept. Move it to another "
            "folder and give the same command again."
        )


def _record(output: Path, files: Iterable[Path], partial: Path | None = None) -> None:
    record = _read_record(output)
    for file in files:
        contents = [path for path in (file, partial) if path is not None and path.is_file()]
        record[file.name] = [digest(path.read_bytes()) for path in contents]
    with replacing(output / RECORD_FILE) as written:
        write_json(written, record)


def _read_record(output: Path) -> dict[str, list[str]]:
    try:
        record: dict[str, list[str]] = json.loads((output / RECORD_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        return {}  # damaged: files are kept
    return record


def _is_of_0_1_0(table: Path, title: str) -> bool:
    """Return whether a table has the content that version 0.1.0, which kept no record, wrote."""
    return table.is_file() and table.read_bytes().startswith(f"# {title}\n\nIn percent, on ".encode())
