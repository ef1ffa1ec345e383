# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Train and evaluate a text classifier on sentence embeddings: few-shot baselines without A-MESS.

    python -m training.sentence_embeddings logistic mintrec_text_minilm.yaml --data_dir data/mintrec
    python -m training.sentence_embeddings setfit mintrec_text_minilm.yaml --data_dir data/mintrec --shots 5
    python -m training.sentence_embeddings descriptions mintrec_text_minilm.yaml --data_dir data/mintrec

After the method come a preset and settings, as for training/train.py. These settings count: those that choose the data
(dataset, data_dir, scope, dataset_options, shots, label_descriptions, num_descriptions, train_on_descriptions),
description_model (the encoder), seed, output_dir, overwrite and resume_from_checkpoint. `--shots 5 --seed 1` draws the
same utterances as train.py.

    logistic       logistic regression on the embeddings of the frozen encoder
    setfit         SetFit (Tunstall et al., 2022, arXiv 2209.11055): first, the encoder is fine-tuned on pairs of
                   utterances. By the package setfit with its defaults: 20 pairs of each kind per utterance, one epoch,
                   batches of 16; at most --max_steps batches.
    descriptions   no training: the label whose descriptions are most similar to the text, by mean cosine

The validation split chooses C of the regression. `--train_on_descriptions true` adds the descriptions to the training
texts; with `--shots 0` there is nothing else. The run folder (--output_dir, or runs/<dataset>-<method>) is kept and
renamed as train.py does it. It gets config.yaml, metrics.json and predictions.parquet. metrics.json has no
`out_of_scope_threshold`, `calibration`, `best_epoch`, `epochs`, `steps`, `train_samples_per_second` and
`mixed_precision`, which these methods do not have; it has `regularization_strength` (C; null for descriptions).
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command(
        "training.sentence_embeddings:_main_and_table",
        "Interrupted. No result was written. The same command starts again.",
    )


import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from modeling_amess import AmessConfig
from modeling_amess.descriptions_amess import description_similarity, embed_descriptions, mean_description_similarity

from .arguments import SENTENCE_METHODS, SettingsError, TrainingSettings, help_text, parse_settings
from .checkpointing import CONTENT
from .data import DescribedRows, IntentRows
from .evaluation import Evaluation, prediction_columns
from .finished_run import read_metrics, write_metrics, write_predictions
from .launching import create_accelerator
from .metrics.intent_classification.classification_scores import intent_classification
from .model_setup import load_sentence_encoder, read_label_descriptions
from .preparation import content_changes, content_fingerprints, load_rows
from .reporting import metrics_table, versions
from .run_folder import lock_run_folder, open_run_folder, other_content


# Inverse strengths of the regularisation; the embeddings have length 1.
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

# SetFit's defaults.
_PAIRS_OF_A_KIND, _PAIRS_IN_A_BATCH = 20, 16


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the script.

    Args:
        arguments: Command line without the program's name; that of the process by default.

    Returns:
        Content of `metrics.json`.

    Raises:
        UserError: Something that the user can correct; the message says how.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"{__doc__}\n{help_text()}")
        sys.exit(0)
    method = arguments.pop(0)
    if method not in SENTENCE_METHODS:
        raise SettingsError(
            f"{method!r} is none of the methods {', '.join(SENTENCE_METHODS)}: the first word is the method."
        )
    settings = sentence_settings(parse_settings(arguments), method)
    with lock_run_folder(settings, create_accelerator(settings)):
        return train(settings)


def sentence_settings(settings: TrainingSettings, method: str) -> TrainingSettings:
    """Return the settings of a run of `method` on the data of other settings."""
    return replace(settings, model=method, modalities="text", model_config={})


def train(settings: TrainingSettings) -> dict[str, Any]:
    """Train and test one of `SENTENCE_METHODS` into its run folder.

    Args:
        settings: Settings of the run; `model` is the method.

    Returns:
        Content of `metrics.json`.

    Raises:
        SettingsError: The data do not fit, the run folder is taken, there are several processes, or there is nothing
            to learn from.
        TextModelError: There is no such encoder.
    """
    started = time.perf_counter()
    method = settings.model
    described = settings.train_on_descriptions or method == "descriptions"
    if settings.shots == 0 and not described:
        raise SettingsError(
            f"{method} learns from samples: with --shots 0 add --train_on_descriptions true, or use the method "
            "descriptions."
        )
    accelerator = create_accelerator(settings)
    if accelerator.num_processes > 1:
        raise SettingsError(f"model={method} trains in one process, not in {accelerator.num_processes}: start one.")
    folder = open_run_folder(settings, accelerator)
    for note in folder.notes:
        print(note)
    if folder.finished:
        changes = content_changes(settings, accelerator, folder.path)
        if not changes:
            return read_metrics(folder.path)
        folder = other_content(folder, changes, settings)
        print(*folder.notes)
    rows, source = load_rows(settings, accelerator)
    train_rows: IntentRows | DescribedRows = rows["train"]
    descriptions: dict[str, list[str]] = {}
    if described:
        descriptions = read_label_descriptions(settings, rows["train"].label_names, source.described_as)
        train_rows = DescribedRows(rows["train"], descriptions)
    texts, labels = _columns(train_rows)
    encoder = load_sentence_encoder(settings)

    train_started = time.perf_counter()
    if method == "setfit":
        fine_tune(encoder, texts, labels, settings)
    embeddings: dict[str, np.ndarray] = {
        name: encoder.encode(_columns(rows[name])[0], show_progress_bar=False)
        for name in ("validation", "test")
        if name in rows
    }
    strength = None
    if method == "descriptions":
        evaluations = nearest_descriptions(embeddings, descriptions, encoder, rows)
    else:
        embeddings["train"] = encoder.encode(texts, show_progress_bar=False)
        strength, evaluations = best_regression(embeddings, np.array(labels), rows)
    train_seconds = time.perf_counter() - train_started

    content = {
        "model": method,
        **{name: evaluation.metrics for name, evaluation in evaluations.items()},
        "seed": settings.seed,
        "regularization_strength": strength,
        "train_samples": len(rows["train"]),
        "train_seconds": train_seconds,
        "wall_seconds": time.perf_counter() - started,
        "num_processes": 1,
        "device": encoder.device.type,
        "versions": versions(),
        "settings": asdict(settings),
        CONTENT: content_fingerprints(settings, rows, source, accelerator),
    }
    folder.begin(settings, accelerator)
    if "test" in evaluations:
        columns = prediction_columns(rows["test"], evaluations["test"])
        write_predictions(folder.path, columns, rows["test"].label_names)
    write_metrics(folder.path, content)
    return content


def best_regression(
    embeddings: dict[str, np.ndarray], labels: np.ndarray, rows: dict[str, IntentRows]
) -> tuple[float, dict[str, Evaluation]]:
    """Fit logistic regressions and keep the one with the best validation accuracy.

    Among equal ones, the most regularised is kept.

    Args:
        embeddings: Embeddings `(rows, size)` of `train`, `validation` and, where there is one, `test`.
        labels: Label ids of `train`.
        rows: Rows of the splits.

    Returns:
        C, and the results on the validation and test split.
    """
    best_value, best_strength = -1.0, 0.0
    best: dict[str, Evaluation] = {}
    for strength in STRENGTHS:
        regression = LogisticRegression(C=strength, max_iter=3000).fit(embeddings["train"], labels)
        evaluations: dict[str, Evaluation] = {}
        for name in ("validation", "test"):
            if name not in rows:
                continue
            # A label without a training sample is never predicted.
            logits = np.full((len(rows[name]), len(rows[name].label_names)), -np.inf, dtype=np.float32)
            logits[:, regression.classes_] = regression.predict_log_proba(embeddings[name])
            evaluations[name] = _evaluation(logits, rows[name])
        if evaluations["validation"].metrics["accuracy"] > best_value:
            best_value, best_strength, best = evaluations["validation"].metrics["accuracy"], strength, evaluations
    return best_strength, best


def nearest_descriptions(
    embeddings: dict[str, np.ndarray],
    descriptions: dict[str, list[str]],
    encoder: Any,
    rows: dict[str, IntentRows],
) -> dict[str, Evaluation]:
    """Choose for each text the label whose descriptions are most similar.

    This is A-MESS on text alone before its training, if text and description encoder are the same and the config has
    `semantic_residual`: T_f is the sentence embedding of the text then.

    Args:
        embeddings: Embeddings `(rows, size)` by split.
        descriptions: Descriptions by label.
        encoder: Encoder that made the embeddings.
        rows: Rows of the splits.

    Returns:
        Results by split; logits are the mean cosines.
    """
    texts = {label: descriptions.get(label, []) for label in rows["train"].label_names}
    size = embeddings["validation"].shape[1]
    described, mask = embed_descriptions(texts, encoder, AmessConfig.description_template, size)
    evaluations = {}
    for name, values in embeddings.items():
        similarity = mean_description_similarity(description_similarity(torch.as_tensor(values), described), mask)
        evaluations[name] = _evaluation(similarity.numpy(), rows[name])
    return evaluations


def fine_tune(encoder: Any, texts: list[str], labels: list[int], settings: TrainingSettings) -> None:
    """Fine-tune the encoder in place, as SetFit's first stage: utterances of one label become similar.

    Args:
        encoder: `SentenceTransformer`.
        texts: Training texts.
        labels: Label ids of the texts.
        settings: Settings with `seed` and `max_steps`.
    """
    # Late imports: setfit is an extra, and only this method needs both packages.
    import datasets
    from setfit import SetFitModel, Trainer, TrainingArguments

    batches = -(-2 * _PAIRS_OF_A_KIND * len(texts) // _PAIRS_IN_A_BATCH)
    # With a number of steps, the trainer repeats its pairs until it has made them: give only a smaller number.
    cut = settings.max_steps is not None and settings.max_steps < batches
    model = SetFitModel(model_body=encoder, model_head=LogisticRegression())
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            batch_size=_PAIRS_IN_A_BATCH,
            num_epochs=1,
            num_iterations=_PAIRS_OF_A_KIND,
            max_steps=settings.max_steps if cut else -1,
            seed=settings.seed,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            show_progress_bar=False,
        )
        samples = datasets.Dataset.from_dict({"text": texts, "label": labels})
        trainer = Trainer(model=model, args=arguments, train_dataset=samples)
        # The head is fitted afterwards, by the same search as for logistic.
        with warnings.catch_warnings():
            # setfit has no option against pinning memory where there is no accelerator.
            warnings.filterwarnings("ignore", message="'pin_memory' argument is set as true but no accelerator")
            trainer.train_embeddings(texts, labels, args=arguments)


def _evaluation(logits: np.ndarray, rows: IntentRows) -> Evaluation:
    gold = np.array(rows.column("label"), dtype=np.int64)
    return Evaluation(logits, gold, intent_classification(logits.argmax(-1), gold, rows.label_names))


def _columns(rows: IntentRows | DescribedRows) -> tuple[list[str], list[int]]:
    texts, labels = rows.column("text"), rows.column("label")
    assert texts is not None and labels is not None  # every data set gives them without its features
    return [str(text) for text in texts], [int(label) for label in labels]


def _main_and_table() -> None:
    content = main()
    split = "test" if "test" in content else "validation"
    print(f"{split}, percent:\n{metrics_table({content['model']: content[split]})}")
