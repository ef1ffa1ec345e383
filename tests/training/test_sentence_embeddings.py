# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The few-shot baselines on sentence embeddings leave what train.py leaves, of the same draw of samples."""

from __future__ import annotations

import json
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from dataset_scripts.errors import command_status
from modeling_amess.descriptions_amess import description_similarity, mean_description_similarity
from training import sentence_embeddings
from training.arguments import SENTENCE_METHODS, SettingsError, parse_settings
from training.data import load_splits
from training.feature_source import feature_source
from training.model_setup import create_model, create_processor, load_sentence_encoder
from training.row_selection import select_rows
from training.sentence_embeddings import main
from training.train import main as train
from training.zero_shot import semantic_embeddings


def test_the_run_folder_reads_like_that_of_train(tiny_settings, tmp_path):
    shots = [*tiny_settings, "--modalities", "text", "--shots", "3", "--seed", "1", "--num_train_epochs", "1"]
    train([*shots, "--output_dir", str(tmp_path / "amess")])
    main(["logistic", *shots, "--output_dir", str(tmp_path / "logistic")])
    amess, logistic = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("amess", "logistic"))
    assert set(logistic) - {"regularization_strength"} <= set(amess)
    assert logistic["model"] == logistic["settings"]["model"] == "logistic"
    for name in ("seed", "train_samples"):
        assert logistic[name] == amess[name]
    for split in ("validation", "test"):
        assert logistic[split].keys() == amess[split].keys() - {"loss"}  # the methods learn by other losses
    tables = [pq.read_table(tmp_path / name / "predictions.parquet") for name in ("amess", "logistic")]
    assert tables[0].schema.equals(tables[1].schema, check_metadata=True)
    assert tables[0].select(["id", "text", "label"]).equals(tables[1].select(["id", "text", "label"]))
    right = [row["label"] == row["prediction"] for row in tables[1].to_pylist()]
    assert logistic["test"]["accuracy"] == pytest.approx(np.mean(right))
    assert np.array(tables[1]["scores"].to_pylist()).sum(-1) == pytest.approx(1, abs=1e-5)
    saved = yaml.safe_load((tmp_path / "logistic" / "config.yaml").read_text())
    assert saved == logistic["settings"]


def test_logistic_is_the_best_regression_of_the_very_samples_that_train_draws(tiny_settings, tmp_path):
    call = [*tiny_settings, "--shots", "4", "--seed", "2"]
    found = main(["logistic", *call, "--output_dir", str(tmp_path / "run")])
    settings = parse_settings([*call, "--modalities", "text"])
    rows = select_rows(load_splits(settings), settings, 1)
    encoder = load_sentence_encoder(settings)
    train_x, test_x, valid_x = (encoder.encode(rows[name].column("text")) for name in ("train", "test", "validation"))

    def accuracy(strength: float, inputs: np.ndarray, split: str) -> float:
        model = LogisticRegression(C=strength, max_iter=3000).fit(train_x, rows["train"].column("label"))
        return float((model.predict(inputs) == np.array(rows[split].column("label"))).mean())

    strength = found["regularization_strength"]
    assert found["test"]["accuracy"] == pytest.approx(accuracy(strength, test_x, "test"))
    best = max(accuracy(other, valid_x, "validation") for other in sentence_embeddings.STRENGTHS)
    assert found["validation"]["accuracy"] == pytest.approx(best)


def test_descriptions_are_samples_of_their_label(tiny_settings, tmp_path):
    """Two descriptions a label that are the very validation texts make up for a useless training sample."""
    call = [*tiny_settings, "--shots", "1", "--seed", "0"]
    plain = main(["logistic", *call, "--output_dir", str(tmp_path / "plain")])
    settings = parse_settings([*call, "--modalities", "text"])
    rows = select_rows(load_splits(settings), settings, 1)
    texts = {name: [] for name in rows["train"].label_names}
    for text, label in zip(rows["test"].column("text"), rows["test"].column("label"), strict=True):
        texts[rows["train"].label_names[label]].append(text)
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    described = [*call, "--label_descriptions", str(tmp_path / "texts.json"), "--train_on_descriptions", "true"]
    found = main(["logistic", *described, "--output_dir", str(tmp_path / "described")])
    assert found["test"]["accuracy"] > plain["test"]["accuracy"]
    assert found["train_samples"] == plain["train_samples"] == 3


def test_without_a_sample_descriptions_alone_answer(tiny_settings, tmp_path):
    """The nearest description is what A-MESS on text alone starts from."""
    call = [*tiny_settings, "--shots", "0", "--seed", "0"]
    found = main(["descriptions", *call, "--output_dir", str(tmp_path / "nearest")])
    assert found["train_samples"] == 0 and found["regularization_strength"] is None
    nearest = np.array(pq.read_table(tmp_path / "nearest" / "predictions.parquet")["scores"].to_pylist())

    words = ["--model_config.semantic_residual", "true", "--description_model", "minilm", "--text_model", "minilm"]
    settings = parse_settings([*tiny_settings, "--modalities", "text", *words])
    main(["descriptions", *call, "--description_model", "minilm", "--output_dir", str(tmp_path / "minilm")])
    rows = select_rows(load_splits(settings), settings, 1)
    model = create_model(settings, rows["test"].label_names, {}, feature_source(settings)).eval()
    processor = create_processor(settings, model)
    tokens = semantic_embeddings(model, processor, rows["test"])
    similarity = description_similarity(tokens, model.label_description_embeddings)
    expected = mean_description_similarity(similarity, model.label_description_mask).softmax(-1)
    found = np.array(pq.read_table(tmp_path / "minilm" / "predictions.parquet")["scores"].to_pylist())
    assert found == pytest.approx(expected.detach().numpy(), abs=1e-4)
    assert np.abs(found - nearest).max() > 1e-3  # another encoder, other answers

    alone = main(["logistic", *call, "--train_on_descriptions", "true", "--output_dir", str(tmp_path / "alone")])
    assert alone["train_samples"] == 0 and 0 <= alone["test"]["accuracy"] <= 1
    for method in ("logistic", "setfit"):
        with pytest.raises(SettingsError, match=f"{method} learns from samples: with --shots 0 add"):
            main([method, *call, "--output_dir", str(tmp_path / method)])
    with pytest.raises(SettingsError, match="shots=0 leaves nothing to train on"):
        train([*call, "--output_dir", str(tmp_path / "amess")])


def test_without_setfit_its_extra_is_named(tiny_settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "setfit", None)
    words = ["setfit", *tiny_settings, "--output_dir", str(tmp_path / "run")]
    assert command_status(lambda: main(words)) == 1
    told = capsys.readouterr().err
    assert '-c constraints.txt -e ".[setfit]"' in told and '"amess-hf[setfit]"' in told
    assert not list(tmp_path.iterdir())


def test_setfit_fine_tunes_the_encoder_of_its_own_run_only(tiny_settings, tmp_path):
    call = [*tiny_settings, "--shots", "4", "--max_steps", "3"]
    settings = parse_settings([*call, "--modalities", "text"])
    rows = select_rows(load_splits(settings), settings, 1)
    texts, labels = rows["train"].column("text"), rows["train"].column("label")
    encoder = load_sentence_encoder(settings)
    before = encoder.encode(texts)
    sentence_embeddings.fine_tune(encoder, texts, labels, settings)
    assert np.abs(encoder.encode(texts) - before).max() > 1e-6
    assert load_sentence_encoder(settings).encode(texts) == pytest.approx(before)
    found = main(["setfit", *call, "--output_dir", str(tmp_path / "run")])
    assert found["model"] == "setfit" and (tmp_path / "run" / "predictions.parquet").is_file()
    again = main(["setfit", *call, "--output_dir", str(tmp_path / "run"), "--overwrite", "true"])
    assert again["test"] == found["test"]


def test_setfit_makes_its_pairs_once_however_many_steps_it_may_take(tiny_settings):
    texts, labels = ["hello there", "see you", "thanks a lot", "good morning"], [0, 1, 2, 0]  # ten batches of pairs
    tuned = []
    for steps in ("10", "11", "9"):
        settings = parse_settings([*tiny_settings, "--modalities", "text", "--max_steps", steps])
        encoder = load_sentence_encoder(settings)
        sentence_embeddings.fine_tune(encoder, texts, labels, settings)
        tuned.append(encoder.encode(texts))
    assert tuned[1] == pytest.approx(tuned[0]) and np.abs(tuned[2] - tuned[0]).max() > 1e-6


def test_wrong_commands_say_what_to_change(tiny_settings, tmp_path):
    with pytest.raises(SettingsError, match="none of the methods " + ", ".join(SENTENCE_METHODS)):
        main(["logistics", *tiny_settings])
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="files that no run wrote"):
        main(["logistic", *tiny_settings, "--output_dir", str(tmp_path)])
    with pytest.raises(SettingsError, match="--modalities text"):
        parse_settings([*tiny_settings, "--model", "logistic"])


def test_an_earlier_run_is_kept_or_deleted_as_train_does_it(tiny_settings, tmp_path, capsys):
    call = ["descriptions", *tiny_settings, "--output_dir", str(tmp_path / "run")]
    first = main(call)
    main([*call, "--num_descriptions", "1"])
    assert json.loads((tmp_path / "run.1" / "metrics.json").read_text()) == first
    assert "is kept as" in capsys.readouterr().out
    main([*call, "--overwrite", "true"])
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run.1"}
    again = main([*call, "--resume_from_checkpoint", "true"])
    assert again == json.loads((tmp_path / "run" / "metrics.json").read_text())


def test_train_runs_the_methods_too(tiny_settings, tmp_path):
    words = ["--model", "logistic", "--modalities", "text", "--model_config", "{}", "--shots", "3"]
    results = train([*tiny_settings, *words, "--compare_with_text_only", "--output_dir", str(tmp_path / "by_train")])
    alone = main(["logistic", *tiny_settings, "--shots", "3", "--output_dir", str(tmp_path / "alone")])
    assert results.keys() == {"logistic"}
    assert results["logistic"]["test"] == alone["test"]
