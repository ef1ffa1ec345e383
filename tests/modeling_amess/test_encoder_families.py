# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Every family of frozen encoders: features do not depend on the batch, and saved encoders give the same ones."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from transformers import AutoModel as AnyModel
from transformers import (
    CLIPConfig,
    CLIPVisionConfig,
    ConvNextConfig,
    Dinov2Config,
    HubertConfig,
    PreTrainedConfig,
    SiglipConfig,
    SiglipVisionConfig,
    SwinConfig,
    ViTConfig,
    Wav2Vec2Config,
    WavLMConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from modeling_amess import AmessConfig, AmessForIntentClassification, AmessMediaEncoder
from modeling_amess.media_encoder_amess import FAMILIES, MODEL_TYPES, Pooling, default_preprocessing


_VIT = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
_STAGES = {"image_size": 32, "patch_size": 4, "depths": [1, 1]}
_WAVES = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [16, 16],
    "conv_kernel": [10, 4],
    "conv_stride": [5, 4],
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 2,
}
CONFIGS: dict[str, PreTrainedConfig] = {
    "swin": SwinConfig(**_STAGES, embed_dim=12, num_heads=[2, 2], window_size=4),
    "convnext": ConvNextConfig(**_STAGES, hidden_sizes=[12, 24], num_stages=2),
    "vit": ViTConfig(**_VIT),
    "dinov2": Dinov2Config(**_VIT),
    "clip_vision_model": CLIPVisionConfig(**_VIT),
    "siglip_vision_model": SiglipVisionConfig(**_VIT),
    "wavlm": WavLMConfig(**_WAVES),
    "wav2vec2": Wav2Vec2Config(**_WAVES, feat_extract_norm="layer", do_stable_layer_norm=True),
    "hubert": HubertConfig(**_WAVES),
    "whisper": WhisperConfig(
        d_model=24,
        encoder_layers=3,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_mel_bins=20,
        max_source_positions=100,
        vocab_size=50,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    ),
}
SOUND = [name for name in CONFIGS if FAMILIES[name].modality == "audio"]
PICTURE = [name for name in CONFIGS if FAMILIES[name].modality == "video"]
# Layers of one size, of which any can be the feature.
STACKED = [name for name in CONFIGS if FAMILIES[name].layers is not None]


def new_model(name: str):
    """A tiny random model of a family, whole where the library has wholes."""
    torch.manual_seed(0)
    model = AnyModel.from_config(copy.deepcopy(CONFIGS[name]))
    for parameter in model.parameters():
        if parameter.dim() == 1:  # norms and biases that tell their places apart
            nn.init.normal_(parameter, mean=float(parameter.detach().mean()), std=0.2)
    return model.eval()


def new_encoder(name: str, pooling: str | None = None, **options) -> AmessMediaEncoder:
    modality = FAMILIES[name].modality
    return AmessMediaEncoder.from_models(
        **{f"{modality}_model": new_model(name), f"{modality}_pooling": pooling}, **options
    )


def clips(name: str) -> tuple[dict[str, torch.Tensor], list[dict[str, torch.Tensor]]]:
    """A padded batch and its rows one by one."""
    torch.manual_seed(1)
    if name in PICTURE:
        values, lengths, shape = "pixel_values", (3, 1, 2), (3, 3, 3, 32, 32)
    else:
        values, lengths, shape = "input_values", (4000, 1500, 2700), (3, 4000)
    batch = 0.1 * torch.randn(shape)
    mask = (torch.arange(shape[1]) < torch.tensor(lengths)[:, None]).long()
    rows = [{values: batch[row : row + 1, :length]} for row, length in enumerate(lengths)]
    batch = batch.masked_fill(mask.view(*mask.shape, *[1] * (batch.dim() - 2)) == 0, 9.0)  # padding that would show
    return {values: batch, f"{values}_mask": mask}, rows


def features_of(encoder: AmessMediaEncoder, inputs: dict[str, torch.Tensor]):
    output = encoder(**inputs)
    (modality,) = encoder.config.modalities
    return output[f"{modality}_features"], output[f"{modality}_attention_mask"]


def test_every_family_is_tested():
    named = {family: names for names, family in ((family.model_types, family) for family in FAMILIES.values())}
    assert all(set(names) & set(CONFIGS) for names in named.values())
    assert set(CONFIGS) <= {name for names in MODEL_TYPES.values() for name in names}


@pytest.mark.parametrize("name", CONFIGS)
def test_features_of_a_clip_depend_on_no_padding_and_no_other_clip(name):
    encoder = new_encoder(name)
    batch, rows = clips(name)
    features, mask = features_of(encoder, batch)
    assert features.shape[-1] == encoder.feature_size(FAMILIES[name].modality) == 24
    for row, alone in enumerate(rows):
        expected, real = features_of(encoder, alone)
        assert real.all() and mask[row].sum() == expected.shape[1]
        torch.testing.assert_close(features[row, : expected.shape[1]], expected[0], atol=2e-5, rtol=1e-4)
        assert not features[row, expected.shape[1] :].any()
    assert features.std() > 0.01


@pytest.mark.parametrize("name", CONFIGS)
def test_a_saved_encoder_gives_the_same_features_and_keeps_its_record(tmp_path, name):
    encoder = new_encoder(name)
    encoder.save_pretrained(tmp_path)
    inputs, _ = clips(name)
    for loaded in (AmessMediaEncoder.from_pretrained(tmp_path), pickle.loads(pickle.dumps(encoder))):
        assert loaded.record == encoder.record
        torch.testing.assert_close(features_of(loaded, inputs)[0], features_of(encoder, inputs)[0])


@pytest.mark.parametrize("name", CONFIGS)
def test_a_pretrained_folder_gives_the_encoder_of_the_model(tmp_path, name):
    model = new_model(name)
    model.save_pretrained(tmp_path)
    modality = FAMILIES[name].modality
    others = {other: None for other in ("video", "audio") if other != modality}
    encoder = AmessMediaEncoder.from_encoders_pretrained(**{modality: str(tmp_path)}, **others)
    inputs, _ = clips(name)
    torch.testing.assert_close(features_of(encoder, inputs)[0], features_of(new_encoder(name), inputs)[0])


@pytest.mark.parametrize("config", [CLIPConfig, SiglipConfig])
def test_the_picture_part_is_taken_out_of_a_model_of_two_parts(tmp_path, config):
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 60,
    }
    torch.manual_seed(0)
    whole = AnyModel.from_config(config(vision_config=_VIT, text_config=text)).eval()
    whole.save_pretrained(tmp_path)
    frames = torch.randn(1, 2, 3, 32, 32)
    expected = whole.vision_model(pixel_values=frames[0]).pooler_output
    for encoder in (
        AmessMediaEncoder.from_encoders_pretrained(video=str(tmp_path), audio=None),
        AmessMediaEncoder.from_models(video_model=whole),
    ):
        torch.testing.assert_close(encoder(pixel_values=frames).video_features[0], expected)


@pytest.mark.parametrize("name", STACKED)
def test_a_layer_is_chosen_by_its_number_and_later_ones_are_dropped(tmp_path, name):
    modality = FAMILIES[name].modality
    pooling = "hidden_states[2], mean" if modality == "video" else "hidden_states[2]"
    encoder = new_encoder(name, pooling)
    model = getattr(encoder, f"{modality}_model")
    assert encoder.record[modality]["pooling"] == pooling
    assert len(model.get_submodule(FAMILIES[name].layers)) == 2
    whole = FAMILIES[name].encoder_of(new_model(name))
    batch, rows = clips(name)
    if modality == "video":
        expected = whole(pixel_values=rows[0]["pixel_values"][0], output_hidden_states=True).hidden_states[2].mean(1)
    elif name == "whisper":
        sound = nn.functional.pad(rows[0]["input_values"][0], (0, 32000 - 4000)).numpy()
        extractor = WhisperFeatureExtractor(feature_size=20)
        mel = extractor(sound, sampling_rate=16000, return_tensors="pt", padding=False).input_features
        expected = whole(mel, output_hidden_states=True).hidden_states[2][0, :12]
    else:
        expected = whole(rows[0]["input_values"], output_hidden_states=True).hidden_states[2][0]
    features, _ = features_of(encoder, batch)
    torch.testing.assert_close(features[0], expected, atol=2e-5, rtol=1e-4)
    encoder.save_pretrained(tmp_path)
    torch.testing.assert_close(features_of(AmessMediaEncoder.from_pretrained(tmp_path), batch)[0], features)


@pytest.mark.parametrize("name", STACKED)
def test_layer_0_is_the_embeddings(name):
    modality = FAMILIES[name].modality
    encoder = new_encoder(name, "hidden_states[0], mean" if modality == "video" else "hidden_states[0]")
    whole = FAMILIES[name].encoder_of(new_model(name))
    _, rows = clips(name)
    if modality == "video":
        expected = whole(pixel_values=rows[0]["pixel_values"][0], output_hidden_states=True).hidden_states[0].mean(1)
        torch.testing.assert_close(features_of(encoder, rows[0])[0][0], expected, atol=2e-5, rtol=1e-4)
    elif name != "whisper":
        expected = whole(rows[0]["input_values"], output_hidden_states=True).hidden_states[0]
        torch.testing.assert_close(features_of(encoder, rows[0])[0], expected, atol=2e-5, rtol=1e-4)
    else:
        assert features_of(encoder, rows[0])[0].shape == (1, 12, 24)


@pytest.mark.parametrize("name", SOUND)
def test_the_mean_of_steps_takes_whole_groups_and_says_so_to_the_processor(name):
    one, four = new_encoder(name, "last_hidden_state"), new_encoder(name, "last_hidden_state, mean of 4")
    _, rows = clips(name)
    steps, _ = features_of(one, rows[0])
    means, _ = features_of(four, rows[0])
    groups = steps.shape[1] // 4
    torch.testing.assert_close(means, steps[:, : 4 * groups].unflatten(1, (groups, 4)).mean(2))
    settings = four.record["preprocessing"]
    step, window = settings["audio_step"], settings["audio_window"]
    assert step == 4 * one.record["preprocessing"]["audio_step"]
    for count in (1, 2, 3):
        longest = window + count * step - 1
        sound = 0.1 * torch.randn(1, longest)
        assert features_of(four, {"input_values": sound})[1].sum() == count
        assert features_of(four, {"input_values": torch.cat([sound, sound[:, :1]], 1)})[1].sum() == count + 1
    assert not features_of(four, {"input_values": torch.randn(1, window - 1)})[1].any()


def test_whisper_reads_a_sound_as_its_own_feature_extractor_pads_it():
    config = copy.deepcopy(CONFIGS["whisper"])
    config.max_source_positions = 1500
    torch.manual_seed(0)
    model = WhisperModel(config).eval()
    encoder = AmessMediaEncoder.from_models(audio_model=model, audio_pooling="last_hidden_state")
    sound = 0.1 * torch.randn(1, 20000)
    inputs = WhisperFeatureExtractor(feature_size=20)(sound[0].numpy(), sampling_rate=16000, return_tensors="pt")
    expected = model.encoder(inputs.input_features).last_hidden_state[:, : 20000 // 320]
    torch.testing.assert_close(encoder(input_values=sound).audio_features, expected)


def test_whisper_cuts_a_longer_sound_into_pieces_that_do_not_depend_on_each_other():
    encoder = new_encoder("whisper", "last_hidden_state")  # 100 positions of 320 samples
    sound = 0.1 * torch.randn(1, 70000)
    features = encoder(input_values=sound).audio_features
    assert features.shape[1] == 70000 // 320
    for start, end in ((0, 32000), (32000, 64000), (64000, 70000)):
        piece = encoder(input_values=sound[:, start:end]).audio_features
        torch.testing.assert_close(features[:, start // 320 : start // 320 + piece.shape[1]], piece)


@pytest.mark.parametrize("name", ["vit", "whisper"])
def test_a_projection_is_a_part_of_the_encoder_its_record_and_its_fingerprint(tmp_path, name):
    modality = FAMILIES[name].modality
    torch.manual_seed(2)
    projection = nn.Linear(24, 5)
    plain, projected = new_encoder(name), new_encoder(name, projections={modality: projection})
    assert projected.feature_size(modality) == 5
    assert projected.record[modality]["pooling"] == f"{plain.record[modality]['pooling']}, projected to 5"
    other = new_encoder(name, projections={modality: nn.Linear(24, 5)})
    assert len({made.record[modality]["revision"] for made in (plain, projected, other)}) == 3
    inputs, _ = clips(name)
    features, mask = features_of(projected, inputs)
    expected = projection(features_of(plain, inputs)[0]) * mask.unsqueeze(-1)
    torch.testing.assert_close(features, expected)
    model = AmessForIntentClassification(
        AmessConfig(
            text_config={
                "model_type": "bert",
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 16,
            },
            id2label={0: "Thank", 1: "Taunt"},
            fusion_num_attention_heads=2,
            use_semantic_synchronization=False,
            **{f"{kind}_feature_size": 5 if kind == modality else None for kind in ("video", "audio")},
        )
    ).eval()
    model.attach_media_encoder(projected)
    model.save_pretrained(tmp_path)
    loaded = AmessForIntentClassification.from_pretrained(tmp_path)
    words = {"input_ids": torch.tensor([[5, 6, 7]] * 3)}
    whole = loaded(**words, **inputs).logits
    parts = model(**words, **{f"{modality}_features": features, f"{modality}_attention_mask": mask}).logits
    torch.testing.assert_close(whole, parts)


@pytest.mark.parametrize("name", CONFIGS)
def test_autocast_to_a_shorter_type_gives_features_of_the_encoders_own_type(name):
    encoder = new_encoder(name)
    inputs, _ = clips(name)
    expected, _ = features_of(encoder, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        features, _ = features_of(encoder, inputs)
    assert features.dtype == torch.float32
    assert nn.functional.cosine_similarity(features[0], expected[0], dim=-1).min() > 0.98


@pytest.mark.parametrize(
    "text", ["pooler", "hidden_states", "hidden_states[-1]", "last_hidden_state, mean of 0", "mean of 4"]
)
def test_a_pooling_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match="Pooling"):
        Pooling.parse(text)


def test_a_layer_that_the_encoder_does_not_have_is_refused():
    with pytest.raises(ValueError, match="3 layers"):
        new_encoder("whisper", "hidden_states[4]")
    with pytest.raises(ValueError, match="different sizes"):
        new_encoder("swin", "hidden_states[1], mean")


def test_a_model_of_no_known_family_is_refused_with_the_families():
    with pytest.raises(ValueError, match="hubert"):
        default_preprocessing("audio", CONFIGS["vit"])
