# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessProcessor: texts, and clips or precomputed features, to one padded batch with masks."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import torch
from transformers import BatchFeature
from transformers.processing_utils import ProcessorMixin
from transformers.utils import logging

from .clip_amess import Clip, MediaLimits, resampled_waveform, resized_frames, sampled_frames


def previous_utterances(
    text: str | Sequence[str] | None, context: Any, number: int, context_utterances: int
) -> list[list[str]]:
    """What was said before each utterance of a batch, of the last `context_utterances` that are given.

    Args:
        text: the batch's text as the processor was given it.
        context: of one utterance (`text` is a string) its previous utterances, oldest first, or a string for a single
            one; of a list of utterances a list with such an entry, or `None`, for each.
        number: utterances of the batch.
        context_utterances: previous utterances that the model was trained with.

    Raises:
        ValueError: a model without context, context without text, another number of entries, entries of other types.
    """
    if not context_utterances:
        raise ValueError(
            "context was given, but this processor is of a model that reads none (context_utterances=0): leave it "
            "out, or train with --context_utterances."
        )
    if text is None:
        raise ValueError("context was given without text: it is what was said before the text.")
    if not isinstance(text, str) and (isinstance(context, str) or len(context) != number):
        given = "one string" if isinstance(context, str) else len(context)
        raise ValueError(f"{number} texts but {given} context: give one entry for each utterance.")
    rows = []
    for index, row in enumerate([context] if isinstance(text, str) else context):
        row = [] if row is None else [row] if isinstance(row, str) else row
        if not isinstance(row, Sequence) or not all(isinstance(utterance, str) for utterance in row):
            raise ValueError(f"The context of utterance {index} must be a string or a list of strings, not {row!r}.")
        rows.append(list(row[-context_utterances:]))
    return rows


def add_context(
    tokenizer: Any,
    encoded: dict[str, list[list[int]]],
    texts: Sequence[str],
    contexts: Sequence[Sequence[str]],
    max_context_length: int,
) -> bool:
    """Append the context to encoded utterances, in place: `[CLS] utterance [SEP] context [SEP]`, with segment id 1 for
    the context where the tokenizer knows segments (BERT's does, RoBERTa's does not). The previous utterances stand in
    the order in which they were said. The utterance itself is left as it is; of too long a context the beginning is
    cut. A row without context stays a row of one segment.

    The model takes both segments for its text: anchors, fusion and pooling run over all of it, and the segment ids
    tell it which part the sound and the picture belong to.

    Args:
        tokenizer: of the BERT family, whose encoding of a pair begins with that of its first part.
        encoded: its encoding of `texts`, not padded.
        texts: the utterances `(batch)`.
        contexts: what was said before each, oldest first.
        max_context_length: tokens of the second segment, separators included.

    Returns:
        Whether any context was cut.
    """
    joined = {row: " ".join(context) for row, context in enumerate(contexts) if any(map(str.strip, context))}
    if not joined:
        return False
    # Without truncation: the tokenizer knows one limit for both parts, and the warning of too long a text is ours.
    pairs = tokenizer([texts[row] for row in joined], list(joined.values()), truncation=False, verbose=False)
    was_cut = False
    for place, row in enumerate(joined):
        segments = pairs.sequence_ids(place)
        second = range(segments.count(0) + tokenizer.num_special_tokens_to_add(pair=False), len(segments))
        words = [position for position in second if segments[position] == 1]
        room = max(max_context_length - (len(second) - len(words)), 0)
        was_cut |= len(words) > room
        dropped = set(words[: max(len(words) - room, 0)])
        if len(dropped) == len(words):
            continue
        for name in encoded:
            values = pairs[name][place]
            encoded[name][row] = encoded[name][row] + [values[i] for i in second if i not in dropped]
    return was_cut


logger = logging.get_logger(__name__)

VideoInput = str | os.PathLike | bytes | BinaryIO | np.ndarray | torch.Tensor | Clip
AudioInput = str | os.PathLike | bytes | BinaryIO | np.ndarray | torch.Tensor


class AmessProcessor(ProcessorMixin):
    r"""Turns utterances into the batch that the A-MESS models take: texts, and clips for a model with a media encoder or
    precomputed features for any. Everything is padded to the longest of the batch, never to a fixed length: every mask
    is 1 for real positions.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): the text encoder's; `None` for a processor of clips alone, which cannot
            be saved.
        video_feature_size, audio_feature_size (`int`, *optional*): size of one frame's or step's vector; `None` where
            the model has no such part.
        max_text_length, max_video_length, max_audio_length (`int`): tokens, frames and steps that are kept.
        frame_rate (`float`, *optional*): frames a second that are taken from a clip; `None` for a model that takes no
            clips. This and what follows is the `preprocessing` of the media encoder's record.
        image_size (`int` or `(height, width)`, *optional*): what frames are resized to.
        image_mean, image_std (`list[float]`, *optional*): of the three colours, as fractions of the full intensity.
        sampling_rate (`int`): samples of the sound a second, in Hz.
        normalize_audio (`bool`): whether each clip's sound is brought to mean 0 and variance 1.
        audio_step, audio_window (`int`, *optional*): samples from one audio step to the next, and those that one step
            covers. Without them the sound is not cut.
        context_utterances (`int`): previous utterances of a dialogue that the model was trained with; 0 for none.
        max_context_length (`int`): tokens that are kept of them, beside `max_text_length` for the utterance itself.

    Example:
    ```python
    >>> processor = AmessProcessor(tokenizer, video_feature_size=256, audio_feature_size=768)
    >>> batch = processor(
    ...     text=["oh, great.", "thanks!"],
    ...     video_features=[np.zeros((57, 256)), np.zeros((0, 256))],  # the second clip has no picture
    ...     return_tensors="pt",
    ... )
    ```
    """

    def __init__(
        self,
        tokenizer,
        video_feature_size: int | None = None,
        audio_feature_size: int | None = None,
        max_text_length: int = 50,
        max_video_length: int = 180,
        max_audio_length: int = 400,
        frame_rate: float | None = None,
        image_size: int | Sequence[int] | None = None,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        sampling_rate: int = 16000,
        normalize_audio: bool = False,
        audio_step: int | None = None,
        audio_window: int | None = None,
        context_utterances: int = 0,
        max_context_length: int = 50,
        **kwargs,
    ):
        if tokenizer is None:
            self.tokenizer = None
        else:
            super().__init__(tokenizer, **kwargs)
        self.video_feature_size = video_feature_size
        self.audio_feature_size = audio_feature_size
        self.max_text_length = max_text_length
        self.max_video_length = max_video_length
        self.max_audio_length = max_audio_length
        if frame_rate is not None and None in (image_size, image_mean, image_std):
            raise ValueError(
                f"frame_rate={frame_rate} needs image_size, image_mean and image_std beside it: give the media "
                'encoder\'s whole preprocessing, AmessProcessor(tokenizer, ..., **encoder.record["preprocessing"]).'
            )
        self.frame_rate = frame_rate
        self.image_size = image_size
        self.image_mean = image_mean
        self.image_std = image_std
        self.sampling_rate = sampling_rate
        self.normalize_audio = normalize_audio
        self.audio_step = audio_step
        self.audio_window = audio_window
        self.context_utterances = context_utterances
        self.max_context_length = max_context_length

    @property
    def model_input_names(self) -> list[str]:
        """Keys of the batch; the tokenizer's, then those of the modalities that the model has."""
        names = list(self.tokenizer.model_input_names)
        for modality in ("video", "audio"):
            if getattr(self, f"{modality}_feature_size") is not None:
                names += [f"{modality}_features", f"{modality}_attention_mask"]
        for name, modality in (("pixel_values", "video"), ("input_values", "audio")):
            if modality in self._clip_modalities:
                names += [name, f"{name}_mask"]
        return names

    @property
    def _clip_modalities(self) -> list[str]:
        """What is read from a clip: the modalities that the model has parts and encoders for."""
        known = {"video": self.frame_rate, "audio": self.audio_step or self.frame_rate}
        return [name for name, rate in known.items() if rate and getattr(self, f"{name}_feature_size") is not None]

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        video: VideoInput | Sequence[VideoInput | None] | None = None,
        audio: AudioInput | Sequence[AudioInput | None] | None = None,
        video_features: np.ndarray | torch.Tensor | Sequence | None = None,
        audio_features: np.ndarray | torch.Tensor | Sequence | None = None,
        sampling_rate: int | None = None,
        frame_rate: float | None = None,
        limits: MediaLimits | None = None,
        context: str | Sequence[str] | Sequence[str | Sequence[str] | None] | None = None,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        """Args:
            text: one utterance or a list. Without it, or with "", the row has no text but the special tokens.
            video: one clip or a list with one for each utterance, as [`AmessProcessor.decode`] takes them; `None` in
                the list where an utterance has none.
            audio: likewise, the sound, where it is not that of the video's file.
            video_features, audio_features: one array `(frames, feature_size)` or a list with one for each utterance;
                `None` or `(0, feature_size)` in the list where an utterance has none.
            sampling_rate: of `audio` given as arrays, in Hz.
            frame_rate: frames a second of `video` given as arrays; by default what the processor takes from a clip.
            limits: what a clip may cost.
            context: of a text its previous utterances in the dialogue, oldest first, or a string for one; of a list of
                texts a list with such an entry, or `None`, for each. The last `context_utterances` of them are read.
            return_tensors: `"pt"` or `"np"`.

        Returns:
            `input_ids`, `attention_mask` and, where the tokenizer knows segments, `token_type_ids` `(batch, text)`;
            for each modality of which features are given `<modality>_features` `(batch, frames, feature_size)` in
            float32 with `<modality>_attention_mask` `(batch, frames)`; for clips what
            [`AmessProcessor.clip_inputs`] returns.

        Raises:
            ValueError: nothing given, unequal numbers of utterances, features of a wrong size or with non-finite
                values, a clip and features of one modality, clips or context for a model that takes none.
            MediaError: a clip that cannot be decoded.
        """
        if return_tensors not in ("pt", "np"):
            raise ValueError(f'return_tensors={return_tensors!r} is not offered: a padded batch is "pt" or "np".')
        given = {
            "video": _as_list(video, dims=4),
            "audio": _as_list(audio, dims=1),
            "video_features": _as_list(video_features, dims=2),
            "audio_features": _as_list(audio_features, dims=2),
        }
        given = {name: rows for name, rows in given.items() if rows is not None}
        if text is None and not given:
            raise ValueError("Nothing to process: give text, video, audio, video_features or audio_features.")
        for modality in ("video", "audio"):
            if modality in given and f"{modality}_features" in given:
                raise ValueError(f"{modality} and {modality}_features were given: give the clip or its features.")
        texts = (
            [""] * len(next(iter(given.values()))) if text is None else [text] if isinstance(text, str) else list(text)
        )
        if not texts:
            raise ValueError("Nothing to process: the list of texts is empty.")
        for name, rows in given.items():
            if len(rows) != len(texts):
                raise ValueError(f"{len(texts)} texts but {len(rows)} {name}: give one for each utterance.")

        contexts = None
        if context is not None:
            contexts = previous_utterances(text, context, len(texts), self.context_utterances)
        batch = dict(self.tokenizer.pad(self.encode_text(texts, contexts), return_tensors=return_tensors))
        if "video" in given or "audio" in given:
            nothing = [None] * len(texts)
            rows = zip(given.get("video", nothing), given.get("audio", nothing), strict=True)
            # The sound of a file is not asked for where its features are given.
            wanted = [name for name in self._clip_modalities if f"{name}_features" not in given]
            clips = [self.decode(*row, sampling_rate, frame_rate, limits, modalities=wanted) for row in rows]
            batch |= self.clip_inputs(clips, return_tensors, modalities=wanted)
        for modality in ("video", "audio"):
            if f"{modality}_features" in given:
                features, mask = self._pad(modality, given[f"{modality}_features"])
                if return_tensors == "pt":
                    features, mask = torch.from_numpy(features), torch.from_numpy(mask)
                batch[f"{modality}_features"], batch[f"{modality}_attention_mask"] = features, mask
        return BatchFeature(batch)

    def encode_text(
        self, texts: Sequence[str], contexts: Sequence[Sequence[str]] | None = None
    ) -> dict[str, list[list[int]]]:
        """The tokens of utterances, not padded: what the tokenizer gives, cut to `max_text_length`, and after it the
        context, cut to `max_context_length`.

        Args:
            texts: the utterances.
            contexts: what was said before each, oldest first.
        """
        encoded = dict(self.tokenizer(list(texts), truncation=True, max_length=self.max_text_length, padding=False))
        # The tokenizer truncates in silence; too long a text is worth one line in the log.
        if any(len(ids) == self.max_text_length for ids in encoded["input_ids"]):
            self._warn_truncation("text", "tokens", self.max_text_length)
        if contexts is not None and add_context(self.tokenizer, encoded, texts, contexts, self.max_context_length):
            self._warn_truncation("context", "tokens", self.max_context_length)
        return encoded

    def decode(
        self,
        video: VideoInput | None = None,
        audio: AudioInput | None = None,
        sampling_rate: int | None = None,
        frame_rate: float | None = None,
        limits: MediaLimits | None = None,
        modalities: Sequence[str] | None = None,
    ) -> Clip:
        """One clip as the media encoder's preprocessing wants it: frames at its rate and size, samples at its rate, cut
        to the lengths that are kept. What the clip lacks is `None` in the result, and is said in the log once.

        Args:
            video: path, content or binary file; uint8 RGB array `(frames, height, width, 3)`; or a decoded `Clip`.
            audio: path, content or binary file; or mono float array `(samples,)`. By default the sound of `video`.
            sampling_rate: of `audio` as an array, in Hz.
            frame_rate: of `video` as an array, in frames a second; by default that of the processor.
            limits: what a file may cost.
            modalities: which of video and audio are read, by default those that the model has encoders for.

        Raises:
            MediaError: a file that cannot be decoded.
            ValueError: the model takes no clips, or an array that does not fit.
            ImportError: PyAV is needed and not installed.
        """
        wanted = self._clip_modalities if modalities is None else modalities
        if not self._clip_modalities:
            raise ValueError(
                "A clip was given, but this processor is of a model that takes features only. Attach the media "
                "encoder that made its features, model.attach_media_encoder(encoder), and make the processor anew: "
                'AmessProcessor(tokenizer, ..., **encoder.record["preprocessing"]).'
            )
        own_sound = audio is None and "audio" in wanted
        clip = Clip(None, None, None, self.sampling_rate, 0.0)
        if isinstance(video, Clip):
            clip = video
        elif isinstance(video, (np.ndarray, torch.Tensor)):
            if "video" in wanted:
                own_rate = frame_rate or self.frame_rate
                frames, frame_times = sampled_frames(np.asarray(video), own_rate, self.frame_rate)
                clip = replace(clip, frames=frames, frame_times=frame_times, duration=len(video) / own_rate)
        elif video is not None and ("video" in wanted or own_sound):
            clip = self._decoded(video, limits, video="video" in wanted, audio=own_sound)
        frames, frame_times, waveform, rate = clip.frames, clip.frame_times, clip.waveform, clip.sampling_rate
        if isinstance(audio, (np.ndarray, torch.Tensor)):
            if sampling_rate is None:
                raise ValueError("audio is an array: give its sampling_rate in Hz.")
            waveform, rate = np.asarray(audio), sampling_rate
        elif audio is not None and "audio" in wanted:
            waveform, rate = self._decoded(audio, limits, video=False, audio=True).waveform, self.sampling_rate

        if "video" not in wanted:
            frames = frame_times = None
        elif frames is not None:
            frames = resized_frames(self._cut("video", frames), self._image_shape)
            frame_times = None if frame_times is None else frame_times[: len(frames)]
        duration = clip.duration
        if "audio" not in wanted:
            waveform = None
        elif waveform is not None:
            waveform = resampled_waveform(waveform, rate, self.sampling_rate)
            duration = max(duration, len(waveform) / self.sampling_rate)
            waveform = self._cut("audio", waveform)
        clip = Clip(frames, frame_times, waveform, self.sampling_rate, duration)
        for name, values in (("video", clip.frames), ("audio", clip.waveform)):
            if name in wanted and (values is None or not len(values)):
                logger.warning_once(f"A clip has no {name}: its intent is judged without.")
        return clip

    def clip_inputs(
        self, clips: Sequence[Clip], return_tensors: str = "pt", modalities: Sequence[str] | None = None
    ) -> BatchFeature:
        """Decoded clips as the inputs of the media encoder.

        Args:
            clips: of [`AmessProcessor.decode`].
            return_tensors: `"pt"` or `"np"`.
            modalities: which of video and audio are read, by default those that the model has encoders for.

        Returns:
            `pixel_values` `(batch, frames, 3, height, width)` with `pixel_values_mask` `(batch, frames)`, and
            `input_values` `(batch, samples)` with `input_values_mask` `(batch, samples)`: float32 and int64. Where no
            row has any, there is one padded position.
        """
        batch: dict[str, torch.Tensor] = {}
        wanted = self._clip_modalities if modalities is None else modalities
        if "video" in wanted:
            batch["pixel_values"], batch["pixel_values_mask"] = self._pixel_values([clip.frames for clip in clips])
        if "audio" in wanted:
            batch["input_values"], batch["input_values_mask"] = self._input_values([clip.waveform for clip in clips])
        if return_tensors == "np":
            return BatchFeature({name: tensor.numpy() for name, tensor in batch.items()})
        return BatchFeature(batch)

    @property
    def _image_shape(self) -> tuple[int, int]:
        size = self.image_size
        return (size, size) if isinstance(size, int) else tuple(size)

    def _decoded(self, source: Any, limits: MediaLimits | None, video: bool, audio: bool) -> Clip:
        settings: dict[str, Any] = {"sampling_rate": self.sampling_rate, "limits": limits}
        if video:
            # One more than is kept, which tells a clip that is cut from one that ends there.
            settings |= {"frame_rate": self.frame_rate, "image_size": self._image_shape}
            settings["max_frames"] = self.max_video_length + 1
        # Here, because it loads FFmpeg, which texts and features do without.
        from .media_amess import decode_clip

        return decode_clip(source, video=video, audio=audio, **settings)

    def _cut(self, modality: str, array: np.ndarray) -> np.ndarray:
        limit = self.max_video_length
        if modality == "audio":
            if self.audio_step is None or self.audio_window is None:
                return array
            # Samples past those that the last step covers make no step: cutting them loses nothing to warn about.
            limit = self.audio_window + (self.max_audio_length - 1) * self.audio_step
            if len(array) >= limit + self.audio_step:
                self._warn_truncation("audio", "steps", self.max_audio_length)
        elif len(array) > limit:
            self._warn_truncation("video", "frames", limit)
        return array[:limit]

    def _pixel_values(self, rows: list[np.ndarray | None]) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = [0 if row is None else len(row) for row in rows]
        values = torch.zeros(len(rows), max(1, *lengths), 3, *self._image_shape)
        mask = _length_mask(lengths, values.shape[1])
        mean, std = (torch.tensor(numbers).reshape(3, 1, 1) for numbers in (self.image_mean, self.image_std))
        for row, frames in enumerate(rows):
            if lengths[row]:
                pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
                torch.div(pictures, 255 * std, out=values[row, : lengths[row]])
                values[row, : lengths[row]] -= mean / std
        return values, mask

    def _input_values(self, rows: list[np.ndarray | None]) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = [0 if row is None else len(row) for row in rows]
        values = torch.zeros(len(rows), max(1, *lengths))
        for row, samples in enumerate(rows):
            if lengths[row]:
                samples = torch.from_numpy(samples)
                if self.normalize_audio:
                    # As the feature extractors of these models do, with their epsilon.
                    samples = (samples - samples.mean()) / (samples.var(correction=0) + 1e-7).sqrt()
                values[row, : lengths[row]] = samples
        return values, _length_mask(lengths, values.shape[1])

    def _pad(self, modality: str, rows: list) -> tuple[np.ndarray, np.ndarray]:
        size = getattr(self, f"{modality}_feature_size")
        limit = getattr(self, f"max_{modality}_length")
        if size is None:
            raise ValueError(
                f"{modality}_features were given, but this processor belongs to a model without a {modality} part "
                f"({modality}_feature_size=None)."
            )
        arrays = []
        for index, row in enumerate(rows):
            array = np.zeros((0, size), dtype=np.float32) if row is None else np.asarray(row, dtype=np.float32)
            if array.ndim != 2 or array.shape[1] != size:
                raise ValueError(
                    f"{modality}_features of utterance {index} have shape {array.shape}; this model needs "
                    f"(frames, {size})."
                )
            if not np.isfinite(array).all():
                raise ValueError(f"{modality}_features of utterance {index} hold NaN or infinite values.")
            if len(array) > limit:
                self._warn_truncation(modality, "frames" if modality == "video" else "steps", limit)
            arrays.append(array[:limit])
        # One padded position where no row has any: the modality is masked in every row, not missing from the batch.
        longest = max(1, max(len(array) for array in arrays))
        features = np.zeros((len(arrays), longest, size), dtype=np.float32)
        mask = np.zeros((len(arrays), longest), dtype=np.int64)
        for index, array in enumerate(arrays):
            features[index, : len(array)] = array
            mask[index, : len(array)] = 1
        return features, mask

    def _warn_truncation(self, modality: str, unit: str, limit: int) -> None:
        logger.warning_once(f"{modality} is cut to max_{modality}_length={limit} {unit} where it is longer.")


def _as_list(rows: Any, dims: int) -> list | None:
    """One utterance's input as a list of one; `None` stays `None`. `dims` are those of an array of one utterance."""
    if rows is None:
        return None
    if isinstance(rows, (np.ndarray, torch.Tensor)):
        return [rows] if rows.ndim == dims else list(rows)
    if isinstance(rows, (str, os.PathLike, bytes, bytearray, memoryview, Clip)) or hasattr(rows, "read"):
        return [rows]
    return list(rows)


def _length_mask(lengths: list[int], longest: int) -> torch.Tensor:
    return (torch.arange(longest) < torch.tensor(lengths)[:, None]).long()


AmessProcessor.register_for_auto_class("AutoProcessor")


__all__ = ["AmessProcessor", "add_context", "previous_utterances"]
