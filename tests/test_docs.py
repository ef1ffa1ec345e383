# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The documentation: its commands are the ones that are tested, its links lead somewhere, its code runs."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from training.arguments import SETTING_NAMES, parse_settings


PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
TRAIN_COMMAND = 'pip install -c constraints.txt -e ".[sample]" && accelerate launch training/train.py'
TEST_COMMAND = 'pip install -c constraints.txt -e ".[test]" && pytest'


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_two_commands_stand_in_the_readme_to_the_letter():
    assert TRAIN_COMMAND in code_blocks("bash")[0].splitlines()
    assert TEST_COMMAND in code_blocks("bash")[1].splitlines()


def test_ci_runs_these_commands_with_nothing_but_less_output_or_more_timing():
    script = (PROJECT / ".ci" / "run").read_text().replace("pip install -q ", "pip install ")
    assert TRAIN_COMMAND in script and TEST_COMMAND in script


@pytest.mark.parametrize(
    "page", [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_links_lead_to_files_that_exist(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    local = [link.split("#")[0] for link in links if not link.startswith(("http", "#"))]
    missing = [link for link in local if not (page.parent / link).exists()]
    assert missing == []


def documented_commands() -> list[str]:
    lines = [line for block in code_blocks("bash") for line in block.splitlines()]
    return [line for line in lines if "training/train.py" in line and "--help" not in line]


@pytest.mark.parametrize("command", documented_commands())
def test_every_documented_training_command_has_valid_settings(command):
    words = shlex.split(command, comments=True)
    settings = parse_settings(words[words.index("training/train.py") + 1 :])
    # A data set of ours, or the folder that the extraction in the lines above writes.
    assert settings.dataset in ("sample", "mintrec", "mintrec2", "planted") or f"--output {settings.dataset}" in README


def test_settings_named_in_the_text_exist():
    named = re.findall(r"`--([a-z_]+)", README)
    of_other_commands = [
        "candidate_labels",
        "context",
        "cpu",
        "num_processes",
        "other_runs",
        "others",
        "prompt",
        "validation",
    ]
    assert named and not [name for name in named if name not in (*SETTING_NAMES, *of_other_commands)]


def test_the_readmes_python_runs_on_what_the_first_command_leaves(tmp_path):
    # The first command, cut short: the snippet needs a run folder, not a good model.
    train = [sys.executable, str(PROJECT / "training" / "train.py"), "--max_steps", "2"]
    train += ["--compare_with_text_only", "false", "--num_text_layers", "2"]
    subprocess.run(train, cwd=tmp_path, check=True, capture_output=True, text=True)
    (tmp_path / "space").mkdir()
    shutil.copytree(PROJECT / "space" / "examples", tmp_path / "space" / "examples")
    blocks = code_blocks("python")
    assert all(len(block.strip().splitlines()) < 15 for block in blocks)
    # One after the other, as a reader would paste them.
    result = subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.strip().splitlines()
    scores = [float(line.split()[-1]) for line in lines[-3:]]
    assert scores == sorted(scores, reverse=True) and 0 < scores[0] <= 1
    assert "'frame'" in lines[0], "the pipeline's line shows an anchor"
