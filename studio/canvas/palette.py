"""The search palette: a few letters, and a node is there. Keyboard only, or by mouse."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import (
    QPoint,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QVBoxLayout,
    QWidget,
)

from pipelines.errors import fill
from pipelines.graph.node import Input, Output
from pipelines.graph.registry import NodeSchema, Registry
from pipelines.graph.types import Any as AnyType
from studio.canvas.face import PortFace
from studio.canvas.fitting import fitting_port
from studio.canvas.palette_parts import TYPE_ROLE, Entry, NodeDelegate, PortTable
from studio.graph.edits import new_ports
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.fuzzy import search
from studio.widgets.palette import Palette

SIZE = QSize(600, 380)


class SearchPalette(Palette):
    """Floats over the view. ``chosen`` carries the id of a node type."""

    list: QListWidget

    def __init__(self, registry: Registry, parent: QWidget) -> None:
        super().__init__(parent, tr("Search nodes"), QListWidget())
        self._registry, self.owner = registry, parent
        self.more: Callable[[], Iterable[NodeSchema]] = tuple
        """What is listed beside the node types, asked each time the palette opens."""
        self._more: dict[str, NodeSchema] = {}
        self._anchor: PortFace | None = None
        self._entries: list[Entry] = []
        self._known: dict[str, Entry] = {}
        self.setAccessibleName(tr("Add a node"))
        self.field.setAccessibleName(tr("Search nodes"))
        self.hint = QLabel()
        self.hint.setProperty("role", "hint")
        self.list.setItemDelegate(NodeDelegate(self.list))
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName(tr("Nodes that match"))
        self.heading, self.words = QLabel(), QLabel()
        self.heading.setProperty("role", "heading")
        self.words.setProperty("role", "body2")
        self.origin = QLabel()
        self.origin.setProperty("role", "hint")
        for label in (self.heading, self.words, self.origin):
            label.setWordWrap(True)
        self.ports = PortTable()
        self._lay_out()
        self.list.currentItemChanged.connect(self._describe)

    def _lay_out(self) -> None:
        right = QVBoxLayout()
        right.setContentsMargins(16, 4, 16, 12)
        right.setSpacing(8)
        for widget in (self.heading, self.words, self.origin, self.ports):
            right.addWidget(widget)
        right.addStretch(1)
        columns = QHBoxLayout()
        columns.setSpacing(0)
        columns.addWidget(self.list, 6)
        columns.addLayout(right, 5)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.field)
        layout.addWidget(self.hint)
        layout.addLayout(columns, 1)

    def open_at(self, at: QPoint, anchor: PortFace | None = None) -> None:
        """Open near a point of the parent; with ``anchor``, only what a wire from that port fits."""
        self._anchor = anchor
        self.list_more()
        self.hint.setVisible(anchor is not None)
        if anchor is not None:
            text = tr("What takes {type}") if anchor.is_output else tr("What gives {type}")
            self.hint.setText(fill(text, {"type": anchor.type}))
        size = SIZE * current_theme().scale
        room = self.owner.rect().adjusted(8, 8, -8, -8)
        self.resize(min(size.width(), room.width()), min(size.height(), room.height()))
        x = min(max(at.x() - 24, room.left()), room.right() - self.width())
        y = min(max(at.y() - 24, room.top()), room.bottom() - self.height())
        self.move(x, y)
        self._prepare()
        self.open()

    def list_more(self) -> None:
        """Ask anew what there is beside the node types."""
        self._more = {schema.id: schema for schema in self.more()}

    def schema(self, type_id: str) -> NodeSchema | None:
        """What is listed under an id."""
        return self._registry.get(type_id) or self._more.get(type_id)

    def wanted_port(self, schema: NodeSchema) -> str | None:
        """The port of ``schema`` that the waiting wire would end in."""
        if self._anchor is None:
            return None
        return fitting_port(schema, self._anchor.type, from_output=self._anchor.is_output)

    @Slot(str)
    def search(self, text: str) -> None:
        found = search(text, self._entries, lambda entry: entry.words)
        self.list.clear()
        for entry in found:
            self.list.addItem(entry.item())
        if found:
            self.list.setCurrentRow(0)
        else:
            self._describe()

    def _prepare(self) -> None:
        """What is listed: put together once for each opening, so that a letter only looks through it."""
        schemas = [
            schema
            for schema in (*self._registry, *self._more.values())
            if self._anchor is None or self.wanted_port(schema) is not None
        ]
        if self._anchor is not None and self._anchor.type != AnyType:
            schemas.sort(key=self._distance)
        elif self._anchor is None:
            schemas.sort(key=lambda schema: (schema.category, schema.title))
        self._known = {schema.id: self._entry(schema) for schema in schemas}
        self._entries = list(self._known.values())

    def _entry(self, schema: NodeSchema) -> Entry:
        known = self._known.get(schema.id)
        return known if known is not None and known.schema is schema else Entry.of(schema)

    def _distance(self, schema: NodeSchema) -> int:
        """0 if the wire's own type fits, 1 if it is converted."""
        anchor = self._anchor
        inputs, outputs = new_ports(schema)
        ports = inputs if anchor is not None and anchor.is_output else outputs
        return 0 if anchor is not None and any(port.type.name == anchor.type.name for port in ports) else 1

    @Slot()
    def _describe(self) -> None:
        item = self.list.currentItem()
        schema = self.schema(item.data(TYPE_ROLE)) if item is not None else None
        if schema is None:
            self.heading.setText(tr("Nothing found"))
            self.words.setText(tr("Try fewer letters, or another word for it."))
            self.origin.hide()
            self.ports.show_ports(None, None)
            return
        self.heading.setText(tr(schema.title))
        self.words.setText(tr(schema.description))
        self.origin.setText(tr("From {origin}", origin=schema.origin) if schema.origin else "")
        self.origin.setVisible(schema.origin is not None)
        port = self.wanted_port(schema)
        side = Input if self._anchor is not None and self._anchor.is_output else Output
        self.ports.show_ports(schema, (side, port) if port else None)

    def id_at(self, row: int) -> str:
        return str(self.list.item(row).data(TYPE_ROLE))
