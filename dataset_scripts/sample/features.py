# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The prepared features of the sample, which were extracted from its rendered clips.

They are part of the repository so that a first training does not begin with rendering and encoding 500 clips.
`prepare_sample.py` makes the file anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .rows import SAMPLE_FOLDER


PREPARED_FILE = SAMPLE_FOLDER / "features.parquet"
FEATURE_SIZES: dict[str, int] = {"video": 64, "audio": 64}
_RECORD_KEY = b"media_encoder"
_RENDERER_KEY = b"renderer"


def sample_encoder_record() -> dict[str, Any]:
    """Return the encoder record of the features, as `AmessConfig.media_encoder` holds it."""
    return dict(json.loads(pq.read_schema(PREPARED_FILE).metadata[_RECORD_KEY]))


def prepared_renderer() -> str:
    """Return the fingerprint (`clips.renderer_fingerprint`) of the renderer of the clips."""
    return str(pq.read_schema(PREPARED_FILE).metadata[_RENDERER_KEY], "utf-8")


def read_prepared_features() -> dict[str, dict[str, np.ndarray]]:
    """Read `{row id: {"video": (frames, 64), "audio": (steps, 64)}}`, with zero frames if missing."""
    table = pq.read_table(PREPARED_FILE)
    columns = {
        modality: [
            np.asarray(flat.values, dtype=np.float32).reshape(-1, size) for flat in table[f"{modality}_features"]
        ]
        for modality, size in FEATURE_SIZES.items()
    }
    return {
        row_id: {modality: column[index] for modality, column in columns.items()}
        for index, row_id in enumerate(table["id"].to_pylist())
    }


def write_prepared_features(
    features: Mapping[str, Mapping[str, np.ndarray]], media_encoder: Mapping[str, Any], renderer: str
) -> None:
    """Write the prepared features.

    Args:
        features: Features by row id and modality. The file holds them as float16.
        media_encoder: Encoder record.
        renderer: Fingerprint of the renderer.
    """
    columns = {"id": pa.array(list(features), pa.string())}
    for modality in FEATURE_SIZES:
        flat = [row[modality].astype(np.float16).reshape(-1) for row in features.values()]
        columns[f"{modality}_features"] = pa.array(flat, pa.list_(pa.float16()))
    table = pa.table(columns).replace_schema_metadata(
        {_RECORD_KEY: json.dumps(media_encoder).encode(), _RENDERER_KEY: renderer.encode()}
    )
    pq.write_table(
        table,
        PREPARED_FILE,
        compression="zstd",
        compression_level=19,
        use_dictionary=False,
        column_encoding={f"{modality}_features.list.element": "BYTE_STREAM_SPLIT" for modality in FEATURE_SIZES},
    )
