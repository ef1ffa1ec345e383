# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of the user's in and beside our folders are bit for bit the same after any commands, which may fail."""

from __future__ import annotations

import contextlib
import itertools
import os
import pkgutil
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset_scripts.errors import UserError
from modeling_amess import AmessProcessor
from tests.modeling_amess.clips import write_clip
from tests.modeling_amess.tiny import tiny_media_encoder, tiny_model, tiny_tokenizer
from training.cli.main import main as amess
from training.publish import main as publish
from training.reproduce import main as reproduce
from training.reproduction.runner import RunningJobs
from training.train import main as train


@dataclass(frozen=True)
class Inputs:
    """What the commands read: no command writes here, so no file of the user's is lost here."""

    folder: Path
    preset: str

    @property
    def model(self) -> Path:
        """A model that reads text and takes another intent."""
        return self.folder / "model"


Command = Callable[[Inputs, Path], object]


@pytest.fixture(scope="module")
def inputs(tiny_settings, tmp_path_factory) -> Inputs:
    folder = tmp_path_factory.mktemp("inputs")
    shutil.copytree(Path(tiny_settings[0]).parent, folder / "tiny")
    fields = {"video_feature_size": None, "audio_feature_size": None, "description_size": 16, "semantic_logits": True}
    tiny_model(**fields, description_encoder=str(folder / "tiny" / "sentence")).save_pretrained(folder / "model")
    AmessProcessor(tiny_tokenizer(), max_text_length=12).save_pretrained(folder / "model")
    tiny_media_encoder().save_pretrained(folder / "encoder")
    for name in "ab":
        write_clip(folder / f"{name}.mp4", seconds=0.3)
    (folder / "broken.mp4").write_text("this is no clip")
    (folder / "good.tsv").write_text("clip\ttext\na.mp4\toh\nb.mp4\tno\n")
    (folder / "clips.tsv").write_text("clip\ttext\na.mp4\toh\nb.mp4\tno\nbroken.mp4\tway\n")
    (folder / "dev.tsv").write_text("text\tlabel\nthanks\tThank\nno way\tJoke\n")
    (folder / "words.tsv").write_text("start\tend\ttext\n0\t0.1\toh\n0.1\t0.2\tthanks\n")
    return Inputs(folder, tiny_settings[0])


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """No name is looked for on the Hub, and reproduce trains where libraries are imported already."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    def train_here(self, command, log, variables):
        try:
            train(command[3:])
        except (UserError, Interrupt) as error:  # as a child process, whose error is in the log alone
            log.write(f"{error}\n")

    monkeypatch.setattr(RunningJobs, "run", train_here)


class Interrupt(KeyboardInterrupt):
    """The interrupt of a step, to tell it from Ctrl-C of the person who runs the test."""


@contextlib.contextmanager
def interrupted_at(place: str, call: int) -> Iterator[None]:
    """Interrupt at this call of a function, which is given by its full name."""
    real = pkgutil.resolve_name(place)
    calls = itertools.count(1)

    def interrupt(*arguments, **options):
        if next(calls) == call:
            raise Interrupt
        return real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, interrupt)
        yield


def training(*options: str) -> Command:
    return lambda given, place: train([given.preset, "--max_steps", "2", "--output_dir", str(place / "run"), *options])


def table(*options: str) -> Command:
    """One row of a table on tiny data."""

    def command(given, place):
        parts = given.folder / "tiny"
        models = [f"text_model={parts / 'bert'}", f"description_model={parts / 'sentence'}"]
        sizes = ["num_text_layers=1", "model_config.fusion_num_attention_heads=2", "max_steps=1", "use_cpu=true"]
        data = [f"dataset={parts / 'data'}", f"label_descriptions={parts / 'descriptions.json'}"]
        fixed = ["--table", "3", "--dataset", "sample", "--rows", "w/o both", "--seeds", "0"]
        output = ["--output", str(place / "table"), "--settings", *models, *data, *sizes]
        reproduce([*fixed, *output, *(option.format(p=place) for option in options)])

    return command


def commands(name: str, *words: str) -> Command:
    """`amess` with words in which `{i}` is the folder of the inputs and `{p}` that of the user."""
    return lambda given, place: amess([name, *(word.format(i=given.folder, p=place) for word in words)])


def dry_run(folder: str, *options: str) -> Command:
    return lambda given, place: publish(
        [f"{place}/{folder}", "--repo", "org/tiny", "--dry_run", *(option.format(p=place) for option in options)]
    )


def cut(place: str, call: int, command: Command) -> Command:
    """A command with an interrupt at this call of a function."""

    def interrupted(given, folder):
        with interrupted_at(place, call):
            command(given, folder)

    return interrupted


END_OF_TRAINING = "training.train.evaluate_best"
EXTRACT = ("--media_encoder", "{i}/encoder", "--use_cpu", "--num_workers", "0", "--rows_per_part", "1")
extract = commands("extract", "{i}/clips.tsv", "--output", "{p}/features", *EXTRACT)
ADD = ("Reassure", "--description", "To calm.", "--model", "{i}/model")
add_intent = commands("add-intent", *ADD, "--output", "{p}/new")
EVALUATE = ("{i}/model", "{i}/dev.tsv")
ANALYZE = ("{i}/a.mp4", "--transcript", "{i}/words.tsv", "--output", "{p}/meeting")
analyze = commands("analyze", *ANALYZE, "--model", "{i}/model")

# The first word of a name is the command.
COMMANDS: dict[str, Command] = {
    "train": training(),
    "train another seed": training("--seed", "1"),
    "train and overwrite": training("--overwrite", "true"),
    "train, overwrite, keep no checkpoint": training("--seed", "2", "--overwrite", "true", "--save_epochs", "0"),
    "train on": training("--resume_from_checkpoint", "true"),
    "train from the start": training("--resume_from_checkpoint", "false"),
    "train with few checkpoints": training("--max_steps", "4", "--save_steps", "2", "--save_total_limit", "1"),
    "train the baseline too": training("--compare_with_text_only"),
    "train with a tracker": training("--report_to", "tensorboard"),
    "train, descriptions are missing": training("--label_descriptions", "nope.json", "--overwrite", "true"),
    "train, data are missing": training("--dataset", "nope"),
    "train, interrupted": cut(END_OF_TRAINING, 1, training("--save_steps", "1")),
    "train, interrupted, another seed": cut(END_OF_TRAINING, 1, training("--seed", "1", "--overwrite", "true")),
    "publish": dry_run("run"),
    "publish, write the card": dry_run("run", "--card", "{p}/card.md"),
    "publish, no tag": dry_run("run", "--tag", "v 1"),
    "publish, no run": dry_run("features"),
    "reproduce a run": lambda given, place: reproduce(["--run", f"{place}/run"]),
    "reproduce": table(),
    "reproduce, keep weights": table("--keep_weights"),
    "reproduce, finished runs alone": table("--finished_only"),
    "reproduce a page": table("--page", "{p}/page.md"),
    "reproduce, other settings": table("max_steps=2"),
    "reproduce, a run fails": table("text_model=nope"),
    "reproduce, no setting": table("sed=1"),
    "reproduce, interrupted": cut(END_OF_TRAINING, 1, table("save_steps=1")),
    "extract": extract,
    "extract good clips alone": commands("extract", "{i}/good.tsv", "--output", "{p}/features", *EXTRACT),
    "extract other features": commands("extract", "{i}/clips.tsv", "--output", "{p}/features", *EXTRACT[:-1], "2"),
    "extract, no clips": commands("extract", "{i}/nope.tsv", "--output", "{p}/features", *EXTRACT),
    "extract, interrupted": cut("dataset_scripts.extraction.run.write_rows", 2, extract),
    "extract, interrupted early": cut("dataset_scripts.extraction.folder.write_json", 1, extract),
    "add-intent": add_intent,
    "add-intent, no model": commands("add-intent", *ADD[:-1], "{p}/nope", "--output", "{p}/new"),
    "add-intent, known": commands("add-intent", "Thank", *ADD[1:], "--output", "{p}/new"),
    "add-intent, interrupted": cut("training.cli.add_intent.replacing", 1, add_intent),
    "evaluate": commands("evaluate", *EVALUATE, "--output", "{p}/report"),
    "evaluate, no data": commands("evaluate", "{i}/model", "{i}/nope.tsv", "--output", "{p}/report"),
    "compare": commands("compare", "{p}/run", "--output", "{p}/comparison.csv"),
    "compare, no runs": commands("compare", "{p}/features", "--output", "{p}/comparison.csv"),
    "predict": commands("predict", "--text", "oh", "--model", "{i}/model", "--explain", "{p}/why.png"),
    "predict two": commands("predict", "--text=oh", "--text=no", "--model", "{i}/model", "--explain", "{p}/why.png"),
    "predict, no model": commands("predict", "--text", "oh", "--model", "{p}/nope", "--explain", "{p}/why.png"),
    "analyze": analyze,
    "analyze again": commands("analyze", *ANALYZE, "--model", "{i}/model", "--overwrite"),
    "analyze, copy": commands("analyze", *ANALYZE, "--model", "{i}/model", "--overwrite", "--media", "copy"),
    "analyze another": commands("analyze", *ANALYZE, "--model", "{i}/model", "--top_k", "1"),
    "analyze, no model": commands("analyze", *ANALYZE, "--model", "{p}/nope", "--overwrite"),
    "analyze, interrupted": cut("dataset_scripts.recordings.analysis.write_outputs", 1, analyze),
    "analyze, interrupted early": cut("dataset_scripts.extraction.command.answer_or_error", 1, analyze),
}

SEED = "table/sample/wo_both/seed-0"
# Names of files that people may have in each folder. Many are names that a command writes there, or nearly so.
NAMES = {
    "": ("thesis.tex", "run.1/notes", "run.2", "config.yaml", ".env", ".lock", "metrics.json", "other/config.yaml"),
    "run": ("my.yaml", "README.md", "confusion_matrix.png", "plot.png", "missing.md", "amess/x.csv", ".git/HEAD"),
    "run/pretrained": ("README.md", "notes.txt", "sub/x", "config.json", "extra.safetensors", ".x.partial"),
    "run/checkpoints": ("README", "step-1/note", "step-2/note", "step-4/model.safetensors"),
    "run/text_only": ("idea", "metrics.json", "pretrained/extra.safetensors"),
    "table": ("notes.md", "table_3-sample.md", "table_3-sample.csv", "table_3-sample.png", "config.yaml", ".lock"),
    "table/sample/wo_both": ("seed-0.log", "seed-1.log", "notes.log", ".lock"),
    SEED: ("README.md", "notes.txt", "pretrained/extra.safetensors", "checkpoints/step-1/note", "intents.png"),
    "features": ("README.md", "failed.jsonl", "features.json", ".x.partial", ".x.old", "x/.y.partial", "clips.tsv"),
    "features/train": ("part-00000.parquet", "part-00001.parquet", "part-00007.parquet", ".x.partial", "notes"),
    "features/media_encoder": ("README.md", "config.json", "model.safetensors", "notes"),
    "new": ("README.md", "config.json", "model.safetensors"),
    "report": ("metrics.json", "errors.csv", "notes"),
    "meeting": ("analysis.json", "intents.srt", "utterances.jsonl", "index.html", "recording.mp4", "notes.md"),
    "./": ("card.md", "comparison.csv", "why.png", "why-1.png", "why-2.png", "page.md", "page.png"),
}
# Commands, by the first word of their names, and the folders that they share.
AREAS = {
    "a run": (
        ("train", "publish", "compare"),
        ("", "./", "run", "run/pretrained", "run/checkpoints", "run/text_only"),
    ),
    "a table": (("reproduce",), ("./", "table", "table/sample/wo_both", SEED)),
    "features": (("extract",), ("features", "features/train", "features/media_encoder")),
    "a model": (("add-intent", "evaluate", "predict"), ("./", "new", "report")),
    "a recording": (("analyze",), ("", "meeting")),
    "everything": (tuple({name.split()[0].rstrip(","): None for name in COMMANDS}), tuple(NAMES)),
}


def steps_of(area: str) -> st.SearchStrategy[list[str | list[Path]]]:
    """Commands by their names, and files that the user writes, in any order."""
    words, folders = AREAS[area]
    names = [name for name in COMMANDS if name.split()[0].rstrip(",") in words]
    files = st.sampled_from(folders).flatmap(lambda part: st.sampled_from(NAMES[part]).map(lambda x: Path(part, x)))
    written = st.lists(files, unique=True, min_size=1, max_size=4)
    return st.lists(st.sampled_from(names) | st.sampled_from(names) | written, min_size=3, max_size=7)


def write_missing(place: Path, names: list[Path]) -> Iterator[Path]:
    """Write a user's files where none are."""
    for name in names:
        path = place / name
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(f"mine: {name}")
                yield path


def now(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def check(given: Inputs, steps: list[str | list[Path]]) -> None:
    """Write a user's files and give commands, in this order; compare the files after each command."""
    with tempfile.TemporaryDirectory() as scratch:
        place, mine = Path(scratch), dict[Path, bytes | None]()
        for step in steps:
            if isinstance(step, list):
                mine |= {path: now(path) for path in write_missing(place, step)}
                continue
            with contextlib.suppress(UserError, SystemExit, Interrupt):
                COMMANDS[step](given, place)
            assert {path: now(path) for path in mine} == mine, step


@pytest.mark.parametrize(
    "area", [pytest.param(area, marks=pytest.mark.slow) if area == "everything" else area for area in AREAS]
)
@settings(
    max_examples=int(os.environ.get("A_MESS_EXAMPLES", "2")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_the_users_files_are_the_same_after_any_commands(inputs, area, data):
    check(inputs, data.draw(steps_of(area)))
