# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The endpoints of the stand-in Hub, as the client uses them; `fakehub.py` is the server around them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK

from .fakehub_card_rules import card_errors
from .fakehub_repository import File, Repository


if TYPE_CHECKING:
    from .fakehub import FakeHub

TOKEN = "hf_a_token_that_may_write_for_tests"
READ_TOKEN = "hf_a_token_that_may_only_read_for_tests"
USER, ORGANISATION = "tester", "org"
DATE = "2026-01-01T00:00:00.000Z"
LARGE_FILES = (".safetensors", ".parquet", ".mp4", ".png", ".wav")
TYPES = {"models": "model", "datasets": "dataset", "spaces": "space"}
BYTES = "application/octet-stream"
NO_HEADERS: Mapping[str, str] = {}


class Refusal(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, message: str, code: str | None = None, body: dict[str, Any] | None = None):
        super().__init__(message)
        self.status, self.message, self.code, self.body = status, message, code, body


class Handler(BaseHTTPRequestHandler):
    """One request. The routes are at the end of the file."""

    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Keep the tests' output clean."""

    def answer(self) -> None:
        """Find the route and turn refusals into responses."""
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        self.content = self.read_content() if self.command in ("POST", "PUT", "DELETE") else b""
        method = "GET" if self.command == "HEAD" else self.command
        try:
            self.hub.disturb(url.path)
            if self.bearer not in (None, TOKEN, READ_TOKEN):
                raise Refusal(401, "Invalid credentials in Authorization header")
            with self.hub.lock:
                for route_method, pattern, name in ROUTES:
                    match = re.fullmatch(pattern, url.path)
                    if method == route_method and match:
                        getattr(self, name)(*(unquote(group) if group else group for group in match.groups()))
                        return
            raise Refusal(404, f"the stand-in has no route for {self.command} {self.path}")
        except Refusal as refusal:
            headers = {"X-Error-Message": refusal.message}
            if refusal.code:
                headers["X-Error-Code"] = refusal.code
            self.send_json(refusal.body or {"error": refusal.message}, refusal.status, headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def read_content(self) -> bytes:
        """The request's body, chunked or not."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def send(
        self,
        data: bytes,
        status: int = 200,
        headers: Mapping[str, str] = NO_HEADERS,
        kind: str = BYTES,
        sent: int | None = None,
    ) -> None:
        """Answer, and note it in the log. With `sent` the connection ends after as many bytes."""
        self.hub.log.append((self.command, self.path, status))
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:sent])
        if sent is not None:
            self.close_connection = True

    def send_json(self, value: Any, status: int = 200, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Answer with JSON."""
        self.send(json.dumps(value).encode(), status, headers, "application/json")

    @property
    def bearer(self) -> str | None:
        """The token of the request."""
        header = self.headers.get("Authorization")
        return None if header is None else header.removeprefix("Bearer ")

    def require_writer(self, owner: str) -> None:
        """Refuse who may not write to the owner's repositories."""
        if self.bearer is None:
            raise Refusal(401, "Invalid username or password.")
        if self.bearer != TOKEN or owner not in (USER, ORGANISATION):
            raise Refusal(403, f"You don't have the rights to write to {owner}")

    def readable(self, types: str, repo_id: str) -> Repository:
        """A repository that this token may see."""
        repository = self.hub.repository(TYPES[types], repo_id)
        if repository.private and self.bearer is None:
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return repository

    def writable(self, types: str, repo_id: str) -> Repository:
        """A repository that this token may write to."""
        self.require_writer(repo_id.split("/")[0])
        return self.hub.repository(TYPES[types], repo_id)

    def commit_of(self, repository: Repository, revision: str) -> tuple[str, dict[str, File]]:
        """Sha and files of a revision."""
        sha = repository.resolve(revision)
        if sha is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha, repository.commits[sha]

    # Account and repositories.

    def whoami(self) -> None:
        if self.bearer is None:
            raise Refusal(401, "Invalid username or password.")
        role = "write" if self.bearer == TOKEN else "read"
        access = {"type": "access_token", "accessToken": {"displayName": "tests", "role": role}}
        organisations = [{"name": ORGANISATION, "type": "org", "roleInOrg": "admin"}]
        self.send_json({"type": "user", "name": USER, "orgs": organisations, "auth": access})

    def create(self) -> None:
        asked = json.loads(self.content)
        owner, repo_type = asked.get("organization") or USER, asked.get("type") or "model"
        self.require_writer(owner)
        repo_id = f"{owner}/{asked['name']}"
        url = f"{self.hub.url}/{'' if repo_type == 'model' else f'{repo_type}s/'}{repo_id}"
        if (repo_type, repo_id) in self.hub.repositories:
            raise Refusal(409, "exists", body={"error": "You already created this repo", "url": url})
        if repo_type == "space" and asked.get("sdk") not in ("gradio", "docker", "static"):
            raise Refusal(400, "sdk is required")
        private = asked.get("visibility") == "private"
        self.hub.repositories[repo_type, repo_id] = Repository(repo_type, repo_id, asked.get("sdk"), private)
        self.send_json({"url": url, "name": repo_id, "id": repo_id})

    def delete(self) -> None:
        asked = json.loads(self.content)
        owner = asked.get("organization") or USER
        self.require_writer(owner)
        repository = self.hub.repository(asked.get("type") or "model", f"{owner}/{asked['name']}")
        del self.hub.repositories[repository.type, repository.id]
        self.send_json({})

    def info(self, types: str, repo_id: str, revision: str | None = None) -> None:
        repository = self.readable(types, repo_id)
        sha, files = self.commit_of(repository, revision or "main")
        facts = {"id": repo_id, "sha": sha, "private": repository.private, "lastModified": DATE, "createdAt": DATE}
        facts |= {"_id": "0", "gated": False, "disabled": False, "tags": [], "downloads": 0, "likes": 0}
        card = REGEX_YAML_BLOCK.search(files["README.md"].data.decode()) if "README.md" in files else None
        if card is not None:
            facts["cardData"] = yaml.safe_load(card.group(2))
        facts["siblings"] = [{"rfilename": path} for path in sorted(files)]
        self.send_json({**facts, **({"sdk": repository.sdk} if repository.sdk else {})})

    def refs(self, types: str, repo_id: str) -> None:
        repository = self.readable(types, repo_id)
        groups = {"branches": ("heads", repository.branches), "tags": ("tags", repository.tags)}
        listed = {
            group: [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": sha} for n, sha in names.items()]
            for group, (kind, names) in groups.items()
        }
        self.send_json({**listed, "converts": []})

    def tag(self, types: str, repo_id: str, revision: str) -> None:
        repository = self.writable(types, repo_id)
        name = json.loads(self.content)["tag"]
        if name in repository.tags:
            raise Refusal(409, "Reference already exists")
        repository.tags[name] = self.commit_of(repository, revision)[0]
        self.send_json({})

    # Listings.

    def entry(self, path: str, file: File) -> dict[str, Any]:
        """A file in a listing."""
        listed = {"type": "file", "path": path, "size": len(file.data), "oid": file.oid}
        if file.lfs:
            listed["lfs"] = {"oid": file.sha256, "size": len(file.data), "pointerSize": len(file.pointer)}
        return listed

    def folder(self, path: str) -> dict[str, Any]:
        """A folder in a listing."""
        return {"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(path.encode()).hexdigest()}

    def tree(self, types: str, repo_id: str, revision: str, path: str | None = None) -> None:
        base = f"{path}/" if path else ""
        commit = self.commit_of(self.readable(types, repo_id), revision)[1]
        files = {name: file for name, file in sorted(commit.items()) if name.startswith(base)}
        if path and not files:
            raise Refusal(404, f"{path} does not exist on {revision}", "EntryNotFound")
        recursive = self.query.get("recursive", ["false"])[0].lower() == "true"
        listed: dict[str, dict[str, Any]] = {}
        for name, file in files.items():
            parts = name[len(base) :].split("/")
            for depth in range(1, len(parts) if recursive else min(2, len(parts))):
                parent = base + "/".join(parts[:depth])
                listed.setdefault(parent, self.folder(parent))
            if recursive or len(parts) == 1:
                listed[name] = self.entry(name, file)
        self.send_json(list(listed.values()))

    def paths_info(self, types: str, repo_id: str, revision: str) -> None:
        files = self.commit_of(self.readable(types, repo_id), revision)[1]
        if "json" in self.headers.get("Content-Type", ""):
            asked = json.loads(self.content)["paths"]
        else:
            asked = parse_qs(self.content.decode()).get("paths", [])
        listed = []
        for path in [asked] if isinstance(asked, str) else asked:
            if path in files:
                listed.append(self.entry(path, files[path]))
            elif any(name.startswith(f"{path.rstrip('/')}/") for name in files):
                listed.append(self.folder(path.rstrip("/")))
        self.send_json(listed)

    # Uploads.

    def validate_yaml(self) -> None:
        asked = json.loads(self.content)
        errors = [{"message": message} for message in card_errors(asked["content"], asked["repoType"])]
        self.send_json({"errors": errors, "warnings": []}, 400 if errors else 200)

    def preupload(self, types: str, repo_id: str, revision: str) -> None:
        files = self.commit_of(self.writable(types, repo_id), revision)[1]
        plan = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE_FILES) else "regular",
                "shouldIgnore": False,
                "oid": files[file["path"]].etag if file["path"] in files else None,
            }
            for file in json.loads(self.content)["files"]
        ]
        self.send_json({"files": plan})

    def lfs_batch(self, types: str | None, repo_id: str) -> None:
        self.writable((types or "models/").rstrip("/"), repo_id)
        objects = []
        for asked in json.loads(self.content)["objects"]:
            item = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.blobs:
                places = {"upload": f"/_lfs/{asked['oid']}", "verify": f"/_lfs/verify/{asked['oid']}"}
                item["actions"] = {name: {"href": self.hub.url + place} for name, place in places.items()}
            objects.append(item)
        self.send_json({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> None:
        if hashlib.sha256(self.content).hexdigest() != oid:
            raise Refusal(400, "the content has another SHA-256")
        self.hub.blobs[oid] = self.content
        self.send(b"")

    def lfs_verify(self, oid: str) -> None:
        if len(self.hub.blobs.get(oid, b"")) != json.loads(self.content)["size"]:
            raise Refusal(404, "object not found")
        self.send_json({})

    def commit(self, types: str, repo_id: str, revision: str) -> None:
        repository = self.writable(types, repo_id)
        head, present = self.commit_of(repository, revision)
        files, title = dict(present), ""
        for line in self.content.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                title = value["summary"]
                if value.get("parentCommit", head) != head:
                    raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            elif item["key"] == "file":
                files[value["path"]] = File(base64.b64decode(value["content"]))
            elif item["key"] == "lfsFile":
                if value["oid"] not in self.hub.blobs:
                    raise Refusal(400, f"the object {value['oid']} was not uploaded")
                files[value["path"]] = File(self.hub.blobs[value["oid"]], lfs=True)
            elif item["key"] == "deletedFile":
                del files[value["path"]]
            else:
                raise Refusal(400, f"the stand-in knows no {item['key']}")
        sha = repository.commit(files, title, revision)
        url = f"{self.hub.url}/{'' if types == 'models' else f'{types}/'}{repo_id}/commit/{sha}"
        self.send_json({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    # Downloads.

    def download(self, types: str | None, repo_id: str, revision: str, path: str) -> None:
        sha, files = self.commit_of(self.readable((types or "models/").rstrip("/"), repo_id), revision)
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if path not in files:
            headers |= {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            self.send_json({"error": "Entry not found"}, 404, headers)
            return
        file = files[path]
        headers["ETag"] = f'"{file.etag}"'
        if file.lfs:
            headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.data))}
        asked = self.headers.get("Range")
        if self.command == "HEAD" or not asked:
            self.send(file.data, headers=headers, sent=self.hub.cut(path) if self.command == "GET" else None)
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(0, len(file.data) - int(last))
        end = min(int(last) if first and last else len(file.data) - 1, len(file.data) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(file.data)}"
        self.send(file.data[start : end + 1], 206, headers=headers)


_ID = r"([^/]+/[^/]+)"
_API = r"/api/(models|datasets|spaces)/" + _ID
ROUTES = (
    ("GET", r"/api/whoami-v2", "whoami"),
    ("POST", r"/api/repos/create", "create"),
    ("DELETE", r"/api/repos/delete", "delete"),
    ("POST", r"/api/validate-yaml", "validate_yaml"),
    ("GET", _API, "info"),
    ("GET", _API + r"/revision/([^/]+)", "info"),
    ("GET", _API + r"/refs", "refs"),
    ("POST", _API + r"/tag/([^/]+)", "tag"),
    ("GET", _API + r"/tree/([^/]+)(?:/(.+))?", "tree"),
    ("POST", _API + r"/paths-info/([^/]+)", "paths_info"),
    ("POST", _API + r"/preupload/([^/]+)", "preupload"),
    ("POST", _API + r"/commit/([^/]+)", "commit"),
    ("POST", r"/(datasets/|spaces/)?" + _ID + r"\.git/info/lfs/objects/batch", "lfs_batch"),
    ("PUT", r"/_lfs/([0-9a-f]{64})", "lfs_put"),
    ("POST", r"/_lfs/verify/([0-9a-f]{64})", "lfs_verify"),
    ("GET", r"/(datasets/|spaces/)?" + _ID + r"/resolve/([^/]+)/(.+)", "download"),
)
