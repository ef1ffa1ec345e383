# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""
A small stand-in for the Hugging Face Hub on the loopback interface, for the real client in child processes.

    with FakeHub() as hub:
        subprocess.run([...], env=hub.environment(home))
        hub.files("model", "org/name")  # path -> content at main
        hub.log  # (method, path, status)

The client reads HF_ENDPOINT when it is imported, hence the child processes. Xet, pull requests, gating, quotas and
uploads in several parts are not there: what passes here uses the protocol rightly, which is not yet the Hub's consent.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from .fakehub_handler import READ_TOKEN, TOKEN, Handler, Refusal
from .fakehub_repository import Repository


__all__ = ["READ_TOKEN", "TOKEN", "FakeHub"]


class FakeHub:
    """The server; a context manager. `repositories` may be looked at and changed by a test."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.blobs: dict[str, bytes] = {}  # uploaded large files by SHA-256
        self.log: list[tuple[str, str, int]] = []
        self.lock = threading.RLock()
        self._faults: list[tuple[str, int]] = []
        self._actions: list[tuple[str, Callable[[], object]]] = []
        self._cuts: dict[str, int] = {}
        self._held: str | None = None
        self.reached, self.released = threading.Event(), threading.Event()
        handler = type("BoundHandler", (Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> FakeHub:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def environment(self, home: Path, token: str | None = TOKEN, **variables: str) -> dict[str, str]:
        """The environment of a child process that talks to this server, with a home and a cache of its own."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().endswith("_PROXY") and not name.startswith(("HF_", "TRANSFORMERS_", "HUGGING"))
        }
        return {
            **inherited,
            "HOME": str(home),
            "HF_HOME": str(home / "huggingface"),
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "127.0.0.1",
            "OMP_NUM_THREADS": "1",
            **({"HF_TOKEN": token} if token is not None else {}),
            **variables,
        }

    def connect(self, monkeypatch: pytest.MonkeyPatch, home: Path, token: str | None = TOKEN) -> None:
        """Let this very process talk to the server: for outcomes that need no process of their own."""
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        if token is not None:
            monkeypatch.setenv("HF_TOKEN", token)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        settings = {"ENDPOINT": self.url, "HF_HUB_DISABLE_XET": True, "HF_HUB_OFFLINE": False}
        settings["HUGGINGFACE_CO_URL_TEMPLATE"] = self.url + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {**settings, "HF_TOKEN_PATH": str(home / "token")}.items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)

    def files(self, repo_type: str, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        """Path -> content, without `.gitattributes`."""
        repository = self.repositories[repo_type, repo_id]
        commit = repository.commits[repository.resolve(revision)]
        return {path: file.data for path, file in commit.items() if path != ".gitattributes"}

    def fail_once(self, path: str, status: int) -> None:
        """Answer the next request whose path has `path` in it (a regular expression) with `status`."""
        self._faults.append((path, status))

    def cut_once(self, path: str, num_bytes: int) -> None:
        """End the next download of the file `path` after so many bytes."""
        self._cuts[path] = num_bytes

    def cut(self, path: str) -> int | None:
        """Return the bytes after which this download ends, None for all of them."""
        return self._cuts.pop(path, None)

    def before(self, path: str, action: Callable[[], object]) -> None:
        """Call `action` when the next request with `path` in its path comes in, before it is answered."""
        self._actions.append((path, action))

    def hold(self, path: str) -> None:
        """Leave requests with `path` in their path unanswered; `reached` is set when one is there."""
        self._held = path

    def disturb(self, path: str) -> None:
        """Do what was asked for by `fail_once`, `before` and `hold`."""
        if self._held and re.search(self._held, path):
            self.reached.set()
            self.released.wait(30)
        for planned in self._actions:
            if re.search(planned[0], path):
                self._actions.remove(planned)
                planned[1]()
                break
        for fault in self._faults:
            if re.search(fault[0], path):
                self._faults.remove(fault)
                raise Refusal(fault[1], "the server has a bad day")

    def repository(self, repo_type: str, repo_id: str) -> Repository:
        """A repository, or the refusal that the Hub gives."""
        try:
            return self.repositories[repo_type, repo_id]
        except KeyError:
            raise Refusal(404, "Repository not found", "RepoNotFound") from None
