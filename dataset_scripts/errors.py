# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The base of all errors that a user can mend, and how a command reports errors, signals and a full disk."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pkgutil import resolve_name
from types import FrameType
from typing import Any, NoReturn, TypeVar, cast


_OWN_PACKAGES = ("modeling_amess", "dataset_scripts", "training", "space")


class UserError(ValueError):
    """An error that the user can mend. The message says what is wrong, why, and what to do."""


class DiskError(UserError):
    """A file that could not be written because the disk, or the user's share of it, is full."""


class Terminated(KeyboardInterrupt):
    """The end of a command by SIGTERM. Code that handles Ctrl-C handles it in the same way."""


_FULL = {
    number: words
    for name, words in (
        ("ENOSPC", "no space is left on the disk"),
        ("EDQUOT", "the disk quota is used up"),
        ("EFBIG", "the file is larger than the system allows"),
    )
    if (number := getattr(errno, name, None)) is not None  # Windows lacks some
}
# Libraries that write in C++ or Rust give their own types, with the reason in the text if at all.
_FULL_TEXT = re.compile(r"os error (\d+)|No space left|PytorchStreamWriter failed|unexpected pos|iostream error")
# A launcher repeats a signal that the terminal has sent to every process already.
_SECONDS_OF_ONE_SIGNAL = 3.0
# `accelerate launch` and `torchrun` set these for the processes that they start.
_LAUNCHED = ("ACCELERATE_MIXED_PRECISION", "TORCHELASTIC_RUN_ID")
# Asked as early as possible: a launcher may die while its processes still import their libraries.
_PARENT = os.getppid()
_received: list[int] = []  # signals that this process has got
# Blocks that hold interruptions back, and blocks that import libraries.
_holding: list[bool] = []
_loading: list[bool] = []
_BEFORE_THE_START = "Interrupted before the start: nothing was changed. The same command starts again."

Error = TypeVar("Error", bound=BaseException)


def full_disk(error: BaseException) -> str | None:
    """Say in words that an error comes from a full disk; `None` for another error."""
    if isinstance(error, OSError) and error.errno is not None:
        return _FULL.get(error.errno)
    match = _FULL_TEXT.search(str(error))
    if match is None or isinstance(error, UserError):
        return None
    number = int(match[1]) if match[1] else errno.ENOSPC
    return _FULL.get(number)


def exit_status(interrupt: KeyboardInterrupt) -> int:
    """Return the status that a shell reports for a process ended by this signal: 130 or 143."""
    return 128 + (signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)


@contextmanager
def terminable() -> Iterator[None]:
    """Raise `KeyboardInterrupt` for SIGINT and `Terminated` for SIGTERM while the block runs.

    A later signal ends the process at once. Signals that the caller ignores, as `nohup` has it, stay ignored.
    """
    first = 0.0
    _received.clear()

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        _received.append(number)
        if not first:
            first = time.monotonic()
            if _loading:
                _tell(_BEFORE_THE_START)
                os._exit(128 + number)
            if not _holding:
                _raise_received()
        elif time.monotonic() - first > _SECONDS_OF_ONE_SIGNAL:
            os._exit(128 + number)

    earlier = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:
                earlier[number] = signal.signal(number, stop)
    done = threading.Event()
    if earlier and any(name in os.environ for name in _LAUNCHED):
        threading.Thread(target=_end_with_launcher, args=(done,), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _received_interrupt() -> KeyboardInterrupt | None:
    """Return the interruption of the first signal that this process got, if any."""
    if not _received:
        return None
    return Terminated() if _received[0] == signal.SIGTERM else KeyboardInterrupt()


def _raise_received() -> None:
    interrupt = _received_interrupt()
    if interrupt is not None:
        raise interrupt


@contextmanager
def interrupts_held() -> Iterator[Callable[[], None]]:
    """Hold SIGINT and SIGTERM back while the block runs; call what it yields where an interruption does no harm.

    Arrow and other libraries in C swallow an exception that a signal raises in the middle of their work, and print a
    traceback.
    """
    _holding.append(True)
    try:
        yield _raise_received
    finally:
        _holding.pop()
    _raise_received()


def _end_with_launcher(done: threading.Event) -> None:
    """End this process when its launcher is killed, which tells its processes nothing."""
    while os.getppid() == _PARENT:
        if done.wait(1):
            return
    os.kill(os.getpid(), signal.SIGTERM)
    # The main thread may wait in a library for processes that are gone, where no signal reaches it.
    if not done.wait(20):
        os._exit(128 + signal.SIGTERM)


def as_interrupt(error: BaseException) -> KeyboardInterrupt | None:
    """Return the interruption that an error comes from, if any.

    A library that runs Python in its own code turns `KeyboardInterrupt` into an error of its own, and a process whose
    neighbours were interrupted loses its connections.
    """
    if isinstance(error, KeyboardInterrupt):
        return error
    return _received_interrupt() if isinstance(error, Exception) else None


def leave_interrupts_to_parent(_worker_id: int = 0) -> None:
    """Ignore Ctrl-C in a worker process (`worker_init_fn` of a loader): its parent ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_command(
    main: Callable[[], Any] | str, interrupted: str = "", failure: int = 1, reads: str | None = None
) -> NoReturn:
    """Run a command and end the process. What a user can mend or has caused is reported without a traceback.

    Args:
        main: The command, or its place as `package.module:function`. A place is imported here, so that an
            interruption and a missing package are reported while its libraries load, too. It returns the exit
            status; `None` is 0.
        interrupted: Words for the user after Ctrl-C or SIGTERM, for a command that does not raise
            `KeyboardInterrupt` with words of its own. The first process of a launch prints them.
        failure: Exit status of an error.
        reads: Place of a function that reads the words of the command line and needs no library that takes time to
            load. It runs first, so that `--help` and a typo are answered at once.
    """
    escape_output()
    sys.exit(command_status(main, interrupted, failure, reads=reads))


def command_status(
    main: Callable[[], Any] | str,
    interrupted: str = "",
    failure: int = 1,
    program: str | None = None,
    reads: str | None = None,
) -> Any:
    """Run a command, report its end as `run_command` does, and return the exit status.

    Args:
        main: The command, or its place.
        interrupted: Words after an interruption.
        failure: Exit status of an error.
        program: Name that errors begin with; by default that of their type.
        reads: Place of a function that reads the command line before `main` is imported.
    """
    with terminable():
        try:
            if reads is not None:
                resolve_name(reads)(sys.argv[1:])
            if isinstance(main, str):
                with loading():
                    main = cast("Callable[[], Any]", resolve_name(main))
            return main()
        except Exception as error:
            interrupt = as_interrupt(error)
            reason = full_disk(error)
            missing = _cause(error, ModuleNotFoundError)
            if interrupt is None and isinstance(error, UserError):
                kind, message = type(error).__name__, str(error)
            elif interrupt is None and missing is not None:
                kind, message = "MissingPackageError", missing_package(missing)
            elif interrupt is None and reason is not None:
                named = isinstance(error, OSError) and error.filename
                kind = DiskError.__name__
                message = (
                    f"{named or 'A file'} could not be written: {reason}. Make room and give the same command again."
                )
            elif interrupt is None:
                raise
        except KeyboardInterrupt as error:
            interrupt = error
        if interrupt is None:
            print(f"{program or kind}: {message}", file=sys.stderr)
            return failure
        _tell(str(interrupt) or interrupted)
        return exit_status(interrupt)


@contextmanager
def loading() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the process at once, in words, while the block imports libraries.

    A library whose import an exception interrupts may swallow it, or make an error of its own of it. Nothing of the
    user's is open at that time. Without `terminable` around it the block changes nothing.
    """
    _loading.append(True)
    try:
        yield
    finally:
        _loading.pop()


def _tell(words: str) -> None:
    """Print the last words of an interrupted command, once for all processes of a launch."""
    if words and os.environ.get("RANK", "0") == "0":
        print(f"\n{words}", file=sys.stderr, flush=True)


def _cause(error: BaseException | None, kind: type[Error]) -> Error | None:
    """Return the error of this type that an error is or comes from: libraries wrap a failed import."""
    while error is not None and not (isinstance(error, kind) and getattr(error, "name", True)):
        error = error.__cause__
    return error


def escape_output() -> None:
    """Escape the characters that the encoding of the terminal, or of a redirected output, does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not what a test or a notebook puts in its place
            stream.reconfigure(errors="backslashreplace")


def missing_package(error: ModuleNotFoundError) -> str:
    """Say how to install the package that an import did not find.

    Raises:
        ModuleNotFoundError: The module is one of this project, or unknown: a defect of ours.
    """
    package = (error.name or "").partition(".")[0]
    if not package or package in _OWN_PACKAGES:
        raise error
    from .requirements import extra_with, requirements  # here, because only this message needs package metadata

    extras = requirements()
    distribution, extra = extra_with(package, extras)
    if extra is None:
        return f"The package {distribution} is not installed. Install it: pip install {distribution}."
    whole = "sample" if set(extras[extra]) < set(extras["sample"]) else None
    return (
        f"The package {distribution} is not installed. Install the extra that has it: pip install "
        f"""-c constraints.txt -e ".[{extra}]" in a checkout, or pip install "amess-hf[{extra}]"."""
        + (f" The extra {whole} has it, too, and all that training and clips need." if whole else "")
    )
