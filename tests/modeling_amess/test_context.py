# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Dialogue context: the second text segment, from the processor through the model to the pipeline."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import RobertaTokenizer, pipeline

from modeling_amess import AmessProcessor

from .tiny import WORDS, tiny_model, tiny_tokenizer


UTTERANCES = st.lists(st.sampled_from(WORDS[5:]), max_size=20).map(" ".join)
PAD, CLS, SEP = WORDS.index("[PAD]"), WORDS.index("[CLS]"), WORDS.index("[SEP]")


def processor(context_utterances: int = 2, **lengths) -> AmessProcessor:
    lengths = {"max_text_length": 12, "max_context_length": 8} | lengths
    sizes = {"video_feature_size": 6, "audio_feature_size": 5}
    return AmessProcessor(tiny_tokenizer(), **sizes, context_utterances=context_utterances, **lengths)


def word_ids(text: str) -> list[int]:
    return [WORDS.index(word) for word in text.split()]


def test_the_context_follows_the_utterance_as_segment_1_in_the_order_of_speaking():
    batch = processor()(text="oh great", context=["thanks", "no way ."])
    assert batch["input_ids"].tolist() == [[CLS, *word_ids("oh great"), SEP, *word_ids("thanks no way ."), SEP]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 1, 1, 1]]
    assert batch["attention_mask"].tolist() == [[1] * 9]


def test_a_row_without_context_is_padded_and_nothing_else():
    alone = processor()(text="oh great")
    batch = processor()(text=["oh great", "no", "way", "no"], context=[None, "thanks a lot .", [], ["", "  "]])
    real = batch["attention_mask"][0].bool()
    for name in alone:
        assert torch.equal(batch[name][0][real], alone[name][0])
    assert batch["input_ids"][0][~real].unique().tolist() == [PAD]
    assert batch["attention_mask"].sum(-1).tolist() == [4, 8, 3, 3]


@settings(max_examples=60, deadline=None)
@given(text=UTTERANCES, context=st.lists(UTTERANCES, max_size=4), number=st.integers(1, 3), room=st.integers(1, 12))
def test_the_utterance_stays_whole_and_the_oldest_context_goes_first(text, context, number, room):
    read = processor(number, max_context_length=room)
    ids = read(text=text, context=context)["input_ids"][0].tolist()
    alone = read(text=text)["input_ids"][0].tolist()
    assert ids[: len(alone)] == alone
    said = word_ids(" ".join(context[-number:]))
    kept = said[max(len(said) - (room - 1), 0) :]  # one place is the separator's
    assert ids[len(alone) :] == ([*kept, SEP] if kept else [])


def test_a_cut_context_is_said_once(caplog):
    from transformers.utils import logging

    logging.get_logger("transformers").addHandler(caplog.handler)
    logging.warning_once.cache_clear()
    try:
        processor()(text="no", context="no " * 9)
    finally:
        logging.get_logger("transformers").removeHandler(caplog.handler)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["context is cut to max_context_length=8 tokens where it is longer."]


def test_a_tokenizer_without_segments_separates_them_its_own_way():
    symbols = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "o", "h", "n", "a", "Ġ"]
    tokenizer = RobertaTokenizer(vocab={symbol: index for index, symbol in enumerate(symbols)}, merges=[])
    batch = AmessProcessor(tokenizer, context_utterances=1, max_context_length=4)(text="oh", context=["no", "ahaha"])
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["input_ids"].tolist() == [[0, 5, 6, 2, 2, 6, 8, 2]]  # <s>oh</s></s>ha</s>
    model = tiny_model("roberta", vocab_size=len(symbols))
    assert torch.isfinite(model(**batch).logits).all()


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.tuples(UTTERANCES, st.lists(UTTERANCES, max_size=2)), min_size=2, max_size=5))
def test_logits_do_not_depend_on_the_context_of_other_rows(rows):
    model, read = tiny_model(), processor()
    generator = torch.Generator().manual_seed(0)
    video = torch.randn(len(rows), 4, 6, generator=generator)

    def logits(indices: list[int]) -> torch.Tensor:
        texts, contexts = zip(*(rows[index] for index in indices), strict=True)
        with torch.no_grad():
            return model(**read(text=list(texts), context=list(contexts), video_features=video[indices])).logits

    whole = logits(list(range(len(rows))))
    for index in range(len(rows)):
        torch.testing.assert_close(logits([index]), whole[[index]], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("context_utterances", "inputs", "message"),
    [
        (0, {"text": "no", "context": "oh"}, "context_utterances"),
        (2, {"context": "oh", "video_features": torch.zeros(2, 6)}, "context was given without text"),
        (2, {"text": ["no", "way"], "context": "oh"}, "2 texts but one string context"),
        (2, {"text": ["no", "way"], "context": [["oh"]]}, "2 texts but 1 context"),
        (2, {"text": ["no", "way"], "context": ["oh", 3]}, "context of utterance 1 must be .* not 3"),
        (2, {"text": "no", "context": ["oh", None]}, "context of utterance 0 must be"),
    ],
)
def test_context_that_does_not_fit_is_named(context_utterances, inputs, message):
    with pytest.raises(ValueError, match=message):
        processor(context_utterances)(**inputs)


def test_a_saved_processor_reads_as_much_context(tmp_path):
    processor(1, max_context_length=6).save_pretrained(tmp_path)
    loaded = AmessProcessor.from_pretrained(tmp_path)
    assert (loaded.context_utterances, loaded.max_context_length) == (1, 6)
    inputs = {"text": "oh", "context": ["no way", "thanks a lot . no no no"]}
    assert torch.equal(loaded(**inputs)["input_ids"], processor(1, max_context_length=6)(**inputs)["input_ids"])


def test_the_pipeline_takes_what_was_said_before():
    model = tiny_model()
    recognize = pipeline("multimodal-intent-recognition", model=model, processor=processor(), device="cpu")
    inputs = [
        {"text": "oh great", "context": ["a lot", "no way"]},
        {"text": "oh great"},
        {"text": "no", "context": "thanks"},
    ]
    results = recognize(inputs, top_k=None, batch_size=3)
    assert results[0]["text"] == "oh great"
    assert results[0]["explanation"]["tokens"][4:] == ["a", "lot", "no", "way", "[SEP]"]
    for one, result in zip(inputs, results, strict=True):
        with torch.no_grad():
            scores = model(**processor()(**one)).logits.softmax(-1)[0]
        found = {intent["label"]: intent["score"] for intent in result["intents"]}
        assert found == pytest.approx({model.config.id2label[i]: s for i, s in enumerate(scores.tolist())}, abs=1e-5)
    assert results[0]["score"] != pytest.approx(results[1]["score"], abs=1e-5)


def test_context_alone_is_no_input():
    recognize = pipeline("multimodal-intent-recognition", model=tiny_model(), processor=processor(), device="cpu")
    with pytest.raises(ValueError, match="empty"):
        recognize({"context": "no way"})
