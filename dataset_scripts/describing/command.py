# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `python -m dataset_scripts.describe_labels`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..labels import label_names
from ..registry import WITH_OWN_TEXTS
from .chat_models import ChatError, ChatModel, EndpointChatModel, LocalChatModel
from .prompt import MAX_DESCRIPTIONS, PROMPTS, AnswerError, parse_descriptions


MAX_ATTEMPTS = 4


class DescriptionError(RuntimeError):
    """Descriptions that could not be had, or a file that cannot take them. The message names the label or the file."""


def describe_labels(
    labels: Sequence[str],
    chat: ChatModel,
    output: str | Path,
    *,
    num_descriptions: int = 3,
    prompt: str = "section",
    overwrite: bool = False,
) -> dict[str, list[str]]:
    """Descriptions of each label, written to a JSON file (label -> list of sentences) as they come.

    Args:
        labels: the labels' names, in the order of the file.
        chat: who writes them.
        output: the file, new or to be completed.
        num_descriptions: of a label, at most `MAX_DESCRIPTIONS`.
        prompt: a key of `PROMPTS`.
        overwrite: also have the labels described that the file holds already.

    Returns:
        What the file holds at the end: the labels asked for, then others that it held.

    Raises:
        DescriptionError: an answer of the wrong form `MAX_ATTEMPTS` times over; a file that holds something else or
            another number of descriptions; labels that occur twice. What was written before stays.
        ChatError: the model cannot be reached.
        ValueError: an unknown prompt, a number out of range.
    """
    if prompt not in PROMPTS:
        raise ValueError(f"unknown prompt {prompt!r}; one of {', '.join(PROMPTS)}")
    if not 1 <= num_descriptions <= MAX_DESCRIPTIONS:
        raise ValueError(f"num_descriptions={num_descriptions} must be 1 to {MAX_DESCRIPTIONS}")
    output = Path(output)
    _check_labels(labels)
    held = _read_json(output)
    records = _read_json(provenance_file(output))
    wanted = [label for label in labels if overwrite or label not in held]
    for label in labels:
        if label not in wanted and len(held[label]) != num_descriptions:
            raise DescriptionError(
                f"{output} has {len(held[label])} descriptions of {label!r} and {num_descriptions} are asked for: "
                "give --overwrite to have them written anew, or another --output."
            )
    # Those to be written anew do not stand in the way of what replaces them.
    kept = {label: texts for label, texts in held.items() if label not in wanted}
    for label in wanted:
        kept[label], attempts = _describe(label, chat, kept, num_descriptions, prompt)
        records[label] = {
            **chat.record,
            "prompt": prompt,
            "attempts": attempts,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        # The record first: a kill between the two leaves a record without text, never a text of unknown origin.
        _write_json(provenance_file(output), _ordered(records, labels))
        _write_json(output, _ordered(held | kept, labels))
        print(f"{label}: {num_descriptions} descriptions" + (f" (attempt {attempts})" if attempts > 1 else ""))
    return _ordered(held | kept, labels)


def provenance_file(output: Path) -> Path:
    """The file beside `output` that tells where its descriptions come from."""
    return output.with_name(f"{output.stem}.provenance.json")


def _describe(
    label: str, chat: ChatModel, others: dict[str, list[str]], number: int, prompt: str
) -> tuple[list[str], int]:
    """The descriptions of a label and how many attempts they took."""
    messages = PROMPTS[prompt].messages(label, number)
    reasons = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        answer = chat.answer(messages)
        try:
            return parse_descriptions(answer, label, number, others), attempt
        except AnswerError as error:
            reasons.append(str(error))
        # Beyond the paper: without the reason, a model that is sampled greedily would only repeat itself.
        messages = [
            *PROMPTS[prompt].messages(label, number),
            {"role": "assistant", "content": answer},
            {
                "role": "user",
                "content": f"That cannot be used: {reasons[-1]}. Write the {number} numbered descriptions of {label} "
                "again and nothing else.",
            },
        ]
    told = "; ".join(f"attempt {number}: {reason}" for number, reason in enumerate(reasons, start=1))
    raise DescriptionError(
        f"{chat.record['model']} gave no usable descriptions of {label!r} in {MAX_ATTEMPTS} attempts ({told}). What "
        "was written before is kept; try again, or use another model, --prompt or --temperature."
    )


def _check_labels(labels: Sequence[str]) -> None:
    if not labels:
        raise DescriptionError("there are no labels to describe")
    for label in labels:
        if not label.strip() or "\n" in label:
            raise DescriptionError(f"{label!r} cannot be a label")
        if labels.count(label) > 1:
            raise DescriptionError(f"the label {label!r} is given twice")


def _ordered(content: dict[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    return {label: content[label] for label in labels if label in content} | content


def _read_json(file: Path) -> dict[str, Any]:
    """The JSON object in a file; {} where there is no such file."""
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DescriptionError(f"{file} cannot be read: {error}. Give another --output.") from error
    kind = dict if file.name.endswith(".provenance.json") else list
    if not isinstance(content, dict) or not all(isinstance(value, kind) for value in content.values()):
        raise DescriptionError(f"{file} is not what this command writes. Give another --output.")
    return content


def _write_json(file: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, file)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m dataset_scripts.describe_labels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("dataset", nargs="?", choices=WITH_OWN_TEXTS, help="the labels of this data set")
    which.add_argument("--labels", metavar="A,B,C", help="these labels")
    which.add_argument("--labels_file", metavar="FILE", help="the labels in this file, one a line")
    parser.add_argument("--output", required=True, metavar="FILE", help="JSON file, new or to be completed")
    parser.add_argument("--model", required=True, help="Hub id, the endpoint's id, or with --local a folder")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--base_url", metavar="URL", help="an OpenAI-compatible endpoint; default: Inference Providers")
    where.add_argument("--local", action="store_true", help="run the model on this machine with transformers")
    parser.add_argument(
        "--token_variable",
        metavar="NAME",
        help="environment variable that holds the token (HF_TOKEN; with --base_url OPENAI_API_KEY)",
    )
    parser.add_argument(
        "--num_descriptions", type=int, default=3, metavar="N", help=f"of a label, 1 to {MAX_DESCRIPTIONS} (3)"
    )
    parser.add_argument(
        "--prompt",
        choices=tuple(PROMPTS),
        default="section",
        help="section and appendix are the paper's two; utterances has it write what people say (%(default)s)",
    )
    parser.add_argument("--temperature", type=float, metavar="T", help="of the sampling; default: the model's own")
    parser.add_argument("--max_tokens", type=int, metavar="N", help="longest answer; default: the endpoint's own")
    parser.add_argument("--overwrite", action="store_true", help="also describe the labels that the file holds")
    given = parser.parse_args(arguments)
    try:
        descriptions = describe_labels(
            _labels(given),
            _chat_model(given),
            given.output,
            num_descriptions=given.num_descriptions,
            prompt=given.prompt,
            overwrite=given.overwrite,
        )
    except (ChatError, DescriptionError, OSError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(f"{given.output}: {len(descriptions)} labels; train with --label_descriptions {given.output}")


def _labels(given: argparse.Namespace) -> list[str]:
    if given.dataset is not None:
        return list(label_names(given.dataset))
    if given.labels is not None:
        return [label.strip() for label in given.labels.split(",")]
    lines = Path(given.labels_file).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _chat_model(given: argparse.Namespace) -> ChatModel:
    options = {"temperature": given.temperature, "max_tokens": given.max_tokens}
    if given.local:
        return LocalChatModel(given.model, **options)
    variable = given.token_variable or (None if given.base_url is None else "OPENAI_API_KEY")
    token = None if variable is None else os.environ.get(variable) or None
    if given.token_variable is not None and token is None:
        raise ChatError(f"The environment variable {given.token_variable} holds no token.")
    return EndpointChatModel(given.model, base_url=given.base_url, token=token, **options)
