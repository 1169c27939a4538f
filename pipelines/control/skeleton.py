"""Drawing poses as control models for poses were trained to read them: the skeleton of OpenPose on black.

Cao et al. 2019, "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields": 18 points,
the neck among them, and 17 limbs; the colours go once round the circle of hues, a limb's at three fifths of
their brightness. Key points come in the order of COCO (Lin et al. 2014), which has no neck.
"""

from __future__ import annotations

import colorsys
import math
from typing import Final

import numpy as np

from pipelines.control.lines import SIDE
from pipelines.graph.values import Array, Image

POINTS: Final = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder",
    "left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip",
    "left knee", "right knee", "left ankle", "right ankle",
)  # fmt: skip
"""COCO's key points, as the person has left and right."""
NECK: Final = "neck"
ORDER: Final = (
    "nose", NECK, "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow",
    "left wrist", "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle",
    "right eye", "left eye", "right ear", "left ear",
)  # fmt: skip
"""OpenPose's points."""
LIMBS: Final = (
    (NECK, "right shoulder"), (NECK, "left shoulder"), ("right shoulder", "right elbow"),
    ("right elbow", "right wrist"), ("left shoulder", "left elbow"), ("left elbow", "left wrist"),
    (NECK, "right hip"), ("right hip", "right knee"), ("right knee", "right ankle"),
    (NECK, "left hip"), ("left hip", "left knee"), ("left knee", "left ankle"), (NECK, "nose"),
    ("nose", "right eye"), ("right eye", "right ear"), ("nose", "left eye"), ("left eye", "left ear"),
)  # fmt: skip
COLOURS: Final = tuple(
    tuple(round(255 * part) for part in colorsys.hsv_to_rgb(number / len(ORDER), 1, 1))
    for number in range(len(ORDER))
)
"""RGB, of the points and, in its order, of the limbs."""
_DIM: Final = 0.6
"""A limb's brightness, beside its points'."""
_RADIUS: Final = 4.0
"""Half of a limb's width and a point's radius, in px of a picture of :data:`SIDE` px."""


def skeletons(people: Array, width: int, height: int, confidence: float) -> Image:
    """The skeletons of people, H×W×3 uint8 on black.

    Args:
        people: P×17×3 float, COCO's points of each: x and y in px, and how sure they are (0..1). Later ones
            are drawn over earlier ones.
        width, height: of the picture, px.
        confidence: points that are less sure are left out, and the limbs that end in them.
    """
    canvas = np.zeros((height, width, 3), np.uint8)
    radius = max(1, round(_RADIUS * min(width, height) / SIDE))
    for person in people:
        points = _points(person, confidence)
        for (start, end), colour in zip(LIMBS, COLOURS[: len(LIMBS)], strict=True):
            if start in points and end in points:
                _draw_limb(canvas, points[start], points[end], radius, colour)
        _draw_points(canvas, points, radius)
    return Image(canvas)


def _points(person: Array, confidence: float) -> dict[str, tuple[float, float]]:
    """Those that are sure enough, with the neck, which is between the shoulders."""
    found = {
        name: (float(x), float(y))
        for name, (x, y, sure) in zip(POINTS, person, strict=True)
        if sure >= confidence
    }
    shoulders = [found[name] for name in ("left shoulder", "right shoulder") if name in found]
    if len(shoulders) == 2:
        (ax, ay), (bx, by) = shoulders
        found[NECK] = ((ax + bx) / 2, (ay + by) / 2)
    return found


def _draw_limb(
    canvas: Array,
    start: tuple[float, float],
    end: tuple[float, float],
    radius: int,
    colour: tuple[int, ...],
) -> None:
    """An ellipse from one point to the other."""
    import cv2

    (ax, ay), (bx, by) = start, end
    middle = (round((ax + bx) / 2), round((ay + by) / 2))
    axes = (max(1, round(math.hypot(bx - ax, by - ay) / 2)), radius)
    angle = round(math.degrees(math.atan2(by - ay, bx - ax)))
    outline = cv2.ellipse2Poly(middle, axes, angle, 0, 360, 1)
    cv2.fillConvexPoly(canvas, outline, [round(_DIM * part) for part in colour])


def _draw_points(canvas: Array, points: dict[str, tuple[float, float]], radius: int) -> None:
    import cv2

    for name, colour in zip(ORDER, COLOURS, strict=True):
        if name in points:
            x, y = points[name]
            cv2.circle(canvas, (round(x), round(y)), radius, colour, thickness=-1)
