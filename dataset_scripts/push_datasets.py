# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Push a built data set to the Hugging Face Hub: Parquet files of its configs, the label descriptions, and a card.

    python -m dataset_scripts.push_datasets sample --repo org/amess-sample --dry_run
    python -m dataset_scripts.push_datasets sample --repo org/amess-sample --tag v1
    python -m dataset_scripts.push_datasets features/ --repo org/my-features --private --i_have_the_right_to_publish
    python -m dataset_scripts.push_datasets mintrec --data_dir MIntRec --configs text label_descriptions --repo ...

A data set is `sample`, `mintrec`, `mintrec2`, or a folder that `amess extract` wrote. All configs arrive in one
commit; `load_dataset` then loads them without any code of this project. Whose terms are not those of this project is
pushed only with `--i_have_the_right_to_publish`.

Log in with `hf auth login` or set HF_TOKEN. What fails leaves the Hub as it was; give the same command again.
"""

from .hub.command import main


if __name__ == "__main__":
    main()
