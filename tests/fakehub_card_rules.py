# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What the stand-in Hub demands of a README's metadata: those of the Hub's rules that our cards could break."""

from __future__ import annotations

import re
from typing import Any

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK


LICENSES = {"apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "other", "unknown"}
TASKS = {"video-classification", "text-classification", "audio-classification"}
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
SIZES = {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M"}
REPO_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def card_errors(content: str, repo_type: str) -> list[str]:
    """What is wrong with a README; an empty list if nothing is."""
    block = REGEX_YAML_BLOCK.search(content)
    if block is None:
        return ["there is no metadata block"]
    try:
        metadata = yaml.safe_load(block.group(2))
    except yaml.YAMLError as error:
        return [f"the metadata is not YAML: {error}"]
    if not isinstance(metadata, dict):
        return ["the metadata is not a mapping"]
    errors = [f"{key} is empty" for key, value in metadata.items() if value in (None, "", [], {})]
    rules = {"model": _model_errors, "dataset": _dataset_errors, "space": _space_errors}
    return errors + _license_errors(metadata) + rules[repo_type](metadata)


def _license_errors(metadata: dict[str, Any]) -> list[str]:
    found = metadata.get("license", "apache-2.0")
    if found not in LICENSES:
        return [f"license {found!r} is not one of the Hub's"]
    if found == "other" and not metadata.get("license_name"):
        return ["license other needs license_name"]
    if "license_name" in metadata and not re.fullmatch(r"[a-z0-9-.]+", metadata["license_name"]):
        return ["license_name must be an id"]
    return []


def _ids(metadata: dict[str, Any], key: str) -> list[str]:
    value = metadata.get(key, [])
    names = [value] if isinstance(value, str) else value
    return [f"{key}: {name!r} is no repository's id" for name in names if not REPO_ID.fullmatch(str(name))]


def _model_errors(metadata: dict[str, Any]) -> list[str]:
    errors = _ids(metadata, "base_model") + _ids(metadata, "datasets")
    if metadata.get("pipeline_tag") not in TASKS:
        errors.append(f"pipeline_tag {metadata.get('pipeline_tag')!r} is not a task of the Hub")
    for entry in metadata.get("model-index", []):
        if not entry.get("name") or not entry.get("results"):
            errors.append("model-index entries need name and results")
        for result in entry.get("results", []):
            if not result.get("task", {}).get("type") or not {"type", "name"} <= set(result.get("dataset", {})):
                errors.append("a result of model-index needs task.type, dataset.type and dataset.name")
            for metric in result.get("metrics", [{}]):
                if not metric.get("type") or not isinstance(metric.get("value"), int | float):
                    errors.append("a metric of model-index needs a type and a number")
    return errors


def _dataset_errors(metadata: dict[str, Any]) -> list[str]:
    errors = []
    if not set(metadata.get("task_categories", [])) <= TASKS:
        errors.append("unknown task_categories")
    if not set(metadata.get("size_categories", [])) <= SIZES:
        errors.append("unknown size_categories")
    configs = metadata.get("configs", [])
    if sum(bool(config.get("default")) for config in configs) > 1:
        errors.append("more than one default config")
    errors += [
        "a config needs config_name, and data_files with split and path"
        for config in configs
        if "config_name" not in config or not all({"split", "path"} == set(file) for file in config["data_files"])
    ]
    return errors


def _space_errors(metadata: dict[str, Any]) -> list[str]:
    errors = _ids(metadata, "models")
    if metadata.get("sdk") not in ("gradio", "docker", "static"):
        errors.append("sdk must be gradio, docker or static")
    if not {metadata.get("colorFrom", "red"), metadata.get("colorTo", "red")} <= COLORS:
        errors.append("unknown colour")
    if len(metadata.get("short_description", "")) > 60:
        errors.append("short_description is longer than 60 characters")
    for entry in metadata.get("preload_from_hub", []):
        if len(entry.split(" ")) > 3 or not REPO_ID.fullmatch(entry.split(" ")[0]):
            errors.append(f"preload_from_hub: {entry!r} is not `id [file,file] [commit]`")
    return errors
