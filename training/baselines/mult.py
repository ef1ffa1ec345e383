# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The MulT baseline: six transformers in which text, video and audio read one another, unaligned."""

from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import AutoModel
from transformers.modeling_outputs import SequenceClassifierOutput

from .cross_modal_transformer import CrossModalTransformer, visible_past
from .multimodal_baseline import Features, MultimodalBaselineConfig, MultimodalBaselinePreTrainedModel


@strict
class MultConfig(MultimodalBaselineConfig):
    r"""Configuration of [`MultForIntentClassification`]. Defaults are the published settings for MIntRec (the benchmark of
    thuiar on GitHub); those of its trainer are in training/configs/mintrec_mult.yaml. MIntRec2.0: BERT-large,
    `projection_size=80`, 2 heads, 2 layers, `relu_dropout=0.3`, lr 5e-6, 40 epochs.

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        initializer_range: see [`MultimodalBaselineConfig`]. `classifier_dropout` (0.2) is the dropout inside the
            residual block before the classifier.
        projection_size (`int`, defaults to 120): size of every sequence after its convolution.
        fusion_num_attention_heads, fusion_num_layers (`int`, default to 8): of each transformer; the three that read
            their own sequence have at least 3 layers.
        text_kernel_size, video_kernel_size, audio_kernel_size (`int`, default to 5, 1 and 1): of the convolutions.
        text_attention_dropout, video_attention_dropout, audio_attention_dropout (`float`, default to 0, 0.2 and 0.2):
            dropout of the attention weights, by the modality whose steps are read.
        relu_dropout, residual_dropout, embedding_dropout (`float`, default to 0, 0 and 0.1): see
            [`CrossModalTransformer`].
        text_dropout (`float`, defaults to 0.4): dropout of BERT's output.
        mask_padding (`bool`, defaults to `True`): `False` reproduces the published code's treatment of padding.
    """

    model_type = "amess_mult"

    projection_size: int = 120
    fusion_num_attention_heads: int = 8
    fusion_num_layers: int = 8
    text_kernel_size: int = 5
    video_kernel_size: int = 1
    audio_kernel_size: int = 1
    text_attention_dropout: float | int = 0.0
    video_attention_dropout: float | int = 0.2
    audio_attention_dropout: float | int = 0.2
    relu_dropout: float | int = 0.0
    residual_dropout: float | int = 0.0
    embedding_dropout: float | int = 0.1
    classifier_dropout: float | int = 0.2
    text_dropout: float | int = 0.4
    mask_padding: bool = True

    def validate_heads(self):
        """Refuse a number of heads that does not divide the size."""
        if self.projection_size % self.fusion_num_attention_heads:
            raise ValueError(
                f"fusion_num_attention_heads={self.fusion_num_attention_heads} does not divide projection_size="
                f"{self.projection_size}."
            )


class MultForIntentClassification(MultimodalBaselinePreTrainedModel):
    """MulT (Tsai et al., ACL 2019) on BERT's last hidden states, as the benchmarks of MIntRec run it: a convolution a
    modality; for each modality one transformer that reads each other modality, their outputs side by side, and a
    transformer that reads the result; the last step of each of the three, side by side -> residual block -> linear.

    Departures from the published code, where it reads padding (`mask_padding=False` restores all of them: sequences
    are then padded to the maximum lengths, and every step counts):

    - attention, the mask of the future and the convolutions see real steps only; convolutions keep the length, where
      a kernel of 5 without padding would leave nothing of an utterance of one word;
    - the last step is a row's last real one, not the last of the padding;
    - a modality that a row lacks adds nothing.

    Training goes by the project's trainer: AdamW, the gradient's norm clipped, a linear schedule. Published are Adam,
    clipping by value (0.5) and a schedule that waits for a plateau.
    """

    config: MultConfig
    config_class = MultConfig

    def __init__(self, config: MultConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.text_model = AutoModel.from_config(config.text_config, add_pooling_layer=False)
        self.text_dropout = nn.Dropout(config.text_dropout)
        sizes = {"text": config.text_config.hidden_size, **config.feature_sizes}
        width = config.projection_size
        self.convolutions = nn.ModuleDict(
            {
                name: nn.Conv1d(
                    size,
                    width,
                    getattr(config, f"{name}_kernel_size"),
                    padding="same" if config.mask_padding else "valid",
                    bias=False,
                )
                for name, size in sizes.items()
            }
        )
        self.cross_modal = nn.ModuleDict()
        self.memories = nn.ModuleDict()
        for target in sizes:
            others = [name for name in sizes if name != target]
            for other in others:
                self.cross_modal[f"{target}_from_{other}"] = self._transformer(width, config.fusion_num_layers, other)
            # A model of text alone has nothing to read but the text.
            self.memories[target] = self._transformer(
                width * max(len(others), 1), max(config.fusion_num_layers, 3), target
            )
        joint = width * len(sizes) * max(len(sizes) - 1, 1)
        self.residual_block = nn.Sequential(
            nn.Linear(joint, joint), nn.ReLU(), nn.Dropout(config.classifier_dropout), nn.Linear(joint, joint)
        )
        self.classifier = nn.Linear(joint, config.num_labels)
        self.post_init()

    def _transformer(self, size: int, num_layers: int, read: str) -> CrossModalTransformer:
        config = self.config
        return CrossModalTransformer(
            size,
            config.fusion_num_attention_heads,
            num_layers,
            attention_dropout=getattr(config, f"{read}_attention_dropout"),
            relu_dropout=config.relu_dropout,
            residual_dropout=config.residual_dropout,
            embedding_dropout=config.embedding_dropout,
        )

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
            video_features, audio_features: `(batch, frames, size)`, their masks `(batch, frames)`.
            labels: gold label ids `(batch,)`, for the loss.

        Returns:
            `logits (batch, labels)` and, with labels, the cross-entropy `loss`.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        features = self.read_features(
            input_ids, video_features, video_attention_mask, audio_features, audio_attention_mask
        )
        if not self.config.mask_padding:
            input_ids, attention_mask, token_type_ids, features = self._padded_to_maximum(
                input_ids, attention_mask, token_type_ids, features
            )
        optional = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        text = self.text_model(
            input_ids=input_ids, attention_mask=attention_mask, return_dict=True, **optional
        ).last_hidden_state
        sequences = {"text": (self.text_dropout(text), attention_mask.bool()), **features}
        states, masks, positions = {}, {}, {}
        for name, (values, mask) in sequences.items():
            states[name], masks[name], positions[name] = self._convolve(name, values, mask)

        last_steps = []
        for target in states:
            streams = [
                self.cross_modal[f"{target}_from_{other}"](
                    states[target],
                    positions[target],
                    visible_past(masks[target], masks[other]),
                    key=states[other],
                    value=states[other],
                    key_positions=positions[other],
                )
                for other in states
                if other != target
            ]
            joint = torch.cat(streams or [states[target]], dim=-1)
            steps = masks[target].cumsum(-1) - 1
            memory = self.memories[target](joint, steps, visible_past(masks[target], masks[target]))
            rows = torch.arange(len(memory), device=memory.device)
            last_steps.append(memory[rows, steps.argmax(-1)] * masks[target].any(-1, keepdim=True))
        pooled = torch.cat(last_steps, dim=-1)
        logits = self.classifier(pooled + self.residual_block(pooled))
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)

    def _convolve(
        self, name: str, values: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A sequence after its convolution `(batch, steps, projection_size)`, its mask, and its steps' positions."""
        if self.config.mask_padding:
            values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
        states = self.convolutions[name](values.transpose(1, 2)).transpose(1, 2)
        if self.config.mask_padding:
            return states, mask, (mask.cumsum(-1) - 1).masked_fill(~mask, -1)
        # The published code tells padding by a zero in the first channel, and only to leave it without position.
        everything = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        return states, everything, (everything.cumsum(-1) - 1).masked_fill(states[..., 0] == 0, -1)

    def _padded_to_maximum(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None,
        features: Features,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, Features]:
        """The batch as the published loader makes it: every sequence as long as its modality's maximum."""
        config = self.config
        missing = config.max_text_length - input_ids.shape[1]
        padding = config.text_config.pad_token_id or 0
        input_ids = nn.functional.pad(input_ids.masked_fill(attention_mask == 0, padding), (0, missing), value=padding)
        attention_mask = nn.functional.pad(attention_mask, (0, missing))
        if token_type_ids is not None:
            token_type_ids = nn.functional.pad(token_type_ids, (0, missing))
        padded = {}
        for name, (values, mask) in features.items():
            missing = getattr(config, f"max_{name}_length") - values.shape[1]
            padded[name] = (nn.functional.pad(values, (0, 0, 0, missing)), nn.functional.pad(mask, (0, missing)))
        return input_ids, attention_mask, token_type_ids, padded
