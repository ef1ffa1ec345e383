# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A saved folder is all that another machine needs: it loads in processes where this package is not importable."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from modeling_amess import AmessProcessor

from .clips import write_clip
from .processes import PROJECT, run_python
from .tiny import tiny_batch, tiny_clip_model, tiny_clips, tiny_media_encoder, tiny_tokenizer


LOAD = """
import json, shutil, sys
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoProcessor
folder = sys.argv[1]
config = AutoConfig.from_pretrained(folder, **trust)
base = AutoModel.from_pretrained(folder, **trust).eval()
model = AutoModelForSequenceClassification.from_pretrained(folder, **trust).eval()
processor = AutoProcessor.from_pretrained(folder, **trust)
batch = torch.load(folder + "/batch.pt", weights_only=True)
clip = processor(text="oh, great.", video=folder + "/clip.mp4", return_tensors="pt")
with torch.no_grad():
    logits, embedding = model(**batch).logits, base(**batch).semantic_embedding
    clip_logits, clip_embedding = model(**clip).logits, base(**clip).semantic_embedding
print(json.dumps({
    "logits": logits.tolist(), "embedding": embedding.tolist(), "config": type(config).__name__,
    "base": type(base).__name__, "model": type(model).__name__, "module": type(model).__module__,
    "clip_logits": clip_logits.tolist(), "clip_embedding": clip_embedding.tolist(),
    "ids": processor(text="oh, great.")["input_ids"].tolist(),
}))
if len(sys.argv) > 2:
    model.save_pretrained(sys.argv[2])
    processor.save_pretrained(sys.argv[2])
    torch.save(batch, sys.argv[2] + "/batch.pt")
    shutil.copy(folder + "/clip.mp4", sys.argv[2])
"""


def load(folder: Path, home: Path, with_package: bool, save_to: Path | None = None) -> dict:
    """Results of a new process that loads the folder."""
    arguments = [folder, *([save_to] if save_to else [])]
    return json.loads(run_python(LOAD, *arguments, home=home, with_package=with_package).splitlines()[-1])


@pytest.fixture
def saved(tmp_path):
    """Saved classifier with its media encoder and processor, features, a clip, and the outputs for both."""
    folder = tmp_path / "pretrained"
    model, encoder = tiny_clip_model(), tiny_media_encoder()
    model.attach_media_encoder(encoder)
    model.save_pretrained(folder)
    preprocessing = encoder.record["preprocessing"]
    processor = AmessProcessor(tiny_tokenizer(), video_feature_size=16, audio_feature_size=12, **preprocessing)
    processor.save_pretrained(folder)
    text = {name: value for name, value in tiny_batch(batch=3).items() if name in ("input_ids", "attention_mask")}
    batch = {**text, **encoder(**tiny_clips())}
    torch.save(batch, folder / "batch.pt")
    write_clip(folder / "clip.mp4", seconds=1.0)
    with torch.no_grad():
        output, clip = model(**batch), model(**processor(text="oh, great.", video=folder / "clip.mp4"))
    return folder, (output, clip), tmp_path / "home"


def check(result: dict, outputs: tuple) -> None:
    for kind, output in zip(("", "clip_"), outputs, strict=True):
        for name, expected in (("logits", output.logits), ("embedding", output.semantic_embedding)):
            torch.testing.assert_close(torch.tensor(result[kind + name]), expected, atol=1e-6, rtol=1e-5)
    assert (result["config"], result["base"], result["model"]) == (
        "AmessConfig",
        "AmessModel",
        "AmessForIntentClassification",
    )
    assert result["ids"] == [[2, 5, 6, 7, 8, 3]]


def test_all_auto_classes_load_without_the_package_and_so_does_what_they_save(saved, tmp_path):
    folder, output, home = saved
    again = tmp_path / "again"
    again.mkdir()
    result = load(folder, home, with_package=False, save_to=again)
    check(result, output)
    assert result["module"].startswith("transformers_modules.")
    check(load(again, home, with_package=False), output)


def test_after_importing_the_package_no_trust_is_needed(saved):
    folder, output, home = saved
    result = load(folder, home, with_package=True)
    check(result, output)
    assert result["module"] == "modeling_amess.modeling_amess"


def test_a_saved_encoder_loads_without_the_package(tmp_path):
    encoder, folder = tiny_media_encoder(), tmp_path / "encoder"
    encoder.save_pretrained(folder)
    torch.save(tiny_clips(), folder / "clips.pt")
    code = (
        "import json, sys, torch\n"
        "from transformers import AutoModel\n"
        "encoder = AutoModel.from_pretrained(sys.argv[1], **trust)\n"
        "output = encoder(**torch.load(sys.argv[1] + '/clips.pt', weights_only=True))\n"
        "print(json.dumps([type(encoder).__name__, encoder.record, output.audio_features.tolist()]))"
    )
    result = run_python(code, folder, home=tmp_path / "home", with_package=False)
    name, record, features = json.loads(result.splitlines()[-1])
    assert (name, record) == ("AmessMediaEncoder", encoder.record)
    torch.testing.assert_close(torch.tensor(features), encoder(**tiny_clips()).audio_features)


def test_at_most_ten_python_files_are_copied_and_the_pipeline_is_one_of_them(saved):
    names = sorted(path.name for path in saved[0].glob("*.py"))
    assert len(names) <= 10, names
    assert "pipeline_amess.py" in names and "media_amess.py" in names


def test_the_folder_holds_weights_without_pickles(saved):
    folder, _, _ = saved
    names = {path.name for path in folder.iterdir()} - {"batch.pt", "clip.mp4"}
    assert "model.safetensors" in names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl", ".pth"))]


def test_importing_needs_torch_and_transformers_only():
    """It loads neither the media encoders' models nor the decoder, which most uses do not need."""
    code = (
        "import json, sys, modeling_amess\n"
        "heavy = {'datasets', 'sentence_transformers', 'sklearn', 'evaluate', 'gradio', 'av'}\n"
        "heavy |= {f'transformers.models.{name}.modeling_{name}' for name in ('swin', 'wavlm', 'wav2vec2')}\n"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=True)
    assert json.loads(run.stdout) == []
