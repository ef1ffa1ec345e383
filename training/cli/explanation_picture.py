# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A picture of one answer, as a file: frames and sound with their anchors, the words, and the likeliest intents."""

from __future__ import annotations

import logging
import unicodedata
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, cast

import matplotlib


matplotlib.use("Agg")  # draws files, not windows, and so needs no display

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import FancyBboxPatch, Rectangle

from dataset_scripts.files import replacing
from modeling_amess.clip_amess import Clip

from .predict import CLEAR_ATTENTION, NAMES, percent


logger = logging.getLogger(__name__)
# It tells of every weight that a font lacks.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

# Nearly everyone can tell blue and orange apart, in grey too.
VIDEO_COLOUR, AUDIO_COLOUR = "#2166ac", "#d9730d"
TEXT_COLOUR, QUIET_COLOUR, PANEL_COLOUR = "#222222", "#8a8a8a", "#f1f2f4"
COLOURS = {"video": VIDEO_COLOUR, "audio": AUDIO_COLOUR}
FRAMES_SHOWN = 8
PICTURE_SIZE = 320  # pixels of the longer side: twice what a frame takes in the picture
LABELS_OF_SOUND = 0.45  # inches above the sound, for its caption and two lines of labels
_ENVELOPE_POINTS = 1200
_FONT = "DejaVu Sans"  # comes with matplotlib
_FONT_OF_BOXES = "Last Resort"  # likewise: it has a box for every letter


def draw_explanation(result: dict[str, Any], clip: Clip | None, path: str | Path, title: str) -> None:
    """Draw a result of the pipeline into a file.

    Letters that matplotlib's own font lacks are drawn with other installed fonts. Scripts that no font has are told.

    Args:
        result: What `IntentRecognitionPipeline` returned for one input.
        clip: Decoded clip of that input; `None` for an input without a clip.
        path: File to write; its ending names the format.
        title: Name of the input, for the head of the picture.
    """
    evidence = result["explanation"]
    labels = [*(intent["label"] for intent in result["intents"]), *evidence["description_similarity"]]
    families = _font_families([title, result["text"], result["label"], *evidence["tokens"], *labels])
    style = {"font.size": 10, "text.color": TEXT_COLOUR, "font.family": families, "text.parse_math": False}
    with matplotlib.rc_context(cast("Any", style)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # told above, by script
        frames = frame_times = waveform = None
        if clip is not None:
            frames, frame_times, waveform = clip.pictures, clip.frame_times, clip.waveform
            frames = clip.frames if frames is None else frames  # a clip of arrays may come without pictures
        heights = {"head": 0.75}
        if len(evidence["variants"]) > 1:
            heights["variants"] = 0.4 + 0.27 * len(evidence["variants"])
        if frames is not None:
            height, width = frames.shape[1:3]
            heights["frames"] = 0.5 + min(2.5, 11.2 / FRAMES_SHOWN * height / width)
        if waveform is not None:
            heights["sound"] = 1.75 + LABELS_OF_SOUND
        heights |= {"words": 1.2, "intents": 1.9}
        figure = plt.figure(figsize=(12, sum(heights.values()) + 0.35 * len(heights)), facecolor="white")
        grid = figure.add_gridspec(
            len(heights),
            1,
            height_ratios=list(heights.values()),
            hspace=0.42,
            left=0.04,
            right=0.97,
            top=0.98,
            bottom=0.06,
        )
        cells = {name: grid[row] for row, name in enumerate(heights)}
        _draw_head(figure.add_subplot(cells["head"]), result, title)
        if "variants" in cells:
            _draw_variants(figure, cells["variants"], evidence["variants"], result["label"])
        if frames is not None and frame_times is not None:
            _draw_frames(figure, cells["frames"], frames, frame_times, evidence["video_anchors"])
        if clip is not None and waveform is not None:
            rows = cells["sound"].subgridspec(2, 1, height_ratios=(LABELS_OF_SOUND, 1.75), hspace=0)
            _draw_sound(figure.add_subplot(rows[1, 0]), waveform, clip.sampling_rate, evidence["audio_anchors"])
        _draw_words(figure.add_subplot(cells["words"]), evidence)
        _draw_intents(figure, cells["intents"], result)
        target = Path(path)
        with replacing(target) as partial:
            figure.savefig(partial, dpi=120, format=target.suffix[1:].lower())
        plt.close(figure)


def _font_families(texts: Iterable[str]) -> list[str]:
    """Choose the fonts that have the letters of texts: matplotlib's own, and as few others as it takes."""
    letters = {letter for text in texts for letter in text if letter.isprintable() and not letter.isspace()}
    own, bold = (findfont(FontProperties(family=_FONT, weight=weight)) for weight in ("normal", "bold"))
    missing = letters - (_letters_of(own) & _letters_of(bold))
    families = [_FONT]
    # One font per family: its weights have the same letters.
    others = {font.name: font.fname for font in fontManager.ttflist if _FONT_OF_BOXES not in font.name}
    while missing:
        best = max(sorted(others), key=lambda name: len(missing & _letters_of(others[name])))
        if not missing & _letters_of(others[best]):
            break
        families.append(best)
        missing -= _letters_of(others[best])
    # A font that has the letters of a script has its commas, too.
    marks = {letter for letter in missing if unicodedata.category(letter).startswith("P")}
    for script in sorted({_script(letter) for letter in missing - marks or marks}):
        _tell_missing(script)
    return families


@cache
def _letters_of(file: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, get_font(file).get_charmap()))
    except (OSError, RuntimeError, ValueError):  # a damaged font, or one of bitmaps, as that of coloured emoji
        return frozenset()


def _script(letter: str) -> str:
    """Name a letter's script by the first word of its Unicode name, such as CJK, ARABIC or HANGUL."""
    if unicodedata.category(letter) in ("So", "Sk", "Cn", "Co"):
        return "emoji and other symbols"
    return unicodedata.name(letter, "unnamed").split()[0]


@cache
def _tell_missing(script: str) -> None:
    logger.warning(
        "--explain: No installed font has the letters of the script %s, and the picture shows boxes for them. Install "
        "a font that has them, such as one of the Noto fonts.",
        script,
    )


def _draw_head(axes: Axes, result: dict[str, Any], title: str) -> None:
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    verdict = f"{result['label']}  {percent(result['score'])}"
    if result["verdict"] == "unsure":
        verdict = f"Unsure: {' or '.join(result['unsure_between'])}"
    elif result["verdict"] == "out_of_scope":
        verdict += "  (out of scope)"
    axes.text(0, 0.62, verdict, fontsize=20, fontweight="bold", va="center")
    axes.text(1, 0.62, title if len(title) <= 60 else "…" + title[-59:], ha="right", va="center", color=QUIET_COLOUR)
    words = f"“{result['text']}”" if result["text"] else "no text"
    # Slanted letters exist for few scripts.
    style = (
        "italic" if _letters_of(findfont(FontProperties(family=_FONT, style="italic"))).issuperset(words) else "normal"
    )
    axes.text(0, 0.0, _shortened(words, 110), fontsize=12, va="center", style=style)
    missing = [name for name in ("video", "audio") if name not in result["modalities"]]
    notes = [f"without {' and '.join(missing)}"] if missing else []
    if result["unfamiliar"]:
        notes.append(f"{' and '.join(NAMES[name] for name in result['unfamiliar'])} unlike the training clips")
    axes.text(1, 0.0, ", ".join(notes), ha="right", va="center", color=QUIET_COLOUR)


def _draw_variants(figure: Figure, cell: SubplotSpec, variants: list[dict[str, Any]], chosen: str) -> None:
    """Draw how the answer moves from the words alone to all modalities, one bar per variant."""
    columns = cell.subgridspec(1, 2, width_ratios=(0.16, 0.84), wspace=0.0)
    axes = figure.add_subplot(columns[0, 1])
    names = [" + ".join(NAMES[name] for name in one["modalities"]) for one in variants]
    places = range(len(variants))
    colours = [TEXT_COLOUR if one["label"] == chosen else "#b8bec6" for one in variants]
    axes.barh(places, [one["score"] for one in variants], color=colours, height=0.62)
    for place, one in zip(places, variants, strict=True):
        axes.text(one["score"] + 0.01, place, f"{one['label']}  {percent(one['score'])}", va="center")
    axes.set_yticks(list(places), names)
    axes.set(xlim=(0, 1.3), xticks=[])
    axes.invert_yaxis()
    axes.tick_params(left=False, labelcolor=TEXT_COLOUR)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("how the answer moves", loc="left", fontsize=10, color=QUIET_COLOUR, fontweight="bold")


def _draw_frames(
    figure: Figure, cell: SubplotSpec, frames: np.ndarray, frame_times: np.ndarray, anchors: list[dict[str, Any]]
) -> None:
    """Draw the frames that anchors read from, with others between them at equal distances."""
    tokens: dict[int, list[str]] = {}
    multiples: dict[int, float] = {}
    for anchor in anchors:
        if anchor["frame"] is not None:
            tokens.setdefault(anchor["frame"], []).append(anchor["token"])
            multiples[anchor["frame"]] = max(multiples.get(anchor["frame"], 0.0), anchor["times_uniform"])
    shown = _frames_to_show(len(frames), list(tokens))
    strip = cell.subgridspec(1, FRAMES_SHOWN, wspace=0.06)
    for place, index in enumerate(shown):
        axes = figure.add_subplot(strip[place])
        axes.imshow(frames[index])
        axes.set(xticks=[], yticks=[])
        clear = multiples.get(index, 0.0) >= CLEAR_ATTENTION
        for spine in axes.spines.values():
            spine.set(color=VIDEO_COLOUR if clear else "#dddddd", linewidth=4 if clear else 1)
        multiple = f" · {multiples[index]:.1f}x" if index in multiples else ""
        axes.set_xlabel(
            f"{frame_times[index]:.2f} s{multiple}", color=VIDEO_COLOUR if clear else QUIET_COLOUR, labelpad=3
        )
        if index in tokens:
            style: dict[str, Any] = {"color": VIDEO_COLOUR, "fontweight": "bold"} if clear else {"color": QUIET_COLOUR}
            axes.set_title(_label(tokens[index]), fontsize=10, pad=5, **style)
        if place == 0:
            _caption(axes, "picture: looked at most, as a multiple of all frames alike")


def _frames_to_show(count: int, anchored: list[int]) -> list[int]:
    """Choose up to FRAMES_SHOWN indices: first those of the best anchors, then those that fill the widest gaps."""
    chosen: set[int] = set(anchored[:FRAMES_SHOWN])
    evenly = np.linspace(0, count - 1, min(count, FRAMES_SHOWN)).round().astype(int).tolist()
    while len(chosen) < min(count, FRAMES_SHOWN):
        rest = [index for index in evenly if index not in chosen] or [i for i in range(count) if i not in chosen]
        chosen.add(max(rest, key=lambda index: min((abs(index - other) for other in chosen), default=0)))
    return sorted(chosen)


def _draw_sound(axes: Axes, waveform: np.ndarray, sampling_rate: int, anchors: list[dict[str, Any]]) -> None:
    duration = len(waveform) / sampling_rate
    size = max(1, -(-len(waveform) // _ENVELOPE_POINTS))
    padded = np.pad(waveform, (0, -len(waveform) % size)).reshape(-1, size)
    times = (np.arange(len(padded)) + 0.5) * size / sampling_rate
    loudest = max(float(np.abs(padded).max()), 1e-6)
    axes.fill_between(times, padded.min(1) / loudest, padded.max(1) / loudest, color="#9aa3ad", linewidth=0)
    places: dict[float, list[dict[str, Any]]] = {}
    for anchor in anchors:
        if anchor["time"] is not None:
            places.setdefault(anchor["time"], []).append(anchor)
    height_at: list[float] = []
    for time in sorted(places):
        multiple = max(anchor["times_uniform"] for anchor in places[time])
        clear = multiple >= CLEAR_ATTENTION
        colour = AUDIO_COLOUR if clear else QUIET_COLOUR
        axes.axvline(time, color=colour, linewidth=2.2 if clear else 1, alpha=0.9)
        # Labels of neighbours take turns in height, so that they can be read.
        height = 1.16 if not height_at or time - height_at[-1] > 0.09 * duration else 1.46
        height_at = [*height_at, time] if height == 1.16 else []
        words = f"{_label([anchor['token'] for anchor in places[time]])} {multiple:.1f}x"
        axes.text(
            time, height, words, ha="center", color=colour, fontweight="bold" if clear else "normal", clip_on=False
        )
    axes.set(xlim=(0, duration), ylim=(-1.1, 1.1), yticks=[])
    axes.xaxis.set_major_formatter("{x:.1f} s")
    axes.tick_params(colors=QUIET_COLOUR)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#cccccc")
    _caption(axes, "sound: listened to most", offset=44)


def _draw_words(axes: Axes, explanation: dict[str, Any]) -> None:
    """Draw each token as a box, with one bar per modality that it is an anchor of.

    The longer the bar, the higher the anchor's score. By default the score says how peaked the attention over the
    frames is (`AmessConfig.anchor_score`).
    """
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    tokens = explanation["tokens"]
    size = 13.0
    gap = 0.012

    def widths(font_size: float) -> list[float]:
        measured = []
        for token in tokens:
            text = axes.text(0, 0, token or " ", fontsize=font_size)
            extent = text.get_window_extent().transformed(axes.transAxes.inverted())
            measured.append(max(extent.width, 0.02) + 0.014)
            text.remove()
        return measured

    box_widths = widths(size)
    total = sum(box_widths) + gap * (len(tokens) - 1)
    if total > 1:  # long texts are written smaller, on one line
        size = max(5.0, size / total * 0.97)
        box_widths = widths(size)
        gap /= total
    ranks = {
        modality: {anchor["position"]: rank for rank, anchor in enumerate(explanation[f"{modality}_anchors"])}
        for modality in COLOURS
    }
    left = 0.0
    for position, (token, width) in enumerate(zip(tokens, box_widths, strict=True)):
        special = (token.startswith("[") and token.endswith("]")) or (token.startswith("<") and token.endswith(">"))
        box = FancyBboxPatch(
            (left, 0.42),
            width,
            0.36,
            boxstyle="round,pad=0,rounding_size=0.008",
            facecolor=PANEL_COLOUR,
            edgecolor="none",
        )
        axes.add_patch(box)
        colour = QUIET_COLOUR if special else TEXT_COLOUR
        axes.text(left + width / 2, 0.6, token, ha="center", va="center", fontsize=size, color=colour)
        for modality, height in (("video", 0.26), ("audio", 0.1)):
            if position in ranks[modality]:
                share = 1 - ranks[modality][position] / max(1, len(ranks[modality]))
                axes.add_patch(Rectangle((left, height), width * share, 0.1, color=COLOURS[modality], linewidth=0))
        left += width + gap
    present = [modality for modality in COLOURS if ranks[modality]]
    x = 0.0
    axes.text(x, 1.02, "words", color=QUIET_COLOUR, fontweight="bold", va="center")
    for modality in present:
        x += 0.075 if modality == present[0] else 0.2
        axes.add_patch(Rectangle((x, 0.97), 0.014, 0.1, color=COLOURS[modality], linewidth=0, clip_on=False))
        axes.text(x + 0.02, 1.02, f"anchor of the {modality}", color=QUIET_COLOUR, va="center", fontsize=9)
    if present:
        axes.text(1, 1.02, "the longer, the higher its score", ha="right", va="center", color=QUIET_COLOUR, fontsize=9)


def _draw_intents(figure: Figure, cell: SubplotSpec, result: dict[str, Any]) -> None:
    similarity = result["explanation"]["description_similarity"]
    # The narrow columns hold the labels of the bars.
    columns = cell.subgridspec(1, 4, width_ratios=(0.2, 0.8, 0.2, 0.8), wspace=0.05)
    shares = {intent["label"]: intent["score"] for intent in result["intents"]}
    _draw_bars(figure.add_subplot(columns[0, 1]), shares, "intents", percent, chosen=result["label"])
    if similarity:
        closest = sorted(similarity.items(), key=lambda item: -item[1])[: max(3, len(shares))]
        axes = figure.add_subplot(columns[0, 3])
        _draw_bars(
            axes,
            dict(closest),
            "similarity to the intents' descriptions",
            lambda value: f"{value:.2f}",
            result["label"],
        )


def _draw_bars(
    axes: Axes, values: dict[str, float], caption: str, written: Callable[[float], str], chosen: str
) -> None:
    places = range(len(values))
    colours = [TEXT_COLOUR if label == chosen else "#b8bec6" for label in values]
    axes.barh(places, [max(value, 0) for value in values.values()], color=colours, height=0.62)
    for place, value in zip(places, values.values(), strict=True):
        axes.text(max(value, 0) + 0.015, place, written(value), va="center", color=TEXT_COLOUR)
    axes.set_yticks(list(places), list(values))
    axes.set(xlim=(0, 1.12), xticks=[])
    axes.invert_yaxis()
    axes.tick_params(left=False, labelcolor=TEXT_COLOUR)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(caption, loc="left", fontsize=10, color=QUIET_COLOUR, fontweight="bold")


def _caption(axes: Axes, words: str, offset: float = 20) -> None:
    axes.annotate(
        words,
        (0, 1),
        (0, offset),
        xycoords="axes fraction",
        textcoords="offset points",
        color=QUIET_COLOUR,
        fontweight="bold",
    )


def _label(tokens: list[str]) -> str:
    """Name the best tokens of one place, and how many more there are."""
    label = _shortened(" · ".join(tokens[:2]), 16)
    return label if len(tokens) <= 2 else f"{label} +{len(tokens) - 2}"


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
