"""Rows of the inspector: a value with its editor, a link with its source, an input that waits for one."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QSizePolicy, QToolButton, QWidget

from pipelines.graph import jsontext
from pipelines.graph.document import Link
from pipelines.graph.node import Input
from pipelines.graph.registry import ParamSchema
from studio.canvas.face import value_text
from studio.documents.document import GraphDocument
from studio.graph.edits import node_ports, output_port, refusal, title_of
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.field_row import FieldRow
from studio.widgets.param_editor import ParamEditor
from studio.widgets.param_editors import Choices, editor_for


class ValueRow(FieldRow):
    """A literal. Edits go to the document; ``show`` is told of every change of it."""

    def __init__(
        self,
        document: GraphDocument,
        node: str,
        param: ParamSchema,
        *,
        required: bool = False,
        choices: Choices = (),
    ) -> None:
        self.editor: ParamEditor = editor_for(param, choices)
        super().__init__(tr(param.title), self.editor, tr(param.description) if param.description else "")
        self._document, self.node, self.param, self._required = document, node, param, required
        self.editor.value_changed.connect(self._edited)
        self.editor.noticed.connect(self.notice)
        self.reset_requested.connect(self._reset)
        self.show_value()

    @Slot(object)
    def _edited(self, value: Any) -> None:
        if self.node in self._document.graph.nodes:
            self._document.set_param(
                self.node, self.param.name, value, merge=f"{self.node}.{self.param.name}"
            )

    @Slot()
    def _reset(self) -> None:
        if self.node in self._document.graph.nodes:
            self._document.clear_param(self.node, self.param.name)

    def show_value(self) -> None:
        """Show what the document has."""
        record = self._document.graph.nodes.get(self.node)
        if record is None:
            return
        name = self.param.name
        value = record.params.get(name, self.param.default)
        if jsontext.canonical(self.editor.value()) != jsontext.canonical(value):
            self.editor.set_value(value)
        default = jsontext.canonical(self.param.default)
        differs = name in record.params and jsontext.canonical(value) != default
        shown = value_text(self.param.type, self.param.default, self.param.unit, empty=self.param.empty)
        tip = tr("Back to the default: {value}", value=shown or tr("empty"))
        self.set_resettable(differs and not self._required, tip)


class LinkField(QWidget):
    """A value that comes from another node. ``node_requested`` when the user wants to see that node."""

    node_requested = Signal(str)

    def __init__(self, document: GraphDocument, node: str, name: str, link: Link) -> None:
        super().__init__()
        self._document, self._node, self._name, self._link = document, node, name, link
        graph, registry = document.graph, document.registry
        output = output_port(graph, registry, *link)
        label = tr(output.label) if output is not None else link.output
        self.source = QPushButton(
            tr("{node} · {output}", node=title_of(graph, registry, link.node), output=label)
        )
        self.source.setProperty("role", "chip")
        self.source.setIcon(current_theme().icon("link"))
        self.source.setIconSize(QSize(14, 14))
        self.source.setToolTip(tr("Comes from this node. Press to go there."))
        self.source.setAccessibleName(tr("Linked from {source}", source=self.source.text()))
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.source.clicked.connect(lambda: self.node_requested.emit(self._link.node))
        self.unlink = QToolButton()
        self.unlink.setIcon(current_theme().icon("close"))
        self.unlink.setIconSize(QSize(14, 14))
        self.unlink.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.unlink.setToolTip(tr("Remove the link"))
        self.unlink.setAccessibleName(tr("Remove the link"))
        self.unlink.clicked.connect(self._unlink)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.source, 1)
        row.addWidget(self.unlink)
        self.setFocusProxy(self.source)

    @Slot()
    def _unlink(self) -> None:
        if self._node in self._document.graph.nodes:
            self._document.disconnect_port(self._node, self._name)


class ConnectField(QWidget):
    """An input that only a wire can feed: a menu of all outputs that fit, so that no mouse is needed."""

    def __init__(self, document: GraphDocument, node: str, port: Input) -> None:
        super().__init__()
        self._document, self._node, self._port = document, node, port
        words = tr("Connect…") if port.required else tr("Connect… (not needed)")
        self.button = QPushButton(words)
        self.button.setToolTip(tr("Takes {type}", type=port.type))
        self.button.setAccessibleName(tr("Connect {port}", port=tr(port.label)))
        self._menu = QMenu(self.button)
        self._menu.aboutToShow.connect(self.fill)
        self.button.setMenu(self._menu)
        kind = ElidedLabel(str(port.type))
        kind.setProperty("role", "hint")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.button)
        row.addWidget(kind, 1)
        self.setFocusProxy(self.button)

    @Slot()
    def fill(self) -> None:
        """Offer every output that may be connected."""
        self._menu.clear()
        graph, registry = self._document.graph, self._document.registry
        for source in graph.nodes:
            for output in node_ports(graph, registry, source)[1]:
                if refusal(graph, registry, source, output.name, self._node, self._port.name) is None:
                    text = tr(
                        "{node} · {output}", node=title_of(graph, registry, source), output=tr(output.label)
                    )
                    action = self._menu.addAction(text)
                    action.triggered.connect(lambda _=False, ends=(source, output.name): self._connect(*ends))
        if self._menu.isEmpty():
            self._menu.addAction(tr("Nothing in this graph gives {type}", type=self._port.type)).setEnabled(
                False
            )

    def _connect(self, source: str, output: str) -> None:
        if self._node in self._document.graph.nodes and source in self._document.graph.nodes:
            self._document.connect_ports(source, output, self._node, self._port.name)
