# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The MulT baseline: six transformers in which text, video and audio read one another, unaligned."""

from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import PreTrainedConfig

from .base import (
    BaselineInputs,
    BaselinePreTrainedModel,
    Features,
    MultimodalBaselineConfig,
    Represented,
    UniformLinear,
)
from .cross_modal_transformer import CrossModalTransformer, visible_past


@strict
class MultConfig(MultimodalBaselineConfig):
    r"""Configuration of [`MultForIntentClassification`].

    The defaults are the published settings for MIntRec (the benchmark of thuiar on GitHub). Its trainer's settings are
    in training/configs/mintrec_mult.yaml. MIntRec2.0 uses BERT-large, `projection_size=80`, 2 heads, 2 layers,
    `relu_dropout=0.3`, learning rate 5e-6 and 40 epochs.

    Args:
        text_config, video_feature_size, audio_feature_size, max_text_length, max_video_length, max_audio_length,
        initializer_range: See [`MultimodalBaselineConfig`].
        classifier_dropout (`float`, defaults to 0.2): Dropout inside the residual block before the classifier.
        projection_size (`int`, defaults to 120): Size of the vectors of every sequence after its convolution.
        fusion_num_attention_heads (`int`, defaults to 8): Attention heads of each transformer.
        fusion_num_layers (`int`, defaults to 8): Layers of each transformer; the three transformers that read their
            own sequence have at least 3.
        text_kernel_size, video_kernel_size, audio_kernel_size (`int`, default to 5, 1 and 1): Kernels of the
            convolutions.
        text_attention_dropout, video_attention_dropout, audio_attention_dropout (`float`, default to 0, 0.2 and 0.2):
            Dropout of the attention weights where a modality reads another, by the modality that is read.
        memory_attention_dropout (`float`, *optional*, defaults to 0): Dropout of the attention weights of the
            transformers that read their own sequence; `None` for that of their modality, as in version 0.1.0.
        stream_order (`str`, defaults to `"audio_video"`): Order of audio and video side by side. Version 0.1.0 had
            `"video_audio"`, and so have the models that it saved. The order makes no difference to what can be
            learned.
        relu_dropout, residual_dropout, embedding_dropout (`float`, default to 0, 0 and 0.1): See
            [`CrossModalTransformer`].
        text_dropout (`float`, defaults to 0.4): Dropout of BERT's output.
        mask_padding (`bool`, defaults to `True`): `False` reproduces how the published code treats padding.
    """

    model_type = "amess_mult"
    values_before_the_field: ClassVar[dict[str, Any]] = {
        "stream_order": "video_audio",
        "memory_attention_dropout": None,
    }

    projection_size: int = 120
    fusion_num_attention_heads: int = 8
    fusion_num_layers: int = 8
    text_kernel_size: int = 5
    video_kernel_size: int = 1
    audio_kernel_size: int = 1
    text_attention_dropout: float | int = 0.0
    video_attention_dropout: float | int = 0.2
    audio_attention_dropout: float | int = 0.2
    memory_attention_dropout: float | int | None = 0.0
    stream_order: Literal["audio_video", "video_audio"] = "audio_video"
    relu_dropout: float | int = 0.0
    residual_dropout: float | int = 0.0
    embedding_dropout: float | int = 0.1
    classifier_dropout: float | int = 0.2
    text_dropout: float | int = 0.4
    mask_padding: bool = True

    @property
    def sequences(self) -> list[str]:
        """Modalities in the order of their streams."""
        nonverbal = sorted(self.feature_sizes, reverse=self.stream_order == "video_audio")
        return ["text", *nonverbal]

    def validate_heads(self) -> None:
        """Refuse a number of heads that does not divide the size."""
        if self.projection_size % self.fusion_num_attention_heads:
            raise ValueError(
                f"fusion_num_attention_heads={self.fusion_num_attention_heads} does not divide projection_size="
                f"{self.projection_size}: every head needs vectors of one size. Change one of the two."
            )


class MultForIntentClassification(BaselinePreTrainedModel):
    """MulT (Tsai et al., ACL 2019) on BERT's last hidden states, as the benchmarks of MIntRec run it.

    One convolution per modality; per modality one transformer for each other modality that it reads, the outputs side
    by side, and a transformer that reads the result; the last steps of the three side by side -> residual block ->
    linear classifier.

    Departures from the published code, all where that code reads padding. `mask_padding=False` restores all of them:
    sequences are then padded to the maximum lengths, and every step counts.

    - Attention, the mask of the future and the convolutions see real steps only. Convolutions keep the length: a
      kernel of 5 without padding would leave nothing of an utterance of one word.
    - The last step is a row's last real step, not the last step of the padding.
    - A modality that a row lacks adds nothing.

    Departure in training: the project's trainer has AdamW, clips the norm of the gradient and has a linear schedule.
    Published are Adam, clipping by value (0.5) and a schedule that waits for a plateau.
    """

    config: MultConfig
    config_class = MultConfig

    def __init__(self, config: MultConfig):
        super().__init__(config)
        self.text_dropout = nn.Dropout(config.text_dropout)
        known = {"text": config.hidden_size, **config.feature_sizes}
        sizes = {name: known[name] for name in config.sequences}
        kernels = {
            "text": config.text_kernel_size,
            "video": config.video_kernel_size,
            "audio": config.audio_kernel_size,
        }
        padding = "same" if config.mask_padding else "valid"
        width = config.projection_size
        self.convolutions = nn.ModuleDict(
            {name: nn.Conv1d(size, width, kernels[name], padding=padding, bias=False) for name, size in sizes.items()}
        )
        attention_dropouts = {
            "text": config.text_attention_dropout,
            "video": config.video_attention_dropout,
            "audio": config.audio_attention_dropout,
        }
        self.cross_modal = nn.ModuleDict()
        self.memories = nn.ModuleDict()
        for target in sizes:
            others = [name for name in sizes if name != target]
            for other in others:
                self.cross_modal[f"{target}_from_{other}"] = self._transformer(
                    width, config.fusion_num_layers, attention_dropouts[other]
                )
            # A model of text alone has only the text to read.
            dropout = config.memory_attention_dropout
            self.memories[target] = self._transformer(
                width * max(len(others), 1),
                max(config.fusion_num_layers, 3),
                attention_dropouts[target] if dropout is None else dropout,
            )
        joint = width * len(sizes) * max(len(sizes) - 1, 1)
        self.residual_block = nn.Sequential(
            UniformLinear(joint, joint), nn.ReLU(), nn.Dropout(config.classifier_dropout), UniformLinear(joint, joint)
        )
        self.classifier = UniformLinear(joint, self.num_labels)
        self.post_init()

    def _transformer(self, size: int, num_layers: int, attention_dropout: float) -> CrossModalTransformer:
        config = self.config
        return CrossModalTransformer(
            size,
            config.fusion_num_attention_heads,
            num_layers,
            attention_dropout=attention_dropout,
            relu_dropout=config.relu_dropout,
            residual_dropout=config.residual_dropout,
            embedding_dropout=config.embedding_dropout,
        )

    def represent(self, batch: BaselineInputs) -> Represented:
        """Let every modality read the others, and put the last steps through the residual block."""
        if not self.config.mask_padding:
            batch = self._padded_to_maximum(batch)
        text = self.text_dropout(self.encode_text(batch))
        known: Features = {"text": (text, batch.attention_mask.bool()), **batch.features}
        sequences = {name: known[name] for name in self.config.sequences}
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
        return Represented(pooled + self.residual_block(pooled))

    def _convolve(
        self, name: str, values: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return a convolved sequence `(batch, steps, projection_size)`, its mask and the positions of its steps."""
        if self.config.mask_padding:
            values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
        states = self.convolutions[name](values.transpose(1, 2)).transpose(1, 2)
        if self.config.mask_padding:
            return states, mask, (mask.cumsum(-1) - 1).masked_fill(~mask, -1)
        # The published code takes a zero in the first channel for padding, and only leaves it without a position.
        all_steps = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        return states, all_steps, (all_steps.cumsum(-1) - 1).masked_fill(states[..., 0] == 0, -1)

    def _padded_to_maximum(self, batch: BaselineInputs) -> BaselineInputs:
        """Pad every sequence to its modality's maximum, as the published loader does."""
        config = self.config
        assert isinstance(config.text_config, PreTrainedConfig)
        padding = config.text_config.pad_token_id or 0
        missing = config.max_text_length - batch.input_ids.shape[1]
        input_ids = batch.input_ids.masked_fill(batch.attention_mask == 0, padding)
        features = {}
        for name, (values, mask) in batch.features.items():
            frames = config.max_feature_lengths[name] - values.shape[1]
            features[name] = (nn.functional.pad(values, (0, 0, 0, frames)), nn.functional.pad(mask, (0, frames)))
        types = batch.token_type_ids
        return replace(
            batch,
            input_ids=nn.functional.pad(input_ids, (0, missing), value=padding),
            attention_mask=nn.functional.pad(batch.attention_mask, (0, missing)),
            token_type_ids=None if types is None else nn.functional.pad(types, (0, missing)),
            features=features,
        )
