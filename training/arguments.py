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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from dataset_scripts.errors import UserError
from dataset_scripts.registry import DATASETS, SCOPES
from dataset_scripts.user_text import UserTextError, read_user_text

from .models import BASELINES, MODELS


CONFIG_FOLDER = Path(__file__).parent / "configs"
DEFAULT_CONFIG = CONFIG_FOLDER / "sample.yaml"

MODALITIES = ("text", "video", "audio")
# Methods of sentence_embeddings.py: classifiers on top of a sentence encoder, without a model that could be saved.
SENTENCE_METHODS = ("logistic", "setfit", "descriptions")


class Role(enum.Enum):
    """Meaning of a setting for the result of a run, and for comparisons between runs."""

    DATA = "Chooses the utterances for training and tests: runs that differ in it share no table."
    METHOD = "Chooses how a model learns: runs that differ in it are different experiments."
    SEED = "Draws what is random: runs that differ in it alone are one experiment."
    PLACE = "Chooses where a run computes: a continued run keeps it, and experiments do not depend on it."
    FREE = "Does not change the result: a continued run may change it."


class SettingsError(UserError):
    """A setting that is unknown, of the wrong type or out of range. The message names the key and the remedy."""


class Bound(NamedTuple):
    """A limit of a setting's values, in words and as a comparison."""

    words: str
    limit: float
    fits: Callable[[float, float], bool]


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
    group: str = "",
) -> Any:
    """Define a setting completely; every list of settings is derived from these fields.

    Args:
        default: Default value; a dict is copied for every instance.
        description: Text of `--help`.
        role: Meaning of the setting for the result.
        choices: The only valid values; empty where there are others.
        least: Lowest valid value.
        most: Highest valid value.
        above: Number that a value must exceed.
        below: Number that a value must stay under.
        group: Heading in `--help`, at the first setting of a group.
    """
    bounds = tuple(
        Bound(words, limit, fits)
        for words, limit, fits in (
            ("at least", least, operator.ge),
            ("at most", most, operator.le),
            ("above", above, operator.gt),
            ("below", below, operator.lt),
        )
        if limit is not None
    )
    metadata = {"help": description, "role": Role(role), "choices": choices, "bounds": bounds, "group": group}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def _unchanged(value: Any) -> Any:
    return value


def _sampling_strategy(bucket_by_length: Any) -> str:
    return "group_by_length" if _typed("bucket_by_length", bucket_by_length, bool) else "random"


def _joined(value: Any) -> Any:
    """Join a list, as presets may have it, by commas."""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value


@dataclass
class TrainingSettings:
    """Settings of a run.

    You will most likely change `dataset`, `data_dir`, `model`, `text_model`, `modalities`, `seed` and `output_dir`.

    Raises:
        SettingsError: A value of the wrong type, outside its range or not one of its choices, or two settings that
            contradict each other.
    """

    dataset: str = setting(
        "sample",
        f"{', '.join(DATASETS)}, or a folder that amess extract or DatasetDict.save_to_disk wrote.",
        Role.DATA,
        group="Data",
    )
    data_dir: str | None = setting(
        None, "Folder with the released files of the data set (mintrec, mintrec2, planted).", Role.PLACE
    )
    scope: str = setting("in-scope", "Utterances of mintrec2.", Role.DATA, choices=SCOPES)
    out_of_scope: str = setting(
        "class",
        "Use of utterances of no intent (label UNK; mintrec2 with scope=all). class: one more label. "
        "outlier_exposure: trained towards equal logits. none: no training on them. The last two decide by DOC.",
        Role.DATA,
        choices=("class", "outlier_exposure", "none"),
    )
    outlier_exposure_weight: float = setting(
        1.0, "Weight of the loss of an out-of-scope utterance in outlier exposure.", Role.METHOD, least=0
    )
    held_out_intents: float | None = setting(
        None,
        "Share of the intents that are out of scope: left out of training, to be rejected in evaluation. Needs "
        "out_of_scope=none. null: none.",
        Role.DATA,
        above=0,
        below=1,
    )
    held_out_seed: int = setting(0, "Seed of the draw of held-out intents.", Role.DATA, least=0)
    unlabelled: str = setting(
        "refuse",
        "Utterances without a label (-1, none or blank). refuse: an error. leave_out: the run goes without them and "
        "says how many they are.",
        Role.DATA,
        choices=("refuse", "leave_out"),
    )
    test_from_validation: bool = setting(
        False,
        "For data without a test split: half of the validation split's dialogues are the test split, the other half "
        "chooses epoch, threshold and temperature.",
        Role.DATA,
    )
    cross_validation_folds: int | None = setting(
        None,
        "Number of folds of the training split, dialogues whole; one fold is the test split. The released test split "
        "is not read: for a choice of settings that a small validation split cannot decide.",
        Role.DATA,
        least=2,
    )
    cross_validation_fold: int = setting(0, "Number of the fold that is the test split, from 0.", Role.DATA, least=0)
    dataset_options: dict[str, Any] = setting(  # noqa: RUF009 (setting makes a field)
        {}, "More options of the data set, e.g. --dataset_options.generator token_cue.", Role.DATA
    )
    modalities: str = setting("text,video,audio", "Any of text, video, audio, joined by commas.", Role.METHOD)
    shots: int | None = setting(
        None,
        "Training utterances per intent, drawn by the seed. null: all. 0: none, to learn from descriptions alone.",
        Role.DATA,
        least=0,
    )
    label_descriptions: str | None = setting(
        None, "JSON file: intent -> list of descriptions. null: those that come with the data set.", Role.METHOD
    )
    context_utterances: int = setting(
        0,
        "Previous utterances of the same dialogue in a second text segment (needs dialogue_id and utterance_id, as in "
        "mintrec2).",
        Role.METHOD,
        least=0,
    )
    max_context_length: int = setting(
        50, "Tokens of the previous utterances; the oldest tokens are cut.", Role.METHOD, least=1
    )
    num_descriptions: int | None = setting(
        None,
        "Descriptions per intent, from the first. null: all of the file, or the paper's three.",
        Role.METHOD,
        least=1,
    )
    train_on_descriptions: bool = setting(
        False,
        "Use descriptions as training texts of their intents, too. This helps most with one or two shots.",
        Role.METHOD,
    )
    model: str = setting(
        "amess",
        f"amess, or a baseline: {', '.join(BASELINES)}. {', '.join(SENTENCE_METHODS)}: methods of "
        "training/sentence_embeddings.py.",
        Role.METHOD,
        choices=(*MODELS, *SENTENCE_METHODS),
        group="Model",
    )
    model_config: dict[str, Any] = setting(  # noqa: RUF009 (setting makes a field)
        {}, "Fields of the model's config, e.g. --model_config.num_anchors 4.", Role.METHOD
    )
    text_model: str = setting(
        "minilm", "Pretrained text encoder: minilm (part of the sample extra), a Hub id or a folder.", Role.METHOD
    )
    num_text_layers: int | None = setting(
        None, "Number of layers of the text encoder, from the first. null: all.", Role.METHOD, least=1
    )
    description_model: str = setting(
        "minilm", "Sentence-BERT that embeds the label descriptions: minilm, a Hub id or a folder.", Role.METHOD
    )
    freeze_word_embeddings: bool = setting(False, "Do not train the word embeddings.", Role.METHOD)
    freeze_text_layers: int = setting(
        0,
        "Number of first layers of the text encoder that are not trained, together with its embeddings. 0: train all.",
        Role.METHOD,
        least=0,
    )
    attach_media_encoder: bool = setting(
        True,
        "After training, add the encoders that made the features to pretrained/, where they are available, so that "
        "the model takes clips.",
        Role.PLACE,
    )
    attn_implementation: str | None = setting(None, "sdpa or eager. null: the library's choice.", Role.PLACE)

    modality_dropout: float = setting(
        0.0,
        "Probability that a training utterance loses a modality, drawn anew every epoch; one modality always stays. "
        "For models that must do without a modality in use.",
        Role.METHOD,
        least=0,
        below=1,
    )
    dropped_modalities: str = setting(
        "video,audio", "Modalities that modality_dropout drops: any of text, video, audio.", Role.METHOD
    )
    class_weights: str | None = setting(
        None,
        "Weights of the intents in the cross-entropy. balanced: rare intents count more, so that all count the same. "
        'Or weights by intent, "{Taunt: 2}"; the others have 1. null: every utterance counts the same.',
        Role.METHOD,
    )
    label_smoothing_factor: float = setting(
        0.0, "Share of each target that is spread evenly over all intents.", Role.METHOD, least=0, below=1
    )
    soft_labels: str | None = setting(
        None,
        "Column of the training split with one probability per intent, in the order of the labels: votes of "
        "annotators, or the answers of another model. The cross-entropy uses them in place of the labels.",
        Role.METHOD,
    )

    seed: int = setting(
        0,
        "Seed of new weights, order of the data, dropout and the draw of shots.",
        Role.SEED,
        least=0,
        group="Optimisation",
    )
    num_train_epochs: int = setting(8, "Passes over the training data.", Role.METHOD, least=1)
    max_steps: int | None = setting(
        None, "Largest number of optimizer steps, for debugging. null: no limit.", Role.METHOD, least=1
    )
    per_device_train_batch_size: int = setting(
        32, "Training utterances per process and forward pass.", Role.METHOD, least=1
    )
    per_device_eval_batch_size: int = setting(
        64, "Utterances per process and forward pass in evaluation.", Role.PLACE, least=1
    )
    gradient_accumulation_steps: int = setting(1, "Forward passes per optimizer step.", Role.METHOD, least=1)
    learning_rate: float = setting(2e-4, "Peak learning rate of pretrained weights.", Role.METHOD, least=0)
    new_learning_rate: float = setting(1e-3, "Peak learning rate of new weights.", Role.METHOD, least=0)
    weight_decay: float = setting(
        0.01, "Weight decay of AdamW for matrices; biases and normalisation weights have none.", Role.METHOD, least=0
    )
    warmup_steps: float = setting(
        0.1,
        "Steps over which the learning rate rises, before it falls to 0. Below 1: share of all steps.",
        Role.METHOD,
        least=0,
    )
    decay_ratio: float = setting(
        1.0,
        "Share of all steps at which the learning rate reaches 0; a warm-up given as a share shrinks alike. "
        "MIntRec2.0's benchmark takes the length of its schedule from the out-of-scope split: 0.62.",
        Role.METHOD,
        above=0,
        most=1,
    )
    max_grad_norm: float = setting(1.0, "Largest norm of the gradient. 0: no clipping.", Role.METHOD, least=0)
    eval_epochs: int = setting(
        1, "Epochs between two evaluations on the validation split; the last epoch has one.", Role.METHOD, least=1
    )
    early_stopping_patience: int | None = setting(
        None,
        "Number of evaluations in a row without a better metric_for_best_model that stops the run. null: never.",
        Role.METHOD,
        least=1,
    )
    metric_for_best_model: str = setting(
        "accuracy", "Validation metric that chooses the best epoch.", Role.METHOD, choices=("accuracy", "macro_f1")
    )

    mixed_precision: str | None = setting(
        None,
        "Precision of the forward passes. null: the choice of accelerate launch.",
        Role.METHOD,
        choices=("no", "bf16", "fp16"),
        group="Speed",
    )
    use_cpu: bool = setting(False, "Train on the CPU even where there is an accelerator.", Role.PLACE)
    cpu_threads: int | None = setting(
        None,
        "Threads per process on the CPU. 0: an equal share of all cores, which is faster on an idle machine only. "
        "null: the launcher's choice, which is 1 under accelerate launch.",
        Role.FREE,
        least=0,
    )
    train_sampling_strategy: str = setting(
        "group_by_length",
        "group_by_length: utterances of similar length share a batch. random: any utterances do.",
        Role.METHOD,
        choices=("random", "group_by_length"),
    )
    dataloader_num_workers: int = setting(0, "Processes that read data, per training process.", Role.FREE, least=0)

    output_dir: str | None = setting(
        None, "Run folder. null: runs/<dataset>-<model>.", Role.FREE, group="Output, checkpoints, debugging"
    )
    overwrite: bool = setting(
        False, "Delete an earlier run in the run folder. false: keep it under a new name.", Role.FREE
    )
    resume_from_checkpoint: str = setting(
        "auto",
        "auto: continue a run of the same settings, show a finished one, or start. true: do not start. false: start. "
        "Or the path of a checkpoint.",
        Role.FREE,
    )
    save_epochs: int = setting(1, "Epochs between two checkpoints. 0: no checkpoints.", Role.FREE, least=0)
    save_steps: int | None = setting(
        None, "Optimizer steps between two more checkpoints. null: none.", Role.FREE, least=1
    )
    save_total_limit: int = setting(1, "Number of newest checkpoints to keep.", Role.FREE, least=1)
    keep_finished_checkpoints: bool = setting(
        False, "Keep the checkpoints of a finished run, which nothing needs any more.", Role.FREE
    )
    logging_steps: int = setting(10, "Optimizer steps between two lines of log.jsonl.", Role.FREE, least=1)
    report_to: str = setting(
        "none",
        "Experiment tracker; log.jsonl is always written.",
        Role.FREE,
        choices=("none", "trackio", "tensorboard", "wandb"),
    )
    overfit_batches: int | None = setting(
        None,
        "For debugging: number of batches to train, validate and test on; accuracy must approach 1.",
        Role.DATA,
        least=1,
    )
    compare_with_text_only: bool = setting(
        False, "Train the text-only baseline on the same data afterwards, and print both.", Role.FREE
    )
    push_to_hub: bool = setting(
        False, "Push model and card to the Hub at the end, as python -m training.publish does.", Role.FREE
    )
    hub_model_id: str | None = setting(None, "Id of the model on the Hub: owner/name.", Role.FREE)
    hub_private_repo: bool = setting(False, "Make a new repository on the Hub private.", Role.FREE)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in _OTHER_FORMS:
                value = _OTHER_FORMS[item.name](value)
            value = _typed(item.name, value, _HINTS[item.name])
            _check_value(item.name, value, item.metadata["choices"], item.metadata["bounds"])
            setattr(self, item.name, value)
        self.modalities = ",".join(self.modality_names)
        self.dropped_modalities = ",".join(_modalities("dropped_modalities", self.dropped_modalities))
        for conflict in (*self._data_conflicts(), *self._method_conflicts()):
            raise SettingsError(conflict)

    def _data_conflicts(self) -> Iterator[str]:
        """Messages about settings of the data that contradict each other."""
        if self.held_out_intents is not None and self.out_of_scope != "none":
            yield (
                f"held_out_intents are not trained on, but out_of_scope={self.out_of_scope} trains on utterances out "
                "of scope: add --out_of_scope none."
            )
        if self.shots is not None and self.out_of_scope == "outlier_exposure":
            yield (
                "shots is a number of utterances per intent, but outlier_exposure also trains on utterances of no "
                "intent: use --out_of_scope class or none."
            )
        if self.shots == 0 and self.overfit_batches is not None:
            yield "shots=0 leaves no utterance to overfit: use --shots 1."
        folds = self.cross_validation_folds
        if folds is None:
            return
        if self.cross_validation_fold >= folds:
            yield (
                f"cross_validation_fold={self.cross_validation_fold} must be below cross_validation_folds={folds}: "
                "folds are counted from 0."
            )
        if self.test_from_validation:
            yield "test_from_validation and cross_validation_folds both choose the test data: give one of the two."
        if self.overfit_batches is not None:
            yield "overfit_batches tests on the training batches: leave out --cross_validation_folds."

    def _method_conflicts(self) -> Iterator[str]:
        """Messages about settings of the method that contradict each other."""
        for name in ("context_utterances", "train_on_descriptions"):
            if getattr(self, name) and "text" not in self.modality_names:
                yield f"{name} adds text, but modalities={self.modalities} has none: add text to --modalities."
        dropped = [name for name in self.dropped_modalities.split(",") if name in self.modality_names]
        if self.modality_dropout and (not dropped or len(self.modality_names) < 2):
            yield (
                f"modality_dropout has nothing to drop: the run reads {self.modalities}, and dropped_modalities is "
                f"{self.dropped_modalities}. Give two modalities or more, one of which may be dropped."
            )
        if self.model in SENTENCE_METHODS:
            for name in ("modality_dropout", "class_weights", "label_smoothing_factor", "soft_labels"):
                if getattr(self, name):
                    yield f"{name} is for models that train.py trains, not for model={self.model}: leave it out."
        if self.soft_labels is not None and (self.held_out_intents is not None or self.out_of_scope != "class"):
            yield (
                f"soft_labels={self.soft_labels} has a probability for every label, and out_of_scope="
                f"{self.out_of_scope} leaves labels out: use --out_of_scope class without held_out_intents."
            )
        if self.model in SENTENCE_METHODS and (self.modality_names != ("text",) or self.model_config):
            yield f"model={self.model} reads text alone and has no config: add --modalities text --model_config {{}}."
        if self.push_to_hub and self.hub_model_id is None:
            yield "push_to_hub needs the model's id on the Hub: add --hub_model_id owner/name."
        if self.push_to_hub and (self.model in SENTENCE_METHODS or not MODELS[self.model].in_pipeline):
            yield f"Only A-MESS can be pushed to the Hub, not model={self.model}: leave out --push_to_hub."

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> TrainingSettings:
        """Read the settings of a run that this version or an earlier one wrote.

        Args:
            saved: Settings by name; a setting that did not exist yet gets its default.

        Raises:
            SettingsError: A setting that this version does not know.
        """
        values = current_settings(saved)
        check_keys(values, SETTING_NAMES, "A run of this version")
        return cls(**values)

    @property
    def modality_names(self) -> tuple[str, ...]:
        """Chosen modalities, in the fixed order text, video, audio."""
        return _modalities("modalities", self.modalities)

    @property
    def run_folder(self) -> Path:
        """Run folder: `output_dir`, or `runs/<dataset>-<model>` under the current folder."""
        # The name of `.` and `..` is that of the folder they mean.
        name = Path(self.dataset).name if self.dataset in DATASETS else Path(self.dataset).resolve().name
        return Path(self.output_dir or f"runs/{name or 'data'}-{self.model}")


def _modalities(setting_name: str, text: str) -> tuple[str, ...]:
    """Read modalities, joined by commas, into the fixed order text, video, audio."""
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    for name in chosen:
        if name not in MODALITIES:
            raise SettingsError(
                f"{setting_name}={text!r} holds {name!r}, which is not one of {', '.join(MODALITIES)}."
                f"{_nearest(name, MODALITIES)}"
            )
    if not chosen:
        raise SettingsError(f"{setting_name} is empty: give at least one of {', '.join(MODALITIES)}.")
    return tuple(name for name in MODALITIES if name in chosen)


# Settings with an older name: old name -> today's name, and a conversion of the old value.
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
_HINTS = typing.get_type_hints(TrainingSettings)
# Values of presets and Python code that mean a value of the setting's own type.
_OTHER_FORMS: dict[str, Callable[[Any], Any]] = {
    "modalities": _joined,
    "dropped_modalities": _joined,
    # A preset may hold the weights as a mapping.
    "class_weights": lambda value: (
        str(yaml.safe_dump(dict(value), default_flow_style=True, width=10**6)).strip()
        if isinstance(value, Mapping)
        else value
    ),
    "resume_from_checkpoint": lambda value: str(value).lower() if isinstance(value, bool) else value,
    "mixed_precision": lambda value: "no" if value is False else value,  # YAML 1.1 reads an unquoted `no` as false
}


def settings_of(*roles: Role) -> tuple[str, ...]:
    """List the settings that have one of these roles."""
    return tuple(item.name for item in fields(TrainingSettings) if item.metadata["role"] in roles)


def current_settings(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return saved settings under today's names; entries that are no settings stay unchanged."""
    current = {}
    for name, value in saved.items():
        new, convert = RENAMED.get(name, (name, _unchanged))
        current[new] = convert(value)
    return current


def parse_settings(arguments: Sequence[str]) -> TrainingSettings:
    """Read `[preset.yaml] [--key value ...]`.

    Args:
        arguments: Command line without the program's name. The first word may be a preset: a path, or the name of a
            file in `training/configs/`. Keys are written `--key value` or `--key=value`; a boolean needs no value;
            entries of a dict are dotted (`--model_config.num_anchors 4`).

    Returns:
        The preset's values (`configs/sample.yaml` if none is named), replaced by those of the command line.

    Raises:
        SettingsError: An unknown key, a value of the wrong type, a preset that cannot be read.
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
        if _kind(_HINTS[name]) is not dict:
            raise SettingsError(f"--{key}: {name} is a single value and has no entry {'.'.join(path)!r}.")
        entries = values[name] = _typed(name, values.get(name) or {}, dict)
        for step in path[:-1]:
            entries[step] = dict(entries.get(step) or {})
            entries = entries[step]
        entries[path[-1]] = _from_text(value)
    return TrainingSettings(**values)


def find_preset(name: str) -> Path:
    """Find a preset by its path, or by its name in `training/configs/` (with or without `.yaml`).

    Raises:
        SettingsError: There is no such file.
    """
    for candidate in (Path(name), CONFIG_FOLDER / name, CONFIG_FOLDER / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    presets = sorted(path.name for path in CONFIG_FOLDER.glob("*.yaml"))
    raise SettingsError(
        f"There is no preset {name!r}: it is neither a file nor one of {', '.join(presets)}."
        f"{_nearest(Path(name).name, presets)}"
    )


def read_preset(path: Path) -> dict[str, Any]:
    """Read the values of a preset.

    Raises:
        SettingsError: Invalid YAML or an unknown key. The message names the file.
    """
    try:
        values = yaml.safe_load(read_user_text(path)) or {}
    except UserTextError as error:
        raise SettingsError(str(error)) from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path} holds a {type(values).__name__}, but a preset maps settings to values.")
    return _with_current_names(values, prefix=f"{path}: ")


def check_keys(given: Mapping[str, Any], valid: Sequence[str], what: str) -> None:
    """Raise SettingsError for a key of `given` that is not in `valid`; the message names the nearest valid key."""
    for key in given:
        if key not in valid:
            raise SettingsError(
                f"{what} has no field {key!r}.{_nearest(key, valid)} Valid fields: {', '.join(sorted(valid))}."
            )


def help_text() -> str:
    """Describe all settings: type, default, choices, bounds and meaning."""
    presets = ", ".join(sorted(path.name for path in CONFIG_FOLDER.glob("*.yaml")))
    lines = ["amess train [preset.yaml] [--key value ...]", "", f"Presets: {presets}"]
    for item in fields(TrainingSettings):
        if item.metadata["group"]:
            lines += ["", f"{item.metadata['group']}:"]
        default = {} if item.default is MISSING else item.default
        facts = [_type_name(_HINTS[item.name]), f"default {_shown(default)}"]
        if item.metadata["choices"]:
            facts.append(f"one of {', '.join(item.metadata['choices'])}")
        facts += [f"{bound.words} {bound.limit}" for bound in item.metadata["bounds"]]
        lines.append(f"  --{item.name} ({'; '.join(facts)})")
        lines.append(f"      {item.metadata['help']}")
    return "\n".join(lines)


def _with_current_names(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the values under today's names, and say on stderr which names are old.

    Args:
        values: By setting, or by the dotted key of an entry.
        prefix: Words before a name where the user wrote it.

    Raises:
        SettingsError: An unknown name, or a setting under its old and its new name.
    """
    current: dict[str, Any] = {}
    for key, value in values.items():
        new = key
        if key in RENAMED:
            new, convert = RENAMED[key]
            value = convert(value)
            _tell_renamed(f"{prefix}{key}", new)
            if new in values:
                raise SettingsError(f"{prefix}{key} and {new} are one setting: give {new} alone.")
        _known(str(new).partition(".")[0], prefix)
        current[new] = value
    return current


@cache  # A command reads its words twice: before its libraries load, and at its start.
def _tell_renamed(old: str, new: str) -> None:
    print(f"{old} is called {new} now.", file=sys.stderr)


def _command_line(arguments: list[str]) -> dict[str, Any]:
    """Values as text by dotted key; of a key given twice the last."""
    pairs: dict[str, Any] = {}
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if not word.startswith("--"):
            raise SettingsError(f"Unexpected word {word!r}: a preset comes first, settings are given as --key value.")
        key, equals, value = word[2:].partition("=")
        key = key.replace("-", "_")
        name = RENAMED[key][0] if key in RENAMED else key
        _known(name.partition(".")[0], "--")
        if not equals:
            if position < len(arguments) and not arguments[position].startswith("--"):
                value = arguments[position]
                position += 1
            elif _HINTS.get(name) is bool or "." in key or key == "resume_from_checkpoint":
                value = "true"
            else:
                raise SettingsError(f"--{key} needs a value ({_type_name(_HINTS[name])}).")
        pairs[key] = value
    return pairs


def _check_value(name: str, value: Any, choices: Sequence[str], bounds: Sequence[Bound]) -> None:
    """Raise SettingsError for a value that is not one of the choices, or out of bounds."""
    if value is None:
        return
    if choices and value not in choices:
        raise SettingsError(f"{name}={value!r} is not one of {', '.join(choices)}.{_nearest(value, choices)}")
    if not all(bound.fits(value, bound.limit) for bound in bounds):
        required = " and ".join(f"{bound.words} {bound.limit}" for bound in bounds)
        raise SettingsError(f"{name}={value} must be {required}.")


def _known(key: str, prefix: str) -> None:
    if key not in SETTING_NAMES:
        raise SettingsError(
            f"{prefix}{key} is not a setting.{_nearest(key, SETTING_NAMES)} See --help for all of them."
        )


def _nearest(word: str, choices: Sequence[str]) -> str:
    # A low cutoff: some suggestion is worth more to the reader than none.
    matches = difflib.get_close_matches(str(word), choices, n=1, cutoff=0.4)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def _typed(name: str, value: Any, hint: Any) -> Any:
    """Return `value` as the annotated type: texts of the command line are parsed, other values must have the type."""
    if isinstance(hint, types.UnionType) and (value is None or str(value).lower() in ("null", "none", "~", "")):
        return None
    try:
        return _READERS[_kind(hint)](value)
    except (TypeError, ValueError, yaml.YAMLError):
        raise SettingsError(f"{name}={value!r} is of the wrong type: expected {_type_name(hint)}.") from None


def _read_bool(value: Any) -> bool:
    if isinstance(value, str):
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        value = words.get(value.lower())
    if not isinstance(value, bool):
        raise TypeError
    return value


def _read_str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _read_dict(value: Any) -> dict[str, Any]:
    value = yaml.safe_load(value) if isinstance(value, str) else value
    if not isinstance(value, Mapping):
        raise TypeError
    return dict(value)


def _read_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError
    return float(value)


def _read_int(value: Any) -> int:
    if isinstance(value, str):
        return int(value)
    if not _read_float(value).is_integer():
        raise ValueError
    return int(value)


_READERS: dict[type, Callable[[Any], Any]] = {
    bool: _read_bool,
    str: _read_str,
    dict: _read_dict,
    int: _read_int,
    float: _read_float,
}


def _kind(hint: Any) -> type:
    """Type of a setting's values, without `None` and without parameters."""
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    kind: type = typing.get_origin(hint) or hint
    return kind


def _from_text(text: str) -> Any:
    """Parse an entry of a dict, which has no annotated type: as YAML, but `2e-5` is a number."""
    value = yaml.safe_load(text)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _type_name(hint: Any) -> str:
    name = _kind(hint).__name__
    return f"{name} or null" if isinstance(hint, types.UnionType) else name


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
