# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Transcripts and lists of speakers as people bring them, and the words about what cannot be read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_scripts.recordings.outputs import rows_of, srt_of, table_of, vtt_of
from dataset_scripts.recordings.segments import RecordingError, Segment, read_speakers, with_speakers
from dataset_scripts.recordings.transcripts import parse_time, read_transcript


EXPECTED = [Segment(1.0, 2.5, "oh, great.", "Ann"), Segment(3661.25, 3662.0, "3 < 5 & so on")]

SRT = (
    "1\n00:00:01,000 --> 00:00:02,500\n[Ann]: <i>oh,</i>\ngreat.\n\n2\n01:01:01,250 --> 01:01:02,000\n3 < 5 & so on\n"
)
VTT = "WEBVTT\n\n00:01.000 --> 00:02.500\n<v Ann>oh, <b>great.</b>\n\n01:01:01.250 --> 01:01:02.000\n"
VTT += "3 &lt; 5 &amp; so on\n"
ASS = """[Script Info]
ScriptType: v4.00+

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not said
Dialogue: 0,0:00:01.00,0:00:02.50,Default,Ann,0,0,0,,{\\i1}oh,{\\i0}\\Ngreat.
Dialogue: 0,1:01:01.25,1:01:02.00,Default,,0,0,0,,3 < 5 & so on
"""
TSV = "start\tend\tspeaker\ttext\n1\t2.5\tAnn\toh, great.\n1:01:01.25\t1:01:02,000\t\t3 < 5 & so on\n"
CSV = 'text;end;start\n"[Ann]: oh, great.";2,5;1,0\n3 < 5 & so on;3662;3661,25\n'
PLAIN = [{"start": 1.0, "end": 2.5, "text": " oh, great.", "speaker": "Ann"}]
PLAIN += [{"start": 3661.25, "end": 3662, "text": "3 < 5 & so on"}]
TUPLES = [[1, 0, 1.0, 2.5, "[Ann]: oh, great.", [1]], [2, 0, 3661.25, 3662.0, "3 < 5 & so on", [2]]]
CHUNKS = [
    {"timestamp": [1.0, 2.5], "text": "[Ann]: oh, great."},
    {"timestamp": [3661.25, 3662], "text": "3 < 5 & so on"},
]
OFFSETS = [{"offsets": {"from": 1000, "to": 2500}, "text": "[Ann]: oh, great."}]
OFFSETS += [{"offsets": {"from": 3661250, "to": 3662000}, "text": "3 < 5 & so on"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.srt", SRT),
        ("a.vtt", VTT),
        ("a.ass", ASS),
        ("a.tsv", TSV),
        ("a.csv", CSV),
        ("whisperx.json", json.dumps({"segments": PLAIN, "word_segments": [], "language": "en"})),
        ("faster-whisper.json", json.dumps(TUPLES)),
        ("transformers.json", json.dumps({"text": "", "chunks": CHUNKS})),
        ("whisper-cpp.json", json.dumps({"transcription": OFFSETS})),
        ("a.jsonl", "".join(json.dumps(one) + "\n" for one in PLAIN)),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_kind_of_transcript_gives_the_same_utterances(tmp_path, name, content, encoding):
    path = tmp_path / name
    path.write_bytes(content.encode(encoding))
    assert read_transcript(path) == EXPECTED


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.txt", "oh, great.", ".srt"),
        ("a.srt", "no subtitle at all", "no utterance"),
        ("a.ass", "", "no utterance"),
        ("a.tsv", "start\tend\ttext\n2\t1\tno\n", "line 2"),
        ("a.tsv", "start\tend\ttext\nsoon\tlater\tno\n", "soon"),
        ("a.tsv", "begin\tend\ttext\n1\t2\tno\n", "start"),
        ("a.json", "{", "no JSON"),
        ("a.json", "[" * 100_000, "no JSON"),
        ("a.json", '{"text": "no times"}', "segments"),
        ("a.json", '[{"start": 1, "end": 2}]', "segment 1"),
        ("a.json", '[{"start": 1, "end": NaN, "text": "no"}]', "segment 1"),
        ("a.json", '[{"start": null, "end": 2, "text": "no"}]', "segment 1"),
        ("a.jsonl", '{"start": 1, "end": 2, "text": "yes"}\nno\n', "line 2"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, word):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(RecordingError, match=word) as caught:
        read_transcript(path)
    assert str(path) in str(caught.value)


@given(st.floats(min_value=0, max_value=360_000))
def test_times_are_read_as_they_are_written(seconds):
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    for text in (f"{minutes // 60}:{minutes % 60:02d}:{rest / 1000:06.3f}", f"{milliseconds / 1000}"):
        assert parse_time(text) == pytest.approx(milliseconds / 1000)


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30).map(lambda text: " ".join(text.split()))


@given(
    st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(1, 10**5), texts, st.sampled_from([None, "Ann", "B. & <C>"]))
    )
)
def test_words_and_speakers_survive_every_kind_of_output(tmp_path_factory, drawn):
    """Subtitles in, subtitles out: whatever is said, no word becomes a cue, a tag or a cell of its own."""
    folder = tmp_path_factory.mktemp("outputs")
    rows = [
        {
            "start": start / 1000,
            "end": (start + length) / 1000,
            "text": text,
            "speaker": speaker,
            "label": "Joke",
            "score": 0.5,
            "out_of_scope": False,
        }
        for start, length, text, speaker in drawn
    ]
    spoken = [row for row in rows if row["text"] and not row["text"].startswith("[")]
    outputs = {"a.csv": table_of(spoken), "a.srt": srt_of(spoken), "a.vtt": vtt_of(spoken)}
    for name, content in outputs.items():
        (folder / name).write_text(content, encoding="utf-8", newline="")
        if not spoken:
            continue
        read = read_transcript(folder / name)
        assert len(read) == len(spoken), (name, content)
        if name == "a.csv":
            order = sorted(spoken, key=lambda row: (row["start"], row["end"]))
            assert [(one.start, one.end) for one in read] == [(row["start"], row["end"]) for row in order]


def test_speakers_of_an_rttm_file(tmp_path):
    path = tmp_path / "turns.rttm"
    path.write_text(
        "SPKR-INFO meeting 1 <NA> <NA> <NA> unknown A <NA> <NA>\n"
        "SPEAKER meeting 1 0.50 2.00 <NA> <NA> A <NA> <NA>\nSPEAKER meeting 1 2.20 1.00 <NA> <NA> B <NA> <NA>\n"
        "SPEAKER other 1 0.00 9.00 <NA> <NA> C <NA> <NA>\n"
    )
    turns = read_speakers(path, "folder/meeting.mp4")
    assert [(turn.start, turn.end, turn.speaker) for turn in turns] == [(0.5, 2.5, "A"), (2.2, 3.2, "B")]
    segments = [Segment(0, 2.4, "a"), Segment(2.3, 3, "b"), Segment(5, 6, "c"), Segment(0, 2, "d", "D")]
    assert [one.speaker for one in with_speakers(segments, turns)] == ["A", "B", None, "D"]
    with pytest.raises(RecordingError, match="none of third"):
        read_speakers(path, "third.wav")


@pytest.mark.parametrize(
    "line", ["SPEAKER a 1 0.5", "SPEAKER a 1 x 2 <NA> <NA> A", "SPEAKER a 1 0 -1 <NA> <NA> A", "A 1"]
)
def test_an_rttm_file_without_turns_is_refused(tmp_path, line):
    path = tmp_path / "turns.rttm"
    path.write_text(f"{line}\n")
    with pytest.raises(RecordingError, match="RTTM"):
        read_speakers(path)


def test_rows_are_read_back(tmp_path):
    rows = [{"text": "a\u2028b", "start": 1.0}, {"text": "c"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    assert rows_of(tmp_path / "rows.jsonl") == rows
    assert rows_of(tmp_path / "rows.jsonl", 1) == rows[:1]
