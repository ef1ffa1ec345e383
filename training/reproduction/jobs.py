# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""One row with one seed: its command, its folder, and whether what lies there is that very run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from ..arguments import SettingsError, TrainingSettings, parse_settings
from ..checkpointing import complete_checkpoints, describe_differences
from ..finished_run import CHECKPOINT_FOLDER, METRICS_FILE, SETTINGS_FILE
from ..run_folder import result_settings
from .rows import Row


TRAIN = "training.train"


class OtherRunError(ValueError):
    """A folder holds a run of other settings than the row's. The message names it, the settings and the remedy."""


@dataclass(frozen=True)
class Job:
    """A row with a seed.

    Attributes:
        row: what is trained.
        seed: of the run.
        output: folder of all runs.
        data_dir: the released files of the data set; `None` where it has none.
        settings: further settings of every row, as words `--key value`.
    """

    row: Row
    seed: int
    output: Path
    data_dir: str | None = None
    settings: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.output / self.row.folder / f"seed-{self.seed}"

    @property
    def log(self) -> Path:
        """What the run printed."""
        return self.folder.with_suffix(".log")

    @property
    def finished(self) -> bool:
        """Whether the run is complete: metrics.json is written last."""
        return (self.folder / METRICS_FILE).is_file()

    @property
    def arguments(self) -> list[str]:
        """What the result depends on: preset, settings, data and seed."""
        words = [*self.row.arguments.replace("{seed}", str(self.seed)).split(), *self.settings]
        if self.data_dir is not None:
            words += ["--data_dir", self.data_dir]
        return [*words, "--seed", str(self.seed)]

    def command(self) -> list[str]:
        """The command that starts the run, or goes on with it from its newest checkpoint."""
        words = [sys.executable, "-m", self.row.module, *self.arguments, "--output_dir", str(self.folder)]
        if not complete_checkpoints(self.folder / CHECKPOINT_FOLDER):
            # What an interrupted run without a checkpoint left is of no use.
            words += ["--overwrite", "true"]
        return words


def check_folders(jobs: Sequence[Job]) -> None:
    """Refuse folders that hold, finished or not, a run of other settings: its results would be told as the row's.

    Raises:
        OtherRunError: there are such folders.
        SettingsError: a row's settings that no run can have.
    """
    found = [f"{job.folder}: {'; '.join(differences)}" for job in jobs if (differences := _differences(job))]
    if found:
        raise OtherRunError(
            "These folders hold runs of other settings than the rows of that name:\n  "
            + "\n  ".join(found)
            + "\nGive the settings they have, or another --output, or move them away."
        )


def slurm_script(name: str, jobs: Sequence[Job]) -> str:
    """A Slurm array script, one task for every job that is not finished."""
    missing = [job for job in jobs if not job.finished]
    if not missing:
        return "# All runs are finished.\n"
    log = missing[0].output / "slurm-%A_%a.log"
    lines = [
        "#!/usr/bin/env bash",
        f"#SBATCH --job-name={name}",
        f"#SBATCH --array=0-{len(missing) - 1}",
        f"#SBATCH --output={log}",
        "# Add what your cluster wants: --partition, --time, --gpus-per-task=1 ...",
        f"cd {shlex.quote(str(Path.cwd()))} || exit 1",
        'case "$SLURM_ARRAY_TASK_ID" in',
    ]
    for index, job in enumerate(missing):
        done = shlex.quote(str(job.folder / METRICS_FILE))
        # A task that the cluster starts once more must not repeat a finished run.
        lines.append(f"  {index}) test -f {done} || {shlex.join(job.command())} ;;")
    return "\n".join([*lines, "esac", ""])


def _differences(job: Job) -> list[str]:
    arguments = job.arguments
    # A module other than train.py takes the name of its method first, and tells of it as the model.
    method = [] if job.row.module == TRAIN else [arguments.pop(0)]
    settings = parse_settings(arguments)
    if method:
        settings = replace(settings, model=method[0], modalities="text", model_config={})
    wanted = result_settings(settings)
    file = job.folder / SETTINGS_FILE
    if not file.is_file():
        return []
    saved = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        # A setting that did not exist yet had what is now its default.
        found = result_settings(TrainingSettings.from_saved(saved))
    except (TypeError, SettingsError) as error:
        return [f"{file.name} cannot be read ({error})"]
    for settings in (found, wanted):
        if settings["data_dir"] is not None:
            settings["data_dir"] = str(Path(settings["data_dir"]).resolve())
    return describe_differences(found, wanted)
