# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the README's first command leaves: a model that reads clips which their words leave open."""

from __future__ import annotations

import collections
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from transformers import pipeline

import modeling_amess  # noqa: F401  (registers the pipeline's task)
from dataset_scripts.labels import MINTREC_LABELS
from tests.training.tiny import environment


pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[1]
EXAMPLES = PROJECT / "space" / "examples"
EXAMPLES_OF_THE_DEMO = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of `accelerate launch training/train.py`."""
    folder = tmp_path_factory.mktemp("checkout")
    command = [sys.executable, "-m", "accelerate.commands.launch", str(PROJECT / "training" / "train.py")]
    run = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return folder / "runs" / "sample-amess"


@pytest.fixture(scope="module")
def predicted(run_folder: Path) -> dict[str, dict]:
    """What `amess predict space/examples/*.mp4 --json` prints, by the clip's name."""
    command = [sys.executable, "-m", "training.cli.main", "predict", "--json", "--top_k", "20"]
    command += ["--model", str(run_folder / "pretrained"), *map(str, sorted(EXAMPLES.glob("*.mp4")))]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    results = [json.loads(line) for line in run.stdout.splitlines()]
    return {Path(result["clip"]).stem: result for result in results}


def rows(file: Path) -> dict[str, dict]:
    return {row["id"]: row for row in pq.read_table(file).to_pylist()}


def test_clips_that_were_not_trained_on_are_recognised(predicted):
    intents = {Path(example["file"]).stem: example["label"] for example in EXAMPLES_OF_THE_DEMO}
    assert set(predicted) == set(intents)
    assert sum(predicted[name]["label"] == label for name, label in intents.items()) >= 8


def test_texts_with_several_intents_are_told_apart_by_picture_and_sound(run_folder):
    with_clips = rows(run_folder / "predictions.parquet")
    text_only = rows(run_folder / "text_only" / "predictions.parquet")
    intents = collections.defaultdict(set)
    for row in with_clips.values():
        intents[row["text"]].add(row["label"])
    ambiguous = [name for name, row in with_clips.items() if len(intents[row["text"]]) > 1]
    right = [
        sum(run[name]["prediction"] == run[name]["label"] for name in ambiguous) for run in (with_clips, text_only)
    ]
    assert len(ambiguous) >= 30
    assert right[0] >= 2 * right[1]


def test_command_line_pipeline_and_extracted_features_agree(run_folder, predicted):
    from_features = rows(run_folder / "predictions.parquet")
    recognize = pipeline("multimodal-intent-recognition", model=str(run_folder / "pretrained"))
    for name, printed in predicted.items():
        answer = recognize(str(EXAMPLES / f"{name}.mp4"), text=printed["text"], top_k=None)
        by_pipeline = {intent["label"]: intent["score"] for intent in answer["intents"]}
        by_command = {intent["label"]: intent["score"] for intent in printed["intents"]}
        by_features = dict(zip(MINTREC_LABELS, from_features[name]["scores"], strict=True))
        assert by_command == pytest.approx(by_pipeline, abs=1e-4), name
        assert by_features == pytest.approx(by_pipeline, abs=1e-4), name
