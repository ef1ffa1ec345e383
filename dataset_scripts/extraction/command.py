# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line of feature extraction: `amess extract` and `python -m dataset_scripts.extract_features`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..registry import SCOPES, WITH_CLIPS


# Nothing is imported here that takes time: the help of a command should come at once.
DESCRIPTION = """\
Extract what A-MESS sees and hears of clips: each frame's features by Swin, each audio step's by WavLM.

The clips are a folder (with its subfolders), a TSV or CSV file, or the released files of a data set. A file has a
header and one line a clip: column clip (path relative to the file), and where you have them id, text, label, split
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
  torchrun --nproc_per_node 2 -m dataset_scripts.extract_features clips.tsv --output features/ --cpu

then:
  accelerate launch training/train.py --dataset features/ --label_descriptions descriptions.json
  >>> from dataset_scripts import load_extracted_features
  >>> load_extracted_features("features/")

A run that was interrupted goes on when the same command is given again. A clip that cannot be used is reported, gets
features of zero frames and stands in failed.jsonl; the others are extracted.

exit status: 0 all clips were extracted, 1 some failed, 2 the command or its input is wrong and nothing was done.
"""
NO_MODEL = "none"
# The fields of `MediaLimits`: default and meaning. A test keeps them equal.
LIMITS: dict[str, tuple[int | float, str]] = {
    "max_bytes": (200 * 2**20, "size of a clip's file"),
    "max_duration": (30.0, "seconds of a clip"),
    "max_pixels": (4096 * 2304, "width times height of a frame in the file"),
    "max_decoded_frames": (4000, "video frames decoded of a clip"),
    "max_kept_bytes": (2**30, "memory of the frames that are kept of a clip"),
    "max_streams": (16, "streams in a clip's file"),
    "max_sampling_rate": (384_000, "samples a second of the sound in the file"),
    "max_index_entries": (5_000_000, "samples that the index of an MP4 file lists"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument("source", nargs="?", metavar="FOLDER_OR_TSV", help="the clips: a folder, or a TSV or CSV file")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder of the features, new or to be continued"
    )

    data = parser.add_argument_group("clips of a data set, instead of FOLDER_OR_TSV")
    data.add_argument("--dataset", choices=WITH_CLIPS, help="which data set")
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
    encoders.add_argument("--frame_rate", type=float, metavar="HZ", help="frames a second that are encoded (6)")
    encoders.add_argument(
        "--media_encoder",
        metavar="DIR",
        help="a saved AmessMediaEncoder, which has models and frame rate of its own; sample: the sample's tiny one",
    )
    encoders.add_argument(
        "--max_video_length", type=int, default=180, metavar="N", help="frames kept of a clip (%(default)s)"
    )
    encoders.add_argument(
        "--max_audio_length", type=int, default=400, metavar="N", help="audio steps kept of a clip (%(default)s)"
    )

    run = parser.add_argument_group("running and writing")
    run.add_argument("--dtype", choices=("float16", "float32"), default="float16", help="on disk (%(default)s)")
    run.add_argument("--batch_size", type=int, default=8, metavar="N", help="clips encoded together (%(default)s)")
    run.add_argument(
        "--num_workers", type=int, metavar="N", help="decoding processes beside each encoding one (by cores)"
    )
    run.add_argument("--rows_per_part", type=int, default=64, metavar="N", help="rows of a Parquet file (%(default)s)")
    run.add_argument("--cpu", action="store_true", help="encode on the CPU even where there is an accelerator")

    limits = parser.add_argument_group("limits, a breach of which fails the clip")
    for name, (default, meaning) in LIMITS.items():
        limits.add_argument(
            f"--{name}", type=type(default), default=default, metavar="N", help=f"{meaning} (%(default)s)"
        )


def run(arguments: argparse.Namespace) -> int:
    """Extract by parsed arguments; returns the exit status."""
    wrong = _contradiction(arguments)
    if wrong:
        return _refuse(wrong)

    from modeling_amess import AmessMediaEncoder
    from modeling_amess.clip_amess import MediaLimits

    from ..launching import LaunchError
    from .rows import load_dataset_clips, read_clip_rows
    from .run import extract_features, process_state

    try:
        state = process_state(arguments.cpu)
        # What is downloaded or rendered for the first time is so by the main process; the others find it.
        with state.main_process_first():
            if arguments.dataset is None:
                clips = read_clip_rows(arguments.source)
            else:
                clips = load_dataset_clips(arguments.dataset, arguments.data_dir, arguments.scope)
            if arguments.media_encoder == "sample":
                from ..sample.encoder import sample_media_encoder

                encoder = sample_media_encoder()
            elif arguments.media_encoder is not None:
                encoder = AmessMediaEncoder.from_pretrained(arguments.media_encoder)
            else:
                encoder = AmessMediaEncoder.from_encoders_pretrained(**_model_options(arguments))
        report = extract_features(
            clips.rows,
            arguments.output,
            encoder,
            root=clips.root,
            labels=clips.labels,
            dataset=clips.dataset,
            dtype=arguments.dtype,
            max_video_length=arguments.max_video_length,
            max_audio_length=arguments.max_audio_length,
            limits=MediaLimits(**{name: getattr(arguments, name) for name in LIMITS}),
            rows_per_part=arguments.rows_per_part,
            batch_size=arguments.batch_size,
            num_workers=arguments.num_workers,
            cpu=arguments.cpu,
        )
    except (LaunchError, ImportError, OSError, ValueError) as error:
        return _refuse(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        print("Interrupted; give the same command again to go on.", file=sys.stderr)
        return 130
    if state.is_main_process:
        print(
            f"{report.clips - report.failed} of {report.clips} clips extracted; the features are in {report.output}."
        )
        if report.failed:
            print(f"{report.failed} failed; see {report.output / 'failed.jsonl'}.", file=sys.stderr)
    return 1 if report.failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m dataset_scripts.extract_features`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dataset_scripts.extract_features")
    add_arguments(parser)
    parsed = parser.parse_args(arguments)

    from accelerate import PartialState

    try:
        return run(parsed)
    finally:
        if PartialState._shared_state:
            PartialState().destroy_process_group()


def _contradiction(arguments: argparse.Namespace) -> str | None:
    if (arguments.source is None) == (arguments.dataset is None):
        return "give either FOLDER_OR_TSV or --dataset"
    if arguments.dataset is None and arguments.data_dir is not None:
        return "--data_dir goes with --dataset"
    if arguments.media_encoder is not None:
        for name in ("video_model", "audio_model", "frame_rate"):
            if getattr(arguments, name) is not None:
                return f"--media_encoder brings models and frame rate of its own; leave --{name} out"
    if arguments.video_model == arguments.audio_model == NO_MODEL:
        return "without --video_model and without --audio_model there is nothing to extract"
    for name in ("batch_size", "rows_per_part", "max_video_length", "max_audio_length"):
        if getattr(arguments, name) < 1:
            return f"--{name} must be at least 1"
    if arguments.num_workers is not None and arguments.num_workers < 0:
        return "--num_workers must be at least 0"
    if arguments.frame_rate is not None and not arguments.frame_rate > 0:
        return "--frame_rate must be above 0"
    return None


def _model_options(arguments: argparse.Namespace) -> dict[str, object]:
    options: dict[str, object] = {}
    for modality in ("video", "audio"):
        model = getattr(arguments, f"{modality}_model")
        if model is not None:
            options[modality] = None if model.lower() == NO_MODEL else model
    if arguments.frame_rate is not None:
        options["frame_rate"] = arguments.frame_rate
    return options


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2
