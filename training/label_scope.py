# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels of a model, rows out of its scope, and whether it is trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset_scripts.labels import OUT_OF_SCOPE_LABEL

from .arguments import SettingsError, TrainingSettings


@dataclass(frozen=True)
class LabelScope:
    """Map from a data set's labels to a model's.

    Attributes:
        label_names: Labels of the model in the order of their ids.
        label_ids: Label id of the model for each label id of the data set; `len(label_names)` for rows out of scope
            if the model has no label for them.
        out_of_scope_id: Label id of rows out of scope; `None` without such rows.
        held_out: Intents of the data set that are out of scope for this model.
        trains_on_out_of_scope: Whether rows out of scope stay in the training split.
    """

    label_names: tuple[str, ...]
    label_ids: tuple[int, ...]
    out_of_scope_id: int | None
    held_out: tuple[str, ...] = ()
    trains_on_out_of_scope: bool = True

    def model_id(self, label: int) -> int:
        """Return the model's id of a label id of the data set.

        Raises:
            SettingsError: The id is of no label. `checked_splits` refuses such utterances; without it, -1 would count
                as the last label.
        """
        if not 0 <= label < len(self.label_ids):
            raise SettingsError(f"The label id {label} is of no label: ids are from 0 to {len(self.label_ids) - 1}.")
        return self.label_ids[label]

    @property
    def num_intents(self) -> int:
        """K, the number of labels that are intents."""
        return len(self.label_names) - self.has_out_of_scope_label

    @property
    def has_out_of_scope_label(self) -> bool:
        """Whether the model has a label for rows out of scope."""
        return self.out_of_scope_id is not None and self.out_of_scope_id < len(self.label_names)

    def open_ids(self, labels: np.ndarray) -> np.ndarray:
        """Convert label ids of the model to those of `open_intent`: 0 to K - 1 for intents, K for out of scope."""
        if self.out_of_scope_id is None:
            return labels
        return np.where(labels == self.out_of_scope_id, self.num_intents, labels - (labels > self.out_of_scope_id))

    def intents_only(self, values: np.ndarray) -> np.ndarray:
        """Remove the column of the out-of-scope label: `(..., labels)` to `(..., K)`."""
        if self.out_of_scope_id is None or not self.has_out_of_scope_label:
            return values
        return np.delete(values, self.out_of_scope_id, axis=-1)


def label_scope(label_names: Sequence[str], settings: TrainingSettings) -> LabelScope:
    """Make the label map of a run.

    Args:
        label_names: Labels of the data set; `UNK` is the label of utterances of no intent.
        settings: Settings with `out_of_scope`, `held_out_intents` and `held_out_seed`.

    Raises:
        SettingsError: `outlier_exposure` without such a label, or too few intents to hold any out.
    """
    has_unknown = OUT_OF_SCOPE_LABEL in label_names
    intents = [name for name in label_names if name != OUT_OF_SCOPE_LABEL]
    if settings.out_of_scope == "outlier_exposure" and not has_unknown:
        raise SettingsError(
            f"out_of_scope=outlier_exposure needs training rows of the label {OUT_OF_SCOPE_LABEL}, which "
            f"{settings.dataset} does not have. For mintrec2 add --scope all, otherwise use --out_of_scope none."
        )
    if settings.out_of_scope == "class" or not (has_unknown or settings.held_out_intents):
        unknown = list(label_names).index(OUT_OF_SCOPE_LABEL) if has_unknown else None
        return LabelScope(tuple(label_names), tuple(range(len(label_names))), unknown)
    held_out = draw_held_out(intents, settings.held_out_intents, settings.held_out_seed)
    known = [name for name in intents if name not in held_out]
    ids = tuple(known.index(name) if name in known else len(known) for name in label_names)
    return LabelScope(tuple(known), ids, len(known), held_out, settings.out_of_scope == "outlier_exposure")


def draw_held_out(intents: Sequence[str], share: float | None, seed: int) -> tuple[str, ...]:
    """Draw the intents that are held out, in the order of `intents`.

    Args:
        intents: All intents.
        share: Share of the intents to hold out, rounded to whole intents; `None` for none.
        seed: Seed of the draw.

    Raises:
        SettingsError: The share holds out no intent, or leaves fewer than two.
    """
    if share is None:
        return ()
    number = round(share * len(intents))
    if not 1 <= number <= len(intents) - 2:
        raise SettingsError(
            f"held_out_intents={share} holds out {number} of {len(intents)} intents, but at least one must be held "
            "out and two must stay: give another share."
        )
    drawn = np.random.default_rng(seed).permutation(len(intents))[:number]
    return tuple(intents[index] for index in sorted(drawn))
