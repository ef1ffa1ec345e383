# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessProcessor: clips of any form to one padded batch for the media encoder."""

import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, Wav2Vec2FeatureExtractor
from transformers.utils import logging as transformers_logging

import modeling_amess
from modeling_amess import AmessProcessor
from modeling_amess.clip_amess import Clip, MediaLimitError, MediaLimits, UnreadableMediaError
from modeling_amess.media_amess import decode_clip

from .clips import COLOURS, tone, write_clip
from .tiny import tiny_clip_model, tiny_media_encoder, tiny_tokenizer


def clip_processor(**fields) -> AmessProcessor:
    settings = {"video_feature_size": 16, "audio_feature_size": 12, "max_text_length": 12, **fields}
    return AmessProcessor(tiny_tokenizer(), **(tiny_media_encoder().record["preprocessing"] | settings))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two clips of 1 and 2 seconds, one without sound and one without picture."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "short.mp4", seconds=1.0)
    write_clip(folder / "long.webm", seconds=2.0)
    write_clip(folder / "silent.mp4", seconds=1.0, audio=False)
    write_clip(folder / "blind.wav", seconds=1.0, video=False, sampling_rate=16000)
    return folder


@pytest.fixture
def said(caplog):
    """Warnings of transformers' loggers, which say each thing once."""
    transformers_logging.get_logger("transformers").addHandler(caplog.handler)
    transformers_logging.warning_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        yield lambda: [record.getMessage() for record in caplog.records]
    transformers_logging.get_logger("transformers").removeHandler(caplog.handler)


def test_clips_become_one_padded_batch_with_masks(folder):
    processor = clip_processor()
    batch = processor(text=["oh", "great"], video=[folder / "short.mp4", folder / "long.webm"], return_tensors="pt")
    assert batch["pixel_values"].shape == (2, 12, 3, 32, 32) and batch["pixel_values"].dtype == torch.float32
    assert batch["pixel_values_mask"].sum(1).tolist() == [6, 12]
    samples = batch["input_values_mask"].sum(1)
    assert batch["input_values"].shape == batch["input_values_mask"].shape == (2, samples.max())
    assert (samples / 16000).tolist() == pytest.approx([1, 2], abs=0.05)
    for name in ("pixel_values", "input_values"):
        assert (batch[name][~batch[f"{name}_mask"].bool()] == 0).all()
    assert set(batch) - {"token_type_ids"} <= set(processor.model_input_names)


def test_frames_are_normalised_as_the_encoder_wants_them(folder):
    batch = clip_processor(image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.25, 0.3])(video=folder / "short.mp4")
    for frame, colour in ((0, "red"), (3, "green")):  # half a second each, 6 frames a second
        expected = (np.array(COLOURS[colour]) / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.3]
        np.testing.assert_allclose(batch["pixel_values"][0, frame, :, 16, 16].numpy(), expected, atol=0.1)


def test_sound_is_normalised_where_the_encoder_wants_it():
    samples = tone(0.5, 16000, [0.5])[0] + 0.1
    plain = clip_processor()(audio=samples, sampling_rate=16000)["input_values"][0]
    np.testing.assert_array_equal(plain.numpy(), samples)
    normalised = clip_processor(normalize_audio=True)(audio=samples, sampling_rate=16000)["input_values"]
    expected = Wav2Vec2FeatureExtractor(do_normalize=True)(samples, sampling_rate=16000, return_tensors="pt")
    torch.testing.assert_close(normalised, expected["input_values"], atol=1e-4, rtol=1e-4)


def test_a_path_its_content_a_file_and_what_was_decoded_are_the_same(folder):
    processor, path = clip_processor(), folder / "short.mp4"
    expected = processor(text="oh", video=str(path))
    with open(path, "rb") as file:
        inputs = [path, path.read_bytes(), file, processor.decode(path)]
        for found in (processor(text="oh", video=video) for video in inputs):
            assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_arrays_are_brought_to_the_encoders_rates_and_size(folder):
    processor, path = clip_processor(), folder / "short.mp4"
    expected = processor(video=path)
    clip = decode_clip(path, frame_rate=30.0, sampling_rate=48000)
    batch = processor(video=clip.frames, frame_rate=30.0, audio=clip.waveform, sampling_rate=48000)
    assert batch["pixel_values"].shape == expected["pixel_values"].shape
    torch.testing.assert_close(batch["pixel_values"], expected["pixel_values"], atol=0.05, rtol=0)
    length = min(batch["input_values"].shape[1], expected["input_values"].shape[1])
    assert length >= 15900
    torch.testing.assert_close(
        batch["input_values"][0, :length], expected["input_values"][0, :length], atol=0.02, rtol=0
    )
    as_it_is = processor(video=torch.from_numpy(clip.frames[:4]))
    assert as_it_is["pixel_values_mask"].tolist() == [[1] * 4], "without a rate the frames are the encoder's"


def test_the_sound_may_come_from_elsewhere(folder):
    processor = clip_processor()
    batch = processor(video=[folder / "silent.mp4", folder / "short.mp4"], audio=[folder / "blind.wav", None])
    alone = processor(audio=folder / "blind.wav")
    assert torch.equal(batch["input_values"][0, :16000], alone["input_values"][0])
    assert batch["input_values_mask"].sum(1).min() > 15000


def test_a_clip_may_lack_a_modality_and_it_is_said_once(folder, said):
    processor = clip_processor()
    for _ in range(2):
        batch = processor(video=[folder / "silent.mp4", folder / "blind.wav", None])
    assert batch["pixel_values_mask"].sum(1).tolist() == [6, 0, 0]
    assert batch["input_values_mask"].sum(1).tolist() == [0, 16000, 0]
    assert [next(name for name in ("no audio", "no video") if name in line) for line in sorted(said())] == [
        "no audio",
        "no video",
    ]
    nothing = processor(video=[folder / "silent.mp4"])
    assert nothing["input_values"].tolist() == [[0]] and nothing["input_values_mask"].tolist() == [[0]]


def test_long_clips_are_cut_and_it_is_said_once(folder, said):
    processor = clip_processor(max_video_length=7, max_audio_length=10)
    for _ in range(2):
        batch = processor(video=[folder / "short.mp4", folder / "long.webm"])
    assert batch["pixel_values_mask"].sum(1).tolist() == [6, 7]
    assert sorted(said()) == [
        "audio is cut to max_audio_length=10 steps where it is longer.",
        "video is cut to max_video_length=7 frames where it is longer.",
    ]
    clips = {name: value for name, value in batch.items() if name.startswith(("pixel", "input_values"))}
    encoded = tiny_media_encoder()(**clips)
    assert encoded.audio_attention_mask.sum(1).tolist() == [10, 10]
    assert len(processor.decode(folder / "long.webm").frames) == 7


def test_a_clip_of_just_the_kept_length_is_not_said_to_be_cut(folder, said):
    samples = np.zeros(85 + 9 * 80 + 79, dtype=np.float32)  # what is left over makes no eleventh step
    frames = np.zeros((6, 32, 32, 3), dtype=np.uint8)
    clip_processor(max_video_length=6, max_audio_length=10)(video=frames, audio=samples, sampling_rate=16000)
    assert said() == []


def test_features_of_one_modality_and_a_clip_of_the_other(folder):
    processor = clip_processor()
    batch = processor(text="oh", video=folder / "short.mp4", audio_features=np.zeros((3, 12)))
    assert "pixel_values" in batch and "audio_features" in batch and "input_values" not in batch
    model = tiny_clip_model()
    model.attach_media_encoder(tiny_media_encoder())
    assert torch.isfinite(model(**batch).logits).all()


def test_one_processor_call_and_one_model_call_take_a_clip_whole(folder, tmp_path):
    model, processor = tiny_clip_model(), clip_processor()
    model.attach_media_encoder(tiny_media_encoder())
    inputs = processor(text="oh, great.", video=str(folder / "short.mp4"), return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits
        features = tiny_media_encoder()(**processor.clip_inputs([processor.decode(folder / "short.mp4")]))
        text = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        torch.testing.assert_close(logits, model(**text, **features).logits)
        processor.save_pretrained(tmp_path)
        model.save_pretrained(tmp_path)
        loaded = type(model).from_pretrained(tmp_path)
        again = AutoProcessor.from_pretrained(tmp_path)(text="oh, great.", video=str(folder / "short.mp4"))
        assert all(torch.equal(again[name], inputs[name]) for name in inputs)
        torch.testing.assert_close(loaded(**again).logits, logits, atol=1e-6, rtol=1e-5)


def test_only_what_the_model_has_parts_for_is_read(folder):
    video_only = clip_processor(audio_feature_size=None)(video=folder / "short.mp4")
    assert "pixel_values" in video_only and "input_values" not in video_only
    audio_only = clip_processor(video_feature_size=None, frame_rate=None)(video=folder / "short.mp4")
    assert "input_values" in audio_only and "pixel_values" not in audio_only


def test_numpy_batches(folder):
    batch = clip_processor()(text="no way", video=folder / "short.mp4", return_tensors="np")
    assert all(isinstance(value, np.ndarray) for value in batch.values())


def test_limits_and_damage_are_the_decoders_errors(folder):
    with pytest.raises(MediaLimitError, match="max_duration"):
        clip_processor()(video=folder / "short.mp4", limits=MediaLimits(max_duration=0.5))
    with pytest.raises(UnreadableMediaError):
        clip_processor()(video=b"not a clip")


def test_a_features_only_processor_says_what_is_missing(folder):
    processor = AmessProcessor(tiny_tokenizer(), video_feature_size=16, audio_feature_size=12)
    with pytest.raises(ValueError, match="attach_media_encoder"):
        processor(text="oh", video=folder / "short.mp4")
    assert not any(name.startswith(("pixel", "input_values")) for name in processor.model_input_names)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"audio": np.zeros(900)}, "sampling_rate in Hz"),
        ({"audio": [np.zeros((2, 900))], "sampling_rate": 16000}, r"shape \(2, 900\).*mean over the channels"),
        ({"audio": np.zeros(900), "sampling_rate": 44100.5}, "sampling_rate=44100.5"),
        ({"audio": {"array": np.zeros(900), "sampling_rate": 16000}, "sampling_rate": 8000}, "16000"),
        ({"audio": np.full(900, np.nan), "sampling_rate": 16000}, "NaN"),
        ({"audio": np.zeros(900), "sampling_rate": 0}, "sampling_rate=0"),
        ({"video": np.full((2, 8, 8, 3), 200.0)}, "float64.*uint8"),
        ({"video": np.full((2, 8, 8, 3), 256)}, "int64.*uint8"),
        ({"video": [[np.zeros((8, 8, 3), dtype=np.uint8), np.zeros((8, 9, 3), dtype=np.uint8)]]}, r"\(8, 9, 3\)"),
        ({"video": np.zeros((8, 8, 3), dtype=np.uint8)}, r"\(8, 3\)"),
        ({"video": np.zeros((2, 8, 8, 3), dtype=np.uint8), "frame_rate": -1.0}, "frame_rate=-1.0"),
        ({"text": ["a", "b"], "video": [None]}, "2 texts but 1 video"),
        ({"video": [None], "video_features": [None]}, "video and video_features"),
        ({"audio": [None], "audio_features": [None]}, "audio and audio_features"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_inputs_are_named(inputs, message):
    with pytest.raises(ValueError, match=message):
        clip_processor()(**inputs)


def test_half_of_the_preprocessing_is_refused():
    with pytest.raises(ValueError, match="image_size"):
        AmessProcessor(tiny_tokenizer(), video_feature_size=16, frame_rate=6.0)


def test_frames_of_no_length_are_a_missing_modality():
    batch = clip_processor()(video=Clip(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0), None, 16000, 0.0))
    assert batch["pixel_values_mask"].tolist() == [[0]] and batch["input_values_mask"].tolist() == [[0]]


def test_without_pyav_texts_features_and_arrays_still_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # as where it is not installed
    monkeypatch.setattr(modeling_amess, "media_amess", modeling_amess.media_amess)
    monkeypatch.delitem(sys.modules, "modeling_amess.media_amess")
    processor = clip_processor()
    assert processor(text="oh", video_features=np.zeros((3, 16)))["video_features"].shape == (1, 3, 16)
    frames, sound = np.zeros((4, 9, 9, 3), dtype=np.uint8), np.zeros(900, dtype=np.float32)
    batch = processor(text="oh", video=frames, audio=sound, sampling_rate=16000)
    assert batch["pixel_values"].shape == (1, 4, 3, 32, 32) and batch["input_values"].shape == (1, 900)
    for needs_it in ({"video": b"clip"}, {"audio": sound, "sampling_rate": 8000}):
        with pytest.raises(ImportError, match="pip install av"):
            processor(**needs_it)
