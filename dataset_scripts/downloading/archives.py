# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Archives of others, unpacked safely: ZIP and TAR, whole or in numbered parts.

No name in an archive becomes a path. The caller says where a member goes, and gets only names that are plain relative
paths. An archive with anything else in it (a path that leads outside, a link, a device, two names that some systems
hold for one) is refused, for it is not what was published. What an archive unpacks to is counted while it is written,
so that a lying header changes nothing.
"""

from __future__ import annotations

import bz2
import gzip
import io
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

from ..errors import UserError


ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2")
# Kinds that Python's library cannot read, or not with a bound on its memory, and the programs that can.
_FOREIGN = {
    ".rar": "unrar x {archive} {folder}/",
    ".7z": "7z x {archive} -o{folder}",
    ".tar.xz": "tar -xJf {archive} -C {folder}",
    ".txz": "tar -xJf {archive} -C {folder}",
    ".tar.zst": "tar --zstd -xf {archive} -C {folder}",
}
# The parts of an archive that was cut: a.zip.001, a.tar.gz.part-ab, a.tar.gz_02.
_PART = re.compile(
    rf"(?P<whole>.+?(?:{'|'.join(map(re.escape, ARCHIVE_SUFFIXES))}))"
    r"[._-](?:part[._-]?)?(?P<number>[a-z]{2}|\d{1,4})"
)
# A ZIP in disks: a.z01, a.z02, ..., a.zip; a RAR in volumes: a.part1.rar, a.r00.
_DISK = re.compile(r".+\.(?:z\d\d|r\d\d)")
_BLOCK = 2**20
# What the headers before one member may take: names and times are far below it.
_HEADER_BYTES = 2**20
_CENTRAL_DIRECTORY_BYTES_PER_FILE = 512
_END_OF_ZIP = b"PK\x05\x06"
_END_OF_ZIP_SIZE = 22
# What systems add to the user's files.
_SYSTEM_NAMES = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini"})


class ArchiveError(UserError):
    """An archive that is damaged, of a kind that is not read here, or not what its authors can have meant."""


@dataclass(frozen=True)
class ArchiveLimits:
    """Bounds on what one archive may unpack to.

    Attributes:
        max_ratio: Bytes unpacked per byte of the archive. Clips hardly compress; tables compress to a fifth.
        min_bytes: Bytes that every archive may unpack to, however small it is.
        max_files: Members of one archive.
    """

    max_ratio: float = 20.0
    min_bytes: int = 100 * 2**20
    max_files: int = 200_000

    def max_bytes(self, archive_bytes: int) -> int:
        """Return the number of bytes that an archive of this size may unpack to."""
        return max(self.min_bytes, int(self.max_ratio * archive_bytes))


@dataclass
class Unpacked:
    """What came out of one archive.

    Attributes:
        files: Path relative to the target folder of each file that was written, and the member that it comes from.
        passed_over: Members that the caller had no place for.
        num_bytes: Bytes that were written.
    """

    files: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)
    num_bytes: int = 0


def archive_kind(name: str) -> str | None:
    """Return the ending in `ARCHIVE_SUFFIXES` of an archive's name, None for another file."""
    return next((suffix for suffix in ARCHIVE_SUFFIXES if name.lower().endswith(suffix)), None)


def foreign_archive(name: str) -> str | None:
    """Return the command, with `{archive}` and `{folder}`, that unpacks a kind of archive that is not read here."""
    lower = name.lower()
    if _DISK.fullmatch(lower):
        return "7z x {archive} -o{folder}"
    return next((command for suffix, command in _FOREIGN.items() if lower.endswith(suffix)), None)


def group_parts(names: Sequence[str]) -> dict[str, list[str]]:
    """Group names of files by archive: the name of the whole archive -> its parts in order, or itself alone.

    Names of files that are no archives are left out.

    Raises:
        ArchiveError: A part is missing.
    """
    parts: dict[str, dict[str, str]] = {}
    wholes: dict[str, list[str]] = {}
    for name in names:
        match = _PART.fullmatch(name.lower())
        if archive_kind(name) is not None:
            wholes[name] = [name]
        elif match is not None:
            parts.setdefault(name[: len(match["whole"])], {})[match["number"]] = name
    for whole, by_number in parts.items():
        numbers = sorted(by_number, key=lambda number: (len(number), number))
        first = "aa" if not numbers[0].isdigit() else str(min(int(numbers[0]), 1)).zfill(len(numbers[0]))
        expected = _numbers_from(first, len(numbers))
        if numbers != expected:
            missing = next(number for number, found in zip(expected, numbers, strict=True) if number != found)
            raise ArchiveError(f"{whole} comes in parts, and the repository has no part {missing}.")
        wholes[whole] = [by_number[number] for number in numbers]
    return wholes


def unpack(
    name: str,
    parts: Sequence[Path],
    target: Path,
    place: Callable[[str], str | None],
    limits: ArchiveLimits | None = None,
    progress: Callable[[int], object] = lambda _bytes: None,
) -> Unpacked:
    """Unpack those members of an archive that have a place.

    Args:
        name: Name of the archive, whose ending says what kind it is.
        parts: Its files, in order.
        target: Folder to write into. It must hold nothing else: on an error it holds a part of the archive.
        place: Returns the path in `target` for a member's name, or None for a member that is passed over. It is given
            plain relative paths with `/`, and what it returns must be made by the caller.
        limits: Bounds on files and bytes.
        progress: Is told the number of bytes each time that some were written.

    Raises:
        ArchiveError: The archive is damaged, breaks a limit, or has a member that a data set has no use for: a path
            that leads outside, a link, a device, or a second name for the same file.
        DiskError: The disk is full.
    """
    kind = archive_kind(name)
    if kind is None:
        raise ArchiveError(f"{name} is not an archive that can be unpacked here ({', '.join(ARCHIVE_SUFFIXES)}).")
    writer = _Writer(name, target, place, limits or ArchiveLimits(), sum(path.stat().st_size for path in parts))
    writer.progress = progress
    with _damage_explained(name), _Joined(parts) as joined:
        if kind == ".zip":
            _unpack_zip(writer, joined)
        else:
            stream: IO[bytes] = io.BufferedReader(joined, _BLOCK)
            if kind in (".tar.gz", ".tgz"):
                stream = cast(IO[bytes], gzip.GzipFile(fileobj=stream))
            elif kind == ".tar.bz2":
                stream = cast(IO[bytes], bz2.BZ2File(stream))
            _unpack_tar(writer, stream)
    return writer.unpacked


def plain_name(name: str) -> str | None:
    """Return a member's name as a relative path with `/`, or None for one that is no plain path below a folder."""
    path = name.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    pieces = path.rstrip("/").split("/")
    if (
        not path.rstrip("/")
        or any(piece in ("", ".", "..") for piece in pieces)
        or any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in path)
        or re.match(r"[A-Za-z]:", path)
    ):
        return None
    return "/".join(pieces)


class _Writer:
    """Checks members and writes those that have a place."""

    def __init__(
        self,
        archive: str,
        target: Path,
        place: Callable[[str], str | None],
        limits: ArchiveLimits,
        archive_bytes: int,
    ):
        self.archive, self.target, self.place, self.limits = archive, target, place, limits
        self.max_bytes = limits.max_bytes(archive_bytes)
        self.unpacked = Unpacked()
        self.progress: Callable[[int], object] = lambda _bytes: None
        self._folded: dict[str, str] = {}
        self._members = 0

    def check(self, name: str, kind: str | None) -> str:
        """Return a member's plain name.

        Args:
            name: Name as the archive has it.
            kind: What the member is if it is neither a file nor a folder.
        """
        self._members += 1
        if self._members > self.limits.max_files:
            raise self.refusal(f"it holds more than {self.limits.max_files:,} files")
        plain = plain_name(name)
        if plain is None:
            raise self.refusal(f"its member {name!r} is no path below the archive's folder")
        if kind is not None:
            raise self.refusal(f"its member {name!r} is {kind}")
        return plain

    def claim(self, plain: str) -> str | None:
        """Return the place of a file, None for one that is passed over."""
        key = unicodedata.normalize("NFC", plain).casefold()
        if key in self._folded:
            raise self.refusal(f"its members {self._folded[key]!r} and {plain!r} are one file on some systems")
        self._folded[key] = plain
        pieces = key.split("/")
        if any(piece in _SYSTEM_NAMES or piece.startswith("._") for piece in pieces):
            return None
        place = self.place(plain)
        if place is None:
            self.unpacked.passed_over.append(plain)
            return None
        if place in self.unpacked.files:
            raise ArchiveError(
                f"{self.archive} has two files for {place}: {self.unpacked.files[place]} and {plain}. Say which one "
                "to leave out with --exclude PATTERN."
            )
        self.unpacked.files[place] = plain
        return place

    def write(self, place: str, source: IO[bytes]) -> None:
        """Write a member to its place, counting the bytes."""
        path = self.target / PurePosixPath(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while block := source.read(_BLOCK):
                self.unpacked.num_bytes += len(block)
                if self.unpacked.num_bytes > self.max_bytes:
                    raise self.too_large()
                file.write(block)
                self.progress(len(block))

    def refusal(self, reason: str) -> ArchiveError:
        return ArchiveError(
            f"{self.archive} is refused: {reason}. The authors' archives hold nothing of that kind, so do not use it. "
            "Tell the owners of the repository."
        )

    def too_large(self) -> ArchiveError:
        return ArchiveError(
            f"{self.archive} unpacks to more than {self.max_bytes / 2**20:,.0f} MB, which is far more than clips "
            "compress. If you know that it is right, raise --max_unpack_ratio."
        )


def _unpack_zip(writer: _Writer, file: _Joined) -> None:
    # zipfile reads the whole list of members into memory, so its size is looked at before.
    if _central_directory_size(file) > writer.limits.max_files * _CENTRAL_DIRECTORY_BYTES_PER_FILE:
        raise writer.refusal(f"it holds more than {writer.limits.max_files:,} files")
    with zipfile.ZipFile(cast(IO[bytes], io.BufferedReader(file, _BLOCK))) as archive:
        places = []
        # Names are checked before the first byte is written.
        for member in archive.infolist():
            # Python cuts a name at a NUL, so the stored name is looked at.
            kind = _zip_kind(member)
            plain = writer.check(member.orig_filename, kind)
            place = None if member.is_dir() else writer.claim(plain)
            if place is not None:
                places.append((member, place))
        if sum(member.file_size for member, _ in places) > writer.max_bytes:
            raise writer.too_large()
        for member, place in places:
            with archive.open(member) as source:
                writer.write(place, source)


def _zip_kind(member: zipfile.ZipInfo) -> str | None:
    """What a member is if it is no file or folder that can be read."""
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link" if stat.S_ISLNK(mode) else "a device or a pipe"
    if member.flag_bits & 0x1:
        return "encrypted"
    # bzip2 and LZMA in a ZIP are rare, and LZMA asks for as much memory as the archive says.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "compressed by a method that is not read here"
    return None


def _central_directory_size(file: _Joined) -> int:
    """Size in bytes of a ZIP's list of members, as the end of the archive states it."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - _END_OF_ZIP_SIZE - 2**16))
    tail = file.read()
    place = tail.rfind(_END_OF_ZIP)
    if place < 0 or len(tail) - place < _END_OF_ZIP_SIZE:
        raise zipfile.BadZipFile("it has no list of members")
    size = int(struct.unpack_from("<L", tail, place + 12)[0])
    large = tail.rfind(b"PK\x06\x06", 0, place)  # the record of archives above 4 GB
    if large >= 0 and place - large >= 48:
        size = max(size if size != 0xFFFFFFFF else 0, struct.unpack_from("<Q", tail, large + 40)[0])
    file.seek(0)
    return size


def _unpack_tar(writer: _Writer, stream: IO[bytes]) -> None:
    bounded = _Bounded(stream, writer.too_large)
    bounded.allow(_HEADER_BYTES)
    total = 0
    with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r|", errorlevel=2) as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # tarfile remembers every member otherwise
            if member.isdir() and member.name == ".":
                bounded.allow(_HEADER_BYTES)
                continue
            kind = None if (member.isreg() and not member.issparse()) or member.isdir() else _tar_kind(member)
            plain = writer.check(member.name, kind)
            place = None if member.isdir() else writer.claim(plain)
            # What is passed over is decompressed all the same, so it counts.
            total += member.size
            if total > writer.max_bytes:
                raise writer.too_large()
            bounded.allow(member.size + _HEADER_BYTES)
            if place is not None:
                source = archive.extractfile(member)
                assert source is not None, "a regular file has content"
                with source:
                    writer.write(place, source)
    # tarfile takes a cut between two members, or within a header, for the end. A whole archive ends in zeros.
    if bounded.tail.strip(b"\0"):
        raise tarfile.ReadError("it is cut")


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"a link to {member.linkname!r}"
    return "a sparse file" if member.issparse() else "a device or a pipe"


@contextmanager
def _damage_explained(name: str) -> Iterator[None]:
    """Say the many errors of the readers as one."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, struct.error) as error:
        reason = str(error) or type(error).__name__
    except (UnicodeError, RecursionError, OverflowError, NotImplementedError, RuntimeError) as error:
        reason = type(error).__name__ if isinstance(error, RecursionError) else str(error)
    except OSError as error:
        if error.errno is not None:  # of the disk; the readers' own errors have no number
            raise
        reason = str(error)
    else:
        return
    raise ArchiveError(f"{name} is damaged: {reason.rstrip('.')}. Delete it and give the same command again.")


class _Joined(io.RawIOBase):
    """Files read as one."""

    def __init__(self, paths: Sequence[Path]):
        self._paths = list(paths)
        self._starts = [0]
        for path in self._paths:
            self._starts.append(self._starts[-1] + path.stat().st_size)
        self._place, self._number = 0, -1
        self._file: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._starts[-1]}[whence]
        if base + offset < 0:
            raise ValueError("negative position")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stubs name a type without a module
        if self._place >= self._starts[-1]:
            return 0
        number = bisect_right(self._starts, self._place) - 1
        if self._file is None or number != self._number:
            self._close_file()
            self._file, self._number = self._paths[number].open("rb"), number
        self._file.seek(self._place - self._starts[number])
        block = self._file.read(min(len(buffer), self._starts[number + 1] - self._place))
        buffer[: len(block)] = block
        self._place += len(block)
        return len(block)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    def close(self) -> None:
        self._close_file()
        super().close()


class _Bounded:
    """A stream from which only as many bytes are read as were allowed: tarfile holds a member's headers in memory."""

    def __init__(self, stream: IO[bytes], error: Callable[[], ArchiveError]):
        self._stream, self._error = stream, error
        self._read = self._allowed = 0
        self.tail = b""

    def allow(self, num_bytes: int) -> None:
        """Allow this many bytes from the present place on."""
        self._allowed = self._read + num_bytes

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes."""
        block = self._stream.read(size)
        self._read += len(block)
        self.tail = (self.tail + block)[-tarfile.BLOCKSIZE :]
        if self._read > self._allowed:
            raise self._error()
        return block


def _numbers_from(first: str, count: int) -> list[str]:
    """The numbers of `count` parts, from the first one on, as its writer counts."""
    if first.isdigit():
        return [str(int(first) + index).zfill(len(first)) for index in range(count)]
    start = (ord(first[0]) - ord("a")) * 26 + ord(first[1]) - ord("a")
    return [chr(ord("a") + number // 26) + chr(ord("a") + number % 26) for number in range(start, start + count)]
