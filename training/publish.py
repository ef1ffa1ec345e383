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


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("training.publish:main", "Interrupted. Nothing was pushed. Give the same command again.")


import argparse
import json
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from huggingface_hub import RepoCard
from transformers import AutoProcessor
from transformers.dynamic_module_utils import get_relative_import_files
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

import modeling_amess  # noqa: F401  # registers the processor, so that loading it runs no code of the folder
from dataset_scripts.hub.push import (
    Files,
    HubCommit,
    HubPushError,
    add_hub_arguments,
    check_access,
    check_repo_id,
    check_tag,
    describe_push,
    push_commit,
    show_card,
)

from .finished_run import CARD_FILE, METRICS_FILE, MODEL_FOLDER, UnfinishedRunError, read_run
from .model_card import model_card
from .project_files import SPACE, project_file


# A push replaces the files of an earlier push that match these patterns.
_MODEL_PARTS = ("*.safetensors", "*.json", "*.py", "*.txt", "*.model")
# Files of a Space. A path matches if it has as many parts.
SPACE_PARTS = ("*.py", "*.md", "*.css", "requirements.txt", "packages.txt", "examples/*")


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
    space_parts: Sequence[str] = (),
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
        space_parts: Patterns of files that the Space needs beside `SPACE_PARTS`.

    Returns:
        The commit of the model, then that of the Space.

    Raises:
        UnfinishedRunError: A folder is not of a finished run.
        HubPushError: The push failed. The message says why, and what was pushed.
        MissingPartError: The installation lacks the card's template or the Space. Nothing was pushed.
        KeyboardInterrupt: The push was interrupted. The message says what the Hub holds.
    """
    _check_names(repo_id, space_id, tag)
    files = model_files(run_folder, repo_id, tag=tag, other_runs=other_runs, dataset_id=dataset_id, license=license)
    if space_id is not None:
        # A defect of the Space's folder, or a Space of someone else, must show before the model is pushed.
        demo = space_folder or project_file(SPACE)
        shown = space_files(demo, repo_id, "0" * 40, list(files), space_parts)
        check_access(repo_id, space_id)
    message = f"Publish {Path(run_folder).name}"
    commits = [push_commit(repo_id, files, message=message, private=private, tag=tag, replaces=_MODEL_PARTS)]
    if space_id is not None:
        wired = shown | {CARD_FILE: _space_card(demo, repo_id, commits[0].revision, list(files))}
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
        except KeyboardInterrupt as interrupt:
            words = str(interrupt) or "Interrupted before its Space was pushed. Give the same command again."
            raise type(interrupt)(f"The model is published ({commits[0].url}). {words}") from None
    return commits


def _check_names(repo_id: str, space_id: str | None, tag: str | None) -> None:
    for name in (repo_id, space_id):
        if name is not None:
            check_repo_id(name)
    check_tag(tag)


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
        machine. Of the run's model only what `save_pretrained` writes; other files are named on stderr.

    Raises:
        UnfinishedRunError: The run is not finished, or one of a baseline.
        HubPushError: A file of the model is a link.
    """
    run = read_run(run_folder)
    if "auto_map" not in run.config:
        raise UnfinishedRunError(
            f"{run.path} is a run of the baseline {run.settings.model}, which other machines cannot load. Publish a "
            "run of A-MESS."
        )
    folder = run.path / MODEL_FOLDER
    files: dict[str, Path | bytes] = {name: folder / name for name in sorted(_saved_names(folder))}
    left_out = [path.name for path in folder.iterdir() if path.name not in files and path.name != "__pycache__"]
    _name_left_out(folder, left_out, "Only files that saving a model writes are pushed.")
    for name in ("config.json", "tokenizer_config.json", "processor_config.json"):
        files[name] = _json(json.loads((folder / name).read_text(encoding="utf-8")))
    files[METRICS_FILE] = _json(run.metrics)
    card = model_card(
        run_folder, other_runs=other_runs, model_id=repo_id, revision=tag, dataset_id=dataset_id, license=license
    )
    files[CARD_FILE] = str(card).encode()
    return files


def _saved_names(folder: Path) -> set[str]:
    """Names of what `save_pretrained` wrote for model and processor, without anything else that lies beside it.

    Raises:
        HubPushError: One of them is a link.
    """
    config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    names = {CONFIG_NAME, SAFE_WEIGHTS_NAME}
    index = folder / SAFE_WEIGHTS_INDEX_NAME
    if index.is_file():
        names |= {index.name, *json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
    references = [
        *config["auto_map"].values(),
        *(task["impl"] for task in config.get("custom_pipelines", {}).values()),
    ]
    for reference in references:
        module = folder / f"{reference.partition('.')[0]}.py"
        names |= {module.name, *(Path(file).name for file in get_relative_import_files(module))}
    # The processor's files depend on its tokenizer: they are those that it writes when it is saved once more.
    with tempfile.TemporaryDirectory() as again:
        AutoProcessor.from_pretrained(folder).save_pretrained(again)
        names |= {path.name for path in Path(again).iterdir()}
    present = {path.name for path in folder.iterdir() if path.is_file() and path.name in names}
    for name in present:
        if (folder / name).is_symlink():
            raise HubPushError(
                f"{folder / name} is a link, and a push would take a file of another folder. Nothing was pushed. Put "
                "the file itself in its place."
            )
    return present


def _name_left_out(folder: Path, names: Collection[str], remedy: str) -> None:
    """Say on stderr which files of a folder are not pushed."""
    if names:
        print(f"Not pushed from {folder}: {', '.join(sorted(names))}. {remedy}", file=sys.stderr)


def space_files(
    folder: str | Path, model_id: str, revision: str, model_paths: Sequence[str], parts: Sequence[str] = ()
) -> dict[str, Path | bytes]:
    """Collect the files of a Space that shows a model at a commit.

    The metadata of its README name both: the app loads the first entry of `preload_from_hub`, "<model> <files>
    <commit>", and the image of the Space is built with it.

    Args:
        folder: Folder with `app.py`, `README.md` with the Space's metadata, and other files of the app.
        model_id: Id of the model, `owner/name`.
        revision: Commit of the model.
        model_paths: Files of the model's repository.
        parts: Patterns of files beside `SPACE_PARTS`. Files that match none are named on stderr.

    Raises:
        HubPushError: The folder is not of a Space.
    """
    folder = Path(folder)
    for name in ("app.py", CARD_FILE):
        if not (folder / name).is_file() or (folder / name).is_symlink():
            raise HubPushError(
                f"{folder} holds no {name} of its own, which a Space needs. Nothing was pushed. Give another "
                "--space_folder."
            )
    matching: list[Path] = []
    left_out: list[Path] = []
    for path in _walk(folder):
        named = [pattern for pattern in (*SPACE_PARTS, *parts) if _matches(path.relative_to(folder), pattern)]
        (matching if named and not path.is_symlink() else left_out).append(path)
    remedy = "Links and hidden files never are; name others with --space_files."
    _name_left_out(folder, [path.relative_to(folder).as_posix() for path in left_out], remedy)
    files: dict[str, Path | bytes] = {path.relative_to(folder).as_posix(): path for path in matching}
    return files | {CARD_FILE: _space_card(folder, model_id, revision, model_paths)}


def _space_card(folder: str | Path, model_id: str, revision: str, model_paths: Sequence[str]) -> bytes:
    card = RepoCard((Path(folder) / CARD_FILE).read_text(encoding="utf-8"))
    # The folder's README may name other models already, such as one for speech.
    card.data["models"] = list(dict.fromkeys([model_id, *card.data.get("models", [])]))
    loaded = ",".join(path for path in sorted(model_paths) if path not in (CARD_FILE, METRICS_FILE))
    card.data["preload_from_hub"] = [f"{model_id} {loaded} {revision}", *card.data.get("preload_from_hub", [])]
    return str(card).encode()


def _walk(folder: Path) -> Iterator[Path]:
    """Files and links in a folder, without caches of Python and without what links lead to."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.is_file():
            yield path
        elif path.is_dir() and path.name != "__pycache__":
            yield from [path] if path.name.startswith(".") else _walk(path)


def _matches(path: PurePath, pattern: str) -> bool:
    """Whether each part of a path matches that of a pattern, and none is hidden."""
    patterns = pattern.split("/")
    return (
        len(path.parts) == len(patterns)
        and all(map(fnmatchcase, path.parts, patterns))
        and not any(part.startswith(".") for part in path.parts)
    )


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
        prog="amess publish", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
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
    parser.add_argument(
        "--space_files",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help=f"files of the Space beside {' '.join(SPACE_PARTS)}, such as assets/*",
    )
    given = parser.parse_args(arguments)
    if given.card is not None and not given.dry_run:
        parser.error("--card is for --dry_run: a push sends the card to the Hub")
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
        space_parts=given.space_files,
        **card,
    )
    for commit in commits:
        print(f"{'Pushed' if commit.changed else 'Nothing to push, all files are there'}: {commit.url}")
    print(f'Load it with revision="{commits[0].revision}".')


def _dry_run(given: argparse.Namespace, card: dict[str, Any]) -> str:
    _check_names(given.repo, given.space, given.tag)
    files: Files = model_files(given.run_folder, given.repo, **card)
    listed = [describe_push(given.repo, files, private=given.private, tag=given.tag)]
    if given.space is not None:
        folder = given.space_folder or project_file(SPACE)
        wired = space_files(folder, given.repo, "0" * 40, list(files), given.space_files)
        listed.append(describe_push(given.space, wired, repo_type="space", private=given.private))
    return "\n".join([*listed, show_card(files, given.card)])
