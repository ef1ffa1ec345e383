# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Where the visitors' files lie, and until when."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from gradio.utils import get_upload_folder


PREFIX = "amess-demo-"


def claim_folder() -> Path:
    """Give Gradio a folder of this process, so that nothing else in its usual folder is ever deleted."""
    parent = Path(get_upload_folder())
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder


def delete_old(age: float, keep: Collection[str]) -> None:
    """Delete what visitors of this process, and of earlier ones that were killed, have left.

    Gradio deletes only the files that this process remembers.

    Args:
        age: Seconds until a file is deleted.
        keep: Files that the page needs. They are made young again, because another demo beside this one deletes by age
            too.
    """
    for file in keep:
        with contextlib.suppress(OSError):
            os.utime(file)
    own = Path(get_upload_folder())
    deadline = time.time() - age
    for folder in {own, *own.parent.glob(f"{PREFIX}*")}:
        for place, names, files in os.walk(folder, topdown=False):
            # An upload makes its folder before its file: a young folder stays.
            for path in (*(Path(place, name) for name in files), *(Path(place, name) for name in names)):
                with contextlib.suppress(OSError):
                    if path.lstat().st_mtime < deadline and str(path) not in keep:
                        if path.is_dir() and not path.is_symlink():
                            path.rmdir()  # which fails unless it is empty
                        else:
                            path.unlink()
        if folder != own:
            with contextlib.suppress(OSError):
                folder.rmdir()


def delete_all(folder: Path) -> None:
    """Delete the folder of `claim_folder`."""
    shutil.rmtree(folder, ignore_errors=True)
