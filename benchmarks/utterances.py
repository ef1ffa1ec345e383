# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Utterances with the lengths of the real data and random features, for scripts that measure speed and memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from dataset_scripts import load_intent_dataset
from dataset_scripts.labels import MINTREC_LABELS
from modeling_amess import AmessProcessor
from training.batch_sampler import BucketBatchSampler
from training.data import IntentCollator
from training.model_setup import resolve_text_model


MAX_LENGTHS = {"text": 50, "video": 180, "audio": 400}
FEATURE_SIZES = {"video": 256, "audio": 768}
# Both as fields of a configuration or arguments of a processor.
SIZE_FIELDS: dict[str, Any] = {
    **{f"{name}_feature_size": size for name, size in FEATURE_SIZES.items()},
    **{f"max_{name}_length": limit for name, limit in MAX_LENGTHS.items()},
}
# A least-squares fit to the 6,165 training clips of MIntRec2.0, which publishes when its utterances start and end: the
# log of a clip's seconds against the log of its word pieces (the correlation is 0.74), and the spread around the line.
LOG_SECONDS_INTERCEPT, LOG_SECONDS_SLOPE, LOG_SECONDS_SPREAD = -0.305, 0.535, 0.329
# The released features cover every frame of the clips; wav2vec 2.0 and WavLM make 50 steps per second.
FRAMES_PER_SECOND = {"video": 24, "audio": 50}

Batch = dict[str, torch.Tensor]


def load_tokenizer() -> PreTrainedTokenizerBase:
    """Load BERT's uncased word pieces from the MiniLM package of the `sample` extra, without a network."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(resolve_text_model("minilm"))
    return tokenizer


class RandomUtterances(Dataset[dict[str, Any]]):
    """Real texts with drawn clip lengths and N(0, 1) features, as rows that `training.data.IntentCollator` takes.

    Args:
        data_dir: Folder of the MIntRec release, for its training texts; `None` for those of the embedded sample.
        tokenizer: Tokenizer that counts the word pieces, on which the length of a clip depends.
        seed: Seed of lengths, labels and features.

    Attributes:
        lengths: Real positions of every row `(rows,)`, for `text`, `video` and `audio`.
    """

    def __init__(
        self,
        data_dir: str | Path | None,
        tokenizer: PreTrainedTokenizerBase,
        seed: int = 0,
    ):
        name = "sample" if data_dir is None else "mintrec"
        split: Any = load_intent_dataset(name, config_name="text", data_dir=data_dir)["train"]
        self.texts: list[str] = list(split["text"][:])
        self.tokenizer = tokenizer
        self.seed = seed
        random = np.random.default_rng(seed)
        tokens = np.array([len(ids) for ids in tokenizer(self.texts)["input_ids"]])
        spread = LOG_SECONDS_SPREAD * random.standard_normal(len(tokens))
        pieces = np.maximum(tokens - 2, 1)  # without [CLS] and [SEP]
        self.seconds = np.exp(LOG_SECONDS_INTERCEPT + LOG_SECONDS_SLOPE * np.log(pieces) + spread)
        self.lengths = {"text": np.minimum(tokens, MAX_LENGTHS["text"])}
        for modality, rate in FRAMES_PER_SECOND.items():
            frames = np.maximum(np.rint(self.seconds * rate).astype(int), 1)
            self.lengths[modality] = np.minimum(frames, MAX_LENGTHS[modality])
        self.labels = random.integers(len(MINTREC_LABELS), size=len(self.texts))

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = np.random.default_rng([self.seed, index])
        row: dict[str, Any] = {"id": str(index), "text": self.texts[index], "label": int(self.labels[index])}
        for modality, size in FEATURE_SIZES.items():
            shape = (self.lengths[modality][index], size)
            row[f"{modality}_features"] = random.standard_normal(shape, dtype=np.float32)
        return row

    def collator(self) -> IntentCollator:
        """Create the collator that training uses, with the lengths and sizes of these utterances."""
        return IntentCollator(AmessProcessor(self.tokenizer, **SIZE_FIELDS), tuple(MAX_LENGTHS))

    def positions(self, batch: list[int]) -> int:
        """Count the positions of a batch that is padded to its longest row, over all modalities."""
        return sum(len(batch) * int(lengths[batch].max()) for lengths in self.lengths.values())

    def bucketed_batches(self, batch_size: int, count: int, device: str) -> list[Batch]:
        """Create `count` full batches of length buckets that stand for the epoch, on the device."""
        sampler = BucketBatchSampler(len(self), batch_size, seed=0, lengths=self.lengths["text"])
        full = [batch for batch in sampler if len(batch) == batch_size]
        collator = self.collator()
        batches = [
            collator([self[index] for index in batch]) for batch in spread_over_epoch(full, self.positions, count)
        ]
        return [{name: values.to(device) for name, values in batch.items()} for batch in batches]


def spread_over_epoch(batches: list[list[int]], cost: Callable[[list[int]], int], count: int) -> list[list[int]]:
    """Choose `count` batches that stand for all: the middles of `count` equal parts of the order by cost."""
    ordered = sorted(batches, key=cost)
    return [ordered[int((part + 0.5) * len(ordered) / count)] for part in range(count)]
