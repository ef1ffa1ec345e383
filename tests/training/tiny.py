# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A tiny text encoder, sentence encoder and data set on disk, and ways to run the training script on them."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import psutil
import torch
from transformers import BertConfig, BertModel, BertTokenizer


ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "training" / "train.py"
LABELS = ["Greet", "Leave", "Thank"]
WORDS = {
    "Greet": ["hello", "welcome", "hi"],
    "Leave": ["bye", "farewell", "later"],
    "Thank": ["thanks", "grateful", "kind"],
}
FILLERS = ["oh", "well", "my", "dear", "friend", "now", "then", "yes"]
VIDEO_SIZE, AUDIO_SIZE = 4, 6


def make_text_model(folder: Path, dropout: float = 0.1) -> str:
    """A random BERT of 16 dimensions with a tokenizer of some twenty words."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(w for ws in WORDS.values() for w in ws), *FILLERS]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: index for index, word in enumerate(words)}).save_pretrained(folder)
    return str(folder)


def make_sentence_encoder(folder: Path, text_model: str) -> str:
    """A SentenceTransformer that takes the mean of that text model's hidden states."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    SentenceTransformer(modules=[Transformer(text_model), Pooling(16, "mean")], device="cpu").save(str(folder))
    return str(folder)


def make_dataset(folder: Path, train: int = 42, other: int = 13, noise: float = 0.0) -> str:
    """
    Utterances of 2 to 6 words, one of which gives the intent away; every fifth clip has no video.

    Args:
        folder: folder to write.
        train: utterances of the training split.
        other: utterances of each other split.
        noise: share of the utterances whose word gives an intent away that may be wrong.
    """
    random, lies = np.random.default_rng(0), np.random.default_rng(1)
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=LABELS),
            "video_features": datasets.Array2D((None, VIDEO_SIZE), "float32"),
            "audio_features": datasets.Array2D((None, AUDIO_SIZE), "float32"),
        }
    )
    splits = {}
    for split, number in (("train", train), ("validation", other), ("test", other)):
        rows = []
        for index in range(number):
            label = index % len(LABELS)
            told = LABELS[lies.integers(len(LABELS))] if lies.random() < noise else LABELS[label]
            words = [*random.choice(FILLERS, random.integers(1, 6)), random.choice(WORDS[told])]
            frames = 0 if index % 5 == 0 else int(random.integers(1, 7))
            video = random.normal(size=(frames, VIDEO_SIZE)).astype(np.float32)
            audio = random.normal(size=(int(random.integers(1, 9)), AUDIO_SIZE)).astype(np.float32)
            rows.append(
                {
                    "id": f"{split}_{index}",
                    "text": " ".join(words),
                    "label": label,
                    "video_features": video,
                    "audio_features": audio,
                }
            )
        splits[split] = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict(splits).save_to_disk(folder)
    return str(folder)


def make_descriptions(file: Path) -> str:
    """A JSON file with two descriptions a label."""
    texts = {label: [f"{words[0]} {words[1]}", f"my {words[2]} friend"] for label, words in WORDS.items()}
    file.write_text(json.dumps(texts))
    return str(file)


def make_preset(folder: Path) -> str:
    """A preset of a run that takes a second, with its models and data beside it."""
    text_model = make_text_model(folder / "bert")
    preset = folder / "tiny.yaml"
    preset.write_text(
        f"dataset: {make_dataset(folder / 'data')}\n"
        f"text_model: {text_model}\n"
        f"description_model: {make_sentence_encoder(folder / 'sentence', text_model)}\n"
        f"label_descriptions: {make_descriptions(folder / 'descriptions.json')}\n"
        "model_config: {fusion_num_attention_heads: 2, num_anchors: 2}\n"
        "num_train_epochs: 3\nper_device_train_batch_size: 4\nlearning_rate: 1.0e-3\nnew_learning_rate: 2.0e-3\n"
        "use_cpu: true\ncpu_threads: 1\nlogging_steps: 1\nkeep_finished_checkpoints: true\n"
    )
    return str(preset)


def make_released_mintrec2(folder: Path, train: int = 24, other: int = 12, test_split: bool = True) -> str:
    """
    MIntRec2.0's released layout, both parts with their features: dialogues of four utterances of four intents, a word
    of which gives the intent away, and for every three of them one of no intent, all fillers.
    """
    random = np.random.default_rng(0)
    header = "Dialogue_id\tUtterance_id\tText\tLabel\tStart_timestamp\tEnd_timestamp\tSource\tspeakername\n"
    words = {**WORDS, "Joke": ["hello bye", "bye hi", "hi later"]}
    parts = ("in-scope", "out-of-scope/MIntRec2.0-OOD")
    clips: dict[str, list[str]] = {part: [] for part in parts}
    dialogue = 0
    for split, number in (("train", train), ("dev", other), ("test", other if test_split else 0)):
        lines: dict[str, list[str]] = {part: [] for part in parts}
        for index in range(number):
            dialogue += index % 4 == 0
            label = [*words][index % 4]
            texts = {label: [*random.choice(FILLERS, 2), random.choice(words[label])]}
            if index % 3 == 0:
                texts["UNK"] = [*random.choice(FILLERS, random.integers(2, 5))]
            for name, text in texts.items():
                utterance = index % 4 + 10 * (name == "UNK")
                part = parts[name == "UNK"]
                clips[part].append(f"dia{dialogue}_utt{utterance}")
                lines[part].append(f"{dialogue}\t{utterance}\t{' '.join(text)}\t{name}\t\t\tfriends\tRoss\n")
        for part, rows in lines.items():
            (folder / part).mkdir(parents=True, exist_ok=True)
            if rows:
                (folder / part / f"{split}.tsv").write_text(header + "".join(rows), encoding="utf-8")
    shapes = {"video_data/swin_roi_binary.pkl": (1, 256), "audio_data/wavlm_feats_binary.pkl": (768,)}
    for part, ids in clips.items():
        for name, shape in shapes.items():
            arrays = [random.normal(size=(random.integers(1, 5), *shape)).astype(np.float32) for _ in ids]
            features = dict(zip(ids, arrays, strict=True))
            (folder / part / name).parent.mkdir()
            (folder / part / name).write_bytes(pickle.dumps(features))
    return str(folder)


def environment(**variables: str) -> dict[str, str]:
    """The environment of a child process: one thread, the loopback interface, the project importable."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ACCELERATE_", "MASTER_"))}
    return {
        **inherited,
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **variables,
    }


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(launcher: list[str], arguments: list[str], log: Path, **variables: str) -> subprocess.Popen:
    """The training script in a child process, its output in `log`."""
    with log.open("w") as stream:
        return subprocess.Popen(
            [*launcher, str(SCRIPT), *arguments],
            env=environment(**variables),
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            # A shell starts jobs in the background with Ctrl-C ignored, and a command of ours leaves that so.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def torchrun(num_processes: int, *options: str) -> list[str]:
    """The command before the script's name that starts so many processes on this machine."""
    single_node = [] if options else ["--master_port", str(free_port())]
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        str(num_processes),
        *single_node,
        *options,
    ]


def run(launcher: list[str], arguments: list[str], log: Path, **variables: str) -> str:
    """Run the script to its end and return its output. Raises AssertionError with the output if it fails."""
    status = start(launcher, arguments, log, **variables).wait(timeout=240)
    output = log.read_text()
    assert status == 0, output
    return output


def kill_tree(process: subprocess.Popen) -> None:
    """SIGKILL to a child and all of its children, as a power cut would do."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
    psutil.wait_procs(family, timeout=20)


def limit_file_size(number: int) -> Callable[[], None]:
    """A stand-in for a full disk that needs no rights: a process cannot write a file beyond this size (EFBIG)."""
    import resource  # Windows has none

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))


def number_of_kills(default: int) -> int:
    """How often a test kills: as often as A_MESS_KILLS says."""
    return int(os.environ.get("A_MESS_KILLS", default))
