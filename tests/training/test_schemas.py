# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""docs/schemas.md says of every key that runs, pipeline and extraction leave what it is, and of no other key."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from transformers import pipeline

from training.arguments import SETTING_NAMES
from training.cli.main import main as amess
from training.sentence_embeddings import main as sentence_embeddings
from training.train import main as train

from . import tiny


PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "schemas.md").read_text()
# How the page calls a value's type.
KINDS = {str: "text", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def documented(heading: str) -> dict[str, str]:
    """Type by key, from the tables under a heading."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)[1]
    return documented_in(section)


def documented_in(tables: str) -> dict[str, str]:
    """Type by key, from tables."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", tables, flags=re.MULTILINE)
    assert len(dict(rows)) == len(rows), "a key is documented once"
    return dict(rows)


def leaves(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested dicts and lists of dicts, with its key as the page writes it."""
    if isinstance(content, dict) and content:
        for name, value in content.items():
            yield from leaves(value, f"{key}.{name}" if key else name)
    elif isinstance(content, list) and content and isinstance(content[0], dict):
        for entry in content:
            yield from leaves(entry, f"{key}[]")
    else:
        yield key, content


def kinds_of(value: Any) -> set[str]:
    """What the page may call a value's type: an integer is a number, too, and an empty list one of anything."""
    if isinstance(value, list):
        return {f"list of {kind}" for kind in set.intersection(set(KINDS.values()), *map(kinds_of, value))}
    return {KINDS[type(value)], *(["number"] if type(value) is int else [])}


def matching_row(key: str, rows: dict[str, str]) -> str | None:
    """The documented key that stands for a real one: the one with the fewest placeholders."""
    fitting = [row for row in rows if re.fullmatch(re.sub(r"<\w+>", "[^.]+", re.escape(row).replace("\\<", "<")), key)]
    return min(fitting, key=lambda row: row.count("<"), default=None)


def check(contents: list[Any], rows: dict[str, str]) -> None:
    """Every key is documented with its type, and every documented key occurs."""
    seen = set()
    for key, value in (leaf for content in contents for leaf in leaves(content)):
        row = matching_row(key, rows)
        assert row is not None, f"{key} is not in docs/schemas.md"
        seen.add(row)
        if rows[row] != "any":
            assert kinds_of(value) & set(rows[row].split(" or ")), f"{key}={value!r} is not of type {rows[row]}"
    assert set(rows) == seen, "docs/schemas.md has keys that do not occur"


@pytest.fixture(scope="module")
def runs(tiny_settings, tmp_path_factory):
    """Run folders: one in scope, one of each way to train with utterances out of scope, one that is calibrated."""
    folder = tmp_path_factory.mktemp("schemas")
    released = tiny.make_released_mintrec2(folder / "MIntRec2.0")
    open_data = f"--dataset mintrec2 --data_dir {released} --scope all --modalities text --label_descriptions null"
    for protocol in ("in_scope", "class", "outlier_exposure"):
        data = [] if protocol == "in_scope" else [*open_data.split(), "--out_of_scope", protocol]
        train([*tiny_settings, *data, "--num_train_epochs", "1", "--output_dir", str(folder / protocol)])
    larger = ["--dataset", tiny.make_dataset(folder / "larger", train=12, other=60, noise=0.5)]
    train([*tiny_settings, *larger, "--num_train_epochs", "1", "--output_dir", str(folder / "calibrated")])
    return [folder / name for name in ("in_scope", "class", "outlier_exposure", "calibrated")]


def test_metrics(runs, tiny_settings, tmp_path):
    sentence_embeddings(["descriptions", *tiny_settings, "--output_dir", str(tmp_path / "descriptions")])
    planted = "--dataset planted --model text_only --model_config {} --label_descriptions null --num_train_epochs 1"
    train([*tiny_settings, *planted.split(), "--output_dir", str(tmp_path / "planted")])
    runs = [*runs, tmp_path / "descriptions", tmp_path / "planted"]
    contents = [json.loads((run / "metrics.json").read_text()) for run in runs]
    for content in contents:  # the page says of settings that all are there: their values are their own business
        assert tuple(content["settings"]) == SETTING_NAMES
        content["settings"] = dict.fromkeys(content["settings"])
    check(contents, documented("metrics.json"))


def test_log(runs):
    lines = [json.loads(line) for run in runs for line in (run / "log.jsonl").read_text().splitlines()]
    tables = re.findall(
        r'^Lines with `"event": "(\w+)"`(.*?)(?=^Lines with|^## )', PAGE, flags=re.DOTALL | re.MULTILINE
    )
    assert {event for event, _ in tables} == {line["event"] for line in lines}
    for event, table in tables:
        check([line for line in lines if line["event"] == event], documented_in(table))


def test_predictions(runs):
    rows = documented("predictions.parquet")
    schemas = [pq.read_schema(run / "predictions.parquet") for run in runs]
    columns = {field.name: str(field.type).partition("<max_")[0] for schema in schemas for field in schema}
    assert columns == rows
    assert all(json.loads(schema.metadata[b"labels"]) for schema in schemas)


def test_answer(runs):
    recognize = pipeline("multimodal-intent-recognition", model=str(runs[-1] / "pretrained"))
    features = {"video_features": np.ones((3, tiny.VIDEO_SIZE)), "audio_features": np.ones((2, tiny.AUDIO_SIZE))}
    utterance = {"text": "oh hello", **features}
    answers = [recognize(utterance), recognize(utterance, candidate_labels={"Doubt": ["hello"], "Hope": ["bye"]})]
    recognize.model.config.out_of_scope_threshold = 0.99  # as of a model that is rarely sure
    answers.append(recognize(utterance))
    answers.append(recognize({"text": "bye"}, coverage=0.9))
    assert answers[-1]["explanation"].pop("video_anchors") == answers[-1]["explanation"].pop("audio_anchors") == []
    assert answers[-1].pop("unfamiliarity") == {}
    check(answers, documented("Answer of the pipeline"))


def test_lines_of_predict(runs, capsys, tmp_path):
    table = tmp_path / "texts.tsv"
    table.write_text("clip\ttext\n\toh hello\nabsent.mp4\tbye\nabsent.mp4\t\n")
    assert amess(["predict", str(table), "--model", str(runs[-1]), "--coverage", "0.9", "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    answer = {key.partition("[")[0].partition(".")[0] for key in documented("Answer of the pipeline")} - {"text"}
    assert [answer & set(line) for line in lines] == [answer, set(), set()]
    check([{key: line[key] for key in set(line) - answer} for line in lines], documented("Lines of amess predict"))


def test_features(tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    shutil.copy(PROJECT / "space" / "examples" / "test_051.mp4", clips)
    assert amess(["extract", str(clips), "--media_encoder", "sample", "--output", str(tmp_path / "out")]) == 0
    check([json.loads((tmp_path / "out" / "features.json").read_text())], documented("features.json"))
