# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""End of a run: evaluate the best model, complete its folder, write the results, report and publish them."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from accelerate import PartialState

from dataset_scripts.files import replacing
from dataset_scripts.hub.push import HubPushError
from dataset_scripts.labels import OUT_OF_SCOPE_LABEL
from modeling_amess import AmessForIntentClassification

from .arguments import TrainingSettings
from .baselines import MODELS
from .calibration import (
    REPORTED_COVERAGES,
    ProbabilityFit,
    calibration,
    fit_probabilities,
    scaled_probabilities,
    set_figures,
)
from .checkpointing import CONTENT, delete_checkpoints
from .evaluation import Evaluation, prediction_columns
from .familiarity import add_familiar_clips, few_clips
from .finished_run import MODEL_FOLDER, read_prediction_rows, write_metrics, write_predictions
from .model_card import write_card
from .model_setup import quiet_transformers
from .out_of_scope.results import OutOfScopeResults, out_of_scope_results, pipeline_threshold
from .preparation import Run
from .publish import publish
from .reporting import metrics_table, predictions_in_words, versions


def evaluate_best(run: Run, started: float) -> dict[str, Any]:
    """Evaluate the best model on all splits and write the results.

    The weights are read back from the folder that users get. This is the only time that a run reads the test split.

    Args:
        run: Run whose training is over.
        started: Start of the launch, by `time.perf_counter`.

    Returns:
        Content of `metrics.json`.
    """
    settings, accelerator, state, folder = run.settings, run.accelerator, run.state, run.folder
    scope = run.rows["train"].scope
    with quiet_transformers():
        best = MODELS[settings.model].model_class.from_pretrained(folder.model_folder)
    classifier = best.classifier
    best = accelerator.prepare_model(best, evaluation_mode=True)
    has_out_of_scope = scope.out_of_scope_id is not None
    evaluations = {name: evaluator.evaluate(best, has_out_of_scope) for name, evaluator in run.evaluators.items()}
    fit = fit_probabilities(*evaluations["validation"].known, temperature=settings.model_config.get("temperature"))
    threshold = pipeline_threshold(evaluations["validation"], scope, fit.applied_temperature)
    outside = None
    if run.train_evaluator is not None:
        train = run.train_evaluator.evaluate(best, has_out_of_scope)
        weight, bias = (part.detach().float().cpu().numpy() for part in (classifier.weight, classifier.bias))
        outside = out_of_scope_results(train, evaluations, scope, (weight, bias), threshold, fit.applied_temperature)
    content = {
        "model": settings.model,
        **{name: split_results(evaluation) for name, evaluation in evaluations.items()},
        "out_of_scope_threshold": asdict(threshold),
        "calibration": calibration_figures(evaluations, fit),
        **({} if outside is None else {"out_of_scope": {"held_out_intents": [*scope.held_out], **outside.metrics}}),
        "seed": settings.seed,
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "steps": state.step,
        "train_samples": len(run.rows["train"]),
        **({"train_samples_with_features": coverage} if (coverage := run.rows["train"].coverage()) else {}),
        "train_samples_per_second": state.samples_seen / max(state.train_seconds, 1e-9),
        "train_seconds": state.train_seconds,
        "wall_seconds": time.perf_counter() - started,
        "num_processes": accelerator.num_processes,
        "device": accelerator.device.type,
        "mixed_precision": accelerator.mixed_precision,
        "versions": versions(),
        "settings": asdict(settings),
        CONTENT: run.facts[CONTENT],
    }
    if accelerator.is_main_process:
        save_probability_fit(run, fit, threshold.value)
        if familiarity := complete_model(run):
            content["familiarity"] = familiarity
        if "test" in evaluations:
            columns = prediction_columns(run.rows["test"], evaluations["test"], fit.applied_temperature)
            if outside is not None:
                columns |= decision_columns(run.rows["test"].label_names, outside)
            write_predictions(folder.path, columns, run.rows["test"].label_names, fit.applied_temperature)
        write_metrics(folder.path, content)
        write_card(folder.path)
        if not settings.keep_finished_checkpoints:
            delete_checkpoints(folder.checkpoint_folder)
    for name, evaluation in evaluations.items():
        numbers = {key: value for key, value in evaluation.metrics.items() if key != "per_class"}
        accelerator.log({f"best_{name}/{key}": value for key, value in numbers.items()}, step=state.step)
    for tracker in accelerator.trackers:
        tracker.finish()
    accelerator.wait_for_everyone()
    return content


def decision_columns(label_names: list[str], outside: OutOfScopeResults) -> dict[str, Any]:
    """Make the columns of `predictions.parquet` about utterances out of scope."""
    intents = [name for name in label_names if name != OUT_OF_SCOPE_LABEL]
    scores = outside.scores["test"]
    return {
        "decision": np.asarray([*intents, OUT_OF_SCOPE_LABEL])[outside.decisions["test"]].tolist(),
        "scope_scores": pa.StructArray.from_arrays([pa.array(row) for row in scores.values()], [*scores]),
    }


def split_results(evaluation: Evaluation) -> dict[str, Any]:
    """What `metrics.json` says of a split."""
    return evaluation.metrics | ({} if evaluation.planted is None else {"planted": evaluation.planted})


def calibration_figures(evaluations: dict[str, Evaluation], fit: ProbabilityFit) -> dict[str, Any]:
    """Measure the calibration of each split, on the rows that have one of the model's labels.

    Args:
        evaluations: Evaluations by split.
        fit: Temperature and thresholds, fitted on the validation split.

    Returns:
        `temperature`, the number of utterances that it was fitted on, whether it is applied and why not, the
        `coverage_thresholds`, and by split the calibration of the plain probabilities with that of the `scaled` ones;
        for the test split the `prediction_sets` by coverage as well.
    """
    figures: dict[str, Any] = {
        "temperature": fit.temperature,
        "fitted_on": fit.utterances,
        "applied": fit.reason is None,
        "reason": fit.reason,
        **({} if fit.coverage_thresholds is None else {"coverage_thresholds": fit.coverage_thresholds}),
    }
    for name, evaluation in evaluations.items():
        rows = evaluation.known
        figures[name] = asdict(calibration(*rows)) | {"scaled": asdict(calibration(*rows, fit.temperature))}
    if fit.coverage_thresholds and "test" in evaluations:
        logits, labels = evaluations["test"].known
        probabilities = scaled_probabilities(logits, fit.applied_temperature)
        figures["test"]["prediction_sets"] = {
            str(percent): asdict(set_figures(probabilities, labels, fit.coverage_thresholds[str(percent)]))
            for percent in REPORTED_COVERAGES
        }
    return figures


def save_probability_fit(run: Run, fit: ProbabilityFit, threshold: float) -> None:
    """Put temperature and thresholds into the config of the saved model, unless the settings give them (main process).

    Args:
        run: Run whose model is saved.
        fit: Temperature and thresholds of prediction sets.
        threshold: Out-of-scope threshold on the probabilities that the temperature gives.
    """
    if not MODELS[run.settings.model].in_pipeline:
        return
    config = MODELS[run.settings.model].config_class.from_pretrained(run.folder.model_folder)
    fitted = {
        "temperature": None if fit.reason else fit.temperature,
        "coverage_thresholds": fit.coverage_thresholds,
        "out_of_scope_threshold": threshold,
    }
    for name, value in fitted.items():
        if run.settings.model_config.get(name) is None:
            setattr(config, name, value)
    # A new file, because a checkpoint may have a hard link to the old one.
    with replacing(run.folder.model_folder / "config.json") as partial:
        config.to_json_file(partial)


def complete_model(run: Run) -> dict[str, Any]:
    """Add to the saved model what the pipeline needs beside its weights (main process).

    These are the training clips that others are compared with, and the encoders that made the features.

    Returns:
        Part `familiarity` of `metrics.json`; nothing for a model that reads text alone or is none of the pipeline's.
    """
    takes_features = run.processor.video_feature_size is not None or run.processor.audio_feature_size is not None
    if not takes_features or not MODELS[run.settings.model].in_pipeline:
        return {}
    with quiet_transformers():
        model = AmessForIntentClassification.from_pretrained(run.folder.model_folder)
    lengths = {"video": run.processor.max_video_length, "audio": run.processor.max_audio_length}
    figures = add_familiar_clips(model, run.rows, lengths)
    for line in few_clips(figures):
        run.accelerator.print(line)
    if run.settings.attach_media_encoder and run.source.load_media_encoder is not None:
        model.attach_media_encoder(run.source.load_media_encoder())
    with run.folder.replacing_model() as partial, quiet_transformers():
        model.save_pretrained(partial)
        run.processor.save_pretrained(partial)
    return figures


def report(settings: TrainingSettings, results: dict[str, dict[str, Any]]) -> None:
    """Print the table of results and three predictions (main process).

    Args:
        settings: Settings of the run.
        results: Content of `metrics.json` by model.
    """
    if not PartialState().is_main_process:
        return
    split = "test" if all("test" in content for content in results.values()) else "validation"
    print(f"\n{split}, percent ({settings.dataset}, seed {settings.seed}):")
    print(metrics_table({name: content[split] for name, content in results.items()}))
    if rows := read_prediction_rows(settings.run_folder):
        print(f"\nThree predictions of {settings.model}:")
        for sentence in predictions_in_words(rows):
            print(f"  {sentence}")
    model_folder = settings.run_folder / MODEL_FOLDER
    hint = f"; load the model from {model_folder}" if model_folder.is_dir() else ""
    print(f"\nEverything is in {settings.run_folder}{hint}.")


def push_to_hub(settings: TrainingSettings) -> None:
    """Publish the run (main process).

    Raises:
        HubPushError: The push failed. The message says how to repeat it.
    """
    assert settings.hub_model_id is not None  # TrainingSettings requires it with push_to_hub
    try:
        (commit,) = publish(settings.run_folder, settings.hub_model_id, private=settings.hub_private_repo)
    except HubPushError as error:
        raise HubPushError(
            f"{error} The run is complete in {settings.run_folder}. Publish it with `python -m training.publish "
            f"{settings.run_folder} --repo {settings.hub_model_id}`."
        ) from None
    print(f'On the Hub: {commit.url}; load it with revision="{commit.revision}".')
