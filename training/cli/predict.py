# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess predict`: clips to intents and reasons, for people or as JSON lines."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from modeling_amess import IntentRecognitionPipeline

DEFAULT_MODEL = "runs/sample-amess/pretrained"
DESCRIPTION = """\
Name the intent behind what is said in a clip, and show what the decision rested on.

A clip is a file with video, audio or both. A-MESS also reads what is said: give it by --text, in a file clip.txt
beside clip.mp4, or in the column text of a TSV or CSV file with a column clip. Or let Whisper transcribe the sound:
--asr_model openai/whisper-base.
"""
EXAMPLES = """\
examples:
  amess predict clip.mp4 --text "oh, great."
  amess predict a.mp4 b.mp4 --text "oh, great." --text "thanks a lot."      # one --text a clip, in the same order
  amess predict clips.tsv --json > intents.jsonl                            # columns clip (relative to it) and text
  amess predict clips/ --asr_model openai/whisper-base                      # every clip of a folder
  amess predict clip.mp4 --text "oh, great." --explain why.png              # frames, sound, words and intents
  amess predict --text "can you give me a hand?" --top_k 3                  # text alone
  amess predict clips/ --candidate_labels intents.json                      # among intents of your own
  amess predict --text "sure you did." --context "i won." --context "really?"   # a model trained on dialogues

intents of your own: a JSON file of each one's descriptions, {"Reassure": ["To take away someone's worry."], ...}

how to read the reasons:
  "video: great 1.17 s" says that the token "great" stands for the video, and reads most from the frame at 1.17 s.
  Tokens in brackets, such as [CLS], are the text encoder's own. "out of scope" means: none of the intents it knows.

exit status: 0 all clips were recognised, 1 some failed and were skipped, 2 the command or its input is wrong.
"""
_BAR_WIDTH = 24
_ANCHORS_SHOWN = 4


class PredictError(ValueError):
    """A command that cannot be carried out. The message says what to change."""


@dataclass(frozen=True)
class Input:
    """A clip, what is said in it, or both."""

    clip: str | None
    text: str | None

    @property
    def name(self) -> str:
        """What the results and errors call it."""
        return self.clip if self.clip is not None else repr(self.text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument(
        "clips", nargs="*", metavar="CLIP", help="a clip, a folder of clips, or a TSV or CSV file with a column clip"
    )
    parser.add_argument("--text", action="append", metavar="TEXT", help="what is said; once for each clip")
    parser.add_argument(
        "--model",
        default=os.environ.get("AMESS_MODEL", DEFAULT_MODEL),
        metavar="MODEL",
        help="folder or Hub id of a model that takes clips; $AMESS_MODEL, or else what training on the sample left "
        "(%(default)s)",
    )
    parser.add_argument(
        "--context",
        action="append",
        metavar="TEXT",
        help="what was said before one input; repeated, oldest first",
    )
    parser.add_argument(
        "--candidate_labels", metavar="JSON", help="intents to choose from instead of the model's, with descriptions"
    )
    parser.add_argument("--asr_model", metavar="MODEL", help="Whisper checkpoint that transcribes clips without text")
    parser.add_argument("--top_k", type=int, default=5, metavar="K", help="intents shown of each clip (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one line of JSON a clip, with the whole explanation")
    parser.add_argument(
        "--explain",
        metavar="PNG",
        help="draw the reasons into a picture; of several clips into numbered ones (why-1.png, why-2.png)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Recognise the clips of the command line; the exit status."""
    try:
        inputs = read_inputs(arguments.clips, arguments.text or [])
        if arguments.top_k < 1:
            raise PredictError(f"--top_k {arguments.top_k}: at least one intent must be shown.")
        if arguments.context and len(inputs) > 1:
            raise PredictError(f"--context is what was said before one input, and there are {len(inputs)}.")
        if arguments.explain is not None:
            _check_picture(Path(arguments.explain))
        options = {}
        if arguments.candidate_labels is not None:
            from modeling_amess.descriptions_amess import read_descriptions

            options["candidate_labels"] = read_descriptions(arguments.candidate_labels)
        recognizer = load_recognizer(arguments.model, **options)
    except (OSError, ValueError) as error:
        print(f"amess predict: {error}", file=sys.stderr)
        return 2

    failed = 0
    for number, one in enumerate(_with_progress(inputs), start=1):
        try:
            parts = {"video": one.clip, "text": one.text, "context": arguments.context}
            result = recognizer(parts, top_k=arguments.top_k, asr_model=arguments.asr_model)
            if arguments.explain is not None:
                from .explanation_picture import draw_explanation

                clip = None if one.clip is None else recognizer.processor.decode(one.clip)
                draw_explanation(result, clip, _picture_path(arguments.explain, number, len(inputs)), title=one.name)
        except (OSError, ValueError, ImportError) as error:
            failed += 1
            message = str(error)
            print(message if one.name in message else f"{one.name}: {message}", file=sys.stderr)
            continue
        if arguments.json:
            print(json.dumps({"clip": one.clip, **result}, ensure_ascii=False), flush=True)
        else:
            print(readable(one.name, result), flush=True)
    if failed and len(inputs) > 1:
        print(f"{failed} of {len(inputs)} failed and were skipped.", file=sys.stderr)
    return 1 if failed else 0


def read_inputs(clips: list[str], texts: list[str]) -> list[Input]:
    """What a command line asks for, in its order.

    Args:
        clips: clips, folders of clips, and TSV or CSV files.
        texts: one for each clip, or none; without clips, inputs of their own.

    Raises:
        PredictError: nothing to do, or numbers that do not fit.
        ValueError: a folder without clips, a defect in a file.
    """
    if not clips and not texts:
        raise PredictError('give a clip, or --text "...". See amess predict --help.')
    if not clips:
        return [Input(None, text) for text in texts]
    inputs = []
    for clip in clips:
        if Path(clip).is_dir() or Path(clip).suffix.lower() in (".tsv", ".csv"):
            from dataset_scripts.extraction.rows import read_clip_rows

            listed = read_clip_rows(clip)
            inputs += [Input(str(listed.root / row["clip"]), row.get("text") or None) for row in listed.rows]
        else:
            inputs.append(Input(clip, None))
    if texts:
        if len(texts) != len(inputs):
            raise PredictError(
                f"there are {len(inputs)} clips and {len(texts)} --text: give one for each clip, in the same order."
            )
        if any(one.text is not None for one in inputs):
            raise PredictError("the text of a clip is given twice, in a file and by --text.")
        inputs = [Input(one.clip, text) for one, text in zip(inputs, texts, strict=True)]
    return [one if one.text is not None else Input(one.clip, _text_beside(one.clip)) for one in inputs]


def load_recognizer(model: str, **options: Any) -> IntentRecognitionPipeline:
    """The pipeline of a folder or Hub id, with further options of its construction.

    Raises:
        PredictError: there is no such folder, or no model in it.
        OSError, ValueError: from loading it.
    """
    # A path that is not there would be taken for a Hub id, and the error would speak of the network.
    looks_like_path = model == DEFAULT_MODEL or model.startswith((".", "/", "~")) or model.count("/") > 1
    folder = Path(model).expanduser()
    if looks_like_path and not (folder / "config.json").is_file():
        raise PredictError(
            f"there is no model at {model}. Train one on the sample (accelerate launch training/train.py), or name "
            "one by --model or $AMESS_MODEL."
        )
    from transformers import pipeline
    from transformers.utils import logging

    import modeling_amess  # noqa: F401  (registers the pipeline)

    logging.disable_progress_bar()
    return pipeline("multimodal-intent-recognition", model=str(folder) if looks_like_path else model, **options)


def readable(name: str, result: dict[str, Any]) -> str:
    """A result of the pipeline for a terminal, over several lines and with an empty one at the end."""
    width = max(len(intent["label"]) for intent in result["intents"])
    lines = [name, f'  "{result["text"]}"' if result["text"] else "  (no text)"]
    for intent in result["intents"]:
        lines.append(f"  {intent['label']:{width}}  {_bar(intent['score'])}  {intent['score']:6.1%}")
    if result["out_of_scope"]:
        lines.append("  out of scope: none of the intents that the model knows")
    missing = [modality for modality in ("text", "video", "audio") if modality not in result["modalities"]]
    if missing:
        lines.append(f"  without {' and '.join(missing)}")
    explanation = result["explanation"]
    for modality in ("video", "audio"):
        anchors = explanation[f"{modality}_anchors"][:_ANCHORS_SHOWN]
        if anchors:
            lines.append(f"  {modality}: {', '.join(map(_anchor_text, anchors))}")
    similar = sorted(explanation["description_similarity"].items(), key=lambda item: -item[1])[:3]
    if similar:
        lines.append(f"  closest descriptions: {', '.join(f'{label} {value:.2f}' for label, value in similar)}")
    return "\n".join(lines) + "\n"


def _anchor_text(anchor: dict[str, Any]) -> str:
    return anchor["token"] if anchor["time"] is None else f"{anchor['token']} {anchor['time']:.2f} s"


def _bar(share: float) -> str:
    filled = round(share * _BAR_WIDTH)
    full, empty = ("█", "░") if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else ("#", ".")
    return full * filled + empty * (_BAR_WIDTH - filled)


def _text_beside(clip: str) -> str | None:
    """The transcript `clip.txt` beside `clip.mp4`, as speech recognisers write it."""
    transcript = Path(clip).with_suffix(".txt")
    if transcript == Path(clip) or not transcript.is_file():
        return None
    return " ".join(transcript.read_text(encoding="utf-8").split()) or None


def _check_picture(path: Path) -> None:
    """Say before the work starts that its result could not be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise PredictError("--explain draws with matplotlib, which is not installed: pip install matplotlib")
    if path.suffix.lower() not in (".png", ".svg", ".pdf", ".jpg"):
        raise PredictError(f"--explain {path}: the name of the picture must end in .png, .svg, .pdf or .jpg.")
    if not path.absolute().parent.is_dir():
        raise PredictError(f"--explain {path}: the folder does not exist.")


def _picture_path(path: str, number: int, count: int) -> Path:
    base = Path(path)
    return base if count == 1 else base.with_stem(f"{base.stem}-{number}")


def _with_progress(inputs: list[Input]) -> Any:
    """A progress bar where the results do not show themselves how far the work is."""
    if len(inputs) == 1 or sys.stdout.isatty():
        return inputs
    from tqdm import tqdm

    return tqdm(inputs, unit="clip", disable=None)  # None: not where standard error is no terminal either
