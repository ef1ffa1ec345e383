# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""One click decodes its clip once, through the handlers that Gradio calls, and shows the moments of that clip."""

import base64
import io
import json
import os
import pickle
import re

import av
import numpy as np
import pytest
from PIL import Image

from modeling_amess.media_amess import decode_clip

from .server import SPACE


TEXT = "oh, great. thanks a lot."
EVERYTHING = ["text", "video", "audio"]
OWN = "Thank: To express gratitude.\nTaunt: To mock someone."


@pytest.fixture
def demo(recognizer, monkeypatch):
    """The handlers, with an empty queue and no clip in memory."""
    import app
    import recognition

    monkeypatch.setattr(recognition, "SECONDS_KEPT", 60.0)
    demo = app.Demo(recognition.Recognizer(recognizer.pipeline, "tiny"))
    demo.queue = []
    return demo


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """One entry per file that PyAV opens from now on."""
    files: list[str] = []
    av_open = av.open

    def counting(file, *arguments, **options):
        files.append(str(file))
        return av_open(file, *arguments, **options)

    monkeypatch.setattr(av, "open", counting)
    return files


def click(demo, clip: str, modalities: list[str] = EVERYTHING) -> dict:
    """What the page shows after one click, as Gradio gets there: validator, model, drawing."""
    assert all(checked["is_valid"] for checked in demo.check(clip, TEXT, modalities))
    answer = demo.predict(clip, TEXT, modalities)
    return demo.show(answer, clip, TEXT, modalities, 0.2)


def test_one_click_opens_its_clip_once(demo, clip, opened):
    click(demo, str(clip))
    assert len(opened) == 1
    click(demo, str(clip), ["text", "audio"])
    assert demo.check_own_intents(str(clip), TEXT, EVERYTHING, OWN)[-1]["is_valid"]
    assert "Thank" in demo.compare(str(clip), TEXT, EVERYTHING, OWN)
    assert len(opened) == 1, "a clip that was decoded a moment ago is decoded again"


def test_pictures_times_and_sound_are_those_of_the_clip(demo, recognizer, clip):
    import answer_view

    answer = demo.predict(str(clip), TEXT, EVERYTHING)
    shown = demo.show(answer, str(clip), TEXT, EVERYTHING, 0.2)
    processor = recognizer.pipeline.processor
    # What the page showed before there were pictures: the frames of a second decoding, 180 pixels high.
    expected = decode_clip(
        str(clip), frame_rate=processor.frame_rate, image_size=(180, 320), max_frames=processor.max_video_length
    )
    frames = sorted({anchor["frame"] for anchor in answer["explanation"]["video_anchors"]})
    pictures = re.findall(r'base64,([^"]+)".*?<figcaption>([^<]+)', shown["anchors"])
    assert len(pictures) == len(frames) > 0
    for (picture, caption), frame in zip(pictures, frames, strict=True):
        assert caption.startswith(f"{expected.frame_times[frame]:.2f} s · ")
        mean = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture)))).reshape(-1, 3).mean(0)
        np.testing.assert_allclose(mean, expected.frames[frame].reshape(-1, 3).mean(0), atol=4)
    sound = processor.decode(str(clip))
    assert shown["waveform"] == answer_view.waveform(answer, sound) and "<path" in shown["waveform"]


def test_pictures_keep_the_shape_of_the_clip(demo):
    import recognition

    for example in json.loads((SPACE / "examples" / "examples.json").read_text()):
        path = str(SPACE / "examples" / example["file"])
        original = decode_clip(path, max_frames=1, audio=False).frames[0]
        picture = demo._still(example)
        assert max(picture.shape[:2]) <= recognition.PICTURE_SIZE
        assert picture.shape[0] / picture.shape[1] == pytest.approx(original.shape[0] / original.shape[1], rel=0.02)


def test_what_is_switched_off_is_not_shown(demo, clip):
    shown = click(demo, str(clip), ["text"])
    assert "<img" not in shown["anchors"] and "<path" not in shown["waveform"]


def test_clips_are_forgotten_by_number_and_by_time(demo, clip, opened, tmp_path, monkeypatch):
    import recognition

    recognizer = demo.recognizer
    monkeypatch.setattr(recognition, "CLIPS_KEPT", 2)
    copies = [tmp_path / f"{number}.mp4" for number in range(3)]
    for copy in copies:
        copy.write_bytes(clip.read_bytes())
        recognizer.decode(str(copy))
    assert len(opened) == 3
    recognizer.decode(str(copies[2]))
    recognizer.decode(str(copies[1]))
    assert len(opened) == 3
    recognizer.decode(str(copies[0]))
    assert len(opened) == 4
    recognizer._forget_clips()
    recognizer.decode(str(copies[0]))
    assert len(opened) == 5


def test_another_file_of_the_same_name_is_another_clip(demo, clip, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip.read_bytes())
    first = demo.recognizer.decode(str(path))
    os.utime(path, ns=(1, 1))
    assert demo.recognizer.decode(str(path)) is not first


def test_a_full_queue_is_told_before_a_clip_is_decoded(demo, clip, opened):
    import app

    demo.queue = [None] * app.MAX_WAITING
    checked = demo.check(str(clip), TEXT, EVERYTHING)
    assert "try again" in checked[1]["message"] and opened == []


def test_what_goes_to_the_gpu_can_be_sent_to_another_process(recognizer, clip, monkeypatch):
    import app

    class Spaces:
        """ZeroGPU as far as the demo uses it: arguments and results cross a process border."""

        @staticmethod
        def GPU(duration: int):
            def decorate(function):
                def call(*arguments):
                    return pickle.loads(pickle.dumps(function(*pickle.loads(pickle.dumps(arguments)))))

                return call

            return decorate

    expected = app.Demo(recognizer).predict(str(clip), TEXT, EVERYTHING)
    monkeypatch.setattr(app, "spaces", Spaces)
    demo = app.Demo(recognizer)
    assert demo.predict(str(clip), TEXT, EVERYTHING) == expected
    assert "Thank" in demo.compare(str(clip), TEXT, EVERYTHING, OWN)
