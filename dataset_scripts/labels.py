# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Intent labels: names, order, aliases, coarse groups and descriptions.

Names and order are those of the released repositories (thuiar/MIntRec, thuiar/MIntRec2.0): the position is the label
id. Checkpoints of other code bases order the labels differently (TCL-MAP moves `Care` up): compare names, never ids.

The descriptions in `label_descriptions/mintrec.json` and `mintrec2.json` are the three sentences per label that A-MESS
prints in its appendix (arXiv 2503.19474), under the data sets' own label names. The five more per label in
`additional.json` were written for this project: the paper also reports two, five and eight descriptions (its Table IV)
and does not print those beyond the three. Nor are the five per label in `utterances.json` the paper's: they describe
an intent by what people say with it, and are worth most as training samples where there are few others. They are of
everyday life, not of the data sets' series; none is an utterance of MIntRec or of the embedded sample.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path


MINTREC_LABELS: tuple[str, ...] = (
    "Complain",
    "Praise",
    "Apologise",
    "Thank",
    "Criticize",
    "Agree",
    "Taunt",
    "Flaunt",
    "Joke",
    "Oppose",
    "Comfort",
    "Care",
    "Inform",
    "Advise",
    "Arrange",
    "Introduce",
    "Leave",
    "Prevent",
    "Greet",
    "Ask for help",
)

MINTREC2_LABELS: tuple[str, ...] = (
    "Acknowledge",
    "Advise",
    "Agree",
    "Apologise",
    "Arrange",
    "Ask for help",
    "Asking for opinions",
    "Care",
    "Comfort",
    "Complain",
    "Confirm",
    "Criticize",
    "Doubt",
    "Emphasize",
    "Explain",
    "Flaunt",
    "Greet",
    "Inform",
    "Introduce",
    "Invite",
    "Joke",
    "Leave",
    "Oppose",
    "Plan",
    "Praise",
    "Prevent",
    "Refuse",
    "Taunt",
    "Thank",
    "Warn",
)

# MIntRec2.0's label of an utterance that has none of the 30 intents; its id is the number of intents (30).
OUT_OF_SCOPE_LABEL = "UNK"

# Comfort is a goal and Care an emotion, in MIntRec (its code) and in MIntRec2.0 (its README; its code has no map).
MINTREC_COARSE_GROUPS: dict[str, tuple[str, ...]] = {
    "Emotion": (
        "Complain",
        "Praise",
        "Apologise",
        "Thank",
        "Criticize",
        "Care",
        "Agree",
        "Taunt",
        "Flaunt",
        "Joke",
        "Oppose",
    ),
    "Goal": (
        "Inform",
        "Advise",
        "Arrange",
        "Introduce",
        "Leave",
        "Prevent",
        "Greet",
        "Ask for help",
        "Comfort",
    ),
}

MINTREC2_COARSE_GROUPS: dict[str, tuple[str, ...]] = {
    "Emotion": (
        "Doubt",
        "Acknowledge",
        "Refuse",
        "Warn",
        "Emphasize",
        "Complain",
        "Praise",
        "Apologise",
        "Thank",
        "Criticize",
        "Care",
        "Agree",
        "Oppose",
        "Taunt",
        "Flaunt",
        "Joke",
    ),
    "Goal": (
        "Asking for opinions",
        "Confirm",
        "Explain",
        "Invite",
        "Plan",
        "Inform",
        "Advise",
        "Arrange",
        "Introduce",
        "Comfort",
        "Leave",
        "Prevent",
        "Greet",
        "Ask for help",
    ),
}

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

_LABELS_OF = {
    "sample": MINTREC_LABELS,
    "mintrec": MINTREC_LABELS,
    "planted": MINTREC_LABELS,
    "mintrec2": MINTREC2_LABELS,
}
_DESCRIPTION_FILES = {
    "sample": "mintrec.json",
    "mintrec": "mintrec.json",
    "planted": "mintrec.json",
    "mintrec2": "mintrec2.json",
}
_FURTHER_FILES = ("additional.json", "utterances.json")
_DESCRIPTIONS_FOLDER = Path(__file__).with_name("label_descriptions")


class UnknownLabelError(ValueError):
    """A label that is neither a name of the data set nor one of its aliases."""


def nearest_name(name: str, valid: Sequence[str]) -> str:
    """The entry of `valid` whose spelling is nearest to `name`, whatever the case (for error messages)."""
    folded = {entry.casefold(): entry for entry in valid}
    return folded[difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.0)[0]]


def label_names(name: str, *, out_of_scope: bool = False) -> tuple[str, ...]:
    """The labels of a data set in id order.

    Args:
        name: `sample`, `mintrec`, `mintrec2` or `planted`.
        out_of_scope: append the out-of-scope label `UNK` as the last one.

    Raises:
        ValueError: unknown data set name.
    """
    if name not in _LABELS_OF:
        nearest = nearest_name(name, list(_LABELS_OF))
        raise ValueError(f"unknown data set {name!r}; did you mean {nearest!r}? Known: {', '.join(_LABELS_OF)}")
    return _LABELS_OF[name] + ((OUT_OF_SCOPE_LABEL,) if out_of_scope else ())


def normalize_label(label: str, labels: Sequence[str] = MINTREC_LABELS) -> str:
    """Bring a label to the data set's own spelling.

    Case, surrounding blanks and `-`/`_` in place of blanks do not matter, and `LABEL_ALIASES` are understood.

    Args:
        label: the label as written in a file or by a user.
        labels: the valid labels, in the data set's spelling.

    Raises:
        UnknownLabelError: not one of `labels`; the message names the nearest one.
    """
    folded = " ".join(label.casefold().replace("_", " ").replace("-", " ").split())
    for candidate in labels:
        if candidate.casefold() == folded:
            return candidate
    alias = LABEL_ALIASES.get(folded)
    if alias is not None and alias in labels:
        return alias
    if OUT_OF_SCOPE_LABEL in (alias, folded.upper()):
        raise UnknownLabelError(f"label {label!r} means out of scope, which is not among these {len(labels)} labels")
    raise UnknownLabelError(
        f"unknown label {label!r}; the nearest valid label is {nearest_name(label, labels)!r}. "
        f"Valid: {', '.join(labels)}"
    )


def load_label_descriptions(name: str, num_descriptions: int = 3) -> dict[str, list[str]]:
    """The label descriptions of a data set, label -> sentences, in label-id order; the out-of-scope label has none.

    Args:
        name: `sample`, `mintrec`, `mintrec2` or `planted`.
        num_descriptions: of each label, 1 to 13: first the paper's three, then this project's five, then five
            utterances.

    Raises:
        ValueError: unknown data set name, or another number.
    """
    labels = label_names(name)
    parts = [
        json.loads((_DESCRIPTIONS_FOLDER / file).read_text(encoding="utf-8"))
        for file in (_DESCRIPTION_FILES[name], *_FURTHER_FILES)
    ]
    ordered = {label: [sentence for part in parts for sentence in part[label]] for label in labels}
    most = min(len(sentences) for sentences in ordered.values())
    if not 1 <= num_descriptions <= most:
        raise ValueError(f"num_descriptions={num_descriptions}: {name} has 1 to {most} descriptions a label")
    return {label: sentences[:num_descriptions] for label, sentences in ordered.items()}
