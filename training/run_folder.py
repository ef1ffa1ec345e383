# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Start of a run: what its folder holds already, and whether this launch starts, continues or keeps it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from dataset_scripts.files import replacing

from .arguments import Role, SettingsError, TrainingSettings, settings_of
from .checkpointing import BEST_FOLDER, complete_checkpoints, describe_differences, link_folder
from .finished_run import (
    CHECKPOINT_FOLDER,
    LOG_FILE,
    METRICS_FILE,
    MODEL_FOLDER,
    SETTINGS_FILE,
    is_finished,
    read_settings,
    write_settings,
)


class TrainingLog:
    """Writer of `log.jsonl`: lines `{"event", "step", ...}`, from the main process only.

    The lines hold no times, so that a continued run leaves the same file as an uninterrupted one.
    """

    def __init__(self, path: Path, accelerator: Accelerator):
        self.path = path
        self.accelerator = accelerator

    def start(self, version: str) -> None:
        """Write the first line of a new run, with the version of this package."""
        self._write({"event": "start", "step": 0, "version": version})

    def write(self, event: str, step: int, values: Mapping[str, float | int | bool]) -> None:
        """Write one line, and send the numbers to the tracker as `event/name`."""
        self._write({"event": event, "step": step, **values})
        self.accelerator.log({f"{event}/{name}": value for name, value in values.items()}, step=step)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.accelerator.is_main_process:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")


def result_settings(settings: TrainingSettings) -> dict[str, Any]:
    """Return the settings that the result depends on."""
    return {name: value for name, value in asdict(settings).items() if name not in settings_of(Role.FREE)}


@dataclass
class RunFolder:
    """A run folder, ready for this launch.

    Attributes:
        path: The folder.
        checkpoint: Checkpoint to continue from; `None` to start.
        finished: Whether the run is finished with these settings, so that there is nothing to train.
        notes: Decisions, in words for the user.
    """

    path: Path
    checkpoint: Path | None = None
    finished: bool = False
    notes: tuple[str, ...] = ()

    @property
    def model_folder(self) -> Path:
        """Folder of the best model so far."""
        return self.path / MODEL_FOLDER

    @property
    def checkpoint_folder(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / CHECKPOINT_FOLDER

    def restore(self, checkpoint: Path, step: int) -> None:
        """Bring the best model and the log back to their state at a checkpoint.

        Args:
            checkpoint: Folder of the checkpoint.
            step: Optimizer steps at the checkpoint.
        """
        best = checkpoint / BEST_FOLDER
        if best.is_dir():
            with replacing(self.model_folder) as partial:
                link_folder(best, partial)
        else:
            shutil.rmtree(self.model_folder, ignore_errors=True)
        log = self.path / LOG_FILE
        if log.is_file():
            # The last line may be cut off where the run was killed.
            lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            with replacing(log) as partial:
                partial.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def open_run_folder(settings: TrainingSettings, accelerator: Accelerator, keep_finished: bool = False) -> RunFolder:
    """Prepare `settings.run_folder` for a launch. Called on every process; the main process decides.

    An unfinished run of the same settings is continued (`resume_from_checkpoint` auto). A finished run is kept under a
    new name, or deleted with `overwrite`, so that nothing is lost silently.

    Args:
        settings: Settings of the launch.
        accelerator: Accelerator of the launch.
        keep_finished: Whether a finished run of the same settings is kept as the result of this launch.

    Raises:
        SettingsError: The folder holds other files or an unfinished run of other settings, or there is nothing to
            continue.
    """
    outcome: list[RunFolder | SettingsError | None] = [None]
    if accelerator.is_main_process:
        try:
            outcome = [_prepare(settings, keep_finished)]
        except SettingsError as error:
            outcome = [error]
    if accelerator.num_processes > 1:
        broadcast_object_list(outcome)
    (folder,) = outcome
    if isinstance(folder, SettingsError):
        raise folder
    assert folder is not None
    if not (folder.path / SETTINGS_FILE).is_file():
        raise SettingsError(
            f"Process {accelerator.process_index} does not see {folder.path / SETTINGS_FILE}, which the main process "
            "wrote. With several machines, put output_dir on a disk that all of them share."
        )
    return folder


def _prepare(settings: TrainingSettings, keep_finished: bool) -> RunFolder:
    """Decide, make room in the folder and write its settings (main process)."""
    path = settings.run_folder
    occupied = _is_occupied(path)
    wish = settings.resume_from_checkpoint.lower()
    if settings.overwrite and wish not in ("auto", "false"):
        raise SettingsError(
            f"overwrite=true starts again and resume_from_checkpoint={wish} continues: give one of the two."
        )
    if wish not in ("auto", "true", "false"):
        folder = _from_given_checkpoint(path, Path(settings.resume_from_checkpoint), occupied)
    elif not occupied and wish != "true":
        folder = RunFolder(path)
    elif wish == "false" or settings.overwrite:
        folder = RunFolder(path, notes=_make_room(path, settings.overwrite))
    elif wish == "true":
        folder = _continue_or_fail(path, settings, occupied)
    else:
        folder = _continue_if_possible(path, settings, keep_finished)
    path.mkdir(parents=True, exist_ok=True)
    if not folder.finished:
        write_settings(path, settings)
    return folder


def _is_occupied(path: Path) -> bool:
    """Whether a run is in the folder already; raises SettingsError for anything else."""
    if path.exists() and not path.is_dir():
        raise SettingsError(f"output_dir={path} is a file. Give the path of a folder: --output_dir.")
    occupied = path.is_dir() and any(path.iterdir())
    if occupied and not (path / SETTINGS_FILE).is_file():
        raise SettingsError(
            f"output_dir={path} holds files that no run wrote: there is no {SETTINGS_FILE}. Give another --output_dir."
        )
    return occupied


def _continue_or_fail(path: Path, settings: TrainingSettings, occupied: bool) -> RunFolder:
    """`resume_from_checkpoint` true."""
    differences = _differences(path, settings) if occupied else []
    if differences:
        raise SettingsError(
            f"Cannot continue the run in {path}, which has other settings: {'; '.join(differences)}. Use the same "
            "settings, or another --output_dir."
        )
    if is_finished(path):
        return RunFolder(path, finished=True, notes=(f"The run in {path} is already finished.",))
    checkpoints = complete_checkpoints(path / CHECKPOINT_FOLDER)
    if not checkpoints:
        raise SettingsError(
            f"There is no whole checkpoint in {path / CHECKPOINT_FOLDER} to continue from. To start again, leave out "
            "--resume_from_checkpoint true."
        )
    return _from_newest(path, checkpoints)


def _continue_if_possible(path: Path, settings: TrainingSettings, keep_finished: bool) -> RunFolder:
    """`resume_from_checkpoint` auto, in a folder with a run."""
    differences = _differences(path, settings)
    if is_finished(path):
        if keep_finished and not differences:
            return RunFolder(path, finished=True, notes=(f"The run in {path} is already finished; it is kept.",))
        return RunFolder(path, notes=_make_room(path, delete=False))
    checkpoints = complete_checkpoints(path / CHECKPOINT_FOLDER)
    if not checkpoints:
        return RunFolder(path, notes=_make_room(path, delete=False))
    if differences:
        raise SettingsError(
            f"{path} holds an unfinished run of other settings: {'; '.join(differences)}. Use the same settings to "
            "continue it, --resume_from_checkpoint false to keep it under another name and start again, "
            "--overwrite true to delete it, or another --output_dir."
        )
    return _from_newest(path, checkpoints)


def _differences(path: Path, settings: TrainingSettings) -> list[str]:
    """Differences of the settings in the folder to those of the launch, as far as they matter for the result."""
    return describe_differences(result_settings(read_settings(path)), result_settings(settings))


def _from_newest(path: Path, checkpoints: list[Path]) -> RunFolder:
    note = f"Continuing from {checkpoints[-1]} (--resume_from_checkpoint false starts again)."
    return RunFolder(path, checkpoint=checkpoints[-1], notes=(note,))


def _from_given_checkpoint(path: Path, checkpoint: Path, occupied: bool) -> RunFolder:
    """`resume_from_checkpoint` with a path."""
    if not checkpoint.is_dir():
        raise SettingsError(
            f"resume_from_checkpoint={str(checkpoint)!r} is not a checkpoint folder: give auto, true, false or the "
            "path of a step-N folder."
        )
    notes: tuple[str, ...] = (f"Continuing from {checkpoint}.",)
    if occupied and checkpoint.resolve().is_relative_to(path.resolve()):
        # An earlier point of this very run: its later checkpoints would be taken for newer ones.
        step = int(checkpoint.name.removeprefix("step-"))
        for other in complete_checkpoints(path / CHECKPOINT_FOLDER):
            if int(other.name.removeprefix("step-")) > step:
                shutil.rmtree(other)
        (path / METRICS_FILE).unlink(missing_ok=True)
    elif occupied:
        notes += _make_room(path, delete=False)
    return RunFolder(path, checkpoint=checkpoint, notes=notes)


def _make_room(path: Path, delete: bool) -> tuple[str, ...]:
    """Delete or rename the earlier run; returns a note about it."""
    if {entry.name for entry in path.iterdir()} <= {SETTINGS_FILE, LOG_FILE}:
        shutil.rmtree(path)  # The run ended before its first epoch: there is nothing to keep.
        return ()
    if delete:
        shutil.rmtree(path)
        return (f"Deleted the earlier run in {path}.",)
    number = 1
    while (kept := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    path.rename(kept)
    return (f"The earlier run in {path} is kept as {kept} (--overwrite true deletes it instead).",)
