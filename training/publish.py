# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Push a finished run to the Hugging Face Hub, and the demo beside it.

    python -m training.publish runs/sample-amess --repo org/amess-sample --dry_run        # what would be pushed
    python -m training.publish runs/mintrec-amess --repo org/amess-mintrec --tag v1
    python -m training.publish runs/mintrec-amess --repo org/amess-mintrec --space org/amess-demo
    python -m training.publish runs/seed-0 --repo org/amess --other_runs runs/seed-1 runs/seed-2 runs/text-and-audio

One commit holds the weights (the media encoder's with them, where it is attached), config with the label
descriptions, processor, the model's Python files, metrics.json and the card. `--other_runs` adds tables over seeds and
modalities to the card. The Space gets the folder space/; the first entry of `preload_from_hub` in its README names
the model and the commit, and there the app reads them.

Log in with `hf auth login` or set HF_TOKEN. What fails leaves the Hub as it was; give the same command again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from huggingface_hub import RepoCard

from dataset_scripts.hub.push import (
    Files,
    HubCommit,
    HubPushError,
    add_hub_arguments,
    check_repo_id,
    describe_push,
    push_commit,
)

from .finished_run import CARD_FILE, METRICS_FILE, MODEL_FOLDER, UnfinishedRunError, read_run
from .model_card import model_card
from .project_files import SPACE, MissingPartError, project_file


# A push replaces what an earlier one left of these kinds.
_MODEL_PARTS = ("*.safetensors", "*.json", "*.py", "*.txt", "*.model")


def publish(
    run_folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    other_runs: Sequence[str | Path] = (),
    dataset_id: str | None = None,
    license: str | None = None,
    space_id: str | None = None,
    space_folder: str | Path | None = None,
) -> list[HubCommit]:
    """Push a run's model, and the Space wired to the commit it became.

    Args:
        run_folder: folder of a finished run of A-MESS.
        repo_id: `owner/name` of the model.
        private: make new repositories private.
        tag: a name for the model's commit, such as `v1`; the card's examples pin it.
        other_runs, dataset_id, license: for the card; see [`model_card`].
        space_id: `owner/name` of the Space; `None` for no Space.
        space_folder: Folder with the Space's files; by default the demo of this project.

    Returns:
        The model's commit, then the Space's.

    Raises:
        UnfinishedRunError: a folder is not that of a finished run.
        HubPushError: why nothing was pushed, or what was.
        MissingPartError: The installation lacks the card's template or the Space. Nothing was pushed.
    """
    for name in (repo_id, space_id):
        if name is not None:
            check_repo_id(name)
    files = model_files(run_folder, repo_id, tag=tag, other_runs=other_runs, dataset_id=dataset_id, license=license)
    if space_id is not None:
        # What is wrong with the Space's folder is to show before the model is pushed.
        demo = space_folder or project_file(SPACE)
        space_files(demo, repo_id, "0" * 40, list(files))
    message = f"Publish {Path(run_folder).name}"
    commits = [push_commit(repo_id, files, message=message, private=private, tag=tag, replaces=_MODEL_PARTS)]
    if space_id is not None:
        wired = space_files(demo, repo_id, commits[0].revision, list(files))
        try:
            commits.append(
                push_commit(
                    space_id,
                    wired,
                    repo_type="space",
                    message=f"Show {repo_id} at {commits[0].revision[:8]}",
                    private=private,
                    replaces=("*",),
                    space_sdk="gradio",
                )
            )
        except HubPushError as error:
            raise HubPushError(f"The model is published ({commits[0].url}), its Space is not: {error}") from None
    return commits


def model_files(
    run_folder: str | Path,
    repo_id: str,
    *,
    tag: str | None = None,
    other_runs: Sequence[str | Path] = (),
    dataset_id: str | None = None,
    license: str | None = None,
) -> dict[str, Path | bytes]:
    """The files of the model's repository: path -> a file of the run, or content made for publishing (the card, and JSON
    without the paths of this machine).

    Raises:
        UnfinishedRunError: not a finished run, or one of a baseline.
    """
    run = read_run(run_folder)
    if "auto_map" not in run.config:
        raise UnfinishedRunError(
            f"{run.path} is a run of the baseline {run.settings.model}, which does not load on another machine. "
            "Only runs of A-MESS can be published."
        )
    folder = run.path / MODEL_FOLDER
    files: dict[str, Path | bytes] = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    for name in ("config.json", "tokenizer_config.json", "processor_config.json"):
        files[name] = _json(json.loads((folder / name).read_text(encoding="utf-8")))
    files[METRICS_FILE] = _json(run.metrics)
    card = model_card(
        run_folder, other_runs=other_runs, model_id=repo_id, revision=tag, dataset_id=dataset_id, license=license
    )
    files[CARD_FILE] = str(card).encode()
    return files


def space_files(
    folder: str | Path, model_id: str, revision: str, model_paths: Sequence[str]
) -> dict[str, Path | bytes]:
    """The files of a Space that shows a model at a commit. Its README's metadata names both: the first entry of
    `preload_from_hub`, "<model> <files> <commit>", is what the app loads, and what the Space is built with.

    Args:
        folder: `app.py`, `README.md` with the Space's metadata, and what else the app needs.
        model_paths: the model repository's files, which the Space's image is built with.

    Raises:
        HubPushError: the folder is not that of a Space.
    """
    folder = Path(folder)
    for name in ("app.py", CARD_FILE):
        if not (folder / name).is_file():
            raise HubPushError(f"{folder} holds no {name}, which a Space needs. Nothing was pushed.")
    files: dict[str, Path | bytes] = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
    }
    card = RepoCard((folder / CARD_FILE).read_text(encoding="utf-8"))
    # Beside what the folder's README names already, such as a model for speech.
    card.data["models"] = list(dict.fromkeys([model_id, *card.data.get("models", [])]))
    loaded = ",".join(path for path in sorted(model_paths) if path not in (CARD_FILE, METRICS_FILE))
    card.data["preload_from_hub"] = [f"{model_id} {loaded} {revision}", *card.data.get("preload_from_hub", [])]
    files[CARD_FILE] = str(card).encode()
    return files


def _json(value: Any) -> bytes:
    return (json.dumps(_without_local_paths(value), indent=2, ensure_ascii=False) + "\n").encode()


def _without_local_paths(value: Any) -> Any:
    """The same with absolute paths cut to their last part: nobody else has those folders, and they may name people."""
    if isinstance(value, dict):
        return {key: _without_local_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_local_paths(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and PurePath(value).is_absolute():
        return PurePath(value).name
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. What the user can mend is told without a traceback."""
    parser = argparse.ArgumentParser(
        prog="python -m training.publish", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run_folder", type=Path, help="folder of a finished run, such as runs/sample-amess")
    add_hub_arguments(parser, "model")
    parser.add_argument(
        "--other_runs", type=Path, nargs="+", default=[], help="run folders of other seeds, modalities and baselines"
    )
    parser.add_argument("--dataset", help="Hub id of the data set, for the card")
    parser.add_argument("--space", help="owner/name of a Space that shows the model")
    parser.add_argument(
        "--space_folder", type=Path, help="folder with the files of the Space (default: the demo of this project)"
    )
    given = parser.parse_args(arguments)
    card = {
        "tag": given.tag,
        "other_runs": given.other_runs,
        "dataset_id": given.dataset,
        "license": given.license,
    }
    try:
        if given.dry_run:
            print(_dry_run(given, card))
            return
        commits = publish(
            given.run_folder,
            given.repo,
            private=given.private,
            space_id=given.space,
            space_folder=given.space_folder,
            **card,
        )
    except (HubPushError, MissingPartError, UnfinishedRunError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for commit in commits:
        print(f"{'Pushed' if commit.changed else 'Nothing to push, it is there'}: {commit.url}")
    print(f'Load it with revision="{commits[0].revision}".')


def _dry_run(given: argparse.Namespace, card: dict[str, Any]) -> str:
    check_repo_id(given.repo)
    files: Files = model_files(given.run_folder, given.repo, **card)
    listed = [describe_push(given.repo, files, private=given.private, tag=given.tag)]
    if given.space is not None:
        check_repo_id(given.space)
        wired = space_files(given.space_folder or project_file(SPACE), given.repo, "0" * 40, list(files))
        listed.append(describe_push(given.space, wired, repo_type="space", private=given.private))
    return "\n".join(listed)


if __name__ == "__main__":
    main()
