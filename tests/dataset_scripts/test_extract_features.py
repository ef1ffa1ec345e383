# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Clips to features, in real files and real processes: whole, resumable, the same however it is run."""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from accelerate import PartialState
from tqdm.std import tqdm

from dataset_scripts import ExtractedFeaturesError, load_extracted_features
from dataset_scripts.errors import UserError
from dataset_scripts.extraction.command import _settings, add_arguments, main, run
from dataset_scripts.extraction.run import extract_features
from dataset_scripts.extraction.settings import ExtractionSettings
from modeling_amess import AmessMediaEncoder
from modeling_amess.clip_amess import MediaLimits
from modeling_amess.processing_amess import AmessProcessor
from tests.modeling_amess.clips import write_clip
from tests.modeling_amess.tiny import tiny_media_encoder
from tests.training.tiny import environment, free_port, limit_file_size


SPLITS = ["train"] * 5 + ["validation"] * 2 + ["test"] * 2
SECONDS = [0.4, 1.5, 0.9, 0.3, 1.1, 0.6, 0.8, 0.5, 0.7]


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory) -> Path:
    """A tiny Swin and a tiny WavLM, saved."""
    folder = tmp_path_factory.mktemp("encoder")
    tiny_media_encoder().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """A TSV with nine clips of mixed lengths in three splits: one is mute, one has no picture, one is no clip."""
    folder = tmp_path_factory.mktemp("clips")
    lines = ["id\tclip\ttext\tlabel\tsplit"]
    for index, (split, seconds) in enumerate(zip(SPLITS, SECONDS, strict=True)):
        path = folder / f"{index}.mp4"
        write_clip(path, seconds=seconds, audio=index != 3, video=index != 4)
        lines.append(f"clip_{index}\t{path.name}\tword {index}\t{('Leave', 'Greet')[index % 2]}\t{split}")
    (folder / "6.mp4").write_text("this is no clip")
    (folder / "clips.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The last bit of a sum depends on how many threads share it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def fresh_process_state():
    """Accelerate keeps its state in the process."""
    PartialState._reset_state()
    yield
    PartialState._reset_state()


def command(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def extract(clips, output, encoder_folder, *options) -> int:
    return run(
        command(
            clips / "clips.tsv",
            *("--output", output, "--media_encoder", encoder_folder, "--use_cpu"),
            *("--rows_per_part", 2, "--num_workers", 0, "--batch_size", 2, *options),
        )
    )


def content(folder: Path) -> dict[str, bytes]:
    """Every file of an extraction."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def load(folder, tmp_path):
    return load_extracted_features(folder, cache_dir=tmp_path / "cache")


@pytest.fixture(scope="module")
def extracted(clips, encoder_folder, tmp_path_factory) -> Path:
    """The clips' features, from an undisturbed run in one process."""
    output = tmp_path_factory.mktemp("extracted") / "features"
    assert extract(clips, output, encoder_folder) == 1  # one clip is none
    return output


def test_an_extraction_reads_back_as_a_data_set(extracted, tmp_path):
    dataset = load(extracted, tmp_path)
    assert {name: list(split["id"]) for name, split in dataset.items()} == {
        "train": [f"clip_{index}" for index in range(5)],
        "validation": ["clip_5", "clip_6"],
        "test": ["clip_7", "clip_8"],
    }
    train = dataset["train"]
    assert train.features["label"].names == ["Greet", "Leave"]
    assert train[1]["label"] == 0 and train[1]["text"] == "word 1" and train[1]["clip"] == "1.mp4"
    description = json.loads((extracted / "features.json").read_text())
    assert description["dtype"] == "float16"
    for row in (row for split in dataset.values() for row in split):
        index = int(row["id"].removeprefix("clip_"))
        for modality, absent in (("video", 4), ("audio", 3)):
            features = row[f"{modality}_features"]
            assert features.shape[1] == description[f"{modality}_feature_size"]
            assert (len(features) == 0) == (index in (absent, 6))
            assert np.isfinite(features).all()
    # Six frames a second.
    assert abs(len(train[1]["video_features"]) - 9) <= 1


def test_a_failed_clip_is_reported_and_the_others_are_extracted(clips, encoder_folder, tmp_path, capfd):
    output = tmp_path / "features"
    assert extract(clips, output, encoder_folder) == 1
    said = capfd.readouterr()
    assert "failed: clip_6: UnreadableMediaError" in said.err
    assert "8 of 9 clips extracted" in said.out
    (failure,) = [json.loads(line) for line in (output / "failed.jsonl").read_text().splitlines()]
    assert (failure["split"], failure["id"], failure["clip"]) == ("validation", "clip_6", "6.mp4")
    assert failure["error"].startswith("UnreadableMediaError: ")
    row = load(output, tmp_path)["validation"][1]
    assert row["error"] == failure["error"]
    # A second run does nothing, and still tells.
    before = content(output)
    assert extract(clips, output, encoder_folder) == 1
    assert content(output) == before


def test_labelled_clips_without_a_validation_split_are_told_so(encoder_folder, tmp_path, capfd):
    write_clip(tmp_path / "a.mp4", seconds=0.4)
    for name, columns, cells in (
        ("no split", "label", "Greet"),
        ("other splits", "label\tsplit", "Greet\ttest"),
        ("whole", "label\tsplit", "Greet\tvalidation"),
        ("no label", "scene", "kitchen"),
    ):
        (tmp_path / "clips.tsv").write_text(f"clip\ttext\t{columns}\na.mp4\thi\t{cells}\n")
        assert extract(tmp_path, tmp_path / name, encoder_folder) == 0
        told = "no validation split" in capfd.readouterr().out
        assert told is (name in ("no split", "other splits")), name


def test_absent_clips_and_breached_limits_fail_by_name(encoder_folder, tmp_path):
    write_clip(tmp_path / "long.mp4", seconds=1.0)
    rows = [{"id": name, "clip": clip} for name, clip in (("a", None), ("b", "absent.mp4"), ("c", "long.mp4"))]
    report = extract_features(
        rows,
        tmp_path / "features",
        AmessMediaEncoder.from_pretrained(encoder_folder),
        ExtractionSettings(limits=MediaLimits(max_duration=0.5), num_workers=0, use_cpu=True),
        root=tmp_path,
    )
    assert (report.clips, report.failed) == (3, 3)
    errors = [json.loads(line)["error"] for line in (report.output / "failed.jsonl").read_text().splitlines()]
    assert errors[0] == "The row has no clip."
    assert "No such file" in errors[1]
    assert "1.0 s" in errors[2] and "--max_duration" in errors[2]


@pytest.mark.parametrize("error", [RuntimeError("an enum does not know 31"), IndexError("list index"), MemoryError()])
def test_whatever_a_clip_does_to_its_decoder_the_others_are_extracted(encoder_folder, tmp_path, monkeypatch, error):
    decode = AmessProcessor.decode

    def failing(self, video, **options):
        if Path(video).stem == "b":
            raise error
        return decode(self, video, **options)

    monkeypatch.setattr(AmessProcessor, "decode", failing)
    for name in "abc":
        write_clip(tmp_path / f"{name}.mp4", seconds=0.5)
    report = extract_features(
        [{"id": name, "clip": f"{name}.mp4"} for name in "abc"],
        tmp_path / "features",
        AmessMediaEncoder.from_pretrained(encoder_folder),
        ExtractionSettings(num_workers=0, use_cpu=True),
        root=tmp_path,
    )
    assert (report.clips, report.failed) == (3, 1)
    failure = json.loads((report.output / "failed.jsonl").read_text())
    assert failure["id"] == "b" and type(error).__name__ in failure["error"]


def test_batches_give_what_clips_one_by_one_give(clips, extracted, encoder_folder, tmp_path):
    assert extract(clips, tmp_path / "batches", encoder_folder, "--dtype", "float32", "--batch_size", 8) == 1
    assert extract(clips, tmp_path / "single", encoder_folder, "--dtype", "float32", "--batch_size", 1) == 1
    batches, single = (load(tmp_path / name, tmp_path) for name in ("batches", "single"))
    for split in batches:
        for found, expected, half in zip(batches[split], single[split], load(extracted, tmp_path)[split], strict=True):
            for name in ("video_features", "audio_features"):
                np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
                np.testing.assert_allclose(half[name], expected[name], atol=5e-3)


def test_the_dtype_is_that_of_the_files(clips, extracted, encoder_folder, tmp_path):
    assert extract(clips, tmp_path / "single", encoder_folder, "--dtype", "float32") == 1
    half, single = (load(folder, tmp_path)["train"] for folder in (extracted, tmp_path / "single"))
    assert half.features["video_features"].dtype == "float16"
    assert single.features["video_features"].dtype == "float32"
    rounded = single[1]["video_features"].astype(np.float16)
    np.testing.assert_array_equal(half[1]["video_features"], rounded)


def test_worker_processes_change_nothing(clips, extracted, encoder_folder, tmp_path):
    assert extract(clips, tmp_path / "features", encoder_folder, "--num_workers", 2) == 1
    assert content(tmp_path / "features") == content(extracted)


def test_an_interrupted_extraction_is_not_read_as_a_whole_one(extracted, tmp_path):
    shutil.copytree(extracted, tmp_path / "features")
    (tmp_path / "features" / "train" / "part-00001.parquet").unlink()
    with pytest.raises(ExtractedFeaturesError, match="1 of 5 parts are missing"):
        load(tmp_path / "features", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--dtype", "float32"), "dtype was 'float16' and is 'float32'"),
        (("--max_video_length", 7), "max_video_length was 180 and is 7"),
        (("--max_duration", 9), r"limits\['max_duration'\] was 30.0 and is 9.0"),
        ("another text", "split train has other rows, or the clips have changed"),
        ("another clip", "split train has other rows, or the clips have changed"),
        ("another encoder", "media_encoder"),
    ],
    ids=str,
)
def test_a_folder_of_other_input_is_refused(clips, extracted, encoder_folder, tmp_path, capfd, change, message):
    output, changed, options = tmp_path / "features", tmp_path / "clips", ()
    shutil.copytree(extracted, output)
    shutil.copytree(clips, changed)
    if change == "another text":
        table = changed / "clips.tsv"
        table.write_text(table.read_text().replace("word 2", "word two"))
    elif change == "another clip":
        write_clip(changed / "2.mp4", seconds=0.5)
    elif change == "another encoder":
        encoder_folder = tmp_path / "encoder"
        tiny_media_encoder("wav2vec2").save_pretrained(encoder_folder)
    else:
        options = change
    before = content(output)
    assert extract(changed, output, encoder_folder, *options) == 2
    said = capfd.readouterr().err
    assert "holds an extraction of something else" in said
    assert re.search(message, said)
    assert content(output) == before


def test_a_folder_with_other_files_is_refused_and_left_alone(clips, encoder_folder, tmp_path, capfd):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert extract(clips, tmp_path, encoder_folder) == 2
    assert "holds files that no extraction wrote (thesis.txt)" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["clips", "--dataset", "mintrec"], "FOLDER_OR_TSV or --dataset"),
        ([], "FOLDER_OR_TSV or --dataset"),
        (["clips", "--media_encoder", "x", "--frame_rate", "3"], "Leave --frame_rate out"),
        (["clips", "--video_model", "none", "--audio_model", "none"], "nothing to extract"),
        (["clips", "--batch_size", "0"], "batch_size=0"),
        (["absent", "--media_encoder", "x"], "neither a folder of clips nor"),
        (["--dataset", "mintrec", "--media_encoder", "x"], "data_dir is not set"),
    ],
)
def test_a_wrong_command_ends_with_status_2(words, message, tmp_path, capfd):
    assert run(command(*words, "--output", tmp_path / "features", "--use_cpu")) == 2
    assert message in capfd.readouterr().err
    assert not (tmp_path / "features").exists()


def test_the_limits_of_the_command_are_those_of_the_decoder():
    assert _settings(command("clips", "--output", "x")).limits == MediaLimits()
    parsed = command("clips", "--output", "x", "--max_duration", "9.5", "--max_streams", "3")
    assert _settings(parsed).limits == MediaLimits(max_duration=9.5, max_streams=3)


def test_the_old_name_of_use_cpu_is_understood_and_says_the_new_one(capsys):
    assert command("clips", "--output", "x", "--cpu").use_cpu
    assert "--use_cpu" in capsys.readouterr().err
    assert not command("clips", "--output", "x").use_cpu


@pytest.mark.parametrize(
    "setting", [{"dtype": "float8"}, {"batch_size": 0}, {"rows_per_part": 0}, {"num_workers": -1}], ids=str
)
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(UserError, match=next(iter(setting))):
        ExtractionSettings(**setting)


def run_in_child(log: Path, words: list[str], rank: int, number: int, port: int) -> None:
    """The command as a process of its own, with the variables that a launcher of `number` processes would set."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if number > 1:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(number), LOCAL_WORLD_SIZE=str(number))
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    PartialState._reset_state()
    unshare_tqdm_lock()
    sys.stdout = os.fdopen(1, "w")
    status = main(words)
    sys.stdout.flush()
    os._exit(status)


def unshare_tqdm_lock() -> None:
    """In a forked process: tqdm's lock is a semaphore shared with the parent, and SIGKILL would leave it taken."""
    lock, classes = threading.RLock(), [tqdm]
    for bar in classes:
        bar.set_lock(lock)
        classes.extend(bar.__subclasses__())


def start(clips, output, encoder_folder, log: Path, number: int = 1) -> list[multiprocessing.Process]:
    """An extraction in `number` processes, forked: importing torch anew would take longer than all the rest."""
    words = [str(clips / "clips.tsv"), "--output", str(output), "--media_encoder", str(encoder_folder), "--use_cpu"]
    words += ["--rows_per_part", "2", "--batch_size", "2", "--num_workers", "1"]
    port, context = free_port(), multiprocessing.get_context("fork")
    processes = [context.Process(target=run_in_child, args=(log, words, rank, number, port)) for rank in range(number)]
    for process in processes:
        process.start()
    return processes


def test_two_processes_give_the_folder_of_one(clips, extracted, encoder_folder, tmp_path):
    output, log = tmp_path / "features", tmp_path / "log.txt"
    processes = start(clips, output, encoder_folder, log, number=2)
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [1, 1], log.read_text()
    assert log.read_text().count("8 of 9 clips extracted") == 1
    assert content(output) == content(extracted)


def test_macos_and_windows_spawn_workers_and_bind_no_process_to_cores(clips, extracted, encoder_folder, tmp_path):
    output = tmp_path / "features"
    code = "import multiprocessing, os, sys\nmultiprocessing.set_start_method('spawn')\n"
    code += "if hasattr(os, 'sched_getaffinity'):\n    del os.sched_getaffinity\n"
    code += "from dataset_scripts.extraction.command import main\nsys.exit(main(sys.argv[1:]))"
    words = [str(clips / "clips.tsv"), "--output", str(output), "--media_encoder", str(encoder_folder), "--use_cpu"]
    words += ["--rows_per_part", "2", "--batch_size", "2"]
    run = subprocess.run([sys.executable, "-c", code, *words], env=environment(), capture_output=True, text=True)
    assert run.returncode == 1, run.stderr
    assert content(output) == content(extracted)


@pytest.mark.slow
def test_torchrun_gives_the_folder_of_one_process(clips, extracted, encoder_folder, tmp_path):
    output = tmp_path / "features"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--master_port", str(free_port()), "-m", "dataset_scripts.extract_features", str(clips / "clips.tsv")]
    command += ["--output", str(output), "--media_encoder", str(encoder_folder), "--use_cpu", "--rows_per_part", "2"]
    command += ["--batch_size", "2"]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240)
    assert result.returncode == 1, result.stderr
    assert "8 of 9 clips extracted" in result.stdout
    assert content(output) == content(extracted)


@pytest.mark.slow
def test_a_launch_that_silently_runs_one_process_stops_and_says_how(clips, encoder_folder, tmp_path):
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--quiet"]
    command += ["--cpu", "--num_processes", "2", "-m", "dataset_scripts.extract_features", str(clips / "clips.tsv")]
    command += ["--output", str(tmp_path / "features"), "--media_encoder", str(encoder_folder)]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240)
    assert result.returncode != 0
    assert "torchrun --nproc_per_node 2 -m dataset_scripts.extract_features" in result.stderr
    assert not (tmp_path / "features").exists()


@pytest.mark.parametrize("size", [100, *(pytest.param(size, marks=pytest.mark.slow) for size in (600, 2000, 5000))])
def test_a_full_disk_is_told_and_the_same_command_goes_on(clips, extracted, encoder_folder, tmp_path, size):
    output = tmp_path / "features"
    words = [str(clips / "clips.tsv"), "--output", str(output), "--media_encoder", str(encoder_folder), "--use_cpu"]
    words += ["--rows_per_part", "2", "--num_workers", "0", "--batch_size", "2"]
    run = subprocess.run(
        [sys.executable, "-m", "dataset_scripts.extract_features", *words],
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        preexec_fn=limit_file_size(size),
    )
    assert run.returncode == 2, run.stderr
    assert f"{output}/" in run.stderr and "could not be written" in run.stderr
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.rglob("*.partial"))
    assert extract(clips, output, encoder_folder) == 1
    assert content(output) == content(extracted)


def kill_at_a_random_moment(processes: list, output: Path, generator: random.Random) -> None:
    """SIGKILL to all processes and their workers, when some files more than there were have been written."""
    written = count_files(output)
    wait = generator.randint(0, 4)
    deadline = time.monotonic() + 60
    while count_files(output) < written + wait and processes[0].is_alive() and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(generator.uniform(0, 0.03))
    family = [member for process in processes for member in children_of(process)]
    for process in processes:
        process.kill()
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    for process in processes:
        process.join()


def children_of(process: multiprocessing.Process) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def count_files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


@pytest.mark.parametrize(
    ("kills", "number"),
    [(2, 1), pytest.param(10, 1, marks=pytest.mark.slow), pytest.param(10, 2, marks=pytest.mark.slow)],
)
def test_a_killed_extraction_ends_as_an_undisturbed_one(clips, extracted, encoder_folder, tmp_path, kills, number):
    output, log, generator = tmp_path / "features", tmp_path / "log.txt", random.Random(kills)
    killed = 0
    for _ in range(4 * kills):
        processes = start(clips, output, encoder_folder, log, number)
        kill_at_a_random_moment(processes, output, generator)
        killed += any(process.exitcode == -signal.SIGKILL for process in processes)
        if killed == kills:
            break
        if (output / "failed.jsonl").exists():  # it came to its end before the kill: from the beginning again
            shutil.rmtree(output)
    assert killed == kills, log.read_text()
    assert extract(clips, output, encoder_folder) == 1
    assert content(output) == content(extracted)


def test_files_of_the_users_in_the_folder_are_kept(clips, encoder_folder, extracted, tmp_path):
    shutil.copytree(encoder_folder, tmp_path / "begun" / "media_encoder")  # theirs: no extraction began here
    shutil.copytree(extracted, tmp_path / "whole")
    (tmp_path / "whole" / ".download.partial").write_text("mine")
    shutil.copytree(extracted, tmp_path / "cut")
    (tmp_path / "cut" / "test" / "part-00000.parquet").unlink()
    (tmp_path / "cut" / "failed.jsonl").write_text("mine")
    before = content(tmp_path)
    for name, status in (("begun", 2), ("whole", 1), ("cut", 2)):
        assert extract(clips, tmp_path / name, encoder_folder) == status
    assert content(tmp_path) == before
    (tmp_path / "cut" / "failed.jsonl").unlink()
    assert extract(clips, tmp_path / "cut", encoder_folder) == 1
    assert content(tmp_path / "cut") == content(extracted)


def test_a_start_that_a_kill_ended_begins_again(clips, encoder_folder, extracted, tmp_path):
    shutil.copytree(encoder_folder, tmp_path / "features" / "media_encoder")
    (tmp_path / "features" / ".features.json.partial").write_text("{")
    assert extract(clips, tmp_path / "features", encoder_folder) == 1
    assert content(tmp_path / "features") == content(extracted)
