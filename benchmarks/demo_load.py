# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The demo under many visitors: lost or wrong answers, times, and memory.

Clients over loopback upload an example each time and ask for its intent; a client that finds the queue full tries
again. The script compares the answers with those of the pipeline in this process, and reports how often and in which
words clients were sent away, the times, and the memory of the demo over the run.

    python -m benchmarks.demo_load                               # 200 requests of 20 clients to a tiny random model
    python -m benchmarks.demo_load --model runs/sample-amess/pretrained
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.demo_load:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import json
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from tests.space.server import SPACE, one_thread, running, save_tiny_model
from training.cli.predict import load_recognizer


MODALITIES = ["text", "video", "audio"]
# Seconds that a client waits before it tries again, longer each time.
PATIENCE = 0.5


class Load:
    """The clients' side: their requests, and the answers and refusals.

    Args:
        url: Address of the demo.
        expected: Right answer for each example's file.
        examples: Examples of the demo.
    """

    def __init__(self, url: str, expected: dict[str, dict[str, Any]], examples: list[dict[str, str]]):
        self.url = url
        self.expected = expected
        self.examples = examples
        self.sent_away = 0
        self.words: set[str] = set()
        self.lock = threading.Lock()

    def ask(self, number: int) -> tuple[float, str]:
        """Repeat one request until it is answered: seconds of the last attempt, and "right", "wrong" or "lost"."""
        example = self.examples[number % len(self.examples)]
        with httpx.Client(base_url=self.url, timeout=300) as client:
            content = (SPACE / "examples" / example["file"]).read_bytes()
            # Every request uploads another file, so that none profits from an earlier one.
            stored = client.post("/gradio_api/upload", files={"files": (f"{number}.mp4", content + bytes(8 + number))})
            clip = {"path": stored.json()[0], "meta": {"_type": "gradio.FileData"}}
            for attempt in range(200):
                started = time.perf_counter()
                accepted = client.post("/gradio_api/call/predict", json={"data": [clip, example["text"], MODALITIES]})
                if accepted.status_code == 200:
                    events = client.get(f"/gradio_api/call/predict/{accepted.json()['event_id']}").text
                    seconds = time.perf_counter() - started
                    if "event: complete" not in events:
                        return seconds, "lost"
                    answer = json.loads(events.split("event: complete\ndata: ", 1)[1].split("\n\n")[0])[0]
                    return seconds, "right" if answer == self.expected[example["file"]] else "wrong"
                with self.lock:
                    self.sent_away += 1
                    self.words.add(accepted.text)
                time.sleep(PATIENCE * (1 + min(attempt, 5)))
        return float("nan"), "lost"


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="requests (%(default)s)")
    parser.add_argument("--clients", type=int, default=20, help="clients at the same time (%(default)s)")
    parser.add_argument("--model", type=Path, help="folder of a model; by default a tiny random one")
    arguments = parser.parse_args()
    one_thread()
    examples = json.loads((SPACE / "examples" / "examples.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model.resolve() if arguments.model else save_tiny_model(Path(folder))
        recognizer = load_recognizer(str(model))
        expected: dict[str, Any] = {}
        alone = []
        for example in examples:
            started = time.perf_counter()
            clip = str(SPACE / "examples" / example["file"])
            expected[example["file"]] = recognizer(clip, text=example["text"], top_k=None)
            alone.append(time.perf_counter() - started)
        with running(model, Path(folder)) as server:
            load = Load(server.url, expected, examples)
            for number in range(20):
                load.ask(number)  # a warm-up: the demo loads some things at their first use
            process, stop = psutil.Process(server.pid), threading.Event()
            memory: list[float] = []

            def watch() -> None:
                while not stop.wait(0.25):
                    memory.append(process.memory_info().rss / 2**20)

            watcher = threading.Thread(target=watch)
            watcher.start()
            started = time.perf_counter()
            with ThreadPoolExecutor(arguments.clients) as clients:
                results = list(clients.map(load.ask, range(100, 100 + arguments.requests)))
            total = time.perf_counter() - started
            stop.set()
            watcher.join()
    seconds = np.array([result[0] for result in results])
    outcomes = [result[1] for result in results]
    tenth = max(1, len(memory) // 10)
    first, last = np.mean(memory[:tenth]), np.mean(memory[-tenth:])
    print(f"requests {len(results)}, clients {arguments.clients}, {len(results) / total:.1f} answers per second")
    print(f"right {outcomes.count('right')}, wrong {outcomes.count('wrong')}, lost {outcomes.count('lost')}")
    print(f"sent away to try again {load.sent_away} times, in these words: {sorted(load.words)}")
    print(
        f"seconds to an answer: median {np.nanmedian(seconds):.2f}, 95 % {np.nanquantile(seconds, 0.95):.2f}, "
        f"longest {np.nanmax(seconds):.2f}; the pipeline alone: median {np.median(alone):.2f}"
    )
    print(f"memory of the demo: {first:.0f} MiB at first, {last:.0f} MiB at last ({last / first - 1:+.1%})")
    if outcomes.count("right") < len(results) or last > 1.1 * first:
        raise SystemExit("An answer was lost or wrong, or the memory has grown by more than 10 %.")
