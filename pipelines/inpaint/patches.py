"""Filling a gap with pieces of the picture itself, so that textures and lines go on in it.

Coarse to fine, each patch that reaches into the gap looks for the known patch most like it, and all of them
vote for the pixels they cover (Y. Wexler et al., "Space-time completion of video", PAMI 2007); the search is
PatchMatch's (C. Barnes et al., SIGGRAPH 2009), for all patches at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.graph.values import Array
from pipelines.inpaint.color_match import membrane
from pipelines.inpaint.morphology import distance

_HALF: Final = 3
_SIDE: Final = 2 * _HALF + 1
"""Side of a patch in pixels of its level."""
_GRID: Final = 160
"""Longest side in pixels of the finest level; detail beyond it is copied from where the patches came from."""
_LEAST: Final = 20
"""Shortest side of the coarsest level."""
_ROUNDS: Final = (2, 3, 5, 8)
"""Rounds of searching and voting on each level, from the finest."""
_INWARDS: Final = 1.3
"""A patch one pixel further inside the gap has this much less of a say: it knows less."""
_SHIFTS: Final = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(slots=True)
class _Level:
    """One size of the picture: ``values`` h×w×C, ``unknown`` h×w, and where each patch's best match is."""

    values: Array
    unknown: Array
    rows: Array
    columns: Array


def patch_fill(values: Array, unknown: Array, seed: int = 0) -> Array:
    """H×W×C float32 with the ``unknown`` pixels (H×W bool) filled from the others.

    A smooth surface through the colours round the gap where no whole patch is known.

    Args:
        seed: of the search; the same seed gives the same result.
    """
    start = np.where(unknown[..., None], membrane(values, 1 - unknown.astype(np.float32)), values)
    height, width = unknown.shape
    finest = min(1.0, _GRID / max(height, width))
    generator = np.random.default_rng(seed)
    level: _Level | None = None
    for index, scale in reversed(list(enumerate(_scales(min(height, width), finest)))):
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        made = _refined(*_reduced(start, unknown, size), level, _ROUNDS[min(index, 3)], generator)
        if made is None and level is None:
            continue
        if made is None:
            return start
        level = made
    return start if level is None else _detailed(values, unknown, level)


def _scales(shortest: int, finest: float) -> list[float]:
    """From the finest level to the coarsest, each half of the one before."""
    levels = max(1, 1 + int(math.log2(max(1.0, shortest * finest / _LEAST))))
    return [finest / 2**index for index in range(levels)]


def _reduced(values: Array, unknown: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """The picture at a smaller size, and which of its pixels have anything unknown in them."""
    import cv2

    if size == (unknown.shape[1], unknown.shape[0]):
        return values, unknown
    small = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA))
    gaps = cv2.resize(unknown.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return small.reshape(*size[::-1], -1), np.asarray(gaps) > 0


def _refined(
    values: Array, unknown: Array, coarser: _Level | None, rounds: int, generator: np.random.Generator
) -> _Level | None:
    """A level after its rounds; ``None`` if no whole patch is known."""
    import cv2

    height, width = unknown.shape
    kernel = np.ones((_SIDE, _SIDE), np.uint8)
    sources = cv2.dilate(unknown.astype(np.uint8), kernel) == 0
    sources[:_HALF] = sources[height - _HALF :] = False
    sources[:, :_HALF] = sources[:, width - _HALF :] = False
    choices = np.flatnonzero(sources)
    if not choices.size:
        return None
    y, x = np.nonzero(cv2.dilate(unknown.astype(np.uint8), kernel))
    targets = y, x
    drawn = generator.choice(choices, unknown.size)
    level = _Level(values.copy(), unknown, *(part.reshape(height, width) for part in divmod(drawn, width)))
    if coarser is not None:
        _take_over(level, coarser, sources)
    known = _patches(values).reshape(height * width, -1)
    say = _INWARDS ** -distance(~unknown)[y, x]
    for _ in range(rounds):
        _search(level, targets, sources, known, generator)
        _vote(level, targets, known, say)
    return level


def _take_over(level: _Level, coarser: _Level, sources: Array) -> None:
    """Start from the coarser level: its pixels in the gap, and its matches where they are known here."""
    import cv2

    height, width = level.unknown.shape
    rows, columns = coarser.unknown.shape
    larger = cv2.resize(coarser.values, (width, height), interpolation=cv2.INTER_LINEAR)
    level.values[level.unknown] = np.asarray(larger).reshape(height, width, -1)[level.unknown]
    y, x = np.mgrid[:height, :width]
    above, left = y * rows // height, x * columns // width
    new_rows = y + np.rint((coarser.rows[above, left] - above) * (height / rows)).astype(np.int64)
    new_columns = x + np.rint((coarser.columns[above, left] - left) * (width / columns)).astype(np.int64)
    new_rows, new_columns = new_rows.clip(0, height - 1), new_columns.clip(0, width - 1)
    good = sources[new_rows, new_columns]
    level.rows[good], level.columns[good] = new_rows[good], new_columns[good]


def _patches(values: Array) -> Array:
    """h×w×(side²·C): the patch round each pixel, mirrored at the edges."""
    height, width, channels = values.shape
    padded = np.pad(values, ((_HALF, _HALF), (_HALF, _HALF), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_SIDE, _SIDE), axis=(0, 1))
    return np.ascontiguousarray(windows).reshape(height, width, channels * _SIDE * _SIDE)


def _search(
    level: _Level, targets: tuple[Array, Array], sources: Array, known: Array, generator: np.random.Generator
) -> None:
    """Better matches: those of the neighbours, moved along, then random ones, nearer and nearer."""
    y, x = targets
    height, width = level.unknown.shape
    wanted = _patches(level.values)[y, x]
    best = _differences(wanted, known, level.rows[y, x] * width + level.columns[y, x])

    def offer(rows: Array, columns: Array) -> None:
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        fits = np.flatnonzero(inside & sources[rows.clip(0, height - 1), columns.clip(0, width - 1)])
        cost = _differences(wanted[fits], known, rows[fits] * width + columns[fits])
        better = cost < best[fits]
        chosen = fits[better]
        best[chosen] = cost[better]
        level.rows[y[chosen], x[chosen]] = rows[chosen]
        level.columns[y[chosen], x[chosen]] = columns[chosen]

    for down, right in _SHIFTS:
        near_y, near_x = (y + down).clip(0, height - 1), (x + right).clip(0, width - 1)
        offer(level.rows[near_y, near_x] - down, level.columns[near_y, near_x] - right)
    reach = max(height, width)
    while reach >= 1:
        jumps = generator.integers(-reach, reach + 1, (2, y.size))
        offer(level.rows[y, x] + jumps[0], level.columns[y, x] + jumps[1])
        reach //= 3


def _differences(wanted: Array, known: Array, places: Array) -> Array:
    """N sums of squares between N×D patches and those of M×D at ``places``."""
    apart = known[places]
    apart -= wanted
    return np.einsum("nd,nd->n", apart, apart)


def _vote(level: _Level, targets: tuple[Array, Array], known: Array, say: Array) -> None:
    """Each unknown pixel becomes the mean of what the patches over it say, the better matches more."""
    y, x = targets
    height, width, channels = level.values.shape
    matches = known[level.rows[y, x] * width + level.columns[y, x]]
    wanted = _patches(level.values)[y, x]
    cost = np.einsum("nd,nd->n", matches - wanted, matches - wanted)
    weight = say * np.exp(-cost / (2 * max(float(np.quantile(cost, 0.75)), 1e-6)))
    matches = matches.reshape(-1, channels, _SIDE, _SIDE)
    total = np.zeros((height + 2 * _HALF, width + 2 * _HALF, channels + 1), np.float32)
    for down in range(_SIDE):
        for right in range(
            _SIDE
        ):  # no two patches have the same pixel here, so that adding by index is right
            total[y + down, x + right, :-1] += weight[:, None] * matches[:, :, down, right]
            total[y + down, x + right, -1] += weight
    total = total[_HALF : _HALF + height, _HALF : _HALF + width][level.unknown]
    level.values[level.unknown] = total[:, :-1] / np.maximum(total[:, -1:], 1e-12)


def _detailed(values: Array, unknown: Array, level: _Level) -> Array:
    """The finest level at full size, with the detail of the places that its patches came from."""
    import cv2

    height, width, channels = values.shape
    rows, columns = level.unknown.shape
    if (rows, columns) == (height, width):
        return level.values
    size = (columns, rows)
    coarse = cv2.resize(cv2.resize(values, size, interpolation=cv2.INTER_AREA), (width, height))
    detail = values - np.asarray(coarse).reshape(values.shape)
    large = cv2.resize(level.values, (width, height)).reshape(height, width, channels)
    y, x = np.nonzero(unknown)
    above, left = y * rows // height, x * columns // width
    from_y = y + np.rint((level.rows[above, left] - above) * (height / rows)).astype(np.int64)
    from_x = x + np.rint((level.columns[above, left] - left) * (width / columns)).astype(np.int64)
    from_y, from_x = from_y.clip(0, height - 1), from_x.clip(0, width - 1)
    filled = values.copy()
    copied = detail[from_y, from_x] * ~unknown[from_y, from_x, None]
    filled[unknown] = np.asarray(large)[y, x] + copied
    return filled
