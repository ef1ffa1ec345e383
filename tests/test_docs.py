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

from dataset_scripts.registry import DATASETS
from training.arguments import parse_settings

from .documented_commands import Command, commands_of, known_options


PROJECT = Path(__file__).parents[1]
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("[bds]*/README.md"), *(PROJECT / "docs").rglob("*.md")])
README = PROJECT / "README.md"
TRAIN_COMMAND = 'pip install -c constraints.txt -e ".[sample]" && accelerate launch training/train.py'
TEST_COMMAND = 'pip install -c constraints.txt -e ".[test]" && pytest'
COMMANDS = [command for page in PAGES for command in commands_of(page)]


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def test_the_two_commands_are_in_the_readme_to_the_letter():
    lines = [line for block in code_blocks(README, "bash") for line in block.splitlines()]
    assert TRAIN_COMMAND in lines and TEST_COMMAND in lines


def test_ci_runs_these_commands_with_nothing_but_less_output_or_more_timing():
    script = (PROJECT / ".ci" / "run").read_text().replace("pip install -q ", "pip install ")
    assert TRAIN_COMMAND in script and TEST_COMMAND in script


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(page):
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith(("http:", "https:")) or "{{" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert missing == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.page}: {command.text}")
def test_a_documented_command_is_one_that_its_program_accepts(command: Command, capsys):
    command.read(capsys)


def test_the_pages_train_on_data_sets_that_exist_or_that_they_make():
    written = [word for command in COMMANDS for word in re.findall(r"--output (\S+)", command.text)]
    for command in COMMANDS:
        words = shlex.split(command.text)
        if "training/train.py" in words and "--dataset" in words:
            words = words[words.index("training/train.py") + 1 :]
            assert parse_settings(words).dataset in (*DATASETS, *written), command


def test_options_named_in_the_text_exist(capsys):
    modules = {module for page in PAGES for module in re.findall(r"python -m ([\w.]+)", page.read_text())}
    ours = [module for module in modules if (PROJECT / f"{module.replace('.', '/')}.py").is_file()]
    known = known_options(["training.cli.main", *ours]) | {"help"}
    named = [(name_of(page), name) for page in PAGES for name in re.findall(r"`--([\w-]+)", page.read_text())]
    assert [(page, name) for page, name in named if name not in known] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_on_the_pages_compiles(page):
    for block in code_blocks(page, "python"):
        code = re.sub(r"\{%.*?%\}\n?|\{\{.*?\}\}", "", block)  # the card is a template
        compile(code, name_of(page), "exec")


def test_the_readmes_python_runs_on_what_the_first_command_leaves(tmp_path):
    # The first command, cut short: the snippet needs a run folder, not a good model.
    train = [sys.executable, str(PROJECT / "training" / "train.py"), "--max_steps", "2"]
    train += ["--compare_with_text_only", "false", "--num_text_layers", "2"]
    subprocess.run(train, cwd=tmp_path, check=True, capture_output=True, text=True)
    (tmp_path / "space").mkdir()
    shutil.copytree(PROJECT / "space" / "examples", tmp_path / "space" / "examples")
    blocks = code_blocks(README, "python")
    assert all(len(block.strip().splitlines()) < 15 for block in blocks)
    # One after the other, as a reader would paste them.
    result = subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.strip().splitlines()
    scores = [float(line.split()[-1]) for line in lines[-3:]]
    assert scores == sorted(scores, reverse=True) and 0 < scores[0] <= 1
    assert "'frame'" in lines[0], "the pipeline's line shows an anchor"
