"""What the canvas shows, composed: the layers as one picture, and halves of it for when it is seen from afar.

Nothing is composed before it is looked at. A change makes an area stale; painting the view asks for what it
shows, in a limited time, and comes back for the rest.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QRegion

from studio.mask.compose import EVERYTHING, FORMAT, compose
from studio.mask.layers import Layer, LayerKind

BLOCK: Final = 512
"""Large stale areas are composed in squares of this many pixels."""
SMALLEST: Final = 256
_MANY = 48


class Projection:
    """``level`` k is 1/2^k of the canvas's size, rounded up.

    Args:
        kinds: the layers that are shown.
    """

    def __init__(self, kinds: Collection[LayerKind] = EVERYTHING) -> None:
        self._kinds = kinds
        self._levels: list[QImage] = []
        self._stale: list[QRegion] = []

    def resize(self, size: QSize) -> None:
        """Start over for a canvas of this size."""
        self._levels, self._stale = [], []
        while not size.isEmpty():
            level = QImage(size, FORMAT)
            level.fill(Qt.GlobalColor.transparent)
            self._levels.append(level)
            self._stale.append(QRegion(QRect(0, 0, size.width(), size.height())))
            if max(size.width(), size.height()) <= SMALLEST:
                break
            size = QSize((size.width() + 1) // 2, (size.height() + 1) // 2)

    def set_kinds(self, kinds: Collection[LayerKind]) -> None:
        """Show layers of these kinds only."""
        if kinds != self._kinds:
            self._kinds = kinds
            for level, image in enumerate(self._levels):
                self._stale[level] = QRegion(image.rect())

    def invalidate(self, rect: QRect) -> None:
        """Something changed here (in pixels of the canvas)."""
        for level in range(len(self._levels)):
            self._stale[level] += _halved(rect, level) & self._levels[level].rect()
            if self._stale[level].rectCount() > _MANY:
                self._stale[level] = QRegion(self._stale[level].boundingRect())

    def level_for(self, scale: float) -> int:
        """The smallest level that is large enough when a pixel takes ``scale`` device pixels."""
        level = 0
        while scale <= 0.5 and level + 1 < len(self._levels):
            scale, level = scale * 2, level + 1
        return level

    def image(self, level: int) -> QImage:
        """The picture at a level; what was not refreshed is out of date."""
        return self._levels[level]

    def refresh(self, layers: Sequence[Layer], rect: QRect, level: int, seconds: float) -> bool:
        """Bring ``rect`` (pixels of the canvas) up to date at ``level``; whether it was done in time."""
        end = time.perf_counter() + seconds
        for step, area in enumerate(self._areas(rect, level)):
            for block in list(_blocks(self._stale[step] & area)):
                if step == 0:
                    compose(self._levels[0], layers, block, self._kinds)
                else:
                    self._halve(step, block)
                self._stale[step] -= block
                if time.perf_counter() > end:
                    return self.is_fresh(rect, level)
        return True

    def is_fresh(self, rect: QRect, level: int) -> bool:
        """Whether ``rect`` (pixels of the canvas) is up to date at ``level``."""
        areas = self._areas(rect, level)
        return not any(self._stale[step].intersects(area) for step, area in enumerate(areas))

    def _areas(self, rect: QRect, level: int) -> list[QRect]:
        """What has to be up to date at each level for ``rect`` to be so at ``level``."""
        if not self._levels or rect.isEmpty():
            return []
        areas = [_halved(rect, step) & self._levels[step].rect() for step in range(level + 1)]
        for step in range(level, 0, -1):
            # a pixel of a half needs the whole two by two above it
            areas[step - 1] |= _doubled(areas[step]) & self._levels[step - 1].rect()
        return areas

    def _halve(self, level: int, block: QRect) -> None:
        above = self._levels[level - 1]
        source = _doubled(block) & above.rect()
        size = QSize((source.width() + 1) // 2, (source.height() + 1) // 2)
        half = above.copy(source).scaled(
            size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        painter = QPainter(self._levels[level])
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(block.topLeft(), half)
        painter.end()


def _halved(rect: QRect, level: int) -> QRect:
    """``rect`` at a level, outward."""
    left, top = rect.left() >> level, rect.top() >> level
    return QRect(left, top, (rect.right() >> level) - left + 1, (rect.bottom() >> level) - top + 1)


def _doubled(rect: QRect) -> QRect:
    return QRect(rect.x() * 2, rect.y() * 2, rect.width() * 2, rect.height() * 2)


def _blocks(region: QRegion) -> Iterator[QRect]:
    for rect in region:  # type: ignore[attr-defined]
        for y in range(rect.top(), rect.bottom() + 1, BLOCK):
            for x in range(rect.left(), rect.right() + 1, BLOCK):
                yield QRect(x, y, BLOCK, BLOCK) & rect
