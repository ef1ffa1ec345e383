# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess add-intent` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

from modeling_amess import AmessForIntentClassification, AmessProcessor
from tests.modeling_amess.clips import write_clip
from tests.modeling_amess.tiny import tiny_model, tiny_tokenizer
from tests.modeling_amess.tiny_recognizer import recognizer_model, recognizer_processor
from tests.training.tiny import make_sentence_encoder, make_text_model
from training.cli.predict import load_recognizer

from .command import amess


DESCRIPTIONS = ("--description", "To take away a worry.", "--description", "To calm.")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Sentence-BERT of 16 dimensions."""
    folder = tmp_path_factory.mktemp("encoder")
    return make_sentence_encoder(folder / "sentences", make_text_model(folder / "bert"))


def save_text_model(folder: Path, encoder: str, **fields) -> str:
    """A model that reads text alone."""
    sizes = {"video_feature_size": None, "audio_feature_size": None, "description_size": 16}
    tiny_model(**sizes, description_encoder=encoder, **fields).save_pretrained(folder)
    AmessProcessor(tiny_tokenizer(), max_text_length=12).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def text_model(encoder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a model that reads text alone and whose descriptions take part in the logits."""
    return save_text_model(tmp_path_factory.mktemp("model"), encoder, semantic_logits=True)


def write_labelled(path: Path, labels: tuple[str, ...] = ("Thank", "Taunt", "Joke", "Reassure")) -> Path:
    """Two utterances of each label."""
    texts = ["thanks a lot", "thanks", "oh great", "great", "no way", "no", "oh , no", "a lot"]
    rows = [f"{texts[2 * index + n]}\t{label}" for index, label in enumerate(labels) for n in (0, 1)]
    path.write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    return path


def test_from_texts_and_what_it_costs(capsys, text_model, tmp_path):
    labelled = write_labelled(tmp_path / "dev.tsv")
    before = load_recognizer(text_model)
    texts = ("--text", "oh , no", "--text", "a lot")
    files = ("--others", labelled, "--validation", labelled, "--output", tmp_path / "new")
    status, out, err = amess(capsys, "add-intent", "Reassure", *DESCRIPTIONS, *texts, "--model", text_model, *files)
    assert status == 0, err
    after = load_recognizer(str(tmp_path / "new"))
    assert after.model.config.id2label[4] == "Reassure"
    assert after.model.config.label_descriptions["Reassure"] == ["To take away a worry.", "To calm."]
    rows = [line.split("\t") for line in labelled.read_text().splitlines()[1:]]
    for recognizer, word in ((before, "before"), (after, "after")):
        hits = [recognizer(text=text)["label"] == label for text, label in rows if label != "Reassure"]
        assert f"{np.mean(hits):.1%} {word}" in out
    assert "(6 utterances)" in out and "Reassure recognised" in out and "of 2 utterances" in out
    batch = before.processor(text=["no way", "thanks"], return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(after.model(**batch).logits[:, :4], before.model(**batch).logits)


def test_from_a_description_alone_without_measurement(capsys, text_model, tmp_path):
    arguments = ("--model", text_model, "--output", tmp_path / "new")
    status, out, err = amess(capsys, "add-intent", "Reassure", *DESCRIPTIONS, *arguments)
    assert status == 0, err
    assert "was not measured" in out and "its utterances: 0;" in out
    assert "Reassure" in {one["label"] for one in load_recognizer(str(tmp_path / "new"))(text="oh")["intents"]}


def test_from_a_table_of_texts_with_a_data_set_to_measure_on(capsys, text_model, tmp_path):
    (tmp_path / "new.tsv").write_text("text\noh , no\na lot\n")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["Thank"])})
    rows = datasets.Dataset.from_dict({"text": ["thanks", "thanks a lot"], "label": [0, 0]}, features=features)
    datasets.DatasetDict({"train": rows, "validation": rows}).save_to_disk(tmp_path / "data")
    data = ("--others", tmp_path / "data", "--validation", tmp_path / "data")
    arguments = (
        "--clips",
        tmp_path / "new.tsv",
        *DESCRIPTIONS,
        *data,
        "--model",
        text_model,
        "--output",
        tmp_path / "new",
    )
    status, out, err = amess(capsys, "add-intent", "Reassure", *arguments)
    assert status == 0, err
    assert "its utterances: 2; utterances of other intents, from --others: 2." in out and "(2 utterances)" in out
    assert "Reassure was not measured" in out


def test_from_clips(capsys, encoder, tmp_path):
    recognizer_model(description_size=16, description_encoder=encoder).save_pretrained(tmp_path / "model")
    recognizer_processor().save_pretrained(tmp_path / "model")
    write_clip(tmp_path / "a.mp4", seconds=1.0)
    (tmp_path / "a.txt").write_text("oh , no")
    write_clip(tmp_path / "b.mp4", seconds=0.6, audio=False)
    (tmp_path / "clips.tsv").write_text("clip\ttext\tlabel\nb.mp4\ta lot\tThank\na.mp4\tno\tReassure\n")
    arguments = ("--clips", tmp_path / "a.mp4", "--validation", tmp_path / "clips.tsv", "--model", tmp_path / "model")
    arguments = ("add-intent", "Reassure", *arguments, *DESCRIPTIONS, "--output", tmp_path / "n")
    status, _, err = amess(capsys, *arguments, "--max_duration", "0.5")
    assert status == 2 and "a.mp4: " in err and "--max_duration" in err and not (tmp_path / "n").exists()
    status, out, err = amess(capsys, *arguments)
    assert status == 0, err
    assert "(1 utterances)" in out and "of 1 utterances" in out
    new = AmessForIntentClassification.from_pretrained(tmp_path / "n")
    assert new.config.num_labels == 5 and new.config.video_config is not None
    card = ModelCard.load(tmp_path / "n" / "README.md")
    assert card.data.pipeline_tag and card.data.library_name == "transformers"
    assert "The model model with one more intent, Reassure" in card.text and "of 1 utterances" in card.text
    assert all(label in card.text for label in new.config.id2label.values())
    assert str(tmp_path) not in card.content and tmp_path.name not in card.content


def test_clips_without_words_name_every_way_to_give_them_before_the_model_is_loaded(capsys, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_clip(tmp_path / name, seconds=0.4)
    (tmp_path / "b.txt").write_bytes("你好吗".encode("gbk"))
    clips = ("--clips", tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "c.mp4")
    arguments = (*clips, "--model", tmp_path / "nowhere", "--output", tmp_path / "new")
    status, out, err = amess(capsys, "add-intent", "Reassure", *DESCRIPTIONS, *arguments, "--asr_model", "none")
    assert (status, out) == (2, "")
    for name, word in (("a.mp4", "--asr_model"), ("b.txt", "UTF-8"), ("c.mp4", "no such file")):
        assert any(name in line and word in line for line in err.splitlines())
    # The remedy that the message names is an option of this command.
    status, out, err = amess(capsys, "add-intent", "Reassure", *DESCRIPTIONS, *arguments[4:], "--asr_model", "x/y")
    assert "--model" in err and "unrecognized" not in err


def test_labels_that_differ_in_case_alone_are_named(capsys, text_model, tmp_path):
    labelled = write_labelled(tmp_path / "dev.csv", ("Thank", "taunt"))
    labelled.write_text(labelled.read_text().replace("\t", ","), encoding="utf-16")
    arguments = ("--validation", labelled, "--model", text_model, "--output", tmp_path / "new")
    status, _, err = amess(capsys, "add-intent", "Reassure", *DESCRIPTIONS, *arguments)
    assert status == 2 and "Taunt and taunt" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Thank", *DESCRIPTIONS), "'Thank'"),
        (("Reassure", "--text", "oh"), "has no descriptions"),
        (("Reassure", *DESCRIPTIONS, "--others", "nowhere.tsv"), "nowhere.tsv"),
        (("Reassure", *DESCRIPTIONS, "--clips", "a.mp4", "--text", "oh", "--text", "no"), "1 clips and 2 --text"),
    ],
)
def test_a_wrong_command_says_what_to_change(capsys, text_model, tmp_path, arguments, message):
    output = tmp_path / "new"
    status, out, err = amess(capsys, "add-intent", *arguments, "--model", text_model, "--output", output)
    assert (status, out) == (2, "") and message in err
    assert not output.exists()


def test_unknown_intents_and_taken_folders_are_refused(capsys, text_model, encoder, tmp_path):
    labelled = write_labelled(tmp_path / "dev.tsv", ("Thank", "Boast"))
    command = ("add-intent", "Reassure", *DESCRIPTIONS, "--model", text_model)
    status, _, err = amess(capsys, *command, "--validation", labelled, "--output", tmp_path / "new")
    assert status == 2 and "Boast" in err
    status, _, err = amess(capsys, *command, "--output", tmp_path)
    assert status == 2 and "--output" in err
    plain = save_text_model(tmp_path / "plain", str(tmp_path / "missing"))
    command = ("add-intent", "Reassure", *DESCRIPTIONS, "--model", plain, "--output", tmp_path / "new")
    status, _, err = amess(capsys, *command)
    assert status == 2 and "escription encoder" in err
