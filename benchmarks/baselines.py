# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Samples per second and peak memory of A-MESS and the baselines, training and inference, on the same batches: random
weights at BERT-base size, the lengths of real utterances, length buckets. Every measurement is a fresh process; in
each round every model has its turn, another one first.

    python -m benchmarks.baselines --data_dir data/mintrec                 # 3 rounds of 4 batches on the CPU
    python -m benchmarks.baselines --models amess mult --rounds 1 --batches 1 --batch_size 2
    python -m benchmarks.baselines --data_dir data/mintrec --device cuda --dtype bfloat16 --batches 100

Memory on the CPU is that of the whole process (Linux), libraries included; on a GPU what torch allocated.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, PreTrainedModel

from benchmarks.throughput import FEATURE_SIZES, MAX_LENGTHS, positions, spread_over_epoch
from benchmarks.training_step import SIZES, StepTime, TrainingStep, create_random_model, machine
from benchmarks.utterances import RandomUtterances, load_tokenizer
from dataset_scripts.labels import MINTREC_LABELS
from modeling_amess import AmessProcessor
from training.baselines import BASELINES, MODELS
from training.baselines.base import BaselinePreTrainedModel
from training.data import BucketBatchSampler, IntentCollator
from training.model_setup import model_config_fields


# A-MESS, and what tells what its time goes into: the same without its anchors (eq. 5 and 7 to 12).
AMESS = {"amess": {}, "amess_without_anchors": {"use_anchor_embedding": False}}
NAMES = (*AMESS, *BASELINES)
TASKS = ("training", "inference")


def create_model(name: str, size: str, utterances: RandomUtterances) -> PreTrainedModel:
    """A model over MIntRec's 20 intents with random weights and everything else that its training needs."""
    sizes = {f"{modality}_feature_size": size for modality, size in FEATURE_SIZES.items()}
    limits = {f"max_{modality}_length": limit for modality, limit in MAX_LENGTHS.items()}
    if name in AMESS:
        return create_random_model(size, **sizes, **limits, **AMESS[name])
    torch.manual_seed(0)
    config_class, model_class = MODELS[name].config_class, MODELS[name].model_class
    fields = {key: value for key, value in {**sizes, **limits}.items() if key in model_config_fields(name)}
    labels = dict(enumerate(MINTREC_LABELS))
    model = model_class(config_class(text_config=BertConfig(**SIZES[size]), id2label=labels, **fields))
    assert isinstance(model, BaselinePreTrainedModel)
    model.read_training_rows(utterances)
    model.set_label_words(load_tokenizer())
    return model


def create_batches(arguments: argparse.Namespace) -> tuple[RandomUtterances, list[dict[str, torch.Tensor]]]:
    """The utterances and those of their batches that every model is measured on."""
    tokenizer = load_tokenizer()
    utterances = RandomUtterances(arguments.data_dir, tokenizer, FEATURE_SIZES, MAX_LENGTHS)
    sizes = {f"{modality}_feature_size": size for modality, size in FEATURE_SIZES.items()}
    limits = {f"max_{modality}_length": limit for modality, limit in MAX_LENGTHS.items()}
    collator = IntentCollator(AmessProcessor(tokenizer, **sizes, **limits), tuple(MAX_LENGTHS))
    sampler = BucketBatchSampler(len(utterances), arguments.batch_size, seed=0, lengths=utterances.lengths["text"])
    full = [batch for batch in sampler if len(batch) == arguments.batch_size]
    chosen = spread_over_epoch(
        full, lambda batch: sum(positions(batch, utterances, "length buckets").values()), arguments.batches
    )
    batches = [collator([utterances[index] for index in batch]) for batch in chosen]
    return utterances, [{key: value.to(arguments.device) for key, value in batch.items()} for batch in batches]


def measure(name: str, task: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds for all batches after one pass to warm up, peak memory in MB, and the model's parameters in millions."""
    utterances, batches = create_batches(arguments)
    model = create_model(name, arguments.size, utterances)
    if task == "training":
        step = TrainingStep(model.train(), arguments.device, arguments.dtype)
    else:
        step = InferenceStep(model.eval(), arguments.device, arguments.dtype)
    for batch in batches if arguments.device == "cuda" else batches[-1:]:
        step(batch)
    times = [step(batch) for batch in batches]
    if arguments.device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 1e6
    else:
        # Not `getrusage`, which starts from the memory of the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        peak = int(status.split("VmHWM:")[1].split()[0]) / 1e3
    return {
        "wall": sum(time.wall for time in times),
        "cpu": sum(time.cpu for time in times),
        "peak": peak,
        "parameters": model.num_parameters() / 1e6,
    }


class InferenceStep:
    """One forward pass without labels or gradient."""

    def __init__(self, model: PreTrainedModel, device: str, dtype: str):
        self.model = model.to(device)
        self.device = device
        self.dtype = getattr(torch, dtype)

    @torch.no_grad()
    def __call__(self, batch: dict[str, torch.Tensor]) -> StepTime:
        """The time of a pass."""
        batch = {key: value for key, value in batch.items() if key != "labels"}
        autocast: contextlib.AbstractContextManager = contextlib.nullcontext()
        if self.dtype != torch.float32:
            autocast = torch.autocast(self.device, dtype=self.dtype)
        self._wait()
        started, cpu_started = time.perf_counter(), time.process_time()
        with autocast:
            self.model(**batch)
        self._wait()
        return StepTime(time.perf_counter() - started, time.process_time() - cpu_started)

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def measure_alone(name: str, task: str) -> dict[str, float]:
    """`measure` in a process of its own, started with the same arguments as this one."""
    command = [sys.executable, "-m", "benchmarks.baselines", *sys.argv[1:], "--alone", name, task]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    """Run the script; with `--alone` it is the process that measures one model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="bert-base")
    parser.add_argument("--data_dir", help="folder of the MIntRec release; the embedded sample's texts without it")
    parser.add_argument("--models", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--batches", type=int, default=4, help="batches of a measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of every model and task")
    parser.add_argument("--threads", type=int, default=1, help="on a CPU that others use too, 1 measures best")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.alone:
        print(json.dumps(measure(*arguments.alone, arguments)))
        return

    print(
        f"{arguments.size}, batch size {arguments.batch_size}, {arguments.rounds} rounds of {arguments.batches}",
        end="",
    )
    print(f" batches; {machine(arguments.device, arguments.dtype)}", flush=True)
    results: dict[tuple[str, str], list[dict[str, float]]] = {}
    for number in range(arguments.rounds):
        for task in TASKS:
            for name in np.roll(arguments.models, -number):
                results.setdefault((str(name), task), []).append(measure_alone(str(name), task))

    samples = arguments.rounds * arguments.batches * arguments.batch_size
    reference = "amess" if "amess" in arguments.models else arguments.models[0]
    for task in TASKS:
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


if __name__ == "__main__":
    main()
