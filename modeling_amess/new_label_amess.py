# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""One more label for a trained classifier, all else as it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .descriptions_amess import checked_descriptions, embed_descriptions
from .loss_amess import description_similarity, mean_description_similarity


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


class NewLabelMixin:
    """`add_label` for [`AmessForIntentClassification`]."""

    @torch.no_grad()
    def add_label(
        self,
        name: str,
        descriptions: Sequence[str] | None = None,
        encoder: Any = None,
        examples: Sequence[Mapping[str, torch.Tensor]] = (),
        other_examples: Sequence[Mapping[str, torch.Tensor]] = (),
    ) -> int:
        """
        Teach the trained model one more label, leaving everything that it has learned as it is: the classifier gets a
        row, the descriptions an entry, the config a name.

        The row starts as the mean of the others, as if the label were any of them, and is fitted to the examples by
        regularised logistic regression ([`fit_label_row`]). Where the text model is the description encoder, a text
        may be an example of its own: the descriptions as utterances, of the new label and of the others, stand in
        where real ones are missing.

        Args:
            name: the new label's.
            descriptions: texts of it; needed with, and only with, semantic synchronization.
            encoder: the Sentence-BERT that embedded the other labels' descriptions, anything with `.encode`.
            examples: batches of utterances of the new label, as the processor makes them. Without any, the label is
                told by its descriptions alone, which needs `semantic_logits`.
            other_examples: batches of utterances of the other labels, best about as many of each as of the new one.
                They keep the new label from being seen everywhere.

        Returns:
            The new label's id, the highest.

        Raises:
            ValueError: the label is known already, its descriptions are missing or cannot be used, no examples and no
                `semantic_logits`, the encoder's size is not the model's.
        """
        config = self.config
        if not name or name in config.label2id:
            raise ValueError(f"The new label's name {name!r} must not be empty nor one of {sorted(config.label2id)}.")
        if config.use_semantic_synchronization != bool(descriptions):
            raise ValueError(
                f"{name!r} has no descriptions, which this model needs of every label."
                if config.use_semantic_synchronization
                else "This model was built with use_semantic_synchronization=False and reads no descriptions."
            )
        if config.use_semantic_synchronization and config.label_descriptions is None:
            raise ValueError("The other labels have no descriptions yet: call set_label_descriptions(...) first.")
        if not examples and not config.semantic_logits:
            raise ValueError(
                f"{name!r} needs examples: without semantic_logits the descriptions take no part in the logits."
            )
        embeddings = mask = None
        if descriptions:
            texts = checked_descriptions({name: descriptions})
            embeddings, mask = embed_descriptions(texts, encoder, config.description_template, config.description_size)
            embeddings, mask = embeddings.to(self.device), mask.to(self.device)

        weight, bias = self.classifier.weight.mean(0), self.classifier.bias.mean()
        if examples:
            training = self.training
            self.eval()
            found = [self._new_label_evidence(batch, embeddings, mask) for batch in (*examples, *other_examples)]
            self.train(training)
            is_new = [torch.full((len(margins),), index < len(examples)) for index, (_, margins) in enumerate(found)]
            inputs, margins = (torch.cat(values) for values in zip(*found, strict=True))
            weight, bias = fit_label_row(inputs, margins, torch.cat(is_new), weight, bias)

        classifier = nn.Linear(weight.shape[0], self.num_labels + 1).to(weight)
        classifier.weight.copy_(torch.cat([self.classifier.weight, weight[None]]))
        classifier.bias.copy_(torch.cat([self.classifier.bias, bias[None]]))
        self.classifier = classifier
        if descriptions:
            most = max(config.num_descriptions, len(descriptions))
            old, old_mask = self.label_description_embeddings, self.label_description_mask
            pad = nn.functional.pad
            rows = [pad(values, (0, 0, 0, most - values.shape[1])) for values in (old, embeddings.to(old))]
            masks = [pad(values, (0, most - values.shape[1])) for values in (old_mask, mask)]
            self.label_description_embeddings = nn.Buffer(torch.cat(rows))
            self.label_description_mask = nn.Buffer(torch.cat(masks))
            config.num_descriptions = most
            config.label_descriptions = {**config.label_descriptions, **texts}
        index = self.num_labels
        config.id2label = {**config.id2label, index: name}
        config.label2id = {**config.label2id, name: index}
        self.num_labels = config.num_labels
        return index

    def _new_label_evidence(
        self, batch: Mapping[str, torch.Tensor], embeddings: torch.Tensor | None, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What `fit_label_row` is given of a batch: the classifier's inputs and the margins."""
        outputs = self(**{key: value.to(self.device) for key, value in batch.items()})
        own = 0.0
        if self.config.semantic_logits:
            similarity = description_similarity(outputs.semantic_embedding, embeddings)
            own = self.semantic_scale * mean_description_similarity(similarity, mask)[:, 0]
        return self._classifier_inputs(outputs), own - outputs.logits.float().logsumexp(-1)
