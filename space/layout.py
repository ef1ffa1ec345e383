# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The components of the demo's page and their places. `app.py` connects them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from recognition import (
    MAX_CLIP_BYTES,
    MAX_CLIP_SECONDS,
    MAX_OWN_INTENTS_CHARACTERS,
    MAX_TRANSCRIPT_CHARACTERS,
    MODALITIES,
)


SWITCHES = [("Words", "text"), ("Picture", "video"), ("Sound", "audio")]
PLACEHOLDER = '<p class="hint">Choose an example, or give a clip of your own and press “Recognise intent”.</p>'
NO_COMPARISON = '<p class="hint">Press “Compare” to rank them for the clip and the words above.</p>'
OWN_INTENTS = """Reassure: To tell someone that things will be fine.
Tease: To make fun of someone in a friendly way.
Ask a favour: To ask someone to do something for you."""
HEAD = """<div id="head"><h1>What is meant, not only what is said</h1>
<p>{start} A-MESS reads words, picture and sound together, names the intent behind them, and shows what picture and
sound have changed.{knows}</p></div>"""
TYPED = "Upload or record a short clip and type what is said."
HEARD = "Upload or record a short clip. Type what is said, or let Whisper hear it."
KNOWS = " The model shown here knows <b>{clips}</b>. On anything else it guesses."
TRANSCRIPTION = """**Words.** What you do not type, Whisper `{asr_model}` hears on this machine. It errs on noise,
accents and names: correct the words before you trust the answer.

"""
LIMITS = """
{transcription}**Limits.** The model knows the {labels} intents that it was trained on, as the people in its training
clips express them. Everything else it guesses, often with too much confidence: it does worse with other languages,
accents and ways of showing feelings. It is made for research and for trying out. Do not use it to judge people,
and never for hiring, policing, teaching or surveillance.
A clip may last {seconds:.0f} seconds and have {megabytes} MB at most.

**Privacy.** A clip shows a face and carries a voice: upload only what you may share. The machine that runs this page
reads the clip, and does not keep it for training, logging or flagging. It deletes the clip about {minutes} minutes
later, or when it ends; until then, anyone who knows its random address could fetch it.

**Model.** {model}
"""
# Pixels: so low that the button below the words is on the first screen of a laptop.
CLIP_HEIGHT = 250
# System fonts only: the page asks no other server for anything.
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONOSPACE_FONTS = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


@dataclass
class Page:
    """The components that events read and write, in the order of the page."""

    examples: gr.Gallery
    clip: gr.Video
    transcript: gr.Textbox
    modalities: gr.CheckboxGroup
    clear: gr.Button
    run: gr.Button
    verdict: gr.HTML
    intents: gr.HTML
    threshold: gr.Slider
    why: gr.Column
    moves: gr.HTML
    anchors: gr.HTML
    waveform: gr.HTML
    similarity: gr.HTML
    own_intents: gr.Textbox
    compare: gr.Button
    own_similarity: gr.HTML
    answer: gr.JSON


def theme() -> gr.themes.Base:
    """Create a quieter variant of Gradio's soft theme, with the fonts of the visitor's system."""
    soft = gr.themes.Soft(
        primary_hue="teal", neutral_hue="slate", radius_size="lg", font=FONTS, font_mono=MONOSPACE_FONTS
    )
    return soft.set(
        body_background_fill="*neutral_50",
        background_fill_primary="*neutral_50",
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
        block_background_fill="white",
        block_border_width="1px",
        block_border_width_dark="1px",
        block_title_background_fill="none",
        block_title_background_fill_dark="none",
        block_title_padding="0",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        block_title_text_weight="600",
    )


def lay_out(
    stills: Sequence[tuple[Any, str]],
    *,
    threshold: float,
    asr_model: str | None,
    labels: int,
    keep_uploads: int,
    model: str,
    known_clips: str | None,
) -> Page:
    """Put the components into the surrounding `gr.Blocks`.

    Args:
        stills: Picture `(height, width, 3)` and caption of each example.
        threshold: First value of the slider.
        asr_model: Whisper that hears what is not typed; with `None` the page asks for the words.
        labels: Number of intents that the model knows.
        keep_uploads: Seconds until an upload is deleted.
        model: Description of the model, in Markdown.
        known_clips: What the clips that the model was trained on show, if it is known.
    """
    knows = KNOWS.format(clips=escape(known_clips)) if known_clips else ""
    gr.HTML(HEAD.format(start=TYPED if asr_model is None else HEARD, knows=knows), padding=False)
    examples = gr.Gallery(
        list(stills),
        label="Examples: some use the same words and mean something else",
        columns=10,
        object_fit="cover",
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="examples",
    )
    with gr.Row():
        with gr.Column(min_width=320):
            clip = gr.Video(
                label="Clip",
                sources=["upload", "webcam"],
                include_audio=True,
                webcam_options=gr.WebcamOptions(mirror=False),
                height=CLIP_HEIGHT,
                elem_id="clip",
            )
            transcript = gr.Textbox(
                label="What is said",
                placeholder="oh, great." if asr_model is None else f"Leave empty: Whisper {asr_model} hears it.",
                max_length=MAX_TRANSCRIPT_CHARACTERS,
                elem_id="transcript",
            )
            with gr.Row():
                clear = gr.Button("Clear", min_width=80, scale=1, elem_id="clear")
                run = gr.Button("Recognise intent", variant="primary", min_width=180, scale=3, elem_id="run")
            modalities = gr.CheckboxGroup(
                SWITCHES,
                value=list(MODALITIES),
                label="The model may use",
                info="Switch one off to see how the answer changes.",
                elem_id="modalities",
            )
        with gr.Column(min_width=320):
            verdict = _card(PLACEHOLDER, "Intent", "verdict")
            intents = _card("", "Most likely", "intents", visible=False)
            with gr.Accordion("When is an intent unknown?", open=False, elem_id="threshold-box"):
                slider = gr.Slider(
                    0,
                    1,
                    value=threshold,
                    step=0.01,
                    label="Out of scope below",
                    info="A less probable intent counts as unknown, unless two that are close reach this together.",
                    elem_id="threshold",
                )
    with gr.Column(visible=False, elem_id="why") as why:
        gr.HTML("<h2>Why</h2>", padding=False, elem_classes="section")
        with gr.Row():
            with gr.Column(min_width=320):
                moves = _card("", "How the answer moves", "moves")
                similarity = _card("", "Similarity to the intents' descriptions", "similarity")
            with gr.Column(min_width=320):
                anchors = _card("", "Looked at most", "anchors")
                waveform = _card("", "Listened to most", "waveform")
    gr.HTML("<h2>Intents of your own</h2>", padding=False, elem_classes="section")
    with gr.Row():
        with gr.Column(min_width=320):
            own_intents = gr.Textbox(
                OWN_INTENTS,
                label="One per line, as name: description",
                info="The model was not trained on these. It compares the clip with your descriptions.",
                lines=4,
                max_lines=12,
                max_length=MAX_OWN_INTENTS_CHARACTERS,
                elem_id="own-intents",
            )
            compare = gr.Button("Compare", elem_id="compare")
        with gr.Column(min_width=320):
            own_similarity = _card(NO_COMPARISON, "Similarity to your descriptions", "own-similarity")
    with gr.Accordion("The whole answer, as the API returns it", open=False):
        answer = gr.JSON(show_label=False, max_height=400, elem_id="answer")
    with gr.Accordion("Limits, privacy and model", open=False):
        gr.Markdown(
            LIMITS.format(
                transcription="" if asr_model is None else TRANSCRIPTION.format(asr_model=asr_model),
                labels=labels,
                seconds=MAX_CLIP_SECONDS,
                megabytes=MAX_CLIP_BYTES // 2**20,
                minutes=keep_uploads // 60,
                model=model,
            )
        )
    return Page(
        clip=clip,
        transcript=transcript,
        modalities=modalities,
        clear=clear,
        run=run,
        verdict=verdict,
        intents=intents,
        threshold=slider,
        why=why,
        moves=moves,
        examples=examples,
        anchors=anchors,
        waveform=waveform,
        similarity=similarity,
        own_intents=own_intents,
        compare=compare,
        own_similarity=own_similarity,
        answer=answer,
    )


def _card(content: str, label: str, name: str, visible: bool = True) -> gr.HTML:
    return gr.HTML(content, label=label, show_label=True, container=True, elem_id=name, visible=visible)
