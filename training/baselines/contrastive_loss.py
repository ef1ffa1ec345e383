# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The supervised contrastive loss of TCL-MAP and CAGC, and the output of a model that has one."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers.utils import ModelOutput


@dataclass
class ContrastiveClassifierOutput(ModelOutput):
    """Output of a baseline with two losses.

    Attributes:
        loss (`()`): their weighted sum, when labels are given.
        classification_loss (`()`): cross-entropy.
        contrastive_loss (`()`): the contrastive term as it stands in `loss`.
        logits (`(batch, labels)`).
    """

    loss: torch.Tensor | None = None
    classification_loss: torch.Tensor | None = None
    contrastive_loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None


def supervised_contrastive_loss(
    anchors: torch.Tensor,
    others: torch.Tensor,
    positives: torch.Tensor,
    candidates: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """SupCon (Khosla et al., 2020, the sum over positives outside the logarithm): mean over anchors and their positives
    of -log softmax over the candidates of cosine / temperature. Without labels and with two views it is NT-Xent.

    Args:
        anchors: `(anchors, size)`.
        others: `(others, size)`.
        positives, candidates: booleans `(anchors, others)`; the candidates, the denominator, contain the positives.
        temperature: above 0.

    Returns:
        `()` in float32. Anchors without a positive do not count; without any the loss is 0.
    """
    with torch.autocast(device_type=anchors.device.type, enabled=False):
        anchors = nn.functional.normalize(anchors.float(), dim=-1)
        others = nn.functional.normalize(others.float(), dim=-1)
        similarity = torch.matmul(anchors, others.T) / temperature
    lowest = torch.finfo(similarity.dtype).min
    log_probability = similarity.masked_fill(~candidates, lowest).log_softmax(-1)
    num_positives = positives.sum(-1)
    losses = -log_probability.masked_fill(~positives, 0.0).sum(-1) / num_positives.clamp(min=1)
    return losses.sum() / (num_positives > 0).sum().clamp(min=1)
