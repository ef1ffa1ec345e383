# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Where the data sets come from and under which terms: what a card has to say, and what may be published unasked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSource:
    """Origin and terms of a data set.

    Attributes:
        title: its name in a sentence.
        slug: its name in metadata: a Hub id where its authors have put it there.
        on_the_hub: whether `slug` is such an id.
        domain: one sentence on who speaks about what.
        license: a licence id of the Hub for what is made of the data.
        license_name, license_link: for `license="other"`, which names nothing by itself.
        terms: what is known about the licence of the data, in sentences.
        open: it may be published without asking anyone.
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


_DISAGREEMENT = (
    "Its licence is stated differently in different places (the authors' repository, their pages on the Hub and later "
    "collections disagree), and its clips are cut from television series whose rights others hold."
)
_SAMPLE = DataSource(
    title="the A-MESS sample",
    slug="amess-sample",
    domain="Its 500 utterances are short workplace sentences written for this project, with made faces and voices; "
    "no person was recorded. It shows that the software works and says nothing about real clips.",
    license="apache-2.0",
    terms="Texts, clips and features were made for this project and are under Apache-2.0.",
    open=True,
)
_SOURCES = {
    "sample": _SAMPLE,
    "mintrec": DataSource(
        title="MIntRec",
        slug="THU-IAR/MIntRec",
        on_the_hub=True,
        domain="Its 2,224 utterances are acted, in English, and come from one television series (Superstore).",
        license="other",
        license_name="terms-of-mintrec",
        license_link="https://github.com/thuiar/MIntRec",
        terms=_DISAGREEMENT,
    ),
    "mintrec2": DataSource(
        title="MIntRec2.0",
        slug="THU-IAR/MIntRec2.0",
        on_the_hub=True,
        domain="Its 15,040 utterances are acted, in English, and come from three television series (Superstore, The "
        "Big Bang Theory, Friends).",
        license="other",
        license_name="terms-of-mintrec2",
        license_link="https://github.com/thuiar/MIntRec2.0",
        terms=_DISAGREEMENT,
    ),
}
_PLANTED = {
    "sample": DataSource(
        title="the planted-anchor benchmark over the sample's texts",
        slug="amess-planted",
        domain="Its features are synthetic and planted to need attention; it tests the method and no real clip.",
        license="apache-2.0",
        terms="Texts and features were made for this project and are under Apache-2.0.",
        open=True,
    ),
    "mintrec": DataSource(
        title="the planted-anchor benchmark over MIntRec's texts",
        slug="amess-planted-mintrec",
        domain="Its features are synthetic and planted to need attention; it tests the method and no real clip.",
        license="other",
        license_name="terms-of-mintrec",
        license_link="https://github.com/thuiar/MIntRec",
        terms=f"The texts are MIntRec's. {_DISAGREEMENT}",
    ),
}


def data_source(name: str, texts: str = "sample") -> DataSource:
    """Origin and terms of a data set.

    Args:
        name: `sample`, `mintrec`, `mintrec2`, `planted`, or the path of a folder of someone's own.
        texts: whose texts the planted benchmark uses, `sample` or `mintrec`.
    """
    if name == "planted":
        return _PLANTED[texts]
    if name in _SOURCES:
        return _SOURCES[name]
    own = name.replace("\\", "/").rstrip("/").rpartition("/")[2] or "data"
    return DataSource(
        title=f"the data set `{own}`",
        slug=own.lower().replace(" ", "-"),
        domain="It is a data set of the publisher's own; its page has to say who speaks in it.",
        license="unknown",
        terms="Its terms are those of the publisher's data.",
    )
