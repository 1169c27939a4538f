"""Cutting a picture into overlapping tiles whose weights add up to one everywhere.

Neighbours are cross-faded along half a sine wave (sin² and cos², the Hann window's slope): it begins and ends
level, so that no edge shows where the blending starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipelines.graph.values import Array

OVERLAP = 48
"""Input pixels that neighbours share at least: the middle quarter is blended, the rest is context.

18 px on either side are as far as a model with 18 convolutions sees.
"""


class Span(NamedTuple):
    """A piece of one axis, ``start`` to ``end``.

    ``before`` and ``after`` are the pixels it shares with its neighbours, ``ramp`` those in their middle that
    are blended.
    """

    start: int
    end: int
    before: int = 0
    after: int = 0
    ramp: int = 1


class Tile(NamedTuple):
    """A rectangle of the input."""

    rows: Span
    columns: Span


def spans(length: int, tile: int, overlap: int = OVERLAP) -> tuple[Span, ...]:
    """Evenly spaced spans of ``tile`` px that overlap by at least ``overlap`` px.

    ``overlap`` is at most a quarter of ``tile``, so that no two blended zones touch.
    """
    if length <= tile:
        return (Span(0, length),)
    overlap = min(overlap, tile // 4)
    count = -(-(length - overlap) // (tile - overlap))
    starts = [round(index * (length - tile) / (count - 1)) for index in range(count)]
    shared = [0, *(starts[index] + tile - starts[index + 1] for index in range(count - 1)), 0]
    ramp = max(overlap // 4, 1)
    return tuple(
        Span(start, start + tile, shared[index], shared[index + 1], ramp)
        for index, start in enumerate(starts)
    )


def tiles(height: int, width: int, tile: int) -> Iterator[Tile]:
    """All tiles, row by row."""
    for rows in spans(height, tile):
        for columns in spans(width, tile):
            yield Tile(rows, columns)


def count_tiles(height: int, width: int, tile: int) -> int:
    """How many :func:`tiles` gives."""
    return len(spans(height, tile)) * len(spans(width, tile))


def weights(span: Span, scale: int) -> Array:
    """Weights of a span's output pixels: 1 inside, 0 at its ends, half a sine wave in the blended zones.

    Two neighbours see the same shared pixels from both sides, so their weights there add up to exactly one.
    """
    result = np.ones((span.end - span.start) * scale, np.float32)
    if span.before:
        result[: span.before * scale] *= _rise(span.before * scale, span.ramp * scale)
    if span.after:
        result[-span.after * scale :] *= 1 - _rise(span.after * scale, span.ramp * scale)
    return result


def _rise(length: int, ramp: int) -> Array:
    """sin² from 0 to 1 over the middle ``ramp`` of ``length`` pixels, sampled at their middles."""
    position = np.clip((np.arange(length) + 0.5 - length / 2) / ramp + 0.5, 0, 1)
    return (np.sin(position * (np.pi / 2)) ** 2).astype(np.float32)


def weight(tile: Tile, scale: int) -> Array:
    """Weights H×W×1 of a tile's output."""
    return (weights(tile.rows, scale)[:, None] * weights(tile.columns, scale)[None, :])[..., None]
