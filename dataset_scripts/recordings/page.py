# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The page of an analysis: player, timeline and table in one file that contacts no other host.

Words and names of strangers reach the page as JSON whose `<` and `&` are escaped, and the script writes them as text
alone. The policy in the page's head lets the browser run this script and no other.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import mimetypes
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any
from urllib.parse import quote


# What the table and the timeline show.
_SHOWN = ("start", "end", "speaker", "text", "label", "score", "out_of_scope", "error")


def page_of(rows: Sequence[Mapping[str, Any]], title: str, media: str) -> str:
    """The page as HTML.

    Args:
        rows: Rows of an analysis.
        title: Name of the recording.
        media: Relative path or `file:` address of the recording.
    """
    folder = files(__package__)
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    shown = [{name: row.get(name) for name in _SHOWN} for row in rows]
    address = media if media.startswith("file:") else quote(media)
    kind = (mimetypes.guess_type(title)[0] or "video").partition("/")[0]
    player = "audio" if kind == "audio" else "video"
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; script-src 'sha256-{_digest(script)}'; "
        "media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )
    name = html.escape(title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{name}: intents</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{name}</h1>
<section class="watch">
<{player} id="player" controls preload="metadata" src="{html.escape(address)}"></{player}>
<p id="unplayable" role="status" hidden>This browser cannot play {name}. The times below still hold.</p>
<div id="timeline" aria-hidden="true"></div>
<p id="now" aria-live="off"></p>
</section>
<form id="filter" role="search">
<label>Search <input type="search" id="words" placeholder="words, speaker, intent" autocomplete="off"></label>
<label>Intent <select id="intent"><option value="">all</option></select></label>
<label>Speaker <select id="speaker"><option value="">all</option></select></label>
<span id="count" role="status"></span>
</form>
<div class="table" tabindex="-1">
<table>
<thead><tr><th scope="col">Time</th><th scope="col">Speaker</th><th scope="col">Words</th><th scope="col">Intent</th>
<th scope="col">Probability</th></tr></thead>
<tbody id="rows"></tbody>
</table>
</div>
<p class="hint">Click an utterance, or press Enter on its time, to hear it. Arrow keys go up and down.</p>
<noscript>A script makes the table, and this browser runs none. See utterances.csv beside this page.</noscript>
</main>
<script type="application/json" id="data">{_json(shown)}</script>
<script>{script}</script>
</body>
</html>
"""


def _json(value: Any) -> str:
    """JSON that cannot end the element that holds it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
