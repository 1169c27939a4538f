"""The canvas for screen readers: nodes with their ports, wires, frames and notes, with names and roles.

Items of a scene are nothing to them, so the view gets a tree of :class:`QAccessibleInterface` s, made when
somebody asks for it. While no assistive technology is active, none exists and nothing is done.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAccessible, QAccessibleEvent, QAccessibleInterface

from studio.canvas.accessible_items import Key, Thing, make_thing
from studio.canvas.accessible_root import GraphRoot
from studio.canvas.port_cursor import PortCursor
from studio.canvas.scene import GraphScene
from studio.canvas.view import GraphView


class GraphAccess(QObject):
    """Owns the interfaces of one view. Qt knows them by number only: they are given back before they go."""

    def __init__(self, view: GraphView, ports: PortCursor, press: Callable[[], object]) -> None:
        super().__init__()
        self.view, self.ports, self.press = view, ports, press
        self._root: GraphRoot | None = None
        self._things: dict[Key, Thing] = {}
        self._places: dict[Key, int] = {}
        """What stands in the view, in order; empty: to be asked anew."""
        view.access = self
        scene = view.graph_scene
        scene.selected_nodes_changed.connect(self.follow)
        scene.boxes.selection_changed.connect(self.follow)
        ports.changed.connect(self.follow)
        scene.run.node_state_changed.connect(self._state_changed)
        scene.document.changed.connect(self.prune)
        scene.document.replaced.connect(self.prune)
        view.destroyed.connect(self._release)
        install()

    @property
    def scene(self) -> GraphScene:
        return self.view.graph_scene

    # --- the tree --------------------------------------------------------------------------------------

    def root(self) -> GraphRoot:
        """The interface of the view."""
        if self._root is None or not shiboken6.isValid(self._root):
            self._root = GraphRoot(self)
        return self._root

    def places(self) -> dict[Key, int]:
        """What stands directly in the view (nodes, wires, frames, notes), each with its place among them."""
        scene = self.scene
        if not self._places:
            keys: list[Key] = [("node", node) for node in scene.nodes]
            keys += [("wire", *key) for key in scene.wires]
            keys += [("box", *key) for key in scene.boxes.items]
            self._places = {key: place for place, key in enumerate(keys)}
        return self._places

    def thing(self, key: Key) -> Thing:
        """The interface of one of them, or of a port (``port``, node, ``in`` or ``out``, name)."""
        found = self._things.get(key)
        if found is None or not shiboken6.isValid(found):
            found = self._things[key] = make_thing(self, key)
        return found

    def focus_key(self) -> Key | None:
        """What the keys are for: a port, the last selected node, the wire, the frame or note."""
        wire = self.ports.connecting
        port = wire.chosen if wire is not None else self.ports.port
        if port is not None:
            return ("port", port.node, "out" if port.is_output else "in", port.name)
        nodes, held, line = self.scene.selected_nodes(), self.scene.boxes.selected, self.scene.selected_wire()
        if nodes:
            return ("node", nodes[-1])
        if line is not None:
            return ("wire", *line.key)
        return ("box", *held[-1]) if held else None

    # --- telling ---------------------------------------------------------------------------------------

    @Slot()
    def follow(self) -> None:
        """Say what has the focus now."""
        if QAccessible.isActive() and self.view.hasFocus() and (key := self.focus_key()) is not None:
            QAccessible.updateAccessibility(QAccessibleEvent(self.thing(key), QAccessible.Event.Focus))

    @Slot(str)
    def _state_changed(self, node: str) -> None:
        if QAccessible.isActive() and ("node", node) in self._things:
            thing = self.thing(("node", node))
            QAccessible.updateAccessibility(QAccessibleEvent(thing, QAccessible.Event.NameChanged))

    # --- the end of interfaces -------------------------------------------------------------------------

    @Slot()
    def prune(self) -> None:
        """Give back the interfaces of what is gone."""
        self._places = {}
        for key in [key for key, thing in self._things.items() if not thing.exists()]:
            _give_back(self._things.pop(key))

    @Slot()
    def _release(self) -> None:
        for thing in self._things.values():
            _give_back(thing)
        self._things, self._root = {}, None


def _give_back(thing: Thing) -> None:
    """Qt forgets the number of an interface and deletes it; afterwards only Python's empty shell is left."""
    if shiboken6.isValid(thing):
        QAccessible.deleteAccessibleInterface(QAccessible.uniqueId(thing))


@cache
def install() -> None:
    """Let Qt ask here for the interfaces of graph views; once a process."""
    QAccessible.installFactory(_interface_of)


def _interface_of(name: str, found: Any) -> QAccessibleInterface | None:
    if isinstance(found, GraphView) and isinstance(found.access, GraphAccess):
        return found.access.root()
    return None
