# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs what is missing, several jobs side by side: on the CPU with one thread each, on GPUs with one device each.

The command may be killed at any moment and given again. A finished run is not repeated. A run writes its output to
a log that is locked for as long as one of its processes lives, also after the death of the command that started it,
so that no run is started twice at the same time: whoever comes second waits and finds it finished.
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from ..finished_run import CHECKPOINT_FOLDER, METRICS_FILE
from .jobs import Job


def run_missing(jobs: Sequence[Job], workers: int, keep_weights: bool = False) -> list[Job]:
    """Run the jobs that are not finished, a line of progress for each.

    Args:
        jobs: in the order to run them in.
        workers: how many at a time.
        keep_weights: keep the trained weights of every run, not only of the rows that need them.

    Returns:
        The jobs that failed.
    """
    devices: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    names = visible_gpus()
    for index in range(workers):
        devices.put(names[index % len(names)] if names else None)
    failed = []
    pool = ThreadPoolExecutor(workers)
    try:
        tasks = {pool.submit(_run, job, devices, keep_weights): job for job in jobs}
        for number, task in enumerate(as_completed(tasks), start=1):
            job = tasks[task]
            line = task.result()
            if not job.finished:
                failed.append(job)
            print(f"[{number}/{len(jobs)}] {line}", flush=True)
    finally:
        # After an interruption, too: those that run get it from the terminal themselves, the others do not start.
        pool.shutdown(cancel_futures=True)
    return failed


def visible_gpus() -> list[str]:
    """Names for CUDA_VISIBLE_DEVICES of the GPUs that this process may use."""
    import torch

    if not torch.cuda.is_available():
        return []
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return given.split(",") if given else [str(index) for index in range(torch.cuda.device_count())]


def _run(job: Job, devices: queue.SimpleQueue[str | None], keep_weights: bool) -> str:
    """Run a job unless it is finished; what to tell of it."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("a") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{_name(job)}: another process is training it; waiting for that", flush=True)
            fcntl.flock(log, fcntl.LOCK_EX)
        if not job.finished:
            _train(job, log, devices)
        if not job.finished:
            return f"{_name(job)}: FAILED ({_last_line(job)}); see {job.log}"
        if not (keep_weights or job.row.keep_weights):
            delete_weights(job)
    content = json.loads((job.folder / METRICS_FILE).read_text(encoding="utf-8"))
    scores = ", ".join(
        f"{split} {100 * content[split]['accuracy']:.1f}" for split in ("test", "validation") if split in content
    )
    seconds = f", {content['wall_seconds']:.0f} s" if "wall_seconds" in content else ""
    return f"{_name(job)}: {scores}{seconds}"


def _train(job: Job, log, devices: queue.SimpleQueue[str | None]) -> None:
    command = job.command()
    log.truncate(0)
    log.write(f"$ {shlex.join(command)}\n")
    log.flush()
    device = devices.get()
    try:
        variables = {"OMP_NUM_THREADS": "1"} if device is None else {"CUDA_VISIBLE_DEVICES": device}
        # The lock belongs to the open file, which the child has as its output.
        subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **variables})
    finally:
        devices.put(device)


def delete_weights(job: Job) -> None:
    """Trained models and checkpoints of all runs would fill the disk; tables need the numbers alone."""
    for weights in job.folder.rglob("*.safetensors"):
        weights.unlink()
    shutil.rmtree(job.folder / CHECKPOINT_FOLDER, ignore_errors=True)


def _name(job: Job) -> str:
    return f"{job.row.title or job.row.folder}, seed {job.seed}"


def _last_line(job: Job) -> str:
    lines = job.log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
