# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the demo answers: its API over HTTP against the pipeline, intents of one's own, and which model it shows."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError, ValidationError
from huggingface_hub import metadata_load

from tests.modeling_amess.tiny import DESCRIPTIONS

from .server import SPACE, Server


TEXT = "oh, great. thanks a lot."
OWN = "Thank: To express gratitude.\nTaunt: To mock someone.\nTaunt: To provoke.\nJoke: To make others laugh."


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.url, verbose=False)


def test_api_offers_predict_and_nothing_else(client):
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/predict"]


def test_predict_gives_what_the_pipeline_gives(client, recognizer, clip):
    answer = client.predict(handle_file(str(clip)), TEXT, api_name="/predict")
    assert answer == recognizer.pipeline(str(clip), text=TEXT, top_k=None)
    assert answer["modalities"] == ["text", "video", "audio"]
    assert len(answer["intents"]) == recognizer.config.num_labels


def test_predict_takes_words_alone(client, recognizer):
    assert client.predict(None, TEXT, api_name="/predict") == recognizer.pipeline({"text": TEXT}, top_k=None)


@pytest.mark.parametrize("left", [["text", "video"], ["text", "audio"], ["video", "audio"], ["text"], ["video"]])
def test_what_is_switched_off_is_not_used(client, recognizer, clip, left):
    answer = client.predict(handle_file(str(clip)), TEXT, left, api_name="/predict")
    decoded = recognizer.decode(str(clip))
    parts = {"text": TEXT if "text" in left else ""}
    if "video" in left and "audio" in left:
        parts["video"] = decoded
    elif "video" in left:
        parts["video"] = decoded.frames
    elif "audio" in left:
        parts |= {"audio": decoded.waveform, "sampling_rate": decoded.sampling_rate}
    expected = recognizer.pipeline(parts, top_k=None)
    assert answer["modalities"] == left
    assert answer["intents"] == expected["intents"]


def test_visitors_at_the_same_time_get_their_own_answers(client, recognizer, clip):
    texts = ["oh, great.", "thanks a lot.", "no way.", "great, thanks."]
    with ThreadPoolExecutor(4) as visitors:
        answers = list(visitors.map(lambda text: client.predict(handle_file(str(clip)), text), texts))
    assert answers == [recognizer.pipeline(str(clip), text=text, top_k=None) for text in texts]


@pytest.mark.parametrize(
    "given, message",
    [
        ((None, ""), "Upload a clip, or type what is said"),
        ((None, "great " * 200), "too long"),
        ((None, TEXT, ["video"]), "nothing is left"),
        ((None, TEXT, []), "at least one"),
    ],
)
def test_input_that_cannot_be_answered_is_refused_in_words(client, given, message):
    with pytest.raises((AppError, ValidationError), match=message):
        client.predict(*given, api_name="/predict")


def test_clip_without_its_words_asks_for_them(client, clip):
    with pytest.raises((AppError, ValidationError), match="Type what is said"):
        client.predict(handle_file(str(clip)), "", api_name="/predict")


def test_own_intents_are_scored_as_descriptions_of_the_model_would_be(recognizer, clip):
    from recognition import MODALITIES, parse_own_intents

    descriptions = parse_own_intents(OWN)
    assert descriptions == DESCRIPTIONS | {"Thank": ["To express gratitude."]}
    before = recognizer.pipeline(str(clip), text=TEXT, top_k=None)
    similarities = recognizer.own_intents(recognizer.decode(str(clip)), TEXT, MODALITIES, descriptions)
    assert recognizer.pipeline(str(clip), text=TEXT, top_k=None) == before, "the model that visitors share has changed"

    model = recognizer.pipeline.model
    kept, mask = model.label_description_embeddings, model.label_description_mask
    texts, most = model.config.label_descriptions, model.config.num_descriptions
    try:
        model.set_label_descriptions(descriptions, encoder=recognizer.pipeline.load_description_encoder())
        answer = recognizer.pipeline(str(clip), text=TEXT)
    finally:
        model.label_description_embeddings, model.label_description_mask = kept, mask
        model.config.label_descriptions, model.config.num_descriptions = texts, most
    assert similarities == pytest.approx(answer["explanation"]["description_similarity"], abs=1e-5)
    assert list(similarities.values()) == sorted(similarities.values(), reverse=True)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "at least two"),
        ("Tease: To make fun.", "at least two"),
        ("Tease: To make fun.\nThank", "Line 2"),
        ("Tease:\nThank: To be grateful.", "Line 1"),
        ("\n".join(f"Intent {n}: To do {n}." for n in range(21)), "20 at most"),
        ("Tease: " + "very " * 500, "characters at most"),
    ],
)
def test_own_intents_that_cannot_be_read(text, message):
    from recognition import InputError, parse_own_intents

    with pytest.raises(InputError, match=message):
        parse_own_intents(text)


def test_own_intents_without_their_encoder_say_so(recognizer, monkeypatch, tmp_path):
    from recognition import InputError, Recognizer

    monkeypatch.setattr(recognizer.config, "description_encoder", str(tmp_path / "missing"))
    shown, processor = recognizer.pipeline.model, recognizer.pipeline.processor
    other = Recognizer(type(recognizer.pipeline)(model=shown, processor=processor), "tiny")
    for _ in range(2):
        with pytest.raises(InputError, match="cannot be loaded here"):
            other.own_intents(None, TEXT, ["text"], {"Tease": ["To make fun."], "Thank": ["To be grateful."]})


def test_model_from_the_hub_needs_a_revision(monkeypatch):
    from recognition import ModelSourceError, model_source

    monkeypatch.setenv("AMESS_MODEL", "org/amess-mintrec")
    monkeypatch.delenv("AMESS_REVISION", raising=False)
    with pytest.raises(ModelSourceError, match="AMESS_REVISION"):
        model_source()
    monkeypatch.setenv("AMESS_REVISION", "1a2b3c")
    assert model_source() == ("org/amess-mintrec", "1a2b3c")


def test_pushed_space_shows_the_model_of_its_own_readme(monkeypatch, tmp_path):
    import recognition

    (tmp_path / "README.md").write_text(
        "---\npreload_from_hub:\n- org/amess config.json,model.safetensors 1a2b\n---\n"
    )
    monkeypatch.delenv("AMESS_MODEL", raising=False)
    monkeypatch.setattr(recognition, "FOLDER", tmp_path)
    assert recognition.model_source() == ("org/amess", "1a2b")


def test_without_a_model_the_demo_says_how_to_get_one(monkeypatch, tmp_path):
    import recognition

    monkeypatch.delenv("AMESS_MODEL", raising=False)
    monkeypatch.setattr(recognition, "DEFAULT_MODEL", tmp_path / "runs")
    with pytest.raises(recognition.ModelSourceError, match="accelerate launch"):
        recognition.model_source()


def test_the_demo_and_the_command_line_have_the_model_that_training_writes():
    from recognition import DEFAULT_MODEL

    from training.arguments import TrainingSettings
    from training.cli import predict
    from training.finished_run import MODEL_FOLDER

    assert SPACE.parent / predict.DEFAULT_MODEL == DEFAULT_MODEL
    assert str(TrainingSettings().run_folder / MODEL_FOLDER) == predict.DEFAULT_MODEL


def test_text_of_visitors_is_never_markup(recognizer):
    import answer_view

    answer = recognizer.recognize(None, TEXT, ["text"])
    evil = "<img src=x onerror=alert(1)>"
    answer |= {"label": evil, "intents": [{"label": evil, "score": 1.0}]}
    pages = [
        answer_view.verdict(answer, 0.5, recognizer.config),
        answer_view.moved({evil: 0.5}, answer),
        answer_view.similarity({evil: 0.5}, {evil: [evil]}),
    ]
    assert not any("<img" in page for page in pages)


def test_space_runs_the_versions_that_are_tested():
    constraints = dict(
        line.split("==") for line in (SPACE.parent / "constraints.txt").read_text().splitlines() if "==" in line
    )
    assert metadata_load(SPACE / "README.md")["sdk_version"] == constraints["gradio"]
    lines = (SPACE / "requirements.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    assert set(pinned) == {"transformers", "av", "sentence-transformers"}
    assert pinned == {name: constraints[name] for name in pinned}
