# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""IntentRecognitionPipeline: a clip, or its parts, to ranked intents and what the decision rested on."""

import os
from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from transformers import Pipeline, pipeline
from transformers.pipelines.pt_utils import PipelineDataset, PipelineIterator

from .clip_amess import Clip, MediaLimits, NoMediaStreamError, resampled_waveform
from .configuration_amess import AmessConfig
from .descriptions_amess import (
    checked_descriptions,
    description_similarity,
    embed_descriptions,
    load_description_encoder,
    mean_description_similarity,
)


UNITS = {"video": "frame", "audio": "step"}


def explanation(
    outputs: Mapping[str, Any], token_ids: list[int], tokenizer: Any, config: AmessConfig, clip: Clip | None = None
) -> dict[str, Any]:
    """Puts one row of the model's output into words and times.

    Args:
        outputs: the row's `description_similarity` `(labels,)`, `<modality>_anchor_indices`, `_scores` and `_mask`
            `(anchors,)` and `<modality>_attentions` `(heads, text, frames)`; of these what the model gave.
        token_ids: the row's real tokens, the special ones too.
        tokenizer: which made them.
        config: the model's.
        clip: which the row was made of, for the times of its frames.

    Returns:
        A dict of plain numbers, texts and lists:
        - `tokens`: the text as the model reads it, special tokens included.
        - `video_anchors`, `audio_anchors`: the tokens that stand for the modality, the most reliable first. Each has
          its `token`, its `position` in `tokens`, the `score` of its reliability, the `frame` (or `step`) that it
          reads most from, the `time` in seconds at which that begins, and the `weight` of the attention to it, the
          mean over the heads. With an `alignment` other than `"none"` the attention is not to real frames: then
          `frame`, `time` and `weight` are `None`. `time` is also `None` for features of an unknown frame rate.
        - `description_similarity`: mean cosine to the descriptions of each label that has any.
    """
    # One by one, so that they read as text whatever marks the tokenizer puts on them.
    tokens = [tokenizer.decode([token]).strip() for token in token_ids]
    similarity = {}
    if config.label_descriptions is not None and outputs.get("description_similarity") is not None:
        values = outputs["description_similarity"].float().tolist()
        similarity = {config.id2label[index]: value for index, value in enumerate(values)}
        similarity = {label: value for label, value in similarity.items() if label in config.label_descriptions}
    return {
        "tokens": tokens,
        "video_anchors": _anchors("video", outputs, tokens, config, clip),
        "audio_anchors": _anchors("audio", outputs, tokens, config, clip),
        "description_similarity": similarity,
    }


def seconds(modality: str, index: int, config: AmessConfig, clip: Clip | None = None) -> float | None:
    """When video frame or audio step `index` begins, from the start of the clip; `None` where that is not known."""
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
    columns = (outputs[f"{modality}_anchor_{name}"].tolist() for name in ("indices", "scores", "mask"))
    for position, score, real in zip(*columns, strict=True):
        if not real:
            continue
        index = time = weight = None
        if config.alignment == "none":
            attention: torch.Tensor = outputs[f"{modality}_attentions"][:, position].float().mean(0)
            index, weight = attention.argmax().item(), attention.max().item()
            time = seconds(modality, index, config, clip)
        anchors.append(
            {
                "token": tokens[position],
                "position": position,
                "score": score,
                UNITS[modality]: index,
                "time": time,
                "weight": weight,
            }
        )
    return anchors


PARTS = ("video", "frame_rate", "audio", "sampling_rate", "text", "context", "video_features", "audio_features")
# Whisper hears 16 kHz in windows of 30 seconds; for longer sound it must predict time stamps to know where to go on.
_WHISPER_RATE = 16000
_WHISPER_WINDOW = 30
_SEVERAL = 'Several inputs are given as dicts: [{"video": "clip.mp4", "text": "oh, great."}, ...].'


@dataclass
class Utterance:
    """One input, decoded.

    Attributes:
        arguments: what the processor is given for it: `text`, its `context`, and the clip or the features.
        clip: frames and sound; `None` without a clip.
    """

    arguments: dict[str, Any]
    clip: Clip | None


@dataclass
class Candidates:
    """Labels that the model was not trained on, for one call.

    Attributes:
        labels: their names.
        embeddings: of their descriptions, `(labels, descriptions, description_size)`.
        mask: `(labels, descriptions)`, 1 where there is a description.
    """

    labels: list[str]
    embeddings: torch.Tensor
    mask: torch.Tensor


class IntentRecognitionPipeline(Pipeline):
    """Recognises the intent behind an utterance. Its task is `"multimodal-intent-recognition"`.

    An input is a clip (path, bytes or binary file), or a dict of parts: `video` (a clip, or frames as uint8
    `(frames, height, width, 3)` with `frame_rate`), `audio` (a file, or samples as float `(samples,)` with
    `sampling_rate`; by default the sound of `video`), `text`, or precomputed `video_features` and `audio_features`;
    and for a model of dialogues `context`, the utterances before this one, oldest first, or one as a string. A list
    of inputs gives a list of results, a generator or `torch` data set gives an iterator that reads it as it goes.

    Args, at construction or of a call:
        text (`str`): of a call with one input: what is said in it.
        top_k (`int`, *optional*, defaults to 5): how many intents are returned; `None` for all.
        batch_size (`int`, defaults to 1): inputs that go through the model together. The results do not depend on it.
        asr_model (`str`, *optional*): a Whisper checkpoint that transcribes inputs without text. It is loaded once.
        limits (`MediaLimits`, *optional*): what a clip may cost.
        candidate_labels (`dict[str, list[str]]`, *optional*): zero-shot: intents of your own with their descriptions,
            to choose from instead of the model's. They are embedded once a call, or once for all at construction.

    Args, at construction only:
        description_encoder (`str` or an object with `encode`, *optional*): the Sentence-BERT that embeds
            `candidate_labels`; by default the one that the config names, loaded at its first use.

    A result is a dict:
        - `label`, `score`: the likeliest intent and its probability.
        - `out_of_scope`: whether that is the config's `out_of_scope_label`, or less likely than its
          `out_of_scope_threshold`.
        - `intents`: the `top_k` intents as `{"label", "score"}`, likeliest first.
        - `text`: what was said, as given or transcribed.
        - `modalities`: which of text, video and audio the model got anything of.
        - `explanation`: the tokens, the anchors with the frames and steps that they read from and their times in
          seconds, and the similarity to each label's descriptions, as [`explanation`] describes them.

    With `candidate_labels` the intents are these, their scores the softmax of the mean cosine of T_f and each one's
    descriptions, times the model's `similarity_scale`, and `description_similarity` in the explanation holds these
    cosines. `out_of_scope` is then `None`, not judged: the threshold is of the trained labels' probabilities.

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

    _load_processor = True
    _load_tokenizer = False
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = False

    def __init__(self, *args, **kwargs):
        self._speech_recognizers: dict[str, Pipeline] = {}
        self._description_encoder = kwargs.pop("description_encoder", None)
        super().__init__(*args, **kwargs)
        if self.processor is None:
            raise ValueError("The pipeline needs the model's processor: pass processor=AmessProcessor(...).")
        self.model.eval()

    def __call__(self, inputs: Any = None, text: str | None = None, **kwargs) -> dict | list[dict] | Iterator[dict]:
        """One input, or many, to results as the class describes them.

        Raises:
            MediaError: a clip that cannot be decoded; the message names it.
            ValueError: an input without text where there is no `asr_model` or no sound, unknown parts, clips for a
                model that has no media encoder, candidates without descriptions.
            DescriptionEncoderError: candidates, and no Sentence-BERT to embed them.
        """
        if text is not None:
            if not isinstance(text, str):
                raise ValueError(f"text={text!r} must be one string, for one clip. {_SEVERAL}")
            if isinstance(inputs, (list, tuple, GeneratorType, Dataset)):
                raise ValueError(f"text= belongs to one clip. {_SEVERAL}")
            parts = {} if inputs is None else input_parts(inputs)
            if parts.get("text") is not None:
                raise ValueError("The text is given twice: in the dict and as text=.")
            inputs = {**parts, "text": text}
        if inputs is None:
            raise ValueError("Nothing to recognise: give a clip, a dict of parts, or text=.")
        if isinstance(inputs, tuple):
            inputs = list(inputs)
        if isinstance(inputs, list) and not inputs:
            return []
        return super().__call__(inputs, **kwargs)

    def _sanitize_parameters(self, **parameters):
        preprocess = {name: parameters.pop(name) for name in ("asr_model", "limits") if name in parameters}
        postprocess = {name: parameters.pop(name) for name in ("top_k",) if name in parameters}
        candidate_labels = parameters.pop("candidate_labels", None)
        if parameters:
            raise TypeError(
                f"Unknown arguments: {', '.join(sorted(parameters))}. The pipeline takes text, top_k, batch_size, "
                "num_workers, asr_model, limits and candidate_labels."
            )
        top_k = postprocess.get("top_k")
        if top_k is not None and (not isinstance(top_k, int) or top_k < 1):
            raise ValueError(f"top_k={top_k!r} must be a number of intents, at least 1, or None for all.")
        if candidate_labels is not None:
            postprocess["candidates"] = self._candidates(candidate_labels)
        return preprocess, {}, postprocess

    def _candidates(self, candidate_labels: dict[str, list[str]]) -> Candidates:
        config = self.model.config
        if not config.use_semantic_synchronization:
            raise ValueError(
                "candidate_labels cannot be compared: this model was built with use_semantic_synchronization=False."
            )
        texts = checked_descriptions(candidate_labels)
        encoder = self.load_description_encoder()
        embeddings, mask = embed_descriptions(texts, encoder, config.description_template, config.description_size)
        return Candidates(list(texts), embeddings, mask)

    def load_description_encoder(self) -> Any:
        """The Sentence-BERT that embeds descriptions, loaded once.

        Raises:
            DescriptionEncoderError: it cannot be had; the message says why.
        """
        if self._description_encoder is None or isinstance(self._description_encoder, str):
            name = self._description_encoder or self.model.config.description_encoder
            self._description_encoder = load_description_encoder(name)
        return self._description_encoder

    def run_single(self, inputs, preprocess_params, forward_params, postprocess_params) -> dict:
        """One input is a batch of one."""
        return next(self.get_iterator([inputs], 0, 1, preprocess_params, forward_params, postprocess_params))

    def get_iterator(
        self, inputs, num_workers: int, batch_size: int, preprocess_params, forward_params, postprocess_params
    ) -> Iterator[dict]:
        """Results in the order of the inputs. Batches are padded by the processor, which knows the masks of clips; the
        padding of transformers' own pipelines does not.
        """
        source = PipelineDataset if isinstance(inputs, Sized) else PipelineIterator
        loader = DataLoader(
            source(inputs, self.preprocess, preprocess_params),
            batch_size=batch_size,
            num_workers=num_workers,
            collate_fn=self._collate,
        )
        for groups in loader:
            for outputs in self.forward(groups, **forward_params):
                yield self.postprocess(outputs, **postprocess_params)

    def preprocess(self, input_: Any, asr_model: str | None = None, limits: MediaLimits | None = None) -> Utterance:
        """Decode an input, and transcribe it where it has no text."""
        parts = input_parts(input_)
        if "text" not in parts and asr_model is None:
            raise ValueError(
                f"{input_name(parts)}: a transcript is needed. Give what is said as text, or let a Whisper checkpoint "
                'transcribe it, for instance asr_model="openai/whisper-base".'
            )
        clip, arguments = None, {}
        if "video" in parts or "audio" in parts:
            sources = (parts.get(name) for name in ("video", "audio", "sampling_rate", "frame_rate"))
            clip = self.processor.decode(*sources, limits=limits)
            # Sound without a video must not stand in the way of the video's features.
            arguments |= {"video": clip} if "video" in parts else {"audio": clip.waveform}
        arguments["text"] = parts["text"] if "text" in parts else self._transcribe(parts, asr_model, limits)
        arguments |= {name: parts[name] for name in ("context", "video_features", "audio_features") if name in parts}
        return Utterance(arguments, clip)

    def _transcribe(self, parts: dict[str, Any], asr_model: str, limits: MediaLimits | None) -> str:
        waveform = whole_sound(parts, limits)
        if waveform is None or not len(waveform):
            raise ValueError(
                f"{input_name(parts)}: there is no sound that asr_model could transcribe. Give what is said as text."
            )
        if asr_model not in self._speech_recognizers:
            self._speech_recognizers[asr_model] = pipeline(
                "automatic-speech-recognition", model=asr_model, device=self.device
            )
        options = {"return_timestamps": True} if len(waveform) > _WHISPER_WINDOW * _WHISPER_RATE else {}
        sound = {"raw": waveform, "sampling_rate": _WHISPER_RATE}
        return self._speech_recognizers[asr_model](sound, **options)["text"].strip()

    def _collate(self, utterances: list[Utterance]) -> list[dict]:
        """Utterances of the same parts go through the model together: clips and features cannot share a batch."""
        groups: dict[tuple, list[int]] = {}
        for index, utterance in enumerate(utterances):
            groups.setdefault(tuple(utterance.arguments), []).append(index)
        batches = []
        for names, indices in groups.items():
            columns = {name: [utterances[index].arguments[name] for index in indices] for name in names}
            rate = {"sampling_rate": self.processor.sampling_rate} if "audio" in names else {}
            batch = dict(self.processor(**columns, **rate, return_tensors="pt"))
            batches.append({"batch": batch, "indices": indices, "utterances": [utterances[i] for i in indices]})
        return batches

    def _forward(self, groups: list[dict]) -> list[dict]:
        rows = {}
        for group in groups:
            batch = group["batch"]
            media = [name for name in batch if name.startswith(("pixel", "input_values", "video", "audio"))]
            outputs = self.model(**batch, **({"output_attentions": True} if media else {}))
            tensors = {name: value for name, value in outputs.items() if isinstance(value, torch.Tensor)}
            for row, (index, utterance) in enumerate(zip(group["indices"], group["utterances"], strict=True)):
                token_ids = batch["input_ids"][row][batch["attention_mask"][row].bool()]
                own = {name: value[row] for name, value in tensors.items()}
                rows[index] = {"utterance": utterance, "token_ids": token_ids, **own}
        return [rows[index] for index in sorted(rows)]

    def postprocess(self, outputs: dict, top_k: int | None = 5, candidates: Candidates | None = None) -> dict:
        """One row of the model's output to the result that the class describes."""
        config, utterance = self.model.config, outputs["utterance"]
        text = utterance.arguments["text"]
        reasons = explanation(outputs, outputs["token_ids"].tolist(), self.processor.tokenizer, config, utterance.clip)
        if candidates is None:
            labels, logits = [config.id2label[index] for index in range(config.num_labels)], outputs["logits"].float()
        else:
            labels = candidates.labels
            similarity = description_similarity(outputs["semantic_embedding"][None], candidates.embeddings)
            similarity = mean_description_similarity(similarity, candidates.mask)[0]
            logits = self.model.similarity_scale * similarity
            reasons["description_similarity"] = dict(zip(labels, similarity.tolist(), strict=True))
        probabilities, order = logits.softmax(-1).sort(descending=True, stable=True)
        intents = [
            {"label": labels[index], "score": score}
            for index, score in zip(order.tolist(), probabilities.tolist(), strict=True)
        ]
        label, score = intents[0]["label"], intents[0]["score"]
        threshold = config.out_of_scope_threshold
        out_of_scope = label == config.out_of_scope_label or (threshold is not None and score < threshold)
        present = [name for name in ("video", "audio") if outputs.get(f"{name}_attentions", torch.zeros(1)).any()]
        return {
            "label": label,
            "score": score,
            "out_of_scope": out_of_scope if candidates is None else None,
            "intents": intents[:top_k],
            "text": text,
            "modalities": (["text"] if text.strip() else []) + present,
            "explanation": reasons,
        }

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs) -> None:
        """Save the model and the processor into one folder, from which the pipeline can be made again."""
        self.model.save_pretrained(save_directory, **kwargs)
        self.processor.save_pretrained(save_directory, **kwargs)


def input_parts(input_: Any) -> dict[str, Any]:
    """An input of the pipeline as a dict of its parts, without those that are `None`.

    Raises:
        TypeError: neither a clip nor a dict.
        ValueError: a dict with unknown parts, or with none.
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
    if not set(parts) - {"sampling_rate", "frame_rate", "context"}:
        raise ValueError("An input is empty: give at least one of video, audio, text, video_features, audio_features.")
    if not isinstance(parts.get("text", ""), str):
        raise ValueError(f"The text of an input must be a string, not {type(parts['text']).__name__}.")
    return parts


def input_name(parts: dict[str, Any]) -> str:
    """What an error calls an input: the path of its clip, or what it is made of."""
    for source in (parts.get("video"), parts.get("audio")):
        if isinstance(source, (str, os.PathLike)):
            return os.fspath(source)
    return "The input of " + " and ".join(name for name in parts if not name.endswith("_rate"))


def whole_sound(parts: dict[str, Any], limits: MediaLimits | None) -> np.ndarray | None:
    """The sound of an input for Whisper, `(samples,)`, which is not cut to what A-MESS hears; `None` without any."""
    source = parts.get("audio", parts.get("video"))
    if isinstance(source, (np.ndarray, torch.Tensor)):
        if "audio" not in parts:
            return None  # frames
        return resampled_waveform(np.asarray(source), parts["sampling_rate"], _WHISPER_RATE)
    if source is None:
        return None
    if not isinstance(source, Clip):
        # Here, because it loads FFmpeg, which texts and features do without.
        from .media_amess import decode_clip

        try:
            source = decode_clip(source, video=False, sampling_rate=_WHISPER_RATE, limits=limits)
        except NoMediaStreamError:
            return None
    return (
        None if source.waveform is None else resampled_waveform(source.waveform, source.sampling_rate, _WHISPER_RATE)
    )


__all__ = ["IntentRecognitionPipeline", "explanation", "seconds"]
