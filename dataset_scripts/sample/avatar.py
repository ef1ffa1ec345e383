# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The speaker in the sample's clips: head and shoulders with a face and hands that take poses.

Coordinates are pixels of a 224 by 224 picture. The head has its own, around its centre, so that it can move and tilt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..seeds import stable_generator
from .painter import SIZE, Colour, Painter, both, ellipse, outline, shade


_SKINS = ((255, 219, 190), (241, 194, 155), (224, 172, 125), (190, 133, 92), (141, 94, 64))
_HAIRS = ((43, 35, 40), (79, 52, 38), (128, 78, 44), (176, 120, 62), (150, 66, 40), (116, 112, 118))
_SHIRTS = ((74, 111, 165), (94, 140, 106), (178, 92, 88), (122, 98, 152), (70, 132, 142), (196, 138, 74))
_BACKGROUNDS = ((203, 222, 236), (214, 231, 214), (240, 224, 206), (226, 217, 236), (236, 216, 218), (210, 228, 230))
HAIR_STYLES: tuple[str, ...] = ("short", "bob", "bun", "curls")


@dataclass(frozen=True)
class Look:
    """The appearance of a speaker, which says nothing about the utterance."""

    skin: Colour
    hair: Colour
    shirt: Colour
    background: Colour
    hair_style: str
    glasses: bool


@dataclass(frozen=True)
class Pose:
    """The speaker at one moment: place of the head, expression of the face, height of the gesture's hands."""

    head_x: float = 0.0  # pixels from the middle
    head_y: float = 0.0
    head_tilt: float = 0.0  # radians, clockwise
    mouth_open: float = 0.0  # 0 to 1
    mouth_curve: float = 0.4  # 1: corners up, -1: corners down
    mouth_skew: float = 0.0  # 1: only one corner is up
    mouth_width: float = 1.0
    brow_raise: tuple[float, float] = (3.0, 3.0)  # left and right in the picture
    brow_anger: float = 0.0  # 1: inner ends down
    eye_open: float = 1.0  # 0: closed
    eye_size: float = 0.86
    eye_joy: float = 0.0  # 1: eyes closed to arcs by a smile
    look_aside: float = 0.0
    blush: float = 0.25
    hand: float = 0.0  # 0: below the picture, 1: up
    wave: float = 0.0  # swing of a raised hand, radians


# The face at the height of each expression; gestures are in `_GESTURES`.
EXPRESSION_POSES: dict[str, Pose] = {
    "smile": Pose(mouth_curve=1.0, mouth_width=1.35, mouth_open=0.75, eye_joy=1.0, brow_raise=(2, 2), blush=0.8),
    "frown": Pose(
        mouth_curve=-1.0, mouth_width=0.9, brow_anger=1.0, brow_raise=(0, 0), eye_open=0.72, head_y=5, blush=0.0
    ),
    "smirk": Pose(
        mouth_curve=0.1, mouth_skew=1.0, brow_raise=(-2, 8), eye_open=0.55, head_tilt=0.13, head_x=3, look_aside=1.0
    ),
    "nod": Pose(mouth_curve=0.9, mouth_width=1.1),
    "wide_eyes": Pose(
        mouth_curve=-0.1, mouth_width=0.55, mouth_open=1.0, brow_raise=(10, 10), eye_size=1.4, eye_open=1.0, head_y=-3
    ),
}


def random_look(row_id: str) -> Look:
    """Draw the speaker of a row at random."""
    random = stable_generator("sample look", row_id)

    def colour(palette: tuple[tuple[int, int, int], ...]) -> Colour:
        chosen = np.array(palette[int(random.integers(len(palette)))], dtype=np.float64)
        red, green, blue = (chosen + random.uniform(-6, 6, 3)).clip(0, 255).tolist()
        return red, green, blue

    return Look(
        skin=colour(_SKINS),
        hair=colour(_HAIRS),
        shirt=colour(_SHIRTS),
        background=colour(_BACKGROUNDS),
        hair_style=HAIR_STYLES[int(random.integers(len(HAIR_STYLES)))],
        glasses=bool(random.random() < 0.2),
    )


def draw_poses(look: Look, expression: str, poses: list[Pose]) -> np.ndarray:
    """Draw the frames of a clip, uint8 `(frames, 224, 224, 3)`; the expression chooses a gesture."""
    backdrop = _draw_backdrop(look)
    frames = np.empty((len(poses), SIZE, SIZE, 3), dtype=np.uint8)
    for frame, pose in zip(frames, poses, strict=True):
        painter = Painter(backdrop.copy())
        _draw_head(painter, look, pose)
        _draw_body_shadow(painter, look, pose)
        if pose.hand > 0.01:
            _GESTURES[expression](painter, look, pose)
        frame[:] = (painter.image + 0.5).astype(np.uint8).transpose(1, 2, 0)
    return frames


def _draw_backdrop(look: Look) -> np.ndarray:
    """The parts that do not move: the wall and the shoulders."""
    image = np.empty((3, SIZE, SIZE), dtype=np.float32)
    image[:] = np.array(look.background)[:, None, None]
    painter = Painter(image)
    painter.ellipse(112, 104, 92, 92, shade(look.background, 1.45))
    painter.ellipse(112, 250, 84, 82, look.shirt)
    return image


def _draw_body_shadow(painter: Painter, look: Look, pose: Pose) -> None:
    """The collar, over the neck."""
    painter.place()
    painter.stroke([(90, 170), (100, 180), (112, 184), (124, 180), (134, 170)], 6, shade(look.shirt, 1.35))


def _draw_head(painter: Painter, look: Look, pose: Pose) -> None:
    x, y = 112 + pose.head_x, 104 + pose.head_y
    painter.place(x, y, pose.head_tilt)
    _draw_hair_behind(painter, look)
    painter.place()
    # The neck joins a head that moves to shoulders that do not.
    painter.stroke([(112, 178), (112 + 0.7 * pose.head_x, 140 + pose.head_y)], 34, shade(look.skin, 0.86))
    painter.place(x, y, pose.head_tilt)
    for side in (-1, 1):
        painter.ellipse(side * 47, 6, 9, 12, shade(look.skin, 0.92))
    painter.ellipse(0, 0, 47, 55, look.skin)
    for side in (-1, 1):
        painter.ellipse(side * 29, 20, 10, 7, (236, 110, 106), 0.55 * pose.blush)
    for side in (-1, 1):
        _draw_eye(painter, pose, side)
    painter.stroke([(0, 6), (3, 13), (-2, 15)], 2.6, shade(look.skin, 0.78))
    _draw_mouth(painter, look, pose)
    _draw_hair_front(painter, look)
    _draw_brows(painter, look, pose)
    if look.glasses:
        for side in (-1, 1):
            painter.paint(
                outline(ellipse(side * 20, -1, 15, 14), 2.4), (side * 20 - 17, -17, side * 20 + 17, 15), (60, 60, 70)
            )
        painter.stroke([(-6, -3), (0, -5), (6, -3)], 2.4, (60, 60, 70))


def _draw_eye(painter: Painter, pose: Pose, side: int) -> None:
    dark = (46, 38, 44)
    x, y = side * 20, -1
    if pose.eye_joy > 0.6:
        painter.stroke([(x - 9, y + 3), (x - 5, y - 3), (x, y - 5), (x + 5, y - 3), (x + 9, y + 3)], 4, dark)
        return
    if pose.eye_open < 0.2:
        painter.stroke([(x - 9, y), (x - 4, y + 3), (x + 4, y + 3), (x + 9, y)], 3.2, dark)
        return
    rx, ry = 10 * pose.eye_size, 10 * pose.eye_size
    lid = y - ry + 2 * ry * (1 - pose.eye_open)
    box = (x - rx, y - ry, x + rx, y + ry)
    white = both(ellipse(x, y, rx, ry), lambda _, v: lid - v)
    painter.paint(white, box, (252, 252, 252))
    iris_x = x + 4 * pose.look_aside
    iris = both(ellipse(iris_x, y + 1, 5.6, 5.6), white)
    painter.paint(iris, box, dark)
    painter.ellipse(iris_x + 2, y - 1, 1.6, 1.6, (255, 255, 255), 0.9)
    if pose.eye_open < 0.95:
        width = rx * float(np.sqrt(max(0.05, 1 - ((lid - y) / ry) ** 2)))
        painter.stroke([(x - width - 1, lid), (x + width + 1, lid)], 2.8, dark)
    else:
        lashes = both(outline(ellipse(x, y, rx + 0.5, ry + 0.5), 2.4), lambda _, v: v - y + 3)
        painter.paint(lashes, (x - rx - 2, y - ry - 2, x + rx + 2, y), dark)


def _draw_brows(painter: Painter, look: Look, pose: Pose) -> None:
    colour = shade(look.hair, 0.8)
    for side, lift in zip((-1, 1), pose.brow_raise, strict=True):
        y = -19 - lift
        inner = (side * 10, y - 1 + 9 * pose.brow_anger)
        middle = (side * 20, y - 4 + 2 * pose.brow_anger)
        outer = (side * 31, y + 2 - 4 * pose.brow_anger)
        painter.stroke([inner, middle, outer], 5, colour)


def _draw_mouth(painter: Painter, look: Look, pose: Pose) -> None:
    half = 17 * pose.mouth_width
    curve = 9 * pose.mouth_curve
    opening = 17 * pose.mouth_open
    centre_y = 31

    def line(u: np.ndarray) -> np.ndarray:
        """Height of the closed mouth at `u`, -1 at the left corner to 1 at the right one."""
        return centre_y + curve * (0.6 - u * u) - 10 * pose.mouth_skew * np.clip(u, 0, None) ** 1.5

    if opening < 2.5:
        us = np.linspace(-1, 1, 9)
        painter.stroke(list(zip((us * half).tolist(), line(us).tolist(), strict=True)), 4, shade(look.skin, 0.45))
        return

    def upper(x: np.ndarray) -> np.ndarray:
        u = (x / half).clip(-1, 1)
        return line(u) - (0.25 if pose.mouth_curve < 0.5 else 0.0) * opening * np.sqrt(1 - u * u)

    def lower(x: np.ndarray) -> np.ndarray:
        u = (x / half).clip(-1, 1)
        return line(u) + 0.75 * opening * np.sqrt(1 - u * u)

    def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.maximum(np.maximum(upper(x) - y, y - lower(x)), np.abs(x) - half)

    box = (-half - 1, centre_y - 28, half + 1, centre_y + 28)
    painter.paint(inside, box, (112, 36, 44))
    painter.paint(both(inside, ellipse(0, float(lower(np.zeros(1))[0]) + 1, half * 0.6, 7)), box, (226, 110, 110))
    if pose.mouth_curve > 0.5:
        painter.paint(both(inside, lambda x, y: y - upper(x) - 5), box, (252, 252, 252))


def _draw_hair_behind(painter: Painter, look: Look) -> None:
    if look.hair_style == "bob":
        painter.ellipse(0, -2, 60, 62, look.hair)
        painter.stroke([(-42, 10), (-42, 48)], 32, look.hair)
        painter.stroke([(42, 10), (42, 48)], 32, look.hair)
    elif look.hair_style == "bun":
        painter.ellipse(0, -64, 21, 19, look.hair)
        painter.ellipse(0, -8, 53, 53, look.hair)
    elif look.hair_style == "curls":
        for angle in np.linspace(-2.5, 2.5, 11):
            painter.ellipse(50 * np.sin(angle), -8 - 48 * np.cos(angle), 17, 17, look.hair)
    else:
        painter.ellipse(0, -14, 51, 48, look.hair)


def _draw_hair_front(painter: Painter, look: Look) -> None:
    """A fringe: the part of the head above a parting line."""
    head = ellipse(0, -2, 50, 58)

    def fringe(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if look.hair_style in ("bob", "bun"):
            return y + 38 - 0.010 * (x + 16) ** 2
        if look.hair_style == "curls":
            return y + 36 + 3 * np.cos(x * 0.35)
        return y + 34 - 0.2 * x - 0.004 * x * x

    painter.paint(both(head, fringe), (-51, -61, 51, 24), look.hair)


def _draw_hand(
    painter: Painter, look: Look, x: float, y: float, tilt: float, fingers: list[tuple[float, float]]
) -> None:
    """A palm at `(x, y)` with a finger for each `(angle, length)`; an angle of 0 points up."""
    painter.place(x, y, tilt)
    line = shade(look.skin, 0.84)
    tips = [(length * float(np.sin(angle)), -length * float(np.cos(angle))) for angle, length in fingers]
    for tip in tips:
        painter.stroke([(0, 0), tip], 10.5, line)
    painter.ellipse(0, 0, 14, 14.5, line)
    painter.ellipse(0, 0, 12.8, 13.2, look.skin)
    for tip in tips:
        painter.stroke([(0, 0), tip], 8, look.skin)


def _draw_arm(painter: Painter, look: Look, points: list[tuple[float, float]]) -> None:
    painter.place()
    painter.stroke(points, 27, shade(look.shirt, 0.8))
    painter.stroke(points, 23, shade(look.shirt, 1.08))


_OPEN_HAND = [(-0.5, 26.0), (-0.17, 29.0), (0.17, 29.0), (0.5, 26.0)]


def _wave(painter: Painter, look: Look, pose: Pose) -> None:
    """An open hand beside the head."""
    y = 128 + 120 * (1 - pose.hand)
    _draw_arm(painter, look, [(196, y + 100), (190, y + 26)])
    _draw_hand(painter, look, 188 + 14 * pose.wave, y, 0.1 + pose.wave, [*_OPEN_HAND, (-1.3, 24.0)])


def _cross_arms(painter: Painter, look: Look, pose: Pose) -> None:
    """Arms folded before the chest."""
    y = 196 + 60 * (1 - pose.hand)
    _draw_arm(painter, look, [(30, y + 26), (140, y + 4)])
    _draw_hand(painter, look, 150, y + 1, 1.3, [(-0.2, 18.0), (0.2, 18.0)])
    _draw_arm(painter, look, [(194, y + 26), (84, y + 8)])
    _draw_hand(painter, look, 74, y + 5, -1.3, [(-0.2, 18.0), (0.2, 18.0)])


def _touch_chin(painter: Painter, look: Look, pose: Pose) -> None:
    """A thoughtful hand under the chin, one finger up the cheek."""
    x, y = 140 + pose.head_x, 158 + pose.head_y + 90 * (1 - pose.hand)
    _draw_arm(painter, look, [(176, y + 80), (150, y + 20)])
    _draw_hand(painter, look, x, y, -0.1, [(0.35, 34.0), (-1.2, 20.0)])


def _thumb_up(painter: Painter, look: Look, pose: Pose) -> None:
    """A fist with its thumb up, on the left of the picture."""
    y = 150 + 90 * (1 - pose.hand)
    line = shade(look.skin, 0.84)
    _draw_arm(painter, look, [(6, y + 60), (22, y + 16)])
    painter.place(36, y)
    painter.stroke([(-4, 0), (-5, -25)], 14, line)
    painter.ellipse(-2, 3, 17, 18, line)
    painter.ellipse(-2, 3, 15.7, 16.7, look.skin)
    painter.stroke([(-4, 0), (-5, -25)], 11.4, look.skin)
    for row in range(4):
        painter.stroke([(4, -7 + 7 * row), (15, -7 + 7 * row)], 9.5, line)
        painter.stroke([(4, -7 + 7 * row), (15, -7 + 7 * row)], 7.4, look.skin)


def _raise_both_hands(painter: Painter, look: Look, pose: Pose) -> None:
    """Two open hands, palms to the viewer."""
    y = 146 + 110 * (1 - pose.hand)
    for side in (-1, 1):
        _draw_arm(painter, look, [(112 + side * 92, y + 96), (112 + side * 80, y + 24)])
        _draw_hand(painter, look, 112 + side * 78, y, side * 0.25, [*_OPEN_HAND, (-side * 1.3, 24.0)])


_GESTURES: dict[str, Callable[[Painter, Look, Pose], None]] = {
    "smile": _wave,
    "frown": _cross_arms,
    "smirk": _touch_chin,
    "nod": _thumb_up,
    "wide_eyes": _raise_both_hands,
}


def blend(first: Pose, second: Pose, amount: float) -> Pose:
    """Return the pose between two: an amount of 0 is the first, 1 the second."""

    def mix(a: Any, b: Any) -> Any:
        if isinstance(a, tuple):
            return tuple(mix(x, y) for x, y in zip(a, b, strict=True))
        return a + (b - a) * amount

    return replace(first, **{name: mix(value, getattr(second, name)) for name, value in vars(first).items()})
