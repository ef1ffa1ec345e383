# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""TCL-MAP's configuration, its input sequences, and the prompt that it makes of video and audio per utterance."""

import math
from typing import Any, ClassVar, Literal, cast

import torch
from huggingface_hub.dataclasses import strict
from torch import nn

from modeling_amess.fusion_amess import AmessAlignment

from .base import Features, MultimodalBaselineConfig
from .cross_modal_transformer import CrossModalTransformer


SIMILARITY_SIZE = 256


@strict
class TclMapConfig(MultimodalBaselineConfig):
    r"""Configuration of [`TclMapForIntentClassification`].

    The defaults are the published settings for MIntRec (thuiar/TCL-MAP on GitHub). Its trainer's settings are in
    training/configs/mintrec_tcl_map.yaml.

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        classifier_dropout, initializer_range: See [`MultimodalBaselineConfig`]. The input is longer than
            `max_text_length` by the prompt and the label.
        prompt_length (`int`, defaults to 3): Vectors of the prompt.
        prompt_queries (`str`, defaults to `"context"`): What chooses among frames and steps: the learned
            `"context"` vectors, as published; or all `"tokens"` of the text, as in version 0.1.0. A model that 0.1.0
            saved has `"tokens"`.
        label_length (`int`, defaults to 4): Most word pieces of a label's name.
        label_filler (`str`, defaults to `"mask"`): Token that fills up a shorter label: the mask token, or `"unk"`,
            which the published code ends up with.
        mask_token_id (`int`, defaults to 103): Mask token of the tokenizer; `from_text_pretrained` sets it.
        fusion_num_attention_heads, fusion_num_layers (`int`, default to 8 and 5): Heads and layers of the prompt's
            transformer.
        attention_dropout, relu_dropout, residual_dropout, embedding_dropout (`float`, default to 0.1, 0, 0.1, 0.2):
            Dropout in the prompt's transformer, see [`CrossModalTransformer`].
        beta, gate_dropout (`float`, default to 0.006 and 0.5): Settings of the [`MultimodalAdaptationGate`].
        alignment (`str`, defaults to `"ctc"`): Way to bring frames to tokens before the gate, see [`TokenAlignment`].
        pooling (`str`, defaults to `"pooler"`): How the text becomes one vector: BERT's pooler, the `[CLS]` token or
            the masked `"mean"` of all tokens.
        contrastive_temperature, contrastive_weight (`float`, default to 0.5 and 1): Settings of the contrastive loss.
    """

    model_type = "amess_tcl_map"
    values_before_the_field: ClassVar[dict[str, Any]] = {"prompt_queries": "tokens"}

    prompt_length: int = 3
    prompt_queries: Literal["context", "tokens"] = "context"
    label_length: int = 4
    label_filler: Literal["mask", "unk"] = "mask"
    mask_token_id: int = 103
    fusion_num_attention_heads: int = 8
    fusion_num_layers: int = 5
    attention_dropout: float | int = 0.1
    relu_dropout: float | int = 0.0
    residual_dropout: float | int = 0.1
    embedding_dropout: float | int = 0.2
    beta: float | int = 0.006
    gate_dropout: float | int = 0.5
    alignment: Literal["ctc", "conv1d", "avg_pool", "avg_pool_strided"] = "ctc"
    pooling: Literal["pooler", "cls", "mean"] = "pooler"
    contrastive_temperature: float | int = 0.5
    contrastive_weight: float | int = 1.0

    @property
    def num_tokens(self) -> int:
        """Most tokens of the input with prompt and label."""
        return self.max_text_length + self.prompt_length + self.label_length

    @property
    def uses_pooler(self) -> bool:
        """Whether the model needs the text encoder's pooler."""
        return self.pooling == "pooler"


def insert_slots(
    input_ids: torch.Tensor, attention_mask: torch.Tensor, num_slots: int, filler: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Turn `[CLS] tokens [SEP] padding` into `[CLS] tokens slots [SEP] padding`.

    Args:
        input_ids: Token ids `(batch, tokens)`, padded on the right.
        attention_mask: Mask of the tokens `(batch, tokens)`.
        num_slots: Number of slots.
        filler: Token id in a slot.

    Returns:
        Token ids and mask `(batch, tokens + num_slots)`, and the positions of the slots `(batch, num_slots)`.
    """
    tokens = input_ids.shape[1]
    lengths = attention_mask.sum(-1, keepdim=True)
    first = lengths - 1  # position of [SEP]
    position = torch.arange(tokens + num_slots, device=input_ids.device)
    source = torch.where(position < first, position, position - num_slots).clamp(0, tokens - 1)
    is_slot = (position >= first) & (position < first + num_slots)
    ids = input_ids.gather(1, source).masked_fill(is_slot, filler)
    mask = (position < lengths + num_slots).to(attention_mask.dtype)
    return ids, mask, first + torch.arange(num_slots, device=input_ids.device)


def gather_steps(states: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Return the vectors of `states (batch, steps, size)` at `positions (batch, wanted)`: `(batch, wanted, size)`."""
    return states.gather(1, positions.unsqueeze(-1).expand(-1, -1, states.shape[-1]))


def write_steps(states: torch.Tensor, positions: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return `states (batch, steps, size)` with `values (batch, written, size)` at `positions (batch, written)`."""
    return states.scatter(1, positions.unsqueeze(-1).expand_as(values), values.to(states.dtype))


class SimilarityAlignment(nn.Module):
    """TCL-MAP's alignment: the steps of `"ctc"`, mixed for each query by how similar they are to the query.

    The similarity is the cosine in a space of 256 dimensions, with a learned temperature and a softmax; a two-layer
    gate over the steps follows.

    Args:
        feature_size: Size of a frame's vector.
        hidden_size: Size of a query.
        max_length: Most frames.
        num_tokens: Number of steps: the most tokens of the input.
    """

    def __init__(self, feature_size: int, hidden_size: int, max_length: int, num_tokens: int):
        super().__init__()
        self.alignment = AmessAlignment("ctc", feature_size, max_length, num_tokens)
        self.step_projection = nn.Linear(feature_size, SIMILARITY_SIZE)
        self.token_projection = nn.Linear(hidden_size, SIMILARITY_SIZE)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        half = round(num_tokens / 2)
        self.gate = nn.Sequential(nn.Linear(num_tokens, half), nn.ReLU(), nn.Linear(half, num_tokens), nn.Sigmoid())

    def forward(self, queries: torch.Tensor, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Mix the steps for each query.

        Args:
            queries: Vectors `(batch, queries, hidden_size)`, which do not influence each other.
            features: Vectors of the frames `(batch, frames, feature_size)`.
            mask: Boolean mask of the frames `(batch, frames)`.

        Returns:
            One vector per query `(batch, queries, feature_size)`.
        """
        steps, _ = self.alignment(features, mask)
        tokens = nn.functional.normalize(self.token_projection(queries), dim=-1, eps=1e-9)
        similarity = torch.matmul(
            tokens, nn.functional.normalize(self.step_projection(steps), dim=-1, eps=1e-9).transpose(1, 2)
        )
        return torch.matmul(self.gate((self.log_scale.exp() * similarity).softmax(-1)), steps)


class PromptGenerator(nn.Module):
    """The modality-aware prompt: learned context vectors that video and audio move.

    As in the published code, the text has no part in it. The context vectors, aligned to themselves, choose among the
    steps of video and audio: each modality becomes one vector per context vector. The context vectors themselves,
    projected, then read video (keys) and audio (values) in a causal transformer, the first vector at position 1. What
    they read moves them, by little at first: the scale starts at 1e-4. Where a row lacks video or audio, the other
    modality takes its place; where the row lacks both, the prompt reads nothing.

    `prompt_queries="tokens"` is the prompt of version 0.1.0: the tokens of the text choose among the steps, one vector
    per token, and the context vectors, aligned to their own places in the text, read those at and before their places.

    Args:
        config: Configuration of the model.
    """

    def __init__(self, config: TclMapConfig):
        super().__init__()
        self.reads_text = config.prompt_queries == "tokens"
        hidden_size, num_tokens = config.hidden_size, config.num_tokens
        self.context = nn.Parameter(torch.zeros(config.prompt_length, hidden_size))
        if self.reads_text or config.feature_sizes:
            self.context_alignment = SimilarityAlignment(hidden_size, hidden_size, config.prompt_length, num_tokens)
        self.context_projection = nn.Sequential(nn.LayerNorm(hidden_size), nn.Linear(hidden_size, hidden_size))
        self.alignments = nn.ModuleDict()
        self.projections = nn.ModuleDict()
        for name, size in config.feature_sizes.items():
            self.alignments[name] = SimilarityAlignment(
                size, hidden_size, config.max_feature_lengths[name], num_tokens
            )
            self.projections[name] = nn.Sequential(
                nn.LayerNorm(size), nn.Linear(size, hidden_size), nn.LayerNorm(hidden_size)
            )
        if config.feature_sizes:
            self.transformer = CrossModalTransformer(
                hidden_size,
                config.fusion_num_attention_heads,
                config.fusion_num_layers,
                attention_dropout=config.attention_dropout,
                relu_dropout=config.relu_dropout,
                residual_dropout=config.residual_dropout,
                embedding_dropout=config.embedding_dropout,
            )
            self.output = nn.Sequential(nn.LayerNorm(hidden_size), nn.Linear(hidden_size, hidden_size))
            self.scale = nn.Parameter(torch.full((hidden_size,), 1e-4))

    def forward(
        self, text: torch.Tensor, text_mask: torch.Tensor, positions: torch.Tensor, features: Features
    ) -> torch.Tensor:
        """Make the prompt.

        Args:
            text: Token embeddings `(batch, tokens, hidden_size)`, which `prompt_queries="tokens"` reads.
            text_mask: Boolean mask of the tokens `(batch, tokens)`.
            positions: Positions of the prompt `(batch, prompt_length)`.
            features: Features and mask of video, audio or both.

        Returns:
            Vectors of the prompt `(batch, prompt_length, hidden_size)`.
        """
        context = self.context.expand(len(text), -1, -1)
        all_steps = torch.ones(context.shape[:2], dtype=torch.bool, device=text.device)
        places = all_steps.cumsum(-1) - 1
        if self.reads_text:
            queries = gather_steps(text, positions)
            prompt = self.context_projection(self.context_alignment(queries, context, all_steps))
            choosing, choosing_mask, places = text, text_mask, positions
        else:
            prompt = self.context_projection(context)
        if not features:
            return cast(torch.Tensor, prompt)
        if not self.reads_text:
            choosing, choosing_mask = self.context_alignment(context, context, all_steps), all_steps
        read = {
            name: self.projections[name](self.alignments[name](choosing, *values)) for name, values in features.items()
        }
        present = {name: mask.any(-1)[:, None, None] for name, (_, mask) in features.items()}
        first, last = next(iter(read)), next(reversed(read))  # video and audio, or the only one twice
        key = torch.where(present[first], read[first], read[last])
        value = torch.where(present[last], read[last], read[first])
        steps = torch.arange(choosing.shape[1], device=text.device).expand(len(text), -1)
        visible = (steps[:, None, :] <= places[:, :, None]) & choosing_mask[:, None, :]
        visible = visible & (present[first] | present[last])
        moved = self.transformer(prompt, places, visible, key=key, value=value, key_positions=steps)
        return cast(torch.Tensor, prompt + self.scale * self.output(moved))
