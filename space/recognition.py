# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The demo's model: what it accepts from visitors, its answers, and errors in words that anyone may see."""

import dataclasses
import importlib
import importlib.util
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import metadata_load
from transformers import Pipeline, pipeline


logger = logging.getLogger("amess.demo")

FOLDER = Path(__file__).parent
# What the README's training command leaves in a checkout.
DEFAULT_MODEL = FOLDER.parent / "runs" / "sample-amess" / "pretrained"
MODALITIES = ("text", "video", "audio")

MAX_CLIP_BYTES = 25 * 2**20
MAX_CLIP_SECONDS = 30.0
MAX_TRANSCRIPT_CHARACTERS = 500
MAX_OWN_INTENTS = 20
MAX_OWN_INTENTS_CHARACTERS = 2000

UNREADABLE = "This file could not be read as a clip. MP4, MOV and WebM work best."
NOTHING_GIVEN = "Give a clip, or type what is said."
NO_MODALITY = "Leave at least one of words, picture and sound switched on."
NO_TRANSCRIPT = "Type what is said: the words carry most of the meaning. To leave them out, switch Words off."
NO_ENCODER = "The encoder that reads descriptions cannot be loaded here: intents of your own cannot be compared."
TOO_MUCH = {
    "max_bytes": f"The clip is too large: {MAX_CLIP_BYTES // 2**20} MB at most.",
    "max_duration": f"The clip is too long: {MAX_CLIP_SECONDS:.0f} seconds at most. One utterance is enough.",
    "max_pixels": "The picture is too large: 4096 by 2304 pixels at most.",
    "max_decoded_frames": "The clip has too many pictures a second.",
}


class InputError(ValueError):
    """Something a visitor gave cannot be used. The message is written for the visitor."""


class ModelSourceError(ValueError):
    """The demo cannot start with the model that it was told to use."""


def model_source() -> tuple[str, str | None]:
    """The model to show, and the revision of it: `AMESS_MODEL` and `AMESS_REVISION` from the environment; else the model
    and commit of the Space's own README (`preload_from_hub`); else the model that the training command left here.

    Raises:
        ModelSourceError: no model is there, or a Hub model without a revision.
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
            f"AMESS_MODEL={name} is no folder here. A model on the Hub brings code of its own: set AMESS_REVISION to "
            "the commit of it that you have looked at."
        )
    return name, revision


class Recognizer:
    """One loaded model for all visitors. Nothing here changes it, and nothing of a visitor is kept.

    Args:
        recognition: the `multimodal-intent-recognition` pipeline; its model has its media encoder.
        name: what the page calls the model.
        asr_model: a Whisper checkpoint that transcribes clips that come without words; `None` asks for the words.

    Raises:
        ModelSourceError: the model takes no clips.
    """

    def __init__(self, recognition: Pipeline, name: str, asr_model: str | None = None):
        self.pipeline = recognition
        self.name = name
        self.config = recognition.model.config
        self.asr_model = asr_model
        if self.config.video_config is None and self.config.audio_config is None:
            raise ModelSourceError(
                "This model takes features, not clips: its media encoder is not attached. Attach it with "
                "attach_media_encoder(...) and save the model again."
            )
        # The decoder that belongs to this model, whether it is installed or came with the model from the Hub.
        package = type(recognition.processor).__module__.rpartition(".")[0]
        self.media = importlib.import_module(f"{package}.media_amess")
        self.limits = self.media.MediaLimits(max_bytes=MAX_CLIP_BYTES, max_duration=MAX_CLIP_SECONDS)
        self._lacks_description_encoder = False

    @classmethod
    def from_environment(cls) -> "Recognizer":
        """The model of `model_source`, on the GPU where there is one; `AMESS_ASR_MODEL` names the transcriber."""
        name, revision = model_source()
        # A folder here is our own work and needs no code but the installed one; a model on the Hub brings its code.
        trusted = not Path(name).is_dir() or importlib.util.find_spec("modeling_amess") is None
        if not trusted:
            importlib.import_module("modeling_amess")
        recognition = pipeline(
            "multimodal-intent-recognition",
            model=name,
            revision=revision,
            trust_remote_code=trusted,
            device="cuda" if torch.cuda.is_available() else "cpu",
        )
        shown = Path(name).resolve().parent.name if Path(name).is_dir() else f"{name} at {revision}"
        return cls(recognition, shown, os.environ.get("AMESS_ASR_MODEL") or None)

    @property
    def description(self) -> str:
        """The model and its encoders in a sentence."""
        record = self.config.media_encoder or {}
        encoders = [record[name]["name"] for name in ("video", "audio") if record.get(name)]
        return f"{self.name}, with the media encoders {' and '.join(encoders)}."

    def problem_with_clip(self, path: str | None) -> str | None:
        """What is wrong with a clip, in words, or `None`. Reads no more than one picture and the sound."""
        if path is None:
            return None
        try:
            self._decode(path, frame_rate=1.0, max_frames=1)
        except InputError as error:
            return str(error)
        return None

    def problem_with_transcript(self, clip: str | None, transcript: str, modalities: Iterable[str]) -> str | None:
        """What is missing of the words, in words, or `None`."""
        if len(transcript) > MAX_TRANSCRIPT_CHARACTERS:
            return f"The transcript is too long: {MAX_TRANSCRIPT_CHARACTERS} characters at most."
        if transcript.strip() or "text" not in modalities or (clip is not None and self.asr_model is not None):
            return None
        return NOTHING_GIVEN if clip is None else NO_TRANSCRIPT

    def recognize(self, path: str | None, transcript: str, modalities: Iterable[str]) -> dict[str, Any]:
        """What the pipeline answers for a clip and its words, with every intent.

        Args:
            path: the clip; `None` for words alone.
            transcript: what is said; empty to have it transcribed.
            modalities: those of `MODALITIES` that the model may use.

        Raises:
            InputError: the clip cannot be used, or nothing is left of the input.
        """
        text, clip = transcript.strip(), self.decode(path)
        if "text" in modalities and not text and clip is not None and self.asr_model is not None:
            if clip.waveform is None:
                raise InputError("This clip has no sound to transcribe: type what is said.")
            answer = self.pipeline({"video": clip}, asr_model=self.asr_model, top_k=None)
            if set(modalities) == set(MODALITIES):
                return answer
            text = answer["text"]
        return self.pipeline(_parts(clip, text, modalities), top_k=None)

    def own_intents(
        self, path: str | None, transcript: str, modalities: Iterable[str], descriptions: dict[str, list[str]]
    ) -> dict[str, float]:
        """Zero-shot: similarity (mean cosine) of what the model made of the utterance, its semantic token T_f, to each
        description, the most similar first. The model's own labels stay as they are.

        Raises:
            InputError: as for `recognize`; the model cannot read descriptions, or their encoder cannot be had.
        """
        config = self.config
        if not config.use_semantic_synchronization or config.label_descriptions is None:
            raise InputError("This model was trained without descriptions, so that it cannot compare with yours.")
        self._check_description_encoder()
        parts = _parts(self.decode(path), transcript.strip(), modalities)
        answer = self.pipeline(parts, candidate_labels=descriptions)
        similarity = answer["explanation"]["description_similarity"]
        return dict(sorted(similarity.items(), key=lambda item: -item[1]))

    def _check_description_encoder(self) -> None:
        """Load the encoder that reads descriptions at the first call. Raises InputError where it cannot be had."""
        if not self._lacks_description_encoder:
            try:
                self.pipeline.load_description_encoder()
            except ValueError:  # not installed, no network, no such model: the same to a visitor
                logger.exception("The description encoder %s cannot be loaded", self.config.description_encoder)
                # Not tried again: a visitor without network would hold up all others for a minute each time.
                self._lacks_description_encoder = True
        if self._lacks_description_encoder:
            raise InputError(NO_ENCODER)

    def decode(self, path: str | None) -> Any:
        """The clip as the processor decodes it; `None` without one. Raises InputError."""
        if path is None:
            return None
        try:
            return self.pipeline.processor.decode(path, limits=self.limits)
        except self.media.MediaError as error:
            raise self._in_words(error) from error

    def pictures(self, path: str | None, height: int = 180) -> Any:
        """The frames that the model saw, as a clip `height` pixels high that keeps its shape; `None` without any."""
        processor = self.pipeline.processor
        if path is None or processor.frame_rate is None:
            return None
        first = self._decode(path, frame_rate=1.0, max_frames=1)
        if first.frames is None:
            return None
        rows, columns = first.frames.shape[1:3]
        size = (height, max(1, min(round(height * columns / rows), 4 * height)))
        return self._decode(
            path, frame_rate=processor.frame_rate, image_size=size, max_frames=processor.max_video_length
        )

    def _decode(self, path: str, **settings: Any) -> Any:
        try:
            return self.media.decode_clip(path, limits=self.limits, **settings)
        except self.media.MediaError as error:
            raise self._in_words(error) from error

    def _in_words(self, error: Exception) -> InputError:
        """Without the path, and without advice that only the owner of the demo could follow."""
        return InputError(TOO_MUCH.get(getattr(error, "limit", None), UNREADABLE))


def parse_own_intents(text: str) -> dict[str, list[str]]:
    """Lines of "name: description" to descriptions by name; several lines of one name are several descriptions of it.

    Raises:
        InputError: a line of another form, fewer than two intents, too many.
    """
    if len(text) > MAX_OWN_INTENTS_CHARACTERS:
        raise InputError(f"That is too much text: {MAX_OWN_INTENTS_CHARACTERS} characters at most.")
    descriptions: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, description = (part.strip() for part in line.partition(":"))
        if not (name and colon and description):
            raise InputError(f'Line {number} is not of the form "name: description".')
        descriptions.setdefault(name, []).append(description)
    if len(descriptions) < 2:
        raise InputError("Describe at least two intents, one a line, so that there is something to choose from.")
    if sum(map(len, descriptions.values())) > MAX_OWN_INTENTS:
        raise InputError(f"That are too many descriptions: {MAX_OWN_INTENTS} at most.")
    return descriptions


def _parts(clip: Any, text: str, modalities: Iterable[str]) -> dict[str, Any]:
    """The pipeline's input with only those modalities in it."""
    parts = {"text": text if "text" in modalities else ""}
    if clip is not None:
        if "video" not in modalities:
            clip = dataclasses.replace(clip, frames=None, frame_times=None)
        if "audio" not in modalities:
            clip = dataclasses.replace(clip, waveform=None)
        if clip.frames is not None or clip.waveform is not None:
            parts["video"] = clip
    if not parts["text"] and "video" not in parts:
        raise InputError("With this switched off nothing is left of the input. " + NO_MODALITY)
    return parts
