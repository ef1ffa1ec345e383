# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of a training run: one typed dataclass, filled from a YAML preset and the command line."""

from __future__ import annotations

import difflib
import enum
import operator
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from .models import BASELINES, MODELS


CONFIG_FOLDER = Path(__file__).parent / "configs"
DEFAULT_CONFIG = CONFIG_FOLDER / "sample.yaml"

MODALITIES = ("text", "video", "audio")


class Role(enum.Enum):
    """What a setting means for the result of a run, and for its place among other runs."""

    DATA = "Decides which utterances are learned from and tested on: runs that differ in it share no table."
    METHOD = "Decides what is learned from them: runs that differ in it are different experiments."
    SEED = "Draws the chance in a run: runs that differ in it alone are one experiment."
    PLACE = "Says where and on what a run computes: it stays the same while a run is continued; no experiment has it."
    FREE = "Does not change the result: it may change while a run is continued."


class SettingsError(ValueError):
    """A setting that is unknown, of the wrong type or out of range. The message names the key and the remedy."""


def setting(
    default: Any,
    description: str,
    role: Role,
    *,
    choices: tuple[str, ...] = (),
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A dataclass field that says everything about a setting; what needs a list of settings derives it from here.

    Args:
        default: Value; a dict is copied for every instance.
        description: Line of `--help`.
        role: What the setting means for the result.
        choices: The only values, if it has any.
        least, most: Bounds that a value may have.
        above, below: Bounds that a value may not have.
    """
    bounds = {"least": least, "most": most, "above": above, "below": below}
    metadata = {"help": description, "role": Role(role), "choices": choices, "bounds": bounds}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def _unchanged(value: Any) -> Any:
    return value


def _sampling_strategy(bucket_by_length: Any) -> str:
    return "group_by_length" if _typed("bucket_by_length", bucket_by_length, bool) else "random"


@dataclass
class TrainingSettings:
    """Everything that decides a run. What you will most likely change: `dataset`, `data_dir`, `model`, `text_model`,
    `modalities`, `seed`, `output_dir`.

    Raises:
        SettingsError: a value of the wrong type, outside its range or not one of its choices.
    """

    # Data.
    dataset: str = setting(
        "sample",
        "sample, mintrec, mintrec2, planted, or a folder of amess extract or of DatasetDict.save_to_disk.",
        Role.DATA,
    )
    data_dir: str | None = setting(
        None, "Folder with the released files of the data set (mintrec, mintrec2, planted).", Role.PLACE
    )
    scope: str = setting(
        "in-scope",
        "Which utterances of mintrec2: in-scope, out-of-scope or all.",
        Role.DATA,
        choices=("in-scope", "out-of-scope", "all"),
    )
    out_of_scope: str = setting(
        "class",
        "What becomes of utterances of no intent (label UNK; mintrec2 with scope=all): class: one more label. "
        "outlier_exposure: trained towards undecided logits. none: not trained on. The last two decide by DOC.",
        Role.DATA,
        choices=("class", "outlier_exposure", "none"),
    )
    outlier_exposure_weight: float = setting(
        1.0, "Weight of an out-of-scope row's loss in outlier exposure.", Role.METHOD, least=0
    )
    held_out_intents: float | None = setting(
        None,
        "Share of the intents that are out of scope: not trained on, and to be found out in evaluation. Needs "
        "out_of_scope=none. null: none.",
        Role.DATA,
        above=0,
        below=1,
    )
    held_out_seed: int = setting(0, "Draws the held-out intents.", Role.DATA, least=0)
    test_from_validation: bool = setting(
        False,
        "For data without a test split: half of the validation split's dialogues are the test split, the other half "
        "chooses epoch, threshold and temperature.",
        Role.DATA,
    )
    cross_validation_folds: int | None = setting(
        None,
        "Cut the training split into so many folds, dialogues whole, and test on one of them. The test split is not "
        "read: for choosing settings where the validation split is too small to tell them apart.",
        Role.DATA,
        least=2,
    )
    cross_validation_fold: int = setting(0, "Which of the folds, from 0.", Role.DATA, least=0)
    dataset_options: dict = setting(
        {}, "Further options of the data set, e.g. --dataset_options.generator token_cue.", Role.DATA
    )
    modalities: str = setting("text,video,audio", "Any of text, video, audio, joined by commas.", Role.METHOD)
    shots: int | None = setting(
        None,
        "Training samples of each intent, drawn by the seed. null: all; 0: none, to learn from descriptions alone.",
        Role.DATA,
        least=0,
    )
    label_descriptions: str | None = setting(
        None, "JSON file: intent -> list of descriptions. null: the data set's own.", Role.METHOD
    )
    context_utterances: int = setting(
        0,
        "Previous utterances of the same dialogue as a second text segment (mintrec2, or columns like its).",
        Role.METHOD,
        least=0,
    )
    max_context_length: int = setting(
        50, "Tokens kept of them; where they are more, the oldest are cut.", Role.METHOD, least=1
    )
    num_descriptions: int | None = setting(
        None,
        "Descriptions of each intent: the first so many. null: all of the file, or the paper's three.",
        Role.METHOD,
        least=1,
    )
    train_on_descriptions: bool = setting(
        False,
        "Descriptions are training samples of their intents, too: worth most with one or two others.",
        Role.METHOD,
    )

    # Model.
    model: str = setting(
        "amess",
        f"amess, or a baseline: {', '.join(BASELINES)}.",
        Role.METHOD,
        choices=tuple(MODELS),
    )
    model_config: dict = setting({}, "Fields of the model's config, e.g. --model_config.num_anchors 4.", Role.METHOD)
    text_model: str = setting(
        "minilm", "Pretrained text encoder: minilm (comes with the sample extra), a Hub id or a folder.", Role.METHOD
    )
    num_text_layers: int | None = setting(
        None, "Keep only the first layers of the text encoder. null: all.", Role.METHOD, least=1
    )
    description_model: str = setting(
        "minilm", "Sentence-BERT that embeds the label descriptions: minilm, a Hub id or a folder.", Role.METHOD
    )
    freeze_word_embeddings: bool = setting(False, "Do not train the word embeddings.", Role.METHOD)
    freeze_text_layers: int = setting(
        0,
        "Do not train the text encoder's embeddings and so many of its first layers; 0: train all.",
        Role.METHOD,
        least=0,
    )
    attach_media_encoder: bool = setting(
        True,
        "When training is over, put the encoders that made the features into pretrained/, where they are at hand, so "
        "that it takes clips.",
        Role.PLACE,
    )
    attn_implementation: str | None = setting(None, "sdpa or eager. null: the library's choice.", Role.PLACE)

    # Optimisation.
    seed: int = setting(
        0, "Seed of the weights, the order of the data, dropout and the draw of `shots`.", Role.SEED, least=0
    )
    num_train_epochs: int = setting(8, "Passes over the training data.", Role.METHOD, least=1)
    max_steps: int | None = setting(
        None, "Stop after so many optimizer steps (for debugging). null: no limit.", Role.METHOD, least=1
    )
    per_device_train_batch_size: int = setting(
        32, "Training samples per process and forward pass.", Role.METHOD, least=1
    )
    per_device_eval_batch_size: int = setting(
        64, "Samples per process and forward pass in evaluation.", Role.PLACE, least=1
    )
    gradient_accumulation_steps: int = setting(1, "Forward passes per optimizer step.", Role.METHOD, least=1)
    learning_rate: float = setting(2e-4, "Peak learning rate of the pretrained weights.", Role.METHOD, least=0)
    new_learning_rate: float = setting(
        1e-3, "Peak learning rate of the freshly initialised weights.", Role.METHOD, least=0
    )
    weight_decay: float = setting(
        0.01, "AdamW's weight decay; biases and normalisation weights have none.", Role.METHOD, least=0
    )
    warmup_steps: float = setting(
        0.1,
        "Steps over which the learning rate rises, or below 1 their share of all steps; it falls to 0 after.",
        Role.METHOD,
        least=0,
    )
    decay_ratio: float = setting(
        1.0,
        "Share of the steps after which the learning rate is 0; the warm-up shrinks alike. MIntRec2.0's benchmark "
        "takes the length of its schedule from the out-of-scope split: 0.62.",
        Role.METHOD,
        above=0,
        most=1,
    )
    max_grad_norm: float = setting(1.0, "Largest norm of the gradient; 0: no clipping.", Role.METHOD, least=0)
    eval_epochs: int = setting(
        1, "Evaluate on the validation split after so many epochs, and at the end.", Role.METHOD, least=1
    )
    early_stopping_patience: int | None = setting(
        None,
        "Stop after so many evaluations in a row without a better `metric_for_best_model`. null: never.",
        Role.METHOD,
        least=1,
    )
    metric_for_best_model: str = setting(
        "accuracy",
        "Validation metric that chooses the best epoch: accuracy or macro_f1.",
        Role.METHOD,
        choices=("accuracy", "macro_f1"),
    )

    # Speed.
    mixed_precision: str | None = setting(
        None, "no, bf16 or fp16. null: what `accelerate launch` was told.", Role.METHOD, choices=("no", "bf16", "fp16")
    )
    use_cpu: bool = setting(False, "Train on the CPU even where there is an accelerator.", Role.PLACE)
    cpu_threads: int | None = setting(
        None,
        "Threads of a process on the CPU; 0: an equal share of all cores, which pays on an idle machine only. null: "
        "the launcher's choice, which is 1 under accelerate launch.",
        Role.FREE,
        least=0,
    )
    train_sampling_strategy: str = setting(
        "group_by_length",
        "group_by_length: utterances of similar length share a batch. random: they do not.",
        Role.METHOD,
        choices=("random", "group_by_length"),
    )
    dataloader_num_workers: int = setting(
        0, "Processes that read data beside each training process.", Role.FREE, least=0
    )

    # Output, checkpoints, debugging.
    output_dir: str | None = setting(None, "Run folder. null: runs/<dataset>-<model>.", Role.FREE)
    overwrite: bool = setting(
        False, "Delete an earlier run in the run folder; otherwise it is kept under a new name.", Role.FREE
    )
    resume_from_checkpoint: str = setting(
        "auto",
        "auto: continue an unfinished run of the same settings, else start. true: continue or fail. false: start. "
        "Or the path of a checkpoint.",
        Role.FREE,
    )
    save_epochs: int = setting(1, "Write a checkpoint after so many epochs; 0: never.", Role.FREE, least=0)
    save_steps: int | None = setting(
        None, "Also write one after so many optimizer steps. null: no.", Role.FREE, least=1
    )
    save_total_limit: int = setting(1, "How many of the newest checkpoints to keep.", Role.FREE, least=1)
    logging_steps: int = setting(10, "Optimizer steps between two lines of log.jsonl.", Role.FREE, least=1)
    report_to: str = setting(
        "none",
        "Tracker: trackio, tensorboard, wandb or none. log.jsonl is always written.",
        Role.FREE,
        choices=("none", "trackio", "tensorboard", "wandb"),
    )
    overfit_batches: int | None = setting(
        None,
        "Debugging: train, validate and test on the same few batches; accuracy must approach 1.",
        Role.DATA,
        least=1,
    )
    compare_with_text_only: bool = setting(
        False, "Then train the text-only baseline on the same data and print both.", Role.FREE
    )
    push_to_hub: bool = setting(
        False, "At the end, push model and card to the Hub, as `python -m training.publish`.", Role.FREE
    )
    hub_model_id: str | None = setting(None, "Where to: owner/name on the Hub.", Role.FREE)
    hub_private_repo: bool = setting(False, "Make the repository private if the push creates it.", Role.FREE)

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        if isinstance(self.modalities, (list, tuple)):
            self.modalities = ",".join(str(name) for name in self.modalities)
        if isinstance(self.resume_from_checkpoint, bool):
            self.resume_from_checkpoint = str(self.resume_from_checkpoint).lower()
        if self.mixed_precision is False:  # YAML 1.1 reads an unquoted `no` as false.
            self.mixed_precision = "no"
        for item in fields(self):
            setattr(self, item.name, _typed(item.name, getattr(self, item.name), hints[item.name]))
        for item in fields(self):
            _check_value(item.name, getattr(self, item.name), item.metadata["choices"], item.metadata["bounds"])
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
        if self.push_to_hub and self.hub_model_id is None:
            raise SettingsError("push_to_hub needs --hub_model_id owner/name, the model's id on the Hub.")
        if self.push_to_hub and not MODELS[self.model].in_pipeline:
            raise SettingsError(f"Only A-MESS itself can be pushed to the Hub, not the baseline {self.model}.")
        self.modalities = ",".join(self.modality_names)

    def _check_cross_validation(self) -> None:
        folds = self.cross_validation_folds
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

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> TrainingSettings:
        """Read the settings of a run folder, of this version or an earlier one.

        Args:
            saved: Settings by name; one that did not exist yet has its default.

        Raises:
            SettingsError: A setting that this version does not know.
        """
        values = current_settings(saved)
        check_keys(values, SETTING_NAMES, "A run of this version")
        return cls(**values)

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


# Settings that had another name once: old name -> today's, and what makes a value of then one of today.
RENAMED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "batch_size": ("per_device_train_batch_size", _unchanged),
    "eval_batch_size": ("per_device_eval_batch_size", _unchanged),
    "max_train_steps": ("max_steps", _unchanged),
    "warmup_ratio": ("warmup_steps", _unchanged),
    "evaluate_every_epochs": ("eval_epochs", _unchanged),
    "monitor": ("metric_for_best_model", _unchanged),
    "bucket_by_length": ("train_sampling_strategy", _sampling_strategy),
    "cpu": ("use_cpu", _unchanged),
    "resume": ("resume_from_checkpoint", _unchanged),
    "checkpoint_every_epochs": ("save_epochs", _unchanged),
    "checkpoint_every_steps": ("save_steps", _unchanged),
    "keep_checkpoints": ("save_total_limit", _unchanged),
}
SETTING_NAMES = tuple(item.name for item in fields(TrainingSettings))


def settings_of(*roles: Role) -> tuple[str, ...]:
    """Names of the settings that have one of these roles."""
    return tuple(item.name for item in fields(TrainingSettings) if item.metadata["role"] in roles)


def current_settings(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return saved settings under today's names; entries that were never settings stay as they are."""
    current = {}
    for name, value in saved.items():
        new, convert = RENAMED.get(name, (name, _unchanged))
        current[new] = convert(value)
    return current


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
    given = _with_current_names(_command_line(arguments), prefix="--")
    for key, value in given.items():
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
    return _with_current_names(values, prefix=f"{path}: ")


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


def _with_current_names(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the values under today's names, and say on stderr which names are old.

    Args:
        values: By setting, or by the dotted key of an entry.
        prefix: What stands before a name where the user wrote it.

    Raises:
        SettingsError: An unknown name, or a setting under its old and its new name.
    """
    current: dict[str, Any] = {}
    for key, value in values.items():
        new = key
        if key in RENAMED:
            new, convert = RENAMED[key]
            value = convert(value)
            print(f"{prefix}{key} is called {new} now.", file=sys.stderr)
            if new in values:
                raise SettingsError(f"{prefix}{key} and {new} are one setting: give {new} alone.")
        _known(str(new).partition(".")[0], prefix)
        current[new] = value
    return current


def _command_line(arguments: list[str]) -> dict[str, Any]:
    """Texts by dotted key, or True for a boolean that stands alone; of a key given twice the last."""
    pairs: dict[str, Any] = {}
    hints = typing.get_type_hints(TrainingSettings)
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if not word.startswith("--"):
            raise SettingsError(f"Unexpected word {word!r}: a preset stands first, settings are given as --key value.")
        key, equals, value = word[2:].partition("=")
        key = key.replace("-", "_")
        name = RENAMED[key][0] if key in RENAMED else key
        _known(name.partition(".")[0], "--")
        if not equals:
            if position < len(arguments) and not arguments[position].startswith("--"):
                value = arguments[position]
                position += 1
            elif hints.get(name) is bool or "." in key or key == "resume_from_checkpoint":
                value = "true"
            else:
                raise SettingsError(f"--{key} needs a value ({_type_name(hints[name])}).")
        pairs[key] = value
    return pairs


def _check_value(name: str, value: Any, choices: Sequence[str], bounds: Mapping[str, float | None]) -> None:
    """Raise SettingsError for a value that is not one of the choices, or out of bounds."""
    if value is None:
        return
    if choices and value not in choices:
        raise SettingsError(f"{name}={value!r} is not one of {', '.join(choices)}.{_nearest(value, choices)}")
    fits = {
        "at least": (bounds["least"], operator.ge),
        "at most": (bounds["most"], operator.le),
        "above": (bounds["above"], operator.gt),
        "below": (bounds["below"], operator.lt),
    }
    wanted = [(words, bound, fit) for words, (bound, fit) in fits.items() if bound is not None]
    if not all(fit(value, bound) for _, bound, fit in wanted):
        said = " and ".join(f"{words} {bound}" for words, bound, _ in wanted)
        raise SettingsError(f"{name}={value} must be {said}.")


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
