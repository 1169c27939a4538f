"""The view itself as screen readers see it: a list of what is on the canvas."""

from __future__ import annotations

from itertools import islice
from typing import Any

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget

from studio.canvas.accessible_items import Access, Key, Thing


class GraphRoot(QAccessibleWidget):
    """Qt has it for as long as the view; its children are asked for anew each time."""

    def __init__(self, access: Access) -> None:
        super().__init__(access.view, QAccessible.Role.List)
        self._access = access

    def childCount(self) -> int:
        return len(self._access.places())

    def child(self, index: int) -> Any:
        key = next(islice(self._access.places(), index, None), None) if index >= 0 else None
        return self._access.thing(key) if key is not None else None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return self._access.places().get(child.key, -1) if isinstance(child, Thing) else -1

    def childAt(self, x: int, y: int) -> Any:
        """What is at a point of the screen: a node before a wire, that before a frame."""
        view = self._access.view
        key = self._key_at(view.mapToScene(view.viewport().mapFromGlobal(QPoint(x, y))))
        return self._access.thing(key) if key is not None else None

    def _key_at(self, at: QPointF) -> Key | None:
        scene = self._access.scene
        node, wire, box = scene.node_at(at), scene.wire_at(at), scene.boxes.at(at)
        if node is not None:
            return ("node", node.node)
        if wire is not None:
            return ("wire", *wire.key)
        return ("box", *box.key) if box is not None else None

    def focusChild(self) -> Any:
        key = self._access.focus_key()
        return self._access.thing(key) if key is not None else None
