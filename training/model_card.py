# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Card of a model: the template model_card.md, filled from run folders.

The numbers are those of the model's run, and of runs with other seeds and modalities where they are given. The card
says nothing that was not measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id

from dataset_scripts.markdown import Markdown, code, escape, table
from modeling_amess.descriptions_amess import MINILM_HUB_ID

from .calibration import CALIBRATION_BINS, MIN_UTTERANCES
from .finished_run import (
    BASELINE_FOLDER,
    CARD_FILE,
    MODEL_FOLDER,
    FinishedRun,
    is_finished,
    read_run,
    sort_runs,
    write_card_text,
)
from .out_of_scope.results import CLASS_DECISION, DOC_DECISION, PIPELINE_DECISION
from .project_files import PIPELINE_TAG, TEMPLATE, project_file
from .reporting import METRIC_TITLES, metrics_table
from .significance import Answers


# Metrics of utterances out of scope, as papers call them.
_OPEN_INTENT = {"accuracy": "ACC", "f1_in_scope": "F1-IS", "f1_out_of_scope": "F1-OOS", "f1": "F1"}
_OOD_DETECTION = {
    "auroc": "AUROC",
    "aupr_in": "AUPR-in",
    "aupr_out": "AUPR-out",
    "fpr95": "FPR95",
    "eer": "EER",
    "der": "DER",
}
_DECISIONS = {
    CLASS_DECISION: "likeliest label",
    DOC_DECISION: "DOC",
    PIPELINE_DECISION: Markdown("pipeline (`out_of_scope_threshold`)"),
}


# Sentence on utterances out of scope in training, by the setting `out_of_scope`.
_TRAINING = {
    "class": "In training they are a label of their own",
    "outlier_exposure": "In training their logits are drawn towards the uniform distribution (weight {weight:g})",
    "none": "The model was trained without any such utterance",
}


def calibration_section(run: FinishedRun) -> dict[str, Any]:
    """Fill the template's section on calibration, for the split of the results."""
    figures, threshold = run.metrics["calibration"], run.metrics["out_of_scope_threshold"]
    was_chosen = run.config.get("out_of_scope_threshold") == threshold["value"]
    # Runs of earlier versions have a temperature that nothing applies, and say no more about it.
    applied = figures.get("applied", False)
    shown = figures[run.split]["scaled"] if applied else figures[run.split]
    return {
        "bins": CALIBRATION_BINS,
        "applied": applied,
        "temperature": f"{figures['temperature']:.2f}",
        "fitted_on": figures.get("fitted_on"),
        "reason": figures.get("reason"),
        "plain_error": percent(figures[run.split]["error"]),
        "scaled_error": percent(figures[run.split]["scaled"]["error"]),
        **{name: percent(shown[name]) for name in ("error", "confidence", "accuracy")},
        "sets": [
            (coverage, percent(row["coverage"]), f"{row['mean_size']:.1f}", percent(row["single"]))
            for coverage, row in figures[run.split].get("prediction_sets", {}).items()
        ],
        # A threshold from the settings was not chosen by a criterion.
        "threshold": percent(threshold["value"]) if was_chosen else "",
        "few": figures.get("fitted_on", MIN_UTTERANCES) < MIN_UTTERANCES,
        "criterion": threshold["criterion"],
    }


def out_of_scope_section(run: FinishedRun) -> dict[str, Any]:
    """Fill the template's section on utterances out of scope, for the split of the results."""
    figures, settings = run.metrics["out_of_scope"][run.split], run.settings
    decisions = [
        (_DECISIONS.get(name, f"{name.replace('_', ' ')}, threshold"), *(percent(row[key]) for key in _OPEN_INTENT))
        for name, row in sorted(figures["open_intent"].items(), key=lambda item: item[0] not in _DECISIONS)
    ]
    scores = [
        (name.replace("_", " "), *(percent(row[key]) for key in _OOD_DETECTION))
        for name, row in figures["ood_detection"].items()
    ]
    return {
        "count": figures["out_of_scope"],
        "others": figures["in_scope"],
        "training": _TRAINING[settings.out_of_scope].format(weight=settings.outlier_exposure_weight),
        "held_out": listed([code(name) for name in run.metrics["out_of_scope"]["held_out_intents"]] or [""]),
        "criterion": run.metrics["out_of_scope_threshold"]["criterion"],
        "decision_table": table(("decision", *_OPEN_INTENT.values()), decisions),
        "score_table": table(("score", *_OOD_DETECTION.values()), scores),
    }


def percent(value: float) -> str:
    """Write a fraction in percent, with one digit after the point."""
    return f"{100 * value:.1f}"


def listed(names: Sequence[str]) -> str:
    """Join names as in `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def metric_intervals(runs: Sequence[FinishedRun]) -> dict[str, tuple[float, float]] | None:
    """Compute the 95 % interval of each metric's mean over seeds, over test samples and seeds.

    Args:
        runs: Runs that differ in the seed.

    Returns:
        Lower and upper bound by metric, as fractions; `None` where a run has no predictions.
    """
    parts = [run.predictions for run in runs if run.predictions is not None]
    if len(parts) < len(runs):
        return None
    labels, _ = parts[0].label_ids()
    predicted = np.stack([part.label_ids()[1] for part in parts])
    answers = Answers(labels, predicted, len(parts[0].label_names))
    means = {name: statistics.mean(run.results[name] for run in runs) for name in METRIC_TITLES}
    return {name: answers.interval(name, mean) for name, mean in means.items()}


# Names of encoders in the settings, and old names on the Hub -> ids on the Hub.
_HUB_IDS = {
    "minilm": MINILM_HUB_ID,
    "bert-base-uncased": "google-bert/bert-base-uncased",
    "bert-large-uncased": "google-bert/bert-large-uncased",
}


def model_card(
    run_folder: str | Path,
    *,
    other_runs: Sequence[str | Path] = (),
    model_id: str = MODEL_FOLDER,
    revision: str | None = None,
    dataset_id: str | None = None,
    license: str | None = None,
) -> ModelCard:
    """Write the card of a run's model.

    Args:
        run_folder: Folder of a finished run. The text-only baseline in it is one of the other runs.
        other_runs: Folders of runs with other seeds or modalities, or of baselines.
        model_id: Hub id, or folder beside the card, that the examples load.
        revision: Tag that the examples pin.
        dataset_id: Hub id of the data set, where the publisher has put it on the Hub.
        license: Licence id of the weights; by default that of the data.

    Raises:
        UnfinishedRunError: A folder is not of a finished run, or the runs do not belong in one table.
    """
    run = read_run(run_folder)
    baseline = Path(run_folder) / BASELINE_FOLDER
    folders = [*other_runs, *([baseline] if is_finished(baseline) else [])]
    seeds, comparisons = sort_runs(run, [read_run(folder) for folder in folders])
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    name = model_id.rpartition("/")[2] if "/" in model_id else f"{run.settings.model}-{_data_name(run)}"
    text = environment.from_string(project_file(TEMPLATE).read_text(encoding="utf-8")).render(
        metadata=_metadata(run, name, dataset_id, license).to_yaml(),
        title=name,
        model_id=model_id,
        revision=f', revision="{revision}"' if revision else "",
        **_facts(run),
        **_results(run, seeds, comparisons),
    )
    return ModelCard(text)


def write_card(run_folder: Path) -> None:
    """Write the card into the folder of a finished run, unless the user has a README.md of their own there."""
    if not write_card_text(run_folder, str(model_card(run_folder))):
        print(
            f"{run_folder / CARD_FILE} is yours and is kept, so that the card of the run was not written. python -m "
            f"training.publish {run_folder} --repo owner/name --dry_run shows it."
        )


def _metadata(run: FinishedRun, name: str, dataset_id: str | None, license: str | None) -> ModelCardData:
    source = run.source
    stated: dict[str, Any] = {"license": license or source.license}
    if license is None and source.license_name is not None:
        stated |= {"license_name": source.license_name, "license_link": source.license_link}
    dataset = dataset_id or (source.slug if source.on_the_hub else None)
    return ModelCardData(
        language="en",
        **stated,
        library_name="transformers",
        pipeline_tag=PIPELINE_TAG,
        tags=["multimodal", "intent-recognition", *run.modalities, "a-mess"],
        base_model=_base_models(run) or None,
        datasets=[dataset] if dataset else None,
        metrics=["accuracy", "f1", "precision", "recall"],
        model_name=name,
        eval_results=[
            EvalResult(
                task_type=PIPELINE_TAG,
                task_name="Multimodal intent recognition",
                dataset_type=dataset or source.slug,
                dataset_name=source.slug.rpartition("/")[2],
                dataset_split=_tested_split(run),
                metric_type=key.rpartition("_")[2],
                metric_name=title,
                metric_value=round(run.results[key], 4),
            )
            for key, title in METRIC_TITLES.items()
        ],
    )


def _facts(run: FinishedRun) -> dict[str, Any]:
    """Fill the template's sentences on the model and its training."""
    settings, metrics = run.settings, run.metrics
    sizes = {name: run.config.get(f"{name}_feature_size") for name in ("video", "audio")}
    inputs = [f"`{name}_features` of shape (frames, {size})" for name, size in sizes.items() if size is not None]
    encoders = run.config.get("media_encoder") or {}
    length = f"{metrics['train_samples']:,} samples, {metrics['epochs']} epochs, {metrics['steps']:,} optimizer steps"
    lines = [
        f"{length}, {metrics['train_seconds']:.0f} s of training on {metrics['num_processes']} "
        f"{'process' if metrics['num_processes'] == 1 else 'processes'} ({metrics['device']}, precision "
        f"{metrics['mixed_precision']}).",
        *(
            f"{name.capitalize()} features: {count:,} of these samples have any."
            for name, count in metrics.get("train_samples_with_features", {}).items()
            if count < metrics["train_samples"]
        ),
        f"Text encoder: {_encoder_name(settings.text_model)}, "
        + (f"first {layers} layers, " if (layers := settings.num_text_layers) else "")
        + f"word embeddings {'frozen' if settings.freeze_word_embeddings else 'trained'}.",
        *(
            f"{name.capitalize()} encoder (frozen): {_encoder_name(part['name'])}, revision {code(part['revision'])}, "
            f"{escape(part['pooling'])}."
            for name in ("video", "audio")
            if (part := encoders.get(name))
        ),
        f"AdamW, learning rates {settings.learning_rate:g} (pretrained weights) and "
        f"{settings.new_learning_rate:g} (new ones), batches of {settings.per_device_train_batch_size}"
        + (f" x {count}" if (count := settings.gradient_accumulation_steps) > 1 else "")
        + f", seed {metrics['seed']}.",
        _choice(run),
        "All settings are in `metrics.json`.",
    ]
    return {
        "amess": settings.model == "amess",
        "model": settings.model,
        "modalities": listed(run.modalities),
        "labels": [run.config["id2label"][key] for key in sorted(run.config["id2label"], key=int)],
        "data_title": run.source.title,
        "domain": run.source.domain,
        "known_clips": run.config.get("known_clips"),
        "familiar": bool(run.config.get("familiar_clips")),
        "terms": run.source.terms,
        "takes_clips": bool(run.config.get("video_config") or run.config.get("audio_config")),
        "feature_inputs": " and ".join(inputs),
        "training_lines": lines,
        "versions_table": table(("package", "version"), sorted(metrics["versions"].items())),
        "software_version": metrics["versions"].get("amess-hf", "1"),
    }


def _results(run: FinishedRun, seeds: list[FinishedRun], comparisons: list[FinishedRun]) -> dict[str, Any]:
    """Fill the template's section on results, in percent."""
    splits = {split: run.metrics[split] for split in ("validation", "test") if run.metrics.get(split)}
    results: dict[str, Any] = {
        "split": run.split,
        "accuracy": percent(run.results["accuracy"]),
        "seeds_note": f", the mean of {len(seeds)} seeds {_mean(seeds, 'accuracy')} %" if len(seeds) > 1 else "",
        "results_sentence": _results_sentence(run),
        "results_table": metrics_table(splits),
        "class_table": table(
            ("intent", "precision", "recall", "F1", "samples"),
            [
                (row["label"], *(percent(row[key]) for key in ("precision", "recall", "f1")), row["support"])
                for row in run.results["per_class"]
            ],
        ),
        "seeds_table": _seeds_table(seeds),
        "seeds_sentence": f"One seed. {_interval_sentence(run)}How much another seed would change was not measured.",
        "comparison_table": _comparison_table(seeds, comparisons) if comparisons else "",
        "calibration": None,
        "out_of_scope": None,
    }
    if len(seeds) > 1:
        results["seeds_sentence"] = (
            f"The published weights are those of seed {run.metrics['seed']}. The last row is the 95 % interval of the "
            f"mean, by the two-way variance of the {run.num_samples} samples and the {len(seeds)} seeds."
        )
    if "calibration" in run.metrics:
        results["calibration"] = calibration_section(run)
    if run.split in run.metrics.get("out_of_scope", {}):
        results["out_of_scope"] = out_of_scope_section(run)
    return results


def _tested_split(run: FinishedRun) -> str:
    """Split of the data set that the results are of."""
    if run.settings.cross_validation_folds is not None:
        return "train"
    return "validation" if run.settings.test_from_validation else run.split


def _results_sentence(run: FinishedRun) -> str:
    monitor = run.settings.metric_for_best_model.replace("_", " ")
    epoch = "the last epoch" if len(run.validations) == 1 else f"the epoch with the best validation {monitor}"
    if run.settings.cross_validation_folds is not None:
        fold = f"{run.settings.cross_validation_fold} of {run.settings.cross_validation_folds}"
        tested = (
            f"the test figures are of fold {fold} of the training split, which was not trained on. The test split was "
            "not read."
        )
    elif run.split != "test":
        tested = "there is no test split."
    else:
        tested = "the test split was read once, after that."
        if run.settings.test_from_validation:
            tested += (
                " These test figures are of half of the validation split's dialogues, which the choice of the epoch "
                "did not see."
            )
    return f"In percent. The weights are those of {epoch}; {tested}"


def _interval_sentence(run: FinishedRun) -> str:
    bounds = metric_intervals([run])
    if bounds is None:
        return ""
    low, high = (percent(bound) for bound in bounds["accuracy"])
    return (
        f"The 95 % interval of its accuracy, by bootstrap over the {run.num_samples} samples, is {low} to {high} %. "
    )


def _seeds_table(seeds: list[FinishedRun]) -> str:
    rows = [(run.metrics["seed"], *(percent(run.results[key]) for key in METRIC_TITLES)) for run in seeds]
    if len(seeds) > 1:
        rows.append(("mean ± std", *(_mean(seeds, key) for key in METRIC_TITLES)))
        if (bounds := metric_intervals(seeds)) is not None:
            rows.append(("95 % interval", *(f"{percent(low)} to {percent(high)}" for low, high in bounds.values())))
    return table(("seed", *METRIC_TITLES.values()), rows)


def _comparison_table(seeds: list[FinishedRun], comparisons: list[FinishedRun]) -> str:
    groups: dict[str, list[FinishedRun]] = {}
    for run in [*seeds, *comparisons]:
        kind = "" if run.settings.model == "amess" else f" (baseline {run.settings.model})"
        groups.setdefault(listed(run.modalities) + kind, []).append(run)
    keys = ("accuracy", "macro_f1", "weighted_f1")
    rows = [(name, *(_mean(runs, key) for key in keys), len(runs)) for name, runs in groups.items()]
    return table(("modalities", *(METRIC_TITLES[key] for key in keys), "seeds"), rows)


def _choice(run: FinishedRun) -> str:
    monitor = run.settings.metric_for_best_model
    name, epochs = monitor.replace("_", " "), run.metrics["epochs"]
    values = [line[monitor] for line in run.validations]
    if len(values) == 1:
        return f"Validation {name} after the last epoch, {epochs}: {percent(values[0])} %."
    best = f"Best validation {name} after epoch {run.metrics['best_epoch']}"
    if not values:
        return f"{best}."
    return f"{best} of {epochs}: {percent(max(values))} % (after the first: {percent(values[0])} %)."


def _base_models(run: FinishedRun) -> list[str]:
    encoders = run.config.get("media_encoder") or {}
    names = [run.settings.text_model, *(encoders[key]["name"] for key in ("video", "audio") if encoders.get(key))]
    return [hub_id for name in dict.fromkeys(names) if (hub_id := _hub_id(name))]


def _hub_id(name: str) -> str | None:
    """Hub id of an encoder; `None` for a folder."""
    if name in _HUB_IDS:
        return _HUB_IDS[name]
    try:
        validate_repo_id(name)
    except HFValidationError:
        return None
    return name if "/" in name and not Path(name).exists() else None


def _encoder_name(name: str) -> str:
    hub_id = _hub_id(name)
    return f"[{hub_id}](https://huggingface.co/{hub_id})" if hub_id else code(Path(name).name)


def _data_name(run: FinishedRun) -> str:
    return run.source.slug.rpartition("/")[2].removeprefix("amess-").lower()


def _mean(runs: Sequence[FinishedRun], key: str) -> str:
    values = [run.results[key] for run in runs]
    spread = f" ± {percent(statistics.stdev(values))}" if len(values) > 1 else ""
    return percent(statistics.mean(values)) + spread
