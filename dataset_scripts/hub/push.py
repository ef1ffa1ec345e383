# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Pushes to the Hugging Face Hub that happen whole or not at all.

A push is one commit, and a failed push removes the repository that it created. A repeated push adds the files that are
missing, if any.

The token is that of `hf auth login` or of the environment variable HF_TOKEN. It is never an argument, and no error and
no output contains it.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import validate_repo_id

from ..errors import UserError


RepoType = Literal["model", "dataset", "space"]
Files = Mapping[str, Path | bytes]

_REASONS = {
    401: "the Hub does not accept the token. Log in again with `hf auth login`, or set HF_TOKEN to a valid token",
    403: "the token has no right to write there. Use a token with that right, or a repository of your own",
    412: "someone else has pushed to it at the same time",
}


class HubPushError(UserError):
    """A push that did not happen, or not wholly. The message says what the Hub holds now and what to do."""


@dataclass(frozen=True)
class HubCommit:
    """The commit that a push made.

    Attributes:
        repo_id: Id of the repository.
        revision: Hash of the commit, for `revision=` wherever the repository is loaded.
        url: Page of the commit.
        changed: False if the repository held the same files already, so that there was nothing to commit.
    """

    repo_id: str
    revision: str
    url: str
    changed: bool


def add_hub_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the options of all pushing commands: --repo, --private, --tag, --license, --dry_run.

    Args:
        parser: Parser of the command.
        what: Noun for the thing that is pushed, for the help.
    """
    parser.add_argument("--repo", required=True, help=f"owner/name of the {what} on the Hub")
    parser.add_argument("--private", action="store_true", help="make new repositories private")
    parser.add_argument("--tag", help="name of the commit, such as v1")
    parser.add_argument("--license", help="licence id for the card (it follows from the data)")
    parser.add_argument(
        "--dry_run", action="store_true", help="list the files that would be pushed and show the card, without the Hub"
    )
    parser.add_argument(
        "--card", type=Path, help="new file that a dry run writes the card into, instead of showing it"
    )


def show_card(files: Files, target: Path | None) -> str:
    """Return the card among `files` in words for a dry run, or write it into the new file `target` and say so.

    Raises:
        HubPushError: There is such a file already.
    """
    content = files["README.md"]
    card = content if isinstance(content, bytes) else content.read_bytes()
    if target is None:
        return f"\nThe card:\n\n{card.decode()}"
    try:
        with target.open("xb") as stream:
            stream.write(card)
    except FileExistsError:
        raise HubPushError(f"{target} exists already and is kept. Give a new file with --card.") from None
    return f"The card is in {target}."


def check_repo_id(repo_id: str) -> None:
    """Raise HubPushError unless `repo_id` is `owner/name` as the Hub allows it."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise HubPushError(f"{repo_id!r} cannot be a repository's id: {error}") from None
    if "/" not in repo_id:
        raise HubPushError(f"{repo_id!r} names no owner. Give owner/name, such as org/{repo_id}.")


def check_tag(tag: str | None) -> None:
    """Raise HubPushError unless `tag` can name a commit: git and addresses allow it, and nothing else has the name."""
    if tag is None:
        return
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", tag) or ".." in tag or tag.endswith((".", ".lock")):
        reason = "a tag has letters, digits, dots, hyphens and underscores, and begins with a letter or digit"
    elif tag in ("main", "HEAD") or re.fullmatch(r"[0-9a-f]{7,40}", tag):
        reason = "it names a branch, or looks like a commit"
    else:
        return
    raise HubPushError(f"{tag!r} cannot be a tag: {reason}. Nothing was pushed. Give another --tag, such as v1.")


def check_access(*repo_ids: str) -> str:
    """Ask the Hub whose token this is, and return the user's name.

    A script asks first, so that the Hub does not refuse after hours of work.

    Args:
        repo_ids: Repositories that will be pushed to.

    Raises:
        HubPushError: There is no token, the Hub refuses it, it may only read or not write to a repository's owner, or
            the Hub cannot be reached.
    """
    if get_token() is None:
        raise HubPushError(
            "There is no token for the Hub. Log in with `hf auth login`, or set HF_TOKEN to a token that may write "
            "(https://huggingface.co/settings/tokens)."
        )
    with _explained("Asking the Hub whose token this is", "Nothing was pushed."):
        account = HfApi().whoami()
    if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise HubPushError(
            f"The token of {account['name']} may only read. Make one that may write at "
            "https://huggingface.co/settings/tokens and log in with it: `hf auth login`."
        )
    role = account.get("auth", {}).get("accessToken", {}).get("role")
    owners = {name.lower() for name in (account["name"], *(group["name"] for group in account.get("orgs", [])))}
    for repo_id in repo_ids:
        # What a fine-grained token may do, the Hub knows only when it is tried.
        if role == "write" and repo_id.partition("/")[0].lower() not in owners:
            raise HubPushError(f"Pushing to {repo_id} failed: {_REASONS[403]}. Nothing was pushed.")
    return str(account["name"])


def push_commit(
    repo_id: str,
    files: Files,
    *,
    repo_type: RepoType = "model",
    message: str,
    private: bool = False,
    tag: str | None = None,
    replaces: Sequence[str] = (),
    space_sdk: str | None = None,
) -> HubCommit:
    """Make one commit of `files` on the branch main, in a new repository if there is none yet.

    Args:
        repo_id: Id of the repository, `owner/name`.
        files: Local file, or content, by path in the repository.
        repo_type: Type of the repository.
        message: Title of the commit.
        private: Whether a new repository is private. Otherwise the owner's default holds, which is public unless an
            organisation has set another one.
        tag: Name of the commit, such as `v1`.
        replaces: Patterns of paths that the same commit deletes where they are not among `files`, so that no shard of
            earlier weights or data stays behind.
        space_sdk: SDK of a new Space, such as `gradio`.

    Raises:
        HubPushError: The push failed. The message says why, and that the Hub is unchanged. Only if setting the tag
            alone fails, the commit stays; the same call then sets the tag.
        KeyboardInterrupt: The push was interrupted. The message says what the Hub holds.
    """
    check_repo_id(repo_id)
    check_tag(tag)
    check_access(repo_id)
    api = HfApi()
    kept = f"The Hub holds of {repo_id} what it held before. Give the same command again."
    with _explained(f"Pushing to {repo_id}", kept):
        head, created = _open_repository(api, repo_id, repo_type, private, space_sdk)
        try:
            tagged = _tagged_commit(api, repo_id, repo_type, tag)
            operations = _operations(api, repo_id, repo_type, head, files, replaces)
            if tagged is not None and (operations or tagged != head):
                raise HubPushError(f"{repo_id} has a tag {tag!r} already, at {tagged}. Give another tag. {kept}")
            revision, url = head, f"{api.endpoint}/{_page(repo_id, repo_type)}/commit/{head}"
            if operations:
                # With `parent_commit` the Hub refuses if someone else has pushed meanwhile.
                commit = api.create_commit(
                    repo_id, operations, repo_type=repo_type, commit_message=message, parent_commit=head
                )
                revision, url = commit.oid, str(commit.commit_url)
        except BaseException as error:
            if created:
                _remove_unless_pushed(api, repo_id, repo_type, head)
            if isinstance(error, KeyboardInterrupt):
                raise type(error)(_after_interrupt(api, repo_id, repo_type, head)) from None
            raise
    if tag is not None and tagged is None:
        stays = f"The commit {revision} is pushed and stays. Give the same command again to set the tag."
        try:
            with _explained(f"Setting the tag {tag!r} of {repo_id}", stays):
                api.create_tag(repo_id, repo_type=repo_type, tag=tag, revision=revision)
        except KeyboardInterrupt as interrupt:
            raise type(interrupt)(f"Interrupted. {stays}") from None
    return HubCommit(repo_id, revision, url, changed=bool(operations))


def describe_push(
    repo_id: str,
    files: Files,
    *,
    repo_type: RepoType = "model",
    private: bool = False,
    tag: str | None = None,
) -> str:
    """Return in lines of text what `push_commit` would push, without asking the Hub."""
    sizes = {
        path: len(content) if isinstance(content, bytes) else content.stat().st_size
        for path, content in sorted(files.items())
    }
    visibility = "private" if private else "public, unless its owner's default is private"
    lines = [f"Would push to the {repo_type} {repo_id} ({visibility}){f', tag {tag}' if tag else ''}:"]
    lines += [f"{size:>15,} bytes  {path}" for path, size in sizes.items()]
    lines += [f"{sum(sizes.values()):>15,} bytes  in {len(sizes)} files"]
    return "\n".join(lines)


def _open_repository(
    api: HfApi, repo_id: str, repo_type: RepoType, private: bool, space_sdk: str | None
) -> tuple[str, bool]:
    """The newest commit of main, and whether this call created the repository."""
    try:
        info = api.repo_info(repo_id, repo_type=repo_type)
    except RepositoryNotFoundError:
        # `private=None` keeps the organisation's default, which may be private for a reason.
        api.create_repo(repo_id, repo_type=repo_type, private=private or None, space_sdk=space_sdk)
        return str(api.repo_info(repo_id, repo_type=repo_type).sha), True
    if private and not info.private:
        raise HubPushError(
            f"{repo_id} exists and is public, and a push cannot hide it. Make it private in its settings on the Hub, "
            "or give another repository. Nothing was pushed."
        )
    return str(info.sha), False


def _tagged_commit(api: HfApi, repo_id: str, repo_type: RepoType, tag: str | None) -> str | None:
    if tag is None:
        return None
    refs = api.list_repo_refs(repo_id, repo_type=repo_type)
    if any(branch.name == tag for branch in refs.branches):
        raise HubPushError(f"{repo_id} has a branch {tag!r}. Nothing was pushed. Give another tag.")
    tags = refs.tags
    return next((ref.target_commit for ref in tags if ref.name == tag), None)


def _operations(
    api: HfApi, repo_id: str, repo_type: RepoType, head: str, files: Files, replaces: Sequence[str]
) -> list[CommitOperationAdd | CommitOperationDelete]:
    """The operations that turn the repository's present files into `files`."""
    tree = api.list_repo_tree(repo_id, repo_type=repo_type, revision=head, recursive=True)
    present = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    new = [path for path, content in files.items() if path not in present or not _equals(present[path], content)]
    stale = [
        path
        for path in present.keys() - files.keys() - {".gitattributes"}  # the Hub's own list of large files
        if any(fnmatch(path, name) for name in replaces)
    ]
    return [
        *(CommitOperationAdd(path, files[path]) for path in new),
        *(CommitOperationDelete(path) for path in stale),
    ]


def _equals(entry: RepoFile, content: Path | bytes) -> bool:
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size != entry.size:
        return False
    # The Hub identifies large files by their SHA-256, others by git's hash of a blob.
    digest = hashlib.sha256() if entry.lfs is not None else hashlib.sha1(b"blob %d\0" % size)
    if isinstance(content, bytes):
        digest.update(content)
    else:
        with content.open("rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    return digest.hexdigest() == (entry.lfs.sha256 if entry.lfs is not None else entry.blob_id)


def _remove_unless_pushed(api: HfApi, repo_id: str, repo_type: RepoType, first: str) -> None:
    """Remove a repository that this push created, unless the commit arrived and only its answer was lost."""
    try:
        if api.repo_info(repo_id, repo_type=repo_type).sha == first:
            api.delete_repo(repo_id, repo_type=repo_type, missing_ok=True)
    except Exception:
        return  # The user learns why the push failed; an empty repository that stays behind does no harm.


def _after_interrupt(api: HfApi, repo_id: str, repo_type: RepoType, head: str) -> str:
    """What the Hub holds after an interrupted commit, in words."""
    try:
        now = api.repo_info(repo_id, repo_type=repo_type).sha
    except RepositoryNotFoundError:
        now = head
    except BaseException:  # an impatient second Ctrl-C too
        return f"Interrupted. What the Hub holds of {repo_id} is unknown. The same command completes the push."
    if now == head:
        return f"Interrupted. So far the Hub holds of {repo_id} what it held before. Give the same command again."
    return (
        f"Interrupted. The commit {now} of {repo_id} is on the Hub. Give the same command again to complete the push."
    )


def _page(repo_id: str, repo_type: RepoType) -> str:
    return repo_id if repo_type == "model" else f"{repo_type}s/{repo_id}"


@contextmanager
def _explained(what: str, outcome: str) -> Iterator[None]:
    """Turn every error of the client into a HubPushError without the token.

    HTTP libraries quote a header that they cannot send, so the original error is not kept as the cause either.
    """
    try:
        yield
    except HubPushError:
        raise
    except Exception as error:
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
        reason = without_token(_REASONS.get(status, f"{type(error).__name__}: {error}"))
        raise HubPushError(f"{what} failed: {reason.rstrip('.')}. {outcome}") from None


def without_token(text: str) -> str:
    """Replace the token of the Hub in a text that will be shown."""
    token = get_token() or ""
    # In plain, and as it looks in a quoted header.
    for form in {token, repr(token)[1:-1]} - {""}:
        text = text.replace(form, "<token>")
    return text
