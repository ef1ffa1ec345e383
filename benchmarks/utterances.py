# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Utterances with the lengths of the real data and random features, for scripts that measure speed and memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from dataset_scripts import load_intent_dataset
from dataset_scripts.labels import MINTREC_LABELS
from training.model_setup import resolve_text_model


# Least squares over the 6,165 training clips of MIntRec2.0, which publishes when its utterances start and end: the log
# of a clip's seconds against the log of its word pieces (the correlation is 0.74), and the spread around that line.
LOG_SECONDS_INTERCEPT, LOG_SECONDS_SLOPE, LOG_SECONDS_SPREAD = -0.305, 0.535, 0.329
# Every frame of the released features' clips, and the step rate of wav2vec 2.0 and WavLM.
FRAMES_PER_SECOND = {"video": 24, "audio": 50}


def load_tokenizer() -> PreTrainedTokenizerBase:
    """BERT's uncased word pieces, as the MiniLM package of the `sample` extra carries them; needs no network."""
    return AutoTokenizer.from_pretrained(resolve_text_model("minilm"))


class RandomUtterances(Dataset):
    """Real texts with drawn clip lengths and N(0, 1) features, as rows that `training.data.IntentCollator` takes.

    Args:
        data_dir: folder of the MIntRec release, whose training texts are used; the embedded sample's without it.
        tokenizer: counts the word pieces, on which a clip's length depends.
        feature_sizes: size of a frame's vector, for `video` and `audio`.
        max_lengths: longest `text`, `video` and `audio`; what is longer is cut.
        seed: of lengths, labels and features.

    Attributes:
        lengths: for `text`, `video` and `audio` the real positions of every row, `(rows,)`.
    """

    def __init__(
        self,
        data_dir: str | Path | None,
        tokenizer: PreTrainedTokenizerBase,
        feature_sizes: dict[str, int],
        max_lengths: dict[str, int],
        seed: int = 0,
    ):
        name = "sample" if data_dir is None else "mintrec"
        split = load_intent_dataset(name, config_name="text", data_dir=data_dir)["train"]
        self.texts = list(split["text"][:])
        self.feature_sizes = feature_sizes
        self.seed = seed
        random = np.random.default_rng(seed)
        tokens = np.array([len(ids) for ids in tokenizer(self.texts)["input_ids"]])
        spread = LOG_SECONDS_SPREAD * random.standard_normal(len(tokens))
        pieces = np.maximum(tokens - 2, 1)  # without [CLS] and [SEP]
        self.seconds = np.exp(LOG_SECONDS_INTERCEPT + LOG_SECONDS_SLOPE * np.log(pieces) + spread)
        self.lengths = {"text": np.minimum(tokens, max_lengths["text"])}
        for modality, rate in FRAMES_PER_SECOND.items():
            frames = np.maximum(np.rint(self.seconds * rate).astype(int), 1)
            self.lengths[modality] = np.minimum(frames, max_lengths[modality])
        self.labels = random.integers(len(MINTREC_LABELS), size=len(self.texts))

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = np.random.default_rng([self.seed, index])
        row: dict[str, Any] = {"id": str(index), "text": self.texts[index], "label": int(self.labels[index])}
        for modality, size in self.feature_sizes.items():
            shape = (self.lengths[modality][index], size)
            row[f"{modality}_features"] = random.standard_normal(shape, dtype=np.float32)
        return row
