# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Importable data set builders. They are no loading scripts, which `datasets` 4 refuses."""

from __future__ import annotations

import importlib
from typing import Any


# Names are imported on first use: the labels alone should not cost an import of `datasets`.
_NAMES_OF_MODULES: dict[str, tuple[str, ...]] = {
    "errors": ("UserError",),
    "extraction.folder": ("ExtractedFeaturesError", "load_extracted_features"),
    "extraction.rows": ("ClipRowsError",),
    "extraction.settings": ("ExtractionSettings",),
    "feature_pickles": ("FeaturePickleError", "load_feature_pickle"),
    "labels": (
        "MINTREC2_LABELS",
        "MINTREC_LABELS",
        "OUT_OF_SCOPE_LABEL",
        "UnknownLabelError",
        "label_names",
        "load_label_descriptions",
        "normalize_label",
    ),
    "loading": ("load_intent_dataset",),
    "mintrec": ("MIntRec",),
    "mintrec2": ("MIntRec2",),
    "planted": ("PlantedDataset", "PlantedSettings"),
    "registry": ("DATASETS", "DatasetEntry"),
    "released_files": ("DataDirError",),
    "sample.builder": ("IntentSample",),
    "tsv": ("TsvError",),
}
_MODULES = {name: module for module, names in _NAMES_OF_MODULES.items() for name in names}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
