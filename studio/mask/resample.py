"""Layers at another size: when the picture below them changes its size, what was painted stays."""

from __future__ import annotations

from PySide6.QtCore import QSize

from studio.mask.surface import Surface


def resampled(surface: Surface, size: QSize) -> Surface:
    """The same content on a surface of ``size``: averaged when smaller, linear when larger."""
    if not surface.tiles or size.isEmpty():
        return surface.empty_copy(size)
    import cv2

    shrinks = size.width() * size.height() < surface.width * surface.height
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return Surface.from_array(
        cv2.resize(surface.read(surface.rect), (size.width(), size.height()), None, 0, 0, way)
    )
