# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The parts of the project that are no Python package: the card's template and the Space.

A checkout has them at its top. setup.cfg maps them into this folder of a wheel, so that there is one copy to edit.
"""

from __future__ import annotations

from pathlib import Path

from dataset_scripts.errors import UserError


TEMPLATE = "model_card.md"
# Of every card: the nearest of the Hub's tasks, because the pipeline's own task is not on the Hub's list.
PIPELINE_TAG = "video-classification"
SPACE = "space"
# What tells a part from a stranger's file of the same name: a file that it must have.
_PARTS = {TEMPLATE: TEMPLATE, SPACE: "space/app.py"}


class MissingPartError(UserError):
    """The installation lacks a part of the project."""


def project_file(name: str) -> Path:
    """Return the path of a part of the project, in a wheel as in a checkout.

    Args:
        name: `TEMPLATE` or `SPACE`.

    Raises:
        MissingPartError: The part is in neither place.
    """
    here = Path(__file__).parent
    places = (here, here.parents[1])
    for place in places:
        if (place / _PARTS[name]).is_file():
            return place / name
    raise MissingPartError(
        f"{name} is missing: neither {places[0]} nor {places[1]} has {_PARTS[name]}. The installation is incomplete. "
        "Install the package again, or work in a complete checkout."
    )
