# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A-MESS (arXiv 2503.19474): the multimodal encoder, the intent classifier, and new labels for a trained one.

The name stands for Anchor-based Multimodal Embedding with Semantic Synchronization.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.masking_utils import create_bidirectional_mask, create_bidirectional_sliding_window_mask
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging, output_capturing
from transformers.utils.generic import (
    ModelOutput,
    TransformersKwargs,
    can_return_tuple,
    merge_with_config_defaults,
)
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .configuration_amess import IGNORED_LABEL, TEXT_FAMILIES, AmessConfig, check_text_model_type
from .descriptions_amess import (
    checked_descriptions,
    description_mask,
    description_similarity,
    embed_descriptions,
    mean_description_similarity,
    semantic_synchronization_loss,
)
from .fusion_amess import AmessAttentionProjection, AmessFusion, AmessFusionNorm
from .media_encoder_amess import AmessMediaEncoder, PicklableModel, fitted_media_encoder, missing_encoder_message


if TYPE_CHECKING:
    # Nothing here uses the pipeline. transformers' `save_pretrained` copies the files that relative imports name, so
    # this line makes it copy the pipeline, which `transformers.pipeline` loads from the saved folder.
    from .pipeline_amess import IntentRecognitionPipeline  # noqa: F401

# Training clips that a model keeps per modality, at most, to tell unfamiliar ones.
MAX_FAMILIAR_CLIPS = 512
# Smallest deviation of a feature's dimension among the training clips, as a share of the mean deviation.
_SMALLEST_DEVIATION = 0.05
# Share of the identity in the correlations by which distances are taken, and the power of these. Chosen on the sample:
# noise, test pictures, photographs and tones are unfamiliar, and no clip of its test split is
# (benchmarks/unfamiliar.py). With power 0 noise is hardly farther than the farthest test clip, with -0.5 it is nearer.
_SHRINKAGE, _POWER = 0.1, -0.25
# Weight of the squared distance from the mean row, for inputs of length 1. Chosen on MIntRec's texts with MiniLM, five
# intents left out: without utterances of the other labels more is better, with them less is; this is between.
REGULARIZATION = 0.4


logger = logging.get_logger(__name__)


@dataclass
class AmessModelOutput(ModelOutput):
    """Output of [`AmessModel`]. Fields of a modality that the model or the batch lacks are `None`.

    Attributes:
        last_hidden_state (`(batch, text, hidden_size)`): Output E_f of the multimodal encoder (eq. 14).
        pooler_output (`(batch, hidden_size)`): E_f as one vector.
        semantic_embedding (`(batch, description_size)`): Semantic token T_f, which semantic synchronization pulls to
            the descriptions.
        video_anchor_indices, audio_anchor_indices (`(batch, anchors)`): Text positions of the anchors, best
            first; with `anchor_kind="frames"` places of frames.
        video_anchor_scores, audio_anchor_scores (`(batch, anchors)`): Scores of the anchors; 0 in masked slots.
        video_anchor_mask, audio_anchor_mask (`(batch, anchors)`): 0 for empty slots.
        video_attentions, audio_attentions (`(batch, heads, text, frames)`): With `output_attentions=True`, the weights
            by which each token reads from each (aligned) frame or step in eq. 4 and 6.
        hidden_states, attentions: Those of the multimodal encoder, as in any transformers model.
    """

    last_hidden_state: torch.Tensor | None = None
    pooler_output: torch.Tensor | None = None
    semantic_embedding: torch.Tensor | None = None
    video_anchor_indices: torch.Tensor | None = None
    video_anchor_scores: torch.Tensor | None = None
    video_anchor_mask: torch.Tensor | None = None
    audio_anchor_indices: torch.Tensor | None = None
    audio_anchor_scores: torch.Tensor | None = None
    audio_anchor_mask: torch.Tensor | None = None
    video_attentions: torch.Tensor | None = None
    audio_attentions: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None


@dataclass
class AmessClassifierOutput(ModelOutput):
    """Output of [`AmessForIntentClassification`]: losses and logits, then the fields of [`AmessModelOutput`].

    Attributes:
        loss (`()`): Joint loss (eq. 17), if `labels` are given.
        classification_loss (`()`): Cross-entropy of eq. 16.
        contrastive_loss (`()`): Contrastive loss of eq. 15, before its weight.
        logits (`(batch, labels)`): Scores of the labels.
        description_similarity (`(batch, labels)`): Mean cosine of T_f and each label's descriptions; 0 for a label
            without any.
    """

    loss: torch.Tensor | None = None
    classification_loss: torch.Tensor | None = None
    contrastive_loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    description_similarity: torch.Tensor | None = None
    pooler_output: torch.Tensor | None = None
    semantic_embedding: torch.Tensor | None = None
    video_anchor_indices: torch.Tensor | None = None
    video_anchor_scores: torch.Tensor | None = None
    video_anchor_mask: torch.Tensor | None = None
    audio_anchor_indices: torch.Tensor | None = None
    audio_anchor_scores: torch.Tensor | None = None
    audio_anchor_mask: torch.Tensor | None = None
    video_attentions: torch.Tensor | None = None
    audio_attentions: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None


AmessConfig.keys_to_ignore_at_inference = [
    field.name for field in fields(AmessClassifierOutput) if field.name != "logits"
]


class AmessPreTrainedModel(PicklableModel):
    """Base class of the A-MESS models: configuration, initialisation, supported features."""

    config: AmessConfig
    base_model_prefix = "amess"
    main_input_name = "input_ids"
    input_modalities = ["text", "video", "audio"]
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_attention_backend = True
    _no_split_modules = ["AmessFusion"]
    # Training from a checkpoint that takes clips: `from_pretrained(folder, video_config=None, audio_config=None)`
    # leaves the frozen encoders out.
    _keys_to_ignore_on_load_unexpected = [r"^(amess\.)?media_encoder\."]
    # Outputs that a caller may request. No module of ours is recorded: the text encoder records its own layers.
    _can_record_outputs = {
        name: OutputRecorder(target_class=None)  # type: ignore[arg-type]  # None: recorded by a part of the model
        for name in ("hidden_states", "attentions")
    }

    def __init__(self, config: AmessConfig):
        if config.model_type != AmessConfig.model_type:
            raise ValueError(
                f"The configuration is of a {config.model_type!r} model, not of an A-MESS model. Load a saved media "
                "encoder with AmessMediaEncoder.from_pretrained(...) or AutoModel."
            )
        super().__init__(config)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, AmessZeroLinear):
            init.zeros_(module.weight)
        elif isinstance(module, AmessFusionNorm):
            init.constant_(module.weight, self.config.fusion_gain)  # embeddings without pretraining have size 1
            init.zeros_(module.bias)  # transformers knows a LayerNorm by the name of its class
        elif isinstance(module, AmessAttentionProjection):
            init.xavier_uniform_(module.weight)
        elif isinstance(module, AmessFamiliarClips):
            for buffer in module.buffers():
                init.zeros_(buffer)
        elif isinstance(module, AmessForIntentClassification) and module.config.use_semantic_synchronization:
            if module.config.label_descriptions is not None and not is_loaded(module.label_description_embeddings):
                logger.warning(
                    "The descriptions in the config are not embedded yet, and the contrastive loss is 0 until they "
                    "are: call model.set_label_descriptions(...)."
                )
            init.zeros_(module.label_description_embeddings)
            init.zeros_(module.label_description_mask)
            init.zeros_(module.label_description_fingerprint)
            if module.config.semantic_logits:
                init.constant_(module.semantic_scale, 10.0)

    def enable_input_require_grads(self) -> None:
        """Enable it for the text encoder alone.

        The media encoders are frozen, and Swin's embeddings would not take the hook.
        """
        base: Any = self.base_model
        base.text_model.enable_input_require_grads()

    def disable_input_require_grads(self) -> None:
        """Undo `enable_input_require_grads`."""
        base: Any = self.base_model
        base.text_model.disable_input_require_grads()


class AmessZeroLinear(nn.Linear):
    """Linear layer that starts at zero.

    A class of its own, because transformers calls `_init_weights` of models outside its own package only with modules
    that own parameters, never with the module around them.
    """


class AmessFamiliarClips(nn.Module):
    """Training clips of one modality, to tell how unlike them another clip is.

    A clip is one vector, the mean of its features. It is as far from the training clips as from the nearest of them
    (Sun et al., 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors"), in units of the dimensions'
    deviations and partly freed of their correlations. The paper has no such part; docs/schemas.md says what it is for.

    Args:
        number: Number of training clips.
        size: Size of a feature.
    """

    def __init__(self, number: int, size: int):
        super().__init__()
        self.clips = nn.Buffer(torch.zeros(number, size))
        self.centre = nn.Buffer(torch.zeros(size))
        self.projection = nn.Buffer(torch.zeros(size, size))
        # Distance above which a clip is unfamiliar; 0 until `fit`.
        self.limit = nn.Buffer(torch.zeros(()))

    @torch.no_grad()
    def fit(self, training: torch.Tensor, held_out: torch.Tensor, quantile: float) -> None:
        """Keep the training clips, and set the limit below which most of the held-out clips lie.

        Args:
            training: Mean features of the training clips `(clips, size)`.
            held_out: Mean features of other clips of the same kind `(others, size)`.
            quantile: Share of the held-out clips that is familiar.
        """
        values = training.double().cpu()
        deviation = values.std(0, correction=0)
        deviation = deviation.clamp(min=float(_SMALLEST_DEVIATION * deviation.mean()) or 1.0)
        standard = (values - values.mean(0)) / deviation
        correlations = standard.T @ standard / len(standard)
        identity = torch.eye(len(deviation), dtype=torch.double)
        scales, directions = torch.linalg.eigh(torch.lerp(correlations, identity, _SHRINKAGE))
        self.centre.copy_(values.mean(0))
        self.projection.copy_(directions * scales**_POWER / deviation[:, None])
        # At equal distances in the split's order.
        kept = torch.linspace(0, len(values) - 1, len(self.clips), dtype=torch.double).round().long()
        self.clips.copy_(values[kept])
        self.limit.fill_(1.0)
        distances = self(held_out.to(self.clips.device))
        self.limit.copy_(distances.quantile(quantile, interpolation="higher").clamp(min=1e-6))

    def forward(self, means: torch.Tensor) -> torch.Tensor:
        """Return the distance of each mean feature `(batch, size)` to the nearest clip, as a multiple of the limit."""
        clips, rows = (
            (values.float() - self.centre.float()) @ self.projection.float() for values in (self.clips, means)
        )
        distances = torch.cdist(rows, clips, compute_mode="donot_use_mm_for_euclid_dist").amin(-1)
        return distances / self.limit.float()


class AmessSemanticProjection(nn.Module):
    """Projection of the sequence E_f to T_f, one token in the space of the descriptions.

    The paper: "by normalizing the dimension of the sequence and the two-layer MLP" (section III-D). With
    `semantic_residual` the pooled E_f is added and the MLP starts at zero, so that a text encoder that is also the
    description encoder begins next to the descriptions (worth most with few utterances per intent).
    """

    def __init__(self, config: AmessConfig):
        super().__init__()
        self.residual = config.semantic_residual
        self.layer_norm = nn.LayerNorm(config.hidden_size)
        last_layer = AmessZeroLinear if self.residual else nn.Linear
        self.mlp = nn.Sequential(
            nn.Linear(config.hidden_size, config.hidden_size),
            nn.GELU(),
            last_layer(config.hidden_size, config.description_size or config.hidden_size),
        )

    def forward(self, hidden_states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Project `(batch, text, hidden_size)` with its mask `(batch, text)` to `(batch, description_size)`."""
        projected: torch.Tensor = self.mlp(masked_mean(self.layer_norm(hidden_states), mask))
        return masked_mean(hidden_states, mask) + projected if self.residual else projected


def is_loaded(weights: torch.Tensor) -> bool:
    """Whether transformers loaded these weights, which it then does not initialise."""
    return bool(getattr(weights, "_is_hf_initialized", False))


def masked_mean(hidden_states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the real positions: `(batch, text, size)` and `(batch, text)` to `(batch, size)`."""
    mask = mask.unsqueeze(-1).to(hidden_states.dtype)
    return (hidden_states * mask).sum(1) / mask.sum(1).clamp(min=1)


class TextFamily:
    """How the embedding layer and the layers of a text encoder run apart: those of BERT and its relatives.

    The other families are subclasses; `TEXT_FAMILIES` in the configuration says which encoder is of which.
    """

    # Arguments of the constructor: no pooling layer, which nothing would read; unused parameters stop distributed
    # training.
    options: ClassVar[dict[str, Any]] = {"add_pooling_layer": False}

    def new(self, config: PreTrainedConfig) -> Any:
        """Make the encoder with new weights."""
        return AutoModel.from_config(config, **self.options)

    def stack(self, model: Any) -> nn.Module:
        """The part with the layers, whose weights a second stack starts from."""
        stack: nn.Module = model.encoder
        return stack

    def layers(self, model: Any) -> nn.ModuleList:
        """The layers in order."""
        layers: nn.ModuleList = model.encoder.layer
        return layers

    def embed(self, model: Any, attention_mask: torch.Tensor, **inputs: torch.Tensor | None) -> torch.Tensor:
        """Run the embedding layer on `input_ids` or `inputs_embeds`, with `token_type_ids` where it has any."""
        embedded: torch.Tensor = model.embeddings(**inputs)
        return embedded

    def encode(
        self, stack: Any, config: PreTrainedConfig, embedded: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any
    ) -> Any:
        """Run the layers on embeddings `(batch, text, hidden_size)` with a mask `(batch, text)`."""
        mask = create_bidirectional_mask(config=config, inputs_embeds=embedded, attention_mask=attention_mask)
        return stack(embedded, attention_mask=mask, **kwargs)


class SelfRecordingTextFamily(TextFamily):
    """Encoders that return hidden states and attentions themselves, when asked."""

    def encode(
        self, stack: Any, config: PreTrainedConfig, embedded: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any
    ) -> Any:
        """Run the layers."""
        # `capture_outputs` around the model would put what its hooks saw, nothing, over what the encoder returns.
        collected = output_capturing._active_collector.get() or {}
        names = [name for name in ("hidden_states", "attentions") if name in collected]
        encoded = stack(
            embedded,
            attention_mask=self.mask(config, embedded, attention_mask),
            return_dict=True,
            output_hidden_states="hidden_states" in names,
            output_attentions="attentions" in names,
        )
        for name in names:
            wanted = collected.get("_hidden_states_layers") if name == "hidden_states" else None
            values = enumerate(encoded[name] or ())
            collected[name].extend(value if wanted is None or index in wanted else None for index, value in values)
        return encoded

    def mask(self, config: PreTrainedConfig, embedded: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """The mask that the layers take."""
        return create_bidirectional_mask(config=config, inputs_embeds=embedded, attention_mask=attention_mask)


class DebertaTextFamily(SelfRecordingTextFamily):
    """DeBERTa-v2 and v3: relative positions; masked positions are 0 from the embeddings on."""

    options: ClassVar[dict[str, Any]] = {}

    def embed(self, model: Any, attention_mask: torch.Tensor, **inputs: torch.Tensor | None) -> torch.Tensor:
        """Run the embedding layer, which takes the mask."""
        return super().embed(model, attention_mask, mask=attention_mask, **inputs)

    def encode(
        self, stack: Any, config: PreTrainedConfig, embedded: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any
    ) -> Any:
        """Run the layers; the convolution that some sizes have reads the neighbours of a position."""
        embedded = embedded * attention_mask.unsqueeze(-1).to(embedded.dtype)
        return super().encode(stack, config, embedded, attention_mask, **kwargs)

    def mask(self, config: PreTrainedConfig, embedded: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """The mask as it is."""
        return attention_mask


class ModernBertTextFamily(TextFamily):
    """ModernBERT: rotary positions and, in most layers, attention to near tokens only."""

    options: ClassVar[dict[str, Any]] = {}

    def stack(self, model: Any) -> nn.Module:
        """The model itself: layers, last norm and rotary positions are its own."""
        stack: nn.Module = model
        return stack

    def layers(self, model: Any) -> nn.ModuleList:
        """The layers in order."""
        layers: nn.ModuleList = model.layers
        return layers

    def embed(self, model: Any, attention_mask: torch.Tensor, **inputs: torch.Tensor | None) -> torch.Tensor:
        """Run the embedding layer, which knows no segments."""
        inputs.pop("token_type_ids", None)
        return super().embed(model, attention_mask, **inputs)

    def encode(
        self, stack: Any, config: Any, embedded: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any
    ) -> BaseModelOutput:
        """Run the layers and the last norm."""
        given = {"config": config, "inputs_embeds": embedded, "attention_mask": attention_mask}
        masks = {
            "full_attention": create_bidirectional_mask(**given),
            "sliding_attention": create_bidirectional_sliding_window_mask(**given),
        }
        places = torch.arange(embedded.shape[1], device=embedded.device)[None]
        rotations = {kind: stack.rotary_emb(embedded, places, kind) for kind in set(config.layer_types)}
        for layer in stack.layers:
            kind = layer.attention_type
            embedded = layer(embedded, attention_mask=masks[kind], position_embeddings=rotations[kind], **kwargs)
        return BaseModelOutput(last_hidden_state=stack.final_norm(embedded))


_TEXT_FAMILIES = {
    "bert": TextFamily(),
    "mpnet": SelfRecordingTextFamily(),
    "deberta": DebertaTextFamily(),
    "modernbert": ModernBertTextFamily(),
}


def text_family(config: PreTrainedConfig) -> TextFamily:
    """The family of a text encoder."""
    return _TEXT_FAMILIES[TEXT_FAMILIES[config.model_type]]


def text_layers(text_model: Any) -> nn.ModuleList:
    """The layers of a text encoder, the first one first."""
    return text_family(text_model.config).layers(text_model)


def load_text_encoder(
    text_model: str, num_text_layers: int | None = None, add_pooling_layer: bool = False
) -> PreTrainedModel:
    """Load a pretrained text encoder, by default without its pooler.

    Args:
        text_model: Hub id or folder.
        num_text_layers: Number of first layers that the encoder's config asks for; `None` for all.
        add_pooling_layer: Whether to load the pooler, where the encoder has one.

    Raises:
        ValueError: The encoder is of a family that A-MESS cannot take apart, or has no such number of layers.
    """
    config = AutoConfig.from_pretrained(text_model)
    check_text_model_type(config)
    options = dict.fromkeys(text_family(config).options, add_pooling_layer)
    pretrained: PreTrainedModel = AutoModel.from_pretrained(text_model, **options)
    most = pretrained.config.num_hidden_layers
    if num_text_layers is not None:
        if not 1 <= num_text_layers <= most:
            raise ValueError(f"num_text_layers={num_text_layers}: {text_model} has 1 to {most} layers.")
        shorten(pretrained.config, num_text_layers)
    return pretrained


def shorten(config: Any, num_layers: int) -> None:
    """Set the number of layers in the configuration of a text encoder, with what it lists for each of them."""
    if config.model_type == "modernbert":
        config.layer_types = config.layer_types[:num_layers]
    config.num_hidden_layers = num_layers


class AmessModel(AmessPreTrainedModel):
    """A-MESS encoder: text, video and audio to token states E_f (eq. 1 to 14) and the semantic token T_f.

    Example:
    ```python
    >>> model = AutoModel.from_pretrained("org/amess-mintrec", trust_remote_code=True)
    >>> embedding = model(**processor(text="oh, great.", return_tensors="pt")).semantic_embedding
    ```
    """

    # A classifier's checkpoint is a valid source; this class does not miss the weights of its head.
    _keys_to_ignore_on_load_unexpected = [
        *AmessPreTrainedModel._keys_to_ignore_on_load_unexpected,
        *(r"^classifier", r"^label_description", r"^semantic_scale"),
    ]

    # Any: the supported text encoders share the names of their parts, but no base class declares them.
    text_model: Any

    def __init__(self, config: AmessConfig):
        super().__init__(config)
        text_config = config.text_encoder_config
        self.text_family = text_family(text_config)
        self.text_model = self.text_family.new(text_config)
        self.text_model.config = text_config
        if config.text_input == "encoder":
            self.multimodal_encoder = self.text_family.stack(self.text_family.new(text_config))
            if "embeddings" in dict(self.multimodal_encoder.named_children()):
                del self.multimodal_encoder.embeddings  # nothing would read them
                self.multimodal_encoder.register_module("embeddings", None)
        if len(config.modalities) > 1:
            self.fusion = AmessFusion(config)
        if config.use_semantic_synchronization:
            self.semantic_projection = AmessSemanticProjection(config)
        encoder_config = config.media_encoder_config
        if encoder_config is not None:
            self.media_encoder = AmessMediaEncoder(encoder_config)
        self.familiar_clips = nn.ModuleDict()
        for name, number in (config.familiar_clips or {}).items():
            if (size := config.feature_sizes[name]) is not None:
                self.familiar_clips[name] = AmessFamiliarClips(number, size)
        if self.familiar_clips:
            self._keep_in_fp32_modules_strict = {"familiar_clips"}
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Word embeddings of the text encoder."""
        embeddings: nn.Module = self.text_model.get_input_embeddings()
        return embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the word embeddings of the text encoder."""
        self.text_model.set_input_embeddings(value)

    def attach_media_encoder(self, encoder: AmessMediaEncoder) -> None:
        """Make the frozen encoders a part of this model and of its checkpoints, which then take clips whole.

        Args:
            encoder: Encoder that made the features that this model was trained on; it is moved to the model's device
                and dtype. Encoders of modalities that the model has no part for are left out.

        Raises:
            ValueError: The encoder is not the recorded one (`config.media_encoder`), or its features do not fit.
        """
        fitted = fitted_media_encoder(self.config, encoder)
        self.media_encoder = fitted.to(device=self.device, dtype=self.dtype)  # type: ignore[call-arg]  # wrapped `to`

    def set_familiar_clips(
        self, training: Mapping[str, torch.Tensor], held_out: Mapping[str, torch.Tensor], quantile: float
    ) -> None:
        """Store what the features of training clips look like, so that `unfamiliarity` can tell other clips.

        Statistics that the model holds already are replaced. They are about clips and stay when the labels change.

        Args:
            training: Mean features of the training clips `(clips, feature_size)` by modality; of more than
                `MAX_FAMILIAR_CLIPS`, so many are kept.
            held_out: Mean features of clips that were not trained on `(clips, feature_size)`, likewise.
            quantile: Share of the held-out clips that counts as familiar.
        """
        self.familiar_clips = nn.ModuleDict()
        for name, values in training.items():
            clips = AmessFamiliarClips(min(len(values), MAX_FAMILIAR_CLIPS), values.shape[-1])
            clips.fit(values, held_out[name], quantile)
            self.familiar_clips[name] = clips.to(self.device)
        self.config.familiar_clips = {name: len(module.clips) for name, module in self._familiar()} or None

    def _familiar(self) -> list[tuple[str, AmessFamiliarClips]]:
        return [
            (name, module) for name, module in self.familiar_clips.items() if isinstance(module, AmessFamiliarClips)
        ]

    @torch.no_grad()
    def unfamiliarity(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Tell how unlike the training clips the clips of a batch are.

        Args:
            batch: Batch with features, as the processor or `encode_clips` makes it.

        Returns:
            By modality `(batch,)`: distance to the nearest training clip as a multiple of the limit, above 1 for an
            unfamiliar clip, and NaN for a row without the modality. Nothing for a modality that the batch lacks or of
            which the model keeps no clips.
        """
        found = {}
        for name, module in self._familiar():
            if f"{name}_features" in batch and module.limit > 0:
                features = batch[f"{name}_features"]
                mask = batch.get(f"{name}_attention_mask")
                mask = torch.ones(features.shape[:2], device=features.device) if mask is None else mask
                distances = module(masked_mean(features.float(), mask).to(module.clips.device))
                found[name] = distances.masked_fill(~mask.bool().any(-1).to(distances.device), float("nan"))
        return found

    @torch.no_grad()
    def encode_clips(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Replace the frames and the sound of a batch by their features, which `forward` takes as well.

        Raises:
            ValueError: The model has no media encoder for them.
        """
        features = {name: values for name, values in batch.items() if not name.startswith(("pixel_", "input_values"))}
        for modality, name in (("video", "pixel_values"), ("audio", "input_values")):
            if name in batch:
                inputs = {key: batch.get(key) for key in (name, f"{name}_mask")}
                encoded = self._encode_clips(modality, batch.get(f"{modality}_features"), **inputs)
                features[f"{modality}_features"], features[f"{modality}_attention_mask"] = encoded
        return features

    def load_text_weights(self, text_model: PreTrainedModel) -> None:
        """Start the text encoder, the multimodal encoder and the fusion's normalisation from pretrained weights.

        Args:
            text_model: Model of `config.text_config`'s architecture with at least as many layers.
        """
        weights = {name: value for name, value in text_model.state_dict().items() if not name.startswith("pooler.")}
        wanted = self.text_model.state_dict().keys()
        self.text_model.load_state_dict({name: weights[name] for name in wanted})
        if self.config.text_input == "encoder":
            stack = self.text_family.stack(self.text_model).state_dict()
            self.multimodal_encoder.load_state_dict(
                {name: stack[name] for name in self.multimodal_encoder.state_dict()}
            )
        if len(self.config.modalities) > 1:
            # What eq. 13 makes goes where the encoder expects embeddings.
            self.fusion.start_from_embeddings(self.text_model.embeddings)

    @merge_with_config_defaults  # type: ignore[untyped-decorator]  # transformers does not annotate it
    @capture_outputs  # type: ignore[untyped-decorator]  # nor this one
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        video_features: torch.Tensor | None = None,
        video_attention_mask: torch.Tensor | None = None,
        audio_features: torch.Tensor | None = None,
        audio_attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        pixel_values_mask: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        input_values_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AmessModelOutput:
        """Fuse a batch of texts with the features of their clips, or with the clips themselves.

        Args:
            input_ids (`(batch, text)`): Token ids; or `inputs_embeds`.
            attention_mask (`(batch, text)`): 1 for real tokens; by default all are real.
            token_type_ids (`(batch, text)`): Segment ids.
            video_features (`(batch, frames, video_feature_size)`): Features of frames; absent for text alone.
            video_attention_mask (`(batch, frames)`): 1 for real frames; a row of zeros has no video.
            audio_features (`(batch, steps, audio_feature_size)`): Features of steps; absent for text alone.
            audio_attention_mask (`(batch, steps)`): 1 for real steps; a row of zeros has no audio.
            inputs_embeds (`(batch, text, hidden_size)`): Word embeddings instead of `input_ids`.
            pixel_values: Frames instead of video features, as [`AmessMediaEncoder`] takes them.
            pixel_values_mask: Mask of the frames.
            input_values: Sound instead of audio features, as [`AmessMediaEncoder`] takes it.
            input_values_mask: Mask of the sound.
            **kwargs: `output_attentions`, `output_hidden_states`, `return_dict`.

        Raises:
            ValueError: Features have another size than the model's or a modality that it has no part for; clips are
                given for a model without a media encoder, or beside features of their modality.
        """
        given = input_ids if inputs_embeds is None else inputs_embeds
        if given is None or (input_ids is not None and inputs_embeds is not None):
            raise ValueError("Give exactly one of input_ids and inputs_embeds.")
        shape = given.shape[:2]
        if attention_mask is None:
            attention_mask = torch.ones(shape, dtype=torch.long, device=given.device)
        text_mask = attention_mask.bool()
        if pixel_values is not None:
            video_features, video_attention_mask = self._encode_clips(
                "video", video_features, pixel_values=pixel_values, pixel_values_mask=pixel_values_mask
            )
        if input_values is not None:
            audio_features, audio_attention_mask = self._encode_clips(
                "audio", audio_features, input_values=input_values, input_values_mask=input_values_mask
            )
        features = {
            name: self._check_features(name, values, mask, shape[0], given.device)
            for name, values, mask in (
                ("video", video_features, video_attention_mask),
                ("audio", audio_features, audio_attention_mask),
            )
            if values is not None
        }
        output_attentions = bool(kwargs.get("output_attentions", self.config.output_attentions))
        if features:
            # The fusion gives its weights whatever the attention implementation; passed on, the request would make
            # SDPA warn that it has none of the text encoder's, which are recorded without it.
            kwargs.pop("output_attentions", None)

        family, text_config = self.text_family, self.text_model.config
        text = family.embed(
            self.text_model,
            attention_mask,
            input_ids=input_ids,
            token_type_ids=token_type_ids,
            inputs_embeds=inputs_embeds,
        )
        stack = family.stack(self.text_model)
        if self.config.text_input == "encoder":
            text = family.encode(stack, text_config, text, attention_mask, **kwargs).last_hidden_state
            stack = self.multimodal_encoder

        fused, anchors, weights = text, {}, {}
        if features:
            fused, anchors, weights = self.fusion(text, text_mask, features, output_attentions, token_type_ids)
        fused = fused.to(text.dtype)
        # The layers are called without the embedding layer: it would add positions and normalise a second time.
        hidden_states = family.encode(stack, text_config, fused, attention_mask, **kwargs).last_hidden_state

        pooled = hidden_states[:, 0] if self.config.pooling == "cls" else masked_mean(hidden_states, text_mask)
        semantic_embedding = None
        if self.config.use_semantic_synchronization:
            semantic_embedding = self.semantic_projection(hidden_states, text_mask)
        places = {}
        for name, anchor in anchors.items():
            places[f"{name}_anchor_indices"] = anchor.indices
            places[f"{name}_anchor_scores"] = anchor.scores
            places[f"{name}_anchor_mask"] = anchor.mask.long()
        return AmessModelOutput(
            last_hidden_state=hidden_states,
            pooler_output=pooled,
            semantic_embedding=semantic_embedding,
            video_attentions=weights.get("video"),
            audio_attentions=weights.get("audio"),
            **places,
        )

    def _encode_clips(
        self, modality: str, features: torch.Tensor | None, **inputs: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        name = "pixel_values" if modality == "video" else "input_values"
        if features is not None:
            raise ValueError(f"{name} and {modality}_features were given: give the clip or its features.")
        sub_config = self.config.video_config if modality == "video" else self.config.audio_config
        if sub_config is None:
            raise ValueError(missing_encoder_message(self.config, modality, name))
        encoded = self.media_encoder(**inputs)
        return encoded[f"{modality}_features"], encoded[f"{modality}_attention_mask"]

    def _check_features(
        self, name: str, values: torch.Tensor, mask: torch.Tensor | None, batch_size: int, device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        size = self.config.feature_sizes[name]
        if size is None:
            raise ValueError(
                f"{name}_features were given, but this model has no {name} part ({name}_feature_size=None)."
            )
        if values.dim() != 3 or values.shape[0] != batch_size or values.shape[1] == 0 or values.shape[2] != size:
            raise ValueError(
                f"{name}_features have shape {tuple(values.shape)}; this model needs ({batch_size}, frames, {size}) "
                "with at least one (padded) frame."
            )
        values = values.to(device, self.dtype)
        if mask is None:
            return values, torch.ones(values.shape[:2], dtype=torch.bool, device=device)
        if mask.shape != values.shape[:2]:
            raise ValueError(
                f"{name}_attention_mask has shape {tuple(mask.shape)}, its features need {tuple(values.shape[:2])}."
            )
        return values, mask.to(device).bool()


class AmessForIntentClassification(AmessPreTrainedModel):
    """A-MESS with its intent classifier and the joint loss (eq. 15 to 17).

    Example:
    ```python
    >>> model = AmessForIntentClassification.from_text_pretrained(
    ...     "bert-large-uncased", id2label={0: "Thank", 1: "Taunt"}, label2id={"Thank": 0, "Taunt": 1}
    ... )
    >>> descriptions = {"Thank": ["To express gratitude."], "Taunt": ["To mock."]}
    >>> model.set_label_descriptions(descriptions, encoder=SentenceTransformer("all-roberta-large-v1"))
    ```
    """

    # Version 0.1.0 saved none.
    _keys_to_ignore_on_load_missing = [r"^label_description_fingerprint$"]

    def __init__(self, config: AmessConfig):
        super().__init__(config)
        self.num_labels = len(config.label_names)
        self.amess = AmessModel(config)
        size = config.hidden_size
        if config.use_semantic_synchronization:
            description_size = config.description_size or config.hidden_size
            size += description_size
            shape = (self.num_labels, config.num_descriptions)
            # Persistent: a loaded model scores descriptions without the encoder that embedded them.
            self.label_description_embeddings = nn.Buffer(torch.zeros(*shape, description_size))
            self.label_description_mask = nn.Buffer(torch.zeros(*shape, dtype=torch.long))
            # `config.description_fingerprint` of the descriptions that are embedded here; 0 without any.
            self.label_description_fingerprint = nn.Buffer(torch.zeros((), dtype=torch.long))
            self._keep_in_fp32_modules_strict = {"label_description_embeddings"}
            if config.semantic_logits:
                self.semantic_scale = nn.Parameter(torch.tensor(10.0))
        self.representation_norm = nn.LayerNorm(size)
        self.classifier_dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(size, self.num_labels)
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """Load a model as every transformers model; it keeps descriptions only if they are of its labels."""
        loaded = super().from_pretrained(*args, **kwargs)
        (loaded[0] if isinstance(loaded, tuple) else loaded)._check_embedded_descriptions()
        return loaded

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        if self.config.use_semantic_synchronization:
            state_dict.setdefault(f"{prefix}label_description_fingerprint", torch.zeros((), dtype=torch.long))
        super()._load_from_state_dict(state_dict, prefix, *args)

    @torch.no_grad()
    def _check_embedded_descriptions(self) -> None:
        """Clear embeddings of other descriptions than the config's, such as those of other labels."""
        if not self.config.use_semantic_synchronization or self.label_description_fingerprint.is_meta:
            return
        embedded = int(self.label_description_fingerprint)
        if embedded == 0 and self.label_description_mask.any():  # saved by version 0.1.0
            embedded = self.config.description_fingerprint
        if self.config.label_descriptions is not None and embedded not in (0, self.config.description_fingerprint):
            logger.warning(
                "The descriptions in the config are not those whose embeddings are in the weights: both are cleared. "
                "Call model.set_label_descriptions(...)."
            )
            self.config.label_descriptions = None
        if self.config.label_descriptions is None:
            embedded = 0
            self.label_description_embeddings.zero_()
            self.label_description_mask.zero_()
        self.label_description_fingerprint.fill_(embedded)

    @classmethod
    def from_text_pretrained(
        cls,
        text_model: str,
        *,
        num_text_layers: int | None = None,
        attn_implementation: str | None = None,
        **config_fields: Any,
    ) -> "AmessForIntentClassification":
        """Make a new classifier around a pretrained BERT-family encoder; everything else is freshly initialised.

        Args:
            text_model (`str`): Hub id or folder of the encoder.
            num_text_layers (`int`, *optional*): Number of first layers to keep; by default all.
            attn_implementation (`str`, *optional*): `"sdpa"` or `"eager"`.
            **config_fields: Fields of [`AmessConfig`].

        Raises:
            ValueError: The encoder has no such number of layers.
        """
        pretrained = load_text_encoder(text_model, num_text_layers)
        fields = {"text_config": pretrained.config, "attn_implementation": attn_implementation, **config_fields}
        model = cls(AmessConfig(**fields))
        model.amess.load_text_weights(pretrained)
        return model

    def new_parameter_names(self) -> set[str]:
        """Names of the parameters without pretrained weights; they want the larger learning rate."""
        pretrained = ("amess.text_model.", "amess.multimodal_encoder.", "amess.media_encoder.")
        return {name for name, _ in self.named_parameters() if not name.startswith(pretrained)}

    def attach_media_encoder(self, encoder: AmessMediaEncoder) -> None:
        """Make the frozen encoders a part of this model, see [`AmessModel.attach_media_encoder`]."""
        self.amess.attach_media_encoder(encoder)

    def encode_clips(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Replace the frames and the sound of a batch by features, see [`AmessModel.encode_clips`]."""
        return self.amess.encode_clips(batch)

    def set_familiar_clips(
        self, training: Mapping[str, torch.Tensor], held_out: Mapping[str, torch.Tensor], quantile: float
    ) -> None:
        """Store what the features of training clips look like, see [`AmessModel.set_familiar_clips`]."""
        self.amess.set_familiar_clips(training, held_out, quantile)

    def unfamiliarity(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Tell how unlike the training clips the clips of a batch are, see [`AmessModel.unfamiliarity`]."""
        return self.amess.unfamiliarity(batch)

    @torch.no_grad()
    def set_label_descriptions(
        self,
        label_descriptions: Mapping[str, Sequence[str]],
        encoder: Any = None,
        embeddings: torch.Tensor | None = None,
    ) -> None:
        """Give the labels their descriptions.

        The texts go to the config, their embeddings to a buffer that is saved with the weights.

        Args:
            label_descriptions: Descriptions by label; every label but the out-of-scope one needs at least one.
            encoder: Encoder with `.encode(list of texts)` that returns `(texts, description_size)`, such as a
                `SentenceTransformer`.
            embeddings (`torch.Tensor` of shape `(labels, descriptions, description_size)`): Embeddings instead of
                `encoder`, in the order of the label ids; rows past a label's number of texts are ignored.

        Raises:
            ValueError: Labels are unknown or missing, neither or both of `encoder` and `embeddings` are given, or
                sizes do not fit.
        """
        self._check_reads_descriptions()
        texts = self._checked_descriptions(label_descriptions)
        ordered = {label: texts.get(label, []) for label in self.config.label_names}
        size = self.config.description_size or self.config.hidden_size
        most = max(map(len, texts.values()))
        if (encoder is None) == (embeddings is None):
            raise ValueError("Give exactly one of encoder and embeddings.")
        if embeddings is None:
            embeddings, mask = embed_descriptions(ordered, encoder, self.config.description_template, size)
        else:
            mask = description_mask(ordered)
            if embeddings.shape != (*mask.shape, size):
                raise ValueError(
                    f"embeddings have shape {tuple(embeddings.shape)}; {self.config.num_labels} labels with up to "
                    f"{most} descriptions of size {size} need {(*mask.shape, size)}."
                )
        device = self.label_description_embeddings.device
        embeddings = embeddings.float() * mask.unsqueeze(-1).to(embeddings.device)
        self.label_description_embeddings = nn.Buffer(embeddings.to(device))
        self.label_description_mask = nn.Buffer(mask.to(device))
        self.config.num_descriptions = most
        self.config.label_descriptions = texts
        self.label_description_fingerprint.fill_(self.config.description_fingerprint)

    def _check_reads_descriptions(self) -> None:
        if not self.config.use_semantic_synchronization:
            raise ValueError("This model was built with use_semantic_synchronization=False and reads no descriptions.")

    def _checked_descriptions(self, label_descriptions: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        labels = set(self.config.label_names) - {self.config.out_of_scope_label}
        unknown, missing = sorted(set(label_descriptions) - labels), sorted(labels - set(label_descriptions))
        if unknown or missing:
            raise ValueError(
                f"Descriptions are needed for exactly this model's labels (the out-of-scope label has none); "
                f"unknown: {unknown}, missing: {missing}."
            )
        return checked_descriptions(label_descriptions)

    @torch.no_grad()
    def add_label(
        self,
        name: str,
        descriptions: Sequence[str] | None = None,
        encoder: Any = None,
        examples: Sequence[Mapping[str, torch.Tensor]] = (),
        other_examples: Sequence[Mapping[str, torch.Tensor]] = (),
    ) -> int:
        """Teach the trained model one more label; everything that it has learned stays.

        The classifier gets a row, the descriptions an entry, the config a name. The row starts as the mean of the
        others, as if the label were any of them, and regularised logistic regression fits it to the examples
        ([`fit_label_row`]). If the text model is also the description encoder, descriptions may be examples: those of
        the new label and of the others replace real utterances where there are none.

        Args:
            name: Name of the new label.
            descriptions: Descriptions of it; needed with, and only with, semantic synchronization.
            encoder: Sentence-BERT that embedded the other labels' descriptions, any object with `.encode`.
            examples: Batches of utterances of the new label, as the processor makes them. Without any, the label is
                recognised by its descriptions alone, which needs `semantic_logits`.
            other_examples: Batches of utterances of the other labels, best about as many of each as of the new one.
                They keep the model from seeing the new label everywhere.

        Returns:
            Id of the new label, the highest.

        Raises:
            ValueError: The label is known already, its descriptions are missing or unusable, there are neither
                examples nor `semantic_logits`, or the encoder's size is not the model's.
        """
        config = self.config
        self._check_new_label(name, descriptions, examples)
        texts, embeddings, mask = {}, None, None
        if descriptions:
            texts = checked_descriptions({name: descriptions})
            size = config.description_size or config.hidden_size
            embeddings, mask = embed_descriptions(texts, encoder, config.description_template, size)
            embeddings, mask = embeddings.to(self.device), mask.to(self.device)

        weight, bias = self.classifier.weight.mean(0), self.classifier.bias.mean()
        if examples:
            training = self.training
            self.eval()
            evidence = [self._new_label_evidence(batch, embeddings, mask) for batch in (*examples, *other_examples)]
            self.train(training)
            is_new = [torch.full((len(row[1]),), index < len(examples)) for index, row in enumerate(evidence)]
            inputs, margins = (torch.cat(values) for values in zip(*evidence, strict=True))
            weight, bias = fit_label_row(inputs, margins, torch.cat(is_new), weight, bias)

        classifier = nn.Linear(weight.shape[0], self.num_labels + 1).to(weight)
        classifier.weight.copy_(torch.cat([self.classifier.weight, weight[None]]))
        classifier.bias.copy_(torch.cat([self.classifier.bias, bias[None]]))
        self.classifier = classifier
        if embeddings is not None and mask is not None:
            self._append_descriptions(texts, embeddings, mask)
        index = self.num_labels
        config.append_label(name)
        if config.use_semantic_synchronization:
            self.label_description_fingerprint.fill_(config.description_fingerprint)
        self.num_labels = len(config.label_names)
        return index

    def _check_new_label(self, name: str, descriptions: Sequence[str] | None, examples: Sequence[Any]) -> None:
        config = self.config
        if not name or name in config.label_names:
            raise ValueError(
                f"The new label's name {name!r} must not be empty nor one of {sorted(config.label_names)}."
            )
        if descriptions:
            self._check_reads_descriptions()
            if config.label_descriptions is None:
                raise ValueError("The other labels have no descriptions yet: call set_label_descriptions(...) first.")
        elif config.use_semantic_synchronization:
            raise ValueError(
                f"{name!r} has no descriptions, which this model needs of every label: give descriptions."
            )
        if not examples and not config.semantic_logits:
            raise ValueError(
                f"{name!r} needs examples: without semantic_logits the descriptions take no part in the logits."
            )

    def _new_label_evidence(
        self, batch: Mapping[str, torch.Tensor], embeddings: torch.Tensor | None, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs of the classifier and margins of one batch, for `fit_label_row`."""
        outputs = self(**{key: value.to(self.device) for key, value in batch.items()})
        margins = -outputs.logits.float().logsumexp(-1)
        if self.config.semantic_logits and embeddings is not None and mask is not None:
            similarity = description_similarity(outputs.semantic_embedding, embeddings)
            margins = margins + self.semantic_scale * mean_description_similarity(similarity, mask)[:, 0]
        return self._classifier_inputs(outputs), margins

    def _append_descriptions(self, texts: dict[str, list[str]], embeddings: torch.Tensor, mask: torch.Tensor) -> None:
        most = max(self.config.num_descriptions, embeddings.shape[1])
        old, old_mask = self.label_description_embeddings, self.label_description_mask
        pad = nn.functional.pad
        rows = [pad(values, (0, 0, 0, most - values.shape[1])) for values in (old, embeddings.to(old))]
        masks = [pad(values, (0, most - values.shape[1])) for values in (old_mask, mask)]
        self.label_description_embeddings = nn.Buffer(torch.cat(rows))
        self.label_description_mask = nn.Buffer(torch.cat(masks))
        self.config.num_descriptions = most
        self.config.label_descriptions = {**(self.config.label_descriptions or {}), **texts}

    def _classifier_inputs(self, outputs: AmessModelOutput | AmessClassifierOutput) -> torch.Tensor:
        """Inputs of phi (eq. 16): the representation and the semantic token; without SS there is no such token."""
        representation = outputs.pooler_output
        assert representation is not None
        if outputs.semantic_embedding is not None:
            representation = torch.cat([representation, outputs.semantic_embedding], dim=-1)
        normalised: torch.Tensor = self.representation_norm(representation)
        return normalised

    @property
    def similarity_scale(self) -> float:
        """Factor from a cosine with a description to a logit.

        With `semantic_logits` the learned scale, else 1 / tau of eq. 15.
        """
        if self.config.semantic_logits:
            return self.semantic_scale.item()
        return 1 / self.config.contrastive_temperature

    @can_return_tuple  # type: ignore[untyped-decorator]  # transformers does not annotate it
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        video_features: torch.Tensor | None = None,
        video_attention_mask: torch.Tensor | None = None,
        audio_features: torch.Tensor | None = None,
        audio_attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        pixel_values_mask: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        input_values_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AmessClassifierOutput:
        """Classify a batch, and compute the joint loss if `labels`, label ids `(batch,)`, are given.

        A row of label -100 takes no part in any loss. `num_items_in_batch`, which `Trainer` passes, is the number of
        labelled rows of a larger batch of which this one is a part: the losses are then this part's share of the mean
        over the whole batch. The other arguments are those of [`AmessModel.forward`].

        Raises:
            TypeError: Labels are not integers.
            ValueError: Labels have another shape, or semantic synchronization is on and no label has descriptions.
        """
        num_items_in_batch = kwargs.pop("num_items_in_batch", None)
        outputs = self.amess(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            video_features=video_features,
            video_attention_mask=video_attention_mask,
            audio_features=audio_features,
            audio_attention_mask=audio_attention_mask,
            inputs_embeds=inputs_embeds,
            pixel_values=pixel_values,
            pixel_values_mask=pixel_values_mask,
            input_values=input_values,
            input_values_mask=input_values_mask,
            return_dict=True,
            **kwargs,
        )
        if self.config.num_labels != self.num_labels:
            raise ValueError(
                f"The config has {self.config.num_labels} labels, but the classifier has {self.num_labels}. Load the "
                "model with the labels: from_pretrained(..., id2label=..., ignore_mismatched_sizes=True)."
            )
        logits = self.classifier(self.classifier_dropout(self._classifier_inputs(outputs)))
        mean_similarity = None
        if self.config.use_semantic_synchronization:
            real: torch.Tensor = self.label_description_mask
            if self.config.label_descriptions is None:  # the labels may have changed since these were embedded
                real = torch.zeros_like(real)
            similarity = description_similarity(outputs.semantic_embedding, self.label_description_embeddings)
            mean_similarity = mean_description_similarity(similarity, real)
            if self.config.semantic_logits:
                logits = logits + (self.semantic_scale * mean_similarity).to(logits.dtype)

        loss = classification_loss = contrastive_loss = None
        if labels is not None:
            labels = checked_labels(labels, len(logits))
            share = share_of_batch(labels, num_items_in_batch)
            loss = classification_loss = label_cross_entropy(logits, labels) * share
            if self.config.use_semantic_synchronization:
                if self.config.label_descriptions is None:
                    raise ValueError(
                        "The contrastive loss needs the labels' descriptions: call set_label_descriptions(...) first, "
                        "or build the model with use_semantic_synchronization=False."
                    )
                contrastive_loss = share * semantic_synchronization_loss(
                    similarity,
                    real,
                    labels,
                    self.config.contrastive_temperature,
                    self.config.contrastive_form,
                )
                loss = classification_loss + self.config.contrastive_weight * contrastive_loss
        return AmessClassifierOutput(
            loss=loss,
            classification_loss=classification_loss,
            contrastive_loss=contrastive_loss,
            logits=logits,
            description_similarity=mean_similarity,
            **{name: value for name, value in outputs.items() if name != "last_hidden_state"},
        )


def checked_labels(labels: torch.Tensor, batch_size: int) -> torch.Tensor:
    """Return label ids `(batch,)` as int64.

    Raises:
        TypeError: The labels are not integers, such as soft labels.
        ValueError: The labels have another shape.
    """
    if labels.dtype.is_floating_point or labels.dtype.is_complex or labels.dtype == torch.bool:
        raise TypeError(
            f"labels are of type {labels.dtype}, but the loss needs one label id per utterance, as integers: soft and "
            "multi-hot labels are not supported. Give labels.argmax(-1), or labels.long() if these are ids."
        )
    if labels.shape != (batch_size,):
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, but one label id per utterance is needed: ({batch_size},)."
        )
    return labels.long()


def label_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the mean cross-entropy (eq. 16) over the rows with a label; zero, with a gradient of zero, without any.

    Args:
        logits (`(batch, labels)`): Scores of the labels.
        labels (`(batch,)`): Label ids; -100 for a row that takes no part.
    """
    total = nn.functional.cross_entropy(logits.float(), labels, ignore_index=IGNORED_LABEL, reduction="sum")
    return total / (labels != IGNORED_LABEL).sum().clamp(min=1)


def share_of_batch(labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None) -> torch.Tensor | float:
    """Share of a batch in a larger one whose gradients are accumulated: its fraction of the labelled rows.

    Args:
        labels (`(batch,)`): Label ids; -100 for a row that takes no part.
        num_items_in_batch: Number of labelled rows of the larger batch; `None` without accumulation.
    """
    if num_items_in_batch is None:
        return 1.0
    share: torch.Tensor = (labels != IGNORED_LABEL).sum() / torch.as_tensor(num_items_in_batch).clamp(min=1)
    return share


def fit_label_row(
    inputs: torch.Tensor, margins: torch.Tensor, is_new: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit the row of a new label by logistic regression; the rows of the other labels do not change.

    Under the softmax of all logits the new label has probability `sigmoid(z - logsumexp(the others))`, so the row
    minimises the cross-entropy of "is it the new label?", with a Gaussian prior around its start.

    Args:
        inputs (`(rows, size)`): Inputs of the classifier.
        margins (`(rows,)`): Part of the new label's logit that does not come from the row (its descriptions), less the
            logsumexp of the other labels' logits.
        is_new (`(rows,)`): Booleans, true for rows of the new label.
        weight (`(size,)`): Start of the row.
        bias (`()`): Start of its bias.

    Returns:
        Weight `(size,)` and bias `()`, in the dtype and on the device of `weight`.
    """
    start, offset = weight.double().cpu(), bias.double().cpu()
    inputs, margins, is_new = inputs.double().cpu(), margins.double().cpu(), is_new.double().cpu()
    # The classifier reads a LayerNorm's output: the lengths of its inputs are all near sqrt(size).
    length = inputs.shape[-1] ** 0.5
    with torch.enable_grad():
        change = torch.zeros_like(start, requires_grad=True)
        shift = torch.zeros((), dtype=torch.double, requires_grad=True)
        optimizer = torch.optim.LBFGS([change, shift], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            logits = inputs @ (start + change / length) + offset + shift + margins
            entropy = nn.functional.binary_cross_entropy_with_logits(logits, is_new, reduction="sum")
            # The bias a little too: without rows of other labels it would grow without end.
            value = entropy + REGULARIZATION / 2 * (change @ change + shift**2 / 10)
            value.backward()
            return value

        optimizer.step(loss)
    row, row_bias = start + change.detach() / length, offset + shift.detach()
    return row.to(weight), row_bias.to(weight)


AmessModel.register_for_auto_class("AutoModel")
AmessForIntentClassification.register_for_auto_class("AutoModelForSequenceClassification")


__all__ = ["AmessForIntentClassification", "AmessModel", "AmessPreTrainedModel"]
