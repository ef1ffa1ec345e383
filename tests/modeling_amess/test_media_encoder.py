# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessMediaEncoder: the same features in any batch; frozen; saved; made of pretrained encoders."""

import json
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    BertModel,
    SwinForImageClassification,
    ViTImageProcessorPil,
    Wav2Vec2FeatureExtractor,
)

from modeling_amess import AmessMediaEncoder, AmessMediaEncoderConfig, AmessModel, __version__

from ..fakehub import FakeHub
from .tiny import tiny_audio_model, tiny_clips, tiny_media_encoder, tiny_model, tiny_video_model


AUDIO_KINDS = [("wavlm", "group"), ("wavlm", "layer"), ("wav2vec2", "group"), ("wav2vec2", "layer")]


def one_by_one(encoder: AmessMediaEncoder, clips: dict) -> list:
    """Each clip alone, without padding."""
    outputs = []
    for row in range(len(clips["pixel_values"])):
        frames, samples = (clips[name][row].bool() for name in ("pixel_values_mask", "input_values_mask"))
        outputs.append(
            encoder(clips["pixel_values"][row][None, frames], None, clips["input_values"][row][None, samples])
        )
    return outputs


@pytest.mark.parametrize(("model_type", "norm"), AUDIO_KINDS)
def test_a_clip_is_encoded_the_same_alone_and_in_a_padded_batch(model_type, norm):
    encoder, clips = tiny_media_encoder(model_type, norm), tiny_clips()
    # The content of padding must not matter.
    clips["pixel_values"][~clips["pixel_values_mask"].bool()] = 7.0
    clips["input_values"][~clips["input_values_mask"].bool()] = 7.0
    batched = encoder(**clips)
    for row, alone in enumerate(one_by_one(encoder, clips)):
        for modality in ("video", "audio"):
            mask = batched[f"{modality}_attention_mask"][row].bool()
            features = batched[f"{modality}_features"][row]
            torch.testing.assert_close(features[mask], alone[f"{modality}_features"][0], atol=1e-5, rtol=1e-4)
            assert (features[~mask] == 0).all()


@pytest.mark.parametrize(("model_type", "norm"), AUDIO_KINDS)
def test_the_features_are_those_of_the_models_themselves(model_type, norm):
    video, audio = tiny_video_model().eval(), tiny_audio_model(model_type, norm).eval()
    encoder, clips = AmessMediaEncoder.from_models(video, audio), tiny_clips((4,), (1600,))
    output = encoder(**clips)
    with torch.no_grad():
        torch.testing.assert_close(output.video_features[0], video(clips["pixel_values"][0]).pooler_output)
        torch.testing.assert_close(output.audio_features, audio(clips["input_values"]).last_hidden_state)


def test_many_frames_and_long_sounds_go_through_in_parts(monkeypatch):
    encoder, clips = tiny_media_encoder(), tiny_clips((9, 5, 7), (4000, 2000, 3000))
    whole = encoder(**clips)
    monkeypatch.setattr(encoder, "frames_per_forward", 4)
    monkeypatch.setattr("modeling_amess.media_encoder_amess._AUDIO_ATTENTION_CELLS", 50**2)
    parts = encoder(**clips)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, atol=1e-5, rtol=1e-4)


def test_what_a_clip_lacks_is_masked():
    encoder = tiny_media_encoder()
    # 84 samples are one too few for a step.
    output = encoder(**tiny_clips((2, 0, 1), (0, 84, 85)))
    assert output.video_attention_mask.tolist() == [[1, 1], [0, 0], [1, 0]]
    assert output.audio_attention_mask.tolist() == [[0], [0], [1]]
    nothing = encoder(**tiny_clips((0, 0), (0, 20)))
    assert nothing.video_features.shape == (2, 1, 16) and nothing.audio_features.shape == (2, 1, 12)
    assert nothing.video_attention_mask.sum() == nothing.audio_attention_mask.sum() == 0
    no_frames = encoder(pixel_values=torch.zeros(2, 0, 3, 32, 32))
    assert no_frames.video_attention_mask.tolist() == [[0], [0]] and no_frames.audio_features is None


def test_it_is_frozen_and_never_in_training_mode(tmp_path):
    encoder = tiny_media_encoder()
    encoder.save_pretrained(tmp_path)
    for made in (encoder, AmessMediaEncoder.from_pretrained(tmp_path)):
        made.train()
        assert not any(module.training for module in made.modules())
        assert not any(parameter.requires_grad for parameter in made.parameters())
        output = made(**tiny_clips())
        assert not output.video_features.requires_grad and not output.audio_features.requires_grad


@pytest.mark.parametrize(("model_type", "norm"), AUDIO_KINDS)
def test_every_parameter_and_buffer_survives_saving(model_type, norm, tmp_path):
    """Loading builds on the meta device: weight norms and buffers that are not saved could come back as garbage."""
    encoder, clips = tiny_media_encoder(model_type, norm), tiny_clips()
    encoder.save_pretrained(tmp_path)
    loaded = AmessMediaEncoder.from_pretrained(tmp_path)
    for kind in ("named_parameters", "named_buffers"):
        expected, found = dict(getattr(encoder, kind)()), dict(getattr(loaded, kind)())
        assert expected.keys() == found.keys() and expected
        for name, value in expected.items():
            assert torch.equal(found[name], value), name
    first, second = encoder(**clips), loaded(**clips)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert loaded.record == encoder.record


def test_a_saved_encoder_has_a_configuration_of_its_own(tmp_path):
    encoder = tiny_media_encoder()
    encoder.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.py")) == ["configuration_amess.py", "media_encoder_amess.py"]
    content = json.loads((tmp_path / "config.json").read_text())
    assert content["model_type"] == "amess_media_encoder" and content["amess_version"] == __version__
    assert "text_config" not in content and content["record"] == encoder.record
    config, loaded = AutoConfig.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)
    assert type(config) is AmessMediaEncoderConfig and config.modalities == ("video", "audio")
    assert type(loaded) is AmessMediaEncoder and loaded.num_parameters() == encoder.num_parameters()


def test_an_encoder_and_a_model_are_not_taken_for_each_other(tmp_path):
    tiny_model().save_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match="AmessForIntentClassification"):
        AmessMediaEncoder.from_pretrained(tmp_path / "model")
    tiny_media_encoder().save_pretrained(tmp_path / "encoder")
    with pytest.raises(ValueError, match="AmessMediaEncoder"):
        AmessModel.from_pretrained(tmp_path / "encoder")


def test_an_encoder_of_one_modality(tmp_path):
    encoder = AmessMediaEncoder.from_models(audio_model=tiny_audio_model())
    assert encoder.record["video"] is None and "frame_rate" not in encoder.record["preprocessing"]
    encoder.save_pretrained(tmp_path)
    loaded = AmessMediaEncoder.from_pretrained(tmp_path)
    assert loaded(input_values=torch.randn(1, 800)).video_features is None
    with pytest.raises(ValueError, match="no video model"):
        loaded(pixel_values=torch.zeros(1, 1, 3, 32, 32))


def test_the_record_names_the_weights_and_the_preprocessing():
    encoder = tiny_media_encoder(frame_rate=4.0, normalize_audio=True)
    assert encoder.record == {
        "video": {"name": "tiny-swin", "revision": encoder.record["video"]["revision"], "pooling": "pooler_output"},
        "audio": {
            "name": "tiny-wavlm",
            "revision": encoder.record["audio"]["revision"],
            "pooling": "last_hidden_state",
        },
        "preprocessing": {
            "frame_rate": 4.0,
            "image_size": 32,
            "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225],
            "sampling_rate": 16000,
            "normalize_audio": True,
            "audio_step": 80,
            "audio_window": 85,
        },
    }
    revisions = {
        AmessMediaEncoder.from_models(tiny_video_model(seed)).record["video"]["revision"] for seed in (0, 0, 1)
    }
    assert len(revisions) == 2 and all(revision.startswith("sha256:") for revision in revisions)


def save_encoders(video: Path, audio: Path) -> None:
    """Save encoders as the Hub has them: a Swin with a classifier and a WavLM, with preprocessor_config.json."""
    model = tiny_video_model()
    classifier = SwinForImageClassification(model.config)
    classifier.swin.load_state_dict(model.state_dict(), strict=False)
    classifier.save_pretrained(video)
    ViTImageProcessorPil(
        size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4]
    ).save_pretrained(video)
    tiny_audio_model().save_pretrained(audio)
    Wav2Vec2FeatureExtractor(sampling_rate=8000, do_normalize=True).save_pretrained(audio)


def test_pretrained_encoders_come_from_folders_with_their_own_preprocessing(tmp_path):
    video, audio = tmp_path / "swin", tmp_path / "wavlm"
    save_encoders(video, audio)
    encoder = AmessMediaEncoder.from_encoders_pretrained(str(video), str(audio), frame_rate=3.0)
    clips = tiny_clips()
    expected, found = tiny_media_encoder()(**clips), encoder(**clips)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert encoder.record["preprocessing"] == {
        "frame_rate": 3.0,
        "image_size": 32,
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.3, 0.4],
        "sampling_rate": 8000,
        "normalize_audio": True,
        "audio_step": 80,
        "audio_window": 85,
    }
    assert encoder.record["video"]["name"] == str(video)
    # The same weights have the same fingerprint in any folder.
    assert encoder.record["audio"]["revision"] == tiny_media_encoder().record["audio"]["revision"]
    without = AmessMediaEncoder.from_encoders_pretrained(str(video), audio=None)
    assert without.record["audio"] is None and not hasattr(without, "audio_model")


def test_encoders_without_a_preprocessor_config_get_the_usual_preprocessing(tmp_path):
    tiny_video_model().save_pretrained(tmp_path)
    encoder = AmessMediaEncoder.from_encoders_pretrained(str(tmp_path), audio=None)
    assert encoder.record["preprocessing"] == AmessMediaEncoder.from_models(tiny_video_model()).record["preprocessing"]


def test_of_encoders_on_the_hub_the_commit_is_recorded(tmp_path, monkeypatch):
    """A branch moves: the record holds its commit, and the encoder loads at that commit again."""
    video, audio = tmp_path / "swin", tmp_path / "wavlm"
    save_encoders(video, audio)
    with FakeHub() as hub:
        hub.connect(monkeypatch, tmp_path)
        settings = {
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        }
        for name, value in settings.items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        api, commits = huggingface_hub.HfApi(), {}
        for name, folder in (("org/swin", video), ("org/wavlm", audio)):
            api.create_repo(name)
            commits[name] = api.upload_folder(repo_id=name, folder_path=folder).oid
        moved = api.upload_file(path_or_fileobj=b"moved on", path_in_repo="notes.txt", repo_id="org/wavlm").oid
        old = AmessMediaEncoder.from_encoders_pretrained(
            "org/swin", "org/wavlm", audio_revision=commits["org/wavlm"]
        ).record
        new = AmessMediaEncoder.from_encoders_pretrained(video=None, audio="org/wavlm").record
    assert old["video"] == {"name": "org/swin", "revision": commits["org/swin"], "pooling": "pooler_output"}
    assert old["audio"]["revision"] == commits["org/wavlm"] != new["audio"]["revision"] == moved
    assert old["preprocessing"]["image_mean"] == [0.4, 0.5, 0.6] and old["preprocessing"]["sampling_rate"] == 8000


def adapter() -> torch.nn.Module:
    model = tiny_audio_model()
    model.config.add_adapter = True
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AmessMediaEncoder.from_models(), "nothing to encode with"),
        (lambda: AmessMediaEncoder.from_models(tiny_audio_model()), "'wavlm' model; swin, .* models are supported"),
        (
            lambda: AmessMediaEncoder.from_models(
                None, BertModel(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9))
            ),
            "'bert' model; wavlm, wav2vec2",
        ),
        (lambda: AmessMediaEncoder.from_models(None, adapter()), "add_adapter"),
        (lambda: tiny_media_encoder(fps=3), r"Unknown preprocessing \['fps'\]"),
        (lambda: tiny_media_encoder()(), "Give pixel_values"),
        (lambda: tiny_media_encoder()(torch.zeros(1, 3, 32, 32)), r"\(batch, frames, 3, height, width\)"),
        (lambda: tiny_media_encoder()(input_values=torch.zeros(1, 800, 1)), r"\(batch, samples\) is needed"),
        (
            lambda: tiny_media_encoder()(input_values=torch.zeros(1, 800), input_values_mask=torch.ones(1, 9)),
            r"input_values_mask has shape \(1, 9\)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_work_is_refused_in_words(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_extracted_features_do_not_depend_on_the_order_of_clips():
    encoder, clips = tiny_media_encoder(), tiny_clips()
    order = np.array([2, 0, 1])
    first, second = encoder(**clips), encoder(**{name: value[order] for name, value in clips.items()})
    for name, value in first.items():
        torch.testing.assert_close(second[name], value[order], atol=1e-5, rtol=1e-4)
