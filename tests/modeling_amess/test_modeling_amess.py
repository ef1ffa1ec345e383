# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""AmessModel and AmessForIntentClassification: every switch runs, learns, saves, loads and complains clearly."""

import pytest
import torch
from transformers import BertModel, BertTokenizer, RobertaModel

from modeling_amess import AmessForIntentClassification, AmessModel

from .tiny import DESCRIPTIONS, LABELS, OneHotEncoder, tiny_batch, tiny_config, tiny_model


SWITCHES = [
    {},
    {"alignment": "ctc"},
    {"alignment": "conv1d"},
    {"alignment": "avg_pool"},
    {"anchor_score": "lowe"},
    {"anchor_score": "raw"},
    {"anchor_score": "ratio", "exclude_special_tokens": False},
    {"anchor_kind": "frames"},
    {"time_encoding": "none"},
    {"anchor_value_projection": False},
    {"text_input": "encoder"},
    {"fusion_residual": "inside"},
    {"fusion_residual": "none"},
    {"attention_residual": False},
    {"fusion_residual": "none", "attention_residual": False},
    {"use_anchor_embedding": False},
    {"use_semantic_synchronization": False},
    {"use_anchor_embedding": False, "use_semantic_synchronization": False},
    {"contrastive_form": "batch"},
    {"semantic_residual": True},
    {"semantic_logits": True},
    {"description_size": 16},
    {"pooling": "cls"},
    {"video_feature_size": None},
    {"audio_feature_size": None},
    {"video_feature_size": None, "audio_feature_size": None},
]


def batch_for(model, **sizes) -> dict:
    parts = model.config.modalities
    return {
        name: value
        for name, value in tiny_batch(**sizes).items()
        if name.split("_")[0] not in ("video", "audio") or name.split("_")[0] in parts
    }


@pytest.mark.parametrize("fields", SWITCHES, ids=str)
def test_every_switch_trains_all_parameters_and_reloads_exactly(fields, tmp_path):
    model = tiny_model(**fields)
    batch = batch_for(model)
    model.train()(**batch, labels=torch.tensor([0, 1, 2, 3])).loss.backward()
    idle = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert idle == [], "parameters without a gradient would stop distributed training"
    with torch.no_grad():
        expected = model.eval()(**batch).logits
        model.save_pretrained(tmp_path)
        loaded = AmessForIntentClassification.from_pretrained(tmp_path)
        assert torch.equal(loaded.eval()(**batch).logits, expected)
    assert loaded.config.label_descriptions == model.config.label_descriptions


@pytest.mark.parametrize("modalities", [(), ("video",), ("audio",), ("video", "audio")])
def test_any_set_of_modalities_beside_the_text_is_valid_input(modalities):
    model = tiny_model()
    names = ("input", "attention", *modalities)
    batch = {name: value for name, value in tiny_batch().items() if name.startswith(names)}
    output = model(**batch, labels=torch.tensor([0, 1, 2, 3]))
    assert output.logits.shape == (4, 4) and torch.isfinite(output.loss)


def test_autocast_training_step_is_finite():
    model = tiny_model().train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(**tiny_batch(), labels=torch.tensor([0, 1, 2, 3])).loss
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


def test_sdpa_and_eager_attention_agree():
    batch = tiny_batch()
    with torch.no_grad():
        sdpa, eager = (tiny_model(attn_implementation=kind)(**batch).logits for kind in ("sdpa", "eager"))
    torch.testing.assert_close(sdpa, eager, atol=1e-5, rtol=1e-4)


def test_hidden_states_and_attentions_on_request():
    model = tiny_model(attn_implementation="eager")
    output = model(**tiny_batch(), output_hidden_states=True, output_attentions=True)
    assert [state.shape for state in output.hidden_states] == [(4, 9, 32)] * 3
    assert [weights.shape for weights in output.attentions] == [(4, 4, 9, 9)] * 2
    assert output.audio_attentions.shape == (4, 4, 9, 11)


def test_word_embeddings_may_be_given_instead_of_ids():
    model = tiny_model()
    batch = tiny_batch()
    embedded = {name: value for name, value in batch.items() if name != "input_ids"}
    embedded["inputs_embeds"] = model.get_input_embeddings()(batch["input_ids"])
    with torch.no_grad():
        assert torch.equal(model(**embedded).logits, model(**batch).logits)


def test_tuple_output_begins_with_loss_or_logits():
    model = tiny_model()
    batch = tiny_batch()
    assert model(**batch, return_dict=False)[0].shape == (4, 4)
    assert model(**batch, labels=torch.tensor([0, 1, 2, 3]), return_dict=False)[0].dim() == 0


def save_text_encoder(folder, kind: str) -> torch.nn.Module:
    torch.manual_seed(3)
    encoder = {"bert": BertModel, "roberta": RobertaModel}[kind](tiny_config(kind).text_config)
    encoder.save_pretrained(folder)
    return encoder


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("alignment", ["none", "ctc", "conv1d", "avg_pool"])
def test_from_text_pretrained_keeps_the_encoder_and_fills_everything_else(tmp_path, kind, alignment):
    encoder = save_text_encoder(tmp_path, kind)
    model = AmessForIntentClassification.from_text_pretrained(
        str(tmp_path),
        video_feature_size=6,
        audio_feature_size=5,
        fusion_num_attention_heads=4,
        alignment=alignment,
        id2label={0: "Thank", 1: "Taunt"},
        label2id={"Thank": 0, "Taunt": 1},
    )
    kept = model.amess.text_model.state_dict()
    for name, value in encoder.state_dict().items():
        if not name.startswith("pooler."):
            assert torch.equal(kept[name], value), name
    for name, value in model.state_dict().items():
        assert torch.isfinite(value).all(), name
    new = model.new_parameter_names()
    assert "classifier.weight" in new and "amess.fusion.layer_norm.weight" in new
    assert not any("text_model" in name for name in new)


@pytest.mark.parametrize("scale", [0.1, 1.0, 7.0])
def test_what_eq_13_adds_starts_at_the_same_share_of_the_embeddings_whatever_their_size(tmp_path, scale):
    encoder = BertModel(tiny_config().text_config)
    with torch.no_grad():
        encoder.embeddings.LayerNorm.weight.mul_(scale)
    encoder.save_pretrained(tmp_path)
    model = AmessForIntentClassification.from_text_pretrained(
        str(tmp_path), video_feature_size=6, audio_feature_size=5, fusion_num_attention_heads=4, fusion_gain=0.25
    ).eval()
    batch = tiny_batch()
    mask = batch["attention_mask"].bool()
    features = {
        name: (batch[f"{name}_features"], batch[f"{name}_attention_mask"].bool()) for name in ("video", "audio")
    }
    with torch.no_grad():
        text = model.amess.text_model.embeddings(input_ids=batch["input_ids"])
        added = model.amess.fusion(text, mask, features)[0] - text
    assert (added.square().mean() / text.square().mean()).sqrt().item() == pytest.approx(0.25, rel=0.05)


def test_inside_the_layer_norm_of_eq_13_starts_from_that_of_the_embeddings(tmp_path):
    encoder = save_text_encoder(tmp_path, "bert")
    torch.nn.init.uniform_(encoder.embeddings.LayerNorm.weight)
    encoder.save_pretrained(tmp_path)
    model = AmessForIntentClassification.from_text_pretrained(
        str(tmp_path), fusion_residual="inside", fusion_num_attention_heads=4
    )
    assert torch.equal(model.amess.fusion.layer_norm.weight, encoder.embeddings.LayerNorm.weight)


def test_from_text_pretrained_can_keep_the_first_layers_only(tmp_path):
    encoder = save_text_encoder(tmp_path, "bert")
    model = AmessForIntentClassification.from_text_pretrained(
        str(tmp_path), num_text_layers=1, fusion_num_attention_heads=4
    )
    assert len(model.amess.text_model.encoder.layer) == model.config.num_hidden_layers == 1
    assert torch.equal(
        model.amess.text_model.encoder.layer[0].attention.self.query.weight,
        encoder.encoder.layer[0].attention.self.query.weight,
    )
    with pytest.raises(ValueError, match="num_text_layers=3"):
        AmessForIntentClassification.from_text_pretrained(str(tmp_path), num_text_layers=3)


def test_with_two_encoders_both_start_from_the_pretrained_weights(tmp_path):
    encoder = save_text_encoder(tmp_path, "bert")
    model = AmessForIntentClassification.from_text_pretrained(
        str(tmp_path), text_input="encoder", fusion_num_attention_heads=4
    )
    weight = encoder.encoder.layer[1].output.dense.weight
    assert torch.equal(model.amess.multimodal_encoder.layer[1].output.dense.weight, weight)
    assert torch.equal(model.amess.text_model.encoder.layer[1].output.dense.weight, weight)
    assert not any("multimodal_encoder" in name for name in model.new_parameter_names())


@pytest.mark.parametrize(
    "fields", [{}, {"semantic_logits": True}, {"alignment": "ctc"}, {"text_input": "encoder"}], ids=str
)
def test_weights_missing_from_a_checkpoint_are_initialised_not_left_to_chance(fields, tmp_path):
    """transformers builds on the meta device: a weight that `_init_weights` does not fill would be garbage."""
    torch.manual_seed(0)
    AmessModel(tiny_config(**fields)).save_pretrained(tmp_path)
    model = AmessForIntentClassification.from_pretrained(tmp_path)
    for name, value in model.state_dict().items():
        assert torch.isfinite(value).all() and value.abs().max() < 100, name
    assert model.label_description_mask.sum() == 0
    if model.config.semantic_logits:
        assert model.semantic_scale.item() == 10


def test_the_base_model_loads_from_a_classifier_and_the_other_way_round(tmp_path):
    model = tiny_model()
    model.save_pretrained(tmp_path)
    base = AmessModel.from_pretrained(tmp_path).eval()
    batch = tiny_batch()
    with torch.no_grad():
        assert torch.equal(base(**batch).semantic_embedding, model(**batch).semantic_embedding)


def test_new_descriptions_replace_the_old_ones_and_are_saved(tmp_path):
    model = tiny_model()
    more = {label: [*texts, "One more.", "And another."] for label, texts in DESCRIPTIONS.items()}
    model.set_label_descriptions(more, encoder=OneHotEncoder())
    assert model.label_description_mask.sum(-1).tolist() == [4, 4, 3, 0]
    model.save_pretrained(tmp_path)
    loaded = AmessForIntentClassification.from_pretrained(tmp_path)
    assert loaded.config.num_descriptions == 4 and loaded.config.label_descriptions == more
    assert torch.equal(loaded.label_description_embeddings, model.label_description_embeddings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video_features": torch.zeros(4, 7, 8)}, r"video_features have shape \(4, 7, 8\).*\(4, frames, 6\)"),
        ({"video_features": torch.zeros(3, 7, 6)}, r"video_features have shape \(3, 7, 6\)"),
        ({"audio_features": torch.zeros(4, 0, 5)}, "at least one"),
        ({"audio_attention_mask": torch.ones(4, 3)}, r"audio_attention_mask has shape \(4, 3\).*\(4, 11\)"),
        ({"input_ids": None}, "exactly one of input_ids"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_inputs_that_do_not_fit_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        tiny_model()(**(tiny_batch() | change))


def test_features_of_a_part_that_the_model_lacks_are_refused():
    with pytest.raises(ValueError, match="no video part"):
        tiny_model(video_feature_size=None)(**tiny_batch())


def test_more_frames_than_conv1d_has_weights_for_are_refused():
    with pytest.raises(ValueError, match="max_video_length"):
        tiny_model(alignment="conv1d")(**tiny_batch(video=21))


def test_labels_are_the_configs():
    model = tiny_model()
    assert [model.config.id2label[i] for i in range(4)] == list(LABELS)
    assert model.classifier.out_features == 4


def test_a_tokenizer_of_the_encoder_feeds_it():
    tokenizer = BertTokenizer(vocab={"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "oh": 5})
    output = tiny_model()(**tokenizer(["oh", "oh oh oh"], padding=True, return_tensors="pt"))
    assert output.logits.shape == (2, 4)
