# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What stands on the demo's page and where. What happens there is `app.py`'s."""

from collections.abc import Sequence
from dataclasses import dataclass
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
PLACEHOLDER = '<p class="hint">Choose an example, or give a clip and what is said in it.</p>'
OWN_INTENTS = """Reassure: To tell someone that things will be fine.
Tease: To make fun of someone, half in earnest.
Ask a favour: To want something done by somebody else."""
HEAD = """<div id="head"><h1>What is meant, not only what is said</h1>
<p>Give a short clip and its words. A-MESS reads words, picture and sound together, names the intent behind them, and
shows which moments it relied on.</p></div>"""
LIMITS = """
**Limits.** The model knows the {labels} intents that it was trained with, as the people in its training clips show
them. Outside of that it guesses, with confidence that it has not earned: other languages, accents and ways of
showing feeling come off worse. It is for research and for trying out; not for judging people, and never for hiring,
policing, teaching or surveillance. Clips may have {seconds:.0f} seconds and {megabytes} MB at most.

**Privacy.** A clip shows a face and carries a voice: give only what you may share. It is read on the machine that runs
this page and is not kept for training, logging or flagging. It is deleted about {minutes} minutes later; until then,
whoever knew its random address could fetch it.

**Model.** {model}
"""
MATCH_COLOURS = {"weak": "#94a3b8", "fair": "#5eead4", "strong": "#0d9488"}
# No fonts from elsewhere: the page asks no other server for anything.
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
    intents: gr.Label
    threshold: gr.Slider
    moved: gr.HTML
    anchors: gr.Gallery
    waveform: gr.HTML
    video_words: gr.HighlightedText
    audio_words: gr.HighlightedText
    similarity: gr.HTML
    own_intents: gr.Textbox
    compare: gr.Button
    own_similarity: gr.HTML
    answer: gr.JSON
    reference: gr.State


def theme() -> gr.themes.Base:
    """Gradio's soft theme, quieter, with the fonts that a visitor's system has."""
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
    transcribes: bool,
    labels: int,
    keep_uploads: int,
    model: str,
) -> Page:
    """Puts the components into the surrounding `gr.Blocks`.

    Args:
        stills: a picture `(height, width, 3)` and a caption for each example.
        threshold: where the slider stands at first.
        transcribes: whether a clip may come without its words.
        labels: number of intents that the model knows.
        keep_uploads: seconds until an upload is deleted.
        model: what the page says about the model, Markdown.
    """
    gr.HTML(HEAD, padding=False)
    examples = gr.Gallery(
        list(stills),
        label="Examples: some of them say the same and mean something else",
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
                height=330,
                elem_id="clip",
            )
            _take_uploads_only(clip)
            transcript = gr.Textbox(
                label="What is said",
                placeholder="Leave empty to have it transcribed." if transcribes else "oh, great.",
                max_length=MAX_TRANSCRIPT_CHARACTERS,
                elem_id="transcript",
            )
            modalities = gr.CheckboxGroup(
                SWITCHES,
                value=list(MODALITIES),
                label="The model may use",
                info="Switch one off to see how the answer moves.",
                elem_id="modalities",
            )
            with gr.Row():
                clear = gr.Button("Clear", min_width=80, scale=1, elem_id="clear")
                run = gr.Button("Recognize intent", variant="primary", min_width=180, scale=3, elem_id="run")
        with gr.Column(min_width=320):
            verdict = _card(PLACEHOLDER, "Intent", "verdict")
            intents = gr.Label(label="Most likely", num_top_classes=5, show_heading=False, elem_id="intents")
            slider = gr.Slider(
                0,
                1,
                value=threshold,
                step=0.01,
                label="Out of scope below",
                info="A less probable intent counts as none that the model knows.",
                elem_id="threshold",
            )
            moved = gr.HTML(
                label="How the answer moved", show_label=True, container=True, visible=False, elem_id="moved"
            )
    gr.HTML("<h2>Why</h2>", padding=False, elem_classes="section")
    with gr.Row():
        with gr.Column(min_width=320):
            anchors = gr.Gallery(
                label="Frames that the words looked at",
                columns=4,
                height="auto",
                allow_preview=False,
                interactive=False,
                buttons=[],
                elem_id="anchors",
            )
            waveform = _card("", "Moments that the words listened to", "waveform")
        with gr.Column(min_width=320):
            matches = {"color_map": MATCH_COLOURS, "show_inline_category": False, "show_legend": True}
            video_words = gr.HighlightedText(label="Match with the picture", elem_id="video-words", **matches)
            audio_words = gr.HighlightedText(label="Match with the sound", elem_id="audio-words", **matches)
            similarity = _card("", "Similarity to the descriptions of the intents", "similarity")
    gr.HTML("<h2>Intents of your own</h2>", padding=False, elem_classes="section")
    with gr.Row():
        with gr.Column(min_width=320):
            own_intents = gr.Textbox(
                OWN_INTENTS,
                label="One a line, as name: description",
                info="The model was not trained on these. It compares what it made of the clip with your words.",
                lines=4,
                max_lines=12,
                max_length=MAX_OWN_INTENTS_CHARACTERS,
                elem_id="own-intents",
            )
            compare = gr.Button("Compare", elem_id="compare")
        with gr.Column(min_width=320):
            own_similarity = _card("", "Similarity to your descriptions", "own-similarity")
    with gr.Accordion("The whole answer, as the API gives it", open=False):
        answer = gr.JSON(show_label=False, max_height=400, elem_id="answer")
    with gr.Accordion("Limits, privacy and the model", open=False):
        gr.Markdown(
            LIMITS.format(
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
        moved=moved,
        examples=examples,
        anchors=anchors,
        waveform=waveform,
        video_words=video_words,
        audio_words=audio_words,
        similarity=similarity,
        own_intents=own_intents,
        compare=compare,
        own_similarity=own_similarity,
        answer=answer,
        reference=gr.State(None, time_to_live=keep_uploads),
    )


def _take_uploads_only(component: gr.Video) -> None:
    """Clips are uploaded: an address that a request names instead is not fetched, for it could be of any size. The one
    method is replaced, because Gradio writes a file beside the source of each class derived from its components.
    """
    move = component.async_move_resource_to_block_cache

    async def refuse_addresses(url_or_file_path):
        if "://" in str(url_or_file_path):
            raise gr.Error("Upload the clip: addresses are not opened.", print_exception=False)
        return await move(url_or_file_path)

    component.async_move_resource_to_block_cache = refuse_addresses


def _card(content: str, label: str, name: str) -> gr.HTML:
    return gr.HTML(content, label=label, show_label=True, container=True, elem_id=name)
