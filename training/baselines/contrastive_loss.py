# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The supervised contrastive loss of TCL-MAP and CAGC."""

import torch
from torch import nn


def supervised_contrastive_loss(
    anchors: torch.Tensor,
    others: torch.Tensor,
    positives: torch.Tensor,
    candidates: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Compute SupCon (Khosla et al., 2020), with the sum over positives outside the logarithm.

    The loss is the mean, over anchors and their positives, of -log softmax over the candidates of cosine /
    temperature. Without labels and with two views it is NT-Xent.

    Args:
        anchors: Vectors `(anchors, size)`.
        others: Vectors to compare with `(others, size)`.
        positives: Booleans `(anchors, others)`: the vectors that an anchor should be near.
        candidates: Booleans `(anchors, others)`: the vectors of the denominator, which include the positives.
        temperature: Temperature of the softmax, above 0.

    Returns:
        Loss `()` in float32. An anchor without a positive does not count; without any positive the loss is 0.
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
