# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which encoders a data set's features come from, so that a model trained on them can be given those encoders."""

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

from .arguments import SettingsError, TrainingSettings


@dataclass(frozen=True)
class FeatureSource:
    """What is known about the features of a data set.

    Attributes:
        media_encoder: record of the encoders, for `AmessConfig.media_encoder`; None where it is not known (released
            pickles) or nothing of the sort made them (the planted benchmark).
        max_lengths: `max_video_length` and `max_audio_length` of the extraction: frames and steps after them were not
            looked at.
        described_as: name of the data set whose label descriptions fit, or None.
        load_media_encoder: gives the encoder itself, an `AmessMediaEncoder`; None where it is not at hand.
    """

    media_encoder: dict[str, Any] | None = None
    max_lengths: dict[str, int] = field(default_factory=dict)
    described_as: str | None = None
    load_media_encoder: Callable[[], Any] | None = None


def is_extraction(dataset: str) -> bool:
    """Whether `dataset` is a folder that `amess extract` wrote."""
    return (Path(dataset) / DESCRIPTION_FILE).is_file()


def feature_source(settings: TrainingSettings) -> FeatureSource:
    """Where the features of `settings.dataset` come from.

    Raises:
        SettingsError: the description of an extraction cannot be read.
    """
    if settings.dataset == "sample":
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

    def load_media_encoder() -> Any:
        from modeling_amess import AmessMediaEncoder

        return AmessMediaEncoder.from_pretrained(folder)

    lengths = {name: getattr(description, name) for name in ("max_video_length", "max_audio_length")}
    # Whoever publishes features without the encoders' hundreds of megabytes leaves the folder out.
    loader = load_media_encoder if folder.is_dir() else None
    return FeatureSource(description.media_encoder, lengths, description.dataset, loader)
