# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which labels a model knows, which rows are out of its scope, and which of them it is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset_scripts.labels import OUT_OF_SCOPE_LABEL

from .arguments import SettingsError, TrainingSettings


@dataclass(frozen=True)
class LabelScope:
    """How a data set's labels become a model's.

    Attributes:
        label_names: the model's labels in the order of their ids.
        label_ids: the data set's label id -> the model's; `len(label_names)` for a row that is out of scope where the
            model has no label for it.
        out_of_scope_id: the id of rows out of scope; `None` where there are none.
        held_out: intents of the data set that are out of scope for this model.
        trains_on_out_of_scope: whether rows out of scope stay in the training split.
    """

    label_names: tuple[str, ...]
    label_ids: tuple[int, ...]
    out_of_scope_id: int | None
    held_out: tuple[str, ...] = ()
    trains_on_out_of_scope: bool = True

    @property
    def num_intents(self) -> int:
        """K, the labels that are intents."""
        return len(self.label_names) - self.has_out_of_scope_label

    @property
    def has_out_of_scope_label(self) -> bool:
        """Whether the model has a label for rows out of scope."""
        return self.out_of_scope_id is not None and self.out_of_scope_id < len(self.label_names)

    def open_ids(self, labels: np.ndarray) -> np.ndarray:
        """Label ids of the model as `open_intent` takes them: the intents 0 to K - 1 and K for out of scope."""
        if self.out_of_scope_id is None:
            return labels
        return np.where(labels == self.out_of_scope_id, self.num_intents, labels - (labels > self.out_of_scope_id))

    def intents_only(self, values: np.ndarray) -> np.ndarray:
        """`(..., labels)` of the model without the column of its out-of-scope label: `(..., K)`."""
        return np.delete(values, self.out_of_scope_id, axis=-1) if self.has_out_of_scope_label else values


def label_scope(label_names: Sequence[str], settings: TrainingSettings) -> LabelScope:
    """The scope of a run by `out_of_scope`, `held_out_intents` and `held_out_seed`.

    Args:
        label_names: the data set's labels; the one named `UNK` is that of utterances of no intent.

    Raises:
        SettingsError: `outlier_exposure` without such a label, too few intents to hold any out.
    """
    has_unknown = OUT_OF_SCOPE_LABEL in label_names
    intents = [name for name in label_names if name != OUT_OF_SCOPE_LABEL]
    if settings.out_of_scope == "outlier_exposure" and not has_unknown:
        raise SettingsError(
            f"out_of_scope=outlier_exposure needs training rows of the label {OUT_OF_SCOPE_LABEL}, which "
            f"{settings.dataset} does not have. For mintrec2 add --scope all; else use --out_of_scope none."
        )
    if settings.out_of_scope == "class" or not (has_unknown or settings.held_out_intents):
        unknown = list(label_names).index(OUT_OF_SCOPE_LABEL) if has_unknown else None
        return LabelScope(tuple(label_names), tuple(range(len(label_names))), unknown)
    held_out = draw_held_out(intents, settings.held_out_intents, settings.held_out_seed)
    known = [name for name in intents if name not in held_out]
    ids = tuple(known.index(name) if name in known else len(known) for name in label_names)
    return LabelScope(tuple(known), ids, len(known), held_out, settings.out_of_scope == "outlier_exposure")


def draw_held_out(intents: Sequence[str], share: float | None, seed: int) -> tuple[str, ...]:
    """`share` of the intents (rounded), drawn by the seed, in the order of `intents`.

    Raises:
        SettingsError: none or all of them, or only one would be left.
    """
    if share is None:
        return ()
    number = round(share * len(intents))
    if not 1 <= number <= len(intents) - 2:
        raise SettingsError(
            f"held_out_intents={share} holds out {number} of {len(intents)} intents; at least one must be held out "
            "and two be left."
        )
    drawn = np.random.default_rng(seed).permutation(len(intents))[:number]
    return tuple(intents[index] for index in sorted(drawn))
