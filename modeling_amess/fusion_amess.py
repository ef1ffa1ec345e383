# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Anchor-based Multimodal Embedding (A-ME, eq. 4 to 13): attention, alignment, choice of anchors, and the fusion."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .configuration_amess import AmessConfig


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute attention and its weights `(batch, heads, queries, keys)`."""
    weights = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        if attention_mask.dtype == torch.bool:
            weights = weights.masked_fill(~attention_mask, torch.finfo(weights.dtype).min)
        else:
            weights = weights + attention_mask
    weights = nn.functional.softmax(weights, dim=-1, dtype=torch.float32).to(query.dtype)
    dropped = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(dropped, value).transpose(1, 2).contiguous(), weights


# Periods of the sinusoids of time, in seconds: differences of a quarter of a second up to recordings of a minute.
TIME_PERIODS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
# Size of the sinusoids beside a feature. At 1 the random start hardly tells early from late frames, and the order of
# two events is not learned within six epochs of the planted benchmark; at 6 it is.
TIME_SCALE = 6.0
# Seconds that an utterance counts as whose frames have no rate. Utterances of conversations take two to four.
UNTIMED_SECONDS = 4.0


def frame_times(mask: torch.Tensor, rate: float | None) -> torch.Tensor:
    """Times of frames or steps in seconds from the start of the utterance.

    Without a rate the utterance counts as `UNTIMED_SECONDS` long, whatever its number of frames. Picture and sound of
    an utterance last equally long, so that both have one clock in this way as well; a rate that nobody knows would
    put them on two. (Frames that were cut off at the limit are missed: the rest counts as the whole.)

    Args:
        mask (`(batch, frames)`): Booleans, true for real frames.
        rate: Frames per second; `None` if it is not known.

    Returns:
        `(batch, frames)`, float32. A row's times depend neither on its padding nor on other rows.
    """
    index = torch.arange(mask.shape[1], device=mask.device, dtype=torch.float32).expand(mask.shape)
    if rate is not None:
        return index / rate
    lengths = torch.where(mask, index + 1, 0).amax(-1, keepdim=True).clamp(min=1)
    return index * (UNTIMED_SECONDS / lengths)


def with_time(features: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """Put sine and cosine of the times, at each of `TIME_PERIODS` and `TIME_SCALE` long, behind the features.

    A projection of the longer vector is the projection of the feature plus one of its time, so that keys and values
    both know it. The product with 16 more numbers costs next to nothing, and a query can still be sent to the space of
    the features.

    Args:
        features (`(batch, frames, feature_size)`): Features.
        times (`(batch, frames)`): Times in seconds.
    """
    phases = times.unsqueeze(-1) * (2 * torch.pi / torch.tensor(TIME_PERIODS, device=times.device))
    sinusoids = TIME_SCALE * torch.cat([phases.sin(), phases.cos()], dim=-1)
    return torch.cat([features, sinusoids.to(features.dtype)], dim=-1)


class AmessAttentionProjection(nn.Linear):
    """Query, key or value projection of the fusion.

    A class of its own, because it is initialised wider than BERT's layers (Xavier, as torch's own attention): at
    BERT's 0.02 the attention starts all but uniform over the frames, and the fusion takes about twice as many epochs
    to learn anything (docs/log.md).
    """


class AmessAttention(nn.Module):
    """Multi-head attention of one sequence to another, whose vectors may have another size.

    Keys and values have no bias. In the scores a bias is a constant per query, which the softmax takes out; in the
    output, as the weights add up to one, it is what the bias of the next linear layer adds anyway.
    """

    def __init__(self, config: AmessConfig, key_size: int, project_value: bool = True):
        super().__init__()
        self.config = config
        self.num_heads = config.fusion_num_attention_heads
        self.scaling = (config.hidden_size // self.num_heads) ** -0.5
        self.attention_dropout = config.fusion_dropout
        self.is_causal = False
        self.q_proj = AmessAttentionProjection(config.hidden_size, config.hidden_size)
        self.k_proj = AmessAttentionProjection(key_size, config.hidden_size, bias=False)
        # Any: a projection has weights to compute with, an identity has none.
        self.v_proj: Any = nn.Identity()
        if project_value:
            self.v_proj = AmessAttentionProjection(key_size, config.hidden_size, bias=False)

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, key_mask: torch.Tensor, output_attentions: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Let the queries read from the keys.

        Args:
            query (`(batch, queries, hidden_size)`): Queries.
            key (`(batch, keys, key_size)`): Keys and values.
            key_mask (`(batch, keys)`): Booleans, true for real keys.
            output_attentions: Whether to return the weights too, whatever the attention implementation.

        Returns:
            `(batch, queries, hidden_size)`, zero in rows without any real key, and the weights
            `(batch, heads, queries, keys)` or `None`.
        """
        has_keys = key_mask.any(-1)
        # A softmax over nothing is undefined: rows without keys look at position 0 and are zeroed afterwards.
        open_mask = torch.cat([key_mask[:, :1] | ~has_keys[:, None], key_mask[:, 1:]], dim=1)
        states = self._split_heads(self.q_proj(query))
        if self._unprojected_is_faster(query, key):
            projection = self.k_proj.weight.view(self.num_heads, -1, key.shape[-1])
            states = torch.einsum("bhqs,hsk->bhqk", states, projection)
            # The heads share their keys, so that they are more queries of one head.
            states = states.flatten(1, 2).unsqueeze(1)
            output, weights = self._attend(states, key.unsqueeze(1), key.unsqueeze(1), open_mask, output_attentions)
            output = output.view(query.shape[0], self.num_heads, query.shape[1], -1)
            projection = self.v_proj.weight.view(self.num_heads, -1, key.shape[-1])
            output = torch.einsum("bhqk,hsk->bqhs", output, projection)
        else:
            key_states, value_states = self._split_heads(self.k_proj(key)), self._split_heads(self.v_proj(key))
            output, weights = self._attend(states, key_states, value_states, open_mask, output_attentions)
        output = output.reshape(query.shape) * has_keys[:, None, None]
        if weights is not None:
            weights = weights.view(query.shape[0], self.num_heads, query.shape[1], -1)
            weights = weights * has_keys[:, None, None, None]
        return output, weights

    def _attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_mask: torch.Tensor,
        output_attentions: bool,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Run the configured implementation on `(batch, heads, sequence, size)`; every row has a key."""
        attention_mask = create_bidirectional_mask(
            config=self.config, inputs_embeds=query[:, 0], attention_mask=key_mask, encoder_hidden_states=key[:, 0]
        )
        attention_interface: Callable[..., Any] = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        if output_attentions:
            attention_interface = eager_attention_forward
        output, weights = attention_interface(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
        )
        return output, weights if output_attentions else None

    def _unprojected_is_faster(self, query: torch.Tensor, key: torch.Tensor) -> bool:
        """Whether to project the queries into the space of the keys, and the result out of it, instead of the keys.

        q (W k)^T = (q W) k^T. A few tokens that read hundreds of frames save most of the products in this way.
        """
        for layer in (self.k_proj, self.v_proj):
            # Adapters replace a layer, quantization and tensor parallelism its weight, and offloaded weights are there
            # in the forward pass of their layer only.
            if not isinstance(layer, AmessAttentionProjection) or type(layer.weight) is not nn.Parameter:
                return False
            if layer.weight.is_meta:
                return False
        # Fused kernels of other implementations stop at heads of 256.
        if self.config._attn_implementation not in ("eager", "sdpa"):
            return False
        queries, keys = query.shape[1], key.shape[1]
        hidden_size, key_size = self.k_proj.weight.shape
        projected = keys * hidden_size * (key_size + queries)
        return queries * key_size * (hidden_size + self.num_heads * keys) < projected

    def _split_heads(self, states: torch.Tensor) -> torch.Tensor:
        return states.view(*states.shape[:-1], self.num_heads, -1).transpose(1, 2)


class AmessAlignment(nn.Module):
    """Align: brings a sequence of frames to `num_steps` steps (eq. 4 and 6).

    The paper refers to MAG-BERT, by which the field means the alignment net of its benchmark code. Padded frames never
    count, so no kind depends on how far a batch is padded. (The benchmark code ignores the mask, and its average
    pooling averages strided frames.)

    Args:
        kind: Method of `AmessConfig.alignment`:

            - `"ctc"`: a two-layer LSTM gives each frame a distribution over the target steps and a blank; the output
              is the unnormalised weighted sum over time. No CTC loss is involved.
            - `"conv1d"`: a learned matrix that mixes time steps.
            - `"avg_pool"`: means of contiguous windows over the real frames.
            - `"none"`: the frames themselves.
        feature_size: Size of the feature of one frame.
        max_length: Largest number of frames.
        num_steps: Number of steps of the result.
    """

    def __init__(self, kind: str, feature_size: int, max_length: int, num_steps: int):
        super().__init__()
        self.kind = kind
        self.target_length = num_steps
        self.max_length = max_length
        if self.kind == "ctc":
            self.lstm = nn.LSTM(feature_size, self.target_length + 1, num_layers=2, batch_first=True)
        elif self.kind == "conv1d":
            self.mixing = nn.Linear(max_length, self.target_length, bias=False)

    def forward(self, features: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Align features.

        Args:
            features (`(batch, frames, feature_size)`): Features of the frames.
            mask (`(batch, frames)`): Booleans, true for real frames.

        Returns:
            The aligned features `(batch, steps, feature_size)` and their mask `(batch, steps)`.

        Raises:
            ValueError: There are more frames than `max_length`, for `"conv1d"`.
        """
        if self.kind == "none":
            return features, mask
        features = features * mask.unsqueeze(-1)
        if self.kind == "ctc":
            weights = self.lstm(features)[0].softmax(-1)[..., 1:]
            aligned = torch.matmul(weights.transpose(1, 2), features)
        elif self.kind == "conv1d":
            if features.shape[1] > self.max_length:
                raise ValueError(
                    f"The features have {features.shape[1]} frames, but alignment='conv1d' has weights for "
                    f"{self.max_length}. Truncate them (the processor does), or train with a higher max_video_length "
                    "or max_audio_length."
                )
            weight = self.mixing.weight[:, : features.shape[1]]
            aligned = torch.matmul(weight, features)
        else:
            aligned = self._average_windows(features, mask)
        present = mask.any(-1, keepdim=True)
        return aligned.to(features.dtype), present.expand(-1, self.target_length)

    def _average_windows(self, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Window j of n covers the frames from floor(j * length / n) to ceil((j + 1) * length / n)."""
        lengths = mask.sum(-1, keepdim=True)
        steps = torch.arange(self.target_length, device=features.device)
        start = steps * lengths // self.target_length
        end = ((steps + 1) * lengths + self.target_length - 1) // self.target_length
        end = torch.maximum(end, start + 1).clamp(max=features.shape[1])
        # Differences of running sums cost one pass for any windows; float32 keeps them exact enough.
        sums = nn.functional.pad(features.float().cumsum(1), (0, 0, 1, 0))
        index = torch.stack([start, end]).unsqueeze(-1).expand(-1, -1, -1, features.shape[-1])
        totals = sums.gather(1, index[1]) - sums.gather(1, index[0])
        means: torch.Tensor = totals / (end - start).clamp(min=1).unsqueeze(-1)
        return means


class AmessCrossAttention(nn.Module):
    """CrossAttn and TCAttn (eq. 4, 6, 11 and 12).

    Departure from the paper: with `attention_residual` the query is added and the sum normalised. As printed, the
    equations pass text on through attention weights only, and such a model does not train on real text
    (docs/design-decisions.md).
    """

    def __init__(self, config: AmessConfig, key_size: int):
        super().__init__()
        self.attention = AmessAttention(config, key_size)
        self.output = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.fusion_dropout)
        self.residual = config.attention_residual
        if self.residual:
            self.layer_norm = nn.LayerNorm(config.hidden_size)

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, key_mask: torch.Tensor, output_attentions: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Let the queries read from the keys; shapes as in [`AmessAttention`]."""
        attended, weights = self.attention(query, key, key_mask, output_attentions)
        attended = self.dropout(self.output(attended))
        return (self.layer_norm(query + attended) if self.residual else attended), weights


class AmessAnchorAttention(nn.Module):
    """AnCAttn and its feed-forward layer (eq. 8 to 10): one modality's anchors read the other's.

    The paper prints the direction of "a to v" in two ways; this is the formula's (audio into the video anchors), not
    the sentence's. FF is a Transformer's feed-forward layer.
    """

    def __init__(self, config: AmessConfig):
        super().__init__()
        self.attention = AmessAttention(config, config.hidden_size, project_value=config.anchor_value_projection)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.hidden_size, 4 * config.hidden_size),
            nn.GELU(),
            nn.Linear(4 * config.hidden_size, config.hidden_size),
            nn.Dropout(config.fusion_dropout),
        )

    def forward(self, anchors: torch.Tensor, other: torch.Tensor, other_mask: torch.Tensor) -> torch.Tensor:
        """Let anchors read `other`'s, `(batch, anchors, hidden_size)` each; rows without any there do not change."""
        attended, _ = self.attention(anchors, other, other_mask)
        enhanced: torch.Tensor = anchors + self.feed_forward(attended) * other_mask.any(-1)[:, None, None]
        return enhanced


@torch.no_grad()
def similarity_scores(text: torch.Tensor, fused: torch.Tensor, mask: torch.Tensor, score: str) -> torch.Tensor:
    """Score tokens as the paper does (eq. 5 and 7): is the nearest fused token much nearer than the second?

    Args:
        text (`(batch, text, hidden_size)`): E_text.
        fused (`(batch, text, hidden_size)`): E_fused.
        mask (`(batch, text)`): Booleans, true for real tokens.
        score: `"ratio"`, `"lowe"` or `"raw"`, see `AmessConfig.anchor_score`.

    Returns:
        Scores `(batch, text)`, float32.
    """
    text = nn.functional.normalize(text.float(), dim=-1)
    fused = nn.functional.normalize(fused.float(), dim=-1)
    with torch.autocast(device_type=text.device.type, enabled=False):
        if score == "lowe":
            # From the differences: 1 - cosine would lose the digits that tell near neighbours apart.
            closeness = -torch.cdist(text, fused, compute_mode="donot_use_mm_for_euclid_dist")
        else:
            closeness = torch.matmul(text, fused.transpose(1, 2))
    farthest = -2.0 if score == "lowe" else -1.0  # of two unit vectors
    closeness = closeness.masked_fill(~mask[:, None, :], farthest)
    if closeness.shape[-1] == 1:
        closeness = nn.functional.pad(closeness, (0, 1), value=farthest)
    nearest, second = closeness.topk(2, dim=-1).values.unbind(-1)

    tiny = 1e-6
    if score == "ratio":
        return (1 + nearest) / (1 + second + tiny)
    if score == "lowe":
        return nearest / (tiny - second)
    # As printed the ratio flips its sign or explodes where the second cosine is not positive; the floor bounds it.
    return nearest / second.clamp(min=tiny)


@torch.no_grad()
def attention_peaks(weights: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Score tokens by how peaked their attention over the frames is.

    The score is the mean over the heads of what the entropy of the weights lacks to its largest value, as a share of
    that: 0 for equal weights, 1 for a single frame, whatever the number of frames.

    Args:
        weights (`(batch, heads, text, frames)`): Attention weights.
        mask (`(batch, frames)`): Booleans, true for real frames.

    Returns:
        Scores `(batch, text)`, float32. Of a single frame all tokens have 1.
    """
    entropy = torch.special.entr(weights.float()).sum(-1)
    largest = mask.sum(-1).clamp(min=2).log()[:, None, None]
    scores: torch.Tensor = (1 - entropy / largest).mean(1)
    return scores


@torch.no_grad()
def best_places(
    scores: torch.Tensor, mask: torch.Tensor, num_anchors: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Choose the places with the highest scores.

    The choice is discrete, so no gradient flows through it. Padding is never chosen. With fewer real places than
    anchors the last slots are masked; with `num_anchors` at or above the length every place is an anchor. Of equal
    scores the earlier place comes first.

    Args:
        scores (`(batch, places)`): Scores.
        mask (`(batch, places)`): Booleans, true for places that may be chosen.
        num_anchors: Number of anchors, the paper's k.

    Returns:
        Positions, scores and mask, each `(batch, min(k, places))`, the best first.
    """
    order = scores.masked_fill(~mask, float("-inf")).argsort(dim=-1, descending=True, stable=True)
    indices = order[:, :num_anchors]
    anchor_mask = mask.gather(1, indices)
    return indices, scores.gather(1, indices).masked_fill(~anchor_mask, 0.0), anchor_mask


def select_anchors(
    text: torch.Tensor, fused: torch.Tensor, mask: torch.Tensor, num_anchors: int, score: str = "ratio"
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """AnSelect (eq. 5 and 7): `best_places` of `similarity_scores`.

    Raises:
        ValueError: The score is none of the paper's.
    """
    if score not in ("ratio", "lowe", "raw"):
        raise ValueError(f"anchor_score={score!r} is unknown: choose 'ratio', 'lowe' or 'raw'.")
    return best_places(similarity_scores(text, fused, mask, score), mask, num_anchors)


def without_special_tokens(mask: torch.Tensor, token_type_ids: torch.Tensor | None = None) -> torch.Tensor:
    """Tokens of the text without those that the tokenizer puts around it.

    These are the first and the last real token and, where a dialogue context follows as segment 1, the last of segment
    0. A text without words keeps its special tokens: something has to stand for the modality.

    Args:
        mask (`(batch, text)`): Booleans, true for real tokens, which come before the padding.
        token_type_ids (`(batch, text)`): Segment ids, if any.
    """
    ends = mask & ~nn.functional.pad(mask[:, 1:], (0, 1))
    if token_type_ids is not None:
        ends = ends | (mask & (nn.functional.pad(token_type_ids.diff(dim=1), (0, 1)) > 0))
    words = mask & ~ends
    words = torch.cat([torch.zeros_like(words[:, :1]), words[:, 1:]], dim=1)
    return torch.where(words.any(-1, keepdim=True), words, mask)


@dataclass
class AmessAnchors:
    """Anchors of one modality.

    Attributes:
        indices (`(batch, anchors)`): Text positions of the fused tokens, or places of the frames (`anchor_kind`).
        scores (`(batch, anchors)`): Scores by which they were chosen, best first; 0 in masked slots.
        mask (`(batch, anchors)`): Booleans, false for empty slots.
    """

    indices: torch.Tensor
    scores: torch.Tensor
    mask: torch.Tensor


@dataclass
class AmessReading:
    """What the text read from one modality.

    Attributes:
        fused (`(batch, text, hidden_size)`): E_fused of eq. 4 / 6.
        frames (`(batch, frames, size)`): Keys and values of the attention: (aligned) features, with their times.
        mask (`(batch, frames)`): Booleans, true for real frames.
        weights (`(batch, heads, text, frames)`): Attention weights, if they are needed.
    """

    fused: torch.Tensor
    frames: torch.Tensor
    mask: torch.Tensor
    weights: torch.Tensor | None


class AmessModalityBranch(nn.Module):
    """Parts of A-ME that belong to one nonverbal modality."""

    def __init__(self, config: AmessConfig, name: str, exchanges_anchors: bool):
        super().__init__()
        self.config = config
        feature_size = config.feature_sizes[name]
        assert feature_size is not None  # `modalities` names this one
        max_length = config.max_video_length if name == "video" else config.max_audio_length
        self.rate = config.feature_rates[name]
        self.has_time = config.alignment == "none" and config.time_encoding == "sinusoids"
        self.alignment = AmessAlignment(config.alignment, feature_size, max_length, config.max_text_length)
        self.cross_attention = AmessCrossAttention(config, feature_size + 2 * len(TIME_PERIODS) * self.has_time)
        if config.use_anchor_embedding:
            self.temporal_attention = AmessCrossAttention(config, config.hidden_size)
            if exchanges_anchors:
                self.anchor_attention = AmessAnchorAttention(config)

    def read(
        self, text: torch.Tensor, features: torch.Tensor, mask: torch.Tensor, output_attentions: bool
    ) -> AmessReading:
        """Let the text read the frames (eq. 4 / 6).

        Args:
            text (`(batch, text, hidden_size)`): E_text.
            features (`(batch, frames, feature_size)`): Features of the frames.
            mask (`(batch, frames)`): Booleans, true for real frames.
            output_attentions: Whether to return the weights, too.
        """
        frames, frame_mask = self.alignment(features, mask)
        if self.has_time:
            frames = with_time(frames, frame_times(frame_mask, self.rate))
        chooses_by_attention = self.config.anchor_score == "attention" or self.config.anchor_kind == "frames"
        needs_weights = self.config.use_anchor_embedding and chooses_by_attention
        fused, weights = self.cross_attention(text, frames, frame_mask, output_attentions or needs_weights)
        return AmessReading(fused, frames, frame_mask, weights)

    def select(
        self, text: torch.Tensor, reading: AmessReading, text_mask: torch.Tensor, word_mask: torch.Tensor
    ) -> tuple[torch.Tensor, AmessAnchors]:
        """Choose anchors A (eq. 5 / 7), `(batch, anchors, hidden_size)`; none in rows without the modality.

        Args:
            text (`(batch, text, hidden_size)`): E_text.
            reading: What the text read from the modality.
            text_mask (`(batch, text)`): Booleans, true for real tokens.
            word_mask (`(batch, text)`): Booleans, true for tokens that may be anchors.
        """
        number, score = self.config.num_anchors, self.config.anchor_score
        if self.config.anchor_kind == "frames":
            assert reading.weights is not None  # `read` keeps them for this
            shares = reading.weights.detach().float().mean(1) * text_mask.unsqueeze(-1)
            places = best_places(shares.sum(1) / text_mask.sum(-1, keepdim=True).clamp(min=1), reading.mask, number)
            chosen = _at(reading.frames, places[0])
            return self.cross_attention.output(self.cross_attention.attention.v_proj(chosen)), AmessAnchors(*places)
        if score == "attention":
            assert reading.weights is not None  # likewise
            scores = attention_peaks(reading.weights, reading.mask)
        else:
            scores = similarity_scores(text, reading.fused, text_mask, score)
        places = best_places(scores, word_mask & reading.mask.any(-1)[:, None], number)
        return _at(reading.fused, places[0]), AmessAnchors(*places)


def _at(sequence: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Vectors of `(batch, length, size)` at places `(batch, number)`: `(batch, number, size)`."""
    return sequence.gather(1, indices.unsqueeze(-1).expand(-1, -1, sequence.shape[-1]))


class AmessFusionNorm(nn.LayerNorm):
    """LayerNorm of eq. 13 where the text is added behind it.

    A class of its own, because its weight starts at `fusion_gain` times the size of the word embeddings, not at one:
    a pretrained encoder first reads its own words, and learns how much of the modalities to add.
    """


@torch.no_grad()
def embedding_size(embeddings: Any) -> torch.Tensor:
    """Measure the root mean square of E_text's entries: 0.54 for MiniLM, 1 without pretraining.

    The weights decide it. The measurement embeds up to 1024 words that lie evenly in the vocabulary, sixteen to a
    text. (The weights of the last LayerNorm alone would give 0.63 for MiniLM: they are small where entries are large.)

    Args:
        embeddings: Embedding layer of a text encoder, whose first table is that of the words.
    """
    table = next(module for module in embeddings.modules() if isinstance(module, nn.Embedding))
    words, device = table.num_embeddings, table.weight.device
    length = min(words, 16)
    ids = torch.linspace(0, words - 1, min(words, 1024) // length * length, device=device)
    training = embeddings.training
    embeddings.eval()  # without dropout
    entries: torch.Tensor = embeddings(input_ids=ids.long().view(-1, length))
    embeddings.train(training)
    return entries.float().square().mean().sqrt()


class AmessFusion(nn.Module):
    """Whole A-ME: E_m from the text, the video frames and the audio steps (eq. 4 to 13).

    Departure from the paper: the text itself is a part of E_m, as the caption of the paper's figure 2 has it. With
    `fusion_residual="outside"` eq. 13 is as printed and the text is added to its result; with `"inside"` the text is a
    third term in its LayerNorm (docs/design-decisions.md has the numbers).
    """

    def __init__(self, config: AmessConfig):
        super().__init__()
        self.config = config
        both = config.video_feature_size is not None and config.audio_feature_size is not None
        if config.video_feature_size is not None:
            self.video = AmessModalityBranch(config, "video", both)
        if config.audio_feature_size is not None:
            self.audio = AmessModalityBranch(config, "audio", both)
        norm = AmessFusionNorm if config.fusion_residual == "outside" else nn.LayerNorm
        self.layer_norm = norm(config.hidden_size)
        self.dropout = nn.Dropout(config.fusion_dropout)

    @torch.no_grad()
    def start_from_embeddings(self, embeddings: Any) -> None:
        """Start eq. 13's LayerNorm from pretrained word embeddings.

        With `fusion_residual="outside"` its weight becomes `fusion_gain` times the size of the embeddings, else the
        LayerNorm becomes that of the embeddings.

        Args:
            embeddings: Embedding layer of the text encoder.
        """
        if self.config.fusion_residual == "outside":
            self.layer_norm.weight.fill_(self.config.fusion_gain * embedding_size(embeddings))
        else:
            # The families name it differently, and ModernBERT's has no bias.
            (norm,) = (module for module in embeddings.modules() if isinstance(module, nn.LayerNorm))
            self.layer_norm.load_state_dict(norm.state_dict(), strict=False)

    def forward(
        self,
        text: torch.Tensor,
        text_mask: torch.Tensor,
        features: dict[str, tuple[torch.Tensor, torch.Tensor]],
        output_attentions: bool = False,
        token_type_ids: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, dict[str, AmessAnchors], dict[str, torch.Tensor | None]]:
        """Fuse a batch.

        Args:
            text (`(batch, text, hidden_size)`): E_text.
            text_mask (`(batch, text)`): Booleans, true for real tokens.
            features: Features `(batch, frames, feature_size)` and their mask `(batch, frames)` by modality:
                `"video"`, `"audio"` or both.
            output_attentions: Whether to return the weights of eq. 4 and 6.
            token_type_ids (`(batch, text)`): Segment ids, which say where a dialogue context begins.

        Returns:
            E_m `(batch, text, hidden_size)`, the anchors and the attention weights by modality.
        """
        present = {name: mask.any(-1) for name, (_, mask) in features.items()}
        readings, anchors, places = {}, {}, {}
        for name, (values, mask) in features.items():
            readings[name] = self._branch(name).read(text, values, mask, output_attentions)

        embeddings = {name: reading.fused for name, reading in readings.items()}
        if self.config.use_anchor_embedding:
            word_mask = text_mask
            if self.config.exclude_special_tokens:
                word_mask = without_special_tokens(text_mask, token_type_ids)
            for name, reading in readings.items():
                anchors[name], places[name] = self._branch(name).select(text, reading, text_mask, word_mask)
            for name, reading in readings.items():
                branch, enhanced = self._branch(name), anchors[name]
                for other in features:
                    if other != name:
                        enhanced = branch.anchor_attention(enhanced, anchors[other], places[other].mask)
                embeddings[name], _ = branch.temporal_attention(reading.fused, enhanced, places[name].mask)

        total = sum(embeddings[name] * present[name][:, None, None] for name in features)
        place = self.config.fusion_residual
        mixed = self.dropout(self.layer_norm(text + total if place == "inside" else total))
        mixed = text + mixed if place == "outside" else mixed
        # A row that has text alone is that text: it must not depend on what the other rows of its batch bring along.
        has_any = torch.stack(list(present.values())).any(0)
        weights = {name: reading.weights if output_attentions else None for name, reading in readings.items()}
        return torch.where(has_any[:, None, None], mixed, text), places, weights

    def _branch(self, name: str) -> AmessModalityBranch:
        return self.video if name == "video" else self.audio
