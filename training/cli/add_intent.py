# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess add-intent`: teach a trained model one more intent from its description and a few clips or texts."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_scripts.errors import UserError
from dataset_scripts.extraction.command import add_limit_arguments, error_in_words, limits_of
from dataset_scripts.files import make_folder, remove_empty, replacing
from dataset_scripts.markdown import escape, table

from ..project_files import PIPELINE_TAG
from .labelled_inputs import LabelledInput, read_labelled_inputs
from .predict import DEFAULT_MODEL, add_asr_argument, add_model_argument, checked_inputs, load_recognizer, read_inputs


if TYPE_CHECKING:
    from modeling_amess import IntentRecognitionPipeline
    from modeling_amess.clip_amess import MediaLimits

DESCRIPTION = """\
Add an intent to a trained model from its description and, better, a few clips. Nothing is trained again: the
classifier gets one more row, and the new model is written to another folder. The other intents lose some utterances
to the new one; give labelled utterances with --validation, and the command reports how many.

Utterances of the other intents (--others, such as the data that the model was trained on) make the new intent clearly
better: the command draws as many per intent as there are of the new one. Without them it uses descriptions instead.
"""
EXAMPLES = """\
examples:
  amess add-intent Reassure --description "To take away someone's worry." --clips a.mp4 b.mp4 --output models/21
  amess add-intent Reassure --description "To take away someone's worry." --text "it will be fine." --output m
  amess add-intent Reassure --description "To take away someone's worry." --clips clips.tsv \\
      --others train.tsv --validation dev.tsv --output models/21

files: clips.tsv has the columns clip (relative to the file) and text, or text alone. The files of --others and
--validation have the columns text and label, and clip where the model reads clips. Both also take a folder that
amess extract or DatasetDict.save_to_disk wrote, and read its splits train and validation.

exit status: 0, or 2 where the command or its input is wrong.
"""
_SEED = 0


class AddIntentError(UserError):
    """A command line that cannot work."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument("name", metavar="NAME", help="name of the new intent")
    # Not positional: argparse would give it nothing where an option comes between it and the name.
    parser.add_argument(
        "--clips", nargs="+", default=[], metavar="CLIP", help="clips of it: files, folders, a TSV or CSV file"
    )
    parser.add_argument("--text", action="append", metavar="TEXT", help="what is said; one --text per clip, or alone")
    parser.add_argument(
        "--description", action="append", metavar="TEXT", help="description of the intent; best two or three"
    )
    add_model_argument(parser)
    add_asr_argument(parser)
    parser.add_argument("--output", required=True, metavar="FOLDER", help="folder for the new model")
    parser.add_argument("--others", metavar="DATA", help="utterances of the model's other intents")
    parser.add_argument("--validation", metavar="DATA", help="utterances of any intent, to measure on")
    add_limit_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Add the intent of the command line and return the exit status."""
    name, descriptions = arguments.name, arguments.description or []
    try:
        output = Path(arguments.output).expanduser()
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise AddIntentError(f"--output {output} exists already: give a new folder.")
        examples = _examples(arguments.clips, arguments.text or [], arguments.asr_model)
        recognizer = load_recognizer(arguments.model, asr_model=arguments.asr_model)
        others = _labelled(arguments.others, "train", recognizer, name)
        validation = _labelled(arguments.validation, "validation", recognizer, name)
        limits = limits_of(arguments)
        before = _accuracies(recognizer, validation, name, limits)
        add_intent(recognizer, name, descriptions, examples, others, limits)
        after = _accuracies(recognizer, validation, name, limits)
        summary = (
            f"{name} is intent {recognizer.model.config.num_labels} of {output.name}. Descriptions: "
            f"{len(descriptions)}; its utterances: {len(examples)}; utterances of other intents, from --others: "
            f"{len(others)}."
        )
        cost = report(name, before, after)
        _save(recognizer, output.resolve(), card(recognizer, arguments.model, output.name, name, summary, cost))
    except ModuleNotFoundError:
        raise  # the caller says which extra has the package
    except (OSError, ValueError, ImportError) as error:
        print(f"amess add-intent: {error_in_words(error)}", file=sys.stderr)
        return 2
    print(summary)
    print(cost)
    print(f"Next: amess predict CLIP_OR_FOLDER --model {output}")
    return 0


def card(
    recognizer: IntentRecognitionPipeline, model: str, output_name: str, name: str, summary: str, cost: str
) -> str:
    """Write the card of the new model.

    Args:
        recognizer: Pipeline with the new intent.
        model: Model that it was made from: a folder or a name on the Hub.
        output_name: Name of the new model's folder.
        name: Name of the new intent.
        summary: What the intent was made from, in words.
        cost: What it costs the other intents, in words.

    Returns:
        Markdown with metadata; no path of this machine.
    """
    from huggingface_hub import ModelCardData

    folder = Path(model).expanduser()
    local = folder.exists()
    if local:  # one name alone: the folders above may bear those of people
        place = folder.resolve()
        called = (place.parent if place.name == Path(DEFAULT_MODEL).name else place).name
    else:
        called = model
    metadata = ModelCardData(
        library_name="transformers",
        pipeline_tag=PIPELINE_TAG,
        tags=["multimodal", "intent-recognition", "a-mess"],
        base_model=None if local else model,
    )
    config = recognizer.model.config
    described = config.label_descriptions or {}
    intents = [(label, next(iter(described.get(label, [])), "")) for _, label in sorted(config.id2label.items())]
    return f"""---
{metadata.to_yaml()}
---

# {escape(output_name)}

The model {escape(called)} with one more intent, {escape(name)}, which `amess add-intent` gave it. Nothing was trained
again: the classifier has one more row. The licence is that of the model that it was made from.

{escape(summary)}

{escape(cost)}

## Use

```python
from transformers import pipeline

recognize = pipeline("{recognizer.task}", model="{output_name}", trust_remote_code=True)
print(recognize({{"text": "oh, great."}}))
```

## Intents

{table(("intent", "description"), intents, align="---")}
"""


def _save(recognizer: IntentRecognitionPipeline, output: Path, text: str) -> None:
    """Write the model and its card, whole or not at all."""
    from huggingface_hub.constants import REPOCARD_NAME

    made = make_folder(output.parent)
    try:
        with replacing(output) as partial:
            recognizer.save_pretrained(partial)
            (partial / REPOCARD_NAME).write_text(text, encoding="utf-8")
    except BaseException:
        remove_empty(made)
        raise


def add_intent(
    recognizer: IntentRecognitionPipeline,
    name: str,
    descriptions: Sequence[str],
    examples: Sequence[dict[str, Any]],
    others: Sequence[LabelledInput] = (),
    limits: MediaLimits | None = None,
) -> None:
    """Add an intent to the pipeline's model, in place.

    Args:
        recognizer: Pipeline whose model gets the intent.
        name: Name of the intent.
        descriptions: Descriptions of the intent, for a model with semantic synchronization.
        examples: Utterances of the intent, as inputs of the pipeline.
        others: Utterances of the model's other intents; per intent at most as many as there are examples are used.
        limits: Limits that the clips must keep, by default `MediaLimits()`.

    Raises:
        ValueError: The model cannot take the intent, or its description encoder cannot be loaded.
    """
    model: Any = recognizer.model  # an AmessForIntentClassification; transformers knows it as a PreTrainedModel
    described = [{"text": text} for text in descriptions]
    others = [one for one in others if one.label != name]
    positive, negative = list(examples), _few_per_intent(others, len(examples) or len(described))
    if not positive or not negative:
        # Descriptions serve as utterances: those of the new intent here, those of the others below.
        positive += described
    if not negative:
        negative = [{"text": text} for texts in (model.config.label_descriptions or {}).values() for text in texts]
    model.add_label(
        name,
        descriptions,
        recognizer.load_description_encoder() if descriptions else None,
        [_batch(recognizer, parts, limits) for parts in positive],
        [_batch(recognizer, parts, limits) for parts in negative],
    )


def report(name: str, before: dict[str, float] | None, after: dict[str, float] | None) -> str:
    """Say in words what the new intent costs the others."""
    if before is None or after is None:
        return "Its cost for the other intents was not measured: give labelled utterances with --validation."
    lines = []
    if before["others"]:
        lines.append(
            f"accuracy on the other intents ({before['others']} utterances): {before['others_accuracy']:.1%} before, "
            f"{after['others_accuracy']:.1%} after"
        )
    if after["new"]:
        lines.append(f"{name} recognised: {after['new_accuracy']:.1%} of {after['new']} utterances")
    else:
        lines.append(f"{name} was not measured: --validation has no utterance of it.")
    return "\n".join(lines)


def _examples(clips: list[str], texts: list[str], asr_model: str | None) -> list[dict[str, Any]]:
    if not clips and not texts:
        return []
    inputs = checked_inputs(read_inputs(clips, texts), asr_model)
    errors = [f"{one.name}: {one.error}" for one in inputs if one.error is not None]
    if errors:
        raise AddIntentError("\n".join(["These utterances cannot be used.", *errors]))
    return [{"video": one.clip, "text": one.text} for one in inputs]


def _labelled(source: str | None, split: str, recognizer: IntentRecognitionPipeline, name: str) -> list[LabelledInput]:
    if source is None:
        return []
    config = recognizer.model.config
    inputs = read_labelled_inputs(source, split, config.modalities)
    known = {*(config.label2id or ()), name}
    unknown = sorted({one.label for one in inputs} - known)
    if unknown:
        from dataset_scripts.extraction.rows import similar_labels  # here, so that `amess --help` does not load it

        alike = [" and ".join(group) for group in similar_labels({*known, *unknown}) if not known.issuperset(group)]
        hint = f" These differ in case or blanks alone: {'; '.join(alike)}." if alike else ""
        raise AddIntentError(
            f"{source} has intents that the model does not know: {', '.join(unknown)}.{hint} Leave their utterances "
            "out."
        )
    return inputs


def _few_per_intent(inputs: Sequence[LabelledInput], number: int) -> list[dict[str, Any]]:
    by_label: dict[str, list[dict[str, Any]]] = {}
    for one in inputs:
        by_label.setdefault(one.label, []).append(one.parts)
    draw = random.Random(_SEED)
    return [
        parts
        for label in sorted(by_label)
        for parts in draw.sample(by_label[label], min(number, len(by_label[label])))
    ]


def _batch(recognizer: IntentRecognitionPipeline, parts: dict[str, Any], limits: MediaLimits | None) -> dict[str, Any]:
    # With the --asr_model that the recognizer was loaded with.
    utterance = recognizer.preprocess(parts, **{**recognizer._preprocess_params, "limits": limits})
    processor: Any = recognizer.processor  # an AmessProcessor; transformers knows it as a ProcessorMixin
    clips = None if utterance.clip is None else [utterance.clip]
    features = {name: [feature] for name, feature in utterance.features.items()}
    return dict(processor.collate([utterance.text], None, clips, features))


def _accuracies(
    recognizer: IntentRecognitionPipeline, inputs: Sequence[LabelledInput], name: str, limits: MediaLimits
) -> dict[str, float] | None:
    if not inputs:
        return None
    results = recognizer([one.parts for one in inputs], top_k=1, batch_size=16, limits=limits, variants=False)
    hits: dict[bool, list[bool]] = {True: [], False: []}  # by whether the utterance has the new intent
    for result, one in zip(results, inputs, strict=True):
        hits[one.label == name].append(result["label"] == one.label)
    new, others = hits[True], hits[False]
    return {
        "new": len(new),
        "others": len(others),
        "new_accuracy": sum(new) / max(len(new), 1),
        "others_accuracy": sum(others) / max(len(others), 1),
    }
