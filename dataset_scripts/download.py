# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Download MIntRec or MIntRec2.0 from the Hub. `amess download` is the same command; `--help` says how."""

if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("dataset_scripts.downloading.command:main", "Interrupted. The same command continues.", failure=2)


from .downloading.command import main


__all__ = ["main"]
