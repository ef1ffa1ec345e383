# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Names of others in Markdown: a reader of Markdown shows them as they read, in one cell, and as nothing else."""

import datasets
import pytest
from markdown_it import MarkdownIt

from dataset_scripts.hub.card import dataset_card
from dataset_scripts.markdown import code, escape, table
from dataset_scripts.registry import license_terms


NAMES = [
    "a\nb",
    "---",
    "<script>alert(1)</script>",
    "a|b",
    "a\\|b",
    "\\",
    "`a`",
    "``",
    "a`",
    "a\u2028# b",
    "a\r\n\r\n# Heading",
    "![x](http://x.example/y.png)",
    "[x](javascript:alert(1))",
    "**a**",
    "<!-- a",
    "|",
    "{{ 7 * 7 }}",
]


def cells(markdown: str) -> list[str]:
    """Text of the cells of all tables, after a check that nothing else came of the names."""
    texts = []
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown):
        assert token.type not in ("html_block", "heading_open") or token.tag == "h0"
        if token.type == "inline":
            assert not {child.type for child in token.children} & {"html_inline", "image", "link_open", "strong_open"}
            texts.append("".join(child.content for child in token.children))
    return texts


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_cell_that_reads_as_the_name(name):
    shown = " ".join(name.split())
    assert cells(table(("intent", name), [(name, 1), (code(name), 2)])) == ["intent", shown, shown, "1", shown, "2"]
    assert cells(escape(name)) == [shown] or name == "---"
    assert cells(f"Held out: {code(name)}.") == [f"Held out: {shown}."]


def test_the_card_of_a_data_set_with_such_labels_has_one_line_per_label():
    names = [name for name in NAMES if "\n" not in name]
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    rows = datasets.Dataset.from_dict({"text": ["hi"] * len(names), "label": range(len(names))}, features=features)
    encoder = {"video": {"name": "/x/`a`<b>", "revision": "1`|<i>", "pooling": "<u>|"}}
    splits = {"text": datasets.DatasetDict({"train": rows})}
    card = dataset_card("org/x", license_terms("/x/my`<b>|data"), splits, {"text": {"train": 1}}, "mit", encoder)
    intents = card.text.split("## Intents\n\n")[1].split("\n\n##")[0]
    assert cells(intents)[2::2] == [" ".join(name.split()) for name in names]
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(card.text)
    assert not any(tag in body for tag in ("<b>", "<i>", "<u>", "<script", "<img"))
