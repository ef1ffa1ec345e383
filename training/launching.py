# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""One Accelerator, or an explanation of why the launch would not do what was asked."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration

from .arguments import SettingsError, TrainingSettings


_WORLD_SIZE_VARIABLES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_HOW_TO_LAUNCH = """Launch several processes like this:
  on GPUs:     accelerate launch --multi_gpu --num_processes 2 training/train.py [...]
  on the CPU:  torchrun --nproc_per_node 2 training/train.py --cpu [...]
  one process: accelerate launch --num_processes 1 training/train.py [...]"""
_TRACKER_PACKAGES = {"trackio": "trackio", "tensorboard": "tensorboard", "wandb": "wandb"}


class LaunchError(RuntimeError):
    """The launcher started another number of processes than was asked for."""


def create_accelerator(settings: TrainingSettings) -> Accelerator:
    """
    The Accelerator of a run.

    Raises:
        LaunchError: several processes were asked for and this one would train alone.
        SettingsError: a mixed precision that the device does not have, a tracker that is not installed.
    """
    check_launch(dict(os.environ))
    # Without an accelerator the CPU must be asked for: otherwise each process of `torchrun` on a CPU-only machine
    # would take itself for the only one.
    cpu = settings.cpu or not torch.accelerator.is_available()
    if settings.mixed_precision == "fp16" and cpu:
        raise SettingsError("mixed_precision=fp16 needs a GPU; on the CPU use bf16 or no.")
    if settings.report_to != "none":
        _check_tracker(settings.report_to)
    accelerator = Accelerator(
        cpu=cpu,
        mixed_precision=settings.mixed_precision,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        # A prepared scheduler otherwise advances once per process at every step, so that the learning rate would reach
        # zero at half of a run on two processes.
        step_scheduler_with_optimizer=False,
        log_with=None if settings.report_to == "none" else settings.report_to,
        project_config=ProjectConfiguration(
            project_dir=str(settings.run_folder), logging_dir=str(settings.run_folder)
        ),
    )
    requested = _requested_processes(dict(os.environ))
    if requested != accelerator.num_processes:
        raise LaunchError(
            f"The launcher asked for {requested} processes, but Accelerate runs {accelerator.num_processes} "
            f"({accelerator.distributed_type}).\n{_HOW_TO_LAUNCH}"
        )
    if accelerator.device.type == "cpu" and settings.cpu_threads is not None:
        local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        torch.set_num_threads(settings.cpu_threads or max(1, len(os.sched_getaffinity(0)) // local))
    return accelerator


def check_launch(environment: dict[str, str]) -> None:
    """
    Refuse the launches that Accelerate 1.15 silently turns into a single process.

    `accelerate launch --cpu --num_processes 2`, and a config file with `distributed_type: MULTI_CPU`, start one
    process and tell it nothing but a rendezvous address (several CPU processes are left to mpirun). An address without
    a world size therefore means that several processes were wanted.

    Raises:
        LaunchError: such a launch.
    """
    launched = "ACCELERATE_MIXED_PRECISION" in environment
    rendezvous = "MASTER_ADDR" in environment and "MASTER_PORT" in environment
    if launched and rendezvous and not any(name in environment for name in _WORLD_SIZE_VARIABLES):
        raise LaunchError(
            "accelerate launch was asked for several processes but started only this one: it leaves several processes "
            "on the CPU to mpirun.\n"
            f"{_HOW_TO_LAUNCH}\n"
            "(If one process is what you want and your shell exports MASTER_ADDR and MASTER_PORT, unset them.)"
        )


def _requested_processes(environment: dict[str, str]) -> int:
    return max(int(environment.get(name, 1)) for name in _WORLD_SIZE_VARIABLES)


def _check_tracker(name: str) -> None:
    from importlib.util import find_spec

    # Accelerate drops a tracker that is not installed with no more than a line in its debug log.
    found = find_spec(_TRACKER_PACKAGES[name]) or (name == "tensorboard" and find_spec("tensorboardX"))
    if not found:
        raise SettingsError(f"report_to={name}, but {name} is not installed: `pip install {_TRACKER_PACKAGES[name]}`.")
