# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The CAGC baseline, unofficial: similar training videos as context, and contrastive losses within and across."""

from typing import Any, Literal

import numpy as np
import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from torch.utils.data import Dataset
from transformers import AutoModel
from transformers import initialization as init

from modeling_amess.modeling_amess import masked_mean

from .cagc_context import ContextAugmentedTransformer, VideoBank
from .contrastive_loss import ContrastiveClassifierOutput, supervised_contrastive_loss
from .multimodal_baseline import MultimodalBaselineConfig, MultimodalBaselinePreTrainedModel


@strict
class CagcConfig(MultimodalBaselineConfig):
    r"""Configuration of [`CagcForIntentClassification`]. Defaults are the settings of its paper; lr 2e-5 is in
    training/configs/mintrec_cagc.yaml.

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        classifier_dropout, initializer_range: see [`MultimodalBaselineConfig`].
        num_contexts (`int`, defaults to 7): most similar videos a clip is given.
        same_intent_contexts (`bool`, defaults to `True`): in training, keep those of the gold label only.
        bank_size (`int`, defaults to 0): videos in the bank; `read_training_rows` sets it.
        fusion_num_attention_heads (`int`, defaults to 8): of the attention to the contexts.
        fusion_dropout (`float`, defaults to 0.1): in the fusion.
        pooling (`str`, defaults to `"cls"`): how text becomes one vector: the `[CLS]` token or the masked `"mean"`.
        local_contrastive_weight, global_contrastive_weight (`float`, default to 0.02): alpha and beta.
        contrastive_temperature (`float`, defaults to 0.7).
    """

    model_type = "amess_cagc"

    num_contexts: int = 7
    same_intent_contexts: bool = True
    bank_size: int = 0
    fusion_num_attention_heads: int = 8
    fusion_dropout: float | int = 0.1
    pooling: Literal["cls", "mean"] = "cls"
    local_contrastive_weight: float | int = 0.02
    global_contrastive_weight: float | int = 0.02
    contrastive_temperature: float | int = 0.7


class CagcForIntentClassification(MultimodalBaselinePreTrainedModel):
    """CAGC (Context-Augmented Global Contrast), built from what its paper states, as there is no published code:
    unofficial. For each clip the most similar training videos are retrieved (`VideoBank`) and read
    (`ContextAugmentedTransformer`); text, audio and the enriched video are fused into one vector. Loss: cross-entropy
    + alpha (L_ta + L_tv) + beta L_g, supervised contrastive losses with the text as anchor and audio or video as the
    others (local), and between the fused vectors (global).

    What the paper leaves open, and what is done here:

    - Retrieved are the `num_contexts` nearest by frame mean, of training videos only and never the clip's own. In
      training those of another intent are then dropped, as the paper says, by the gold label. In evaluation there is
      no label to go by, so all of them are kept: filtering by the gold label would tell the model the answer. The
      price is that contexts in evaluation are noisier than in training (`same_intent_contexts=False` makes both
      alike). `labels` given to a model in evaluation mode reach its loss alone.
    - The fusion is LayerNorm(GELU(Linear([text; audio; video]))) of the pooled text and the means of the projected
      audio and the enriched video.
    - A bank belongs to the data it was filled with: where the training set changes by epoch, it holds the first.
    """

    config: CagcConfig
    config_class = CagcConfig
    _keep_in_fp32_modules_strict = ["bank"]  # distances in bfloat16 would retrieve others

    def __init__(self, config: CagcConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        hidden_size = config.text_config.hidden_size
        self.text_model = AutoModel.from_config(config.text_config, add_pooling_layer=False)
        self.projections = nn.ModuleDict(
            {name: nn.Linear(size, hidden_size) for name, size in config.feature_sizes.items()}
        )
        if config.video_feature_size is not None:
            self.bank = VideoBank(config.bank_size, config.video_feature_size)
            self.context_transformer = ContextAugmentedTransformer(
                hidden_size, config.fusion_num_attention_heads, config.fusion_dropout
            )
        self.fusion = nn.Sequential(
            nn.Linear(hidden_size * (1 + len(config.feature_sizes)), hidden_size),
            nn.GELU(),
            nn.LayerNorm(hidden_size),
        )
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(hidden_size, config.num_labels)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, VideoBank):
            init.zeros_(module.features)
            init.zeros_(module.labels)

    def read_training_rows(self, rows: Dataset) -> None:
        """Fill the bank.

        Args:
            rows: the training samples, with `video_features (frames, size)` and `label`; a sample without a frame has
                no place in the bank.
        """
        if self.config.video_feature_size is None:
            return
        means, labels = [], []
        for index in range(len(rows)):
            row = rows[index]
            frames = np.asarray(row["video_features"], dtype=np.float32)[: self.config.max_video_length]
            if len(frames):
                means.append(torch.from_numpy(frames).mean(0))
                labels.append(row["label"])
        self.config.bank_size = len(means)
        if means:
            self.bank.fill(torch.stack(means), torch.tensor(labels))

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
            input_ids, attention_mask, token_type_ids: `(batch, tokens)`.
            video_features, audio_features: `(batch, frames, size)`, their masks `(batch, frames)`.
            labels: gold label ids `(batch,)`, for the losses and, in training mode, to choose contexts.

        Returns:
            `logits (batch, labels)` and, with labels, the losses.
        """
        features = self.read_features(
            input_ids, video_features, video_attention_mask, audio_features, audio_attention_mask
        )
        present = {name: mask.any(-1) for name, (_, mask) in features.items()}
        vectors = {"text": self.encode_text(input_ids, attention_mask, token_type_ids)}
        for name, (values, mask) in features.items():
            states = self.projections[name](values)
            if name == "video":
                contexts, context_mask = self.retrieve(values, mask, labels if self.training else None)
                states = self.context_transformer(states, self.projections[name](contexts), context_mask)
            vectors[name] = masked_mean(states, mask)
        fused = self.fusion(torch.cat(list(vectors.values()), dim=-1))
        logits = self.classifier(self.dropout(fused))
        if labels is None:
            return ContrastiveClassifierOutput(logits=logits)
        contrastive_loss = self._contrastive_loss(vectors, present, fused, labels)
        classification_loss = nn.functional.cross_entropy(logits.float(), labels)
        return ContrastiveClassifierOutput(
            loss=classification_loss + contrastive_loss,
            classification_loss=classification_loss,
            contrastive_loss=contrastive_loss,
            logits=logits,
        )

    def retrieve(
        self, values: torch.Tensor, mask: torch.Tensor, training_labels: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The training videos that a clip is given.

        Args:
            values, mask: `(batch, frames, feature_size)` and `(batch, frames)`.
            training_labels: gold labels `(batch,)` to filter by; `None` in evaluation.

        Returns:
            Their frame means `(batch, contexts, feature_size)`, the nearest first, and their mask.
        """
        means = masked_mean(values.float(), mask)
        indices, context_mask = self.bank.nearest(means, self.config.num_contexts, leave_out_self=self.training)
        if training_labels is not None and self.config.same_intent_contexts:
            context_mask = context_mask & (self.bank.labels[indices] == training_labels[:, None])
        return self.bank.features[indices].to(values.dtype), context_mask & mask.any(-1, keepdim=True)

    def _contrastive_loss(
        self,
        vectors: dict[str, torch.Tensor],
        present: dict[str, torch.Tensor],
        fused: torch.Tensor,
        labels: torch.Tensor,
    ) -> torch.Tensor:
        """Alpha (L_ta + L_tv) + beta L_g. A row without a modality is neither positive nor negative in its loss."""
        config = self.config
        same_label = labels[:, None] == labels
        others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        loss = config.global_contrastive_weight * supervised_contrastive_loss(
            fused, fused, same_label & others, others, config.contrastive_temperature
        )
        for name, row_present in present.items():
            candidates = row_present.expand(len(labels), -1)
            loss = loss + config.local_contrastive_weight * supervised_contrastive_loss(
                vectors["text"], vectors[name], same_label & candidates, candidates, config.contrastive_temperature
            )
        return loss
