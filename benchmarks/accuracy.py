# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""
The accuracy tables of docs/results.md: each row is `training/train.py` with other settings, over several seeds.

    python -m benchmarks.accuracy planted --data_dir data/mintrec                 # is the cross attention wired right?
    python -m benchmarks.accuracy planted_deep --data_dir data/mintrec            # the same with 6 encoder layers
    python -m benchmarks.accuracy planted_anchors --data_dir data/mintrec         # where selection should matter
    python -m benchmarks.accuracy planted_alignment --data_dir data/mintrec       # the four ways to align
    python -m benchmarks.accuracy mintrec_text --data_dir data/mintrec --seeds 0 1 2 3 4
    python -m benchmarks.accuracy mintrec_shots --data_dir data/mintrec --seeds 0 1 2 3 4

Every run has one thread; `--jobs 2` trains two side by side. A run that is finished is not repeated; an interrupted
command goes on with the runs that are missing. `--rows text_only full` restricts a table to some rows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


PROJECT = Path(__file__).parents[1]

# A row is a preset and the settings that follow it. Recipes were chosen on the validation split.
NO_SYNCHRONIZATION = "--model_config.use_semantic_synchronization false"
LITERAL = "--model_config.fusion_residual false --model_config.attention_residual false"
AS_PRINTED = "--model_config.semantic_residual false --model_config.semantic_logits false"

# The baselines pool as A-MESS does: from the mean they learn in fewer epochs than from the first token.
PLANTED = {
    "text_only": "planted --model text_only --model_config.pooling mean",
    "mean_fusion": "planted --model mean_fusion --model_config.pooling mean",
    "full": f"planted {NO_SYNCHRONIZATION}",
    "full, with SS": "planted",
    "literal": f"planted {NO_SYNCHRONIZATION} {LITERAL}",
    "k=1": f"planted {NO_SYNCHRONIZATION} --model_config.num_anchors 1",
    "k=50": f"planted {NO_SYNCHRONIZATION} --model_config.num_anchors 50",
}
ANCHORS = f"planted --dataset_options.generator token_cue {NO_SYNCHRONIZATION}"
TEXT = "mintrec_text_minilm"
# By the validation split (seeds 0 and 1) A-MESS does better at 1e-4, which the preset has, and text-only at 2e-4.
TEXT_ONLY = "--model text_only --model_config {} --learning_rate 2e-4"
# Few samples make short epochs: tens of optimizer steps for every K, and a few looks at the validation split.
SHOTS = {
    1: "--num_train_epochs 30 --evaluate_every_epochs 10",
    2: "--num_train_epochs 20 --evaluate_every_epochs 5",
    5: "--num_train_epochs 15 --evaluate_every_epochs 5",
    10: "--num_train_epochs 10 --evaluate_every_epochs 5",
}
EXPERIMENTS = {
    "planted": PLANTED,
    "planted_deep": {
        name: f"{PLANTED[name]} --num_text_layers 6" for name in ("full", "text_only", "mean_fusion", "full, with SS")
    },
    "planted_anchors": {f"k={k}": f"{ANCHORS} --model_config.num_anchors {k}" for k in (1, 8, 50)},
    "planted_alignment": {
        kind: f"planted {NO_SYNCHRONIZATION} --model_config.alignment {kind}"
        for kind in ("none", "avg_pool", "conv1d", "ctc")
    },
    "mintrec_text": {
        "text_only": f"{TEXT} {TEXT_ONLY}",
        "A-MESS w/o SS": f"{TEXT} {NO_SYNCHRONIZATION} {AS_PRINTED}",
        "A-MESS with SS": TEXT,
        "A-MESS with SS, noise features": f"{TEXT} --dataset planted --dataset_options.generator noise "
        "--modalities text,video,audio",
    },
    "mintrec_shots": {
        f"{name}, K={shots}": f"{TEXT} --shots {shots} {epochs} --batch_size 16 --learning_rate 2e-4 {setting}"
        for shots, epochs in SHOTS.items()
        for name, setting in (("text_only", TEXT_ONLY), ("A-MESS", ""))
    },
}


def run(name: str, row: str, command: str, seed: int, data_dir: str, output: Path, threads: int) -> dict | None:
    """Train one row with one seed unless it is done; the content of its metrics.json, `None` where it failed."""
    folder = output / name / row.replace(", ", "-").replace(" ", "_").replace("/", "") / f"seed-{seed}"
    metrics = folder / "metrics.json"
    if not metrics.is_file():
        preset, *settings = command.split()
        call = [sys.executable, str(PROJECT / "training" / "train.py"), f"{preset}.yaml", *settings]
        call += ["--data_dir", data_dir, "--seed", str(seed), "--output_dir", str(folder)]
        call += ["--checkpoint_every_epochs", "0", "--cpu_threads", str(threads), "--resume", "false"]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with open(folder.with_suffix(".log"), "w") as log:
            subprocess.run(call, stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"OMP_NUM_THREADS": "1"})
        if not metrics.is_file():
            print(f"failed: {row}, seed {seed}; see {folder.with_suffix('.log')}", flush=True)
            return None
        # A trained model of each run would fill the disk; the tables need the numbers alone.
        for weights in folder.rglob("*.safetensors"):
            weights.unlink()
    content = json.loads(metrics.read_text())
    print(
        f"{row}, seed {seed}: test {100 * content['test']['accuracy']:.1f}, validation "
        f"{100 * content['validation']['accuracy']:.1f}, {content['wall_seconds']:.0f} s",
        flush=True,
    )
    return content


def table(results: dict[str, list[dict]]) -> str:
    """Mean ± standard deviation over the seeds (n - 1), and every seed's test accuracy, in percent."""
    lines = [
        "| row | test accuracy | test macro F1 | validation accuracy | test accuracy by seed | s a run |",
        "|---|---|---|---|---|---|",
    ]
    for row, contents in results.items():
        cells = []
        for split, metric in (("test", "accuracy"), ("test", "macro_f1"), ("validation", "accuracy")):
            values = [100 * content[split][metric] for content in contents]
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}")
        seeds = ", ".join(f"{100 * content['test']['accuracy']:.1f}" for content in contents)
        seconds = statistics.mean(content["wall_seconds"] for content in contents)
        lines.append(f"| {row} | {' | '.join(cells)} | {seeds} | {seconds:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing of a table and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--data_dir", required=True, help="folder of MIntRec with train.tsv, dev.tsv and test.tsv")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", help="only these rows")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, one thread each if above 1")
    parser.add_argument("--output", type=Path, default=PROJECT / "benchmarks" / "results")
    arguments = parser.parse_args()
    rows = EXPERIMENTS[arguments.experiment]
    unknown = set(arguments.rows or ()) - set(rows)
    if unknown:
        parser.error(f"no such rows: {sorted(unknown)}; this table has {list(rows)}")
    rows = {row: command for row, command in rows.items() if not arguments.rows or row in arguments.rows}
    threads = 1
    # Seed by seed, so that an interrupted table already compares all rows.
    jobs = [(row, seed) for seed in arguments.seeds for row in rows]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        contents = pool.map(
            lambda job: run(
                arguments.experiment, job[0], rows[job[0]], job[1], arguments.data_dir, arguments.output, threads
            ),
            jobs,
        )
        done = list(zip(jobs, contents, strict=True))
    results = {row: [content for (name, _), content in done if name == row and content] for row in rows}
    print(table({row: contents for row, contents in results.items() if contents}))


if __name__ == "__main__":
    main()
