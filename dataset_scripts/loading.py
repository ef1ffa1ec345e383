# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`load_intent_dataset`: any data set of the registry by its name."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import datasets
import datasets.exceptions

from .errors import UserError
from .feature_pickles import FeaturePickleError
from .labels import check_choice, nearest_name
from .planted import PlantedDataset, PlantedSettings
from .registry import CONFIG_NAMES, DATASETS


DATASET_NAMES: tuple[str, ...] = tuple(DATASETS)
# Fields of a builder's configuration that the caller does not give as options.
_BASE_OPTIONS = ("name", "version", "data_dir", "data_files", "description", "scope")


def load_intent_dataset(
    name: str,
    *,
    config_name: str = "features",
    data_dir: str | Path | None = None,
    scope: str = "in-scope",
    cache_dir: str | Path | None = None,
    **options: Any,
) -> datasets.DatasetDict | dict[str, PlantedDataset]:
    """Load a data set with those of its splits `train`, `validation` and `test` that exist.

    Args:
        name: Name of the data set: `sample` (embedded), `mintrec`, `mintrec2` (released files in `data_dir`) or
            `planted` (the synthetic benchmark over the MIntRec texts in `data_dir`, without it over the sample's).
        config_name: `features`, `text`, `clips` (not `planted`; column `clip` holds the path of the clip, or None
            where the file is missing) or `label_descriptions` (one split, `train`: label, description_1, ...).
        data_dir: Folder with the unpacked download of MIntRec or MIntRec2.0.
        scope: Utterances of MIntRec2.0: `in-scope`, `out-of-scope` or `all`.
        cache_dir: Folder of the Arrow files, by default the cache of `datasets`.
        options: For `mintrec` and `mintrec2` the fields of `FeatureFilesConfig` (`video_features_file`,
            `video_feature_size`, ..., `strict`), for `planted` those of `PlantedSettings` and `texts` (`mintrec` or
            `sample`).

    Returns:
        A `DatasetDict` whose rows hold numpy arrays (format "numpy"), for `planted` a dict of `PlantedDataset`.

    Raises:
        UserError: The name, configuration, scope or an option is unknown.
        DataDirError: `data_dir` is missing or lacks files. The message draws the expected layout.
        TsvError: A row of a file is malformed. The message names file and place.
        UnknownLabelError: A file has a label that the data set does not know.
        FeaturePickleError: A file of features is malformed.
    """
    check_choice("data set", name, DATASET_NAMES)
    check_choice("configuration", config_name, CONFIG_NAMES)
    entry = DATASETS[name]
    if scope != "in-scope" and len(entry.scopes) == 1:
        having = " and ".join(other for other in DATASETS if len(DATASETS[other].scopes) > 1)
        raise UserError(f"scope={scope!r} is for {having} only. {name} has no out-of-scope part.")
    if config_name not in entry.configs:
        raise UserError(f"{name} has no {config_name}. Its configurations: {', '.join(entry.configs)}.")
    if entry.texts and config_name != "label_descriptions":
        return _load_planted(name, config_name, data_dir, cache_dir, options)
    builder_class = entry.load_builder()
    known = inspect.signature(builder_class.BUILDER_CONFIG_CLASS).parameters
    _check_options(name, options, [option for option in known if option not in _BASE_OPTIONS])
    if entry.needs_data_dir:
        options["data_dir"] = None if data_dir is None else str(data_dir)
    if len(entry.scopes) > 1:
        options["scope"] = scope
    builder = builder_class(
        config_name=config_name, cache_dir=None if cache_dir is None else str(cache_dir), **options
    )
    try:
        builder.download_and_prepare()
    except datasets.exceptions.DatasetGenerationError as error:
        # `datasets` hides the reason behind "An error occurred while generating the dataset".
        if isinstance(error.__cause__, FeaturePickleError):
            raise error.__cause__ from None
        raise
    dataset = builder.as_dataset()
    return dataset.with_format("numpy") if config_name == "features" else dataset


def _load_planted(
    name: str, config_name: str, data_dir: str | Path | None, cache_dir: str | Path | None, options: dict[str, Any]
) -> dict[str, PlantedDataset]:
    known = [field.name for field in fields(PlantedSettings)]
    _check_options(name, options, [*known, "texts"])
    texts = options.pop("texts", None) or DATASETS[name].default_texts(data_dir)
    check_choice("source of texts", texts, tuple(DATASETS[name].texts))
    settings = PlantedSettings(**options)
    text_dir = data_dir if DATASETS[texts].needs_data_dir else None
    splits = load_intent_dataset(texts, config_name="text", data_dir=text_dir, cache_dir=cache_dir)
    assert isinstance(splits, datasets.DatasetDict)
    result = {}
    for split, rows in splits.items():
        names = rows.features["label"].names
        triples = [
            (row_id, text, names[label])
            for row_id, text, label in zip(rows["id"], rows["text"], rows["label"], strict=True)
        ]
        result[split] = PlantedDataset(split, triples, settings, with_features=config_name == "features")
    return result


def _check_options(name: str, options: dict[str, Any], known: list[str]) -> None:
    for option in options:
        if option in known:
            continue
        if not known:
            raise UserError(f"Data set {name} has no option {option!r}, nor any other.")
        nearest = nearest_name(option, known)
        raise UserError(
            f"Data set {name} has no option {option!r}. Did you mean {nearest!r}? Known: {', '.join(known)}."
        )
