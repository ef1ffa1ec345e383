# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A collection on the Hub at one commit: its license, its files, and downloads that are checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from ..errors import UserError, full_disk
from ..hub.push import without_token
from ..registry import HubCollection
from .archives import plain_name


_BLOCK = 2**20
_AGAIN = "What is whole so far is kept. Give the same command again."


class DownloadError(UserError):
    """A download that did not happen, or not wholly. The message says what is there and what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a collection.

    Attributes:
        path: Path in the repository.
        size: Size in bytes.
        digest: SHA-256 of a large file, git's hash of another one.
        is_sha256: Which of the two it is.
    """

    path: str
    size: int
    digest: str
    is_sha256: bool

    def matches(self, file: Path) -> bool:
        """Return whether a file on disk has this content."""
        if file.stat().st_size != self.size:
            return False
        digest = hashlib.sha256() if self.is_sha256 else hashlib.sha1(b"blob %d\0" % self.size)
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
        return digest.hexdigest() == self.digest


@dataclass(frozen=True)
class Snapshot:
    """A collection at one commit.

    Attributes:
        collection: Where it is.
        revision: Hash of the commit.
        license: License that its page states, None if it states none.
    """

    collection: HubCollection
    revision: str
    license: str | None

    @property
    def page(self) -> str:
        """Address of the page."""
        return page(self.collection)

    def files(self) -> list[RemoteFile]:
        """List the files of the data set.

        Raises:
            DownloadError: The Hub does not answer, or the listing holds a path that leads outside.
        """
        folder = self.collection.folder or None
        with explained(self.collection, "Listing the files"):
            tree = HfApi().list_repo_tree(
                self.collection.repo_id, folder, recursive=True, revision=self.revision, repo_type="dataset"
            )
            entries = [entry for entry in tree if isinstance(entry, RepoFile)]
        for entry in entries:
            if plain_name(entry.path) != entry.path:
                raise DownloadError(
                    f"{self.page} lists {entry.path!r}, which is no path below a folder. Do not use it."
                )
        return [
            RemoteFile(
                entry.path,
                entry.size,
                entry.blob_id if entry.lfs is None else entry.lfs.sha256,
                entry.lfs is not None,
            )
            for entry in entries
        ]

    def fetch(self, file: RemoteFile, folder: Path) -> Path:
        """Download a file into a folder, continuing an interrupted download, and check its content.

        Raises:
            DownloadError: The Hub does not answer, or what arrives has another checksum, twice.
        """
        for attempt in range(2):
            with explained(self.collection, f"Downloading {file.path}"):
                path = Path(
                    HfApi().hf_hub_download(
                        self.collection.repo_id,
                        file.path,
                        repo_type="dataset",
                        revision=self.revision,
                        local_dir=folder,
                        force_download=attempt > 0,
                    )
                )
            if file.matches(path):
                return path
            path.unlink()
        raise DownloadError(
            f"{file.path} of {self.page} arrived twice with another checksum than the Hub states, and was deleted. "
            f"{_AGAIN} If it happens again, something between here and the Hub changes files."
        )


def open_collection(collection: HubCollection, revision: str | None = None) -> Snapshot:
    """Ask the Hub for a collection at a commit, by default the newest one.

    Raises:
        DownloadError: The Hub does not answer, or has no such repository.
    """
    with explained(collection, "Asking for the collection"):
        info = HfApi().dataset_info(collection.repo_id, revision=revision)
    stated = None if info.card_data is None else info.card_data.get("license")
    return Snapshot(collection, str(info.sha), None if stated is None else str(stated))


def page(collection: HubCollection) -> str:
    """Return the address of a collection's page."""
    return f"https://huggingface.co/datasets/{collection.repo_id}"


@contextmanager
def explained(collection: HubCollection, what: str) -> Iterator[None]:
    """Turn every error of the client into a DownloadError without the token.

    A full disk stays what it is.
    """
    try:
        yield
    except GatedRepoError:
        raise DownloadError(
            f"{collection.repo_id} asks each user to accept its terms on the Hub. Do that at {page(collection)}, log "
            "in with `hf auth login`, and give the same command again."
        ) from None
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise DownloadError(
            f"The Hub has no data set {collection.repo_id} in this state, or not for this login. See "
            f"{page(collection)}; another collection can be chosen with --source."
        ) from None
    except OfflineModeIsEnabled:
        raise DownloadError(
            "HF_HUB_OFFLINE is set, so that nothing is downloaded. Unset it and give the same command again."
        ) from None
    except LocalEntryNotFoundError as error:  # the client's words for a Hub that cannot be reached
        reason = without_token(str(error.__cause__ or error).splitlines()[0])
        raise DownloadError(f"{what} failed: the Hub cannot be reached ({reason.rstrip('.')}). {_AGAIN}") from None
    except HfHubHTTPError as error:
        raise DownloadError(f"{what} failed: {without_token(str(error)).strip().splitlines()[0]} {_AGAIN}") from None
    except OSError as error:
        if full_disk(error) is not None:
            raise
        raise DownloadError(f"{what} failed: {without_token(str(error)).rstrip('.')}. {_AGAIN}") from None
    except Exception as error:
        reason = without_token(f"{type(error).__name__}: {error}")
        raise DownloadError(f"{what} failed: {reason.rstrip('.')}. {_AGAIN}") from None
