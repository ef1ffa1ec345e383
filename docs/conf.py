# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of Sphinx, which builds the documentation site: `make docs`.

Our docstrings are Google style with Markdown inside, as those of transformers, and our pages link to files of the
repository. The hooks below turn both into what Sphinx reads. Nothing in a built page comes from another host.
"""

import inspect
import os
import posixpath
import re
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import get_args, get_origin, get_type_hints

import yaml
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from transformers import PreTrainedConfig


DOCS = Path(__file__).parent
PROJECT = DOCS.parent
sys.path.insert(0, str(PROJECT))  # the checkout is documented, not an installed copy
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import modeling_amess  # noqa: E402
from training.arguments import RENAMED, Role, TrainingSettings  # noqa: E402


project = "A-MESS for Hugging Face"
author = "The A-MESS for Hugging Face authors"
project_copyright = f"2026, {author}"
version = release = modeling_amess.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
highlight_language = "text"

autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
# Attributes are renamed Fields: napoleon would show them one below the other, each as long as a method.
napoleon_custom_sections = [("Fields", "params_style")]
napoleon_use_param = False  # several arguments may share an entry
napoleon_use_rtype = False
add_module_names = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"A-MESS {release}"
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"  # MathJax, the default, is a script of another host

# Pages of the site whose text is a README of the repository, and that README.
READMES = {"index": "README.md", "data-sets": "dataset_scripts/README.md", "benchmarks": "benchmarks/README.md"}


def markdown_to_rst(text: str) -> str:
    """Turn the Markdown of a docstring into reStructuredText: code, links to classes, formulas, lists."""
    lines, fenced = [], False
    for line in text.splitlines():
        content, indent = line.lstrip(), line[: len(line) - len(line.lstrip())]
        if content.startswith("```"):
            if not fenced:
                lines += ["", f"{indent}.. code-block:: {content[3:] or 'text'}", ""]
            fenced = not fenced
        elif fenced:
            lines.append(f"    {line}")
        else:
            starts_list = content.startswith("- ") and lines and lines[-1].strip()
            if starts_list and not re.match(rf"{indent}(- |  )", lines[-1]):
                lines.append("")
            lines.append(_inline_to_rst(line))
    return "\n".join(lines)


def _inline_to_rst(line: str) -> str:
    line = re.sub(r"\$([^$\s][^$]*)\$", r":math:`\1`", line)
    line = re.sub(r"\[`~?([\w.]+)`\]", r":py:obj:`\1`", line)
    return re.sub(r"(?<![:`\w])`([^`]+)`(?!`)", r"``\1``", line)


def convert_docstring(app, what, name, obj, options, lines: list[str]) -> None:
    """Hook of autodoc, before napoleon reads the sections."""
    text = re.sub(r"^( *)Args, (.+):$", r"\1*Args, \2:*\n\n\1Args:", "\n".join(lines), flags=re.MULTILINE)
    text = re.sub(r"^( *)Attributes:$", r"\1Fields:", text, flags=re.MULTILINE)
    lines[:] = markdown_to_rst(text).splitlines()


def restore_property(app, what, name, obj, options, lines: list[str]) -> None:
    """Hook of autodoc, after napoleon, which takes what is before a property's first colon for its type."""
    if what == "property":
        lines[:] = markdown_to_rst(inspect.getdoc(obj) or "").splitlines()


def shorten_signature(app, what, name, obj, options, signature, returns):
    """Hook of autodoc: the fields of configs and settings are listed elsewhere, better than in a signature."""
    if what == "class" and issubclass(obj, (PreTrainedConfig, TrainingSettings)):
        return "(**fields)", returns
    return signature, returns


def settings_as_markdown() -> str:
    """Return every training setting with type, default, values, meaning and role, read from its field."""
    hints = get_type_hints(TrainingSettings)
    earlier = {new: old for old, (new, _) in RENAMED.items()}
    entries = []
    for item in fields(TrainingSettings):
        hint, metadata = hints[item.name], item.metadata
        parts = get_args(hint) if isinstance(hint, UnionType) else (get_origin(hint) or hint,)
        kind = " or ".join("null" if part is type(None) else part.__name__ for part in parts)
        default = yaml.safe_dump({} if item.default is MISSING else item.default).partition("\n")[0]
        notes = [f"Role: {metadata['role'].name.lower()}."]
        if metadata["choices"]:
            notes.append(f"Values: {', '.join(f'`{choice}`' for choice in metadata['choices'])}.")
        notes += [f"{bound.words.capitalize()} {bound.limit:g}." for bound in metadata["bounds"]]
        if item.name in earlier:
            notes.append(f"Name in version 0.1.0: `{earlier[item.name]}`.")
        if metadata["group"]:
            entries.append(f"### {metadata['group']}\n")
        meaning = re.sub(r"--[\w.]+", r"`\g<0>`", metadata["help"])
        entries.append(f"`--{item.name}` ({kind}, default `{default}`)\n: {meaning} *{' '.join(notes)}*\n")
    return "\n".join(entries)


def roles_as_markdown() -> str:
    """Return what each role of a setting means."""
    return "\n".join(f"- *{role.name.lower()}*: {role.value}" for role in Role)


def site_links(text: str, folder: str, page: str) -> str:
    """Turn links to files of the repository into links of the site; a file that has no page there becomes plain text.

    Args:
        text: Markdown with links relative to `folder`.
        folder: Folder of the repository that holds the Markdown.
        page: Name of the page that shows it.
    """
    pages = {readme: f"docs/{name}.md" for name, readme in READMES.items()}

    def site_link(match: re.Match) -> str:
        words, target, anchor = match["words"], match["target"], match["anchor"] or ""
        path = posixpath.normpath(posixpath.join(folder, target))
        path = pages.get(path, path)
        if not path.startswith("docs/"):
            return words
        return f"[{words}]({posixpath.relpath(path, posixpath.dirname(f'docs/{page}'))}{anchor})"

    return re.sub(r"\[(?P<words>[^]]*)\]\((?!https?:|#)(?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)", site_link, text)


def prepare_page(app, page: str, source: list[str]) -> None:
    """Hook of every page: fill in the READMEs and the settings, and point links into the site."""
    text, folder = source[0], posixpath.dirname(f"docs/{page}")
    if page in READMES:
        readme = READMES[page]
        text = text.partition("\n")[2]  # without the link to the README
        text = site_links((PROJECT / readme).read_text(encoding="utf-8"), posixpath.dirname(readme), page) + text
    else:
        text = site_links(text, folder, page)
    if page == "index":  # a pattern that no page matches is a warning, and `reproduce` writes those pages
        lines = text.splitlines()
        text = "\n".join(line for line in lines if not line.endswith("*") or any(DOCS.glob(f"{line}.md")))
    if page == "settings":
        text = f"{text}\n{roles_as_markdown()}\n\n## All settings\n\n{settings_as_markdown()}"
    source[0] = text


def write_math(translator, node: nodes.Node) -> None:
    """Write a formula as MathML, which browsers draw themselves."""
    translator.body.append(tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def setup(app) -> None:
    """Register the hooks."""
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
    app.connect("autodoc-process-docstring", convert_docstring, priority=400)
    app.connect("autodoc-process-docstring", restore_property, priority=600)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("source-read", prepare_page)
