# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The card of a published data set: metadata for `load_dataset`, and the content in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import datasets
import numpy as np
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, DatasetCardData

from ..markdown import Markdown, code, escape, table
from ..registry import LicenseTerms


_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_CONFIGS = {
    "features": "text, label and a feature vector for every video frame and audio step",
    "text": "text and label",
    "clips": "text, label and the clip itself",
    "label_descriptions": "one row per label, with the sentences that describe it",
}
_COLUMNS = {
    "id": "name of the utterance",
    "text": "what is said",
    "label": "the intent, a `ClassLabel`",
    "video_features": "`(frames, size)`; zero frames where there is no picture",
    "audio_features": "`(steps, size)`; zero steps where there is no sound",
    "clip": "the video: its bytes in the config `clips`, elsewhere its name",
    "expression": "what the face or hands show",
    "tone": "how the voice sounds",
    "dialogue_id": "the dialogue that the utterance is part of",
    "utterance_id": "its place there",
    "speaker": "who speaks",
    "source": "the series",
    "start": "seconds from the beginning of the episode",
    "end": "likewise",
    "error": "why the clip has no features",
}


def dataset_card(
    repo_id: str,
    terms: LicenseTerms,
    configs: Mapping[str, datasets.DatasetDict],
    num_bytes: Mapping[str, Mapping[str, int]],
    license: str | None = None,
    media_encoder: Mapping[str, Any] | None = None,
) -> DatasetCard:
    """Write the card of a published data set.

    Args:
        repo_id: Id of the repository.
        terms: Origin and terms of the data set.
        configs: Splits by name of the config. The first config is the default.
        num_bytes: Size of the files `<config>/<split>-*.parquet` by config and split.
        license: Licence id, by default that of the terms.
        media_encoder: Encoder record of the features, where it is known.
    """
    metadata = _metadata(repo_id, terms, configs, num_bytes, license)
    return DatasetCard(f"---\n{metadata.to_yaml()}\n---\n\n{_body(repo_id, terms, configs, media_encoder or {})}")


def _metadata(
    repo_id: str,
    terms: LicenseTerms,
    configs: Mapping[str, datasets.DatasetDict],
    num_bytes: Mapping[str, Mapping[str, int]],
    license: str | None,
) -> DatasetCardData:
    stated: dict[str, Any] = {"license": license or terms.license}
    if license is None and terms.license_name is not None:
        stated |= {"license_name": terms.license_name, "license_link": terms.license_link}
    default = next(iter(configs))
    rows = sum(len(split) for split in configs[default].values())
    data = DatasetCardData(
        language="en",
        **stated,
        pretty_name=repo_id.rpartition("/")[2],
        task_categories=["video-classification", "text-classification"],
        size_categories=[next((name for limit, name in _SIZES if rows < limit), "n>1T")],
        tags=["multimodal", "intent-recognition"],
    )
    infos = {
        name: datasets.DatasetInfo(
            features=next(iter(splits.values())).features,
            splits=datasets.SplitDict(
                {split: datasets.SplitInfo(split, num_bytes[name][split], len(part)) for split, part in splits.items()}
            ),
            download_size=sum(num_bytes[name].values()),
            dataset_size=sum(num_bytes[name].values()),
        )
        for name, splits in configs.items()
    }
    DatasetInfosDict(infos).to_dataset_card_data(data)
    MetadataConfigs(
        {
            name: {
                "data_files": [{"split": split, "path": f"{name}/{split}-*"} for split in splits],
                # The config that `load_dataset` takes when none is named.
                **({"default": True} if name == default else {}),
            }
            for name, splits in configs.items()
        }
    ).to_dataset_card_data(data)
    return data


def _body(
    repo_id: str,
    terms: LicenseTerms,
    configs: Mapping[str, datasets.DatasetDict],
    media_encoder: Mapping[str, Any],
) -> str:
    default = next(iter(configs))
    first = next(iter(configs[default]))
    example = f'rows = load_dataset("{repo_id}", "{default}", split="{first}").with_format("numpy")\nprint(rows[0])'
    sizes = [
        (code(name), _CONFIGS[name], ", ".join(f"{split} {len(part):,}" for split, part in splits.items()))
        for name, splits in configs.items()
    ]
    present = {column for splits in configs.values() for part in splits.values() for column in part.column_names}
    columns = [(code(name), Markdown(meaning)) for name, meaning in _COLUMNS.items() if name in present]
    parts = [
        f"# {repo_id.rpartition('/')[2]}",
        "Utterances with the intent behind them, for multimodal intent recognition with "
        f"[A-MESS](https://arxiv.org/abs/2503.19474): {terms.title}. {terms.domain}",
        "## Use",
        f"```python\nfrom datasets import load_dataset\n\n{example}\n```",
        "## What is in it",
        table(("config", "what", "rows"), sizes, "---"),
    ]
    if columns:
        parts.append(table(("column", "meaning"), columns, "---"))
    encoders = [(name, media_encoder[name]) for name in ("video", "audio") if media_encoder.get(name)]
    parts += [
        f"The {name} features are the {escape(part['pooling'])} of {code(_encoder_name(part['name']))}, revision "
        f"{code(part['revision'])}."
        for name, part in encoders
    ]
    counts = _label_counts(configs)
    if counts is not None:
        parts += ["## Intents", counts]
    parts += [
        "## Limits and misuse",
        "An intent is what annotators read into an utterance. A model trained on it repeats their reading in their "
        "kind of scene. Faces and voices are personal data. Not for employment, policing or surveillance.",
        "## Licence",
        terms.terms,
    ]
    return "\n\n".join(parts) + "\n"


def _encoder_name(name: str) -> str:
    """The Hub id, or the last part of the path of a folder."""
    return PurePath(name).name if PurePath(name).is_absolute() else name


def _label_counts(configs: Mapping[str, datasets.DatasetDict]) -> str | None:
    for splits in configs.values():
        label = next(iter(splits.values())).features.get("label")
        if isinstance(label, datasets.ClassLabel):
            counts = [
                np.bincount(np.asarray(part.with_format("numpy")["label"][:]), minlength=label.num_classes)
                for part in splits.values()
            ]
            rows = [(name, *(int(count[index]) for count in counts)) for index, name in enumerate(label.names)]
            return table(("intent", *splits), rows)
    return None
