# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Decoding with memory for frames that grows from 1 MB, against 32 MB at once as before, on the demo's example clips.

    python -m benchmarks.frame_memory
    python -m benchmarks.frame_memory --rounds 1    # does it run

The two ways take turns, each way first in every second round. The last line is the median of the rounds' ratios.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.frame_memory:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import statistics
import time
from pathlib import Path
from unittest import mock

from modeling_amess import media_amess
from modeling_amess.media_amess import decode_clip

from .training_step import machine


CLIPS = Path(__file__).parents[1] / "space" / "examples"


def cpu_seconds(clips: list[Path], first_room: int) -> float:
    """CPU seconds per clip with so many bytes at first."""
    with mock.patch.object(media_amess, "_FIRST_FRAME_ROOM", first_room):
        start = time.process_time()
        for clip in clips:
            decode_clip(clip)
        return (time.process_time() - start) / len(clips)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    clips = sorted(CLIPS.glob("*.mp4"))
    ways = {"32 MB at once": media_amess._FRAME_ROOM, "from 1 MB": media_amess._FIRST_FRAME_ROOM}
    for room in ways.values():
        cpu_seconds(clips, room)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name in list(ways)[:: 1 if number % 2 == 0 else -1]:
            times[name].append(cpu_seconds(clips, ways[name]))
    print(machine("cpu", "uint8 frames"))
    for name, values in times.items():
        print(f"{name:14} {1000 * statistics.median(values):7.1f} ms of CPU time per clip")
    before, after = times.values()
    print(f"ratio          {statistics.median(b / a for b, a in zip(before, after, strict=True)):7.2f}")
