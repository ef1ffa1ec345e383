# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Extract features from clips. `amess extract` is the same command for one process.

accelerate launch -m dataset_scripts.extract_features clips/ --output features/
accelerate launch --multi_gpu --num_processes 4 -m dataset_scripts.extract_features clips.tsv --output features/
torchrun --nproc_per_node 2 -m dataset_scripts.extract_features clips/ --output features/ --use_cpu
python -m dataset_scripts.extract_features --help
"""

if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("dataset_scripts.extraction.command:main", "Interrupted. The same command continues.", failure=2)


from .extraction.command import main
from .extraction.run import ExtractionReport, extract_features
from .extraction.settings import ExtractionSettings


__all__ = ["ExtractionReport", "ExtractionSettings", "extract_features", "main"]
