# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are whole or absent: written beside their place, then renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import DiskError, full_disk


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Report a full disk as an error of the user's, whichever library writes.

    Args:
        target: File or folder that the block writes, for the message.

    Raises:
        DiskError: The disk is full.
    """
    try:
        yield
    except Exception as error:
        reason = full_disk(error)
        if reason is None:
            raise
        raise DiskError(
            f"{target} could not be written: {reason}. What was there before is kept. Make room on that disk and give "
            "the same command again."
        ) from error


@contextmanager
def replacing(target: Path, *, shared: bool = False) -> Iterator[Path]:
    """Write a file or a folder beside its place and rename it when the block ends.

    An interruption leaves the old content or the new, never a part of either. If the block raises, the old content
    stays and the new content is removed. A full disk raises `DiskError`.

    Args:
        target: Path of the file or folder, which may exist.
        shared: Whether several processes may write the same file at a time. Each then writes to a path of its own.

    Yields:
        The path to write to, in the same folder. It does not exist yet.
    """
    partial = partial_of(target, f".{os.getpid()}" if shared else "")
    _remove(partial)
    try:
        with writing(target):
            yield partial
    except BaseException:
        _remove(partial)
        raise
    if not partial.is_dir():
        partial.replace(target)
        return
    # A folder cannot be renamed onto one that has content.
    old = target.with_name(f".{target.name}.old")
    _remove(old)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    _remove(old)


def partial_of(target: Path, process: str = "") -> Path:
    """Return the path beside a file or folder that `replacing` writes to."""
    return target.with_name(f".{target.name}{process}.partial")


def make_folder(path: Path) -> list[Path]:
    """Make a folder with its parents, and return those that did not exist, outermost first."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()][::-1]
    path.mkdir(parents=True, exist_ok=True)
    return missing


def remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, given outermost first, as far as they are empty."""
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()


def is_unfinished(path: Path) -> bool:
    """Return whether an interrupted `replacing` left this file or folder."""
    return path.name.startswith(".") and path.suffix in (".partial", ".old")


def write_json(path: Path, content: Any) -> None:
    """Write JSON and force it to the disk."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    sync(path)


def sync(path: Path) -> None:
    """Force a file, or the entries of a folder, to the disk."""
    if os.name == "nt":  # which syncs no folder, and no file that is open for reading alone
        if path.is_dir():
            return
        flags = os.O_RDWR
    else:
        flags = os.O_RDONLY
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
