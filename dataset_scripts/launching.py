# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Whether a script runs on as many processes as its launcher was asked for."""

from __future__ import annotations

from collections.abc import Mapping


_WORLD_SIZE_VARIABLES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_HOW_TO_LAUNCH = """Launch several processes like this:
  on GPUs:     accelerate launch --multi_gpu --num_processes 2 {script} [...]
  on the CPU:  torchrun --nproc_per_node 2 {script} --use_cpu [...]
  one process: accelerate launch --num_processes 1 {script} [...]"""


class LaunchError(RuntimeError):
    """The launcher started another number of processes than was asked for."""


def check_launch(environment: Mapping[str, str], script: str) -> None:
    """Refuse the launches that Accelerate 1.15 silently turns into a single process.

    `accelerate launch --cpu --num_processes 2`, and a config file with `distributed_type: MULTI_CPU`, start one
    process and tell it nothing but a rendezvous address (several CPU processes are left to mpirun). An address without
    a world size therefore means that several processes were wanted.

    Args:
        environment: the process's variables.
        script: as launchers are given it, for the message: a path, or `-m` and a module.

    Raises:
        LaunchError: such a launch.
    """
    launched = "ACCELERATE_MIXED_PRECISION" in environment
    rendezvous = "MASTER_ADDR" in environment and "MASTER_PORT" in environment
    if launched and rendezvous and not any(name in environment for name in _WORLD_SIZE_VARIABLES):
        raise LaunchError(
            "accelerate launch was asked for several processes but started only this one: it leaves several processes "
            "on the CPU to mpirun.\n"
            f"{_HOW_TO_LAUNCH.format(script=script)}\n"
            "(If one process is what you want and your shell exports MASTER_ADDR and MASTER_PORT, unset them.)"
        )


def check_process_count(environment: Mapping[str, str], num_processes: int, script: str) -> None:
    """Check that Accelerate runs as many processes as the launcher started.

    Raises:
        LaunchError: it does not, so that each process would take itself for one of fewer.
    """
    requested = max(int(environment.get(name, 1)) for name in _WORLD_SIZE_VARIABLES)
    if requested != num_processes:
        raise LaunchError(
            f"The launcher asked for {requested} processes, but Accelerate runs {num_processes}.\n"
            f"{_HOW_TO_LAUNCH.format(script=script)}"
        )
