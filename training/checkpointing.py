# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that are whole or absent, and that continue a run bit for bit.

A checkpoint is the folder `checkpoints/step-N/`. It holds Accelerate's state (weights as safetensors, optimizer,
scheduler, scaler and the random state of each process, read back with `weights_only`), `trainer_state.json`, the best
model so far in `best/`, and `complete.json`, which is written last. All processes write into a hidden folder beside
it, which is then forced to disk and renamed. Nothing is registered with `register_for_checkpointing`, because
Accelerate would read it back as an arbitrary pickle.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from dataset_scripts.errors import UserError
from dataset_scripts.files import sync, write_json, writing

from .arguments import TrainingSettings, current_settings


MARKER = "complete.json"
STATE_FILE = "trainer_state.json"
BEST_FOLDER = "best"
# Key of the fingerprints of what a run was trained on, among the facts of a checkpoint and in metrics.json.
CONTENT = "trained_on"


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged or of another run. The message names it and says what to do."""


@dataclass
class TrainerState:
    """Progress of a training. Written as JSON, which keeps every bit of a float."""

    epoch: int = 0  # current epoch, from 0
    steps_in_epoch: int = 0  # optimizer steps done in the current epoch
    step: int = 0  # optimizer steps done in all epochs
    loss_sums: list[float] = field(default_factory=list)  # sum of losses in the current epoch, one per process
    best_epoch: int | None = None
    best_step: int | None = None
    best_value: float | None = None
    epochs_without_improvement: int = 0
    stopped: bool = False  # training is over, early or after the last step
    samples_seen: int = 0  # samples of all processes
    train_seconds: float = 0.0


def save_checkpoint(
    accelerator: Accelerator,
    folder: Path,
    state: TrainerState,
    run: Mapping[str, Any],
    best_model: Path | None,
    keep: int,
    best_files: Sequence[Path] | None = None,
) -> Path:
    """Write `folder/step-N`, then delete older checkpoints. Called on every process.

    Args:
        accelerator: Accelerator that prepared model, optimizer and scheduler.
        folder: Folder `checkpoints/` of the run, on a disk that all processes share.
        state: Progress; `state.loss_sums` has one entry per process.
        run: Facts that a continued run must share, as JSON values; see `load_checkpoint`.
        best_model: Folder of the best model so far. Its files are hard-linked where the disk can, else copied.
        keep: Number of newest checkpoints to keep.
        best_files: The files in `best_model` that belong to the model; all by default.

    Returns:
        The folder of the checkpoint.

    Raises:
        DiskError: The disk is full. The earlier checkpoints are whole.
    """
    final = folder / f"step-{state.step}"
    partial = folder / f".step-{state.step}.partial"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        with writing(final):
            partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    try:
        with writing(final):
            accelerator.save_state(str(partial))
            accelerator.wait_for_everyone()
            if accelerator.is_main_process:
                if best_model is not None:
                    link_folder(best_model, partial / BEST_FOLDER, best_files)
                write_json(partial / STATE_FILE, {"state": asdict(state), "run": dict(run)})
                finish_checkpoint(partial, final)
    except BaseException:
        if accelerator.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)
        raise
    if accelerator.is_main_process:
        for old in complete_checkpoints(folder)[:-keep]:
            delete_checkpoint(old)
    accelerator.wait_for_everyone()
    return final


def finish_checkpoint(partial: Path, final: Path) -> None:
    """Force every file of `partial` to disk, add the marker that lists the files, and rename the folder.

    `dataset_scripts.files.replacing` does not serve here: all processes write into `partial`, and the marker must
    follow the last of them.
    """
    files = sorted(path for path in partial.rglob("*") if path.is_file())
    for path in files:
        sync(path)
    write_json(partial / MARKER, {"files": {str(path.relative_to(partial)): path.stat().st_size for path in files}})
    for path in (*(path for path in partial.rglob("*") if path.is_dir()), partial):
        sync(path)
    if final.exists():
        delete_checkpoint(final)
    if final.exists():
        # What no checkpoint wrote stays; a torn checkpoint's own files are replaced.
        for path in final.rglob("*"):
            kept = partial / path.relative_to(final)
            if not path.is_dir() and not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                link_file(path, kept)
        shutil.rmtree(final)
    partial.rename(final)
    sync(final.parent)


def complete_checkpoints(folder: Path) -> list[Path]:
    """List the whole checkpoints in `folder`, newest last. Torn ones are skipped."""
    steps = []
    for path in folder.glob("step-*"):
        step = path.name.removeprefix("step-")
        if step.isdigit() and damage(path) is None:
            steps.append((int(step), path))
    return [path for _, path in sorted(steps)]


def step_of(checkpoint: Path) -> int:
    """Return the number of optimizer steps in the name of a checkpoint's folder."""
    return int(checkpoint.name.removeprefix("step-"))


def checkpoint_files(checkpoint: Path) -> list[Path]:
    """List the files of a checkpoint, the marker last; none of a folder without a marker that can be read."""
    try:
        listed = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [path for name in (*listed, MARKER) if (path := checkpoint / name).is_file()]


def delete_checkpoint(checkpoint: Path) -> None:
    """Delete a checkpoint. Other files in its folder, and then the folder, stay."""
    for path in reversed(checkpoint_files(checkpoint)):
        path.unlink()
    for folder in (checkpoint / BEST_FOLDER, checkpoint):
        with contextlib.suppress(OSError):
            folder.rmdir()


def delete_checkpoints(folder: Path) -> None:
    """Delete the whole checkpoints in `folder`, and the folder if nothing else is in it."""
    for checkpoint in complete_checkpoints(folder):
        delete_checkpoint(checkpoint)
    with contextlib.suppress(OSError):
        folder.rmdir()


def damage(checkpoint: Path) -> str | None:
    """Say what is wrong with a checkpoint; `None` if it is whole."""
    try:
        listed = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return f"it has no {MARKER}, which is written last"
    except (ValueError, KeyError):
        return f"its {MARKER} cannot be read"
    for name, size in listed.items():
        path = checkpoint / name
        try:
            actual = path.stat().st_size if path.is_file() else None
        except FileNotFoundError:  # between the two calls: a run in progress deletes its old checkpoints
            actual = None
        if actual is None:
            return f"{name} is missing"
        if actual != size:
            return f"{name} has {actual} bytes instead of {size}"
    return None


def read_checkpoint(checkpoint: Path) -> tuple[TrainerState, dict[str, Any]]:
    """Read the trainer state and the run's facts.

    Raises:
        CheckpointError: The checkpoint is missing or not whole.
    """
    if not checkpoint.is_dir():
        raise CheckpointError(f"There is no checkpoint {checkpoint}.")
    wrong = damage(checkpoint)
    if wrong:
        raise CheckpointError(f"The checkpoint {checkpoint} is not whole: {wrong}. Resume from another one.")
    content = json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8"))
    return TrainerState(**content["state"]), content["run"]


def load_checkpoint(accelerator: Accelerator, checkpoint: Path, run: Mapping[str, Any]) -> TrainerState:
    """Restore model, optimizer, scheduler and random states. Called on every process.

    Args:
        accelerator: Accelerator that prepared what is restored.
        checkpoint: Folder of the checkpoint.
        run: Facts of the present run. Each must equal the checkpoint's, else the continued run could not equal an
            uninterrupted one.

    Returns:
        The progress at the checkpoint.

    Raises:
        CheckpointError: The checkpoint is not whole, or of a run that differs; the message names all differences.
    """
    state, saved_run = read_checkpoint(checkpoint)
    run = dict(run)
    changes = describe_changes(saved_run.pop(CONTENT, {}), run.pop(CONTENT, {}))
    # A setting that did not exist when the checkpoint was written has today's default.
    defaults = {name: value for name, value in asdict(TrainingSettings()).items() if name in run}
    differences = [*describe_differences(defaults | current_settings(saved_run), run), *changes]
    if differences:
        raise CheckpointError(
            f"Cannot continue from {checkpoint}: a continued run must equal an uninterrupted one, but "
            f"{'; '.join(differences)}. Use the same settings and files, or --resume_from_checkpoint false to start "
            "again."
        )
    # Accelerate only logs that a file of random states is missing; dropout would then differ.
    random_states = checkpoint / f"random_states_{accelerator.process_index}.pkl"
    if not random_states.is_file():
        raise CheckpointError(
            f"{random_states} is missing: each process writes its own. With several machines, put the run folder on a "
            "disk that all of them share."
        )
    accelerator.load_state(str(checkpoint))
    return state


def describe_differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Write `key was A and is B` for every key whose values differ."""
    keys = sorted(set(saved) | set(current))
    return [
        f"{key} was {saved.get(key)!r} and is {current.get(key)!r}"
        for key in keys
        if saved.get(key) != current.get(key)
    ]


def describe_changes(saved: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    """Say which content differs from what a run was trained on; what only one side knows is not compared.

    Args:
        saved: Fingerprints by name of the content, as `training.preparation.content_fingerprints` makes them.
        current: Fingerprints of the present content.
    """
    return [
        f"the content of {name} has changed since"
        for name, value in saved.items()
        if name in current and current[name] != value
    ]


def link_folder(source: Path, target: Path, files: Sequence[Path] | None = None) -> None:
    """Copy a folder whose files are never changed in place, by hard links where the disk has them.

    Args:
        source: Folder to copy.
        target: The copy, which does not exist yet.
        files: The files to copy; all by default.
    """
    target.mkdir()
    for path in sorted(source.rglob("*")) if files is None else files:
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            link_file(path, copy)


def link_file(source: Path, target: Path) -> None:
    """Copy a file by a hard link where the disk has them."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
