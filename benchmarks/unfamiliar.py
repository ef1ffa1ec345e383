# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Clips that the sample's model does not know, and those that it knows: which of them it calls unfamiliar.

    python -m benchmarks.unfamiliar --model runs/sample-amess/pretrained

Pictures: the test picture of Chromium's fake camera (drawn here, or a recording of it by `--recording`), noise, a test
card, one black, and photographs, still and moving. Sounds: silence, noise, tones, chords, beeps. Each is tried alone,
and each test utterance of the sample with its own features.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.unfamiliar:main", "Interrupted. There is no result. The same command starts again.")


import argparse
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_sample_image
from transformers import pipeline

import modeling_amess  # noqa: F401  # registers the pipeline
from dataset_scripts.sample.features import read_prepared_features
from dataset_scripts.sample.rows import read_sample


SECONDS, FRAME_RATE, SAMPLING_RATE = 2.5, 6, 16000
HEIGHT, WIDTH = 240, 320
CARD = ((255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255))


def fake_camera(number: int) -> np.ndarray:
    """Draw what Chromium's fake camera shows: a yellow pie that turns on green, uint8 `(frames, height, width, 3)`."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] - np.array([HEIGHT / 2, WIDTH / 2])[:, None, None]
    angle, radius = np.arctan2(rows, columns), np.hypot(rows, columns)
    frames = np.full((number, HEIGHT, WIDTH, 3), (0, 200, 0), np.uint8)
    for index, frame in enumerate(frames):
        frame[(radius < HEIGHT / 4) & ((angle + 0.6 * index) % (2 * np.pi) > 1)] = (255, 220, 0)
    return frames


def pictures() -> dict[str, np.ndarray]:
    """Make frames by the name of what they show."""
    number = round(SECONDS * FRAME_RATE)
    random = np.random.default_rng(0)
    card = np.repeat(np.asarray(CARD, np.uint8), -(-WIDTH // len(CARD)), 0)[None, :WIDTH].repeat(HEIGHT, 0)
    photographs = {name: np.asarray(load_sample_image(f"{name}.jpg")) for name in ("china", "flower")}
    still = {"test card": card, "black": np.zeros((HEIGHT, WIDTH, 3), np.uint8)}
    still |= {f"photograph ({name})": picture for name, picture in photographs.items()}
    moving = [photographs["china"][5 * index :, 8 * index :][:HEIGHT, :WIDTH] for index in range(number)]
    return {
        "fake camera (drawn)": fake_camera(number),
        "noise": random.integers(0, 256, (number, HEIGHT, WIDTH, 3), dtype=np.uint8),
        **{name: np.repeat(picture[None], number, 0) for name, picture in still.items()},
        "photograph (china), moving": np.stack(moving),
    }


def sounds() -> dict[str, np.ndarray]:
    """Make samples by the name of what is heard, float32 at 16 kHz."""
    time = np.arange(round(SECONDS * SAMPLING_RATE)) / SAMPLING_RATE
    random = np.random.default_rng(0)

    def chord(*pitches: float) -> np.ndarray:
        waves: np.ndarray = 0.2 * np.sin(2 * np.pi * np.outer(pitches, time)).sum(0)
        return waves

    melody = np.repeat([262, 294, 330, 349, 392, 440, 494, 523, 494, 440], len(time) // 10)
    made = {
        "silence": 0 * time,
        "noise": 0.1 * random.standard_normal(len(time)),
        "tone": chord(440),
        "chord": chord(261.6, 329.6, 392.0),
        "melody": 0.3 * np.sin(2 * np.pi * np.cumsum(melody) / SAMPLING_RATE),
        "beeps (fake camera)": 2 * chord(1000) * (time % 0.5 < 0.1),
    }
    return {name: samples.astype(np.float32) for name, samples in made.items()}


def measure(recognizer: Any, recordings: list[Path]) -> list[tuple[str, dict[str, float]]]:
    """Return the `unfamiliarity` of each made picture and sound, and of recordings."""
    text = {"text": "oh, great."}
    found = [
        (f"picture: {name}", recognizer({**text, "video": frames, "frame_rate": FRAME_RATE})["unfamiliarity"])
        for name, frames in pictures().items()
    ]
    found += [
        (f"sound: {name}", recognizer({**text, "audio": samples, "sampling_rate": SAMPLING_RATE})["unfamiliarity"])
        for name, samples in sounds().items()
    ]
    return found + [
        (f"file: {path.name}", recognizer({**text, "video": str(path)})["unfamiliarity"]) for path in recordings
    ]


def flagged_test_clips(recognizer: Any) -> tuple[int, int]:
    """Return how many of the sample's test utterances with a clip are flagged, and how many there are."""
    features = read_prepared_features()
    inputs = []
    for row in read_sample("test"):
        parts = {f"{name}_features": values for name, values in features[row["id"]].items() if len(values)}
        if parts:
            inputs.append({"text": row["text"], **parts})
    answers = recognizer(inputs, batch_size=16, variants=False)
    return sum(bool(answer["unfamiliar"]) for answer in answers), len(inputs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="runs/sample-amess/pretrained", help="model of the sample (%(default)s)")
    parser.add_argument("--recording", type=Path, nargs="*", default=[], help="recordings to try as well")
    arguments = parser.parse_args()
    recognizer: Any = pipeline(  # type: ignore[call-overload]  # its overloads know transformers' tasks only
        "multimodal-intent-recognition", model=arguments.model
    )
    print("| input | distance / limit | flagged |\n|---|---|---|")
    for name, distances in measure(recognizer, arguments.recording):
        values = ", ".join(f"{modality} {value:.2f}" for modality, value in distances.items())
        flags = ", ".join(modality for modality, value in distances.items() if value > 1)
        print(f"| {name} | {values} | {flags or 'no'} |")
    flagged, number = flagged_test_clips(recognizer)
    print(f"| the sample's {number} test clips | | {flagged} ({flagged / number:.1%}) |")
