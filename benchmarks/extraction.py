# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Feature extraction from end to end, against the bare forward passes of its encoders on decoded clips.

    python -m benchmarks.extraction                                   # base encoders, 24 clips, one process
    python -m benchmarks.extraction --num_processes 2 --threads 1     # one process against two
    python -m benchmarks.extraction --size tiny --clips 8 --rounds 1  # does it run

The script makes the clips (H.264 and AAC, as the released ones; noise, which is hard to decode); they last as long as
those of MIntRec on average and at most. The encoders have random weights of the real sizes. End to end means
everything from the moment that the output folder is begun (the encoders are saved into it once) to the moment that
failed.jsonl closes it: starting the workers, decoding, preprocessing, encoding, writing.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.extraction:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from transformers import SwinConfig, SwinModel, WavLMConfig, WavLMModel

from dataset_scripts.extraction.batches import ClipBatches, batches_of_part, create_processor
from dataset_scripts.extraction.folder import DESCRIPTION_FILE, FAILED_FILE, read_description
from dataset_scripts.extraction.run import extract_features, process_state
from dataset_scripts.extraction.settings import ExtractionSettings
from dataset_scripts.launching import available_cores
from modeling_amess import AmessMediaEncoder
from modeling_amess.clip_amess import MediaLimits

from .training_step import machine


Rows = list[dict[str, Any]]

ROWS_PER_PART = 16
# MIntRec's clips: 2.4 seconds on average, 9.6 at most.
MEAN_SECONDS, LONGEST_SECONDS = 2.4, 9.6
FRAMES_PER_SECOND = 24
SAMPLING_RATE = 44100
# Extraction must keep this share of the bare encoders' throughput, and a second process must gain this factor.
LEAST_RATIO = 0.85
LEAST_GAIN = 1.7


def write_clips(folder: Path, number: int, height: int, width: int) -> list[dict[str, Any]]:
    """Write clips of random length, and return their rows."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = []
    for index in range(number):
        seconds = float(np.clip(random.lognormal(np.log(MEAN_SECONDS) - 0.18, 0.6), 0.5, LONGEST_SECONDS))
        write_clip(folder / f"{index}.mp4", seconds, height, width, random)
        rows.append({"id": str(index), "clip": f"{index}.mp4"})
    return rows


def write_clip(path: Path, seconds: float, height: int, width: int, random: np.random.Generator) -> None:
    """Write a moving picture under noise, with a noisy tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"preset": "veryfast"}
        audio = container.add_stream("aac", rate=SAMPLING_RATE, layout="stereo")
        still = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        still = still // 8 + np.linspace(0, 220, width, dtype=np.uint8)[None, :, None]
        for number in range(round(seconds * FRAMES_PER_SECOND)):
            frame = av.VideoFrame.from_ndarray(np.roll(still, 3 * number, axis=1), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        samples = np.arange(round(seconds * SAMPLING_RATE))
        wave = 0.3 * np.sin(samples * 0.05) + 0.05 * random.standard_normal(len(samples))
        sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), format="fltp", layout="stereo")
        sound.sample_rate, sound.time_base, sound.pts = SAMPLING_RATE, Fraction(1, SAMPLING_RATE), 0
        container.mux(audio.encode(sound))
        container.mux(audio.encode())


def create_random_encoder(size: str) -> AmessMediaEncoder:
    """Create Swin and WavLM with random weights: `base`, the sizes of the default checkpoints, or `tiny`."""
    torch.manual_seed(0)
    if size == "base":
        video = SwinConfig(embed_dim=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32])
        audio = WavLMConfig()
    else:
        video = SwinConfig(embed_dim=12, depths=[1, 1], num_heads=[1, 2])
        audio = WavLMConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    preprocessing = {
        "frame_rate": 6.0,
        "image_size": 224,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "sampling_rate": 16000,
        "normalize_audio": False,
    }
    return AmessMediaEncoder.from_models(
        SwinModel(video),
        WavLMModel(audio),
        video_name=f"swin-{size}-random",
        audio_name=f"wavlm-{size}-random",
        preprocessing=preprocessing,
    )


def end_to_end(
    rows: Rows, clips: Path, output: Path, encoder: AmessMediaEncoder, settings: ExtractionSettings
) -> float:
    """Run an extraction; its seconds, once its folder has been begun."""
    extract_features(rows, output, encoder, settings, root=clips, progress=False)
    return seconds_of(output)


def seconds_of(output: Path) -> float:
    """Read the seconds between the first and the last file of a finished extraction."""
    return (output / FAILED_FILE).stat().st_mtime - (output / DESCRIPTION_FILE).stat().st_mtime


class BareEncoders:
    """The forward passes of an extraction, on the same batches, decoded and preprocessed beforehand."""

    def __init__(self, rows: Rows, clips: Path, output: Path, encoder: AmessMediaEncoder, batch_size: int):
        description = read_description(output)
        batches = [batch for part in description.parts() for batch in batches_of_part(part, rows, clips, batch_size)]
        prepared = ClipBatches(batches, {"train": rows}, clips, create_processor(description), MediaLimits())
        self.encoder = encoder
        self.inputs = [
            {name: tensor.to(encoder.device) for name, tensor in prepared[index]["inputs"].items()}
            for index in range(len(prepared))
        ]

    @torch.no_grad()
    def __call__(self) -> float:
        """Time all forward passes, in seconds."""
        started = time.perf_counter()
        for inputs in self.inputs:
            self.encoder(**inputs)
        if self.encoder.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started


def compare_with_bare_encoders(arguments: argparse.Namespace, folder: Path, rows: Rows, clips: Path) -> None:
    """Print the throughputs of both ways, taken in turns, and their ratio."""
    state = process_state(arguments.device == "cpu")
    encoder = create_random_encoder(arguments.size).to(state.device)
    settings = ExtractionSettings(
        rows_per_part=ROWS_PER_PART,
        batch_size=arguments.batch_size,
        num_workers=arguments.num_workers,
        use_cpu=arguments.device == "cpu",
    )
    warm_up = folder / "warm-up"
    few = rows[: arguments.batch_size]
    end_to_end(few, clips, warm_up, encoder, settings)
    print(f"encoder {arguments.size}; {machine(state.device.type, 'float32')}; {len(rows)} clips")
    bare: BareEncoders | None = None
    times: dict[str, list[float]] = {"bare encoders": [], "end to end": []}
    for number in range(arguments.rounds):
        output = folder / f"round-{number}"
        times["end to end"].append(end_to_end(rows, clips, output, encoder, settings))
        bare = bare or BareEncoders(rows, clips, output, encoder, arguments.batch_size)
        times["bare encoders"].append(bare())
        shutil.rmtree(output)
    assert bare is not None, "there is at least one round"
    frames = sum(int(inputs["pixel_values_mask"].sum()) for inputs in bare.inputs)
    print("\n| way | seconds | clips/s | frames/s |\n|---|---|---|---|")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| {name} | {median:.2f} | {len(rows) / median:.3f} | {frames / median:.2f} |")
    # Ratios of rounds: other processes on the machine slow down both halves of a round.
    ratio = statistics.median(b / e for b, e in zip(times["bare encoders"], times["end to end"], strict=True))
    verdict = "reached" if ratio >= LEAST_RATIO else "MISSED"
    print(f"\nend to end keeps {ratio:.3f} of the bare encoders' throughput (at least {LEAST_RATIO}: {verdict})")


def compare_processes(arguments: argparse.Namespace, folder: Path, clips: Path) -> None:
    """Print the throughputs of one and of several processes, and the gain."""
    encoder_folder = folder / "encoder"
    create_random_encoder(arguments.size).save_pretrained(encoder_folder)
    number = arguments.num_processes
    print(f"encoder {arguments.size}; {available_cores()} cores, {arguments.threads} thread(s) per process")
    times: dict[int, list[float]] = {1: [], number: []}
    for turn in range(arguments.rounds):
        for processes, seconds in times.items():
            output = folder / f"{processes}-processes-{turn}"
            command = [
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--nproc_per_node",
                str(processes),
                "--standalone",
            ]
            command += ["-m", "dataset_scripts.extract_features", str(clips), "--output", str(output)]
            command += ["--media_encoder", str(encoder_folder), "--rows_per_part", "4"]
            command += ["--batch_size", str(arguments.batch_size)]
            if arguments.num_workers is not None:
                command += ["--num_workers", str(arguments.num_workers)]
            if arguments.device == "cpu":
                command.append("--use_cpu")
            environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "GLOO_SOCKET_IFNAME": "lo"}
            subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
            seconds.append(seconds_of(output))
            shutil.rmtree(output)
    for processes, seconds in times.items():
        print(f"{processes} process(es): {arguments.clips / statistics.median(seconds):.3f} clips/s")
    gain = statistics.median(one / many for one, many in zip(times[1], times[number], strict=True))
    cores = available_cores()
    print(f"gain {gain:.2f} (at least {LEAST_GAIN} for two processes where {cores} cores allow it)")


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("base", "tiny"), default="base", help="size of the encoders (%(default)s)")
    parser.add_argument("--clips", type=int, default=24, help="number of clips (%(default)s)")
    parser.add_argument("--height", type=int, default=720, help="height of the clips (%(default)s)")
    parser.add_argument("--width", type=int, default=1280, help="width of the clips (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="timings of both ways (%(default)s)")
    parser.add_argument("--batch_size", type=int, default=8, help="clips encoded together (%(default)s)")
    parser.add_argument("--num_workers", type=int, help="decoding processes per encoding process (by cores)")
    parser.add_argument("--num_processes", type=int, default=1, help="encoding processes to compare with one")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads per process (%(default)s)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = write_clips(folder / "clips", arguments.clips, arguments.height, arguments.width)
        if arguments.num_processes > 1:
            compare_processes(arguments, folder, folder / "clips")
        else:
            compare_with_bare_encoders(arguments, folder, rows, folder / "clips")
