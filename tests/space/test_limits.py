# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What strangers cannot make the demo do: fetch, wait, remember, keep, or quote its own exceptions."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil
import pytest

from .server import SPACE, Server, running
from .test_safety import file_data, upload


EVERYTHING = ["text", "video", "audio"]
OWN = "Thank: To express gratitude.\nTaunt: To mock someone."
ANSWER = {
    "label": "Joke",
    "score": 0.5,
    "text": "oh",
    "modalities": ["text"],
    "unfamiliar": None,
    "transcript": None,
    "intents": [{"label": "Joke", "score": 0.5}],
    "explanation": {
        "variants": [],
        "tokens": [],
        "video_anchors": [],
        "audio_anchors": [],
        "description_similarity": {},
    },
}


@pytest.fixture
def visitor(server: Server):
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@contextmanager
def served_here(recognizer):
    """A client of a demo that this process serves, and its `gr.Blocks`."""
    import app

    blocks = app.Demo(recognizer).build()
    try:
        _, url, _ = app.serve(blocks, prevent_thread_lock=True, quiet=True)
        with httpx.Client(base_url=url, timeout=60) as client:
            yield client, blocks
    finally:
        blocks.close()


def events(visitor: httpx.Client) -> list[dict]:
    """Everything that a request can call, as the page is told."""
    return visitor.get("/config").json()["dependencies"]


def kinds_of(visitor: httpx.Client) -> dict[int, str]:
    """The kind of each component of the page, by its id."""
    return {component["id"]: component["type"] for component in visitor.get("/config").json()["components"]}


def judges_of(visitor: httpx.Client) -> list[dict]:
    """The events that judge an answer by a threshold."""
    kinds = kinds_of(visitor)
    return [event for event in events(visitor) if [kinds[name] for name in event["inputs"]] == ["json", "slider"]]


def inputs_of(visitor: httpx.Client, event: dict, clip: dict | None = None, text: object = "oh, great.") -> list:
    """Something for each input of an event, by the component's kind."""
    kinds = kinds_of(visitor)
    samples = {"video": clip, "textbox": text, "checkboxgroup": EVERYTHING, "slider": 0.5, "json": ANSWER}
    return [samples.get(kinds[name]) for name in event["inputs"]]


# Going past the queue


@pytest.mark.parametrize("route", ["run/predict", "api/predict", "run/predict/", "run/compare"])
def test_nothing_that_runs_the_model_can_be_called_past_the_queue(visitor, route):
    for event in events(visitor):
        if event["queue"] is not False:
            body = {"data": inputs_of(visitor, event), "fn_index": event["id"], "session_hash": "s"}
            assert visitor.post(f"/gradio_api/{route}", json=body).status_code == 404


@pytest.mark.parametrize("route", ["call/predict", "call/v2/predict", "queue/join"])
def test_a_long_transcript_is_refused_on_every_route(visitor, route):
    long = "oh " * 200
    for event in events(visitor):
        if event["queue"] is False:
            continue
        body = {"data": inputs_of(visitor, event, text=long), "fn_index": event["id"], "session_hash": "s"}
        if route == "call/v2/predict":
            body = {"clip": None, "transcript": long}
        response = visitor.post(f"/gradio_api/{route}", json=body)
        assert response.status_code == 422 and "too long" in response.text


def test_a_long_transcript_is_refused_by_the_model_itself(recognizer):
    from recognition import InputError

    with pytest.raises(InputError, match="too long"):
        recognizer.recognize(None, "oh " * 200, ["text"])
    with pytest.raises(InputError, match="too long"):
        recognizer.own_intents(None, "oh " * 200, ["text"], {"Tease": ["To tease."], "Thank": ["To thank."]})


@pytest.mark.parametrize("handler", ["check", "check_own_intents", "show"])
def test_so_many_clips_wait_to_be_decoded_and_later_ones_hear_that_it_is_busy(recognizer, clip, monkeypatch, handler):
    import app
    import gradio as gr
    import recognition

    shared = recognition.Recognizer(recognizer.pipeline, "tiny")
    demo = app.Demo(shared)
    demo.queue, hold, decodings = [], threading.Event(), []

    def slow(path):
        decodings.append(path)
        hold.wait(30)
        raise recognition.InputError("decoded")

    monkeypatch.setattr(shared, "_decode", slow)
    calls = {
        "check": lambda: demo.check(str(clip), "oh", EVERYTHING)[1]["message"],
        "check_own_intents": lambda: demo.check_own_intents(str(clip), "oh", EVERYTHING, OWN)[-1]["message"],
        "show": lambda: demo.show(ANSWER, str(clip), "oh", EVERYTHING, 0.5),
    }

    def call():
        try:
            return calls[handler]()
        except gr.Error as error:
            return error.message

    places = app.MAX_WAITING if handler != "show" else app.MAX_WAITING // 2
    with ThreadPoolExecutor(60) as visitors:
        waiting = [visitors.submit(call) for _ in range(60)]
        deadline = time.monotonic() + 20
        while sum(one.done() for one in waiting) < 60 - places and time.monotonic() < deadline:
            time.sleep(0.02)
        told = [one.result() for one in waiting if one.done()]
        hold.set()
    assert told == [app.BUSY] * (60 - places)
    assert len(decodings) == places
    assert call() != app.BUSY, "places are given back"


# Addresses of the web


@pytest.fixture
def web(monkeypatch):
    """A server that counts its requests, and that Gradio takes for one on the public web."""
    import safehttpx
    from gradio import processing_utils

    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from the web")

        def log_message(self, *_):
            pass

    async def public(_: str) -> str:
        return "127.0.0.1"

    monkeypatch.setattr(safehttpx, "async_validate_url", public)
    monkeypatch.setattr(processing_utils, "PUBLIC_HOSTNAME_WHITELIST", ["127.0.0.1"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.requests = requests
    yield server
    server.shutdown()


def test_no_component_and_no_route_opens_an_address(recognizer, web, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    address = f"http://127.0.0.1:{web.server_address[1]}/x.mp4"
    files = [file_data(address), file_data(address.replace("http", "HTTP")), file_data("file:///etc/passwd")]
    files += [file_data("/etc/passwd"), file_data(str(SPACE / "app.py")), file_data("app.py"), file_data("a\0b")]
    with served_here(recognizer) as (visitor, _):
        before = {path for path in tmp_path.rglob("*") if path.is_file()}
        sent = 0
        for event in events(visitor):
            route = "queue/join" if event["queue"] is not False else "run/predict"
            for file in files:
                for place in range(len(event["inputs"]) + 1):
                    for value in (file, [file], {"deep": [{"er": file}]}):
                        data = inputs_of(visitor, event)
                        event_data = None
                        if place < len(data):
                            data[place] = value
                        else:
                            event_data = {"index": 0, "value": value}
                        body = {"data": data, "fn_index": event["id"], "session_hash": "s", "event_data": event_data}
                        response = visitor.post(f"/gradio_api/{route}", json=body)
                        assert response.status_code == 403, (event["id"], place, value)
                        assert "Upload the clip" in response.text and str(SPACE) not in response.text
                        sent += 1
        assert sent > 300
        named = {"clip": files[0], "transcript": "oh"}
        assert visitor.post("/gradio_api/call/v2/predict", json=named).status_code == 403
        for path in (f"/gradio_api/file={address}", f"/gradio_api/file/{address}", f"/gradio_api/proxy={address}"):
            assert visitor.get(path).status_code == 403
            assert visitor.head(path).status_code == 403
        assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
    assert web.requests == []


def test_an_upload_may_name_its_own_address(server, visitor, clip):
    """The page sends the address from which it shows an upload; nothing is fetched from there."""
    stored = upload(visitor, "clip.mp4", clip.read_bytes())
    file = file_data(stored) | {"url": f"{server.url}gradio_api/file={stored}"}
    assert visitor.post("/gradio_api/call/predict", json={"data": [file, "oh", EVERYTHING]}).status_code == 200


# Sizes


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("route", ["queue/join", "call/predict", "call/v2/predict", "run/predict", "cancel", "reset"])
def test_json_above_its_limit_is_not_read(visitor, route, chunked):
    content = json.dumps({"data": [None, "x" * 200_000, ["text"]], "fn_index": 1, "session_hash": "s"}).encode()
    body = iter([content[:50_000], content[50_000:]]) if chunked else content
    response = visitor.post(f"/gradio_api/{route}", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 413 and "100,000 bytes" in response.text


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 40_000, b"\xff\xfe", b"null", b'{"data": 1}', b'{"data":[],"session_hash":{"a":1}}']
)
def test_json_that_means_nothing_is_refused_in_words(visitor, body):
    headers = {"content-type": "application/json"}
    response = visitor.post("/gradio_api/call/predict", content=body, headers=headers)
    assert response.status_code in (400, 422)
    assert not any(word in response.text for word in ("Traceback", "Error", str(SPACE)))


def parts(*contents: bytes, field: str = 'name="files"; filename="a.mp4"'):
    """A multipart body in pieces of a megabyte, without its length in advance."""
    for content in contents:
        yield f"--frontier\r\nContent-Disposition: form-data; {field}\r\n\r\n".encode()
        for start in range(0, len(content), 2**20):
            yield content[start : start + 2**20]
        yield b"\r\n"
    yield b"--frontier--\r\n"


@pytest.mark.parametrize("route", ["upload", "component_server", "process_recording"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda: parts(bytes(28 * 2**20)), 413),
        (lambda: parts(bytes(28 * 2**20), field='name="x"'), 413),
        (lambda: b"".join(parts(bytes(28 * 2**20))), 413),
        (lambda: parts(b"one", b"two"), 400),
        (lambda: parts(*(b"%d" % number for number in range(1200))), 400),
    ],
    ids=["one large file", "one large field", "told length", "two files", "many files"],
)
def test_an_upload_is_one_clip_within_its_limit(server, visitor, route, body, status):
    def stored():
        return {path for path in server.uploads.rglob("*") if path.is_file()}

    before = stored()
    headers = {"content-type": "multipart/form-data; boundary=frontier"}
    response = visitor.post(f"/gradio_api/{route}", content=body(), headers=headers)
    assert response.status_code == (status if route == "upload" else 403)
    assert stored() == before


def test_a_clip_that_holds_the_words_of_a_delimiter_is_one_file(visitor):
    content = b"\r\n--\r\n--frontie" * 10_000
    headers = {"content-type": 'multipart/form-data; boundary="frontier"'}
    response = visitor.post("/gradio_api/upload", content=parts(content), headers=headers)
    assert Path(response.json()[0]).read_bytes() == content


@pytest.mark.slow
def test_what_clients_send_does_not_stay_in_memory(server, visitor):
    def send(number: int) -> None:
        padded = ANSWER | {"pad": f"{number:08d}" * 11_000}
        for event in judges:
            data = inputs_of(visitor, event)
            data[0] = padded
            body = {"data": data, "fn_index": event["id"], "session_hash": f"memory-{number}"}
            assert visitor.post("/gradio_api/run/predict", json=body).status_code == 200
        refused = {"data": [None, "x" * 90_000, ["text"]]}
        assert (
            visitor.post("/gradio_api/call/predict", json=refused | {"session_hash": f"r{number}"}).status_code == 422
        )

    judges = judges_of(visitor)
    assert judges
    process = psutil.Process(server.pid)
    for number in range(300):  # more than are remembered
        send(number)
    before = process.memory_info().rss
    for number in range(300, 700):
        send(number)
    assert process.memory_info().rss - before < 20 * 2**20


def test_sessions_are_forgotten_by_number(recognizer, monkeypatch, tmp_path):
    import app

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(app, "MAX_SESSIONS", 5)
    with served_here(recognizer) as (visitor, blocks):
        judge = judges_of(visitor)[0]
        for number in range(20):
            body = {"data": inputs_of(visitor, judge), "fn_index": judge["id"], "session_hash": f"s{number}"}
            visitor.post("/gradio_api/run/predict", json=body)
        assert len(blocks.app.state_holder.session_data) <= 6


# What is left


@pytest.mark.parametrize("end", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_the_end_of_the_demo_deletes_its_uploads_and_nothing_else(tiny_model, clip, tmp_path, end):
    with running(tiny_model, tmp_path) as server:
        foreign = server.uploads / "of-another-app" / "cached.png"
        foreign.parent.mkdir()
        foreign.write_bytes(b"a picture")
        os.utime(foreign, (1, 1))
        with httpx.Client(base_url=server.url, timeout=60) as visitor:
            assert Path(upload(visitor, "clip.mp4", clip.read_bytes())).exists()
        # Tests that run in the background of a shell inherit from it that interrupts are ignored; a handler is not.
        server.process.send_signal(end)
        assert server.process.wait(30) == 128 + end
        assert [path for path in server.uploads.rglob("*") if path.is_file()] == [foreign]


def test_what_demos_that_were_killed_left_is_deleted_and_what_others_need_stays(monkeypatch, tmp_path):
    from uploads import claim_folder, delete_old

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    killed = claim_folder()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    own = claim_folder()
    kept, linked = own / "still.webp", tmp_path / "of-the-user"
    linked.mkdir()
    (killed / "hash").mkdir()
    files = [killed / "hash" / "old.mp4", killed / "hash" / "young.mp4", own / "old.mp4", kept, linked / "file"]
    for file in files:
        file.write_bytes(b"content")
    (own / "link").symlink_to(linked)
    for file in (files[0], *files[2:]):
        os.utime(file, (1, 1))
    delete_old(60, {str(kept)})
    assert [file.exists() for file in files] == [False, True, False, True, True]
    assert kept.stat().st_mtime > time.time() - 60, "another demo deletes by age as well"
    files[1].unlink()
    os.utime(killed / "hash", (1, 1))
    os.utime(killed, (1, 1))
    delete_old(60, {str(kept)})
    assert not (killed / "hash").exists()


@pytest.mark.slow
def test_a_demo_that_was_killed_leaves_files_that_the_next_one_deletes_by_age(tiny_model, clip, tmp_path):
    with running(tiny_model, tmp_path) as server, httpx.Client(base_url=server.url, timeout=60) as visitor:
        old, young = (Path(upload(visitor, f"{name}.mp4", clip.read_bytes() + name)) for name in (b"a", b"b"))
        half = next(folder for folder in server.uploads.iterdir() if folder in old.parents) / "tmp-half-an-upload"
        half.write_bytes(b"cut off")
        server.process.kill()
        server.process.wait(30)
    for path in (old, half):
        os.utime(path, (time.time() - 1900,) * 2)
    with running(tiny_model, tmp_path):
        deadline = time.monotonic() + 20
        while old.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not old.exists() and not half.exists() and young.exists()


def test_a_deep_link_is_deleted_as_an_upload_is(recognizer, monkeypatch, tmp_path):
    import app

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(app, "CLEAN_EVERY", 0.5)
    monkeypatch.setattr(app, "KEEP_UPLOADS", 1)
    with served_here(recognizer) as (visitor, _):
        body = {"data": [None, "a secret", ["text"]], "session_hash": "deep"}
        join = visitor.post("/gradio_api/queue/join", json=body | {"fn_index": 1})
        assert join.status_code == 200
        assert visitor.get("/gradio_api/deep_link?session_hash=deep").status_code == 200
        states = list(tmp_path.rglob("state.json"))
        assert any("a secret" in state.read_text() for state in states)
        deadline = time.monotonic() + 20
        while any(state.exists() for state in states) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not any(state.exists() for state in states)
        assert not (tmp_path / "deep_links").exists() or not any((tmp_path / "deep_links").rglob("state.json"))


def test_a_clip_that_was_deleted_meanwhile_is_asked_for_again(visitor, clip):
    stored = upload(visitor, "clip.mp4", clip.read_bytes() + b"gone")
    Path(stored).unlink()
    response = visitor.post("/gradio_api/call/predict", json={"data": [file_data(stored), "oh", EVERYTHING]})
    assert response.status_code == 422 and "Upload it again" in response.text and stored not in response.text


# What is said


@pytest.mark.parametrize("handler", ["check", "check_own_intents"])
def test_an_exception_of_a_validator_is_not_quoted(recognizer, clip, monkeypatch, handler):
    import app
    import recognition

    shared = recognition.Recognizer(recognizer.pipeline, "tiny")
    demo = app.Demo(shared)
    demo.queue = []

    def broken(path):
        raise ValueError(f"31 is not a valid Type of {path}")

    monkeypatch.setattr(shared, "_decode", broken)
    checked = getattr(demo, handler)(str(clip), "oh", EVERYTHING, *([OWN] if handler == "check_own_intents" else []))
    said = [one["message"] for one in checked if not one["is_valid"]]
    assert said == [app.WRONG]


def test_no_input_makes_a_route_quote_an_exception(recognizer, clip, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with served_here(recognizer) as (visitor, _):
        send_nonsense(visitor, file_data(upload(visitor, "clip.mp4", clip.read_bytes())))


def send_nonsense(visitor, stored):
    nonsense = [5, "x", [5], {"a": 1}, stored, [stored], None, {"path": None}, {"meta": {"_type": "gradio.FileData"}}]
    for event in events(visitor):
        route = "queue/join" if event["queue"] is not False else "run/predict"
        for place in range(len(event["inputs"])):
            for value in nonsense:
                data = inputs_of(visitor, event)
                data[place] = value
                body = {"data": data, "fn_index": event["id"], "session_hash": f"n{event['id']}"}
                said = visitor.post(f"/gradio_api/{route}", json=body).text.replace(json.dumps(stored["path"]), "")
                for hidden in ("Traceback", "Error:", "Could not", "site-packages", str(SPACE), "_choose", "NoneType"):
                    assert hidden not in said, (event["id"], place, value)


def test_nobody_watches_the_others(visitor):
    for path in ("/monitoring", "/monitoring/summary", "/monitoring/x"):
        assert visitor.get(path).status_code == 403
