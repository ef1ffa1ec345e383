# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The MAG-BERT baseline: token embeddings shifted by aligned video and audio, then BERT's layers."""

from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import AutoModel
from transformers.modeling_outputs import SequenceClassifierOutput

from .adaptation_gate import MultimodalAdaptationGate
from .multimodal_baseline import MultimodalBaselineConfig, MultimodalBaselinePreTrainedModel
from .text_baseline import encode_embeddings
from .token_alignment import TokenAlignment


@strict
class MagBertConfig(MultimodalBaselineConfig):
    r"""Configuration of [`MagBertForIntentClassification`]. Defaults are the published settings for MIntRec and
    MIntRec2.0 (the benchmarks of thuiar on GitHub); what is a setting of the trainer there (lr 2e-5, weight decay
    0.03, batch 16, 100 epochs, patience 8) is in training/configs/mintrec_mag_bert.yaml. MIntRec2.0: BERT-large, lr
    5e-6, 40 epochs.

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        classifier_dropout, initializer_range: see [`MultimodalBaselineConfig`].
        alignment (`str`, defaults to `"ctc"`): how frames are brought to tokens, see [`TokenAlignment`];
            `"avg_pool_strided"` reproduces the benchmarks' average pooling with its defect.
        beta (`float`, defaults to 0.005): how far MAG moves a token (0.04 for the two coarse classes of MIntRec, 0.006
            with Swin and WavLM features, 1.0 in MAG's own paper).
        gate_dropout (`float`, defaults to 0.5): dropout of MAG's output.
        pooling (`str`, defaults to `"pooler"`): BERT's pooler, the `[CLS]` token or the masked `"mean"`.
    """

    model_type = "amess_mag_bert"

    alignment: Literal["ctc", "conv1d", "avg_pool", "avg_pool_strided"] = "ctc"
    beta: float | int = 0.005
    gate_dropout: float | int = 0.5
    pooling: Literal["pooler", "cls", "mean"] = "pooler"


class MagBertForIntentClassification(MultimodalBaselinePreTrainedModel):
    """MAG-BERT (Rahman et al., ACL 2020) as the benchmarks of MIntRec run it: BERT's embedding layer -> MAG with video
    and audio aligned to the tokens -> BERT's layers -> pooler -> dropout -> linear.

    (MAG's own paper has features aligned to words; the alignment net is the benchmarks'. Their alignment net also
    holds a part for text that nothing ever reads, which is left out here.)
    """

    config: MagBertConfig
    config_class = MagBertConfig

    def __init__(self, config: MagBertConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        hidden_size = config.text_config.hidden_size
        self.text_model = AutoModel.from_config(config.text_config, add_pooling_layer=config.pooling == "pooler")
        lengths = {"video": config.max_video_length, "audio": config.max_audio_length}
        self.alignments = nn.ModuleDict(
            {
                name: TokenAlignment(config.alignment, size, lengths[name], config.max_text_length)
                for name, size in config.feature_sizes.items()
            }
        )
        self.gate = MultimodalAdaptationGate(hidden_size, config.feature_sizes, config.beta, config.gate_dropout)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(hidden_size, config.num_labels)
        self.post_init()

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
    ) -> SequenceClassifierOutput:
        """Args:
            input_ids, attention_mask, token_type_ids: `(batch, tokens)`.
            video_features, audio_features: `(batch, frames, size)`, their masks `(batch, frames)`; a row without any
                frame is not moved by that modality.
            labels: gold label ids `(batch,)`, for the loss.

        Returns:
            `logits (batch, labels)` and, with labels, the cross-entropy `loss`.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        features = self.read_features(
            input_ids, video_features, video_attention_mask, audio_features, audio_attention_mask
        )
        text = self.text_model.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        text_mask = attention_mask.bool()
        aligned = {name: self.alignments[name](*values, text_mask) for name, values in features.items()}
        present = {name: mask.any(-1) for name, (_, mask) in features.items()}
        fused = self.gate(text, aligned, present)
        hidden_states = encode_embeddings(self.text_model, fused, attention_mask)
        logits = self.classifier(self.dropout(self.pool(hidden_states, attention_mask)))
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)
