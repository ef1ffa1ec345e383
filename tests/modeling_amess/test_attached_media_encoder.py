# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A model with its media encoder attached takes clips whole, and so do its checkpoints."""

import pytest
import torch

from modeling_amess import AmessForIntentClassification, AmessMediaEncoder, AmessModel

from .tiny import tiny_audio_model, tiny_batch, tiny_clip_model, tiny_clips, tiny_media_encoder, tiny_video_model


def attached(**fields) -> AmessForIntentClassification:
    model = tiny_clip_model(**fields)
    model.attach_media_encoder(tiny_media_encoder())
    return model


def text(batch: int = 3) -> dict:
    """Texts alone, of different lengths."""
    return {name: value for name, value in tiny_batch(batch=batch).items() if name in ("input_ids", "attention_mask")}


def test_a_clip_gives_what_its_features_give():
    model, clips = attached(), tiny_clips()
    features = dict(tiny_media_encoder()(**clips))
    with torch.no_grad():
        torch.testing.assert_close(model(**text(), **clips).logits, model(**text(), **features).logits)


def test_rows_do_not_depend_on_each_other():
    model, clips = attached(), tiny_clips()
    with torch.no_grad():
        batched = model(**text(), **clips)
        for row in range(3):
            frames, samples = (clips[name][row].bool() for name in ("pixel_values_mask", "input_values_mask"))
            alone = model(
                **{name: value[row : row + 1] for name, value in text().items()},
                pixel_values=clips["pixel_values"][row][None, frames],
                input_values=clips["input_values"][row][None, samples],
            )
            torch.testing.assert_close(batched.logits[row], alone.logits[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("frames", "samples", "left"),
    [((0,) * 3, (900, 1200, 800), "input"), ((4, 2, 3), (0,) * 3, "pixel"), ((4, 2, 3), (10, 80, 84), "pixel")],
    ids=["no video", "no audio", "too short a sound"],
)
def test_a_clip_without_a_modality_is_text_and_the_other_one(frames, samples, left):
    model, clips = attached(), tiny_clips(frames, samples)
    with torch.no_grad():
        expected = model(**text(), **{name: value for name, value in clips.items() if name.startswith(left)}).logits
        torch.testing.assert_close(model(**text(), **clips).logits, expected, atol=1e-6, rtol=1e-5)
        nothing = model(**text(), **tiny_clips((0,) * 3, (0,) * 3)).logits
        torch.testing.assert_close(nothing, model(**text()).logits, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("loaded_class", [AmessForIntentClassification, AmessModel])
def test_the_checkpoint_takes_clips(loaded_class, tmp_path):
    model, inputs = attached(), {**text(), **tiny_clips()}
    model.save_pretrained(tmp_path)
    loaded = loaded_class.from_pretrained(tmp_path)
    with torch.no_grad():
        expected, found = model(**inputs).semantic_embedding, loaded(**inputs).semantic_embedding
    assert torch.equal(found, expected)
    encoder = getattr(loaded, "amess", loaded).media_encoder
    for kind in ("named_parameters", "named_buffers"):
        values = dict(getattr(encoder, kind)())
        for name, value in getattr(model.amess.media_encoder, kind)():
            assert torch.equal(values[name], value), name
    assert loaded.config.media_encoder == tiny_media_encoder().record


def test_the_base_models_checkpoint_takes_clips_too(tmp_path):
    base, inputs = attached().amess, {**text(), **tiny_clips()}
    base.save_pretrained(tmp_path)
    with torch.no_grad():
        expected = base(**inputs).semantic_embedding
        for loaded in (AmessModel.from_pretrained(tmp_path), AmessForIntentClassification.from_pretrained(tmp_path)):
            assert torch.equal(loaded(**inputs).semantic_embedding, expected)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_an_attention_implementation_may_be_asked_for(implementation, tmp_path):
    """WavLM has no SDPA: a request to the whole model must not fail there."""
    model, inputs = attached(), {**text(), **tiny_clips()}
    model.save_pretrained(tmp_path)
    loaded = AmessForIntentClassification.from_pretrained(tmp_path, attn_implementation=implementation)
    with torch.no_grad():
        torch.testing.assert_close(loaded(**inputs).logits, model(**inputs).logits, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_an_encoder_takes_over_the_precision_of_the_model_that_it_is_attached_to(dtype):
    model, inputs = attached(), {**text(), **tiny_clips()}
    half = tiny_clip_model().to(dtype)
    half.attach_media_encoder(tiny_media_encoder())
    assert {parameter.dtype for parameter in half.amess.media_encoder.parameters()} == {dtype}
    with torch.no_grad():
        torch.testing.assert_close(half(**inputs).logits.float(), model(**inputs).logits, atol=0.1, rtol=0.1)


def test_training_leaves_the_encoder_alone():
    model, bare = attached(), tiny_clip_model()
    before = {name: value.clone() for name, value in model.amess.media_encoder.state_dict().items()}
    model.train()
    assert model.training and not model.amess.media_encoder.video_model.training
    model(**text(), **tiny_clips(), labels=torch.tensor([0, 1, 2])).loss.backward()
    assert not any(parameter.grad is not None for parameter in model.amess.media_encoder.parameters())
    torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1).step()
    after = model.amess.media_encoder.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    # An optimiser gets the same parameters as without the encoder.
    assert model.num_parameters(only_trainable=True) == bare.num_parameters()
    assert model.new_parameter_names() == bare.new_parameter_names()


def test_training_goes_on_from_a_checkpoint_without_loading_its_encoder(tmp_path, caplog):
    attached().save_pretrained(tmp_path)
    loaded, info = AmessForIntentClassification.from_pretrained(
        tmp_path, video_config=None, audio_config=None, output_loading_info=True
    )
    assert not hasattr(loaded.amess, "media_encoder") and not info["unexpected_keys"] and not info["missing_keys"]
    assert loaded.config.media_encoder == tiny_media_encoder().record
    loaded.attach_media_encoder(tiny_media_encoder())


def test_hidden_states_are_the_text_encoders(tmp_path):
    model = attached(attn_implementation="eager")
    output = model(**text(), **tiny_clips(), output_hidden_states=True, output_attentions=True)
    assert [state.shape for state in output.hidden_states] == [(3, 9, 32)] * 3
    assert output.video_attentions.shape == (3, 4, 9, 5)


def test_only_the_modalities_of_the_model_are_attached(tmp_path):
    model = tiny_clip_model(video_feature_size=None)
    model.attach_media_encoder(tiny_media_encoder())
    assert model.config.video_config is None and model.config.media_encoder["video"] is None
    assert set(model.config.media_encoder["preprocessing"]) == {
        "sampling_rate",
        "normalize_audio",
        "audio_step",
        "audio_window",
    }
    sound = {name: value for name, value in tiny_clips().items() if name.startswith("input")}
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        loaded = AmessForIntentClassification.from_pretrained(tmp_path)
        assert torch.equal(loaded(**text(), **sound).logits, model(**text(), **sound).logits)
    with pytest.raises(ValueError, match="no video encoder"):
        model(**text(), **tiny_clips())


def recorded(**changes) -> AmessForIntentClassification:
    """A features-only model that records the tiny encoder, or one that differs from it."""
    record = tiny_media_encoder().record
    for part, values in changes.items():
        record[part] = {**record[part], **values}
    return tiny_clip_model(media_encoder=record)


def test_the_recorded_encoder_is_accepted_under_another_name():
    model = recorded(video={"name": "org/another-name"}, audio={"name": "a/folder"})
    model.attach_media_encoder(tiny_media_encoder())
    assert model(**text(), **tiny_clips()).logits.shape == (3, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video": {"revision": "abc"}}, r"video: tiny-swin \(revision sha256:\w+, .* instead of tiny-swin .*abc"),
        ({"audio": {"pooling": "extract_features"}}, "audio: .*instead of tiny-wavlm .*extract_features"),
        ({"preprocessing": {"frame_rate": 3.0}}, "frame_rate: 6.0 instead of 3.0"),
        ({"preprocessing": {"normalize_audio": True}}, "normalize_audio: False instead of True"),
    ],
    ids=["revision", "pooling", "frame rate", "normalisation"],
)
def test_another_encoder_than_the_recorded_one_is_refused(changes, message):
    model = recorded(**changes)
    with pytest.raises(ValueError, match=message):
        model.attach_media_encoder(tiny_media_encoder())
    assert model.config.video_config is None, "a refused encoder leaves no trace"


def test_an_encoder_that_lacks_a_recorded_modality_is_refused():
    with pytest.raises(ValueError, match="video: none instead of tiny-swin"):
        recorded().attach_media_encoder(AmessMediaEncoder.from_models(None, tiny_audio_model()))


def test_an_encoder_of_other_sizes_is_refused():
    with pytest.raises(ValueError, match="video_feature_size"):
        tiny_clip_model(video_feature_size=6).attach_media_encoder(tiny_media_encoder())
    with pytest.raises(ValueError, match="modalities"):
        tiny_clip_model(video_feature_size=None).attach_media_encoder(
            AmessMediaEncoder.from_models(tiny_video_model())
        )


def test_a_model_without_encoder_says_which_one_to_attach():
    frames = {"pixel_values": torch.zeros(3, 1, 3, 32, 32)}
    with pytest.raises(ValueError, match="attach_media_encoder"):
        tiny_clip_model()(**text(), **frames)
    hub = {"name": "org/swin", "revision": "0123abc"}
    with pytest.raises(ValueError, match=r"org/swin \(revision 0123abc, .*video='org/swin', video_revision='0123abc'"):
        recorded(video=hub)(**text(), **frames)
    with pytest.raises(ValueError, match="tiny-wavlm"):
        recorded()(**text(), input_values=torch.zeros(3, 800))


def test_a_clip_and_its_features_together_are_refused():
    with pytest.raises(ValueError, match="pixel_values and video_features"):
        attached()(**text(), **tiny_clips(), video_features=torch.zeros(3, 2, 16))
    with pytest.raises(ValueError, match="input_values and audio_features"):
        attached()(**text(), **tiny_clips(), audio_features=torch.zeros(3, 2, 12))
