# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""How every command begins and ends: without its packages, interrupted while it imports, interrupted at work."""

from __future__ import annotations

import importlib.metadata
import json
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from dataset_scripts.requirements import OF_DEVELOPERS, extra_with, requirements
from tests import documented_commands
from tests.modeling_amess.clips import write_clip
from tests.modeling_amess.tiny import tiny_media_encoder
from tests.modeling_amess.tiny_recognizer import recognizer_model, recognizer_processor
from training.cli.main import main

from . import tiny


FOLDERS = ("training", "dataset_scripts", "benchmarks", "space")
# Rendering has no entry of this list: its text is part of the stamp of the sample's features.
OTHERS = {"dataset_scripts/sample/clips.py"}
FILES = sorted(
    str(file.relative_to(tiny.ROOT))
    for folder in FOLDERS
    for file in (tiny.ROOT / folder).rglob("*.py")
    if '__name__ == "__main__"' in file.read_text(encoding="utf-8")
)
# Measurements begin without reading a word; that they begin as the others do is shown by their source.
ENTRIES = [file for file in FILES if file not in OTHERS and not file.startswith("benchmarks/")]
# Runs an entry as its user does, after a module finder of the test's has taken its place.
START = """
import json, os, runpy, signal, sys
file, finder, *words = sys.argv[1:]
class Finder:
    def find_spec(self, name, path=None, target=None):
        %s
sys.meta_path.insert(0, Finder())
sys.argv = [file, *words]
if file.startswith("space/"):
    sys.path.insert(0, "space")
    runpy.run_path(file, run_name="__main__")
else:
    runpy.run_module(file.removesuffix(".py").replace("/", "."), run_name="__main__", alter_sys=True)
"""
HIDE = """if name.partition('.')[0] in json.loads(finder):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)"""
INTERRUPT = "if name == finder: os.kill(os.getpid(), int(os.environ['SIGNAL_OF_THE_TEST']))"
# Most entries import their libraries before they read a word. `amess --help` does without.
WORDS = {
    "training/cli/main.py": ["extract", ".", "--output", "nowhere"],
    "dataset_scripts/download.py": ["mintrec", "--output", "nowhere"],
    "training/train.py": ["--seed", "1"],
    "dataset_scripts/extract_features.py": [".", "--output", "nowhere"],
    "dataset_scripts/describe_labels.py": ["--labels", "A", "--output", "nowhere.json", "--model", "nope", "--local"],
}
# It imports its model's library when it has read the words.
LATE = "dataset_scripts/describe_labels.py"
HELP = ["--help"]


def start(action, file, argument, words, **variables):
    return subprocess.run(
        [sys.executable, "-c", START % action, file, argument, *words],
        env=tiny.environment(**variables),
        cwd=tiny.ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        timeout=120,
    )


def test_every_documented_command_is_an_entry():
    """The lists above come from the files; this one from the pages."""
    documented = {
        match[1].replace(".", "/") + ".py"
        for page in documented_commands.PROJECT.rglob("*.md")
        for match in re.finditer(r"python -m ((?:training|dataset_scripts|benchmarks)[\w.]*)", page.read_text("utf-8"))
    }
    assert documented and documented <= {*FILES, *(file.removesuffix(".py") + "/__main__.py" for file in FILES)}
    assert set(FILES) >= OTHERS


@pytest.mark.parametrize("file", sorted({*FILES} - OTHERS))
def test_an_entry_begins_by_handing_over(file):
    """Before its imports, so that the one mechanism covers them, too."""
    source = (tiny.ROOT / file).read_text(encoding="utf-8")
    before = source[: source.index("    run_command(")]
    imported = set(re.findall(r"^ *(?:from|import) (\S+)", before, flags=re.MULTILINE))
    assert imported <= {"__future__", "dataset_scripts.errors"}
    assert source.count('__name__ == "__main__"') - (file == "space/app.py") == 1


@pytest.fixture(scope="session")
def hidden():
    """Modules that `pip install amess-hf` without an extra does not bring, of all that are installed here."""
    waiting, plain = ["torch", "transformers"], set()
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in plain:
            continue
        plain.add(name)
        try:
            required = importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        waiting += [re.match(r"[A-Za-z0-9._-]+", line)[0] for line in required if "extra ==" not in line]
    modules = importlib.metadata.packages_distributions()
    ours = {*FOLDERS, "modeling_amess"}
    return json.dumps(
        [
            module
            for module, names in modules.items()
            if module not in ours and not plain & {name.lower().replace("_", "-") for name in names}
        ]
    )


@pytest.mark.parametrize("file", ENTRIES)
def test_without_the_extras_a_command_names_the_one_to_install(file, hidden):
    ended = start(HIDE, file, hidden, WORDS.get(file, HELP))
    output = ended.stdout + ended.stderr
    assert "Traceback" not in output, output
    assert ended.returncode in (1, 2)
    module = re.search(r"The package (\S+) is not installed", output)[1]
    assert re.search(r'pip install "amess-hf\[\w+\]"', output), output
    assert json.loads(hidden) and module not in ("torch", "transformers")


def test_each_package_of_an_extra_is_found_by_its_modules():
    sources = "\n".join(
        file.read_text("utf-8")
        for folder in (*FOLDERS, "modeling_amess")
        for file in (tiny.ROOT / folder).rglob("*.py")
    )
    imported = set(re.findall(r"^ *(?:from|import) (\w+)", sources, flags=re.MULTILINE))
    extras, modules = requirements(), importlib.metadata.packages_distributions()
    for_users = (names for extra, names in extras.items() if extra and extra not in OF_DEVELOPERS)
    wanted = {name.lower() for names in for_users for name in names}
    tried = set()
    for module in imported & set(modules):
        for name in {name.lower().replace("_", "-") for name in modules[module]} & wanted:
            tried.add(name)
            assert extra_with(module, extras)[1] is not None, (module, name)
    assert {"accelerate", "scikit-learn", "pyyaml", "av"} <= tried


def imported_by(file):
    """A library that the entry imports late: the others may have a part of it already."""
    if file == "dataset_scripts/download.py":
        return "datasets"  # it runs no model
    if file == "dataset_scripts/sample/speech.py":
        return "av"
    return "gradio" if file.startswith("space/") else "torch"


@pytest.mark.parametrize("file", ENTRIES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_a_command_imports_its_libraries_ends_it_in_words(file, number):
    ended = start(INTERRUPT, file, imported_by(file), WORDS.get(file, HELP), SIGNAL_OF_THE_TEST=str(int(number)))
    assert (ended.returncode, ended.stdout) == (128 + number, "")
    assert re.fullmatch(r"\nInterrupted.* The same command .*\n", ended.stderr)
    assert "nothing was changed" in ended.stderr or file == LATE


@pytest.mark.parametrize("library", ["numpy", "transformers", "datasets", "accelerate"])
def test_the_moment_does_not_matter(library):
    ended = start(INTERRUPT, "training/train.py", library, [], SIGNAL_OF_THE_TEST=str(int(signal.SIGINT)))
    assert ended.returncode == 130 and "Traceback" not in ended.stderr and "Interrupted" in ended.stderr


# --- at work -------------------------------------------------------------------------------------------------------

# Runs `amess`, and has a signal arrive when a function is called for the nth time.
AT_WORK = """
import importlib, os, sys
import training.cli.main
from training.cli import amess
place, times, number, *words = sys.argv[1:]
module, name = place.split(":")
owner = importlib.import_module(module)
*path, name = name.split(".")
for part in path:
    owner = getattr(owner, part)
real, calls = getattr(owner, name), []
def signalled(*arguments, **options):
    calls.append(1)
    if len(calls) == int(times):
        os.kill(os.getpid(), int(number))
    return real(*arguments, **options)
setattr(owner, name, signalled)
sys.argv = ["amess", *words]
amess()
"""


def interrupted_amess(place, times, number, words):
    return subprocess.run(
        [sys.executable, "-c", AT_WORK, place, str(times), str(int(number)), *map(str, words)],
        env=tiny.environment(),
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        timeout=120,
    )


@pytest.fixture(scope="module")
def text_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    # Without descriptions, so that a new intent needs no Sentence-BERT.
    recognizer_model(use_semantic_synchronization=False, label_descriptions=None).save_pretrained(folder)
    recognizer_processor().save_pretrained(folder)
    return folder


SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])


@SIGNALS
def test_an_interrupted_prediction_leaves_whole_answers(text_model, tmp_path, number):
    table = tmp_path / "texts.tsv"
    table.write_text("text\n" + "oh\n" * 9)
    words = ["predict", table, "--json", "--batch_size", "3", "--model", text_model]
    ended = interrupted_amess("training.cli.batches:_batch_answers", 2, number, words)
    assert ended.returncode == 128 + number, ended.stderr
    assert "Traceback" not in ended.stderr and "clips that are left" in ended.stderr
    assert [json.loads(line)["text"] for line in ended.stdout.splitlines()] == ["oh"] * 3


@SIGNALS
@pytest.mark.parametrize("place", ["_batch", "_save"])
def test_an_interrupted_new_intent_writes_no_model(text_model, tmp_path, number, place):
    words = ["add-intent", "Reassure", "--text", "it will be fine.", "--model", text_model, "--output"]
    (tmp_path / "thesis.tex").write_text("mine")
    ended = interrupted_amess(f"training.cli.add_intent:{place}", 1, number, [*words, tmp_path / "a" / "b"])
    assert ended.returncode == 128 + number, ended.stderr
    assert "Traceback" not in ended.stderr and "No model was written" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@SIGNALS
@pytest.mark.parametrize("moment", [1, 2])
def test_an_interrupted_extraction_says_how_far_it_is(tmp_path, number, moment):
    clips, output, encoder = tmp_path / "clips", tmp_path / "features", tmp_path / "encoder"
    clips.mkdir()
    tiny_media_encoder().save_pretrained(encoder)
    for index in range(4):
        write_clip(clips / f"{index}.mp4", seconds=0.3)
    before = {path.name: path.read_bytes() for path in clips.iterdir()}
    words = ["extract", clips, "--output", output, "--media_encoder", encoder, "--use_cpu", "--num_workers", "0"]
    words += ["--rows_per_part", "1", "--batch_size", "1"]
    ended = interrupted_amess("modeling_amess:AmessMediaEncoder.forward", 2 * moment, number, words)
    assert ended.returncode == 128 + number, ended.stderr
    assert "Traceback" not in ended.stderr
    assert re.search(r"Interrupted.* The same command (continues from there|starts again)", ended.stderr), ended.stderr
    assert {path.name: path.read_bytes() for path in clips.iterdir()} == before
    assert main([str(word) for word in words]) == 0  # the same command continues
    whole = tmp_path / "whole"
    assert main([str(whole if word is output else word) for word in words]) == 0
    files = {path.relative_to(whole): path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    assert files == {path.relative_to(output): path.read_bytes() for path in output.rglob("*") if path.is_file()}


@SIGNALS
def test_an_interrupted_table_says_which_runs_are_finished(tmp_path, number):
    text_model = tiny.make_text_model(tmp_path / "bert")
    settings = [
        f"text_model={text_model}",
        f"description_model={tiny.make_sentence_encoder(tmp_path / 's', text_model)}",
    ]
    settings += ["num_text_layers=1", "model_config.fusion_num_attention_heads=2", "use_cpu=true", "max_steps=9999"]
    words = [
        "--table",
        "3",
        "--dataset",
        "sample",
        "--rows",
        "full",
        "--seeds",
        "0",
        "--output",
        str(tmp_path / "out"),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "training.reproduce", *words, "--settings", *settings],
        env=tiny.environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    family = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while not family.children():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    children = family.children(recursive=True)
    process.send_signal(number)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said and "0 of 1 runs are finished" in said and "The same command goes on" in said
    assert not psutil.wait_procs(children, timeout=60)[1]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1, 2, 4])
def test_workers_end_when_their_launcher_is_killed_while_they_start(tmp_path, seconds):
    (tmp_path / "clips").mkdir()
    write_clip(tmp_path / "clips" / "a.mp4", seconds=0.3)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port"]
    words = ["-m", "dataset_scripts.extract_features", str(tmp_path / "clips"), "--media_encoder", "sample"]
    process = subprocess.Popen(
        [*launcher, str(tiny.free_port()), *words, "--output", str(tmp_path / "features"), "--use_cpu"],
        env=tiny.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    family, deadline = psutil.Process(process.pid), time.monotonic() + 60
    while len(family.children()) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(seconds)
    workers = family.children()
    process.kill()
    process.wait()
    assert not psutil.wait_procs(workers, timeout=90)[1]
