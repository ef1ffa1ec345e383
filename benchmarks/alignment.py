# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Training samples per second of the four ways to align frames with the text (`AmessConfig.alignment`), on the same
batches: length buckets, padded to the longest of the batch. Every round measures each kind once.

    python -m benchmarks.alignment --data_dir data/mintrec              # BERT-large size on the CPU, 4 rounds
    python -m benchmarks.alignment --size minilm-shape --batches 20     # texts of the embedded sample
    python -m benchmarks.alignment --data_dir data/mintrec --device cuda --dtype bfloat16 --batches 100

There is one model; only its alignment modules are exchanged between steps.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from benchmarks.throughput import FEATURE_SIZES, MAX_LENGTHS, positions, spread_over_epoch
from benchmarks.training_step import SIZES, StepTime, TrainingStep, create_random_model, machine
from benchmarks.utterances import RandomUtterances, load_tokenizer
from modeling_amess import AmessProcessor
from modeling_amess.fusion_amess import AmessAlignment
from training.batch_sampler import BucketBatchSampler
from training.data import IntentCollator


KINDS = ("none", "avg_pool", "conv1d", "ctc")


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="bert-large")
    parser.add_argument("--data_dir", help="folder of the MIntRec release; the embedded sample's texts without it")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--batches", type=int, default=4, help="rounds, each with one step of every kind")
    parser.add_argument("--threads", type=int, default=1, help="on a CPU that others use too, 1 measures best")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    tokenizer = load_tokenizer()
    utterances = RandomUtterances(arguments.data_dir, tokenizer, FEATURE_SIZES, MAX_LENGTHS)
    sizes = {f"{name}_feature_size": size for name, size in FEATURE_SIZES.items()}
    limits = {f"max_{name}_length": limit for name, limit in MAX_LENGTHS.items()}
    collator = IntentCollator(AmessProcessor(tokenizer, **sizes, **limits), tuple(MAX_LENGTHS))
    sampler = BucketBatchSampler(len(utterances), arguments.batch_size, seed=0, lengths=utterances.lengths["text"])
    full = [batch for batch in sampler if len(batch) == arguments.batch_size]
    chosen = spread_over_epoch(
        full, lambda batch: sum(positions(batch, utterances, "length buckets").values()), arguments.batches
    )
    batches = [collator([utterances[index] for index in batch]) for batch in chosen]
    batches = [{name: values.to(arguments.device) for name, values in batch.items()} for batch in batches]

    step = TrainingStep(create_random_model(arguments.size, **sizes, **limits), arguments.device, arguments.dtype)
    config, fusion = step.model.config, step.model.amess.fusion
    modules = {}
    for kind in KINDS:
        config.alignment = kind
        video = AmessAlignment(config, FEATURE_SIZES["video"], MAX_LENGTHS["video"])
        audio = AmessAlignment(config, FEATURE_SIZES["audio"], MAX_LENGTHS["audio"])
        modules[kind] = torch.nn.ModuleList([video, audio]).to(arguments.device)
        parameters = list(modules[kind].parameters())
        if parameters:  # those of the kinds at rest have no gradient and are passed over
            step.optimizer.add_param_group({"params": parameters})
    print(f"A-MESS, {arguments.size}, {step.model.num_parameters() / 1e6:.0f} million parameters, batch size", end=" ")
    print(f"{arguments.batch_size}; {machine(arguments.device, arguments.dtype)}")

    def timed_step(kind: str, batch: dict[str, torch.Tensor]) -> StepTime:
        fusion.video.alignment, fusion.audio.alignment = modules[kind]
        return step(batch)

    seconds: dict[str, list[StepTime]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        for batch in batches if arguments.device == "cuda" else batches[:1]:
            timed_step(kind, batch)
    for number, batch in enumerate(batches):
        for kind in np.roll(KINDS, -number):
            seconds[str(kind)].append(timed_step(str(kind), batch))

    print(f"\n{arguments.batches} rounds")
    print("| alignment | samples/s | ratio | of CPU time | parameters of its own |")
    print("|---|---|---|---|---|")
    wall = {kind: sum(time.wall for time in seconds[kind]) for kind in KINDS}
    cpu = {kind: sum(time.cpu for time in seconds[kind]) for kind in KINDS}
    for kind in KINDS:
        row = [f"{arguments.batches * arguments.batch_size / wall[kind]:.3g}", f"{wall['none'] / wall[kind]:.2f}"]
        row.append(f"{cpu['none'] / cpu[kind]:.2f}" if arguments.device == "cpu" else "")
        row.append(f"{sum(parameter.numel() for parameter in modules[kind].parameters()):,}")
        print(f"| {kind} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
