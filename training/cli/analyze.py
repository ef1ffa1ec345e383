# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess analyze`: the intents of all utterances of a recording, as tables, subtitles and a page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_scripts.errors import UserError
from dataset_scripts.extraction.command import add_limit_arguments, error_in_words, limits_of

from .predict import NO_ASR, add_asr_argument, add_model_argument, load_recognizer


if TYPE_CHECKING:
    pass

DESCRIPTION = """\
Name the intent of every utterance of a recording of any length: a meeting, a lecture, a call.

Voice activity and Whisper find the utterances. Or give what is said and when with --transcript: subtitles (SRT, VTT,
ASS), a table with the columns start, end and text (speaker where you have it), or the JSON of a Whisper. Speakers come
from there, from [Name]: before the words, or from an RTTM file (--speakers).

The output folder holds utterances.jsonl, utterances.csv, intents.srt, intents.vtt, intents.eaf (for ELAN) and
index.html, a page with player, timeline and table. Open it in a browser.
"""
EXAMPLES = """\
examples:
  amess analyze meeting.mp4                                         # into meeting-intents/
  amess analyze meeting.mp4 --transcript meeting.srt --output out/
  amess analyze call.wav --speakers call.rttm --asr_model small
  amess analyze monday.mp4 friday.mp4 --output meetings/            # into meetings/monday/ and meetings/friday/

An interrupted analysis continues when the same command is given again. An utterance that fails is a row with its
error; one of a transcript that is longer than --max_duration fails. Utterances found by their sound are cut at a
silence. A model of dialogues reads the utterances before.

exit status: 0 all utterances were recognised, 1 some failed, 2 the command or its input is wrong, 130 or 143 after
Ctrl-C or SIGTERM; the same command then continues.
"""


class AnalyzeError(UserError):
    """A command line that cannot work."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="media files of any length")
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="folder of the files, with a folder per recording if there are several (RECORDING-intents)",
    )
    for name, kind in (("transcript", "what is said and when"), ("speakers", "RTTM: who speaks when")):
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar="FILE", help=f"{kind}; one --{name} per recording"
        )
    add_model_argument(parser)
    add_asr_argument(parser)
    parser.add_argument("--top_k", type=int, default=3, metavar="K", help="intents kept per utterance (%(default)s)")
    parser.add_argument(
        "--media",
        choices=("link", "copy"),
        default="link",
        help="whether the page plays the recording where it is, or a copy in the folder (%(default)s)",
    )
    parser.add_argument("--overwrite", action="store_true", help="begin an analysis of other input in DIR again")
    add_limit_arguments(parser)
    # As `MAX_RECORDING_BYTES`: recordings are read in pieces, so that their size costs nothing.
    parser.set_defaults(max_bytes=2**42)


def run(arguments: argparse.Namespace) -> int:
    """Analyse the recordings of the command line and return the exit status."""
    outputs = _checked_outputs(arguments)
    # here, because these packages load torch
    from dataset_scripts.recordings.analysis import analyze_recording

    failed = 0
    try:
        recognizer = load_recognizer(arguments.model)
        for number, (recording, output) in enumerate(zip(arguments.recordings, outputs, strict=True)):
            with _Progress(Path(recording).name) as progress:
                analysis = analyze_recording(
                    recording,
                    recognizer,
                    output,
                    transcript=(arguments.transcript or [None] * len(outputs))[number],
                    speakers=(arguments.speakers or [None] * len(outputs))[number],
                    asr_model=arguments.asr_model or NO_ASR,
                    limits=limits_of(arguments),
                    top_k=arguments.top_k,
                    media=arguments.media,
                    overwrite=arguments.overwrite,
                    progress=progress,
                )
            failed += analysis.failed
            print(_report(recording, analysis.rows, output))
    except (OSError, ValueError, ImportError) as error:
        if isinstance(error, ModuleNotFoundError):
            raise  # the caller says which extra has the package
        print(f"amess analyze: {error_in_words(error)}", file=sys.stderr)
        return 2
    return 1 if failed else 0


def _checked_outputs(arguments: argparse.Namespace) -> list[Path]:
    """The folder of each recording; options that cannot work are refused before the work starts."""
    recordings = [Path(recording).expanduser() for recording in arguments.recordings]
    for name in ("transcript", "speakers"):
        given = getattr(arguments, name)
        if given and len(given) != len(recordings):
            raise AnalyzeError(
                f"{len(recordings)} recordings and {len(given)} --{name} were given: give one --{name} per recording, "
                "in the same order."
            )
    for path in (*recordings, *map(Path, (*arguments.transcript, *arguments.speakers))):
        if not path.is_file():
            raise AnalyzeError(f"{path}: There is no such file. Check the name.")
    if arguments.top_k < 1:
        raise AnalyzeError(f"--top_k is {arguments.top_k}: give the number of intents to keep, at least 1.")
    if arguments.asr_model is None and not arguments.transcript:
        raise AnalyzeError(f"--asr_model {NO_ASR} leaves nobody to find the utterances: give --transcript.")
    stems = [path.stem for path in recordings]
    if len(set(stems)) != len(stems):
        raise AnalyzeError("Two recordings have one name, which is that of their folder. Analyse them one by one.")
    if arguments.output is None:
        return [Path(f"{stem}-intents") for stem in stems]
    output = Path(arguments.output).expanduser()
    return [output] if len(stems) == 1 else [output / stem for stem in stems]


def _report(recording: str, rows: list[dict[str, Any]], output: Path) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        if "error" not in row:
            name = "out of scope" if row["out_of_scope"] else row["label"]
            counts[name] = counts.get(name, 0) + 1
    most = ", ".join(f"{name} {counts[name]}" for name in sorted(counts, key=lambda name: (-counts[name], name))[:5])
    failed = sum("error" in row for row in rows)
    lines = [f"{recording}: {len(rows)} utterances{f', {failed} failed' if failed else ''}. {most}".rstrip()]
    if not rows:
        lines.append("Nobody speaks in it.")
    lines.append(f"Open {output / 'index.html'} in a browser.")
    return "\n".join(lines)


class _Progress:
    """A bar with the time of the recording that is done, and how long the rest will take."""

    def __init__(self, name: str):
        from tqdm import tqdm  # here, because most commands do without it

        # Whole seconds; None: no bar where standard error is no terminal.
        self.bar: Any = tqdm(
            desc=name,
            unit="s",
            disable=None,
            bar_format="{desc}: {n:.0f} of {total_fmt} s, {elapsed} gone, {remaining} left",
        )

    def __enter__(self) -> Callable[[float, float | None], None]:
        return self.update

    def update(self, done: float, duration: float | None) -> None:
        self.bar.total = None if duration is None else round(duration)
        self.bar.update(max(0.0, done - self.bar.n))

    def __exit__(self, *_: object) -> None:
        self.bar.close()
