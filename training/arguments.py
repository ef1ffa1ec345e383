# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of a training run: one typed dataclass, filled from a YAML preset and the command line."""

from __future__ import annotations

import difflib
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml


CONFIG_FOLDER = Path(__file__).parent / "configs"
DEFAULT_CONFIG = CONFIG_FOLDER / "sample.yaml"

MODALITIES = ("text", "video", "audio")
_CHOICES = {
    "model": ("amess", "text_only", "mean_fusion", "mag_bert", "mult", "tcl_map", "cagc"),
    "monitor": ("accuracy", "macro_f1"),
    "mixed_precision": ("no", "bf16", "fp16"),
    "report_to": ("none", "trackio", "tensorboard", "wandb"),
    "scope": ("in-scope", "out-of-scope", "all"),
    "out_of_scope": ("class", "outlier_exposure", "none"),
}
_AT_LEAST_ONE = [
    "batch_size",
    "eval_batch_size",
    "gradient_accumulation_steps",
    "logging_steps",
    "keep_checkpoints",
    "num_text_layers",
    "num_train_epochs",
    "max_train_steps",
    "overfit_batches",
    "checkpoint_every_steps",
    "early_stopping_patience",
    "evaluate_every_epochs",
    "num_descriptions",
    "max_context_length",
]
_NOT_NEGATIVE = [
    "learning_rate",
    "new_learning_rate",
    "weight_decay",
    "max_grad_norm",
    "dataloader_num_workers",
    "checkpoint_every_epochs",
    "seed",
    "cpu_threads",
    "outlier_exposure_weight",
    "held_out_seed",
    "context_utterances",
    "freeze_text_layers",
    "shots",
    "cross_validation_fold",
]


class SettingsError(ValueError):
    """A setting that is unknown, of the wrong type or out of range. The message names the key and the remedy."""


def setting(default: Any, description: str) -> Any:
    """A dataclass field with its line of `--help`; a mutable default is copied for every instance."""
    metadata = {"help": description}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class TrainingSettings:
    """Everything that decides a run. What you will most likely change: `dataset`, `data_dir`, `model`, `text_model`,
    `modalities`, `seed`, `output_dir`.

    Raises:
        SettingsError: a value of the wrong type, outside its range or not one of its choices.
    """

    # Data.
    dataset: str = setting(
        "sample", "sample, mintrec, mintrec2, planted, or a folder of amess extract or of DatasetDict.save_to_disk."
    )
    data_dir: str | None = setting(
        None, "Folder with the released files of the data set (mintrec, mintrec2, planted)."
    )
    scope: str = setting("in-scope", "Which utterances of mintrec2: in-scope, out-of-scope or all.")
    out_of_scope: str = setting(
        "class",
        "What becomes of utterances of no intent (label UNK; mintrec2 with scope=all): class: one more label. "
        "outlier_exposure: trained towards undecided logits. none: not trained on. The last two decide by DOC.",
    )
    outlier_exposure_weight: float = setting(1.0, "Weight of an out-of-scope row's loss in outlier exposure.")
    held_out_intents: float | None = setting(
        None,
        "Share of the intents that are out of scope: not trained on, and to be found out in evaluation. Needs "
        "out_of_scope=none. null: none.",
    )
    held_out_seed: int = setting(0, "Draws the held-out intents.")
    test_from_validation: bool = setting(
        False,
        "For data without a test split: half of the validation split's dialogues are the test split, the other half "
        "chooses epoch, threshold and temperature.",
    )
    cross_validation_folds: int | None = setting(
        None,
        "Cut the training split into so many folds, dialogues whole, and test on one of them. The test split is not "
        "read: for choosing settings where the validation split is too small to tell them apart.",
    )
    cross_validation_fold: int = setting(0, "Which of the folds, from 0.")
    dataset_options: dict = setting({}, "Further options of the data set, e.g. --dataset_options.generator token_cue.")
    modalities: str = setting("text,video,audio", "Any of text, video, audio, joined by commas.")
    shots: int | None = setting(
        None,
        "Training samples of each intent, drawn by the seed. null: all; 0: none, to learn from descriptions alone.",
    )
    label_descriptions: str | None = setting(
        None, "JSON file: intent -> list of descriptions. null: the data set's own."
    )
    context_utterances: int = setting(
        0, "Previous utterances of the same dialogue as a second text segment (mintrec2, or columns like its)."
    )
    max_context_length: int = setting(50, "Tokens kept of them; where they are more, the oldest are cut.")
    num_descriptions: int | None = setting(
        None, "Descriptions of each intent: the first so many. null: all of the file, or the paper's three."
    )
    train_on_descriptions: bool = setting(
        False, "Descriptions are training samples of their intents, too: worth most with one or two others."
    )

    # Model.
    model: str = setting("amess", "amess, or a baseline: text_only, mean_fusion, mag_bert, mult, tcl_map, cagc.")
    model_config: dict = setting({}, "Fields of the model's config, e.g. --model_config.num_anchors 4.")
    text_model: str = setting(
        "minilm", "Pretrained text encoder: minilm (comes with the sample extra), a Hub id or a folder."
    )
    num_text_layers: int | None = setting(None, "Keep only the first layers of the text encoder. null: all.")
    description_model: str = setting(
        "minilm", "Sentence-BERT that embeds the label descriptions: minilm, a Hub id or a folder."
    )
    freeze_word_embeddings: bool = setting(False, "Do not train the word embeddings.")
    freeze_text_layers: int = setting(
        0, "Do not train the text encoder's embeddings and so many of its first layers; 0: train all."
    )
    attach_media_encoder: bool = setting(
        True,
        "When training is over, put the encoders that made the features into pretrained/, where they are at hand, so "
        "that it takes clips.",
    )
    attn_implementation: str | None = setting(None, "sdpa or eager. null: the library's choice.")

    # Optimisation.
    seed: int = setting(0, "Seed of the weights, the order of the data, dropout and the draw of `shots`.")
    num_train_epochs: int = setting(8, "Passes over the training data.")
    max_train_steps: int | None = setting(None, "Stop after so many optimizer steps (for debugging). null: no limit.")
    batch_size: int = setting(32, "Training samples per process and forward pass.")
    eval_batch_size: int = setting(64, "Samples per process and forward pass in evaluation.")
    gradient_accumulation_steps: int = setting(1, "Forward passes per optimizer step.")
    learning_rate: float = setting(2e-4, "Peak learning rate of the pretrained weights.")
    new_learning_rate: float = setting(1e-3, "Peak learning rate of the freshly initialised weights.")
    weight_decay: float = setting(0.01, "AdamW's weight decay; biases and normalisation weights have none.")
    warmup_ratio: float = setting(0.1, "Share of the steps over which the learning rate rises; it falls to 0 after.")
    decay_ratio: float = setting(
        1.0,
        "Share of the steps after which the learning rate is 0; the warm-up shrinks alike. MIntRec2.0's benchmark "
        "takes the length of its schedule from the out-of-scope split: 0.62.",
    )
    max_grad_norm: float = setting(1.0, "Largest norm of the gradient; 0: no clipping.")
    evaluate_every_epochs: int = setting(1, "Evaluate on the validation split after so many epochs, and at the end.")
    early_stopping_patience: int | None = setting(
        None, "Stop after so many evaluations in a row without a better `monitor`. null: never."
    )
    monitor: str = setting("accuracy", "Validation metric that chooses the best epoch: accuracy or macro_f1.")

    # Speed.
    mixed_precision: str | None = setting(None, "no, bf16 or fp16. null: what `accelerate launch` was told.")
    cpu: bool = setting(False, "Train on the CPU even where there is an accelerator.")
    cpu_threads: int | None = setting(
        None,
        "Threads of a process on the CPU; 0: an equal share of all cores, which pays on an idle machine only. null: "
        "the launcher's choice, which is 1 under accelerate launch.",
    )
    bucket_by_length: bool = setting(True, "Put utterances of similar length into a batch.")
    dataloader_num_workers: int = setting(0, "Processes that read data beside each training process.")

    # Output, checkpoints, debugging.
    output_dir: str | None = setting(None, "Run folder. null: runs/<dataset>-<model>.")
    overwrite: bool = setting(False, "Delete an earlier run in the run folder; otherwise it is kept under a new name.")
    resume: str = setting(
        "auto",
        "auto: continue an unfinished run of the same settings, else start. true: continue or fail. false: start. "
        "Or the path of a checkpoint.",
    )
    checkpoint_every_epochs: int = setting(1, "Write a checkpoint after so many epochs; 0: never.")
    checkpoint_every_steps: int | None = setting(None, "Also write one after so many optimizer steps. null: no.")
    keep_checkpoints: int = setting(1, "How many of the newest checkpoints to keep.")
    logging_steps: int = setting(10, "Optimizer steps between two lines of log.jsonl.")
    report_to: str = setting("none", "Tracker: trackio, tensorboard, wandb or none. log.jsonl is always written.")
    overfit_batches: int | None = setting(
        None, "Debugging: train, validate and test on the same few batches; accuracy must approach 1."
    )
    compare_with_text_only: bool = setting(False, "Then train the text-only baseline on the same data and print both.")
    push_to_hub: bool = setting(False, "At the end, push model and card to the Hub, as `python -m training.publish`.")
    hub_model_id: str | None = setting(None, "Where to: owner/name on the Hub.")
    hub_private_repo: bool = setting(False, "Make the repository private if the push creates it.")

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        if isinstance(self.modalities, (list, tuple)):
            self.modalities = ",".join(str(name) for name in self.modalities)
        if isinstance(self.resume, bool):
            self.resume = str(self.resume).lower()
        if self.mixed_precision is False:  # YAML 1.1 reads an unquoted `no` as false.
            self.mixed_precision = "no"
        for item in fields(self):
            setattr(self, item.name, _typed(item.name, getattr(self, item.name), hints[item.name]))
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise SettingsError(f"{name}={value!r} is not one of {', '.join(choices)}.{_nearest(value, choices)}")
        for names, least in ((_AT_LEAST_ONE, 1), (_NOT_NEGATIVE, 0)):
            for name in names:
                value = getattr(self, name)
                if value is not None and value < least:
                    raise SettingsError(f"{name}={value} must be at least {least}.")
        if not 0 <= self.warmup_ratio < 1:
            raise SettingsError(f"warmup_ratio={self.warmup_ratio} must be at least 0 and below 1.")
        if self.held_out_intents is not None and not 0 < self.held_out_intents < 1:
            raise SettingsError(
                f"held_out_intents={self.held_out_intents} must be a share of the intents, above 0 and below 1."
            )
        if self.held_out_intents is not None and self.out_of_scope != "none":
            raise SettingsError(
                f"held_out_intents are not trained on, which out_of_scope={self.out_of_scope} would need: add "
                "--out_of_scope none."
            )
        if self.shots is not None and self.out_of_scope == "outlier_exposure":
            raise SettingsError(
                "shots draws rows of the intents and has no number for outlier_exposure's: use --out_of_scope class "
                "or none."
            )
        if self.shots == 0 and self.overfit_batches is not None:
            raise SettingsError("shots=0 leaves no utterance to overfit and to be tested on: use --shots 1.")
        if self.context_utterances and "text" not in self.modality_names:
            raise SettingsError("context_utterances adds to the text: modalities must hold text.")
        if self.train_on_descriptions and "text" not in self.modality_names:
            raise SettingsError("train_on_descriptions adds texts: modalities must hold text.")
        if self.cross_validation_folds is not None:
            self._check_cross_validation()
        if not 0 < self.decay_ratio <= 1:
            raise SettingsError(f"decay_ratio={self.decay_ratio} must be above 0 and at most 1.")
        if self.push_to_hub and self.hub_model_id is None:
            raise SettingsError("push_to_hub needs --hub_model_id owner/name, the model's id on the Hub.")
        if self.push_to_hub and self.model != "amess":
            raise SettingsError(f"Only A-MESS itself can be pushed to the Hub, not the baseline {self.model}.")
        self.modalities = ",".join(self.modality_names)

    def _check_cross_validation(self) -> None:
        folds = self.cross_validation_folds
        if folds < 2:
            raise SettingsError(f"cross_validation_folds={folds} must be at least 2.")
        if self.cross_validation_fold >= folds:
            raise SettingsError(
                f"cross_validation_fold={self.cross_validation_fold} must be below cross_validation_folds={folds}: "
                "folds are counted from 0."
            )
        if self.test_from_validation:
            raise SettingsError(
                "test_from_validation and cross_validation_folds both choose what is tested on: give one."
            )
        if self.overfit_batches is not None:
            raise SettingsError("overfit_batches tests on the batches trained on: give no cross_validation_folds.")

    @property
    def modality_names(self) -> tuple[str, ...]:
        """The chosen modalities, in the fixed order text, video, audio."""
        chosen = [name.strip() for name in self.modalities.split(",") if name.strip()]
        for name in chosen:
            if name not in MODALITIES:
                raise SettingsError(
                    f"modalities={self.modalities!r} holds {name!r}, which is not one of {', '.join(MODALITIES)}."
                    f"{_nearest(name, MODALITIES)}"
                )
        if not chosen:
            raise SettingsError(f"modalities is empty; give any of {', '.join(MODALITIES)}.")
        return tuple(name for name in MODALITIES if name in chosen)

    @property
    def run_folder(self) -> Path:
        """`output_dir`, or its default `runs/<dataset>-<model>` under the current folder."""
        return Path(self.output_dir or f"runs/{Path(self.dataset).name}-{self.model}")


SETTING_NAMES = tuple(item.name for item in fields(TrainingSettings))


def parse_settings(arguments: Sequence[str]) -> TrainingSettings:
    """Read `[config.yaml] [--key value ...]` into settings.

    Args:
        arguments: the command line without the program's name. The first word may be a preset: a path, or the name of
            a file in `training/configs/`. Keys come as `--key value` or `--key=value`; a boolean may stand alone;
            entries of a dict are dotted (`--model_config.num_anchors 4`).

    Returns:
        The preset's values (`configs/sample.yaml` if none is named) with those of the command line on top.

    Raises:
        SettingsError: an unknown key, a value of the wrong type, a preset that cannot be read.
    """
    arguments = list(arguments)
    if "-h" in arguments or "--help" in arguments:
        print(help_text())
        sys.exit(0)
    preset = DEFAULT_CONFIG
    if arguments and not arguments[0].startswith("-"):
        preset = find_preset(arguments.pop(0))
    values = read_preset(preset)
    for key, value in _command_line(arguments):
        name, *path = key.split(".")
        if not path:
            values[name] = value
            continue
        if typing.get_type_hints(TrainingSettings)[name] is not dict:
            raise SettingsError(f"--{key}: {name} is a single value and has no entry {'.'.join(path)!r}.")
        entries = values[name] = _typed(name, values.get(name) or {}, dict)
        for step in path[:-1]:
            entries[step] = dict(entries.get(step) or {})
            entries = entries[step]
        entries[path[-1]] = _from_text(value)
    return TrainingSettings(**values)


def find_preset(name: str) -> Path:
    """The YAML file of that path, or of that name in `training/configs/` (with or without `.yaml`)."""
    for candidate in (Path(name), CONFIG_FOLDER / name, CONFIG_FOLDER / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    presets = sorted(path.name for path in CONFIG_FOLDER.glob("*.yaml"))
    raise SettingsError(
        f"There is no preset {name!r}: it is neither a file nor one of {', '.join(presets)}."
        f"{_nearest(Path(name).name, presets)}"
    )


def read_preset(path: Path) -> dict[str, Any]:
    """The values of a YAML preset. Raises SettingsError naming the file for bad YAML or an unknown key."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path} holds {type(values).__name__}; a preset is a mapping of settings to values.")
    for key in values:
        _known(str(key), f"{path}: ")
    return values


def check_keys(given: Mapping[str, Any], valid: Sequence[str], what: str) -> None:
    """Raise SettingsError for a key of `given` that is not in `valid`, naming the nearest that is."""
    for key in given:
        if key not in valid:
            raise SettingsError(
                f"{what} has no field {key!r}.{_nearest(key, valid)} Valid fields: {', '.join(sorted(valid))}."
            )


def help_text() -> str:
    """All settings with their types, defaults and meaning."""
    hints = typing.get_type_hints(TrainingSettings)
    lines = ["accelerate launch training/train.py [config.yaml] [--key value ...]", ""]
    lines += [
        f"Presets in {CONFIG_FOLDER.name}/: {', '.join(sorted(p.name for p in CONFIG_FOLDER.glob('*.yaml')))}",
        "",
    ]
    for item in fields(TrainingSettings):
        default = {} if item.default is MISSING else item.default
        lines.append(f"  --{item.name} ({_type_name(hints[item.name])}, default {_shown(default)})")
        lines.append(f"      {item.metadata['help']}")
    return "\n".join(lines)


def _command_line(arguments: list[str]) -> list[tuple[str, Any]]:
    """Pairs of a dotted key and its text, or True for a boolean that stands alone."""
    pairs = []
    hints = typing.get_type_hints(TrainingSettings)
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if not word.startswith("--"):
            raise SettingsError(f"Unexpected word {word!r}: a preset stands first, settings are given as --key value.")
        key, equals, value = word[2:].partition("=")
        key = key.replace("-", "_")
        _known(key.partition(".")[0], "--")
        if not equals:
            if position < len(arguments) and not arguments[position].startswith("--"):
                value = arguments[position]
                position += 1
            elif hints.get(key) is bool or "." in key or key == "resume":
                value = "true"
            else:
                raise SettingsError(f"--{key} needs a value ({_type_name(hints[key])}).")
        pairs.append((key, value))
    return pairs


def _known(key: str, prefix: str) -> None:
    if key not in SETTING_NAMES:
        raise SettingsError(
            f"{prefix}{key} is not a setting.{_nearest(key, SETTING_NAMES)} See --help for all of them."
        )


def _nearest(word: str, choices: Sequence[str]) -> str:
    # A low cutoff: some suggestion is worth more to the reader than none.
    found = difflib.get_close_matches(str(word), choices, n=1, cutoff=0.4)
    return f" Did you mean {found[0]!r}?" if found else ""


def _typed(name: str, value: Any, hint: Any) -> Any:
    """`value` as the annotated type; texts from the command line are read, anything else must fit as it is."""
    optional = isinstance(hint, types.UnionType)
    kind = next(part for part in typing.get_args(hint) if part is not type(None)) if optional else hint
    if optional and (value is None or (isinstance(value, str) and value.lower() in ("null", "none", "~", ""))):
        return None
    wrong = SettingsError(f"{name}={value!r} is of the wrong type: expected {_type_name(hint)}.")
    if kind is bool:
        if isinstance(value, str) and value.lower() in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            return value.lower() in ("true", "yes", "on", "1")
        if not isinstance(value, bool):
            raise wrong
        return value
    if kind is str:
        if not isinstance(value, str):
            raise wrong
        return value
    if kind is dict:
        value = yaml.safe_load(value) if isinstance(value, str) else value
        if not isinstance(value, Mapping):
            raise wrong
        return dict(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise wrong
    try:
        number = float(value)
        if kind is int and (isinstance(value, str) or number == value):
            return int(value)
    except ValueError:
        raise wrong from None
    if kind is int:
        raise wrong
    return number


def _from_text(text: str) -> Any:
    """An entry of a dict, whose type no annotation gives: YAML's reading, and `2e-5` as a number."""
    value = yaml.safe_load(text)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _type_name(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        return " or ".join("null" if part is type(None) else part.__name__ for part in typing.get_args(hint))
    return hint.__name__


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
