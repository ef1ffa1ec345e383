# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Make the prepared features of the sample anew, after its rows, renderer or encoder have changed.

    python -m dataset_scripts.prepare_sample

The command renders every clip, measures the encoder's features on the training split (mean and deviation for frames,
`sample/encoder_statistics.json`; principal components for sound, `sample/sound_projection.safetensors`), and extracts
the features with the encoder that is standardised by them (`sample/features.parquet`). The three files belong in the
repository. The speech in the clips comes from `python -m dataset_scripts.sample.speech`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from modeling_amess import AmessMediaEncoder

from ..extraction.folder import load_extracted_features
from ..extraction.run import extract_features
from ..extraction.settings import ExtractionSettings
from .clips import render_sample, renderer_fingerprint
from .encoder import PROJECTION_FILE, STATISTICS_FILE, sample_media_encoder
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
    # Standardising divides small differences between large numbers: half precision would lose a fifth of a deviation.
    settings = ExtractionSettings(dtype="float32", use_cpu=True, num_workers=0)
    report = extract_features(rows, output, encoder, settings, progress=progress)
    if report.failed:
        raise RuntimeError(f"{report.failed} of the sample's own clips failed. See {output}/failed.jsonl.")
    return {
        row["id"]: {modality: row[f"{modality}_features"] for modality in FEATURE_SIZES}
        for part in load_extracted_features(output).values()
        for row in part
    }


def prepare_sample(folder: Path) -> None:
    """Make the files anew. `folder` holds the clips and the extraction on the way."""
    measured = extract_sample(folder / "clips", folder / "measured", sample_media_encoder(standardise=False))
    train = [measured[row["id"]] for row in read_sample("train")]
    frames, steps = (np.concatenate([row[modality] for row in train]) for modality in FEATURE_SIZES)
    mean, deviation = (np.round(values, 5) for values in (frames.mean(0, dtype=np.float64), frames.std(0)))
    statistics = {"mean": mean.tolist(), "deviation": deviation.tolist()}
    STATISTICS_FILE.write_text(json.dumps({"video": statistics}) + "\n", encoding="utf-8")
    projection = principal_components(steps, FEATURE_SIZES["audio"])
    save_file(projection, PROJECTION_FILE)
    # Both standardisations are the last, linear step of the encoder: nothing has to be encoded a second time.
    features = {
        row_id: {
            "video": (row["video"] - mean) / deviation,
            "audio": row["audio"] @ projection["weight"].numpy().T + projection["bias"].numpy(),
        }
        for row_id, row in measured.items()
    }
    write_prepared_features(features, sample_media_encoder().record, renderer_fingerprint())


def principal_components(features: np.ndarray, size: int) -> dict[str, torch.Tensor]:
    """Compute the linear layer that gives the largest principal components, each with mean 0 and deviation 1.

    Args:
        features: Features `(rows, input size)`.
        size: Number of components.

    Returns:
        `weight` `(size, input size)` and `bias` `(size,)`.
    """
    mean = features.mean(0, dtype=np.float64)
    variances, directions = np.linalg.eigh(np.cov((features - mean).T, ddof=0))
    weight = (directions / np.sqrt(variances))[:, ::-1][:, :size].T
    # A direction and its opposite are equally good; this one is the same everywhere.
    weight *= np.sign(weight[np.arange(size), np.abs(weight).argmax(1)])[:, None]
    layer = {"weight": weight, "bias": -weight @ mean}
    return {name: torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)) for name, values in layer.items()}


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
