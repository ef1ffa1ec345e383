# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""How large an index an MP4 file makes its reader build, found before the reader does.

An MP4 header may say in 20 bytes that a track has a billion frames of one size, or repeat each frame in thousands of
edits. FFmpeg builds the list of them when it opens the file: gigabytes for a file of a kilobyte, which no limit on
what is decoded can prevent.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO


_TABLES = re.compile(rb"stsz|stz2|trun|elst|cmov")
# Bytes from the name of a table to its number of entries.
_COUNT_POSITION = {b"stsz": 12, b"stz2": 12, b"trun": 8, b"elst": 8}
# A box costs its reader about as much as this many entries.
_ENTRIES_PER_BOX = 64


def count_index_entries(file: BinaryIO, size: int, most: int) -> int:
    """
    Entries that the tables of an MP4 or QuickTime file of `size` bytes ask for; few for any other file. Counting ends
    where `most` is exceeded.
    """
    boxes = samples = edits = 0
    for start, end, searched in _top_level_boxes(file, size):
        boxes += 1
        if searched:
            file.seek(start)
            content = file.read(end - start)
            # Every table is counted wherever it lies, since a damaged header can be nested in any way.
            for table in _TABLES.finditer(content):
                if table.group() == b"cmov":
                    return most + 1  # a compressed header, which nothing has written for decades, could hold anything
                position = table.start() + _COUNT_POSITION[table.group()]
                count = int.from_bytes(content[position : position + 4], "big")
                if table.group() == b"elst":
                    edits = max(edits, count)
                else:
                    samples += count
        if boxes * _ENTRIES_PER_BOX + samples * max(1, edits) > most:
            break
    return boxes * _ENTRIES_PER_BOX + samples * max(1, edits)


def _top_level_boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, int, bool]]:
    """Start and end of each box, and whether it may hold tables: neither the media themselves nor no box at all."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        header = file.read(16)
        length, name = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        elif length == 0:
            length = size - start
        if length < 8:
            return
        end = min(start + length, size)
        yield start, end, name != b"mdat" and name.isascii() and name.decode().isprintable()
        start = end
