# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The MAG-BERT baseline: aligned video and audio shift the token embeddings, then BERT's layers read them."""

from typing import Literal

from huggingface_hub.dataclasses import strict
from torch import nn

from .adaptation_gate import MultimodalAdaptationGate
from .base import (
    BaselineInputs,
    BaselinePreTrainedModel,
    MultimodalBaselineConfig,
    Represented,
    encode_embeddings,
)
from .token_alignment import align_to_tokens, token_alignments


@strict
class MagBertConfig(MultimodalBaselineConfig):
    r"""Configuration of [`MagBertForIntentClassification`].

    The defaults are the published settings for MIntRec and MIntRec2.0 (the benchmarks of thuiar on GitHub). Their
    trainer's settings (learning rate 2e-5, weight decay 0.03, batch 16, 100 epochs, patience 8) are in
    training/configs/mintrec_mag_bert.yaml. MIntRec2.0 uses BERT-large, learning rate 5e-6 and 40 epochs.

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        classifier_dropout, initializer_range: See [`MultimodalBaselineConfig`].
        alignment (`str`, defaults to `"ctc"`): Way to bring frames to tokens, see [`TokenAlignment`];
            `"avg_pool_strided"` reproduces the benchmarks' average pooling with its defect.
        beta (`float`, defaults to 0.005): Limit of a token's shift, as a share of the token's length. Published are
            also 0.04 for the two coarse classes of MIntRec, 0.006 with Swin and WavLM features, and 1.0 in MAG's own
            paper.
        gate_dropout (`float`, defaults to 0.5): Dropout of MAG's output.
        pooling (`str`, defaults to `"pooler"`): How the text becomes one vector: BERT's pooler, the `[CLS]` token or
            the masked `"mean"` of all tokens.
    """

    model_type = "amess_mag_bert"

    alignment: Literal["ctc", "conv1d", "avg_pool", "avg_pool_strided"] = "ctc"
    beta: float | int = 0.005
    gate_dropout: float | int = 0.5
    pooling: Literal["pooler", "cls", "mean"] = "pooler"

    @property
    def uses_pooler(self) -> bool:
        """Whether the model needs the text encoder's pooler."""
        return self.pooling == "pooler"


class MagBertForIntentClassification(BaselinePreTrainedModel):
    """MAG-BERT (Rahman et al., ACL 2020) as the benchmarks of MIntRec run it.

    BERT's embedding layer -> MAG, with video and audio aligned to the tokens -> BERT's layers -> pooler -> dropout ->
    linear classifier.

    The alignment net is the benchmarks': MAG's own paper has features that are aligned to words. Departure from the
    benchmarks: their alignment net also has a part for the text whose output nothing reads; this model leaves it out.
    """

    config: MagBertConfig
    config_class = MagBertConfig

    def __init__(self, config: MagBertConfig):
        super().__init__(config)
        self.alignments = token_alignments(config, config.alignment, config.max_text_length)
        self.gate = MultimodalAdaptationGate(
            config.hidden_size, config.feature_sizes, config.beta, config.gate_dropout
        )
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)
        self.post_init()

    def represent(self, batch: BaselineInputs) -> Represented:
        """Shift the tokens, encode and pool them; a modality without any frame in a row shifts no token there."""
        text = self.text_model.embeddings(input_ids=batch.input_ids, token_type_ids=batch.token_type_ids)
        aligned = align_to_tokens(self.alignments, batch.features, batch.attention_mask.bool())
        shifted = self.gate(text, aligned, batch.present)
        hidden_states = encode_embeddings(self.text_model, shifted, batch.attention_mask)
        return Represented(self.dropout(self.pool(hidden_states, batch.attention_mask, self.config.pooling)))
