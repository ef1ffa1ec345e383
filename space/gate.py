# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a request may hold: checked here, for all routes alike, before Gradio reads it."""

import json
import os
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from recognition import MAX_CLIP_BYTES
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_JSON_BYTES = 100_000
# One clip, and the lines around it.
MAX_UPLOAD_BYTES = MAX_CLIP_BYTES + 2**20
MAX_FILES = 1

ADDRESS = "Upload the clip: addresses are not opened here."
NOT_UPLOADED = "Upload the clip: files that were not uploaded here are not read."
ELSEWHERE = "Files are taken at /gradio_api/upload only."
UNREADABLE_REQUEST = "The demo cannot read this request. /gradio_api/info says what each input is."
TOO_LARGE = "The request exceeds the maximum allowed size of {:,} bytes."
TOO_MANY_FILES = f"An upload may hold {MAX_FILES} file. Send one request per clip."


class Refusal(Exception):
    """A request that Gradio must not see. The message is written for the visitor."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Gate:
    """ASGI middleware that refuses requests which no page of the demo sends.

    A body is JSON of at most `MAX_JSON_BYTES`, or an upload of `MAX_FILES` of at most `MAX_UPLOAD_BYTES`. No request
    names an address of the web, or a file outside `folders`: every component of Gradio that takes a file would open
    either. What Gradio says of a request that it cannot use is replaced, because it quotes exceptions and paths.

    Args:
        app: Application behind the gate.
        folders: Folders with the files that a request may name.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], folders: Sequence[Path]):
        self.app = app
        self.folders = [Path(os.path.realpath(folder)) for folder in folders]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a refused request, and pass every other one on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            # Gradio fetches `/gradio_api/file=http://...` for anyone.
            if "://" in scope["path"]:
                raise Refusal(403, ADDRESS)
            if scope["method"] == "POST":
                receive, send = await self._check(scope, receive, send)
        except Refusal as refusal:
            await JSONResponse({"detail": str(refusal)}, refusal.status)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _check(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> tuple[Receive, Send]:
        """Return what the application shall receive from, and send to. Raises Refusal."""
        headers = Headers(scope=scope)
        content_type, length = headers.get("content-type", ""), headers.get("content-length", "")
        is_upload = content_type.lower().startswith("multipart/")
        if is_upload and not scope["path"].endswith("/upload"):
            raise Refusal(403, ELSEWHERE)
        limit = MAX_UPLOAD_BYTES if is_upload else MAX_JSON_BYTES
        if length.isdigit() and int(length) > limit:
            raise Refusal(413, TOO_LARGE.format(limit))
        if is_upload:
            return _counted(receive, content_type), send
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > limit:
                raise Refusal(413, TOO_LARGE.format(limit))
            if not message.get("more_body"):
                break
        if body:
            try:
                self._check_files(json.loads(body))
            except (ValueError, RecursionError):
                raise Refusal(400, UNREADABLE_REQUEST) from None
        return _again(body, receive), _in_words(send)

    def _check_files(self, content: Any) -> None:
        for path in _paths(content):
            if "://" in path:
                raise Refusal(403, ADDRESS)
            # No file has a NUL in its path.
            if "\0" in path or not any(Path(os.path.realpath(path)).is_relative_to(folder) for folder in self.folders):
                raise Refusal(403, NOT_UPLOADED)


def _paths(content: Any) -> Iterator[str]:
    """All files that Gradio could find in a request: each dictionary with a path, however deep."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            if isinstance(value.get("path"), str):
                yield value["path"]


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read once more."""
    bodies = [body]

    async def replay() -> Message:
        return {"type": "http.request", "body": bodies.pop()} if bodies else await receive()

    return replay


def _counted(receive: Receive, content_type: str) -> Receive:
    """Count bytes and parts of an upload while they come in. The error is one that Gradio cleans up after."""
    boundary = re.search(r'boundary="?([^";,]+)', content_type, re.IGNORECASE)
    delimiter = b"\r\n--" + (boundary[1].encode("latin-1") if boundary else b"")
    size, delimiters, tail = 0, 0, b"\r\n"

    async def counting() -> Message:
        nonlocal size, delimiters, tail
        message = await receive()
        body = message.get("body", b"")
        size += len(body)
        delimiters += (tail + body).count(delimiter)
        tail = (tail + body)[1 - len(delimiter) :]
        if size > MAX_UPLOAD_BYTES:
            raise MultiPartException(TOO_LARGE.format(MAX_UPLOAD_BYTES))
        # The last delimiter ends the body.
        if boundary and delimiters > MAX_FILES + 1:
            raise MultiPartException(TOO_MANY_FILES)
        return message

    return counting


def _in_words(send: Send) -> Send:
    """Replace what Gradio says of a request that it cannot use."""
    content = json.dumps({"detail": UNREADABLE_REQUEST}).encode()
    replaced = False

    async def worded(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start" and message["status"] == 400:
            replaced = True
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
            await send({**message, "headers": headers})
            await send({"type": "http.response.body", "body": content})
        elif not replaced:
            await send(message)

    return worded
