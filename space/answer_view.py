# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a visitor sees of an answer: verdict, anchor frames, waveform, coloured words, similarity bars."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np


if TYPE_CHECKING:
    from modeling_amess.clip_amess import Clip


NAMES = {"text": "words", "video": "picture", "audio": "sound"}
MATCHES = ("weak", "fair", "strong")
WAVEFORM_BARS = 160
# A label over the waveform: the share of the width that it may need on a phone, and the height of its line in em.
LABEL_SHARE, ROW = 0.4, 1.5
SPECIAL_TOKENS = {"[CLS]": "(start)", "[SEP]": "(end)", "<s>": "(start)", "</s>": "(end)"}


def verdict(answer: Mapping[str, Any], threshold: float, config: Any) -> str:
    """Write the intent in large letters, its probability, and whether it is in scope at this threshold (HTML).

    Args:
        answer: Answer of the pipeline.
        threshold: Probability below which an intent is out of scope.
        config: The model's `AmessConfig`, which judges.
    """
    label, score = str(answer["label"]), float(answer["score"])
    badge, reason = '<span class="badge inside">in scope</span>', ""
    if config.is_out_of_scope(label, score, threshold):
        badge = '<span class="badge outside">out of scope</span>'
        if label != config.out_of_scope_label:
            reason = (
                f'<p class="hint">That is below the threshold of {threshold:.0%}: '
                "the speaker may mean something that the model does not know.</p>"
            )
    used = ", ".join(NAMES[name] for name in answer["modalities"])
    return (
        f'<div class="verdict"><div class="line"><span class="intent">{escape(label)}</span>{badge}</div>'
        f'<p class="hint">{score:.0%} probable, from {escape(used)}.</p>{reason}</div>'
    )


def probabilities(answer: Mapping[str, Any]) -> dict[str, float]:
    """Return the probability of each intent, for `gr.Label`."""
    return {intent["label"]: intent["score"] for intent in answer["intents"]}


def moved(before: Mapping[str, float], answer: Mapping[str, Any], rows: int = 5) -> str:
    """Write how the probabilities changed from the answer that used everything (HTML).

    Args:
        before: Probabilities of the answer that used everything.
        answer: The new answer.
        rows: Number of intents, the most probable of either answer first.
    """
    after = probabilities(answer)
    left_out = [NAMES[name] for name in NAMES if name not in answer["modalities"]]
    labels = sorted(after, key=lambda label: -max(before.get(label, 0.0), after[label]))[:rows]
    lines = []
    for label in labels:
        difference = round(100 * after[label]) - round(100 * before.get(label, 0.0))
        kind = "up" if difference > 0 else "down" if difference < 0 else ""
        sign = {"up": "+", "down": "\u2212", "": "±"}[kind]
        lines.append(
            f'<tr><th scope="row">{escape(label)}</th><td>{before.get(label, 0.0):.0%}</td><td>{after[label]:.0%}</td>'
            f'<td class="{kind}">{sign}{abs(difference)}</td></tr>'
        )
    names = " and ".join(left_out) or "nothing"
    return (
        f'<table class="moved"><thead><tr><th scope="col">Without {names}</th><th scope="col">all</th>'
        f'<th scope="col">now</th><th scope="col">points</th></tr></thead><tbody>{"".join(lines)}</tbody></table>'
    )


def anchor_frames(answer: Mapping[str, Any], clip: "Clip | None") -> list[tuple[np.ndarray, str]]:
    """Caption the frames that the video anchors read most from with their times and words, for `gr.Gallery`.

    Args:
        answer: Answer of the pipeline.
        clip: Clip with `pictures`; `None` where the answer used no picture.
    """
    if clip is None or clip.pictures is None or clip.frame_times is None:
        return []
    words: dict[int, list[str]] = {}
    for anchor in answer["explanation"]["video_anchors"]:
        if anchor["frame"] is not None and 0 <= anchor["frame"] < len(clip.pictures):
            words.setdefault(anchor["frame"], []).append(_word(anchor["token"]))
    return [
        (clip.pictures[frame], f"{clip.frame_times[frame]:.2f} s · {' '.join(dict.fromkeys(words[frame]))}")
        for frame in sorted(words)
    ]


def waveform(answer: Mapping[str, Any], clip: "Clip | None") -> str:
    """Draw the sound of a clip, and the times that the audio anchors read most from (HTML)."""
    if clip is None or clip.waveform is None or not len(clip.waveform):
        return '<p class="hint">No sound was used.</p>'
    seconds = len(clip.waveform) / clip.sampling_rate
    peaks = np.array(
        [np.abs(part).max() for part in np.array_split(clip.waveform, min(WAVEFORM_BARS, len(clip.waveform)))]
    )
    peaks = peaks / max(float(peaks.max()), 1e-6)
    heights = np.maximum(1.0, 46 * peaks)
    path = "".join(f"M{x + 0.5:g} {50 - y:.1f}V{50 + y:.1f}" for x, y in enumerate(heights))
    picture = (
        f'<svg viewBox="0 0 {len(heights)} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Waveform of the clip, {seconds:.1f} seconds"><path d="{path}"/></svg>'
    )
    words: dict[float, list[str]] = {}
    for anchor in answer["explanation"]["audio_anchors"]:
        if anchor["time"] is not None and 0 <= anchor["time"] <= seconds:
            words.setdefault(round(anchor["time"], 3), []).append(_word(anchor["token"]))
    ends: list[float] = []  # where the last label of each line ends
    marks = []
    for time in sorted(words):
        # A label runs to the right of its mark, or to the left of it near the end.
        share, leftwards = time / seconds, time / seconds > 1 - LABEL_SHARE
        start = share - LABEL_SHARE if leftwards else share
        row = next((index for index, end in enumerate(ends) if end <= start), len(ends))
        ends[row : row + 1] = [start + LABEL_SHARE]
        place = f"right:{100 * (1 - share):.2f}%" if leftwards else f"left:{100 * share:.2f}%"
        text = escape(" ".join(dict.fromkeys(words[time])))
        marks.append(f'<i style="left:{100 * share:.2f}%;top:{ROW * row:g}em"></i>')
        marks.append(f'<b style="{place};top:{ROW * row:g}em">{time:.2f} s · {text}</b>')
    labels = f'<div style="height:{ROW * len(ends):g}em"></div>'
    scale = f'<div class="scale"><span>0 s</span><span>{seconds:.1f} s</span></div>'
    return f'<div class="waveform">{labels}{picture}{"".join(marks)}{scale}</div>'


def matched_words(answer: Mapping[str, Any], modality: str) -> list[tuple[str, str | None]]:
    """Return all tokens, and how well a modality's anchors match it, for `gr.HighlightedText`."""
    anchors = answer["explanation"][f"{modality}_anchors"]
    scores = {anchor["position"]: float(anchor["score"]) for anchor in anchors}
    lowest, highest = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    levels = {
        position: MATCHES[-1] if highest == lowest else MATCHES[min(2, int(3 * (score - lowest) / (highest - lowest)))]
        for position, score in scores.items()
    }
    return [(_word(token), levels.get(position)) for position, token in enumerate(answer["explanation"]["tokens"])]


def similarity(similarities: Mapping[str, float], descriptions: Mapping[str, Sequence[str]], rows: int = 4) -> str:
    """Draw bars of the highest similarities (cosines, -1 to 1), each with its intent's descriptions (HTML)."""
    if not similarities:
        return '<p class="hint">This model was trained without descriptions.</p>'
    lines = []
    for label, value in sorted(similarities.items(), key=lambda item: -item[1])[:rows]:
        texts = escape(" · ".join(descriptions.get(label, ())))
        lines.append(
            f'<li><div class="line"><b>{escape(label)}</b><span>{float(value):.2f}</span></div>'
            f'<div class="bar"><div style="width:{100 * min(1.0, max(0.0, float(value))):.1f}%"></div></div>'
            f'<p class="hint">{texts}</p></li>'
        )
    return f'<ol class="bars">{"".join(lines)}</ol>'


def _word(token: str) -> str:
    """Write a token as a reader knows it."""
    return SPECIAL_TOKENS.get(token, token.removeprefix("##"))
