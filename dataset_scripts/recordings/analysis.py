# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A recording to the intents of its utterances, in steps that an interruption loses one of at most."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import as_interrupt
from ..files import is_unfinished, replacing, write_json, writing
from .outputs import UTTERANCES_FILE, output_names, rows_of, write_outputs
from .segments import RecordingError, Segment, read_speakers, with_speakers
from .transcripts import read_transcript


if TYPE_CHECKING:
    from modeling_amess import IntentRecognitionPipeline
    from modeling_amess.clip_amess import MediaLimits

PROGRESS_FILE = "analysis.json"
# Recordings are read in pieces, so that their size costs nothing.
MAX_RECORDING_BYTES = 2**42
# Utterances of a transcript per step.
_STEP = 8
# Bytes at the start and at the end of a recording that tell it from another one of its size.
_SAMPLED_BYTES = 2**20
# Values of the pipeline's answer that are of no use in a table, or belong to one clip.
_LEFT_OUT = ("explanation", "transcript", "clip", "text")

Progress = Callable[[float, float | None], None]


@dataclass(frozen=True)
class Analysis:
    """The utterances of a recording with their intents.

    Attributes:
        rows: One dict per utterance: `start` and `end` in seconds, `speaker`, `text`, and the keys of the pipeline's
            answer without the explanation (`label`, `score`, `out_of_scope`, `intents`, `modalities`, ...); or
            `error`, the reason why the utterance was not recognised.
        output: Folder of the files; `None` if none were written.
    """

    rows: list[dict[str, Any]]
    output: Path | None

    @property
    def failed(self) -> int:
        """Number of utterances that were not recognised."""
        return sum("error" in row for row in self.rows)


def analyze_recording(
    recording: str | Path,
    recognizer: IntentRecognitionPipeline,
    output: str | Path | None = None,
    *,
    transcript: str | Path | None = None,
    speakers: str | Path | None = None,
    asr_model: str = "tiny.en",
    limits: MediaLimits | None = None,
    top_k: int = 3,
    media: str = "link",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Analysis:
    """Recognise the intent of every utterance of a recording of any length.

    Each utterance is decoded by seeking to it. Neither the memory nor the time of an utterance depends on the
    recording's length. An utterance that fails is a row with its `error`. An utterance that is longer than
    `max_duration` is such a row if a transcript names it; one that was found by its sound is cut at a silence.

    Args:
        recording: Media file.
        recognizer: Pipeline of a trained model. A model of dialogues gets the utterances before as context.
        output: Folder for the files, new or of the same analysis, which is then continued; `None` writes nothing.
        transcript: File that says when what is said, as `read_transcript` reads it. By default voice activity and
            Whisper find the utterances.
        speakers: RTTM file that says who speaks when.
        asr_model: Whisper, as `SpeechRecognizer` takes it; not used with a transcript.
        limits: Limits on what an utterance may cost. By default those of clips, with a size of the file that does not
            matter.
        top_k: Number of intents per utterance in `intents`.
        media: How the page finds the recording: `link` (its path relative to the folder) or `copy` (a copy in it).
        overwrite: Whether an analysis of other input or settings in the folder is begun again.
        progress: Called with the seconds that are done and those of the recording, if they are known.

    Raises:
        RecordingError: The recording, transcript or folder cannot be used.
        MediaError: The recording is no media file.
        SpeechModelError: The `asr_model` is not available.
        KeyboardInterrupt: The analysis was interrupted; the message says how to continue it.
    """
    # here, because commands show their help without torch
    from modeling_amess.clip_amess import MediaLimits
    from modeling_amess.media_amess import read_duration

    recording = Path(recording).expanduser()
    if not recording.is_file():
        raise RecordingError(f"{recording}: There is no such file. Give a recording.")
    limits = limits or MediaLimits(max_bytes=MAX_RECORDING_BYTES)
    duration = read_duration(recording, limits)
    turns = [] if speakers is None else read_speakers(speakers, recording)
    given = None if transcript is None else with_speakers(read_transcript(transcript), turns)
    if given is not None and duration is not None and given[0].start > duration:
        raise RecordingError(
            f"{transcript}: The first utterance begins at {given[0].start:.0f} s, after the end of {recording} "
            f"({duration:.0f} s). Are its times milliseconds, or is it the transcript of another recording?"
        )
    description = {
        "recording": _fingerprint(recording),
        "transcript": None if transcript is None else _fingerprint(Path(transcript)),
        "speakers": None if speakers is None else _fingerprint(Path(speakers)),
        "model": _model_fingerprint(recognizer.model),
        "asr_model": asr_model if transcript is None else None,
        "limits": asdict(limits),
        "top_k": top_k,
        "media": media,
    }
    store = _Store(None if output is None else Path(output), description, output_names(recording, media), overwrite)
    if not store.finished:
        work = _Work(recording, recognizer, limits, asr_model, top_k)
        steps = (
            _steps_of_speech(work, turns, store.position, duration)
            if given is None
            else _steps_of_transcript(given, int(store.position))
        )
        try:
            for segments, position in steps:
                for segment in segments:
                    store.rows.append(work.recognize(segment, store.rows))
                    if progress is not None:
                        progress(segment.end, duration)
                store.keep(position)
        except BaseException as error:
            interrupt = as_interrupt(error)
            if interrupt is None or store.folder is None:
                raise
            raise type(interrupt)(
                f"Interrupted after {store.kept} utterances of {recording}. The same command continues from there."
            ) from None
        store.finish(recording, media)
    return Analysis(store.rows, store.folder)


class _Work:
    """What the utterances of one recording have in common."""

    def __init__(
        self, recording: Path, recognizer: IntentRecognitionPipeline, limits: MediaLimits, asr_model: str, top_k: int
    ):
        self.recording, self.recognizer, self.limits = recording, recognizer, limits
        self.asr_model, self.top_k = asr_model, top_k
        processor: Any = recognizer.processor  # an AmessProcessor; transformers knows it as a ProcessorMixin
        self.takes_clips = bool(processor.clip_modalities)
        self.context_utterances: int = processor.context_utterances

    def recognize(self, segment: Segment, earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Recognise one utterance; `earlier` are the rows before it."""
        from ..extraction.command import answer_or_error

        row = asdict(segment)
        parts: dict[str, Any] = {"text": segment.text}
        if self.takes_clips:
            parts |= {"video": str(self.recording), "start": segment.start, "end": segment.end}
        if self.context_utterances:
            parts["context"] = [before["text"] for before in earlier[-self.context_utterances :]]
        options = {"top_k": self.top_k, "limits": self.limits, "variants": False}
        result = answer_or_error(self.recognizer, parts, str(self.recording), **options)
        return row | {name: value for name, value in result.items() if name not in _LEFT_OUT}


def _steps_of_speech(
    work: _Work, turns: Sequence[Any], position: float, duration: float | None
) -> Iterator[tuple[list[Segment], float | None]]:
    from .speech import speech_windows

    heard = work.recognizer.load_speech_recognizer(work.asr_model)
    for window in speech_windows(work.recording, heard, work.limits, turns, position, duration):
        yield window.segments, window.position


def _steps_of_transcript(segments: Sequence[Segment], position: int) -> Iterator[tuple[list[Segment], int]]:
    for start in range(position, len(segments), _STEP):
        yield list(segments[start : start + _STEP]), start + _STEP


class _Store:
    """Rows of an analysis, in memory and, as they come, in a folder.

    Attributes:
        folder: The folder; `None` keeps the rows in memory alone.
        rows: Rows so far.
        kept: Number of rows that an interruption does not lose.
        position: Where the work goes on.
        finished: Whether nothing is left to do.
        written: Names of the files for people in the folder that an analysis wrote.
    """

    def __init__(self, folder: Path | None, description: dict[str, Any], names: list[str], overwrite: bool):
        self.folder, self.description, self.names = folder, description, names
        self.written: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.kept, self.position, self.finished = 0, 0.0, False
        if folder is None:
            return
        if folder.exists() and not folder.is_dir():
            raise RecordingError(f"The output {folder} is a file. Give a folder.")
        if (folder / PROGRESS_FILE).is_file():
            content = self._read(folder)
            for name in self.names:
                self._check_name(folder, name)
            if overwrite:
                self._clear(folder)
            else:
                self._load(folder, content)
        elif folder.is_dir() and (others := [path.name for path in folder.iterdir() if not is_unfinished(path)]):
            raise RecordingError(
                f"{folder} holds files that no analysis wrote ({', '.join(sorted(others)[:3])}). Give another output "
                "folder."
            )
        if not (folder / PROGRESS_FILE).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            self._write_progress()
            (folder / UTTERANCES_FILE).touch()  # so that no file of the user's gets this name

    def _clear(self, folder: Path) -> None:
        for name in (*self.written, UTTERANCES_FILE, PROGRESS_FILE):
            (folder / name).unlink(missing_ok=True)
        self.written = []

    def _read(self, folder: Path) -> dict[str, Any]:
        """Read the state of the analysis in the folder, and which files it wrote."""
        path = folder / PROGRESS_FILE
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            int(content["utterances"]), float(content["position"])
            # An analysis of version 0.1.0 has no list: its files are those of a finished one.
            self.written = list(content.get("written", self.names if content["finished"] else []))
            dict(content["input"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordingError(f"{path} cannot be read ({error}). Give another output folder.") from error
        return content

    def _check_name(self, folder: Path, name: str) -> None:
        """Refuse a file of the user's with a name of ours."""
        if name not in self.written and (folder / name).exists():
            raise RecordingError(
                f"{folder / name} was not written by the analysis, which writes a file of that name. It is kept. "
                "Move it to another folder and give the same command again."
            )

    def _claim(self, name: str) -> None:
        assert self.folder is not None
        self._check_name(self.folder, name)
        if name not in self.written:
            self.written.append(name)
            self._write_progress()

    def _load(self, folder: Path, content: Mapping[str, Any]) -> None:
        present, self.kept = content["input"], int(content["utterances"])
        self.position, self.finished = float(content["position"]), bool(content["finished"])
        wanted = json.loads(json.dumps(self.description))
        differences = [
            f"{name} was {present.get(name)} and is {value}"
            for name, value in wanted.items()
            if present.get(name) != value
        ]
        if differences:
            raise RecordingError(
                f"{folder} holds an analysis of other input or settings: {'; '.join(differences)}. Give another "
                "--output, or --overwrite to begin again."
            )
        self.rows = rows_of(folder / UTTERANCES_FILE, self.kept)
        if len(self.rows) < self.kept:
            raise RecordingError(f"{folder / UTTERANCES_FILE} lacks utterances. Give --overwrite to begin again.")

    def _write_progress(self) -> None:
        assert self.folder is not None
        with replacing(self.folder / PROGRESS_FILE) as partial:
            state = {"utterances": self.kept, "position": self.position, "finished": self.finished}
            write_json(partial, {"input": self.description, **state, "written": self.written})

    def keep(self, position: float | None) -> None:
        """Write the rows of a step, and where the next one begins; `None` after the last."""
        if self.folder is None:
            return
        path = self.folder / UTTERANCES_FILE
        new = [json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows[self.kept :]]
        with writing(path):
            # What a killed process wrote beyond the step that it finished is cut off.
            lines = path.read_bytes().split(b"\n")[: self.kept] if path.is_file() else []
            with open(path, "r+b" if path.is_file() else "w+b") as file:
                file.seek(sum(len(line) + 1 for line in lines))
                file.truncate()
                file.write("".join(new).encode())
                file.flush()
                os.fsync(file.fileno())
        self.kept = len(self.rows)
        if position is not None:
            self.position = position
            self._write_progress()

    def finish(self, recording: Path, media: str) -> None:
        """Write the files for people, and mark the folder as finished."""
        if self.folder is None:
            return
        if not (self.folder / UTTERANCES_FILE).is_file():
            self.keep(None)
        write_outputs(self.folder, self.rows, recording, media=media, claim=self._claim)
        self.finished = True
        self._write_progress()


def _fingerprint(path: Path) -> dict[str, Any]:
    """Name, size and a digest of both ends of a file."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read(_SAMPLED_BYTES))
        file.seek(max(0, size - _SAMPLED_BYTES))
        digest.update(file.read())
    return {"name": path.name, "bytes": size, "sha256_of_ends": digest.hexdigest()[:32]}


def _model_fingerprint(model: Any) -> str:
    """Digest of a model's settings and weights, wherever it was loaded from."""
    import torch

    settings = {name: value for name, value in model.config.to_dict().items() if name != "_name_or_path"}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]
