# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Commands of the pages, and for each program a function that reads its arguments as the program does."""

import argparse
import configparser
import contextlib
import importlib
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from accelerate.commands.launch import launch_command_parser
from torch.distributed.run import get_args_parser

from training.arguments import SENTENCE_METHODS, SETTING_NAMES, parse_settings
from training.cli.programs import PROGRAMS as AMESS_PROGRAMS
from training.cli.programs import num_processes


PROJECT = Path(__file__).parents[1]
# Programs that are not ours, and of which the pages say nothing that could go stale.
OTHER_PROGRAMS = ("cd", "git", "hf", "pre-commit", "python3", "source")


class Parsed(BaseException):
    """Arguments were parsed; thrown out of the program before it does anything with them."""

    def __init__(self, parser: argparse.ArgumentParser, result: object):
        self.parser, self.result = parser, result


def stop_after_parsing(main: Callable[[], object], words: Sequence[str]) -> Parsed:
    """Start a program whose argparse parser ends it as soon as the arguments are read.

    Raises:
        SystemExit: The parser refuses the arguments, or prints help.
    """

    def throwing(method: Callable) -> Callable:
        def parse(self, *args, **kwargs):
            with mock.patch.multiple(argparse.ArgumentParser, **original):  # subparsers and inner calls go through
                result = method(self, *args, **kwargs)
            raise Parsed(self, result)

        return parse

    names = ("parse_args", "parse_known_args")
    original = {name: getattr(argparse.ArgumentParser, name) for name in names}
    replaced = {name: throwing(method) for name, method in original.items()}
    with mock.patch.multiple(argparse.ArgumentParser, **replaced), mock.patch.object(sys, "argv", ["program", *words]):
        try:
            main()
        except Parsed as parsed:
            return parsed
    raise AssertionError("The program read no arguments.")


def read_module(module: str, words: list[str]) -> None:
    """Arguments of `python -m module`."""
    if module in SETTINGS_PROGRAMS:
        SETTINGS_PROGRAMS[module](words)
    else:
        stop_after_parsing(importlib.import_module(module).main, words)


def read_zero_shot(words: list[str]) -> None:
    main = importlib.import_module("training.zero_shot").main
    _, settings = stop_after_parsing(main, words).result
    preset = words[1:2] if not words[1].startswith("-") else []
    parse_settings([*preset, *settings])


def read_sentence_embeddings(words: list[str]) -> None:
    assert words[0] in SENTENCE_METHODS
    parse_settings(words[1:])


def read_script(script: str, words: list[str]) -> None:
    """Arguments of a script or, where a launcher was given `-m`, a module."""
    if script.endswith(".py"):
        assert (PROJECT / script).is_file(), f"{script} is not in the repository."
        script = script.removesuffix(".py").replace("/", ".")
    if script == "space.app":
        assert not words, "The demo takes no arguments."
    else:
        read_module(script, words)


def read_python(words: list[str]) -> None:
    if words[0] == "-c":
        compile(words[1], "python -c", "exec")
        return
    script, *rest = words[1:] if words[0] == "-m" else words
    read_script(script, rest)


def read_accelerate(words: list[str]) -> None:
    assert words[0] == "launch"
    launched = launch_command_parser().parse_args(words[1:])
    if launched.config_file is not None:
        assert (PROJECT / launched.config_file).is_file()
    read_script(launched.training_script, launched.training_script_args)


def read_torchrun(words: list[str]) -> None:
    launched = get_args_parser().parse_args(words)
    read_script(launched.training_script, launched.training_script_args)


def read_pip(words: list[str]) -> None:
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    for extras in re.findall(r"^\.\[(.+)\]$", "\n".join(words), flags=re.MULTILINE):
        unknown = set(extras.split(",")) - set(setup["options.extras_require"])
        assert not unknown, f"setup.cfg has no extra {', '.join(unknown)}."


def read_amess(words: list[str]) -> None:
    """Arguments of `amess`, whose programs with an entry point of their own read theirs."""
    program = next((program for program in AMESS_PROGRAMS if program.name == words[0]), None)
    if program is None:
        read_module("training.cli.main", words)
    elif program.name == "train":
        parse_settings(num_processes(words[1:])[1])
    elif program.name == "demo":
        assert len(words) <= 2, "The demo takes a model and nothing else."
    else:
        read_module(str(program.start), words[1:])


def read_make(words: list[str]) -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for target in words:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"The Makefile has no target {target}."


def read_pytest(words: list[str]) -> None:
    assert all((PROJECT / word).exists() for word in words if word.startswith("tests")), "No such tests."


# Programs whose arguments are settings of a training run, altogether or beside some of their own.
SETTINGS_PROGRAMS: dict[str, Callable[[list[str]], object]] = {
    "training.train": parse_settings,
    "training.zero_shot": read_zero_shot,
    "training.sentence_embeddings": read_sentence_embeddings,
}
PROGRAMS: dict[str, Callable[[list[str]], object]] = {
    "accelerate": read_accelerate,
    "amess": read_amess,
    "make": read_make,
    "pip": read_pip,
    "pytest": read_pytest,
    "python": read_python,
    "torchrun": read_torchrun,
    **dict.fromkeys(OTHER_PROGRAMS, lambda words: None),
}


@dataclass(frozen=True)
class Command:
    """A command of a page.

    Attributes:
        page: The page, relative to the repository.
        text: The command.
        excerpt: Whether it is part of a sentence, and may leave arguments out.
    """

    page: str
    text: str
    excerpt: bool

    def read(self, capsys) -> None:
        """Read the arguments as the program does; fail where the program would refuse them."""
        program, *words = shlex.split(re.sub(r"<[^>]+>", "0", self.text), comments=True)
        try:
            PROGRAMS[program]([word for word in words if word != "..."])
        except SystemExit as end:
            message = capsys.readouterr().err
            assert not end.code or (self.excerpt and " required" in message), message


def commands_of(page: Path) -> Iterator[Command]:
    """Commands of a page: in bash blocks, in indented blocks, and in sentences where they have an option."""
    name, text = str(page.relative_to(PROJECT)), page.read_text(encoding="utf-8")
    lines = []
    for block in re.findall(r"^```bash\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        lines += [(line, False) for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for line in re.findall(r"^    (\S.*)$", prose.replace("\\\n", " "), flags=re.MULTILINE):
        if line.split()[0] in PROGRAMS:
            lines.append((line, False))
    for span in re.findall(r"`([^`\n]+)`", prose):
        if span.split()[0] in PROGRAMS and " -" in span:
            lines.append((span, True))
    for line, excerpt in lines:
        for part in line.split("&&"):
            command = part.partition("  #")[0].strip()
            if command and not command.startswith("#"):
                yield Command(name, command, excerpt)


def known_options(modules: Iterable[str]) -> set[str]:
    """Names of the options of these programs and of the launchers, and all settings, without hyphens."""
    names: set[str] = set(SETTING_NAMES)
    add_argument = argparse._ActionsContainer.add_argument

    def record(self, *flags, **options):
        names.update(flag.lstrip("-") for flag in flags)
        return add_argument(self, *flags, **options)

    with mock.patch.object(argparse._ActionsContainer, "add_argument", record):
        launch_command_parser(), get_args_parser()
        for module in modules:
            with contextlib.suppress(SystemExit):  # help was printed
                stop_after_parsing(importlib.import_module(module).main, ["--help"])
    return names
