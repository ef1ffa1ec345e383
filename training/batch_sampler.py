# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Order of the training data: batches of utterances of similar length, shared among processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


# Rows are sorted by length within windows of this many optimizer steps. This pads nearly as little as a full sort, and
# the utterances that share a batch still change every epoch.
STEPS_PER_WINDOW = 32


class BucketBatchSampler(Sampler[list[int]]):
    """Yields batches of row indices of similar length, for one of several processes.

    An epoch is a list of optimizer steps. A step has `batch_size * num_processes * gradient_accumulation_steps` rows,
    cut by length into one batch per process and forward pass. The rows of a step depend only on `seed`, the epoch and
    that product. Therefore:

    - processes see disjoint batches of one global order, and every row comes once per epoch;
    - a run can return to any step without reading the steps before it;
    - two processes, or two accumulated passes, see the rows that one process with twice the batch size sees.

    The last step of an epoch has the remaining rows, spread evenly over the processes; `loss_weights` makes up for its
    size.

    Args:
        num_samples: Number of rows.
        batch_size: Rows per process and forward pass.
        seed: Seed of the random order.
        lengths: Lengths of the rows `(num_samples,)`; without them batches are random.
        gradient_accumulation_steps: Forward passes per optimizer step.
        process_index: Number of this process, from 0.
        num_processes: Number of all processes.

    Raises:
        ValueError: There are fewer rows than processes.
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        *,
        seed: int,
        lengths: Sequence[int] | np.ndarray | None = None,
        gradient_accumulation_steps: int = 1,
        process_index: int = 0,
        num_processes: int = 1,
    ):
        if num_samples < num_processes:
            raise ValueError(f"{num_samples} training samples cannot be shared among {num_processes} processes.")
        if lengths is not None and len(lengths) != num_samples:
            raise ValueError(f"{len(lengths)} lengths for {num_samples} samples.")
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.seed = seed
        self.lengths = None if lengths is None else np.asarray(lengths)
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.process_index = process_index
        self.num_processes = num_processes
        self.epoch = 0
        self.first_step = 0
        # The same in every epoch: only the last step may have another size.
        self.step_sizes = [len(step) for step in self._steps()]
        self.num_steps = len(self.step_sizes)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next batches."""
        self.epoch = epoch

    def start_at(self, step: int) -> None:
        """Skip the first `step` optimizer steps of each epoch, without reading them, until the next call."""
        self.first_step = step

    def step_size(self, step: int) -> int:
        """Number of rows of an optimizer step, over all processes."""
        return self.step_sizes[step]

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps()[self.first_step :]:
            yield from self._own_batches(step)

    def __len__(self) -> int:
        return sum(len(self._own_batches(step)) for step in self._steps()[self.first_step :])

    def loss_weights(self) -> list[float]:
        """Return a factor of the mean loss for each batch of `__iter__`; 1 for full batches.

        With these factors, the gradient of an optimizer step is the mean over all its rows, after the averages over
        processes and over accumulated passes.
        """
        weights: list[float] = []
        for step in self._steps()[self.first_step :]:
            parts = self.num_processes * self.gradient_accumulation_steps
            weights.extend(len(batch) * parts / len(step) for batch in self._own_batches(step))
        return weights

    def _steps(self) -> list[np.ndarray]:
        """Optimizer steps of the epoch, each an array of row indices sorted by length."""
        generator = np.random.default_rng([self.seed, self.epoch])
        size = self.batch_size * self.num_processes * self.gradient_accumulation_steps
        order = generator.permutation(self.num_samples)
        num_full = self.num_samples // size
        full, rest = order[: num_full * size], order[num_full * size :]
        if self.lengths is not None:
            windows = [
                full[start : start + size * STEPS_PER_WINDOW] for start in range(0, len(full), size * STEPS_PER_WINDOW)
            ]
            full = np.concatenate([self._sorted(window) for window in windows]) if windows else full
        steps = [full[start : start + size] for start in range(0, len(full), size)]
        steps = [steps[index] for index in generator.permutation(len(steps))]
        if len(rest) >= self.num_processes or not steps:
            steps.append(rest)
        elif len(rest):  # Fewer than one per process: they join the step before.
            steps[-1] = np.concatenate([steps[-1], rest])
        return [self._sorted(step) for step in steps if len(step)]

    def _sorted(self, indices: np.ndarray) -> np.ndarray:
        if self.lengths is None:
            return indices
        return indices[np.argsort(self.lengths[indices], kind="stable")]

    def _own_batches(self, step: np.ndarray) -> list[list[int]]:
        full = -(-len(step) // (self.batch_size * self.num_processes))
        # Batches are one row larger where a remainder joined the last step, or where it is too small to give every
        # process a row in every pass.
        passes = min(full, self.gradient_accumulation_steps, len(step) // self.num_processes)
        parts = np.array_split(step, passes * self.num_processes)
        return [part.tolist() for part in parts[self.process_index :: self.num_processes]]
