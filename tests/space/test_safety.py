# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What strangers may try: files that are not theirs, clips that are none, too much at once."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.modeling_amess.clips import write_clip

from .server import SPACE, Server


ROUTES = ("/gradio_api/file=", "/gradio_api/file/", "/file=", "/static/", "/assets/", "/theme.css/")


@pytest.fixture(scope="module")
def visitor(server: Server):
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def upload(visitor: httpx.Client, name: str, content: bytes) -> str:
    """Path of the upload on the server, as the server tells its visitor."""
    response = visitor.post("/gradio_api/upload", files={"files": (name, content)})
    assert response.status_code == 200, response.text
    return response.json()[0]


def predict(visitor: httpx.Client, file: dict | None, text: str = "oh, great.") -> tuple[bool, str]:
    """Whether /predict answered, and all that it said."""
    fed = visitor.post("/gradio_api/call/predict", json={"data": [file, text, ["text", "video", "audio"]]})
    if fed.status_code != 200:
        return False, fed.text
    answer = visitor.get(f"/gradio_api/call/predict/{fed.json()['event_id']}").text
    return "event: complete" in answer, answer


def file_data(path: str) -> dict:
    """A clip as a request names it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def secrets(server: Server) -> list[Path]:
    """Files of the machine that are nobody's business."""
    return [Path("/etc/passwd"), SPACE / "app.py", SPACE / "README.md", server.model / "config.json", server.log]


def test_files_of_the_machine_are_not_served(server, visitor):
    tried = 0
    for secret in secrets(server):
        detours = [
            str(secret),
            f"{SPACE}/examples/../{secret}",
            f"{SPACE}/examples/../../{secret.relative_to('/')}",
            f"{server.uploads}/../{secret.name}",
            f"{SPACE}/examples/" + "../" * 12 + str(secret.relative_to("/")),
        ]
        for path in detours:
            for form in (path, quote(path, safe=""), quote(path).replace(".", "%2e"), "//" + path, "file://" + path):
                for route in (
                    "/gradio_api/file=",
                    "/gradio_api/file/",
                    "/file=",
                    "/static/",
                    "/assets/",
                    "/theme.css/",
                ):
                    response = visitor.get(route + form)
                    tried += 1
                    assert response.status_code in (307, 400, 403, 404, 405, 422), f"{route}{form}"
                    assert secret.read_bytes()[:60] not in response.content
    assert tried > 500


def test_the_examples_are_served(visitor):
    for row in json.loads((SPACE / "examples" / "examples.json").read_text()):
        response = visitor.get(f"/gradio_api/file={SPACE / 'examples' / row['file']}")
        assert response.status_code == 200
        assert response.content == (SPACE / "examples" / row["file"]).read_bytes()


def test_a_request_cannot_name_a_file_of_the_machine_as_its_clip(server, visitor):
    for secret in secrets(server):
        for path in (str(secret), f"{SPACE}/examples/../{secret.name}", f"{server.uploads}/../{secret.name}"):
            answered, said = predict(visitor, file_data(path))
            assert not answered, path
            assert secret.read_text()[:40] not in said


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/", "https://example.com/clip.mp4", "file:///etc/passwd"])
def test_addresses_are_not_opened(server, visitor, address):
    port = re.search(r":(\d+)/", server.url)[1]
    started = time.monotonic()
    answered, said = predict(visitor, file_data(address.format(port=port)))
    assert not answered
    assert "root:" not in said
    # Whatever a file's address is to Gradio, those of the web are refused by name.
    assert "addresses are not opened" in said or address.startswith("file")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("name", ["../../../evil.mp4", "/etc/evil.mp4", "..\\evil.mp4", "a\0.mp4", "é" * 300 + ".mp4"])
def test_the_name_of_an_upload_is_not_a_path(server, visitor, clip, name):
    stored = Path(upload(visitor, name, clip.read_bytes()))
    assert stored.resolve().is_relative_to(server.uploads.resolve())
    assert stored.read_bytes() == clip.read_bytes()
    assert not list(server.uploads.parent.glob("*evil*"))


def test_an_upload_that_is_too_large_is_refused(server, visitor):
    before = sum(file.stat().st_size for file in server.uploads.rglob("*") if file.is_file())
    response = visitor.post("/gradio_api/upload", files={"files": ("large.mp4", bytes(26 * 2**20))})
    assert response.status_code == 413
    after = sum(file.stat().st_size for file in server.uploads.rglob("*") if file.is_file())
    assert after == before


@pytest.fixture(scope="module")
def bad_clips(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files that are no clips, or too much of one, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("bad")
    whole = clip.read_bytes()
    picture = {"size": (16, 16), "frame_rate": 5, "audio": False}
    return {
        "empty": b"",
        "text": b"This is no clip.",
        "cut off": whole[: len(whole) // 5],
        "noise": bytes(range(256)) * 40,
        "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "too long": write_clip(folder / "long.mp4", seconds=31, **picture).read_bytes(),
        "too large": write_clip(folder / "wide.mp4", seconds=0.2, **(picture | {"size": (2400, 4100)})).read_bytes(),
    }


@pytest.mark.parametrize("kind", ["empty", "text", "cut off", "noise", "playlist", "concat", "too long", "too large"])
def test_a_bad_clip_is_refused_in_words(server, visitor, bad_clips, kind):
    answered, said = predict(visitor, file_data(upload(visitor, "clip.mp4", bad_clips[kind])))
    assert not answered
    assert {"too long": "too long", "too large": "too large"}.get(kind, "could not be read") in said
    for hidden in (str(server.uploads), str(SPACE), "Traceback", "site-packages", "av.", "root:"):
        assert hidden not in said


@pytest.mark.parametrize(
    "data",
    [[], [None], [None, ["oh"], 5], [None, "oh", ["smell"]], [None, "oh", "text"], [{"path": None}, "oh", ["text"]]],
)
def test_nonsense_gets_an_error_without_paths(visitor, data):
    response = visitor.post("/gradio_api/call/predict", json={"data": data})
    said = response.text
    if response.status_code == 200:
        said = visitor.get(f"/gradio_api/call/predict/{response.json()['event_id']}").text
        assert "event: complete" not in said
    for hidden in (str(SPACE), "Traceback", "site-packages"):
        assert hidden not in said


def test_too_many_at_once_are_told_and_the_others_answered(visitor):
    def ask(number: int) -> int:
        text = "oh, great. thanks a lot." if number % 2 else "no way."
        fed = visitor.post("/gradio_api/call/predict", json={"data": [None, text, ["text", "video", "audio"]]})
        if fed.status_code == 200:
            said = visitor.get(f"/gradio_api/call/predict/{fed.json()['event_id']}").text
            assert "event: complete" in said
            assert f'"text": "{text}"' in said
        else:
            assert "Queue is full" in fed.text or "try again in a minute" in fed.text
        return fed.status_code

    with ThreadPoolExecutor(90) as visitors:
        statuses = list(visitors.map(ask, range(90)))
    assert statuses.count(200) >= 16
    assert set(statuses) - {200} <= {503, 422}
    assert len(set(statuses)) > 1, "none was refused"


def test_uploads_are_deleted_by_age_and_examples_stay(recognizer, clip, monkeypatch, tmp_path):
    import app

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(app, "CLEAN_EVERY", 1)
    monkeypatch.setattr(app, "KEEP_UPLOADS", 1)
    blocks = app.Demo(recognizer).build()
    try:
        _, url, _ = app.serve(blocks, prevent_thread_lock=True, quiet=True)
        with httpx.Client(base_url=url, timeout=60) as visitor:
            stored = Path(upload(visitor, "clip.mp4", clip.read_bytes()))
            assert visitor.get(f"/gradio_api/file={stored}").status_code == 200
            deadline = time.monotonic() + 20
            while stored.exists() and time.monotonic() < deadline:
                time.sleep(0.2)
            assert visitor.get(f"/gradio_api/file={stored}").status_code in (403, 404)
            example = next((SPACE / "examples").glob("*.mp4"))
            assert visitor.get(f"/gradio_api/file={example}").status_code == 200
            still = re.search(r'"path":\s*"([^"]+\.webp)"', visitor.get("/config").text)[1]
            assert visitor.get(f"/gradio_api/file={still}").status_code == 200
    finally:
        blocks.close()
