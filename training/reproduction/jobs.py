# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""One run with one seed: its settings, its command, its folder, and whether the folder holds that very run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..arguments import SettingsError, TrainingSettings, parse_settings
from ..checkpointing import complete_checkpoints, describe_differences
from ..finished_run import CHECKPOINT_FOLDER, METRICS_FILE, SETTINGS_FILE, is_finished, read_settings
from ..run_folder import result_settings
from .runs import TableRow, command_words


# The first line of a log is the command.
LOG_START = "$ "


class OtherRunError(ValueError):
    """A folder holds a run of other settings than the row's. The message names both and what to do."""


@dataclass(frozen=True)
class Job:
    """The run of a table row with a seed.

    Attributes:
        row: Row that shows the run.
        seed: Seed of the run.
        output: Folder of all runs.
        data_dir: Folder with the released files of the data set; `None` where it has none.
        overrides: Settings that the user gives for every row, as words `--key value`.
    """

    row: TableRow
    seed: int
    output: Path
    data_dir: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Run folder."""
        return self.output / self.row.run.name / f"seed-{self.seed}"

    @property
    def log(self) -> Path:
        """File with everything that the run printed."""
        return self.folder.with_suffix(".log")

    @property
    def lock(self) -> Path:
        """File that the command which starts the run has locked."""
        return self.folder.with_name(f".{self.folder.name}.reproduce-lock")

    @property
    def finished(self) -> bool:
        """Whether the run is complete: metrics.json is written last."""
        return is_finished(self.folder)

    @property
    def settings(self) -> TrainingSettings:
        """Settings that the result depends on: those of the run, the user's, the data and the seed."""
        run = self.row.run
        seeded: dict[str, Any] = dict.fromkeys(run.seeded, self.seed)
        settings = replace(run.settings, **seeded)
        if self.overrides:
            settings = parse_settings([*command_words(settings, run.preset), *self.overrides])
        data_dir = settings.data_dir if self.data_dir is None else self.data_dir
        return replace(settings, data_dir=data_dir, seed=self.seed)

    @property
    def arguments(self) -> list[str]:
        """Preset and settings that the result depends on, as words of the command line."""
        return command_words(self.settings, self.row.run.preset)

    def command(self) -> list[str]:
        """Command that starts the run, or continues it from its newest checkpoint."""
        words = [sys.executable, "-m", "training.train", *self.arguments, "--output_dir", str(self.folder)]
        if not complete_checkpoints(self.folder / CHECKPOINT_FOLDER):
            # An interrupted run without a checkpoint left nothing to continue from.
            words += ["--overwrite", "true"]
        return words


def check_folders(jobs: Sequence[Job]) -> None:
    """Refuse folders with a run of other settings, finished or not: the table would show its results as the row's.

    Raises:
        OtherRunError: There are such folders, or files of the user's in the place of logs.
        SettingsError: No run can have a row's settings.
    """
    foreign = [str(job.log) for job in jobs if _is_foreign(job.log)]
    if foreign:
        raise OtherRunError(
            f"These files were not written by training.reproduce, which writes the logs of its runs there: "
            f"{', '.join(foreign)}. They are kept. Move them to another folder and give the same command again."
        )
    others = [f"{job.folder}: {'; '.join(differences)}" for job in jobs if (differences := _differences(job))]
    if others:
        raise OtherRunError(
            "Runs in the output folder have other settings than the rows that use their folders:\n  "
            + "\n  ".join(others)
            + "\nTheir results would appear in the wrong row. Give the same --settings as before, or another "
            "--output, or move the folders away."
        )


def slurm_script(name: str, jobs: Sequence[Job]) -> str:
    """Slurm array script with one task per job that is not finished."""
    missing = [job for job in jobs if not job.finished]
    if not missing:
        return "# All runs are finished.\n"
    log = missing[0].output / "slurm-%A_%a.log"
    lines = [
        "#!/usr/bin/env bash",
        f"#SBATCH --job-name={name}",
        f"#SBATCH --array=0-{len(missing) - 1}",
        f"#SBATCH --output={log}",
        "# Add the options that your cluster needs: --partition, --time, --gpus-per-task=1 ...",
        f"cd {shlex.quote(str(Path.cwd()))} || exit 1",
        'case "$SLURM_ARRAY_TASK_ID" in',
    ]
    for index, job in enumerate(missing):
        done = shlex.quote(str(job.folder / METRICS_FILE))
        # A cluster may start a task again: a finished run is not repeated.
        lines.append(f"  {index}) test -f {done} || {shlex.join(job.command())} ;;")
    return "\n".join([*lines, "esac", ""])


def _is_foreign(log: Path) -> bool:
    if not log.exists():
        return False
    start = log.read_bytes()[: len(LOG_START)] if log.is_file() else b"/"
    return start not in (b"", LOG_START.encode())


def _differences(job: Job) -> list[str]:
    wanted = result_settings(job.settings)
    if not (job.folder / SETTINGS_FILE).is_file():
        return []
    try:
        # A setting that did not exist yet had what is now its default.
        earlier = result_settings(read_settings(job.folder))
    except (TypeError, SettingsError) as error:
        return [f"{SETTINGS_FILE} cannot be read ({error})"]
    for settings in (earlier, wanted):
        if settings["data_dir"] is not None:
            settings["data_dir"] = str(Path(settings["data_dir"]).resolve())
    return describe_differences(earlier, wanted)
