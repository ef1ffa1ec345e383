# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The pipeline in other processes: pickled, copied, and with workers that are spawned as on macOS and Windows."""

import copy
import pickle
from pathlib import Path

import pytest

from modeling_amess import IntentRecognitionPipeline

from .clips import write_clip
from .processes import run_python
from .tiny_recognizer import recognizer_model, recognizer_processor


SPAWN = """
import json, pickle, sys
import torch.multiprocessing
from transformers import pipeline

torch.multiprocessing.set_start_method("spawn", force=True)
folder, clip = sys.argv[1:]
recognizer = pipeline("multimodal-intent-recognition", model=folder, **trust)
inputs = [{"video": clip, "text": "oh"}, {"text": "great"}, {"text": "no way"}]
expected = recognizer(inputs)
assert recognizer(inputs, num_workers=2, batch_size=2) == expected, "workers must not change the results"
preparation = recognizer._preparation()
assert b"torch.nn" not in pickle.dumps(preparation), "workers must hold no model"
try:
    recognizer([{"text": "oh"}, {"video": folder + "/config.json", "text": "oh"}], num_workers=1)
except ValueError as error:
    print(type(error).__name__, error.source)
print(json.dumps([one["label"] for one in expected]))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Folder of a saved pipeline, and a clip."""
    folder = tmp_path_factory.mktemp("pipeline")
    IntentRecognitionPipeline(model=recognizer_model(), processor=recognizer_processor()).save_pretrained(folder / "m")
    return str(folder / "m"), str(write_clip(folder / "clip.mp4"))


@pytest.mark.parametrize("with_package", [pytest.param(True, marks=pytest.mark.slow), False])
def test_spawned_workers_give_the_same_results_and_the_same_errors(with_package, saved, tmp_path):
    printed = run_python(SPAWN, *saved, home=tmp_path, with_package=with_package)
    error, labels = printed.strip().splitlines()
    assert error == f"UnreadableMediaError {saved[0]}/config.json"
    assert labels.count('"') == 6


def test_a_pipeline_can_be_pickled_and_copied(saved):
    recognizer = IntentRecognitionPipeline(model=recognizer_model(), processor=recognizer_processor())
    one = {"video": saved[1], "text": "oh, great."}
    expected = recognizer(one)
    for copied in (pickle.loads(pickle.dumps(recognizer)), copy.deepcopy(recognizer)):
        assert copied(one) == expected
        assert pickle.loads(pickle.dumps(copied))(one) == expected


def test_a_generator_is_read_once_whatever_the_number_of_workers(saved):
    recognizer = IntentRecognitionPipeline(model=recognizer_model(), processor=recognizer_processor())
    texts = ["oh", "great", "no way", "thanks"]
    results = list(recognizer(({"text": text} for text in texts), num_workers=2))
    assert [result["text"] for result in results] == texts


def test_workers_decode_the_sound_and_this_process_transcribes_it(saved):
    recognizer = IntentRecognitionPipeline(model=recognizer_model(), processor=recognizer_processor())
    spoken = {"audio": str(Path(__file__).parent / "recordings" / "weather.opus")}
    results = recognizer([spoken, {"video": saved[1]}], num_workers=1)
    assert [result["text"] for result in results] == ["It will rain in London on Monday and Tuesday.", ""]
