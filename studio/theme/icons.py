"""Our SVG icons, recoloured at load: ``currentColor`` and ``var(--token)`` become colours of the scheme.

Icons are drawn at the device's own resolution (crisp at 1, 1.25, 1.5 and 2), and follow a change of scheme by
themselves, because the engine asks for the colours each time it paints.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from pipelines.paths import RESOURCES
from studio.theme.tokens import Tokens

FOLDER = RESOURCES / "icons"
_VARIABLE = re.compile(r"var\(--([a-z0-9_]+)\)")


@lru_cache(maxsize=256)
def source(name: str) -> str:
    """The SVG text of an icon. An unknown name is a mistake in the program: :class:`FileNotFoundError`."""
    return (FOLDER / f"{name}.svg").read_text("utf-8")


def recolour(svg: str, tokens: Tokens, role: str) -> str:
    """``svg`` in the colours of ``tokens``: ``currentColor`` is the token ``role``."""
    colours = tokens.colours()
    text = _VARIABLE.sub(lambda match: colours[match[1]], svg)
    return text.replace("currentColor", colours[role])


@lru_cache(maxsize=512)
def _drawn(name: str, tokens: Tokens, role: str, width: int, height: int) -> QPixmap:
    pixmap = QPixmap(width, height)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer = QSvgRenderer(QByteArray(recolour(source(name), tokens, role).encode()))
    renderer.setAspectRatioMode(Qt.AspectRatioMode.KeepAspectRatio)
    renderer.render(painter, QRectF(0, 0, width, height))
    painter.end()
    return pixmap


def pixmap(name: str, tokens: Tokens, role: str, size: QSize, ratio: float = 1.0) -> QPixmap:
    """An icon as a pixmap of ``size`` logical pixels at the device pixel ratio ``ratio``."""
    width, height = round(size.width() * ratio), round(size.height() * ratio)
    result = QPixmap(_drawn(name, tokens, role, max(1, width), max(1, height)))
    result.setDevicePixelRatio(ratio)
    return result


class SvgIconEngine(QIconEngine):
    """Paints one icon in the scheme that is current at that moment."""

    def __init__(self, name: str, role: str, tokens: Callable[[], Tokens], on_role: str = "") -> None:
        super().__init__()
        self._name, self._role, self._on_role, self._tokens = name, role, on_role or role, tokens

    def clone(self) -> QIconEngine:
        return SvgIconEngine(self._name, self._role, self._tokens, self._on_role)

    def _colour(self, mode: QIcon.Mode, state: QIcon.State) -> str:
        if mode == QIcon.Mode.Disabled:
            return "text3"
        return self._on_role if state == QIcon.State.On else self._role

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        side = min(rect.width(), rect.height())
        image = pixmap(self._name, self._tokens(), self._colour(mode, state), QSize(side, side), ratio)
        corner = QPoint(
            rect.x() + (rect.width() - side) // 2,
            rect.y() + (rect.height() - side) // 2,
        )
        painter.drawPixmap(corner, image)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return pixmap(self._name, self._tokens(), self._colour(mode, state), size)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        # since Qt 6.8 the size counts logical pixels
        return pixmap(self._name, self._tokens(), self._colour(mode, state), size, scale)
