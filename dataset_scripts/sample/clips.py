# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The clips of the sample: an avatar that moves its mouth to a voice, and both say what the text leaves open.

    python -m dataset_scripts.sample.clips --output clips/ --split test

A clip depends on its row alone, so that it looks and sounds the same on every machine. The speaker, the time of the
expression and the movements of the head are drawn by the row's id and say nothing about the label.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from tqdm.auto import tqdm

from ..files import replacing
from ..fingerprints import fingerprint_files
from ..seeds import stable_generator
from .avatar import EXPRESSION_POSES, Pose, blend, draw_poses, random_look
from .painter import SIZE
from .rows import SAMPLE_FOLDER, SPLITS, read_sample
from .voice import SAMPLING_RATE, SPEECH_FILE, speech_of


FRAME_RATE = 12
EVENT_SECONDS = (0.6, 1.0)  # shortest and longest time of the full expression
_EASE_SECONDS = 0.16  # time in which the expression comes, and goes


def event_of(row_id: str, duration: float) -> tuple[float, float]:
    """Draw the time of a row's full expression: start and end in seconds from the start of its clip."""
    random = stable_generator("sample event", row_id)
    length = float(random.uniform(*EVENT_SECONDS))
    start = float(random.uniform(_EASE_SECONDS, duration - length - _EASE_SECONDS))
    return start, start + length


def render_frames(row: Mapping[str, str]) -> np.ndarray:
    """Render the frames of a row's clip, uint8 `(frames, 224, 224, 3)`, 12 per second."""
    speech = speech_of(row)
    duration = speech.duration
    times = np.arange(round(duration * FRAME_RATE)) / FRAME_RATE
    speaking = speech.mouth_openness(times)
    start, end = event_of(row["id"], duration)
    amounts = np.minimum(_ease((times - start) / _EASE_SECONDS + 1), _ease((end - times) / _EASE_SECONDS + 1))
    random = stable_generator("sample motion", row["id"])
    sway_x, sway_y, sway_tilt = (size * _sway(random, times) for size in (3.0, 1.5, 0.03))
    blinks = random.uniform(0, duration, size=1 + int(duration / 2))
    poses = []
    for index, (time, amount) in enumerate(zip(times, amounts, strict=True)):
        pose = blend(Pose(), EXPRESSION_POSES[row["expression"]], float(amount))
        blinking = amount < 0.5 and np.abs(blinks - time).min() < 0.5 / FRAME_RATE
        nod = 9.0 * amount * np.sin(2 * np.pi * 2.2 * (time - start)) if row["expression"] == "nod" else 0.0
        poses.append(
            replace(
                pose,
                head_x=pose.head_x + sway_x[index],
                head_y=pose.head_y + sway_y[index] + nod,
                head_tilt=pose.head_tilt + sway_tilt[index],
                mouth_open=max(pose.mouth_open, 0.55 * speaking[index]),
                eye_open=0.0 if blinking else pose.eye_open,
                hand=float(amount),
                wave=0.25 * np.sin(2 * np.pi * 2.0 * (time - start)),
            )
        )
    return draw_poses(random_look(row["id"]), row["expression"], poses)


def render_waveform(row: Mapping[str, str]) -> np.ndarray:
    """Return the sound of a row's clip, float32 `(samples,)` at 16 kHz."""
    return speech_of(row).waveform


def render_clip(row: Mapping[str, str], path: str | Path) -> None:
    """Render the clip of a row into an MP4 file, without the stream that `row["missing"]` names."""
    with (
        # Several processes may need the same clip at a time.
        replacing(Path(path), shared=True) as partial,
        av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        # Both streams come before the first packet: an MP4 file lists them in its header.
        video = None if row["missing"] == "video" else _add_video(container)
        audio = None if row["missing"] == "audio" else _add_audio(container)
        if video is not None:
            for index, image in enumerate(render_frames(row)):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = index
                container.mux(video.encode(frame))
            container.mux(video.encode())
        if audio is not None:
            sound = av.AudioFrame.from_ndarray(render_waveform(row)[None], format="fltp", layout="mono")
            sound.sample_rate = SAMPLING_RATE
            sound.pts = 0
            container.mux(audio.encode(sound))
            container.mux(audio.encode())


def _add_video(container: av.container.OutputContainer) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=FRAME_RATE)
    stream.width = stream.height = SIZE
    stream.pix_fmt = "yuv420p"
    # One thread: with several the picture depends on how many there are.
    stream.thread_count = 1
    stream.options = {"preset": "veryfast", "crf": "23"}
    return stream


def _add_audio(container: av.container.OutputContainer) -> av.AudioStream:
    return container.add_stream("aac", rate=SAMPLING_RATE, layout="mono", bit_rate=48000)


def render_sample(
    folder: str | Path, splits: Sequence[str] = SPLITS, limit: int | None = None, progress: bool = True
) -> dict[str, Path]:
    """Render the clips of splits to `folder/<split>/<id>.mp4`. Clips that exist are kept.

    Args:
        folder: Folder of the clips.
        splits: Splits to render.
        limit: Number of rows per split, or None for all.
        progress: Whether to show a bar.

    Returns:
        The path of each row's clip by the row's id.
    """
    folder = Path(folder)
    rows = [(row, folder / split / f"{row['id']}.mp4") for split in splits for row in read_sample(split)[:limit]]
    for split in splits:
        (folder / split).mkdir(parents=True, exist_ok=True)
    missing = [(row, path) for row, path in rows if not path.is_file()]
    hidden = not (progress and missing)
    for row, path in tqdm(missing, desc="rendering the sample's clips", unit="clip", disable=hidden):
        render_clip(row, path)
    return {row["id"]: path for row, path in rows}


def renderer_fingerprint() -> str:
    """Return the fingerprint (16 hexadecimal digits) of the sample's rows, their speech and their renderer.

    Only modules of this room draw or speak: a new error message elsewhere in the package makes no other clip. The
    random numbers come from outside the room, so one of them counts.
    """
    rows = [*sorted(SAMPLE_FOLDER.glob("*.tsv")), SPEECH_FILE]
    numbers = [str(stable_generator("renderer").random())]
    return fingerprint_files(rows, module=__file__, names=numbers, within=Path(__file__).resolve().parent)[:16]


def _ease(position: np.ndarray) -> np.ndarray:
    """A soft step from 0 at position 0 to 1 at position 1."""
    position = position.clip(0, 1)
    return position * position * (3 - 2 * position)


def _sway(random: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """A slow random movement between about -1 and 1."""
    frequencies, phases = random.uniform(0.15, 0.7, 3), random.uniform(0, 2 * np.pi, 3)
    return np.sin(2 * np.pi * np.outer(times, frequencies) + phases).mean(1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `python -m dataset_scripts.sample.clips`."""
    parser = argparse.ArgumentParser(
        prog="python -m dataset_scripts.sample.clips", description="Render the clips of the sample."
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the clips <split>/<id>.mp4")
    parser.add_argument(
        "--split", choices=SPLITS, action="append", help="render this split only; may be given several times"
    )
    options = parser.parse_args(arguments)
    render_sample(options.output, options.split or SPLITS)


if __name__ == "__main__":
    main()
