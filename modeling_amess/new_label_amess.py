# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""One more row for a trained classifier, all else as it is."""

import torch
from torch import nn


# Weight of the squared distance from the mean row, for inputs of length 1. Chosen on MIntRec's texts with MiniLM, five
# intents left out: without utterances of the other labels more is better, with them less is; this is between.
REGULARIZATION = 0.4


def fit_label_row(
    inputs: torch.Tensor, margins: torch.Tensor, is_new: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Logistic regression of a new label's row beside rows that stay as they are. Under the softmax of all logits the
    new label has probability `sigmoid(z - logsumexp(the others))`, so the row minimises the cross-entropy of "is it
    the new one?", with a Gaussian prior around where it starts.

    Args:
        inputs (`(rows, size)`): what the classifier reads.
        margins (`(rows,)`): what the new label's logit has from elsewhere (its descriptions), less the logsumexp of
            the other labels' logits.
        is_new (`(rows,)`): bool, which rows are of the new label.
        weight (`(size,)`), bias (`()`): where the row starts.

    Returns:
        Weight `(size,)` and bias `()`, in the dtype and on the device of `weight`.
    """
    start, offset = weight.double().cpu(), bias.double().cpu()
    inputs, margins, is_new = inputs.double().cpu(), margins.double().cpu(), is_new.double().cpu()
    # The classifier reads a LayerNorm's output: the lengths of its inputs are all near sqrt(size).
    length = inputs.shape[-1] ** 0.5
    with torch.enable_grad():
        change = torch.zeros_like(start, requires_grad=True)
        shift = torch.zeros((), dtype=torch.double, requires_grad=True)
        optimizer = torch.optim.LBFGS([change, shift], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            logits = inputs @ (start + change / length) + offset + shift + margins
            entropy = nn.functional.binary_cross_entropy_with_logits(logits, is_new, reduction="sum")
            # The bias too, by little: without rows of other labels it would grow without end.
            value = entropy + REGULARIZATION / 2 * (change @ change + shift**2 / 10)
            value.backward()
            return value

        optimizer.step(loss)
    found = (start + change.detach() / length, offset + shift.detach())
    return tuple(value.to(device=weight.device, dtype=weight.dtype) for value in found)
