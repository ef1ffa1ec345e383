# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A wheel holds the whole project: its commands work in an environment and a folder without the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.training import tiny


PROJECT = Path(__file__).parents[1]
FOLDERS = ("modeling_amess", "dataset_scripts", "training", "space")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build in the checkout leaves files that the next build would pick up."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in PROJECT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    for name in FOLDERS:
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", str(source), "--wheel-dir", str(target)]
    run(*command, "--no-deps", "--no-index", "--no-build-isolation", folder=target)
    (file,) = target.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of a new environment: the wheel, and the dependencies of the running environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    run(
        *(sys.executable, "-m", "pip", "--python", str(commands / "python")),
        *("install", "--no-deps", "--no-index", str(wheel)),
        folder=folder,
    )
    (packages,) = folder.glob("**/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    return commands


def run(*command: str | Path, folder: Path) -> str:
    """Run a command in a folder without the checkout on the path, and return its output."""
    variables = tiny.environment()
    del variables["PYTHONPATH"]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_has_every_file_of_the_packages_and_the_space(wheel):
    sources = {path for name in FOLDERS for path in (PROJECT / name).rglob("*") if path.is_file()}
    expected = {
        (Path("training/project_files") / path.relative_to(PROJECT)).as_posix()
        if path.is_relative_to(PROJECT / "space")
        else path.relative_to(PROJECT).as_posix()
        for path in sources
        if "__pycache__" not in path.parts
    }
    missing = expected - set(zipfile.ZipFile(wheel).namelist())
    assert missing == {"dataset_scripts/README.md"}, "a page for readers of the checkout stays out, nothing else"


@pytest.mark.slow
def test_train_predict_and_publish_work_from_the_wheel_in_an_empty_folder(installed, tmp_path_factory):
    folder, python = tmp_path_factory.mktemp("empty"), installed / "python"
    preset = tiny.make_preset(tmp_path_factory.mktemp("tiny"))
    show = "import dataset_scripts, modeling_amess, training; "
    show += "print(*(module.__file__ for module in (dataset_scripts, modeling_amess, training)), sep='\\n')"
    files = run(python, "-c", show, folder=folder).splitlines()
    assert all(Path(file).is_relative_to(installed.parent) for file in files)

    launch = (python, "-m", "accelerate.commands.launch", "-m", "training.train")
    run(*launch, preset, "--max_steps", "3", "--output_dir", "runs/tiny", folder=folder)
    card = (folder / "runs" / "tiny" / "README.md").read_text()
    assert "# amess-" in card and (folder / "runs" / "tiny" / "pretrained" / "modeling_amess.py").is_file()

    answer = run(installed / "amess", "predict", "--text", "hello", "--model", "runs/tiny/pretrained", folder=folder)
    assert any(label in answer for label in tiny.LABELS)

    publish = (python, "-m", "training.publish", "runs/tiny", "--repo", "org/amess", "--space", "org/demo")
    listed = run(*publish, "--dry_run", folder=folder)
    assert {"model.safetensors", "app.py", "examples/test_000.mp4"} <= set(listed.split())
