# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess evaluate` on tables and folders of labelled utterances."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import datasets
import pytest

from modeling_amess import AmessProcessor
from tests.modeling_amess.clips import write_clip
from tests.modeling_amess.tiny import tiny_model, tiny_tokenizer
from training.cli.predict import load_recognizer

from .command import amess


TEXTS = ("thanks a lot", "thanks", "oh great", "great", "no way", "no", "oh , no", "a lot")


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model that reads text alone and has a threshold."""
    folder = tmp_path_factory.mktemp("text")
    model = tiny_model(video_feature_size=None, audio_feature_size=None)
    model.config.out_of_scope_threshold = 0.3
    model.save_pretrained(folder)
    AmessProcessor(tiny_tokenizer(), max_text_length=12).save_pretrained(folder)
    return folder


def write_table(path: Path, labels: list[str]) -> Path:
    rows = [f"{text}\t{label}" for text, label in zip(TEXTS, labels, strict=True)]
    path.write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    return path


def test_the_metrics_are_those_of_the_pipelines_answers(capsys, text_model, tmp_path):
    recognizer = load_recognizer(str(text_model))
    answers = [recognizer(text=text)["label"] for text in TEXTS]
    names = list(recognizer.model.config.id2label.values())
    # Right but for the first two.
    labels = [next(name for name in names if name != answer) for answer in answers[:2]] + answers[2:]
    table = write_table(tmp_path / "test.tsv", labels)
    status, out, err = amess(capsys, "evaluate", text_model, table, "--batch_size", 3, "--output", tmp_path / "report")
    assert (status, err) == (0, "")
    assert "8 utterances" in out and " 75.0 [" in out
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    low, high = metrics["intents"]["accuracy_interval"]
    assert metrics["intents"]["accuracy"] == 0.75 and 0 <= low < 0.75 < high <= 1
    with (tmp_path / "report" / "errors.csv").open(newline="") as stream:
        errors = list(csv.DictReader(stream))
    assert [row["text"] for row in errors] == list(TEXTS[:2])
    assert [row["prediction"] for row in errors] == answers[:2]
    with (tmp_path / "report" / "predictions.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 8
    assert (tmp_path / "report" / "confusion_matrix.png").stat().st_size > 1000
    before = {path: path.read_bytes() for path in (tmp_path / "report").iterdir()}
    status, _, err = amess(capsys, "evaluate", text_model, table, "--output", tmp_path / "report")
    assert status == 2 and "exists" in err
    assert {path: path.read_bytes() for path in (tmp_path / "report").iterdir()} == before


def test_utterances_out_of_scope_judge_the_decisions(capsys, text_model, tmp_path):
    recognizer = load_recognizer(str(text_model))
    results = [recognizer(text=text) for text in TEXTS]
    labels = ["UNK" if result["out_of_scope"] else result["label"] for result in results]
    labels[0] = "UNK"
    expected = sum(
        label == ("UNK" if result["out_of_scope"] else result["label"])
        for label, result in zip(labels, results, strict=True)
    )
    status, _, _ = amess(
        capsys, "evaluate", text_model, write_table(tmp_path / "t.tsv", labels), "--output", tmp_path / "r"
    )
    assert status == 0
    assert json.loads((tmp_path / "r" / "metrics.json").read_text())["open_intent"]["accuracy"] == expected / 8


def test_a_damaged_clip_is_a_row_with_its_error_and_does_not_count(capsys, model, tmp_path):
    for name in ("a.mp4", "c.mp4"):
        write_clip(tmp_path / name, seconds=0.6)
    (tmp_path / "b.mp4").write_bytes(b"no clip")
    label = load_recognizer(model).model.config.id2label[0]
    rows = "".join(f"{name}.mp4\toh great\t{label}\n" for name in "abcd")
    (tmp_path / "clips.tsv").write_text("clip\ttext\tlabel\n" + rows)
    status, out, err = amess(capsys, "evaluate", model, tmp_path / "clips.tsv", "--output", tmp_path / "report")
    assert status == 1 and "2 utterances" in out and "b.mp4" in err and "2 of 4" in err
    assert "d.mp4: No such file" in err and "Errno" not in err
    with (tmp_path / "report" / "predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [bool(row["error"]) for row in rows] == [False, True, False, True] and Path(rows[0]["clip"]).name == "a.mp4"


def test_the_folder_of_a_data_set_has_splits(capsys, text_model, tmp_path):
    names = list(load_recognizer(str(text_model)).model.config.id2label.values())
    label = datasets.ClassLabel(names=names)
    rows = {"id": ["1", "2"], "text": ["thanks", "no way"], "label": [0, 1]}
    columns = {"id": datasets.Value("string"), "text": datasets.Value("string"), "label": label}
    part = datasets.Dataset.from_dict(rows, datasets.Features(columns))
    datasets.DatasetDict({"validation": part}).save_to_disk(tmp_path / "data")
    status, out, _ = amess(capsys, "evaluate", text_model, tmp_path / "data", "--split", "validation")
    assert status == 0 and "2 utterances" in out
    status, _, err = amess(capsys, "evaluate", text_model, tmp_path / "data")
    assert status == 2 and "validation" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("model", "nowhere/model/x"), "no model"),
        (("data", "nowhere.tsv"), "nowhere.tsv"),
        (("labels", ["Thankk"] * 8), "Thankk"),
        (("batch", "0"), "--batch_size"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(capsys, text_model, tmp_path, change, message):
    kind, value = change
    name = load_recognizer(str(text_model)).model.config.id2label[0]
    table = write_table(tmp_path / "t.tsv", value if kind == "labels" else [name] * 8)
    model, data = (value if kind == "model" else text_model), (value if kind == "data" else table)
    batch = value if kind == "batch" else "4"
    status, out, err = amess(capsys, "evaluate", model, data, "--batch_size", batch)
    assert (status, out) == (2, "") and message in err and "Traceback" not in err
