# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes chromium.webm: two seconds recorded by a real browser, Chromium's MediaRecorder with its fake camera and
microphone. Needs `chromium` (Debian: apt-get install chromium). From this folder: python record.py
"""

import subprocess
import sys
import tempfile
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path


FOLDER = Path(__file__).parent
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


class RecordingServer(HTTPServer):
    """Serves record.html on the local host, where a page may use the camera, until the recording has come back."""

    recording: bytes | None = None
    failure: str | None = None

    def handle_timeout(self):
        self.failure = f"no recording within {self.timeout} seconds"


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments):
        super().__init__(*arguments, directory=str(FOLDER))

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/recording":
            self.server.recording = content
        else:
            self.server.failure = content.decode(errors="replace")
        self.send_response(204)
        self.end_headers()


def main(chromium: str = "chromium") -> None:
    with RecordingServer(("localhost", 0), Handler) as server, tempfile.TemporaryDirectory() as profile:
        server.timeout = 120
        page = f"http://localhost:{server.server_port}/record.html"
        browser = subprocess.Popen([chromium, *FLAGS, f"--user-data-dir={profile}", page])
        try:
            while server.recording is None and server.failure is None:
                server.handle_request()
        finally:
            browser.terminate()
            browser.wait()
        if server.recording is None:
            raise SystemExit(f"The browser recorded nothing: {server.failure}")
        (FOLDER / "chromium.webm").write_bytes(server.recording)
        print(f"chromium.webm: {len(server.recording)} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
