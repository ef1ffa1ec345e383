# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The end of a run: the best model evaluated, given what belongs to it, told of and published."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from typing import Any

from accelerate import PartialState

from dataset_scripts.hub.push import HubPushError
from modeling_amess import AmessForIntentClassification

from .arguments import TrainingSettings
from .baselines import MODELS
from .calibration import calibration, fit_temperature
from .checkpointing import replace_folder, write_json
from .evaluation import Evaluation
from .finished_run import METRICS_FILE, PREDICTIONS_FILE, write_metrics, write_predictions
from .model_card import write_card
from .model_setup import quiet_transformers
from .out_of_scope.results import out_of_scope_results, pipeline_threshold
from .preparation import Run
from .publish import publish
from .reporting import metrics_table, predictions_in_words, versions


def evaluate_best(run: Run, started: float) -> dict[str, Any]:
    """Read the best epoch's weights back from the folder that users get, let them see the test split, for the only time,
    and write the results. Returns the content of metrics.json.
    """
    settings, accelerator, state, folder = run.settings, run.accelerator, run.state, run.folder
    scope = run.rows["train"].scope
    with quiet_transformers():
        best = MODELS[settings.model].model_class.from_pretrained(folder.model_folder)
    classifier = best.classifier
    best = accelerator.prepare_model(best, evaluation_mode=True)
    has_out_of_scope = scope.out_of_scope_id is not None
    evaluations = {name: evaluator.evaluate(best, has_out_of_scope) for name, evaluator in run.evaluators.items()}
    threshold = pipeline_threshold(evaluations["validation"], scope)
    outside = None
    if has_out_of_scope:
        train = run.train_evaluator.evaluate(best, has_out_of_scope)
        layer = tuple(part.detach().float().cpu().numpy() for part in (classifier.weight, classifier.bias))
        outside = out_of_scope_results(train, evaluations, scope, layer, threshold)
    content = {
        "model": settings.model,
        **{name: evaluation.metrics for name, evaluation in evaluations.items()},
        "out_of_scope_threshold": asdict(threshold),
        "calibration": calibration_figures(evaluations),
        **({} if outside is None else {"out_of_scope": {"held_out_intents": [*scope.held_out], **outside.figures}}),
        "seed": settings.seed,
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "steps": state.step,
        "train_samples": len(run.rows["train"]),
        "train_samples_per_second": state.samples_seen / max(state.train_seconds, 1e-9),
        "train_seconds": state.train_seconds,
        "wall_seconds": time.perf_counter() - started,
        "num_processes": accelerator.num_processes,
        "device": accelerator.device.type,
        "mixed_precision": accelerator.mixed_precision,
        "versions": versions(),
        "settings": asdict(settings),
    }
    if accelerator.is_main_process:
        save_threshold(run, threshold.value)
        attach_media_encoder(run)
        if "test" in evaluations:
            write_predictions(folder.path / PREDICTIONS_FILE, run.rows["test"], evaluations["test"], outside)
        write_metrics(folder.path / METRICS_FILE, content)
        write_card(folder.path)
    for name, evaluation in evaluations.items():
        numbers = {key: value for key, value in evaluation.metrics.items() if key != "per_class"}
        accelerator.log({f"best_{name}/{key}": value for key, value in numbers.items()}, step=state.step)
    for tracker in accelerator.trackers:
        tracker.finish()
    accelerator.wait_for_everyone()
    return content


def calibration_figures(evaluations: dict[str, Evaluation]) -> dict[str, Any]:
    """For each split its calibration as it is and `scaled` by the `temperature` fitted on the validation split, of the
    rows that the model has a label for.
    """
    known = {}
    for name, evaluation in evaluations.items():
        chosen = evaluation.labels < evaluation.logits.shape[-1]
        known[name] = evaluation.logits[chosen], evaluation.labels[chosen]
    temperature = fit_temperature(*known["validation"])
    return {"temperature": temperature} | {
        name: asdict(calibration(*rows)) | {"scaled": asdict(calibration(*rows, temperature))}
        for name, rows in known.items()
    }


def save_threshold(run: Run, threshold: float) -> None:
    """Put the threshold into pretrained/config.json, unless the settings did (main process)."""
    file = run.folder.model_folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    if not MODELS[run.settings.model].in_pipeline or config.get("out_of_scope_threshold") is not None:
        return
    partial = file.with_name(".config.json.partial")
    write_json(partial, config | {"out_of_scope_threshold": threshold})
    partial.replace(file)  # a new file: the old one may be linked to from a checkpoint


def attach_media_encoder(run: Run) -> None:
    """Put the encoders that made the features into pretrained/, which then takes clips (main process)."""
    load, target = run.source.load_media_encoder, run.folder.model_folder
    takes_features = run.processor.video_feature_size is not None or run.processor.audio_feature_size is not None
    if not run.settings.attach_media_encoder or load is None or not takes_features:
        return
    if not MODELS[run.settings.model].in_pipeline:
        return
    with quiet_transformers():
        model = AmessForIntentClassification.from_pretrained(target)
        model.attach_media_encoder(load())
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        model.save_pretrained(partial)
    run.processor.save_pretrained(partial)
    replace_folder(partial, target)


def report(settings: TrainingSettings, results: dict[str, dict[str, Any]]) -> None:
    """Print the table of results and three predictions (main process)."""
    if not PartialState().is_main_process:
        return
    split = "test" if all("test" in content for content in results.values()) else "validation"
    print(f"\n{split}, percent ({settings.dataset}, seed {settings.seed}):")
    print(metrics_table({name: content[split] for name, content in results.items()}))
    predictions = settings.run_folder / PREDICTIONS_FILE
    if predictions.is_file():
        print(f"\nThree of {settings.model}'s predictions:")
        for sentence in predictions_in_words(predictions):
            print(f"  {sentence}")
    print(f"\nEverything is in {settings.run_folder}; load the model from {settings.run_folder / 'pretrained'}.")


def push_to_hub(settings: TrainingSettings) -> None:
    """Publish the run (main process). Raises HubPushError, which says how to do it later."""
    try:
        (commit,) = publish(settings.run_folder, settings.hub_model_id, private=settings.hub_private_repo)
    except HubPushError as error:
        raise HubPushError(
            f"{error} The run is complete in {settings.run_folder}; publish it with `python -m training.publish "
            f"{settings.run_folder} --repo {settings.hub_model_id}`."
        ) from None
    print(f'On the Hub: {commit.url}; load it with revision="{commit.revision}".')
