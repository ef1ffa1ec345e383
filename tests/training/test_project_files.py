# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The card's template and the Space: a checkout has both, and an installation without them stops before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from training import project_files
from training.project_files import SPACE, TEMPLATE, MissingPartError, project_file
from training.publish import main as publish_command
from training.publish import publish
from training.train import main as train

from . import tiny


@pytest.fixture
def incomplete_installation(monkeypatch, tmp_path) -> Path:
    """An installation with nothing but the packages, and a stranger's `space` beside them."""
    package = tmp_path / "site-packages" / "training" / "project_files"
    (tmp_path / "site-packages" / "space").mkdir(parents=True)
    monkeypatch.setattr(project_files, "__file__", str(package / "__init__.py"))
    return tmp_path


def test_a_checkout_has_all_parts_at_its_top():
    assert project_file(TEMPLATE) == tiny.ROOT / "model_card.md"
    assert project_file(SPACE) == tiny.ROOT / "space"


def test_the_parts_of_a_wheel_come_before_files_of_that_name_elsewhere(incomplete_installation):
    package = Path(project_files.__file__).parent
    for place in (package, package.parents[1]):
        (place / "space").mkdir(parents=True, exist_ok=True)
        (place / "space" / "app.py").touch()
    assert project_file(SPACE) == package / "space"


def test_training_without_the_template_stops_before_it_starts(tiny_settings, incomplete_installation):
    folder = incomplete_installation / "run"
    with pytest.raises(MissingPartError, match=r"model_card\.md"):
        train([*tiny_settings, "--output_dir", str(folder)])
    assert not folder.exists()


def test_publishing_without_the_parts_stops_before_the_hub_is_asked(tiny_settings, tmp_path, monkeypatch):
    folder, empty = tmp_path / "run", tmp_path / "empty"
    train([*tiny_settings, "--output_dir", str(folder), "--max_steps", "1"])
    empty.mkdir()
    (empty / "model_card.md").write_bytes(project_file(TEMPLATE).read_bytes())
    monkeypatch.setattr(project_files, "__file__", str(empty / "training" / "project_files" / "__init__.py"))
    with pytest.raises(MissingPartError, match="space"):
        publish(folder, "org/amess-tiny", space_id="org/demo")
    with pytest.raises((MissingPartError, SystemExit), match="space"):
        publish_command([str(folder), "--repo", "org/amess-tiny", "--space", "org/demo", "--dry_run"])
    (empty / "model_card.md").unlink()
    with pytest.raises(MissingPartError, match=r"model_card\.md"):
        publish(folder, "org/amess-tiny")
