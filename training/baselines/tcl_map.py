# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The TCL-MAP baseline: a prompt made of video and audio, and a second encoder that sees the label as a teacher."""

import math
from typing import Any, Self

import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase
from transformers import initialization as init

from .adaptation_gate import MultimodalAdaptationGate
from .base import (
    BaselineInputs,
    BaselinePreTrainedModel,
    Represented,
    encode_embeddings,
)
from .contrastive_loss import supervised_contrastive_loss
from .tcl_map_prompt import PromptGenerator, SimilarityAlignment, TclMapConfig, gather_steps, insert_slots, write_steps
from .token_alignment import align_to_tokens, token_alignments


class TclMapForIntentClassification(BaselinePreTrainedModel):
    """TCL-MAP (Zhou et al., AAAI 2024): two encoders that start from the same BERT.

    - `text_model` reads `[CLS] tokens prompt [MASK]... [SEP]`, shifted by the Multimodal Adaptation Gate, and
      classifies.
    - `label_model`, in training only, reads the same with the gold label's word pieces in place of the masks.

    The mean hidden states of the masks and of the label are two views of an utterance; NT-Xent draws them together.
    Without labels, at inference, the second encoder does not run. The text is one segment: the model does not read
    `token_type_ids`.
    """

    config: TclMapConfig
    config_class = TclMapConfig
    text_encoder_names = ("text_model", "label_model")
    stores_labels = True

    def __init__(self, config: TclMapConfig):
        super().__init__(config)
        self.label_model = AutoModel.from_config(config.text_config, add_pooling_layer=False)
        self.prompt_generator = PromptGenerator(config)
        self.alignments = token_alignments(config, config.alignment, config.num_tokens)
        self.gate = MultimodalAdaptationGate(
            config.hidden_size, config.feature_sizes, config.beta, config.gate_dropout
        )
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)
        # A buffer of the checkpoint: training continues from it without the tokenizer.
        self.label_token_ids = nn.Buffer(torch.zeros(self.num_labels, config.label_length, dtype=torch.long))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, SimilarityAlignment):
            init.constant_(module.log_scale, math.log(1 / 0.07))
        elif isinstance(module, PromptGenerator):
            init.trunc_normal_(module.context)  # standard deviation 1, cut at 2, as published
            if self.config.feature_sizes:
                init.constant_(module.scale, 1e-4)
        elif isinstance(module, TclMapForIntentClassification):
            init.zeros_(module.label_token_ids)

    @classmethod
    def from_text_pretrained(
        cls, text_model: str, *, num_text_layers: int | None = None, **config_fields: Any
    ) -> Self:
        """Build a new classifier as the base class does, and read the labels' names with the encoder's tokenizer.

        Args:
            text_model: Hub id or folder of the encoder and its tokenizer.
            num_text_layers: Number of the encoder's first layers to keep; `None` keeps all.
            **config_fields: Fields of the model's config, and `attn_implementation`.

        Raises:
            ValueError: The encoder does not have `num_text_layers` layers, or a label's name has more word pieces
                than `label_length`.
        """
        tokenizer = AutoTokenizer.from_pretrained(text_model)
        config_fields["mask_token_id"] = tokenizer.mask_token_id
        model = super().from_text_pretrained(text_model, num_text_layers=num_text_layers, **config_fields)
        model.set_label_words(tokenizer)
        return model

    def set_label_words(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Read the word pieces of the labels' names (`config.id2label`), which training needs.

        Raises:
            ValueError: A name has more word pieces than `label_length`.
        """
        length = self.config.label_length
        filler = tokenizer.mask_token_id if self.config.label_filler == "mask" else tokenizer.unk_token_id
        rows = []
        assert self.config.id2label is not None  # PreTrainedConfig makes names where there are none
        for _, name in sorted(self.config.id2label.items()):
            ids = tokenizer(name, add_special_tokens=False)["input_ids"]
            if len(ids) > length:
                raise ValueError(
                    f"The label {name!r} has {len(ids)} word pieces, more than label_length={length}: raise "
                    "label_length."
                )
            rows.append(ids + [filler] * (length - len(ids)))
        self.label_token_ids.copy_(torch.tensor(rows))
        self.label_record.write(self.config.label_names)

    def has_stored_labels(self) -> bool:
        """Whether the model knows the word pieces of labels."""
        return bool(self.label_token_ids.any())

    def represent(self, batch: BaselineInputs) -> Represented:
        """Read the text with the prompt; with labels, compare it with the sequence that shows the label."""
        config = self.config
        input_ids, attention_mask, slots = insert_slots(
            batch.input_ids, batch.attention_mask, config.prompt_length + config.label_length, config.mask_token_id
        )
        prompt_slots, label_slots = slots[:, : config.prompt_length], slots[:, config.prompt_length :]
        text_mask = attention_mask.bool()
        text = self.text_model.embeddings(input_ids=input_ids)
        prompt = self.prompt_generator(text, text_mask, prompt_slots, batch.features)
        text = write_steps(text, prompt_slots, prompt)

        aligned = align_to_tokens(self.alignments, batch.features, text_mask)
        hidden_states = encode_embeddings(self.text_model, self.gate(text, aligned, batch.present), attention_mask)
        vectors = self.dropout(self.pool(hidden_states, attention_mask, config.pooling))
        if batch.labels is None:
            return Represented(vectors)

        if not self.label_record.is_of(config.label_names):
            raise ValueError(
                f"The model does not know the word pieces of its labels ({', '.join(config.label_names)}), which the "
                "contrastive loss shows to the second encoder: call model.set_label_words(tokenizer). To classify, "
                "pass no labels."
            )
        labels = batch.labels.where(batch.is_labelled, 0)
        shown_ids = input_ids.scatter(1, label_slots, self.label_token_ids[labels])
        shown = write_steps(self.label_model.embeddings(input_ids=shown_ids), prompt_slots, prompt)
        shown_states = encode_embeddings(self.label_model, shown, attention_mask)
        student, teacher = (gather_steps(states, label_slots).mean(1) for states in (hidden_states, shown_states))
        loss = nt_xent(student, teacher, config.contrastive_temperature, batch.is_labelled)
        loss = config.contrastive_weight * loss
        return Represented(vectors, loss)


def nt_xent(
    first: torch.Tensor, second: torch.Tensor, temperature: float, takes_part: torch.Tensor | None = None
) -> torch.Tensor:
    """Compute NT-Xent of two views: the other view against all other vectors of the batch.

    Args:
        first: First view `(batch, size)`.
        second: Second view `(batch, size)`.
        temperature: Temperature of the softmax, above 0.
        takes_part: Booleans `(batch,)`, false for rows that are neither anchors nor candidates; by default all count.
    """
    views = torch.cat([first, second])
    same = torch.eye(len(views), dtype=torch.bool, device=views.device)
    positives, candidates = same.roll(len(first), dims=1), ~same
    if takes_part is not None:
        counts = takes_part.repeat(2)
        positives, candidates = positives & counts[:, None], candidates & counts
    return supervised_contrastive_loss(views, views, positives, candidates, temperature)
