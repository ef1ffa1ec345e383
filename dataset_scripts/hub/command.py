# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Push a built data set to the Hugging Face Hub: Parquet files of its configs, and a card.

    python -m dataset_scripts.push_datasets sample --repo org/amess-sample --dry_run
    python -m dataset_scripts.push_datasets sample --repo org/amess-sample --tag v1
    python -m dataset_scripts.push_datasets features/ --repo org/my-features --private --i_have_the_right_to_publish
    python -m dataset_scripts.push_datasets mintrec --data_dir MIntRec --configs text label_descriptions --repo ...

A data set is a name (`--help` lists them) or a folder that `amess extract` wrote. All configs arrive in one commit;
`load_dataset` then loads them without any code of this project. Data whose terms are not those of this project are
pushed only with `--i_have_the_right_to_publish`.

Log in with `hf auth login` or set HF_TOKEN. A push that fails leaves the Hub unchanged; give the same command again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets

from ..errors import UserError
from ..extraction.folder import (
    DESCRIPTION_FILE,
    ExtractedFeaturesError,
    FeaturesDescription,
    load_extracted_features,
    read_description,
)
from ..loading import load_intent_dataset
from ..registry import CONFIG_NAMES, DATASETS, PUBLISHABLE, SCOPES, LicenseTerms, license_terms
from .card import dataset_card
from .push import (
    HubCommit,
    add_hub_arguments,
    check_access,
    check_repo_id,
    check_tag,
    describe_push,
    push_commit,
    show_card,
)


# Whoever looks at one row reads its whole shard.
SHARD_BYTES = 500 * 2**20


class RightToPublishError(UserError):
    """The data belong to others, and the user has not confirmed the right to publish them."""


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
        name: Name of a data set in `PUBLISHABLE`, or the folder of an extraction.
        repo_id: Id of the repository, `owner/name`.
        configs: Configs to push, the default one first. By default the entry's `published_configs`.
        data_dir: Folder of the release, as for [`load_intent_dataset`].
        scope: Utterances of MIntRec2.0, as for [`load_intent_dataset`].
        private: Whether a new repository is private.
        tag: Name of the commit.
        license: Licence id for the card, by default that of the license terms.
        right_to_publish: Whether the caller has the right to publish data that are not this project's.

    Raises:
        RightToPublishError: The data need `right_to_publish`.
        HubPushError: Nothing was pushed. The message says why.
        UserError: The data set cannot be built.
    """
    check_repo_id(repo_id)
    check_tag(tag)
    check_right(name, right_to_publish)
    check_access(repo_id)
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
    """Warn of data with foreign terms; raise RightToPublishError without `right_to_publish`."""
    terms = terms_of(name)
    if terms.open:
        return
    warning = f"{terms.title} is not this project's to give away. {terms.terms}"
    if not right_to_publish:
        raise RightToPublishError(
            f"{warning} Ask its owners. With their consent, add --i_have_the_right_to_publish. --private alone is no "
            "consent: it still copies the data to the Hub."
        )
    print(f"Warning: {warning} It is published because you confirmed that you may.", file=sys.stderr)


def terms_of(name: str) -> LicenseTerms:
    """Return the terms of a data set, or of the data set that an extraction was made from."""
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
    """Write the Parquet files into `folder`, and return the files to push by their path in the repository.

    Args:
        name: Name of the data set, or the folder of an extraction.
        repo_id: Id of the repository.
        folder: Folder that the Parquet files are written into.
        configs: Configs to push; see `push_dataset`.
        data_dir: Folder of the release.
        scope: Utterances of MIntRec2.0.
        license: Licence id for the card.
    """
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
    """Build the configs of a data set. In `clips` the column `clip` holds the bytes of the files."""
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
    # Others need not know the paths of this machine.
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
            f"{folder!r} is neither a data set ({', '.join(PUBLISHABLE)}) nor a folder that `amess extract` wrote: it "
            f"has no {DESCRIPTION_FILE}."
        )
    return read_description(folder)


def _as_video(splits: datasets.DatasetDict) -> datasets.DatasetDict:
    # Undecoded: loading needs no decoder until someone looks at a clip.
    return datasets.DatasetDict(
        {split: rows.cast_column("clip", datasets.Video(decode=False)) for split, rows in splits.items()}
    )


def _write_shards(rows: datasets.Dataset, folder: Path, stem: str) -> dict[str, Path]:
    """Write `<stem>-00000-of-0000N.parquet`, each about `SHARD_BYTES`: path in the repository -> file."""
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
    """Run `python -m dataset_scripts.push_datasets`.

    Raises:
        UserError: Nothing was pushed; see `push_dataset`.
    """
    parser = argparse.ArgumentParser(
        prog="amess push-data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", help=f"{', '.join(PUBLISHABLE)}, or a folder that `amess extract` wrote")
    add_hub_arguments(parser, "data set")
    parser.add_argument("--configs", nargs="+", choices=CONFIG_NAMES, help="configs to push, the default one first")
    parser.add_argument("--data_dir", help="folder of the unpacked download of MIntRec or MIntRec2.0")
    parser.add_argument("--scope", choices=SCOPES, default="in-scope", help="utterances of mintrec2 (%(default)s)")
    parser.add_argument(
        "--i_have_the_right_to_publish", action="store_true", help="needed for data that are not this project's"
    )
    given = parser.parse_args(arguments)
    options = {
        "configs": given.configs,
        "data_dir": given.data_dir,
        "scope": given.scope,
        "license": given.license,
    }
    if given.dry_run:
        check_repo_id(given.repo)
        check_tag(given.tag)
        terms = terms_of(given.dataset)
        with tempfile.TemporaryDirectory() as folder:
            files = dataset_files(given.dataset, given.repo, Path(folder), **options)
            print(describe_push(given.repo, files, repo_type="dataset", private=given.private, tag=given.tag))
            print(show_card(files, given.card))
        if not (terms.open or given.i_have_the_right_to_publish):
            print(f"{terms.title} is not this project's: the push itself needs --i_have_the_right_to_publish.")
        return
    if given.card is not None:
        parser.error("--card is for --dry_run: a push sends the card to the Hub")
    commit = push_dataset(
        given.dataset,
        given.repo,
        private=given.private,
        tag=given.tag,
        right_to_publish=given.i_have_the_right_to_publish,
        **options,
    )
    print(f"{'Pushed' if commit.changed else 'Nothing to push, the Hub has it already'}: {commit.url}")
    print(f'Load it with load_dataset("{given.repo}", revision="{commit.revision}").')
