# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Training samples per second with padding to the batch and length buckets, against padding to fixed lengths.

The published baselines pad to 50 / 180 / 400 positions (text, video, audio). Same model, same process; every round
measures each way once.

    python -m benchmarks.throughput --data_dir data/mintrec                  # BERT-large size on the CPU, 6 rounds
    python -m benchmarks.throughput --size bert-base --batches 12            # texts of the embedded sample
    python -m benchmarks.throughput --data_dir data/mintrec --device cuda --dtype bfloat16 --batches 100

A CPU takes many seconds for a step at BERT-large size, hence few rounds. They are spread over the epoch: the script
sorts its batches by their number of positions and measures the middles of n equal parts of that order. It counts the
padding of the whole epoch exactly, and makes the batches before the clock starts.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.throughput:main", "Interrupted. There is no result. The same command starts again.")


import argparse

import numpy as np
import torch
from torch import nn

from training.batch_sampler import BucketBatchSampler

from .training_step import StepTime, TrainingStep, add_arguments, create_random_model, machine
from .utterances import (
    FEATURE_SIZES,
    MAX_LENGTHS,
    SIZE_FIELDS,
    Batch,
    RandomUtterances,
    load_tokenizer,
    spread_over_epoch,
)


WAYS = ("fixed", "longest of the batch", "length buckets")


def pad_to_fixed_lengths(batch: Batch) -> Batch:
    """Pad every sequence of a batch to its modality's maximum."""
    padded = {}
    for name, values in batch.items():
        modality = name.split("_")[0] if name.split("_")[0] in FEATURE_SIZES else "text"
        if name != "labels":
            missing = MAX_LENGTHS[modality] - values.shape[1]
            values = nn.functional.pad(values, (0, 0, 0, missing) if values.dim() == 3 else (0, missing))
        padded[name] = values
    return padded


def positions(batch: list[int], utterances: RandomUtterances, way: str) -> dict[str, int]:
    """Count the positions of a batch after padding, by modality."""
    if way == "fixed":
        return {name: len(batch) * longest for name, longest in MAX_LENGTHS.items()}
    return {name: len(batch) * int(lengths[batch].max()) for name, lengths in utterances.lengths.items()}


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, size="bert-large", batch_size=8, batches=6, each="rounds, each with one step of every way")
    parser.add_argument("--peak", action="store_true", help="share of the matrix-product peak (always on cuda)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    utterances = RandomUtterances(arguments.data_dir, load_tokenizer())
    collator = utterances.collator()
    epochs = {}
    for way in WAYS:
        lengths = utterances.lengths["text"] if way == "length buckets" else None
        epochs[way] = list(BucketBatchSampler(len(utterances), arguments.batch_size, seed=0, lengths=lengths))

    step = TrainingStep(create_random_model(arguments.size, **SIZE_FIELDS), arguments.device, arguments.dtype)
    print(f"A-MESS, {arguments.size}, {step.model.num_parameters() / 1e6:.0f} million parameters, batch size", end=" ")
    print(f"{arguments.batch_size}; {machine(arguments.device, arguments.dtype)}")
    print(f"{len(utterances)} utterances, {utterances.seconds.mean():.2f} s on average; mean length", end=" ")
    print(", ".join(f"{name} {values.mean():.1f}" for name, values in utterances.lengths.items()))

    chosen, ready = {}, {}
    for way in WAYS:
        full = [batch for batch in epochs[way] if len(batch) == arguments.batch_size]

        def cost(batch: list[int], way: str = way) -> int:
            return sum(positions(batch, utterances, way).values())

        chosen[way] = spread_over_epoch(full, cost, arguments.batches)
        ready[way] = [collator([utterances[index] for index in batch]) for batch in chosen[way]]
        if way == "fixed":
            ready[way] = [pad_to_fixed_lengths(batch) for batch in ready[way]]
        ready[way] = [{key: value.to(arguments.device) for key, value in batch.items()} for batch in ready[way]]

    with_peak = arguments.peak or arguments.device == "cuda"
    flops = {way: sum(step.count_flops(batch) for batch in ready[way]) if with_peak else 0 for way in WAYS}
    for way in WAYS:
        # The first steps allocate the optimizer's state and, on a GPU, choose kernels for every shape.
        for batch in ready[way] if arguments.device == "cuda" else ready[way][:1]:
            step(batch)
    peak = step.matmul_peak() if with_peak else float("nan")
    seconds: dict[str, list[StepTime]] = {way: [] for way in WAYS}
    for number in range(arguments.batches):
        # Another way goes first in every round.
        for way in np.roll(WAYS, -number):
            seconds[str(way)].append(step(ready[str(way)][number]))

    wall = {way: sum(time.wall for time in seconds[way]) for way in WAYS}
    cpu = {way: sum(time.cpu for time in seconds[way]) for way in WAYS}
    print(f"\n{arguments.batches} rounds" + (f"; matrix-product peak {peak / 1e12:.3g} TFLOP/s" if with_peak else ""))
    print("| padding | samples/s | ratio | of CPU time | text | video | audio |" + (" of peak |" if with_peak else ""))
    print("|---|---|---|---|---|---|---|" + ("---|" if with_peak else ""))
    for way in WAYS:
        row = [f"{arguments.batches * arguments.batch_size / wall[way]:.3g}", f"{wall['fixed'] / wall[way]:.2f}"]
        row.append(f"{cpu['fixed'] / cpu[way]:.2f}" if arguments.device == "cpu" else "")
        padded = [positions(batch, utterances, way) for batch in epochs[way]]
        for name, lengths in utterances.lengths.items():
            row.append(f"{sum(counts[name] for counts in padded) / lengths.sum():.2f}")
        if with_peak:
            row.append(f"{flops[way] / wall[way] / peak:.1%}")
        print(f"| {way} | {' | '.join(row)} |")
    print("text, video, audio: positions after padding for one real position, over the whole epoch.")
