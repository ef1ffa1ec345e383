# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the tables need to know about the data sets beyond their entry in `dataset_scripts/registry.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dataset_scripts.registry import DATASETS


@dataclass(frozen=True)
class TableFacts:
    """A data set as the tables see it. The preset of its name holds its settings.

    Attributes:
        is_the_papers: Whether the paper and the baselines' authors report results on it.
        preset_is_for_minilm: Whether the preset holds MiniLM's settings; otherwise it holds BERT's.
        redraws_labels: Whether every epoch draws new labels, so that a few utterances per intent cannot be chosen.
        max_shots: Largest number of training utterances per intent in the few-shot figure.
        changes: Settings of the preset that a table does without.
    """

    is_the_papers: bool = False
    preset_is_for_minilm: bool = False
    redraws_labels: bool = False
    max_shots: int = 20
    changes: Mapping[str, Any] = field(default_factory=dict)


_FACTS = {
    "mintrec": TableFacts(is_the_papers=True),
    "mintrec2": TableFacts(is_the_papers=True),
    "planted": TableFacts(preset_is_for_minilm=True, redraws_labels=True),
    "sample": TableFacts(
        preset_is_for_minilm=True,
        # The rarest intent has fewer than twenty training utterances.
        max_shots=10,
        changes={"compare_with_text_only": False, "attach_media_encoder": False},
    ),
}
FACTS = {name: _FACTS.get(name, TableFacts()) for name in DATASETS}
WITH_OUT_OF_SCOPE = tuple(name for name, entry in DATASETS.items() if "out-of-scope" in entry.scopes)
