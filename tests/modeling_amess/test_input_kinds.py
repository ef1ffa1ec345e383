# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Inputs of every kind that programs hand over: tensors of any type, `datasets` rows, images, sound of any width."""

import codecs
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from modeling_amess import AmessProcessor, IntentRecognitionPipeline
from tests.training.baselines import tiny_baselines
from tests.training.tiny import make_text_model

from .clips import write_clip
from .test_common import FEATURES, SUBJECTS
from .tiny import tiny_clips, tiny_media_encoder, tiny_model, tiny_tokenizer
from .tiny_recognizer import recognizer_model, recognizer_processor


GENERATOR = np.random.default_rng(0)
VALUES = GENERATOR.integers(-8, 8, (4, 6)) / 4  # exact in every type
FRAMES = GENERATOR.integers(0, 256, (6, 40, 50, 3), dtype=np.uint8)
SOUND = (GENERATOR.integers(-100, 100, 16000) / 128).astype(np.float32)


@pytest.fixture(scope="module")
def processor() -> AmessProcessor:
    return recognizer_processor()


@pytest.fixture(scope="module")
def recognizer() -> IntentRecognitionPipeline:
    return IntentRecognitionPipeline(model=recognizer_model(), processor=recognizer_processor())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


TENSORS: dict[str, Callable[[np.ndarray], Any]] = {
    "bfloat16": lambda values: torch.tensor(values).bfloat16(),
    "float16": lambda values: torch.tensor(values).half(),
    "float8": lambda values: torch.tensor(values).to(torch.float8_e4m3fn),
    "float64": lambda values: torch.tensor(values).double(),
    "with a gradient": lambda values: torch.tensor(values).float().requires_grad_(),
    "not contiguous": lambda values: torch.tensor(values.T.copy()).T,
    "list of tensors with a gradient": lambda values: [
        torch.tensor(row).bfloat16().requires_grad_() for row in values
    ],
    "lists": lambda values: values.tolist(),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_features_of_any_type_are_taken(kind):
    processor = AmessProcessor(tiny_tokenizer(), video_feature_size=6, audio_feature_size=6)
    expected = processor(text="oh", video_features=[VALUES], audio_features=[VALUES])
    made = processor(text="oh", video_features=[TENSORS[kind](VALUES)], audio_features=[TENSORS[kind](VALUES)])
    for name, value in expected.items():
        assert made[name].dtype == value.dtype and torch.equal(made[name], value)


def test_integer_features_are_taken_and_others_refused_in_words():
    processor = AmessProcessor(tiny_tokenizer(), video_feature_size=6)
    assert processor(text="oh", video_features=torch.ones(3, 6, dtype=torch.uint8))["video_features"].sum() == 18
    for bad, message in ((np.full((3, 6), "a"), "utterance 0"), (VALUES + 1j, "complex")):
        with pytest.raises(TypeError, match=message):
            processor(text="oh", video_features=[bad])
    with pytest.raises(ValueError, match="differ in shape"):
        processor(text="oh", video_features=[[[1.0] * 6, [1.0] * 5]])


PICTURES: dict[str, Callable[[], Any]] = {
    "tensor": lambda: torch.tensor(FRAMES),
    "int64 tensor": lambda: torch.tensor(FRAMES).long(),
    "float tensor with a gradient": lambda: (torch.tensor(FRAMES).float() / 255).requires_grad_(),
    "list of arrays": lambda: list(FRAMES),
    "list of tensors": lambda: list(torch.tensor(FRAMES)),
    "PIL images": lambda: [Image.fromarray(frame) for frame in FRAMES],
    "PIL images with an alpha channel": lambda: [Image.fromarray(frame).convert("RGBA") for frame in FRAMES],
}


@pytest.mark.parametrize("kind", PICTURES)
def test_frames_of_any_kind_are_taken(kind, processor, recognizer):
    expected = processor(text="oh", video=FRAMES, frame_rate=6.0)["pixel_values"]
    for video in (PICTURES[kind](), [PICTURES[kind]()]):
        assert torch.equal(processor(text="oh", video=video, frame_rate=6.0)["pixel_values"], expected)
    result = recognizer({"video": PICTURES[kind](), "frame_rate": 6.0, "text": "oh"})
    assert result == recognizer({"video": FRAMES, "frame_rate": 6.0, "text": "oh"})


WIDTHS: dict[str, Callable[[], Any]] = {
    "int16": lambda: (SOUND * 2**15).astype(np.int16),
    "int32": lambda: (SOUND.astype(np.float64) * 2**31).astype(np.int32),
    "uint8": lambda: (SOUND * 128 + 128).astype(np.uint8),
    "float64": lambda: SOUND.astype(np.float64),
    "bfloat16 with a gradient": lambda: torch.tensor(SOUND).bfloat16().requires_grad_(),
    "list": lambda: SOUND.tolist(),
}


@pytest.mark.parametrize("kind", WIDTHS)
def test_sound_of_any_width_is_taken(kind, processor, recognizer):
    expected = processor(text="oh", audio=SOUND, sampling_rate=16000)["input_values"]
    for audio in (WIDTHS[kind](), [WIDTHS[kind]()], {"array": WIDTHS[kind](), "sampling_rate": 16000, "path": None}):
        made = processor(text="oh", audio=audio, sampling_rate=16000.0)["input_values"]
        torch.testing.assert_close(made, expected, atol=1e-6, rtol=0)
    parts = {"audio": {"array": WIDTHS[kind](), "sampling_rate": 16000}, "text": "oh"}
    assert recognizer(parts)["label"] == recognizer({"audio": SOUND, "sampling_rate": 16000, "text": "oh"})["label"]


def test_dicts_of_datasets_that_are_not_decoded_are_taken(clip, processor):
    expected = processor(text="oh", video=str(clip), audio=str(clip))
    for media in ({"bytes": clip.read_bytes(), "path": "clip.mp4"}, {"bytes": None, "path": str(clip)}):
        made = processor(text="oh", video=media, audio=media)
        assert all(torch.equal(made[name], value) for name, value in expected.items())


def test_a_file_that_was_opened_as_text_is_refused_in_words(clip, processor, recognizer):
    for opened in (partial(clip.open, encoding="latin-1"), partial(codecs.open, str(clip), encoding="latin-1")):
        for name in ("video", "audio"):
            with opened() as file, pytest.raises(TypeError, match=r"opened as text.*'rb'"):
                processor(text="oh", **{name: file})
            with opened() as file, pytest.raises(TypeError, match=r"opened as text.*'rb'"):
                recognizer({name: file, "text": "oh"})
    with pytest.raises(TypeError, match="opened as text"):
        processor(text="oh", video=io.StringIO("oh"))


def test_binary_files_of_any_kind_are_taken(clip, processor):
    expected = processor(text="oh", video=str(clip))["pixel_values"]
    with tempfile.SpooledTemporaryFile() as spooled, open(clip, "rb") as file:
        spooled.write(clip.read_bytes())
        for source in (file, spooled, io.BytesIO(clip.read_bytes()), memoryview(clip.read_bytes())):
            assert torch.equal(processor(text="oh", video=source)["pixel_values"], expected)


@pytest.mark.parametrize("name", ["video", "audio"])
def test_anything_else_is_refused_by_its_type(name, processor, recognizer):
    for other in ({"url": "x"}, {}, {1, 2}, object()):
        with pytest.raises(TypeError, match=rf"{name}|set|object"):
            recognizer({name: other, "text": "oh"})
        with pytest.raises(TypeError, match=rf"{name}|set|object"):
            processor(text="oh", **{name: [other]})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("given", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_models_take_features_of_any_type_with_and_without_masks(dtype, given, tmp_path):
    text_model = make_text_model(tmp_path)
    batch = tiny_baselines.make_batch()
    models = [(tiny_model(), FEATURES), *((tiny_baselines.build(n, text_model), batch) for n in ("mag_bert", "mult"))]
    for model, inputs in models:
        model = model.to(dtype)
        inputs = {name: value for name, value in inputs.items() if "labels" not in name}
        for left_out in (("video_attention_mask", "audio_attention_mask"), ()):
            kept = {name: value for name, value in inputs.items() if name not in left_out}
            converted = {name: value.to(given) if "features" in name else value for name, value in kept.items()}
            converted |= {name: value.float() for name, value in converted.items() if name.startswith("video_att")}
            assert torch.isfinite(model(**converted).logits).all()


@pytest.mark.parametrize("given", [torch.float64, torch.bfloat16], ids=str)
def test_the_media_encoder_takes_clips_of_any_type(given):
    encoder, clips = tiny_media_encoder(), tiny_clips()
    converted = {name: value.to(given) if "mask" not in name else value.float() for name, value in clips.items()}
    made, expected = encoder(**converted), encoder(**clips)
    for name in ("video_features", "audio_features"):
        torch.testing.assert_close(made[name], expected[name], atol=0.1, rtol=0.1)
    assert "AmessMediaEncoder" in SUBJECTS
