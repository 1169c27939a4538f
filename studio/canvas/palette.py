"""The search palette: a few letters, and a node is there. Keyboard only, or by mouse."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import (
    QEvent,
    QObject,
    QPoint,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
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
from studio.canvas.shadow import Shadow
from studio.graph.edits import new_ports
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.fuzzy import search

SIZE = QSize(600, 380)


class SearchPalette(QFrame):
    """Floats over the view. ``chosen(type id)`` or ``dismissed``; both hide it."""

    chosen = Signal(str)
    dismissed = Signal()

    def __init__(self, registry: Registry, parent: QWidget) -> None:
        super().__init__(parent)
        self._registry, self._owner = registry, parent
        self.more: Callable[[], Iterable[NodeSchema]] = tuple
        """What is listed beside the node types, asked each time the palette opens."""
        self._more: dict[str, NodeSchema] = {}
        self._anchor: PortFace | None = None
        self._entries: list[Entry] = []
        self._known: dict[str, Entry] = {}
        self.setProperty("role", "floating")
        self.setAccessibleName(tr("Add a node"))
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Search nodes"))
        self.field.setAccessibleName(tr("Search nodes"))
        self.field.setClearButtonEnabled(True)
        self.hint = QLabel()
        self.hint.setProperty("role", "hint")
        self.list = QListWidget()
        self.list.setItemDelegate(NodeDelegate(self.list))
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
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
        self._shadow = Shadow(self)
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.list.currentItemChanged.connect(self._describe)
        self.list.itemClicked.connect(self._choose)
        self.hide()

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
        room = self._owner.rect().adjusted(8, 8, -8, -8)
        self.resize(min(size.width(), room.width()), min(size.height(), room.height()))
        x = min(max(at.x() - 24, room.left()), room.right() - self.width())
        y = min(max(at.y() - 24, room.top()), room.bottom() - self.height())
        self.move(x, y)
        self._prepare()
        self.field.clear()
        self._search("")
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

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
    def _search(self, text: str) -> None:
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

    @Slot()
    def _choose(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.hide()
            self.chosen.emit(item.data(TYPE_ROLE))

    def dismiss(self) -> None:
        """Close without choosing."""
        if self.isVisible():
            self.hide()
            self.dismissed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # keys are for the field, whatever they mean elsewhere
            return True
        if watched is self.field and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._key(event)
        if watched is self.field and isinstance(event, QFocusEvent) and event.type() == QEvent.Type.FocusOut:
            inside = self.isAncestorOf(self.focusWidget()) if self.focusWidget() is not None else False
            if not inside or event.reason() != Qt.FocusReason.MouseFocusReason:
                self.dismiss()
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose()
        elif event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        elif event.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            self._step(1 if event.key() == Qt.Key.Key_Tab else -1)
        elif event.key() in steps:
            self._step(steps[Qt.Key(event.key())])
        else:
            return False
        return True

    def _step(self, by: int) -> None:
        count = self.list.count()
        if count:
            row = self.list.currentRow() + by
            wrap = abs(by) == 1
            self.list.setCurrentRow(row % count if wrap else min(max(row, 0), count - 1))
