# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Let a language model write label descriptions, as A-MESS made its own.

The prompt follows section III-D of arXiv 2503.19474.

    python -m dataset_scripts.describe_labels mintrec --model meta-llama/Llama-3.3-70B-Instruct --output mine.json
    python -m dataset_scripts.describe_labels mintrec2 --model gpt-4o --base_url https://api.openai.com/v1 --output ...
    python -m dataset_scripts.describe_labels mintrec --model Qwen/Qwen3-4B-Instruct-2507 --local --output mine.json
    python -m dataset_scripts.describe_labels --labels "Order,Cancel,Haggle" --model ... --output ...
    accelerate launch training/train.py mintrec.yaml --label_descriptions mine.json

Each label is one request. An answer that is not exactly the requested numbered list, or repeats a sentence, goes back
to the model with the reason, a few times. The file is written after every label, so that an interrupted run continues
when the same command is given again. Labels that the file holds are kept unless --overwrite is given. Beside it,
<name>.provenance.json says for each label which model wrote it, how and when.

The token comes from the environment: HF_TOKEN or `hf auth login`; with --base_url OPENAI_API_KEY, or another variable
that --token_variable names. It is never an argument, and nothing that is printed or written contains it.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import replacing, write_json
from ..labels import check_choice, label_names
from ..registry import WITH_OWN_TEXTS
from ..user_text import read_user_text
from .chat_models import ChatError, ChatModel, EndpointChatModel, LocalChatModel
from .prompt import MAX_DESCRIPTIONS, PROMPTS, AnswerError, parse_descriptions


MAX_ATTEMPTS = 4


class DescriptionError(UserError):
    """A label without usable descriptions, or a file that cannot take them. The message names it."""


def describe_labels(
    labels: Sequence[str],
    chat: ChatModel,
    output: str | Path,
    *,
    num_descriptions: int = 3,
    prompt: str = "section",
    overwrite: bool = False,
) -> dict[str, list[str]]:
    """Let a chat model describe labels, and write a JSON file (label -> sentences) label by label.

    Args:
        labels: Label names in the order of the file.
        chat: Chat model that writes the descriptions.
        output: JSON file, which may hold descriptions already.
        num_descriptions: Number of descriptions per label, at most `MAX_DESCRIPTIONS`.
        prompt: Key of `PROMPTS`.
        overwrite: Whether labels that the file holds already are described anew.

    Returns:
        The content of the file at the end: the given labels, then others that it held.

    Raises:
        DescriptionError: `MAX_ATTEMPTS` answers in a row have the wrong form, the file holds something else or another
            number of descriptions, or a label occurs twice. Descriptions that were written before stay.
        ChatError: The model cannot be reached.
        UserError: The prompt is unknown, or the number out of range.
    """
    check_choice("prompt", prompt, tuple(PROMPTS))
    if not 1 <= num_descriptions <= MAX_DESCRIPTIONS:
        raise UserError(f"num_descriptions={num_descriptions} must be 1 to {MAX_DESCRIPTIONS}.")
    output = Path(output)
    if not output.parent.is_dir():
        raise DescriptionError(f"{output.parent} is not a folder. Create it, or give another --output.")
    _check_labels(labels)
    held = _read_json(output)
    records = _read_json(provenance_file(output))
    wanted = [label for label in labels if overwrite or label not in held]
    for label in labels:
        if label not in wanted and len(held[label]) != num_descriptions:
            raise DescriptionError(
                f"{output} has {len(held[label])} descriptions of {label!r}, not {num_descriptions}. Give --overwrite "
                "to replace them, or another --output."
            )
    # Descriptions that will be replaced may be repeated by their replacement.
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
        for file, content in ((provenance_file(output), records), (output, held | kept)):
            with replacing(file) as partial:
                write_json(partial, _ordered(content, labels))
        print(f"{label}: {num_descriptions} descriptions" + (f" (attempt {attempts})" if attempts > 1 else ""))
    return _ordered(held | kept, labels)


def provenance_file(output: Path) -> Path:
    """Return the file beside `output` that says where its descriptions come from."""
    return output.with_name(f"{output.stem}.provenance.json")


def _describe(
    label: str, chat: ChatModel, others: dict[str, list[str]], number: int, prompt: str
) -> tuple[list[str], int]:
    """The descriptions of a label, and the number of attempts."""
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
                "content": f"That cannot be used: {reasons[-1]} Write the {number} numbered descriptions of {label} "
                "again and nothing else.",
            },
        ]
    attempts = " ".join(f"Attempt {number}: {reason}" for number, reason in enumerate(reasons, start=1))
    raise DescriptionError(
        f"{chat.record['model']} gave no usable descriptions of {label!r} in {MAX_ATTEMPTS} attempts. {attempts} "
        "Earlier descriptions are kept. Try again, or use another model, --prompt or --temperature."
    )


def _check_labels(labels: Sequence[str]) -> None:
    if not labels:
        raise DescriptionError("There are no labels to describe.")
    for label in labels:
        if not label.strip() or "\n" in label:
            raise DescriptionError(f"{label!r} cannot be a label. Give a name on one line.")
        if labels.count(label) > 1:
            raise DescriptionError(f"Label {label!r} is given twice. Give it once.")


def _ordered(content: dict[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    return {label: content[label] for label in labels if label in content} | content


def _read_json(file: Path) -> dict[str, Any]:
    """The JSON object in a file, {} where the file does not exist."""
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise DescriptionError(f"{file} cannot be read: {error}. Give another --output.") from error
    kind = dict if file.name.endswith(".provenance.json") else list
    if not isinstance(content, dict) or not all(isinstance(value, kind) for value in content.values()):
        raise DescriptionError(f"{file} holds something else than this command writes. Give another --output.")
    return content


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `python -m dataset_scripts.describe_labels`.

    Raises:
        UserError: The labels cannot be described; see `describe_labels`.
    """
    parser = argparse.ArgumentParser(
        prog="amess describe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("dataset", nargs="?", choices=WITH_OWN_TEXTS, help="describe the labels of this data set")
    which.add_argument("--labels", metavar="A,B,C", help="describe these labels")
    which.add_argument("--labels_file", metavar="FILE", help="describe the labels in this file, one per line")
    parser.add_argument("--output", required=True, metavar="FILE", help="JSON file, new or from an interrupted run")
    parser.add_argument("--model", required=True, help="Hub id, id at the endpoint, or with --local a folder")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--base_url", metavar="URL", help="OpenAI-compatible endpoint (Inference Providers)")
    where.add_argument("--local", action="store_true", help="run the model on this machine with transformers")
    parser.add_argument(
        "--token_variable",
        metavar="NAME",
        help="environment variable that holds the token (HF_TOKEN; with --base_url OPENAI_API_KEY)",
    )
    parser.add_argument(
        "--num_descriptions",
        type=int,
        default=3,
        metavar="N",
        help=f"descriptions per label, 1 to {MAX_DESCRIPTIONS} (3)",
    )
    parser.add_argument(
        "--prompt",
        choices=tuple(PROMPTS),
        default="section",
        help="section and appendix are the paper's two; utterances asks for what people say (%(default)s)",
    )
    parser.add_argument("--temperature", type=float, metavar="T", help="temperature of the sampling (the model's own)")
    parser.add_argument("--max_tokens", type=int, metavar="N", help="longest answer (the endpoint's own)")
    parser.add_argument("--overwrite", action="store_true", help="describe the labels that the file holds anew")
    given = parser.parse_args(arguments)
    descriptions = describe_labels(
        _labels(given),
        _chat_model(given),
        given.output,
        num_descriptions=given.num_descriptions,
        prompt=given.prompt,
        overwrite=given.overwrite,
    )
    print(f"{given.output}: {len(descriptions)} labels. Train with --label_descriptions {given.output}.")


def _labels(given: argparse.Namespace) -> list[str]:
    if given.dataset is not None:
        return list(label_names(given.dataset))
    if given.labels is not None:
        return [label.strip() for label in given.labels.split(",")]
    try:
        lines = read_user_text(given.labels_file).splitlines()
    except (OSError, ValueError) as error:
        raise DescriptionError(f"{given.labels_file} cannot be read: {error}. Give another --labels_file.") from error
    return [line.strip() for line in lines if line.strip()]


def _chat_model(given: argparse.Namespace) -> ChatModel:
    options = {"temperature": given.temperature, "max_tokens": given.max_tokens}
    if given.local:
        return LocalChatModel(given.model, **options)
    variable = given.token_variable or (None if given.base_url is None else "OPENAI_API_KEY")
    token = None if variable is None else os.environ.get(variable) or None
    if given.token_variable is not None and token is None:
        raise ChatError(f"The environment variable {given.token_variable} holds no token. Set it.")
    return EndpointChatModel(given.model, base_url=given.base_url, token=token, **options)
