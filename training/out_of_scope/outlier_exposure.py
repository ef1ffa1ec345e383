# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Outlier exposure (Hendrycks et al., 2019): a model learns to give equal logits to utterances out of scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from accelerate.utils import extract_model_from_parallel
from torch import nn
from transformers.utils.generic import ModelOutput

from modeling_amess.configuration_amess import IGNORED_LABEL

from ..losses import LossFunction, model_loss


@dataclass
class OutlierExposureOutput(ModelOutput):
    """Losses of a batch under outlier exposure.

    Attributes:
        loss (`()`): Weighted sum that is trained on, see `exposed_loss`.
        classification_loss, contrastive_loss (`()`): Losses of the rows in scope, where the model returns them.
        outlier_loss (`()`): Loss of the rows out of scope.
    """

    loss: torch.Tensor | None = None
    classification_loss: torch.Tensor | None = None
    contrastive_loss: torch.Tensor | None = None
    outlier_loss: torch.Tensor | None = None


def uniform_cross_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Compute the mean cross entropy between the uniform distribution and the softmax of `logits (rows, labels)`.

    The result is float32 and at least log(labels), which equal logits reach.
    """
    return -logits.float().log_softmax(-1).mean()


def exposed_loss(
    model: nn.Module, batch: Mapping[str, torch.Tensor], weight: float, loss_fn: LossFunction = model_loss
) -> OutlierExposureOutput:
    """Compute the loss of a batch with rows out of scope, whose label is not one of the model's.

    These rows get `uniform_cross_entropy` in place of the model's own loss, in which they take no part. Every row
    counts once, times `weight` where it is out of scope:
    `(rows_in * loss_in + weight * rows_out * loss_out) / (rows_in + rows_out)`. Rows of label -100 do not count.

    MIntRec2.0's code draws equal batches of both kinds and adds the two means. Here rows come as they occur; with its
    6165 rows in scope and 3824 out of scope, a weight of 1.6 has the two kinds count the same.

    Args:
        model: Model as the Accelerator prepared it.
        batch: Batch with `labels (rows,)`.
        weight: Weight of a row out of scope.
        loss_fn: Loss of the rows in scope.
    """
    inner_model = extract_model_from_parallel(model)
    outside = batch["labels"] >= inner_model.config.num_labels
    share = outside.sum() / (batch["labels"] != IGNORED_LABEL).sum().clamp(min=1)
    # Both kinds in every pass, with a stand-in row of weight zero for a missing kind: processes that went through
    # different layers would wait for each other for ever.
    inner, outer = (chosen if chosen.any() else first_row(chosen) for chosen in (~outside, outside))
    known = {name: values[inner] for name, values in batch.items()}
    known["labels"] = batch["labels"].where(~outside, 0)[inner]
    output = loss_fn(model, known)
    # Past DistributedDataParallel, which counts on one pass per backward pass: the gradients of this pass are added to
    # those of the first one before the processes exchange them.
    unknown = {name: values[outer] for name, values in batch.items() if name != "labels"}
    outlier_loss = uniform_cross_entropy(inner_model(**unknown).logits)
    return OutlierExposureOutput(
        loss=(1 - share) * output["loss"] + weight * share * outlier_loss,
        classification_loss=output.get("classification_loss"),
        contrastive_loss=output.get("contrastive_loss"),
        outlier_loss=outlier_loss,
    )


def first_row(chosen: torch.Tensor) -> torch.Tensor:
    """Make a mask `(rows,)` of the first row alone."""
    return torch.arange(len(chosen), device=chosen.device) == 0
