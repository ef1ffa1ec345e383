# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Run the jobs that are not finished, several side by side: one thread each on the CPU, one device each on GPUs.

The command may be killed at any moment and given again. A finished run is not repeated. A training process locks its
run folder for as long as it lives, also after the death of the command that started it. So no run is started twice at
the same time: a second command waits for the lock and then sees a finished run.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import IO

import torch
from filelock import FileLock, Timeout

from dataset_scripts.files import writing

from ..checkpointing import delete_checkpoints
from ..finished_run import BASELINE_FOLDER, CHECKPOINT_FOLDER, METRICS_FILE
from ..run_folder import RunFolder, lock_name, release_lock
from .jobs import LOG_START, Job


def run_missing(jobs: Sequence[Job], workers: int, keep_weights: bool = False) -> list[Job]:
    """Run the jobs that are not finished, and print one line of progress per job.

    Args:
        jobs: Jobs in the order to run them in.
        workers: Number of jobs that run at a time.
        keep_weights: Whether all runs keep the trained weights; otherwise only those that a picture needs do.

    Returns:
        The jobs that failed.
    """
    devices: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    names = visible_gpus()
    for index in range(workers):
        devices.put(names[index % len(names)] if names else None)
    failed = []
    running = RunningJobs()
    pool = ThreadPoolExecutor(workers)
    try:
        tasks = {pool.submit(_run, job, devices, keep_weights, running): job for job in jobs}
        for number, task in enumerate(as_completed(tasks), start=1):
            job = tasks[task]
            line = task.result()
            if not job.finished:
                failed.append(job)
            print(f"[{number}/{len(jobs)}] {line}", flush=True)
    except BaseException:
        running.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return failed


class RunningJobs:
    """Processes of the jobs that run now, so that an interruption ends them: they say in their logs where they are."""

    def __init__(self) -> None:
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, command: Sequence[str], log: IO[str], variables: Mapping[str, str]) -> None:
        """Run a command to its end, unless `stop` was called."""
        with self._lock:
            if self._stopped:
                return
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **variables})
            self._processes.add(process)
        process.wait()
        with self._lock:
            self._processes.remove(process)

    def stop(self) -> None:
        """End all processes, and start none any more."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()


def visible_gpus() -> list[str]:
    """Names for CUDA_VISIBLE_DEVICES of the GPUs that this process may use."""
    if not torch.cuda.is_available():
        return []
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return given.split(",") if given else [str(index) for index in range(torch.cuda.device_count())]


@contextlib.contextmanager
def _locked(job: Job) -> Iterator[None]:
    """Wait for other processes that train the same run; the system releases the locks of a killed process."""
    # The second lock is that of a training process, which may outlive the command that started it.
    trains = job.folder.with_name(lock_name(job.folder))
    with _exclusive(job.lock, job):
        if trains.exists():
            with _exclusive(trains, job):
                pass
        yield


@contextlib.contextmanager
def _exclusive(file: Path, job: Job) -> Iterator[None]:
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"{_name(job)}: another process trains this run; waiting for it", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        release_lock(lock)


def _run(job: Job, devices: queue.SimpleQueue[str | None], keep_weights: bool, running: RunningJobs) -> str:
    """Run a job unless it is finished, and return its line of progress."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with _locked(job), writing(job.log), job.log.open("a") as log:
        if not job.finished:
            _train(job, log, devices, running)
        if not job.finished:
            return f"{_name(job)}: FAILED ({_last_line(job)}); see {job.log}"
        if not (keep_weights or job.row.run.keep_weights):
            delete_weights(job)
    content = json.loads((job.folder / METRICS_FILE).read_text(encoding="utf-8"))
    scores = ", ".join(
        f"{split} {100 * content[split]['accuracy']:.1f}" for split in ("test", "validation") if split in content
    )
    seconds = f", {content['wall_seconds']:.0f} s" if "wall_seconds" in content else ""
    return f"{_name(job)}: {scores}{seconds}"


def _train(job: Job, log: IO[str], devices: queue.SimpleQueue[str | None], running: RunningJobs) -> None:
    command = job.command()
    log.truncate(0)
    log.write(f"{LOG_START}{shlex.join(command)}\n")
    log.flush()
    device = devices.get()
    try:
        variables = {"OMP_NUM_THREADS": "1"} if device is None else {"CUDA_VISIBLE_DEVICES": device}
        running.run(command, log, variables)
    finally:
        devices.put(device)


def delete_weights(job: Job) -> None:
    """Delete the model and the checkpoints: those of all runs fill a disk, and tables need only the metrics."""
    for folder in (job.folder, job.folder / BASELINE_FOLDER):
        for file in RunFolder(folder).model_files():
            if file.suffix == ".safetensors":
                file.unlink()
        delete_checkpoints(folder / CHECKPOINT_FOLDER)


def _name(job: Job) -> str:
    return f"{job.row.title}, seed {job.seed}"


def _last_line(job: Job) -> str:
    lines = job.log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
