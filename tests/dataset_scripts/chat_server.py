# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for an OpenAI-compatible chat endpoint on the loopback interface."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


TOKEN = "sk-stand-in-4711"


class ChatServer:
    """
    The server; a context manager. Asked for n descriptions of a label it answers with n sentences about it.

    Attributes:
        replies: what the next requests get instead, in order: the model's words, or `(status, headers, body)`; `None`
            for the usual answer.
        requests: bodies of the requests so far.
        tokens: the bearer token of each request, or None.
        hold_at: number of the request (from 1) that is left without an answer until `released` is set.
        reached: set when that request has come.
    """

    def __init__(self) -> None:
        self.replies: list[Any] = []
        self.requests: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.hold_at: int | None = None
        self.reached, self.released = threading.Event(), threading.Event()
        handler = type("BoundHandler", (_Handler,), {"chat": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def asked(self) -> list[str]:
        """The label of each request."""
        return [asked_for(body)[0] for body in self.requests]


def asked_for(body: dict[str, Any]) -> tuple[str, int]:
    """The label and the number of descriptions that a request asks for."""
    prompt = body["messages"][0]["content"]
    return prompt.rpartition("Noun: ")[2], int(re.search(r"\d+", prompt)[0])


def good_answer(label: str, number: int) -> str:
    """A numbered list of so many sentences."""
    return "\n".join(f"{place}. To {label.lower()} in way {place}." for place in range(1, number + 1))


class _Handler(BaseHTTPRequestHandler):
    chat: ChatServer

    def do_POST(self) -> None:
        chat = self.chat
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        chat.requests.append(body)
        authorization = self.headers.get("authorization")
        chat.tokens.append(authorization and authorization.removeprefix("Bearer "))
        if len(chat.requests) == chat.hold_at:
            chat.reached.set()
            chat.released.wait()
            return
        reply = chat.replies.pop(0) if chat.replies else None
        if self.path != "/v1/chat/completions":
            reply = (404, {}, "no such page")
        if isinstance(reply, tuple):
            self._send(*reply)
            return
        message = {"role": "assistant", "content": good_answer(*asked_for(body)) if reply is None else reply}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._send(200, {}, json.dumps({"id": "1", "created": 1, "model": body["model"], "choices": [choice]}))

    def _send(self, status: int, headers: dict[str, str], body: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments: object) -> None:
        """Nothing on the test's output."""
