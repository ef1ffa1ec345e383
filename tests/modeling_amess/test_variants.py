# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""An answer shows how it moves with the modalities, for the price of one pass; a verdict says what it is worth."""

import pytest
from huggingface_hub.errors import StrictDataclassClassValidationError
from hypothesis import given
from hypothesis import strategies as st
from transformers import pipeline

from .test_pipeline_amess import features, tiny_processor
from .tiny import OneHotEncoder, tiny_config, tiny_model


TASK = "multimodal-intent-recognition"
ALL = [["text"], ["text", "video"], ["text", "audio"], ["text", "video", "audio"]]


@pytest.fixture(scope="module")
def recognizer():
    return pipeline(TASK, model=tiny_model().eval(), processor=tiny_processor(), device="cpu")


@pytest.fixture
def batches(recognizer, monkeypatch) -> list[int]:
    """Sizes of the batches that go through the model from now on."""
    sizes: list[int] = []
    forward = recognizer.model.forward

    def counting(*arguments, **inputs):
        sizes.append(len(inputs["input_ids"]))
        return forward(*arguments, **inputs)

    monkeypatch.setattr(recognizer.model, "forward", counting)
    return sizes


def test_the_four_variants_are_one_batch_of_four(recognizer, batches):
    answer = recognizer({"text": "oh, great.", **features()})
    assert batches == [4]
    assert [one["modalities"] for one in answer["explanation"]["variants"]] == ALL
    assert next(iter(answer["explanation"])) == "variants"


def test_each_variant_is_the_answer_to_that_input(recognizer):
    whole = {"text": "oh, great.", **features()}
    variants = recognizer(whole)["explanation"]["variants"]
    for variant in variants:
        parts = {"text": whole["text"]} | {f"{m}_features": whole[f"{m}_features"] for m in variant["modalities"][1:]}
        alone = recognizer(parts)
        assert variant["label"] == alone["label"]
        assert variant["score"] == pytest.approx(alone["score"], abs=1e-5)
        assert [one["label"] for one in variant["intents"]] == [one["label"] for one in alone["intents"]]
    answer = recognizer(whole)
    assert (variants[-1]["label"], variants[-1]["score"]) == (answer["label"], answer["score"])


def test_a_modality_that_is_missing_has_no_variant(recognizer, batches):
    silent = {name: value for name, value in features().items() if name != "audio_features"}
    answers = recognizer([{"text": "oh", **silent}, {"text": "no way"}, {**features(), "text": ""}])
    shown = [[one["modalities"] for one in answer["explanation"]["variants"]] for answer in answers]
    assert shown == [ALL[:2], [["text"]], [["video"], ["audio"], ["video", "audio"]]]
    assert batches == [2, 1, 4]


def test_in_a_batch_each_input_has_its_own(recognizer, batches):
    inputs = [{"text": text, **features(seed=seed)} for seed, text in enumerate(("oh", "no way", "great"))]
    together = recognizer(inputs, batch_size=3)
    assert batches == [12]
    for answer, one in zip(together, inputs, strict=True):
        for variant, alone in zip(
            answer["explanation"]["variants"], recognizer(one)["explanation"]["variants"], strict=True
        ):
            assert variant["score"] == pytest.approx(alone["score"], abs=1e-5)


def test_without_variants_an_input_is_one_row(recognizer, batches):
    answer = recognizer({"text": "oh, great.", **features()}, variants=False)
    assert batches == [1] and answer["explanation"]["variants"] == []


def test_variants_among_intents_of_your_own():
    model = tiny_model().eval()
    recognizer = pipeline(
        TASK, model=model, processor=tiny_processor(), device="cpu", description_encoder=OneHotEncoder()
    )
    own = {"Reassure": ["To take away a worry."], "Boast": ["To speak proudly."]}
    answer = recognizer({"text": "oh", **features()}, candidate_labels=own)
    assert {one["label"] for one in answer["explanation"]["variants"]} <= set(own)
    assert answer["verdict"] is None and answer["out_of_scope_threshold"] is None and answer["unsure_between"] == []


@pytest.mark.parametrize(
    ("intents", "verdict"),
    [
        ([("Thank", 0.7), ("Taunt", 0.2)], "in_scope"),
        ([("Thank", 0.51), ("Taunt", 0.43)], "unsure"),  # the case of a user: 51 % and 43 % below 60 %
        ([("Thank", 0.5), ("Taunt", 0.2)], "out_of_scope"),  # together enough, but not close
        ([("Thank", 0.25), ("Taunt", 0.24)], "out_of_scope"),  # close, but not enough together
        ([("Thank", 0.51), ("UNK", 0.43)], "out_of_scope"),  # the rival is no intent
        ([("UNK", 0.9), ("Thank", 0.1)], "out_of_scope"),
    ],
)
def test_between_two_known_intents_the_verdict_is_unsure(intents, verdict):
    found, rivals = tiny_config(out_of_scope_threshold=0.6).verdict(intents)
    assert found == verdict
    assert rivals == (("Thank", "Taunt") if verdict == "unsure" else ())


@given(
    first=st.floats(0.01, 1),
    share=st.floats(0, 1),
    threshold=st.one_of(st.none(), st.floats(0, 1)),
    ratio=st.one_of(st.none(), st.floats(0.01, 1)),
    labels=st.permutations(["Thank", "Taunt", "UNK"]),
)
def test_the_verdict_refines_out_of_scope_and_never_contradicts_it(first, share, threshold, ratio, labels):
    second = min(first, 1 - first) * share
    config = CONFIG
    config.out_of_scope_threshold, config.unsure_ratio = threshold, ratio
    verdict, rivals = config.verdict([(labels[0], first), (labels[1], second)])
    assert (verdict == "in_scope") == (not config.is_out_of_scope(labels[0], first))
    assert (verdict == "unsure") == bool(rivals)
    if rivals:
        assert "UNK" not in rivals and first + second >= threshold > first and second >= ratio * first


CONFIG = tiny_config()


@pytest.mark.parametrize("ratio", [0.0, -1.0, 1.5])
def test_a_ratio_that_is_none_is_refused(ratio):
    with pytest.raises(StrictDataclassClassValidationError, match="unsure_ratio"):
        tiny_config(unsure_ratio=ratio)
