# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Download a data set: fetch, check, unpack, and lay out the files as the builder reads them.

The folder carries a record of what was asked for and what is done, so that the same command continues. Archives are
taken one after the other and deleted when they are unpacked: the disk holds one archive beside the clips. Nothing that
exists is overwritten.
"""

from __future__ import annotations

import filecmp
import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import UserError
from ..files import replacing, write_json
from ..registry import DATASETS, HubCollection
from . import CONTENTS
from .archives import ArchiveLimits, foreign_archive, group_parts, unpack
from .collection import DownloadError, RemoteFile, Snapshot, open_collection
from .layout import Layout


logger = logging.getLogger(__name__)

RECORD_FILE = "download.json"
WORK_FOLDER = ".download"
# Beside the archive that is unpacked, some room for tables and the file system.
_ROOM_BYTES = 100 * 2**20
_SHOWN = 5


class TermsError(UserError):
    """The terms of a data set were shown and not accepted yet."""


@dataclass(frozen=True)
class DownloadRequest:
    """What to download.

    Attributes:
        dataset: Name of the data set.
        output: Folder of the data set, new or of an interrupted download.
        collection: Where to take it from.
        contents: What to take, of `CONTENTS`.
        exclude: Patterns of paths, in the repository or in archives, that are left out.
        limits: Bounds on what an archive unpacks to.
    """

    dataset: str
    output: Path
    collection: HubCollection
    contents: tuple[str, ...] = CONTENTS
    exclude: tuple[str, ...] = ()
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)


@dataclass(frozen=True)
class DownloadReport:
    """What a folder holds after a download.

    Attributes:
        utterances: Number of utterances by split.
        missing_clips: Number of utterances without a clip.
        passed_over: Files that have no place in the layout.
    """

    utterances: dict[str, int]
    missing_clips: int
    passed_over: list[str]


def find_collection(dataset: str, repo_id: str | None) -> HubCollection:
    """Return the collection of a data set by its repository, by default the first one.

    Raises:
        DownloadError: The data set is in no such repository.
    """
    collections = DATASETS[dataset].collections
    for collection in collections:
        if repo_id in (None, collection.repo_id):
            return collection
    known = ", ".join(collection.repo_id for collection in collections)
    raise DownloadError(f"--source {repo_id}: {dataset} is not taken from there. It can be taken from {known}.")


def terms_in_words(request: DownloadRequest, snapshot: Snapshot) -> str:
    """Return what a user has to know before a download: origin, license, and where they are written."""
    terms = DATASETS[request.dataset].terms
    link = f" See {terms.license_link}." if terms.license_link else ""
    stated = f"the license {snapshot.license}" if snapshot.license else "no license"
    return (
        f"{terms.title} is not this project's. {terms.domain} {terms.terms}{link}\n"
        f"It is taken from {snapshot.page}, whose page states {stated}. Read the terms there. They bind you: what you "
        "may train, publish and pass on follows from them."
    )


def open_download(request: DownloadRequest) -> Snapshot:
    """Check the output folder and ask the Hub for the collection, at the commit of an interrupted download if any.

    Raises:
        DownloadError: The folder holds something else, or the Hub does not answer.
    """
    record = _Record.read(request)
    return open_collection(request.collection, record.content["revision"])


def download_dataset(
    request: DownloadRequest, snapshot: Snapshot, say: Callable[[str], object] = print
) -> DownloadReport:
    """Download a data set.

    Args:
        request: What to download, and where to.
        snapshot: The collection; see `open_download`.
        say: Is told each step in words.

    Raises:
        DownloadError: The folder or the collection is unfit, or the Hub does not answer.
        CollectionError: The collection does not hold the data set.
        ArchiveError: An archive is damaged, unreadable here, or refused.
        DiskError: The disk is full.
    """
    record = _Record.read(request)
    record.start(snapshot)
    return _Download(request, snapshot, record, say).run()


class _Record:
    """What was asked for and what is done, in the folder."""

    def __init__(self, path: Path, asked: dict[str, Any], content: dict[str, Any]):
        self.path, self.asked, self.content = path, asked, content

    @classmethod
    def read(cls, request: DownloadRequest) -> _Record:
        """Read the record of a folder, or make that of a new one."""
        path = request.output / RECORD_FILE
        asked = {
            "dataset": request.dataset,
            "repo_id": request.collection.repo_id,
            "contents": list(request.contents),
            "exclude": list(request.exclude),
        }
        if request.output.exists() and not request.output.is_dir():
            raise DownloadError(f"{request.output} is a file. Give a new folder with --output.")
        if not path.is_file():
            if request.output.exists() and any(request.output.iterdir()):
                raise DownloadError(
                    f"{request.output} holds files that this command did not write, and is left as it is. Give a new "
                    "folder with --output."
                )
            return cls(path, asked, {**asked, "revision": None, "complete": False, "done": {}, "passed_over": []})
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = {name: content[name] for name in asked}
            content["revision"], content["done"], content["complete"], content["passed_over"]
        except (ValueError, KeyError, TypeError):
            raise DownloadError(
                f"{path} is not a record of a download. Give a new folder with --output, or move that file away."
            ) from None
        different = [name for name in asked if found[name] != asked[name]]
        if different:
            name = different[0]
            raise DownloadError(
                f"{request.output} is of a download with other options: {name} was {found[name]}, and is "
                f"{asked[name]} now. Give the same options, or a new folder with --output."
            )
        return cls(path, asked, content)

    def start(self, snapshot: Snapshot) -> None:
        """Note the commit, so that a continued download takes files of the same one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.content["revision"] = snapshot.revision
        self.save()

    def is_done(self, name: str) -> bool:
        return name in self.content["done"]

    def done(self, name: str, files: Sequence[RemoteFile], passed_over: Sequence[str]) -> None:
        """Note that a file or an archive is in place, with the checksums of what was fetched."""
        self.content["done"][name] = {file.path: file.digest for file in files}
        self.content["passed_over"] += passed_over
        self.save()

    def save(self) -> None:
        with replacing(self.path) as partial:
            write_json(partial, self.content)


class _Download:
    def __init__(
        self, request: DownloadRequest, snapshot: Snapshot, record: _Record, say: Callable[[str], object]
    ) -> None:
        self.request, self.snapshot, self.record, self.say = request, snapshot, record, say
        self.work = request.output / WORK_FOLDER
        self.tables = self.work / "tables"
        self.layout = Layout(DATASETS[request.dataset].load_builder(), request.contents)

    def run(self) -> DownloadReport:
        if not self.record.content["complete"]:
            self._fetch()
            tables = self.layout.read_tables(self._fetched_tables())
            for name, reason in tables.refused.items():
                logger.warning("%s is passed over: %s.", name, reason)
            counts = self.layout.write_tables(tables, self.request.output)
            self.record.content["utterances"] = dict(counts)
            total, missing = self.layout.missing_clips(tables, self.request.output)
            if "clips" in self.request.contents and missing == total:
                raise DownloadError(
                    f"{self.snapshot.page} has the texts of {total} utterances and the clip of none. "
                    f"{self._passed_over()} Choose another --source, or take the texts alone: --contents tables."
                )
            self.record.content["missing_clips"] = missing
            self.record.content["complete"] = True
            self.record.save()
        shutil.rmtree(self.work, ignore_errors=True)
        content = self.record.content
        return DownloadReport(content["utterances"], content["missing_clips"], content["passed_over"])

    def _fetch(self) -> None:
        """Bring each file and archive to its place."""
        files = {self._name(file): file for file in self.snapshot.files()}
        wanted = {name: file for name, file in files.items() if not self._excluded(name)}
        archives = group_parts(list(wanted)) if set(self.request.contents) & {"clips", "features"} else {}
        self._refuse_foreign(wanted, archives)
        units = {name: [wanted[part] for part in parts] for name, parts in archives.items()}
        units |= {name: [file] for name, file in wanted.items() if self.layout.place(name) is not None}
        if not any(file.path.endswith(".tsv") for unit in units.values() for file in unit) and not archives:
            raise DownloadError(
                f"{self.snapshot.page} holds nothing of {self.request.dataset} that is known here: "
                f"{', '.join(list(files)[:_SHOWN]) or 'no files'}. Choose another --source."
            )
        left = {name: unit for name, unit in units.items() if not self.record.is_done(name)}
        self._check_room(left, archives)
        # Tables first: they are small, and say early whether the collection is what it should be.
        for number, (name, unit) in enumerate(sorted(left.items(), key=lambda item: item[0] in archives), start=1):
            size = sum(file.size for file in unit)
            self.say(f"{number} of {len(left)}: {name} ({size / 2**20:,.1f} MB)")
            paths = [self.snapshot.fetch(file, self.work / "hub") for file in unit]
            passed_over = self._unpack(name, paths) if name in archives else self._take(name, paths[0])
            self.record.done(name, unit, passed_over)
            for path in paths:
                path.unlink(missing_ok=True)

    def _name(self, file: RemoteFile) -> str:
        folder = self.snapshot.collection.folder
        return file.path.removeprefix(f"{folder}/") if folder else file.path

    def _excluded(self, name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in self.request.exclude)

    def _refuse_foreign(self, wanted: dict[str, RemoteFile], archives: dict[str, list[str]]) -> None:
        """Raise DownloadError for archives that cannot be unpacked here, with the command that does it."""
        if not set(self.request.contents) & {"clips", "features"}:
            return
        for name in wanted:
            command = foreign_archive(name)
            if command is not None:
                folder = PurePosixPath(name).name.partition(".")[0]
                request = self.request.collection
                raise DownloadError(
                    f"{self.snapshot.page} has {name}, a kind of archive that cannot be unpacked safely here. "
                    f"Fetch it with `hf download {request.repo_id} {wanted[name].path} --repo-type dataset`, "
                    f"unpack it (`{command.format(archive=PurePosixPath(name).name, folder=folder)}`), and put the "
                    f"clips where the builder looks for them:\n{self.layout.builder.HELP_TEXT}\n"
                    f"The rest can be downloaded with --exclude {name!r}."
                )

    def _check_room(self, left: dict[str, list[RemoteFile]], archives: dict[str, list[str]]) -> None:
        """Raise DownloadError where the disk cannot hold what is left, counting each archive as its content."""
        sizes = {name: sum(file.size for file in unit) for name, unit in left.items()}
        largest = max((size for name, size in sizes.items() if name in archives), default=0)
        needed = sum(sizes.values()) + largest + (_ROOM_BYTES if sizes else 0)
        free = shutil.disk_usage(self.request.output).free
        if needed > free:
            raise DownloadError(
                f"The disk of {self.request.output} has {free / 2**30:.1f} GB free, and about {needed / 2**30:.1f} GB "
                "are needed. Make room, or give another --output."
            )

    def _place(self, name: str) -> str | None:
        """The place of a file or member in the working folder's layout, None for one that is not taken."""
        place = None if self._excluded(name) else self.layout.place(name)
        if place is None:
            return None
        return f"tables/{place.path}" if place.content == "tables" else f"data/{place.path}"

    def _unpack(self, name: str, paths: Sequence[Path]) -> list[str]:
        from tqdm import tqdm  # here, because the help does without it

        staging = self.work / "unpacking"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        size = sum(path.stat().st_size for path in paths)
        with tqdm(total=size, unit="B", unit_scale=True, desc="unpacking", disable=None) as bar:
            unpacked = unpack(name, paths, staging, self._place, self.request.limits, bar.update)
        # Only a whole archive gives files to the data set.
        for path in unpacked.files:
            if path.startswith("tables/"):
                self._move(staging / path, self.tables / name / path.removeprefix("tables/"))
            else:
                self._move(staging / path, self.request.output / path.removeprefix("data/"))
        shutil.rmtree(staging)
        return [f"{name}: {member}" for member in unpacked.passed_over]

    def _take(self, name: str, path: Path) -> list[str]:
        place = self.layout.place(name)
        assert place is not None, "only files with a place are fetched"
        folder = self.tables if place.content == "tables" else self.request.output
        self._move(path, folder / place.path)
        return []

    def _move(self, source: Path, target: Path) -> None:
        """Bring a file to its place. What is there already is kept."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.exists():
            if not target.is_file() or not filecmp.cmp(source, target, shallow=False):
                raise DownloadError(
                    f"{target} exists already, with other content, and is kept. Move it away, or leave one of the two "
                    "out with --exclude PATTERN in a new folder."
                )
            source.unlink()
            return
        source.rename(target)

    def _fetched_tables(self) -> list[tuple[str, Path]]:
        paths = sorted(path for path in self.tables.rglob("*.tsv") if path.is_file())
        return [(path.relative_to(self.tables).as_posix(), path) for path in paths]

    def _passed_over(self) -> str:
        names = self.record.content["passed_over"]
        if not names:
            return ""
        endings = Counter(PurePosixPath(name).suffix for name in names)
        counts = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(_SHOWN))
        return f"{len(names)} files have no place in the layout ({counts}), such as {names[0]}."
