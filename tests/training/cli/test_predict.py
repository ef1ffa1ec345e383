# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`amess predict` as a user meets it: what it answers, what it writes where, and its exit status."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import av
import huggingface_hub
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from modeling_amess import AmessProcessor, IntentRecognitionPipeline, clip_amess, pipeline_amess
from tests.modeling_amess.clips import COLOURS, write_clip
from tests.modeling_amess.tiny import tiny_model, tiny_tokenizer
from tests.modeling_amess.tiny_recognizer import recognizer_model, recognizer_processor
from tests.training.tiny import make_sentence_encoder, make_text_model
from training.cli import predict
from training.cli.predict import read_candidates, readable

from .command import PROJECT, amess


# What is refused where nobody transcribes.
NO_ASR = ("--asr_model", "none")


def test_a_clip_and_its_text_give_intents_and_reasons(capsys, model, clips):
    status, out, err = amess(capsys, "predict", clips / "b.mp4", "--text", "thanks a lot.", "--model", model)
    assert status == 0, err
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == str(clips / "b.mp4")
    assert lines[1] == '"thanks a lot."'
    assert sorted(line.split()[0] for line in lines[2:6]) == ["Joke", "Taunt", "Thank", "UNK"]
    assert "without audio" in lines
    moves = lines[lines.index("how the answer moves:") + 1 :][:2]
    assert [line.split()[:3] for line in moves] == [["words", "alone", moves[0].split()[2]], ["words", "+", "picture"]]


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


def test_batches_answer_as_single_clips_do_and_one_failure_touches_no_other(capsys, model, clips, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"not a clip")
    lines = [(clips / "a.mp4", "no way"), (clips / "b.mp4", "thanks"), (tmp_path / "broken.mp4", "hm")]
    lines += [(clips / "a.mp4", "oh, great."), (clips / "b.mp4", "bye now"), (clips / "a.mp4", "thanks")]
    table = tmp_path / "clips.tsv"
    table.write_text("clip\ttext\n" + "".join(f"{clip}\t{text}\n" for clip, text in lines))
    answers = {}
    for size in (1, 2, 4):
        status, out, err = amess(capsys, "predict", table, "--model", model, "--json", "--batch_size", size)
        answers[size] = [json.loads(line) for line in out.splitlines()]
        assert status == 1
        assert err.count("broken.mp4") == 1
        assert [row["text"] for row in answers[size]] == [text for _, text in lines]
        assert ["error" in row for row in answers[size]] == [False, False, True, False, False, False]
    for single, batched, larger in zip(*answers.values(), strict=True):
        if "error" not in single:
            assert single["label"] == batched["label"] == larger["label"]
            assert [batched["score"], larger["score"]] == pytest.approx([single["score"]] * 2, abs=1e-5)


def test_a_batch_of_no_clips_is_refused(capsys, model, clips):
    status, _, err = amess(capsys, "predict", clips / "a.mp4", "--text", "x", "--model", model, "--batch_size", 0)
    assert status == 2
    assert "--batch_size" in err


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

    status, out, err = amess(capsys, *arguments, "--candidate_labels", "Reassure: To calm.\nBoast")
    assert status == 0, err
    assert {intent["label"] for intent in json.loads(out)["intents"]} == {"Reassure", "Boast"}

    for content, message in (("{", "cannot be read"), ('{"Boast": []}', "'Boast'"), ("[]", "Descriptions come by")):
        file.write_text(content)
        status, out, err = amess(capsys, *arguments, "--candidate_labels", file)
        assert (status, out) == (2, "")
        assert "intents.json" in err and message in err


@pytest.mark.parametrize(
    ("given", "intents"),
    [
        ("Reassure,Boast", {"Reassure": ["reassure"], "Boast": ["boast"]}),
        ("Ask_for_help", {"Ask_for_help": ["ask for help"]}),
        ("Reassure: To take away a worry.", {"Reassure": ["To take away a worry."]}),
        (
            "Boast: To show off.\nBoast: To speak, proudly.\nJoke",
            {"Boast": ["To show off.", "To speak, proudly."], "Joke": ["joke"]},
        ),
    ],
)
@pytest.mark.parametrize("encoding", [None, "utf-8-sig", "utf-16", "cp1252"])
def test_intents_of_ones_own_are_names_lines_or_a_file(tmp_path, given, intents, encoding):
    if encoding is not None:
        file = tmp_path / "intents.txt"
        file.write_bytes(given.encode(encoding))
        given = str(file)
    assert read_candidates(given) == intents


@pytest.mark.parametrize("given", ["", " , ", ": To take away a worry.", "nothere.json", "nothere.txt", "/", "."])
def test_no_intents_of_ones_own_are_told(given):
    with pytest.raises(ValueError, match=r"candidate_labels|nothere"):
        read_candidates(given)


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
    rows = [json.loads(line) for line in out.splitlines()]
    assert [Path(row["clip"]).name for row in rows] == ["broken.mp4", "a.mp4", "b.mp4", "absent.mp4"]
    assert ["error" in row for row in rows] == [True, False, True, True]
    assert rows[0]["text"] == "oh" and "label" not in rows[0]
    lines = err.splitlines()
    for name, word in (("broken", "broken"), ("b.mp4", "no sound"), ("absent", "no such file")):
        assert sum(name in line and word in line for line in lines) == 1
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


def test_an_error_of_any_type_stops_one_clip_alone(capsys, model, clips, monkeypatch):
    calls = []

    def failing(self, parts, **options):
        calls.append(parts)
        if len(calls) == 1:
            raise RuntimeError("CUDA out of memory")
        return recognize(self, parts, **options)

    recognize = IntentRecognitionPipeline.__call__
    monkeypatch.setattr(IntentRecognitionPipeline, "__call__", failing)
    status, out, err = amess(
        capsys, "predict", "--text", "oh", "--text", "great", "--model", model, "--json", "--batch_size", 1
    )
    assert (status, len(calls)) == (1, 2)
    assert ["error" in json.loads(line) for line in out.splitlines()] == [True, False]
    assert "'oh': RuntimeError: CUDA out of memory" in err


def test_a_reason_that_many_clips_share_is_told_once(capsys, clips, tmp_path):
    for number in range(13):
        shutil.copy(clips / "b.mp4", tmp_path / f"{number:02}.mp4")
    status, out, err = amess(capsys, "predict", tmp_path, "--model", model_that_is_not_loaded(tmp_path), *NO_ASR)
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 2 and "13 inputs" in err and "3 more" in err
    assert err.count("--asr_model") == 1


def test_a_clip_without_text_is_transcribed_and_the_words_are_shown(capsys, model):
    spoken = PROJECT / "tests" / "modeling_amess" / "recordings" / "weather.opus"
    status, out, err = amess(capsys, "predict", spoken, "--model", model)
    assert status == 0, err
    assert '"It will rain in London on Monday and Tuesday.", heard by Whisper tiny.en' in out


def test_the_default_transcriber_is_the_pipelines():
    assert predict.DEFAULT_ASR_MODEL == clip_amess.DEFAULT_ASR_MODEL


def model_that_is_not_loaded(folder: Path) -> Path:
    """A folder that is taken for a model until it is loaded."""
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text('{"model_type": "amess"}')
    return folder / "model"


def test_transcripts_have_any_encoding_and_a_bad_one_stops_one_clip_alone(capsys, caplog, model, clips, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    contents = {
        "bom": "oh great".encode("utf-8-sig"),
        "ansi": "é great\n".encode("cp1252"),
        "wide": "oh great\r\n".encode("utf-16"),
        "bad": "你好吗".encode("gbk"),
        "none": None,
    }
    for name, content in contents.items():
        shutil.copy(clips / "b.mp4", folder / f"{name}.mp4")
        if content is not None:
            (folder / f"{name}{'.TXT' if name == 'wide' else '.txt'}").write_bytes(content)
    for name in ("._bom.mp4", "._bom.txt", "__MACOSX/bom.mp4"):  # as macOS leaves them on other disks
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\0\5\x16\7")
    status, out, err = amess(capsys, "predict", folder, "--model", model, "--json")
    assert status == 1
    rows = {Path(row["clip"]).stem: row for row in map(json.loads, out.splitlines())}
    assert set(rows) == set(contents)
    assert (rows["bom"]["text"], rows["wide"]["text"], rows["ansi"]["text"]) == ("oh great", "oh great", "é great")
    assert [name for name, row in rows.items() if "error" in row] == ["bad", "none"]
    assert "bad.txt" in rows["bad"]["error"] and "UTF-8" in rows["bad"]["error"]
    told = [record.getMessage() for record in caplog.records if record.name.startswith("dataset_scripts")]
    assert len(told) == 1 and "ansi.txt" in told[0]
    assert "bad.txt" in err

    (folder / "gone.mp4").symlink_to(folder / "nowhere.mp4")
    status, out, err = amess(capsys, "predict", folder, "--model", model, "--asr_model", "none/such", "--json")
    rows = {Path(row["clip"]).stem: row for row in map(json.loads, out.splitlines())}
    assert status == 1 and [name for name, row in rows.items() if "error" in row] == ["bad", "gone", "none"]


def test_tables_name_clips_twice_or_texts_alone(capsys, model, clips, tmp_path):
    arguments = ("--model", model, "--json", "--top_k", 1)
    table = tmp_path / "texts.csv"
    table.write_text("text;label\noh;x\n;\nno way;\n")  # Excel's separator where the decimal point is a comma
    status, out, err = amess(capsys, "predict", table, *arguments)
    assert status == 0, err
    assert [(row["clip"], row["text"]) for row in map(json.loads, out.splitlines())] == [
        (None, "oh"),
        (None, "no way"),
    ]

    table = tmp_path / "clips.tsv"
    name = clips / "b.mp4"
    table.write_text(f'clip\ttext\n{name}\t"oh ""great"""\n{name}\tno\n\tno way\n{name}x\toh\n', encoding="utf-16")
    status, out, err = amess(capsys, "predict", table, *arguments)
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, [row["text"] for row in rows]) == (1, ['oh "great"', "no", "no way", "oh"])
    assert [row["clip"] for row in rows] == [str(name), str(name), None, f"{name}x"]
    assert "line 5" in rows[3]["error"] and "clips.tsv, line 5" in err


def test_an_answer_below_the_threshold_says_so(capsys, clips, tmp_path):
    recognizer_model(out_of_scope_threshold=0.99).save_pretrained(tmp_path)
    recognizer_processor().save_pretrained(tmp_path)
    said = ("predict", clips / "a.mp4", "--model", tmp_path)
    status, out, err = amess(capsys, *said)
    assert status == 0, err
    line = next(line for line in out.splitlines() if "out of scope" in line)
    assert "99.0%" in line and "none of the intents" in line
    result = json.loads(amess(capsys, *said, "--json")[1])
    assert (result["out_of_scope"], result["out_of_scope_threshold"]) == (True, 0.99)
    assert f"{result['score']:.1%}" in line


def result_of(**parts) -> dict:
    """An answer of the pipeline as far as it is written for people."""
    variants = [
        {"modalities": ["text"], "label": "Praise", "score": 0.92},
        {"modalities": ["text", "video"], "label": "Taunt", "score": 0.9997},
    ]
    anchor = {"token": "great", "time": 1.17}
    anchors = [{**anchor, "times_uniform": 2.31}, {**anchor, "token": "oh", "times_uniform": 1.2}]
    return {
        "text": "oh, great.",
        "transcript": None,
        "label": "Taunt",
        "score": 0.9997,
        "verdict": "in_scope",
        "unfamiliar": [],
        "modalities": ["text", "video"],
        "intents": [{"label": "Taunt", "score": 0.9997}, {"label": "Thank", "score": 0.0001}],
        "explanation": {
            "variants": variants,
            "video_anchors": anchors,
            "audio_anchors": [],
            "description_similarity": {},
        },
    } | parts


def test_evidence_comes_before_attention_and_nothing_is_certain():
    lines = readable("clip.mp4", result_of()).splitlines()
    assert lines.index("  how the answer moves:") < lines.index("  video, looked at most: great 1.17 s (2.3x)")
    assert any("words alone" in line and "Praise" in line and "92.0%" in line for line in lines)
    assert any(">99.9%" in line for line in lines) and any("<0.1%" in line for line in lines)
    assert not any("100" in line for line in lines)


def test_between_two_intents_it_is_unsure_and_not_out_of_scope():
    unsure = {
        "verdict": "unsure",
        "unsure_between": ["Thank", "Praise"],
        "score": 0.514,
        "out_of_scope_threshold": 0.605,
    }
    out = readable("clip.mp4", result_of(**unsure))
    assert "unsure: Thank or Praise (51.4% is below this model's threshold of 60.5%)" in out
    assert "out of scope" not in out


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"unfamiliar": ["video"]}, ["picture is unlike", "drawn faces", "do not rely"]),
        ({"unfamiliar": ["video"], "modalities": ["text"]}, ["picture is unlike", "left out"]),
        ({"unfamiliar": ["video", "audio"]}, ["picture and the sound are unlike", "do not rely"]),
    ],
)
def test_what_is_unfamiliar_is_said_above_the_answer(parts, words):
    lines = readable("clip.mp4", result_of(**parts), "drawn faces").splitlines()
    assert all(word in lines[2] for word in words), lines[2]
    assert "unlike" not in readable("clip.mp4", result_of(unfamiliar=None))


def test_choices_on_unfamiliar_are_those_of_the_pipeline_and_reach_it(capsys, clips, tmp_path):
    assert predict.ON_UNFAMILIAR == pipeline_amess.ON_UNFAMILIAR
    model = recognizer_model(known_clips="drawn faces")
    far = {"video": torch.full((4, 16), 1e4)}
    model.set_familiar_clips(far, far, 1.0)
    model.save_pretrained(tmp_path)
    recognizer_processor().save_pretrained(tmp_path)
    said = ("predict", clips / "a.mp4", "--model", tmp_path)
    out = amess(capsys, *said)[1]
    assert "The picture is unlike the clips that this model was trained on, drawn faces" in out.splitlines()[2]
    left_out = json.loads(amess(capsys, *said, "--on_unfamiliar", "leave_out", "--json")[1])
    assert (left_out["unfamiliar"], left_out["modalities"]) == (["video"], ["text", "audio"])
    assert json.loads(amess(capsys, *said, "--on_unfamiliar", "ignore", "--json")[1])["unfamiliar"] is None


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_input_is_refused_before_a_model_is_loaded(capsys, model, text):
    status, out, err = amess(capsys, "predict", "--text", text, "--model", model)
    assert (status, out) == (1, "") and "empty" in err


def test_a_coverage_names_the_set_and_is_refused_where_no_model_can_keep_it(capsys, model, tmp_path):
    recognizer_model(coverage_thresholds={"90": 0.0}).save_pretrained(tmp_path)
    recognizer_processor().save_pretrained(tmp_path)
    said = ("predict", "--text", "oh", "--model", tmp_path)
    status, out, err = amess(capsys, *said, "--coverage", "0.9")
    assert status == 0, err
    line = next(line for line in out.splitlines() if "may well be" in line)
    result = json.loads(amess(capsys, *said, "--coverage", "0.9", "--json")[1])
    assert line.endswith(" or ".join(result["prediction_set"])) and len(result["prediction_set"]) > 1
    candidates = tmp_path / "candidates.json"
    candidates.write_text('{"Boast": ["To speak proudly."]}')
    for arguments, word in (
        ((*said, "--coverage", "0.99"), "coverage=0.99"),
        (("predict", "--text", "oh", "--model", model, "--coverage", "0.9"), "coverage_thresholds"),
        ((*said, "--coverage", "0.9", "--candidate_labels", candidates), "--candidate_labels"),
    ):
        status, out, err = amess(capsys, *arguments)
        assert (status, out) == (2, "") and word in err and "Traceback" not in err


OUTPUT = """
import sys
from training.cli.main import main
model, table, folder = sys.argv[1:]
main(["predict", table, folder, "--model", model, "--json"])
sys.stdout.flush()
print("====")
sys.exit(main(["predict", table, folder, "--model", model]))
"""


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
)
def test_output_is_whole_in_any_encoding_of_the_terminal(model, clips, tmp_path, variables):
    odd = tmp_path / "odd"
    odd.mkdir()
    # A name in Latin-1, which is no Unicode and which Linux alone allows.
    clip = odd / (os.fsdecode(b"caf\xe9.mp4") if sys.platform == "linux" else "caf\ue0e9.mp4")
    shutil.copy(clips / "b.mp4", clip)
    clip.with_suffix(".txt").write_bytes("déjà".encode("cp1252"))
    texts = ["é oh", "你好 😀", "thanks"]
    rows = [f"{clips / 'b.mp4'}\t{text}\n".encode() for text in texts]
    (tmp_path / "uni.tsv").write_bytes(b"clip\ttext\n" + b"".join(rows))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **variables}
    command = [sys.executable, "-c", OUTPUT, model, str(tmp_path / "uni.tsv"), str(odd)]
    run = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True)
    assert run.returncode == 0, run.stderr
    lines, readable = run.stdout.decode("cp1252").split("====")
    assert [json.loads(line)["text"] for line in lines.splitlines()] == [*texts, "déjà"]
    assert '"\\u4f60\\u597d \\U0001f600"' in readable and "thanks" in readable
    assert re.search(rb"caf\\u\w{4}\.txt: Not UTF-8", run.stderr) and b"Traceback" not in run.stderr


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


@pytest.mark.parametrize(("texts", "name"), [(("--text=oh",), "why.png"), (("--text=oh", "--text=no"), "why-2.png")])
def test_a_picture_of_the_users_is_not_drawn_over(capsys, model, tmp_path, texts, name):
    (tmp_path / name).write_text("mine")
    status, _, err = amess(capsys, "predict", *texts, "--model", model, "--explain", tmp_path / "why.png")
    assert status == 2 and name in err and (tmp_path / name).read_text() == "mine"


def test_a_full_disk_is_no_fault_of_the_clip(capsys, model, clips, tmp_path, monkeypatch):
    def fill(figure, path, **_options):
        Path(path).write_bytes(b"half a picture")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fill)
    arguments = ("--text", "oh", "--text", "great", "--model", model, "--explain", tmp_path / "why.png")
    status, _, err = amess(capsys, "predict", clips / "a.mp4", clips / "b.mp4", *arguments)
    assert status == 2 and err.count("no space is left") == 1 and "why-1.png could not be written" in err
    assert list(tmp_path.iterdir()) == []


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
        (("a.mp4", "--text", "oh", "--candidate_labels", "nothere.json"), "nothere.json"),
        (("a.mp4", "--text", "oh", "--model", "tests/nothere"), "no model at tests/nothere"),
        (("a.mp4", "--text", "oh", "--model", "a/b/c"), "no model at a/b/c"),
        (("a.mp4", "--unknown"), "--unknown"),
    ],
)
def test_a_wrong_command_says_what_to_change(capsys, arguments, message):
    status, out, err = amess(capsys, "predict", *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_a_name_that_is_neither_a_folder_nor_on_the_hub_is_told(capsys, monkeypatch):
    """Transformers' own error names neither the model nor the option."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    status, out, err = amess(capsys, "predict", "--text", "oh", "--model", "nosuch/model")
    assert (status, out) == (2, "")
    assert "no folder nosuch/model" in err and "--model" in err and len(err.splitlines()) == 1


def test_a_run_folder_is_taken_for_its_model_and_a_wrong_name_gets_the_nearest(capsys, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, tmp_path / "runs" / "sample-amess" / "pretrained")
    status, _, err = amess(capsys, "predict", "--text", "oh", "--model", "runs/sample-amess")
    assert status == 0, err
    for wrong in ("runs/samle-amess/pretrained", "runs/sampel-amess"):
        status, out, err = amess(capsys, "predict", "--text", "oh", "--model", wrong)
        assert (status, out) == (2, "") and "runs/sample-amess" in err
    config = tmp_path / "runs" / "text_only" / "config.json"
    config.parent.mkdir()
    config.write_text('{"model_type": "text_only"}')
    status, _, err = amess(capsys, "predict", "--text", "oh", "--model", config.parent)
    assert status == 2 and "'text_only'" in err and "baseline" in err


@pytest.mark.parametrize(("sizes", "word"), [({}, "features"), ({"video": None, "audio": None}, "text alone")])
def test_a_model_that_takes_no_clips_says_so_before_the_first(capsys, clips, tmp_path, sizes, word):
    fields = {f"{name}_feature_size": size for name, size in sizes.items()}
    config = tiny_model(**fields)
    config.save_pretrained(tmp_path)
    sizes = {f"{name}_feature_size": getattr(config.config, f"{name}_feature_size") for name in ("video", "audio")}
    AmessProcessor(tiny_tokenizer(), max_text_length=12, **sizes).save_pretrained(tmp_path)
    status, out, err = amess(capsys, "predict", clips / "a.mp4", "--model", tmp_path)
    assert (status, out) == (2, "") and word in err and "--text" in err


def test_the_model_comes_from_the_environment_in_a_process_of_its_own(model, clips):
    environment = os.environ | {"AMESS_MODEL": model, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "training.cli.main", "predict", str(clips / "a.mp4"), "--json"]
    run = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout)["text"] == "oh, great."
