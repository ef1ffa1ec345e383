# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Timed training steps of models with random weights, and the command-line options that these scripts share."""

from __future__ import annotations

import argparse
import contextlib
import platform
import time
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, PreTrainedModel

from dataset_scripts.labels import MINTREC_LABELS, load_label_descriptions
from modeling_amess import AmessConfig, AmessForIntentClassification
from training.arguments import TrainingSettings
from training.optimization import create_optimizer

from .utterances import Batch


SIZES: dict[str, dict[str, int]] = {
    "bert-large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
    "bert-base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    "minilm-shape": {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536},
}


def add_arguments(parser: argparse.ArgumentParser, *, size: str, batch_size: int, batches: int, each: str) -> None:
    """Add the options that say which model is measured, on which batches and on which device.

    Args:
        parser: Parser of the script.
        size: Default of `--size`, one of `SIZES`.
        batch_size: Default of `--batch_size`.
        batches: Default of `--batches`.
        each: What one of the batches is for, as the help says it.
    """
    parser.add_argument("--size", choices=SIZES, default=size, help="shape of the text encoder (%(default)s)")
    parser.add_argument("--data_dir", help="folder of the MIntRec release; by default the embedded sample's texts")
    parser.add_argument("--batch_size", type=int, default=batch_size, help="utterances per batch (%(default)s)")
    parser.add_argument("--batches", type=int, default=batches, help=f"{each} (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; 1 measures best on a shared machine")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def create_random_model(size: str, **config_fields: Any) -> AmessForIntentClassification:
    """Create A-MESS over MIntRec's 20 intents, with random weights and random description embeddings.

    Args:
        size: Shape of the text encoder, one of `SIZES`.
        config_fields: Further fields of the configuration.
    """
    torch.manual_seed(0)
    labels = {name: index for index, name in enumerate(MINTREC_LABELS)}
    config = AmessConfig(
        text_config=bert_config(size),
        id2label={index: name for name, index in labels.items()},
        label2id=labels,
        **config_fields,
    )
    model = AmessForIntentClassification(config)
    descriptions = load_label_descriptions("mintrec")
    assert config.description_size is not None
    embeddings = torch.randn(len(labels), max(map(len, descriptions.values())), config.description_size)
    model.set_label_descriptions(descriptions, embeddings=embeddings)
    model.train()
    return model


def bert_config(size: str) -> BertConfig:
    """Create the configuration of a BERT of one of `SIZES`."""
    shape: dict[str, Any] = {**SIZES[size]}
    return BertConfig(**shape)


class StepTime(NamedTuple):
    """Seconds of a step: by the clock, and CPU time of this process, which other processes hardly change."""

    wall: float
    cpu: float


class Step:
    """Timed work of a model on one batch at a time.

    Args:
        model: Model, which is moved to `device`.
        device: `cpu` or `cuda`.
        dtype: `float32`, or `bfloat16` for autocast over float32 weights, as Accelerate's mixed precision does it.
    """

    def __init__(self, model: PreTrainedModel, device: str = "cpu", dtype: str = "float32"):
        model.to(torch.device(device))  # type: ignore[arg-type]  # transformers wraps the method and loses `self`
        self.model = model
        self.device = device
        self.dtype: torch.dtype = getattr(torch, dtype)

    def __call__(self, batch: Batch) -> StepTime:
        """Time one step on a batch that is on the device already."""
        self._wait()
        started, cpu_started = time.perf_counter(), time.process_time()
        self.work(batch)
        self._wait()
        return StepTime(time.perf_counter() - started, time.process_time() - cpu_started)

    def work(self, batch: Batch) -> None:
        """Do what the step times."""
        raise NotImplementedError

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Create the context of a forward pass."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device, dtype=self.dtype)

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


class InferenceStep(Step):
    """One forward pass without labels or gradient."""

    @torch.no_grad()
    def work(self, batch: Batch) -> None:
        """Run the forward pass."""
        with self.autocast():
            self.model(**{name: values for name, values in batch.items() if name != "labels"})


class TrainingStep(Step):
    """Forward, backward, gradient clipping and the project's AdamW."""

    def __init__(self, model: PreTrainedModel, device: str = "cpu", dtype: str = "float32"):
        super().__init__(model, device, dtype)
        self.settings = TrainingSettings()
        trained: Any = model  # A-MESS or a baseline; each names the parameters that are new to its text encoder
        self.optimizer = create_optimizer(trained, trained.new_parameter_names(), self.settings)

    def work(self, batch: Batch) -> None:
        """Run the training step."""
        self._forward_and_backward(batch)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def count_flops(self, batch: Batch) -> int:
        """Count the floating-point operations of the matrix products of one forward and backward pass with padding."""
        with FlopCounterMode(display=False) as counter:
            self._forward_and_backward(batch)
        self.optimizer.zero_grad()
        return int(counter.get_total_flops())

    def matmul_peak(self, repeats: int = 10) -> float:
        """Measure the floating-point operations per second of a large matrix product in `dtype`: the best of some."""
        size = 8192 if self.device == "cuda" else 2048
        left, right = (torch.randn(size, size, device=self.device, dtype=self.dtype) for _ in range(2))
        best = float("inf")
        for _ in range(repeats):
            self._wait()
            started = time.perf_counter()
            torch.matmul(left, right)
            self._wait()
            best = min(best, time.perf_counter() - started)
        return 2 * size**3 / best

    def _forward_and_backward(self, batch: Batch) -> None:
        with self.autocast():
            loss = self.model(**batch).loss
        loss.backward()


def machine(device: str, dtype: str) -> str:
    """Describe the machine of a measurement."""
    if device == "cuda":
        name = torch.cuda.get_device_name()
    else:
        name = (
            f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s), {torch.backends.cpu.get_cpu_capability()}"
        )
    return f"{name}, torch {torch.__version__}, {dtype}"
