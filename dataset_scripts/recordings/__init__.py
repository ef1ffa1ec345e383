# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Recordings of any length: their utterances, the intents of these, and files for people to read.

`read_transcript` and `read_speakers` read what users bring, `speech_segments` finds utterances by their sound,
`analyze_recording` recognises the intents, and `write_outputs` writes tables, subtitles and a page.
"""
