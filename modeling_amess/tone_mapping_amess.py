# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Tone mapping: pictures of high dynamic range (HLG and PQ of ITU-R BT.2100) to the range of ordinary video (BT.709).

Image encoders learned from ordinary pictures, and unmapped HDR looks grey and pale to them. White is 203 cd/m2, where
ITU-R BT.2408 puts it: pictures that stay below are the ordinary ones again, and what is brighter, such as lamps and
the sky, is compressed into the uppermost part of the range. Brighter than 1000 cd/m2 is plain white.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .clip_amess import Frames


# Numbers of the transfer functions and of the primaries in video headers (ITU-T H.273).
PQ, HLG = 16, 18
_BT2020 = 9
_UNSPECIFIED = 2

_WHITE, _PEAK = 203.0, 1000.0
# Share of the range, in linear light, above which brightness is compressed.
_KNEE = 0.9
# Exponent of a display for ordinary video (ITU-R BT.1886).
_DISPLAY_GAMMA = 2.4
# Exponent from the light of the scene, which HLG holds, to that of a display of 1000 cd/m2. It acts on each channel,
# as in ordinary cameras: on the luminance, as HDR displays have it, the colours would be paler than in ordinary video.
_HLG_GAMMA = 1.2
# Colours of BT.2020 in the primaries of BT.709.
_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]],
    dtype=np.float32,
)
# Pixels that are mapped together: the intermediate numbers take ten times the memory of a picture.
_PIXELS_TOGETHER = 2**19


def is_hdr(transfer: int) -> bool:
    """Tell whether a transfer function is one of high dynamic range."""
    return transfer in (PQ, HLG)


def tone_mapped(picture: NDArray[np.uint16], transfer: int, primaries: int) -> Frames:
    """Map a picture to the ordinary range.

    Args:
        picture: `(height, width, 3)` uint16 RGB.
        transfer: `PQ` or `HLG`.
        primaries: Number of the primaries in the video's header.

    Returns:
        The picture `(height, width, 3)` as uint8.
    """
    mapped = np.empty(picture.shape, dtype=np.uint8)
    rows = max(1, _PIXELS_TOGETHER // max(1, picture.shape[1]))
    for start in range(0, len(picture), rows):
        part = slice(start, start + rows)
        mapped[part] = _mapped(picture[part], transfer, primaries)
    return mapped


def _mapped(picture: NDArray[np.uint16], transfer: int, primaries: int) -> Frames:
    light = _light(transfer)[picture]
    if primaries in (_BT2020, _UNSPECIFIED):
        light = np.maximum(light @ _TO_BT709.T, 0)
    # All channels shrink by one factor, so that colours keep their hue.
    brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
    light *= np.where(brightest > _KNEE, _compressed(brightest) / brightest, 1)
    mapped: Frames = np.rint(255 * np.clip(light, 0, 1) ** (1 / _DISPLAY_GAMMA)).astype(np.uint8)
    return mapped


def _compressed(brightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compress what is above the knee, smoothly, so that the peak becomes 1."""
    above = np.maximum(brightness - _KNEE, 0) / (1 - _KNEE)
    peak = (_PEAK / _WHITE - _KNEE) / (1 - _KNEE)
    compressed: NDArray[np.float32] = _KNEE + (1 - _KNEE) * above * (1 + above / peak**2) / (1 + above)
    return compressed


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """Linear light of a display for each 16-bit value, in units of white."""
    signal = np.arange(2**16) / (2**16 - 1)
    if transfer == PQ:
        power = signal ** (1 / 78.84375)
        share = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
        light = 10000 * share ** (1 / 0.1593017578125)
    else:
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        light = _PEAK * scene**_HLG_GAMMA
    return (light / _WHITE).astype(np.float32)


__all__ = ["is_hdr", "tone_mapped"]
