# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that are whole or absent, and from which training goes on as if it had never stopped.

A checkpoint is `checkpoints/step-N/`: Accelerate's state (weights as safetensors, optimizer, scheduler, scaler and
each process's random state, read back with `weights_only`), `trainer_state.json`, the best model so far in `best/`,
and `complete.json`, written last. It is written into a hidden folder beside it, forced to disk and renamed.
Nothing is registered with `register_for_checkpointing`, which Accelerate would read back as an arbitrary pickle.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from .arguments import TrainingSettings, current_settings


MARKER = "complete.json"
STATE_FILE = "trainer_state.json"
BEST_FOLDER = "best"


class CheckpointError(RuntimeError):
    """A checkpoint that is missing, damaged or of another run. The message says which and what to do."""


@dataclass
class TrainerState:
    """Where training stands. Written as JSON, which keeps every float to the bit."""

    epoch: int = 0  # the running epoch, from 0
    steps_in_epoch: int = 0  # optimizer steps done in it
    step: int = 0  # optimizer steps done in all
    loss_sums: list[float] = field(default_factory=list)  # of the running epoch, one for each process
    best_epoch: int | None = None
    best_step: int | None = None
    best_value: float | None = None
    epochs_without_improvement: int = 0
    stopped: bool = False  # training is over: early, or at the last epoch or step
    samples_seen: int = 0  # by all processes
    train_seconds: float = 0.0


def save_checkpoint(
    accelerator: Accelerator,
    folder: Path,
    state: TrainerState,
    run: Mapping[str, Any],
    best_model: Path | None,
    keep: int,
) -> Path:
    """Write `folder/step-N` (called on every process) and then delete all but the `keep` newest.

    Args:
        folder: `checkpoints/` of the run, on a disk that all processes share.
        state: where training stands; `state.loss_sums` has one entry a process.
        run: what a continued run must have the same, as JSON values; see `load_checkpoint`.
        best_model: folder of the best model so far. Its files are linked where the disk can, else copied.
        keep: number of checkpoints to leave.
    """
    final = folder / f"step-{state.step}"
    partial = folder / f".step-{state.step}.partial"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(partial))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        if best_model is not None:
            link_folder(best_model, partial / BEST_FOLDER)
        write_json(partial / STATE_FILE, {"state": asdict(state), "run": dict(run)})
        finish_checkpoint(partial, final)
        for old in complete_checkpoints(folder)[:-keep]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()
    return final


def finish_checkpoint(partial: Path, final: Path) -> None:
    """Force every file of `partial` to disk, add the marker that lists them, and give the folder its name."""
    files = sorted(path for path in partial.rglob("*") if path.is_file())
    for path in files:
        _sync(path)
    write_json(partial / MARKER, {"files": {str(path.relative_to(partial)): path.stat().st_size for path in files}})
    for path in (*(path for path in partial.rglob("*") if path.is_dir()), partial):
        _sync(path)
    if final.exists():
        shutil.rmtree(final)
    partial.rename(final)
    _sync(final.parent)


def complete_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder` that are whole, the newest last. A torn one is passed over."""
    found = []
    for path in folder.glob("step-*"):
        step = path.name.removeprefix("step-")
        if step.isdigit() and damage(path) is None:
            found.append((int(step), path))
    return [path for _, path in sorted(found)]


def damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in words, or `None` if it is whole."""
    try:
        listed = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return f"it has no {MARKER}, which is written last"
    except (ValueError, KeyError):
        return f"its {MARKER} cannot be read"
    for name, size in listed.items():
        path = checkpoint / name
        try:
            found = path.stat().st_size if path.is_file() else None
        except FileNotFoundError:  # between the two: a run that goes on deletes its old checkpoints
            found = None
        if found is None:
            return f"{name} is missing"
        if found != size:
            return f"{name} has {found} bytes instead of {size}"
    return None


def read_checkpoint(checkpoint: Path) -> tuple[TrainerState, dict[str, Any]]:
    """The trainer state and the run's facts of a whole checkpoint. Raises CheckpointError for any other."""
    if not checkpoint.is_dir():
        raise CheckpointError(f"There is no checkpoint {checkpoint}.")
    wrong = damage(checkpoint)
    if wrong:
        raise CheckpointError(f"The checkpoint {checkpoint} is not whole: {wrong}. Resume from another one.")
    content = json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8"))
    return TrainerState(**content["state"]), content["run"]


def load_checkpoint(accelerator: Accelerator, checkpoint: Path, run: Mapping[str, Any]) -> TrainerState:
    """Restore what was prepared by `accelerator` and return where training stood (called on every process).

    Args:
        run: the facts of the present run. Each must equal the checkpoint's, else the continued run could not equal an
            uninterrupted one.

    Raises:
        CheckpointError: not whole, or of a run that differs; all differences are named.
    """
    state, saved_run = read_checkpoint(checkpoint)
    # A setting that did not exist yet had what is now its default.
    defaults = {name: value for name, value in asdict(TrainingSettings()).items() if name in run}
    differences = describe_differences(defaults | current_settings(saved_run), run)
    if differences:
        raise CheckpointError(
            f"Cannot continue from {checkpoint}: a continued run must equal an uninterrupted one, but "
            f"{'; '.join(differences)}. Use the same settings, or --resume_from_checkpoint false to start anew."
        )
    # Accelerate passes over a missing file of random states with a line in its log; dropout would then differ.
    random_states = checkpoint / f"random_states_{accelerator.process_index}.pkl"
    if not random_states.is_file():
        raise CheckpointError(
            f"{random_states} is missing. With several machines the run folder must be on a disk that all of them "
            "share."
        )
    accelerator.load_state(str(checkpoint))
    return state


def describe_differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """`key was A and is B` for every key whose values differ."""
    keys = sorted(set(saved) | set(current))
    return [
        f"{key} was {saved.get(key)!r} and is {current.get(key)!r}"
        for key in keys
        if saved.get(key) != current.get(key)
    ]


def replace_folder(new: Path, target: Path) -> None:
    """Put folder `new` in the place of `target`; an interruption leaves one of them whole."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def link_folder(source: Path, target: Path) -> None:
    """A copy of a folder that is never changed in place: hard links where the disk has them."""

    def link_or_copy(origin: str, destination: str) -> str:
        try:
            os.link(origin, destination)
        except OSError:
            shutil.copy2(origin, destination)
        return destination

    shutil.copytree(source, target, copy_function=link_or_copy)


def write_json(path: Path, content: Any) -> None:
    """Write JSON through to the disk."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
