# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`load_intent_dataset`: any of the data sets by name."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import datasets
import datasets.exceptions

from .feature_pickles import FeaturePickleError
from .labels import nearest_name
from .planted import PlantedDataset, PlantedSettings


DATASET_NAMES: tuple[str, ...] = ("sample", "mintrec", "mintrec2", "planted")
CONFIG_NAMES: tuple[str, ...] = ("features", "text", "clips", "label_descriptions")


def load_intent_dataset(
    name: str,
    *,
    config_name: str = "features",
    data_dir: str | Path | None = None,
    scope: str = "in-scope",
    cache_dir: str | Path | None = None,
    **options: Any,
) -> datasets.DatasetDict | dict[str, PlantedDataset]:
    """Load a data set with its splits `train`, `validation` and `test`, as far as they exist.

    Args:
        name: `sample` (embedded), `mintrec`, `mintrec2` (released files in `data_dir`) or `planted` (the synthetic
            benchmark over the MIntRec texts in `data_dir`, without it over the sample's texts).
        config_name: `features`, `text`, `clips` (not `planted`; column `clip` holds the path of the video, None where
            it is not there) or `label_descriptions` (one split, `train`: label, description_1, ...).
        data_dir: the unpacked download of MIntRec or MIntRec2.0.
        scope: MIntRec2.0 only: `in-scope`, `out-of-scope` or `all`.
        cache_dir: where the Arrow files go; by default the cache of `datasets`.
        options: for `mintrec` and `mintrec2` the fields of `FeatureFilesConfig` (`video_features_file`,
            `video_feature_size`, ..., `strict`), for `planted` those of `PlantedSettings` and `texts` (`mintrec` or
            `sample`).

    Returns:
        A `DatasetDict` whose rows hold numpy arrays (format "numpy"), for `planted` a dict of `PlantedDataset`.

    Raises:
        ValueError: an unknown name, configuration, scope or option.
        DataDirError: `data_dir` is missing or lacks the files; the message draws the layout expected.
        TsvError, UnknownLabelError, FeaturePickleError: a defect in the files, with file and place.
    """
    _check_choice("data set", name, DATASET_NAMES)
    _check_choice("configuration", config_name, CONFIG_NAMES)
    if scope != "in-scope" and name != "mintrec2":
        raise ValueError(f"scope={scope!r} is for mintrec2 only; {name} has no out-of-scope part")
    if name == "planted" and config_name == "clips":
        raise ValueError("the planted benchmark is made of features; it has no clips")
    if name == "planted" and config_name != "label_descriptions":
        return _load_planted(config_name, data_dir, cache_dir, options)
    builder_class, builder_options = _builder(name, data_dir, scope, options)
    known = inspect.signature(builder_class.BUILDER_CONFIG_CLASS).parameters
    _check_options(name, options, [option for option in known if option not in _BASE_OPTIONS])
    builder = builder_class(
        config_name=config_name, cache_dir=None if cache_dir is None else str(cache_dir), **builder_options
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


_BASE_OPTIONS = ("name", "version", "data_dir", "data_files", "description", "scope")


def _builder(name: str, data_dir: str | Path | None, scope: str, options: dict[str, Any]):
    if name in ("sample", "planted"):
        from .sample.builder import IntentSample

        return IntentSample, dict(options)
    released = {**options, "data_dir": None if data_dir is None else str(data_dir)}
    if name == "mintrec":
        from .mintrec import MIntRec

        return MIntRec, released
    from .mintrec2 import MIntRec2

    return MIntRec2, {**released, "scope": scope}


def _load_planted(
    config_name: str, data_dir: str | Path | None, cache_dir: str | Path | None, options: dict[str, Any]
) -> dict[str, PlantedDataset]:
    known = [field.name for field in fields(PlantedSettings)]
    _check_options("planted", options, [*known, "texts"])
    texts = options.pop("texts", None) or ("sample" if data_dir is None else "mintrec")
    _check_choice("source of texts", texts, ("sample", "mintrec"))
    settings = PlantedSettings(**options)
    source = load_intent_dataset(
        texts, config_name="text", data_dir=data_dir if texts == "mintrec" else None, cache_dir=cache_dir
    )
    result = {}
    for split, rows in source.items():
        names = rows.features["label"].names
        triples = [
            (row_id, text, names[label])
            for row_id, text, label in zip(rows["id"], rows["text"], rows["label"], strict=True)
        ]
        result[split] = PlantedDataset(split, triples, settings, with_features=config_name == "features")
    return result


def _check_choice(what: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        nearest = nearest_name(str(value), valid)
        raise ValueError(f"unknown {what} {value!r}; did you mean {nearest!r}? Known: {', '.join(valid)}")


def _check_options(name: str, options: dict[str, Any], known: list[str]) -> None:
    for option in options:
        if option in known:
            continue
        if not known:
            raise ValueError(f"data set {name} takes no option {option!r}, nor any other")
        nearest = nearest_name(option, known)
        raise ValueError(
            f"data set {name} takes no option {option!r}; did you mean {nearest!r}? Known: {', '.join(known)}"
        )
