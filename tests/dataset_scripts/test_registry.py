# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The registry of data sets: quick to import, true of the builders, and the only list of the names."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from dataset_scripts.labels import description_files
from dataset_scripts.loading import DATASET_NAMES
from dataset_scripts.registry import CONFIG_NAMES, DATASETS, PUBLISHABLE, SCOPES, WITH_CLIPS, license_terms


@pytest.mark.parametrize("name", DATASETS)
def test_an_entry_is_true_of_its_builder_and_files(name):
    entry = DATASETS[name]
    configs = [config.name for config in entry.load_builder().BUILDER_CONFIGS]
    assert set(entry.configs) <= set(configs) == set(CONFIG_NAMES)
    assert set(entry.published_configs) <= set(entry.configs)
    assert all(file.is_file() for file in description_files(name))
    assert len(set(entry.labels)) == len(entry.labels)
    assert set(entry.texts) <= set(DATASETS) - {name}


def test_the_derived_lists_hold_what_they_always_held():
    assert DATASET_NAMES == ("sample", "mintrec", "mintrec2", "planted")
    assert WITH_CLIPS == PUBLISHABLE == ("sample", "mintrec", "mintrec2")
    assert SCOPES == ("in-scope", "out-of-scope", "all")


def test_no_other_module_lists_data_sets(project):
    lists = []
    for file in (project / "dataset_scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            items = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
            names = {item.value for item in items if isinstance(item, ast.Constant) and item.value in DATASETS}
            if len(names) > 1:
                lists.append((file.name, names))
    assert {file for file, _ in lists} == {"registry.py", "__init__.py"}  # the latter lists modules


@pytest.mark.parametrize("module", ["registry", "labels", "extraction.command"])
def test_the_names_cost_no_library_that_takes_time(project, module):
    code = f"import sys, dataset_scripts.{module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert not {"datasets", "numpy", "torch", "transformers", "accelerate"} & set(run.stdout.split())


@pytest.mark.parametrize(
    ("name", "options", "slug", "open_"),
    [
        ("sample", {}, "amess-sample", True),
        ("mintrec", {"data_dir": "x"}, "THU-IAR/MIntRec", False),
        ("planted", {}, "amess-planted", True),
        ("planted", {"data_dir": "x"}, "amess-planted-mintrec", False),
        ("planted", {"data_dir": "x", "texts": "sample"}, "amess-planted", True),
        ("/home/someone/My Clips/", {}, "my-clips", False),
    ],
)
def test_terms_are_those_of_the_texts(name, options, slug, open_):
    terms = license_terms(name, **options)
    assert (terms.slug, terms.open) == (slug, open_)


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ('{"dataset": "mintrec"}', "MIntRec"),
        ('{"dataset": null}', "the data set `features`"),
        ('{"dataset": "gone"}', "the data set `features`"),
        ("[1]", "the data set `features`"),
        ("{", "the data set `features`"),
    ],
)
def test_features_that_were_extracted_from_a_data_set_have_its_terms(tmp_path, content, title):
    (tmp_path / "features").mkdir()
    (tmp_path / "features/features.json").write_text(content)
    assert license_terms(str(tmp_path / "features")).title == title
