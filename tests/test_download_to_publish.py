# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""From the Hub to a model that could be published, in four commands, as a user types them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.fakehub import FakeHub
from tests.fakehub_repository import File, Repository
from tests.modeling_amess.clips import write_clip
from tests.modeling_amess.tiny import tiny_media_encoder
from tests.training import tiny


pytestmark = pytest.mark.slow

LABELS = ("thank", "greet")
SPLITS = {"train": 8, "dev": 4, "test": 4}


def collection(folder: Path) -> dict[str, File]:
    """Texts and clips in the form of the authors' later collection: flat clips in one archive, ids in one column."""
    stream = io.BytesIO()
    files = {"README.md": File(b"---\nlicense: cc-by-4.0\n---\n")}
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for season, (split, number) in enumerate(SPLITS.items(), start=4):
            lines = ["id\ttext\tlabel"]
            for index in range(number):
                row_id, label = f"S0{season}_E01_{index}", LABELS[index % 2]
                clip = folder / f"{row_id}.mp4"
                write_clip(clip, seconds=0.5 + 0.1 * (index % 3))
                archive.add(clip, f"MIntRec_video/MIntRec_{row_id}.mp4")
                lines.append(f"{row_id}\toh {tiny.WORDS[label.title()][0]}\t{label}")
            files[f"MIntRec/{split}.tsv"] = File(("\n".join(lines) + "\n").encode())
    files["MIntRec/MIntRec_video.tar.gz"] = File(stream.getvalue(), lfs=True)
    return files


def test_download_extract_train_and_publish_are_four_commands(tmp_path):
    tiny_media_encoder().save_pretrained(tmp_path / "encoder")
    text_model = tiny.make_text_model(tmp_path / "bert")
    sentences = tiny.make_sentence_encoder(tmp_path / "sentence", text_model)
    settings = ["--text_model", text_model, "--description_model", sentences, "--use_cpu", "true", "--max_steps", "3"]
    settings += ["--model_config.fusion_num_attention_heads", "2", "--model_config.num_anchors", "2"]
    settings += ["--per_device_train_batch_size", "4", "--output_dir", "run"]
    amess = ("-m", "training.cli.main")
    commands = [
        (*amess, "download", "mintrec", "--source", "THUIAR/MMLA-Datasets", "--output", "MIntRec"),
        (*amess, "extract", "--dataset", "mintrec", "--data_dir", "MIntRec", "--output", "features", "--use_cpu"),
        (str(tiny.SCRIPT), "--dataset", "features", *settings),
        ("-m", "training.publish", "run", "--repo", "org/amess-mintrec", "--dry_run"),
    ]
    options = [("--i_accept_the_terms",), ("--media_encoder", "encoder", "--num_workers", "0"), (), ()]
    with FakeHub() as hub:
        repository = Repository("dataset", "THUIAR/MMLA-Datasets")
        repository.commit(collection(tmp_path), "data")
        hub.repositories["dataset", repository.id] = repository
        online = hub.environment(tmp_path / "home", token=None)
        outputs = []
        for words, more in zip(commands, options, strict=True):
            variables = online if "download" in words else tiny.environment(HF_HOME=str(tmp_path / "home"))
            run = subprocess.run(
                [sys.executable, *words, *more],
                cwd=tmp_path,
                env={**variables, "PYTHONPATH": os.pathsep.join([str(tiny.ROOT)])},
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert run.returncode == 0, run.stdout + run.stderr
            outputs.append(run.stdout)

    assert "train 8" in outputs[0]
    assert "16 of 16 clips extracted" in outputs[1]
    description = json.loads((tmp_path / "features" / "features.json").read_text())
    assert description["dataset"] == "mintrec"
    # What the model was trained on stays with it: its publication is bound by the terms of the data.
    assert "model.safetensors" in outputs[3]
    assert "MIntRec" in outputs[3]
