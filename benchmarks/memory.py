# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Memory of a training pass over features on disk, which should not depend on the number of samples.

The script writes data sets of two sizes as Arrow files and reads them in shuffled batches with the project's own
loader, each in a fresh process.

    python -m benchmarks.memory                                # 2,000 and 15,000 samples; 1.9 GB of temporary files
    python -m benchmarks.memory --samples 500 1000 --folder .  # quicker; temporary files here

Memory is read from /proc (Linux). Arrow files are mapped: their pages count as resident (column "mapped") until the
kernel needs the room and drops them. The process itself holds the anonymous memory; its growth, from before the data
set is opened to the peak, is what must not depend on the size.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.memory:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from accelerate import Accelerator

from modeling_amess import AmessProcessor
from training.arguments import TrainingSettings
from training.data import IntentCollator, IntentRows, create_train_loader, text_lengths

from .utterances import FEATURE_SIZES, load_tokenizer


MEAN_FRAMES = 30  # of either modality, a fraction of the real length, so that the larger data set fits on any disk
# What the published baselines keep: every sample padded to 230 frames and 480 steps, in float64.
PADDED_BYTES = 8 * (230 * FEATURE_SIZES["video"] + 480 * FEATURE_SIZES["audio"])


def generate_rows(samples: int) -> Iterator[dict[str, Any]]:
    """Generate rows of the project's data sets with N(0, 1) features of 15 to 45 frames."""
    random = np.random.default_rng(0)
    words = (
        "so",
        "well",
        "you",
        "know",
        "really",
        "think",
        "that",
        "this",
        "was",
        "not",
        "what",
        "had",
        "mind",
        "today",
    )
    for index in range(samples):
        row = {"id": str(index), "text": " ".join(random.choice(words, random.integers(3, 20))), "label": index % 20}
        for modality, size in FEATURE_SIZES.items():
            frames = random.integers(MEAN_FRAMES // 2, MEAN_FRAMES * 3 // 2, endpoint=True)
            row[f"{modality}_features"] = random.standard_normal((frames, size), dtype=np.float32)
        yield row


def write_dataset(folder: str, samples: int) -> dict[str, list[str]]:
    """Write the data set as Arrow files into `folder`, and return their paths."""
    columns: dict[str, Any] = {"id": datasets.Value("string"), "text": datasets.Value("string")}
    columns["label"] = datasets.ClassLabel(num_classes=20)
    for modality, size in FEATURE_SIZES.items():
        columns[f"{modality}_features"] = datasets.Array2D((None, size), "float32")
    datasets.disable_progress_bars()
    split = datasets.Dataset.from_generator(
        generate_rows,
        features=datasets.Features(columns),
        gen_kwargs={"samples": samples},
        cache_dir=folder,
        writer_batch_size=200,
    )
    return {"files": [part["filename"] for part in split.cache_files]}


def resident_memory() -> dict[str, float]:
    """Read the resident anonymous and mapped memory of this process, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return {
        "anonymous": int(values["RssAnon"].split()[0]) / 1e3,
        "mapped": int(values["RssFile"].split()[0]) / 1e3,
    }


def read_once(files: list[str]) -> dict[str, float]:
    """Read the data set as one epoch of training does; memory before that and at its peak, in MB."""
    settings = TrainingSettings(per_device_train_batch_size=8, use_cpu=True)
    tokenizer = load_tokenizer()
    sizes: dict[str, Any] = {f"{name}_feature_size": size for name, size in FEATURE_SIZES.items()}
    processor = AmessProcessor(tokenizer, **sizes)
    accelerator = Accelerator(cpu=True)
    tokenizer(["warm up"])
    before = resident_memory()
    split = datasets.concatenate_datasets([datasets.Dataset.from_file(file) for file in files])
    rows = IntentRows(split, settings.modality_names)
    lengths = text_lengths(rows, processor)
    collator = IntentCollator(processor, settings.modality_names)
    loader, _ = create_train_loader(rows, collator, lengths, settings, accelerator)
    peak, samples = dict(before), 0
    for number, batch in enumerate(loader):
        samples += len(batch["labels"])
        if number % 5 == 0:
            peak = {name: max(peak[name], value) for name, value in resident_memory().items()}
    return {"samples": samples, "before": before["anonymous"], "peak": peak["anonymous"], "mapped": peak["mapped"]}


def run_alone(task: str, *arguments: object) -> dict[str, Any]:
    """Run this script's `task` in a process of its own, so that no task inherits the memory of another."""
    command = [sys.executable, "-m", "benchmarks.memory", task, *map(str, arguments)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    measured: dict[str, Any] = json.loads(output.splitlines()[-1])
    return measured


def main() -> None:
    """Run the script; with `--write` or `--read` it is the process that writes or reads one data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[2000, 15000])
    parser.add_argument("--folder", help="parent of the temporary folder (the system's)")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--read", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        print(json.dumps(write_dataset(arguments.write[0], int(arguments.write[1]))))
        return
    if arguments.read:
        print(json.dumps(read_once(arguments.read)))
        return
    print("| samples | on disk | before | peak | growth | mapped | padded in memory (computed) |")
    print("|---|---|---|---|---|---|---|")
    for samples in arguments.samples:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            files = run_alone("--write", folder, samples)["files"]
            size = sum(Path(file).stat().st_size for file in files) / 1e6
            result = run_alone("--read", *files)
        if result["samples"] != samples:
            raise RuntimeError(f"The loader gave {result['samples']} of {samples} samples.")
        growth = result["peak"] - result["before"]
        padded = samples * PADDED_BYTES / 1e6
        megabytes = (size, result["before"], result["peak"], growth, result["mapped"], padded)
        print(f"| {samples:,} | {' | '.join(f'{value:,.0f} MB' for value in megabytes)} |", flush=True)
