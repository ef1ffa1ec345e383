# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Let a language model write label descriptions; `--help` says how."""

if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command(
        "dataset_scripts.describing.command:main",
        "Interrupted. The same command continues with the labels that are missing.",
    )


from .describing.command import main


__all__ = ["main"]
