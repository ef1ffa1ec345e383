# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Make the prepared features of the sample anew, after its rows, renderer or encoder have changed.

    python -m dataset_scripts.prepare_sample

The command renders every clip, measures mean and deviation of the untrained encoder's features on the training split
(`sample/encoder_statistics.json`), and extracts the features with the encoder that is standardised by them
(`sample/features.parquet`). Both files belong in the repository.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modeling_amess import AmessMediaEncoder

from ..extraction.folder import load_extracted_features
from ..extraction.run import extract_features
from ..extraction.settings import ExtractionSettings
from .clips import render_sample, renderer_fingerprint
from .encoder import STATISTICS_FILE, sample_media_encoder
from .features import FEATURE_SIZES, write_prepared_features
from .rows import SPLITS, read_sample


def extract_sample(
    clips: Path,
    output: Path,
    encoder: AmessMediaEncoder,
    splits: Sequence[str] = SPLITS,
    limit: int | None = None,
    progress: bool = True,
) -> dict[str, dict[str, np.ndarray]]:
    """Extract the features of the sample's clips; return them by row id and modality.

    Args:
        clips: Folder of the rendered clips. Clips that are missing are rendered.
        output: Folder of the extraction.
        encoder: Media encoder.
        splits: Splits to extract.
        limit: Number of rows per split, or None for all.
        progress: Whether to show bars.
    """
    paths = render_sample(clips, splits, limit=limit, progress=progress)
    rows = [
        {"id": row["id"], "split": split, "clip": str(paths[row["id"]].resolve())}
        for split in splits
        for row in read_sample(split)[:limit]
    ]
    settings = ExtractionSettings(use_cpu=True, num_workers=0)
    report = extract_features(rows, output, encoder, settings, progress=progress)
    if report.failed:
        raise RuntimeError(f"{report.failed} of the sample's own clips failed. See {output}/failed.jsonl.")
    return {
        row["id"]: {modality: row[f"{modality}_features"] for modality in FEATURE_SIZES}
        for part in load_extracted_features(output).values()
        for row in part
    }


def prepare_sample(folder: Path) -> None:
    """Make both files anew. `folder` holds the clips and the extractions on the way."""
    measured = extract_sample(folder / "clips", folder / "measured", sample_media_encoder(False), ("train",))
    statistics = {}
    for modality in FEATURE_SIZES:
        frames = np.concatenate([row[modality] for row in measured.values()])
        statistics[modality] = {
            "mean": np.round(frames.mean(0, dtype=np.float64), 5).tolist(),
            "deviation": np.round(frames.std(0, dtype=np.float64), 5).tolist(),
        }
    STATISTICS_FILE.write_text(json.dumps(statistics) + "\n", encoding="utf-8")
    encoder = sample_media_encoder()
    features = extract_sample(folder / "clips", folder / "features", encoder)
    write_prepared_features(features, encoder.record, renderer_fingerprint())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `python -m dataset_scripts.prepare_sample`."""
    parser = argparse.ArgumentParser(
        prog="python -m dataset_scripts.prepare_sample",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, help="folder that keeps clips and extractions (a temporary one)")
    options = parser.parse_args(arguments)
    if options.folder is not None:
        prepare_sample(options.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare_sample(Path(folder))
