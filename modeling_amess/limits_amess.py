# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a clip may cost: `MediaLimits`, and the index that the boxes of an MP4 or QuickTime file make a decoder build.

A box of a few bytes can stand for billions of index entries, and the decoder builds the index before any limit can
stop it. So the decoder sees only the boxes listed here, whose entries can be counted; every other box (titles, cover
art, encryption tables, indexes of fragments, boxes that a later version of FFmpeg may learn) looks like empty space.

The commands make their options of the limits before they load anything, so this module imports nothing that takes
time, and nothing of this package.
"""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import BinaryIO


# Boxes that hold boxes.
_CONTAINERS = frozenset(b"moov trak edts mdia minf dinf stbl mvex moof traf".split())
# Boxes that describe tracks and samples. What they cost is their own bytes, or `_entries_of` counts it.
_LEAVES = frozenset(
    b"ftyp styp mdat wide mvhd tkhd elst mdhd hdlr dref stsd stts stss ctts cslg stsc stsz stz2 stco co64 mehd trex "
    b"mfhd tfhd tfdt trun".split()
)
# Boxes at the start of such a file.
_FIRST = frozenset(b"ftyp styp moov moof mdat wide free skip junk pnot pict prfl udta uuid sidx".split())
# Names that a codec's settings, inside `stsd`, never hold: there boxes lie at places that depend on the codec.
_NO_SETTINGS = re.compile(
    b"|".join(
        sorted((_CONTAINERS | _LEAVES) - {b"wide"})
        + b"senc saiz saio sgpd sbgp stps sdtp cmov rmra sidx mfra tfra uuid meta udta ilst keys iloc iinf".split()
    )
)
# A name that no version of FFmpeg's reader acts on.
_IGNORED = b"skip"
# FFmpeg's reader goes no deeper.
_DEEPEST = 10
# A box costs its reader about as much as this many entries.
_ENTRIES_PER_BOX = 64
# FFmpeg's reader makes at most one entry of this many samples of uncompressed sound.
_SAMPLES_PER_ENTRY = 160


@dataclass(frozen=True)
class MediaLimits:
    """Limits on what a clip may cost.

    A clip above a limit is a `MediaLimitError` that names the field; set the field higher for clips that you trust.

    Attributes:
        max_bytes: Size of the file.
        max_duration: Duration in seconds.
        max_pixels: Width times height of one coded frame.
        max_decoded_frames: Number of video frames that are decoded, of which `frame_rate` keeps some.
        max_kept_bytes: Memory of the frames that are kept.
        max_streams: Number of streams in the container, of any kind.
        max_sampling_rate: Samples per second of the sound in the file, in Hz.
        max_index_entries: Number of frames and pieces of sound that the header of an MP4 file lists.
    """

    max_bytes: int = field(default=200 * 2**20, metadata={"help": "bytes of a clip's file"})
    max_duration: float = field(default=30.0, metadata={"help": "seconds per clip"})
    max_pixels: int = field(default=4096 * 2304, metadata={"help": "width times height of a frame in the file"})
    max_decoded_frames: int = field(default=4000, metadata={"help": "video frames decoded per clip"})
    max_kept_bytes: int = field(default=2**30, metadata={"help": "bytes of the frames that are kept per clip"})
    max_streams: int = field(default=16, metadata={"help": "streams in a clip's file"})
    max_sampling_rate: int = field(default=384_000, metadata={"help": "samples per second of the sound in the file"})
    max_index_entries: int = field(default=5_000_000, metadata={"help": "samples that an MP4 file lists"})


class Boxes:
    """Walk over the boxes of a file, as FFmpeg's reader walks.

    Args:
        file: File, open for reading.
        size: Bytes of the file.
        most: Number of entries above which the walk ends.

    Attributes:
        entries: Number of index entries that the boxes make the decoder build, at most.
        hidden: Positions of the names that the decoder must not see, in order. Each has four bytes.
    """

    def __init__(self, file: BinaryIO, size: int, most: int):
        self.file = file
        self.most = most
        self.hidden: list[int] = []
        self._boxes = self._samples = self._edits = self._chunks = self._samples_per_chunk = 0
        self._walk(0, size, 0)
        self.hidden.sort()

    @property
    def entries(self) -> int:
        """Number of entries: each edit may repeat all samples, each chunk may have as many samples as the largest."""
        pieces = self._chunks * -(-self._samples_per_chunk // _SAMPLES_PER_ENTRY)
        return self._boxes * _ENTRIES_PER_BOX + (self._samples + pieces) * max(1, self._edits)

    def _walk(self, start: int, end: int, depth: int) -> None:
        while start + 8 <= end and self.entries <= self.most:
            header = self._bytes(start, 16)
            length, name = int.from_bytes(header[:4], "big"), header[4:8]
            content = start + 8
            if length == 1 and start + 16 <= end:
                length, content = int.from_bytes(header[8:], "big", signed=True), start + 16
            elif length == 0:
                length = end - start
            if start + length < content:
                return
            stop = min(start + length, end)
            self._boxes += 1
            if name in _CONTAINERS and depth < _DEEPEST:
                self._walk(content, stop, depth + 1)
            elif name not in _LEAVES:
                self.hidden.append(start + 4)
            elif name == b"stsd":
                settings = self._bytes(content, stop - content)
                self.hidden += [content + match.start() for match in _NO_SETTINGS.finditer(settings)]
            else:
                self._count(name, content, stop)
            start = stop

    def _count(self, name: bytes, start: int, stop: int) -> None:
        """Add the entries of a table. Its content starts with four bytes of version and flags."""
        if name in (b"stsz", b"stz2"):
            self._samples += self._number(start + 8)
        elif name == b"trun":
            self._samples += self._number(start + 4)
        elif name == b"elst":
            self._edits = max(self._edits, self._number(start + 4))
        elif name in (b"stco", b"co64"):
            self._chunks += min(self._number(start + 4), (stop - start) // 4)
        elif name == b"stsc":
            # Per run of chunks: number of the first one, samples per chunk, codec.
            runs = self._bytes(start + 8, stop - start - 8)
            per_chunk = (int.from_bytes(runs[at : at + 4], "big") for at in range(4, len(runs) - 3, 12))
            self._samples_per_chunk = max(self._samples_per_chunk, *per_chunk, 0)

    def _number(self, position: int) -> int:
        return int.from_bytes(self._bytes(position, 4), "big")

    def _bytes(self, position: int, length: int) -> bytes:
        self.file.seek(position)
        return self.file.read(max(0, length))


def has_boxes(file: BinaryIO) -> bool:
    """Tell whether a file starts like MP4 or QuickTime."""
    file.seek(0)
    return file.read(8)[4:] in _FIRST


def hide(hidden: list[int], position: int, data: bytes) -> bytes:
    """Overwrite the names at the positions `hidden` in the bytes that a file has at `position`."""
    end = position + len(data)
    names = hidden[bisect_right(hidden, position - 4) : bisect_left(hidden, end)]
    if not names:
        return data
    changed = bytearray(data)
    for at in names:
        for offset in range(4):
            if position <= at + offset < end:
                changed[at + offset - position] = _IGNORED[offset]
    return bytes(changed)


__all__ = ["Boxes", "MediaLimits", "has_boxes", "hide"]
