# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Training with the previous utterances of a dialogue: which they are, and that inference reads the same."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, AutoProcessor

from dataset_scripts import load_intent_dataset
from tests.dataset_scripts.conftest import mintrec2_dir  # noqa: F401 (a fixture)
from training.arguments import SettingsError, TrainingSettings
from training.baselines import MODELS
from training.data import IntentRows, dialogue_contexts, text_lengths
from training.row_selection import select_rows
from training.train import main


PLACES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), unique=True, max_size=30)


@given(PLACES, st.integers(1, 4))
def test_context_is_what_was_said_last_before_in_the_same_dialogue(places, count):
    texts = [f"dialogue {dialogue} utterance {utterance}" for dialogue, utterance in places]
    contexts = dialogue_contexts(*([place[i] for place in places] for i in (0, 1)), texts, count)
    assert len(contexts) == len(places)
    for (dialogue, utterance), context in zip(places, contexts, strict=True):
        before = sorted(number for other, number in places if other == dialogue and number < utterance)
        assert context == [f"dialogue {dialogue} utterance {number}" for number in before[-count:]]


def test_utterance_ids_of_a_text_file_are_numbers_too():
    assert dialogue_contexts(["a"] * 3, ["10", "9", "2"], ["c", "b", "a"], 1) == [["b"], ["a"], []]


@pytest.mark.parametrize(("ids", "message"), [([1, 1], "1 twice"), ([1, "x"], "'x' of row 1 is no number")])
def test_an_order_that_is_not_known_is_refused(ids, message):
    with pytest.raises(SettingsError, match=message):
        dialogue_contexts(["a", "a"], ids, ["oh", "no"], 1)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("in-scope", {"dia0_utt2": [], "dia0_utt10": ["no!"], "dia1_utt0": []}),
        (
            "all",
            {
                "dia0_utt2": [],
                "dia0_utt9": ["no!"],
                "dia0_utt10": ["no!", "uh."],
                "dia1_utt0": [],
                "dia1_utt1": ["café, déjà vu."],
            },
        ),
    ],
)
def test_the_scope_decides_which_utterances_there_are(mintrec2_dir, tmp_path, scope, expected):  # noqa: F811
    splits = load_intent_dataset(
        "mintrec2", config_name="text", data_dir=mintrec2_dir, scope=scope, cache_dir=tmp_path / "cache"
    )
    for split, number in (("train", 0), ("validation", 100), ("test", 200)):
        rows = IntentRows(splits[split], ("text",), context_utterances=2)
        found = {row["id"]: row["context"] for row in (rows[index] for index in range(len(rows)))}
        assert found == {f"dia{int(name[3]) + number}{name[4:]}": texts for name, texts in expected.items()}
        assert rows.column("context") == list(found.values())


def test_context_is_drawn_from_the_whole_split(mintrec2_dir, tmp_path):  # noqa: F811
    options = {"config_name": "text", "data_dir": mintrec2_dir, "cache_dir": tmp_path / "cache"}
    splits = load_intent_dataset("mintrec2", scope="all", **options)
    rows = IntentRows(splits["train"], ("text",), [2], context_utterances=1)
    assert rows[0]["context"] == ["uh."] and rows.column("context") == [["uh."]]


def test_without_the_setting_rows_have_no_context(mintrec2_dir, tmp_path):  # noqa: F811
    options = {"config_name": "text", "data_dir": mintrec2_dir, "cache_dir": tmp_path / "cache"}
    splits = load_intent_dataset("mintrec2", **options)
    rows = select_rows(splits, TrainingSettings(modalities="text"), num_processes=1)
    assert "context" not in rows["train"][0] and rows["train"].column("context") is None


@pytest.fixture
def dialogues(tiny_settings, mintrec2_dir, tmp_path) -> list[str]:  # noqa: F811
    """Command line of a run on the imitation of MIntRec2.0."""
    data = ["--dataset", "mintrec2", "--data_dir", str(mintrec2_dir), "--scope", "all", "--label_descriptions", "null"]
    return [*tiny_settings, *data, "--context_utterances", "2", "--max_context_length", "6"]


@pytest.mark.parametrize("model", MODELS)
def test_a_run_trains_on_context_and_its_folder_reads_the_same(dialogues, mintrec2_dir, tmp_path, model):  # noqa: F811
    folder = tmp_path / "run"
    chosen = ["--model", model] + ([] if model == "amess" else ["--model_config", "{}"])
    main([*dialogues, *chosen, "--num_train_epochs", "1", "--output_dir", str(folder)])
    processor = AutoProcessor.from_pretrained(folder / "pretrained")
    assert (processor.context_utterances, processor.max_context_length) == (2, 6)
    trained = AutoModelForSequenceClassification.from_pretrained(folder / "pretrained").eval()

    options = {"data_dir": mintrec2_dir, "cache_dir": tmp_path / "cache"}
    test = load_intent_dataset("mintrec2", scope="all", **options)["test"]
    rows = IntentRows(test, ("text", "video", "audio"), context_utterances=2)
    lengths = text_lengths(rows, processor)
    saved = pq.read_table(folder / "predictions.parquet").to_pydict()
    for index, row_id in enumerate(saved["id"]):
        row = rows[index]
        assert row["id"] == row_id
        features = {f"{name}_features": row[f"{name}_features"] for name in ("video", "audio")}
        known = {
            name: value for name, value in features.items() if getattr(processor, name[:-1] + "_size") is not None
        }
        batch = processor(text=row["text"], context=row["context"], **known)
        assert batch["input_ids"].shape == (1, lengths[index])
        assert batch["token_type_ids"].any() == bool(row["context"])
        with torch.no_grad():
            scores = trained(**batch).logits.softmax(-1)
        np.testing.assert_allclose(scores[0].numpy(), saved["scores"][index], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max_context_length", "15"], "max_text_length=50 and max_context_length=15 are together more than the 64"),
        (["--modalities", "video"], "--modalities"),
        (["--dataset", "sample"], "needs the columns dialogue_id and utterance_id"),
        (["--context_utterances", "-1"], "context_utterances=-1 must be at least 0"),
    ],
)
def test_context_that_cannot_be_had_is_told(dialogues, tmp_path, arguments, message):
    with pytest.raises(SettingsError, match=message):
        if "sample" in arguments:
            arguments = [*arguments, "--scope", "in-scope", "--data_dir", "null"]
        main([*dialogues, *arguments, "--output_dir", str(tmp_path / "run")])
