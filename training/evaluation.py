# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A model's logits on a split, gathered from all processes, and the metrics of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader

from .data import IntentCollator, IntentRows
from .metrics.intent_classification.classification_scores import intent_classification


@dataclass
class Evaluation:
    """Results on one split, the same on every process. Arrays are in the order of the split's rows."""

    logits: np.ndarray  # (rows, labels), float32
    labels: np.ndarray  # (rows,); the number of labels for a row out of scope that the model has no label for
    metrics: dict[str, Any]  # of the `intent_classification` metric, with `per_class`, over the rows with a label
    representations: np.ndarray | None = None  # (rows, size), the classifier's input, where it was asked for
    description_similarity: np.ndarray | None = None  # (rows, labels), where the model gives it

    @property
    def predictions(self) -> np.ndarray:
        """Predicted label ids `(rows,)`."""
        return self.logits.argmax(-1)

    @property
    def scores(self) -> np.ndarray:
        """Softmax of the logits `(rows, labels)`."""
        exponentials = np.exp(self.logits - self.logits.max(-1, keepdims=True))
        return exponentials / exponentials.sum(-1, keepdims=True)


class Evaluator:
    """Evaluates on one split, as often as asked.

    Args:
        rows: the split.
        lengths: tokens of each row, to batch rows of similar length; `None` for the order of the split.
        batch_size: rows per process and forward pass.
    """

    def __init__(
        self,
        rows: IntentRows,
        collator: IntentCollator,
        lengths: np.ndarray | None,
        batch_size: int,
        accelerator: Accelerator,
    ):
        self.label_names = rows.label_names
        self.accelerator = accelerator
        self.order = np.arange(len(rows)) if lengths is None else np.argsort(-lengths, kind="stable")
        loader = DataLoader(
            rows,
            batch_size=batch_size,
            sampler=self.order.tolist(),
            collate_fn=collator,
            generator=torch.Generator(),  # its own, so that evaluation leaves the training's random state alone
        )
        # Every process gets equally many batches (the last are filled up with rows that `gather_for_metrics` drops).
        self.loader = accelerator.prepare_data_loader(loader)

    @torch.no_grad()
    def evaluate(self, model: nn.Module, with_representations: bool = False) -> Evaluation:
        """Run `model`, as prepared by the Accelerator, over the split; it is left in evaluation mode.

        Args:
            with_representations: keep what reaches the classifier, too. Every model of `MODELS` has its last linear
                layer as `classifier`, so none needs to know of it.
        """
        model.eval()
        parts: dict[str, list[np.ndarray]] = {}
        captured: list[torch.Tensor] = []
        hooks = []
        if with_representations:
            classifier = self.accelerator.unwrap_model(model).classifier
            hooks.append(classifier.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0])))
        for batch in self.loader:
            found = {"labels": batch.pop("labels")}
            output = model(**batch)
            found["logits"] = output.logits.float()
            if with_representations:
                found["representations"] = captured[-1].float()
                captured.clear()
                if getattr(output, "description_similarity", None) is not None:
                    found["description_similarity"] = output.description_similarity.float()
            for name, values in self.accelerator.gather_for_metrics(found).items():
                parts.setdefault(name, []).append(values.cpu().numpy())
        for hook in hooks:
            hook.remove()
        back = np.argsort(self.order, kind="stable")
        whole = {name: np.concatenate(values)[back] for name, values in parts.items()}
        known = whole["labels"] < len(self.label_names)
        predictions = whole["logits"].argmax(-1)
        metrics = intent_classification(predictions[known], whole["labels"][known], self.label_names)
        return Evaluation(metrics=metrics, **whole)
