# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The data sets of this project: one entry each, from which every other list is derived.

Label names and their order are those of the released repositories (thuiar/MIntRec, thuiar/MIntRec2.0): the position is
the label id. Checkpoints of other code bases order the labels differently (TCL-MAP moves `Care` up): compare names,
never ids.

This module imports no library that takes time to load, so that a command's help appears at once.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .markdown import code


# The file in a folder of extracted features that says what they were made of.
FEATURES_FILE = "features.json"
CONFIG_NAMES: tuple[str, ...] = ("features", "text", "clips", "label_descriptions")


@dataclass(frozen=True, kw_only=True)
class LicenseTerms:
    """Origin and terms of a data set: what a card says, and whether it may be published without asking.

    Attributes:
        title: Name of the data set in a sentence.
        slug: Name in metadata, a Hub id where `on_the_hub` is True.
        domain: One sentence on who speaks about what.
        license: Licence id of the Hub for everything that is made of the data.
        terms: Sentences on what is known about the licence of the data.
        license_name: Name of the licence for `license="other"`, which names nothing by itself.
        license_link: Page of the licence for `license="other"`.
        on_the_hub: Whether the authors published the data set on the Hub under `slug`.
        open: Whether anyone may publish it without asking.
        clips: What its clips show, as in "The model knows drawn faces."; `None` where it is not known.
    """

    title: str
    slug: str
    domain: str
    license: str
    terms: str
    license_name: str | None = None
    license_link: str | None = None
    on_the_hub: bool = False
    open: bool = False
    clips: str | None = None


@dataclass(frozen=True, kw_only=True)
class HubCollection:
    """A repository of the Hub from which a data set can be downloaded.

    Attributes:
        repo_id: Id of the repository of type data set.
        holds: What it holds of the data set, in a phrase.
        folder: Folder of the data set in the repository, "" where the repository is the data set.
    """

    repo_id: str
    holds: str
    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class DatasetEntry:
    """One data set.

    Attributes:
        labels: Label names in id order, without the out-of-scope label.
        description_file: File of the first label descriptions in `label_descriptions/`.
        builder: `module:Class` of the `datasets` builder in this package. For a benchmark over `texts`, a builder with
            the same label descriptions.
        terms: Origin and license terms.
        compared_with_paper: How the data relate to the paper's, for the tables of `training.reproduce`.
        configs: Configurations that can be loaded.
        needs_data_dir: Whether the user gives the folder of the release.
        scopes: Values of `scope`, the default first.
        published_configs: Configurations that a push publishes unless others are chosen. Without any, the data set
            cannot be pushed.
        texts: For a benchmark over the texts of other data sets: their names, each with the terms over these texts.
        collections: Where its authors offer it on the Hub, the one that is taken by default first.
    """

    labels: tuple[str, ...]
    description_file: str
    builder: str
    terms: LicenseTerms
    compared_with_paper: str
    configs: tuple[str, ...] = CONFIG_NAMES
    needs_data_dir: bool = False
    scopes: tuple[str, ...] = ("in-scope",)
    published_configs: tuple[str, ...] = ()
    texts: Mapping[str, LicenseTerms] = field(default_factory=dict)
    collections: tuple[HubCollection, ...] = ()

    def default_texts(self, data_dir: str | Path | None) -> str:
        """Return the first of `texts` that can be read with, or without, a release in `data_dir`."""
        return next(name for name in self.texts if DATASETS[name].needs_data_dir == (data_dir is not None))

    def load_builder(self) -> Any:
        """Import the class of the builder."""
        module, name = self.builder.split(":")
        return getattr(importlib.import_module(f".{module}", __package__), name)


_MINTREC_LABELS: tuple[str, ...] = (
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

_MINTREC2_LABELS: tuple[str, ...] = (
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

_DISAGREEMENT = (
    "Its licence is stated differently in different places (the authors' repository, their pages on the Hub and later "
    "collections disagree), and its clips are cut from television series whose rights others hold."
)
_MINTREC = LicenseTerms(
    title="MIntRec",
    slug="THU-IAR/MIntRec",
    on_the_hub=True,
    domain="Its 2,224 utterances are acted, in English, and come from one television series (Superstore).",
    clips="scenes of one television series",
    license="other",
    license_name="terms-of-mintrec",
    license_link="https://github.com/thuiar/MIntRec",
    terms=_DISAGREEMENT,
)
# The repository of a later benchmark of the same authors, with the texts and clips of several data sets.
_MMLA = "THUIAR/MMLA-Datasets"
_PLANTED_DOMAIN = "Its features are synthetic and planted to need attention; it tests the method and no real clip."
_PLANTED_OVER_SAMPLE = LicenseTerms(
    title="the planted-anchor benchmark over the sample's texts",
    slug="amess-planted",
    domain=_PLANTED_DOMAIN,
    clips="numbers without a clip",
    license="apache-2.0",
    terms="Texts and features were made for this project and are under Apache-2.0.",
    open=True,
)
_PLANTED_OVER_MINTREC = LicenseTerms(
    title="the planted-anchor benchmark over MIntRec's texts",
    slug="amess-planted-mintrec",
    domain=_PLANTED_DOMAIN,
    clips="numbers without a clip",
    license=_MINTREC.license,
    license_name=_MINTREC.license_name,
    license_link=_MINTREC.license_link,
    terms=f"The texts are MIntRec's. {_DISAGREEMENT}",
)

DATASETS: dict[str, DatasetEntry] = {
    "sample": DatasetEntry(
        builder="sample.builder:IntentSample",
        labels=_MINTREC_LABELS,
        description_file="mintrec.json",
        published_configs=CONFIG_NAMES,
        compared_with_paper="our own 500 clips with rendered speakers; the paper's columns are of MIntRec and no goal "
        "here",
        terms=LicenseTerms(
            title="the A-MESS sample",
            slug="amess-sample",
            domain="Its 500 utterances are short workplace sentences written for this project, with made faces and "
            "voices; no person was recorded. It shows that the software works and says nothing about real clips.",
            clips="drawn faces and synthetic voices",
            license="apache-2.0",
            terms="Texts, clips and features were made for this project and are under Apache-2.0. The speech is the "
            "output of espeak-ng with its formant voices, no recording of a person; that program is under the GPL, "
            "which does not cover its output. The sound features come from OpenAI's Whisper tiny.en (MIT).",
            open=True,
        ),
    ),
    "mintrec": DatasetEntry(
        builder="mintrec:MIntRec",
        labels=_MINTREC_LABELS,
        description_file="mintrec.json",
        needs_data_dir=True,
        published_configs=("features", "text", "label_descriptions"),
        compared_with_paper="MIntRec with its released features, as in the paper",
        terms=_MINTREC,
        collections=(
            HubCollection(repo_id="THU-IAR/MIntRec", holds="the data set as its authors published it"),
            HubCollection(repo_id=_MMLA, folder="MIntRec", holds="texts and clips, about 2.3 GB"),
        ),
    ),
    "mintrec2": DatasetEntry(
        builder="mintrec2:MIntRec2",
        labels=_MINTREC2_LABELS,
        description_file="mintrec2.json",
        needs_data_dir=True,
        scopes=("in-scope", "out-of-scope", "all"),
        published_configs=("features", "text", "label_descriptions"),
        compared_with_paper="MIntRec2.0 with the released features, as in the paper",
        terms=LicenseTerms(
            title="MIntRec2.0",
            slug="THU-IAR/MIntRec2.0",
            on_the_hub=True,
            domain="Its 15,040 utterances are acted, in English, and come from three television series (Superstore, "
            "The Big Bang Theory, Friends).",
            clips="scenes of three television series",
            license="other",
            license_name="terms-of-mintrec2",
            license_link="https://github.com/thuiar/MIntRec2.0",
            terms=_DISAGREEMENT,
        ),
        collections=(
            HubCollection(repo_id="THU-IAR/MIntRec2.0", holds="the data set as its authors published it"),
            HubCollection(
                repo_id=_MMLA,
                folder="MIntRec2.0",
                holds="texts and clips of the utterances with an intent, without speakers and times, about 9 GB",
            ),
        ),
    ),
    "planted": DatasetEntry(
        builder="sample.builder:IntentSample",
        labels=_MINTREC_LABELS,
        description_file="mintrec.json",
        configs=("features", "text", "label_descriptions"),
        compared_with_paper="video and audio are synthetic and carry the label by construction; the paper's columns "
        "are of MIntRec and no goal here",
        terms=_PLANTED_OVER_SAMPLE,
        texts={"sample": _PLANTED_OVER_SAMPLE, "mintrec": _PLANTED_OVER_MINTREC},
    ),
}

SCOPES: tuple[str, ...] = tuple(dict.fromkeys(scope for entry in DATASETS.values() for scope in entry.scopes))
# Data sets with clips, those that can be pushed or downloaded, and those with labels and texts of their own.
WITH_CLIPS: tuple[str, ...] = tuple(name for name, entry in DATASETS.items() if "clips" in entry.configs)
PUBLISHABLE: tuple[str, ...] = tuple(name for name, entry in DATASETS.items() if entry.published_configs)
DOWNLOADABLE: tuple[str, ...] = tuple(name for name, entry in DATASETS.items() if entry.collections)
WITH_OWN_TEXTS: tuple[str, ...] = tuple(name for name, entry in DATASETS.items() if not entry.texts)


def license_terms(name: str, *, texts: str | None = None, data_dir: str | Path | None = None) -> LicenseTerms:
    """Return the origin and terms of a data set.

    Args:
        name: Name in `DATASETS`, or the path of a user's own folder. Features that were extracted from a data set of
            this registry have its terms.
        texts: Data set whose texts a benchmark such as `planted` uses, None for the default.
        data_dir: Folder with a release, which decides the default of `texts`.
    """
    if name in DATASETS:
        entry = DATASETS[name]
        return entry.texts[texts or entry.default_texts(data_dir)] if entry.texts else entry.terms
    extracted = _extracted_from(Path(name))
    if extracted is not None:
        return DATASETS[extracted].terms
    folder = name.replace("\\", "/").rstrip("/").rpartition("/")[2] or "data"
    return LicenseTerms(
        title=f"the data set {code(folder)}",
        slug=folder.lower().replace(" ", "-"),
        domain="It is a data set of the publisher's own; its page has to say who speaks in it.",
        license="unknown",
        terms="Its terms are those of the publisher's data.",
    )


def _extracted_from(folder: Path) -> str | None:
    """Return the data set that the features in a folder were extracted from, None for any other folder."""
    try:
        name = json.loads((folder / FEATURES_FILE).read_bytes())["dataset"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # whoever reads the features says what is wrong with the file
    return name if isinstance(name, str) and name in DATASETS else None
