# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Intent labels: names, aliases and descriptions. Names in their order are in `registry.py`.

The descriptions in `label_descriptions/mintrec.json` and `mintrec2.json` are the three sentences per label that A-MESS
prints in its appendix (arXiv 2503.19474), under the data sets' own label names. The five more per label in
`additional.json` were written for this project: the paper also reports two, five and eight descriptions (its Table IV)
and prints only three. The five per label in `utterances.json` are not the paper's either: they describe an intent by
sentences that people say with it, and help most as training samples where there are few others. They come from
everyday life, not from the data sets' series; none is an utterance of MIntRec or of the embedded sample.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

from .errors import UserError
from .registry import DATASETS


MINTREC_LABELS: tuple[str, ...] = DATASETS["mintrec"].labels
MINTREC2_LABELS: tuple[str, ...] = DATASETS["mintrec2"].labels

# MIntRec2.0's label of an utterance that has none of the 30 intents; its id is the number of intents (30).
OUT_OF_SCOPE_LABEL = "UNK"

# Other spellings of the same label (casefolded, spaces for - and _): the paper's appendix writes "Apologize",
# "Ask for Opinions", "Complaint" and "UNKOWN"; MMLA writes everything in lower case; British and American -ise/-ize.
LABEL_ALIASES: dict[str, str] = {
    "apologize": "Apologise",
    "criticise": "Criticize",
    "emphasise": "Emphasize",
    "complaint": "Complain",
    "ask for opinion": "Asking for opinions",
    "ask for opinions": "Asking for opinions",
    "asking for opinion": "Asking for opinions",
    "asking for help": "Ask for help",
    "unknown": OUT_OF_SCOPE_LABEL,
    "unkown": OUT_OF_SCOPE_LABEL,
    "oos": OUT_OF_SCOPE_LABEL,
    "ood": OUT_OF_SCOPE_LABEL,
    "out of scope": OUT_OF_SCOPE_LABEL,
    "out of distribution": OUT_OF_SCOPE_LABEL,
}

_FURTHER_FILES = ("additional.json", "utterances.json")
_DESCRIPTIONS_FOLDER = Path(__file__).with_name("label_descriptions")


class UnknownLabelError(UserError):
    """A label that is neither a name of the data set nor an alias of one."""


def nearest_name(name: str, valid: Sequence[str]) -> str:
    """Return the entry of `valid` with the most similar spelling, whatever the case, for error messages."""
    folded = {entry.casefold(): entry for entry in valid}
    return folded[difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.0)[0]]


def similar_names(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the groups of names that differ by case or blanks only."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(" ".join(name.casefold().split()), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def check_choice(kind: str, value: str, valid: Sequence[str]) -> None:
    """Raise a UserError that names the most similar choice unless `value` is one of `valid`."""
    if value not in valid:
        nearest = nearest_name(str(value), valid)
        raise UserError(f"Unknown {kind} {value!r}. Did you mean {nearest!r}? Known: {', '.join(valid)}.")


def label_names(name: str, *, out_of_scope: bool = False) -> tuple[str, ...]:
    """Return the labels of a data set in id order.

    Args:
        name: Name of a data set of the registry.
        out_of_scope: Whether the out-of-scope label `UNK` is appended.

    Raises:
        UserError: The data set is unknown.
    """
    check_choice("data set", name, tuple(DATASETS))
    return DATASETS[name].labels + ((OUT_OF_SCOPE_LABEL,) if out_of_scope else ())


def normalize_label(label: str, labels: Sequence[str] = MINTREC_LABELS) -> str:
    """Return a label in the data set's own spelling.

    Case, surrounding blanks and `-`/`_` in place of blanks do not matter, and `LABEL_ALIASES` are understood.

    Args:
        label: Label as a file or a user writes it.
        labels: Valid labels in the data set's spelling.

    Raises:
        UnknownLabelError: The label is not one of `labels`. The message names the nearest one.
    """
    folded = " ".join(label.casefold().replace("_", " ").replace("-", " ").split())
    for candidate in labels:
        if candidate.casefold() == folded:
            return candidate
    alias = LABEL_ALIASES.get(folded)
    if alias is not None and alias in labels:
        return alias
    if OUT_OF_SCOPE_LABEL in (alias, folded.upper()):
        raise UnknownLabelError(f"Label {label!r} means out of scope, which is not among these {len(labels)} labels.")
    raise UnknownLabelError(
        f"Unknown label {label!r}. The nearest valid label is {nearest_name(label, labels)!r}. "
        f"Valid: {', '.join(labels)}."
    )


def description_files(name: str) -> list[Path]:
    """Return the files with the label descriptions of a data set, in the order in which they are used."""
    return [_DESCRIPTIONS_FOLDER / file for file in (DATASETS[name].description_file, *_FURTHER_FILES)]


def load_label_descriptions(name: str, num_descriptions: int = 3) -> dict[str, list[str]]:
    """Load the descriptions of a data set: label -> sentences, in id order, without out of scope.

    Args:
        name: Name of a data set of the registry.
        num_descriptions: Number of descriptions per label, 1 to 13: first the paper's three, then this project's five,
            then five utterances.

    Raises:
        UserError: The data set is unknown, or has fewer descriptions.
    """
    labels = label_names(name)
    parts = [json.loads(file.read_text(encoding="utf-8")) for file in description_files(name)]
    ordered = {label: [sentence for part in parts for sentence in part[label]] for label in labels}
    available = min(len(sentences) for sentences in ordered.values())
    if not 1 <= num_descriptions <= available:
        raise UserError(f"num_descriptions={num_descriptions}: {name} has 1 to {available} descriptions per label.")
    return {label: sentences[:num_descriptions] for label, sentences in ordered.items()}
