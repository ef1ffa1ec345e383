# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""
Publishing, with the real client against a stand-in Hub on the loopback interface: what arrives, what others can load
of it, and what is left after everything that can go wrong.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, RepoCard
from transformers import AutoModel, AutoModelForSequenceClassification, AutoProcessor

from dataset_scripts.hub.push import HubPushError, push_commit
from tests.fakehub import READ_TOKEN, TOKEN, FakeHub
from tests.fakehub_card_rules import card_errors
from training.arguments import SettingsError
from training.finished_run import UnfinishedRunError
from training.publish import main as publish_command
from training.publish import publish
from training.train import main as train

from . import tiny


# The client's own, on every upload of a large file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")

TEXT = "oh my friend hello"
# On a machine that has the Hub's files and transformers, and nothing of this project.
LOAD = """
import importlib.util, json, sys
sys.meta_path[:] = [f for f in sys.meta_path if "__editable__" not in f"{getattr(f, '__module__', '')}{f!r}"]
sys.path[:] = [p for p in sys.path if p != PROJECT]
assert importlib.util.find_spec("modeling_amess") is None, "the package must not be importable here"
import torch
from huggingface_hub import ModelCard
from transformers import AutoModel, AutoModelForSequenceClassification, AutoProcessor, pipeline
repo, revision, text = sys.argv[1:]
pinned = {"revision": revision, "trust_remote_code": True}
processor = AutoProcessor.from_pretrained(repo, **pinned)
model = AutoModelForSequenceClassification.from_pretrained(repo, **pinned).eval()
base = AutoModel.from_pretrained(repo, **pinned).eval()
batch = processor(text=[text], return_tensors="pt")
with torch.no_grad():
    logits, states = model(**batch).logits, base(**batch).last_hidden_state
recognize = pipeline("multimodal-intent-recognition", model=repo, **pinned)
print(json.dumps({
    "logits": logits.tolist(), "states": states.tolist(), "module": type(model).__module__,
    "intents": recognize({"text": text}, top_k=None)["intents"], "card": ModelCard.load(repo).text[:40],
    "descriptions": model.config.label_descriptions,
}))
"""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with FakeHub() as server:
        server.connect(monkeypatch, tmp_path)
        yield server


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, tiny_settings) -> Path:
    folder = tmp_path_factory.mktemp("publish") / "run"
    settings = ["--max_steps", "3", "--save_epochs", "0"]
    train([*tiny_settings, "--output_dir", str(folder), *settings])
    return folder


@pytest.fixture
def space_folder(tmp_path) -> Path:
    folder = tmp_path / "space"
    (folder / "examples").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "app.pyc").write_bytes(b"0")
    (folder / "app.py").write_text("import json\n")
    (folder / "examples" / "thanks.mp4").write_bytes(b"a clip")
    metadata = "title: A-MESS\nsdk: gradio\nsdk_version: 6.31.0\napp_file: app.py\nlicense: apache-2.0"
    metadata += "\nmodels: [openai/whisper-tiny.en]\npreload_from_hub: [openai/whisper-tiny.en]"
    (folder / "README.md").write_text(f"---\n{metadata}\n---\n\nA demo.\n")
    return folder


def head(hub: FakeHub, repo_id: str, repo_type: str = "model") -> str:
    return hub.repositories[repo_type, repo_id].branches["main"]


def test_what_training_pushes_loads_elsewhere_and_computes_the_same(tiny_settings, tmp_path):
    with FakeHub() as hub:
        home, folder = tmp_path / "home", tmp_path / "run"
        home.mkdir()
        arguments = [*tiny_settings, "--output_dir", str(folder), "--max_steps", "3"]
        arguments += ["--push_to_hub", "true", "--hub_model_id", "org/amess-tiny"]
        variables = hub.environment(tmp_path, PYTHONPATH=str(tiny.ROOT))
        output = tiny.run([sys.executable], arguments, tmp_path / "log", **{**variables, "HF_HUB_OFFLINE": "0"})
        assert TOKEN not in output
        revision = head(hub, "org/amess-tiny")
        assert revision in output
        files = hub.files("model", "org/amess-tiny")
        assert {"model.safetensors", "config.json", "modeling_amess.py", "pipeline_amess.py", "README.md"} <= set(
            files
        )
        assert list(hub.repositories["model", "org/amess-tiny"].titles.values()) == ["initial commit", "Publish run"]

        load = f"PROJECT = {str(tiny.ROOT)!r}\n{LOAD}"
        command = [sys.executable, "-c", load, "org/amess-tiny", revision, TEXT]
        child = subprocess.run(command, env=hub.environment(home), cwd=home, capture_output=True, text=True)
        assert child.returncode == 0, child.stderr[-3000:]
    found = json.loads(child.stdout.strip().splitlines()[-1])
    model = AutoModelForSequenceClassification.from_pretrained(folder / "pretrained").eval()
    batch = AutoProcessor.from_pretrained(folder / "pretrained")(text=[TEXT], return_tensors="pt")
    with torch.no_grad():
        logits = model(**batch).logits
        states = AutoModel.from_pretrained(folder / "pretrained").eval()(**batch).last_hidden_state
    assert found["module"].startswith("transformers_modules.")
    torch.testing.assert_close(torch.tensor(found["logits"]), logits)
    torch.testing.assert_close(torch.tensor(found["states"]), states)
    scores = {intent["label"]: intent["score"] for intent in found["intents"]}
    expected = [scores[model.config.id2label[index]] for index in range(3)]
    torch.testing.assert_close(torch.tensor([expected]), logits.softmax(-1))
    assert found["card"].strip().startswith("# amess-tiny")
    assert found["descriptions"] == model.config.label_descriptions


def test_one_commit_holds_everything_and_no_path_of_this_machine(hub, run_folder):
    (commit,) = publish(run_folder, "org/amess-tiny", private=True, tag="v1")
    repository = hub.repositories["model", "org/amess-tiny"]
    assert repository.private and repository.tags == {"v1": commit.revision}
    files = hub.files("model", "org/amess-tiny", commit.revision)
    pretrained = {path.name for path in (run_folder / "pretrained").iterdir()}
    assert set(files) == pretrained | {"README.md", "metrics.json"}
    assert not [name for name in files if name.endswith((".pkl", ".bin", ".pt", ".parquet"))]
    card = ModelCard(files["README.md"].decode())
    assert card_errors(str(card), "model") == []
    assert 'model="org/amess-tiny", revision="v1"' in card.text
    here = str(Path(json.loads((run_folder / "metrics.json").read_text())["settings"]["text_model"]).parent)
    assert not [path for path, content in files.items() if here.encode() in content]


def test_a_second_push_changes_what_has_changed_and_drops_what_is_stale(hub, run_folder, tmp_path):
    (first,) = publish(run_folder, "org/amess-tiny")
    assert first.changed
    repository = hub.repositories["model", "org/amess-tiny"]
    files = dict(repository.commits[first.revision])
    left = {"model-00001-of-00002.safetensors": files["model.safetensors"], "plot.png": files["README.md"]}
    repository.commit({**files, **left}, "by hand")
    (second,) = publish(run_folder, "org/amess-tiny")
    assert second.changed and set(hub.files("model", "org/amess-tiny")) == set(files) - {".gitattributes"} | {
        "plot.png"
    }
    (third,) = publish(run_folder, "org/amess-tiny")
    assert not third.changed and third.revision == second.revision == head(hub, "org/amess-tiny")


def test_a_tag_is_never_moved(hub, run_folder):
    publish(run_folder, "org/amess-tiny", tag="v1")
    (again,) = publish(run_folder, "org/amess-tiny", tag="v1")
    assert not again.changed
    with pytest.raises(HubPushError, match=r"has a tag 'v1' already.*another tag"):
        push_commit("org/amess-tiny", {"config.json": b"{}"}, message="other", tag="v1")
    assert head(hub, "org/amess-tiny") == again.revision == hub.repositories["model", "org/amess-tiny"].tags["v1"]


def test_a_dry_run_lists_the_files_and_asks_nobody(hub, run_folder, space_folder, capsys):
    space = ["--space", "org/demo", "--space_folder", str(space_folder)]
    publish_command([str(run_folder), "--repo", "org/amess-tiny", "--tag", "v1", "--private", "--dry_run", *space])
    printed = capsys.readouterr().out
    size = (run_folder / "pretrained" / "model.safetensors").stat().st_size
    assert "Would push to the model org/amess-tiny (private), tag v1:" in printed
    assert re.search(rf"^ +{size:,} bytes  model.safetensors$", printed, flags=re.MULTILINE)
    assert "Would push to the space org/demo" in printed and "examples/thanks.mp4" in printed
    assert hub.log == []


def test_the_space_shows_the_model_at_its_commit(hub, run_folder, space_folder):
    model, space = publish(run_folder, "org/amess-tiny", space_id="org/demo", space_folder=space_folder)
    files = hub.files("space", "org/demo", space.revision)
    assert set(files) == {"app.py", "README.md", "examples/thanks.mp4"}
    card = RepoCard(files["README.md"].decode())
    assert card_errors(str(card), "space") == [] and "{" not in str(card)
    assert card.data["models"] == ["org/amess-tiny", "openai/whisper-tiny.en"] and card.data["sdk"] == "gradio"
    preloaded, speech = card.data["preload_from_hub"]
    assert speech == "openai/whisper-tiny.en"
    repo_id, paths, revision = preloaded.split(" ")
    assert (repo_id, revision) == ("org/amess-tiny", model.revision)
    assert set(paths.split(",")) < set(hub.files("model", repo_id, revision))
    repository = hub.repositories["space", "org/demo"]
    assert repository.sdk == "gradio" and ".gitattributes" in repository.commits[space.revision]

    # What has left the folder leaves the Space.
    (space_folder / "examples" / "thanks.mp4").unlink()
    publish(run_folder, "org/amess-tiny", space_id="org/demo", space_folder=space_folder)
    assert set(hub.files("space", "org/demo")) == {"app.py", "README.md"}


def test_a_space_without_an_app_stops_the_push_before_the_model_goes(hub, run_folder, space_folder):
    (space_folder / "app.py").unlink()
    with pytest.raises(HubPushError, match=r"app\.py"):
        publish(run_folder, "org/amess-tiny", space_id="org/demo", space_folder=space_folder)
    assert hub.repositories == {} and hub.log == []


@pytest.mark.parametrize(
    ("token", "repo_id", "words"),
    [
        ("hf_wrong_token_of_some_length", "org/amess-tiny", "does not accept the token.*hf auth login"),
        ("hf_with_a_bell\x07_that_no_header_can_hold", "org/amess-tiny", "failed"),
        (READ_TOKEN, "org/amess-tiny", "tester may only read"),
        (TOKEN, "someone-else/amess-tiny", "no right to write there"),
        (None, "org/amess-tiny", "There is no token.*hf auth login"),
        (TOKEN, "amess-tiny", "names no owner.*org/amess-tiny"),
        (TOKEN, "org/amess tiny", "cannot be a repository's id"),
    ],
)
def test_without_the_right_to_write_nothing_is_pushed(hub, run_folder, tmp_path, monkeypatch, token, repo_id, words):
    hub.connect(monkeypatch, tmp_path, token)
    with pytest.raises(HubPushError) as error:
        publish_command([str(run_folder), "--repo", repo_id])
    message = str(error.value)
    assert re.search(words, message)
    assert token is None or (token not in message and repr(token)[1:-1] not in message)
    assert hub.repositories == {}


STEPS = {
    "looking": r"/api/models/org/amess-tiny$",
    "making the repository": "/api/repos/create",
    "checking the card": "/api/validate-yaml",
    "asking where files go": "/preupload/",
    "uploading": "/_lfs/[0-9a-f]{64}",
    "committing": "/commit/main",
}


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_on_the_way_leaves_the_hub_as_it_was(hub, run_folder, step):
    # A status that the client does not try again by itself.
    hub.fail_once(STEPS[step], 507)
    with pytest.raises(HubPushError, match="what it held before") as error:
        publish(run_folder, "org/amess-tiny")
    assert TOKEN not in str(error.value) and error.value.__cause__ is None
    assert hub.repositories == {}
    (commit,) = publish(run_folder, "org/amess-tiny")
    assert head(hub, "org/amess-tiny") == commit.revision


def test_a_failed_second_push_keeps_the_first(hub, run_folder):
    (first,) = publish(run_folder, "org/amess-tiny")
    hub.fail_once("/commit/main", 507)
    with pytest.raises(HubPushError, match="507"):
        push_commit("org/amess-tiny", {"config.json": b"{}"}, message="other", replaces=("*",))
    assert head(hub, "org/amess-tiny") == first.revision


def test_the_client_gets_over_a_passing_failure_by_itself(hub, run_folder):
    hub.fail_once("/_lfs/[0-9a-f]{64}", 503)
    (commit,) = publish(run_folder, "org/amess-tiny")
    assert head(hub, "org/amess-tiny") == commit.revision


def test_a_commit_of_someone_else_meanwhile_is_not_buried(hub, run_folder):
    publish(run_folder, "org/amess-tiny")
    repository = hub.repositories["model", "org/amess-tiny"]
    hub.before("/preupload/", lambda: repository.commit({}, "meanwhile"))
    with pytest.raises(HubPushError, match="someone else has pushed"):
        push_commit("org/amess-tiny", {"config.json": b"{}"}, message="other")
    assert list(repository.titles.values())[-1] == "meanwhile"


def test_a_tag_that_fails_is_set_by_the_same_command(hub, run_folder):
    hub.fail_once("/tag/", 507)
    with pytest.raises(HubPushError, match=r"is pushed and stays.* sets? the tag"):
        publish(run_folder, "org/amess-tiny", tag="v1")
    (commit,) = publish(run_folder, "org/amess-tiny", tag="v1")
    assert hub.repositories["model", "org/amess-tiny"].tags == {"v1": commit.revision} and not commit.changed


def test_private_weights_do_not_go_to_a_public_repository(hub, run_folder):
    push_commit("org/amess-tiny", {"config.json": b"{}"}, message="public")
    with pytest.raises(HubPushError, match="exists and is public"):
        publish(run_folder, "org/amess-tiny", private=True)
    assert set(hub.files("model", "org/amess-tiny")) == {"config.json"}


def test_a_space_that_fails_leaves_the_model_published(hub, run_folder, space_folder):
    hub.fail_once("/api/spaces/org/demo/preupload/", 507)
    with pytest.raises(HubPushError, match=r"published.*its Space is not"):
        publish(run_folder, "org/amess-tiny", space_id="org/demo", space_folder=space_folder)
    assert set(hub.repositories) == {("model", "org/amess-tiny")}
    model, space = publish(run_folder, "org/amess-tiny", space_id="org/demo", space_folder=space_folder)
    assert not model.changed and space.changed


INTERRUPTIONS = {
    "before": ("/preupload/", "So far the Hub holds .* what it held before"),
    "tag": ("/tag/", "commit [0-9a-f]{40} is pushed and stays"),
    "Space": ("/api/spaces/org/demo/preupload/", "The model is published .*what it held before"),
}


@pytest.mark.parametrize("end", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "step", ["before", *(pytest.param(step, marks=pytest.mark.slow) for step in ("tag", "Space"))]
)
def test_an_interruption_says_in_a_line_what_the_hub_holds(run_folder, space_folder, tmp_path, step, end):
    with FakeHub() as hub:
        path, words = INTERRUPTIONS[step]
        hub.hold(path)
        command = [
            sys.executable,
            "-m",
            "training.publish",
            str(run_folder),
            "--repo",
            "org/amess-tiny",
            "--tag",
            "v1",
        ]
        command += ["--space", "org/demo", "--space_folder", str(space_folder)]
        child = subprocess.Popen(
            command,
            env=hub.environment(tmp_path, PYTHONPATH=str(tiny.ROOT)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Tests that run in the background of a shell inherit from it that interrupts are ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert hub.reached.wait(120)
        os.kill(child.pid, end)
        hub.released.set()
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 128 + end and TOKEN not in output and "Traceback" not in output
        assert re.search(f"{words}.*the same command", output.strip().splitlines()[-1])
        assert set(hub.repositories) == (set() if step == "before" else {("model", "org/amess-tiny")})


@pytest.mark.slow
def test_kills_at_random_moments_cost_nothing(run_folder, space_folder, tmp_path):
    """A commit is whole or is not; the same command does the rest; nothing that is published from is touched."""
    command = [sys.executable, "-m", "training.publish", str(run_folder), "--repo", "org/amess-tiny", "--tag", "v1"]
    command += ["--space", "org/demo", "--space_folder", str(space_folder)]
    places = [run_folder, space_folder]
    before = [{path: path.read_bytes() for path in place.rglob("*") if path.is_file()} for place in places]

    def start(hub):
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, env=hub.environment(tmp_path, PYTHONPATH=str(tiny.ROOT)), **options)

    def files(hub):
        return {key: repository.commits[repository.branches["main"]] for key, repository in hub.repositories.items()}

    with FakeHub() as undisturbed:
        assert start(undisturbed).wait(120) == 0
        whole, requests = files(undisturbed), len(undisturbed.log)
    draw, kills = random.Random(0), 0
    while kills < tiny.number_of_kills(5):
        with FakeHub() as hub:
            while kills < tiny.number_of_kills(5):
                process, reached = start(hub), len(hub.log) + draw.randrange(requests)
                while len(hub.log) < reached and process.poll() is None:
                    time.sleep(0.0005)
                time.sleep(draw.uniform(0, 0.02))
                if process.poll() is not None:
                    break  # it came to its end before the kill: from the beginning again
                tiny.kill_tree(process)
                kills += 1
                assert all(
                    files == whole[key] or set(files) == {".gitattributes"} for key, files in files(hub).items()
                )
            assert start(hub).wait(120) == 0
            assert files(hub) == whole
    assert [{path: path.read_bytes() for path in place.rglob("*") if path.is_file()} for place in places] == before


def test_only_what_saving_writes_is_pushed_and_the_rest_is_told(hub, run_folder, space_folder, tmp_path, capsys):
    secret = tmp_path / "secret.txt"
    secret.write_text("TOPSECRET")
    run, pretrained = tmp_path / "run", tmp_path / "run" / "pretrained"
    shutil.copytree(run_folder, run)
    saved = {path.name for path in pretrained.iterdir()}
    for name in (".env", ".nfs0001", ".config.json.partial", "optimizer.bin", "evil.py", "notes.txt", "other.json"):
        (pretrained / name).write_text("TOPSECRET")
        (space_folder / name).write_text("TOPSECRET")
    for folder in (pretrained, space_folder, space_folder / "examples"):
        (folder / "linked.json").symlink_to(secret)
        (folder / "linked").symlink_to(tmp_path)
        (folder / "dangling").symlink_to("/nope")
        for name in (".git", "venv", "flagged"):
            (folder / name).mkdir()
            (folder / name / "face.mp4").write_text("TOPSECRET")
    os.mkfifo(pretrained / "fifo")
    (space_folder / "evil.py").unlink()  # a Space may have modules
    arguments = [str(run), "--repo", "org/amess-tiny", "--space", "org/demo", "--space_folder", str(space_folder)]
    publish_command([*arguments, "--dry_run"])
    dry = capsys.readouterr()
    assert not re.search(r"bytes  \S*(linked|flagged|evil|\.env)", dry.out)
    publish_command(arguments)
    for told in (dry.err, capsys.readouterr().err):
        for name in (
            ".env",
            "optimizer.bin",
            "evil.py",
            "linked.json",
            "dangling",
            "examples/linked",
            "venv/face.mp4",
        ):
            assert name in told
    assert set(hub.files("model", "org/amess-tiny")) == saved | {"README.md", "metrics.json"}
    assert set(hub.files("space", "org/demo")) == {"app.py", "README.md", "examples/thanks.mp4"}
    publish_command([*arguments, "--space_files", "flagged/*", "*.json", "examples/*", ".env"])
    assert set(hub.files("space", "org/demo")) == {
        *("app.py", "README.md", "examples/thanks.mp4", "flagged/face.mp4", "other.json")
    }


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "modeling_amess.py", "tokenizer.json"])
def test_a_link_in_place_of_a_file_of_the_model_is_refused(hub, run_folder, tmp_path, name):
    shutil.copytree(run_folder, tmp_path / "run")
    file = tmp_path / "run" / "pretrained" / name
    file.rename(tmp_path / name)
    file.symlink_to(tmp_path / name)
    with pytest.raises(HubPushError, match=f"{name} is a link"):
        publish(tmp_path / "run", "org/amess-tiny")
    assert hub.log == []


def test_weights_in_shards_are_pushed(hub, run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "run")
    pretrained = tmp_path / "run" / "pretrained"
    model = AutoModelForSequenceClassification.from_pretrained(pretrained)
    (pretrained / "model.safetensors").unlink()
    model.save_pretrained(pretrained, max_shard_size="20KB")
    publish(tmp_path / "run", "org/amess-tiny")
    shards = {path.name for path in pretrained.glob("model-*")}
    assert len(shards) > 1 and shards | {"model.safetensors.index.json"} <= set(hub.files("model", "org/amess-tiny"))


@pytest.mark.parametrize(
    "tag", ["", "v 1", "../x", "main", "a?b#c", "-v", "v1.", "a..b", "é", "x.lock", "0123abc", "a/b"]
)
@pytest.mark.parametrize("dry", [[], ["--dry_run"]])
def test_what_cannot_be_a_tag_is_refused_before_anything_is_pushed(hub, run_folder, tag, dry):
    with pytest.raises(HubPushError, match="cannot be a tag"):
        publish_command([str(run_folder), "--repo", "org/amess-tiny", f"--tag={tag}", *dry])
    assert hub.log == []


def test_a_tag_with_the_name_of_a_branch_is_refused(hub, run_folder):
    (commit,) = publish(run_folder, "org/amess-tiny")
    hub.repositories["model", "org/amess-tiny"].branches["dev"] = commit.revision
    with pytest.raises(HubPushError, match="branch 'dev'"):
        publish(run_folder, "org/amess-tiny", tag="dev")


def test_a_space_of_someone_else_stops_the_push_before_the_model_goes(hub, run_folder, space_folder):
    with pytest.raises(HubPushError, match="no right to write"):
        publish(run_folder, "org/amess-tiny", space_id="someone-else/demo", space_folder=space_folder)
    assert hub.repositories == {}


def test_a_dry_run_shows_the_card_or_writes_it(hub, run_folder, tmp_path, capsys):
    arguments = [str(run_folder), "--repo", "org/amess-tiny", "--dry_run"]
    publish_command(arguments)
    assert "# amess-tiny" in capsys.readouterr().out
    target = tmp_path / "card.md"
    publish_command([*arguments, "--card", str(target)])
    printed = capsys.readouterr().out
    assert str(target) in printed and "# amess-tiny" not in printed
    publish(run_folder, "org/amess-tiny")
    assert target.read_bytes() == hub.files("model", "org/amess-tiny")["README.md"]
    target.write_text("mine")
    with pytest.raises(HubPushError, match="exists already"):
        publish_command([*arguments, "--card", str(target)])
    assert target.read_text() == "mine"
    with pytest.raises(SystemExit):
        publish_command([*arguments[:-1], "--card", str(tmp_path / "other.md")])


def test_only_finished_runs_of_a_mess_are_published(hub, run_folder, tiny_settings, tmp_path):
    with pytest.raises(UnfinishedRunError, match=r"metrics\.json"):
        publish(tmp_path, "org/amess-tiny")
    baseline = tmp_path / "baseline"
    options = ["--model", "text_only", "--model_config", "{}", "--max_steps", "1"]
    train([*tiny_settings, "--output_dir", str(baseline), *options])
    with pytest.raises(UnfinishedRunError, match="baseline text_only"):
        publish(baseline, "org/amess-tiny")
    assert hub.log == []


def test_training_asks_for_access_before_it_starts(hub, tiny_settings, tmp_path, monkeypatch):
    with pytest.raises(SettingsError, match="--hub_model_id"):
        train([*tiny_settings, "--output_dir", str(tmp_path / "run"), "--push_to_hub"])
    hub.connect(monkeypatch, tmp_path, READ_TOKEN)
    push = ["--push_to_hub", "--hub_model_id", "org/amess-tiny"]
    with pytest.raises(HubPushError, match="may only read"):
        train([*tiny_settings, "--output_dir", str(tmp_path / "run"), *push])
    assert not (tmp_path / "run").exists()
    with pytest.raises(SettingsError, match="text_only"):
        train([*tiny_settings, "--model", "text_only", *push])


def test_a_run_that_could_not_be_pushed_is_complete_and_says_how_to_go_on(hub, tiny_settings, tmp_path):
    folder = tmp_path / "run"
    hub.fail_once("/commit/main", 507)
    with pytest.raises(HubPushError) as error:
        push = ["--push_to_hub", "--hub_model_id", "org/amess-tiny", "--max_steps", "1"]
        train([*tiny_settings, "--output_dir", str(folder), *push])
    assert f"python -m training.publish {folder} --repo org/amess-tiny" in str(error.value)
    publish_command([str(folder), "--repo", "org/amess-tiny"])
    assert "model.safetensors" in hub.files("model", "org/amess-tiny")
