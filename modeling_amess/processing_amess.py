# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessProcessor: texts with their dialogue context, and clips or features, to one padded batch with masks."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch
from transformers import BatchFeature
from transformers.image_utils import is_pil_image
from transformers.processing_utils import ProcessorMixin
from transformers.utils import logging

from .clip_amess import (
    Clip,
    Frames,
    MediaError,
    MediaLimits,
    Waveform,
    picture_shape,
    resampled_waveform,
    resized_frames,
    sampled_frames,
    span_of,
)


Source = str | os.PathLike[str] | bytes | BinaryIO
VideoInput = Source | np.ndarray | torch.Tensor | Clip | Sequence[Any] | Mapping[str, Any]
AudioInput = Source | np.ndarray | torch.Tensor | Sequence[float] | Mapping[str, Any]

logger = logging.get_logger(__name__)


class AmessProcessor(ProcessorMixin):
    r"""Makes batches for the A-MESS models of texts and clips, or of texts and precomputed features.

    Clips are for a model with a media encoder, features for any model. Everything is padded to the longest row of the
    batch, never to a fixed length; every mask is 1 for real positions.

    Args:
        tokenizer (`PreTrainedTokenizerBase`):
            Tokenizer of the text encoder; `None` for a processor of clips alone, which cannot be saved.
        video_feature_size, audio_feature_size (`int`, *optional*):
            Size of the feature of one frame and of one step; `None` if the model has no such part.
        max_text_length, max_video_length, max_audio_length (`int`):
            Numbers of tokens, frames and steps that are kept.
        frame_rate (`float`, *optional*):
            Frames per second that are taken from a clip; `None` for a model that takes no clips. This and the
            arguments up to `audio_window` are the `preprocessing` of the encoder record.
        image_size (`int` or `(height, width)`, *optional*):
            Size that frames are resized to.
        image_mean, image_std (`list[float]`, *optional*):
            Mean and deviation of the three colours, as fractions of the full intensity.
        sampling_rate (`int`):
            Samples of the sound per second, in Hz.
        normalize_audio (`bool`):
            Whether each clip's sound is brought to mean 0 and variance 1.
        audio_step, audio_window (`int`, *optional*):
            Samples from one audio step to the next, and samples that one step covers. Without them the sound is not
            cut.
        context_utterances (`int`):
            Number of previous utterances of a dialogue that the model was trained with; 0 for none.
        max_context_length (`int`):
            Number of tokens of the context that are kept, beside `max_text_length` for the utterance itself.

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

    # For programs that have these classes from the Hub, with the model, and cannot import them by name.
    limits_class: ClassVar[type[MediaLimits]] = MediaLimits
    error_class: ClassVar[type[MediaError]] = MediaError

    def __init__(
        self,
        tokenizer: Any,
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
        **kwargs: Any,
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
        """Keys of the batch: the tokenizer's, then those of the modalities that the model has."""
        names = list(self.tokenizer.model_input_names)
        for modality, size in (("video", self.video_feature_size), ("audio", self.audio_feature_size)):
            if size is not None:
                names += [f"{modality}_features", f"{modality}_attention_mask"]
        for name, modality in (("pixel_values", "video"), ("input_values", "audio")):
            if modality in self.clip_modalities:
                names += [name, f"{name}_mask"]
        return names

    @property
    def clip_modalities(self) -> list[str]:
        """The modalities that are read from a clip: those that the model has parts and encoders for."""
        rates = {"video": self.frame_rate, "audio": self.audio_step or self.frame_rate}
        sizes = {"video": self.video_feature_size, "audio": self.audio_feature_size}
        return [name for name, rate in rates.items() if rate and sizes[name] is not None]

    def modalities_beside(self, inputs: Mapping[str, Any]) -> list[str]:
        """The modalities that are read from a clip beside these inputs, some of which may be features.

        Raises:
            ValueError: A clip and its features are both given.
        """
        for modality in ("video", "audio"):
            if modality in inputs and f"{modality}_features" in inputs:
                raise ValueError(f"{modality} and {modality}_features were given: give the clip or its features.")
        # The sound of a file is not read if its features are given.
        return [name for name in self.clip_modalities if f"{name}_features" not in inputs]

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        video: VideoInput | Sequence[VideoInput | None] | None = None,
        audio: AudioInput | Sequence[AudioInput | None] | None = None,
        video_features: np.ndarray | torch.Tensor | Sequence[Any] | None = None,
        audio_features: np.ndarray | torch.Tensor | Sequence[Any] | None = None,
        sampling_rate: int | None = None,
        frame_rate: float | None = None,
        limits: MediaLimits | None = None,
        context: str | Sequence[str] | Sequence[str | Sequence[str] | None] | None = None,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        """Make a batch of one utterance or of a list of them.

        Args:
            text: One text or a list. Without it, or with "", the row has no text but the special tokens.
            video: One clip or a list with one per utterance, as [`AmessProcessor.decode`] takes them; `None` in the
                list for an utterance without.
            audio: Sound, likewise, if it is not the sound of the video's file.
            video_features: One array `(frames, feature_size)` or a list with one per utterance; `None` or
                `(0, feature_size)` in the list for an utterance without.
            audio_features: One array `(steps, feature_size)` or a list, likewise.
            sampling_rate: Samples per second of `audio` given as arrays, in Hz.
            frame_rate: Frames per second of `video` given as arrays; by default the processor's.
            limits: Limits on what a clip may cost.
            context: Previous utterances of one text, oldest first, or a string for a single one; for a list of texts
                a list with such an entry, or `None`, per text. The last `context_utterances` of them are read.
            return_tensors: `"pt"` or `"np"`.

        Returns:
            `input_ids`, `attention_mask` and, if the tokenizer knows segments, `token_type_ids` `(batch, text)`; per
            modality with features `<modality>_features` `(batch, frames, feature_size)` in float32 with
            `<modality>_attention_mask` `(batch, frames)`; for clips what [`AmessProcessor.clip_inputs`] returns.

        Raises:
            ValueError: Nothing is given, the numbers of utterances differ, features have a wrong size or non-finite
                values, a clip comes with features of its modality, or the model takes no clips or no context.
            MediaError: A clip cannot be decoded.
        """
        optional = {
            "video": _as_list(video, dims=4),
            "audio": _as_list(audio, dims=1),
            "video_features": _as_list(video_features, dims=2, lists_are_batches=True),
            "audio_features": _as_list(audio_features, dims=2, lists_are_batches=True),
        }
        given = {name: rows for name, rows in optional.items() if rows is not None}
        wanted = self.modalities_beside(given)
        texts = _texts(text, given)
        contexts = None
        if context is not None:
            contexts = previous_utterances(text, context, len(texts), self.context_utterances)
        clips = None
        if "video" in given or "audio" in given:
            nothing = [None] * len(texts)
            clips = [
                self.decode(*row, sampling_rate, frame_rate, limits, wanted)
                for row in zip(given.get("video", nothing), given.get("audio", nothing), strict=True)
            ]
        features = {name: rows for name, rows in given.items() if name.endswith("_features")}
        return self.collate(texts, contexts, clips, features, return_tensors)

    def collate(
        self,
        texts: Sequence[str],
        contexts: Sequence[Sequence[str]] | None = None,
        clips: Sequence[Clip] | None = None,
        features: Mapping[str, Sequence[Any]] | None = None,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        """Pad utterances to a batch, as [`AmessProcessor.__call__`] returns it.

        Args:
            texts: Texts of the utterances.
            contexts: Previous utterances of each, oldest first.
            clips: Clips of [`AmessProcessor.decode`].
            features: Arrays per utterance, by the name of the input: `"video_features"`, `"audio_features"`.
            return_tensors: `"pt"` or `"np"`.

        Raises:
            ValueError: Features have a wrong size or non-finite values, or `return_tensors` is another.
        """
        if return_tensors not in ("pt", "np"):
            raise ValueError(f'return_tensors={return_tensors!r} is not offered: a padded batch is "pt" or "np".')
        features = features or {}
        batch: dict[str, Any] = dict(
            self.tokenizer.pad(self.encode_text(texts, contexts), return_tensors=return_tensors)
        )
        if clips is not None:
            batch |= self.clip_inputs(clips, return_tensors, self.modalities_beside(features))
        for modality in ("video", "audio"):
            if f"{modality}_features" in features:
                values, mask = self._pad(modality, features[f"{modality}_features"])
                tensors = return_tensors == "pt"
                batch[f"{modality}_features"] = torch.from_numpy(values) if tensors else values
                batch[f"{modality}_attention_mask"] = torch.from_numpy(mask) if tensors else mask
        return BatchFeature(batch)

    def encode_text(
        self, texts: Sequence[str], contexts: Sequence[Sequence[str]] | None = None
    ) -> dict[str, list[list[int]]]:
        """Encode utterances without padding: the text, cut to `max_text_length`, then the context, cut likewise.

        Args:
            texts: Texts of the utterances.
            contexts: Previous utterances of each, oldest first.
        """
        encoded = dict(self.tokenizer(list(texts), truncation=True, max_length=self.max_text_length, padding=False))
        # The tokenizer truncates in silence; a text that is too long is worth one line in the log.
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
        picture_size: int | None = None,
    ) -> Clip:
        """Make the clip of one utterance as the media encoder takes it: [`load_clip`], then [`fit`].

        The arguments and errors are those of [`AmessProcessor.load_clip`].
        """
        clip = self.load_clip(video, audio, sampling_rate, frame_rate, limits, modalities, picture_size)
        return self.fit(clip, modalities)

    def load_clip(
        self,
        video: VideoInput | None = None,
        audio: AudioInput | None = None,
        sampling_rate: int | None = None,
        frame_rate: float | None = None,
        limits: MediaLimits | None = None,
        modalities: Sequence[str] | None = None,
        picture_size: int | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> Clip:
        """Read the clip of one utterance from files, arrays or a decoded `Clip`, with its whole sound.

        Args:
            video: Path, content or binary file; RGB frames, as [`frame_array`] takes them; or a decoded `Clip`.
            audio: Path, content or binary file; or sound, as [`sound_and_rate`] takes it. By default the sound of
                `video`.
            sampling_rate: Samples per second of `audio` as an array, in Hz.
            frame_rate: Frames per second of `video` as an array; by default the processor's.
            limits: Limits on what a file may cost.
            modalities: The modalities that are read, by default `clip_modalities`.
            picture_size: Longer side of `Clip.pictures`, in pixels; `None` for no pictures.
            start: Seconds of the files at which the utterance begins, by default their start.
            end: Seconds at which it ends, by default their end.

        Raises:
            MediaError: A file cannot be decoded.
            TypeError: An input is of a kind that is not read, such as a file that was opened as text.
            ValueError: The model takes no clips, or an array does not fit.
            ImportError: PyAV is needed and not installed.
        """
        seen: Any = frames_or_source(video)
        heard, rate = sound_and_rate(audio, sampling_rate)
        if not self.clip_modalities:
            raise ValueError(
                "A clip was given, but this processor is of a model that takes features only. Attach the media "
                "encoder that made its features, model.attach_media_encoder(encoder), and make the processor anew: "
                'AmessProcessor(tokenizer, ..., **encoder.record["preprocessing"]).'
            )
        span = span_of(start, end)
        if span is not None and any(isinstance(given, (np.ndarray, Clip)) for given in (seen, heard)):
            raise ValueError("start and end belong to files: cut an array or a decoded clip before you give it.")
        wanted = self.clip_modalities if modalities is None else modalities
        streams = [name for name in wanted if name == "video" or heard is None]
        if isinstance(seen, Clip):
            clip = seen
        elif isinstance(seen, np.ndarray):
            clip = self.from_array(seen, frame_rate) if "video" in wanted else self._empty_clip()
        elif seen is not None and streams:
            clip = self.decode_file(seen, limits, streams, picture_size, span)
        else:
            clip = self._empty_clip()
        if picture_size is not None and clip.pictures is None and clip.frames is not None and len(clip.frames):
            height, width = clip.frames.shape[1:3]
            pictures = resized_frames(clip.frames, picture_shape(height, width, picture_size))
            clip = replace(clip, pictures=pictures)
        if isinstance(heard, np.ndarray):
            if rate is None:
                raise ValueError("audio is an array: give its sampling_rate in Hz.")
            clip = replace(clip, waveform=heard, sampling_rate=rate)
        elif heard is not None and "audio" in wanted:
            sound = self.decode_file(heard, limits, ["audio"], span=span)
            clip = replace(clip, waveform=sound.waveform, sampling_rate=sound.sampling_rate)
        return clip

    def decode_file(
        self,
        source: Source,
        limits: MediaLimits | None = None,
        modalities: Sequence[str] | None = None,
        picture_size: int | None = None,
        span: tuple[float, float] | None = None,
    ) -> Clip:
        """Decode a file, or its `span` in seconds, at the rates and the image size of the media encoder.

        The clip has one frame more than the model reads, which tells a longer clip from one that ends there, and the
        whole sound.
        """
        wanted = self.clip_modalities if modalities is None else modalities
        check_source(source)
        settings: dict[str, Any] = {"video": "video" in wanted, "audio": "audio" in wanted}
        if settings["video"]:
            settings |= {"frame_rate": self.frame_rate, "image_size": self._image_shape, "picture_size": picture_size}
            settings["max_frames"] = self.max_video_length + 1
        # A late import, because it loads FFmpeg, which texts and features do without.
        from .media_amess import decode_clip

        return decode_clip(source, sampling_rate=self.sampling_rate, limits=limits, span=span, **settings)

    def from_array(self, frames: Any, frame_rate: float | None = None) -> Clip:
        """Make a clip of an array of frames, of which it keeps those at the ticks of the media encoder's rate."""
        assert self.frame_rate is not None, "only a processor of clips gets here"
        frames = frame_array(frames)
        own_rate = self.frame_rate if frame_rate is None else frame_rate
        sampled, times = sampled_frames(frames, own_rate, self.frame_rate)
        return replace(self._empty_clip(), frames=sampled, frame_times=times, duration=len(frames) / own_rate)

    def fit(self, clip: Clip, modalities: Sequence[str] | None = None) -> Clip:
        """Fit a clip to the media encoder: its frame size and sampling rate, cut to the lengths that are kept.

        A modality that the clip lacks is `None` in the result, and the log says so once.
        """
        wanted = self.clip_modalities if modalities is None else modalities
        frames = frame_times = pictures = waveform = None
        duration = clip.duration
        if "video" in wanted and clip.frames is not None:
            frames = resized_frames(self._cut_frames(clip.frames), self._image_shape)
            frame_times = None if clip.frame_times is None else clip.frame_times[: len(frames)]
            pictures = None if clip.pictures is None else clip.pictures[: len(frames)]
        if "audio" in wanted and clip.waveform is not None:
            waveform = resampled_waveform(clip.waveform, clip.sampling_rate, self.sampling_rate)
            duration = max(duration, len(waveform) / self.sampling_rate)
            waveform = self._cut_waveform(waveform)
        for name, values in (("video", frames), ("audio", waveform)):
            if name in wanted and (values is None or not len(values)):
                logger.warning_once(f"A clip has no {name}: the intent is recognised without it.")
        return Clip(frames, frame_times, waveform, self.sampling_rate, duration, pictures)

    def clip_inputs(
        self, clips: Sequence[Clip], return_tensors: str = "pt", modalities: Sequence[str] | None = None
    ) -> BatchFeature:
        """Pad decoded clips to the inputs of the media encoder.

        Args:
            clips: Clips of [`AmessProcessor.decode`].
            return_tensors: `"pt"` or `"np"`.
            modalities: The modalities that are read, by default `clip_modalities`.

        Returns:
            `pixel_values` `(batch, frames, 3, height, width)` with `pixel_values_mask` `(batch, frames)`, and
            `input_values` `(batch, samples)` with `input_values_mask` `(batch, samples)`: float32 and int64. If no row
            has any, there is one padded position.
        """
        batch: dict[str, torch.Tensor] = {}
        wanted = self.clip_modalities if modalities is None else modalities
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
        assert size is not None, "only a processor of clips gets here"
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    def _empty_clip(self) -> Clip:
        return Clip(None, None, None, self.sampling_rate, 0.0)

    def _cut_frames(self, frames: Frames) -> Frames:
        if len(frames) > self.max_video_length:
            self._warn_truncation("video", "frames", self.max_video_length)
        return frames[: self.max_video_length]

    def _cut_waveform(self, waveform: Waveform) -> Waveform:
        if self.audio_step is None or self.audio_window is None:
            return waveform
        # Samples past those that the last step covers make no step: cutting them loses nothing to warn about.
        limit = self.audio_window + (self.max_audio_length - 1) * self.audio_step
        if len(waveform) >= limit + self.audio_step:
            self._warn_truncation("audio", "steps", self.max_audio_length)
        return waveform[:limit]

    def _pixel_values(self, rows: list[Frames | None]) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = [0 if row is None else len(row) for row in rows]
        values = torch.zeros(len(rows), max(1, *lengths), 3, *self._image_shape)
        mask = _length_mask(lengths, values.shape[1])
        mean, std = (torch.tensor(numbers).reshape(3, 1, 1) for numbers in (self.image_mean, self.image_std))
        for row, frames in enumerate(rows):
            if frames is not None and len(frames):
                pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
                torch.div(pictures, 255 * std, out=values[row, : lengths[row]])
                values[row, : lengths[row]] -= mean / std
        return values, mask

    def _input_values(self, rows: list[Waveform | None]) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = [0 if row is None else len(row) for row in rows]
        values = torch.zeros(len(rows), max(1, *lengths))
        for row, samples in enumerate(rows):
            if samples is not None and len(samples):
                sound = torch.from_numpy(samples)
                if self.normalize_audio:
                    # As the feature extractors of these models do, with their epsilon.
                    sound = (sound - sound.mean()) / (sound.var(correction=0) + 1e-7).sqrt()
                values[row, : lengths[row]] = sound
        return values, _length_mask(lengths, values.shape[1])

    def _pad(self, modality: str, rows: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        size = self.video_feature_size if modality == "video" else self.audio_feature_size
        limit = self.max_video_length if modality == "video" else self.max_audio_length
        if size is None:
            raise ValueError(
                f"{modality}_features were given, but this processor belongs to a model without a {modality} part "
                f"({modality}_feature_size=None)."
            )
        arrays = []
        for index, row in enumerate(rows):
            array = (
                np.zeros((0, size)) if row is None else plain_array(row, f"{modality}_features of utterance {index}")
            )
            array = array.astype(np.float32, copy=False)
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


def _texts(text: str | Sequence[str] | None, given: Mapping[str, list[Any]]) -> list[str]:
    """One text per utterance of the other inputs."""
    if text is None and not given:
        raise ValueError("Nothing to process: give text, video, audio, video_features or audio_features.")
    if text is None:
        text = [""] * len(next(iter(given.values())))
    texts = [text] if isinstance(text, str) else list(text)
    if not texts:
        raise ValueError("Nothing to process: the list of texts is empty.")
    for name, rows in given.items():
        if len(rows) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(rows)} {name}: give one per utterance.")
    return texts


def _as_list(rows: Any, dims: int, lists_are_batches: bool = False) -> list[Any] | None:
    """Make a list of the input of one utterance, whose array would have `dims` dimensions; `None` stays `None`."""
    if rows is None:
        return None
    if isinstance(rows, (str, os.PathLike, bytes, bytearray, memoryview, Clip, Mapping)) or hasattr(rows, "read"):
        return [rows]
    is_batch = (lists_are_batches and isinstance(rows, (list, tuple))) or number_of_dims(rows) != dims
    return list(rows) if is_batch else [rows]


def number_of_dims(values: Any) -> int | None:
    """Number of dimensions of an array, a tensor, an image, a number or nested lists of these; `None` for the rest."""
    if isinstance(values, (np.ndarray, torch.Tensor)):
        return values.ndim
    if isinstance(values, (list, tuple)):
        inner = number_of_dims(values[0]) if values else 0
        return None if inner is None else inner + 1
    if is_pil_image(values):
        return 3
    return 0 if isinstance(values, (int, float, np.number)) else None


def plain_array(values: Any, name: str) -> np.ndarray:
    """Make an array of numbers of arrays, numbers and tensors of any type, on any device, with or without a gradient.

    Args:
        values: Array, tensor, or nested lists of these or of numbers.
        name: Name of the values in errors.

    Raises:
        TypeError: The values are no real numbers.
        ValueError: Parts of a list differ in shape.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        array: np.ndarray = (values.float() if values.is_floating_point() else values).numpy()
    elif isinstance(values, (list, tuple)) and values and isinstance(values[0], (torch.Tensor, list, tuple)):
        parts = [plain_array(part, name) for part in values]
        if len({part.shape for part in parts}) > 1:
            shapes = ", ".join(sorted({str(part.shape) for part in parts}))
            raise ValueError(f"The parts of {name} differ in shape: {shapes}. They must be equal to make one array.")
        array = np.stack(parts)
    else:
        array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise TypeError(f"{name} are of type {array.dtype}; real numbers are needed.")
    return array


def frame_array(frames: Any) -> np.ndarray:
    """Make uint8 RGB frames `(frames, height, width, 3)` of an array, a tensor, or a list of these or of PIL images.

    Integers are 0 to 255, other numbers 0 to 1.

    Raises:
        TypeError: The frames are no numbers.
        ValueError: The frames differ in size or have values out of their range.
    """
    if isinstance(frames, (list, tuple)):
        frames = [np.asarray(frame.convert("RGB")) if is_pil_image(frame) else frame for frame in frames]
        frames = [plain_array(frame, "The frames") for frame in frames]
        if len({frame.shape for frame in frames}) > 1:
            shapes = ", ".join(sorted({str(frame.shape) for frame in frames}))
            raise ValueError(f"The frames differ in shape: {shapes}. Resize them to one size.")
        frames = np.stack(frames) if frames else np.zeros((0, 1, 1, 3), dtype=np.uint8)
    array = plain_array(frames, "The frames")
    if array.dtype == np.uint8 or not array.size:
        return array.astype(np.uint8, copy=False)
    most = 255 if np.issubdtype(array.dtype, np.integer) else 1
    if not (array.min() >= 0 and array.max() <= most):
        raise ValueError(
            f"The frames are of type {array.dtype} with values from {array.min()} to {array.max()}; 0 to {most} is "
            "needed (integers: 0 to 255, other numbers: 0 to 1). Give them as uint8 RGB."
        )
    return np.rint(array * (255 / most)).astype(np.uint8)


def frames_or_source(video: Any) -> Any:
    """Turn any kind of video input into an array of frames, a `Clip`, or a source of the decoder; `None` stays `None`.

    A dict is one of `datasets` that is not decoded, `{"bytes", "path"}`.

    Raises:
        TypeError: The input is of another kind.
        ValueError: Frames do not fit together.
    """
    if video is None or isinstance(video, Clip):
        return video
    if isinstance(video, Mapping):
        return _undecoded("video", video)
    if number_of_dims(video) is not None:
        return frame_array(video)
    check_source(video)
    return video


def sound_and_rate(audio: Any, sampling_rate: float | None = None) -> tuple[Any, int | None]:
    """Turn any kind of sound input into float samples or a source of the decoder, and the sampling rate in Hz.

    Args:
        audio: Source; samples as an array, a tensor or a list, integers in the range of their type, others -1 to 1; or
            a dict of `datasets`: `{"array", "sampling_rate"}`, or `{"bytes", "path"}` if it is not decoded.
        sampling_rate: Samples per second of an array.

    Raises:
        TypeError: The input is of another kind.
        ValueError: Two sampling rates are given that differ, or one that is no whole number.
    """
    if isinstance(audio, Mapping):
        if "array" not in audio:
            return _undecoded("audio", audio), None
        own_rate = audio.get("sampling_rate")
        if None not in (sampling_rate, own_rate) and sampling_rate != own_rate:
            raise ValueError(f"sampling_rate={sampling_rate}, but the dict of the sound says {own_rate}: give one.")
        audio, sampling_rate = audio["array"], own_rate if sampling_rate is None else sampling_rate
    if sampling_rate is not None and sampling_rate != int(sampling_rate):
        raise ValueError(f"sampling_rate={sampling_rate} must be a whole number of samples per second.")
    rate = None if sampling_rate is None else int(sampling_rate)
    if number_of_dims(audio) is None:
        if audio is not None:
            check_source(audio)
        return audio, rate
    array = plain_array(audio, "The samples")
    if np.issubdtype(array.dtype, np.integer):
        info = np.iinfo(array.dtype)
        middle = 0 if info.min else (info.max + 1) // 2
        array = (array.astype(np.float64) - middle) / (info.max + 1 - middle)
    return array.astype(np.float32, copy=False), rate


def check_source(source: Any) -> None:
    """Raise TypeError unless the decoder can read a source."""
    if isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)):
        return
    if not hasattr(source, "read"):
        raise TypeError(
            f"A clip cannot be read from {type(source).__name__}: give a path, the bytes of a file, a binary file, or "
            "arrays of frames and samples."
        )
    if not isinstance(source.read(0), bytes):
        raise TypeError(
            f"The file {getattr(source, 'name', source)!r} was opened as text: open it as binary, open(path, 'rb'), "
            "or give its path."
        )


def _undecoded(name: str, media: Mapping[str, Any]) -> Any:
    source = media.get("path") if media.get("bytes") is None else media["bytes"]
    if source is None:
        known = '{"bytes", "path"}' if name == "video" else '{"array", "sampling_rate"} or {"bytes", "path"}'
        raise TypeError(f"{name} is a dict with {', '.join(map(repr, media)) or 'nothing'}; {known} is needed.")
    return source


def _length_mask(lengths: list[int], longest: int) -> torch.Tensor:
    return (torch.arange(longest) < torch.tensor(lengths)[:, None]).long()


def previous_utterances(
    text: str | Sequence[str] | None, context: Any, number: int, context_utterances: int
) -> list[list[str]]:
    """Previous utterances of each utterance of a batch: the last `context_utterances` that are given.

    Args:
        text: Text of the batch as the processor was given it.
        context: Previous utterances of one utterance (`text` is a string), oldest first, or a string for a single
            one; for a list of utterances a list with such an entry, or `None`, per utterance.
        number: Number of utterances of the batch.
        context_utterances: Number of previous utterances that the model was trained with.

    Raises:
        ValueError: The model reads no context, there is context without text, the number of entries differs, or an
            entry is of another type.
    """
    if not context_utterances:
        raise ValueError(
            "context was given, but this processor is of a model that reads none (context_utterances=0). Leave it "
            "out, or use a model that was trained with context_utterances above 0."
        )
    if text is None:
        raise ValueError("context was given without text: it is what was said before the text.")
    if not isinstance(text, str) and (isinstance(context, str) or len(context) != number):
        given = "one string" if isinstance(context, str) else len(context)
        raise ValueError(f"{number} texts but {given} context: give one entry per utterance.")
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
    """Append the context to encoded utterances, in place: `[CLS] utterance [SEP] context [SEP]`.

    The context has segment id 1 if the tokenizer knows segments (BERT's does, RoBERTa's does not). The previous
    utterances are in the order in which they were said. The utterance itself does not change; of a context that is too
    long the beginning is cut. A row without context stays a row of one segment.

    The model takes both segments for its text: anchors, fusion and pooling run over all of it, and the segment ids
    tell it which part the sound and the picture belong to.

    Args:
        tokenizer: Tokenizer of the BERT family, whose encoding of a pair begins with that of its first part.
        encoded: The tokenizer's encoding of `texts`, not padded.
        texts: Texts of the utterances `(batch)`.
        contexts: Previous utterances of each, oldest first.
        max_context_length: Number of tokens of the second segment, separators included.

    Returns:
        Whether any context was cut.
    """
    joined = {row: " ".join(context) for row, context in enumerate(contexts) if any(map(str.strip, context))}
    if not joined:
        return False
    # Without truncation: the tokenizer knows one limit for both parts, and the warning about long texts is ours.
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


AmessProcessor.register_for_auto_class("AutoProcessor")


__all__ = ["AmessProcessor", "add_context", "previous_utterances"]
