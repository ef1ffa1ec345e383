# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Push a built data set to the Hugging Face Hub; `--help` says how."""

if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("dataset_scripts.hub.command:main", "Interrupted. Nothing was pushed. Give the same command again.")


from .hub.command import main


__all__ = ["main"]
