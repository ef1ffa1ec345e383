# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Fingerprints of data files and of the code that reads them: `datasets` itself looks at neither."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path


PACKAGE = Path(__file__).parent
# Feature pickles have gigabytes. For a longer file than this, only size, time, head and tail count.
_WHOLE_FILE_BYTES = 4 * 1024 * 1024
_SAMPLED_BYTES = 64 * 1024


def code_files(module: str | Path, within: Path | None = None) -> list[Path]:
    """Return the files of this package that a module imports, itself included, in order of their paths.

    The imports are read from the source, those inside functions too, and followed through the package. A module that
    is renamed, split or newly imported therefore counts without anybody having to list it.

    Args:
        module: Path of a module of `dataset_scripts`, its `__file__`.
        within: Folder whose modules count, one room of the package; None for all.
    """
    files: set[Path] = set()
    waiting = [Path(module).resolve()]
    while waiting:
        file = waiting.pop()
        if file in files or not (within is None or file.is_relative_to(within)):
            continue
        files.add(file)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                waiting += _imported_files(node, file)
    return sorted(files)


def _imported_files(node: ast.ImportFrom, file: Path) -> list[Path]:
    """The files of this package that one `from ... import ...` of `file` reads."""
    parts = node.module.split(".") if node.module else []
    if node.level:
        folder = file.parents[node.level - 1]
    elif parts and parts[0] == PACKAGE.name:
        folder, parts = PACKAGE, parts[1:]
    else:
        return []
    target = folder.joinpath(*parts)
    # `from .rows import read_sample` names a module, `from . import rows` a package and its module.
    candidates = [target.with_suffix(".py"), *(target / f"{alias.name}.py" for alias in node.names)]
    return [path.resolve() for path in candidates if path.is_file()]


def fingerprint_files(
    files: Iterable[str | Path], module: str | Path, names: Iterable[str] = (), within: Path | None = None
) -> str:
    """Return a fingerprint of data files and of the code that reads them, for the `hash=` of a builder.

    `datasets` keys its cache by path and settings alone, so that a file changed in place would give stale rows.
    Small files count by content; large ones by size, time of change, head and tail. A missing file counts as missing.

    Args:
        files: Data files.
        module: Path of the module that reads them, its `__file__`.
        names: Names that count by themselves, such as those of clips, whose content is no part of a row.
        within: Folder whose modules count, see `code_files`.
    """
    digest = hashlib.sha256()
    for path in [*code_files(module, within), *map(Path, files)]:
        digest.update(f"\0{path.name}\0".encode())
        if path.is_file():
            _update_digest(digest, path)
    for name in names:
        digest.update(f"\0{name}\0".encode())
    return digest.hexdigest()[:32]


def _update_digest(digest: hashlib._Hash, path: Path) -> None:
    status = path.stat()
    digest.update(f"{status.st_size}\0".encode())
    with open(path, "rb") as file:
        if status.st_size <= _WHOLE_FILE_BYTES:
            digest.update(file.read())
            return
        digest.update(f"{status.st_mtime_ns}\0".encode())
        digest.update(file.read(_SAMPLED_BYTES))
        file.seek(-_SAMPLED_BYTES, 2)
        digest.update(file.read())
