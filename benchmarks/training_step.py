# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""One training step of a model with random weights, timed: forward, backward, clipping, AdamW."""

from __future__ import annotations

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


def create_random_model(size: str, **config_fields: Any) -> AmessForIntentClassification:
    """A-MESS over MIntRec's 20 intents with random weights and random description embeddings; `size` of `SIZES`."""
    torch.manual_seed(0)
    labels = {name: index for index, name in enumerate(MINTREC_LABELS)}
    config = AmessConfig(
        text_config=BertConfig(**SIZES[size]),
        id2label={index: name for name, index in labels.items()},
        label2id=labels,
        **config_fields,
    )
    model = AmessForIntentClassification(config)
    descriptions = load_label_descriptions("mintrec")
    most = max(len(texts) for texts in descriptions.values())
    embeddings = torch.randn(len(labels), most, config.description_size)
    model.set_label_descriptions(descriptions, embeddings=embeddings)
    return model.train()


class StepTime(NamedTuple):
    """Seconds of a step: by the clock, and those that this process computed (neighbours do not count)."""

    wall: float
    cpu: float


class TrainingStep:
    """Forward, backward, gradient clipping and the project's AdamW on one batch at a time.

    Args:
        model: moved to `device`.
        device: `cpu` or `cuda`.
        dtype: `float32`, or `bfloat16` for autocast over float32 weights, as Accelerate's mixed precision does it.
    """

    def __init__(self, model: PreTrainedModel, device: str = "cpu", dtype: str = "float32"):
        self.model = model.to(device)
        self.device = device
        self.dtype = getattr(torch, dtype)
        self.settings = TrainingSettings()
        self.optimizer = create_optimizer(model, model.new_parameter_names(), self.settings)

    def __call__(self, batch: dict[str, torch.Tensor]) -> StepTime:
        """The time of a step; the batch is on the device beforehand."""
        self._wait()
        started, cpu_started = time.perf_counter(), time.process_time()
        self._forward_and_backward(batch)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._wait()
        return StepTime(time.perf_counter() - started, time.process_time() - cpu_started)

    def count_flops(self, batch: dict[str, torch.Tensor]) -> int:
        """Floating-point operations of the matrix products of one forward and backward, padding included."""
        with FlopCounterMode(display=False) as counter:
            self._forward_and_backward(batch)
        self.optimizer.zero_grad()
        return counter.get_total_flops()

    def matmul_peak(self, repeats: int = 10) -> float:
        """Floating-point operations a second of one large matrix product in `dtype`: the best of `repeats`."""
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

    def _forward_and_backward(self, batch: dict[str, torch.Tensor]) -> None:
        autocast: contextlib.AbstractContextManager = contextlib.nullcontext()
        if self.dtype != torch.float32:
            autocast = torch.autocast(self.device, dtype=self.dtype)
        with autocast:
            loss = self.model(**batch).loss
        loss.backward()

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def machine(device: str, dtype: str) -> str:
    """What the figures were measured on, in words."""
    if device == "cuda":
        name = torch.cuda.get_device_name()
    else:
        name = (
            f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s), {torch.backends.cpu.get_cpu_capability()}"
        )
    return f"{name}, torch {torch.__version__}, {dtype}"
