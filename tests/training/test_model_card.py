# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The model card: what it says follows from the run folder, and the Hub's client and rules accept it."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from transformers import AutoModelForSequenceClassification, AutoProcessor

from tests.fakehub_card_rules import card_errors
from training.finished_run import UnfinishedRunError
from training.model_card import model_card
from training.train import main

from . import tiny


PLACEHOLDERS = re.compile(
    r"\{\{|\{%|\}\}(?!,)|TODO|TBD|More Information|lorem|\bNone\b|\bnan\b|undefined", re.IGNORECASE
)


def headings(card: ModelCard) -> list[str]:
    return re.findall(r"^#+ (.+)$", card.text, flags=re.MULTILINE)


def section(card: ModelCard, heading: str) -> str:
    return card.text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def table_rows(text: str) -> list[list[str]]:
    lines = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines if not set("".join(line)) <= set("-: ")]


def edit(folder, **values):
    """Change what a run folder says of itself."""
    file = folder / "metrics.json"
    metrics = json.loads(file.read_text())
    for name, value in values.items():
        target = metrics["settings"] if name in metrics["settings"] else metrics
        target[name] = value
        if name == "seed":
            metrics["seed"] = value
    file.write_text(json.dumps(metrics))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, tiny_settings):
    folder = tmp_path_factory.mktemp("card") / "run"
    main([*tiny_settings, "--output_dir", str(folder), "--compare_with_text_only", "--max_steps", "6"])
    return folder


@pytest.fixture
def copy(run_folder, tmp_path):
    return shutil.copytree(run_folder, tmp_path / "run")


def test_training_leaves_the_card_in_the_run_folder(run_folder):
    card = ModelCard.load(run_folder / "README.md")
    assert str(card) == str(model_card(run_folder))
    assert headings(card)[1:] == [
        "Use",
        "Results",
        "Seeds",
        "What each modality adds",
        "Calibration",
        "Limits and misuse",
        "Training and environment",
        "Citation",
    ]
    baseline = ModelCard.load(run_folder / "text_only" / "README.md")
    assert "`text_only`" in baseline.text and "import training.baselines" in baseline.text


def test_the_metadata_are_the_hubs(run_folder):
    card = ModelCard.load(run_folder / "README.md")
    metrics = json.loads((run_folder / "metrics.json").read_text())
    assert card_errors(str(card), "model") == []
    assert (card.data.library_name, card.data.pipeline_tag) == ("transformers", "video-classification")
    results = {result.metric_name: result for result in card.data.eval_results}
    assert results["accuracy"].metric_value == pytest.approx(metrics["test"]["accuracy"], abs=1e-4)
    assert results["macro F1"].metric_type == "f1" and results["macro F1"].dataset_split == "test"
    # What the client reads it writes again unchanged.
    assert str(ModelCard(str(card))) == str(card)


def test_licence_data_and_base_models_follow_from_the_data(copy):
    shutil.rmtree(copy / "text_only")
    edit(copy, dataset="mintrec", data_dir="MIntRec", text_model="bert-large-uncased")
    card = model_card(copy)
    assert card_errors(str(card), "model") == []
    assert card.data.license == "other" and card.data.license_name == "terms-of-mintrec"
    assert card.data.datasets == ["THU-IAR/MIntRec"] and card.data.base_model == ["google-bert/bert-large-uncased"]
    assert "Superstore" in card.text and "disagree" in card.text
    assert model_card(copy, license="cc-by-nc-4.0", dataset_id="org/own").data.license == "cc-by-nc-4.0"
    edit(copy, dataset="sample", data_dir=None, text_model="minilm")
    card = model_card(copy, dataset_id="org/amess-sample")
    assert card.data.license == "apache-2.0" and card.data.datasets == ["org/amess-sample"]
    assert card.data.base_model == ["sentence-transformers/all-MiniLM-L6-v2"]


def test_media_encoders_are_named_with_their_revisions(copy):
    config = json.loads((copy / "pretrained" / "config.json").read_text())
    video = {"name": "microsoft/swin-base-patch4-window7-224", "revision": "4c4f", "pooling": "pooler_output"}
    audio = {"name": "/home/someone/own-encoder", "revision": "sha256:0123", "pooling": "last_hidden_state"}
    config["media_encoder"] = {"video": video, "audio": audio, "preprocessing": {}}
    config["video_config"] = {"model_type": "swin"}
    (copy / "pretrained" / "config.json").write_text(json.dumps(config))
    card = model_card(copy, model_id="org/amess")
    assert card.data.base_model == [video["name"]]
    assert "revision `4c4f`" in card.text and "`own-encoder`" in card.text and "someone" not in card.text
    assert 'recognize("clip.mp4", text="oh, great.")' in card.text


@pytest.mark.parametrize("model_id", ["pretrained", "org/amess-mintrec"])
def test_there_is_no_placeholder_and_no_empty_section(run_folder, model_id):
    card = model_card(run_folder, model_id=model_id, revision="v1")
    assert PLACEHOLDERS.search(card.text.replace("version = {", "").replace("{{The", "")) is None
    parts = re.split(r"^#+ .+$", card.text, flags=re.MULTILINE)[1:]
    assert all(len(part.strip()) > 40 for part in parts[1:])
    assert "\n\n\n" not in card.text
    assert not re.search(r"(?<!\n)\n#+ (?=[A-Z])", card.text)  # a blank line before each heading


def test_the_example_runs_and_is_short(run_folder, monkeypatch, capsys):
    blocks = re.findall(r"```python\n(.*?)```", ModelCard.load(run_folder / "README.md").text, flags=re.DOTALL)
    assert all(len(block.strip().splitlines()) <= 10 for block in blocks)
    monkeypatch.chdir(run_folder)
    exec(blocks[0], {})
    assert "'out_of_scope': " in capsys.readouterr().out
    exec(blocks[1], {})
    assert capsys.readouterr().out.strip() in ("Greet", "Leave", "Thank")
    classes = {
        type(loaded.from_pretrained("pretrained")) for loaded in (AutoModelForSequenceClassification, AutoProcessor)
    }
    assert {name.__name__ for name in classes} == {"AmessForIntentClassification", "AmessProcessor"}


def test_the_tables_hold_the_figures_of_the_run(run_folder):
    card = ModelCard.load(run_folder / "README.md")
    metrics = json.loads((run_folder / "metrics.json").read_text())
    by_intent = table_rows(section(card, "Results").split("By intent")[1])[1:]
    for row, expected in zip(by_intent, metrics["test"]["per_class"], strict=True):
        assert row == [
            expected["label"],
            *(f"{100 * expected[key]:.1f}" for key in ("precision", "recall", "f1")),
            str(expected["support"]),
        ]
    baseline = json.loads((run_folder / "text_only" / "metrics.json").read_text())
    modalities = table_rows(section(card, "What each modality adds"))[1:]
    assert [row[:2] for row in modalities] == [
        ["text, video and audio", f"{100 * metrics['test']['accuracy']:.1f}"],
        ["text (baseline text_only)", f"{100 * baseline['test']['accuracy']:.1f}"],
    ]
    assert "One seed." in section(card, "Seeds")


def test_several_seeds_give_mean_deviation_and_interval(copy, tmp_path):
    others = [shutil.copytree(copy, tmp_path / f"seed-{seed}") for seed in (2, 1)]
    for seed, other in zip((2, 1), others, strict=True):
        # So many of the thirteen samples right.
        table = pq.read_table(other / "predictions.parquet")
        labels = table["label"].to_pylist()
        said = [tiny.LABELS.index(label) + (sample >= 4 * seed) for sample, label in enumerate(labels)]
        scores = pa.array(np.eye(3)[np.array(said) % 3].tolist())
        table = table.set_column(table.schema.get_field_index("scores"), "scores", scores)
        pq.write_table(table, other / "predictions.parquet")
        test = json.loads((other / "metrics.json").read_text())["test"]
        edit(other, seed=seed, test=test | {"accuracy": 4 * seed / 13})
    card = model_card(copy, other_runs=others)
    rows = table_rows(section(card, "Seeds"))
    assert [row[0] for row in rows] == ["seed", "0", "1", "2", "mean ± std", "95 % interval"]
    own = json.loads((copy / "metrics.json").read_text())["test"]["accuracy"]
    percent = 100 * np.array([own, 4 / 13, 8 / 13])
    assert rows[4][1] == f"{percent.mean():.1f} ± {percent.std(ddof=1):.1f}"
    low, high = (float(bound) for bound in rows[5][1].split(" to "))
    assert low < percent.mean() < high
    # Wider than two standard errors of what the seeds alone do to the mean.
    assert high - low > 2 * percent.std(ddof=1) / 3**0.5


def test_runs_of_other_modalities_stand_beside_it(copy, tmp_path):
    other = shutil.copytree(copy, tmp_path / "audio")
    edit(other, modalities="text,audio", seed=3)
    rows = table_rows(section(model_card(copy, other_runs=[other]), "What each modality adds"))
    assert [row[0] for row in rows[1:]] == ["text, video and audio", "text and audio", "text (baseline text_only)"]


def test_without_other_runs_the_section_is_left_out(copy):
    shutil.rmtree(copy / "text_only")
    assert "What each modality adds" not in headings(model_card(copy))


def test_without_a_test_split_validation_is_told(copy):
    metrics = json.loads((copy / "metrics.json").read_text())
    del metrics["test"]
    shutil.rmtree(copy / "text_only")
    (copy / "metrics.json").write_text(json.dumps(metrics))
    (copy / "predictions.parquet").unlink()
    card = model_card(copy)
    assert card_errors(str(card), "model") == [] and card.data.eval_results[0].dataset_split == "validation"
    assert "there is no test split" in card.text and "On the validation split the mean" in card.text


def test_calibration_and_the_threshold_are_told(run_folder):
    metrics = json.loads((run_folder / "metrics.json").read_text())
    text = section(model_card(run_folder), "Calibration")
    figures = metrics["calibration"]["test"]
    values = (figures["confidence"], figures["accuracy"], figures["error"])
    percents = re.findall(r"(\d+\.\d) %", text)
    assert percents[:3] == [f"{100 * value:.1f}" for value in values]
    assert "not calibrated" in text and "fewer than 50" in text and "too few" in text
    assert f"below {100 * metrics['out_of_scope_threshold']['value']:.1f} %" in text
    assert "95 % of the validation split" in text
    assert "Out of scope" not in headings(model_card(run_folder))  # every utterance has an intent


def test_a_temperature_that_is_applied_and_prediction_sets_are_told(copy):
    metrics = json.loads((copy / "metrics.json").read_text())
    sets = {"90": {"coverage": 0.887, "mean_size": 3.46, "single": 0.25}}
    metrics["calibration"] |= {"applied": True, "reason": None, "fitted_on": 445, "temperature": 2.2}
    metrics["calibration"]["test"]["prediction_sets"] = sets
    (copy / "metrics.json").write_text(json.dumps(metrics))
    text = section(model_card(copy), "Calibration")
    scaled = metrics["calibration"]["test"]["scaled"]
    assert f"mean confidence is {100 * scaled['confidence']:.1f} %" in text
    assert "divided by 2.20" in text and "445 utterances" in text and "too few" not in text
    assert "| 90 | 88.7 | 3.5 | 25.0 |" in text


def test_a_run_of_an_earlier_version_says_what_its_temperature_would_do(copy):
    metrics = json.loads((copy / "metrics.json").read_text())
    for name in ("applied", "reason", "fitted_on", "coverage_thresholds"):
        metrics["calibration"].pop(name, None)
    (copy / "metrics.json").write_text(json.dumps(metrics))
    assert "would be" in section(model_card(copy), "Calibration")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "mintrec"}, ["dataset='mintrec'", "one table"]),
        ({"seed": 1, "learning_rate": 0.5}, ["more than the seed", "learning_rate"]),
        ({}, ["same seed"]),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(copy, tmp_path, changes, words):
    other = shutil.copytree(copy, tmp_path / "other")
    edit(other, **changes)
    with pytest.raises(UnfinishedRunError) as error:
        model_card(copy, other_runs=[other])
    assert all(word in str(error.value) for word in words)


def test_an_unfinished_run_has_no_card(copy):
    (copy / "metrics.json").unlink()
    with pytest.raises(UnfinishedRunError, match=r"metrics\.json"):
        model_card(copy)


@pytest.mark.parametrize(
    ("name", "cell"), [("Say|thanks", "Say\\|thanks"), ("Say\n---\n<b>`x`\\", "Say --- \\<b>\\`x\\`\\\\")]
)
def test_label_names_do_not_break_the_tables(copy, name, cell):
    table = pq.read_table(copy / "predictions.parquet")
    names = ["Greet", "Leave", name]
    for column in ("label", "prediction"):
        cells = [cell if cell != "Thank" else names[2] for cell in table[column].to_pylist()]
        table = table.set_column(table.schema.get_field_index(column), column, pa.array(cells))
    pq.write_table(table.replace_schema_metadata({"labels": json.dumps(names)}), copy / "predictions.parquet")
    test = json.loads((copy / "metrics.json").read_text())["test"]
    test["per_class"][2]["label"] = names[2]
    edit(copy, test=test)
    assert f"\n| {cell} |" in model_card(copy).text
