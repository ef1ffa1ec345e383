# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A model tells clips that are unlike its training clips, and the pipeline warns, leaves them out or ignores it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, pipeline

from modeling_amess import AmessForIntentClassification, AmessProcessor
from modeling_amess.modeling_amess import MAX_FAMILIAR_CLIPS

from .tiny import tiny_batch, tiny_model, tiny_tokenizer


TASK = "multimodal-intent-recognition"
SIZES = {"video": 6, "audio": 5}
FAR = 50.0
"""Distance in deviations at which no training clip lies."""


def clip_means(number: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Mean features of clips of one kind."""
    generator = torch.Generator().manual_seed(seed)
    return {name: 2 + 3 * torch.randn(number, size, generator=generator) for name, size in SIZES.items()}


def model_with_clips(quantile: float = 0.97, **fields) -> AmessForIntentClassification:
    model = tiny_model(**fields).eval()
    model.set_familiar_clips(clip_means(60), clip_means(200, seed=1), quantile)
    return model


def batch_of(means: dict[str, torch.Tensor], frames: int = 3) -> dict[str, torch.Tensor]:
    """Clips whose features are constant, and so their own means."""
    return {f"{name}_features": values[:, None].repeat(1, frames, 1) for name, values in means.items()}


@pytest.fixture(scope="module")
def model() -> AmessForIntentClassification:
    return model_with_clips()


@pytest.fixture(scope="module")
def recognizer(model):
    processor = AmessProcessor(tiny_tokenizer(), video_feature_size=6, audio_feature_size=5)
    return pipeline(TASK, model=model, processor=processor, device="cpu")


def utterance(text: str = "oh, great.", video: float = 0.0, audio: float = 0.0, frames: int = 4) -> dict:
    """Features like those of training, moved by so many deviations."""
    means = clip_means(60)
    return {
        "text": text,
        "video_features": np.repeat(means["video"][:1].numpy() + 3 * video, frames, 0),
        "audio_features": np.repeat(means["audio"][:1].numpy() + 3 * audio, frames, 0),
    }


def test_a_training_clip_is_familiar_and_a_far_one_is_not(model):
    assert all(values.abs().max() < 1e-5 for values in model.unfamiliarity(batch_of(clip_means(60))).values())
    far = {name: values + 3 * FAR for name, values in clip_means(4, seed=2).items()}
    assert all(values.min() > 5 for values in model.unfamiliarity(batch_of(far)).values())


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.97])
def test_the_limit_is_the_quantile_of_the_held_out_clips(quantile):
    model = model_with_clips(quantile)
    for values in model.unfamiliarity(batch_of(clip_means(200, seed=1))).values():
        assert (values <= 1).float().mean() == pytest.approx(quantile, abs=0.006)


def test_units_and_padding_do_not_matter():
    scaled = tiny_model().eval()
    training, others = clip_means(60), clip_means(200, seed=1)
    factor = {"video": torch.tensor([0.5, 1.0, 2.0, 5.0, 1.0, 1.0]), "audio": torch.full((5,), 100.0)}
    scaled.set_familiar_clips(
        *({name: v * factor[name] for name, v in part.items()} for part in (training, others)), 0.9
    )
    plain = model_with_clips(0.9)
    clips = clip_means(8, seed=3)
    expected = plain.unfamiliarity(batch_of(clips))
    found = scaled.unfamiliarity(batch_of({name: values * factor[name] for name, values in clips.items()}))
    padded = {}
    for name, features in batch_of(clips).items():
        padded[name] = torch.nn.functional.pad(features, (0, 0, 0, 4), value=1e4)
        padded[name.replace("features", "attention_mask")] = torch.tensor([[1, 1, 1, 0, 0, 0, 0]] * 8)
    for name, values in plain.unfamiliarity(padded).items():
        torch.testing.assert_close(values, expected[name])
        torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-4)


def test_a_row_without_the_modality_is_neither(model):
    batch = batch_of(clip_means(2)) | {"video_attention_mask": torch.tensor([[1, 1, 1], [0, 0, 0]])}
    video = model.unfamiliarity(batch)["video"]
    assert not video[0].isnan() and video[1].isnan()
    assert model.unfamiliarity({"input_ids": torch.ones(1, 3)}) == {}


def test_of_many_clips_some_are_kept():
    model = tiny_model()
    model.set_familiar_clips(clip_means(MAX_FAMILIAR_CLIPS + 100), clip_means(50, seed=1), 0.9)
    assert model.config.familiar_clips == {"video": MAX_FAMILIAR_CLIPS, "audio": MAX_FAMILIAR_CLIPS}


def test_what_is_familiar_travels_with_the_checkpoint(model, tmp_path):
    model.save_pretrained(tmp_path)
    batch = batch_of(clip_means(5, seed=4))
    for loaded in (AmessForIntentClassification.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)):
        for name, values in loaded.unfamiliarity(batch).items():
            assert torch.equal(values, model.unfamiliarity(batch)[name])
    half = AmessForIntentClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    for name, values in half.unfamiliarity(batch).items():
        torch.testing.assert_close(values, model.unfamiliarity(batch)[name])


def test_other_labels_keep_what_is_familiar_because_clips_have_no_labels(model, tmp_path):
    model.save_pretrained(tmp_path)
    names = {0: "happy", 1: "sad"}
    other = AmessForIntentClassification.from_pretrained(tmp_path, id2label=names, ignore_mismatched_sizes=True)
    batch = batch_of(clip_means(5, seed=4))
    assert torch.equal(other.unfamiliarity(batch)["video"], model.unfamiliarity(batch)["video"])


def test_a_checkpoint_from_before_loads_and_says_that_nothing_was_compared(tmp_path, caplog):
    tiny_model().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for name in ("familiar_clips", "unsure_ratio", "known_clips"):
        del config[name]
    (tmp_path / "config.json").write_text(json.dumps(config))
    old = AmessForIntentClassification.from_pretrained(tmp_path)
    assert old.unfamiliarity(tiny_batch()) == {}
    processor = AmessProcessor(tiny_tokenizer(), video_feature_size=6, audio_feature_size=5)
    answer = pipeline(TASK, model=old, processor=processor, device="cpu")(utterance(video=FAR))
    assert answer["unfamiliar"] is None and answer["unfamiliarity"] == {}


def test_a_model_without_the_modality_leaves_its_clips_out(model, tmp_path):
    model.save_pretrained(tmp_path)
    without = AmessForIntentClassification.from_pretrained(tmp_path, video_feature_size=None)
    assert list(without.unfamiliarity(batch_of(clip_means(2)))) == ["audio"]


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ({}, []),
        ({"video": FAR}, ["video"]),
        ({"audio": FAR}, ["audio"]),
        ({"video": FAR, "audio": FAR}, ["video", "audio"]),
    ],
)
def test_the_answer_names_what_is_unfamiliar(recognizer, moved, expected):
    answer = recognizer(utterance(**moved))
    assert answer["unfamiliar"] == expected
    assert answer["modalities"] == ["text", "video", "audio"], "a warning leaves nothing out"
    assert [name for name, value in answer["unfamiliarity"].items() if value > 1] == expected


def test_an_unfamiliar_modality_is_left_out_on_request(recognizer):
    far = utterance(video=FAR)
    answer = recognizer(far, on_unfamiliar="leave_out")
    assert answer["unfamiliar"] == ["video"] and answer["modalities"] == ["text", "audio"]
    without = recognizer({name: value for name, value in far.items() if name != "video_features"})
    for one, other in zip(answer["intents"], without["intents"], strict=True):
        assert one["label"] == other["label"] and one["score"] == pytest.approx(other["score"], abs=1e-5)
    assert [one["modalities"] for one in answer["explanation"]["variants"]] == [["text"], ["text", "audio"]]


def test_the_others_of_a_batch_stay_as_they_are(recognizer):
    answers = recognizer([utterance(video=FAR), utterance(frames=6)], batch_size=2, on_unfamiliar="leave_out")
    assert [answer["modalities"] for answer in answers] == [["text", "audio"], ["text", "video", "audio"]]


def test_nothing_is_compared_on_request(recognizer):
    answer = recognizer(utterance(video=FAR), on_unfamiliar="ignore")
    assert answer["unfamiliar"] is None and answer["modalities"] == ["text", "video", "audio"]


def test_words_alone_are_never_unfamiliar(recognizer):
    answer = recognizer(text="oh, great.")
    assert answer["unfamiliar"] == [] and answer["unfamiliarity"] == {}


def test_an_input_of_which_nothing_is_left_is_refused(recognizer):
    far = utterance(text="", video=FAR, audio=FAR)
    assert recognizer(far)["unfamiliar"] == ["video", "audio"]
    with pytest.raises(ValueError, match="video and audio"):
        recognizer(far, on_unfamiliar="leave_out")


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_an_empty_input_is_refused(recognizer, text):
    with pytest.raises(ValueError, match="empty"):
        recognizer(text=text)
    with pytest.raises(ValueError, match="empty"):
        recognizer({"text": text, "video_features": np.zeros((0, 6))})


def test_another_choice_is_refused_with_the_choices(recognizer):
    with pytest.raises(ValueError, match="leave_out"):
        recognizer(utterance(), on_unfamiliar="panic")


def test_a_distance_is_a_number_of_json(recognizer):
    answer = recognizer(utterance(video=FAR))
    assert all(math.isfinite(value) for value in answer["unfamiliarity"].values())
    json.dumps(answer, allow_nan=False)


def test_sound_of_a_clip_counts_as_its_features(tmp_path: Path):
    """The media encoder's features are compared, so that a clip and its features have one answer."""
    from .clips import write_clip
    from .tiny_recognizer import recognizer_model, recognizer_processor

    model, processor = recognizer_model(), recognizer_processor()
    clip = write_clip(tmp_path / "clip.mp4")
    batch = processor(text="oh", video=clip, return_tensors="pt")
    encoded = model.encode_clips(batch)
    means = {name: encoded[f"{name}_features"].mean(1) for name in ("video", "audio")}
    others = {name: torch.cat([values - 0.1, values + 0.1]) for name, values in means.items()}
    model.set_familiar_clips(others, others, 1.0)
    recognizer = pipeline(TASK, model=model, processor=processor, device="cpu")
    from_clip = recognizer(str(clip), text="oh")
    from_features = recognizer({"text": "oh", **{f"{m}_features": encoded[f"{m}_features"][0] for m in means}})
    assert from_clip["unfamiliarity"] == pytest.approx(from_features["unfamiliarity"], rel=1e-4)
