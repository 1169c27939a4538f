"""Small pictures of layers, made a moment after they changed and never while something is drawn."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QPainter

from studio.mask.layers import Layer
from studio.mask.paint_document import PaintDocument
from studio.mask.resample import FORMAT
from studio.mask.surface import Surface
from studio.mask.tile import TILE, Array

SIDE: Final = 36
"""Logical pixels of the longer side."""
PAUSE_MS: Final = 40
SECONDS: Final = 0.006
"""Longest that one turn works (one picture at least); the rest follows in the next."""
_SAMPLES: Final = 3
"""Pixels that are looked at along each side of one of the thumbnail's."""


@dataclass(frozen=True, slots=True)
class _Made:
    image: QImage
    content: object
    state: tuple[object, ...]


class Thumbnails(QObject):
    """``updated`` when some are new. What is not made yet is shown by its old picture, or by none."""

    updated = Signal()

    def __init__(self, document: PaintDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._made: dict[str, _Made] = {}
        self._ratio = 1.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._work)
        for signal in (document.changed, document.stack_changed, document.replaced):
            signal.connect(self._later)
        self._later()

    def of(self, layer: Layer) -> QImage | None:
        """The picture of a layer, if it was made."""
        made = self._made.get(layer.id)
        return None if made is None else made.image

    def set_ratio(self, ratio: float) -> None:
        """Device pixels per logical pixel of the screen they are shown on."""
        if ratio != self._ratio:
            self._ratio = ratio
            self._later()

    @Slot()
    def _later(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    @Slot()
    def _work(self) -> None:
        stack = self._document.stack
        for gone in self._made.keys() - {layer.id for layer in stack.layers}:
            del self._made[gone]
        end, worked = time.perf_counter() + SECONDS, False
        for layer in reversed(stack.layers):
            content = layer.surface if layer.image is None else layer.image
            state = self._state(layer)
            made = self._made.get(layer.id)
            if made is not None and made.content is content and made.state == state:
                continue
            if worked and time.perf_counter() > end:
                self._later()
                break
            image = thumbnail(layer, stack.size, round(SIDE * self._ratio))
            image.setDevicePixelRatio(self._ratio)
            self._made[layer.id] = _Made(image, content, state)
            worked = True
        if worked:
            self.updated.emit()

    def _state(self, layer: Layer) -> tuple[object, ...]:
        revision = 0 if layer.surface is None else layer.surface.revision
        return (revision, layer.x, layer.y, self._document.rect, self._ratio)


def thumbnail(layer: Layer, canvas: QSize, side: int) -> QImage:
    """The canvas with one layer on it, its longer side ``side`` device pixels: masks white on black."""
    factor = side / max(canvas.width(), canvas.height(), 1)
    goal = QSize(max(1, round(canvas.width() * factor)), max(1, round(canvas.height() * factor)))
    few = (
        _pictured(layer, canvas, goal * _SAMPLES)
        if layer.surface is None
        else _sampled(layer.surface, max(1, int(1 / (factor * _SAMPLES))))
    )
    return few.scaled(goal, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)


def _pictured(layer: Layer, canvas: QSize, size: QSize) -> QImage:
    """What a picture shows of the canvas, single pixels of it."""
    out = QImage(size, FORMAT)
    out.fill(Qt.GlobalColor.transparent)
    part = layer.place & QRect(0, 0, canvas.width(), canvas.height())
    if layer.image is None or part.isEmpty():
        return out
    painter = QPainter(out)
    painter.scale(size.width() / canvas.width(), size.height() / canvas.height())
    painter.drawImage(QRectF(part), layer.image, QRectF(part.translated(-layer.x, -layer.y)))
    painter.end()
    return out


def _sampled(surface: Surface, step: int) -> QImage:
    """Every ``step``-th pixel each way."""
    mask = surface.kind == "mask"
    height, width = max(1, surface.height // step), max(1, surface.width // step)
    out: Array = np.zeros((height, width) if mask else (height, width, 4), np.uint8)
    for key, tile in surface.tiles.items():
        left, top = key[0] * TILE, key[1] * TILE
        column, row = -(-left // step), -(-top // step)
        found = tile.pixels[row * step - top :: step, column * step - left :: step]
        part = out[row : row + found.shape[0], column : column + found.shape[1]]
        found = found[: part.shape[0], : part.shape[1]]
        part[...] = found >> 8 if mask else found
    form = QImage.Format.Format_Grayscale8 if mask else FORMAT
    return QImage(out.data, width, height, out.strides[0], form).copy()


def placed(image: QImage, box: QRect) -> QRect:
    """Where a thumbnail lies in its ``box``, in the middle."""
    size = image.deviceIndependentSize().toSize()
    return QRect(
        box.x() + (box.width() - size.width()) // 2, box.y() + (box.height() - size.height()) // 2,
        size.width(), size.height(),
    )  # fmt: skip
