"""Selecting by what a picture shows: connected areas, ranges of colour, objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from pipelines.graph.conversions import brightness
from pipelines.graph.values import Array, Image, Mask
from pipelines.image import resize, solid
from pipelines.inpaint.box import Box

_LONGEST: Final = 512
"""Longest side in pixels at which objects are looked for; their outlines are then refined."""
_LEAST: Final = 16
"""Fewest pixels of object and surroundings from which their colours can be learned."""


def flood_fill(image: Image, x: int, y: int, tolerance: float) -> Mask:
    """What is joined to the pixel at ``x``, ``y`` by its sides and looks like it; hard.

    Args:
        tolerance: 0..1, how far any channel may be from that pixel's (colours count by their opacity).

    Raises:
        ValueError: the pixel lies outside the picture.
    """
    import cv2

    if not (0 <= x < image.width and 0 <= y < image.height):
        raise ValueError(f"{x}, {y} is outside {image.width} × {image.height}")
    colours = _seen(image)
    alike = _distance(colours, colours[y, x]) <= tolerance + 1e-6
    _, labels = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    return Mask((labels == labels[y, x]).astype(np.float32))


def color_range(image: Image, color: str, tolerance: float) -> Mask:
    """How near each pixel is to a colour (``#rrggbb`` or ``#rrggbbaa``), anywhere in the picture; soft.

    Args:
        tolerance: 0..1. The mask is 1 where no channel is further off than half of it, and falls to 0 at
            all of it; with 0, only that very colour.

    Raises:
        ValueError: it is not such a colour.
    """
    wanted = np.append(solid(color, 1, 1).as_float()[0, 0], np.float32(1))[:4]
    wanted[:3] *= wanted[3]
    colours = _seen(image)
    if colours.shape[2] == 3 and wanted[3] == 1:
        wanted = wanted[:3]
    elif colours.shape[2] == 3:
        colours = np.dstack([colours, np.ones(colours.shape[:2], np.float32)])
    off = _distance(colours, wanted)
    if tolerance <= 0:
        return Mask((off <= 1e-6).astype(np.float32))
    return Mask(np.clip(2 - off * np.float32(2 / tolerance), 0, 1))


def select_object(image: Image, box: Box, rounds: int = 5, check: Callable[[], None] = lambda: None) -> Mask:
    """The thing inside ``box``, told from its surroundings by colour; edges follow the picture's.

    GrabCut (C. Rother et al., "GrabCut", SIGGRAPH 2004; OpenCV's) at up to 512 px, brought up by a guided
    filter (K. He et al., "Guided Image Filtering", ECCV 2010).

    Args:
        box: where the thing is; what lies outside is certainly no part of it.
        check: called before each round; raises to stop.

    Raises:
        ValueError: the box is empty or outside the picture.
    """
    inside = Box(0, 0, image.width, image.height)
    box = box.clipped(image.width, image.height)
    if box.width < 1 or box.height < 1:
        raise ValueError(f"{box} has nothing of {inside}")
    area = box.grown(0.25 * max(box.width, box.height) + 4).clipped(image.width, image.height)
    whole = np.zeros((image.height, image.width), np.float32)
    colours = _seen(image)[area.slices][..., :3]
    found = _grab_cut(colours, box.moved(area.x, area.y), rounds, check)
    limits = np.zeros_like(found)
    limits[box.moved(area.x, area.y).slices] = 1
    whole[area.slices] = found * limits
    return Mask(whole)


def _grab_cut(colours: Array, box: Box, rounds: int, check: Callable[[], None]) -> Array:
    """H×W in 0..1 of an H×W×3 float32 picture; all of ``box`` if there is too little to learn from."""
    import cv2

    height, width = colours.shape[:2]
    factor = min(1.0, _LONGEST / max(width, height))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = resize(Image(np.rint(colours * 255).astype(np.uint8)), *size, "area").pixels
    guess = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    left, top = int(box.x * factor), int(box.y * factor)
    guess[top : max(top + 1, round(box.bottom * factor)), left : max(left + 1, round(box.right * factor))] = (
        cv2.GC_PR_FGD
    )
    if min(size) > 2 and (guess == cv2.GC_BGD).sum() < _LEAST:
        guess[[0, -1]], guess[:, [0, -1]] = cv2.GC_BGD, cv2.GC_BGD  # the box is the picture: take its rim
    whole = np.zeros((height, width), np.float32)
    if min((guess == cv2.GC_BGD).sum(), (guess == cv2.GC_PR_FGD).sum()) < _LEAST:
        whole[box.slices] = 1
        return whole
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # it draws the first clusters: the same picture gives the same selection
    for index in range(rounds):
        check()
        mode = cv2.GC_INIT_WITH_MASK if index == 0 else cv2.GC_EVAL
        cv2.grabCut(np.ascontiguousarray(small), guess, None, *models, 1, mode)
    found = np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    if factor == 1:
        return found
    rough = np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR))
    return _guided(brightness(Image(colours)), rough, round(2 / factor))


def _guided(guide: Array, values: Array, radius: int) -> Array:
    """``values`` (H×W) moved to the edges of ``guide`` (H×W) within ``radius`` px, and made steep again."""
    import cv2

    def mean(array: Array) -> Array:
        return np.asarray(cv2.blur(array, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT))

    average, level = mean(guide), mean(values)
    slope = (mean(guide * values) - average * level) / (mean(guide * guide) - average**2 + np.float32(1e-4))
    refined = mean(slope) * guide + mean(level - slope * average)
    return np.clip((refined - 0.5) * 3 + 0.5, 0, 1)


def _seen(image: Image) -> Array:
    """H×W×(3|4) float32: colours weighted by their alpha, so that what is transparent is all alike."""
    pixels = image.as_float()
    if image.channels == 1:
        return np.repeat(pixels, 3, axis=2)
    if image.channels == 3:
        return pixels
    return np.dstack([pixels[..., :3] * pixels[..., 3:], pixels[..., 3]])


def _distance(colours: Array, colour: Array) -> Array:
    """H×W: the largest difference in any channel."""
    off = np.abs(colours[..., 0] - colour[0])
    for channel in range(1, colours.shape[2]):
        np.maximum(off, np.abs(colours[..., channel] - colour[channel]), out=off)
    return off
