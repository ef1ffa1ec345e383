# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The course of training: log.jsonl in the run folder, and the tracker if there is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from accelerate import Accelerator


class TrainingLog:
    """
    Appends `{"event", "step", ...}` lines on the main process. There are no times in them: a continued run leaves the
    same file as an uninterrupted one.
    """

    def __init__(self, path: Path, accelerator: Accelerator):
        self.path = path
        self.accelerator = accelerator

    def write(self, event: str, step: int, values: Mapping[str, float | int | bool]) -> None:
        """Add one line, and send the numbers to the tracker as `event/name`."""
        if self.accelerator.is_main_process:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"event": event, "step": step, **values}) + "\n")
        self.accelerator.log({f"{event}/{name}": value for name, value in values.items()}, step=step)
