# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Every family of text encoders: text alone is exactly the plain encoder, and a clip is added to its embeddings."""

from __future__ import annotations

import copy

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from torch import nn
from transformers import (
    AutoModel,
    BertConfig,
    DebertaV2Config,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedConfig,
    RobertaConfig,
    Trainer,
    TrainingArguments,
    XLNetConfig,
)

from modeling_amess import AmessConfig, AmessForIntentClassification
from modeling_amess.configuration_amess import TEXT_FAMILIES
from modeling_amess.modeling_amess import text_layers


_SIZE = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "pad_token_id": 1,
}
CONFIGS: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**_SIZE),
    "roberta": RobertaConfig(**_SIZE),
    "mpnet": MPNetConfig(**_SIZE),
    # As DeBERTa-v3 has it.
    "deberta-v2": DebertaV2Config(
        **_SIZE,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        position_buckets=8,
        position_biased_input=False,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        type_vocab_size=0,
    ),
    "modernbert": ModernBertConfig(
        **_SIZE, local_attention=4, global_attn_every_n_layers=2, cls_token_id=2, sep_token_id=3, bos_token_id=2
    ),
}
IDS = torch.tensor([[2, 9, 17, 33, 41, 12, 25, 3], [2, 11, 50, 3, 1, 1, 1, 1]])
MASK = (IDS != 1).long()


def new_model(name: str, **fields) -> AmessForIntentClassification:
    torch.manual_seed(0)
    config = AmessConfig(
        text_config=copy.deepcopy(CONFIGS[name]),
        id2label={0: "Thank", 1: "Taunt", 2: "Greet"},
        video_feature_size=6,
        audio_feature_size=5,
        fusion_num_attention_heads=2,
        **fields,
    )
    model = AmessForIntentClassification(config).eval()
    if config.use_semantic_synchronization:
        texts = {label: [f"To {label}."] for label in config.label_names}
        model.set_label_descriptions(texts, embeddings=torch.randn(3, 1, 16))
    return model


def clip(rows: int = 2) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])[:rows]
    return {
        "video_features": torch.randn(rows, 4, 6),
        "video_attention_mask": mask,
        "audio_features": torch.randn(rows, 4, 5),
        "audio_attention_mask": mask,
    }


def test_every_family_is_tested():
    assert {TEXT_FAMILIES[name] for name in CONFIGS} == set(TEXT_FAMILIES.values())


@pytest.mark.parametrize("name", CONFIGS)
def test_text_alone_is_the_plain_encoder(name):
    model = new_model(name)
    plain = AutoModel.from_config(copy.deepcopy(CONFIGS[name])).eval()
    plain.load_state_dict(model.amess.text_model.state_dict(), strict=False)
    ours = model.amess(input_ids=IDS, attention_mask=MASK, output_hidden_states=True)
    theirs = plain(input_ids=IDS, attention_mask=MASK, output_hidden_states=True)
    real = MASK.bool()
    torch.testing.assert_close(ours.last_hidden_state[real], theirs.last_hidden_state[real])
    assert len(ours.hidden_states) == len(theirs.hidden_states) == 4
    for mine, other in zip(ours.hidden_states, theirs.hidden_states, strict=True):
        torch.testing.assert_close(mine[real], other[real])
    words = model.get_input_embeddings()(IDS)
    if name == "roberta" or name == "mpnet":  # their positions come from the ids of padding
        words, ids, mask = words[:1], IDS[:1], MASK[:1]
    else:
        ids, mask = IDS, MASK
    torch.testing.assert_close(
        model.amess(inputs_embeds=words, attention_mask=mask).last_hidden_state,
        model.amess(input_ids=ids, attention_mask=mask).last_hidden_state,
    )


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("text_input", ["embeddings", "encoder"])
def test_a_row_depends_on_no_padding_and_no_other_row(name, text_input):
    model = new_model(name, text_input=text_input)
    both = model(input_ids=IDS, attention_mask=MASK, **clip()).logits
    alone = {key: value[1:, :2] for key, value in clip().items()}
    one = model(input_ids=IDS[1:, :4], attention_mask=MASK[1:, :4], **alone).logits
    torch.testing.assert_close(both[1:], one, atol=1e-5, rtol=1e-4)
    without = model(input_ids=IDS, attention_mask=MASK).logits
    assert (both - without).abs().max() > 1e-4, "the clip changes nothing"


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("text_input", ["embeddings", "encoder"])
def test_a_saved_model_gives_the_same_logits(tmp_path, name, text_input):
    model = new_model(name, text_input=text_input)
    model.save_pretrained(tmp_path)
    loaded, info = AmessForIntentClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    inputs = {"input_ids": IDS, "attention_mask": MASK, **clip()}
    torch.testing.assert_close(loaded(**inputs).logits, model(**inputs).logits)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_pretrained_encoder_starts_the_model_and_can_be_shortened(tmp_path, name):
    torch.manual_seed(3)
    plain = AutoModel.from_config(copy.deepcopy(CONFIGS[name])).eval()
    for module in plain.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.normal_(module.weight, 1.0, 0.1)
    plain.save_pretrained(tmp_path)
    fields = {"video_feature_size": 6, "audio_feature_size": 5, "fusion_num_attention_heads": 2}
    made = AmessForIntentClassification.from_text_pretrained(
        str(tmp_path), id2label={0: "Thank", 1: "Taunt"}, text_input="encoder", **fields
    ).eval()
    expected = plain(input_ids=IDS, attention_mask=MASK).last_hidden_state
    embedded = made.amess.text_family.embed(made.amess.text_model, MASK, input_ids=IDS)
    stack = made.amess.text_family.stack(made.amess.text_model)
    encoded = made.amess.text_family.encode(stack, made.config.text_config, embedded, MASK).last_hidden_state
    torch.testing.assert_close(encoded[MASK.bool()], expected[MASK.bool()])
    for mine, other in zip(text_layers(made.amess.text_model), text_layers(plain), strict=True):
        for key, value in other.state_dict().items():
            torch.testing.assert_close(mine.state_dict()[key], value)
    short = AmessForIntentClassification.from_text_pretrained(
        str(tmp_path), num_text_layers=2, id2label={0: "Thank", 1: "Taunt"}, **fields
    )
    assert len(text_layers(short.amess.text_model)) == 2
    assert "multimodal_encoder" not in dict(short.amess.named_children())


@pytest.mark.parametrize("name", CONFIGS)
def test_trainer_trains_every_part(tmp_path, name):
    model = new_model(name)
    before = copy.deepcopy(model.state_dict())
    rows = [
        {"input_ids": IDS[0], "attention_mask": MASK[0], "labels": torch.tensor(index % 3)}
        | {key: value[0] for key, value in clip().items()}
        for index in range(4)
    ]
    arguments = TrainingArguments(
        str(tmp_path), max_steps=2, per_device_train_batch_size=2, learning_rate=1e-2, use_cpu=True, report_to=[]
    )
    Trainer(model, arguments, train_dataset=rows).train()
    unchanged = {key for key, value in model.state_dict().items() if value.equal(before[key])}
    assert unchanged <= {key for key in before if "label_description" in key or "position" in key or "pooler" in key}


@pytest.mark.parametrize("clips", [{}, clip()], ids=["text alone", "with clips"])
@pytest.mark.parametrize("name", CONFIGS)
def test_attentions_come_where_the_encoder_gives_them(name, clips):
    model = new_model(name, attn_implementation="eager")
    by_argument = model(input_ids=IDS, attention_mask=MASK, **clips, output_attentions=True)
    model.config.output_attentions = True
    by_config = model(input_ids=IDS, attention_mask=MASK, **clips)
    for outputs in (by_argument, by_config):
        assert [tuple(weights.shape) for weights in outputs.attentions] == 3 * [(2, 2, 8, 8)]


@pytest.mark.parametrize("name", CONFIGS)
def test_some_hidden_states_are_those_of_all(name):
    model = new_model(name)
    every, some = (
        model(input_ids=IDS, attention_mask=MASK, **clip(), output_hidden_states=asked).hidden_states
        for asked in (True, [0, 2])
    )
    assert [state is not None for state in some] == [True, False, True, False]
    assert torch.equal(some[0], every[0]) and torch.equal(some[2], every[2])


def test_another_encoder_is_refused_with_those_that_work():
    # huggingface_hub's error, which holds ours
    with pytest.raises(StrictDataclassClassValidationError, match="modernbert"):
        AmessConfig(text_config=XLNetConfig(d_model=16, n_layer=1, n_head=2))
