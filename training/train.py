# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Train and evaluate A-MESS or a baseline.

    accelerate launch training/train.py                              # the sample data set, on a CPU, in minutes
    accelerate launch training/train.py mintrec.yaml --data_dir data/mintrec
    accelerate launch training/train.py planted.yaml --seed 1 --model mean_fusion
    accelerate launch training/train.py --help                       # every setting

The first word is a preset: a YAML file, or the name of one in training/configs/ (sample.yaml if there is none).
Settings after it replace the preset's: `--per_device_train_batch_size 16`, `--model_config.num_anchors 4`. Where the
package is installed, `accelerate launch -m training.train` does the same from any folder.

The same script runs everywhere; only the launch differs:

    accelerate launch --multi_gpu --num_processes 4 training/train.py ...              # several GPUs
    accelerate launch --config_file training/configs/accelerate/multi_node.yaml --machine_rank 0 training/train.py ...
    torchrun --nproc_per_node 2 training/train.py --use_cpu ...                        # several processes on a CPU

It writes a run folder (runs/<dataset>-<model>, or --output_dir): pretrained/ (for from_pretrained), metrics.json,
predictions.parquet, config.yaml, log.jsonl, README.md, and checkpoints/ until it is finished. The same command, given
again, continues an interrupted run from its newest checkpoint, and the results equal those of an uninterrupted run bit
for bit; of a finished run it shows the results. A command with other settings does not overwrite a finished run unless
--overwrite true says so: the run moves to a new folder beside its own. Nothing is changed before the first step, and
nothing that no run wrote. Ctrl-C and SIGTERM say where the run can be continued (exit status 130 and 143).
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command(
        "training.train:_main_then_leave",
        "Interrupted. The same command continues from the newest checkpoint, or starts again without one.",
        reads="training.arguments:parse_settings",
    )


import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import broadcast_object_list, gather_object

from dataset_scripts.errors import UserError, as_interrupt, interrupts_held
from dataset_scripts.hub.push import check_access, check_repo_id

# Absolute, unlike all other modules of this package: `accelerate launch training/train.py` runs this file without one.
from training.arguments import SENTENCE_METHODS, TrainingSettings, parse_settings
from training.checkpointing import complete_checkpoints, save_checkpoint, step_of
from training.finished_run import BASELINE_FOLDER, read_metrics
from training.finishing import evaluate_best, push_to_hub, report
from training.launching import create_accelerator
from training.model_card import write_card
from training.model_setup import quiet_transformers
from training.preparation import Run, content_changes, prepare
from training.project_files import TEMPLATE, project_file
from training.run_folder import (
    RunFolder,
    check_run_folder,
    lock_run_folder,
    on_main_process,
    open_run_folder,
    other_content,
)


class TrainingDivergedError(UserError):
    """The loss is no longer a finite number."""


def main(arguments: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Run the script.

    Args:
        arguments: Command line without the program's name; that of the process by default.

    Returns:
        Content of `metrics.json` by trained model.

    Raises:
        UserError: Something that the user can correct; the message says how.
    """
    settings = parse_settings(sys.argv[1:] if arguments is None else arguments)
    project_file(TEMPLATE)  # the card needs it, after hours of training
    if settings.push_to_hub and os.environ.get("RANK", "0") == "0":
        # Before hours of training, not after them.
        assert settings.hub_model_id is not None  # TrainingSettings requires it with push_to_hub
        check_repo_id(settings.hub_model_id)
        check_access(settings.hub_model_id)
    comparable = settings.model not in ("text_only", *SENTENCE_METHODS) and "text" in settings.modality_names
    compare = settings.compare_with_text_only and comparable
    accelerator = create_accelerator(settings)
    with lock_run_folder(settings, accelerator):
        return _train_all(settings, accelerator, compare)


def _train_all(settings: TrainingSettings, accelerator: Accelerator, compare: bool) -> dict[str, dict[str, Any]]:
    """Train the model and, to compare, the text-only baseline; report and publish the results."""
    baseline_folder = settings.run_folder / BASELINE_FOLDER
    if compare:  # before the first of two trainings
        on_main_process(accelerator, lambda: check_run_folder(baseline_folder))
    results = {settings.model: train(settings)}
    if compare:
        baseline = replace(
            settings,
            model="text_only",
            model_config={},
            output_dir=str(baseline_folder),
            overwrite=False,
            resume_from_checkpoint="auto",
            push_to_hub=False,
        )
        results["text_only"] = train(baseline)
        if PartialState().is_main_process:
            write_card(settings.run_folder)  # again, with the baseline beside it
    report(settings, results)
    if settings.push_to_hub and PartialState().is_main_process:
        push_to_hub(settings)
    return results


def train(settings: TrainingSettings) -> dict[str, Any]:
    """Train one model into its run folder.

    Args:
        settings: Settings of the run.

    Returns:
        Content of `metrics.json`.
    """
    if settings.model in SENTENCE_METHODS:
        from training import sentence_embeddings  # here, because other models need neither scikit-learn nor its time

        return sentence_embeddings.train(settings)
    started = time.perf_counter()
    accelerator = create_accelerator(settings)
    folder = open_run_folder(settings, accelerator)
    for note in folder.notes:
        accelerator.print(note)
    if folder.finished:
        changes = content_changes(settings, accelerator, folder.path)
        if not changes:
            return read_metrics(folder.path)
        folder = other_content(folder, changes, settings)
        accelerator.print(*folder.notes)

    run: Run | None = None
    try:
        run = prepare(settings, accelerator, folder)
        return train_prepared(run, started)
    except BaseException as error:
        interrupt = as_interrupt(error)
        if interrupt is None:
            raise
        raise type(interrupt)(interrupted_at(run, folder)) from None
    finally:
        if run is not None:
            run.progress.close()


def interrupted_at(run: Run | None, folder: RunFolder) -> str:
    """Say where a run stands that a signal ended, and how to continue it."""
    if run is None or not folder.begun:
        return "Interrupted before the first step: nothing was changed. The same command starts again."
    where = f"Interrupted at step {run.state.step} of {run.total_steps}"
    checkpoints = complete_checkpoints(folder.checkpoint_folder)
    if not checkpoints:
        return f"{where}, before the first checkpoint. The same command starts again."
    return f"{where}. The same command continues from step {step_of(checkpoints[-1])}, in {checkpoints[-1]}."


def train_prepared(run: Run, started: float) -> dict[str, Any]:
    """Train a prepared run to its end, and evaluate it.

    Args:
        run: The run.
        started: Start of the launch, by `time.perf_counter`.

    Returns:
        Content of `metrics.json`.
    """
    settings, state = run.settings, run.state
    run.progress.update(state.step)
    while not state.stopped:
        train_one_epoch(run)
        # The last epoch always has an evaluation, so that a run ends with a chosen model.
        evaluated = is_due(state.epoch + 1, settings.eval_epochs) or state.step >= run.total_steps
        finish_epoch(run, run.evaluators["validation"].evaluate(run.model).metrics if evaluated else None)
        if is_due(state.epoch, settings.save_epochs) or is_due(state.step, settings.save_steps):
            write_checkpoint(run)
    run.begin()  # for a run whose last checkpoint is that of the last step
    run.progress.close()
    content = evaluate_best(run, started)
    run.accelerator.free_memory()
    return content


def train_one_epoch(run: Run) -> None:
    """Train from the step in `run.state` to the end of the epoch, or to the last step of the run."""
    settings, accelerator, state = run.settings, run.accelerator, run.state
    run.model.train()
    run.loader.set_epoch(state.epoch)  # sets the epoch of the sampler and of data that change by epoch
    run.sampler.start_at(state.steps_in_epoch)
    step_started = time.perf_counter()
    step_losses: list[float] = []
    with interrupts_held() as raise_held:
        for batch, weight in zip(run.loader, run.sampler.loss_weights(), strict=True):
            raise_held()
            # Processes synchronise, and the optimizer steps, after the last accumulated pass and at the epoch's end.
            with accelerator.accumulate(run.model):
                losses = run.loss_fn(run.model, batch)
                loss = losses["loss"] * weight
                check_finite(run, loss)
                accelerator.backward(loss)
                if accelerator.sync_gradients and settings.max_grad_norm > 0:
                    accelerator.clip_grad_norm_(run.model.parameters(), settings.max_grad_norm)
                learning_rates = run.scheduler.get_last_lr()
                run.optimizer.step()
                # In fp16 the first steps may be skipped while the loss scale settles; the schedule waits for them.
                if accelerator.sync_gradients and not accelerator.optimizer_step_was_skipped:
                    run.scheduler.step()
                run.optimizer.zero_grad()
            step_losses.append(loss.item())
            state.loss_sums[accelerator.process_index] += step_losses[-1]
            if not accelerator.sync_gradients:
                continue

            run.begin()
            state.step += 1
            state.steps_in_epoch += 1
            state.samples_seen += run.sampler.step_size(state.steps_in_epoch - 1)
            now = time.perf_counter()
            state.train_seconds += now - step_started
            step_started = now
            run.progress.update()
            if is_due(state.step, settings.logging_steps):
                # Losses of the main process. The last step may have fewer passes, which its weights make up for.
                values = {"epoch": state.epoch + 1, "loss": sum(step_losses) / settings.gradient_accumulation_steps}
                for name in ("classification_loss", "contrastive_loss", "outlier_loss"):
                    if (part := losses.get(name)) is not None:
                        values[name] = part.item()
                values |= {"learning_rate": learning_rates[0], "new_learning_rate": learning_rates[-1]}
                run.log.write("train", state.step, values)
            step_losses = []
            if state.step >= run.total_steps:
                break
            # At the end of an epoch validation comes first, and the checkpoint after it.
            if is_due(state.step, settings.save_steps) and state.steps_in_epoch < run.sampler.num_steps:
                write_checkpoint(run)
                step_started = time.perf_counter()


def finish_epoch(run: Run, validation: dict[str, Any] | None) -> None:
    """Count the epoch; after an evaluation, keep the best model and decide whether training continues.

    Args:
        run: The run.
        validation: Validation metrics; `None` for an epoch without an evaluation.
    """
    state = run.state
    state.epoch += 1
    if validation is not None:
        judge_epoch(run, validation)
    state.steps_in_epoch = 0
    state.loss_sums = [0.0] * run.accelerator.num_processes


def judge_epoch(run: Run, validation: dict[str, Any]) -> None:
    """Compare an epoch's validation metrics with the best so far, with one decision for all processes."""
    settings, accelerator, state = run.settings, run.accelerator, run.state
    # One value for all processes, even if the last bit of a sum differs: a process that decided differently would
    # leave the others waiting for ever.
    value = broadcast_object_list([validation[settings.metric_for_best_model]])[0]
    if state.best_value is None or value > state.best_value:
        state.best_epoch, state.best_step, state.best_value = state.epoch, state.step, value
        state.epochs_without_improvement = 0
        save_model(run)
    else:
        state.epochs_without_improvement += 1
    patience = settings.early_stopping_patience
    if accelerator.is_main_process and patience is not None and state.epochs_without_improvement >= patience:
        accelerator.set_trigger()
    stop_early = accelerator.check_trigger()
    state.stopped = stop_early or state.step >= run.total_steps

    batches = accelerator.num_processes * settings.gradient_accumulation_steps * max(state.steps_in_epoch, 1)
    numbers = {name: number for name, number in validation.items() if name != "per_class"}
    loss = sum(gather_loss_sums(run)) / batches
    run.log.write(
        "validation", state.step, {"epoch": state.epoch, "train_loss": loss, **numbers, "best": state.best_value}
    )
    run.progress.set_postfix({"loss": f"{loss:.3f}", settings.metric_for_best_model: f"{value:.3f}"})
    if stop_early and accelerator.is_main_process:
        run.progress.write(
            f"Stopped: {settings.metric_for_best_model} has not risen above {state.best_value:.4f} (epoch "
            f"{state.best_epoch}) for {patience} evaluations."
        )


def save_model(run: Run) -> None:
    """Replace the saved model by the present model and its processor."""
    accelerator = run.accelerator
    # All processes take part in gathering the weights (under FSDP each has a share); only one may write the folder.
    weights = accelerator.get_state_dict(run.model)
    if accelerator.is_main_process:
        with run.folder.replacing_model() as partial, quiet_transformers():
            accelerator.unwrap_model(run.model).save_pretrained(partial, state_dict=weights)
            run.processor.save_pretrained(partial)
    accelerator.wait_for_everyone()


def write_checkpoint(run: Run) -> None:
    """Write the checkpoint of the present step."""
    run.state.loss_sums = gather_loss_sums(run)
    best = run.folder.model_folder if run.state.best_epoch is not None else None
    save_checkpoint(
        run.accelerator,
        run.folder.checkpoint_folder,
        run.state,
        run.facts,
        best,
        run.settings.save_total_limit,
        run.folder.model_files(),
    )


def check_finite(run: Run, loss: torch.Tensor) -> None:
    """Raise TrainingDivergedError for a loss that is NaN or infinite, before it changes the weights."""
    if math.isfinite(loss.item()):
        return
    raise TrainingDivergedError(
        f"The loss became {loss.item()} at step {run.state.step + 1} (epoch {run.state.epoch + 1}, learning rates "
        f"{sorted(set(run.scheduler.get_last_lr()))}). Lower --learning_rate and --new_learning_rate, keep "
        "--max_grad_norm above 0, or train with --mixed_precision bf16 instead of fp16."
    )


def gather_loss_sums(run: Run) -> list[float]:
    """Return the sum of losses in the current epoch, per process."""
    return [float(value) for value in gather_object([run.state.loss_sums[run.accelerator.process_index]])]


def is_due(count: int, every: int | None) -> bool:
    """Whether something that happens once per `every` counts (never for 0 or None) happens at `count`."""
    return every is not None and every > 0 and count % every == 0


def _main_then_leave() -> None:
    try:
        main()
    except KeyboardInterrupt:
        raise  # The other processes may be gone, and leaving the group would wait for them.
    except BaseException:
        PartialState().destroy_process_group()
        raise
    PartialState().destroy_process_group()
