# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Push the model of a finished run, and a demo, to the Hugging Face Hub.

    python -m training.publish runs/sample-amess --repo org/amess-sample --dry_run        # what would be pushed
    python -m training.publish runs/mintrec-amess --repo org/amess-mintrec --tag v1
    python -m training.publish runs/mintrec-amess --repo org/amess-mintrec --space org/amess-demo
    python -m training.publish runs/seed-0 --repo org/amess --other_runs runs/seed-1 runs/seed-2 runs/text-and-audio

One commit holds the weights (with those of an attached media encoder), the config with the label descriptions, the
processor, the model's Python files, metrics.json and the card. `--other_runs` adds tables over seeds and modalities to
the card. The Space gets the folder space/; the app reads model and commit from the first entry of `preload_from_hub`
in the README there.

Log in with `hf auth login` or set HF_TOKEN. A failed push leaves the Hub unchanged; give the same command again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from huggingface_hub import RepoCard

from dataset_scripts.errors import run_command
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
from .project_files import SPACE, project_file


# A push replaces the files of an earlier push that match these patterns.
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
    """Push a run's model, and a Space that shows the pushed commit.

    Args:
        run_folder: Folder of a finished run of A-MESS.
        repo_id: Id of the model, `owner/name`.
        private: Whether new repositories are private.
        tag: Tag of the model's commit, such as `v1`; the card's examples pin it.
        other_runs: More run folders for the card, see [`model_card`].
        dataset_id: Hub id of the data set for the card.
        license: Licence id of the weights for the card.
        space_id: Id of the Space, `owner/name`; `None` for no Space.
        space_folder: Folder with the Space's files; by default the demo of this project.

    Returns:
        The commit of the model, then that of the Space.

    Raises:
        UnfinishedRunError: A folder is not of a finished run.
        HubPushError: The push failed. The message says why, and what was pushed.
        MissingPartError: The installation lacks the card's template or the Space. Nothing was pushed.
    """
    for name in (repo_id, space_id):
        if name is not None:
            check_repo_id(name)
    files = model_files(run_folder, repo_id, tag=tag, other_runs=other_runs, dataset_id=dataset_id, license=license)
    if space_id is not None:
        # A defect of the Space's folder must show before the model is pushed.
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
    """Collect the files of the model's repository. See [`publish`] for the arguments.

    Returns:
        By path, a file of the run or content made for publishing: the card, and JSON without the paths of this
        machine.

    Raises:
        UnfinishedRunError: The run is not finished, or one of a baseline.
    """
    run = read_run(run_folder)
    if "auto_map" not in run.config:
        raise UnfinishedRunError(
            f"{run.path} is a run of the baseline {run.settings.model}, which other machines cannot load. Publish a "
            "run of A-MESS."
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
    """Collect the files of a Space that shows a model at a commit.

    The metadata of its README name both: the app loads the first entry of `preload_from_hub`, "<model> <files>
    <commit>", and the image of the Space is built with it.

    Args:
        folder: Folder with `app.py`, `README.md` with the Space's metadata, and other files of the app.
        model_id: Id of the model, `owner/name`.
        revision: Commit of the model.
        model_paths: Files of the model's repository.

    Raises:
        HubPushError: The folder is not of a Space.
    """
    folder = Path(folder)
    for name in ("app.py", CARD_FILE):
        if not (folder / name).is_file():
            raise HubPushError(
                f"{folder} holds no {name}, which a Space needs. Nothing was pushed. Give another --space_folder."
            )
    files: dict[str, Path | bytes] = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
    }
    card = RepoCard((folder / CARD_FILE).read_text(encoding="utf-8"))
    # The folder's README may name other models already, such as one for speech.
    card.data["models"] = list(dict.fromkeys([model_id, *card.data.get("models", [])]))
    loaded = ",".join(path for path in sorted(model_paths) if path not in (CARD_FILE, METRICS_FILE))
    card.data["preload_from_hub"] = [f"{model_id} {loaded} {revision}", *card.data.get("preload_from_hub", [])]
    files[CARD_FILE] = str(card).encode()
    return files


def _json(value: Any) -> bytes:
    return (json.dumps(_without_local_paths(value), indent=2, ensure_ascii=False) + "\n").encode()


def _without_local_paths(value: Any) -> Any:
    """Cut absolute paths to their last part: nobody else has those folders, and they may name people."""
    if isinstance(value, dict):
        return {key: _without_local_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_local_paths(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and PurePath(value).is_absolute():
        return PurePath(value).name
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: Command line without the program's name; that of the process by default.

    Raises:
        UserError: Something that the user can correct; the message says how.
    """
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
    for commit in commits:
        print(f"{'Pushed' if commit.changed else 'Nothing to push, all files are there'}: {commit.url}")
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
    run_command(
        main,
        interrupted="Interrupted. Each push is one commit, which is on the Hub whole or not at all. The same command "
        "goes on: what is there already is not pushed again.",
    )
