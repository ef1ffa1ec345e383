# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Importable data set builders (not loading scripts, which `datasets` 4 and later refuse). See README.md."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .extraction.folder import ExtractedFeaturesError, load_extracted_features
    from .extraction.rows import ClipRowsError
    from .feature_pickles import FeaturePickleError, load_feature_pickle
    from .labels import (
        MINTREC2_LABELS,
        MINTREC_LABELS,
        OUT_OF_SCOPE_LABEL,
        UnknownLabelError,
        label_names,
        load_label_descriptions,
        normalize_label,
    )
    from .loading import load_intent_dataset
    from .mintrec import MIntRec
    from .mintrec2 import MIntRec2
    from .planted import PlantedDataset, PlantedSettings
    from .released_files import DataDirError
    from .sample.builder import IntentSample
    from .tsv import TsvError

# Names are imported when first asked for: the labels alone should not cost an import of `datasets`.
_MODULE_OF = {
    "ClipRowsError": "extraction.rows",
    "ExtractedFeaturesError": "extraction.folder",
    "load_extracted_features": "extraction.folder",
    "FeaturePickleError": "feature_pickles",
    "load_feature_pickle": "feature_pickles",
    "MINTREC2_LABELS": "labels",
    "MINTREC_LABELS": "labels",
    "OUT_OF_SCOPE_LABEL": "labels",
    "UnknownLabelError": "labels",
    "label_names": "labels",
    "load_label_descriptions": "labels",
    "normalize_label": "labels",
    "load_intent_dataset": "loading",
    "MIntRec": "mintrec",
    "MIntRec2": "mintrec2",
    "PlantedDataset": "planted",
    "PlantedSettings": "planted",
    "DataDirError": "released_files",
    "IntentSample": "sample.builder",
    "TsvError": "tsv",
}

__all__ = [
    "MINTREC2_LABELS",
    "MINTREC_LABELS",
    "OUT_OF_SCOPE_LABEL",
    "ClipRowsError",
    "DataDirError",
    "ExtractedFeaturesError",
    "FeaturePickleError",
    "IntentSample",
    "MIntRec",
    "MIntRec2",
    "PlantedDataset",
    "PlantedSettings",
    "TsvError",
    "UnknownLabelError",
    "label_names",
    "load_extracted_features",
    "load_feature_pickle",
    "load_intent_dataset",
    "load_label_descriptions",
    "normalize_label",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
