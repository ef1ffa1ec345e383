# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Baselines that version 0.1.0 saved still give its logits, also those whose defaults have changed since.

`saved_by_0_1_0.zip` holds the folder of a tiny model for each of three baselines, and logits and loss of `make_batch`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from training.baselines import MODELS

from .tiny_baselines import make_batch


# Fields that 0.1.0 did not have, and the values that stand for what it did.
FORMER = {
    "mult": {"stream_order": "video_audio", "memory_attention_dropout": None},
    "tcl_map": {"prompt_queries": "tokens"},
    "cagc": {},
}


@pytest.mark.parametrize("name", FORMER)
def test_a_saved_baseline_gives_the_same_logits(name, tmp_path: Path):
    shutil.unpack_archive(Path(__file__).with_name("saved_by_0_1_0.zip"), tmp_path)
    expected = json.loads((tmp_path / "expected.json").read_text())[name]
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / name).eval()
    for round_trip in (False, True):
        if round_trip:
            model.save_pretrained(tmp_path / "again")
            model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "again").eval()
        output = model(**make_batch())
        torch.testing.assert_close(output.logits, torch.tensor(expected["logits"]))
        assert output.loss.item() == pytest.approx(expected["loss"], rel=1e-5)
        for field, value in FORMER[name].items():
            assert getattr(model.config, field) == value != getattr(MODELS[name].config_class(), field)
