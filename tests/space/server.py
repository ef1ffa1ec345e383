# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The demo as a visitor meets it: `python space/app.py` in a process of its own, with a tiny model."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import torch

from tests.modeling_amess.tiny import LABELS
from tests.modeling_amess.tiny_recognizer import recognizer_model, recognizer_processor
from tests.training import tiny as tiny_training


SPACE = Path(__file__).parents[2] / "space"


@dataclass(frozen=True)
class Server:
    """A running demo: its address, the folder of its model, where Gradio keeps uploads, its output, its process."""

    url: str
    model: Path | None  # None for the demo's own default
    uploads: Path
    log: Path
    process: subprocess.Popen

    @property
    def pid(self) -> int:
        return self.process.pid


def save_tiny_model(folder: Path) -> Path:
    """
    A random model that takes clips whole and finds them all in scope, and the encoder of its descriptions. Returns the
    model's folder.
    """
    text_model = tiny_training.make_text_model(folder / "bert")
    encoder = tiny_training.make_sentence_encoder(folder / "sentences", text_model)
    model = recognizer_model(description_size=16, description_encoder=encoder, out_of_scope_threshold=0.2)
    with torch.no_grad():
        model.classifier.bias[LABELS.index("UNK")] = -10.0
    model.save_pretrained(folder / "model")
    recognizer_processor().save_pretrained(folder / "model")
    return folder / "model"


@contextmanager
def running(model: Path | None, folder: Path, **variables: str) -> Iterator[Server]:
    """Starts the demo, waits until it answers, and ends it. `model=None` is the demo's own default."""
    port = tiny_training.free_port()
    uploads, log = folder / "uploads", folder / "demo.log"
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(uploads), "GRADIO_ANALYTICS_ENABLED": "False"}
    if model is not None:
        settings["AMESS_MODEL"] = str(model)
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, str(SPACE / "app.py")],
            env=tiny_training.environment(**settings, **variables),
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_until_up(process, url, log)
        yield Server(url, model, uploads, log, process)
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_up(process: subprocess.Popen, url: str, log: Path, seconds: float = 120) -> None:
    """Returns when the page is served. Raises AssertionError with the output if the process ends before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urlopen(url, timeout=5) as response:
                assert response.status == 200
            return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(f"The demo did not start within {seconds} s:\n{log.read_text()}")


def one_thread() -> None:
    """As the child process, so that both compute the same to the last bit."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
