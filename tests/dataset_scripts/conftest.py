# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from pathlib import Path

import datasets
import numpy as np
import pytest


PROJECT = Path(__file__).resolve().parents[2]
MINTREC_HEADER = "season\tepisode\tclip\ttext\tlabel\n"
MINTREC2_HEADER = "Dialogue_id\tUtterance_id\tText\tLabel\tStart_timestamp\tEnd_timestamp\tSource\tspeakername\n"


@pytest.fixture(autouse=True, scope="session")
def _no_progress_bars():
    datasets.disable_progress_bars()


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory) -> Path:
    """A cache for data sets that no test changes."""
    return tmp_path_factory.mktemp("shared_cache")


@pytest.fixture
def write_pickle(tmp_path):
    def write(content, name: str = "features.pkl", protocol: int | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        return path

    return write


@pytest.fixture
def mintrec_dir(tmp_path) -> Path:
    """The released layout of MIntRec in small: 3, 1 and 1 rows, old feature files, one id without video."""
    folder = tmp_path / "MIntRec"
    folder.mkdir()
    rows = {
        "train.tsv": ['S04\tE01\t1\toh, "great.\tComplain', "S04\tE01\t2\tthanks!\tThank", "S04\tE02\t3\thi.\tGreet"],
        "dev.tsv": ["S05\tE01\t7\tsorry.\tApologise"],
        "test.tsv": ["S06\tE10\t9\tcan you help?\tAsk for help"],
    }
    for name, lines in rows.items():
        (folder / name).write_text(MINTREC_HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    ids = ["S04_E01_1", "S04_E01_2", "S04_E02_3", "S05_E01_7", "S06_E10_9"]
    video = {row_id: [np.full((1, 256), n, np.float32)] * (n + 1) for n, row_id in enumerate(ids) if n != 1}
    audio = {row_id: np.full((2 * n + 1, 768), n, np.float32) for n, row_id in enumerate(ids)}
    for name, content in (("video_data/video_feats.pkl", video), ("audio_data/audio_feats.pkl", audio)):
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(pickle.dumps(content))
    return folder


@pytest.fixture
def mintrec2_dir(tmp_path) -> Path:
    """The released layout of MIntRec2.0 in small, both parts, rows of two dialogues interleaved."""
    folder = tmp_path / "MIntRec2.0"

    def row(dialogue, utterance, text, label):
        return f"{dialogue}\t{utterance}\t{text}\t{label}\t00:00:02,035\t00:01:09,309\tfriends\tRoss\n"

    parts = {
        "in-scope": [row(1, 0, "café, déjà vu.", "Inform"), row(0, 2, "no!", "Oppose"), row(0, 10, "hi.", "Greet")],
        "out-of-scope/MIntRec2.0-OOD": [row(0, 9, "uh.", "UNK"), row(1, 1, "hm.", "UNK")],
    }
    for part, lines in parts.items():
        ids = ["dia{}_utt{}".format(*line.split("\t")[:2]) for line in lines]
        for split in ("train", "dev", "test"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            # Ids differ between splits: each split has its own hundred of dialogues.
            shift = {"train": 0, "dev": 100, "test": 200}[split]
            shifted = [f"{int(line.split(chr(9))[0]) + shift}\t" + line.split("\t", 1)[1] for line in lines]
            (folder / part / f"{split}.tsv").write_text(MINTREC2_HEADER + "".join(shifted), encoding="utf-8")
        for name, size in (("video_data/swin_roi_binary.pkl", 256), ("audio_data/wavlm_feats_binary.pkl", 768)):
            (folder / part / name).parent.mkdir()
            content = {row_id: np.ones((n + 1, 1, size), np.float32) for n, row_id in enumerate(ids)}
            (folder / part / name).write_bytes(pickle.dumps(content))
    return folder
