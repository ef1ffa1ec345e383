# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""TCL-MAP: its sequences, its loss, and that the label's encoder is a teacher only."""

from __future__ import annotations

import math

import pytest
import torch

from training.baselines.tcl_map import nt_xent
from training.baselines.tcl_map_prompt import insert_slots

from .tiny_baselines import build, make_batch, padded


def test_slots_stand_between_the_words_and_the_separator():
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    ids, mask, slots = insert_slots(ids, mask, 2, filler=4)
    assert ids.tolist() == [[2, 5, 6, 4, 4, 3], [2, 7, 4, 4, 3, 0]]
    assert mask.tolist() == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]]
    assert slots.tolist() == [[3, 4], [2, 3]]


def test_labels_become_their_word_pieces_filled_up(text_model):
    labels = {0: "hello my friend", 1: "bye"}
    fields = {"id2label": labels, "label2id": {name: index for index, name in labels.items()}, "label_length": 4}
    model = build("tcl_map", text_model, **fields)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "welcome", "hi", "bye"]
    assert model.config.mask_token_id == words.index("[MASK]")
    first, second = model.label_token_ids.tolist()
    assert first[0] == words.index("hello") and first[3] == words.index("[MASK]")
    assert second == [words.index("bye"), *[words.index("[MASK]")] * 3]
    unknown = build("tcl_map", text_model, label_filler="unk", **fields)  # as published
    assert unknown.label_token_ids[1].tolist() == [words.index("bye"), 1, 1, 1]
    with pytest.raises(ValueError, match="label_length=2"):
        build("tcl_map", text_model, **{**fields, "label_length": 2})


def test_the_labels_encoder_has_no_influence_on_the_logits(text_model):
    model = build("tcl_map", text_model)
    batch = make_batch()
    output = model(**batch)
    other = model(**dict(batch, labels=torch.tensor([1, 0, 2])))
    assert torch.equal(other.logits, output.logits)
    assert not torch.equal(other.contrastive_loss, output.contrastive_loss)
    with torch.no_grad():
        for parameter in model.label_model.parameters():
            parameter.fill_(float("nan"))
    assert torch.equal(model(**batch).logits, output.logits)
    assert torch.isnan(model(**batch).contrastive_loss)


def test_the_teacher_draws_the_classifiers_encoder_to_the_label(text_model):
    model = build("tcl_map", text_model)
    batch = make_batch()
    output = model(**batch)
    torch.testing.assert_close(output.loss, output.classification_loss + output.contrastive_loss)
    output.contrastive_loss.backward()
    for part in (model.text_model, model.label_model, model.prompt_generator, model.gate):
        assert any((value.grad != 0).any() for value in part.parameters() if value.grad is not None)
    assert model.classifier.weight.grad is None


def test_the_loss_is_invariant_to_padding_too(text_model):
    model = build("tcl_map", text_model)
    batch = make_batch()
    torch.testing.assert_close(model(**padded(batch, 3, 4, 5)).loss, model(**batch).loss, rtol=1e-4, atol=1e-5)


def test_nt_xent_by_hand():
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    # Each of the four has one positive of cosine 1 and two negatives of cosine 0; temperature 0.5.
    expected = -math.log(math.exp(2) / (math.exp(2) + 2))
    assert nt_xent(first, second, 0.5).item() == pytest.approx(expected, rel=1e-6)
    assert nt_xent(first[:1], second[:1], 0.5).item() == pytest.approx(0.0, abs=1e-6)


def features_of(model, batch, **changes):
    given = {**batch, **changes}
    names = ("video_features", "video_attention_mask", "audio_features", "audio_attention_mask")
    return model.read_features(batch["input_ids"], *(given[name] for name in names))


def slots_of(batch):
    """Mask of the sequence with its seven slots, and the places of the three of the prompt."""
    _, mask, slots = insert_slots(batch["input_ids"], batch["attention_mask"], 7, 4)
    return mask.bool(), slots[:, :3]


def literal_prompt(weights, context, frames, heads, layers):
    """The published prompt of one utterance, step by step.

    Args:
        weights: Weights of the generator by name.
        context: The context vectors, one per row.
        frames: Real frames of `"video"` and `"audio"`, one per row.
        heads, layers: Of the transformer.
    """

    def linear(name, values):
        return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name, values):
        centred = values - values.mean(-1, keepdim=True)
        centred = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return centred * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def align(name, sequence, queries):
        # A two-layer LSTM says to which step, or to none (the first), each frame belongs.
        size = weights[f"{name}.alignment.lstm.weight_hh_l0"].shape[1]
        lstm = torch.nn.LSTM(sequence.shape[1], size, num_layers=2).double()
        lstm.load_state_dict({key: weights[f"{name}.alignment.lstm.{key}"] for key in lstm.state_dict()})
        belongs = torch.softmax(lstm(sequence)[0], dim=-1)[:, 1:]
        steps = torch.stack([(belongs[:, step, None] * sequence).sum(0) for step in range(size - 1)])
        common, wanted = linear(f"{name}.step_projection", steps), linear(f"{name}.token_projection", queries)
        mixed = []
        for query in wanted:
            cosines = torch.stack([query @ step / (query.norm() * step.norm()) for step in common])
            weight = torch.softmax(weights[f"{name}.log_scale"].exp() * cosines, dim=0)
            weight = torch.relu(linear(f"{name}.gate.0", weight))
            mixed.append(torch.sigmoid(linear(f"{name}.gate.2", weight)) @ steps)
        return torch.stack(mixed)

    def positioned(values):
        size = values.shape[1]
        rates = [10000 ** (-index / (size // 2 - 1)) for index in range(size // 2)]
        places = range(1, len(values) + 1)
        rows = [[math.sin(place * r) for r in rates] + [math.cos(place * r) for r in rates] for place in places]
        return math.sqrt(size) * values + torch.tensor(rows, dtype=values.dtype)

    # 1. The context vectors choose among their own steps; what comes out chooses among the frames, and is dropped.
    choosing = align("context_alignment", context, context)
    read = {}
    for name, sequence in frames.items():
        read[name] = align(f"alignments.{name}", sequence, choosing)
        for part, step in enumerate((norm, linear, norm)):
            read[name] = step(f"projections.{name}.{part}", read[name])
    # 2. The raw context vectors, projected, are the queries; video gives the keys, audio the values.
    start = linear("context_projection.1", norm("context_projection.0", context))
    states, keys, values = positioned(start), positioned(read["video"]), positioned(read["audio"])
    for layer in range(layers):
        prefix = f"transformer.layers.{layer}"
        q, k, v = (
            linear(f"{prefix}.attention.{name}_proj", norm(f"{prefix}.attention_norm", part)).chunk(heads, dim=-1)
            for name, part in (("q", states), ("k", keys), ("v", values))
        )
        attended = []
        for head in range(heads):
            rows = []
            for place in range(len(context)):  # the future is hidden
                scores = k[head][: place + 1] @ q[head][place] / math.sqrt(q[head].shape[1])
                rows.append(torch.softmax(scores, dim=0) @ v[head][: place + 1])
            attended.append(torch.stack(rows))
        states = states + linear(f"{prefix}.attention.output", torch.cat(attended, dim=-1))
        inner = torch.relu(linear(f"{prefix}.feed_forward.0", norm(f"{prefix}.feed_forward_norm", states)))
        states = states + linear(f"{prefix}.feed_forward.3", inner)
    moved = linear("output.1", norm("output.0", norm("transformer.norm", states)))
    return start + weights["scale"] * moved


def test_the_prompt_is_the_published_one(text_model):
    model = build("tcl_map", text_model, fusion_num_layers=2).double()
    batch = make_batch()
    mask, slots = slots_of(batch)
    features = features_of(model, batch)
    found = model.prompt_generator(torch.zeros(3, 12, 16).double(), mask, slots, features)
    weights = {name: value.detach() for name, value in model.prompt_generator.state_dict().items()}
    frames = {name: values[0, present[0]] for name, (values, present) in features.items()}
    expected = literal_prompt(weights, weights["context"], frames, heads=2, layers=2)
    torch.testing.assert_close(found[0], expected, rtol=1e-5, atol=1e-5)
    # What the frames say is a good part of it.
    assert (found[0] - found[2]).abs().max() > 0.01


@pytest.mark.parametrize("queries", ["context", "tokens"])
def test_the_prompt_reads_video_and_audio_and_in_version_0_1_0_words(queries, text_model):
    model = build("tcl_map", text_model, prompt_queries=queries)
    batch = make_batch()
    mask, slots = slots_of(batch)
    text = torch.randn(3, 12, 16)

    def prompt(text, **changes):
        return model.prompt_generator(text, mask, slots, features_of(model, batch, **changes))

    start = prompt(text)
    assert start.shape == (3, 3, 16)
    for name in ("video_features", "audio_features"):
        changed = (prompt(text, **{name: batch[name] + 1}) - start).abs().amax((1, 2))
        assert changed[0] > 0 and changed[2] == 0  # row 2 has neither
    # Words after the prompt's own positions are not read.
    later = text.clone()
    later[0, -1] += 5
    assert torch.equal(prompt(later), start)
    earlier = text.clone()
    earlier[:, 1] += 5
    expected = [True, True, False] if queries == "tokens" else [False, False, False]
    assert ((prompt(earlier) - start).abs().amax((1, 2)) > 0).tolist() == expected
