# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess predict`: recognise the intents of clips, with the evidence, for people or as JSON lines."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from dataset_scripts.errors import UserError, loading
from dataset_scripts.extraction.command import add_limit_arguments, answer_or_error, limits_of
from dataset_scripts.user_text import UserTextError, decode_user_text, tell_guessed

from .batches import NamedParts, answers


if TYPE_CHECKING:
    from modeling_amess import IntentRecognitionPipeline

# The model that README's training command writes. The demo has the same default, and a test compares the two:
# a Space on the Hub holds the files of space/ alone and cannot import this one.
DEFAULT_MODEL = "runs/sample-amess/pretrained"
DESCRIPTION = """\
Name the intent behind what is said in a clip, and show the evidence.

A clip is a file with video, audio or both. A-MESS also reads what is said: give the words with --text, in a file
clip.txt beside clip.mp4, or in the column text of a TSV or CSV file, whose column clip names the clips. Otherwise
Whisper writes down what it hears, and the command prints that; larger models hear better: --asr_model small.
"""
EXAMPLES = """\
examples:
  amess predict clip.mp4                                                    # Whisper writes down the words
  amess predict clip.mp4 --text "oh, great."
  amess predict a.mp4 b.mp4 --text "oh, great." --text "thanks a lot."      # one --text per clip, in the same order
  amess predict clips.tsv --json > intents.jsonl                            # columns clip (relative to it) and text
  amess predict clips/ --asr_model small                                    # every clip of a folder
  amess predict clip.mp4 --text "oh, great." --explain why.png              # frames, sound, words and intents
  amess predict --text "can you give me a hand?" --top_k 3                  # text alone
  amess predict --text "can you give me a hand?" --coverage 0.9              # all intents that it may well be
  amess predict clips/ --candidate_labels intents.json                      # among intents of your own
  amess predict --text "sure you did." --context "i won." --context "really?"   # a model trained on dialogues

intents of your own: a JSON file with their descriptions, {"Reassure": ["To take away someone's worry."], ...}, or a
text file with a line per description, "Reassure: To take away someone's worry.", or such lines as the argument. Names
alone, "Reassure,Boast", work too, less well: each then is its own description.

how to read the answer:
  "the picture is unlike the clips ..." means that the model has met nothing of this kind; see --on_unfamiliar.
  "unsure: Thank or Praise" means that neither alone reaches the model's threshold, but the two together do. "out of
  scope" means that no intent of the model fits.
  "how the answer moves" shows the answer to the words alone, with the picture, with the sound, and with both. It is
  the best evidence for what the picture and the sound have done.
  "video, looked at most: great 1.17 s (2.3x)" says that the token "great" reads most from the frame at 1.17 s, 2.3
  times as much as if it read from all frames alike. Below 1.5 it is no evidence, and left out. Tokens in brackets,
  such as [CLS], belong to the text encoder.

exit status: 0 all clips were recognised, 1 some failed and were skipped (with --json they have a line with the key
error), 2 the command or its input is wrong.
"""
# Those of modeling_amess.pipeline_amess, which takes seconds to import; a test compares the two.
ON_UNFAMILIAR = ("warn", "leave_out", "ignore")
NAMES = {"text": "words", "video": "picture", "audio": "sound"}
# An anchor that reads from one moment less than so many times as much as from all alike shows nothing.
CLEAR_ATTENTION = 1.5
_BAR_WIDTH = 24
_ANCHORS_SHOWN = 4
_PICTURE_ENDINGS = (".png", ".svg", ".pdf", ".jpg")
_NAMES_SHOWN = 10
_LONGEST_NAME = 1000  # a path may not be longer, and the system refuses to look
_MODEL_TYPE = "amess"
_EMPTY = "The input is empty: there is no clip, and no word in the text. Give a clip, or words with --text."
_NO_TRANSCRIPT = (
    "No transcript. Give what is said with --text, in a file clip.txt beside clip.mp4 or in the column text of a "
    "table, or let Whisper transcribe it: leave --asr_model out."
)
NO_ASR = "none"
# As `DEFAULT_ASR_MODEL` of the pipeline, which takes seconds to import; a test compares them.
DEFAULT_ASR_MODEL = "tiny.en"


class PredictError(UserError):
    """A command line that cannot work."""


@dataclass(frozen=True)
class Input:
    """A clip, what is said in it, or both.

    Attributes:
        clip: Path of the clip.
        text: What is said.
        error: Reason why the input cannot be recognised.
    """

    clip: str | None
    text: str | None
    error: str | None = None

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
        "--candidate_labels",
        metavar="INTENTS",
        help="intents to choose from instead of the model's: a JSON file with descriptions, a text file with a line "
        '"name: description" per description, or here "name: description" or "name,name"',
    )
    add_asr_argument(parser)
    parser.add_argument("--top_k", type=int, default=5, metavar="K", help="intents shown per clip (%(default)s)")
    parser.add_argument(
        "--batch_size",
        type=int,
        default=8,
        metavar="N",
        help="clips that go through the model together; more need more memory (%(default)s)",
    )
    parser.add_argument(
        "--on_unfamiliar",
        choices=ON_UNFAMILIAR,
        default=ON_UNFAMILIAR[0],
        help="what to do with a picture or a sound that is unlike the clips of the training: answer and say so, "
        "answer without it, or not look (%(default)s)",
    )
    parser.add_argument(
        "--coverage",
        type=float,
        metavar="SHARE",
        help="also name all intents that it may well be: a set that holds the right one for so many utterances, "
        "such as 0.9, if they are like those of the validation split",
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON per clip, with the whole explanation")
    parser.add_argument(
        "--explain",
        metavar="PNG",
        help="picture to draw the evidence into; several clips give numbered ones (why-1.png, why-2.png)",
    )
    add_limit_arguments(parser)


def add_asr_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option `--asr_model` to a parser."""
    parser.add_argument(
        "--asr_model",
        default=DEFAULT_ASR_MODEL,
        type=lambda name: None if name == NO_ASR else name,
        metavar="MODEL",
        help="Whisper that writes down what is said in clips without text: tiny.en, which is installed, another size "
        f"(base, small, large-v3), a Hub id or a folder; {NO_ASR} to refuse such clips (%(default)s)",
    )


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
    options: dict[str, Any] = {} if arguments.coverage is None else {"coverage": arguments.coverage}
    try:
        inputs = checked_inputs(read_inputs(arguments.clips, arguments.text or []), arguments.asr_model)
        _check_options(arguments, len(inputs))
        if arguments.candidate_labels is not None:
            options["candidate_labels"] = read_candidates(arguments.candidate_labels)
        model = find_model(arguments.model)
    except (OSError, ValueError) as error:
        print(f"amess predict: {error}", file=sys.stderr)
        return 2
    _tell_errors(inputs)
    recognizer = None
    if any(one.error is None for one in inputs):
        try:
            recognizer = load_recognizer(model, **options)
            _check_takes_clips(recognizer, arguments.model, inputs)
        except (OSError, ValueError) as error:
            print(f"amess predict: {error}", file=sys.stderr)
            return 2

    failed = 0
    results = _answers(recognizer, inputs, arguments)
    for one, result in zip(_with_progress(inputs), results, strict=True):
        failed += "error" in result
        if arguments.json:
            # Escaped where the output is not UTF-8, so that it is JSON in any encoding.
            row = {"clip": one.clip, "text": one.text, **result}
            print(json.dumps(row, ensure_ascii=not _is_utf8(sys.stdout)), flush=True)
        elif "error" not in result:
            assert recognizer is not None
            print(readable(one.name, result, recognizer.model.config.known_clips), flush=True)
    if failed and len(inputs) > 1:
        print(f"{failed} of {len(inputs)} failed and were skipped.", file=sys.stderr)
    return 1 if failed else 0


def _answers(
    recognizer: IntentRecognitionPipeline | None, inputs: Sequence[Input], arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yield the answer to each input, or its `error`, which is told, in their order."""
    good = [
        NamedParts({"video": one.clip, "text": one.text, "context": arguments.context}, one.name)
        for one in inputs
        if not one.error
    ]
    options = {"top_k": arguments.top_k, "asr_model": arguments.asr_model, "limits": limits_of(arguments)}
    options["on_unfamiliar"] = arguments.on_unfamiliar
    found: Iterator[dict[str, Any]] = iter(())
    if recognizer is not None and not arguments.explain:
        found = answers(recognizer, good, arguments.batch_size, **options)
    elif recognizer is not None:
        # A picture needs its clip, and clips are kept one at a time.
        places = (
            _numbered(arguments.explain, number, len(inputs))
            for number, one in enumerate(inputs, start=1)
            if not one.error
        )
        found = (
            answer_or_error(partial(_explained, recognizer, one.name, picture), one.parts, one.name, **options)
            for one, picture in zip(good, places, strict=True)
        )
    for one in inputs:
        if one.error:
            yield {"error": one.error}
            continue
        result = next(found)
        if "error" in result:
            print(result["error"], file=sys.stderr)
        yield result


def _explained(
    recognizer: IntentRecognitionPipeline, name: str, picture: Path, parts: dict[str, Any], **options: Any
) -> dict[str, Any]:
    """Ask the pipeline about one input and draw its evidence."""
    # here, because matplotlib takes time to load
    from .explanation_picture import PICTURE_SIZE, draw_explanation

    result = cast("dict[str, Any]", recognizer(parts, **options, return_clip=True, picture_size=PICTURE_SIZE))
    draw_explanation(result, result.pop("clip"), picture, title=name)
    return result


def read_inputs(clips: list[str], texts: list[str]) -> list[Input]:
    """Read the inputs that a command line names, in its order.

    A clip that does not exist, and a transcript or row that cannot be read, is an input with an `error`.

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
    inputs = [one for clip in clips for one in _inputs_of(clip)]
    if texts:
        if len(texts) != len(inputs):
            raise PredictError(
                f"{len(inputs)} clips and {len(texts)} --text were given: give one --text per clip, in the same order."
            )
        if any(one.text is not None for one in inputs):
            raise PredictError("The text of a clip was given twice, in a file and with --text: leave --text out.")
        return [replace(one, text=text) for one, text in zip(inputs, texts, strict=True)]
    guessed: list[Path] = []
    inputs = [one if one.text is not None else _with_text_beside(one, guessed) for one in inputs]
    if guessed:
        tell_guessed(guessed)
    return inputs


def checked_inputs(inputs: Sequence[Input], asr_model: str | None) -> list[Input]:
    """Find the inputs that cannot be recognised before any work starts, and give them an `error`."""
    inputs = [
        replace(one, error=_EMPTY) if one.error is None and one.clip is None and not (one.text or "").strip() else one
        for one in inputs
    ]
    return [
        replace(one, error=_NO_TRANSCRIPT) if one.error is None and one.text is None and asr_model is None else one
        for one in inputs
    ]


def read_candidates(given: str) -> dict[str, list[str]]:
    """Read intents to choose from: a JSON file, a text file, or the text itself.

    Args:
        given: Path of a file, or lines `name: description`, or names with commas between them.

    Returns:
        Descriptions by intent. An intent without one has its name, written as words.

    Raises:
        PredictError: There is no such file, or it is a folder, or an intent has no name.
        ValueError: A file cannot be read.
    """
    path = Path(given).expanduser()
    if path.suffix.lower() == ".json" or (path.suffix and not path.is_file() and not set(given) & set(",:\n")):
        if not path.is_file():
            raise PredictError(
                f"--candidate_labels {given}: There is no such file. Give a JSON file with the descriptions of each "
                'intent, {"Reassure": ["To take away a worry."], ...}, or the names: Reassure,Boast.'
            )
        with loading():  # here, because this package loads torch
            from modeling_amess.descriptions_amess import read_descriptions

        return read_descriptions(given)
    text = given
    if len(given) < _LONGEST_NAME and path.is_dir():
        raise PredictError(
            f"--candidate_labels {given}: This is a folder. Give a file in it, or names: Reassure,Boast."
        )
    if len(given) < _LONGEST_NAME and path.is_file():
        text = decode_user_text(path)[0]
    intents: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, colon, description = line.partition(":")
        for one in [name] if colon else name.split(","):
            if not one.strip():
                if colon:
                    raise PredictError(f"--candidate_labels: {line!r} has no name before the colon.")
                continue
            intents.setdefault(one.strip(), []).extend([description.strip()] if description.strip() else [])
    if not intents:
        raise PredictError(
            f"--candidate_labels {given!r} names no intent. Give a file, or for example Reassure,Boast."
        )
    return {name: texts or [name.replace("_", " ").lower()] for name, texts in intents.items()}


def find_model(model: str) -> str:
    """Return the folder of a model, or the name itself where it may be a Hub id.

    Args:
        model: Folder, run folder or Hub id.

    Raises:
        PredictError: The folder does not exist, or holds no A-MESS.
    """
    # transformers takes a path that does not exist for a Hub id, and its error then speaks of the network.
    given = Path(model).expanduser()
    # A run folder has its model in a folder of the name that the default has. (training.finished_run, which knows the
    # names in a run folder, needs packages that a prediction does without.)
    for folder in (given, given / Path(DEFAULT_MODEL).name):
        if (folder / "config.json").is_file():
            _check_model_type(folder)
            return str(folder)
    if not (
        model == DEFAULT_MODEL
        or model.startswith((".", "/", "~"))
        or model.count("/") != 1
        or "\\" in model
        or given.parent.is_dir()
    ):
        return model
    base = next(parent for parent in given.absolute().parents if parent.is_dir())
    present = [path.parent for pattern in ("*/config.json", "*/pretrained/config.json") for path in base.glob(pattern)]
    near = difflib.get_close_matches(str(given.absolute()), map(str, present), n=1)
    hint = f" Did you mean {os.path.relpath(near[0])}?" if near else ""
    raise PredictError(
        f"There is no model at {model}.{hint} Train one on the sample (accelerate launch training/train.py), or name "
        "a model with --model or $AMESS_MODEL."
    )


def _check_model_type(folder: Path) -> None:
    try:
        found = json.loads((folder / "config.json").read_bytes())["model_type"]
    except (ValueError, KeyError, TypeError):
        return  # transformers says what is wrong with it
    if found != _MODEL_TYPE:
        raise PredictError(
            f"{folder} holds a model of type {found!r}, and amess predict runs A-MESS alone, not baselines. Name the "
            "pretrained/ of a run of A-MESS with --model."
        )


def _check_takes_clips(recognizer: IntentRecognitionPipeline, name: str, inputs: Sequence[Input]) -> None:
    processor: Any = recognizer.processor  # an AmessProcessor; transformers knows it as a ProcessorMixin
    if processor.clip_modalities or all(one.clip is None or one.error for one in inputs):
        return
    if recognizer.model.config.modalities == ("text",):
        raise PredictError(f"{name} was trained on text alone and takes no clips. Give texts with --text alone.")
    raise PredictError(
        f"{name} was trained on features whose encoders it does not carry, and takes no clips. Make the features with "
        "amess extract and train again, or give texts with --text alone."
    )


def _tell_errors(inputs: Sequence[Input]) -> None:
    """Print each reason once, with the names of its inputs."""
    names: dict[str, list[str]] = {}
    for one in inputs:
        if one.error is not None:
            names.setdefault(one.error, []).append(one.name)
    for reason, those in names.items():
        more = f" and {len(those) - _NAMES_SHOWN} more" if len(those) > _NAMES_SHOWN else ""
        count = f"{len(those)} inputs: " if len(those) > 1 else ""
        listed = f"{', '.join(those[:_NAMES_SHOWN])}{more}: "
        print(f"{count}{'' if len(those) == 1 and those[0] in reason else listed}{reason}", file=sys.stderr)


def _inputs_of(source: str) -> list[Input]:
    """The inputs of one clip, folder or table."""
    # here, because `amess --help` does without them
    from dataset_scripts.extraction.rows import TABLE_SUFFIXES, clips_of_folder
    from dataset_scripts.tsv import read_table

    path = Path(source)
    if path.is_dir():
        return [Input(str(path / clip), None) for clip in clips_of_folder(path, transcripts=True)]
    if path.suffix.lower() in TABLE_SUFFIXES:
        if not path.is_file():
            raise PredictError(f"{source}: There is no such file. Check the name.")
        rows = read_table(path, one_of=("clip", "text"))
        if not rows:
            raise PredictError(f"{path} has a header and no rows. Add one line per clip.")
        return [_input_of_row(path, line, cells) for line, cells in rows]
    if not path.exists():
        return [Input(source, None, error="There is no such file or folder.")]
    return [Input(source, None)]


def _input_of_row(table: Path, line: int, cells: dict[str, str]) -> Input:
    clip, text = cells.get("clip", "").strip(), cells.get("text", "").strip() or None
    path = str(table.parent / clip) if clip else None
    if path is None:
        error = None if text else f"{table}, line {line}: The row has neither a clip nor a text."
    else:
        error = None if Path(path).exists() else f"{table}, line {line}: There is no file {path}."
    return Input(path, text, error)


def load_recognizer(model: str, **options: Any) -> IntentRecognitionPipeline:
    """Load the pipeline of a trained model.

    Args:
        model: Folder, run folder or Hub id.
        options: Further arguments of the pipeline's construction.

    Raises:
        PredictError: The folder does not exist or holds no model, and the Hub has none of that name.
        OSError, ValueError: The model cannot be loaded.
    """
    model = find_model(model)
    with loading():  # here, because transformers and torch take seconds to load
        from transformers import pipeline
        from transformers.utils.logging import disable_progress_bar

        from modeling_amess import IntentRecognitionPipeline  # the import also registers the task

    disable_progress_bar()
    try:
        recognizer: Any = pipeline(  # type: ignore[call-overload]  # transformers' overloads know its own tasks only
            "multimodal-intent-recognition", model=model, **options
        )
    except OSError as error:
        if Path(model).is_dir():
            raise
        raise PredictError(
            f"There is no folder {model}, and no model of that name could be loaded from the Hub. Correct --model, or "
            f"look at the network. ({str(error).splitlines()[0]})"
        ) from error
    assert isinstance(recognizer, IntentRecognitionPipeline)
    return recognizer


def readable(name: str, result: dict[str, Any], known_clips: str | None = None) -> str:
    """Format a result for a terminal: several lines, the last one empty.

    Args:
        name: Name of the input.
        result: Answer of the pipeline.
        known_clips: What the clips of the training show.
    """
    lines = [name, f"  {_words(result)}"]
    if result["unfamiliar"]:
        lines.append(f"  {unfamiliar(result, known_clips)}")
    width = max(len(intent["label"]) for intent in result["intents"])
    lines += [
        f"  {intent['label']:{width}}  {_bar(intent['score'])}  {percent(intent['score']):>6}"
        for intent in result["intents"]
    ]
    if "prediction_set" in result:
        lines.append(f"  may well be: {' or '.join(result['prediction_set'])}")
    if (said := verdict(result)) is not None:
        lines.append(f"  {said}")
    missing = [modality for modality in NAMES if modality not in result["modalities"]]
    if missing:
        lines.append(f"  without {' and '.join(missing)}")
    explanation = result["explanation"]
    if len(explanation["variants"]) > 1:
        lines.append("  how the answer moves:")
        named = [(_variant_name(one), one) for one in explanation["variants"]]
        wide, label = (max(map(len, texts)) for texts in ([n for n, _ in named], [one["label"] for _, one in named]))
        lines += [f"    {n:{wide}}  {one['label']:{label}}  {percent(one['score']):>6}" for n, one in named]
    for modality in ("video", "audio"):
        clear = [one for one in explanation[f"{modality}_anchors"] if _is_clear(one)][:_ANCHORS_SHOWN]
        if clear:
            lines.append(f"  {modality}, looked at most: {', '.join(map(_anchor_text, clear))}")
    similar = sorted(explanation["description_similarity"].items(), key=lambda item: -item[1])[:3]
    if similar:
        lines.append(f"  closest descriptions: {', '.join(f'{label} {value:.2f}' for label, value in similar)}")
    return "\n".join(lines) + "\n"


def _words(result: dict[str, Any]) -> str:
    """What is said, and who heard it."""
    heard = f", heard by Whisper {result['transcript']['asr_model']}" if result["transcript"] else ""
    if result["text"]:
        return f'"{result["text"]}"{heard}'
    return f"(no speech{heard})" if heard else "(no text)"


def percent(share: float) -> str:
    """Write a probability with one digit after the point, and never as certain or as impossible."""
    return ">99.9%" if share >= 0.9995 else "<0.1%" if share < 0.0005 else f"{share:.1%}"


def unfamiliar(result: dict[str, Any], known_clips: str | None) -> str:
    """Say in one sentence which parts of the input are unlike the clips of the training."""
    parts = result["unfamiliar"]
    names = " and the ".join(NAMES[name] for name in parts)
    are = "is" if len(parts) == 1 else "are"
    known = f", {known_clips}" if known_clips else ""
    used = [name for name in parts if name in result["modalities"]]
    so = "do not rely on this answer" if used else f"{'it was' if len(parts) == 1 else 'they were'} left out"
    return f"The {names} {are} unlike the clips that this model was trained on{known}: {so}."


def verdict(result: dict[str, Any]) -> str | None:
    """Say whether an answer is unsure or out of scope; `None` for one that is neither."""
    if result["verdict"] not in ("unsure", "out_of_scope"):
        return None
    threshold: float | None = result["out_of_scope_threshold"]
    score = result["score"]
    below = (
        f"{percent(score)} is below this model's threshold of {percent(threshold)}" if threshold is not None else ""
    )
    if result["verdict"] == "unsure":
        return f"unsure: {' or '.join(result['unsure_between'])} ({below})"
    none_fits = "out of scope: none of the intents that the model knows fits"
    return none_fits if threshold is None or score >= threshold else f"{none_fits} ({below})"


def _variant_name(variant: dict[str, Any]) -> str:
    names = [NAMES[name] for name in variant["modalities"]]
    return " + ".join(names) if len(names) > 1 else f"{names[0]} alone"


def _is_clear(anchor: dict[str, Any]) -> bool:
    multiple: float | None = anchor["times_uniform"]
    return multiple is None or multiple >= CLEAR_ATTENTION


def _anchor_text(anchor: dict[str, Any]) -> str:
    if anchor["times_uniform"] is None:
        return str(anchor["token"])
    place = "" if anchor["time"] is None else f" {anchor['time']:.2f} s"
    return f"{anchor['token']}{place} ({anchor['times_uniform']:.1f}x)"


def _bar(share: float) -> str:
    filled = round(share * _BAR_WIDTH)
    full, empty = ("█", "░") if _is_utf8(sys.stdout) else ("#", ".")
    return full * filled + empty * (_BAR_WIDTH - filled)


def _is_utf8(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def _with_text_beside(one: Input, guessed: list[Path]) -> Input:
    """Add the transcript `clip.txt` beside `clip.mp4`, where speech recognisers write it.

    Args:
        one: Input without text.
        guessed: Transcripts whose encoding was guessed, to which this one is added.
    """
    if one.clip is None or one.error is not None:
        return one
    places = (Path(one.clip).with_suffix(suffix) for suffix in (".txt", ".TXT"))
    transcript = next((place for place in places if place != Path(one.clip) and place.is_file()), None)
    if transcript is None:
        return one
    try:
        text, is_guessed = decode_user_text(transcript)
    except UserTextError as error:
        return replace(one, error=str(error))
    except OSError as error:
        return replace(one, error=f"{transcript}: {error.strerror}.")
    if is_guessed:
        guessed.append(transcript)
    return replace(one, text=" ".join(text.split()) or None)


def _check_options(arguments: argparse.Namespace, inputs: int) -> None:
    """Refuse, before the work starts, options that cannot work."""
    if arguments.batch_size < 1:
        raise PredictError(f"--batch_size is {arguments.batch_size}: give the number of inputs per batch, at least 1.")
    if arguments.top_k < 1:
        raise PredictError(f"--top_k is {arguments.top_k}: give the number of intents to show, at least 1.")
    candidates = arguments.candidate_labels
    if candidates is not None and arguments.coverage is not None:
        raise PredictError(
            "--coverage and --candidate_labels were given: a coverage holds for the intents that the model was "
            "trained with, not for others. Leave one of the two out."
        )
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
    for number in range(1, inputs + 1):
        picture = _numbered(arguments.explain, number, inputs)
        if picture.exists():
            raise PredictError(f"--explain: {picture} exists already and is kept. Give a new name.")


def _numbered(picture: str, number: int, count: int) -> Path:
    path = Path(picture)
    return path if count == 1 else path.with_stem(f"{path.stem}-{number}")


def _with_progress(inputs: list[Input]) -> Iterable[Input]:
    """Show a progress bar where the results themselves do not show how far the work is."""
    if len(inputs) == 1 or sys.stdout.isatty():
        return inputs
    from tqdm import tqdm  # here, because most commands do without it

    # None: no bar where standard error is no terminal either
    return cast("Iterable[Input]", tqdm(inputs, unit="clip", disable=None))
