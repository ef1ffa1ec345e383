# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The pipeline: clips, parts and features to intents and reasons, one or many, here or from a saved folder."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import pipeline

from modeling_amess import AmessProcessor, IntentRecognitionPipeline, media_amess
from modeling_amess.clip_amess import Clip, MediaError
from modeling_amess.pipeline_amess import Preparation

from .clips import write_clip
from .processes import run_python
from .tiny import tiny_model, tiny_tokenizer
from .tiny_recognizer import AUDIO_STEP_SECONDS, FRAME_RATE, recognizer_model, recognizer_processor


SPOKEN = Path(__file__).parent / "recordings"
TASK = "multimodal-intent-recognition"


@pytest.fixture(scope="module")
def recognizer() -> IntentRecognitionPipeline:
    return pipeline(TASK, model=recognizer_model(), processor=recognizer_processor(), device="cpu")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One clip with both streams, one silent, one of sound alone."""
    folder = tmp_path_factory.mktemp("clips")
    return {
        "both": write_clip(folder / "both.mp4", seconds=1.5),
        "silent": write_clip(folder / "silent.mp4", seconds=0.6, audio=False),
        "sound": write_clip(folder / "sound.wav", seconds=1.0, video=False),
    }


def tiny_processor() -> AmessProcessor:
    """The processor of `tiny_model`, which takes features only."""
    return AmessProcessor(tiny_tokenizer(), video_feature_size=6, audio_feature_size=5)


def features(frames: int = 5, steps: int = 9, seed: int = 0) -> dict[str, np.ndarray]:
    """Features of the size of `tiny_config`'s."""
    generator = np.random.default_rng(seed)
    return {"video_features": generator.normal(size=(frames, 6)), "audio_features": generator.normal(size=(steps, 5))}


def assert_same(result: dict, expected: dict, tolerance: float = 1e-5) -> None:
    """Assert that two results are equal but for rounding."""
    assert type(result) is type(expected)
    if isinstance(result, dict):
        assert result.keys() == expected.keys()
        for name in result:
            assert_same(result[name], expected[name], tolerance)
    elif isinstance(result, list):
        assert len(result) == len(expected)
        for one, other in zip(result, expected, strict=True):
            assert_same(one, other, tolerance)
    elif isinstance(result, float):
        assert result == pytest.approx(expected, abs=tolerance)
    else:
        assert result == expected


def test_a_clip_and_its_text_give_an_intent_and_what_it_rested_on(recognizer, clips):
    result = recognizer(clips["both"], text="oh, great.")
    assert result["label"] == result["intents"][0]["label"]
    assert result["score"] == result["intents"][0]["score"]
    assert sum(intent["score"] for intent in result["intents"]) == pytest.approx(1)
    assert result["text"] == "oh, great."
    assert result["modalities"] == ["text", "video", "audio"]
    reasons = result["explanation"]
    assert reasons["tokens"] == ["[CLS]", "oh", ",", "great", ".", "[SEP]"]
    assert len(reasons["video_anchors"]) == len(reasons["audio_anchors"]) == 4
    for anchor in reasons["video_anchors"]:
        assert anchor["time"] == pytest.approx(anchor["frame"] / FRAME_RATE, abs=0.05)
    for anchor in reasons["audio_anchors"]:
        assert anchor["time"] == pytest.approx(anchor["step"] * AUDIO_STEP_SECONDS)
        assert 0 <= anchor["time"] < 1.5
    assert set(reasons["description_similarity"]) == {"Thank", "Taunt", "Joke"}
    json.dumps(result)


def test_the_result_is_that_of_model_and_processor(recognizer, clips):
    batch = recognizer.processor(text="oh, great.", video=str(clips["both"]), return_tensors="pt")
    with torch.no_grad():
        probabilities = recognizer.model(**batch).logits.softmax(-1)[0]
    result = recognizer(clips["both"], text="oh, great.", top_k=None)
    for intent in result["intents"]:
        index = recognizer.model.config.label2id[intent["label"]]
        assert intent["score"] == pytest.approx(probabilities[index].item(), abs=1e-6)


def test_path_bytes_file_and_dict_are_the_same_clip(recognizer, clips):
    expected = recognizer(clips["both"], text="oh")
    content = clips["both"].read_bytes()
    with open(clips["both"], "rb") as file:
        for clip in (str(clips["both"]), content, io.BytesIO(content), file):
            assert_same(recognizer(clip, text="oh"), expected)
    assert_same(recognizer({"video": clips["both"], "text": "oh"}), expected)
    assert_same(recognizer({"video": clips["both"], "audio": clips["both"]}, text="oh"), expected)


def test_a_missing_stream_is_a_missing_modality(recognizer, clips):
    silent = recognizer(clips["silent"], text="oh")
    assert (silent["modalities"], silent["explanation"]["audio_anchors"]) == (["text", "video"], [])
    sound = recognizer(clips["sound"], text="oh")
    assert (sound["modalities"], sound["explanation"]["video_anchors"]) == (["text", "audio"], [])


def test_text_alone_and_features_alone(recognizer):
    assert recognizer(text="oh, great.")["modalities"] == ["text"]
    assert_same(recognizer({"text": "oh, great."}), recognizer(text="oh, great."))
    plain = pipeline(TASK, model=tiny_model(), processor=tiny_processor(), device="cpu")
    result = plain({"text": "oh", **features()})
    assert result["modalities"] == ["text", "video", "audio"]
    # The frame rate of the features is not recorded.
    assert all(
        anchor["frame"] in range(5) and anchor["time"] is None for anchor in result["explanation"]["video_anchors"]
    )
    assert plain({"text": "oh", "audio_features": features()["audio_features"]})["modalities"] == ["text", "audio"]


def test_batches_of_any_mixture_give_what_single_inputs_give(recognizer, clips):
    waveform = np.sin(np.arange(8000) / 20).astype(np.float32)
    inputs = [
        {"video": clips["both"], "text": "oh, great. thanks a lot"},
        {"text": "no way"},
        {"video": clips["silent"], "text": "oh"},
        {"video": clips["sound"], "text": ""},
        {"video": clips["both"], "audio": waveform, "sampling_rate": 16000, "text": "great"},
        {"text": "thanks", **features_of(recognizer)},
        {"video": clips["both"], "text": "no"},
    ]
    expected = [recognizer(one) for one in inputs]
    for batch_size in (1, 3, 7):
        results = recognizer(inputs, batch_size=batch_size)
        assert [result["text"] for result in results] == [one["text"] for one in inputs]
        assert_same(results, expected)
    assert recognizer([]) == []


def features_of(recognizer: IntentRecognitionPipeline) -> dict[str, np.ndarray]:
    config = recognizer.model.config
    generator = np.random.default_rng(1)
    return {
        "video_features": generator.normal(size=(3, config.video_feature_size)),
        "audio_features": generator.normal(size=(4, config.audio_feature_size)),
    }


def test_a_generator_is_read_as_its_results_are_asked_for(recognizer):
    made = []

    def texts():
        for text in ("oh", "great", "thanks", "no"):
            made.append(text)
            yield {"text": text}

    results = recognizer(texts())
    assert next(results)["text"] == "oh"
    assert len(made) <= 2  # transformers looks at the first item of a generator
    assert [result["text"] for result in results] == ["great", "thanks", "no"]


@pytest.mark.parametrize("top_k", [1, 3, None])
def test_top_k(recognizer, top_k):
    full = recognizer(text="oh", top_k=None)["intents"]
    assert len(full) == 4
    assert recognizer(text="oh", top_k=top_k)["intents"] == full[:top_k]


def test_out_of_scope_is_the_label_for_it_or_too_low_a_probability():
    model = tiny_model()
    with torch.no_grad():
        model.classifier.bias[model.config.label2id["UNK"]] -= 100
    recognize = pipeline(TASK, model=model, processor=tiny_processor(), device="cpu")
    result = recognize(text="oh")
    assert result["label"] != "UNK" and not result["out_of_scope"]
    model.config.out_of_scope_threshold = result["score"] + 0.01
    assert recognize(text="oh")["out_of_scope"]
    model.config.out_of_scope_threshold = result["score"] - 0.01
    assert not recognize(text="oh")["out_of_scope"]
    with torch.no_grad():
        model.classifier.bias[model.config.label2id["UNK"]] += 200
    assert recognize(text="oh")["out_of_scope"]


def text_recognizer(**fields) -> IntentRecognitionPipeline:
    """A pipeline whose config has these fields."""
    model = tiny_model()
    for name, value in fields.items():
        setattr(model.config, name, value)
    return pipeline(TASK, model=model, processor=tiny_processor(), device="cpu")


def scores_of(result: dict) -> dict[str, float]:
    return {intent["label"]: intent["score"] for intent in result["intents"]}


def test_the_temperature_divides_the_logits_of_the_pipeline_and_not_of_the_model(tmp_path):
    plain, halved = text_recognizer(), text_recognizer(temperature=0.5)
    with torch.no_grad():
        inputs = plain.processor(text="oh", return_tensors="pt")
        logits, same = plain.model(**inputs).logits[0], halved.model(**inputs).logits[0]
    torch.testing.assert_close(logits, same)
    names = plain.model.config.label_names
    for recognize, temperature in ((plain, 1), (halved, 0.5)):
        expected = dict(zip(names, (logits / temperature).softmax(-1).tolist(), strict=True))
        assert scores_of(recognize(text="oh")) == pytest.approx(expected)
    halved.save_pretrained(tmp_path)
    again = pipeline(TASK, model=str(tmp_path), device="cpu")
    assert again(text="oh")["score"] == pytest.approx(halved(text="oh")["score"])


def test_a_prediction_set_holds_the_labels_above_the_threshold_and_always_the_likeliest():
    thresholds = {"80": 0.0, "85": 0.25, "90": 1.0}
    recognize = text_recognizer(coverage_thresholds=thresholds, out_of_scope_label=None)
    ranked = recognize(text="oh", top_k=None)
    assert "prediction_set" not in ranked
    names = [intent["label"] for intent in ranked["intents"]]
    likely = [intent["label"] for intent in ranked["intents"] if intent["score"] >= 0.25]
    assert recognize(text="oh", coverage=0.8, top_k=1)["prediction_set"] == names
    assert recognize(text="oh", coverage=0.85)["prediction_set"] == likely
    assert recognize(text="oh", coverage=0.9)["prediction_set"] == names[:1]
    # 57 % is above 57 in floating point, and a share between two percents takes the higher one.
    recognize.model.config.coverage_thresholds = {"57": 0.0, "58": 1.0}
    assert recognize(text="oh", coverage=0.57)["prediction_set"] == names
    assert recognize(text="oh", coverage=0.571)["prediction_set"] == names[:1]


@pytest.mark.parametrize(
    ("fields", "arguments", "message"),
    [
        ({}, {"coverage": 0.9}, "at least 50 validation utterances"),
        ({"coverage_thresholds": {"90": 0.1, "97": 0.01}}, {"coverage": 0.99}, r"0\.9 to 0\.97"),
        ({"coverage_thresholds": {"90": 0.1}}, {"coverage": 90}, "coverage=90 must be a share"),
        ({"coverage_thresholds": {"90": 0.1}}, {"coverage": float("nan")}, "coverage=nan must be a share"),
        ({"coverage_thresholds": {"90": 0.1}}, {"coverage": "most"}, "coverage='most' must be a share"),
    ],
)
def test_a_coverage_that_cannot_be_kept_is_refused_before_any_work(fields, arguments, message):
    with pytest.raises(ValueError, match=message):
        text_recognizer(**fields)(text="oh", **arguments)
    with pytest.raises(ValueError, match=message):
        pipeline(TASK, model=text_recognizer(**fields).model, processor=tiny_processor(), device="cpu", **arguments)


def test_a_model_in_training_mode_is_recognised_with_in_evaluation_mode():
    recognize = pipeline(TASK, model=tiny_model().train(), processor=tiny_processor(), device="cpu")
    assert_same(recognize(text="oh"), recognize(text="oh"), tolerance=0)


def test_without_text_a_transcript_is_asked_for_by_the_name_of_the_input(recognizer, clips):
    with pytest.raises(ValueError, match=r"both\.mp4: a transcript is needed.*asr_model"):
        recognizer(clips["both"], asr_model=None)
    with pytest.raises(ValueError, match="video_features and audio_features: a transcript is needed"):
        recognizer(features_of(recognizer))
    with pytest.raises(ValueError, match=r"silent\.mp4: there is no sound"):
        recognizer(clips["silent"])


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> str:
    """A clip with a picture in which somebody says that it will rain."""
    heard = media_amess.decode_clip(SPOKEN / "weather.opus")
    path = tmp_path_factory.mktemp("spoken") / "weather.mp4"
    sound = {"sound": heard.waveform[None], "sampling_rate": 16000, "layout": "mono"}
    return str(write_clip(path, seconds=heard.duration, **sound))


def test_a_clip_without_text_is_transcribed_and_decoded_once(recognizer, spoken, opened):
    result = recognizer(spoken)
    assert len(opened) == 1, "Whisper hears the sound that was decoded for A-MESS"
    assert result["text"] == "It will rain in London on Monday and Tuesday."
    transcript = result.pop("transcript")
    assert (transcript["asr_model"], transcript["language"]) == ("tiny.en", "en")
    assert [word["text"] for word in transcript["words"]] == result["text"].split()
    times = [time for word in transcript["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times) and times[0] >= 0 and times[-1] < 3.6
    given = recognizer(spoken, text=result["text"])
    assert given.pop("transcript") is None
    assert_same(result, given)
    assert recognizer([spoken, {"video": spoken, "text": "oh"}])[1]["text"] == "oh"


def test_the_sound_for_whisper_comes_with_the_pictures_of_a_model_that_hears_nothing(spoken, opened):
    processor = recognizer_processor()
    processor.audio_feature_size = None
    prepared = Preparation(processor, limits=None, picture_size=None, for_transcription=True)(spoken)
    assert len(opened) == 1
    assert len(prepared.sound) > 3 * 16000 and prepared.clip.waveform is None and len(prepared.clip.frames)


@pytest.mark.parametrize("sound", ["silence", "noise", "tone"])
def test_without_speech_the_text_is_empty_and_a_line_says_so(recognizer, caplog, sound):
    time = np.arange(4 * 16000) / 16000
    samples = {
        "silence": np.zeros(len(time)),
        "noise": np.random.default_rng(0).normal(0, 0.1, len(time)),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time) * np.greater(np.sin(2 * np.pi * 3 * time), 0),
    }[sound].astype(np.float32)
    result = recognizer({"audio": samples, "sampling_rate": 16000})
    assert result["text"] == "" and result["transcript"] == {"asr_model": "tiny.en", "language": None, "words": []}
    assert "Nobody speaks" in caplog.text


def test_a_span_of_a_recording_is_an_input(recognizer, spoken):
    words = recognizer(spoken)["transcript"]["words"]
    end = next(word["end"] for word in words if "Monday" in word["text"])
    result = recognizer({"video": spoken, "start": 0.0, "end": end}, return_clip=True)
    assert result["clip"].duration == pytest.approx(end, abs=0.05)
    assert "London" in result["text"] and "Tuesday" not in result["text"]
    with pytest.raises(ValueError, match="start before end"):
        recognizer({"video": spoken, "start": 2.0, "end": 1.0})


@pytest.fixture
def opened(monkeypatch) -> list:
    """Files that PyAV opens from here on."""
    files, original = [], media_amess.av.open
    monkeypatch.setattr(
        media_amess.av, "open", lambda file, **options: files.append(file) or original(file, **options)
    )
    return files


def test_one_call_opens_a_clip_once_and_returns_what_the_model_saw(recognizer, clips, opened):
    result = recognizer(clips["both"], text="oh, great.", return_clip=True, picture_size=40)
    assert len(opened) == 1
    clip = result.pop("clip")
    assert isinstance(clip, Clip) and clip.sampling_rate == 16000 and clip.duration == pytest.approx(1.5, abs=0.1)
    assert clip.frames.shape == (8, 32, 32, 3) and clip.pictures.shape == (8, 30, 40, 3)
    assert clip.frame_times == pytest.approx(np.arange(8) / FRAME_RATE, abs=0.05)
    assert len(clip.waveform) == pytest.approx(1.5 * 16000, abs=1600)
    assert_same(result, recognizer(clips["both"], text="oh, great."))
    assert len(opened) == 2
    # The decoded clip is an input like any other, and no file is opened for it.
    again = recognizer(clip, text="oh, great.", return_clip=True)
    np.testing.assert_array_equal(again.pop("clip").pictures, clip.pictures)
    assert_same(again, result)
    assert len(opened) == 2


def test_several_clips_are_each_opened_once_and_text_alone_has_no_clip(recognizer, clips, opened):
    inputs = [{"video": clips["both"], "text": "oh"}, {"text": "no"}, {"video": clips["silent"], "text": "great"}]
    results = recognizer(inputs, batch_size=3, return_clip=True)
    assert len(opened) == 2
    assert [None if one["clip"] is None else one["clip"].pictures for one in results] == [None, None, None]
    assert results[1]["clip"] is None and results[2]["clip"].waveform is None


def test_frames_as_an_array_have_pictures_too(recognizer):
    frames = np.random.default_rng(0).integers(0, 256, (6, 60, 90, 3), dtype=np.uint8)
    clip = recognizer({"video": frames, "text": "oh"}, return_clip=True, picture_size=30)["clip"]
    assert clip.pictures.shape == (6, 20, 30, 3) and clip.frames.shape == (6, 32, 32, 3)


def test_a_clip_that_cannot_be_decoded_is_named(recognizer, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_text("this is no clip")
    with pytest.raises(MediaError, match=r"broken\.mp4"):
        recognizer(broken, text="oh")
    with pytest.raises(FileNotFoundError, match=r"absent\.mp4"):
        recognizer(str(tmp_path / "absent.mp4"), text="oh")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": {"vidoe": "clip.mp4", "text": "oh"}}, "'vidoe'"),
        ({"inputs": {"video": None, "text": None}}, "empty"),
        ({"inputs": {"text": 3}}, "must be a string, not int"),
        ({"inputs": ["a.mp4", "b.mp4"], "text": "oh"}, "text= belongs to one clip"),
        ({"inputs": "a.mp4", "text": ["oh"]}, "one string"),
        ({"inputs": {"text": "oh"}, "text": "oh"}, "given twice"),
        ({}, "Nothing to recognise"),
        ({"text": "oh", "top_k": 0}, "top_k=0"),
    ],
)
def test_wrong_inputs_say_what_is_wrong(recognizer, arguments, message):
    with pytest.raises(ValueError, match=message):
        recognizer(**arguments)


def test_wrong_types_say_what_is_taken(recognizer):
    with pytest.raises(TypeError, match="not float"):
        recognizer(1.5)
    with pytest.raises(TypeError, match="Unknown arguments: topk"):
        recognizer(text="oh", topk=3)
    with pytest.raises(ValueError, match="processor"):
        IntentRecognitionPipeline(model=tiny_model())


RECOGNIZE = """
import json, sys
from transformers import pipeline
folder, clip, again = sys.argv[1:]
recognizer = pipeline("multimodal-intent-recognition", model=folder, **trust)
print(json.dumps({"module": type(recognizer).__module__, "result": recognizer(clip, text="oh, great.")}))
recognizer.save_pretrained(again)
if trust:  # the config names the task
    assert pipeline(model=again, **trust)(clip, text="oh, great.") == recognizer(clip, text="oh, great.")
"""


@pytest.mark.parametrize("with_package", [True, False], ids=["with the package", "without it"])
def test_a_saved_folder_is_all_that_another_process_needs(recognizer, clips, tmp_path, with_package):
    folder, again = tmp_path / "pretrained", tmp_path / "again"
    recognizer.model.save_pretrained(folder)
    recognizer.processor.save_pretrained(folder)
    output = run_python(RECOGNIZE, folder, clips["both"], again, home=tmp_path / "home", with_package=with_package)
    answer = json.loads(output.splitlines()[-1])
    assert_same(answer["result"], recognizer(clips["both"], text="oh, great."))
    assert answer["module"].startswith("modeling_amess." if with_package else "transformers_modules.")
    # The folder that it saved is complete, and makes the same pipeline here.
    assert_same(pipeline(TASK, model=str(again))(clips["both"], text="oh, great."), answer["result"])
