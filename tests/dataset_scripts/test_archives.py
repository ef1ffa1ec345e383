# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Archives of strangers: only what the caller has a place for is written, and hostile ones write nothing outside."""

from __future__ import annotations

import bz2
import io
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_scripts.downloading.archives import (
    ArchiveError,
    ArchiveLimits,
    Unpacked,
    foreign_archive,
    group_parts,
    plain_name,
    unpack,
)


CONTENT = {"raw/S04/E01/1.mp4": b"one" * 50, "raw/S04/E01/2.mp4": b"two" * 70, "notes/readme.txt": b"hello"}


def clips(name: str) -> str | None:
    """A place for clips alone, flat."""
    return name.replace("/", "_") if name.endswith(".mp4") else None


def everything(name: str) -> str:
    return name


def zipped(members: dict[str, bytes], **options) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(*members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return stream.getvalue()


def special(name: str, kind: bytes, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info


def zip_mode(name: str, mode: int, content: bytes = b"/etc/passwd") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, content)
    return stream.getvalue()


def unpack_bytes(folder: Path, name: str, *parts: bytes, place=everything, **options) -> Unpacked:
    """Unpack into `folder/deep/target`, so that what escapes lands where a test sees it."""
    target = folder / "deep" / "target"
    target.mkdir(parents=True)
    paths = []
    for number, part in enumerate(parts):
        paths.append(folder / f"part{number}")
        paths[-1].write_bytes(part)
    return unpack(name, paths, target, place, **options)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ARCHIVES = {
    "a.zip": zipped(CONTENT),
    "a.tar": tarred(*CONTENT.items()),
    "a.tar.gz": tarred(*CONTENT.items(), mode="w:gz"),
    "a.tgz": tarred(*CONTENT.items(), mode="w:gz"),
    "a.tar.bz2": tarred(*CONTENT.items(), mode="w:bz2"),
    "./a.tar": tarred(special("./", tarfile.DIRTYPE), *((f"./{name}", data) for name, data in CONTENT.items())),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("num_parts", [1, 3])
def test_members_with_a_place_are_written_there_and_the_others_are_named(tmp_path, name, num_parts):
    data = ARCHIVES[name]
    size = -(-len(data) // num_parts)
    parts = [data[start : start + size] for start in range(0, len(data), size)]

    unpacked = unpack_bytes(tmp_path, name, *parts, place=clips)

    written = {"raw_S04_E01_1.mp4": CONTENT["raw/S04/E01/1.mp4"], "raw_S04_E01_2.mp4": CONTENT["raw/S04/E01/2.mp4"]}
    assert files_in(tmp_path / "deep/target") == written
    assert unpacked.files == {"raw_S04_E01_1.mp4": "raw/S04/E01/1.mp4", "raw_S04_E01_2.mp4": "raw/S04/E01/2.mp4"}
    assert unpacked.passed_over == ["notes/readme.txt"]
    assert unpacked.num_bytes == sum(map(len, written.values()))


def test_what_systems_add_is_left_out_without_a_word(tmp_path):
    data = zipped({"__MACOSX/._1.mp4": b"x", ".DS_Store": b"x", "raw/Thumbs.db": b"x", "raw/1.mp4": b"clip"})
    unpacked = unpack_bytes(tmp_path, "a.zip", data)
    assert (list(unpacked.files), unpacked.passed_over) == (["raw/1.mp4"], [])


OUTSIDE = ["../x.mp4", "../../x.mp4", "a/../../x.mp4", "/tmp/x.mp4", "//host/x.mp4", "C:\\x.mp4", "C:x.mp4"]
OUTSIDE += ["..\\..\\x.mp4", "a//b.mp4", "a/./b.mp4", "..", "a\nb.mp4", "a\x1bb.mp4"]


@pytest.mark.parametrize("member", OUTSIDE)
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_path_that_leads_outside_refuses_the_archive(tmp_path, name, member):
    members = {"raw/1.mp4": b"clip", member: b"evil"}
    data = zipped(members) if name == "a.zip" else tarred(*members.items(), mode="w:gz")
    with pytest.raises(ArchiveError, match="no path below"):
        unpack_bytes(tmp_path, name, data)
    assert b"evil" not in files_in(tmp_path / "deep").values()
    assert {path.name for path in tmp_path.iterdir()} == {"deep", "part0"}


def test_a_name_with_a_nul_is_refused_although_python_cuts_it(tmp_path):
    data = zipped({"raw/1.mp4#/../../x": b"evil"}).replace(b"1.mp4#", b"1.mp4\0")
    with pytest.raises(ArchiveError, match="no path below"):
        unpack_bytes(tmp_path, "a.zip", data)
    header = special("1.mp4", tarfile.REGTYPE)
    header.pax_headers = {"path": "1.mp4\0.txt"}
    (tmp_path / "tar").mkdir()
    with pytest.raises(ArchiveError):
        unpack_bytes(tmp_path / "tar", "a.tar", tarred(header))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tarred(special("1.mp4", tarfile.SYMTYPE, "/etc/passwd")), "link"),
        (tarred(special("raw", tarfile.SYMTYPE, "/tmp"), ("raw/1.mp4", b"evil")), "link"),
        (tarred(special("1.mp4", tarfile.LNKTYPE, "../../secret")), "link"),
        (tarred(special("1.mp4", tarfile.CHRTYPE)), "device"),
        (tarred(special("1.mp4", tarfile.BLKTYPE)), "device"),
        (tarred(special("1.mp4", tarfile.FIFOTYPE)), "pipe"),
        (tarred(special("1.mp4", tarfile.GNUTYPE_SPARSE)), "sparse|damaged"),
    ],
)
def test_links_devices_and_holes_in_a_tar_refuse_it(tmp_path, data, words):
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(ArchiveError, match=words):
        unpack_bytes(tmp_path, "a.tar", data)
    assert files_in(tmp_path / "deep") == {}


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666, stat.S_IFIFO | 0o666])
def test_links_and_devices_in_a_zip_refuse_it(tmp_path, mode):
    with pytest.raises(ArchiveError, match=r"link|device"):
        unpack_bytes(tmp_path, "a.zip", zip_mode("1.mp4", mode))
    assert files_in(tmp_path / "deep") == {}


@pytest.mark.parametrize("names", [("raw/1.MP4", "raw/1.mp4"), ("é.mp4", "e\u0301.mp4"), ("1.mp4", "1.mp4")])
@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_one_file_on_some_systems_refuse_the_archive(tmp_path, names, kind):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    data = stream.getvalue() if kind == "a.zip" else tarred(*((name, b"x") for name in names))
    with pytest.raises(ArchiveError, match="one file on some systems"):
        unpack_bytes(tmp_path, kind, data)


def test_two_members_for_one_place_are_told_with_the_way_out(tmp_path):
    data = zipped({"raw/1.mp4": b"x", "faces/1.mp4": b"y"})
    with pytest.raises(ArchiveError, match="--exclude"):
        unpack_bytes(tmp_path, "a.zip", data, place=lambda name: Path(name).name)


BOMB = b"\0" * (3 * 2**20)
SMALL = ArchiveLimits(max_ratio=20, min_bytes=2**20, max_files=100)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", zipped({"1.mp4": BOMB})),
        ("a.tar.gz", tarred(("1.mp4", BOMB), mode="w:gz")),
        ("a.tar.bz2", tarred(("1.mp4", BOMB), mode="w:bz2")),
        ("a.tar.gz", tarred(*((f"{number}.mp4", BOMB[: 2**18]) for number in range(30)), mode="w:gz")),
        ("a.tar.gz", tarred(*((f"{number}.txt", BOMB[: 2**18]) for number in range(30)), mode="w:gz")),
    ],
)
def test_a_bomb_stops_at_the_limit(tmp_path, name, data):
    with pytest.raises(ArchiveError, match="max_unpack_ratio"):
        unpack_bytes(tmp_path, name, data, place=clips, limits=SMALL)
    assert sum(map(len, files_in(tmp_path / "deep").values())) <= SMALL.max_bytes(len(data)) + 2**20


def test_a_zip_that_lies_about_sizes_is_no_way_around_the_limit(tmp_path):
    data = bytearray(zipped({"1.mp4": BOMB}))
    directory = data.rfind(b"PK\x01\x02")
    struct.pack_into("<L", data, directory + 24, 1000)  # the size in the list of members
    struct.pack_into("<L", data, 22, 1000)  # and before the content
    with pytest.raises(ArchiveError):
        unpack_bytes(tmp_path, "a.zip", bytes(data), limits=SMALL)
    assert sum(map(len, files_in(tmp_path / "deep").values())) <= 2**21


@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_too_many_files_refuse_the_archive(tmp_path, kind):
    members = {f"{number}.mp4": b"" for number in range(101)}
    data = zipped(members) if kind == "a.zip" else tarred(*members.items())
    with pytest.raises(ArchiveError, match="more than 100 files"):
        unpack_bytes(tmp_path, kind, data, limits=SMALL)


def test_a_long_list_of_members_is_not_read_into_memory(tmp_path):
    data = zipped({f"{'x' * 200}{number}.mp4": b"" for number in range(400)})
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="files"):
            unpack_bytes(tmp_path, "a.zip", data, limits=SMALL)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_headers_of_a_tar_take_bounded_memory(tmp_path):
    info = special("1.mp4", tarfile.REGTYPE)
    info.pax_headers = {"comment": "x" * (20 * 2**20)}
    data = bz2.compress(tarred(info), 1)
    del info
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError):
            unpack_bytes(tmp_path, "a.tar.bz2", data)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_damaged_archive_is_an_error_of_the_users(tmp_path, name):
    data = ARCHIVES[name]
    for number, broken in enumerate((data[: min(700, len(data) // 2)], b"", b"not an archive at all" * 50)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(ArchiveError):
            unpack_bytes(folder, name, broken)


@given(name=st.text(alphabet="ab./\\:\0C \n", max_size=12))
def test_a_plain_name_stays_below_its_folder(name):
    plain = plain_name(name)
    if plain is not None:
        assert (Path("/root") / plain).resolve().is_relative_to("/root")
        assert plain_name(plain) == plain
        assert not set(plain) & {"\\", "\0", "\n"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.zip", "b.mp4"], {"a.zip": ["a.zip"]}),
        (["d/a.zip.002", "d/a.zip.001"], {"d/a.zip": ["d/a.zip.001", "d/a.zip.002"]}),
        (["a.tar.gz.partaa", "a.tar.gz.partab"], {"a.tar.gz": ["a.tar.gz.partaa", "a.tar.gz.partab"]}),
        ([f"a.tar.{n}" for n in range(11)], {"a.tar": [f"a.tar.{n}" for n in range(11)]}),
    ],
)
def test_parts_come_together_in_order(names, expected):
    assert group_parts(names) == expected


@pytest.mark.parametrize("names", [["a.zip.001", "a.zip.003"], ["a.zip.002", "a.zip.003"], ["a.tar.ab"]])
def test_a_missing_part_is_named(names):
    with pytest.raises(ArchiveError, match="no part"):
        group_parts(names)


def test_kinds_that_are_not_read_have_a_program_that_does():
    for name in ("a.rar", "a.part1.rar", "a.7z", "a.tar.xz", "a.tar.zst", "a.z01", "a.r00"):
        assert "{archive}" in (foreign_archive(name) or "")
    assert foreign_archive("a.zip") is None
