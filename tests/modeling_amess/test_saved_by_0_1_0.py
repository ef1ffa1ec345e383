# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders that version 0.1.0 saved still load, with the package and without it, and give the same logits."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from modeling_amess import AmessConfig, AmessForIntentClassification, AmessMediaEncoder
from modeling_amess.media_encoder_amess import weights_fingerprint

from .processes import run_python
from .tiny import tiny_clips


FIXTURE = Path(__file__).with_name("saved_by_0_1_0.zip")
LOAD = """
import json, sys
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoProcessor, pipeline
folder, expected = sys.argv[1], json.load(open(sys.argv[2]))
inputs = torch.load(sys.argv[3], weights_only=True)
config = AutoConfig.from_pretrained(folder, **trust)
base = AutoModel.from_pretrained(folder, **trust).eval()
model = AutoModelForSequenceClassification.from_pretrained(folder, **trust).eval()
processor = AutoProcessor.from_pretrained(folder, **trust)
recognizer = pipeline("multimodal-intent-recognition", model=folder, **trust)
with torch.no_grad():
    outputs = {
        "logits": model(**inputs["features"]).logits,
        "embedding": base(**inputs["features"]).semantic_embedding,
        "clip_logits": model(**inputs["clips"]).logits,
    }
print(json.dumps({
    **{name: value.tolist() for name, value in outputs.items()},
    "classes": [type(made).__name__ for made in (config, base, model, processor, recognizer)],
    "modules": sorted({type(made).__module__.split(".")[0] for made in (config, base, model, processor, recognizer)}),
    "ids": processor(text="oh, great.")["input_ids"].tolist(),
    "intents": [intent["label"] for intent in recognizer(text="oh, great.", top_k=None)["intents"]],
}))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pretrained/`, `media_encoder/`, `expected.json` and the inputs in `inputs.pt`."""
    folder = tmp_path_factory.mktemp("saved")
    with zipfile.ZipFile(FIXTURE) as archive:
        archive.extractall(folder)
    batch = json.loads((folder / "expected.json").read_text())["batch"]
    features = {name: torch.tensor(value) for name, value in batch.items()}
    text = {name: features[name] for name in ("input_ids", "attention_mask")}
    torch.save({"features": features, "clips": {**text, **tiny_clips()}}, folder / "inputs.pt")
    return folder


@pytest.mark.parametrize("with_package", [True, False], ids=["with the package", "without it"])
def test_every_auto_class_loads_the_old_model_with_the_same_logits(saved, tmp_path, with_package):
    files = (saved / "pretrained", saved / "expected.json", saved / "inputs.pt")
    result = json.loads(run_python(LOAD, *files, home=tmp_path / "home", with_package=with_package).splitlines()[-1])
    expected = json.loads((saved / "expected.json").read_text())
    for name, values in {**expected, "clip_logits": expected["logits"]}.items():
        if name != "batch":
            torch.testing.assert_close(torch.tensor(result[name]), torch.tensor(values), atol=1e-5, rtol=1e-5)
    assert result["classes"] == [
        "AmessConfig",
        "AmessModel",
        "AmessForIntentClassification",
        "AmessProcessor",
        "IntentRecognitionPipeline",
    ]
    assert result["modules"] == ["modeling_amess" if with_package else "transformers_modules"]
    assert result["ids"] == [[2, 5, 6, 7, 8, 3]]
    assert sorted(result["intents"]) == ["Joke", "Taunt", "Thank", "UNK"]


def test_the_old_encoder_loads_by_its_class_and_by_automodel(saved, tmp_path):
    # The folder's own facts are the reference: another version of torch draws other weights for a new encoder.
    record = json.loads((saved / "media_encoder" / "config.json").read_text())["media_encoder"]
    for load in (AmessMediaEncoder.from_pretrained, AutoModel.from_pretrained):
        encoder, info = load(saved / "media_encoder", output_loading_info=True)
        assert type(encoder) is AmessMediaEncoder and encoder.record == record
        assert not info["missing_keys"] and not info["unexpected_keys"]
        assert weights_fingerprint(encoder.video_model) == record["video"]["revision"]
        assert weights_fingerprint(encoder.audio_model) == record["audio"]["revision"]
    encoder.save_pretrained(tmp_path)
    assert type(AutoModel.from_pretrained(tmp_path)) is AmessMediaEncoder


def test_the_old_configuration_has_no_version(saved):
    assert AmessConfig.from_pretrained(saved / "pretrained").amess_version is None


@pytest.mark.parametrize(("saved_value", "meant"), [(True, "inside"), (False, "none"), (None, "inside")])
def test_the_old_place_of_the_text_in_eq_13_is_kept(saved, tmp_path, saved_value, meant):
    """Earlier versions saved a boolean; without the field the text was inside, which is no longer the default."""
    folder = shutil.copytree(saved / "pretrained", tmp_path / "model")
    fields = json.loads((folder / "config.json").read_text())
    del fields["fusion_residual"]
    if saved_value is not None:
        fields["fusion_residual"] = saved_value
    (folder / "config.json").write_text(json.dumps(fields))
    assert AmessConfig.from_pretrained(folder).fusion_residual == meant
    assert AmessConfig.from_pretrained(folder, fusion_residual="outside").fusion_residual == "outside"
    model = AmessForIntentClassification.from_pretrained(folder).eval()
    inputs = torch.load(saved / "inputs.pt", weights_only=True)["features"]
    expected = torch.tensor(json.loads((saved / "expected.json").read_text())["logits"])
    with torch.no_grad():
        assert torch.allclose(model(**inputs).logits, expected, atol=1e-5) == (meant == "inside")
    model.save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "config.json").read_text())["fusion_residual"] == meant
