# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Seconds that `from modeling_amess import AmessModel` takes, against `from transformers import BertModel`.

Fresh processes, one of each in turns; the result is the median of the pairwise ratios.

    python -m benchmarks.import_time
    python -m benchmarks.import_time --repeats 21
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.import_time:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import statistics
import subprocess
import sys


IMPORTS = {
    "transformers": "from transformers import BertModel",
    "modeling_amess": "from modeling_amess import AmessModel",
}
# CPU time of the main thread beside the clock: on a shared machine the clock also measures other processes.
PROGRAM = """import time
wall, cpu = time.perf_counter(), time.thread_time()
{}
print(time.perf_counter() - wall, time.thread_time() - cpu)"""


def import_seconds(statement: str) -> tuple[float, float]:
    """Time an import in a process of its own: seconds by the clock and of the main thread's CPU time."""
    command = [sys.executable, "-c", PROGRAM.format(statement)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wall, cpu = output.split()
    return float(wall), float(cpu)


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11, help="pairs of processes")
    arguments = parser.parse_args()
    for statement in IMPORTS.values():  # the first import writes byte code and fills the disk cache
        import_seconds(statement)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in IMPORTS}
    for number in range(arguments.repeats):
        order = list(IMPORTS)
        for name in order if number % 2 == 0 else reversed(order):
            times[name].append(import_seconds(IMPORTS[name]))

    print(f"medians of {arguments.repeats} pairs")
    print("| import | seconds | CPU seconds |")
    print("|---|---|---|")
    for name, statement in IMPORTS.items():
        wall, cpu = (statistics.median(values) for values in zip(*times[name], strict=True))
        print(f"| `{statement}` | {wall:.2f} | {cpu:.2f} |")
    pairs = list(zip(times["modeling_amess"], times["transformers"], strict=True))
    wall, cpu = (statistics.median(ours[i] / theirs[i] for ours, theirs in pairs) for i in range(2))
    print(f"| ratio | {wall:.3f} | {cpu:.3f} |")
