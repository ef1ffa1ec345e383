# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AdamW with two learning rates, and the schedule of the learning rates."""

from __future__ import annotations

import torch
from torch import nn
from transformers import get_linear_schedule_with_warmup

from .arguments import TrainingSettings


def create_optimizer(model: nn.Module, new_parameter_names: set[str], settings: TrainingSettings) -> torch.optim.AdamW:
    """Create AdamW with `learning_rate` for pretrained and `new_learning_rate` for new parameters.

    Matrices have weight decay; vectors and scalars (biases, normalisation weights, temperatures) have none.

    Args:
        model: Model whose trainable parameters are optimised.
        new_parameter_names: Names of the parameters that do not start from pretrained weights.
        settings: Settings of the run.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name in new_parameter_names, parameter.ndim >= 2), []).append(parameter)
    parameter_groups = [
        {
            "params": parameters,
            "lr": settings.new_learning_rate if is_new else settings.learning_rate,
            "weight_decay": settings.weight_decay if is_matrix else 0.0,
        }
        for (is_new, is_matrix), parameters in sorted(groups.items())
    ]
    # Fused: one pass over the weights, several times faster on a CPU, which matters for small models.
    return torch.optim.AdamW(parameter_groups, fused=True)


def create_scheduler(
    optimizer: torch.optim.Optimizer, num_training_steps: int, settings: TrainingSettings
) -> torch.optim.lr_scheduler.LRScheduler:
    """Create the schedule: the learning rate rises linearly for `warmup_steps`, then falls linearly to 0.

    The rate is 0 at the last step, or with a `decay_ratio` below 1 at that share of the steps; a warm-up given as a
    share shrinks alike.

    Args:
        optimizer: Optimizer whose rates are set.
        num_training_steps: Optimizer steps of the run.
        settings: Settings of the run.
    """
    length = settings.decay_ratio * num_training_steps
    warmup = settings.warmup_steps if settings.warmup_steps >= 1 else settings.warmup_steps * length
    return get_linear_schedule_with_warmup(optimizer, round(warmup), round(length))
