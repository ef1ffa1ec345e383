# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy of a run: class weights, label smoothing and soft labels, for A-MESS and every baseline alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import yaml
from torch import nn
from transformers.utils.generic import ModelOutput

from modeling_amess.configuration_amess import IGNORED_LABEL

from .arguments import SettingsError, TrainingSettings, check_keys


# Key of a batch with the probabilities of each row's labels `(rows, labels)`, next to its `labels`.
SOFT_LABELS = "soft_labels"
BALANCED = "balanced"

# Losses of a batch: `loss`, which is trained on, and its parts.
LossFunction = Callable[[nn.Module, Mapping[str, torch.Tensor]], ModelOutput]


def model_loss(model: nn.Module, batch: Mapping[str, torch.Tensor]) -> ModelOutput:
    """Compute the model's own loss of a batch."""
    output: ModelOutput = model(**batch)
    return output


@dataclass(frozen=True)
class WeightedLoss:
    """The model's loss, with another cross-entropy in place of its own.

    Contrastive terms stay: they compare a row with descriptions, and know neither weights nor soft labels.

    Attributes:
        class_weights (`(labels,)`): Weight of each label; `None` for equal weights.
        label_smoothing: Share of each target that is spread evenly over all labels.
    """

    class_weights: torch.Tensor | None = None
    label_smoothing: float = 0.0

    def __call__(self, model: nn.Module, batch: Mapping[str, torch.Tensor]) -> ModelOutput:
        """Compute the losses of a batch, which may hold `soft_labels` `(rows, labels)`."""
        given = dict(batch)
        soft_labels = given.pop(SOFT_LABELS, None)
        output: ModelOutput = model(**given)
        own = self.cross_entropy(output["logits"], given["labels"], soft_labels)
        replaced = output.get("classification_loss")
        if replaced is None:  # a model whose loss is the cross-entropy alone
            output["loss"] = own
            return output
        # The gradients of the cross-entropy that is replaced are 1 - 1 = 0, exactly.
        output["loss"] = output["loss"] - replaced + own
        output["classification_loss"] = own
        return output

    def cross_entropy(
        self, logits: torch.Tensor, labels: torch.Tensor, soft_labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute the sum over rows of -sum_c w_c t_c log p_c, divided by the number of rows with a label.

        Divided by rows and not by their weights, as PyTorch's mean would be: the loss of a batch is then the mean of
        the losses of its equal parts, so that gradient accumulation changes nothing.

        Args:
            logits (`(rows, labels)`): Scores of the labels.
            labels (`(rows,)`): Label ids; -100 for a row that takes no part.
            soft_labels (`(rows, labels)`): Probabilities of the labels, in place of the ids.
        """
        takes_part = labels != IGNORED_LABEL
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        targets = labels if soft_labels is None else soft_labels.float()
        total = nn.functional.cross_entropy(
            logits.float()[takes_part],
            targets[takes_part],
            weight=weights,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        return total / takes_part.sum().clamp(min=1)


def loss_of_settings(
    settings: TrainingSettings, label_names: Sequence[str], labels: Sequence[int] | np.ndarray
) -> LossFunction:
    """Make the loss that the settings ask for; the model's own where they ask for nothing else.

    Args:
        settings: Settings of the run.
        label_names: Labels of the model.
        labels: Label ids of the training rows, for balanced weights; other ids than those of `label_names` do not
            count.

    Raises:
        SettingsError: The weights are not of these labels, or are no weights.
    """
    if settings.class_weights is None and not settings.label_smoothing_factor and settings.soft_labels is None:
        return model_loss
    weights = None
    if settings.class_weights is not None:
        weights = torch.tensor(class_weights(settings.class_weights, label_names, labels), dtype=torch.float32)
    return WeightedLoss(weights, settings.label_smoothing_factor)


def class_weights(text: str, label_names: Sequence[str], labels: Sequence[int] | np.ndarray) -> list[float]:
    """Read the weight of each label.

    Args:
        text: `balanced` for weights rows / (labels * rows of the label), as scikit-learn has them, whose mean over the
            rows is 1; or weights by label, `{Taunt: 2}`, where the others have 1.
        label_names: Labels of the model.
        labels: Label ids of the training rows.

    Raises:
        SettingsError: The text is neither, names an unknown label, or has a weight that is not a number above 0.
    """
    if text == BALANCED:
        known = np.asarray(labels)
        known = known[(known >= 0) & (known < len(label_names))]
        counts = np.bincount(known, minlength=len(label_names))
        # A label without a row has no weight to balance.
        present = (counts > 0).sum()
        weights: list[float] = np.where(counts > 0, len(known) / (present * np.maximum(counts, 1)), 1.0).tolist()
        return weights
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError:
        given = None
    if not isinstance(given, dict):
        raise SettingsError(
            f"class_weights={text!r} is neither {BALANCED!r} nor weights by label. Write for example "
            '--class_weights "{Taunt: 2, Thank: 0.5}".'
        )
    check_keys({str(name): weight for name, weight in given.items()}, label_names, "class_weights")
    for name, weight in given.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < math.inf:
            raise SettingsError(f"class_weights gives {name!r} the weight {weight!r}: give a number above 0.")
    by_name = {str(name): float(weight) for name, weight in given.items()}
    return [by_name.get(name, 1.0) for name in label_names]
