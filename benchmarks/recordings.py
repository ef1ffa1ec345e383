# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess analyze` on made recordings: what is found, speed, memory, and what a kill costs.

The script strings the spoken clips of the tests together, with silences of known length and two speakers, who come as
an RTTM file. It analyses a long and a short recording in fresh processes, kills a third analysis in the middle and
gives the same command again. The model is tiny and random: what counts here is reading, hearing and writing.

    python -m benchmarks.recordings                            # 30 minutes and 3 minutes
    python -m benchmarks.recordings --minutes 6 --short 2      # quicker

The last line is JSON. Memory is the peak of the process (Linux); CPU time is that of the process.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.recordings:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dataset_scripts.recordings.analysis import PROGRESS_FILE, analyze_recording
from modeling_amess import IntentRecognitionPipeline
from tests.dataset_scripts.recordings.made import MadeRecording, make_recording
from tests.modeling_amess.tiny_recognizer import recognizer_model, recognizer_processor


# Rows that are written before the analysis is killed.
_ROWS_BEFORE_KILL = 5


def main(arguments: list[str] | None = None) -> None:
    """Make the recordings, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recordings", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the long recording (%(default)s)")
    parser.add_argument("--short", type=float, default=3.0, help="length of the short recording (%(default)s)")
    parser.add_argument("--folder", help="folder of the recordings and analyses; by default a temporary one")
    parser.add_argument("--analyze", nargs=3, help=argparse.SUPPRESS)  # one analysis in a process of its own
    options = parser.parse_args(arguments)
    if options.analyze is not None:
        print(json.dumps(analyze(*map(Path, options.analyze))))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(json.dumps(measure(Path(folder), options.minutes, options.short)))


def analyze(recording: Path, rttm: Path, output: Path) -> dict[str, float]:
    """Analyse in this process; return its seconds, CPU seconds and peak memory."""
    recognizer = IntentRecognitionPipeline(model=recognizer_model(), processor=recognizer_processor())
    began = time.monotonic(), time.process_time()
    analyze_recording(recording, recognizer, output, speakers=rttm)
    return {
        "seconds": time.monotonic() - began[0],
        "cpu_seconds": time.process_time() - began[1],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure(folder: Path, minutes: float, short_minutes: float) -> dict[str, Any]:
    """Analyse both recordings and compare with what is in them."""
    made = make_recording(folder / "long.mp4", 60 * minutes)
    short = make_recording(folder / "short.mp4", 60 * short_minutes)
    costs = {name: _run(one, folder / name) for name, one in (("long", made), ("short", short))}
    killed = folder / "killed"
    _kill(made, killed)
    _run(made, killed)
    names = [path.name for path in (folder / "long").iterdir()]
    lines = (folder / "long" / "utterances.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    pairs = list(zip(rows, made.spans, made.speakers, strict=False))
    errors = [abs(row[side] - span[place]) for row, span, _ in pairs for place, side in enumerate(("start", "end"))]
    seconds = made.spans[-1][1]
    return {
        "minutes": seconds / 60,
        "utterances": len(made.spans),
        "found": len(rows),
        "right_speakers": sum(row["speaker"] == speaker for row, _, speaker in pairs),
        "mean_boundary_error": sum(errors) / max(1, len(errors)),
        "largest_boundary_error": max(errors, default=0.0),
        "real_time_by_cpu": seconds / costs["long"]["cpu_seconds"],
        "real_time_by_clock": seconds / costs["long"]["seconds"],
        "peak_mib": costs["long"]["peak_mib"],
        "peak_mib_short": costs["short"]["peak_mib"],
        "memory_ratio": costs["long"]["peak_mib"] / costs["short"]["peak_mib"],
        "same_after_kill": all(
            (killed / name).read_bytes() == (folder / "long" / name).read_bytes() for name in names
        ),
    }


def _command(made: MadeRecording, output: Path) -> list[str]:
    paths = (made.path, made.rttm, output)
    return [sys.executable, "-m", "benchmarks.recordings", "--analyze", *map(str, paths)]


def _run(made: MadeRecording, output: Path) -> dict[str, float]:
    run = subprocess.run(_command(made, output), check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return result


def _kill(made: MadeRecording, output: Path) -> None:
    """Begin an analysis and kill it, as a lost machine does, once some rows are kept."""
    with subprocess.Popen(_command(made, output), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            time.sleep(0.5)
            progress = output / PROGRESS_FILE
            if progress.is_file() and json.loads(progress.read_text())["utterances"] >= _ROWS_BEFORE_KILL:
                process.send_signal(signal.SIGKILL)
                break
