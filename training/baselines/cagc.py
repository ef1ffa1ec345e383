# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The CAGC baseline, unofficial: similar training videos as context, contrastive losses within and across clips."""

from collections.abc import Sized
from typing import Any, Literal, cast

import numpy as np
import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from torch.utils.data import Dataset
from transformers import initialization as init

from modeling_amess.modeling_amess import masked_mean

from .base import (
    BaselineInputs,
    BaselinePreTrainedModel,
    MultimodalBaselineConfig,
    Represented,
    feature_projections,
)
from .cagc_context import ContextAugmentedTransformer, VideoBank
from .contrastive_loss import supervised_contrastive_loss


@strict
class CagcConfig(MultimodalBaselineConfig):
    r"""Configuration of [`CagcForIntentClassification`].

    The defaults are the settings of its paper; the learning rate 2e-5 is in training/configs/mintrec_cagc.yaml.

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        classifier_dropout, initializer_range: See [`MultimodalBaselineConfig`].
        num_contexts (`int`, defaults to 7): Most similar videos per clip.
        same_intent_contexts (`bool`, defaults to `True`): In training, keep only the contexts of the gold label.
        bank_size (`int`, defaults to 0): Videos in the bank; `read_training_rows` sets it.
        fusion_num_attention_heads (`int`, defaults to 8): Heads of the attention to the contexts.
        fusion_dropout (`float`, defaults to 0.1): Dropout of the transformer that reads the contexts.
        pooling (`str`, defaults to `"cls"`): How the text becomes one vector: the `[CLS]` token or the masked `"mean"`
            of all tokens.
        local_contrastive_weight, global_contrastive_weight (`float`, default to 0.02): Weights alpha and beta of the
            contrastive losses.
        contrastive_temperature (`float`, defaults to 0.7): Temperature of the contrastive losses.
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


class CagcForIntentClassification(BaselinePreTrainedModel):
    """CAGC (Context-Augmented Global Contrast), unofficial: built from its paper, as there is no published code.

    For each clip, `VideoBank` retrieves the most similar training videos, and `ContextAugmentedTransformer` reads
    them; text, audio and the enriched video are fused into one vector. Loss: cross-entropy + alpha (L_ta + L_tv) +
    beta L_g. The supervised contrastive losses have the text as anchor and audio or video as the others (local, L_ta
    and L_tv), or compare the fused vectors with each other (global, L_g).

    The paper leaves open the following, and this model does:

    - The bank gives the `num_contexts` nearest by frame mean, of training videos only and never the clip's own. In
      training, the gold label then drops the contexts of another intent, as the paper says. In evaluation there is no
      label to go by, so all contexts stay: filtering by the gold label would give the model the answer. The price is
      that contexts are noisier in evaluation than in training (`same_intent_contexts=False` makes both alike).
      `labels` given to a model in evaluation mode reach its loss alone.
    - The fusion is LayerNorm(GELU(Linear([text; audio; video]))) of the pooled text and of the means of the projected
      audio and the enriched video.
    - A bank belongs to the data that filled it: where the training set changes by epoch, the bank holds the first.
    """

    config: CagcConfig
    config_class = CagcConfig
    stores_labels = True

    def __init__(self, config: CagcConfig):
        super().__init__(config)
        hidden_size = config.hidden_size
        self.projections = feature_projections(config)
        if config.video_feature_size is not None:
            self.bank = VideoBank(config.bank_size, config.video_feature_size)
            self._keep_in_fp32_modules_strict = {"bank"}  # bfloat16 would retrieve others
            self.context_transformer = ContextAugmentedTransformer(
                hidden_size, config.fusion_num_attention_heads, config.fusion_dropout
            )
        self.fusion = nn.Sequential(
            nn.Linear(hidden_size * (1 + len(config.feature_sizes)), hidden_size),
            nn.GELU(),
            nn.LayerNorm(hidden_size),
        )
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(hidden_size, self.num_labels)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, VideoBank):
            init.zeros_(module.features)
            init.zeros_(module.labels)

    def read_training_rows(self, rows: Dataset[dict[str, Any]]) -> None:
        """Fill the bank.

        Args:
            rows: Training utterances, with `video_features (frames, size)` and `label`. An utterance without a frame
                has no place in the bank.
        """
        if self.config.video_feature_size is None:
            return
        means, labels = [], []
        for index in range(len(cast(Sized, rows))):
            row = rows[index]
            frames = np.asarray(row["video_features"], dtype=np.float32)[: self.config.max_video_length]
            if len(frames):
                means.append(torch.from_numpy(frames).mean(0))
                labels.append(row["label"])
        self.config.bank_size = len(means)
        if means:
            self.bank.fill(torch.stack(means), torch.tensor(labels))
        self.label_record.write(self.config.label_names)

    def has_stored_labels(self) -> bool:
        """Whether the bank holds labels."""
        return self.config.video_feature_size is not None and len(self.bank.labels) > 0

    def represent(self, batch: BaselineInputs) -> Represented:
        """Fuse text, audio and the video with its contexts; in training the labels choose the contexts."""
        text = self.pool(self.encode_text(batch), batch.attention_mask, self.config.pooling)
        vectors = {"text": text}
        for name, (values, mask) in batch.features.items():
            states = self.projections[name](values)
            if name == "video":
                contexts, context_mask = self.retrieve(values, mask, batch.labels if self.training else None)
                states = self.context_transformer(states, self.projections[name](contexts), context_mask)
            vectors[name] = masked_mean(states, mask)
        fused = self.fusion(torch.cat(list(vectors.values()), dim=-1))
        loss = None if batch.labels is None else self._contrastive_loss(vectors, batch, fused)
        return Represented(self.dropout(fused), loss)

    def retrieve(
        self, values: torch.Tensor, mask: torch.Tensor, training_labels: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the training videos that are a clip's contexts.

        Args:
            values: Vectors of the clip's frames `(batch, frames, feature_size)`.
            mask: Boolean mask of the frames `(batch, frames)`.
            training_labels: Gold labels `(batch,)` that filter the videos; `None` in evaluation.

        Returns:
            Frame means of the videos `(batch, contexts, feature_size)`, the nearest first, and their boolean mask.
        """
        means = masked_mean(values.float(), mask)
        indices, context_mask = self.bank.nearest(means, self.config.num_contexts, leave_out_self=self.training)
        if training_labels is not None and self.config.same_intent_contexts:
            names = self.config.label_names
            if len(self.bank.labels) and not self.label_record.is_of(names):
                raise ValueError(
                    f"The bank's videos have other labels than the model ({', '.join(names)}), so that the gold label "
                    "cannot choose among them in training: call model.read_training_rows(rows), or set "
                    "same_intent_contexts=False."
                )
            context_mask = context_mask & (self.bank.labels[indices] == training_labels[:, None])
        return self.bank.features[indices].to(values.dtype), context_mask & mask.any(-1, keepdim=True)

    def _contrastive_loss(
        self,
        vectors: dict[str, torch.Tensor],
        batch: BaselineInputs,
        fused: torch.Tensor,
    ) -> torch.Tensor:
        """Compute alpha (L_ta + L_tv) + beta L_g; a row without a modality is no candidate in that modality's loss.

        A row without a label is no candidate anywhere.
        """
        config, labels, is_labelled = self.config, batch.labels, batch.is_labelled
        assert labels is not None
        same_label = (labels[:, None] == labels) & is_labelled[:, None]
        others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device) & is_labelled
        loss = config.global_contrastive_weight * supervised_contrastive_loss(
            fused, fused, same_label & others, others, config.contrastive_temperature
        )
        for name, row_present in batch.present.items():
            candidates = (row_present & is_labelled).expand(len(labels), -1)
            loss = loss + config.local_contrastive_weight * supervised_contrastive_loss(
                vectors["text"], vectors[name], same_label & candidates, candidates, config.contrastive_temperature
            )
        return loss
