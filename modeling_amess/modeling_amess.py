# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A-MESS: Anchor-based Multimodal Embedding with Semantic Synchronization (arXiv 2503.19474)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel
from transformers import initialization as init
from transformers.masking_utils import create_bidirectional_mask
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .configuration_amess import AmessConfig
from .descriptions_amess import (
    checked_descriptions,
    description_mask,
    description_similarity,
    embed_descriptions,
    mean_description_similarity,
    semantic_synchronization_loss,
)
from .fusion_amess import AmessAttentionProjection, AmessFusion
from .media_encoder_amess import AmessMediaEncoder, fitted_media_encoder, missing_encoder_message


# Weight of the squared distance from the mean row, for inputs of length 1. Chosen on MIntRec's texts with MiniLM, five
# intents left out: without utterances of the other labels more is better, with them less is; this is between.
REGULARIZATION = 0.4


def fit_label_row(
    inputs: torch.Tensor, margins: torch.Tensor, is_new: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logistic regression of a new label's row beside rows that stay as they are. Under the softmax of all logits the
    new label has probability `sigmoid(z - logsumexp(the others))`, so the row minimises the cross-entropy of "is it
    the new one?", with a Gaussian prior around where it starts.

    Args:
        inputs (`(rows, size)`): what the classifier reads.
        margins (`(rows,)`): what the new label's logit has from elsewhere (its descriptions), less the logsumexp of
            the other labels' logits.
        is_new (`(rows,)`): bool, which rows are of the new label.
        weight (`(size,)`), bias (`()`): where the row starts.

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
            # The bias too, by little: without rows of other labels it would grow without end.
            value = entropy + REGULARIZATION / 2 * (change @ change + shift**2 / 10)
            value.backward()
            return value

        optimizer.step(loss)
    found = (start + change.detach() / length, offset + shift.detach())
    return tuple(value.to(device=weight.device, dtype=weight.dtype) for value in found)


class NewLabelMixin:
    """`add_label` for [`AmessForIntentClassification`]."""

    @torch.no_grad()
    def add_label(
        self,
        name: str,
        descriptions: Sequence[str] | None = None,
        encoder: Any = None,
        examples: Sequence[Mapping[str, torch.Tensor]] = (),
        other_examples: Sequence[Mapping[str, torch.Tensor]] = (),
    ) -> int:
        """Teach the trained model one more label, leaving everything that it has learned as it is: the classifier gets a
        row, the descriptions an entry, the config a name.

        The row starts as the mean of the others, as if the label were any of them, and is fitted to the examples by
        regularised logistic regression ([`fit_label_row`]). Where the text model is the description encoder, a text
        may be an example of its own: the descriptions as utterances, of the new label and of the others, stand in
        where real ones are missing.

        Args:
            name: the new label's.
            descriptions: texts of it; needed with, and only with, semantic synchronization.
            encoder: the Sentence-BERT that embedded the other labels' descriptions, anything with `.encode`.
            examples: batches of utterances of the new label, as the processor makes them. Without any, the label is
                told by its descriptions alone, which needs `semantic_logits`.
            other_examples: batches of utterances of the other labels, best about as many of each as of the new one.
                They keep the new label from being seen everywhere.

        Returns:
            The new label's id, the highest.

        Raises:
            ValueError: the label is known already, its descriptions are missing or cannot be used, no examples and no
                `semantic_logits`, the encoder's size is not the model's.
        """
        config = self.config
        if not name or name in config.label2id:
            raise ValueError(f"The new label's name {name!r} must not be empty nor one of {sorted(config.label2id)}.")
        if config.use_semantic_synchronization != bool(descriptions):
            raise ValueError(
                f"{name!r} has no descriptions, which this model needs of every label."
                if config.use_semantic_synchronization
                else "This model was built with use_semantic_synchronization=False and reads no descriptions."
            )
        if config.use_semantic_synchronization and config.label_descriptions is None:
            raise ValueError("The other labels have no descriptions yet: call set_label_descriptions(...) first.")
        if not examples and not config.semantic_logits:
            raise ValueError(
                f"{name!r} needs examples: without semantic_logits the descriptions take no part in the logits."
            )
        embeddings = mask = None
        if descriptions:
            texts = checked_descriptions({name: descriptions})
            embeddings, mask = embed_descriptions(texts, encoder, config.description_template, config.description_size)
            embeddings, mask = embeddings.to(self.device), mask.to(self.device)

        weight, bias = self.classifier.weight.mean(0), self.classifier.bias.mean()
        if examples:
            training = self.training
            self.eval()
            found = [self._new_label_evidence(batch, embeddings, mask) for batch in (*examples, *other_examples)]
            self.train(training)
            is_new = [torch.full((len(margins),), index < len(examples)) for index, (_, margins) in enumerate(found)]
            inputs, margins = (torch.cat(values) for values in zip(*found, strict=True))
            weight, bias = fit_label_row(inputs, margins, torch.cat(is_new), weight, bias)

        classifier = nn.Linear(weight.shape[0], self.num_labels + 1).to(weight)
        classifier.weight.copy_(torch.cat([self.classifier.weight, weight[None]]))
        classifier.bias.copy_(torch.cat([self.classifier.bias, bias[None]]))
        self.classifier = classifier
        if descriptions:
            most = max(config.num_descriptions, len(descriptions))
            old, old_mask = self.label_description_embeddings, self.label_description_mask
            pad = nn.functional.pad
            rows = [pad(values, (0, 0, 0, most - values.shape[1])) for values in (old, embeddings.to(old))]
            masks = [pad(values, (0, most - values.shape[1])) for values in (old_mask, mask)]
            self.label_description_embeddings = nn.Buffer(torch.cat(rows))
            self.label_description_mask = nn.Buffer(torch.cat(masks))
            config.num_descriptions = most
            config.label_descriptions = {**config.label_descriptions, **texts}
        index = self.num_labels
        config.id2label = {**config.id2label, index: name}
        config.label2id = {**config.label2id, name: index}
        self.num_labels = config.num_labels
        return index

    def _new_label_evidence(
        self, batch: Mapping[str, torch.Tensor], embeddings: torch.Tensor | None, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What `fit_label_row` is given of a batch: the classifier's inputs and the margins."""
        outputs = self(**{key: value.to(self.device) for key, value in batch.items()})
        own = 0.0
        if self.config.semantic_logits:
            similarity = description_similarity(outputs.semantic_embedding, embeddings)
            own = self.semantic_scale * mean_description_similarity(similarity, mask)[:, 0]
        return self._classifier_inputs(outputs), own - outputs.logits.float().logsumexp(-1)


if TYPE_CHECKING:
    # Nothing here needs the pipeline, but `save_pretrained` copies the files that these lines name: a saved folder is
    # to hold the pipeline too, so that transformers can make it of a model from the Hub.
    from .pipeline_amess import IntentRecognitionPipeline  # noqa: F401


@dataclass
class AmessModelOutput(ModelOutput):
    """Output of [`AmessModel`]. What a model or a batch has no modality for is `None`.

    Attributes:
        last_hidden_state (`(batch, text, hidden_size)`): E_f, the multimodal encoder's output (eq. 14).
        pooler_output (`(batch, hidden_size)`): E_f as one vector.
        semantic_embedding (`(batch, description_size)`): T_f, what semantic synchronization pulls to the descriptions.
        video_anchor_indices, audio_anchor_indices (`(batch, anchors)`): text positions of the anchors, best first.
        video_anchor_scores, audio_anchor_scores (`(batch, anchors)`): their reliability; 0 in masked slots.
        video_anchor_mask, audio_anchor_mask (`(batch, anchors)`): 0 where a slot is empty.
        video_attentions, audio_attentions (`(batch, heads, text, frames)`): with `output_attentions=True`, how much
            each token read from each (aligned) frame or step in eq. 4 and 6.
        hidden_states, attentions: of the multimodal encoder, as in any transformers model.
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
    """Output of [`AmessForIntentClassification`]: the losses and logits, then what [`AmessModelOutput`] explains.

    Attributes:
        loss (`()`): eq. 17, when `labels` are given.
        classification_loss (`()`): eq. 16's cross-entropy.
        contrastive_loss (`()`): eq. 15, before its weight.
        logits (`(batch, labels)`).
        description_similarity (`(batch, labels)`): mean cosine of T_f and each label's descriptions; 0 for a label
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


class AmessPreTrainedModel(PreTrainedModel):
    """What the A-MESS classes share: configuration, initialisation, supported features."""

    config: AmessConfig
    base_model_prefix = "amess"
    main_input_name = "input_ids"
    input_modalities = ("text", "video", "audio")
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_attention_backend = True
    _no_split_modules = ["AmessFusion"]
    # Training from a checkpoint that takes clips: `from_pretrained(folder, video_config=None, audio_config=None)`
    # leaves the frozen encoders out.
    _keys_to_ignore_on_load_unexpected = [r"^(amess\.)?media_encoder\."]
    # What a caller may ask for. No module of ours is recorded: the text encoder, a model itself, records its layers.
    _can_record_outputs = {
        "hidden_states": OutputRecorder(target_class=None),
        "attentions": OutputRecorder(target_class=None),
    }

    def __init__(self, config: AmessConfig):
        if config.model_type != AmessConfig.model_type:
            raise ValueError(
                f"The configuration is of a {config.model_type!r} model, not of an A-MESS model. If it is a saved media "
                "encoder, load it with AmessMediaEncoder.from_pretrained(...) or AutoModel."
            )
        super().__init__(config)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, AmessZeroLinear):
            init.zeros_(module.weight)
        elif isinstance(module, AmessAttentionProjection):
            init.xavier_uniform_(module.weight)
        elif isinstance(module, AmessForIntentClassification) and module.config.use_semantic_synchronization:
            init.zeros_(module.label_description_embeddings)
            init.zeros_(module.label_description_mask)
            if module.config.semantic_logits:
                init.constant_(module.semantic_scale, 10.0)

    def enable_input_require_grads(self) -> None:
        """For the text encoder alone: the media encoders are frozen, and Swin's embeddings would not take the hook."""
        self.base_model.text_model.enable_input_require_grads()

    def disable_input_require_grads(self) -> None:
        """Undo `enable_input_require_grads`."""
        self.base_model.text_model.disable_input_require_grads()


class AmessZeroLinear(nn.Linear):
    """A linear layer that starts at zero. It is a class of its own because transformers calls `_init_weights` of models
    outside its own package only with modules that own parameters, never with the module around them.
    """


class AmessSemanticProjection(nn.Module):
    """T_f: the sequence E_f as one token in the descriptions' space, "by normalizing the dimension of the sequence and
    the two-layer MLP" (section III-D).

    With `semantic_residual` the pooled E_f is added and the MLP starts at zero, so that a text encoder that is the
    description encoder too begins next to the descriptions (worth most with few samples an intent).
    """

    def __init__(self, config: AmessConfig):
        super().__init__()
        self.residual = config.semantic_residual
        self.layer_norm = nn.LayerNorm(config.hidden_size)
        last_layer = AmessZeroLinear if self.residual else nn.Linear
        self.mlp = nn.Sequential(
            nn.Linear(config.hidden_size, config.hidden_size),
            nn.GELU(),
            last_layer(config.hidden_size, config.description_size),
        )

    def forward(self, hidden_states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """`(batch, text, hidden_size)` and `(batch, text)` to `(batch, description_size)`."""
        projected = self.mlp(masked_mean(self.layer_norm(hidden_states), mask))
        return masked_mean(hidden_states, mask) + projected if self.residual else projected


def masked_mean(hidden_states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the real positions: `(batch, text, size)` and `(batch, text)` to `(batch, size)`."""
    mask = mask.unsqueeze(-1).to(hidden_states.dtype)
    return (hidden_states * mask).sum(1) / mask.sum(1).clamp(min=1)


def load_text_encoder(
    text_model: str, num_text_layers: int | None = None, add_pooling_layer: bool = False
) -> PreTrainedModel:
    """A pretrained encoder, without pooler by default; its config asks for the first `num_text_layers` layers only, if
    given.

    Raises:
        ValueError: `num_text_layers` outside the encoder's.
    """
    pretrained = AutoModel.from_pretrained(text_model, add_pooling_layer=add_pooling_layer)
    most = pretrained.config.num_hidden_layers
    if num_text_layers is not None:
        if not 1 <= num_text_layers <= most:
            raise ValueError(f"num_text_layers={num_text_layers}: {text_model} has 1 to {most} layers.")
        pretrained.config.num_hidden_layers = num_text_layers
    return pretrained


class AmessModel(AmessPreTrainedModel):
    """The A-MESS encoder: text, video features and audio features to fused token states E_f (eq. 1 to 14) and the
    semantic token T_f.

    Example:
    ```python
    >>> model = AutoModel.from_pretrained("org/amess-mintrec", trust_remote_code=True)
    >>> embedding = model(**processor(text="oh, great.", return_tensors="pt")).semantic_embedding
    ```
    """

    # A classifier's checkpoint is a valid source; its head's weights are not this class's to miss.
    _keys_to_ignore_on_load_unexpected = [
        *AmessPreTrainedModel._keys_to_ignore_on_load_unexpected,
        *(r"^classifier", r"^label_description", r"^semantic_scale"),
    ]

    def __init__(self, config: AmessConfig):
        super().__init__(config)
        # Without the pooling layer, which nothing would read: unused parameters stop distributed training.
        self.text_model = AutoModel.from_config(config.text_config, add_pooling_layer=False)
        self.text_model.config = config.text_config
        if config.text_input == "encoder":
            self.multimodal_encoder = AutoModel.from_config(config.text_config, add_pooling_layer=False).encoder
        if config.video_feature_size is not None or config.audio_feature_size is not None:
            self.fusion = AmessFusion(config)
        if config.use_semantic_synchronization:
            self.semantic_projection = AmessSemanticProjection(config)
        if config.media_encoder_config is not None:
            self.media_encoder = AmessMediaEncoder(config.media_encoder_config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The text encoder's word embeddings."""
        return self.text_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the text encoder's word embeddings."""
        self.text_model.set_input_embeddings(value)

    def attach_media_encoder(self, encoder: AmessMediaEncoder) -> None:
        """Make the frozen encoders a part of this model and of its checkpoints, which then take clips whole.

        Args:
            encoder: which made the features that this model was trained on; it is moved to the model's device and
                dtype. Encoders of modalities that the model has no part for are left out.

        Raises:
            ValueError: the encoder is not the recorded one (`config.media_encoder`), or its features do not fit.
        """
        self.media_encoder = fitted_media_encoder(self.config, encoder).to(device=self.device, dtype=self.dtype)

    def load_text_weights(self, text_model: PreTrainedModel) -> None:
        """Start the text encoder, and with it the multimodal encoder and the fusion's normalisation, from pretrained
        weights.

        Args:
            text_model: a model of `config.text_config`'s architecture with at least as many layers.
        """
        weights = {name: value for name, value in text_model.state_dict().items() if not name.startswith("pooler.")}
        wanted = self.text_model.state_dict().keys()
        self.text_model.load_state_dict({name: weights[name] for name in wanted})
        if self.config.text_input == "encoder":
            self.multimodal_encoder.load_state_dict(self.text_model.encoder.state_dict())
        if hasattr(self, "fusion"):
            # Eq. 13's LayerNorm sits where the encoder expects embeddings: it starts from their own normalisation.
            self.fusion.layer_norm.load_state_dict(self.text_model.embeddings.LayerNorm.state_dict())

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        video_features: torch.FloatTensor | None = None,
        video_attention_mask: torch.Tensor | None = None,
        audio_features: torch.FloatTensor | None = None,
        audio_attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        pixel_values: torch.FloatTensor | None = None,
        pixel_values_mask: torch.Tensor | None = None,
        input_values: torch.FloatTensor | None = None,
        input_values_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AmessModelOutput:
        """Args:
            input_ids (`(batch, text)`): token ids; or `inputs_embeds` `(batch, text, hidden_size)`, word embeddings.
            attention_mask (`(batch, text)`): 1 for real tokens; all real by default.
            token_type_ids (`(batch, text)`).
            video_features, audio_features (`(batch, frames, feature_size)`): absent for text alone.
            video_attention_mask, audio_attention_mask (`(batch, frames)`): 1 for real frames; a row of zeros has none.
            pixel_values, pixel_values_mask, input_values, input_values_mask: clips instead of features, as
                [`AmessMediaEncoder`] takes them.

        Raises:
            ValueError: features of another size than the model's, or of a modality that it has no part for; clips
                for a model without a media encoder, or clips and features of one modality.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Give exactly one of input_ids and inputs_embeds.")
        shape = input_ids.shape if input_ids is not None else inputs_embeds.shape[:2]
        device = input_ids.device if input_ids is not None else inputs_embeds.device
        if attention_mask is None:
            attention_mask = torch.ones(shape, dtype=torch.long, device=device)
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
            name: self._check_features(name, values, mask, shape[0])
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

        text = self.text_model.embeddings(
            input_ids=input_ids, token_type_ids=token_type_ids, inputs_embeds=inputs_embeds
        )
        encoder = self.text_model.encoder
        if self.config.text_input == "encoder":
            text = encoder(text, attention_mask=self._encoder_mask(text, attention_mask), **kwargs).last_hidden_state
            encoder = self.multimodal_encoder

        fused, anchors, weights = text, {}, {}
        if features:
            fused, anchors, weights = self.fusion(text, text_mask, features, output_attentions)
        fused = fused.to(text.dtype)
        # The layers are called without the embedding layer: it would add positions and normalise a second time.
        hidden_states = encoder(
            fused, attention_mask=self._encoder_mask(fused, attention_mask), **kwargs
        ).last_hidden_state

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

    def _encoder_mask(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor | None:
        return create_bidirectional_mask(
            config=self.text_model.config, inputs_embeds=hidden_states, attention_mask=attention_mask
        )

    def _encode_clips(
        self, modality: str, features: torch.Tensor | None, **inputs: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        name = next(iter(inputs))
        if features is not None:
            raise ValueError(f"{name} and {modality}_features were given: give the clip or its features.")
        if not hasattr(self, "media_encoder") or not hasattr(self.media_encoder, f"{modality}_model"):
            raise ValueError(missing_encoder_message(self.config, modality, name))
        encoded = self.media_encoder(**inputs)
        return encoded[f"{modality}_features"], encoded[f"{modality}_attention_mask"]

    def _check_features(
        self, name: str, values: torch.Tensor, mask: torch.Tensor | None, batch_size: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        size = getattr(self.config, f"{name}_feature_size")
        if size is None:
            raise ValueError(
                f"{name}_features were given, but this model has no {name} part ({name}_feature_size=None)."
            )
        if values.dim() != 3 or values.shape[0] != batch_size or values.shape[1] == 0 or values.shape[2] != size:
            raise ValueError(
                f"{name}_features have shape {tuple(values.shape)}; this model needs ({batch_size}, frames, {size}) "
                "with at least one (padded) frame."
            )
        if mask is None:
            return values, torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
        if mask.shape != values.shape[:2]:
            raise ValueError(
                f"{name}_attention_mask has shape {tuple(mask.shape)}, its features need {tuple(values.shape[:2])}."
            )
        return values.to(self.dtype), mask.bool()


class AmessForIntentClassification(NewLabelMixin, AmessPreTrainedModel):
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

    _keep_in_fp32_modules_strict = ["label_description_embeddings"]

    def __init__(self, config: AmessConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.amess = AmessModel(config)
        size = config.hidden_size
        if config.use_semantic_synchronization:
            size += config.description_size
            shape = (config.num_labels, config.num_descriptions)
            # Persistent: a loaded model scores descriptions without the encoder that embedded them.
            self.label_description_embeddings = nn.Buffer(torch.zeros(*shape, config.description_size))
            self.label_description_mask = nn.Buffer(torch.zeros(*shape, dtype=torch.long))
            if config.semantic_logits:
                self.semantic_scale = nn.Parameter(torch.tensor(10.0))
        self.representation_norm = nn.LayerNorm(size)
        self.classifier_dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(size, config.num_labels)
        self.post_init()

    @classmethod
    def from_text_pretrained(
        cls,
        text_model: str,
        *,
        num_text_layers: int | None = None,
        attn_implementation: str | None = None,
        **config_fields: Any,
    ) -> "AmessForIntentClassification":
        """A new classifier around a pretrained BERT-family encoder; everything else is freshly initialised.

        Args:
            text_model (`str`): a Hub id or a folder.
            num_text_layers (`int`, *optional*): keep only the first layers.
            attn_implementation (`str`, *optional*): `"sdpa"` or `"eager"`.
            **config_fields: any field of [`AmessConfig`].

        Raises:
            ValueError: `num_text_layers` outside the encoder's.
        """
        pretrained = load_text_encoder(text_model, num_text_layers)
        config = AmessConfig(text_config=pretrained.config, attn_implementation=attn_implementation, **config_fields)
        model = cls(config)
        model.amess.load_text_weights(pretrained)
        return model

    def new_parameter_names(self) -> set[str]:
        """Names of the parameters that no pretrained weights came for; they want the larger learning rate."""
        pretrained = ("amess.text_model.", "amess.multimodal_encoder.", "amess.media_encoder.")
        return {name for name, _ in self.named_parameters() if not name.startswith(pretrained)}

    def attach_media_encoder(self, encoder: AmessMediaEncoder) -> None:
        """See [`AmessModel.attach_media_encoder`]."""
        self.amess.attach_media_encoder(encoder)

    @torch.no_grad()
    def set_label_descriptions(
        self,
        label_descriptions: Mapping[str, Sequence[str]],
        encoder: Any = None,
        embeddings: torch.Tensor | None = None,
    ) -> None:
        """Give the labels their written descriptions: the texts go to the config, their embeddings to a buffer that is
        saved with the weights.

        Args:
            label_descriptions: texts by label; every label but the out-of-scope one needs at least one.
            encoder: anything with `.encode(list of texts)` that returns `(texts, description_size)`, such as a
                `SentenceTransformer`.
            embeddings (`torch.Tensor` of shape `(labels, descriptions, description_size)`): instead of `encoder`, in
                the order of the labels' ids; rows past a label's number of texts are ignored.

        Raises:
            ValueError: unknown or missing labels, neither or both of `encoder` and `embeddings`, sizes that do not
                fit.
        """
        if not self.config.use_semantic_synchronization:
            raise ValueError("This model was built with use_semantic_synchronization=False and reads no descriptions.")
        if (encoder is None) == (embeddings is None):
            raise ValueError("Give exactly one of encoder and embeddings.")
        texts = self._checked_descriptions(label_descriptions)
        ordered = {label: texts.get(label, []) for _, label in sorted(self.config.id2label.items())}
        size, most = self.config.description_size, max(map(len, texts.values()))
        if encoder is not None:
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

    def _checked_descriptions(self, label_descriptions: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        labels = set(self.config.label2id) - {self.config.out_of_scope_label}
        unknown, missing = sorted(set(label_descriptions) - labels), sorted(labels - set(label_descriptions))
        if unknown or missing:
            raise ValueError(
                f"Descriptions are needed for exactly this model's labels (the out-of-scope label has none); "
                f"unknown: {unknown}, missing: {missing}."
            )
        return checked_descriptions(label_descriptions)

    def _classifier_inputs(self, outputs: AmessModelOutput | AmessClassifierOutput) -> torch.Tensor:
        """Eq. 16: phi reads the representation and the synchronized token; without SS there is no such token."""
        representation = outputs.pooler_output
        if self.config.use_semantic_synchronization:
            representation = torch.cat([representation, outputs.semantic_embedding], dim=-1)
        return self.representation_norm(representation)

    @property
    def similarity_scale(self) -> float:
        """What a cosine with a description is worth as a logit: with `semantic_logits` the learned scale, else
        1 / tau of eq. 15.
        """
        if self.config.semantic_logits:
            return self.semantic_scale.item()
        return 1 / self.config.contrastive_temperature

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        video_features: torch.FloatTensor | None = None,
        video_attention_mask: torch.Tensor | None = None,
        audio_features: torch.FloatTensor | None = None,
        audio_attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        pixel_values: torch.FloatTensor | None = None,
        pixel_values_mask: torch.Tensor | None = None,
        input_values: torch.FloatTensor | None = None,
        input_values_mask: torch.Tensor | None = None,
        labels: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AmessClassifierOutput:
        """Args:
            labels (`(batch,)`): gold label ids, for the loss. The rest as in [`AmessModel.forward`].

        Raises:
            ValueError: labels are given, semantic synchronization is on and no label has descriptions.
        """
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
        logits = self.classifier(self.classifier_dropout(self._classifier_inputs(outputs)))
        mean_similarity = None
        if self.config.use_semantic_synchronization:
            similarity = description_similarity(outputs.semantic_embedding, self.label_description_embeddings)
            mean_similarity = mean_description_similarity(similarity, self.label_description_mask)
            if self.config.semantic_logits:
                logits = logits + (self.semantic_scale * mean_similarity).to(logits.dtype)

        loss = classification_loss = contrastive_loss = None
        if labels is not None:
            loss = classification_loss = nn.functional.cross_entropy(logits.float(), labels)
            if self.config.use_semantic_synchronization:
                if self.config.label_descriptions is None:
                    raise ValueError(
                        "The contrastive loss needs the labels' descriptions: call set_label_descriptions(...) first, "
                        "or build the model with use_semantic_synchronization=False."
                    )
                contrastive_loss = semantic_synchronization_loss(
                    similarity,
                    self.label_description_mask,
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


AmessModel.register_for_auto_class("AutoModel")
AmessForIntentClassification.register_for_auto_class("AutoModelForSequenceClassification")


__all__ = ["AmessForIntentClassification", "AmessModel", "AmessPreTrainedModel"]
