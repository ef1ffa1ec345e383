# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The times that a visitor of the demo waits, in headless Chromium, beside the pipeline's own time on the same clips.

The script measures until the page can be used, and from a click on an example until its answer is drawn.

    python -m benchmarks.demo_page                                   # the model that README's training command writes
    python -m benchmarks.demo_page --model folder --repeats 3

Needs Debian's chromium and chromium-driver.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.demo_page:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import json
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.space.browser import CHROMIUM, DRIVER, MISSING, Visitor
from tests.space.server import SPACE, one_thread, running
from training.cli.predict import DEFAULT_MODEL, load_recognizer


FIRST_PAINT = "return performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path(DEFAULT_MODEL), help="folder of a model")
    parser.add_argument("--repeats", type=int, default=5, help="fresh browsers (%(default)s)")
    arguments = parser.parse_args()
    if not (CHROMIUM and DRIVER):
        parser.error(MISSING)
    one_thread()
    examples = json.loads((SPACE / "examples" / "examples.json").read_text(encoding="utf-8"))
    recognizer = load_recognizer(str(arguments.model))

    def alone(example: dict[str, str]) -> float:
        started = time.perf_counter()
        recognizer(str(SPACE / "examples" / example["file"]), text=example["text"], top_k=None)
        return time.perf_counter() - started

    alone(examples[0])  # a warm-up: some things are loaded at their first use
    seconds: dict[str, list[float]] = {"first paint": [], "page usable": [], "click to answer": [], "pipeline": []}
    with tempfile.TemporaryDirectory() as folder, running(arguments.model.resolve(), Path(folder)) as server:
        for turn in range(arguments.repeats):
            visitor = Visitor(server.url)
            try:
                seconds["first paint"].append(visitor.driver.execute_script(FIRST_PAINT))
                seconds["page usable"].append(visitor.seconds_to_load)
                for index, example in enumerate(examples):
                    started = time.perf_counter()
                    visitor.answer(partial(visitor.click, "#examples .thumbnail-item", index))
                    # The first answer of the first browser is the demo's warm-up.
                    if turn or index:
                        seconds["click to answer"].append(time.perf_counter() - started - visitor.SETTLING)
                        seconds["pipeline"].append(alone(example))
            finally:
                visitor.close()
    print("| | median | longest |\n|---|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {statistics.median(values):.2f} s | {max(values):.2f} s |")
