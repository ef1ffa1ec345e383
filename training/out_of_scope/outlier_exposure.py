# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Outlier exposure (Hendrycks et al., 2019): rows out of scope are to be told apart by undecided logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import ModelOutput


@dataclass
class OutlierExposureOutput(ModelOutput):
    """What a model under outlier exposure returns for a batch with labels.

    Attributes:
        loss (`()`): the weighted sum of `expose_to_outliers`.
        classification_loss, contrastive_loss (`()`): of the rows in scope, as far as the model tells them.
        outlier_loss (`()`): of the rows out of scope.
    """

    loss: torch.Tensor | None = None
    classification_loss: torch.Tensor | None = None
    contrastive_loss: torch.Tensor | None = None
    outlier_loss: torch.Tensor | None = None


def uniform_cross_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the uniform distribution and the softmax of `logits (rows, labels)`, averaged over the rows. In
    float32; at least log(labels), which equal logits reach.
    """
    return -logits.float().log_softmax(-1).mean()


def expose_to_outliers(model: PreTrainedModel, weight: float) -> None:
    """Change what `model` does with a batch with labels, to be called before the Accelerator prepares it: rows whose
    label is not one of the model's get `uniform_cross_entropy` in place of the model's own loss, in which they take
    no part. Every row counts once, times `weight` where it is out of scope:
    `(rows_in * loss_in + weight * rows_out * loss_out) / (rows_in + rows_out)`.

    MIntRec2.0's code draws equal batches of both kinds and adds the two means. Here rows come as they occur; with its
    6165 rows in scope and 3824 out of scope, a weight of 1.6 has the two kinds count the same.
    """
    original = model.forward

    def forward(labels: torch.Tensor | None = None, **batch: Any) -> ModelOutput:
        if labels is None:
            return original(**batch)
        outside = labels >= model.config.num_labels
        share = outside.float().mean()
        # Both kinds in every pass, a missing one as a stand-in row that weighs nothing: processes that went through
        # different layers would wait for each other for ever.
        inner, outer = (chosen if chosen.any() else first_row(chosen) for chosen in (~outside, outside))
        known = labels.where(~outside, 0)[inner]
        output = original(labels=known, **{name: values[inner] for name, values in batch.items()})
        outlier_loss = uniform_cross_entropy(
            original(**{name: values[outer] for name, values in batch.items()}).logits
        )
        return OutlierExposureOutput(
            loss=(1 - share) * output.loss + weight * share * outlier_loss,
            classification_loss=getattr(output, "classification_loss", None),
            contrastive_loss=getattr(output, "contrastive_loss", None),
            outlier_loss=outlier_loss,
        )

    # On the model itself, not in a module around it: its weights keep their names, and DistributedDataParallel sees
    # one pass, where it would not bear two before the gradients.
    model.forward = forward


def first_row(chosen: torch.Tensor) -> torch.Tensor:
    """A mask `(rows,)` of the first row alone."""
    return torch.arange(len(chosen), device=chosen.device) == 0
