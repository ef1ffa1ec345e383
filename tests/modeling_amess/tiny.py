# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Tiny A-MESS configurations, models and batches: the same classes as real ones, small enough to test laws on."""

from typing import Any

import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    RobertaConfig,
    SwinConfig,
    SwinModel,
    Wav2Vec2Config,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from modeling_amess import AmessConfig, AmessForIntentClassification, AmessMediaEncoder


LABELS = ("Thank", "Taunt", "Joke", "UNK")
DESCRIPTIONS = {
    "Thank": ["To express gratitude.", "To acknowledge a favour."],
    "Taunt": ["To mock someone.", "To provoke."],
    "Joke": ["To make others laugh."],
}
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "oh", ",", "great", ".", "thanks", "a", "lot", "no", "way")


def tiny_tokenizer() -> BertTokenizer:
    """A WordPiece tokenizer of 14 words."""
    return BertTokenizer(vocab={word: index for index, word in enumerate(WORDS)})


def tiny_config(text_model_type: str = "bert", **fields) -> AmessConfig:
    """Configuration of two layers of width 32, four labels, one of them out of scope, and features of size 6 and 5."""
    sizes: dict[str, Any] = {
        "vocab_size": len(WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 64,
    }
    text_config = {"bert": BertConfig, "roberta": RobertaConfig}[text_model_type](**sizes)
    defaults: dict[str, Any] = {
        "text_config": text_config,
        "video_feature_size": 6,
        "audio_feature_size": 5,
        "max_text_length": 12,
        "max_video_length": 20,
        "max_audio_length": 24,
        "num_anchors": 4,
        "fusion_num_attention_heads": 4,
        "id2label": dict(enumerate(LABELS)),
        "label2id": {label: index for index, label in enumerate(LABELS)},
        "out_of_scope_label": "UNK",
    }
    return AmessConfig(**(defaults | fields))


class OneHotEncoder:
    """Replaces a Sentence-BERT: a different, fixed vector for every text."""

    def __init__(self, size: int = 32):
        self.size = size

    def encode(self, texts: list[str]) -> torch.Tensor:
        """Embed texts to `(texts, size)`."""
        generator = torch.Generator().manual_seed(7)
        return torch.randn(len(texts), self.size, generator=generator)


def tiny_model(text_model_type: str = "bert", seed: int = 0, **fields) -> AmessForIntentClassification:
    """Randomly initialised classifier in evaluation mode, with descriptions of its labels."""
    torch.manual_seed(seed)
    model = AmessForIntentClassification(tiny_config(text_model_type, **fields)).eval()
    if model.config.use_semantic_synchronization:
        model.set_label_descriptions(DESCRIPTIONS, encoder=OneHotEncoder(model.config.description_size))
    return model


def tiny_batch(batch: int = 4, text: int = 9, video: int = 7, audio: int = 11, seed: int = 0) -> dict:
    """Random inputs; the rows differ in length, the first row fills the batch and the last has one frame each."""
    generator = torch.Generator().manual_seed(seed)

    def lengths(longest: int, least: int) -> torch.Tensor:
        return torch.linspace(longest, least, batch).round().long()

    def mask(longest: int, least: int) -> torch.Tensor:
        return (torch.arange(longest) < lengths(longest, least)[:, None]).long()

    return {
        "input_ids": torch.randint(5, len(WORDS), (batch, text), generator=generator),
        "attention_mask": mask(text, 3),
        "video_features": torch.randn(batch, video, 6, generator=generator),
        "video_attention_mask": mask(video, 1),
        "audio_features": torch.randn(batch, audio, 5, generator=generator),
        "audio_attention_mask": mask(audio, 1),
    }


def padded(batch: dict, text: int = 3, video: int = 4, audio: int = 5) -> dict:
    """The same batch with more padding, of arbitrary content, at the end of each modality."""
    out = {}
    for name, value in batch.items():
        extra = {"i": text, "a": text, "v": video}[name[0]] if not name.startswith("audio") else audio
        filler = torch.zeros if name.endswith("mask") else torch.ones
        shape = (value.shape[0], extra, *value.shape[2:])
        out[name] = torch.cat([value, filler(shape, dtype=value.dtype)], dim=1)
    return out


def rows(batch: dict, index: list[int]) -> dict:
    """Some rows of a batch."""
    return {name: value[index] for name, value in batch.items()}


def tiny_video_model(seed: int = 0) -> SwinModel:
    """A Swin of two stages for frames of 32 x 32 pixels, features of size 16."""
    torch.manual_seed(seed)
    return SwinModel(
        SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 2], num_heads=[1, 2], window_size=4)
    )


def tiny_audio_model(model_type: str = "wavlm", norm: str = "group", seed: int = 0) -> WavLMModel | Wav2Vec2Model:
    """A WavLM or wav2vec 2.0 with a step every 80 samples, features of size 12."""
    torch.manual_seed(seed)
    config_class, model_class = {"wavlm": (WavLMConfig, WavLMModel), "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model)}[
        model_type
    ]
    return model_class(
        config_class(
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            conv_dim=(8, 8, 8),
            conv_kernel=(10, 4, 4),
            conv_stride=(5, 4, 4),
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=2,
            feat_extract_norm=norm,
            do_stable_layer_norm=norm == "layer",
        )
    )


def tiny_media_encoder(model_type: str = "wavlm", norm: str = "group", **preprocessing) -> AmessMediaEncoder:
    """Media encoder of both, with the feature sizes of `tiny_clip_model`."""
    return AmessMediaEncoder.from_models(
        tiny_video_model(),
        tiny_audio_model(model_type, norm),
        video_name="tiny-swin",
        audio_name=f"tiny-{model_type}",
        preprocessing=preprocessing,
    )


def tiny_clip_model(**fields) -> AmessForIntentClassification:
    """A classifier with feature sizes of the tiny media encoder, which is not attached yet."""
    return tiny_model(**({"video_feature_size": 16, "audio_feature_size": 12} | fields))


def tiny_clips(
    frames: tuple[int, ...] = (5, 3, 1), samples: tuple[int, ...] = (1200, 3000, 500), seed: int = 0
) -> dict:
    """Random clip inputs; each row has its own number of frames and samples."""
    generator = torch.Generator().manual_seed(seed)

    def mask(lengths: tuple[int, ...]) -> torch.Tensor:
        return (torch.arange(max(1, *lengths)) < torch.tensor(lengths)[:, None]).long()

    return {
        "pixel_values": torch.randn(len(frames), max(1, *frames), 3, 32, 32, generator=generator),
        "pixel_values_mask": mask(frames),
        "input_values": 0.1 * torch.randn(len(samples), max(1, *samples), generator=generator),
        "input_values_mask": mask(samples),
    }
