# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The TCL-MAP baseline: a prompt made of video and audio, and an encoder that sees the label as a teacher."""

import math
from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase
from transformers import initialization as init

from .adaptation_gate import MultimodalAdaptationGate
from .contrastive_loss import ContrastiveClassifierOutput, supervised_contrastive_loss
from .multimodal_baseline import MultimodalBaselineConfig, MultimodalBaselinePreTrainedModel
from .tcl_map_prompt import PromptGenerator, SimilarityAlignment, gather_steps, insert_slots
from .text_baseline import encode_embeddings
from .token_alignment import TokenAlignment


@strict
class TclMapConfig(MultimodalBaselineConfig):
    r"""Configuration of [`TclMapForIntentClassification`]. Defaults are the published settings for MIntRec (thuiar/TCL-MAP
    on GitHub); those of its trainer are in training/configs/mintrec_tcl_map.yaml.

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        classifier_dropout, initializer_range: see [`MultimodalBaselineConfig`]. The input is longer than
            `max_text_length` by the prompt and the label.
        prompt_length (`int`, defaults to 3): vectors of the prompt.
        label_length (`int`, defaults to 4): most word pieces of a label's name.
        label_filler (`str`, defaults to `"mask"`): what fills a shorter label up, the mask token; `"unk"` is what
            the published code ends up with.
        mask_token_id (`int`, defaults to 103): of the tokenizer; `from_text_pretrained` sets it.
        fusion_num_attention_heads, fusion_num_layers (`int`, default to 8 and 5): of the prompt's transformer.
        attention_dropout, relu_dropout, residual_dropout, embedding_dropout (`float`, default to 0.1, 0, 0.1, 0.2):
            of the prompt's transformer.
        beta, gate_dropout (`float`, default to 0.006 and 0.5): of the Multimodal Adaptation Gate.
        alignment (`str`, defaults to `"ctc"`): before the gate, see [`TokenAlignment`].
        pooling (`str`, defaults to `"pooler"`): BERT's pooler, the `[CLS]` token or the masked `"mean"`.
        contrastive_temperature, contrastive_weight (`float`, default to 0.5 and 1): of the contrastive loss.
    """

    model_type = "amess_tcl_map"

    prompt_length: int = 3
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


class TclMapForIntentClassification(MultimodalBaselinePreTrainedModel):
    """TCL-MAP (Zhou et al., AAAI 2024). Two encoders that start from the same BERT:

    - `text_model` reads `[CLS] tokens prompt [MASK]... [SEP]`, moved by the Multimodal Adaptation Gate, and
      classifies;
    - `label_model`, in training only, reads the same with the gold label's word pieces in place of the masks.

    The mean hidden states of the masks and of the label are two views of a sample; NT-Xent draws them together. Where
    there are no labels, at inference, the second encoder does not run.
    """

    config: TclMapConfig
    config_class = TclMapConfig
    text_encoder_names = ("text_model", "label_model")

    def __init__(self, config: TclMapConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        hidden_size = config.text_config.hidden_size
        self.text_model = AutoModel.from_config(config.text_config, add_pooling_layer=config.pooling == "pooler")
        self.label_model = AutoModel.from_config(config.text_config, add_pooling_layer=False)
        self.prompt_generator = PromptGenerator(config, config.num_tokens)
        lengths = {"video": config.max_video_length, "audio": config.max_audio_length}
        self.alignments = nn.ModuleDict(
            {
                name: TokenAlignment(config.alignment, size, lengths[name], config.num_tokens)
                for name, size in config.feature_sizes.items()
            }
        )
        self.gate = MultimodalAdaptationGate(hidden_size, config.feature_sizes, config.beta, config.gate_dropout)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(hidden_size, config.num_labels)
        # Persistent: training can go on from a checkpoint without the tokenizer.
        self.label_token_ids = nn.Buffer(torch.zeros(config.num_labels, config.label_length, dtype=torch.long))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, SimilarityAlignment):
            init.constant_(module.log_scale, math.log(1 / 0.07))
        elif isinstance(module, PromptGenerator):
            init.trunc_normal_(module.context, std=self.config.initializer_range)
            if hasattr(module, "scale"):
                init.constant_(module.scale, 1e-4)
        elif isinstance(module, TclMapForIntentClassification):
            init.zeros_(module.label_token_ids)

    @classmethod
    def from_text_pretrained(cls, text_model: str, **fields: Any) -> "TclMapForIntentClassification":
        """As [`TextBaselinePreTrainedModel.from_text_pretrained`], with the labels' word pieces by that encoder's
        tokenizer.

        Raises:
            ValueError: also where a label's name has more word pieces than `label_length`.
        """
        tokenizer = AutoTokenizer.from_pretrained(text_model)
        model = super().from_text_pretrained(text_model, mask_token_id=tokenizer.mask_token_id, **fields)
        model.set_label_words(tokenizer)
        return model

    def set_label_words(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Read the word pieces of the labels' names (`config.id2label`), which training needs.

        Raises:
            ValueError: a name has more than `label_length`.
        """
        length = self.config.label_length
        filler = tokenizer.mask_token_id if self.config.label_filler == "mask" else tokenizer.unk_token_id
        rows = []
        for _, name in sorted(self.config.id2label.items()):
            ids = tokenizer(name, add_special_tokens=False)["input_ids"]
            if len(ids) > length:
                raise ValueError(
                    f"The label {name!r} has {len(ids)} word pieces, more than label_length={length}: raise it."
                )
            rows.append(ids + [filler] * (length - len(ids)))
        self.label_token_ids.copy_(torch.tensor(rows))

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        video_features: torch.Tensor | None = None,
        video_attention_mask: torch.Tensor | None = None,
        audio_features: torch.Tensor | None = None,
        audio_attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **unused: Any,
    ) -> ContrastiveClassifierOutput:
        """Args:
            input_ids, attention_mask: `(batch, tokens)`, padded on the right.
            token_type_ids: not read: the input is one segment.
            video_features, audio_features: `(batch, frames, size)`, their masks `(batch, frames)`.
            labels: gold label ids `(batch,)`, for the losses.

        Returns:
            `logits (batch, labels)` and, with labels, the losses.
        """
        config = self.config
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        features = self.read_features(
            input_ids, video_features, video_attention_mask, audio_features, audio_attention_mask
        )
        input_ids, attention_mask, slots = insert_slots(
            input_ids, attention_mask, config.prompt_length + config.label_length, config.mask_token_id
        )
        prompt_slots, label_slots = slots.split([config.prompt_length, config.label_length], dim=1)
        text_mask = attention_mask.bool()
        text = self.text_model.embeddings(input_ids=input_ids)
        prompt = self.prompt_generator(text, text_mask, prompt_slots, features)
        text = write_steps(text, prompt_slots, prompt)

        aligned = {name: self.alignments[name](*values, text_mask) for name, values in features.items()}
        present = {name: mask.any(-1) for name, (_, mask) in features.items()}
        hidden_states = encode_embeddings(self.text_model, self.gate(text, aligned, present), attention_mask)
        logits = self.classifier(self.dropout(self.pool(hidden_states, attention_mask)))
        if labels is None:
            return ContrastiveClassifierOutput(logits=logits)

        augmented_ids = input_ids.scatter(1, label_slots, self.label_token_ids[labels])
        augmented = write_steps(self.label_model.embeddings(input_ids=augmented_ids), prompt_slots, prompt)
        augmented = encode_embeddings(self.label_model, augmented, attention_mask)
        views = [gather_steps(states, label_slots).mean(1) for states in (hidden_states, augmented)]
        contrastive_loss = config.contrastive_weight * nt_xent(*views, config.contrastive_temperature)
        classification_loss = nn.functional.cross_entropy(logits.float(), labels)
        return ContrastiveClassifierOutput(
            loss=classification_loss + contrastive_loss,
            classification_loss=classification_loss,
            contrastive_loss=contrastive_loss,
            logits=logits,
        )


def write_steps(states: torch.Tensor, positions: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """`(batch, steps, size)` with `values (batch, written, size)` at `(batch, written)`."""
    return states.scatter(1, positions.unsqueeze(-1).expand_as(values), values.to(states.dtype))


def nt_xent(first: torch.Tensor, second: torch.Tensor, temperature: float) -> torch.Tensor:
    """NT-Xent of two views `(batch, size)` of each sample: the other view against all other vectors of the batch."""
    views = torch.cat([first, second])
    same = torch.eye(len(views), dtype=torch.bool, device=views.device)
    return supervised_contrastive_loss(views, views, same.roll(len(first), dims=1), ~same, temperature)
