# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess predict` as a user meets it: what it answers, what it writes where, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import pytest
from PIL import Image

from modeling_amess import AmessProcessor
from tests.modeling_amess.clips import COLOURS, write_clip
from tests.modeling_amess.tiny_recognizer import recognizer_model, recognizer_processor
from tests.training.tiny import make_sentence_encoder, make_text_model

from .command import PROJECT, amess


def test_a_clip_and_its_text_give_intents_and_reasons(capsys, model, clips):
    status, out, err = amess(capsys, "predict", clips / "b.mp4", "--text", "thanks a lot.", "--model", model)
    assert status == 0, err
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == str(clips / "b.mp4")
    assert lines[1] == '"thanks a lot."'
    assert sorted(line.split()[0] for line in lines[2:6]) == ["Joke", "Taunt", "Thank", "UNK"]
    assert "without audio" in lines
    assert any(line.startswith("video: ") and line.endswith(" s") for line in lines)


def test_json_has_one_line_per_clip_and_the_text_beside_a_clip_is_used(capsys, model, clips):
    texts = clips / "clips.tsv"
    texts.write_text("clip\ttext\na.mp4\tno way\nb.mp4\tthanks\n")
    try:
        status, out, _ = amess(capsys, "predict", clips / "a.mp4", texts, "--model", model, "--json", "--top_k", 1)
    finally:
        texts.unlink()
    results = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [(Path(result["clip"]).name, result["text"]) for result in results] == [
        ("a.mp4", "oh, great."),
        ("a.mp4", "no way"),
        ("b.mp4", "thanks"),
    ]
    assert [len(result["intents"]) for result in results] == [1, 1, 1]
    assert results[0]["modalities"] == ["text", "video", "audio"]
    assert results[2]["modalities"] == ["text", "video"]


def test_one_text_per_clip_in_their_order(capsys, model, clips):
    arguments = ("predict", clips / "a.mp4", clips / "b.mp4", "--model", model, "--json")
    status, out, _ = amess(capsys, *arguments, "--text", "thanks", "--text", "no way")
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["thanks", "no way"]
    status, out, err = amess(capsys, *arguments, "--text", "thanks")
    assert (status, out) == (2, "")
    assert "2 clips and 1 --text" in err


def test_a_recording_of_a_browser_is_a_clip(capsys, model):
    recording = PROJECT / "tests" / "modeling_amess" / "recordings" / "chromium.webm"  # no duration in its header
    status, out, err = amess(capsys, "predict", recording, "--text", "oh, great.", "--model", model, "--json")
    result = json.loads(out)
    assert (status, result["modalities"]) == (0, ["text", "video", "audio"]), err
    times = [anchor["time"] for anchor in result["explanation"]["video_anchors"]]
    assert times and all(0 <= time < 2.2 for time in times)


def test_text_alone(capsys, model):
    status, out, _ = amess(capsys, "predict", "--text", "oh, great.", "--model", model, "--json")
    result = json.loads(out)
    assert (status, result["clip"], result["modalities"]) == (0, None, ["text"])


def test_intents_of_ones_own_are_chosen_by_their_descriptions(capsys, tmp_path):
    encoder = make_sentence_encoder(tmp_path / "encoder", make_text_model(tmp_path / "text"))
    recognizer_model(description_size=16, description_encoder=encoder).save_pretrained(tmp_path / "model")
    recognizer_processor().save_pretrained(tmp_path / "model")
    file = tmp_path / "intents.json"
    file.write_text('{"Reassure": ["To take away a worry."], "Boast": ["To speak proudly.", "To show off."]}')
    arguments = ("predict", "--text", "oh", "--model", tmp_path / "model", "--json")
    status, out, err = amess(capsys, *arguments, "--candidate_labels", file)
    assert status == 0, err
    assert {intent["label"] for intent in json.loads(out)["intents"]} == {"Reassure", "Boast"}
    assert set(json.loads(out)["explanation"]["description_similarity"]) == {"Reassure", "Boast"}

    for content, message in (("{", "cannot be read"), ('{"Boast": []}', "'Boast'"), ("[]", "Descriptions come by")):
        file.write_text(content)
        status, out, err = amess(capsys, *arguments, "--candidate_labels", file)
        assert (status, out) == (2, "")
        assert "intents.json" in err and message in err


def test_what_was_said_before_is_read_by_a_model_of_dialogues(capsys, model, clips, tmp_path):
    processor = recognizer_processor()
    processor.context_utterances = 2
    recognizer_model().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    said = ("predict", clips / "a.mp4", "--json", "--model")
    results = []
    for context in ((), ("--context", "no way"), ("--context", "thanks", "--context", "no way")):
        status, out, err = amess(capsys, *said, tmp_path, *context)
        assert status == 0, err
        results.append(json.loads(out))
    assert len({result["score"] for result in results}) == 3
    tokens = [result["explanation"]["tokens"] for result in results]
    assert len(tokens[0]) < len(tokens[1]) < len(tokens[2])

    status, _, err = amess(capsys, *said, model, "--context", "no way")
    assert status == 1 and "context_utterances" in err
    status, _, err = amess(capsys, "predict", clips / "a.mp4", clips / "b.mp4", "--context", "no way")
    assert status == 2 and "--context" in err


def test_a_clip_that_fails_is_reported_and_skipped(capsys, model, clips, tmp_path):
    (tmp_path / "broken.mp4").write_text("this is no clip")
    (tmp_path / "broken.txt").write_text("oh")
    paths = (tmp_path / "broken.mp4", clips / "a.mp4", clips / "b.mp4", tmp_path / "absent.mp4")
    status, out, err = amess(capsys, "predict", *paths, "--model", model, "--json")
    assert status == 1
    assert [Path(json.loads(line)["clip"]).name for line in out.splitlines()] == ["a.mp4"]
    lines = err.splitlines()
    assert [name for line in lines for name in ("broken", "b.mp4", "absent") if name in line] == [
        "broken",
        "b.mp4",
        "absent",
    ]
    assert "transcript is needed" in lines[1] and "--text" not in lines[0]
    assert lines[-1] == "3 of 4 failed and were skipped."


def test_a_limit_is_named_as_its_option_and_the_option_moves_it(capsys, model, tmp_path):
    clip = write_clip(tmp_path / "long.mp4", seconds=31, frame_rate=2)
    arguments = ("predict", clip, "--text", "oh, great.", "--model", model)
    status, _, err = amess(capsys, *arguments)
    assert status == 1 and f"{clip}: " in err and "--max_duration" in err and "MediaLimits" not in err
    assert amess(capsys, *arguments, "--max_duration", "40")[0] == 0
    for wrong in ("no", "-1", "nan"):
        status, _, err = amess(capsys, *arguments, "--max_duration", wrong)
        assert status == 2 and "--max_duration" in err


def test_whatever_one_clip_does_the_others_are_recognised(capsys, model, clips, monkeypatch):
    load_clip = AmessProcessor.load_clip

    def failing(self, video, *sources, **options):
        if str(video).endswith("a.mp4"):
            raise RuntimeError("an enum does not know 31")
        return load_clip(self, video, *sources, **options)

    monkeypatch.setattr(AmessProcessor, "load_clip", failing)
    texts = ("--text", "oh, great.", "--text", "thanks")
    status, out, err = amess(capsys, "predict", clips / "a.mp4", clips / "b.mp4", *texts, "--model", model)
    assert status == 1 and "thanks" in out
    assert f"{clips / 'a.mp4'}: RuntimeError: an enum does not know 31" in err


def test_the_picture_shows_what_there_is(capsys, model, clips, tmp_path):
    picture = tmp_path / "why.png"
    arguments = ("predict", "--model", model, "--explain", picture)
    assert amess(capsys, *arguments, clips / "a.mp4")[0] == 0
    with Image.open(picture) as image:
        full = image.size
        colours = [colour for _, colour in image.convert("RGB").getcolors(2**20)]
    # The frames are in it, in their colours: those of clips.py, but for what the codec changes.
    for expected in (COLOURS["red"], COLOURS["green"]):
        assert any(max(abs(a - b) for a, b in zip(colour, expected, strict=True)) < 16 for colour in colours)
    assert amess(capsys, *arguments, clips / "a.mp4", clips / "b.mp4", "--text", "oh", "--text", "great")[0] == 0
    with Image.open(tmp_path / "why-1.png") as first, Image.open(tmp_path / "why-2.png") as second:
        assert first.size == full
        assert second.size[1] < full[1]  # b.mp4 has no sound to draw


@pytest.mark.parametrize("explain", [(), ("--explain", "why.png")])
def test_a_clip_is_opened_once(capsys, model, clips, tmp_path, monkeypatch, explain):
    opened, av_open = [], av.open

    def counting(file, *arguments, **options):
        opened.append(file)
        return av_open(file, *arguments, **options)

    monkeypatch.setattr(av, "open", counting)
    monkeypatch.chdir(tmp_path)
    assert amess(capsys, "predict", clips / "a.mp4", "--model", model, "--json", *explain)[0] == 0
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--text"),
        (("a.mp4", "--model", "./nowhere"), "./nowhere"),
        (("a.mp4", "--top_k", "0"), "--top_k"),
        (("a.mp4", "--explain", "why.gif"), ".png"),
        (("a.mp4", "--explain", "nowhere/why.png"), "folder"),
        (("nowhere.tsv",), "nowhere.tsv"),
        (("a.mp4", "--unknown"), "--unknown"),
    ],
)
def test_a_wrong_command_says_what_to_change(capsys, arguments, message):
    status, out, err = amess(capsys, "predict", *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_the_model_comes_from_the_environment_in_a_process_of_its_own(model, clips):
    environment = os.environ | {"AMESS_MODEL": model, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "training.cli.main", "predict", str(clips / "a.mp4"), "--json"]
    run = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout)["text"] == "oh, great."
