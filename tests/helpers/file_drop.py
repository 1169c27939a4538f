"""Dropping on a window as the system does it: its QWindow is told, and Qt finds out for whom it is."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget

COPY = Qt.DropAction.CopyAction
LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


def files(*paths: Path) -> QMimeData:
    """What a file manager hands over: addresses, and the same as text."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    data.setText("\n".join(map(str, paths)))
    return data


def drop_on(widget: QWidget, data: QMimeData, at: QPoint | None = None) -> bool:
    """Drag something over the middle of a widget (or a point of it) and drop it; whether it was taken."""
    window = widget.window()
    handle = window.windowHandle()
    place = widget.mapTo(window, at if at is not None else widget.rect().center())
    enter = QDragEnterEvent(place, COPY, data, LEFT, NONE)
    QApplication.sendEvent(handle, enter)
    QApplication.sendEvent(handle, QDragMoveEvent(place, COPY, data, LEFT, NONE))
    if not enter.isAccepted():
        return False
    event = QDropEvent(QPointF(place), COPY, data, LEFT, NONE)
    QApplication.sendEvent(handle, event)
    return event.isAccepted()
