# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The stand-in Hub's repositories: files, commits, branches and tags, in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class File:
    """One file of a commit; with `lfs` git itself holds a pointer to it."""

    data: bytes
    lfs: bool = False

    @property
    def pointer(self) -> bytes:
        """What git holds of a large file."""
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.data)}\n".encode()
        )

    @property
    def oid(self) -> str:
        """Git's hash of the blob, for a large file that of its pointer."""
        content = self.pointer if self.lfs else self.data
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @property
    def sha256(self) -> str:
        """Hash of the content."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def etag(self) -> str:
        """What a download is known by."""
        return self.sha256 if self.lfs else self.oid


@dataclass
class Repository:
    """A model, data set or Space with its history."""

    type: str
    id: str
    sdk: str | None = None
    private: bool = False
    commits: dict[str, dict[str, File]] = field(default_factory=dict)  # sha -> path -> file
    titles: dict[str, str] = field(default_factory=dict)  # sha -> title, newest last
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.commit({".gitattributes": File(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n")}, "initial commit")

    def commit(self, files: dict[str, File], title: str, branch: str = "main") -> str:
        """Add a commit of exactly these files and return its sha."""
        listing = "".join(f"{path}:{file.oid}\n" for path, file in sorted(files.items()))
        source = f"{self.type}/{self.id}/{self.branches.get(branch)}/{title}/{listing}/{len(self.commits)}"
        sha = hashlib.sha1(source.encode()).hexdigest()
        self.commits[sha] = dict(files)
        self.titles[sha] = title
        self.branches[branch] = sha
        return sha

    def resolve(self, revision: str) -> str | None:
        """The sha of a branch, tag or sha; `None` if there is none."""
        if revision in self.commits:
            return revision
        return self.branches.get(revision) or self.tags.get(revision)
