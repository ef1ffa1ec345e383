# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A recording to intents: what is found, what an interruption loses, what a defect costs, and what is refused."""

import csv
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import pytest

from dataset_scripts.recordings import analysis as module
from dataset_scripts.recordings.analysis import PROGRESS_FILE, analyze_recording
from dataset_scripts.recordings.outputs import OUTPUT_FILES
from dataset_scripts.recordings.segments import RecordingError
from dataset_scripts.recordings.transcripts import read_transcript
from modeling_amess import IntentRecognitionPipeline
from tests.modeling_amess.tiny_recognizer import recognizer_model, recognizer_processor

from .made import MadeRecording, make_recording


PROJECT = Path(__file__).parents[3]
WORDS = {"weather": "London", "dinner": "dinner", "train": "train"}


@pytest.fixture(scope="module")
def recognizer() -> IntentRecognitionPipeline:
    return IntentRecognitionPipeline(model=recognizer_model(), processor=recognizer_processor())


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> MadeRecording:
    return make_recording(tmp_path_factory.mktemp("recording") / "meeting.mp4", 20)


@pytest.fixture
def transcript(made, tmp_path) -> Path:
    """A transcript of the recording with one utterance too many, behind its end, and one that is too long."""
    path = tmp_path / "meeting.tsv"
    lines = [f"{start:.3f}\t{end:.3f}\t{name}" for (start, end), name in zip(made.spans, made.names, strict=True)]
    path.write_text("\n".join(["start\tend\ttext", *lines, "0\t45\ttoo long", "100\t101\tbehind the end"]) + "\n")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_utterances_are_found_by_their_sound(recognizer, made, tmp_path):
    seen = []
    result = analyze_recording(
        made.path,
        recognizer,
        tmp_path / "out",
        speakers=made.rttm,
        progress=lambda done, whole: seen.append((done, whole)),
    )
    assert result.failed == 0 and len(result.rows) == len(made.spans)
    for row, (start, end), name, speaker in zip(result.rows, made.spans, made.names, made.speakers, strict=True):
        assert row["start"] == pytest.approx(start, abs=0.5) and row["end"] == pytest.approx(end, abs=0.5)
        assert WORDS[name] in row["text"] and row["speaker"] == speaker
        assert row["label"] in recognizer.model.config.label_names and len(row["intents"]) == 3
        assert set(row["modalities"]) == {"text", "video", "audio"}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen) and seen[-1][0] <= seen[-1][1]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*OUTPUT_FILES, PROGRESS_FILE}


def test_a_transcript_gives_the_utterances_and_a_failed_one_is_a_row(recognizer, made, transcript, tmp_path):
    result = analyze_recording(made.path, recognizer, tmp_path / "out", transcript=transcript, speakers=made.rttm)
    good = [row for row in result.rows if "error" not in row]
    assert [row["text"] for row in good] == made.names and [row["speaker"] for row in good] == made.speakers
    errors = {row["text"]: row["error"] for row in result.rows if "error" in row}
    assert "max_duration" in errors["too long"] and "decoded" in errors["behind the end"] and result.failed == 2
    with open(tmp_path / "out" / "utterances.csv", newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == [row["text"] for row in result.rows]
    for name in ("intents.srt", "intents.vtt"):
        assert len(read_transcript(tmp_path / "out" / name)) == len(result.rows)
    elan = ElementTree.parse(tmp_path / "out" / "intents.eaf").getroot()
    tiers = {tier.get("TIER_ID"): tier for tier in elan.iter("TIER")}
    assert {"words: Ann", "intent: Ann", "words: Bob", "intent: Bob"} <= set(tiers)
    said = [value.text for value in tiers["words: Bob"].iter("ANNOTATION_VALUE")]
    assert said == [row["text"] for row in good if row["speaker"] == "Bob"]


def test_a_span_is_recognised_as_the_pipeline_recognises_it(recognizer, made, transcript):
    [row, *_] = [
        row for row in analyze_recording(made.path, recognizer, transcript=transcript).rows if "error" not in row
    ]
    parts = {"video": str(made.path), "start": row["start"], "end": row["end"], "text": row["text"]}
    assert recognizer(parts)["score"] == pytest.approx(row["score"], abs=1e-6)


def test_earlier_utterances_are_context_where_the_model_reads_any(recognizer, made, transcript, monkeypatch):
    given = []

    class Recorder:
        """A model of dialogues that answers as the other one, and keeps what it was given."""

        model, processor = recognizer.model, recognizer_processor()

        def __call__(self, parts, **options):
            given.append(parts.pop("context"))
            return recognizer(parts, **options)

    Recorder.processor.context_utterances = 2
    rows = analyze_recording(made.path, Recorder(), transcript=transcript).rows
    said = [row["text"] for row in rows]
    assert given == [said[max(0, index - 2) : index] for index in range(len(said))]


@pytest.mark.parametrize("by_sound", [False, True])
def test_an_interrupted_analysis_continues_to_the_same_files(
    recognizer, made, transcript, tmp_path, monkeypatch, by_sound
):
    monkeypatch.setattr(module, "_STEP", 2)
    monkeypatch.setattr("dataset_scripts.recordings.speech._WINDOW", 12.0)
    options = {"speakers": made.rttm} if by_sound else {"transcript": transcript}
    whole = analyze_recording(made.path, recognizer, tmp_path / "whole", **options)
    counts = []

    def interrupt(done: float, _whole: float | None) -> None:
        counts.append(done)
        if len(counts) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="continues"):
        analyze_recording(made.path, recognizer, tmp_path / "cut", progress=interrupt, **options)
    with open(tmp_path / "cut" / "utterances.jsonl", "a") as file:
        file.write('{"half a row')  # what a killed process may leave behind what it finished
    resumed = []
    analyze_recording(
        made.path, recognizer, tmp_path / "cut", progress=lambda done, _: resumed.append(done), **options
    )
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    kept = 2 if not by_sound else 1
    assert len(resumed) <= len(whole.rows) - kept, "what was finished is not done again"
    before = contents(tmp_path / "whole")
    assert analyze_recording(made.path, recognizer, tmp_path / "whole", **options).rows
    assert contents(tmp_path / "whole") == before, "a finished analysis is read"


def test_other_input_is_refused_with_words_and_begun_again_on_request(recognizer, made, transcript, tmp_path):
    analyze_recording(made.path, recognizer, tmp_path / "out", transcript=transcript)
    with pytest.raises(RecordingError, match="top_k was 3 and is 1"):
        analyze_recording(made.path, recognizer, tmp_path / "out", transcript=transcript, top_k=1)
    transcript.write_text("start\tend\ttext\n1\t2\tall new\n")
    with pytest.raises(RecordingError, match="transcript was"):
        analyze_recording(made.path, recognizer, tmp_path / "out", transcript=transcript)
    again = analyze_recording(made.path, recognizer, tmp_path / "out", transcript=transcript, overwrite=True)
    assert [row["text"] for row in again.rows] == ["all new"]


def test_a_folder_of_other_files_is_left_alone(recognizer, made, transcript, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.doc").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(RecordingError, match=r"thesis\.doc"):
            analyze_recording(made.path, recognizer, folder, transcript=transcript, overwrite=overwrite)
    assert contents(folder) == {"thesis.doc": b"years of work"}


def test_what_cannot_be_analysed_is_told_before_the_work(recognizer, made, transcript, tmp_path):
    with pytest.raises(RecordingError, match="no such file"):
        analyze_recording(tmp_path / "none.mp4", recognizer)
    transcript.write_text("start\tend\ttext\n12000\t13000\twhisper's own table has milliseconds\n")
    with pytest.raises(RecordingError, match="milliseconds"):
        analyze_recording(made.path, recognizer, transcript=transcript)


def test_the_command_analyses_and_says_where_to_look(made, transcript, tmp_path):
    model = tmp_path / "model"
    recognizer_model().save_pretrained(model)
    recognizer_processor().save_pretrained(model)
    command = [sys.executable, "-m", "training.cli.main", "analyze", made.path, "--model", model]
    command += ["--transcript", transcript]
    run = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert run.returncode == 1, run.stderr  # two utterances fail
    assert "2 failed" in run.stdout and "index.html" in run.stdout
    assert (tmp_path / "meeting-intents" / "index.html").is_file()
    run = subprocess.run(
        [*command, "--speakers", "none.rttm"], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert run.returncode == 2 and "no such file" in run.stderr


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def test_a_copy_of_the_recording_travels_with_the_page(recognizer, made, transcript, tmp_path):
    analyze_recording(made.path, recognizer, tmp_path / "out", transcript=transcript, media="copy")
    assert (tmp_path / "out" / "recording.mp4").read_bytes() == made.path.read_bytes()
    assert 'src="recording.mp4"' in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.slow
def test_ten_minutes_cost_the_memory_of_two_and_a_killed_analysis_continues(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.recordings", "--minutes", "10", "--short", "2", "--folder", tmp_path],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout.splitlines()[-1])
    assert result["found"] == result["utterances"] and result["largest_boundary_error"] < 0.6
    assert result["right_speakers"] == result["utterances"]
    assert result["memory_ratio"] <= 1.1 and result["same_after_kill"]


def test_rows_come_in_the_order_of_the_recording(recognizer, made, transcript):
    rows = analyze_recording(made.path, recognizer, transcript=transcript).rows
    assert all(one["start"] <= other["start"] for one, other in pairwise(rows))


def test_files_of_the_users_in_the_folder_are_kept(recognizer, made, transcript, tmp_path, monkeypatch):
    theirs, output = tmp_path / "theirs", tmp_path / "out"
    theirs.mkdir()
    for name in (PROGRESS_FILE, *OUTPUT_FILES):
        (theirs / name).write_text("{}")
    before = contents(theirs)
    with pytest.raises(RecordingError, match="cannot be read"):
        analyze_recording(made.path, recognizer, theirs, transcript=transcript, overwrite=True)
    assert contents(theirs) == before

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "write_outputs", interrupt)
        analyze_recording(made.path, recognizer, output, transcript=transcript)
    (output / "intents.srt").write_text("mine")
    for overwrite in (True, False):
        with pytest.raises(RecordingError, match=r"intents\.srt"):
            analyze_recording(made.path, recognizer, output, transcript=transcript, overwrite=overwrite)
    (output / "intents.srt").unlink()
    analyze_recording(made.path, recognizer, output, transcript=transcript)
    assert set(contents(output)) == {*OUTPUT_FILES, PROGRESS_FILE}
