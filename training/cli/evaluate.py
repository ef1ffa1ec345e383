# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess evaluate`: metrics of a trained model on labelled clips or texts, and the list of its errors."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_scripts.errors import UserError
from dataset_scripts.extraction.command import add_limit_arguments, error_in_words, limits_of

from .batches import NamedParts, answers
from .labelled_inputs import LabelledInput, read_labelled_inputs
from .predict import load_recognizer


if TYPE_CHECKING:
    from modeling_amess import IntentRecognitionPipeline
    from modeling_amess.clip_amess import MediaLimits

    from ..finished_run import Predictions

DESCRIPTION = """\
Measure a trained model on labelled utterances: accuracy and F1 with 95 % intervals, a table of the intents, the
confusion matrix and the utterances that it gets wrong.
"""
EXAMPLES = """\
examples:
  amess evaluate runs/sample-amess test.tsv                    # columns clip (relative to the file), text, label
  amess evaluate org/amess-mintrec features/ --split test --output report/

data: a TSV or CSV file with the columns text and label, and clip where the model reads clips; or a folder that
amess extract or DatasetDict.save_to_disk wrote. The label UNK marks utterances out of scope: then the decisions
between the intents and out of scope are measured, too.

--output writes predictions.csv, errors.csv, metrics.json and confusion_matrix.png into a new folder.

exit status: 0, 1 where some utterances could not be read and do not count, 2 where the command or its input is wrong.
"""


class EvaluateError(UserError):
    """Data or a folder that the command cannot use."""


@dataclass(frozen=True)
class Answer:
    """The model's answer to one utterance.

    Attributes:
        asked: The utterance and its intent.
        label: Likeliest intent; "" where the utterance could not be read.
        score: Its probability.
        out_of_scope: Whether the model takes the utterance for none of its intents; `None` without a threshold.
        error: Reason why the utterance could not be read; "" otherwise.
    """

    asked: LabelledInput
    label: str = ""
    score: float = 0.0
    out_of_scope: bool | None = None
    error: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument("model", metavar="MODEL", help="run folder, folder or Hub id of a trained model")
    parser.add_argument("data", metavar="DATA", help="labelled utterances: a table or the folder of a data set")
    parser.add_argument("--split", default="test", help="split of a data set's folder (%(default)s)")
    parser.add_argument("--batch_size", type=int, default=16, metavar="N", help="utterances per batch (%(default)s)")
    parser.add_argument("--output", metavar="FOLDER", help="new folder for the report")
    add_limit_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate the model of the command line and return the exit status."""
    output = Path(arguments.output).expanduser() if arguments.output else None
    if output is not None and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise EvaluateError(f"--output {output} exists already. Give a new folder.")
    if arguments.batch_size < 1:
        raise EvaluateError(f"--batch_size {arguments.batch_size} is too small. Give 1 or more.")
    if not Path(arguments.data).expanduser().exists():
        raise EvaluateError(f"There is no data at {arguments.data}. Give a table or the folder of a data set.")
    try:
        recognizer = load_recognizer(arguments.model)
        inputs = read_labelled_inputs(arguments.data, arguments.split, recognizer.model.config.modalities)
        names = _checked_names(recognizer, inputs, arguments.data)
    except UserError:
        raise
    except (OSError, ValueError, ImportError) as error:
        print(f"amess evaluate: {error_in_words(error)}", file=sys.stderr)
        return 2
    given = answer(recognizer, inputs, arguments.batch_size, limits_of(arguments))
    failed = [one for one in given if one.error]
    for one in failed:
        print(one.error, file=sys.stderr)
    if len(failed) == len(given):
        print(f"amess evaluate: None of the {len(given)} utterances could be read.", file=sys.stderr)
        return 2
    metrics = measure(given, names)
    print(readable(metrics, len(given) - len(failed)))
    if failed:
        print(f"{len(failed)} of {len(given)} utterances could not be read and do not count.", file=sys.stderr)
    if output is not None:
        write_report(output, given, metrics, names)
        print(f"The report is in {output}: errors.csv lists the utterances that went wrong.")
    return 1 if failed else 0


def answer(
    recognizer: IntentRecognitionPipeline, inputs: Sequence[LabelledInput], batch_size: int, limits: MediaLimits
) -> list[Answer]:
    """Ask the model for the intent of each utterance; one that cannot be read has an `error`."""
    from tqdm.auto import tqdm  # here, because `amess --help` does without it

    named = [NamedParts(one.parts, str(one.parts.get("video") or one.parts.get("text"))) for one in inputs]
    found = answers(recognizer, named, batch_size, top_k=1, limits=limits, variants=False)
    bar = tqdm(inputs, unit="utterance", disable=None, leave=False)
    return [_answer_of(one, result) for one, result in zip(bar, found, strict=True)]


def measure(answers: Sequence[Answer], names: tuple[str, ...]) -> dict[str, Any]:
    """Compute the metrics of the utterances that could be read.

    Args:
        answers: Answers of the model.
        names: Labels of the model, in the order of their ids.

    Returns:
        `intents`: metrics of `intent_classification` on the utterances with an intent, each with `<name>_interval`
        (95 %); `open_intent`: metrics of the decisions, where the data have utterances out of scope; `utterances`.
    """
    # here, because these modules load scipy and pyarrow
    from dataset_scripts.labels import OUT_OF_SCOPE_LABEL

    from ..metrics.intent_classification.classification_scores import intent_classification
    from ..metrics.open_intent.open_intent_scores import open_intent
    from ..significance import Answers

    read = [one for one in answers if not one.error]
    metrics: dict[str, Any] = {"utterances": len(read)}
    predictions = _predictions(read, names)
    if predictions.ids:
        gold, predicted = predictions.label_ids()
        result = intent_classification(predicted, gold, names)
        answers_of_one = Answers(gold, predicted[None], len(names))
        for name in ("accuracy", "macro_f1", "weighted_f1"):
            result[f"{name}_interval"] = list(answers_of_one.interval(name, result[name]))
        metrics["intents"] = result
    if any(one.asked.label == OUT_OF_SCOPE_LABEL for one in read):
        intents = [name for name in names if name != OUT_OF_SCOPE_LABEL]
        ids = {name: index for index, name in enumerate([*intents, OUT_OF_SCOPE_LABEL])}
        decisions = [ids[OUT_OF_SCOPE_LABEL if one.out_of_scope else one.label] for one in read]
        metrics["open_intent"] = open_intent(decisions, [ids[one.asked.label] for one in read], len(intents))
    return metrics


def readable(metrics: dict[str, Any], utterances: int) -> str:
    """Format the metrics for a terminal."""
    lines = [f"{utterances} utterances, in percent, with 95 % intervals over utterances"]
    intents = metrics.get("intents")
    if intents is not None:
        for name, title in (("accuracy", "accuracy"), ("macro_f1", "macro F1"), ("weighted_f1", "weighted F1")):
            low, high = intents[f"{name}_interval"]
            lines.append(f"  {title:12} {100 * intents[name]:5.1f} [{100 * low:.1f}, {100 * high:.1f}]")
        present = [row for row in intents["per_class"] if row["support"]]
        width = max(len(row["label"]) for row in present)
        lines += ["", f"  {'intent':{width}}  utterances  precision  recall     F1"]
        for row in sorted(present, key=lambda row: -row["f1"]):
            scores = [100 * row[name] for name in ("precision", "recall", "f1")]
            lines.append(
                f"  {row['label']:{width}}  {row['support']:10}  {scores[0]:9.1f}  {scores[1]:6.1f}  {scores[2]:5.1f}"
            )
    if (opened := metrics.get("open_intent")) is not None:
        lines += ["", "  intent or out of scope:"]
        titles = {
            "accuracy": "accuracy",
            "f1_in_scope": "F1 in scope",
            "f1_out_of_scope": "F1 out of scope",
            "f1": "F1",
        }
        lines += [f"  {title:16} {100 * opened[name]:5.1f}" for name, title in titles.items()]
    return "\n".join(lines)


def write_report(folder: Path, answers: Sequence[Answer], metrics: dict[str, Any], names: tuple[str, ...]) -> None:
    """Write `predictions.csv`, `errors.csv`, `metrics.json` and `confusion_matrix.png` into a folder."""
    # here, because these modules load torch and matplotlib
    from dataset_scripts.files import write_json

    from ..finished_run import CONFUSION_FILE, METRICS_FILE
    from ..reproduction.pictures import draw_confusion_matrix

    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "predictions.csv", answers)
    _write_csv(folder / "errors.csv", [one for one in answers if one.error or one.label != one.asked.label])
    write_json(folder / METRICS_FILE, metrics)
    predictions = _predictions([one for one in answers if not one.error], names)
    if predictions.ids:
        draw_confusion_matrix(predictions, folder / CONFUSION_FILE)


def _answer_of(one: LabelledInput, result: dict[str, Any]) -> Answer:
    if "error" in result:
        return Answer(one, error=result["error"])
    return Answer(one, result["label"], float(result["score"]), result["out_of_scope"])


def _checked_names(
    recognizer: IntentRecognitionPipeline, inputs: Sequence[LabelledInput], source: str
) -> tuple[str, ...]:
    """Labels of the model; the labels of the data must be among them, or be that of utterances out of scope."""
    from dataset_scripts.labels import OUT_OF_SCOPE_LABEL, nearest_name  # here, because `--help` does without it

    config = recognizer.model.config
    names = tuple(config.id2label[index] for index in range(config.num_labels))
    if not inputs:
        raise EvaluateError(f"{source} has no labelled utterance. Give a table with the columns text and label.")
    counts: dict[str, int] = {}
    for one in inputs:
        if one.label not in (*names, OUT_OF_SCOPE_LABEL):
            counts[one.label] = counts.get(one.label, 0) + 1
    if counts:
        label, number = max(counts.items(), key=lambda item: item[1])
        more = f" and {len(counts) - 1} other label(s)" if len(counts) > 1 else ""
        raise EvaluateError(
            f"{source} has {number} utterance(s) of the label {label!r}{more}, which the model does not know. The "
            f"nearest label is {nearest_name(label, names)!r}. Rename the labels, or mark utterances out of scope "
            f"with {OUT_OF_SCOPE_LABEL}."
        )
    return names


def _predictions(answers: Sequence[Answer], names: tuple[str, ...]) -> Predictions:
    from ..finished_run import Predictions  # here, because this module loads pyarrow

    known = [one for one in answers if one.asked.label in names]
    return Predictions(
        ids=tuple(str(index) for index in range(len(known))),
        labels=tuple(one.asked.label for one in known),
        predicted=tuple(one.label for one in known),
        label_names=names,
    )


def _write_csv(file: Path, answers: Sequence[Answer]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["clip", "text", "label", "prediction", "score", "out_of_scope", "error"])
        for one in answers:
            score = "" if one.error else f"{one.score:.4f}"
            outside = "" if one.out_of_scope is None else str(one.out_of_scope).lower()
            parts = one.asked.parts
            clip = parts.get("video") if isinstance(parts.get("video"), str) else ""
            writer.writerow([clip, parts.get("text", ""), one.asked.label, one.label, score, outside, one.error])
