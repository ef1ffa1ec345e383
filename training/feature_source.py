# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Origin of a data set's features: the media encoders, which a model trained on the features can be given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataset_scripts.extraction.folder import (
    DESCRIPTION_FILE,
    ENCODER_FOLDER,
    ExtractedFeaturesError,
    read_description,
)
from modeling_amess import AmessMediaEncoder

from .arguments import SettingsError, TrainingSettings


@dataclass(frozen=True)
class FeatureSource:
    """Origin of the features of a data set.

    Attributes:
        media_encoder: Encoder record for `AmessConfig.media_encoder`; None where it is unknown (released pickles) or
            no encoder made the features (the planted benchmark).
        max_lengths: `max_video_length` and `max_audio_length` of the extraction, which cut later frames and steps.
        described_as: Name of the data set whose label descriptions fit, or None.
        load_media_encoder: Function that returns the `AmessMediaEncoder`; None where the encoder is not available.
    """

    media_encoder: dict[str, Any] | None = None
    max_lengths: dict[str, int] = field(default_factory=dict)
    described_as: str | None = None
    load_media_encoder: Callable[[], AmessMediaEncoder] | None = None


def is_extraction(dataset: str) -> bool:
    """Whether `dataset` is a folder that `amess extract` wrote."""
    return (Path(dataset) / DESCRIPTION_FILE).is_file()


def feature_source(settings: TrainingSettings) -> FeatureSource:
    """Find the origin of the features of `settings.dataset`.

    Raises:
        SettingsError: The description of an extraction cannot be read.
    """
    if settings.dataset == "sample":
        # Here, because other data sets do not need the encoder of the sample data set.
        from dataset_scripts.sample.encoder import sample_media_encoder
        from dataset_scripts.sample.features import sample_encoder_record

        return FeatureSource(sample_encoder_record(), {}, "sample", sample_media_encoder)
    if not is_extraction(settings.dataset):
        return FeatureSource(described_as=settings.dataset)
    try:
        description = read_description(settings.dataset)
    except ExtractedFeaturesError as error:
        raise SettingsError(str(error)) from error
    folder = Path(settings.dataset) / ENCODER_FOLDER

    def load_media_encoder() -> AmessMediaEncoder:
        return AmessMediaEncoder.from_pretrained(folder)

    lengths = {name: getattr(description, name) for name in ("max_video_length", "max_audio_length")}
    # Published features may come without this folder, which has hundreds of megabytes.
    loader = load_media_encoder if folder.is_dir() else None
    return FeatureSource(description.media_encoder, lengths, description.dataset, loader)
