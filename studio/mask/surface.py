"""A picture in tiles: empty ones cost nothing, changed ones are copied once, everything else is shared.

Two kinds. *mask*: uint16, 0..65535 for 0..1, so that soft edges and many soft strokes stay exact. *paint*:
uint8 B, G, R, A premultiplied, which is the memory of ``QImage.Format_ARGB32_Premultiplied`` on every machine
served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import numpy as np
from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QImage

from studio.mask.tile import TILE, Array, Key, Tile

FULL: Final = 65535
"""A mask's 1."""
Kind = Literal["mask", "paint"]
Changes = Mapping[Key, tuple[Tile | None, Tile | None]]
"""Tiles before and after; ``None`` is an empty one."""


def tile_rect(key: Key) -> QRect:
    """Where a tile lies, in pixels."""
    return QRect(key[0] * TILE, key[1] * TILE, TILE, TILE)


class Surface:
    """Pixels of one layer. Writing happens between :meth:`begin` and :meth:`commit` or :meth:`rollback`."""

    def __init__(self, width: int, height: int, kind: Kind) -> None:
        self.width, self.height, self.kind = width, height, kind
        self.revision = 0
        """Grows with every change of its tiles."""
        self._tiles: dict[Key, Tile] = {}
        self._drafts: dict[Key, Array] | None = None
        self._bounds: tuple[int, QRect] | None = None

    # --- looking ---------------------------------------------------------------------------------------

    @property
    def rect(self) -> QRect:
        return QRect(0, 0, self.width, self.height)

    @property
    def nbytes(self) -> int:
        """Bytes of its tiles (empty ones have none)."""
        drafts = (self._drafts or {}).values()
        return sum(tile.nbytes for tile in self._tiles.values()) + sum(int(draft.nbytes) for draft in drafts)

    @property
    def tiles(self) -> Mapping[Key, Tile]:
        """The tiles that hold something, without what is being drawn."""
        return self._tiles

    def snapshot(self) -> dict[Key, Tile]:
        """The tiles as they are now: cheap, never changes, safe to read in a worker thread."""
        return dict(self._tiles)

    def keys(self, rect: QRect) -> Iterator[Key]:
        """The tiles that ``rect`` touches, empty or not, within the surface."""
        rect = rect & self.rect
        if rect.isEmpty():
            return
        for row in range(rect.top() // TILE, rect.bottom() // TILE + 1):
            for column in range(rect.left() // TILE, rect.right() // TILE + 1):
                yield column, row

    def peek(self, key: Key) -> Array | None:
        """A tile's pixels, with what is being drawn; ``None`` if it is empty. Not to be written to."""
        if self._drafts is not None and key in self._drafts:
            return self._drafts[key]
        tile = self._tiles.get(key)
        return None if tile is None else tile.pixels

    def blank(self) -> Array:
        """A new empty tile's pixels."""
        return blank_tile(self.kind)

    def read(self, rect: QRect) -> Array:
        """A copy of a part: height × width (× 4) in the surface's own units; zero outside of it."""
        shape = (rect.height(), rect.width()) if self.kind == "mask" else (rect.height(), rect.width(), 4)
        out = np.zeros(shape, np.uint16 if self.kind == "mask" else np.uint8)
        for key in self.keys(rect):
            pixels = self.peek(key)
            if pixels is not None:
                part = tile_rect(key) & rect
                out[slices(part, rect)] = pixels[slices(part, tile_rect(key))]
        return out

    def bounds(self) -> QRect:
        """The smallest rectangle that holds everything that is not zero; found once for each revision."""
        if self._drafts is None and self._bounds is not None and self._bounds[0] == self.revision:
            return QRect(self._bounds[1])
        result = self._find_bounds()
        if self._drafts is None:
            self._bounds = (self.revision, QRect(result))
        return result

    def _find_bounds(self) -> QRect:
        result = QRect()
        for key in set(self._tiles) | set(self._drafts or ()):
            pixels = self.peek(key)
            if pixels is None:
                continue
            alpha = pixels if self.kind == "mask" else pixels[..., 3]
            rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
            if len(rows):
                x, y = key[0] * TILE, key[1] * TILE
                across, down = int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1
                result |= QRect(x + int(columns[0]), y + int(rows[0]), across, down)
        return result & self.rect

    # --- writing ---------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether something is being drawn."""
        return self._drafts is not None

    def begin(self) -> None:
        """Start to write."""
        if self._drafts is not None:
            raise RuntimeError("this surface is being written to already")
        self._drafts = {}

    def draft(self, key: Key) -> Array:
        """A tile to write to: a copy of it, made once."""
        if self._drafts is None:
            raise RuntimeError("a surface is written to between begin() and commit()")
        draft = self._drafts.get(key)
        if draft is None:
            tile = self._tiles.get(key)
            draft = self._drafts[key] = self.blank() if tile is None else tile.pixels.copy()
        return draft

    def commit(self) -> Changes:
        """Keep what was written; gives the tiles that differ."""
        drafts, self._drafts = self._drafts or {}, None
        changes: dict[Key, tuple[Tile | None, Tile | None]] = {}
        for key, draft in drafts.items():
            before = self._tiles.get(key)
            if before is None and not draft.any():
                continue
            if before is not None and np.array_equal(before.pixels, draft):
                continue
            changes[key] = (before, Tile(draft) if draft.any() else None)
        self.put({key: after for key, (_, after) in changes.items()})
        return changes

    def rollback(self) -> QRect:
        """Forget what was written; gives the area that looked different."""
        drafts, self._drafts = self._drafts or {}, None
        return area_of(drafts) & self.rect

    def put(self, tiles: Mapping[Key, Tile | None]) -> QRect:
        """Put tiles in place (undo, redo, results of a worker); gives the area."""
        self.revision += 1
        for key, tile in tiles.items():
            if tile is None:
                self._tiles.pop(key, None)
            else:
                self._tiles[key] = tile
        return area_of(tiles) & self.rect

    def changes_to(self, tiles: Mapping[Key, Tile | None]) -> Changes:
        """What :meth:`put` with these tiles would change."""
        return {
            key: (before, after)
            for key, after in tiles.items()
            if (before := self._tiles.get(key)) is not after and not _same(before, after)
        }

    # --- whole pictures --------------------------------------------------------------------------------

    def to_array(self) -> Array:
        """A mask as height × width float32 in 0..1; paint as height × width × 4 uint8 (B, G, R, A)."""
        whole = self.read(self.rect)
        return whole.astype(np.float32) / np.float32(FULL) if self.kind == "mask" else whole

    def to_image(self) -> QImage:
        """A mask as ``Grayscale16``, paint as ``ARGB32_Premultiplied``."""
        whole = self.read(self.rect)
        format = (
            QImage.Format.Format_Grayscale16
            if self.kind == "mask"
            else QImage.Format.Format_ARGB32_Premultiplied
        )
        return QImage(whole.data, self.width, self.height, whole.strides[0], format).copy()

    @classmethod
    def from_array(cls, values: Array) -> Surface:
        """A mask from height × width floats in 0..1 (or uint16), paint from height × width × 4 uint8."""
        surface = cls(values.shape[1], values.shape[0], "mask" if values.ndim == 2 else "paint")
        surface.put(tiles_from_array(values))
        return surface

    @classmethod
    def from_image(cls, image: QImage) -> Surface:
        """A paint surface with the pixels of a picture."""
        return cls.from_array(image_array(image))

    def empty_copy(self, size: QSize | None = None) -> Surface:
        """An empty surface of the same kind."""
        if size is None:
            return Surface(self.width, self.height, self.kind)
        return Surface(size.width(), size.height(), self.kind)


def blank_tile(kind: Kind) -> Array:
    """Pixels of an empty tile."""
    return np.zeros((TILE, TILE), np.uint16) if kind == "mask" else np.zeros((TILE, TILE, 4), np.uint8)


def slices(part: QRect, within: QRect) -> tuple[slice, slice]:
    """``part`` as indices of an array that shows ``within``."""
    x, y = part.x() - within.x(), part.y() - within.y()
    return slice(y, y + part.height()), slice(x, x + part.width())


def area_of(keys: Mapping[Key, object]) -> QRect:
    """The rectangle round some tiles."""
    result = QRect()
    for key in keys:
        result |= tile_rect(key)
    return result


def tiles_from_array(values: Array, checked: Callable[[], None] = lambda: None) -> dict[Key, Tile | None]:
    """Tiles of a whole picture, ``None`` for empty ones; see :meth:`Surface.from_array`. Safe in any thread.

    Args:
        checked: called once a row of tiles; may raise to stop.
    """
    kind: Kind = "mask" if values.ndim == 2 else "paint"
    tiles: dict[Key, Tile | None] = {}
    height, width = values.shape[:2]
    for row in range(-(-height // TILE)):
        checked()
        for column in range(-(-width // TILE)):
            part = values[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
            if kind == "mask" and part.dtype != np.uint16:
                part = np.rint(np.clip(np.nan_to_num(part), 0, 1) * FULL)
            tile = blank_tile(kind)
            tile[: part.shape[0], : part.shape[1]] = part
            tiles[column, row] = Tile(tile) if tile.any() else None
    return tiles


def image_array(image: QImage) -> Array:
    """A picture as height × width × 4 uint8 (B, G, R, A premultiplied): a copy."""
    image = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
    flat = np.frombuffer(image.constBits(), np.uint8)
    return flat.reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width()].copy()


def _same(first: Tile | None, second: Tile | None) -> bool:
    if first is None or second is None:
        return first is second
    return np.array_equal(first.pixels, second.pixels)
