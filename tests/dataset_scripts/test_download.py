# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Downloads with the real client from a stand-in Hub: layouts, terms, checksums, interruptions, and what is kept."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import datasets
import huggingface_hub
import pytest
from huggingface_hub import HfApi

from dataset_scripts import load_intent_dataset
from dataset_scripts.downloading.archives import ArchiveError
from dataset_scripts.downloading.collection import DownloadError
from dataset_scripts.downloading.command import main
from dataset_scripts.downloading.layout import CollectionError
from dataset_scripts.downloading.run import TermsError
from dataset_scripts.registry import DATASETS, DOWNLOADABLE
from tests.fakehub import FakeHub
from tests.fakehub_repository import File, Repository

from .conftest import MINTREC2_HEADER, MINTREC_HEADER


PLAIN_HEADER = "id\ttext\tlabel\n"
CARD = File(b"---\nlicense: cc-by-sa-4.0\n---\n# Data\n")
UTTERANCES = {  # split -> season, episode, clip, text, label
    "train": [("S04", "E01", "1", 'oh, "great.', "Complain"), ("S04", "E02", "3", "thanks!", "Thank")],
    "dev": [("S05", "E01", "7", "sorry.", "Apologise")],
    "test": [("S06", "E10", "9", "can you help?", "Ask for help")],
}
IDS = ["_".join(row[:3]) for rows in UTTERANCES.values() for row in rows]


def clip(row_id: str) -> bytes:
    return f"the clip of {row_id}".encode() * 100


def tar_gz(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def released_tables() -> dict[str, bytes]:
    return {
        f"{split}.tsv": (MINTREC_HEADER + "".join("\t".join(row) + "\n" for row in rows)).encode()
        for split, rows in UTTERANCES.items()
    }


def plain_tables() -> dict[str, bytes]:
    """The tables of the later collection: ids in one column, labels in small letters."""
    return {
        f"{split}.tsv": (
            PLAIN_HEADER + "".join(f"{'_'.join(row[:3])}\t{row[3]}\t{row[4].lower()}\n" for row in rows)
        ).encode()
        for split, rows in UTTERANCES.items()
    }


def in_seasons(root: str = "raw_data") -> dict[str, bytes]:
    return {f"{root}/{row_id.replace('_', '/')}.mp4": clip(row_id) for row_id in IDS}


def flat(prefix: str = "MIntRec_video/MIntRec_") -> dict[str, bytes]:
    return {f"{prefix}{row_id}.mp4": clip(row_id) for row_id in IDS}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    with FakeHub() as server:
        server.connect(monkeypatch, tmp_path, token=None)
        yield server


def offer(hub: FakeHub, files: dict[str, bytes], repo_id: str = "THU-IAR/MIntRec") -> Repository:
    """Put files into a repository of the stand-in; archives are large files there."""
    repository = Repository("dataset", repo_id)
    stored = {name: File(content, lfs=not name.endswith((".tsv", ".md"))) for name, content in files.items()} | {
        "README.md": CARD
    }
    repository.commit(stored, "data")
    hub.repositories["dataset", repo_id] = repository
    return repository


def download(folder: Path, *options: str, dataset: str = "mintrec") -> int:
    return main([dataset, "--output", str(folder), "--i_accept_the_terms", *options])


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "download.json"
    }


def fetched(hub: FakeHub) -> list[str]:
    return [path for method, path, status in hub.log if method == "GET" and "/resolve/" in path and status < 400]


EXPECTED = released_tables() | in_seasons()
CLIPS = zipped(in_seasons())
COLLECTIONS = {
    "archive of seasons": released_tables() | {"raw_data.zip": CLIPS},
    "archive in parts": released_tables() | {"raw_data.zip.001": CLIPS[:500], "raw_data.zip.002": CLIPS[500:]},
    "all in one archive": {"MIntRec.tar.gz": tar_gz({f"MIntRec/{k}": v for k, v in EXPECTED.items()})},
    "loose files": {f"data/{name}": data for name, data in EXPECTED.items()},
    "an archive per season": released_tables()
    | {
        f"{season}.zip": zipped({k: v for k, v in in_seasons(".").items() if season in k})
        for season in ("S04", "S05", "S06")
    },
    "plain tables and flat clips": plain_tables() | {"MIntRec_video.tar.gz": tar_gz(flat())},
}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_whatever_form_a_collection_has_the_builders_layout_comes_out(hub, tmp_path, name):
    offer(hub, COLLECTIONS[name])
    assert download(tmp_path / "data") == 0
    assert content(tmp_path / "data") == EXPECTED
    rows = load_intent_dataset("mintrec", data_dir=tmp_path / "data", config_name="clips")
    assert {split: rows[split].num_rows for split in rows} == {"train": 2, "validation": 1, "test": 1}
    assert Path(rows["test"][0]["clip"]).read_bytes() == clip("S06_E10_9")


def test_the_collection_of_several_data_sets_gives_its_folder_alone(hub, tmp_path):
    files = {f"MIntRec/{name}": data for name, data in COLLECTIONS["plain tables and flat clips"].items()}
    offer(hub, files | {"MELD/train.tsv": b"id\ttext\tlabel\n1\thi\tjoy\n"}, "THUIAR/MMLA-Datasets")
    assert download(tmp_path / "data", "--source", "THUIAR/MMLA-Datasets") == 0
    assert content(tmp_path / "data") == EXPECTED
    assert not any("MELD" in path for path in fetched(hub))


def test_the_second_data_set_is_divided_by_scope_and_its_features_are_laid_out(hub, tmp_path):
    def row(dialogue, utterance, label):
        return f"{dialogue}\t{utterance}\tcafé.\t{label}\t00:00:02,035\t00:01:09,309\tfriends\tRoss\n"

    files: dict[str, bytes] = {}
    for number, split in enumerate(("train", "dev", "test")):
        whole = MINTREC2_HEADER + row(number, 0, "Inform") + row(number, 1, "UNK")
        files[f"data/total/{split}.tsv"] = whole.encode()
        files[f"data/in-scope/{split}.tsv"] = (MINTREC2_HEADER + row(number, 0, "Inform")).encode()
    files["data/in-scope/video_data/swin_roi_binary.pkl"] = b"video"
    files["data01/out.tar.gz"] = tar_gz({"MIntRec2.0-OOD/audio_data/wavlm_feats_binary.pkl": b"audio"})
    files["data01/clips.zip"] = zipped({f"videos/dia{n}_utt{u}.mp4": b"clip" for n in range(3) for u in range(2)})
    offer(hub, files, "THU-IAR/MIntRec2.0")
    assert download(tmp_path / "data", dataset="mintrec2") == 0
    found = content(tmp_path / "data")
    ood = "out-of-scope/MIntRec2.0-OOD"
    assert found["in-scope/train.tsv"] == (MINTREC2_HEADER + row(0, 0, "Inform")).encode()
    assert found[f"{ood}/dev.tsv"] == (MINTREC2_HEADER + row(1, 1, "UNK")).encode()
    assert found["in-scope/video_data/swin_roi_binary.pkl"] == b"video"
    assert found[f"{ood}/audio_data/wavlm_feats_binary.pkl"] == b"audio"
    rows = load_intent_dataset("mintrec2", data_dir=tmp_path / "data", config_name="clips", scope="all")
    assert [Path(path).name for path in rows["train"]["clip"]] == ["dia0_utt0.mp4", "dia0_utt1.mp4"]


def test_a_collection_without_speakers_and_times_loads_without_a_warning_per_row(hub, tmp_path, caplog):
    files = {
        f"MIntRec2.0/{split}.tsv": f"{PLAIN_HEADER}{number}_3\thi.\tgreet\n".encode()
        for number, split in enumerate(("train", "dev", "test"))
    }
    clips = {f"MIntRec2.0_{number}_3.mp4": b"clip" for number in range(3)}
    files["MIntRec2.0/MIntRec2.0_video.tar.gz"] = tar_gz(clips)
    offer(hub, files, "THUIAR/MMLA-Datasets")
    assert download(tmp_path / "data", "--source", "THUIAR/MMLA-Datasets", dataset="mintrec2") == 0
    (row,) = load_intent_dataset("mintrec2", data_dir=tmp_path / "data", config_name="clips")["test"]
    assert (row["id"], row["start"], Path(row["clip"]).name) == ("dia2_utt3", None, "dia2_utt3.mp4")
    assert "timestamp" not in caplog.text


def test_terms_come_before_anything_is_fetched(hub, tmp_path):
    offer(hub, COLLECTIONS["loose files"])
    with pytest.raises(TermsError) as told:
        main(["mintrec", "--output", str(tmp_path / "data")])
    words = ("television", "cc-by-sa-4.0", "github.com/thuiar/MIntRec", "--i_accept_the_terms")
    assert all(word in str(told.value) for word in words)
    assert not (tmp_path / "data").exists()
    assert fetched(hub) == []


def test_the_texts_alone_need_no_archive(hub, tmp_path):
    offer(hub, COLLECTIONS["archive of seasons"])
    assert download(tmp_path / "data", "--contents", "tables") == 0
    assert content(tmp_path / "data") == released_tables()
    assert not any(path.endswith(".zip") for path in fetched(hub))


def test_a_second_command_fetches_nothing_and_changes_nothing(hub, tmp_path):
    offer(hub, COLLECTIONS["archive of seasons"])
    download(tmp_path / "data")
    (tmp_path / "data/train.tsv").write_text("mended by the user")
    before, hub.log = content(tmp_path / "data"), []
    assert download(tmp_path / "data") == 0
    assert content(tmp_path / "data") == before
    assert fetched(hub) == []


@pytest.mark.parametrize("taken", ["train.tsv", "notes.txt"])
def test_a_folder_with_files_of_others_is_refused_and_left_alone(hub, tmp_path, taken):
    offer(hub, COLLECTIONS["loose files"])
    (tmp_path / taken).write_text("mine")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DownloadError, match="did not write"):
        download(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_other_options_do_not_mix_into_a_folder(hub, tmp_path):
    offer(hub, COLLECTIONS["archive of seasons"])
    download(tmp_path / "data", "--contents", "tables")
    with pytest.raises(DownloadError, match="contents"):
        download(tmp_path / "data")


def test_a_file_that_the_user_put_into_an_unfinished_folder_is_kept(hub, tmp_path):
    offer(hub, COLLECTIONS["archive of seasons"])
    hub.fail_once(r"raw_data\.zip", 403)
    with pytest.raises(DownloadError):
        download(tmp_path / "data")
    mine = tmp_path / "data/raw_data/S04/E01/1.mp4"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(DownloadError, match="is kept"):
        download(tmp_path / "data")
    assert mine.read_bytes() == b"mine"


def test_a_broken_connection_continues_where_it_broke(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 100)
    offer(hub, COLLECTIONS["archive of seasons"])
    hub.cut_once("raw_data.zip", 1000)
    assert download(tmp_path / "data") == 0
    assert content(tmp_path / "data") == EXPECTED
    assert [status for method, path, status in hub.log if "raw_data.zip" in path and method == "GET"] == [200, 206]


@pytest.mark.slow
def test_a_killed_download_continues_with_the_same_commit(hub, tmp_path):
    repository = offer(hub, COLLECTIONS["archive of seasons"])
    hub.hold(r"/resolve/.*raw_data\.zip")
    command = [sys.executable, "-m", "dataset_scripts.download", "mintrec", "--i_accept_the_terms", "--output", "data"]
    environment = hub.environment(tmp_path, token=None, PYTHONPATH=str(Path(__file__).parents[2]))
    child = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert hub.reached.wait(60)
    child.send_signal(signal.SIGINT)
    hub.released.set()
    assert "same command continues" in child.communicate(timeout=60)[1]
    assert child.returncode == 130
    hub.hold("^$")
    repository.commit({"README.md": CARD}, "the authors remove their data")
    before, hub.log = len(fetched(hub)), []
    assert before == len(UTTERANCES)
    assert download(tmp_path / "data") == 0
    assert content(tmp_path / "data") == EXPECTED
    assert {Path(path).name for path in fetched(hub)} == {"raw_data.zip"}


def test_content_with_another_checksum_is_fetched_again_and_then_refused(hub, tmp_path, monkeypatch):
    offer(hub, COLLECTIONS["archive of seasons"])
    real, times = HfApi.hf_hub_download, []

    def damaging(api, repo_id, name, **options):
        path = real(api, repo_id, name, **options)
        if name.endswith(".zip") and len(times) < damages:
            times.append(name)
            data = bytearray(Path(path).read_bytes())
            data[100] ^= 1
            Path(path).write_bytes(data)
        return path

    monkeypatch.setattr(HfApi, "hf_hub_download", damaging)
    damages = 2
    with pytest.raises(DownloadError, match="checksum"):
        download(tmp_path / "data")
    assert not (tmp_path / "data/raw_data").exists()
    times, damages = [], 1
    assert download(tmp_path / "data") == 0
    assert content(tmp_path / "data") == EXPECTED


@pytest.mark.parametrize("evil", ["../../../evil.mp4", "/S04/E01/1.mp4", "a\\..\\..\\S04_E01_1.mp4"])
def test_a_hostile_archive_gives_no_file_to_the_data_set(hub, tmp_path, evil):
    clips = in_seasons()
    offer(hub, released_tables() | {"raw_data.tar.gz": tar_gz({**clips, evil: b"evil"})})
    with pytest.raises(ArchiveError, match="refused"):
        download(tmp_path / "deep/er/data")
    assert not (tmp_path / "deep/er/data/raw_data").exists()
    assert b"evil" not in {p.read_bytes() for p in tmp_path.rglob("*.mp4")}


def test_a_listing_with_a_path_outside_is_refused(hub, tmp_path):
    offer(hub, {**released_tables(), "../evil.tsv": b"evil"})
    with pytest.raises(DownloadError, match="no path below"):
        download(tmp_path / "data")


def test_archives_of_other_kinds_are_named_with_the_program_that_unpacks_them(hub, tmp_path):
    offer(hub, released_tables() | {"raw_data.rar": b"Rar!"})
    with pytest.raises(DownloadError, match="unrar x"):
        download(tmp_path / "data")
    offer(hub, released_tables() | {"raw_data.rar": b"Rar!", "raw_data.zip": zipped(in_seasons())})
    assert download(tmp_path / "other", "--exclude", "*.rar") == 0
    assert content(tmp_path / "other") == EXPECTED


def test_two_clips_of_one_utterance_are_told_apart_by_the_user(hub, tmp_path):
    faces = {f"faces/{row_id}.mp4": b"a face" for row_id in IDS}
    offer(hub, released_tables() | {"raw_data.zip": zipped(in_seasons() | faces)})
    with pytest.raises(ArchiveError, match="--exclude"):
        download(tmp_path / "data")
    assert download(tmp_path / "other", "--exclude", "faces/*") == 0
    assert content(tmp_path / "other") == EXPECTED


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        ({"notes.txt": b"x"}, DownloadError, "nothing of mintrec"),
        (released_tables(), DownloadError, "the clip of none"),
        ({"train.tsv": b"a\tb\n1\t2\n", "raw.zip": zipped(in_seasons())}, CollectionError, "header"),
        ({"train.tsv": b"id\ttext\tlabel\nS04_E01_1\thi\tSing\n"}, ValueError, "Sing"),
        ({"train.tsv": b"id\ttext\tlabel\n17\thi\tThank\n"}, ValueError, "not written as an id"),
        (
            {"a/train.tsv": released_tables()["train.tsv"], "b/test.tsv": released_tables()["train.tsv"]},
            CollectionError,
            "S04_E01_1",
        ),
    ],
)
def test_what_is_not_the_data_set_is_said_with_what_was_found(hub, tmp_path, files, error, words):
    offer(hub, files)
    with pytest.raises(error, match=words):
        download(tmp_path / "data")


def test_a_repository_that_is_not_there_is_told(hub, tmp_path):
    with pytest.raises(DownloadError, match="no data set THU-IAR/MIntRec"):
        download(tmp_path / "data")
    with pytest.raises(DownloadError, match="THUIAR/MMLA-Datasets"):
        download(tmp_path / "data", "--source", "someone/else")
    assert not (tmp_path / "data").exists()


def test_an_offline_machine_is_told_so(hub, tmp_path, monkeypatch):
    offer(hub, COLLECTIONS["loose files"])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        download(tmp_path / "data")


def test_a_full_disk_is_foreseen(hub, tmp_path, monkeypatch):
    offer(hub, COLLECTIONS["archive of seasons"])
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("dataset_scripts.downloading.run.shutil.disk_usage", lambda _path: usage)
    with pytest.raises(DownloadError, match="GB free"):
        download(tmp_path / "data")
    assert fetched(hub) == []


def test_the_record_holds_the_commit_and_the_checksums(hub, tmp_path):
    repository = offer(hub, COLLECTIONS["archive of seasons"])
    download(tmp_path / "data")
    record = json.loads((tmp_path / "data/download.json").read_text())
    assert record["revision"] == repository.branches["main"]
    assert record["done"]["raw_data.zip"] == {"raw_data.zip": File(CLIPS).sha256}
    assert not (tmp_path / "data/.download").exists()


def test_every_data_set_with_collections_can_be_downloaded():
    assert DOWNLOADABLE == ("mintrec", "mintrec2")
    for name in DOWNLOADABLE:
        builder = DATASETS[name].load_builder()
        assert set(builder.ID_IN_NAME.groupindex) < set(builder.TABLE_COLUMNS)
