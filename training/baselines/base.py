# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The parts that all baselines share: config fields, reading of a batch, classifier, loss, pretrained text encoder."""

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, Self

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from torch.utils.data import Dataset
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedTokenizerBase
from transformers import initialization as init
from transformers.configuration_utils import SubConfigSpec
from transformers.masking_utils import create_bidirectional_mask
from transformers.utils.generic import ModelOutput

from modeling_amess.configuration_amess import IGNORED_LABEL
from modeling_amess.media_encoder_amess import PicklableModel
from modeling_amess.modeling_amess import (
    checked_labels,
    label_cross_entropy,
    load_text_encoder,
    masked_mean,
    share_of_batch,
)


# Arguments of `from_pretrained` that say where the files are.
_HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "token", "revision", "subfolder")

# Modality -> features `(batch, frames, size)`, zero where padded, and their boolean mask `(batch, frames)`.
Features = dict[str, tuple[torch.Tensor, torch.Tensor]]


@dataclass
class BaselineOutput(ModelOutput):
    """Output of a baseline.

    Attributes:
        loss (`()`): Cross-entropy plus the contrastive loss if there is one, when labels are given.
        classification_loss (`()`): Cross-entropy, where `loss` has two terms.
        contrastive_loss (`()`): Contrastive term with its weight, where `loss` has two terms.
        logits (`(batch, labels)`): Score of every label.
    """

    loss: torch.Tensor | None = None
    classification_loss: torch.Tensor | None = None
    contrastive_loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None


@strict
class BaselineConfig(PreTrainedConfig):
    r"""Configuration fields of every baseline.

    Args:
        text_config (`PreTrainedConfig` or `dict`, *optional*, defaults to a BERT-base): Text encoder.
        max_text_length (`int`, defaults to 50): Tokens that the processor keeps.
        classifier_dropout (`float`, defaults to 0.1): Dropout before the classifier.
        initializer_range (`float`, defaults to 0.02): Standard deviation of new linear layers.
    """

    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="bert")
    }
    # `Trainer` takes for predictions what is not named here: the logits.
    keys_to_ignore_at_inference: ClassVar[list[str]] = [
        field.name for field in fields(BaselineOutput) if field.name != "logits"
    ]

    # Fields that version 0.1.0 did not have, with the value by which a model that it saved stays the same.
    values_before_the_field: ClassVar[dict[str, Any]] = {}

    text_config: dict[str, Any] | PreTrainedConfig | None = None
    max_text_length: int = 50
    classifier_dropout: float | int = 0.1
    initializer_range: float = 0.02

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Make the configuration from the content of a `config.json`, of version 0.1.0 too."""
        return super().from_dict(cls.values_before_the_field | config_dict, **kwargs)

    @property
    def label_names(self) -> list[str]:
        """Names of the labels in the order of their ids."""
        return [name for _, name in sorted((self.id2label or {}).items())]

    @property
    def hidden_size(self) -> int:
        """Size of the text encoder's hidden states."""
        assert isinstance(self.text_config, PreTrainedConfig)  # PreTrainedConfig makes it so
        size: int = self.text_config.hidden_size
        return size

    @property
    def uses_pooler(self) -> bool:
        """Whether the model needs the text encoder's pooler."""
        return False

    @property
    def feature_sizes(self) -> dict[str, int]:
        """Size of one vector per nonverbal modality that the model has parts for, video before audio."""
        return {}


@strict
class MultimodalBaselineConfig(BaselineConfig):
    r"""Configuration fields of every baseline with video and audio.

    Args:
        text_config, max_text_length, classifier_dropout, initializer_range: See [`BaselineConfig`].
        video_feature_size, audio_feature_size (`int`, *optional*, default to 256 and 768): Size of the vector of one
            frame or step; `None` leaves the modality out.
        max_video_length, max_audio_length (`int`, default to 180 and 400): Frames and steps that the processor keeps.
    """

    video_feature_size: int | None = 256
    audio_feature_size: int | None = 768
    max_video_length: int = 180
    max_audio_length: int = 400

    @property
    def feature_sizes(self) -> dict[str, int]:
        """Size of one vector per nonverbal modality that the model has parts for, video before audio."""
        sizes = {"video": self.video_feature_size, "audio": self.audio_feature_size}
        return {name: size for name, size in sizes.items() if size is not None}

    @property
    def max_feature_lengths(self) -> dict[str, int]:
        """Most frames or steps per nonverbal modality."""
        return {"video": self.max_video_length, "audio": self.max_audio_length}


@dataclass
class BaselineInputs:
    """A batch as baselines read it.

    Attributes:
        input_ids, attention_mask: Token ids and their mask, `(batch, tokens)`.
        token_type_ids: Segment ids `(batch, tokens)`, or `None` for one segment.
        features: Features and mask of every modality that the model has parts for.
        labels: Gold label ids `(batch,)`, -100 for a row that takes no part in any loss; or `None`.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    token_type_ids: torch.Tensor | None
    features: Features
    labels: torch.Tensor | None

    @property
    def present(self) -> dict[str, torch.Tensor]:
        """Whether a row has any frame, `(batch,)` per modality."""
        return {name: mask.any(-1) for name, (_, mask) in self.features.items()}

    @property
    def is_labelled(self) -> torch.Tensor:
        """Whether a row takes part in the losses, `(batch,)`; only with labels."""
        assert self.labels is not None
        return self.labels != IGNORED_LABEL


class Represented(NamedTuple):
    """What a baseline makes of a batch.

    Attributes:
        vectors: Input of the classifier, `(batch, size)`.
        contrastive_loss: Weighted contrastive loss `()` of a baseline that has one, when labels are given.
    """

    vectors: torch.Tensor
    contrastive_loss: torch.Tensor | None = None


class XavierLinear(nn.Linear):
    """Linear layer that starts from Xavier's uniform distribution instead of BERT's normal one.

    Args:
        in_features, out_features: Sizes of input and output.
        stacked: Number of layers that the published code keeps in one matrix. That makes the distribution narrower.
    """

    def __init__(self, in_features: int, out_features: int, stacked: int = 1):
        super().__init__(in_features, out_features)
        self.stacked = stacked


class UniformLinear(nn.Linear):
    """Linear layer that starts as torch's own, instead of from BERT's normal distribution."""


class LabelRecord(nn.Module):
    """Record of the labels about which a baseline has stored something: their names, in order, as one number.

    A checkpoint holds it with what was stored. Thus a model that is loaded with other labels knows that what it has is
    not about them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = nn.Buffer(torch.zeros((), dtype=torch.long))  # 0: of no labels

    def write(self, label_names: Iterable[str]) -> None:
        """Record that something is about these labels."""
        self.fingerprint.fill_(label_fingerprint(label_names))

    def is_of(self, label_names: Iterable[str]) -> bool:
        """Whether what was stored is about these labels."""
        return int(self.fingerprint) == label_fingerprint(label_names)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # Version 0.1.0 saved no record. A run continues with the labels that it had.
        state_dict.setdefault(f"{prefix}fingerprint", self.fingerprint)
        super()._load_from_state_dict(state_dict, prefix, *args)


def label_fingerprint(label_names: Iterable[str]) -> int:
    """Compute a number that depends on the labels' names and their order; never 0."""
    return zlib.crc32(repr(list(label_names)).encode()) + 1


class BaselinePreTrainedModel(PicklableModel):
    """Base class of the baselines: a pretrained text encoder, new parts around it, and a linear classifier.

    A baseline defines its parts, `classifier` among them, in `__init__`, which ends with `self.post_init()`, and
    `represent`, which makes the classifier's input of a batch. Out-of-scope scores compare that input.
    """

    config: BaselineConfig
    config_class: type[BaselineConfig]
    base_model_prefix = "text_model"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    # Whether the model stores something about its labels, which is then of no use for others.
    stores_labels: ClassVar[bool] = False
    # Version 0.1.0 saved none. transformers declares the attribute of an instance.
    _keys_to_ignore_on_load_missing = [r"^label_record\."]  # noqa: RUF012
    # Attributes that start from the pretrained weights.
    text_encoder_names: tuple[str, ...] = ("text_model",)
    text_model: Any  # an encoder of the BERT family; transformers has no common class for them
    classifier: nn.Linear
    num_labels: int

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        assert config.num_labels is not None  # PreTrainedConfig counts the labels
        self.num_labels = config.num_labels
        self.text_model = AutoModel.from_config(config.text_config, add_pooling_layer=config.uses_pooler)
        if self.stores_labels:
            self.label_record = LabelRecord()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, XavierLinear):
            bound = math.sqrt(6 / (module.in_features + module.stacked * module.out_features))
            init.uniform_(module.weight, -bound, bound)
        elif isinstance(module, (UniformLinear, nn.Conv1d, nn.LSTM)):
            # As torch has them, and so the published code.
            inputs = module.hidden_size if isinstance(module, nn.LSTM) else module.weight[0].numel()
            for parameter in module.parameters():
                init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5)
        elif isinstance(module, LabelRecord):
            init.zeros_(module.fingerprint)

    def get_input_embeddings(self) -> nn.Module:
        """Return the text encoder's word embeddings."""
        embeddings: nn.Module = self.text_model.get_input_embeddings()
        return embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the text encoder's word embeddings."""
        self.text_model.set_input_embeddings(value)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Embedding:
        """Resize the word embeddings of every text encoder, because they share one vocabulary."""
        embeddings = super().resize_token_embeddings(*args, **kwargs)
        for name in self.text_encoder_names[1:]:
            encoder: Any = self.get_submodule(name)
            encoder.resize_token_embeddings(*args, **kwargs)
        return embeddings

    @classmethod
    def from_text_pretrained(
        cls, text_model: str, *, num_text_layers: int | None = None, **config_fields: Any
    ) -> Self:
        """Build a new classifier around a pretrained encoder of the BERT family.

        Args:
            text_model: Hub id or folder of the encoder.
            num_text_layers: Number of the encoder's first layers to keep; `None` keeps all.
            **config_fields: Fields of the model's config, and `attn_implementation`.

        Raises:
            ValueError: The encoder does not have `num_text_layers` layers.
        """
        uses_pooler = cls.config_class(**config_fields).uses_pooler
        pretrained = load_text_encoder(text_model, num_text_layers, add_pooling_layer=uses_pooler)
        model = cls(cls.config_class(text_config=pretrained.config, **config_fields))
        weights = pretrained.state_dict()
        for name in cls.text_encoder_names:
            encoder = model.get_submodule(name)
            encoder.load_state_dict({key: weights[key] for key in encoder.state_dict()})
        return model

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """Load a model as every transformers model."""
        loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        if cls.stores_labels and model.has_stored_labels() and not int(model.label_record.fingerprint):
            # Version 0.1.0: what it stored is about the labels in its config, whatever labels are asked for now.
            place = args[0] if args else kwargs["pretrained_model_name_or_path"]
            options = {key: value for key, value in kwargs.items() if key in _HUB_OPTIONS}
            model.label_record.write(cls.config_class.from_pretrained(place, **options).label_names)
        return loaded

    def has_stored_labels(self) -> bool:
        """Whether the model holds something about labels."""
        return False

    def new_parameter_names(self) -> set[str]:
        """Return the names of the parameters that do not start from pretrained weights."""
        pretrained = tuple(f"{name}." for name in self.text_encoder_names)
        return {name for name, _ in self.named_parameters() if not name.startswith(pretrained)}

    def read_training_rows(self, rows: Dataset[dict[str, Any]]) -> None:
        """Keep what the model needs of the training utterances themselves: nothing, unless a baseline says so.

        Args:
            rows: Training utterances, with `video_features (frames, size)` and `label`.
        """

    def set_label_words(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Keep what the model needs of the labels' names as word pieces: nothing, unless a baseline says so."""

    def represent(self, batch: BaselineInputs) -> Represented:
        """Make the classifier's input, dropout included, of a batch."""
        raise NotImplementedError

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
        num_items_in_batch: torch.Tensor | int | None = None,
        **unused: Any,
    ) -> BaselineOutput:
        """Classify a batch.

        Args:
            input_ids: Token ids `(batch, tokens)`.
            attention_mask: Mask of the tokens `(batch, tokens)`; all are real by default.
            token_type_ids: Segment ids `(batch, tokens)`.
            video_features: Vectors of frames `(batch, frames, video_feature_size)`.
            video_attention_mask: Mask of the frames `(batch, frames)`; all are real by default.
            audio_features: Vectors of audio steps `(batch, steps, audio_feature_size)`.
            audio_attention_mask: Mask of the steps `(batch, steps)`; all are real by default.
            labels: Gold label ids `(batch,)`, for the loss; a row of label -100 takes no part in it.
            num_items_in_batch: Number of labelled rows of the whole batch of which this one is a part, as `Trainer`
                passes it. The losses are then this part's share of the mean over the whole batch.
            **unused: Other entries of a batch, which no baseline reads.

        Raises:
            TypeError: Labels are not integers.
            ValueError: Features, a mask or labels have a shape that does not fit.
        """
        if labels is not None:
            labels = checked_labels(labels, len(input_ids))
        attention_mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        features = self.read_features(
            input_ids, video_features, video_attention_mask, audio_features, audio_attention_mask
        )
        vectors, contrastive_loss = self.represent(
            BaselineInputs(input_ids, attention_mask, token_type_ids, features, labels)
        )
        logits = self.classifier(vectors)
        if labels is None:
            return BaselineOutput(logits=logits)
        share = share_of_batch(labels, num_items_in_batch)
        loss = label_cross_entropy(logits, labels) * share
        if contrastive_loss is None:
            return BaselineOutput(loss=loss, logits=logits)
        contrastive_loss = contrastive_loss * share
        return BaselineOutput(loss + contrastive_loss, loss, contrastive_loss, logits)

    def read_features(
        self,
        input_ids: torch.Tensor,
        video_features: torch.Tensor | None,
        video_attention_mask: torch.Tensor | None,
        audio_features: torch.Tensor | None,
        audio_attention_mask: torch.Tensor | None,
    ) -> Features:
        """Check the features of every modality that the model has parts for, and zero their padding.

        An absent modality becomes one padded frame, so that the model treats it as it treats an empty mask. Features
        of a modality that the model has no part for are ignored. Arguments as in `forward`.

        Raises:
            ValueError: Features or a mask have a shape that does not fit.
        """
        given = {"video": (video_features, video_attention_mask), "audio": (audio_features, audio_attention_mask)}
        batch = len(input_ids)
        features = {}
        for name, size in self.config.feature_sizes.items():
            values, mask = given[name]
            if values is None:
                values = torch.zeros(batch, 1, size, device=input_ids.device)
                mask = torch.zeros(batch, 1, device=input_ids.device)
            if values.dim() != 3 or values.shape[0] != batch or values.shape[1] == 0 or values.shape[2] != size:
                raise ValueError(
                    f"{name}_features have shape {tuple(values.shape)}; this model needs ({batch}, frames, {size}) "
                    "with at least one frame, which may be padding."
                )
            if mask is None:
                mask = torch.ones(values.shape[:2], device=values.device)
            if mask.shape != values.shape[:2]:
                raise ValueError(
                    f"{name}_attention_mask has shape {tuple(mask.shape)}; it must have the shape "
                    f"{tuple(values.shape[:2])} of its features' frames."
                )
            values, mask = values.to(input_ids.device, self.dtype), mask.to(input_ids.device).bool()
            features[name] = (values.masked_fill(~mask.unsqueeze(-1), 0.0), mask)
        return features

    def encode_text(self, batch: BaselineInputs) -> torch.Tensor:
        """Return the text encoder's last hidden states, `(batch, tokens, hidden_size)`."""
        optional = {} if batch.token_type_ids is None else {"token_type_ids": batch.token_type_ids}
        hidden_states: torch.Tensor = self.text_model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, return_dict=True, **optional
        ).last_hidden_state
        return hidden_states

    def pool(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor, pooling: str) -> torch.Tensor:
        """Reduce hidden states to one vector per row.

        Args:
            hidden_states: States of the tokens `(batch, tokens, hidden_size)`.
            attention_mask: Mask of the tokens `(batch, tokens)`.
            pooling: `"pooler"` for the text encoder's own pooler, `"cls"` for the first token, or the masked `"mean"`.

        Returns:
            Vectors `(batch, hidden_size)`.
        """
        if pooling == "pooler":
            pooled: torch.Tensor = self.text_model.pooler(hidden_states)
            return pooled
        return hidden_states[:, 0] if pooling == "cls" else masked_mean(hidden_states, attention_mask)


def encode_embeddings(text_model: Any, embeddings: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Run the layers of an encoder of the BERT family on the output of its embedding layer.

    Passed as `inputs_embeds`, the embeddings would get positions and a normalisation a second time.

    Args:
        text_model: Encoder whose layers run.
        embeddings: Output of its embedding layer, `(batch, tokens, hidden_size)`.
        attention_mask: Mask of the tokens `(batch, tokens)`.

    Returns:
        Last hidden states `(batch, tokens, hidden_size)`.
    """
    mask = create_bidirectional_mask(config=text_model.config, inputs_embeds=embeddings, attention_mask=attention_mask)
    hidden_states: torch.Tensor = text_model.encoder(embeddings, attention_mask=mask).last_hidden_state
    return hidden_states


def feature_projections(config: BaselineConfig) -> nn.ModuleDict:
    """Make one linear layer per nonverbal modality, from its feature size to the text encoder's hidden size."""
    return nn.ModuleDict({name: nn.Linear(size, config.hidden_size) for name, size in config.feature_sizes.items()})
