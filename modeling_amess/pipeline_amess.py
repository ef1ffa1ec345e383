# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""IntentRecognitionPipeline: a clip, or its parts, to ranked intents, with an explanation of what they rested on."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass, replace
from types import GeneratorType
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from transformers import Pipeline
from transformers.pipelines.pt_utils import PipelineDataset, PipelineIterator
from transformers.utils import logging

from .clip_amess import (
    DEFAULT_ASR_MODEL,
    SPEECH_RATE,
    Clip,
    MediaLimits,
    NoMediaStreamError,
    SpeechRecognizer,
    Transcript,
    Waveform,
    resampled_waveform,
    span_of,
)
from .configuration_amess import AmessConfig
from .descriptions_amess import (
    checked_descriptions,
    description_similarity,
    embed_descriptions,
    load_description_encoder,
    mean_description_similarity,
)
from .processing_amess import frames_or_source, previous_utterances, sound_and_rate


PARTS = (
    *("video", "frame_rate", "audio", "sampling_rate", "start", "end"),
    *("text", "context", "video_features", "audio_features"),
)
FEATURES = ("video_features", "audio_features")
UNITS = {"video": "frame", "audio": "step"}
# What the pipeline does with a modality that is unlike the training clips.
ON_UNFAMILIAR = ("warn", "leave_out", "ignore")
logger = logging.get_logger(__name__)

_EMPTY = (
    "The input is empty: nothing is said, and there is nothing to see or hear. Give a text with a word in it, a clip, "
    "or both."
)
_SEVERAL = 'Several inputs are given as dicts: [{"video": "clip.mp4", "text": "oh, great."}, ...].'


@dataclass
class Utterance:
    """One input, decoded.

    Attributes:
        text: What is said; `None` before it is transcribed.
        context: Previous utterances, oldest first, or one as a string; `None` without any.
        clip: Frames and sound; `None` without a clip.
        features: Precomputed features by the name of the model's input.
        sound: Whole sound for Whisper, `(samples,)`, of an utterance without text.
        name: Name of the input in messages.
        transcript: What Whisper heard; `None` for a text that was given.
    """

    text: str | None
    context: Any
    clip: Clip | None
    features: dict[str, Any]
    sound: Waveform | None = None
    name: str = ""
    transcript: Transcript | None = None


@dataclass(frozen=True)
class Preparation:
    """Work on one input that worker processes can do: it holds the processor and options, and no model.

    Attributes:
        processor: Processor of the model.
        limits: Limits on what a clip may cost.
        picture_size: Longer side of `Clip.pictures`; `None` for no pictures.
        for_transcription: Whether inputs without text keep their whole sound; otherwise they are refused.
    """

    processor: Any
    limits: MediaLimits | None
    picture_size: int | None
    for_transcription: bool

    def __call__(self, input_: Any) -> Utterance | Exception:
        """Decode an input, or return the error: torch would raise an error of a worker as another one."""
        try:
            return self.utterance(input_)
        except (ValueError, TypeError, OSError, ImportError) as error:
            return error

    def utterance(self, input_: Any) -> Utterance:
        """Decode an input, once."""
        parts = input_parts(input_)
        if "video" in parts:
            parts["video"] = frames_or_source(parts["video"])
        if "audio" in parts:
            parts["audio"], parts["sampling_rate"] = sound_and_rate(parts["audio"], parts.get("sampling_rate"))
        name, has_clip, is_heard = input_name(parts), "video" in parts or "audio" in parts, "text" not in parts
        if is_heard and not (self.for_transcription and has_clip):
            raise ValueError(
                f"{name}: a transcript is needed. Give what is said as text, or give the clip and let Whisper "
                f"transcribe it: asr_model={DEFAULT_ASR_MODEL!r}."
            )
        clip = sound = None
        wanted = self.processor.modalities_beside(parts)
        if has_clip:
            sources = (parts.get(name) for name in ("video", "audio", "sampling_rate", "frame_rate"))
            # The sound for Whisper comes with the pictures, so that the file is decoded once.
            heard_too = is_heard and wanted and self.processor.sampling_rate >= SPEECH_RATE
            options = {"limits": self.limits, "modalities": wanted, "picture_size": self.picture_size}
            if heard_too:
                options["modalities"] = [*wanted, *({"audio"} - {*wanted})]
            span = {name: parts[name] for name in ("start", "end") if name in parts}
            clip = self.processor.load_clip(*sources, **options, **span)
        if is_heard:
            # Before the clip is fitted: Whisper hears all of the sound, A-MESS as much as it was trained with.
            sound = _whole_sound(parts, clip, self.limits)
            if sound is None or not len(sound):
                raise ValueError(
                    f"{name}: there is no sound that asr_model could transcribe. Give what is said as text, or "
                    'text="" for a clip without words.'
                )
        if clip is not None:
            clip = self.processor.fit(clip, wanted)
        features = {name: parts[name] for name in FEATURES if name in parts}
        return Utterance(parts.get("text"), parts.get("context"), clip, features, sound, name)


@dataclass
class Candidates:
    """Intents of one call that the model was not trained on.

    Attributes:
        labels: Names of the intents.
        embeddings: Embeddings of their descriptions, `(labels, descriptions, description_size)`.
        mask: `(labels, descriptions)`, 1 for real descriptions.
    """

    labels: list[str]
    embeddings: torch.Tensor
    mask: torch.Tensor

    def similarity(self, semantic_embedding: torch.Tensor) -> torch.Tensor:
        """Return the mean cosine of T_f `(description_size,)` and each label's descriptions `(labels,)`."""
        similarity = description_similarity(semantic_embedding[None], self.embeddings)
        return mean_description_similarity(similarity, self.mask)[0]


class IntentRecognitionPipeline(Pipeline):
    """Recognises the intent behind an utterance. Its task is `"multimodal-intent-recognition"`.

    An input is a clip (path, bytes or binary file), or a dict of parts: `video` (a clip, or frames as uint8
    `(frames, height, width, 3)` or a list of images, with `frame_rate`), `audio` (a file, or samples `(samples,)` with
    `sampling_rate`, or such a dict as `datasets` has it; by default the sound of `video`), `text`, or precomputed
    `video_features` and `audio_features`;
    and `start` and `end` in seconds, if the utterance is a part of a longer file;
    and for a model of dialogues `context`, the utterances before this one, oldest first, or one as a string. A list
    of inputs gives a list of results, a generator or `torch` data set gives an iterator that reads it as it goes.

    Args, at construction or of a call:
        text (`str`): What is said, for a call with one input.
        top_k (`int`, *optional*, defaults to 5): Number of intents that are returned; `None` for all.
        batch_size (`int`, defaults to 1): Number of inputs that go through the model together. The results do not
            depend on it.
        asr_model (`str`, *optional*, defaults to `"tiny.en"`): Whisper that transcribes clips without text, as
            [`SpeechRecognizer`] takes it. It is loaded once. With `None` such clips are refused.
        limits (`MediaLimits`, *optional*): Limits on what a clip may cost.
        candidate_labels (`dict[str, list[str]]`, *optional*): Descriptions of your own intents, to choose from instead
            of the model's (zero-shot). They are embedded once per call, or once for all at construction.
        on_unfamiliar (`str`, defaults to `"warn"`): What happens to a picture or sound that is unlike the training
            clips: `"warn"` names it in `unfamiliar`, `"leave_out"` also answers without it, `"ignore"` does not look.
        variants (`bool`, defaults to `True`): Whether the explanation shows how the answer moves with the modalities.
            They go through the model together, as one batch of up to four per input.
        coverage (`float`, *optional*): Share of utterances, such as 0.9, whose `prediction_set` is to hold their
            intent. It needs a model whose config has `coverage_thresholds`.
        return_clip (`bool`, defaults to `False`): Whether the result holds the decoded clip.
        picture_size (`int`, *optional*): Longer side in pixels of the clip's `pictures`, its frames for people to look
            at; `None` for no pictures.

    Args, at construction only:
        description_encoder (`str` or an object with `encode`, *optional*): Sentence-BERT that embeds
            `candidate_labels`; by default the one that the config names, loaded at its first use.

    A result is a dict:
        - `label`, `score`: the likeliest intent and its probability, which the config's `temperature` calibrates.
        - `out_of_scope`: whether that is the config's `out_of_scope_label`, or less likely than its
          `out_of_scope_threshold`.
        - `verdict`: `"in_scope"`, `"out_of_scope"`, or `"unsure"` between the two intents of `unsure_between`, as
          [`AmessConfig.verdict`] judges.
        - `out_of_scope_threshold`, `temperature`: the threshold and the divisor of the logits that were used.
        - `unfamiliar`: those of video and audio that are unlike the training clips; `None` if nothing was compared,
          because the model keeps no training clips or with `on_unfamiliar="ignore"`.
        - `unfamiliarity`: distance to the nearest training clip by modality, as a multiple of the limit.
        - `intents`: the `top_k` intents as `{"label", "score"}`, likeliest first.
        - `prediction_set`, with `coverage`: the labels that are likely enough, the likeliest first; never empty.
        - `text`: what was said, as given or transcribed.
        - `transcript`: what Whisper heard, or `None` for a text that was given: the `asr_model`, the `language`, which
            is `None` where nobody speaks, and `words`, each with `text`, `start`, `end` (seconds from the start of
            the clip) and `probability`.
        - `modalities`: those of text, video and audio of which the model got anything.
        - `explanation`: `variants`, the answers with fewer modalities; the tokens, the anchors with the frames and
          steps that they read from and their times in seconds, and the similarity to each label's descriptions, as
          [`explanation`] describes them.
        - `clip`, with `return_clip=True`: the decoded [`Clip`] as the model saw and heard it; `None` without one.

    With `candidate_labels` the intents are these, their scores are the softmax of the mean cosine of T_f and each
    one's descriptions, times the model's `similarity_scale`, and `description_similarity` in the explanation holds
    these cosines. `out_of_scope`, `verdict`, `out_of_scope_threshold` and `temperature` are then `None`, not judged:
    the threshold is on the trained labels' probabilities.

    Example:
    ```python
    >>> recognizer = pipeline("multimodal-intent-recognition", model="org/amess-mintrec", trust_remote_code=True)
    >>> recognizer("clip.mp4", text="oh, great.")["label"]
    'Taunt'
    >>> own = {"Reassure": ["To take away a worry."], "Boast": ["To speak proudly of oneself."]}
    >>> recognizer("clip.mp4", text="it will be fine.", candidate_labels=own)["label"]
    'Reassure'
    ```
    """

    # Any: transformers annotates the flags by their default None, and the model's class would be a circular import.
    _load_processor: Any = True
    _load_tokenizer: Any = False
    _load_image_processor: Any = False
    _load_video_processor: Any = False
    _load_feature_extractor: Any = False
    model: Any
    processor: Any

    def __init__(self, *args: Any, **kwargs: Any):
        self._speech_recognizers: dict[str, SpeechRecognizer] = {}
        self._description_encoder = kwargs.pop("description_encoder", None)
        super().__init__(*args, **kwargs)
        if self.processor is None:
            raise ValueError("The pipeline needs the model's processor: pass processor=AmessProcessor(...).")
        self.model.eval()

    def __call__(self, inputs: Any = None, *args: Any, text: str | None = None, **kwargs: Any) -> Any:
        """Recognise one input, or many: a result or results as the class describes them.

        Raises:
            MediaError: A clip cannot be decoded; the message names it.
            SpeechModelError: The `asr_model` is not available.
            ValueError: An input is empty, or all of it is left out; it has no text and there is no `asr_model` or no
                sound; it has unknown parts, or is a clip for a model without a media encoder; candidates have no
                descriptions.
            DescriptionEncoderError: The Sentence-BERT that embeds the candidates is not available.
        """
        if text is not None:
            if not isinstance(text, str):
                raise ValueError(f"text={text!r} must be one string, for one clip. {_SEVERAL}")
            if isinstance(inputs, (list, tuple, GeneratorType, Dataset)):
                raise ValueError(f"text= belongs to one clip. {_SEVERAL}")
            parts = {} if inputs is None else input_parts(inputs)
            if parts.get("text") is not None:
                raise ValueError("The text is given twice: in the dict and as text=. Leave one of them out.")
            inputs = {**parts, "text": text}
        if inputs is None:
            raise ValueError("Nothing to recognise: give a clip, a dict of parts, or text=.")
        if isinstance(inputs, tuple):
            inputs = list(inputs)
        if isinstance(inputs, list) and not inputs:
            return []
        return super().__call__(inputs, *args, **kwargs)

    def _sanitize_parameters(self, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        def taken(*names: str) -> dict[str, Any]:
            return {name: parameters.pop(name) for name in names if name in parameters}

        preprocess, postprocess = (
            taken("asr_model", "limits", "picture_size"),
            taken("top_k", "return_clip", "coverage"),
        )
        forward = taken("on_unfamiliar", "variants")
        candidate_labels = parameters.pop("candidate_labels", None)
        if parameters:
            raise TypeError(
                f"Unknown arguments: {', '.join(sorted(parameters))}. The pipeline takes text, top_k, batch_size, "
                "num_workers, asr_model, limits, candidate_labels, coverage, on_unfamiliar, variants, return_clip and "
                "picture_size."
            )
        top_k = postprocess.get("top_k")
        if top_k is not None and (not isinstance(top_k, int) or top_k < 1):
            raise ValueError(f"top_k={top_k!r} must be a number of intents, at least 1, or None for all.")
        if forward.get("on_unfamiliar", ON_UNFAMILIAR[0]) not in ON_UNFAMILIAR:
            raise ValueError(f"on_unfamiliar={forward['on_unfamiliar']!r} must be one of {', '.join(ON_UNFAMILIAR)}.")
        if postprocess.get("coverage") is not None:
            self.model.config.coverage_threshold(postprocess["coverage"])  # refuses what cannot be, before any work
        if candidate_labels is not None:
            postprocess["candidates"] = self._candidates(candidate_labels)
        return preprocess, forward, postprocess

    def _candidates(self, candidate_labels: dict[str, list[str]]) -> Candidates:
        config = self.model.config
        if not config.use_semantic_synchronization:
            raise ValueError(
                "candidate_labels cannot be compared: this model was built with use_semantic_synchronization=False. "
                "Use a model that was trained with it."
            )
        texts = checked_descriptions(candidate_labels)
        encoder = self.load_description_encoder()
        embeddings, mask = embed_descriptions(texts, encoder, config.description_template, config.description_size)
        return Candidates(list(texts), embeddings, mask)

    def load_description_encoder(self) -> Any:
        """Load the Sentence-BERT that embeds descriptions, once.

        Raises:
            DescriptionEncoderError: The encoder is not available; the message says why.
        """
        if self._description_encoder is None or isinstance(self._description_encoder, str):
            name = self._description_encoder or self.model.config.description_encoder
            self._description_encoder = load_description_encoder(name)
        return self._description_encoder

    def run_single(
        self,
        inputs: Any,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> dict[str, Any]:
        """Recognise one input as a batch of one."""
        return next(self.get_iterator([inputs], 0, 1, preprocess_params, forward_params, postprocess_params))

    def get_iterator(
        self,
        inputs: Any,
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Iterator[dict[str, Any]]:
        """Yield results in the order of the inputs.

        Workers decode clips; this process transcribes, pads and runs the model. The processor pads the batches,
        because it knows the masks of clips; the padding of transformers' own pipelines does not.
        """
        source = PipelineDataset if isinstance(inputs, Sized) else PipelineIterator
        if num_workers and source is PipelineIterator:
            logger.warning_once(
                "Inputs without a length are read in this process: with num_workers each worker would read all of "
                "them. Give a list to use num_workers."
            )
            num_workers = 0
        asr_model = preprocess_params.get("asr_model", DEFAULT_ASR_MODEL)
        loader: DataLoader[Any] = DataLoader(
            source(inputs, self._preparation(**preprocess_params), {}),
            batch_size=batch_size,
            num_workers=num_workers,
            collate_fn=list,
        )
        for prepared in loader:
            groups = self._collate([self._transcribed(one, asr_model) for one in prepared])
            for outputs in self.forward(groups, **forward_params):
                yield self.postprocess(outputs, **postprocess_params)

    def _preparation(
        self,
        asr_model: str | None = DEFAULT_ASR_MODEL,
        limits: MediaLimits | None = None,
        picture_size: int | None = None,
    ) -> Preparation:
        return Preparation(self.processor, limits, picture_size, asr_model is not None)

    def preprocess(  # type: ignore[override]  # transformers passes these parameters by name
        self,
        input_: Any,
        asr_model: str | None = DEFAULT_ASR_MODEL,
        limits: MediaLimits | None = None,
        picture_size: int | None = None,
    ) -> Utterance:
        """Decode an input, once, and transcribe it if it has no text."""
        return self._transcribed(self._preparation(asr_model, limits, picture_size)(input_), asr_model)

    def _transcribed(self, prepared: Utterance | Exception, asr_model: str | None) -> Utterance:
        if isinstance(prepared, Exception):
            raise prepared
        if prepared.sound is None or asr_model is None:
            return prepared
        transcript = self.load_speech_recognizer(asr_model).transcribe(prepared.sound)
        if not transcript.text:
            logger.warning("%s: Nobody speaks in it: the text is empty (heard by %s).", prepared.name, asr_model)
        return replace(prepared, text=transcript.text, sound=None, transcript=transcript)

    def load_speech_recognizer(self, asr_model: str = DEFAULT_ASR_MODEL) -> SpeechRecognizer:
        """Load the Whisper that transcribes, once.

        Raises:
            SpeechModelError: It is not available; the message says what to do.
        """
        if asr_model not in self._speech_recognizers:
            device = "cuda" if self.device.type == "cuda" else "cpu"
            # As many threads as the model runs with, which follow the cores of this process.
            self._speech_recognizers[asr_model] = SpeechRecognizer(asr_model, device, torch.get_num_threads())
        return self._speech_recognizers[asr_model]

    def _collate(self, utterances: list[Utterance]) -> list[dict[str, Any]]:
        """Group utterances by their inputs: clips and features cannot share a batch of the model."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for index, one in enumerate(utterances):
            key = (one.clip is not None, one.context is not None, *one.features)
            groups.setdefault(key, []).append(index)
        batches = []
        for (has_clip, has_context, *features), indices in groups.items():
            group = [utterances[index] for index in indices]
            texts, contexts = [str(one.text) for one in group], None
            if has_context:
                given = [one.context for one in group]
                contexts = previous_utterances(texts, given, len(texts), self.processor.context_utterances)
            clips = [one.clip for one in group] if has_clip else None
            columns = {name: [one.features[name] for one in group] for name in features}
            batch = dict(self.processor.collate(texts, contexts, clips, columns))
            batches.append({"batch": batch, "indices": indices, "utterances": group})
        return batches

    def _forward(  # type: ignore[override]  # transformers' pipelines forward one batch, this one groups of them
        self, groups: list[dict[str, Any]], on_unfamiliar: str = ON_UNFAMILIAR[0], variants: bool = True
    ) -> list[dict[str, Any]]:
        rows = {}
        for group in groups:
            batch = self.model.encode_clips(group["batch"])
            unfamiliarity = {} if on_unfamiliar == "ignore" else self.model.unfamiliarity(batch)
            masks = _modality_masks(batch)
            if on_unfamiliar == "leave_out":
                for name, distances in unfamiliarity.items():
                    masks[name] = masks[name] * ~(distances > 1).to(masks[name].device)[:, None]
            for row, utterance in enumerate(group["utterances"]):
                _check_not_empty(utterance, row, masks, _modality_masks(batch))
            kinds = _variants(tuple(masks)) if variants else [tuple(masks)]
            repeated = {name: values.repeat(len(kinds), *[1] * (values.dim() - 1)) for name, values in batch.items()}
            for name, mask in masks.items():
                parts = [mask if name in kind else torch.zeros_like(mask) for kind in kinds]
                repeated[f"{name}_attention_mask"] = torch.cat(parts)
            outputs = self.model(**repeated, **({"output_attentions": True} if masks else {}))
            tensors = {name: value for name, value in outputs.items() if isinstance(value, torch.Tensor)}
            size = len(group["utterances"])
            for row, (index, utterance) in enumerate(zip(group["indices"], group["utterances"], strict=True)):
                present = [name for name, mask in masks.items() if mask[row].any()]
                fewer: dict[tuple[str, ...], dict[str, torch.Tensor]] = {}
                for place, kind in enumerate(kinds if variants else []):
                    names = tuple(name for name in kind if name in present)
                    if names not in fewer and (names or str(utterance.text).strip()):
                        ranked = [name for name in ("logits", "semantic_embedding") if name in tensors]
                        fewer[names] = {name: tensors[name][place * size + row] for name in ranked}
                rows[index] = {
                    "utterance": utterance,
                    "token_ids": batch["input_ids"][row][batch["attention_mask"][row].bool()],
                    "present": present,
                    "variants": dict(reversed(fewer.items())),
                    "unfamiliarity": {name: float(values[row]) for name, values in unfamiliarity.items()},
                    "compared": on_unfamiliar != "ignore" and self.model.config.familiar_clips is not None,
                    **{name: value[row] for name, value in tensors.items()},
                }
        return [rows[index] for index in sorted(rows)]

    def postprocess(  # type: ignore[override]  # transformers passes these parameters by name
        self,
        outputs: dict[str, Any],
        top_k: int | None = 5,
        candidates: Candidates | None = None,
        return_clip: bool = False,
        coverage: float | None = None,
    ) -> dict[str, Any]:
        """Turn one row of the model's output into the result that the class describes."""
        if coverage is not None and candidates is not None:
            raise ValueError(
                "coverage cannot be kept among candidate_labels: the thresholds are of the labels that the model was "
                "trained with. Leave one of the two out."
            )
        config, utterance = self.model.config, outputs["utterance"]
        text = str(utterance.text)
        reasons = explanation(outputs, outputs["token_ids"].tolist(), self.processor.tokenizer, config, utterance.clip)
        if candidates is not None:
            similarity = candidates.similarity(outputs["semantic_embedding"])
            reasons["description_similarity"] = dict(zip(candidates.labels, similarity.tolist(), strict=True))
        intents = self._intents(outputs, candidates)
        words = ["text"] if text.strip() else []
        variants = []
        for names, values in outputs["variants"].items():
            ranked = self._intents(values, candidates)
            variants.append({"modalities": [*words, *names], **ranked[0], "intents": ranked[:top_k]})
        label, score = intents[0]["label"], intents[0]["score"]
        judged = candidates is None
        verdict, rivals = (
            config.verdict([(one["label"], one["score"]) for one in intents[:2]]) if judged else (None, ())
        )
        # In a fixed order: a saved config sorts its keys.
        distances = {name: outputs["unfamiliarity"].get(name, math.nan) for name in UNITS}
        unfamiliarity = {name: value for name, value in distances.items() if not math.isnan(value)}
        unfamiliar = [name for name, value in unfamiliarity.items() if value > 1]
        result = {
            "label": label,
            "score": score,
            "out_of_scope": config.is_out_of_scope(label, score) if judged else None,
            "verdict": verdict,
            "unsure_between": list(rivals),
            "out_of_scope_threshold": config.out_of_scope_threshold if judged else None,
            "temperature": config.temperature if judged else None,
            "unfamiliar": unfamiliar if outputs["compared"] else None,
            "unfamiliarity": unfamiliarity,
            **({} if coverage is None else {"prediction_set": prediction_set(intents, coverage, config)}),
            "intents": intents[:top_k],
            "text": text,
            "transcript": _plain_transcript(utterance.transcript),
            "modalities": words + outputs["present"],
            "explanation": {"variants": variants, **reasons},
        }
        return result | {"clip": utterance.clip} if return_clip else result

    def _intents(self, outputs: Mapping[str, Any], candidates: Candidates | None) -> list[dict[str, Any]]:
        """Rank all intents of one row of the model's output, the likeliest first."""
        if candidates is None:
            labels, logits = self.model.config.label_names, calibrated(outputs["logits"].float(), self.model.config)
        else:
            labels = candidates.labels
            logits = self.model.similarity_scale * candidates.similarity(outputs["semantic_embedding"])
        probabilities, order = logits.softmax(-1).sort(descending=True, stable=True)
        return [
            {"label": labels[index], "score": score}
            for index, score in zip(order.tolist(), probabilities.tolist(), strict=True)
        ]

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Save the model and the processor into one folder, from which the pipeline can be made again."""
        self.model.save_pretrained(save_directory, **kwargs)
        self.processor.save_pretrained(save_directory, **kwargs)


def calibrated(logits: torch.Tensor, config: AmessConfig) -> torch.Tensor:
    """Divide logits by the config's temperature, if it has one."""
    return logits if config.temperature is None else logits / config.temperature


def prediction_set(intents: Sequence[Mapping[str, Any]], coverage: float, config: AmessConfig) -> list[str]:
    """Choose the labels that are likely enough for a coverage, the likeliest always among them.

    Args:
        intents: All intents as `{"label", "score"}`, the likeliest first.
        coverage: Share of utterances whose set is to hold their intent.
        config: Configuration with the thresholds.
    """
    threshold = config.coverage_threshold(coverage)
    return [intent["label"] for place, intent in enumerate(intents) if place == 0 or intent["score"] >= threshold]


def input_parts(input_: Any) -> dict[str, Any]:
    """Turn an input of the pipeline into a dict of its parts, without those that are `None`.

    Raises:
        TypeError: The input is neither a clip nor a dict.
        ValueError: The dict has unknown parts, or none.
    """
    if isinstance(input_, (str, os.PathLike, bytes, bytearray, memoryview, Clip)) or hasattr(input_, "read"):
        return {"video": input_}
    if not isinstance(input_, dict):
        raise TypeError(
            f"An input is a clip (path, bytes or binary file) or a dict of parts, not {type(input_).__name__}."
        )
    unknown = sorted(set(input_) - set(PARTS))
    if unknown:
        raise ValueError(f"Unknown parts of an input: {', '.join(map(repr, unknown))}. Known are {', '.join(PARTS)}.")
    parts = {name: value for name, value in input_.items() if value is not None}
    if not set(parts) - {"sampling_rate", "frame_rate", "start", "end", "context"}:
        raise ValueError(
            "The input is empty: give at least one of video, audio, text, video_features, audio_features."
        )
    if not isinstance(parts.get("text", ""), str):
        raise ValueError(f"The text of an input must be a string, not {type(parts['text']).__name__}.")
    if not parts.get("text", "-").strip() and not set(parts) & {"video", "audio", *FEATURES}:
        raise ValueError(_EMPTY)
    return parts


def _modality_masks(batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Masks of the modalities of a batch, `(batch, frames)` each, with 1 for real positions."""
    masks = {}
    for name in UNITS:
        if f"{name}_features" in batch:
            features = batch[f"{name}_features"]
            masks[name] = batch.get(f"{name}_attention_mask", torch.ones(features.shape[:2], dtype=torch.long)).long()
    return masks


def _variants(present: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Combinations of modalities beside the words: all of them, each alone, and none."""
    return [
        present,
        *([(name,) for name in reversed(present)] if len(present) > 1 else []),
        *([()] if present else []),
    ]


def _check_not_empty(
    utterance: Utterance, row: int, masks: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]
) -> None:
    """Raise ValueError for a row with nothing to read.

    Args:
        utterance: Utterance of the row.
        row: Row of the masks.
        masks: Masks of what the model may read.
        given: Masks of what was given.
    """
    if str(utterance.text).strip() or any(mask[row].any() for mask in masks.values()):
        return
    left_out = [name for name, mask in given.items() if mask[row].any()]
    if not left_out:
        raise ValueError(_EMPTY)
    raise ValueError(
        f"Nothing is left of the input: there are no words, and its {' and '.join(left_out)} is unlike the training "
        'clips and left out. Give what is said, or on_unfamiliar="warn" to have an answer all the same.'
    )


def input_name(parts: dict[str, Any]) -> str:
    """Name of an input in errors: the path of its clip, or the names of its parts."""
    for source in (parts.get("video"), parts.get("audio")):
        if isinstance(source, (str, os.PathLike)):
            return os.fspath(source)
    return "The input of " + " and ".join(name for name in parts if not name.endswith("_rate"))


def _plain_transcript(transcript: Transcript | None) -> dict[str, Any] | None:
    """Put a transcript into plain values for the result."""
    if transcript is None:
        return None
    words = [asdict(word) for word in transcript.words]
    return {"asr_model": transcript.asr_model, "language": transcript.language, "words": words}


def _whole_sound(parts: dict[str, Any], clip: Clip | None, limits: MediaLimits | None) -> Waveform | None:
    """Sound of an input for Whisper, `(samples,)`, not cut to what A-MESS hears; `None` without any.

    Args:
        parts: Parts of the input.
        clip: Clip that was read from them.
        limits: Limits on what a file may cost.
    """
    source = parts.get("audio", parts.get("video"))
    is_file = source is not None and not isinstance(source, (np.ndarray, Clip))
    # Of a file A-MESS may have read no sound, or at a lower rate.
    if clip is not None and clip.waveform is not None and (not is_file or clip.sampling_rate >= SPEECH_RATE):
        return resampled_waveform(clip.waveform, clip.sampling_rate, SPEECH_RATE)
    if source is None or not is_file:
        return None
    # A late import, because it loads FFmpeg, which texts and features do without.
    from .media_amess import decode_clip

    try:
        span = span_of(parts.get("start"), parts.get("end"))
        sound = decode_clip(source, video=False, sampling_rate=SPEECH_RATE, limits=limits, span=span)
    except NoMediaStreamError:
        return None
    return sound.waveform


def explanation(
    outputs: Mapping[str, Any], token_ids: list[int], tokenizer: Any, config: AmessConfig, clip: Clip | None = None
) -> dict[str, Any]:
    """Put one row of the model's output into words and times.

    Args:
        outputs: Row of the output: `description_similarity` `(labels,)`, `<modality>_anchor_indices`, `_scores` and
            `_mask` `(anchors,)` and `<modality>_attentions` `(heads, text, frames)`; of these what the model gave.
        token_ids: Real tokens of the row, the special ones too.
        tokenizer: Tokenizer that made them.
        config: Configuration of the model.
        clip: Clip that the row was made of, for the times of its frames.

    Returns:
        A dict of plain numbers, texts and lists:
        - `tokens`: the text as the model reads it, special tokens included.
        - `video_anchors`, `audio_anchors`: the anchors of the modality, those with the highest scores first. Each has
          its `token`, its `position` in `tokens`, the `score` by which it was chosen (`anchor_score` of the
          configuration: by default how peaked the token's attention is), the `frame` (or `step`) that it reads most
          from, the `time` in seconds at which that begins, the `weight` of the attention to it, the mean over the
          heads, and this weight as a multiple of that of attention to all frames alike, `times_uniform`. With an
          `alignment` other than `"none"` the attention is not to real frames: then all of these are `None`. `time` is
          also `None` for features of an unknown frame rate.
        - `description_similarity`: mean cosine to the descriptions of each label that has any.
    """
    # One by one, so that they read as text whatever marks the tokenizer puts on them.
    tokens = [tokenizer.decode([token]).strip() for token in token_ids]
    similarity: dict[str, float] = {}
    if config.label_descriptions is not None and outputs.get("description_similarity") is not None:
        values = outputs["description_similarity"].float().tolist()
        described = config.label_descriptions
        similarity = {
            label: value for label, value in zip(config.label_names, values, strict=True) if label in described
        }
    return {
        "tokens": tokens,
        "video_anchors": _anchors("video", outputs, tokens, config, clip),
        "audio_anchors": _anchors("audio", outputs, tokens, config, clip),
        "description_similarity": similarity,
    }


def seconds(modality: str, index: int, config: AmessConfig, clip: Clip | None = None) -> float | None:
    """Time in seconds at which video frame or audio step `index` of a clip begins; `None` if it is not known."""
    if modality == "video" and clip is not None and clip.frame_times is not None:
        return float(clip.frame_times[index])
    preprocessing = (config.media_encoder or {}).get("preprocessing", {})
    rate = preprocessing.get("frame_rate")
    if modality == "audio":
        step = preprocessing.get("audio_step")
        rate = preprocessing["sampling_rate"] / step if step else None
    return index / rate if rate else None


def _anchors(
    modality: str, outputs: Mapping[str, Any], tokens: list[str], config: AmessConfig, clip: Clip | None
) -> list[dict[str, Any]]:
    if outputs.get(f"{modality}_anchor_indices") is None:
        return []
    anchors = []
    has_frames = config.alignment == "none"
    columns = (outputs[f"{modality}_anchor_{name}"].tolist() for name in ("indices", "scores", "mask"))
    for place, score, real in zip(*columns, strict=True):
        if not real:
            continue
        # Of a token the frame that it reads most from; of a frame the token that reads most from it.
        by_token = config.anchor_kind == "tokens"
        position, index, time, weight, times_uniform = place, None, None, None, None
        if has_frames or not by_token:
            attentions: torch.Tensor = outputs[f"{modality}_attentions"].float()
            # Padding has no weight in any head and for any token.
            num_real = int((attentions.sum((0, 1)) > 0).sum())
            attention = attentions.mean(0)[: len(tokens)]
            attention = attention[place] if by_token else attention[:, place]
            best, weight = int(attention.argmax()), attention.max().item()
            position, index = (place, best) if by_token else (best, place)
            times_uniform = weight * num_real
        if not has_frames:
            index = weight = times_uniform = None
        elif index is not None:
            time = seconds(modality, index, config, clip)
        anchors.append(
            {
                "token": tokens[position],
                "position": position,
                "score": score,
                UNITS[modality]: index,
                "time": time,
                "weight": weight,
                "times_uniform": times_uniform,
            }
        )
    return anchors


__all__ = ["IntentRecognitionPipeline", "explanation", "seconds"]
