"""Real mouse and key events on a graph view: press, move in steps, release."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.canvas.workspace import GraphWorkspace

LEFT = Qt.MouseButton.LeftButton
NO = Qt.KeyboardModifier.NoModifier


class Hand:
    """Somebody at the canvas. Places are points of the scene."""

    def __init__(self, workspace: GraphWorkspace) -> None:
        self.workspace, self.view, self.scene = workspace, workspace.view, workspace.scene

    def at(self, place: QPointF) -> QPoint:
        return self.view.mapFromScene(place)

    def body(self, node: str) -> QPointF:
        """A point in a node's title."""
        return self.scene.nodes[node].pos() + QPointF(120, 12)

    def port(self, node: str, name: str, *, output: bool = False) -> QPointF:
        return self.scene.nodes[node].port_position(name, output)

    def press(
        self, place: QPointF, modifiers: Qt.KeyboardModifier = NO, button: Qt.MouseButton = LEFT
    ) -> None:
        QTest.mousePress(self.view.viewport(), button, modifiers, self.at(place))

    def move(self, start: QPointF, end: QPointF, modifiers: Qt.KeyboardModifier = NO) -> None:
        del modifiers
        for step in range(1, 6):
            QTest.mouseMove(self.view.viewport(), self.at(start + (end - start) * (step / 5)))

    def glide(self, start: QPointF, end: QPointF, modifiers: Qt.KeyboardModifier, steps: int = 5) -> None:
        """Move with the left button and these keys down."""
        viewport = self.view.viewport()
        for step in range(1, steps + 1):
            at = QPointF(self.at(start + (end - start) * (step / steps)))
            QApplication.sendEvent(
                viewport,
                QMouseEvent(
                    QEvent.Type.MouseMove, at, QPointF(viewport.mapToGlobal(at)),
                    Qt.MouseButton.NoButton, LEFT, modifiers,
                ),
            )  # fmt: skip

    def release(
        self, place: QPointF, modifiers: Qt.KeyboardModifier = NO, button: Qt.MouseButton = LEFT
    ) -> None:
        QTest.mouseRelease(self.view.viewport(), button, modifiers, self.at(place))

    def click(self, place: QPointF, modifiers: Qt.KeyboardModifier = NO) -> None:
        QTest.mouseClick(self.view.viewport(), LEFT, modifiers, self.at(place))

    def double_click(self, place: QPointF) -> None:
        QTest.mouseDClick(self.view.viewport(), LEFT, NO, self.at(place))

    def drag(
        self, start: QPointF, end: QPointF, modifiers: Qt.KeyboardModifier = NO,
        button: Qt.MouseButton = LEFT,
    ) -> None:  # fmt: skip
        self.press(start, modifiers, button)
        self.move(start, end)
        self.release(end, modifiers, button)

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NO) -> None:
        QTest.keyClick(self.view, key, modifiers)
