# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `python -m dataset_scripts.push_datasets`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets

from ..extraction.folder import (
    DESCRIPTION_FILE,
    ExtractedFeaturesError,
    FeaturesDescription,
    load_extracted_features,
    read_description,
)
from ..loading import load_intent_dataset
from ..registry import CONFIG_NAMES, DATASETS, PUBLISHABLE, LicenseTerms, license_terms
from ..released_files import DataDirError
from .card import dataset_card
from .push import HubCommit, HubPushError, check_repo_id, describe_push, push_commit


# A shard is read whole by whoever looks at one row of it.
SHARD_BYTES = 500 * 2**20


class RightToPublishError(RuntimeError):
    """The data are others' and nobody has said that they may be published. The message says what is known."""


def push_dataset(
    name: str,
    repo_id: str,
    *,
    configs: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    scope: str = "in-scope",
    private: bool = False,
    tag: str | None = None,
    license: str | None = None,
    right_to_publish: bool = False,
) -> HubCommit:
    """Push a data set.

    Args:
        name: `sample`, `mintrec`, `mintrec2`, or the folder of an extraction.
        repo_id: `owner/name`.
        configs: of `CONFIGS`, the default one first; by default all that need nothing but what is there: for `sample`
            all, for the released data sets `features`, `text` and `label_descriptions`.
        data_dir, scope: as for [`load_intent_dataset`].
        private: make a new repository private.
        tag: a name for the commit.
        license: licence id for the card; by default what is known about the data.
        right_to_publish: whoever calls has the right to publish data that are not this project's.

    Raises:
        RightToPublishError: `right_to_publish` is needed.
        HubPushError: why nothing was pushed.
        ValueError, DataDirError, ExtractedFeaturesError: the data set cannot be built.
    """
    check_repo_id(repo_id)
    check_right(name, right_to_publish)
    with tempfile.TemporaryDirectory() as folder:
        files = dataset_files(
            name, repo_id, Path(folder), configs=configs, data_dir=data_dir, scope=scope, license=license
        )
        return push_commit(
            repo_id,
            files,
            repo_type="dataset",
            message=f"Publish {Path(name).name}",
            private=private,
            tag=tag,
            replaces=("*.parquet",),
        )


def check_right(name: str, right_to_publish: bool) -> None:
    """Warn of data whose terms are not this project's; raise RightToPublishError unless `right_to_publish`."""
    terms = terms_of(name)
    if terms.open:
        return
    warning = f"{terms.title} is not this project's to give away. {terms.terms}"
    if not right_to_publish:
        raise RightToPublishError(
            f"{warning} Ask who owns it; with their consent, add --i_have_the_right_to_publish. --private alone is no "
            "consent: it still copies the data to the Hub."
        )
    print(f"Warning: {warning} It is published on your word that you may.", file=sys.stderr)


def terms_of(name: str) -> LicenseTerms:
    """Origin and terms of a data set or of the one that an extraction was made from."""
    if name in PUBLISHABLE:
        return license_terms(name)
    return license_terms(_description(name).dataset or name)


def dataset_files(
    name: str,
    repo_id: str,
    folder: Path,
    *,
    configs: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    scope: str = "in-scope",
    license: str | None = None,
) -> dict[str, Path | bytes]:
    """Write the Parquet files into `folder`; path in the repository -> file, or content for the card."""
    built = build_configs(name, configs, data_dir, scope)
    files: dict[str, Path | bytes] = {}
    num_bytes: dict[str, dict[str, int]] = {}
    for config, splits in built.items():
        (folder / config).mkdir(parents=True)
        num_bytes[config] = {}
        for split, rows in splits.items():
            shards = _write_shards(rows, folder, f"{config}/{split}")
            files |= shards
            num_bytes[config][split] = sum(path.stat().st_size for path in shards.values())
    encoder = None if name in PUBLISHABLE else _description(name).media_encoder
    files["README.md"] = str(dataset_card(repo_id, terms_of(name), built, num_bytes, license, encoder)).encode()
    return files


def build_configs(
    name: str, configs: Sequence[str] | None, data_dir: str | Path | None, scope: str
) -> dict[str, datasets.DatasetDict]:
    """Config -> splits. In `clips` the column `clip` holds the bytes of the files."""
    if name not in PUBLISHABLE:
        return _extraction_configs(name)
    if configs is None:
        configs = DATASETS[name].published_configs
    built = {}
    for config in configs:
        splits = load_intent_dataset(name, config_name=config, data_dir=data_dir, scope=scope)
        built[config] = _as_video(splits) if config == "clips" else splits
    return built


def _extraction_configs(folder: str) -> dict[str, datasets.DatasetDict]:
    dataset = _description(folder).dataset
    splits = load_extracted_features(folder)
    # The paths of this machine's clips are nobody else's business.
    for split, rows in splits.items():
        if "clip" in rows.column_names:
            names = [None if path is None else Path(path).name for path in rows.with_format(None)["clip"][:]]
            features = rows.features
            rows = rows.remove_columns("clip").add_column("clip", names, feature=datasets.Value("string"))
            splits[split] = rows.select_columns(list(features))
    built = {"features": splits}
    if dataset in PUBLISHABLE:
        built["label_descriptions"] = load_intent_dataset(dataset, config_name="label_descriptions")
    return built


def _description(folder: str) -> FeaturesDescription:
    if not (Path(folder) / DESCRIPTION_FILE).is_file():
        raise ExtractedFeaturesError(
            f"{folder!r} is neither a data set ({', '.join(PUBLISHABLE)}) nor a folder that `amess extract` wrote: there is "
            f"no {DESCRIPTION_FILE} in it."
        )
    return read_description(folder)


def _as_video(splits: datasets.DatasetDict) -> datasets.DatasetDict:
    # Undecoded: whoever loads it needs no decoder until a clip is looked at.
    return datasets.DatasetDict(
        {split: rows.cast_column("clip", datasets.Video(decode=False)) for split, rows in splits.items()}
    )


def _write_shards(rows: datasets.Dataset, folder: Path, stem: str) -> dict[str, Path]:
    """Write `<stem>-00000-of-0000N.parquet`, each with about `SHARD_BYTES`; path in the repository -> file."""
    size = rows.data.nbytes
    if isinstance(rows.features.get("clip"), datasets.Video):
        size += sum(Path(clip["path"]).stat().st_size for clip in rows["clip"] if clip is not None)
    number = min(max(1, -(-size // SHARD_BYTES)), max(len(rows), 1))
    written = {}
    for index in range(number):
        name = f"{stem}-{index:05d}-of-{number:05d}.parquet"
        shard = rows.shard(number, index, contiguous=True)
        if isinstance(rows.features.get("clip"), datasets.Video):
            cache = str(folder / f"{name}.arrow")
            shard = shard.map(_with_bytes, features=rows.features, cache_file_name=cache, load_from_cache_file=False)
        shard.to_parquet(folder / name)
        written[name] = folder / name
    return written


def _with_bytes(row: Mapping[str, Any]) -> dict[str, Any]:
    if row["clip"] is None:
        return {"clip": None}
    path = Path(row["clip"]["path"])
    return {"clip": {"bytes": path.read_bytes(), "path": f"{row['id']}{path.suffix}"}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. What the user can mend is told without a traceback."""
    parser = argparse.ArgumentParser(
        prog="python -m dataset_scripts.push_datasets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", help=f"{', '.join(PUBLISHABLE)}, or a folder that `amess extract` wrote")
    parser.add_argument("--repo", required=True, help="owner/name of the data set on the Hub")
    parser.add_argument("--configs", nargs="+", choices=CONFIG_NAMES, help="the default config first")
    parser.add_argument("--data_dir", help="unpacked download of MIntRec or MIntRec2.0")
    parser.add_argument("--scope", default="in-scope", help="of mintrec2: in-scope, out-of-scope or all")
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    parser.add_argument("--tag", help="a name for the commit, such as v1")
    parser.add_argument("--license", help="licence id for the card; by default what is known about the data")
    parser.add_argument(
        "--i_have_the_right_to_publish", action="store_true", help="needed for data that are not this project's"
    )
    parser.add_argument("--dry_run", action="store_true", help="list what would be pushed; the Hub is not asked")
    given = parser.parse_args(arguments)
    options = {
        "configs": given.configs,
        "data_dir": given.data_dir,
        "scope": given.scope,
        "license": given.license,
    }
    try:
        if given.dry_run:
            check_repo_id(given.repo)
            with tempfile.TemporaryDirectory() as folder:
                files = dataset_files(given.dataset, given.repo, Path(folder), **options)
                print(describe_push(given.repo, files, repo_type="dataset", private=given.private, tag=given.tag))
            return
        commit = push_dataset(
            given.dataset,
            given.repo,
            private=given.private,
            tag=given.tag,
            right_to_publish=given.i_have_the_right_to_publish,
            **options,
        )
    except (HubPushError, RightToPublishError, ExtractedFeaturesError, DataDirError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(f"{'Pushed' if commit.changed else 'Nothing to push, it is there'}: {commit.url}")
    print(f'Load it with load_dataset("{given.repo}", revision="{commit.revision}").')
