# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Samples per second and peak memory of A-MESS and the baselines, in training and inference, on the same batches.

The models have random weights at BERT-base size; the batches have the lengths of real utterances, in length buckets.
Every measurement is a fresh process. In each round every model has its turn, and another one goes first.

    python -m benchmarks.baselines --data_dir data/mintrec                 # 3 rounds of 4 batches on the CPU
    python -m benchmarks.baselines --models amess mult --rounds 1 --batches 1 --batch_size 2
    python -m benchmarks.baselines --data_dir data/mintrec --device cuda --dtype bfloat16 --batches 100

Memory on the CPU is that of the whole process (Linux), libraries included; on a GPU it is what torch allocated.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.baselines:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from dataset_scripts.labels import MINTREC_LABELS
from training.baselines import BASELINES, MODELS
from training.baselines.base import BaselinePreTrainedModel
from training.model_setup import model_config_fields

from .training_step import InferenceStep, TrainingStep, add_arguments, bert_config, create_random_model, machine
from .utterances import SIZE_FIELDS, RandomUtterances, load_tokenizer


# The second one shows what A-MESS spends on its anchors (eq. 5 and 7 to 12).
AMESS: dict[str, dict[str, Any]] = {"amess": {}, "amess_without_anchors": {"use_anchor_embedding": False}}
NAMES = (*AMESS, *BASELINES)
STEPS = {"training": TrainingStep, "inference": InferenceStep}


def create_model(name: str, size: str, utterances: RandomUtterances) -> PreTrainedModel:
    """Create a model over MIntRec's 20 intents with random weights and everything else that its training needs."""
    if name in AMESS:
        return create_random_model(size, **SIZE_FIELDS, **AMESS[name])
    torch.manual_seed(0)
    config_class, model_class = MODELS[name].config_class, MODELS[name].model_class
    fields = {key: value for key, value in SIZE_FIELDS.items() if key in model_config_fields(name)}
    labels = dict(enumerate(MINTREC_LABELS))
    model = model_class(config_class(text_config=bert_config(size), id2label=labels, **fields))
    assert isinstance(model, BaselinePreTrainedModel)
    model.read_training_rows(utterances)
    model.set_label_words(load_tokenizer())
    return model


def measure(name: str, task: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Measure one model after a warm-up: seconds for all batches, peak memory in MB, and millions of parameters."""
    utterances = RandomUtterances(arguments.data_dir, load_tokenizer())
    batches = utterances.bucketed_batches(arguments.batch_size, arguments.batches, arguments.device)
    model = create_model(name, arguments.size, utterances)
    model.train(task == "training")
    step = STEPS[task](model, arguments.device, arguments.dtype)
    for batch in batches if arguments.device == "cuda" else batches[-1:]:
        step(batch)
    times = [step(batch) for batch in batches]
    if arguments.device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 1e6
    else:
        # `getrusage` would start from the memory of the parent process.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        peak = int(status.split("VmHWM:")[1].split()[0]) / 1e3
    return {
        "wall": sum(time.wall for time in times),
        "cpu": sum(time.cpu for time in times),
        "peak": peak,
        "parameters": model.num_parameters() / 1e6,
    }


def measure_alone(name: str, task: str) -> dict[str, float]:
    """Run `measure` in a process of its own, with the arguments of this one."""
    command = [sys.executable, "-m", "benchmarks.baselines", *sys.argv[1:], "--alone", name, task]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    measured: dict[str, float] = json.loads(output.splitlines()[-1])
    return measured


def main() -> None:
    """Run the script; with `--alone` it is the process that measures one model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, size="bert-base", batch_size=16, batches=4, each="batches per measurement")
    parser.add_argument("--models", nargs="+", choices=NAMES, default=list(NAMES), help="models (all)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of every model and task (%(default)s)")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.alone:
        name, task = arguments.alone
        print(json.dumps(measure(name, task, arguments)))
        return

    print(
        f"{arguments.size}, batch size {arguments.batch_size}, {arguments.rounds} rounds of {arguments.batches}",
        end="",
    )
    print(f" batches; {machine(arguments.device, arguments.dtype)}", flush=True)
    results: dict[tuple[str, str], list[dict[str, float]]] = {}
    for number in range(arguments.rounds):
        for task in STEPS:
            for name in np.roll(arguments.models, -number):
                results.setdefault((str(name), task), []).append(measure_alone(str(name), task))

    samples = arguments.rounds * arguments.batches * arguments.batch_size
    reference = "amess" if "amess" in arguments.models else arguments.models[0]
    for task in STEPS:
        print(f"\n| {task} | parameters | samples/s | ratio to {reference} | of CPU time | peak memory |")
        print("|---|---|---|---|---|---|")
        wall, cpu = (
            {name: sum(result[clock] for result in results[name, task]) for name in arguments.models}
            for clock in ("wall", "cpu")
        )
        for name in arguments.models:
            row = [f"{results[name, task][0]['parameters']:.1f} M", f"{samples / wall[name]:.3g}"]
            row.append(f"{wall[reference] / wall[name]:.2f}")
            row.append(f"{cpu[reference] / cpu[name]:.2f}" if arguments.device == "cpu" else "")
            row.append(f"{max(result['peak'] for result in results[name, task]):,.0f} MB")
            print(f"| {name} | {' | '.join(row)} |")
