# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Start of a run: what its folder holds already, and whether this launch starts, continues or keeps it.

`open_run_folder` decides and changes nothing. `RunFolder.begin` carries the decision out when the first step is done:
a command that fails before, or is interrupted, leaves all files as they were. Only files that a run wrote are moved or
deleted; other files in the folder stay where they are.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from dataset_scripts.errors import UserError
from dataset_scripts.files import make_folder, remove_empty, replacing, sync, writing

from .arguments import Role, SettingsError, TrainingSettings, settings_of
from .checkpointing import (
    BEST_FOLDER,
    checkpoint_files,
    complete_checkpoints,
    delete_checkpoint,
    describe_differences,
    link_file,
    link_folder,
    step_of,
)
from .finished_run import (
    BASELINE_FOLDER,
    CARD_FILE,
    CHECKPOINT_FOLDER,
    LOG_FILE,
    MARKER_FILE,
    METRICS_FILE,
    MODEL_FOLDER,
    RUN_FILES,
    SETTINGS_FILE,
    TRACKER_FOLDER,
    claim,
    foreign_file,
    is_finished,
    is_own,
    is_run,
    read_marker,
    read_settings,
    settings_text,
    write_marker,
)


Result = TypeVar("Result")

# Names in a folder that `save_pretrained` wrote, where the mark does not list them (version 0.1.0).
_MODEL_SUFFIXES = (".safetensors", ".json", ".py", ".model", ".jinja")
_MODEL_TEXTS = ("vocab.txt", "merges.txt")
_NOTHING_TO_KEEP = {MARKER_FILE, SETTINGS_FILE, LOG_FILE}


class TrainingLog:
    """Writer of `log.jsonl`: lines `{"event", "step", ...}`, from the main process only.

    The lines hold no times, so that a continued run leaves the same file as an uninterrupted one.
    """

    def __init__(self, path: Path, accelerator: Accelerator):
        self.path = path
        self.accelerator = accelerator
        self._claimed = False

    def start(self, version: str) -> None:
        """Write the first line of a new run, with the version of this package."""
        self._write({"event": "start", "step": 0, "version": version})

    def write(self, event: str, step: int, values: Mapping[str, float | int | bool]) -> None:
        """Write one line, and send the numbers to the tracker as `event/name`."""
        self._write({"event": event, "step": step, **values})
        self.accelerator.log({f"{event}/{name}": value for name, value in values.items()}, step=step)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.accelerator.is_main_process:
            if not self._claimed:
                claim(self.path.parent, LOG_FILE)
                self._claimed = True
            with writing(self.path), self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")


def result_settings(settings: TrainingSettings) -> dict[str, Any]:
    """Return the settings that the result depends on."""
    return {name: value for name, value in asdict(settings).items() if name not in settings_of(Role.FREE)}


@dataclass
class RunFolder:
    """A run folder and the decision what to do with it.

    Attributes:
        path: The folder; where `output_dir` is a link, the folder that it leads to.
        checkpoint: Checkpoint to continue from; `None` to start.
        finished: Whether the run is finished with these settings, so that there is nothing to train.
        earlier: What `begin` does with an earlier run in the folder: "keep" it under a new name, "delete" it, or
            `None` where there is none or this launch continues it.
        notes: Decisions, in words for the user.
        begun: Whether `begin` has made the folder that of this run.
    """

    path: Path
    checkpoint: Path | None = None
    finished: bool = False
    earlier: str | None = None
    notes: tuple[str, ...] = ()
    begun: bool = False

    @property
    def model_folder(self) -> Path:
        """Folder of the best model so far."""
        return self.path / MODEL_FOLDER

    @property
    def checkpoint_folder(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / CHECKPOINT_FOLDER

    def begin(self, settings: TrainingSettings, accelerator: Accelerator) -> None:
        """Make the folder that of this run. Called on every process; only the first call does something.

        Args:
            settings: Settings of the run, for `config.yaml`.
            accelerator: Accelerator of the launch.

        Raises:
            SettingsError: The folder cannot be written, or a process does not see it.
        """
        if self.begun:
            return
        self.begun = True
        note = on_main_process(accelerator, lambda: self._begin(settings))
        if note:
            accelerator.print(note)
        if not (self.path / MARKER_FILE).is_file():
            raise SettingsError(
                f"Process {accelerator.process_index} does not see {self.path / MARKER_FILE}, which the main process "
                "wrote. With several machines, put output_dir on a disk that all of them share."
            )

    def _begin(self, settings: TrainingSettings) -> str:
        made = make_folder(self.path)
        note = ""
        marker: dict[str, Any] = {"version": 1, "id": uuid.uuid4().hex}
        if self.earlier is None and is_run(self.path):
            marker |= read_marker(self.path) or {}  # that of version 0.1.0 has none, and no list of its files
        else:
            marker |= {"written": {}, "model_files": []}
        try:
            with replacing(self.path / SETTINGS_FILE) as partial:
                # Whatever a full disk prevents comes before the earlier run is touched.
                partial.write_text(settings_text(settings), encoding="utf-8")
                sync(partial)
                if self.earlier == "keep":
                    kept = _set_aside(self.path)
                    note = f"The earlier run in {self.path} is kept as {kept} (--overwrite true deletes it instead)."
                elif self.earlier == "delete":
                    _delete(self.path)
                write_marker(self.path, marker)
                claim(self.path, SETTINGS_FILE)
            if self.checkpoint is not None:
                self._restore(self.checkpoint)
        except BaseException:
            remove_empty(made)
            raise
        return note

    def _restore(self, checkpoint: Path) -> None:
        """Bring the best model, the log and the checkpoints back to their state at a checkpoint."""
        if checkpoint.resolve().is_relative_to(self.path):
            # Later checkpoints would be taken for newer ones than those of this launch.
            for other in complete_checkpoints(self.checkpoint_folder):
                if step_of(other) > step_of(checkpoint):
                    delete_checkpoint(other)
            (self.path / METRICS_FILE).unlink(missing_ok=True)
        best = checkpoint / BEST_FOLDER
        if best.is_dir():
            with self.replacing_model() as partial:
                link_folder(best, partial)
        else:
            _delete_files(self.path, _model_files(self.path))
        log = self.path / LOG_FILE
        if log.is_file():
            # The last line may be cut off where the run was killed.
            lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
            kept = [line for line in lines if json.loads(line)["step"] <= step_of(checkpoint)]
            with replacing(log) as partial:
                partial.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    @contextmanager
    def replacing_model(self) -> Iterator[Path]:
        """Replace the saved model; files in its folder that no run wrote are kept (main process)."""
        target = self.model_folder
        written = set(_model_files(self.path))
        foreign = [path for path in _files_under(target) if path not in written]
        with replacing(target) as partial:
            yield partial
            names = sorted(path.relative_to(partial).as_posix() for path in _files_under(partial))
            for path in foreign:
                copy = partial / path.relative_to(target)
                if copy.exists():
                    raise SettingsError(foreign_file(self.path, path.relative_to(self.path).as_posix()))
                copy.parent.mkdir(parents=True, exist_ok=True)
                link_file(path, copy)
            # Before the folder gets its name: after a kill, the files of both are known as those of runs.
            earlier = {path.relative_to(target).as_posix() for path in written}
            self._list_model_files(sorted({*names, *earlier}))
        self._list_model_files(names)

    def _list_model_files(self, names: list[str]) -> None:
        write_marker(self.path, {**(read_marker(self.path) or {}), "model_files": names})

    def model_files(self) -> list[Path]:
        """List the files of the saved model."""
        return _model_files(self.path)


def on_main_process(accelerator: Accelerator, work: Callable[[], Result]) -> Result:
    """Do `work` in the main process, and return its result, or raise its error, in all of them."""
    outcome: list[Any] = [None]
    if accelerator.is_main_process:
        try:
            outcome = [work()]
        except UserError as error:
            outcome = [error]
        except PermissionError as error:
            outcome = [
                SettingsError(f"{error.filename} cannot be written: {error.strerror}. Give another --output_dir.")
            ]
    if accelerator.num_processes > 1:
        broadcast_object_list(outcome)
    if isinstance(outcome[0], UserError):
        raise outcome[0]
    result: Result = outcome[0]
    return result


def lock_name(folder: Path) -> str:
    """Name of the file beside a run folder that the training process has locked."""
    return f".{folder.name}.amess-lock"


def release_lock(lock: FileLock) -> None:
    """Release a lock and delete its file."""
    # A process that waits for this very file sees that it has no name any more, and makes another.
    with suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()
    with suppress(OSError):  # Windows lets nobody delete an open file
        Path(lock.lock_file).unlink()


@contextmanager
def lock_run_folder(settings: TrainingSettings, accelerator: Accelerator) -> Iterator[None]:
    """Keep other commands out of the run folder while the block runs. Called on every process; the main one locks.

    The lock ends with the process, however it ends. A folder above the run folder that is made for it and is empty at
    the end is removed.

    Raises:
        SettingsError: Another process trains in the folder.
    """
    path = settings.run_folder.resolve()
    lock: FileLock | None = None
    made: list[Path] = []

    def acquire() -> None:
        nonlocal lock
        made.extend(make_folder(path.parent))
        for parent in (path.parent, Path(tempfile.gettempdir())):
            lock = FileLock(parent / lock_name(path), timeout=0)
            try:
                lock.acquire()
            except Timeout:
                lock = None
                raise SettingsError(
                    f"Another process trains in {path} now. Wait until it ends, or give another --output_dir."
                ) from None
            except PermissionError:
                lock = None
                continue  # the folder may be given, its parent read-only
            return

    try:
        on_main_process(accelerator, acquire)
        yield
    finally:
        if lock is not None and lock.is_locked:
            release_lock(lock)
        remove_empty(made)


def open_run_folder(settings: TrainingSettings, accelerator: Accelerator) -> RunFolder:
    """Decide what a launch does with `settings.run_folder`. Called on every process; the main process decides.

    A run of the same settings is continued, or is the result if it is finished (`resume_from_checkpoint` auto). A
    finished run of other settings is kept under a new name, or deleted with `overwrite`, so that nothing is lost
    silently.

    Args:
        settings: Settings of the launch.
        accelerator: Accelerator of the launch.

    Raises:
        SettingsError: The folder holds other files or an unfinished run of other settings, or there is nothing to
            continue.
    """
    return on_main_process(accelerator, lambda: _decide(settings))


def check_run_folder(path: Path) -> bool:
    """Return whether a run is in the folder already.

    Raises:
        SettingsError: The path is a file, or the folder holds something that no run wrote.
    """
    if path.exists() and not path.is_dir():
        raise SettingsError(f"output_dir={path} is a file. Give the path of a folder: --output_dir.")
    names = sorted(entry.name for entry in path.iterdir() if entry.name not in _REMAINS) if path.is_dir() else []
    if names and not is_run(path):
        raise SettingsError(
            f"output_dir={path} holds files that no run wrote ({', '.join(names[:3])}), and only the folder of a run "
            "is used again. Give another --output_dir, or a new folder in this one."
        )
    return bool(names)


# What is left of `begin` after a kill at its first moment.
_REMAINS = {f".{SETTINGS_FILE}.partial", f".{MARKER_FILE}.partial"}


def _decide(settings: TrainingSettings) -> RunFolder:
    path = settings.run_folder.resolve()
    occupied = check_run_folder(path)
    wish = settings.resume_from_checkpoint.lower()
    if settings.overwrite and wish not in ("auto", "false"):
        raise SettingsError(
            f"overwrite=true starts again and resume_from_checkpoint={wish} continues: give one of the two."
        )
    if occupied and "moving_to" in (read_marker(path) or {}):
        _set_aside(path)  # A kill interrupted the move of an earlier run.
    if wish not in ("auto", "true", "false"):
        folder = _from_given_checkpoint(path, Path(settings.resume_from_checkpoint), occupied)
    elif not occupied and wish != "true":
        folder = RunFolder(path)
    elif wish == "false" or settings.overwrite:
        folder = _start_again(path, settings.overwrite)
    elif wish == "true":
        folder = _continue_or_fail(path, settings, occupied)
    else:
        folder = _continue_if_possible(path, settings)
    for name in RUN_FILES:
        if name == CARD_FILE or not occupied or folder.finished or is_own(path, name):
            continue  # A README.md of the user's stays, and the run gets no card.
        raise SettingsError(foreign_file(path, name))
    if occupied and read_marker(path) is None:
        folder.notes += (f"{path} has no {MARKER_FILE}; by its content it is a run of version 0.1.0.",)
    return folder


def _start_again(path: Path, delete: bool) -> RunFolder:
    """A new run in a folder with a run, which is kept or deleted when the new one begins."""
    if {str(file.relative_to(path)) for file in _run_files(path)} <= _NOTHING_TO_KEEP:
        return RunFolder(path, earlier="delete")  # The run ended before its first epoch: there is nothing to keep.
    if delete:
        return RunFolder(path, earlier="delete", notes=(f"The earlier run in {path} is deleted at the first step.",))
    return RunFolder(path, earlier="keep")


def other_content(folder: RunFolder, differences: Iterable[str], settings: TrainingSettings) -> RunFolder:
    """Decide about a finished run of the same settings that was trained on other content.

    Args:
        folder: Folder with the finished run.
        differences: Changes of the content since then, in words.
        settings: Settings of the launch.

    Raises:
        SettingsError: The launch is to continue that very run.
    """
    changes = "; ".join(differences)
    if settings.resume_from_checkpoint.lower() == "true":
        raise SettingsError(
            f"The run in {folder.path} is finished, but is not the run of this command: {changes}. Leave out "
            "--resume_from_checkpoint true to train again; the finished run is then kept under a new name."
        )
    again = _start_again(folder.path, delete=False)
    again.notes = (f"The run in {folder.path} is trained again: {changes}.",)
    return again


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


def _continue_if_possible(path: Path, settings: TrainingSettings) -> RunFolder:
    """`resume_from_checkpoint` auto, in a folder with a run."""
    checkpoints = complete_checkpoints(path / CHECKPOINT_FOLDER)
    if is_finished(path):
        if not _differences(path, settings):
            again = "--resume_from_checkpoint false trains it again."
            return RunFolder(path, finished=True, notes=(f"The run in {path} is finished already. {again}",))
        return _start_again(path, delete=False)
    if not checkpoints:
        return _start_again(path, delete=False)
    differences = _differences(path, settings)
    if differences:
        raise SettingsError(
            f"{path} holds an unfinished run of other settings: {'; '.join(differences)}. Use the same settings to "
            "continue it, --resume_from_checkpoint false to keep it under another name and start again, "
            "--overwrite true to delete it, or another --output_dir."
        )
    return _from_newest(path, checkpoints)


def _differences(path: Path, settings: TrainingSettings) -> list[str]:
    """Differences of the settings in the folder to those of the launch, as far as they matter for the result."""
    if not (path / SETTINGS_FILE).is_file():
        return []  # The checkpoint's own settings are compared when it is read.
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
    notes = (f"Continuing from {checkpoint}.",)
    if not occupied or checkpoint.resolve().is_relative_to(path):
        return RunFolder(path, checkpoint=checkpoint, notes=notes)
    folder = _start_again(path, delete=False)
    folder.checkpoint, folder.notes = checkpoint, notes
    return folder


def _run_files(path: Path) -> list[Path]:
    """List the files in a run folder that runs wrote, those of the baseline's run included."""
    files = [path / name for name in (MARKER_FILE, *RUN_FILES) if (path / name).is_file() and is_own(path, name)]
    files += _model_files(path)
    for checkpoint in (path / CHECKPOINT_FOLDER).glob("step-*"):
        files += checkpoint_files(checkpoint)
    for place, names in ((path, (*RUN_FILES, MODEL_FOLDER)), (path / CHECKPOINT_FOLDER, ("step-*",))):
        for name in set(names) - {SETTINGS_FILE}:
            for ending in ("partial", "old"):
                for remains in place.glob(f".{name}.{ending}"):
                    files += [remains] if remains.is_file() else _files_under(remains)
    tracker = path / TRACKER_FOLDER
    files += [file for file in _files_under(tracker) if ".tfevents." in file.name or file.name == "hparams.yml"]
    baseline = path / BASELINE_FOLDER
    return files + (_run_files(baseline) if baseline.is_dir() and is_run(baseline) else [])


def _model_files(path: Path) -> list[Path]:
    """List the files in the folder of the saved model that a run wrote."""
    listed = (read_marker(path) or {}).get("model_files")
    folder = path / MODEL_FOLDER
    if listed is not None:
        return [folder / name for name in listed if (folder / name).is_file()]
    return [
        file
        for file in _files_under(folder)
        if file.parent == folder and (file.suffix in _MODEL_SUFFIXES or file.name in _MODEL_TEXTS)
    ]


def _files_under(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def _set_aside(path: Path) -> Path:
    """Move an earlier run to a new folder beside its own, and return that folder.

    Every file that a run wrote is moved by itself. The mark says where to, so that the next launch completes a move
    that a kill interrupted.
    """
    marker = read_marker(path) or {"version": 1, "id": uuid.uuid4().hex}
    if "moving_to" in marker:
        kept = path.with_name(marker["moving_to"])
    else:
        number = 1
        while (kept := path.with_name(f"{path.name}.{number}")).exists() or kept.is_symlink():
            number += 1
    kept.mkdir(exist_ok=True)
    write_marker(kept, {key: value for key, value in marker.items() if key != "moving_to"})
    if "moving_to" not in marker:
        write_marker(path, {**marker, "moving_to": kept.name})
    files = [file for file in _run_files(path) if file != path / MARKER_FILE]
    for file in files:
        target = kept / file.relative_to(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, target)
    _remove_empty_above(path, files)
    return kept


def _delete(path: Path) -> None:
    """Delete the files of an earlier run but for the mark."""
    _delete_files(path, [file for file in _run_files(path) if file != path / MARKER_FILE])


def _delete_files(path: Path, files: list[Path]) -> None:
    # The last evidence of a run of version 0.1.0 goes last.
    for file in sorted(files, key=lambda file: file.name in (SETTINGS_FILE, METRICS_FILE, MARKER_FILE)):
        file.unlink()
    _remove_empty_above(path, files)


def _remove_empty_above(path: Path, files: Iterable[Path]) -> None:
    """Remove the folders within `path` that held these files and are empty now."""
    folders = {folder for file in files for folder in file.parents if folder != path and folder.is_relative_to(path)}
    remove_empty(sorted(folders, key=lambda folder: len(folder.parts)))
