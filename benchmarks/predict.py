# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The time of each stage of `amess predict` on one clip, and its start-up against importing transformers' encoders.

Whole processes, one of each in turns; the ratio is the median of the pairwise ratios.

    python -m benchmarks.predict
    python -m benchmarks.predict --model runs/sample-amess/pretrained --clip space/examples/taunt.mp4 --repeats 11

Start-up is the whole process without the work on the model and the clip. CPU time stands beside the seconds by the
clock, because other processes on the machine change it less. Without `--model`, the script makes a model of Swin-base,
WavLM-base and BERT-base size with random weights.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.predict:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import builtins
import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


TEXT = "oh, great. you really did it again."
IMPORT_ENCODERS = "from transformers import SwinModel, WavLMModel"
STAGES = ("imports", "load model", "decode", "preprocess", "encoders", "A-MESS", "rest")


class StageClock:
    """Divides the time of a process among stages; a stage inside another one counts for itself alone."""

    def __init__(self) -> None:
        self.seconds = {stage: [0.0, 0.0] for stage in STAGES}  # by the clock, CPU time
        self.stack = ["rest"]
        self.since = self.now()

    @staticmethod
    def now() -> tuple[float, float]:
        """Read the clock and the CPU time, in seconds."""
        return time.perf_counter(), time.process_time()

    def switch(self) -> None:
        """Book the time since the last switch on the current stage."""
        now = self.now()
        for kind in range(2):
            self.seconds[self.stack[-1]][kind] += now[kind] - self.since[kind]
        self.since = now

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that its time is booked on a stage."""

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if self.stack[-1] == stage:  # an import imports further
                return function(*args, **kwargs)
            self.switch()
            self.stack.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self.stack.pop()

        return wrapper


def predict_in_stages(arguments: list[str]) -> None:
    """Run `amess predict` in this process, and write the seconds of each stage to standard error as JSON."""
    clock = StageClock()
    for module, importer in ((builtins, "__import__"), (importlib, "import_module")):
        setattr(module, importer, clock.timed("imports", getattr(module, importer)))
    from modeling_amess import AmessForIntentClassification, AmessProcessor
    from modeling_amess.media_encoder_amess import AmessMediaEncoder
    from training.cli import main, predict

    owner: Any
    for owner, method, stage in (
        (predict, "load_recognizer", "load model"),
        (AmessProcessor, "load_clip", "decode"),
        (AmessProcessor, "fit", "preprocess"),
        (AmessProcessor, "collate", "preprocess"),
        (AmessMediaEncoder, "forward", "encoders"),
        (AmessForIntentClassification, "forward", "A-MESS"),
    ):
        setattr(owner, method, clock.timed(stage, getattr(owner, method)))
    status = main.main(["predict", *arguments])
    clock.switch()
    print(json.dumps(clock.seconds), file=sys.stderr)
    sys.exit(status)


def save_base_model(folder: Path) -> None:
    """Save a checkpoint of the size of the published encoders, with random weights and a tokenizer of a few words."""
    from transformers import BertConfig, BertTokenizer, SwinConfig, SwinModel, WavLMConfig, WavLMModel

    from modeling_amess import AmessConfig, AmessForIntentClassification, AmessProcessor
    from modeling_amess.media_encoder_amess import AmessMediaEncoder

    swin = SwinConfig(embed_dim=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32])
    encoder = AmessMediaEncoder.from_models(
        SwinModel(swin), WavLMModel(WavLMConfig()), video_name="random Swin-base", audio_name="random WavLM-base"
    )
    config = AmessConfig(
        text_config=BertConfig(),
        video_feature_size=1024,
        audio_feature_size=768,
        id2label=dict(enumerate(("Taunt", "Praise", "Complain"))),
        label2id={"Taunt": 0, "Praise": 1, "Complain": 2},
    )
    model = AmessForIntentClassification(config)
    model.attach_media_encoder(encoder)
    model.save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(re.findall(r"\w+|[^\w ]", TEXT))]
    tokenizer = BertTokenizer(vocab={word: index for index, word in enumerate(words)})
    AmessProcessor(tokenizer, 1024, 768, **encoder.record["preprocessing"]).save_pretrained(folder)


def whole_process(command: list[str]) -> tuple[tuple[float, float], str]:
    """Run a process; its seconds by the clock and of CPU time, and its standard error."""
    start, before = time.perf_counter(), os.times()
    run = subprocess.run(command, capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, os.times()
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return (seconds, cpu), run.stderr


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of a model that takes clips")
    parser.add_argument("--clip", help="clip; by default one of space/examples")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of processes")
    arguments = parser.parse_args()
    clip = arguments.clip or str(min((Path(__file__).parents[1] / "space" / "examples").glob("*.mp4")))

    with tempfile.TemporaryDirectory() as folder:
        if arguments.model is None:
            save_base_model(Path(folder))
        predict = [clip, "--text", TEXT, "--model", arguments.model or folder]
        commands = {
            "encoders": [sys.executable, "-c", IMPORT_ENCODERS],
            "predict": [sys.executable, "-c", f"from benchmarks.predict import *; predict_in_stages({predict!r})"],
            "help": [sys.executable, "-m", "training.cli.main", "--help"],
        }
        for command in commands.values():  # the first run writes byte code and fills the disk cache
            whole_process(command)
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        stages = []
        for number in range(arguments.repeats):
            for name in commands if number % 2 == 0 else reversed(commands):
                taken, errors = whole_process(commands[name])
                seconds[name].append(taken)
                if name == "predict":
                    stages.append(json.loads(errors.splitlines()[-1]))

    # The start and the end of the interpreter belong to no stage; they count as start-up.
    startup = [
        [whole[kind] - sum(inner[stage][kind] for stage in STAGES if stage != "imports") for kind in range(2)]
        for whole, inner in zip(seconds["predict"], stages, strict=True)
    ]
    ratios = [
        [ours[kind] / theirs[kind] for kind in range(2)]
        for ours, theirs in zip(startup, seconds["encoders"], strict=True)
    ]
    print(f"medians of {arguments.repeats}, {Path(clip).name}")
    print("| process | seconds | CPU seconds |\n|---|---|---|")
    print(f"| `python -c '{IMPORT_ENCODERS}'` | {medians(seconds['encoders'])} |")
    print(f"| start-up of `amess predict` | {medians(startup)} |")
    print(f"| ratio of the pairs (limit 1.20) | {medians(ratios)} |")
    print(f"| `amess --help` (limit 0.3) | {medians(seconds['help'])} |")
    print(f"| `amess predict`, whole | {medians(seconds['predict'])} |")
    print("\n| stage of `amess predict` | seconds | CPU seconds |\n|---|---|---|")
    for stage in STAGES:
        print(f"| {stage} | {medians([times[stage] for times in stages])} |")


def medians(pairs: Sequence[Sequence[float]]) -> str:
    """Write the cells of a table: the medians by the clock and of CPU time."""
    return " | ".join(f"{statistics.median(values):.2f}" for values in zip(*pairs, strict=True))
