# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Semantic synchronization: the contrastive loss between an utterance and its label's descriptions (eq. 15)."""

import torch
from torch import nn


def description_similarity(semantic_embedding: torch.Tensor, description_embeddings: torch.Tensor) -> torch.Tensor:
    """
    Cosine similarity of each utterance to each description, in float32 whatever the model's precision is: divided by a
    small temperature and exponentiated, bfloat16's two digits would not do.

    Args:
        semantic_embedding (`torch.Tensor` of shape `(batch, description_size)`): T_f.
        description_embeddings (`torch.Tensor` of shape `(labels, descriptions, description_size)`): S.

    Returns:
        `torch.Tensor` of shape `(batch, labels, descriptions)`.
    """
    with torch.autocast(device_type=semantic_embedding.device.type, enabled=False):
        semantic_embedding = nn.functional.normalize(semantic_embedding.float(), dim=-1)
        description_embeddings = nn.functional.normalize(description_embeddings.float(), dim=-1)
        return torch.einsum("bd,lmd->blm", semantic_embedding, description_embeddings)


def mean_description_similarity(similarity: torch.Tensor, description_mask: torch.Tensor) -> torch.Tensor:
    """
    Mean over each label's descriptions: `(batch, labels, descriptions)` and `(labels, descriptions)` to
    `(batch, labels)`; 0 for a label without any.
    """
    return (similarity * description_mask).sum(-1) / description_mask.sum(-1).clamp(min=1)


def semantic_synchronization_loss(
    similarity: torch.Tensor,
    description_mask: torch.Tensor,
    labels: torch.Tensor,
    temperature: float,
    form: str = "classes",
) -> torch.Tensor:
    r"""
    The contrastive loss of eq. 15, averaged over the rows whose label has descriptions. Rows of other labels (the
    out-of-scope label) are neither pulled nor used as negatives.

    `form="classes"` is InfoNCE over the descriptions of all labels: the positive is in the denominator too, so that
    the loss is bounded below and a batch of one label still teaches.
    `form="batch"` is eq. 15 as printed: the denominator holds the descriptions of the other rows' labels, without the
    positive. Rows of the same label are no negatives of each other: as printed they would be pushed from the very
    descriptions that the numerator pulls them to. Rows left without negatives are skipped.

    Args:
        similarity (`torch.Tensor` of shape `(batch, labels, descriptions)`): cosines of T_f and S.
        description_mask (`torch.Tensor` of shape `(labels, descriptions)`): 1 where a description exists.
        labels (`torch.LongTensor` of shape `(batch,)`): gold label ids.
        temperature (`float`): tau.
        form (`str`): `"classes"` or `"batch"`.

    Returns:
        A scalar `torch.Tensor`; zero, with a gradient of zero, where no row takes part.
    """
    description_mask = description_mask.bool()
    scores = (similarity / temperature).masked_fill(~description_mask, float("-inf"))
    has_descriptions = description_mask.any(-1)
    takes_part = has_descriptions[labels]

    label_scores = torch.logsumexp(scores.masked_fill(~has_descriptions[:, None], 0.0), dim=-1)  # (batch, labels)
    label_scores = label_scores.masked_fill(~has_descriptions, float("-inf"))
    positive = label_scores.gather(1, labels[:, None]).squeeze(1)

    if form == "classes":
        denominator = label_scores
    elif form == "batch":
        # One column for each other row of the batch: a label that occurs twice counts twice, as in the printed sum.
        denominator = label_scores[:, labels]
        is_negative = (labels[:, None] != labels[None, :]) & takes_part[None, :]
        denominator = denominator.masked_fill(~is_negative, float("-inf"))
        takes_part = takes_part & is_negative.any(-1)
    else:
        raise ValueError(f"contrastive_form={form!r} is unknown: choose 'classes' or 'batch'.")

    # Rows that take no part hold -inf: they are replaced before the sum, so that no NaN reaches the gradient.
    positive = positive.masked_fill(~takes_part, 0.0)
    denominator = denominator.masked_fill(~takes_part[:, None], 0.0)
    row_loss = torch.logsumexp(denominator, dim=-1) - positive
    return (row_loss * takes_part).sum() / takes_part.sum().clamp(min=1)
