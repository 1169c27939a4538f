"""Where a soft mask has the value one half: lines through a grid of values, between its samples."""

from __future__ import annotations

from typing import Final

import numpy as np

from studio.mask.tile import Array

MOST: Final = 384
"""Samples a side that a contour is looked for in; larger grids are averaged first."""
_JOINED: Final = (
    # two edges of a cell (0 top, 1 right, 2 bottom, 3 left), and the kinds of cells whose line joins them:
    # the sum of 1, 2, 4, 8 for the corners inside, clockwise from the top left
    (3, 0, (1, 14, 10)),
    (0, 1, (2, 13, 5)),
    (1, 2, (4, 11, 10)),
    (2, 3, (8, 7, 5)),
    (0, 2, (6, 9)),
    (3, 1, (3, 12)),
)
_SADDLES: Final = (5, 10)


def contour(values: Array, level: float = 0.5) -> Array:
    """Pieces of the line where ``values`` (height × width) cross ``level``: n × 4 (x1, y1, x2, y2), float32.

    Coordinates are 0..1 of the grid's sides, whose samples lie in the middle of their cells. Beyond the grid
    nothing is set, so lines close along its edges. Marching squares (Lorensen & Cline 1987, in two
    dimensions); a saddle is inside where its mean is.
    """
    height, width = values.shape
    step = -(-max(height, width) // MOST)
    padded = np.pad(_averaged(np.asarray(values, np.float32), step), 1)
    corners = (padded[:-1, :-1], padded[:-1, 1:], padded[1:, 1:], padded[1:, :-1])
    kinds = np.zeros(corners[0].shape, np.uint8)
    for place, corner in enumerate(corners):
        kinds += (corner >= level) * np.uint8(1 << place)
    rows, columns = np.nonzero((kinds > 0) & (kinds < 15))
    kind = kinds[rows, columns]
    ends = [corner[rows, columns] for corner in corners]
    apart = np.isin(kind, _SADDLES) & (sum(ends) / 4 < level)
    kind = np.where(apart, 15 - kind, kind)
    at, base = _crossings(ends, level), np.stack([columns, rows], axis=1).astype(np.float32)
    pieces = []
    for first, second, joined in _JOINED:
        chosen = np.isin(kind, joined)
        pieces.append(np.hstack([base[chosen] + at[first][chosen], base[chosen] + at[second][chosen]]))
    # sample i of the padded grid is the middle of cell i - 1
    lines = (np.concatenate(pieces) - 0.5) * step / np.array([width, height] * 2)
    return np.clip(lines, 0, 1).astype(np.float32)


def _crossings(ends: list[Array], level: float) -> list[Array]:
    """Where the line meets each edge of the cells, in cells."""

    def part(first: Array, second: Array) -> Array:
        apart = second - first
        return np.clip((level - first) / np.where(np.abs(apart) < 1e-6, 1.0, apart), 0, 1)

    top, right = part(ends[0], ends[1]), part(ends[1], ends[2])
    bottom, left = part(ends[3], ends[2]), part(ends[0], ends[3])
    nought, one = np.zeros_like(top), np.ones_like(top)
    sides = ((top, nought), (one, right), (bottom, one), (nought, left))
    return [np.stack(side, axis=1) for side in sides]


def _averaged(values: Array, step: int) -> Array:
    """The mean of each square of ``step`` samples."""
    if step <= 1:
        return values
    height, width = values.shape
    padded = np.pad(values, ((0, -height % step), (0, -width % step)), mode="edge")
    squares = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    return squares.mean(axis=(1, 3), dtype=np.float32)
