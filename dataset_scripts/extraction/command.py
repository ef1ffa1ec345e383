# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line of feature extraction, also known as `amess extract`."""

from __future__ import annotations

import argparse
import math
import runpy
import sys
from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DiskError, UserError, as_interrupt, loading
from ..registry import SCOPES, WITH_CLIPS
from .settings import DTYPES, ExtractionSettings


if TYPE_CHECKING:
    from modeling_amess import AmessMediaEncoder
    from modeling_amess.clip_amess import MediaLimits

    from .rows import ClipRows

# Nothing above takes time to import: the help of a command should appear at once. The functions below import the rest.
DESCRIPTION = """\
Extract features from clips: those of each frame with Swin, those of each audio step with WavLM.

The clips are a folder (with its subfolders), a TSV or CSV file, or the released files of a data set. A file has a
header and one line per clip: column clip (path relative to the file), and where you have them id, text, label, split
(train, validation, test) and others, which are kept. For training, give text, label and split.
"""
EXAMPLES = """\
examples:
  amess extract clips/ --output features/
  amess extract clips.tsv --output features/ --dtype float32
  amess extract --dataset mintrec --data_dir MIntRec --output features/mintrec
  amess extract clips/ --output features/ --video_model none               # sound alone
  amess extract clips/ --output features/ --media_encoder features/old/media_encoder
  accelerate launch --multi_gpu --num_processes 4 -m dataset_scripts.extract_features clips.tsv --output features/
  torchrun --nproc_per_node 2 -m dataset_scripts.extract_features clips.tsv --output features/ --use_cpu

then:
  accelerate launch training/train.py --dataset features/ --label_descriptions descriptions.json
  >>> from dataset_scripts import load_extracted_features
  >>> load_extracted_features("features/")

An interrupted run continues when the same command is given again. A clip that cannot be used is reported, gets
features of zero frames and a line in failed.jsonl; the others are extracted.

exit status: 0 all clips were extracted, 1 some failed, 2 the command or its input is wrong or the disk is full, 130 or
143 after Ctrl-C or SIGTERM; the same command then continues.
"""
NO_MODEL = "none"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    defaults = ExtractionSettings()
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument("source", nargs="?", metavar="FOLDER_OR_TSV", help="the clips: a folder, or a TSV or CSV file")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder of the features, new or from an interrupted run"
    )

    data = parser.add_argument_group("clips of a data set, instead of FOLDER_OR_TSV")
    data.add_argument("--dataset", choices=WITH_CLIPS, help="name of the data set")
    data.add_argument("--data_dir", metavar="DIR", help="folder with its released files (mintrec, mintrec2)")
    data.add_argument("--scope", choices=SCOPES, default="in-scope", help="utterances of mintrec2 (%(default)s)")

    encoders = parser.add_argument_group("encoders")
    encoders.add_argument(
        "--video_model",
        metavar="MODEL",
        help="Hub id or folder of a Swin, or none (microsoft/swin-base-patch4-window7-224)",
    )
    encoders.add_argument(
        "--audio_model",
        metavar="MODEL",
        help="Hub id or folder of a WavLM or wav2vec 2.0, or none (microsoft/wavlm-base-plus)",
    )
    encoders.add_argument("--frame_rate", type=float, metavar="HZ", help="frames per second that are encoded (6)")
    encoders.add_argument(
        "--media_encoder",
        metavar="DIR",
        help="a saved AmessMediaEncoder, which has its own models and frame rate; sample: the sample's tiny one",
    )

    run = parser.add_argument_group("running and writing")
    for group, name, help in (
        (encoders, "max_video_length", "frames kept per clip"),
        (encoders, "max_audio_length", "audio steps kept per clip"),
        (run, "batch_size", "clips encoded together"),
        (run, "rows_per_part", "rows per Parquet file"),
    ):
        group.add_argument(
            f"--{name}", type=int, default=getattr(defaults, name), metavar="N", help=f"{help} (%(default)s)"
        )
    run.add_argument("--dtype", choices=DTYPES, default=defaults.dtype, help="type on disk (%(default)s)")
    run.add_argument(
        "--num_workers", type=int, metavar="N", help="decoding processes beside each encoding process (by cores)"
    )
    run.add_argument("--use_cpu", action="store_true", help="encode on the CPU although there is an accelerator")
    run.add_argument("--cpu", dest="use_cpu", nargs=0, action=_RenamedFlag, help=argparse.SUPPRESS)

    add_limit_arguments(parser)


def add_limit_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one option per limit on clips to the parser of a command that reads clips."""
    group = parser.add_argument_group("limits on clips", "A clip that breaks one is not used.")
    for field in _limit_fields():
        group.add_argument(
            f"--{field.name}",
            type=_limit(type(field.default)),
            default=field.default,
            metavar="N",
            help=f"{field.metadata['help']} (%(default)s)",
        )


def limits_of(arguments: argparse.Namespace) -> MediaLimits:
    """Make the limits that the options of `add_limit_arguments` set."""
    from modeling_amess.clip_amess import MediaLimits

    return MediaLimits(**{field.name: getattr(arguments, field.name) for field in fields(MediaLimits)})


def error_in_words(error: Exception, clip: str | None = None) -> str:
    """Say an error in the words of the command line, with the name of its clip.

    Args:
        error: Error that stopped a clip or the command.
        clip: Clip that was being read, if any.
    """
    from modeling_amess.clip_amess import MediaError

    if isinstance(error, MediaError):
        return f"{error.source}: {error.command_reason}"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        message = f"{error.filename}: {error.strerror}."  # without the system's number
    elif isinstance(error, (OSError, ValueError, ImportError)):
        message = str(error)
    else:
        message = f"{type(error).__name__}: {error}"
    return message if clip is None or clip in message else f"{clip}: {message}"


def answer_or_error(ask: Callable[..., Any], parts: Any, name: str, **options: Any) -> dict[str, Any]:
    """Ask the pipeline about one input; what stops it is the `error` of the answer and stops no other input.

    Args:
        ask: The pipeline, or a function of the same arguments.
        parts: Input of the pipeline.
        name: Name of the input in the message.
        options: Further arguments of the call.

    Raises:
        DiskError: The disk is full, which stops the other inputs, too.
    """
    try:
        answer: dict[str, Any] = ask(parts, **options)
    except Exception as error:  # libraries raise many types for damage
        if as_interrupt(error) is not None or isinstance(error, DiskError):
            raise
        return {"error": error_in_words(error, name)}
    return answer


def _limit_fields() -> tuple[Field[Any], ...]:
    # The package loads transformers when it is imported. The module of limits alone needs nothing.
    package = find_spec("modeling_amess")
    assert package is not None and package.submodule_search_locations
    module = runpy.run_path(str(Path(package.submodule_search_locations[0]) / "limits_amess.py"))
    return fields(module["MediaLimits"])


def _limit(kind: type[Any]) -> Callable[[str], Any]:
    def number(text: str) -> Any:
        value = float(text)
        if not (math.isfinite(value) and value > 0):
            raise ValueError(text)
        return kind(value)

    number.__name__ = "positive number"  # argparse names it in its errors
    return number


def run(arguments: argparse.Namespace) -> int:
    """Extract by parsed arguments; return the exit status."""
    try:
        _check(arguments)
        with loading():
            from .run import extract_features, main_process_first, process_state

        settings = _settings(arguments)
        state = process_state(settings.use_cpu)
        # The main process downloads or renders what is missing; the others use its files.
        with main_process_first(state):
            clips, encoder = _load_clips(arguments), _load_encoder(arguments)
        report = extract_features(
            clips.rows,
            arguments.output,
            encoder,
            settings,
            root=clips.root,
            labels=clips.labels,
            dataset=clips.dataset,
        )
    except ModuleNotFoundError:
        raise  # the caller says which extra has the package
    except (ImportError, OSError, ValueError) as error:
        interrupt = as_interrupt(error)
        if interrupt is not None:
            raise type(interrupt)(_interrupted(arguments.output)) from None
        print(f"error: {error if type(error) is UserError else f'{type(error).__name__}: {error}'}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        raise type(interrupt)(_interrupted(arguments.output)) from None
    if state.is_main_process:
        print(
            f"{report.clips - report.failed} of {report.clips} clips extracted; the features are in {report.output}."
        )
        if "label" in clips.rows[0] and "validation" not in {row.get("split") for row in clips.rows}:
            print("There is no validation split, which training needs: give a TSV with a column split that has it.")
        if report.failed:
            print(f"{report.failed} failed; see {report.output / 'failed.jsonl'}.", file=sys.stderr)
    return 1 if report.failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m dataset_scripts.extract_features`; return the exit status."""
    parser = argparse.ArgumentParser(prog="amess extract")
    add_arguments(parser)
    parsed = parser.parse_args(arguments)

    with loading():
        from accelerate import PartialState

    status = run(parsed)  # After a signal the other processes may be gone: leaving the group would wait for them.
    if PartialState._shared_state:
        PartialState().destroy_process_group()
    return status


def _interrupted(output: str) -> str:
    """Say where an interrupted extraction stands, and how to continue it."""
    from .folder import ExtractedFeaturesError, read_description

    try:
        parts = read_description(output).parts()
    except ExtractedFeaturesError:
        return "Interrupted before the first clip. The same command starts again."
    whole = sum(part.path(Path(output)).is_file() for part in parts)
    return f"Interrupted: {whole} of {len(parts)} parts are whole in {output}. The same command continues from there."


class _RenamedFlag(argparse.Action):
    """The earlier name of a flag: understood, with a line that says the present one."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *given: Any) -> None:
        print(f"{self.option_strings[0]} is called --{self.dest} now.", file=sys.stderr)
        setattr(namespace, self.dest, True)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if (arguments.source is None) == (arguments.dataset is None):
        raise UserError("Give either FOLDER_OR_TSV or --dataset.")
    if arguments.dataset is None and arguments.data_dir is not None:
        raise UserError("--data_dir goes with --dataset. Give the folder of the clips as FOLDER_OR_TSV.")
    if arguments.media_encoder is not None:
        for name in ("video_model", "audio_model", "frame_rate"):
            if getattr(arguments, name) is not None:
                raise UserError(f"--media_encoder has its own models and frame rate. Leave --{name} out.")
    if arguments.video_model == arguments.audio_model == NO_MODEL:
        raise UserError("Without --video_model and --audio_model there is nothing to extract. Give one of them.")
    if arguments.frame_rate is not None and not arguments.frame_rate > 0:
        raise UserError("--frame_rate must be above 0.")


def _settings(arguments: argparse.Namespace) -> ExtractionSettings:
    names = {field.name for field in fields(ExtractionSettings)} - {"limits"}
    return ExtractionSettings(limits=limits_of(arguments), **{name: getattr(arguments, name) for name in names})


def _load_clips(arguments: argparse.Namespace) -> ClipRows:
    from .rows import load_dataset_clips, read_clip_rows

    if arguments.dataset is None:
        return read_clip_rows(arguments.source)
    return load_dataset_clips(arguments.dataset, arguments.data_dir, arguments.scope)


def _load_encoder(arguments: argparse.Namespace) -> AmessMediaEncoder:
    from modeling_amess import AmessMediaEncoder

    if arguments.media_encoder == "sample":
        from ..sample.encoder import sample_media_encoder

        return sample_media_encoder()
    if arguments.media_encoder is not None:
        return AmessMediaEncoder.from_pretrained(arguments.media_encoder)
    options: dict[str, Any] = {}
    for modality in ("video", "audio"):
        model = getattr(arguments, f"{modality}_model")
        if model is not None:
            options[modality] = None if model.lower() == NO_MODEL else model
    if arguments.frame_rate is not None:
        options["frame_rate"] = arguments.frame_rate
    return AmessMediaEncoder.from_encoders_pretrained(**options)
