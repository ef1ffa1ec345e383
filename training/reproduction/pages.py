# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The page of a table: results first, then their reading, which a person writes, then how the results were made."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from .experiments import Experiment
from .jobs import Job
from .results import RowResults
from .tables import explanation, markdown_table, table_text


# What stands between these lines is written by hand, and stays when the page is written again.
READING = "<!-- reading: written by hand, kept by training.reproduce -->"
END_OF_READING = "<!-- end of the reading -->"


def write_page(
    file: Path,
    experiment: Experiment,
    results: Sequence[RowResults],
    jobs: Sequence[Job],
    command: str,
    more: str = "",
    picture: Path | None = None,
) -> None:
    """Write the page of a table, and keep the reading of the page that is there.

    Args:
        file: Page to write.
        experiment: Table or figure.
        results: Results of its rows.
        jobs: Jobs of its rows.
        command: Command that makes the table.
        more: Further results, as Markdown.
        picture: Picture to show; a copy of it goes beside the page.
    """
    reading = read_reading(file, picture is not None)
    file.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"# {experiment.title}", table_text(experiment, results), more.strip()]
    if picture is not None:
        shutil.copyfile(picture, file.with_suffix(".png"))
        parts.append(f"![{experiment.title}]({file.with_suffix('.png').name})")
    parts += [f"{READING}\n{reading}\n{END_OF_READING}", "## How to read the table", explanation(experiment)]
    parts += ["## How it was made", f"    {command}", _origin(results), "Settings that differ from the preset:"]
    parts.append(_settings(results, jobs))
    file.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def read_reading(file: Path, with_picture: bool = False) -> str:
    """The hand-written part of a page; empty where there is no page yet.

    Args:
        file: The page.
        with_picture: Whether a picture is written beside the page.

    Raises:
        ValueError: The page has no markers around a hand-written part, so writing it would lose text. Or a picture
            beside it is not the page's.
    """
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    picture = file.with_suffix(".png")
    if with_picture and picture.exists() and f"]({picture.name})" not in text:
        raise ValueError(
            f"--page {file}: {picture} is no picture of that page, which writes a file of that name. It is kept. Move "
            "it to another folder and give the same command again."
        )
    if not file.is_file():
        return ""
    _, start, rest = text.partition(READING)
    reading, end, _ = rest.partition(END_OF_READING)
    if not (start and end):
        raise ValueError(
            f"--page {file}: the file has no lines {READING!r} and {END_OF_READING!r}, and all text outside of them "
            "would be lost. Put them around the text to keep, or give another file."
        )
    return reading.strip("\n")


def _origin(results: Sequence[RowResults]) -> str:
    contents = [content for result in results for content in result.contents.values()]
    days = sorted(f"{date:%Y-%m-%d}" for result in results for date in result.finished.values())
    seconds = sorted(content["wall_seconds"] for content in contents if "wall_seconds" in content)
    versions = [content.get("versions", {}) for content in contents]
    packages = dict.fromkeys(name for version in versions for name in version if name != "commit")
    rows = {
        "seeds": ", ".join(str(seed) for seed in sorted({seed for result in results for seed in result.seeds})),
        "training utterances": _values(content.get("train_samples") for content in contents),
        "test utterances": _values(len(part.ids) for result in results for part in result.predictions.values()),
        "finished": " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "",
        "commit of the code": _values(version.get("commit") for version in versions),
        "versions": ", ".join(f"{name} {_values(version.get(name) for version in versions)}" for name in packages),
        "device": _values(content.get("device") for content in contents),
        "mixed precision": _values(content.get("mixed_precision") for content in contents),
        "seconds per run": f"{seconds[0]:.0f} to {seconds[-1]:.0f}" if seconds else "",
    }
    return markdown_table(["what", "value"], ([name, value or "not recorded"] for name, value in rows.items()))


def _settings(results: Sequence[RowResults], jobs: Sequence[Job]) -> str:
    rows = []
    for result in results:
        run = result.row.run
        words = next(job for job in jobs if job.row is result.row).arguments[1:]
        changed = [
            f"`{key} {value}`"
            for key, value in zip(words[::2], words[1::2], strict=True)
            if key.removeprefix("--") not in ("data_dir", "seed", *run.seeded)
        ]
        changed += [f"`--{key}`: the seed" for key in run.seeded]
        rows.append([result.row.title, f"{run.preset}.yaml", ", ".join(changed) or "none"])
    return markdown_table(["row", "preset", "settings"], rows)


def _values(values: Iterable[object]) -> str:
    """The different values, in their order."""
    return " or ".join(dict.fromkeys(str(value) for value in values if value is not None))
