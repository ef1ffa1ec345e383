# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Training samples per second: batch-wise padding and length buckets against fixed padding to 50 / 180 / 400 positions
(text, video, audio), as the published baselines pad. Same model, same process; every round measures each way once.

    python -m benchmarks.throughput --data_dir data/mintrec                  # BERT-large size on the CPU, 6 rounds
    python -m benchmarks.throughput --size bert-base --batches 12            # texts of the embedded sample
    python -m benchmarks.throughput --data_dir data/mintrec --device cuda --dtype bfloat16 --batches 100

A CPU takes many seconds for a step at BERT-large size, hence few rounds. They are spread over the epoch: its batches
are sorted by their number of positions, and the n measured are the middles of n equal parts of that order. The
padding of the whole epoch is counted exactly. Batches are made before the clock starts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.training_step import SIZES, StepTime, TrainingStep, create_random_model, machine
from benchmarks.utterances import RandomUtterances, load_tokenizer
from modeling_amess import AmessProcessor
from training.batch_sampler import BucketBatchSampler
from training.data import IntentCollator


MAX_LENGTHS = {"text": 50, "video": 180, "audio": 400}
FEATURE_SIZES = {"video": 256, "audio": 768}
WAYS = ("fixed", "longest of the batch", "length buckets")

Batch = dict[str, torch.Tensor]


def pad_to_fixed_lengths(batch: Batch) -> Batch:
    """The same batch with every sequence padded to its modality's maximum."""
    padded = {}
    for name, values in batch.items():
        modality = name.split("_")[0] if name.split("_")[0] in FEATURE_SIZES else "text"
        if name != "labels":
            missing = MAX_LENGTHS[modality] - values.shape[1]
            values = nn.functional.pad(values, (0, 0, 0, missing) if values.dim() == 3 else (0, missing))
        padded[name] = values
    return padded


def positions(batch: list[int], utterances: RandomUtterances, way: str) -> dict[str, int]:
    """Positions that a batch has after padding, by modality."""
    if way == "fixed":
        return {name: len(batch) * longest for name, longest in MAX_LENGTHS.items()}
    return {name: len(batch) * int(lengths[batch].max()) for name, lengths in utterances.lengths.items()}


def spread_over_epoch(batches: list[list[int]], cost: Callable[[list[int]], int], count: int) -> list[list[int]]:
    """`count` batches that stand for all: the middles of `count` equal parts of the order by cost."""
    ordered = sorted(batches, key=cost)
    return [ordered[int((part + 0.5) * len(ordered) / count)] for part in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="bert-large")
    parser.add_argument("--data_dir", help="folder of the MIntRec release; the embedded sample's texts without it")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--batches", type=int, default=6, help="rounds, each with one step of every way")
    parser.add_argument("--threads", type=int, default=1, help="on a CPU that others use too, 1 measures best")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--peak", action="store_true", help="share of the matrix-product peak (always on cuda)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    tokenizer = load_tokenizer()
    utterances = RandomUtterances(arguments.data_dir, tokenizer, FEATURE_SIZES, MAX_LENGTHS)
    sizes = {f"{name}_feature_size": size for name, size in FEATURE_SIZES.items()}
    limits = {f"max_{name}_length": limit for name, limit in MAX_LENGTHS.items()}
    collator = IntentCollator(AmessProcessor(tokenizer, **sizes, **limits), tuple(MAX_LENGTHS))
    epochs = {}
    for way in WAYS:
        lengths = utterances.lengths["text"] if way == "length buckets" else None
        epochs[way] = list(BucketBatchSampler(len(utterances), arguments.batch_size, seed=0, lengths=lengths))

    step = TrainingStep(create_random_model(arguments.size, **sizes, **limits), arguments.device, arguments.dtype)
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
            row.append(f"{sum(sizes[name] for sizes in padded) / lengths.sum():.2f}")
        if with_peak:
            row.append(f"{flops[way] / wall[way] / peak:.1%}")
        print(f"| {way} | {' | '.join(row)} |")
    print("text, video, audio: positions after padding for one real position, over the whole epoch.")


if __name__ == "__main__":
    main()
