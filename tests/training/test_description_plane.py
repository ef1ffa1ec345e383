# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Figure 5: distances to the descriptions' plane, the projection, and a trained run's tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from transformers import AutoModelForSequenceClassification

from training.reproduction.description_plane import distance_table, plane_distances, project, semantic_tokens
from training.train import main

from . import tiny


def test_the_distance_to_a_plane_is_what_stands_upright_on_it():
    # The plane z = 2 in four dimensions, of which the last two stand upright.
    points = np.array([[0.0, 0, 2, 0], [1, 0, 2, 0], [0, 1, 2, 0]])
    vectors = np.array([[5.0, -7, 2, 0], [0, 0, 5, 0], [9, 9, 5, 4]])
    np.testing.assert_allclose(plane_distances(vectors, points), [0, 3, 5], atol=1e-12)
    # Three points on a line span a line, two equal ones a point.
    line = np.array([[0.0, 0], [1, 0], [2, 0]])
    np.testing.assert_allclose(plane_distances(np.array([[7.0, 3]]), line), [3])
    np.testing.assert_allclose(plane_distances(np.array([[3.0, 4]]), np.zeros((2, 2))), [5])


def test_the_projection_is_scikit_learns_pca_of_all_parts_together():
    random = np.random.default_rng(0)
    parts = [random.normal(size=(number, 6)) for number in (20, 15, 3)]
    projected = np.concatenate(project(*parts))
    expected = PCA(2).fit_transform(np.concatenate(parts))
    np.testing.assert_allclose(abs(projected), abs(expected), atol=1e-9)  # a component may point either way
    assert [len(part) for part in project(*parts)] == [20, 15, 3]


def test_tokens_of_a_run_are_the_models_and_synchronization_brings_them_to_the_plane(tiny_settings, tmp_path):
    folder = tmp_path / "run"
    settings = ["--num_train_epochs", "12", "--eval_epochs", "12", "--save_epochs", "0"]
    settings += ["--learning_rate", "3e-3", "--model_config.contrastive_weight", "20"]
    main([*tiny_settings, *settings, "--output_dir", str(folder)])
    tokens = semantic_tokens(folder)
    assert tokens.before.shape == tokens.after.shape == (13, 16)
    for vectors in (tokens.before, tokens.after, *tokens.descriptions.values()):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, atol=1e-5)
    model = AutoModelForSequenceClassification.from_pretrained(folder / "pretrained")
    stored = torch.nn.functional.normalize(model.label_description_embeddings[0], dim=-1)
    np.testing.assert_allclose(tokens.descriptions[tiny.LABELS[0]], stored.numpy(), atol=1e-6)
    before, after = np.mean([tokens.distances(label) for label in tiny.LABELS], axis=0)
    assert after < before
    lines = distance_table(tokens).splitlines()
    assert lines[-1] == f"| all 3 intents | 13 | {before:.3f} | {after:.3f} |"


def test_descriptions_of_another_size_have_no_common_plane(tiny_settings, tmp_path):
    text_model = tiny.make_text_model(tmp_path / "bert")
    main([*tiny_settings, "--max_steps", "1", "--output_dir", str(tmp_path / "run")])
    config = tmp_path / "run" / "pretrained" / "config.json"
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "pretrained")
    descriptions = {label: ["one"] for label in tiny.LABELS}
    other = type(model).from_text_pretrained(
        text_model, video_feature_size=4, audio_feature_size=6, fusion_num_attention_heads=2, description_size=8,
        id2label=model.config.id2label, label2id=model.config.label2id,
    )  # fmt: skip
    other.set_label_descriptions(descriptions, embeddings=torch.randn(3, 1, 8))
    other.save_pretrained(config.parent)
    with pytest.raises(ValueError, match="figure 5"):
        semantic_tokens(tmp_path / "run")
