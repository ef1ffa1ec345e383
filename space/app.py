# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The demo: a clip and its words to the intent behind them, and why. Start it with `python space/app.py`."""

try:
    import spaces  # the Hub's ZeroGPU, which wants to be imported before torch
except ImportError:
    spaces = None

import functools
import json
import logging
import os
from collections.abc import Callable
from typing import Any

import explanation
import gradio as gr
from layout import PLACEHOLDER, Page, lay_out, theme
from recognition import (
    FOLDER,
    MAX_CLIP_BYTES,
    MODALITIES,
    NO_MODALITY,
    InputError,
    ModelSourceError,
    Recognizer,
    parse_own_intents,
)


logger = logging.getLogger("amess.demo")

EXAMPLES = FOLDER / "examples"
# Requests that may wait; one runs at a time.
MAX_WAITING = 16
BUSY = "Many visitors are here at this moment. Please try again in a minute."
# Seconds: every CLEAN_EVERY, files of visitors that are older than KEEP_UPLOADS are deleted.
CLEAN_EVERY, KEEP_UPLOADS = 300, 1800


def on_gpu(function: Callable) -> Callable:
    """On ZeroGPU a function borrows the GPU for its call; elsewhere nothing changes."""
    return function if spaces is None else spaces.GPU(duration=30)(function)


def in_words(function: Callable) -> Callable:
    """What a visitor can mend is said in words; of what went wrong here a visitor learns only that it did."""

    @functools.wraps(function)
    def guarded(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except InputError as error:
            raise gr.Error(str(error), title="That did not work", print_exception=False) from None
        except Exception:
            logger.exception("%s failed", function.__name__)
            raise gr.Error("Something went wrong on our side. Please try again.", print_exception=False) from None

    return guarded


class Demo:
    """What the page does. `predict` and `compare` run the model, one call at a time; all else draws their answers.

    Args:
        recognizer: the model; visitors share it.
    """

    def __init__(self, recognizer: Recognizer):
        self.recognizer = recognizer
        self.examples = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))

    def build(self) -> gr.Blocks:
        """The page with its events, and the API endpoint `/predict`."""
        config = self.recognizer.config
        # Served as they are: files of visitors are the only ones that are copied, and deleted.
        gr.set_static_paths([EXAMPLES])
        with gr.Blocks(
            title="A-MESS: the intent behind an utterance",
            analytics_enabled=False,
            fill_width=True,
            delete_cache=(CLEAN_EVERY, KEEP_UPLOADS),
        ) as blocks:
            page = lay_out(
                [(self._still(example), f"“{example['text']}”") for example in self.examples],
                threshold=round(config.out_of_scope_threshold or 0.0, 2),
                transcribes=self.recognizer.asr_model is not None,
                labels=config.num_labels,
                keep_uploads=KEEP_UPLOADS,
                model=self.recognizer.description,
            )
            self._connect(page)
        self.queue = blocks.queue(max_size=MAX_WAITING, default_concurrency_limit=1)._queue
        return blocks

    def _connect(self, page: Page) -> None:
        inputs = [page.clip, page.transcript, page.modalities]
        runs_model = {"concurrency_id": "model", "concurrency_limit": 1}
        predicts = {**runs_model, "validator": self.check, "show_progress_on": [page.verdict, page.intents]}
        # Gradio keeps what is private out of the API and its description.
        draws = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

        def show(answer, clip, transcript, modalities, threshold, reference):
            shown = self.show(answer, clip, transcript, modalities, threshold, reference)
            return {getattr(page, name): value for name, value in shown.items()}

        shown = [
            *(page.verdict, page.intents, page.moved, page.transcript, page.anchors, page.waveform),
            *(page.video_words, page.audio_words, page.similarity, page.reference),
        ]
        chosen = page.examples.select(self.choose, None, inputs, **draws)
        predicted = [
            page.run.click(self.predict, inputs, page.answer, api_name="predict", **predicts),
            page.transcript.submit(self.predict, inputs, page.answer, api_visibility="private", **predicts),
            page.modalities.input(self.predict, inputs, page.answer, api_visibility="private", **predicts),
            chosen.then(self.predict, inputs, page.answer, api_visibility="private", **predicts),
        ]
        for event in predicted:
            event.success(show, [page.answer, *inputs, page.threshold, page.reference], shown, **draws)
        page.threshold.change(
            self.judge, [page.answer, page.threshold], page.verdict, trigger_mode="always_last", **draws
        )
        page.compare.click(
            self.compare,
            [*inputs, page.own_intents],
            page.own_similarity,
            validator=self.check_own_intents,
            api_visibility="private",
            **runs_model,
        )
        emptied = {
            page.clip: None,
            page.transcript: "",
            page.modalities: list(MODALITIES),
            page.answer: None,
            page.verdict: PLACEHOLDER,
            page.intents: None,
            page.moved: gr.HTML("", visible=False),
            page.anchors: [],
            page.waveform: "",
            page.video_words: None,
            page.audio_words: None,
            page.similarity: "",
            page.own_similarity: "",
            page.reference: None,
        }
        page.clear.click(lambda: emptied, None, list(emptied), **draws)

    def check(self, clip: str | None, transcript: str, modalities: list[str], *others: Any) -> list[dict]:
        """Before the queue: for each input, whether it can be used, and why not."""
        problems = [
            self.recognizer.problem_with_clip(clip),
            self.recognizer.problem_with_transcript(clip, transcript or "", modalities),
            None if modalities else NO_MODALITY,
            *(None for _ in others),
        ]
        # Gradio counts before it calls this: of many that come at once, all would get past its limit.
        if not any(problems) and len(self.queue) >= MAX_WAITING:
            problems[1] = BUSY
        return [gr.validate(problem is None, problem or "") for problem in problems]

    def check_own_intents(self, clip: str | None, transcript: str, modalities: list[str], own: str) -> list[dict]:
        """As `check`, and whether the visitor's intents can be read."""
        checked = self.check(clip, transcript, modalities)
        try:
            parse_own_intents(own or "")
        except InputError as error:
            return [*checked, gr.validate(False, str(error))]
        return [*checked, gr.validate(True, "")]

    @in_words
    @on_gpu
    def predict(
        self,
        clip: str | None,
        transcript: str = "",
        modalities: list[str] | None = None,
        progress=gr.Progress(),  # noqa: B008
    ) -> dict[str, Any]:
        """The intent behind a clip and its words: what the pipeline returns, with every intent.

        Args:
            clip: the file, with its sound.
            transcript: what is said in it.
            modalities: which of "text", "video" and "audio" the model may use.
        """
        progress(0.2, desc="Reading words, picture and sound")
        return self.recognizer.recognize(clip, transcript or "", modalities or MODALITIES)

    @in_words
    @on_gpu
    def compare(
        self,
        clip: str | None,
        transcript: str,
        modalities: list[str],
        own: str,
        progress=gr.Progress(),  # noqa: B008
    ) -> str:
        """The visitor's own intents, the most similar first."""
        progress(0.2, desc="Comparing with your descriptions")
        descriptions = parse_own_intents(own or "")
        similarities = self.recognizer.own_intents(clip, transcript or "", modalities, descriptions)
        return explanation.similarity(similarities, descriptions, rows=len(descriptions))

    def choose(self, event: gr.SelectData) -> tuple[str, str, list[str]]:
        """An example into the inputs."""
        example = self.examples[event.index]
        return str(EXAMPLES / example["file"]), example["text"], list(MODALITIES)

    def judge(self, answer: dict | None, threshold: float) -> str:
        """The verdict at a threshold."""
        return (
            explanation.verdict(answer, threshold, self.recognizer.config.out_of_scope_label)
            if answer
            else PLACEHOLDER
        )

    @in_words
    def show(
        self,
        answer: dict[str, Any],
        clip: str | None,
        transcript: str,
        modalities: list[str],
        threshold: float,
        reference: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """An answer as values of the page's components, by their names in `Page`.

        Args:
            reference: the intents that everything together gave, and for which input; later answers to it that leave
                something out are held against them.
        """
        config = self.recognizer.config
        asked = [clip, transcript.strip()]
        everything = set(modalities) == set(MODALITIES)
        if everything:
            reference = {"input": [clip, answer["text"]], "intents": explanation.probabilities(answer)}
        comparable = not everything and reference is not None and reference["input"] == asked
        pictures = self.recognizer.pictures(clip) if "video" in modalities else None
        sound = self.recognizer.decode(clip) if "audio" in modalities else None
        return {
            "verdict": self.judge(answer, threshold),
            "intents": explanation.probabilities(answer),
            "moved": gr.HTML(
                explanation.moved(reference["intents"], answer) if comparable else "", visible=comparable
            ),
            "transcript": answer["text"] if everything else gr.skip(),
            "anchors": explanation.anchor_frames(answer, pictures),
            "waveform": explanation.waveform(answer, sound),
            "video_words": explanation.matched_words(answer, "video"),
            "audio_words": explanation.matched_words(answer, "audio"),
            "similarity": explanation.similarity(
                answer["explanation"]["description_similarity"], config.label_descriptions or {}
            ),
            "reference": reference,
        }

    def _still(self, example: dict[str, str]):
        """The picture in the middle of an example."""
        frames = self.recognizer.pictures(str(EXAMPLES / example["file"])).frames
        return frames[len(frames) // 2]


def serve(blocks: gr.Blocks, **options: Any) -> tuple:
    """Serves the page within its limits; `options` go to `gr.Blocks.launch`, which describes the result."""
    return blocks.launch(
        theme=theme(),
        css_paths=FOLDER / "style.css",
        max_file_size=MAX_CLIP_BYTES,
        footer_links=["api"],
        run_history=False,
        ssr_mode=False,
        **options,
    )


def main() -> None:
    """Loads the model that `model_source` names and serves it until the process ends."""
    try:
        recognizer = Recognizer.from_environment()
    except ModelSourceError as error:
        raise SystemExit(str(error)) from None
    # Gradio's video shows files of the working directory only: the examples, wherever the demo was started from.
    os.chdir(FOLDER)
    serve(Demo(recognizer).build())


if __name__ == "__main__":
    main()
