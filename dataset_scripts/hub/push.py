# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Pushes to the Hugging Face Hub that happen whole or not at all: every file in one commit, and a repository that was
made for a push that failed is removed again. Repeating a push adds what is missing, and nothing if nothing is.

The token is the one of `hf auth login` or of the environment variable HF_TOKEN. It is never an argument, and nothing
that is raised or printed here contains it.
"""

from __future__ import annotations

import hashlib
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
    """A push that did not happen, or not wholly. The message says what is on the Hub now and what to do."""


@dataclass(frozen=True)
class HubCommit:
    """Where a push arrived.

    Attributes:
        repo_id: the repository.
        revision: the commit, to be given as `revision=` wherever the repository is loaded.
        url: the commit's page.
        changed: `False` if the repository held these very files already, so that there was nothing to commit.
    """

    repo_id: str
    revision: str
    url: str
    changed: bool


def check_repo_id(repo_id: str) -> None:
    """Raise HubPushError unless `repo_id` is `owner/name` as the Hub allows it."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise HubPushError(f"{repo_id!r} cannot be a repository's id: {error}") from None
    if "/" not in repo_id:
        raise HubPushError(f"{repo_id!r} names no owner; give owner/name, such as org/{repo_id}.")


def check_access() -> str:
    """Ask the Hub whose token this is, so that hours of work are not followed by a refusal. Returns the user's name.

    Raises:
        HubPushError: there is no token, the Hub refuses it, it may only read, or the Hub cannot be reached.
    """
    if get_token() is None:
        raise HubPushError(
            "There is no token for the Hub. Log in with `hf auth login`, or set HF_TOKEN to a token that may write "
            "(https://huggingface.co/settings/tokens)."
        )
    with _told_in_words("Asking the Hub whose token this is", "Nothing was pushed."):
        account = HfApi().whoami()
    if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise HubPushError(
            f"The token of {account['name']} may only read. Make one that may write at "
            "https://huggingface.co/settings/tokens and log in with it: `hf auth login`."
        )
    return account["name"]


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
        repo_id: `owner/name`.
        files: path in the repository -> a file here, or its content.
        private: make a new repository private; otherwise the owner's default holds, which is public unless an
            organisation has set another.
        tag: a name for the commit, such as `v1`.
        replaces: patterns of paths that the same commit deletes where they are not among `files`, so that no shard of
            earlier weights or data stays behind.
        space_sdk: of a new Space, such as `gradio`.

    Raises:
        HubPushError: the message says why, and that the Hub is as it was. Only if setting the tag alone fails does
            the commit stay; the same call then sets it.
    """
    check_repo_id(repo_id)
    check_access()
    api = HfApi()
    kept = f"The Hub holds of {repo_id} what it held before; the same command may be given again."
    with _told_in_words(f"Pushing to {repo_id}", kept):
        head, created = _open_repository(api, repo_id, repo_type, private, space_sdk)
        try:
            tagged = _tagged_commit(api, repo_id, repo_type, tag)
            operations = _operations(api, repo_id, repo_type, head, files, replaces)
            if tagged is not None and (operations or tagged != head):
                raise HubPushError(f"{repo_id} has a tag {tag!r} already, at {tagged}. Give another tag. {kept}")
            revision, url = head, f"{api.endpoint}/{_page(repo_id, repo_type)}/commit/{head}"
            if operations:
                # With `parent_commit` a commit that someone else made meanwhile is noticed and not buried.
                commit = api.create_commit(
                    repo_id, operations, repo_type=repo_type, commit_message=message, parent_commit=head
                )
                revision, url = commit.oid, str(commit.commit_url)
        except BaseException:  # Ctrl-C too
            if created:
                _remove_unless_pushed(api, repo_id, repo_type, head)
            raise
    if tag is not None and tagged is None:
        stays = f"The commit {revision} is pushed and stays; the same command, given again, sets the tag."
        with _told_in_words(f"Setting the tag {tag!r} of {repo_id}", stays):
            api.create_tag(repo_id, repo_type=repo_type, tag=tag, revision=revision)
    return HubCommit(repo_id, revision, url, changed=bool(operations))


def describe_push(
    repo_id: str,
    files: Files,
    *,
    repo_type: RepoType = "model",
    private: bool = False,
    tag: str | None = None,
) -> str:
    """What `push_commit` would push, in lines of text. The Hub is not asked."""
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
    """The newest commit of main, and whether the repository was made for it just now."""
    try:
        info = api.repo_info(repo_id, repo_type=repo_type)
    except RepositoryNotFoundError:
        # `private=None` leaves it to the organisation, whose default may be private for a reason.
        api.create_repo(repo_id, repo_type=repo_type, private=private or None, space_sdk=space_sdk)
        return api.repo_info(repo_id, repo_type=repo_type).sha, True
    if private and not info.private:
        raise HubPushError(
            f"{repo_id} exists and is public; a push cannot hide it. Make it private in its settings on the Hub, "
            "or give another repository. Nothing was pushed."
        )
    return info.sha, False


def _tagged_commit(api: HfApi, repo_id: str, repo_type: RepoType, tag: str | None) -> str | None:
    if tag is None:
        return None
    tags = api.list_repo_refs(repo_id, repo_type=repo_type).tags
    return next((ref.target_commit for ref in tags if ref.name == tag), None)


def _operations(
    api: HfApi, repo_id: str, repo_type: RepoType, head: str, files: Files, replaces: Sequence[str]
) -> list[CommitOperationAdd | CommitOperationDelete]:
    """What turns the repository's present files into `files`; empty if nothing has to be done."""
    tree = api.list_repo_tree(repo_id, repo_type=repo_type, revision=head, recursive=True)
    present = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    new = [path for path, content in files.items() if path not in present or not _equals(present[path], content)]
    stale = [
        path
        for path in present.keys() - files.keys() - {".gitattributes"}  # the Hub's own, which tells what is large
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
    # Large files are known by their SHA-256, the others by git's hash of a blob.
    digest = hashlib.sha256() if entry.lfs is not None else hashlib.sha1(b"blob %d\0" % size)
    if isinstance(content, bytes):
        digest.update(content)
    else:
        with content.open("rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    return digest.hexdigest() == (entry.lfs.sha256 if entry.lfs is not None else entry.blob_id)


def _remove_unless_pushed(api: HfApi, repo_id: str, repo_type: RepoType, first: str) -> None:
    """Remove a repository that was made for a push, unless the commit arrived and only its answer was lost."""
    try:
        if api.repo_info(repo_id, repo_type=repo_type).sha == first:
            api.delete_repo(repo_id, repo_type=repo_type, missing_ok=True)
    except Exception:
        # What made the push fail is told; that an empty repository stays behind harms nobody.
        return


def _page(repo_id: str, repo_type: RepoType) -> str:
    return repo_id if repo_type == "model" else f"{repo_type}s/{repo_id}"


@contextmanager
def _told_in_words(what: str, outcome: str) -> Iterator[None]:
    """Turn whatever the client raises into a HubPushError without the token. HTTP libraries quote a header that they
    cannot send, so the original error is not kept as the cause either.
    """
    try:
        yield
    except HubPushError:
        raise
    except Exception as error:
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
        reason = _without_token(_REASONS.get(status, f"{type(error).__name__}: {error}"))
        raise HubPushError(f"{what} failed: {reason.rstrip('.')}. {outcome}") from None


def _without_token(text: str) -> str:
    token = get_token() or ""
    # As it is, and as it looks in a quoted header.
    for form in {token, repr(token)[1:-1]} - {""}:
        text = text.replace(form, "<token>")
    return text
