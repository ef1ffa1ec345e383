# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The Accelerator of a run, and checks that the launch does what the user wants."""

from __future__ import annotations

import os
from importlib.util import find_spec

import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration

from dataset_scripts.launching import available_cores, check_launch, check_process_count

from .arguments import SettingsError, TrainingSettings


# Runs in a checkout and where the package is installed.
_SCRIPT = "-m training.train"
_TRACKER_PACKAGES = {"trackio": "trackio", "tensorboard": "tensorboard", "wandb": "wandb"}


def create_accelerator(settings: TrainingSettings) -> Accelerator:
    """Create the Accelerator of a run.

    Raises:
        LaunchError: The user wants several processes, but this one would train alone.
        SettingsError: The device does not have the mixed precision, or the tracker is not installed.
    """
    check_launch(dict(os.environ), _SCRIPT)
    # Without `cpu=True`, each process of `torchrun` on a machine without an accelerator would take itself for the only
    # one.
    cpu = settings.use_cpu or not torch.accelerator.is_available()
    if settings.mixed_precision == "fp16" and cpu:
        raise SettingsError("mixed_precision=fp16 needs a GPU. On the CPU use --mixed_precision bf16 or no.")
    if settings.report_to != "none":
        _check_tracker(settings.report_to)
    accelerator = Accelerator(
        cpu=cpu,
        mixed_precision=settings.mixed_precision,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        # Otherwise a prepared scheduler advances once per process at every step: with two processes the learning rate
        # would reach zero at half of the run.
        step_scheduler_with_optimizer=False,
        log_with=None if settings.report_to == "none" else settings.report_to,
        project_config=ProjectConfiguration(
            project_dir=str(settings.run_folder), logging_dir=str(settings.run_folder)
        ),
    )
    check_process_count(dict(os.environ), accelerator.num_processes, _SCRIPT)
    if accelerator.device.type == "cpu" and settings.cpu_threads is not None:
        local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        torch.set_num_threads(settings.cpu_threads or max(1, available_cores() // local))
    return accelerator


def _check_tracker(name: str) -> None:
    # Accelerate drops a tracker that is not installed with only a line in its debug log.
    installed = find_spec(_TRACKER_PACKAGES[name]) or (name == "tensorboard" and find_spec("tensorboardX"))
    if not installed:
        raise SettingsError(f"report_to={name}, but {name} is not installed: `pip install {_TRACKER_PACKAGES[name]}`.")
