"""A hand at the image canvas: mouse, pen and keys. Places are pixels of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import (
    QColor,
    QImage,
    QInputDevice,
    QPainter,
    QPointingDevice,
    QPointingDeviceUniqueId,
    QTabletEvent,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.mask.mask_canvas import MaskCanvas
from studio.mask.surface import Surface

NO = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton
Place = tuple[float, float]


def blocks(width: int = 200, height: int = 160) -> QImage:
    """Dark grey with a red square (40..80 both ways), a slightly other red beside it, and one far away."""
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(60, 60, 60))
    painter = QPainter(image)
    painter.fillRect(40, 40, 40, 40, QColor(200, 40, 40))
    painter.fillRect(80, 40, 20, 40, QColor(215, 40, 40))
    painter.fillRect(150, 100, 20, 20, QColor(200, 40, 40))
    painter.end()
    return image


class MaskHand:
    """Uses a shown canvas as a person would."""

    def __init__(self, canvas: MaskCanvas) -> None:
        self.canvas, self.view = canvas, canvas.view
        self.pen = QPointingDevice(
            "pen", 1, QInputDevice.DeviceType.Stylus, QPointingDevice.PointerType.Pen,
            QInputDevice.Capability.Pressure, 1, 1, "", QPointingDeviceUniqueId(),
        )  # fmt: skip
        self.tail = QPointingDevice(
            "pen's end", 2, QInputDevice.DeviceType.Stylus, QPointingDevice.PointerType.Eraser,
            QInputDevice.Capability.Pressure, 1, 1, "", QPointingDeviceUniqueId(),
        )  # fmt: skip

    def at(self, place: Place) -> QPoint:
        return self.view.to_view(QPointF(*place)).toPoint()

    def settled(self) -> QImage:
        """What the view shows once everything in it has been composed, in device pixels."""
        for _ in range(1000):
            shown = self.view.grab().toImage()
            if self.view.complete:
                break
        shown.setDevicePixelRatio(1)
        return shown

    # --- mouse -----------------------------------------------------------------------------------------

    def press(self, place: Place, modifiers: Qt.KeyboardModifier = NO, button: Qt.MouseButton = LEFT) -> None:
        QTest.mousePress(self.view, button, modifiers, self.at(place))

    def move(self, place: Place) -> None:
        QTest.mouseMove(self.view, self.at(place))

    def release(
        self, place: Place, modifiers: Qt.KeyboardModifier = NO, button: Qt.MouseButton = LEFT
    ) -> None:
        QTest.mouseRelease(self.view, button, modifiers, self.at(place))

    def drag(
        self, places: Sequence[Place], modifiers: Qt.KeyboardModifier = NO, button: Qt.MouseButton = LEFT
    ) -> None:
        self.press(places[0], modifiers, button)
        for place in places[1:]:
            self.move(place)
        self.release(places[-1], modifiers, button)

    def click(self, place: Place, modifiers: Qt.KeyboardModifier = NO) -> None:
        QTest.mouseClick(self.view, LEFT, modifiers, self.at(place))

    # --- pen -------------------------------------------------------------------------------------------

    def draw(self, places: Sequence[tuple[float, float, float]], *, tail: bool = False) -> None:
        """Press, move and lift the pen (or its other end) at places with a pressure."""
        last = len(places) - 1
        for index, (x, y, pressure) in enumerate(places):
            kinds = [QEvent.Type.TabletPress] if index == 0 else [QEvent.Type.TabletMove]
            kinds += [QEvent.Type.TabletRelease] if index == last else []
            for kind in kinds:
                self._tablet(kind, (x, y), pressure, self.tail if tail else self.pen)

    def _tablet(self, kind: QEvent.Type, place: Place, pressure: float, device: QPointingDevice) -> None:
        at = self.view.to_view(QPointF(*place))
        moves = kind == QEvent.Type.TabletMove
        button = Qt.MouseButton.NoButton if moves else LEFT
        held = Qt.MouseButton.NoButton if kind == QEvent.Type.TabletRelease else LEFT
        event = QTabletEvent(
            kind, device, at, self.view.mapToGlobal(at), pressure, 0, 0, 0, 0, 0, NO, button, held
        )
        QApplication.sendEvent(self.view, event)

    # --- keys and what came of it ----------------------------------------------------------------------

    def key(self, key: Qt.Key | str, modifiers: Qt.KeyboardModifier = NO) -> None:
        QTest.keyClick(self.view, key, modifiers)

    @property
    def surface(self) -> Surface:
        """The active layer's pixels."""
        layer = self.canvas.document.active
        assert layer is not None
        assert layer.surface is not None
        return layer.surface

    @property
    def values(self) -> np.ndarray:
        """The active mask, 0..1."""
        return self.surface.to_array()
