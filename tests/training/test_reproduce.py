# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""`python -m training.reproduce` on the sample data: real child processes, killed and given again."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from training.reproduce import main
from training.reproduction.pages import END_OF_READING, READING, read_reading
from training.run_folder import lock_name

from . import tiny


ROWS = ["--rows", "w/o both", "full"]


@pytest.fixture(scope="session")
def tiny_command(tmp_path_factory):
    """Table III on the sample with a random text model: everything but the output folder."""
    folder = tmp_path_factory.mktemp("reproduce")
    text_model = tiny.make_text_model(folder / "bert")
    sentence_encoder = tiny.make_sentence_encoder(folder / "sentence", text_model)
    models = [f"text_model={text_model}", f"description_model={sentence_encoder}"]
    sizes = ["num_text_layers=1", "model_config.fusion_num_attention_heads=2", "max_steps=4", "use_cpu=true"]
    return ["--table", "3", "--dataset", "sample", "--settings", *models, *sizes]


@pytest.fixture(scope="session")
def finished(tiny_command, tmp_path_factory):
    """An output folder with two finished rows of one seed."""
    output = tmp_path_factory.mktemp("finished")
    assert main([*tiny_command, *ROWS, "--seeds", "0", "--jobs", "2", "--output", str(output)]) == 0
    return output


def contents(output, name):
    return {suffix: (output / f"{name}{suffix}").read_bytes() for suffix in (".md", ".csv", ".png")}


def test_the_table_holds_the_results_of_its_runs_whose_weights_are_gone(finished):
    text = (finished / "table_3-sample.md").read_text()
    for title, folder in (("w/o both", "wo_both"), ("full", "full-with_SS")):
        run = finished / "sample" / folder / "seed-0"
        accuracy = 100 * json.loads((run / "metrics.json").read_text())["test"]["accuracy"]
        assert re.search(rf"^\| {title} \| {accuracy:.1f} \[", text, flags=re.MULTILINE)
        assert list(run.rglob("*.safetensors")) == [] and not (run / "checkpoints").exists()
    assert "| 71.95 | 68.34 | 68.78 | 69.08 |" in text
    # One seed: McNemar's test.
    assert ",McNemar," in (finished / "table_3-sample.csv").read_text()


def test_a_finished_run_is_not_repeated(finished, tiny_command, capsys):
    before = contents(finished, "table_3-sample")
    times = {file: file.stat().st_mtime_ns for file in finished.rglob("metrics.json")}
    assert main([*tiny_command, *ROWS, "--seeds", "0", "--output", str(finished)]) == 0
    assert {file: file.stat().st_mtime_ns for file in finished.rglob("metrics.json")} == times
    assert contents(finished, "table_3-sample") == before
    assert "[2/2] full, seed 0: test " in capsys.readouterr().out


def test_any_row_can_be_the_one_that_others_are_compared_with(finished, tiny_command, tmp_path):
    output = tmp_path / "output"
    shutil.copytree(finished, output)
    shown = [*tiny_command, *ROWS, "--seeds", "0", "--output", str(output), "--finished_only"]
    differences = {}
    for reference in ("full", "w/o both"):
        assert main([*shown, "--reference", reference]) == 0
        lines = (output / "table_3-sample.csv").read_text().splitlines()
        rows = {row["row"]: row for row in csv.DictReader(lines) if row["metric"] == "accuracy"}
        assert rows[reference]["reference_difference"] == ""
        differences[reference] = {name: row["reference_difference"] for name, row in rows.items()}
        assert f"{reference} against this row" in (output / "table_3-sample.md").read_text()
    assert float(differences["full"]["w/o both"]) == -float(differences["w/o both"]["full"])


def test_a_table_of_what_is_finished_runs_nothing(finished, tiny_command, tmp_path, capsys):
    output = tmp_path / "output"
    shutil.copytree(finished, output)
    assert main([*tiny_command, "--seeds", "0", "--finished_only", "--output", str(output)]) == 0
    text = (output / "table_3-sample.md").read_text()
    assert "Missing: w/o SS, seed 0; w/o A-ME, seed 0." in text
    assert "| full | " in text
    assert not list(output.glob("sample/full/*/metrics.json"))


def test_a_run_of_other_settings_is_never_taken_for_the_rows(finished, tiny_command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*tiny_command, "per_device_train_batch_size=16", *ROWS, "--seeds", "0", "--output", str(finished)])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert f"{finished}/sample/wo_both/seed-0: per_device_train_batch_size was 32 and is 16" in message
    assert "another --output" in message


def test_a_failed_run_is_named_with_its_log_and_leaves_a_gap(finished, tiny_command, tmp_path, capsys):
    output = tmp_path / "output"
    shutil.copytree(finished, output)
    # A file in the place of the folder: train.py refuses it.
    folder = output / "sample" / "wo_both" / "seed-1"
    folder.write_text("")
    assert main([*tiny_command, "--rows", "w/o both", "--seeds", "0", "1", "--output", str(output)]) == 1
    printed = capsys.readouterr()
    named = re.escape(str(folder))
    assert re.search(
        rf"w/o both, seed 1: FAILED \(SettingsError: .*{named} is a file.*\); see {named}\.log", printed.out
    )
    assert f"w/o both, seed 1: {folder}.log" in printed.err
    assert "Missing: w/o both, seed 1." in (output / "table_3-sample.md").read_text()


@pytest.mark.parametrize("lock", [".seed-0.reproduce-lock", lock_name(Path("seed-0"))], ids=["command", "training"])
def test_a_run_that_another_process_is_training_is_waited_for(finished, tiny_command, tmp_path, capsys, lock):
    output = tmp_path / "output"
    row = output / "sample" / "wo_both"
    row.mkdir(parents=True)
    statuses = []
    command = [*tiny_command, "--rows", "w/o both", "--seeds", "0", "--output", str(output)]
    with FileLock(row / lock):  # as the other command has it, or a training that outlived its command
        waiting = threading.Thread(target=lambda: statuses.append(main(command)))
        waiting.start()
        printed = ""
        while "waiting for it" not in printed and waiting.is_alive():
            time.sleep(0.05)
            printed += capsys.readouterr().out
        shutil.copytree(finished / "sample" / "wo_both" / "seed-0", row / "seed-0")
    waiting.join()
    assert statuses == [0]
    assert (row / "seed-0.log").read_text() == ""  # nothing was trained
    assert (output / "table_3-sample.md").exists()


def test_slurm_runs_the_missing_jobs_with_the_same_commands(finished, tiny_command, tmp_path, capsys):
    output = tmp_path / "output"
    shutil.copytree(finished, output)
    shutil.rmtree(output / "sample" / "wo_both")
    command = [*tiny_command, *ROWS, "--seeds", "0", "--output", str(output)]
    assert main([*command, "--print_jobs"]) == 0
    script = capsys.readouterr().out
    assert "#SBATCH --array=0-0\n" in script and "seed-0" in script
    assert not (output / "sample" / "wo_both").exists()
    run = ["bash", "-c", script]
    for _ in range(2):  # the second time, as after a requeue, there is nothing to do
        subprocess.run(
            run, check=True, env=tiny.environment(SLURM_ARRAY_TASK_ID="0"), capture_output=True, timeout=240
        )
    assert [path.name for path in (output / "sample" / "wo_both").iterdir()] == ["seed-0"]
    capsys.readouterr()
    assert main(command) == 0
    assert contents(output, "table_3-sample") == contents(finished, "table_3-sample")
    assert main([*command, "--print_jobs"]) == 0
    assert capsys.readouterr().out.endswith("# All runs are finished.\n")


def test_a_run_folder_gets_its_confusion_matrix_and_bars(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished / "sample" / "full-with_SS" / "seed-0", folder)
    assert main(["--run", str(folder)]) == 0
    for name in ("confusion_matrix.png", "intents.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main(["--run", str(tmp_path)])
    assert "is not the folder of a finished run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "1"], "--dataset is missing"),
        (["--table", "2", "--dataset", "sample"], "Table 2 needs out-of-scope utterances"),
        (["--table", "3", "--dataset", "sample", "--rows", "x"], "table_3-sample has no row x"),
        (["--table", "3", "--dataset", "sample", "--settings", "seed"], "key=value"),
        (["--table", "3", "--dataset", "sample", "--reference", "x"], "--reference x"),
        (
            ["--table", "3", "--dataset", "sample", "--settings", "sed=1"],
            "--sed is not a setting. Did you mean 'seed'",
        ),
        (["--experiment", "planted", "--dataset", "sample"], "has a data set and settings of its own"),
    ],
)
def test_commands_that_cannot_be_are_refused_before_anything_is_trained(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--output", str(tmp_path / "output")])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "status"), [(200, 2), (20_000, 1)])
def test_a_full_disk_is_told_and_the_same_command_goes_on(tiny_command, tmp_path, size, status):
    command = [sys.executable, "-m", "training.reproduce", *tiny_command, "--rows", "w/o both", "--seeds", "0"]
    command += ["--output", str(tmp_path / "output")]
    options = {"env": tiny.environment(), "capture_output": True, "text": True}
    failed = subprocess.run(command, preexec_fn=tiny.limit_file_size(size), **options)
    assert failed.returncode == status, failed.stderr
    told = rf"{tmp_path}/output/\S+ could not be written: the file is larger than the system allows"
    assert re.search(told, failed.stdout + failed.stderr)
    assert "Traceback" not in failed.stdout + failed.stderr
    assert not list(tmp_path.rglob("*.partial"))
    subprocess.run(command, check=True, **options)
    subprocess.run([*command[:-1], str(tmp_path / "undisturbed")], check=True, **options)
    assert contents(tmp_path / "output", "table_3-sample") == contents(tmp_path / "undisturbed", "table_3-sample")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_after_kills_the_tables_equal_an_undisturbed_runs(tiny_command, tmp_path):
    # Checkpoints, so that runs go on in their middle, too.
    training = ["max_steps=null", "num_train_epochs=4", "save_epochs=1"]
    training += ["learning_rate=2e-3", "new_learning_rate=5e-3"]  # so that a random model learns something
    command = [sys.executable, "-m", "training.reproduce", *tiny_command, *training, *ROWS, "--seeds", "0", "1"]
    command += ["--jobs", "2", "--output"]
    log = (tmp_path / "log.txt").open("w")
    options = {"env": tiny.environment(), "stdout": log, "stderr": subprocess.STDOUT, "cwd": tmp_path}
    started = time.monotonic()
    subprocess.run([*command, "undisturbed"], check=True, **options)
    duration = time.monotonic() - started
    draw, kills = random.Random(0), 0
    while kills < tiny.number_of_kills(5):
        process = subprocess.Popen([*command, "killed"], **options)
        try:
            assert process.wait(draw.uniform(0.05, 0.6) * duration) == 0
            shutil.rmtree(tmp_path / "killed")  # it came to its end before the kill: from the beginning again
        except subprocess.TimeoutExpired:
            kills += 1
            if kills % 2:
                tiny.kill_tree(process)
            else:
                # The runs that it started live on, as when a terminal is closed the hard way.
                process.kill()
                process.wait()
    subprocess.run([*command, "killed"], check=True, **options)
    assert contents(tmp_path / "killed", "table_3-sample") == contents(tmp_path / "undisturbed", "table_3-sample")
    for folder in ("full-with_SS", "wo_both"):
        entries = {path.name for path in (tmp_path / "killed" / "sample" / folder).iterdir()}
        assert entries == {"seed-0", "seed-0.log", "seed-1", "seed-1.log"}


@pytest.mark.parametrize("name", ["table_3-sample.md", "table_3-sample.png", "sample/wo_both/seed-0.log"])
def test_a_file_of_the_users_stops_the_command_before_anything_is_trained(tiny_command, tmp_path, capsys, name):
    mine = tmp_path / "output" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(SystemExit):
        main([*tiny_command, *ROWS, "--seeds", "0", "--output", str(tmp_path / "output")])
    assert str(mine) in capsys.readouterr().err and mine.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]


def test_what_the_user_adds_to_a_table_or_a_model_is_kept(finished, tiny_command, tmp_path):
    output = tmp_path / "output"
    shutil.copytree(finished, output)
    weights = output / "sample" / "wo_both" / "seed-0" / "pretrained" / "mine.safetensors"
    weights.write_text("mine")
    command = [*tiny_command, *ROWS, "--seeds", "0", "--output", str(output)]
    assert main(command) == 0 and weights.read_text() == "mine"
    with (output / "table_3-sample.md").open("a") as stream:
        stream.write("My notes.\n")
    with pytest.raises(SystemExit):
        main(command)
    assert (output / "table_3-sample.md").read_text().endswith("My notes.\n")


def test_a_table_of_version_0_1_0_is_made_again(finished, tiny_command, tmp_path):
    output = tmp_path / "output"
    shutil.copytree(finished, output)
    (output / ".amess-results.json").unlink()  # that version kept no record
    assert main([*tiny_command, *ROWS, "--seeds", "0", "--output", str(output)]) == 0


def test_a_picture_of_the_users_beside_a_page_is_kept(tmp_path):
    page, picture = tmp_path / "page.md", tmp_path / "page.png"
    picture.write_text("mine")
    with pytest.raises(ValueError, match=r"page\.png"):
        read_reading(page, with_picture=True)
    page.write_text(f"![title](page.png)\n{READING}\nread\n{END_OF_READING}\n")
    assert read_reading(page, with_picture=True) == "read"
