# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Training samples per second of the four alignments of frames with the text (`AmessConfig.alignment`).

All run on the same batches: length buckets, padded to the longest row. Every round measures each kind once. There is
one model; the script exchanges only its alignment modules between steps.

    python -m benchmarks.alignment --data_dir data/mintrec              # BERT-large size on the CPU, 4 rounds
    python -m benchmarks.alignment --size minilm-shape --batches 20     # texts of the embedded sample
    python -m benchmarks.alignment --data_dir data/mintrec --device cuda --dtype bfloat16 --batches 100
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.alignment:main", "Interrupted. There is no result. The same command starts again.")


import argparse
from typing import Any

import numpy as np
import torch

from modeling_amess.fusion_amess import AmessAlignment

from .training_step import StepTime, TrainingStep, add_arguments, create_random_model, machine
from .utterances import FEATURE_SIZES, MAX_LENGTHS, SIZE_FIELDS, Batch, RandomUtterances, load_tokenizer


KINDS = ("none", "avg_pool", "conv1d", "ctc")


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, size="bert-large", batch_size=8, batches=4, each="rounds, each with one step of every kind")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    utterances = RandomUtterances(arguments.data_dir, load_tokenizer())
    batches = utterances.bucketed_batches(arguments.batch_size, arguments.batches, arguments.device)

    model = create_random_model(arguments.size, **SIZE_FIELDS)
    step = TrainingStep(model, arguments.device, arguments.dtype)
    config: Any = model.config
    fusion: Any = model.amess.fusion
    modules = {}
    for kind in KINDS:
        config.alignment = kind
        video = AmessAlignment(config.alignment, FEATURE_SIZES["video"], MAX_LENGTHS["video"], config.max_text_length)
        audio = AmessAlignment(config.alignment, FEATURE_SIZES["audio"], MAX_LENGTHS["audio"], config.max_text_length)
        modules[kind] = torch.nn.ModuleList([video, audio]).to(arguments.device)
        parameters = list(modules[kind].parameters())
        if parameters:  # the optimizer skips parameters without a gradient: those of the other kinds
            step.optimizer.add_param_group({"params": parameters})
    print(f"A-MESS, {arguments.size}, {model.num_parameters() / 1e6:.0f} million parameters, batch size", end=" ")
    print(f"{arguments.batch_size}; {machine(arguments.device, arguments.dtype)}")

    def timed_step(kind: str, batch: Batch) -> StepTime:
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
