# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line of downloads, also known as `amess download`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError, loading
from ..files import writing
from ..registry import DATASETS, DOWNLOADABLE
from . import CONTENTS
from .archives import ArchiveLimits


# Nothing above takes time to import: the help of a command should appear at once. The functions below import the rest.
DESCRIPTION = """\
Download MIntRec or MIntRec2.0 from the authors' collections on the Hub, into the layout that this project reads.

The terms of the data are shown first, and nothing is fetched before --i_accept_the_terms is given. Files are checked
against the checksums of the Hub, and archives are unpacked safely. Nothing that exists is overwritten. An interrupted
download continues when the same command is given again.
"""
EXAMPLES = """\
examples:
  amess download mintrec --output MIntRec                                  # shows the terms
  amess download mintrec --output MIntRec --i_accept_the_terms
  amess download mintrec2 --source THUIAR/MMLA-Datasets --output MIntRec2.0 --i_accept_the_terms
  amess download mintrec --contents tables --output MIntRec --i_accept_the_terms     # the texts alone

then:
  amess extract --dataset mintrec --data_dir MIntRec --output features/mintrec
  accelerate launch training/train.py mintrec.yaml --dataset features/mintrec
  python -m training.publish runs/... --repo owner/name --dry_run

exit status: 0 the data set is in the folder, 2 it is not (the last line says why), 130 or 143 after Ctrl-C or SIGTERM;
the same command then continues.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, examples and options to a parser."""
    limits = ArchiveLimits()
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = f"{_collections()}\n{EXAMPLES}"
    parser.add_argument("dataset", choices=DOWNLOADABLE, help="name of the data set")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="folder of the data set, new or of an interruption"
    )
    parser.add_argument("--source", metavar="REPO", help="repository to take it from (the first one listed below)")
    parser.add_argument(
        "--contents",
        nargs="+",
        choices=CONTENTS,
        default=CONTENTS,
        help="what to take: tables of texts and labels, clips, released features (all)",
    )
    parser.add_argument(
        "--exclude",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="leave out paths, in the repository and in archives, such as 'faces/*'",
    )
    parser.add_argument(
        "--i_accept_the_terms", action="store_true", help="you have read the terms of the data and keep them"
    )
    parser.add_argument(
        "--max_unpack_ratio",
        type=float,
        default=limits.max_ratio,
        metavar="N",
        help="an archive that unpacks to more than N times its size is refused (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Download by parsed arguments; return the exit status.

    Raises:
        UserError: The data set is not in the folder. The message says why.
    """
    if not arguments.max_unpack_ratio >= 1:
        raise UserError(f"--max_unpack_ratio is {arguments.max_unpack_ratio:g}: give a number of at least 1.")
    # here, because the client of the Hub and the builders take time to load
    with loading():
        from .run import (
            DownloadRequest,
            TermsError,
            download_dataset,
            find_collection,
            open_download,
            terms_in_words,
        )

    name = arguments.dataset
    request = DownloadRequest(
        dataset=name,
        output=arguments.output.expanduser(),
        collection=find_collection(name, arguments.source),
        # Without its tables, a data set has no rows.
        contents=tuple(dict.fromkeys(("tables", *arguments.contents))),
        exclude=tuple(arguments.exclude),
        limits=ArchiveLimits(max_ratio=arguments.max_unpack_ratio),
    )
    try:
        snapshot = open_download(request)
        terms = terms_in_words(request, snapshot)
        if not arguments.i_accept_the_terms:
            raise TermsError(f"{terms}\nNothing was downloaded. If you accept them, add --i_accept_the_terms.")
        print(terms, flush=True)
        with writing(request.output):
            report = download_dataset(request, snapshot, lambda words: print(words, flush=True))
    except KeyboardInterrupt as interrupt:
        raise type(interrupt)(
            f"Interrupted. What is whole so far is in {request.output}. The same command continues."
        ) from None
    counts = ", ".join(f"{split} {count:,}" for split, count in report.utterances.items())
    print(f"{DATASETS[name].terms.title} is in {request.output}: {counts} utterances.")
    if report.missing_clips and "clips" in request.contents:
        print(f"{report.missing_clips:,} utterances have no clip; their features will have zero frames.")
    if report.passed_over:
        print(f"{len(report.passed_over):,} files have no place in the layout, such as {report.passed_over[0]}.")
    if "clips" in request.contents:
        print(f"Next: amess extract --dataset {name} --data_dir {request.output} --output features/{name}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m dataset_scripts.download`; return the exit status."""
    parser = argparse.ArgumentParser(prog="amess download")
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def _collections() -> str:
    lines = [
        f"  {name:10}{collection.repo_id:24}{collection.holds}"
        for name in DOWNLOADABLE
        for collection in DATASETS[name].collections
    ]
    return "\n".join(["repositories of the authors:", *lines, ""])
