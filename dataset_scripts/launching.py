# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The processes and cores that a script runs on, and checks that the launcher started what it was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from .errors import UserError


_WORLD_SIZE_VARIABLES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_HOW_TO_LAUNCH = """Launch several processes like this:
  on GPUs:     accelerate launch --multi_gpu --num_processes 2 {script} [...]
  on the CPU:  torchrun --nproc_per_node 2 {script} --use_cpu [...]
  one process: accelerate launch --num_processes 1 {script} [...]"""


class LaunchError(UserError):
    """The launcher started another number of processes than it was asked for."""


def available_cores() -> int:
    """Number of CPU cores that this process may use."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows bind no process to cores
        return os.cpu_count() or 1


def check_launch(environment: Mapping[str, str], script: str) -> None:
    """Refuse the launches that Accelerate 1.15 silently turns into a single process.

    `accelerate launch --cpu --num_processes 2`, and a config file with `distributed_type: MULTI_CPU`, start one
    process and give it nothing but a rendezvous address (mpirun has to start several CPU processes). An address
    without a world size therefore means that the user wanted several processes.

    Args:
        environment: Environment variables of the process.
        script: Path of the script, or `-m` and its module, for the message.

    Raises:
        LaunchError: The launch is such a one.
    """
    launched = "ACCELERATE_MIXED_PRECISION" in environment
    rendezvous = "MASTER_ADDR" in environment and "MASTER_PORT" in environment
    if launched and rendezvous and not any(name in environment for name in _WORLD_SIZE_VARIABLES):
        raise LaunchError(
            "accelerate launch was asked for several processes but started only this one: on the CPU it leaves them "
            "to mpirun.\n"
            f"{_HOW_TO_LAUNCH.format(script=script)}\n"
            "(If you want one process and your shell exports MASTER_ADDR and MASTER_PORT, unset them.)"
        )


def check_process_count(environment: Mapping[str, str], num_processes: int, script: str) -> None:
    """Check that Accelerate runs as many processes as the launcher started.

    Args:
        environment: Environment variables of the process.
        num_processes: Number of processes that Accelerate runs.
        script: Path of the script, or `-m` and its module, for the message.

    Raises:
        LaunchError: The numbers differ.
    """
    requested = max(int(environment.get(name, 1)) for name in _WORLD_SIZE_VARIABLES)
    if requested != num_processes:
        raise LaunchError(
            f"The launcher asked for {requested} processes, but Accelerate runs {num_processes}.\n"
            f"{_HOW_TO_LAUNCH.format(script=script)}"
        )
