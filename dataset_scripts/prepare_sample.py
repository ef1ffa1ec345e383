# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Make the sample's prepared features anew; `--help` says how."""

if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("dataset_scripts.sample.command:main", "Interrupted. The same command starts again.")


from .sample.command import main


__all__ = ["main"]
