# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A painter of plain shapes with smooth edges, for the sample's clips.

A shape is a signed distance (pixels, negative inside). It is evaluated in a box around it and painted with an edge
that is one pixel wide, which is all the smoothing that a drawing needs.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np


SIZE = 224  # width and height of the picture in pixels

Colour = tuple[float, float, float]
Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
Box = tuple[float, float, float, float]


class Painter:
    """Painter of shapes into a float32 picture `(3, height, width)`; `place` sets coordinates."""

    def __init__(self, image: np.ndarray):
        self.image = image
        self.origin = (0.0, 0.0)
        self.cosine, self.sine = 1.0, 0.0

    def place(self, x: float = 0.0, y: float = 0.0, tilt: float = 0.0) -> None:
        """Set the coordinates of the following shapes: around `(x, y)`, turned clockwise by `tilt` radians."""
        self.origin = (x, y)
        self.cosine, self.sine = np.cos(tilt), np.sin(tilt)

    def paint(self, distance: Distance, box: Box, colour: Colour, opacity: float = 1.0) -> None:
        """Fill the shape `distance`, which lies inside `box` `(left, top, right, bottom)`."""
        left, top, right, bottom = box
        across, down = np.array([left, right, right, left]), np.array([top, top, bottom, bottom])
        corners_x = across * self.cosine - down * self.sine
        corners_y = across * self.sine + down * self.cosine
        x0 = max(0, int(np.floor(corners_x.min() + self.origin[0])) - 1)
        x1 = min(SIZE, int(np.ceil(corners_x.max() + self.origin[0])) + 2)
        y0 = max(0, int(np.floor(corners_y.min() + self.origin[1])) - 1)
        y1 = min(SIZE, int(np.ceil(corners_y.max() + self.origin[1])) + 2)
        if x0 >= x1 or y0 >= y1:
            return
        x = (np.arange(x0, x1, dtype=np.float32) - np.float32(self.origin[0]))[None, :]
        y = (np.arange(y0, y1, dtype=np.float32) - np.float32(self.origin[1]))[:, None]
        cosine, sine = np.float32(self.cosine), np.float32(self.sine)
        coverage = (0.5 - distance(x * cosine + y * sine, y * cosine - x * sine)).clip(0, opacity)
        part = self.image[:, y0:y1, x0:x1]
        part += coverage * (np.array(colour, dtype=np.float32)[:, None, None] - part)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, opacity: float = 1.0) -> None:
        """Paint an ellipse around `(x, y)` with radii `rx` and `ry`."""
        self.paint(ellipse(x, y, rx, ry), (x - rx, y - ry, x + rx, y + ry), colour, opacity)

    def stroke(self, points: list[tuple[float, float]], width: float, colour: Colour, opacity: float = 1.0) -> None:
        """Paint a line through `points` with round ends."""
        xs, ys = [point[0] for point in points], [point[1] for point in points]
        half = width / 2
        box = (min(xs) - half, min(ys) - half, max(xs) + half, max(ys) + half)
        self.paint(stroke(points, width), box, colour, opacity)


def ellipse(cx: float, cy: float, rx: float, ry: float) -> Distance:
    """Return the ellipse around `(cx, cy)` with radii `rx` and `ry`."""

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        # The value over the length of its gradient: a distance near the edge, where it matters.
        u, v = (x - cx) ** 2 / rx**2, (y - cy) ** 2 / ry**2
        return 0.5 * (u + v - 1) / np.sqrt(u / rx**2 + v / ry**2 + 1e-9)

    return distance


def stroke(points: list[tuple[float, float]], width: float) -> Distance:
    """Return the line through `points`, with round ends."""

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        nearest: np.ndarray | None = None
        for (ax, ay), (bx, by) in pairwise(points):
            dx, dy = bx - ax, by - ay
            along = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy + 1e-6)).clip(0, 1)
            squared = (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2
            nearest = squared if nearest is None else np.minimum(nearest, squared)
        assert nearest is not None, "a line has two points"
        return np.sqrt(nearest) - width / 2

    return distance


def both(first: Distance, second: Distance) -> Distance:
    """Return the intersection of two shapes."""
    return lambda x, y: np.maximum(first(x, y), second(x, y))


def outline(shape: Distance, width: float) -> Distance:
    """Return the edge of a shape as a line."""
    return lambda x, y: np.abs(shape(x, y)) - width / 2


def shade(colour: Colour, factor: float) -> Colour:
    """Return a darker colour for a factor below 1, one closer to white for a factor above 1."""
    if factor <= 1:
        red, green, blue = (value * factor for value in colour)
    else:
        red, green, blue = (value + (255 - value) * (factor - 1) for value in colour)
    return red, green, blue
