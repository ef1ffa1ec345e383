# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The prompt for descriptions of a label, and the strict reading of the answer.

The prompt says what A-MESS (arXiv 2503.19474, section III-D and appendix) reports of its own prompt: the model is a
language assistant, receives nouns, and writes a number of different descriptions of each for the detection of intents,
accurate, concise and without other output; one label with numbered descriptions serves as an example. The paper prints
this twice, with "Complain" and with "Complaint" as the example; both are variants here. The facts are the paper's; the
sentences, those of the examples included, are ours. The third variant is ours alone: it asks for utterances, things
that people say with the intent, which help more than descriptions as training samples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


MAX_DESCRIPTIONS = 8
# Number of words: one word is no description, and a paragraph would fill the description encoder's input.
_WORDS = range(3, 41)


class AnswerError(ValueError):
    """An answer of the wrong form. The message says why, to the user and to the model."""


@dataclass(frozen=True)
class DescriptionPrompt:
    """One variant of the prompt.

    Attributes:
        instructions: Instructions with `{number}` in place of the number of descriptions.
        example: Label of the example.
        example_descriptions: `MAX_DESCRIPTIONS` descriptions of the example. The prompt shows as many as it asks for:
            another number would contradict the instructions.
    """

    instructions: str
    example: str
    example_descriptions: tuple[str, ...]

    def messages(self, label: str, number: int) -> list[dict[str, str]]:
        """Return the conversation that asks for `number` descriptions of `label`.

        Departures from the paper, which gives all nouns in one prompt: one request per label, so that a failure costs
        one label; and everything in the user's message, because not every chat template has a system role.
        """
        example = "\n".join(f"{index}. {text}" for index, text in enumerate(self.example_descriptions[:number], 1))
        instructions = self.instructions.format(number=number)
        content = f"{instructions}\n\nNoun: {self.example}\n{example}\n\nNoun: {label}"
        return [{"role": "user", "content": content}]


PROMPTS: dict[str, DescriptionPrompt] = {
    "section": DescriptionPrompt(
        "You are a language assistant. You are given a noun that names an intent, and write {number} different "
        "descriptions of it, by which the intent can be recognised in what people say. Keep them accurate and "
        "concise, one numbered line each, and write nothing else.",
        "Complain",
        (
            "To say that one is unhappy with how things are.",
            "To let out annoyance about something that went wrong.",
            "To object to bad treatment or poor service.",
            "To grumble about a burden that one has to bear.",
            "To tell someone about a trouble and expect it to be put right.",
            "To lament an unfair or tiresome situation.",
            "To point at what is disappointing or not good enough.",
            "To protest because something is unbearable.",
        ),
    ),
    "appendix": DescriptionPrompt(
        "Act as a language assistant for intent detection. For the noun that you receive, give {number} descriptions "
        "that differ from each other. Each must be precise and short. Answer with the numbered list alone, without "
        "any other output.",
        "Complaint",
        (
            "A remark that something is not as it should be.",
            "An expression of irritation about another person or an event.",
            "A statement of grievance that calls for a remedy.",
            "A sigh or outburst over a nuisance.",
            "A report of a fault together with displeasure at it.",
            "An objection raised against how one is being treated.",
            "A voiced disappointment with a result.",
            "A lament over hardship or inconvenience.",
        ),
    ),
    "utterances": DescriptionPrompt(
        "You are a language assistant. You are given a noun that names an intent, and write {number} different things "
        "that people say with this intent in everyday conversations. Write them as they are spoken, about different "
        "situations, so that the intent can be told from the words. One numbered line each, and nothing else.",
        "Complain",
        (
            "The neighbours kept me awake with their music again.",
            "I have been on hold for an hour and nobody picks up.",
            "Why do I always end up doing the dishes?",
            "This soup is cold, and we waited forever for it.",
            "I can't stand this heat any longer.",
            "Great, the lift is broken for the third time this week.",
            "You promised me that it would be ready today.",
            "They charge more every year, and it only gets worse.",
        ),
    ),
}

_NUMBERED = re.compile(r"(\d+)[.)]\s*(.*)")
# Reasoning models put their thoughts before the answer.
_THOUGHTS = re.compile(r"\s*<think>.*?</think>", re.DOTALL)


def parse_descriptions(answer: str, label: str, number: int, others: Mapping[str, Sequence[str]]) -> list[str]:
    """Read the descriptions in a model's answer.

    The answer has the lines `1. ...` to `number. ...` and blank lines, nothing else.

    Args:
        answer: Answer of the model.
        label: Label that the descriptions are for.
        number: Number of descriptions.
        others: Descriptions of other labels.

    Raises:
        AnswerError: The answer has another line, a wrong count or numbering, an empty, very short or very long
            sentence, or a sentence that occurs twice or belongs to another label.
    """
    text = _THOUGHTS.sub("", answer, count=1)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise AnswerError("The answer is empty.")
    descriptions = []
    for place, line in enumerate(lines, start=1):
        match = _NUMBERED.fullmatch(line)
        if match is None:
            raise AnswerError(f"The line {_shortened(line)!r} is not of the form '{place}. description'.")
        if int(match[1]) != place:
            raise AnswerError(f"The line {_shortened(line)!r} comes where number {place} is expected.")
        descriptions.append(" ".join(match[2].split()))
    if len(descriptions) != number:
        raise AnswerError(f"The answer has {len(descriptions)} numbered descriptions instead of {number}.")
    owners = {normalized(text): other for other, texts in others.items() for text in texts}
    seen: dict[str, int] = {}
    for place, description in enumerate(descriptions, start=1):
        words = len(description.split())
        if words not in _WORDS:
            raise AnswerError(
                f"Description {place} has {words} words ({_shortened(description)!r}). "
                f"Expected are {_WORDS.start} to {_WORDS.stop - 1}."
            )
        key = normalized(description)
        if key in seen:
            raise AnswerError(f"Descriptions {seen[key]} and {place} are the same: {_shortened(description)!r}.")
        if key in owners:
            raise AnswerError(f"Description {place} of {label!r} is already one of {owners[key]!r}: {description!r}.")
        seen[key] = place
    return descriptions


def normalized(description: str) -> str:
    """Return the description without case, punctuation and extra blanks, for comparisons."""
    return " ".join(re.findall(r"\w+", description.casefold()))


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
