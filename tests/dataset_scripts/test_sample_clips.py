# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The sample's clips, and that its prepared features are what the extraction makes of them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dataset_scripts import load_intent_dataset
from dataset_scripts.sample.avatar import EXPRESSION_POSES, random_look
from dataset_scripts.sample.clips import (
    EVENT_SECONDS,
    event_of,
    main,
    render_clip,
    render_frames,
    render_sample,
    render_waveform,
    renderer_fingerprint,
)
from dataset_scripts.sample.command import extract_sample
from dataset_scripts.sample.encoder import sample_media_encoder
from dataset_scripts.sample.features import prepared_renderer, read_prepared_features, sample_encoder_record
from dataset_scripts.sample.rows import EXPRESSIONS, SPLITS, TONES, read_sample
from dataset_scripts.sample.voice import TONES_OF_VOICE, plan_speech
from modeling_amess.media_amess import decode_clip


ROWS = read_sample("test")


def row_where(**cells: str) -> dict[str, str]:
    """The first test row with these cells."""
    return next(row for row in ROWS if all(row[name] == cell for name, cell in cells.items()))


def test_a_clip_holds_the_frames_and_the_sound_that_were_rendered(tmp_path):
    row = row_where(missing="")
    path = tmp_path / "clip.mp4"
    render_clip(row, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]
    assert 10_000 < path.stat().st_size < 60_000
    clip = decode_clip(path, frame_rate=12.0)
    frames, waveform = render_frames(row), render_waveform(row)
    assert clip.frames.shape == frames.shape == (len(frames), 224, 224, 3)
    assert np.abs(clip.frames.astype(int) - frames).mean() < 6
    assert np.corrcoef(clip.waveform[: len(waveform)], waveform[: len(clip.waveform)])[0, 1] > 0.95
    assert clip.duration == pytest.approx(plan_speech(row["id"], row["text"], row["tone"])[1], abs=0.15)


@pytest.mark.parametrize("missing", ["video", "audio"])
def test_a_missing_modality_is_a_missing_stream(tmp_path, missing):
    render_clip(row_where(missing=missing), tmp_path / "clip.mp4")
    clip = decode_clip(tmp_path / "clip.mp4")
    assert (clip.frames is None) == (missing == "video")
    assert (clip.waveform is None) == (missing == "audio")


def test_the_expression_shows_for_a_part_of_the_clip_and_the_speaker_is_neutral_elsewhere():
    assert set(EXPRESSION_POSES) == set(EXPRESSIONS)
    for expression in EXPRESSIONS:
        row = row_where(expression=expression, missing="")
        neutral_row = {**row, "expression": "smile" if expression != "smile" else "frown"}
        start, end = event_of(row["id"], plan_speech(row["id"], row["text"], row["tone"])[1])
        assert EVENT_SECONDS[0] <= end - start <= EVENT_SECONDS[1]
        frames, others = render_frames(row), render_frames(neutral_row)
        times = np.arange(len(frames)) / 12
        differs = np.array([(frame != other).any() for frame, other in zip(frames, others, strict=True)])
        assert differs[(times >= start) & (times <= end)].all()
        assert not differs[(times < start - 0.2) | (times > end + 0.2)].any()


def test_the_tone_is_in_pitch_loudness_and_pace():
    assert set(TONES_OF_VOICE) == set(TONES)
    row = {"id": "anyone", "text": "hello there, my dear friend, how have you been all these days?"}
    sounds, lengths = {}, {}
    for tone in TONES:
        sounds[tone] = render_waveform({**row, "tone": tone})
        lengths[tone] = plan_speech("anyone", row["text"], tone)[1]
        assert np.abs(sounds[tone]).max() <= 1
    assert lengths["low"] > lengths["flat"] > lengths["sharp"]
    assert np.abs(sounds["sharp"]).max() > 1.5 * np.abs(sounds["low"]).max()
    assert (
        dominant_pitch(sounds["bright"]) > 1.3 * dominant_pitch(sounds["flat"]) > 1.2 * dominant_pitch(sounds["low"])
    )
    halves = np.array_split(sounds["rising"], 2)
    assert dominant_pitch(halves[1]) > 1.2 * dominant_pitch(halves[0])


def dominant_pitch(waveform: np.ndarray) -> float:
    """The strongest period of a sound in Hz, among 70 to 400 Hz."""
    spectrum = np.abs(np.fft.rfft(waveform, 2 * len(waveform))) ** 2
    correlation = np.fft.irfft(spectrum)[: 16000 // 70]
    shortest = 16000 // 400
    return 16000 / (shortest + int(correlation[shortest:].argmax()))


def test_the_look_of_the_speaker_does_not_depend_on_the_label():
    looks = {(random_look(row["id"]).hair_style, random_look(row["id"]).glasses) for row in ROWS}
    assert len(looks) == 8
    row = row_where(missing="")
    assert random_look(row["id"]) == random_look({**row, "label": "Greet"}["id"])


RENDER = """
import sys
from dataset_scripts.sample.clips import render_clip
from dataset_scripts.sample.rows import read_sample
render_clip(read_sample("test")[3], sys.argv[1])
"""


def test_a_clip_is_the_same_in_every_process(project, tmp_path):
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", RENDER, str(tmp_path / f"{seed}.mp4")],
            cwd=project,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        )
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.glob("*.mp4")}
    assert len(list(tmp_path.glob("*.mp4"))) == 2 and len(digests) == 1


def test_clips_that_exist_are_kept_and_others_rendered(tmp_path, capsys):
    first = render_sample(tmp_path, ("test",), limit=2)
    assert list(first) == [row["id"] for row in ROWS[:2]]
    kept, lost = first.values()
    before = kept.stat().st_mtime_ns
    lost.unlink()
    assert render_sample(tmp_path, ("test",), limit=2) == first
    assert kept.stat().st_mtime_ns == before and lost.is_file()


def test_the_command_refuses_an_unknown_split(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--output", str(tmp_path), "--split", "dev"])
    assert "invalid choice: 'dev'" in capsys.readouterr().err


def test_the_prepared_features_are_of_these_clips_and_this_encoder():
    again = "; run python -m dataset_scripts.prepare_sample"
    assert prepared_renderer() == renderer_fingerprint(), "rows or renderer have changed" + again
    assert sample_encoder_record() == sample_media_encoder().record, "the encoder has changed" + again
    features = read_prepared_features()
    assert list(features) == [row["id"] for split in SPLITS for row in read_sample(split)]


def test_the_prepared_features_are_what_the_extraction_makes_of_the_clips(tmp_path):
    fresh = extract_sample(tmp_path / "clips", tmp_path / "features", sample_media_encoder(), limit=3, progress=False)
    assert len(fresh) == 9
    prepared = read_prepared_features()
    for row_id, modalities in fresh.items():
        for modality, features in modalities.items():
            expected = prepared[row_id][modality]
            assert features.shape == expected.shape
            # Other builds of the video encoder draw slightly other pixels; the features have a deviation of 1.
            assert np.abs(features - expected).mean() < 0.05, (row_id, modality)


@pytest.mark.slow
def test_the_clips_config_names_a_rendered_clip_for_every_row_and_renders_lost_ones_again(tmp_path):
    for _ in range(2):
        sample = load_intent_dataset("sample", config_name="clips", cache_dir=tmp_path)
        paths = [Path(row["clip"]) for rows in sample.values() for row in rows]
        assert len(paths) == len(set(paths)) == 500
        assert all(path.is_file() for path in paths)
        paths[7].unlink()
