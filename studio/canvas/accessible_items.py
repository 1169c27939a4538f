"""What stands on the canvas as screen readers see it: name, role, state, place, and what can be done.

Qt takes nothing (a null pointer) where there is no parent, child or window, which its Python types don't say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias

from PySide6.QtCore import QPoint, QRect, QRectF
from PySide6.QtGui import QAccessible, QAccessibleActionInterface, QAccessibleInterface

from studio.canvas.face import PortFace
from studio.canvas.port_cursor import RADIUS, PortCursor
from studio.canvas.scene import GraphScene
from studio.canvas.spoken import box_words, node_words, port_words, wire_words
from studio.canvas.view import GraphView

Key: TypeAlias = tuple[str, ...]
"""``node``, ``port``, ``wire`` or ``box``, and what names it in the scene."""
Text, Role = QAccessible.Text, QAccessible.Role


class Access(Protocol):
    """Who has the interfaces of a view: :class:`studio.canvas.accessible.GraphAccess`."""

    view: GraphView
    ports: PortCursor
    press: Callable[[], object]

    @property
    def scene(self) -> GraphScene: ...
    def root(self) -> QAccessibleInterface: ...
    def places(self) -> dict[Key, int]: ...
    def thing(self, key: Key) -> Thing: ...
    def focus_key(self) -> Key | None: ...
    def follow(self) -> None: ...


class _Actions(QAccessibleActionInterface):
    """Choose it; connect a port, go into a node."""

    def __init__(self, thing: Thing) -> None:
        super().__init__()
        self._thing = thing

    def actionNames(self) -> list[str]:
        names = [QAccessibleActionInterface.setFocusAction()]
        return [*names, QAccessibleActionInterface.pressAction()] if self._thing.can_press else names

    def doAction(self, name: str) -> None:
        if name in self.actionNames():
            self._thing.choose()
            if name == QAccessibleActionInterface.pressAction():
                self._thing.access.press()

    def keyBindingsForAction(self, name: str) -> list[str]:
        return []


class Thing(QAccessibleInterface):
    """One of them. The scene is asked each time: nothing is kept that could be out of date."""

    role_ = Role.ListItem
    can_press = False

    def __init__(self, access: Access, key: Key) -> None:
        super().__init__()
        self.access, self.key = access, key
        self._actions = _Actions(self)

    # --- what each kind says ---------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether it is still on the canvas."""
        raise NotImplementedError

    def words(self) -> str:
        raise NotImplementedError

    def area(self) -> QRectF:
        """Where it is in the scene."""
        raise NotImplementedError

    def is_selected(self) -> bool:
        raise NotImplementedError

    def choose(self) -> None:
        """Select it."""
        raise NotImplementedError

    # --- what Qt asks ----------------------------------------------------------------------------------

    def isValid(self) -> bool:
        return self.exists()

    def object(self) -> Any:
        return None

    def window(self) -> Any:
        return self.access.view.window().windowHandle()

    def parent(self) -> Any:
        return self.access.root()

    def childCount(self) -> int:
        return 0

    def child(self, index: int) -> Any:
        return None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return -1

    def childAt(self, x: int, y: int) -> Any:
        return None

    def rect(self) -> QRect:
        view = self.access.view
        if not self.exists():
            return QRect()
        shown = view.mapFromScene(self.area()).boundingRect()
        return QRect(view.viewport().mapToGlobal(shown.topLeft()), shown.size())

    def role(self) -> QAccessible.Role:
        return self.role_

    def text(self, kind: QAccessible.Text) -> str:
        return self.words() if kind == Text.Name and self.exists() else ""

    def setText(self, kind: QAccessible.Text, text: str) -> None:
        """Names are changed in the document."""

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        view = self.access.view
        if not self.exists():
            state.invalid = True
            return state
        state.focusable = state.selectable = True
        state.selected = self.is_selected()
        state.focused = view.hasFocus() and self.access.focus_key() == self.key
        state.offscreen = not view.shown_area().intersects(self.area())
        return state

    def interface_cast(self, kind: QAccessible.InterfaceType) -> Any:
        return self._actions if kind == QAccessible.InterfaceType.ActionInterface else None


class _Node(Thing):
    """A node; its ports are its children."""

    can_press = True

    def exists(self) -> bool:
        return self.key[1] in self.access.scene.nodes

    def words(self) -> str:
        return node_words(self.access.scene.nodes[self.key[1]])

    def area(self) -> QRectF:
        item = self.access.scene.nodes[self.key[1]]
        return item.body().translated(item.pos())

    def is_selected(self) -> bool:
        return self.access.scene.nodes[self.key[1]].isSelected()

    def choose(self) -> None:
        self.access.scene.select([self.key[1]])
        self.access.view.reveal(self.key[1])

    def _ports(self) -> list[Key]:
        item = self.access.scene.nodes.get(self.key[1])
        ports = item.face.ports if item is not None else ()
        return [("port", port.node, "out" if port.is_output else "in", port.name) for port in ports]

    def childCount(self) -> int:
        return len(self._ports())

    def child(self, index: int) -> Any:
        keys = self._ports()
        return self.access.thing(keys[index]) if 0 <= index < len(keys) else None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        keys = self._ports()
        return keys.index(child.key) if isinstance(child, Thing) and child.key in keys else -1

    def childAt(self, x: int, y: int) -> Any:
        view = self.access.view
        at = view.mapToScene(view.viewport().mapFromGlobal(QPoint(x, y)))
        port = self.access.scene.port_at(at)
        if port is None or port.node != self.key[1]:
            return None
        return self.access.thing(("port", port.node, "out" if port.is_output else "in", port.name))


class _Port(Thing):
    role_ = Role.Button
    can_press = True

    def _port(self) -> PortFace | None:
        item = self.access.scene.nodes.get(self.key[1])
        return item.face.port(self.key[3], self.key[2] == "out") if item is not None else None

    def exists(self) -> bool:
        return self._port() is not None

    def words(self) -> str:
        port = self._port()
        return port_words(self.access.scene, port) if port is not None else ""

    def area(self) -> QRectF:
        at = self.access.scene.nodes[self.key[1]].port_position(self.key[3], self.key[2] == "out")
        return QRectF(at.x() - RADIUS, at.y() - RADIUS, 2 * RADIUS, 2 * RADIUS)

    def is_selected(self) -> bool:
        return self.access.focus_key() == self.key

    def choose(self) -> None:
        port = self._port()
        if port is not None:
            self.access.ports.go(port)

    def parent(self) -> Any:
        return self.access.thing(("node", self.key[1]))


class _Wire(Thing):
    role_ = Role.Link

    @property
    def _end(self) -> tuple[str, str]:
        return self.key[1], self.key[2]

    def exists(self) -> bool:
        return self._end in self.access.scene.wires

    def words(self) -> str:
        return wire_words(self.access.scene, self.access.scene.wires[self._end])

    def area(self) -> QRectF:
        left, top, right, bottom = self.access.scene.wires[self._end].area
        return QRectF(left, top, right - left, bottom - top)

    def is_selected(self) -> bool:
        return self.access.scene.wires[self._end].selected

    def choose(self) -> None:
        self.access.scene.select([])
        self.access.scene.select_wire(self.access.scene.wires[self._end])
        self.access.follow()


class _Box(Thing):
    @property
    def _box(self) -> tuple[Literal["frames", "notes"], str]:
        return ("frames" if self.key[1] == "frames" else "notes"), self.key[2]

    def exists(self) -> bool:
        return self._box in self.access.scene.boxes.items

    def words(self) -> str:
        return box_words(self.access.scene.boxes.items[self._box].box)

    def area(self) -> QRectF:
        return self.access.scene.boxes.items[self._box].area

    def is_selected(self) -> bool:
        return self.access.scene.boxes.items[self._box].selected

    def role(self) -> QAccessible.Role:
        return Role.Grouping if self.key[1] == "frames" else Role.Note

    def choose(self) -> None:
        self.access.scene.select([])
        self.access.scene.boxes.select([self._box])


def make_thing(access: Access, key: Key) -> Thing:
    """The interface of what a key names."""
    kinds: dict[str, type[Thing]] = {"node": _Node, "port": _Port, "wire": _Wire, "box": _Box}
    return kinds[key[0]](access, key)
