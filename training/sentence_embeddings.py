# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Few-shot baselines on sentence embeddings: what a text classifier reaches without A-MESS.

    python -m training.sentence_embeddings logistic mintrec_text_minilm.yaml --data_dir data/mintrec
    python -m training.sentence_embeddings setfit mintrec_text_minilm.yaml --data_dir data/mintrec --shots 5
    python -m training.sentence_embeddings descriptions mintrec_text_minilm.yaml --data_dir data/mintrec

After the method come a preset and settings, as of training/train.py; of these the ones that choose the data count
(dataset, data_dir, scope, dataset_options, shots, label_descriptions, num_descriptions, train_on_descriptions), and
description_model (the encoder), seed, output_dir and overwrite. `--shots 5 --seed 1` draws the samples that train.py
draws.

    logistic       logistic regression on the frozen encoder's embeddings
    setfit         SetFit (Tunstall et al., 2022, arXiv 2209.11055): the encoder is fine-tuned on pairs of samples
                   first. By the package setfit, with its defaults: 20 pairs of each kind a sample, one epoch, batches
                   of 16. Where these are more batches than --max_steps, so many of them.
    descriptions   no sample at all: the label whose descriptions the text is most similar to, by mean cosine

C of the regression is the best on the validation split. `--train_on_descriptions true` makes the descriptions samples
as well; with `--shots 0` there are these alone to learn from. Writes metrics.json, predictions.parquet and
config.yaml, as train.py does, into the run folder (--output_dir, or runs/<dataset>-<method>).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from sklearn.linear_model import LogisticRegression

from modeling_amess import AmessConfig
from modeling_amess.descriptions_amess import description_similarity, embed_descriptions, mean_description_similarity
from training.arguments import SettingsError, TrainingSettings, help_text, parse_settings
from training.data import DescribedRows, IntentRows, load_splits
from training.evaluation import Evaluation
from training.feature_source import feature_source
from training.finished_run import METRICS_FILE, PREDICTIONS_FILE, SETTINGS_FILE, write_metrics, write_predictions
from training.metrics.intent_classification.classification_scores import intent_classification
from training.model_setup import TextModelError, load_sentence_encoder, read_label_descriptions
from training.reporting import metrics_table, versions
from training.row_selection import select_rows


METHODS = ("logistic", "setfit", "descriptions")
# Inverse strengths of the regularisation; the embeddings have length 1.
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

# SetFit's defaults.
_PAIRS_OF_A_KIND, _PAIRS_IN_A_BATCH = 20, 16


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the script.

    Args:
        arguments: the command line without the program's name; `sys.argv` by default.

    Returns:
        The content of metrics.json.

    Raises:
        SettingsError, TextModelError: with what to do about it.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"{__doc__}\n{help_text()}")
        sys.exit(0)
    method = arguments.pop(0)
    if method not in METHODS:
        raise SettingsError(f"{method!r} is none of the methods {', '.join(METHODS)}; the method stands first.")
    return run(method, parse_settings(arguments))


def run(method: str, settings: TrainingSettings) -> dict[str, Any]:
    """Train and test one of `METHODS` into the run folder.

    Returns:
        The content of metrics.json.

    Raises:
        SettingsError: the data do not fit, SetFit is not installed, the run folder is taken, there is nothing to learn
            from.
        TextModelError: the encoder cannot be found.
    """
    described = settings.train_on_descriptions or method == "descriptions"
    if settings.shots == 0 and not described:
        raise SettingsError(
            f"{method} learns from samples: with --shots 0 add --train_on_descriptions true, or take the method "
            "descriptions."
        )
    started = time.perf_counter()
    folder = Path(settings.output_dir or f"runs/{Path(settings.dataset).name}-{method}")
    _make_folder(folder, settings.overwrite)
    settings.modalities, settings.model, settings.model_config = "text", method, {}
    rows = select_rows(load_splits(settings), settings, num_processes=1)
    learned, descriptions = rows["train"], {}
    if described:
        named = feature_source(settings).described_as
        descriptions = read_label_descriptions(settings, learned.label_names, named)
        learned = DescribedRows(learned, descriptions)
    texts, labels = _columns(learned)
    encoder = load_sentence_encoder(settings)

    train_started = time.perf_counter()
    if method == "setfit":
        fine_tune(encoder, texts, labels, settings)
    embeddings = {
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
        "device": "cpu",
        "versions": versions(),
        "settings": asdict(settings),
    }
    text = yaml.safe_dump(asdict(settings), sort_keys=False, allow_unicode=True)
    (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")
    if "test" in evaluations:
        write_predictions(folder / PREDICTIONS_FILE, rows["test"], evaluations["test"])
    write_metrics(folder / METRICS_FILE, content)
    return content


def best_regression(
    embeddings: dict[str, np.ndarray], labels: np.ndarray, rows: dict[str, IntentRows]
) -> tuple[float, dict[str, Evaluation]]:
    """The logistic regression whose C is the best on the validation split, of equal ones the most regularised.

    Args:
        embeddings: `(samples, size)` of `train`, `validation` and, where there is one, `test`.
        labels: of `train`.
        rows: the splits.

    Returns:
        C, and the results on the validation and test split.
    """
    best_value, best_strength, best = -1.0, 0.0, {}
    for strength in STRENGTHS:
        regression = LogisticRegression(C=strength, max_iter=3000).fit(embeddings["train"], labels)
        evaluations = {}
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
    """The label whose descriptions are the most similar: A-MESS on text alone before its training, when text and
    description encoder are the same and it has `semantic_residual` (T_f is the text's sentence embedding then).

    Args:
        embeddings: `(samples, size)` by split.
        descriptions: by label.
        encoder: of both.
        rows: the splits.

    Returns:
        The results by split; logits are the mean cosines.
    """
    texts = {label: descriptions.get(label, []) for label in rows["train"].label_names}
    size = embeddings["validation"].shape[1]
    described, mask = embed_descriptions(texts, encoder, AmessConfig.description_template, size)
    evaluations = {}
    for name, found in embeddings.items():
        similarity = mean_description_similarity(description_similarity(torch.as_tensor(found), described), mask)
        evaluations[name] = _evaluation(similarity.numpy(), rows[name])
    return evaluations


def fine_tune(encoder: Any, texts: list[str], labels: list[int], settings: TrainingSettings) -> None:
    """SetFit's first stage, in place: the encoder learns which samples are of one label.

    Raises:
        SettingsError: setfit is not installed.
    """
    try:
        from setfit import SetFitModel, Trainer, TrainingArguments
    except ImportError:
        raise SettingsError("The method setfit needs the package of that name: pip install -e .[setfit]") from None
    import datasets

    batches = -(-2 * _PAIRS_OF_A_KIND * len(texts) // _PAIRS_IN_A_BATCH)
    # Given a number of steps, the trainer goes round its pairs until it has made them: only where it makes fewer.
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
        # The head is fitted after it, by the same search as the other methods'.
        with warnings.catch_warnings():
            # setfit cannot be told that there is no accelerator to pin memory for.
            warnings.filterwarnings("ignore", message="'pin_memory' argument is set as true but no accelerator")
            trainer.train_embeddings(texts, labels, args=arguments)


def _evaluation(logits: np.ndarray, rows: IntentRows) -> Evaluation:
    gold = np.array(rows.column("label"), dtype=np.int64)
    return Evaluation(logits, gold, intent_classification(logits.argmax(-1), gold, rows.label_names))


def _columns(rows: IntentRows | DescribedRows) -> tuple[list[str], list[int]]:
    texts, labels = rows.column("text"), rows.column("label")
    return [str(text) for text in texts], [int(label) for label in labels]


def _make_folder(folder: Path, overwrite: bool) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / SETTINGS_FILE).is_file():
            raise SettingsError(f"output_dir={folder} holds files that no run wrote. Give another --output_dir.")
        if not overwrite:
            raise SettingsError(f"{folder} holds a run already: give another --output_dir, or --overwrite true.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)


def run_script() -> None:
    """`main` for the shell: what the user can mend is told without a traceback."""
    try:
        content = main()
    except (SettingsError, TextModelError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    split = "test" if "test" in content else "validation"
    print(f"{split}, percent:\n{metrics_table({content['model']: content[split]})}")


if __name__ == "__main__":
    run_script()
