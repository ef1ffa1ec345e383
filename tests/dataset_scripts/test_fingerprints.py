# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Which code a builder's fingerprint covers: every module that it imports, by computation and not by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dataset_scripts.fingerprints import code_files, fingerprint_files
from dataset_scripts.registry import DATASETS


BUILDERS = sorted({entry.builder.partition(":")[0].replace(".", "/") + ".py" for entry in DATASETS.values()})
# Modules that the builders import directly, and through others.
IMPORTED = {
    "mintrec.py": ["mintrec.py", "released_files.py", "feature_pickles.py", "tsv.py", "labels.py", "registry.py"],
    "mintrec2.py": ["mintrec2.py", "released_files.py", "feature_pickles.py", "tsv.py", "labels.py", "registry.py"],
    "sample/builder.py": ["sample/builder.py", "sample/rows.py", "sample/avatar.py", "tsv.py", "seeds.py"],
}


@pytest.fixture
def package(project, tmp_path) -> Path:
    """A copy of the package's code."""
    ignored = shutil.ignore_patterns("*.parquet", "*.json", "__pycache__")
    return Path(shutil.copytree(project / "dataset_scripts", tmp_path / "dataset_scripts", ignore=ignored))


def test_every_builder_is_tested():
    assert set(IMPORTED) == set(BUILDERS)


@pytest.mark.parametrize("builder", BUILDERS)
def test_an_edit_of_an_imported_module_changes_the_fingerprint_and_other_edits_do_not(package, builder):
    def fingerprint() -> str:
        return fingerprint_files([], module=package / builder)

    def edit(name: str) -> None:
        path = package / name
        path.write_text(path.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")

    seen = [fingerprint()]
    for name in IMPORTED[builder]:
        edit(name)
        seen.append(fingerprint())
    assert len(set(seen)) == len(seen)
    covered = code_files(package / builder)
    others = [path for path in package.rglob("*.py") if path.resolve() not in covered]
    assert {"planted.py", "command.py", "push.py"} <= {path.name for path in others}
    for path in others:
        edit(str(path.relative_to(package)))
    assert fingerprint() == seen[-1]


@pytest.mark.parametrize(
    ("builder", "importer", "old", "new"),
    [
        ("mintrec.py", "released_files.py", "feature_pickles", "safe_pickles"),
        ("sample/builder.py", "sample/clips.py", "voice", "speech"),
    ],
)
def test_a_renamed_module_counts_without_a_list(package, builder, importer, old, new):
    path = package / importer
    before = fingerprint_files([], module=package / builder)
    renamed = (path.parent / f"{old}.py").rename(path.parent / f"{new}.py")
    path.write_text(path.read_text(encoding="utf-8").replace(f"from .{old} import", f"from .{new} import"))
    after = fingerprint_files([], module=package / builder)
    renamed.write_text(renamed.read_text(encoding="utf-8") + "# edited\n")
    assert len({before, after, fingerprint_files([], module=package / builder)}) == 3


def test_within_a_room_only_its_own_modules_count(package):
    def fingerprint() -> str:
        return fingerprint_files([], module=package / "sample" / "clips.py", within=(package / "sample").resolve())

    before = fingerprint()
    for name in ("errors.py", "files.py", "sample/command.py"):
        (package / name).write_text((package / name).read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    assert fingerprint() == before
    painter = package / "sample" / "painter.py"
    painter.write_text(painter.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    assert fingerprint() != before


def test_a_data_file_counts_by_content_and_a_missing_one_as_missing(tmp_path):
    file = tmp_path / "train.tsv"
    seen = [fingerprint_files([file], module=__file__)]
    for content in ("a", "b"):
        file.write_text(content)
        seen.append(fingerprint_files([file], module=__file__))
    assert len(set(seen)) == 3
