# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluation of a model on a split: logits from all processes, and their metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from accelerate import Accelerator
from scipy.special import log_softmax
from torch import nn
from torch.utils.data import DataLoader

from dataset_scripts.errors import interrupts_held
from dataset_scripts.labels import OUT_OF_SCOPE_LABEL
from dataset_scripts.planted import planted_accuracies

from .calibration import scaled_probabilities
from .data import IntentCollator, IntentRows
from .losses import SOFT_LABELS
from .metrics.intent_classification.classification_scores import intent_classification


@dataclass
class Evaluation:
    """Results on one split, the same on every process. Arrays are in the order of the split's rows.

    Attributes:
        logits (`(rows, labels)`): Logits, float32.
        labels (`(rows,)`): Gold label ids; the number of labels for a row out of scope without a label of the model.
        metrics: Result of the `intent_classification` metric, with `per_class`, and the cross-entropy as `loss`, over
            the rows with a label.
        planted: Result of `planted_accuracies` on the planted benchmark; else `None`.
        representations (`(rows, size)`): Inputs of the classifier; `None` unless the caller wants them.
        description_similarity (`(rows, labels)`): Similarity to the descriptions, where the model returns it.
    """

    logits: np.ndarray
    labels: np.ndarray
    metrics: dict[str, Any]
    planted: dict[str, float] | None = None
    representations: np.ndarray | None = None
    description_similarity: np.ndarray | None = None

    @property
    def predictions(self) -> np.ndarray:
        """Predicted label ids `(rows,)`."""
        predictions: np.ndarray = self.logits.argmax(-1)
        return predictions

    @property
    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """Logits `(utterances, labels)` and label ids of the rows that have one of the model's labels."""
        chosen = (self.labels >= 0) & (self.labels < self.logits.shape[-1])
        return self.logits[chosen], self.labels[chosen]


def prediction_columns(rows: IntentRows, evaluation: Evaluation, temperature: float = 1.0) -> dict[str, Any]:
    """Make the columns of `predictions.parquet` from the results on a split.

    Args:
        rows: Rows of the split.
        evaluation: Results on them.
        temperature: Number that the logits are divided by, as the pipeline divides them.
    """
    ids, texts = rows.column("id"), rows.column("text")
    if ids is None or texts is None:
        whole = [rows[index] for index in range(len(rows))]
        ids, texts = [row["id"] for row in whole], [row["text"] for row in whole]
    names = np.asarray([*rows.label_names, OUT_OF_SCOPE_LABEL])
    scores = scaled_probabilities(evaluation.logits, temperature)
    return {
        "id": [str(value) for value in ids],
        "text": [str(value) for value in texts],
        "label": names[evaluation.labels].tolist(),
        "prediction": names[evaluation.predictions].tolist(),
        "scores": pa.array(scores.astype(np.float32).tolist(), pa.list_(pa.float32())),
    }


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Compute the mean cross-entropy of a split, without weights, smoothing or contrastive terms.

    It is the same for every setting of the loss, so that runs can be compared, and depends on no batch.

    Args:
        logits: Logits `(rows, labels)`.
        labels: Gold label ids `(rows,)`.
    """
    return -float(log_softmax(logits.astype(np.float64), axis=-1)[np.arange(len(labels)), labels].mean())


class Evaluator:
    """Evaluates models on one split.

    Args:
        rows: Rows of the split.
        collator: Collator of the rows.
        lengths: Tokens of each row, so that rows of similar length share a batch; `None` for the order of the split.
        batch_size: Rows per process and forward pass.
        accelerator: Accelerator that shares the batches among processes.
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
        self.is_planted = rows.has_planted_bits
        self.accelerator = accelerator
        self.order = np.arange(len(rows)) if lengths is None else np.argsort(-lengths, kind="stable")
        loader = DataLoader(
            rows,
            batch_size=batch_size,
            sampler=self.order.tolist(),
            collate_fn=collator,
            generator=torch.Generator(),  # so that evaluation leaves the random state of the training unchanged
        )
        # Every process gets the same number of batches; `gather_for_metrics` drops the rows that fill up the last.
        self.loader = accelerator.prepare_data_loader(loader)

    @torch.no_grad()
    def evaluate(self, model: nn.Module, with_representations: bool = False) -> Evaluation:
        """Run a model over the split and leave it in evaluation mode.

        Args:
            model: Model as the Accelerator prepared it.
            with_representations: Whether to keep the inputs of the classifier and the similarity to the descriptions.
                The last linear layer of every model of `MODELS` is its `classifier`, so a hook suffices.
        """
        model.eval()
        parts: dict[str, list[np.ndarray]] = {}
        captured: list[torch.Tensor] = []
        hooks = []
        if with_representations:
            classifier = self.accelerator.unwrap_model(model).classifier
            hooks.append(classifier.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0])))
        with interrupts_held() as raise_held:
            for batch in self.loader:
                raise_held()
                results = {"labels": batch.pop("labels")}
                batch.pop(SOFT_LABELS, None)  # of training rows
                output = model(**batch)
                results["logits"] = output.logits.float()
                if with_representations:
                    results["representations"] = captured[-1].float()
                    captured.clear()
                    if (similarity := output.get("description_similarity")) is not None:
                        results["description_similarity"] = similarity.float()
                for name, values in self.accelerator.gather_for_metrics(results).items():
                    parts.setdefault(name, []).append(values.cpu().numpy())
        for hook in hooks:
            hook.remove()
        back = np.argsort(self.order, kind="stable")
        whole = {name: np.concatenate(values)[back] for name, values in parts.items()}
        known = (whole["labels"] >= 0) & (whole["labels"] < len(self.label_names))
        predictions, labels = whole["logits"].argmax(-1)[known], whole["labels"][known]
        planted = None
        if self.is_planted:
            names = np.asarray(self.label_names)
            planted = planted_accuracies(names[labels].tolist(), names[predictions].tolist())
        metrics = intent_classification(predictions, labels, self.label_names)
        metrics["loss"] = cross_entropy(whole["logits"][known], labels)
        return Evaluation(metrics=metrics, planted=planted, **whole)
