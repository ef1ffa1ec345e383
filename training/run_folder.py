# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: what is in it already, and what that means for this launch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from .arguments import Role, SettingsError, TrainingSettings, settings_of
from .checkpointing import BEST_FOLDER, complete_checkpoints, describe_differences, link_folder, replace_folder
from .finished_run import CHECKPOINT_FOLDER, LOG_FILE, METRICS_FILE, MODEL_FOLDER, SETTINGS_FILE


class TrainingLog:
    """Appends `{"event", "step", ...}` lines on the main process. There are no times in them: a continued run leaves the
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


def result_settings(settings: TrainingSettings) -> dict[str, Any]:
    """The settings that the result depends on."""
    return {name: value for name, value in asdict(settings).items() if name not in settings_of(Role.FREE)}


@dataclass
class RunFolder:
    """A run folder ready for this launch.

    Attributes:
        path: the folder.
        checkpoint: where to go on from; `None` to start.
        finished: the run is complete with these settings; there is nothing to train.
        notes: what was decided, for the user.
    """

    path: Path
    checkpoint: Path | None = None
    finished: bool = False
    notes: tuple[str, ...] = ()

    @property
    def model_folder(self) -> Path:
        """The best model so far."""
        return self.path / MODEL_FOLDER

    @property
    def checkpoint_folder(self) -> Path:
        """The checkpoints."""
        return self.path / CHECKPOINT_FOLDER

    def metrics(self) -> dict[str, Any]:
        """metrics.json of a finished run."""
        return json.loads((self.path / METRICS_FILE).read_text(encoding="utf-8"))

    def restore(self, step: int) -> None:
        """Bring the best model and the log back to where the checkpoint, at optimizer step `step`, saw them."""
        best = self.checkpoint / BEST_FOLDER
        if best.is_dir():
            partial = self.path / f".{MODEL_FOLDER}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            link_folder(best, partial)
            replace_folder(partial, self.model_folder)
        else:
            shutil.rmtree(self.model_folder, ignore_errors=True)
        log = self.path / LOG_FILE
        if log.is_file():
            # The last line may have been cut off by what ended the run.
            lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def open_run_folder(settings: TrainingSettings, accelerator: Accelerator, keep_finished: bool = False) -> RunFolder:
    """Decide on the main process what becomes of `settings.run_folder`, prepare it, and tell all processes.

    An unfinished run of the same settings is continued (`resume` auto), a finished one is kept under a new name
    (deleted with `overwrite`) so that nothing is lost silently.

    Args:
        keep_finished: a finished run of the same settings is not trained again; only what follows it is.

    Raises:
        SettingsError: the folder holds something else, or an unfinished run of other settings, or `resume` finds
            nothing to continue.
    """
    outcome: list[Any] = [None]
    if accelerator.is_main_process:
        try:
            folder = _decide(settings, keep_finished)
            folder.path.mkdir(parents=True, exist_ok=True)
            if not folder.finished:
                text = yaml.safe_dump(asdict(settings), sort_keys=False, allow_unicode=True)
                (folder.path / SETTINGS_FILE).write_text(text, encoding="utf-8")
            outcome = [folder]
        except SettingsError as error:
            outcome = [error]
    if accelerator.num_processes > 1:
        broadcast_object_list(outcome)
    if isinstance(outcome[0], SettingsError):
        raise outcome[0]
    folder = outcome[0]
    if not (folder.path / SETTINGS_FILE).is_file():
        raise SettingsError(
            f"Process {accelerator.process_index} does not see {folder.path / SETTINGS_FILE}, which the main process "
            "wrote. With several machines output_dir must be on a disk that all of them share."
        )
    return folder


def _decide(settings: TrainingSettings, keep_finished: bool) -> RunFolder:
    path = settings.run_folder
    resume = settings.resume_from_checkpoint.lower()
    if settings.overwrite and resume not in ("auto", "false"):
        raise SettingsError("overwrite starts anew and resume continues; give one of them.")
    if path.exists() and not path.is_dir():
        raise SettingsError(f"output_dir={path} is a file.")
    occupied = path.is_dir() and any(path.iterdir())
    if occupied and not (path / SETTINGS_FILE).is_file():
        raise SettingsError(f"output_dir={path} holds files that no run wrote. Give another --output_dir.")
    checkpoints = complete_checkpoints(path / CHECKPOINT_FOLDER)
    finished = (path / METRICS_FILE).is_file()

    if resume not in ("auto", "true", "false"):
        return _from_given_checkpoint(path, Path(settings.resume_from_checkpoint), occupied)
    if resume == "false" or settings.overwrite:
        return RunFolder(path, notes=_make_room(path, settings.overwrite) if occupied else ())

    differences = []
    if occupied:
        saved = yaml.safe_load((path / SETTINGS_FILE).read_text(encoding="utf-8"))
        differences = describe_differences(
            result_settings(TrainingSettings.from_saved(saved)), result_settings(settings)
        )
    if resume == "true":
        if differences:
            raise SettingsError(f"Cannot continue the run in {path}: {'; '.join(differences)}.")
        if finished:
            return RunFolder(path, finished=True, notes=(f"The run in {path} is already finished.",))
        if not checkpoints:
            raise SettingsError(f"There is no whole checkpoint in {path / CHECKPOINT_FOLDER} to continue from.")
    elif finished:
        if keep_finished and not differences:
            return RunFolder(path, finished=True, notes=(f"The run in {path} is already finished; it is kept.",))
        return RunFolder(path, notes=_make_room(path, delete=False))
    elif checkpoints and differences:
        raise SettingsError(
            f"{path} holds an unfinished run of other settings: {'; '.join(differences)}. Use the same settings to "
            "continue it, --resume_from_checkpoint false to keep it under another name and start anew, --overwrite true to delete it, "
            "or another --output_dir."
        )
    elif not checkpoints:
        return RunFolder(path, notes=_make_room(path, delete=False) if occupied else ())
    newest = checkpoints[-1]
    return RunFolder(
        path, checkpoint=newest, notes=(f"Continuing from {newest} (--resume_from_checkpoint false starts anew).",)
    )


def _from_given_checkpoint(path: Path, checkpoint: Path, occupied: bool) -> RunFolder:
    if not checkpoint.is_dir():
        raise SettingsError(
            f"resume={str(checkpoint)!r} is not a checkpoint folder; give auto, true, false or the path of a step-N "
            "folder."
        )
    notes = (f"Continuing from {checkpoint}.",)
    if occupied and checkpoint.resolve().is_relative_to(path.resolve()):
        # An earlier point of this very run: what came after it would be taken for newer.
        step = int(checkpoint.name.removeprefix("step-"))
        for other in complete_checkpoints(path / CHECKPOINT_FOLDER):
            if int(other.name.removeprefix("step-")) > step:
                shutil.rmtree(other)
        (path / METRICS_FILE).unlink(missing_ok=True)
    elif occupied:
        notes += _make_room(path, delete=False)
    return RunFolder(path, checkpoint=checkpoint, notes=notes)


def _make_room(path: Path, delete: bool) -> tuple[str, ...]:
    if {entry.name for entry in path.iterdir()} <= {SETTINGS_FILE, LOG_FILE}:
        shutil.rmtree(path)  # A run that ended before its first epoch did: there is nothing to keep.
        return ()
    if delete:
        shutil.rmtree(path)
        return (f"Deleted the earlier run in {path}.",)
    number = 1
    while (kept := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    path.rename(kept)
    return (f"The earlier run in {path} is kept as {kept} (--overwrite true deletes it instead).",)
