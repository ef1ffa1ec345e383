# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Download of data sets from the Hub, into the layout that their builders read."""

# What can be taken of a collection. A data set without tables has no utterances.
CONTENTS: tuple[str, ...] = ("tables", "clips", "features")
