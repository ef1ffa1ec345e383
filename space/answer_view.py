# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a visitor sees of an answer: verdict, probabilities, how it moves, frames, waveform, similarity bars."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image


if TYPE_CHECKING:
    from modeling_amess.clip_amess import Clip


NAMES = {"text": "words", "video": "picture", "audio": "sound"}
# An intent that is less probable is not shown.
LEAST_SHOWN = 0.01
# Attention below so many times the uniform one shows nothing, and is grey.
CLEAR_ATTENTION = 1.5
WAVEFORM_BARS = 160
# A label over the waveform: how many characters fill the width of a phone, and the height of its line in em.
LABEL_CHARACTERS, ROW = 52, 1.5
SPECIAL_TOKENS = {"[CLS]": "(start)", "[SEP]": "(end)", "<s>": "(start)", "</s>": "(end)"}


def verdict(answer: Mapping[str, Any], threshold: float, config: Any) -> str:
    """Write the intent in large letters, how probable it is, and what a visitor must know to read it (HTML).

    Args:
        answer: Answer of the pipeline.
        threshold: Probability below which an intent is out of scope.
        config: The model's `AmessConfig`, which judges.
    """
    label, score = str(answer["label"]), float(answer["score"])
    ranked = [(one["label"], float(one["score"])) for one in answer["intents"]]
    judged, rivals = config.verdict(ranked, threshold)
    title, badge, reason = label, '<span class="badge inside">in scope</span>', ""
    below = f"{percent(score)} is below the threshold of {threshold:.0%}"
    if judged == "unsure":
        title, badge = " or ".join(rivals) + "?", '<span class="badge unsure">unsure</span>'
        reason = f"{below}: the model cannot tell these two apart here."
    elif judged == "out_of_scope":
        badge = '<span class="badge outside">out of scope</span>'
        if label != config.out_of_scope_label:
            reason = f"{below}: the speaker may mean something that the model does not know."
    used = ", ".join(NAMES[name] for name in answer["modalities"])
    return (
        f'<div class="verdict">{unfamiliar(answer, config.known_clips)}'
        f'<div class="line"><span class="intent">{escape(title)}</span>{badge}</div>'
        f'<p class="hint">{escape(percent(score))} probable, from {escape(used)}.</p>'
        f"{hint(reason) if reason else ''}{heard(answer)}</div>"
    )


def heard(answer: Mapping[str, Any]) -> str:
    """Say which words Whisper heard, and which Whisper (HTML); empty for words that were given."""
    transcript = answer["transcript"]
    if transcript is None:
        return ""
    by, text = f"Whisper {transcript['asr_model']} heard", str(answer["text"]).strip()
    if not text:
        return hint(f"{by} no words. Type what is said, if anything is.")
    words = f"{escape(by)} <b>“{escape(text)}”</b>"
    return f'<p class="heard">{words} If that is wrong, correct the words and ask again.</p>'


def unfamiliar(answer: Mapping[str, Any], known_clips: str | None) -> str:
    """Say in one sentence which parts of the input are unlike the training's clips (HTML); empty without any."""
    parts = answer["unfamiliar"] or []
    if not parts:
        return ""
    names, one = " and the ".join(NAMES[name] for name in parts), len(parts) == 1
    known = f" The model knows {known_clips}." if known_clips else ""
    used = any(name in answer["modalities"] for name in parts)
    so = "so do not rely on this answer" if used else f"so {'it was' if one else 'they were'} left out"
    return (
        f'<p class="warning">The {names} {"is" if one else "are"} unlike anything that this model was trained on, '
        f"{so}.{escape(known)}</p>"
    )


def hint(text: str) -> str:
    """Write a sentence in small grey letters (HTML)."""
    return f'<p class="hint">{escape(text)}</p>'


def percent(share: float) -> str:
    """Write a probability in whole percent, and never as certain or as impossible."""
    return ">99 %" if share >= 0.995 else "<1 %" if share < 0.005 else f"{100 * share:.0f} %"


def bars(answer: Mapping[str, Any], rows: int = 5) -> str:
    """Draw bars of the most probable intents (HTML); those below 1 % are left out."""
    shown = [one for one in answer["intents"][:rows] if one["score"] >= LEAST_SHOWN or one is answer["intents"][0]]
    lines = [
        f'<li><div class="line"><b>{escape(one["label"])}</b><span>{escape(percent(one["score"]))}</span></div>'
        f"{_bar(one['score'])}</li>"
        for one in shown
    ]
    return f'<ol class="bars">{"".join(lines)}</ol>'


def variants(answer: Mapping[str, Any]) -> str:
    """Write how the answer moves from the words alone to everything (HTML)."""
    found = answer["explanation"]["variants"]
    if len(found) < 2:
        return hint("There is one source alone, so nothing can be compared: give a clip and its words.")
    lines = []
    for one in found:
        names = [NAMES[name] for name in one["modalities"]]
        name = f"{names[0]} alone" if len(names) == 1 else " + ".join(names)
        kind = "same" if one["label"] == answer["label"] else "other"
        lines.append(
            f'<li class="{kind}"><div class="line"><span class="source">{escape(name.capitalize())}</span>'
            f"<b>{escape(one['label'])}</b><span>{escape(percent(one['score']))}</span></div>{_bar(one['score'])}</li>"
        )
    return f'<ol class="bars moves">{"".join(lines)}</ol>'


def anchor_frames(answer: Mapping[str, Any], clip: "Clip | None") -> str:
    """Draw the frames that the video anchors read most from, with their times and words (HTML).

    Args:
        answer: Answer of the pipeline.
        clip: Clip with `pictures`; `None` where the answer used no picture.
    """
    if clip is None or clip.pictures is None or clip.frame_times is None:
        return hint("No picture was used.")
    number = len(clip.pictures)
    places = _by_place(answer, "video", "frame", lambda frame: 0 <= frame < number)
    figures = []
    for frame, (words, multiple) in places.items():
        kind = "clear" if multiple >= CLEAR_ATTENTION else "faint"
        time = f"{clip.frame_times[frame]:.2f} s"
        figures.append(
            f'<figure class="{kind}"><img src="{_data_url(clip.pictures[frame])}" alt="Frame at {time}">'
            f"<figcaption>{time} · {multiple:.1f}x<br>{escape(words)}</figcaption></figure>"
        )
    return f'<div class="frames">{"".join(figures)}</div>{_scale(places)}' if figures else hint("No frame stands out.")


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
    places = _by_place(answer, "audio", "time", lambda time: 0 <= time <= seconds)
    ends: list[float] = []  # where the last label of each line ends
    marks = []
    for time, (words, multiple) in places.items():
        text = f"{time:.2f} s · {multiple:.1f}x · {words}"
        if len(text) > LABEL_CHARACTERS:
            text = f"{text[: LABEL_CHARACTERS - 1]}…"
        # A label runs to the right of its mark, or to the left of it near the end; a long one takes the room it needs.
        share, width = time / seconds, len(text) / LABEL_CHARACTERS
        leftwards = share + width > 1
        end = max(share, width) if leftwards else share + width
        row = next((index for index, last in enumerate(ends) if last <= end - width), len(ends))
        ends[row : row + 1] = [end]
        place = f"right:{100 * (1 - end):.2f}%" if leftwards else f"left:{100 * share:.2f}%"
        kind = "clear" if multiple >= CLEAR_ATTENTION else "faint"
        marks.append(f'<i class="{kind}" style="left:{100 * share:.2f}%;top:{ROW * row:g}em"></i>')
        marks.append(f'<b class="{kind}" style="{place};top:{ROW * row:g}em">{escape(text)}</b>')
    labels = f'<div style="height:{ROW * len(ends):g}em"></div>'
    scale = f'<div class="scale"><span>0 s</span><span>{seconds:.1f} s</span></div>'
    return f'<div class="waveform">{labels}{picture}{"".join(marks)}{scale}</div>{_scale(places)}'


def similarity(similarities: Mapping[str, float], descriptions: Mapping[str, Sequence[str]], rows: int = 4) -> str:
    """Draw bars of the highest similarities (cosines, -1 to 1), each with its intent's descriptions (HTML)."""
    if not similarities:
        return '<p class="hint">This model was trained without descriptions.</p>'
    lines = []
    for label, value in sorted(similarities.items(), key=lambda item: -item[1])[:rows]:
        texts = escape(" · ".join(descriptions.get(label, ())))
        lines.append(
            f'<li><div class="line"><b>{escape(label)}</b><span>{float(value):.2f}</span></div>'
            f'{_bar(float(value))}<p class="hint">{texts}</p></li>'
        )
    return f'<ol class="bars">{"".join(lines)}</ol>'


def _bar(share: float) -> str:
    return f'<div class="bar"><div style="width:{100 * min(1.0, max(0.0, share)):.1f}%"></div></div>'


def _by_place(
    answer: Mapping[str, Any], modality: str, key: str, is_shown: Callable[[Any], bool]
) -> dict[Any, tuple[str, float]]:
    """Words and highest multiple of uniform attention of a modality's anchors, by their place and in its order."""
    words: dict[Any, list[str]] = {}
    multiples: dict[Any, float] = {}
    for anchor in answer["explanation"][f"{modality}_anchors"]:
        place = anchor[key]
        if place is not None and is_shown(place):
            place = round(place, 3)
            words.setdefault(place, []).append(_word(anchor["token"]))
            multiples[place] = max(multiples.get(place, 0.0), anchor["times_uniform"])
    return {place: (" ".join(dict.fromkeys(words[place])), multiples[place]) for place in sorted(words)}


def _scale(places: Mapping[Any, tuple[str, float]]) -> str:
    """Say what the multiples mean, and that there is little evidence where all are small (HTML)."""
    if not places:
        return ""
    text = "1.0x would be equal attention to every moment."
    if all(multiple < CLEAR_ATTENTION for _, multiple in places.values()):
        text += " Nothing here is far from it, so no moment explains the answer."
    return hint(text)


def _data_url(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _word(token: str) -> str:
    """Write a token as a reader knows it; a punctuation mark in quotes, which would pass for a blot."""
    word = SPECIAL_TOKENS.get(token, token.removeprefix("##"))
    return word if any(map(str.isalnum, word)) else f"“{word}”"
