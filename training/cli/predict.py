# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess predict`: recognise the intents of clips, with the evidence, for people or as JSON lines."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dataset_scripts.errors import UserError
from dataset_scripts.extraction.command import add_limit_arguments, error_in_words, limits_of


if TYPE_CHECKING:
    from modeling_amess import IntentRecognitionPipeline

# The model that README's training command writes. The demo has the same default, and a test compares the two:
# a Space on the Hub holds the files of space/ alone and cannot import this one.
DEFAULT_MODEL = "runs/sample-amess/pretrained"
DESCRIPTION = """\
Name the intent behind what is said in a clip, and show the evidence.

A clip is a file with video, audio or both. A-MESS also reads what is said: give the words with --text, in a file
clip.txt beside clip.mp4, or in the column text of a TSV or CSV file with a column clip. Or let Whisper transcribe the
sound: --asr_model openai/whisper-base.
"""
EXAMPLES = """\
examples:
  amess predict clip.mp4 --text "oh, great."
  amess predict a.mp4 b.mp4 --text "oh, great." --text "thanks a lot."      # one --text per clip, in the same order
  amess predict clips.tsv --json > intents.jsonl                            # columns clip (relative to it) and text
  amess predict clips/ --asr_model openai/whisper-base                      # every clip of a folder
  amess predict clip.mp4 --text "oh, great." --explain why.png              # frames, sound, words and intents
  amess predict --text "can you give me a hand?" --top_k 3                  # text alone
  amess predict clips/ --candidate_labels intents.json                      # among intents of your own
  amess predict --text "sure you did." --context "i won." --context "really?"   # a model trained on dialogues

intents of your own: a JSON file with their descriptions, {"Reassure": ["To take away someone's worry."], ...}

how to read the evidence:
  "video: great 1.17 s" says that the token "great" is an anchor of the video: it stands for the video, and it reads
  most from the frame at 1.17 s. Tokens in brackets, such as [CLS], belong to the text encoder. "out of scope" means
  that none of the intents that the model knows fits.

exit status: 0 all clips were recognised, 1 some failed and were skipped, 2 the command or its input is wrong.
"""
_BAR_WIDTH = 24
_ANCHORS_SHOWN = 4
_PICTURE_ENDINGS = (".png", ".svg", ".pdf", ".jpg")


class PredictError(UserError):
    """A command line that cannot work."""


@dataclass(frozen=True)
class Input:
    """A clip, what is said in it, or both."""

    clip: str | None
    text: str | None

    @property
    def name(self) -> str:
        """The name of this input in results and messages."""
        return self.clip if self.clip is not None else repr(self.text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument(
        "clips", nargs="*", metavar="CLIP", help="a clip, a folder of clips, or a TSV or CSV file with a column clip"
    )
    parser.add_argument("--text", action="append", metavar="TEXT", help="what is said; one --text per clip")
    add_model_argument(parser)
    parser.add_argument(
        "--context",
        action="append",
        metavar="TEXT",
        help="utterance before this one, for a model that was trained on dialogues; one --context per utterance, "
        "oldest first",
    )
    parser.add_argument(
        "--candidate_labels", metavar="JSON", help="intents to choose from instead of the model's, with descriptions"
    )
    parser.add_argument("--asr_model", metavar="MODEL", help="Whisper checkpoint that transcribes clips without text")
    parser.add_argument("--top_k", type=int, default=5, metavar="K", help="intents shown per clip (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one line of JSON per clip, with the whole explanation")
    parser.add_argument(
        "--explain",
        metavar="PNG",
        help="picture to draw the evidence into; several clips give numbered ones (why-1.png, why-2.png)",
    )
    add_limit_arguments(parser)


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option `--model` to a parser."""
    parser.add_argument(
        "--model",
        default=os.environ.get("AMESS_MODEL", DEFAULT_MODEL),
        metavar="MODEL",
        help="folder or Hub id of a trained model; by default $AMESS_MODEL, or else the model that training on the "
        "sample writes (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Recognise the clips of the command line and return the exit status."""
    try:
        inputs = read_inputs(arguments.clips, arguments.text or [])
        _check_options(arguments, len(inputs))
        options = {}
        if arguments.candidate_labels is not None:
            # here, because this package loads torch
            from modeling_amess.descriptions_amess import read_descriptions

            options["candidate_labels"] = read_descriptions(arguments.candidate_labels)
        recognizer = load_recognizer(arguments.model, **options)
    except (OSError, ValueError) as error:
        print(f"amess predict: {error}", file=sys.stderr)
        return 2

    failed = 0
    for number, one in enumerate(_with_progress(inputs), start=1):
        try:
            result = _recognize(recognizer, one, arguments, _numbered(arguments.explain, number, len(inputs)))
        except Exception as error:  # whatever one clip does, the others are recognised
            failed += 1
            print(error_in_words(error, one.name), file=sys.stderr)
            continue
        if arguments.json:
            print(json.dumps({"clip": one.clip, **result}, ensure_ascii=False), flush=True)
        else:
            print(readable(one.name, result), flush=True)
    if failed and len(inputs) > 1:
        print(f"{failed} of {len(inputs)} failed and were skipped.", file=sys.stderr)
    return 1 if failed else 0


def _recognize(
    recognizer: IntentRecognitionPipeline, one: Input, arguments: argparse.Namespace, picture: Path | None
) -> dict[str, Any]:
    parts = {"video": one.clip, "text": one.text, "context": arguments.context}
    options = {"top_k": arguments.top_k, "asr_model": arguments.asr_model, "limits": limits_of(arguments)}
    if picture is None:
        return cast("dict[str, Any]", recognizer(parts, **options))
    # here, because matplotlib takes time to load
    from .explanation_picture import PICTURE_SIZE, draw_explanation

    result = cast("dict[str, Any]", recognizer(parts, **options, return_clip=True, picture_size=PICTURE_SIZE))
    draw_explanation(result, result.pop("clip"), picture, title=one.name)
    return result


def read_inputs(clips: list[str], texts: list[str]) -> list[Input]:
    """Read the inputs that a command line names, in its order.

    Args:
        clips: Clips, folders of clips, and TSV or CSV files.
        texts: One text per clip, or none. Without clips each text is an input.

    Raises:
        PredictError: No input, or a number of texts that is not the number of clips.
        ValueError: A folder without clips, or a defect in a file.
    """
    if not clips and not texts:
        raise PredictError('No input was given: give a clip, or --text "...". See amess predict --help.')
    if not clips:
        return [Input(None, text) for text in texts]
    inputs: list[Input] = []
    for clip in clips:
        if Path(clip).is_dir() or Path(clip).suffix.lower() in (".tsv", ".csv"):
            # here, because `amess --help` and single clips do without it
            from dataset_scripts.extraction.rows import read_clip_rows

            listed = read_clip_rows(clip)
            inputs += [Input(str(listed.root / row["clip"]), row.get("text") or None) for row in listed.rows]
        else:
            inputs.append(Input(clip, None))
    if texts:
        if len(texts) != len(inputs):
            raise PredictError(
                f"{len(inputs)} clips and {len(texts)} --text were given: give one --text per clip, in the same order."
            )
        if any(one.text is not None for one in inputs):
            raise PredictError("The text of a clip was given twice, in a file and with --text: leave --text out.")
        inputs = [Input(one.clip, text) for one, text in zip(inputs, texts, strict=True)]
    return [one if one.text is not None else replace(one, text=_text_beside(one.clip)) for one in inputs]


def load_recognizer(model: str, **options: Any) -> IntentRecognitionPipeline:
    """Load the pipeline of a trained model.

    Args:
        model: Folder or Hub id.
        options: Further arguments of the pipeline's construction.

    Raises:
        PredictError: The folder does not exist or holds no model.
        OSError, ValueError: The model cannot be loaded.
    """
    # transformers takes a path that does not exist for a Hub id, and its error then speaks of the network.
    looks_like_path = model == DEFAULT_MODEL or model.startswith((".", "/", "~")) or model.count("/") > 1
    folder = Path(model).expanduser()
    if looks_like_path and not (folder / "config.json").is_file():
        raise PredictError(
            f"There is no model at {model}. Train one on the sample (accelerate launch training/train.py), or name "
            "a model with --model or $AMESS_MODEL."
        )
    # here, because transformers and torch take seconds to load
    from transformers import pipeline
    from transformers.utils.logging import disable_progress_bar

    from modeling_amess import IntentRecognitionPipeline  # the import also registers the task

    disable_progress_bar()
    recognizer: Any = pipeline(  # type: ignore[call-overload]  # transformers' overloads know its own tasks only
        "multimodal-intent-recognition", model=str(folder) if looks_like_path else model, **options
    )
    assert isinstance(recognizer, IntentRecognitionPipeline)
    return recognizer


def readable(name: str, result: dict[str, Any]) -> str:
    """Format a result of the pipeline for a terminal: several lines, the last one empty."""
    width = max(len(intent["label"]) for intent in result["intents"])
    lines = [name, f'  "{result["text"]}"' if result["text"] else "  (no text)"]
    lines += [
        f"  {intent['label']:{width}}  {_bar(intent['score'])}  {intent['score']:6.1%}" for intent in result["intents"]
    ]
    if result["out_of_scope"]:
        lines.append("  out of scope: none of the intents that the model knows fits")
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


def _text_beside(clip: str | None) -> str | None:
    """Read the transcript `clip.txt` beside `clip.mp4`, where speech recognisers write it."""
    if clip is None:
        return None
    transcript = Path(clip).with_suffix(".txt")
    if transcript == Path(clip) or not transcript.is_file():
        return None
    return " ".join(transcript.read_text(encoding="utf-8").split()) or None


def _check_options(arguments: argparse.Namespace, inputs: int) -> None:
    """Refuse, before the work starts, options that cannot work."""
    if arguments.top_k < 1:
        raise PredictError(f"--top_k is {arguments.top_k}: give the number of intents to show, at least 1.")
    if arguments.context and inputs > 1:
        raise PredictError(
            f"--context belongs to one input, and {inputs} were given: recognise utterances with context one by one."
        )
    if arguments.explain is None:
        return
    path = Path(arguments.explain)
    if importlib.util.find_spec("matplotlib") is None:
        raise PredictError("--explain draws with matplotlib, which is not installed: pip install matplotlib.")
    if path.suffix.lower() not in _PICTURE_ENDINGS:
        raise PredictError(f"--explain {path}: the name of the picture must end in {', '.join(_PICTURE_ENDINGS)}.")
    if not path.absolute().parent.is_dir():
        raise PredictError(f"--explain {path}: the folder does not exist; create it first.")


def _numbered(picture: str | None, number: int, count: int) -> Path | None:
    if picture is None:
        return None
    path = Path(picture)
    return path if count == 1 else path.with_stem(f"{path.stem}-{number}")


def _with_progress(inputs: list[Input]) -> Iterable[Input]:
    """Show a progress bar where the results themselves do not show how far the work is."""
    if len(inputs) == 1 or sys.stdout.isatty():
        return inputs
    from tqdm import tqdm  # here, because most commands do without it

    # None: no bar where standard error is no terminal either
    return cast("Iterable[Input]", tqdm(inputs, unit="clip", disable=None))
