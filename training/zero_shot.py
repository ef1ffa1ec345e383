# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Zero-shot intents: recognise intents without training on them, from their descriptions alone.

    python -m training.zero_shot leave_out --data_dir data/mintrec --draws 0 1 2
    python -m training.zero_shot transfer --data_dir data/mintrec --test_data_dir data/mintrec2.0
    python -m training.zero_shot transfer --run runs/mintrec-amess --test_data_dir data/mintrec2.0

leave_out   leaves intents out of training, one draw per seed, and tests on the whole test split.
transfer    trains on MIntRec's 20 intents, or takes a finished run, and tests on MIntRec2.0's validation split, which
            has these and ten more.

An utterance gets the label whose descriptions are most similar to T_f (mean cosine); Sentence-BERT, the comparison,
uses the embedding of the text instead. "A-MESS, share 0.5" has weights half-way between the start and the end of
training. A first word without dashes after the protocol is a preset of train.py (mintrec_text_minilm.yaml if there is
none); unknown options are settings of train.py, such as --freeze_text_layers 4 or
--model_config.contrastive_temperature 0.07. Finished runs are not repeated. Writes zero_shot.json and zero_shot.md
into --output.
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command(
        "training.zero_shot:_main_and_table",
        "Interrupted. The same command goes on: finished runs are not repeated, others continue.",
    )


import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from accelerate.utils import set_seed
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from dataset_scripts.files import write_json
from dataset_scripts.labels import label_names
from modeling_amess import AmessForIntentClassification, AmessProcessor
from modeling_amess.descriptions_amess import description_similarity, embed_descriptions, mean_description_similarity

from . import train
from .arguments import SettingsError, TrainingSettings, parse_settings
from .baselines import MODELS
from .data import RUN_SPLITS, IntentCollator, IntentRows, load_splits
from .feature_source import feature_source
from .finished_run import MODEL_FOLDER, is_finished, read_run, read_settings
from .metrics.zero_shot_scores import zero_shot_metrics
from .model_setup import create_model, load_sentence_encoder, quiet_transformers, read_label_descriptions
from .reporting import versions


def interpolated_model(folder: str | Path, share: float) -> PreTrainedModel:
    """Return the model of a finished run with every weight at `start + share * (end - start)`, in eval mode.

    Args:
        folder: Run folder; its settings and seed give the weights that training started from.
        share: Share of the way: 0 is the start of training, 1 its end.

    Raises:
        UnfinishedRunError: The folder is not of a finished run.
        UserError: The start of training cannot be made again.
    """
    folder = Path(folder)
    settings = _run_settings(folder)
    with quiet_transformers():
        model = MODELS[settings.model].model_class.from_pretrained(folder / MODEL_FOLDER).eval()
    if share == 1:
        return model
    config = model.config
    sizes = {name: getattr(config, name, None) for name in ("video_feature_size", "audio_feature_size")}
    set_seed(settings.seed)  # as training does before it makes the model
    names = [config.id2label[index] for index in range(config.num_labels)]
    start = create_model(settings, names, sizes, feature_source(settings)).state_dict()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            # An attached media encoder was never trained, and is not part of the start.
            if name in start and value.is_floating_point():
                value.lerp_(start[name].to(value), 1 - share)
    return model


METRICS = {
    "unseen_accuracy": "unseen among unseen",
    "generalized_unseen_accuracy": "unseen among all",
    "generalized_seen_accuracy": "seen among all",
    "harmonic_mean": "harmonic mean",
    "generalized_accuracy": "all among all",
    "auroc": "AUROC seen/unseen",
}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the script.

    Args:
        arguments: Command line without the program's name; that of the process by default.

    Returns:
        Content of `zero_shot.json`.

    Raises:
        UserError: Something that the user can correct; the message says how.
    """
    parser = argparse.ArgumentParser(
        prog="amess zero-shot PROTOCOL [PRESET]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--held_out", type=int, default=5, help="leave_out: number of intents to leave out (%(default)s)"
    )
    parser.add_argument(
        "--draws", type=int, nargs="+", default=[0], help="seeds of the choice of intents and of training (0)"
    )
    parser.add_argument("--run", type=Path, help="transfer: folder of a finished run, instead of training")
    parser.add_argument("--test_data_dir", help="transfer: folder of MIntRec2.0")
    parser.add_argument(
        "--shares",
        type=float,
        nargs="*",
        default=[0.5],
        help="more shares of the way from start to end of training (0.5)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("runs/zero_shot"), help="folder of runs and results (%(default)s)"
    )
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # By hand: the parser would take the value of an unknown setting for the preset.
    words = [arguments.pop(0) for _ in range(2) if arguments and not arguments[0].startswith("-")]
    options, settings = parser.parse_known_args(arguments)
    if not words or words[0] not in ("leave_out", "transfer"):
        raise SettingsError("The protocol is missing: the first word must be leave_out or transfer. See --help.")
    protocol, preset = words[0], words[1] if len(words) > 1 else "mintrec_text_minilm.yaml"
    shares = [1.0, *options.shares]
    results = {}
    for draw in options.draws:
        if protocol == "leave_out":
            call = [preset, *settings, "--seed", str(draw)]
            results[draw] = leave_out(call, options.held_out, draw, options.output, shares)
        else:
            if options.test_data_dir is None:
                raise SettingsError("transfer needs --test_data_dir, the folder of MIntRec2.0.")
            folder = options.run or options.output / f"run-{draw}"
            if options.run is None:
                train_unless_finished([preset, *settings, "--seed", str(draw)], folder)
            results[draw] = transfer(folder, options.test_data_dir, shares)
            if options.run is not None:
                break
    content = {"protocol": protocol, "draws": results, "versions": versions()}
    options.output.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "zero_shot.json", content)
    (options.output / "zero_shot.md").write_text(markdown(results) + "\n", encoding="utf-8")
    return content


def leave_out(call: list[str], number: int, draw: int, output: Path, shares: Sequence[float]) -> dict[str, Any]:
    """Train on a data set without some of its intents and test on all intents.

    Args:
        call: Preset and settings of train.py.
        number: Number of intents to leave out.
        draw: Seed of the choice.
        output: Folder that gets the reduced data set and the run folder.
        shares: Shares of the way from the start to the end of training.

    Returns:
        `held_out`, and by split the metrics of each method.

    Raises:
        SettingsError: The data set has too few intents, or changes by epoch.
    """
    settings = parse_settings(call)
    splits = {name: split for name, split in load_splits(settings).items() if name in RUN_SPLITS}
    if not all(isinstance(split, datasets.Dataset) for split in splits.values()):
        raise SettingsError(f"Intents cannot be left out of {settings.dataset}, whose rows change by epoch.")
    names = splits["train"].features["label"].names
    if not 1 < number < len(names) - 1:
        raise SettingsError(
            f"--held_out {number} does not fit {len(names)} intents: at least two must be left out and two kept."
        )
    held_out = sorted(np.random.default_rng(draw).permutation(names)[:number].tolist())
    kept = [name for name in names if name not in held_out]
    described = read_label_descriptions(settings, names, feature_source(settings).described_as)
    data, texts = output / f"data-{draw}", output / f"descriptions-{draw}.json"
    if not data.is_dir():
        without_labels(splits, held_out).save_to_disk(data)
    write_json(texts, {name: described[name] for name in kept})
    folder = output / f"run-{draw}"
    train_unless_finished([*call, "--dataset", str(data), "--label_descriptions", str(texts)], folder)
    tested: dict[str, datasets.Dataset] = {name: splits[name] for name in ("validation", "test") if name in splits}
    return {"held_out": held_out, **evaluate(folder, tested, described, kept, shares)}


def transfer(folder: Path, test_data_dir: str, shares: Sequence[float]) -> dict[str, Any]:
    """Test a run on MIntRec2.0's validation split.

    Args:
        folder: Run folder.
        test_data_dir: Folder of MIntRec2.0.
        shares: Shares of the way from the start to the end of training.

    Returns:
        `held_out`, the intents that the model of the run does not have, and the metrics of each method.
    """
    settings = _run_settings(folder)
    tested = replace(settings, dataset="mintrec2", data_dir=test_data_dir, dataset_options={}, label_descriptions=None)
    split = load_splits(tested)["validation"]
    described = read_label_descriptions(tested, label_names("mintrec2"), "mintrec2")
    seen = [name for name in read_run(folder).config["label2id"] if name in described]
    held_out = [name for name in described if name not in seen]
    return {"held_out": held_out, **evaluate(folder, {"validation": split}, described, seen, shares)}


def without_labels(splits: Mapping[str, datasets.Dataset], held_out: Sequence[str]) -> datasets.DatasetDict:
    """Remove labels, and the utterances that have them, from all splits."""
    reduced = {}
    for name, split in splits.items():
        names = split.features["label"].names
        kept = [label for label in names if label not in held_out]
        ids = {names.index(label): index for index, label in enumerate(kept)}
        rows = split.with_format(None).select([i for i, label in enumerate(split["label"][:]) if int(label) in ids])
        labels = [ids[label] for label in rows["label"][:]]
        features = datasets.Features({**rows.features, "label": datasets.ClassLabel(names=kept)})
        rows = rows.remove_columns("label").add_column("label", labels)
        reduced[name] = rows.cast(datasets.Features({column: features[column] for column in rows.column_names}))
    return datasets.DatasetDict(reduced)


def train_unless_finished(call: list[str], folder: Path) -> None:
    """Run `training/train.py` into a run folder, unless a finished run is there."""
    if not is_finished(folder):
        train.main([*call, "--output_dir", str(folder)])


def evaluate(
    folder: Path,
    splits: Mapping[str, datasets.Dataset],
    descriptions: Mapping[str, Sequence[str]],
    seen: Sequence[str],
    shares: Sequence[float],
) -> dict[str, dict[str, dict[str, float]]]:
    """Compute the metrics of Sentence-BERT and of the run's model, by split.

    Args:
        folder: Run folder.
        splits: Splits with seen and unseen labels.
        descriptions: Descriptions by label.
        seen: Labels that the model was trained on.
        shares: Shares of the way from the start to the end of training.

    Raises:
        SettingsError: The model has no semantic synchronization.
    """
    settings = _run_settings(folder)
    processor = AmessProcessor.from_pretrained(folder / MODEL_FOLDER)
    encoder = load_sentence_encoder(settings)
    config = read_run(folder).config
    if not config.get("use_semantic_synchronization"):
        raise SettingsError(
            f"{folder} holds a model without semantic synchronization, which reads no descriptions: give a run of "
            "A-MESS with model_config.use_semantic_synchronization true."
        )
    tested = {name: IntentRows(split, settings.modality_names) for name, split in splits.items()}
    # Labels may differ by split; their embedded descriptions serve all shares.
    embedded = {
        name: embed_descriptions(
            {label: descriptions[label] for label in rows.label_names},
            encoder,
            config["description_template"],
            config["description_size"],
        )
        for name, rows in tested.items()
    }
    results: dict[str, dict[str, dict[str, float]]] = {name: {} for name in splits}
    for share in (None, *shares):
        model = None if share is None else interpolated_model(folder, share)
        title = "Sentence-BERT" if share is None else "A-MESS" if share == 1 else f"A-MESS, share {share:g}"
        for name, rows in tested.items():
            embeddings, mask = embedded[name]
            if model is None:
                tokens = torch.as_tensor(encoder.encode(rows.column("text")))
            else:
                assert isinstance(model, AmessForIntentClassification)  # the only model with semantic synchronization
                tokens = semantic_embeddings(model, processor, rows)
            similarity = mean_description_similarity(description_similarity(tokens, embeddings), mask)
            is_seen = np.array([label in seen for label in rows.label_names])
            results[name][title] = zero_shot_metrics(similarity.numpy(), np.array(rows.column("label")), is_seen)
    return results


@torch.no_grad()
def semantic_embeddings(
    model: AmessForIntentClassification, processor: AmessProcessor, rows: IntentRows
) -> torch.Tensor:
    """Compute T_f of each row, `(rows, description_size)`."""
    loader = DataLoader(rows, batch_size=64, collate_fn=IntentCollator(processor, rows.modalities))
    tokens = []
    for batch in loader:
        del batch["labels"]
        tokens.append(model.amess(**batch).semantic_embedding.float())
    return torch.cat(tokens)


def markdown(results: Mapping[int, Mapping[str, Any]]) -> str:
    """Make one Markdown table per split: mean over the draws ± standard deviation (n - 1), in percent."""
    parts = []
    first = next(iter(results.values()))
    for split in [name for name in first if name != "held_out"]:
        lines = [f"| {split} | {' | '.join(METRICS.values())} |", "|---|" + "---|" * len(METRICS)]
        for method in first[split]:
            cells = []
            for metric in METRICS:
                values = [100 * result[split][method][metric] for result in results.values()]
                spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
                cells.append(f"{statistics.mean(values):.1f}{spread}")
            lines.append(f"| {method} | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _run_settings(folder: Path) -> TrainingSettings:
    read_run(folder)  # refuses an unfinished run
    return read_settings(folder)


def _main_and_table() -> None:
    print(markdown(main()["draws"]))
