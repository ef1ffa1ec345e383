# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Have a language model write the label descriptions, the way A-MESS made its own (arXiv 2503.19474, section III-D).

    python -m dataset_scripts.describe_labels mintrec --model meta-llama/Llama-3.3-70B-Instruct --output mine.json
    python -m dataset_scripts.describe_labels mintrec2 --model gpt-4o --base_url https://api.openai.com/v1 --output ...
    python -m dataset_scripts.describe_labels mintrec --model Qwen/Qwen3-4B-Instruct-2507 --local --output mine.json
    python -m dataset_scripts.describe_labels --labels "Order,Cancel,Haggle" --model ... --output ...
    accelerate launch training/train.py mintrec.yaml --label_descriptions mine.json

Each label is one request. An answer that is not exactly the numbered list that was asked for, or repeats a sentence,
is sent back with the reason, a few times. The file is written after every label, so that a run that was interrupted
goes on where it stopped when the same command is given again; labels that it holds are kept (`--overwrite` has them
written anew). Beside it, <name>.provenance.json tells of each label which model wrote it, how and when.

The token comes from the environment: HF_TOKEN or `hf auth login`; with --base_url OPENAI_API_KEY, or another variable
that --token_variable names. It is never an argument, and nothing that is printed or written contains it.
"""

from .describing.command import main


if __name__ == "__main__":
    main()
