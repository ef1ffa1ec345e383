# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Make the prepared features of the sample data set anew, after its rows, renderer or encoder have changed.

    python -m dataset_scripts.prepare_sample

Renders every clip, measures mean and deviation of the untrained encoder's features on the training split
(`sample/encoder_statistics.json`), and extracts the features with the encoder that is standardised by them
(`sample/features.parquet`). Both files belong into the repository.
"""

from .sample.command import main


if __name__ == "__main__":
    main()
