# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Publishing data sets, with the real client against a stand-in Hub: what arrives, who may, what others load of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
from huggingface_hub import DatasetCard

from dataset_scripts import load_intent_dataset, load_label_descriptions
from dataset_scripts.errors import UserError
from dataset_scripts.extraction.folder import FeaturesDescription, SplitDescription, write_description, write_part
from dataset_scripts.hub.command import RightToPublishError, main, push_dataset
from dataset_scripts.hub.push import HubPushError
from tests.fakehub import READ_TOKEN, TOKEN, FakeHub
from tests.fakehub_card_rules import card_errors


# The client's own, on every upload of a large file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")

LOAD = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
repo, revision = sys.argv[1:]
default = load_dataset(repo, revision=revision)
texts = load_dataset(repo, "text", revision=revision, split="test")
descriptions = load_dataset(repo, "label_descriptions", revision=revision)["train"]
streamed = next(iter(load_dataset(repo, "text", revision=revision, split="train", streaming=True)))
row = default["test"].with_format("numpy")[0]
print(json.dumps({
    "configs": get_dataset_config_names(repo, revision=revision),
    "splits": {name: len(rows) for name, rows in default.items()}, "columns": default["test"].column_names,
    "shape": row["video_features"].shape, "sum": float(row["video_features"].sum()), "first": streamed["text"],
    "text": texts[0]["text"], "label": texts.features["label"].int2str(texts[0]["label"]),
    "description": descriptions[0],
}))
"""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    with FakeHub() as server:
        server.connect(monkeypatch, tmp_path)
        yield server


@pytest.fixture
def extraction(tmp_path) -> Path:
    """What an extraction of two clips of someone's own leaves."""
    folder = tmp_path / "my-features"
    (folder / "train").mkdir(parents=True)
    video = {"name": "microsoft/swin-base-patch4-window7-224", "revision": "4c4f", "pooling": "pooler_output"}
    description = FeaturesDescription(
        dataset=None,
        media_encoder={"video": video, "audio": None, "preprocessing": {}},
        video_feature_size=4,
        audio_feature_size=None,
        max_video_length=180,
        max_audio_length=400,
        dtype="float16",
        limits={},
        columns={"clip": "string", "text": "string"},
        labels=["Greet", "Leave"],
        rows_per_part=64,
        splits={"train": SplitDescription(rows=2, fingerprint="0")},
    )
    rows = [
        {
            "id": name,
            "clip": f"/home/someone/{name}.mp4",
            "text": "hi",
            "label": label,
            "video_features": np.full((2, 4), label, np.float16),
            "error": None,
        }
        for label, name in enumerate(("a", "b"))
    ]
    write_description(folder, description)
    write_part(folder, description.parts()[0], rows, description.features)
    return folder


def test_two_configs_and_the_descriptions_load_where_the_project_is_not(hub, tmp_path):
    commit = push_dataset("sample", "org/amess-sample", configs=["features", "text", "label_descriptions"], tag="v1")
    repository = hub.repositories["dataset", "org/amess-sample"]
    assert len(repository.titles) == 2 and repository.tags == {"v1": commit.revision}  # one commit for all configs
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-I", "-c", LOAD, "org/amess-sample", commit.revision]
    child = subprocess.run(command, env=hub.environment(home), cwd=home, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr[-3000:]
    found = json.loads(child.stdout.strip().splitlines()[-1])
    own = load_intent_dataset("sample")
    row = own["test"][0]
    assert sorted(found["configs"]) == ["features", "label_descriptions", "text"]
    assert found["splits"] == {split: len(rows) for split, rows in own.items()}
    assert found["columns"] == own["test"].column_names
    assert found["shape"] == list(row["video_features"].shape)
    assert found["sum"] == pytest.approx(float(row["video_features"].sum()), rel=1e-4)
    assert (found["text"], found["first"]) == (row["text"], own["train"][0]["text"])
    label, sentences = next(iter(load_label_descriptions("sample").items()))
    assert list(found["description"].values()) == [label, *sentences]


def test_the_card_tells_what_is_there_and_under_which_terms(hub):
    push_dataset("sample", "org/amess-sample", configs=["text", "label_descriptions"])
    card = DatasetCard(hub.files("dataset", "org/amess-sample")["README.md"].decode())
    assert card_errors(str(card), "dataset") == []
    assert card.data.license == "apache-2.0" and card.data.size_categories == ["n<1K"]
    default = [config["config_name"] for config in card.data["configs"] if config.get("default")]
    assert default == ["text"]
    rows = load_intent_dataset("sample", config_name="text")
    names = rows["train"].features["label"].names
    counts = [rows[split]["label"][:].count(names.index("Taunt")) for split in ("train", "validation", "test")]
    assert f"| Taunt | {' | '.join(map(str, counts))} |" in card.text
    assert "Apache-2.0" in card.text and "no person was recorded" in card.text
    assert not re.search(r"\{\{|TODO|More Information|\bNone\b", card.text)
    assert all(len(part.strip()) > 20 for part in re.split(r"^## .+$", card.text, flags=re.MULTILINE))


def test_licensed_data_are_pushed_only_on_the_publishers_word(hub, mintrec_dir, capsys):
    options = {"configs": ["text"], "data_dir": mintrec_dir}
    with pytest.raises(RightToPublishError, match=r"MIntRec.*disagree.*--i_have_the_right_to_publish"):
        push_dataset("mintrec", "org/mintrec", private=True, **options)
    assert hub.log == []
    push_dataset("mintrec", "org/mintrec", private=True, right_to_publish=True, **options)
    assert "Warning: MIntRec is not this project's" in capsys.readouterr().err
    assert hub.repositories["dataset", "org/mintrec"].private
    files = hub.files("dataset", "org/mintrec")
    card = DatasetCard(files["README.md"].decode())
    assert card_errors(str(card), "dataset") == []
    assert card.data.license == "other" and card.data["license_name"] == "terms-of-mintrec"
    # `load_dataset` refuses a repository with a Python file of its own name.
    assert not [path for path in files if path.endswith(".py")]


def test_clips_travel_as_bytes_and_absent_ones_as_none(hub, mintrec_dir, tmp_path):
    clip = mintrec_dir / "raw_data" / "S04" / "E01" / "1.mp4"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"the content of a clip")
    options = {"configs": ["clips"], "data_dir": mintrec_dir, "right_to_publish": True}
    push_dataset("mintrec", "org/mintrec", **options)
    file = tmp_path / "train.parquet"
    file.write_bytes(hub.files("dataset", "org/mintrec")["clips/train-00000-of-00001.parquet"])
    rows = datasets.Dataset.from_parquet(str(file), cache_dir=str(tmp_path / "read"))
    assert rows.features["clip"] == datasets.Video(decode=False)
    assert rows["clip"][0] == {"bytes": clip.read_bytes(), "path": "S04_E01_1.mp4"}
    assert rows["clip"][1] is None


def test_an_extraction_is_pushed_with_its_encoders_and_without_local_paths(hub, extraction, tmp_path):
    with pytest.raises(RightToPublishError, match="`my-features`"):
        push_dataset(str(extraction), "org/my-features")
    push_dataset(str(extraction), "org/my-features", right_to_publish=True, license="cc-by-4.0")
    files = hub.files("dataset", "org/my-features")
    card = DatasetCard(files["README.md"].decode())
    assert card_errors(str(card), "dataset") == [] and card.data.license == "cc-by-4.0"
    assert "`microsoft/swin-base-patch4-window7-224`, revision `4c4f`" in card.text
    file = tmp_path / "train.parquet"
    file.write_bytes(files["features/train-00000-of-00001.parquet"])
    rows = datasets.Dataset.from_parquet(str(file), cache_dir=str(tmp_path / "read")).with_format("numpy")
    assert rows.features["video_features"] == datasets.Array2D((None, 4), "float16")
    assert [row["clip"] for row in rows] == ["a.mp4", "b.mp4"]
    np.testing.assert_array_equal(rows[1]["video_features"], np.ones((2, 4)))


def test_large_splits_are_cut_into_shards(hub, monkeypatch):
    monkeypatch.setattr("dataset_scripts.hub.command.SHARD_BYTES", 8_000)
    push_dataset("sample", "org/amess-sample", configs=["text"])
    files = hub.files("dataset", "org/amess-sample")
    shards = sorted(path for path in files if path.startswith("text/train-"))
    assert len(shards) > 1 and shards[-1].endswith(f"-of-{len(shards):05d}.parquet")


def test_the_second_push_replaces_shards_and_repeats_nothing(hub, monkeypatch):
    options = {"configs": ["text"]}
    with monkeypatch.context() as context:
        context.setattr("dataset_scripts.hub.command.SHARD_BYTES", 8_000)
        push_dataset("sample", "org/amess-sample", **options)
    push_dataset("sample", "org/amess-sample", **options)
    assert "text/train-00000-of-00001.parquet" in hub.files("dataset", "org/amess-sample")
    assert not [path for path in hub.files("dataset", "org/amess-sample") if "of-00002" in path or "of-00003" in path]
    assert not push_dataset("sample", "org/amess-sample", **options).changed


def test_a_failure_on_the_way_leaves_the_hub_as_it_was(hub):
    hub.fail_once("/commit/main", 507)
    with pytest.raises(HubPushError, match="what it held before"):
        push_dataset("sample", "org/amess-sample", configs=["text"])
    assert hub.repositories == {}
    assert push_dataset("sample", "org/amess-sample", configs=["text"]).changed


@pytest.mark.parametrize(
    ("arguments", "token", "words"),
    [
        (["sample", "--repo", "org/x"], READ_TOKEN, "HubPushError.*may only read"),
        (["sample", "--repo", "someone-else/x"], TOKEN, "HubPushError.*no right to write"),
        (["mintrec", "--repo", "org/x"], TOKEN, "RightToPublishError"),
        (["planted", "--repo", "org/x"], TOKEN, "ExtractedFeaturesError.*sample, mintrec, mintrec2"),
        (["mintrec", "--repo", "org/x", "--i_have_the_right_to_publish"], TOKEN, "DataDirError"),
    ],
)
def test_the_command_says_in_words_what_is_missing(hub, tmp_path, monkeypatch, arguments, token, words):
    hub.connect(monkeypatch, tmp_path, token)
    with pytest.raises(UserError) as error:
        main([*arguments, "--configs", "text"])
    message = f"{type(error.value).__name__}: {error.value}"
    assert re.search(words, message) and token not in message
    assert hub.repositories == {}


def test_a_dry_run_lists_the_files_and_asks_nobody(hub, capsys):
    main(["sample", "--repo", "org/amess-sample", "--configs", "text", "label_descriptions", "--dry_run"])
    printed = capsys.readouterr().out
    assert "Would push to the dataset org/amess-sample" in printed
    assert "text/train-00000-of-00001.parquet" in printed and "label_descriptions/train-" in printed
    assert hub.log == []


@pytest.mark.parametrize(
    ("token", "repo_id", "options", "words"),
    [
        (None, "org/x", [], "There is no token"),
        (READ_TOKEN, "org/x", [], "may only read"),
        (TOKEN, "someone-else/x", [], "no right to write"),
        (TOKEN, "org/x", ["--tag", "v 1"], "cannot be a tag"),
    ],
)
def test_the_right_to_push_is_checked_before_anything_is_built(
    hub, tmp_path, monkeypatch, token, repo_id, options, words
):
    def build(*_):
        raise AssertionError("built first")

    hub.connect(monkeypatch, tmp_path, token)
    monkeypatch.setattr("dataset_scripts.hub.command.build_configs", build)
    with pytest.raises(HubPushError, match=words):
        main(["sample", "--repo", repo_id, *options])


def test_a_dry_run_shows_the_card_and_says_what_the_push_needs(hub, mintrec_dir, tmp_path, capsys):
    arguments = ["mintrec", "--repo", "org/mintrec", "--data_dir", str(mintrec_dir), "--configs", "text", "--dry_run"]
    main(arguments)
    printed = capsys.readouterr().out
    assert "--i_have_the_right_to_publish" in printed and "# mintrec" in printed
    main([*arguments, "--i_have_the_right_to_publish", "--card", str(tmp_path / "card.md")])
    printed = capsys.readouterr().out
    assert "--i_have_the_right_to_publish" not in printed and "# mintrec" in (tmp_path / "card.md").read_text()
    assert hub.log == []


def test_an_interrupted_build_says_that_nothing_was_pushed(tmp_path):
    with FakeHub() as server:
        server.hold("/api/whoami")
        command = [sys.executable, "-m", "dataset_scripts.push_datasets", "sample", "--repo", "org/x"]
        child = subprocess.Popen(
            command,
            env=server.environment(tmp_path, PYTHONPATH=str(Path(__file__).parents[2])),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert server.reached.wait(120)
        child.send_signal(signal.SIGINT)
        server.released.set()
        _, said = child.communicate(timeout=60)
        assert child.returncode == 130 and "Traceback" not in said and "Nothing was pushed" in said
