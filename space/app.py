# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The demo: the intent behind a clip and its words, and the evidence for it. Start it with `python space/app.py`."""

if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    try:
        from dataset_scripts.errors import run_command
    except ModuleNotFoundError:
        pass  # a Space on the Hub holds the files of space/ alone
    else:
        run_command("app:main")

try:
    import spaces  # the Hub's ZeroGPU, to be imported before torch
except ImportError:
    spaces = None

import asyncio
import contextlib
import functools
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import answer_view
import gradio as gr
from gate import Gate
from gradio.utils import get_upload_folder
from layout import NO_COMPARISON, PLACEHOLDER, Page, lay_out, theme
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
from starlette.middleware import Middleware
from uploads import claim_folder, delete_all, delete_old


logger = logging.getLogger("amess.demo")

EXAMPLES = FOLDER / "examples"
# Requests that may wait; one runs at a time. As many may be checked before that, and half as many answers be drawn:
# fewer together than Gradio's 40 threads, so that the others are told at once.
MAX_WAITING = 16
BUSY = "Many visitors are here right now. Please try again in a minute."
WRONG = "Something went wrong on our side. Please try again."
# Every CLEAN_EVERY seconds, the demo deletes the visitors' files that are older than KEEP_UPLOADS seconds.
CLEAN_EVERY, KEEP_UPLOADS = 300, 1800
# Empties the transcript if its words are those of the last answer, and that answer was of a clip.
WITHOUT_OLD_WORDS = """(transcript, answer) =>
    answer && answer.text === transcript && answer.modalities.some(name => name !== "text") ? "" : transcript"""
# Gradio remembers the inputs of so many visitors, each at most gate.MAX_JSON_BYTES per request.
MAX_SESSIONS = 200


def on_gpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """Borrow ZeroGPU's GPU for each call, in a process of its own; elsewhere return the function unchanged."""
    if spaces is None:
        return function
    borrowing: Callable[..., Any] = spaces.GPU(duration=30)(function)
    return borrowing


def in_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show a visitor the errors that a visitor can mend; of other errors only that one happened."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except InputError as error:
            raise gr.Error(str(error), title="That did not work", print_exception=False) from None
        except Exception:
            logger.exception("%s failed", function.__name__)
            raise gr.Error(WRONG, print_exception=False) from None

    return guarded


class Places:
    """Room for a number of calls at a time.

    Args:
        number: Number of calls.
    """

    def __init__(self, number: int):
        self._free = threading.BoundedSemaphore(number)

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Take a place for the `with` block. Raises InputError where none is free."""
        if not self._free.acquire(blocking=False):
            raise InputError(BUSY)
        try:
            yield
        finally:
            self._free.release()


class Demo:
    """The handlers of the page. `predict` and `compare` run the model, one call at a time; all others draw.

    Args:
        recognizer: Model that all visitors share.
    """

    def __init__(self, recognizer: Recognizer):
        self.recognizer = recognizer
        self.examples: list[dict[str, str]] = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
        # ZeroGPU sends arguments to the process that has the GPU: clips and words, and not this object.
        self._recognize = on_gpu(recognizer.recognize)
        self._own_intents = on_gpu(recognizer.own_intents)
        # Calls outside of the queue, which bounds `predict` and `compare`.
        self._checking, self._drawing = Places(MAX_WAITING), Places(MAX_WAITING // 2)

    def build(self) -> gr.Blocks:
        """Build the page with its events, and the API endpoint `/predict`."""
        config = self.recognizer.config
        # Served from where they are: Gradio copies, and later deletes, only the files of visitors.
        gr.set_static_paths([EXAMPLES])
        blocks = gr.Blocks(
            title="A-MESS: the intent behind an utterance",
            analytics_enabled=False,
            fill_width=True,
        )
        with blocks:
            page = lay_out(
                [(self._still(example), f"“{example['text']}”") for example in self.examples],
                threshold=round(config.out_of_scope_threshold or 0.0, 2),
                asr_model=self.recognizer.asr_model,
                labels=config.num_labels,
                keep_uploads=KEEP_UPLOADS,
                model=self.recognizer.description,
                known_clips=config.known_clips,
            )
            self._connect(page)
        # Closed, because `/gradio_api/run/predict` would go past queue and validator.
        self.queue = blocks.queue(max_size=MAX_WAITING, default_concurrency_limit=1, api_open=False)._queue
        return blocks

    def _connect(self, page: Page) -> None:
        inputs = [page.clip, page.transcript, page.modalities]
        runs_model: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
        predicts = {**runs_model, "validator": self.check, "show_progress_on": [page.verdict, page.intents]}
        # Gradio keeps private events out of the API and of its description.
        draws: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

        def show(*values: Any) -> dict[Any, Any]:
            return {getattr(page, name): value for name, value in self.show(*values).items()}

        shown = [
            *(page.verdict, page.intents, page.transcript, page.why, page.moves, page.anchors, page.waveform),
            page.similarity,
        ]
        chosen = page.examples.select(self.choose, None, inputs, **draws)
        predicted = [
            page.run.click(self.predict, inputs, page.answer, api_name="predict", **predicts),
            page.transcript.submit(self.predict, inputs, page.answer, api_visibility="private", **predicts),
            page.modalities.input(self.predict, inputs, page.answer, api_visibility="private", **predicts),
            chosen.then(self.predict, inputs, page.answer, api_visibility="private", **predicts),
        ]
        for event in predicted:
            event.success(show, [page.answer, *inputs, page.threshold], shown, **draws)
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
        # The result of other intents does not stay beside new ones; this runs in the browser alone.
        page.own_intents.input(None, None, page.own_similarity, js=f"() => {json.dumps(NO_COMPARISON)}", **draws)
        # Nor do the words of the last clip stay beside a new one; those that a visitor has typed since do.
        for replaced in (page.clip.upload, page.clip.stop_recording, page.clip.clear):
            replaced(None, [page.transcript, page.answer], page.transcript, js=WITHOUT_OLD_WORDS, **draws)
        emptied: dict[Any, Any] = {
            page.clip: None,
            page.transcript: "",
            page.modalities: list(MODALITIES),
            page.answer: None,
            page.verdict: PLACEHOLDER,
            page.moves: "",
            page.anchors: "",
            page.waveform: "",
            page.similarity: "",
            page.own_similarity: NO_COMPARISON,
        }

        def clear() -> dict[Any, Any]:
            # Made at the click: made with the page, these would be three more parts of it.
            return emptied | {
                page.examples: gr.Gallery(selected_index=None),
                page.intents: gr.HTML("", visible=False),
                page.why: gr.Column(visible=False),
            }

        page.clear.click(clear, None, [*emptied, page.examples, page.intents, page.why], **draws)

    def check(self, clip: str | None, transcript: str, modalities: list[str], *others: Any) -> list[dict[str, Any]]:
        """Say for each input, before the queue, whether it can be used, and why not."""
        problems = self._problems(clip, transcript, modalities)
        return [gr.validate(problem is None, problem or "") for problem in (*problems, *(None for _ in others))]

    def _problems(self, clip: str | None, transcript: str, modalities: list[str]) -> list[str | None]:
        problems: list[str | None] = [None, BUSY, None]
        try:
            if not self._is_full():
                with self._checking.one():
                    problems = [
                        self.recognizer.problem_with_clip(clip),
                        self.recognizer.problem_with_transcript(clip, transcript or "", modalities),
                        None if modalities else NO_MODALITY,
                    ]
        except InputError as error:
            problems[1] = str(error)
        except Exception:  # Gradio shows a visitor the text of a validator's exception
            logger.exception("check failed")
            problems = [None, WRONG, None]
        # Gradio counts before it calls this, so that many who come at once would all get past its limit.
        if not any(problems) and self._is_full():
            problems[1] = BUSY
        return problems

    def _is_full(self) -> bool:
        return len(self.queue) >= MAX_WAITING

    def check_own_intents(
        self, clip: str | None, transcript: str, modalities: list[str], own: str
    ) -> list[dict[str, Any]]:
        """Check the inputs as `check` does, and whether the visitor's intents can be read.

        Whatever is wrong is said at the intents, beside the button: the other inputs may be a screen away.
        """
        problem = next((problem for problem in self._problems(clip, transcript, modalities) if problem), None)
        if problem is None:
            try:
                parse_own_intents(own or "")
            except InputError as error:
                problem = str(error)
        return [*(gr.validate(True, "") for _ in range(3)), gr.validate(problem is None, problem or "")]

    @in_words
    def predict(
        self,
        clip: str | None,
        transcript: str = "",
        modalities: list[str] | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds the bar by this default
    ) -> dict[str, Any]:
        """Recognise the intent behind a clip and its words: the answer of the pipeline, with every intent.

        Args:
            clip: File of the clip, with its sound.
            transcript: What is said in it; empty to have it transcribed.
            modalities: Those of "text", "video" and "audio" that the model may use.
            progress: Progress bar of the page.
        """
        progress(0.2, desc="Reading words, picture and sound")
        decoded = self.recognizer.decode(clip)
        answer: dict[str, Any] = self._recognize(decoded, transcript or "", modalities or MODALITIES)
        return answer

    @in_words
    def compare(
        self,
        clip: str | None,
        transcript: str,
        modalities: list[str],
        own: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds the bar by this default
    ) -> str:
        """Rank the visitor's own intents, the most similar first."""
        progress(0.2, desc="Comparing with your descriptions")
        descriptions = parse_own_intents(own or "")
        similarities = self._own_intents(self.recognizer.decode(clip), transcript or "", modalities, descriptions)
        return answer_view.similarity(similarities, descriptions, rows=len(descriptions))

    @in_words
    def choose(self, event: gr.SelectData) -> tuple[str, str, list[str]]:
        """Put an example into the inputs."""
        example = self.examples[event.index]
        return str(EXAMPLES / example["file"]), example["text"], list(MODALITIES)

    @in_words
    def judge(self, answer: dict[str, Any] | None, threshold: float) -> str:
        """Write the verdict at a threshold."""
        return answer_view.verdict(answer, threshold, self.recognizer.config) if answer else PLACEHOLDER

    @in_words
    def show(
        self,
        answer: dict[str, Any],
        clip: str | None,
        transcript: str,
        modalities: list[str],
        threshold: float,
    ) -> dict[str, Any]:
        """Draw an answer: values of the page's components, by their names in `Page`.

        Args:
            answer: Answer of the pipeline.
            clip: File of the clip.
            transcript: What is said in it.
            modalities: Modalities that the model could use.
            threshold: Probability below which an intent is out of scope.
        """
        with self._drawing.one():
            decoded = self.recognizer.decode(clip)
            return {
                "verdict": self.judge(answer, threshold),
                "intents": gr.HTML(answer_view.bars(answer), visible=True),
                "transcript": answer["text"] if "text" in modalities else gr.skip(),
                "why": gr.Column(visible=True),
                "moves": answer_view.variants(answer),
                "anchors": answer_view.anchor_frames(answer, decoded if "video" in answer["modalities"] else None),
                "waveform": answer_view.waveform(answer, decoded if "audio" in answer["modalities"] else None),
                "similarity": answer_view.similarity(
                    answer["explanation"]["description_similarity"], self.recognizer.config.label_descriptions or {}
                ),
            }

    def _still(self, example: dict[str, str]) -> Any:
        """Take the picture in the middle of an example."""
        clip = self.recognizer.decode(str(EXAMPLES / example["file"]))
        assert clip is not None and clip.pictures is not None
        return clip.pictures[len(clip.pictures) // 2]


def serve(blocks: gr.Blocks, **options: Any) -> Any:
    """Serve the page within its limits; `options` go to `gr.Blocks.launch`, which describes the result."""
    kept = {str(file) for block in blocks.blocks.values() for file in block.keep_in_cache}

    @contextlib.asynccontextmanager
    async def cleaning(_: Any) -> AsyncIterator[None]:
        async def clean() -> None:
            while True:
                await asyncio.to_thread(delete_old, KEEP_UPLOADS, kept)
                await asyncio.sleep(CLEAN_EVERY)

        task = asyncio.create_task(clean())
        yield
        task.cancel()

    gate = Middleware(Gate, folders=(Path(get_upload_folder()), EXAMPLES))
    return blocks.launch(
        theme=theme(),
        css_paths=FOLDER / "style.css",
        max_file_size=MAX_CLIP_BYTES,
        footer_links=["api"],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        state_session_capacity=MAX_SESSIONS,
        app_kwargs={"lifespan": cleaning, "middleware": [gate]},
        **options,
    )


def main() -> None:
    """Load the model that `model_source` names, and serve it until the process ends."""
    try:
        recognizer = Recognizer.from_environment()
    except ModelSourceError as error:
        raise SystemExit(str(error)) from None
    # Gradio's video shows files of the working directory only; so the examples show wherever the demo was started.
    os.chdir(FOLDER)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    uploads = claim_folder()
    try:
        serve(Demo(recognizer).build())
    finally:
        delete_all(uploads)


if __name__ == "__main__":
    main()
