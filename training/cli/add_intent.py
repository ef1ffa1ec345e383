# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess add-intent`: one more intent for a trained model, from its description and a few clips or texts."""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .labelled_inputs import LabelledInput, read_labelled_inputs
from .predict import DEFAULT_MODEL, load_recognizer, read_inputs


if TYPE_CHECKING:
    from modeling_amess import IntentRecognitionPipeline

DESCRIPTION = """\
Add an intent to a trained model from its description and, better, a few clips of it. Nothing is trained again: the
classifier gets one more row, and the new model goes to a folder of its own. The other intents lose some utterances to
the new one; give labelled ones by --validation, and the command says how many.

Utterances of the other intents (--others, such as the data that the model was trained on) make it clearly better: as
many of each are drawn as there are of the new one. Without them, descriptions stand in.
"""
EXAMPLES = """\
examples:
  amess add-intent Reassure --description "To take away someone's worry." --clips a.mp4 b.mp4 --output models/21
  amess add-intent Reassure --description "To take away someone's worry." --text "it will be fine." --output m
  amess add-intent Reassure --description "To take away someone's worry." --clips clips.tsv \\
      --others train.tsv --validation dev.tsv --output models/21

files: clips.tsv has a column clip (relative to it) and text, or text alone; those of --others and --validation have
text and label, and clip where the model reads clips. For both a folder of amess extract, or of
DatasetDict.save_to_disk, will do: of it, the splits train and validation are read.

exit status: 0, or 2 where the command or its input is wrong.
"""
_SEED = 0


class AddIntentError(ValueError):
    """A command that cannot be carried out. The message says what to change."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument("name", metavar="NAME", help="of the new intent")
    # No positional argument: argparse would give it nothing where an option stands between it and the name.
    parser.add_argument(
        "--clips", nargs="+", default=[], metavar="CLIP", help="of it: clips, folders of clips, a TSV or CSV file"
    )
    parser.add_argument("--text", action="append", metavar="TEXT", help="what is said; once for each clip, or alone")
    parser.add_argument("--description", action="append", metavar="TEXT", help="of the intent; best two or three")
    parser.add_argument(
        "--model", default=os.environ.get("AMESS_MODEL", DEFAULT_MODEL), metavar="MODEL", help="(%(default)s)"
    )
    parser.add_argument("--output", required=True, metavar="FOLDER", help="where the new model goes")
    parser.add_argument("--others", metavar="DATA", help="utterances of the model's other intents")
    parser.add_argument("--validation", metavar="DATA", help="utterances to measure on, of any of the intents")


def run(arguments: argparse.Namespace) -> int:
    """Add the intent of the command line; the exit status."""
    try:
        output = Path(arguments.output).expanduser()
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise AddIntentError(f"--output {output} is there already: give a new folder.")
        recognizer = load_recognizer(arguments.model)
        model = recognizer.model
        examples = _examples(arguments.clips, arguments.text or [])
        others = _labelled(arguments.others, "train", recognizer, arguments.name)
        validation = _labelled(arguments.validation, "validation", recognizer, arguments.name)
        before = _accuracies(recognizer, validation, arguments.name)
        add_intent(recognizer, arguments.name, arguments.description or [], examples, others)
        after = _accuracies(recognizer, validation, arguments.name)
        recognizer.save_pretrained(output)
    except (OSError, ValueError, ImportError) as error:
        print(f"amess add-intent: {error}", file=sys.stderr)
        return 2
    described = len(arguments.description or [])
    print(
        f"{arguments.name} is intent {model.config.num_labels} of {output}. Descriptions: {described}; "
        f"utterances of it: {len(examples)}; of the other intents to draw from: {len(others)}."
    )
    print(report(arguments.name, before, after))
    return 0


def add_intent(
    recognizer: IntentRecognitionPipeline,
    name: str,
    descriptions: Sequence[str],
    examples: Sequence[dict[str, Any]],
    others: Sequence[LabelledInput] = (),
) -> None:
    """Add an intent to the pipeline's model, in place.

    Args:
        name, descriptions: of the intent; descriptions where the model has semantic synchronization.
        examples: inputs of the pipeline that have it.
        others: utterances of the model's other intents; of each at most as many are taken as there are examples.

    Raises:
        ValueError: from `add_label`; the description encoder cannot be had.
    """
    config = recognizer.model.config
    own = [{"text": text} for text in descriptions]
    others = [one for one in others if one.label != name]
    positive, negative = list(examples), _few_of_each(others, len(examples) or len(own))
    if not positive or not negative:
        # The descriptions as utterances: of the new intent where it has none, of all where the others have none.
        positive = [*positive, *own]
    if not negative:
        negative = [{"text": text} for texts in (config.label_descriptions or {}).values() for text in texts]
    recognizer.model.add_label(
        name,
        descriptions,
        recognizer.load_description_encoder() if descriptions else None,
        [_batch(recognizer, parts) for parts in positive],
        [_batch(recognizer, parts) for parts in negative],
    )


def report(name: str, before: dict[str, float] | None, after: dict[str, float] | None) -> str:
    """What the intent costs the others, in words."""
    if before is None or after is None:
        return "What that costs the other intents was not measured: give labelled utterances by --validation."
    lines = []
    if before["others"]:
        lines.append(
            f"accuracy on the other intents ({before['others']} utterances): {before['others_accuracy']:.1%} before, "
            f"{after['others_accuracy']:.1%} after"
        )
    if after["new"]:
        lines.append(f"{name} recognised: {after['new_accuracy']:.1%} of {after['new']} utterances")
    else:
        lines.append(f"{name} was not measured: no utterance of --validation has it.")
    return "\n".join(lines)


def _examples(clips: list[str], texts: list[str]) -> list[dict[str, Any]]:
    if not clips and not texts:
        return []
    if len(clips) == 1 and Path(clips[0]).suffix.lower() in (".tsv", ".csv"):
        from dataset_scripts.tsv import read_tsv

        path = Path(clips[0]).expanduser()
        commas = path.suffix.lower() == ".csv"
        rows = read_tsv(path, (), commas=commas)
        if rows and "clip" not in rows[0].cells:
            return [{"text": row.cells["text"].strip()} for row in read_tsv(path, ("text",), commas=commas)]
    return [{"video": one.clip, "text": one.text} for one in read_inputs(clips, texts)]


def _labelled(source: str | None, split: str, recognizer: IntentRecognitionPipeline, name: str) -> list[LabelledInput]:
    if source is None:
        return []
    config = recognizer.model.config
    inputs = read_labelled_inputs(source, split, config.modalities)
    unknown = sorted({one.label for one in inputs} - {*config.label2id, name})
    if unknown:
        raise AddIntentError(f"{source} has intents that the model does not know: {', '.join(unknown)}.")
    return inputs


def _few_of_each(inputs: Sequence[LabelledInput], number: int) -> list[dict[str, Any]]:
    by_label: dict[str, list[dict[str, Any]]] = {}
    for one in inputs:
        by_label.setdefault(one.label, []).append(one.parts)
    draw = random.Random(_SEED)
    return [
        parts
        for label in sorted(by_label)
        for parts in draw.sample(by_label[label], min(number, len(by_label[label])))
    ]


def _batch(recognizer: IntentRecognitionPipeline, parts: dict[str, Any]) -> dict[str, Any]:
    utterance = recognizer.preprocess(parts)
    rate = {"sampling_rate": recognizer.processor.sampling_rate} if "audio" in utterance.arguments else {}
    return dict(recognizer.processor(**utterance.arguments, **rate, return_tensors="pt"))


def _accuracies(
    recognizer: IntentRecognitionPipeline, inputs: Sequence[LabelledInput], name: str
) -> dict[str, float] | None:
    if not inputs:
        return None
    results = recognizer([one.parts for one in inputs], top_k=1, batch_size=16)
    right = [result["label"] == one.label for result, one in zip(results, inputs, strict=True)]
    new = [hit for hit, one in zip(right, inputs, strict=True) if one.label == name]
    others = [hit for hit, one in zip(right, inputs, strict=True) if one.label != name]
    return {
        "new": len(new),
        "others": len(others),
        "new_accuracy": sum(new) / max(len(new), 1),
        "others_accuracy": sum(others) / max(len(others), 1),
    }
