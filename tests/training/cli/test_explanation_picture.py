# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of answers in any script: letters of installed fonts, and no boxes in silence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from PIL import Image

from modeling_amess.clip_amess import Clip
from training.cli import explanation_picture
from training.cli.explanation_picture import draw_explanation


@pytest.fixture(autouse=True)
def _fonts_of_matplotlib_alone(monkeypatch):
    own = [font for font in fontManager.ttflist if "mpl-data" in font.fname]
    monkeypatch.setattr(fontManager, "ttflist", own)
    explanation_picture._tell_missing.cache_clear()


def answer(text: str) -> dict:
    """An answer of the pipeline for a text without a clip."""
    evidence = {"variants": [], "tokens": ["[CLS]", *text.split()], "video_anchors": [], "audio_anchors": []}
    intents = [{"label": "Praise", "score": 0.6}, {"label": "Taunt", "score": 0.4}]
    said = {"text": text, "modalities": ["text"], "explanation": {**evidence, "description_similarity": {}}}
    judged = {"label": "Praise", "score": 0.6, "verdict": "in_scope", "unfamiliar": None}
    return {**judged, "intents": intents, **said}


def drawn(text: str, path) -> np.ndarray:
    draw_explanation(answer(text), None, path, "a.mp4")
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def install_font(path, letters: str) -> None:
    """Install a font in which every letter is a black square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 1000), (1000, 1000), (1000, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    font = FontBuilder(1000)
    font.setupGlyphOrder([".notdef", "square"])
    font.setupCharacterMap(dict.fromkeys(map(ord, letters), "square"))
    font.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": square})
    font.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1100, 0)})
    font.setupHorizontalHeader(ascent=1000, descent=-200)
    font.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    font.setupOS2(usWeightClass=400)
    font.setupPost()
    font.save(path)
    fontManager.addfont(path)


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("oh, great.", []),
        ("Größe, завтра, καλημέρα", []),
        ("مرحبا كيف", []),  # matplotlib's font has Arabic, but not slanted
        ("שלום", []),
        ("你好", ["CJK"]),
        ("太好了、谢谢「你」。", ["CJK"]),  # a font of the letters has the marks, too
        ("oh「。", ["IDEOGRAPHIC", "LEFT"]),
        ("नमस्ते สวัสดี", ["DEVANAGARI", "THAI"]),
        ("oh 🤷 \U0001fae0", ["emoji"]),
    ],
)
@pytest.mark.filterwarnings("error:Glyph")
def test_scripts_without_a_font_are_told_once(tmp_path, caplog, text, scripts):
    for name in ("1.png", "2.png"):
        drawn(text, tmp_path / name)
    assert len(caplog.messages) == len(scripts)
    for script, message in zip(scripts, caplog.messages, strict=True):
        assert script in message and "font" in message


def test_letters_are_taken_from_an_installed_font(tmp_path, caplog):
    boxes = drawn("你好", tmp_path / "boxes.png")
    caplog.clear()
    install_font(tmp_path / "squares.ttf", "你好")
    squares = drawn("你好", tmp_path / "squares.png")
    assert not caplog.messages
    assert (squares < 100).sum() > (boxes < 100).sum() + 300


@pytest.mark.parametrize("shape", [(180, 320), (200, 200), (320, 180)])
def test_no_words_of_the_picture_overlap(tmp_path, monkeypatch, shape):
    said = answer("oh wonderful")
    evidence = said["explanation"]
    evidence["variants"] = [
        {"modalities": ["text", *more], "label": "Praise", "score": 0.6} for more in ((), ("video",), ("audio",))
    ]
    places = [(0, 1, 0.2), (1, 1, 0.3), (2, 3, 0.9)]
    for name, unit in (("video", "frame"), ("audio", "step")):
        evidence[f"{name}_anchors"] = [
            {"token": evidence["tokens"][place], "position": place, unit: index, "time": time, "times_uniform": 2.0}
            for place, index, time in places
        ]
    times = np.arange(8) / 6
    clip = Clip(np.zeros((8, *shape, 3), np.uint8), times, np.zeros(21000, np.float32), 16000, 8 / 6)
    figures, close = [], explanation_picture.plt.close
    monkeypatch.setattr(explanation_picture.plt, "close", figures.append)
    draw_explanation(said, clip, tmp_path / "answer.png", "a.mp4")
    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in figures[0].findobj(lambda artist: isinstance(artist, Text))
        if text.get_text().strip() and text.get_visible()
    ]
    assert len(boxes) > 20
    for (words, box), (others, other) in itertools.combinations(boxes, 2):
        assert not box.overlaps(other), (words, others)
    close(figures[0])
