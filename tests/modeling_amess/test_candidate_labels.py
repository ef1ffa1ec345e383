# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Zero-shot: the pipeline chooses among intents that its model was not trained on, by their descriptions."""

import json
import os
import subprocess
import sys
import types
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from transformers import pipeline

from modeling_amess import AmessProcessor
from modeling_amess.descriptions_amess import (
    MINILM_PACKAGE,
    MINILM_SHA256,
    DescriptionEncoderError,
    load_description_encoder,
)
from tests.training.tiny import make_sentence_encoder, make_text_model
from training.model_setup import resolve_text_model

from .processes import run_python
from .test_pipeline_amess import TASK
from .tiny import DESCRIPTIONS, tiny_model, tiny_tokenizer


CANDIDATES = {"Reassure": ["To take away a worry.", "To calm someone."], "Boast": ["To speak proudly of oneself."]}


class HashEncoder:
    """Replaces a Sentence-BERT: the vector of a text depends on that text alone."""

    def __init__(self, size: int = 32):
        self.size = size
        self.seen: list[str] = []

    def encode(self, texts: list[str]) -> torch.Tensor:
        """Embed texts to `(texts, size)`."""
        self.seen.extend(texts)
        rows = [torch.Generator().manual_seed(zlib.crc32(text.encode())) for text in texts]
        return torch.stack([torch.randn(self.size, generator=generator) for generator in rows])


def recognizer(encoder=None, **fields):
    """A pipeline for text, whose description encoder is `encoder`."""
    model = tiny_model(video_feature_size=None, audio_feature_size=None, **fields)
    return pipeline(
        TASK, model=model, processor=AmessProcessor(tiny_tokenizer()), device="cpu", description_encoder=encoder
    )


@pytest.mark.parametrize(
    ("fields", "scale"),
    [({"semantic_logits": True}, 10.0), ({"contrastive_temperature": 0.1}, 10.0), ({}, 1 / 0.7)],
)
def test_scores_are_the_softmax_of_the_scaled_mean_cosine(fields, scale):
    encoder = HashEncoder()
    recognize = recognizer(encoder, **fields)
    result = recognize(text="oh, great.", candidate_labels=CANDIDATES)
    with torch.no_grad():
        token = recognize.model(**recognize.processor(text="oh, great.", return_tensors="pt")).semantic_embedding[0]
    means = []
    for label, texts in CANDIDATES.items():
        vectors = encoder.encode([f"{label}: {text}" for text in texts])
        means.append(torch.nn.functional.cosine_similarity(token[None], vectors).mean())
    expected = (scale * torch.stack(means)).softmax(-1)
    assert result["explanation"]["description_similarity"] == pytest.approx(
        dict(zip(CANDIDATES, map(float, means), strict=True)), abs=1e-5
    )
    assert {one["label"]: one["score"] for one in result["intents"]} == pytest.approx(
        dict(zip(CANDIDATES, expected.tolist(), strict=True)), abs=1e-5
    )
    assert (result["label"], result["score"]) == tuple(result["intents"][0].values())


def test_the_result_has_the_same_shape_and_scope_is_not_judged():
    recognize = recognizer(HashEncoder(), out_of_scope_threshold=0.9)
    own, trained = recognize(text="oh", candidate_labels=CANDIDATES), recognize(text="oh")
    assert own.keys() == trained.keys()
    assert own["explanation"].keys() == trained["explanation"].keys()
    assert trained["out_of_scope"] is True and own["out_of_scope"] is None
    assert len(recognize(text="oh", candidate_labels=CANDIDATES, top_k=1)["intents"]) == 1
    json.dumps(own)


def test_descriptions_of_the_trained_labels_give_the_similarities_of_the_trained_labels():
    encoder = HashEncoder()
    recognize = recognizer(encoder)
    recognize.model.set_label_descriptions(DESCRIPTIONS, encoder=encoder)
    trained = recognize(text="no way")["explanation"]["description_similarity"]
    own = recognize(text="no way", candidate_labels=DESCRIPTIONS)["explanation"]["description_similarity"]
    assert own == pytest.approx(trained, abs=1e-6)


def test_candidates_of_the_construction_are_embedded_once_and_those_of_a_call_are_its_own():
    encoder = HashEncoder()
    model = tiny_model(video_feature_size=None, audio_feature_size=None)
    recognize = pipeline(
        TASK,
        model=model,
        processor=AmessProcessor(tiny_tokenizer()),
        device="cpu",
        description_encoder=encoder,
        candidate_labels=CANDIDATES,
    )
    results = [*recognize([{"text": "oh"}, {"text": "thanks"}], batch_size=2), recognize(text="no")]
    assert all({one["label"] for one in result["intents"]} == set(CANDIDATES) for result in results)
    assert len(encoder.seen) == 3
    others = {"Tease": ["To make fun."]}
    assert recognize(text="oh", candidate_labels=others)["label"] == "Tease"
    assert recognize(text="oh")["label"] in CANDIDATES


def test_calls_of_several_threads_do_not_touch_each_other_nor_the_model():
    recognize = recognizer(HashEncoder())
    before = {name: value.clone() for name, value in recognize.model.state_dict().items()}
    config = recognize.model.config.to_dict()
    questions = [{"candidate_labels": {f"A{n}": [f"a {n}"], f"B{n}": [f"b {n}"]}} for n in range(6)] + [{}] * 6
    expected = [recognize(text="oh, great.", **question) for question in questions]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda question: recognize(text="oh, great.", **question), questions)) == expected
    assert recognize.model.config.to_dict() == config
    assert all(torch.equal(value, before[name]) for name, value in recognize.model.state_dict().items())


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({}, "Descriptions come by label"),
        (["Reassure", "Boast"], "Descriptions come by label"),
        ({"Reassure": []}, r"\['Reassure'\]"),
        ({"Reassure": "To take away a worry."}, r"\['Reassure'\]"),
        ({"Reassure": [3]}, r"\['Reassure'\]"),
    ],
)
def test_candidates_without_descriptions_are_refused(candidates, message):
    with pytest.raises(ValueError, match=message):
        recognizer(HashEncoder())(text="oh", candidate_labels=candidates)


def test_what_stands_in_the_way_is_said(tmp_path):
    with pytest.raises(ValueError, match="description_size is 32"):
        recognizer(HashEncoder(size=7))(text="oh", candidate_labels=CANDIDATES)
    with pytest.raises(ValueError, match="use_semantic_synchronization=False"):
        recognizer(HashEncoder(), use_semantic_synchronization=False)(text="oh", candidate_labels=CANDIDATES)
    with pytest.raises(DescriptionEncoderError, match="names no description_encoder"):
        recognizer()(text="oh", candidate_labels=CANDIDATES)
    missing = str(tmp_path / "missing")
    with pytest.raises(DescriptionEncoderError, match=f"{missing}.*cannot be loaded"):
        recognizer(description_encoder=missing)(text="oh", candidate_labels=CANDIDATES)


@pytest.mark.parametrize("resolve", [load_description_encoder, resolve_text_model])
def test_minilm_is_checked_wherever_it_is_loaded(resolve, tmp_path, monkeypatch):
    """A package with other weights than the published ones."""
    (tmp_path / "model.safetensors").write_bytes(b"not the published weights")
    package = types.SimpleNamespace(get_model_path=lambda: tmp_path)
    monkeypatch.setitem(sys.modules, MINILM_PACKAGE, package)
    with pytest.raises(ValueError, match=MINILM_SHA256):
        resolve("minilm")


def test_without_sentence_transformers_the_remedy_is_named(tmp_path):
    (tmp_path / "sentence_transformers.py").write_text("raise ImportError('not here')")
    code = (
        "from modeling_amess.descriptions_amess import load_description_encoder\n"
        "try:\n    load_description_encoder('minilm')\n"
        "except ValueError as error:\n    print(error)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert "pip install sentence-transformers" in run.stdout, run.stderr


REMOTE = """
import json, sys
from transformers import pipeline
recognize = pipeline("multimodal-intent-recognition", model=sys.argv[1], **trust)
print(json.dumps(recognize(text="oh, well.", candidate_labels=json.loads(sys.argv[2]))))
"""


def test_a_saved_folder_and_its_encoder_are_enough_where_the_package_is_not_importable(tmp_path):
    text_model = make_text_model(tmp_path / "bert")
    encoder = make_sentence_encoder(tmp_path / "sentences", text_model)
    model = tiny_model(
        video_feature_size=None, audio_feature_size=None, description_size=16, description_encoder=encoder
    )
    folder = tmp_path / "pretrained"
    here = pipeline(TASK, model=model, processor=AmessProcessor(tiny_tokenizer()), device="cpu")
    here.save_pretrained(folder)
    output = run_python(REMOTE, folder, json.dumps(CANDIDATES), home=tmp_path / "home", with_package=False)
    there, expected = json.loads(output.splitlines()[-1]), here(text="oh, well.", candidate_labels=CANDIDATES)
    assert there["label"] == expected["label"]
    assert there["score"] == pytest.approx(expected["score"], abs=1e-5)
    similarity = load_description_encoder(encoder).encode(["Reassure: To calm someone."])
    assert similarity.shape == (1, 16)
