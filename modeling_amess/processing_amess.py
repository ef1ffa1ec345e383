# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessProcessor: texts and precomputed features to one padded batch with masks."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import BatchFeature
from transformers.processing_utils import ProcessorMixin
from transformers.utils import logging


logger = logging.get_logger(__name__)


class AmessProcessor(ProcessorMixin):
    r"""
    Turns utterances into the batch that the A-MESS models take. Features are padded to the longest of the batch, never
    to a fixed length: every mask is 1 for real positions.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): the text encoder's.
        video_feature_size, audio_feature_size (`int`, *optional*): size of one frame's or step's vector; `None` where
            the model has no such part.
        max_text_length, max_video_length, max_audio_length (`int`): tokens, frames and steps that are kept.

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
        **kwargs,
    ):
        super().__init__(tokenizer, **kwargs)
        self.video_feature_size = video_feature_size
        self.audio_feature_size = audio_feature_size
        self.max_text_length = max_text_length
        self.max_video_length = max_video_length
        self.max_audio_length = max_audio_length

    @property
    def model_input_names(self) -> list[str]:
        """Keys of the batch; the tokenizer's, then those of the modalities that the model has."""
        names = list(self.tokenizer.model_input_names)
        for modality in ("video", "audio"):
            if getattr(self, f"{modality}_feature_size") is not None:
                names += [f"{modality}_features", f"{modality}_attention_mask"]
        return names

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        video_features: np.ndarray | torch.Tensor | Sequence | None = None,
        audio_features: np.ndarray | torch.Tensor | Sequence | None = None,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        """
        Args:
            text: one utterance or a list. Without it, or with "", the row has no text but the special tokens.
            video_features, audio_features: one array `(frames, feature_size)` or a list with one for each utterance;
                `None` or `(0, feature_size)` in the list where an utterance has none.
            return_tensors: `"pt"` or `"np"`.

        Returns:
            `input_ids`, `attention_mask` `(batch, text)`, and for each modality given `<modality>_features`
            `(batch, frames, feature_size)` in float32 with `<modality>_attention_mask` `(batch, frames)`.

        Raises:
            ValueError: nothing given, unequal numbers of utterances, features of a wrong size or with non-finite
                values.
        """
        if return_tensors not in ("pt", "np"):
            raise ValueError(f'return_tensors={return_tensors!r} is not offered: a padded batch is "pt" or "np".')
        given = {"video": _as_list(video_features), "audio": _as_list(audio_features)}
        given = {name: rows for name, rows in given.items() if rows is not None}
        if text is None and not given:
            raise ValueError("Nothing to process: give text, video_features or audio_features.")
        texts = (
            [""] * len(next(iter(given.values()))) if text is None else [text] if isinstance(text, str) else list(text)
        )
        if not texts:
            raise ValueError("Nothing to process: the list of texts is empty.")
        for name, rows in given.items():
            if len(rows) != len(texts):
                raise ValueError(f"{len(texts)} texts but {len(rows)} {name}_features: give one for each utterance.")

        # "longest_first" truncation of the tokenizer is silent; too long a text is worth one line in the log.
        encoded = self.tokenizer(
            texts, truncation=True, max_length=self.max_text_length, padding=True, return_tensors=return_tensors
        )
        batch = dict(encoded)
        if encoded["input_ids"].shape[1] == self.max_text_length:
            self._warn_truncation("text", "tokens", self.max_text_length)
        for name, rows in given.items():
            features, mask = self._pad(name, rows)
            if return_tensors == "pt":
                features, mask = torch.from_numpy(features), torch.from_numpy(mask)
            batch[f"{name}_features"], batch[f"{name}_attention_mask"] = features, mask
        return BatchFeature(batch)

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


def _as_list(rows) -> list | None:
    """One utterance's array as a list of one; `None` stays `None`."""
    if rows is None:
        return None
    if isinstance(rows, (np.ndarray, torch.Tensor)):
        return [rows] if rows.ndim == 2 else list(rows)
    return list(rows)


AmessProcessor.register_for_auto_class("AutoProcessor")

__all__ = ["AmessProcessor"]
