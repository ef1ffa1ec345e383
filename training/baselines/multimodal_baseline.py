# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the baselines with video and audio share: sizes and lengths in the config, the features of a batch."""

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import AutoConfig, PreTrainedConfig
from transformers import initialization as init
from transformers.configuration_utils import SubConfigSpec

from .text_baseline import TextBaselinePreTrainedModel


Features = dict[str, tuple[torch.Tensor, torch.Tensor]]


@strict
class MultimodalBaselineConfig(PreTrainedConfig):
    r"""The part of a baseline's configuration that all with video and audio have.

    Args:
        text_config (`PreTrainedConfig` or `dict`, *optional*, defaults to a BERT-base): the text encoder.
        video_feature_size, audio_feature_size (`int`, *optional*, defaults to 256 and 768):
            size of one frame's or step's vector; `None` leaves the modality out.
        max_text_length, max_video_length, max_audio_length (`int`, defaults to 50, 180 and 400):
            tokens, frames and steps that the processor keeps.
        classifier_dropout (`float`, defaults to 0.1): dropout before the classifier.
        initializer_range (`float`, defaults to 0.02): standard deviation of new linear layers.
    """

    sub_configs_defaults = {"text_config": SubConfigSpec(config_class=AutoConfig, model_type="bert")}

    text_config: dict | PreTrainedConfig | None = None
    video_feature_size: int | None = 256
    audio_feature_size: int | None = 768
    max_text_length: int = 50
    max_video_length: int = 180
    max_audio_length: int = 400
    classifier_dropout: float | int = 0.1
    initializer_range: float = 0.02

    @property
    def feature_sizes(self) -> dict[str, int]:
        """Sizes of the nonverbal modalities that the model has parts for, video before audio."""
        sizes = {"video": self.video_feature_size, "audio": self.audio_feature_size}
        return {name: size for name, size in sizes.items() if size is not None}


class XavierLinear(nn.Linear):
    """A linear layer that starts from Xavier's uniform distribution rather than from BERT's normal one."""


class MultimodalBaselinePreTrainedModel(TextBaselinePreTrainedModel):
    """A classifier of text with video and audio features."""

    config: MultimodalBaselineConfig

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, XavierLinear):
            init.xavier_uniform_(module.weight)

    def read_features(
        self,
        input_ids: torch.Tensor,
        video_features: torch.Tensor | None,
        video_attention_mask: torch.Tensor | None,
        audio_features: torch.Tensor | None,
        audio_attention_mask: torch.Tensor | None,
    ) -> Features:
        """Features `(batch, frames, size)`, zero where padded, and masks `(batch, frames)` of every modality that the
        model has parts for. One that the batch lacks is one padded frame, so that it is to the model what an empty
        mask is. A modality that the model has no part for is not read.

        Raises:
            ValueError: features or a mask of a shape that does not fit.
        """
        given = {"video": (video_features, video_attention_mask), "audio": (audio_features, audio_attention_mask)}
        found = {}
        for name, size in self.config.feature_sizes.items():
            values, mask = given[name]
            batch = input_ids.shape[0]
            if values is None:
                values = torch.zeros(batch, 1, size, device=input_ids.device)
                mask = torch.zeros(batch, 1, device=input_ids.device)
            if values.dim() != 3 or values.shape[0] != batch or values.shape[1] == 0 or values.shape[2] != size:
                raise ValueError(
                    f"{name}_features have shape {tuple(values.shape)}; this model needs ({batch}, frames, {size}) "
                    "with at least one (padded) frame."
                )
            if mask is None:
                mask = torch.ones(values.shape[:2], device=values.device)
            if mask.shape != values.shape[:2]:
                raise ValueError(
                    f"{name}_attention_mask has shape {tuple(mask.shape)}, its features need "
                    f"{tuple(values.shape[:2])}."
                )
            mask = mask.bool()
            found[name] = (values.to(self.dtype).masked_fill(~mask.unsqueeze(-1), 0.0), mask)
        return found
