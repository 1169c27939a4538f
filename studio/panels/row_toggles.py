"""The two switches at a setting's row: whether it shows a port on its node, and whether Create has it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QToolButton

from studio.documents.document import GraphDocument
from studio.documents.scoped_document import ScopedDocument
from studio.graph.edits import title_of
from studio.graph.exposed import argument_at, free_argument, shown_ports
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.field_row import FieldRow


def may_expose(document: GraphDocument) -> bool:
    """Whether what is shown is the document itself: what is inside a group is none of its arguments."""
    return not (isinstance(document, ScopedDocument) and document.path_inside)


class RowToggles(QObject):
    """Puts them at a row's head. :meth:`show_state` after each change of the document."""

    def __init__(self, document: GraphDocument, node: str, name: str, row: FieldRow, *, port: bool) -> None:
        super().__init__(row)
        self._document, self.node, self.name, self._row = document, node, name, row
        self.port: QToolButton | None = None
        self.form: QToolButton | None = None
        if port:
            self.port = self._button("link", tr("Show a port for it on the node"))
            self.port.clicked.connect(self._port_clicked)
        if may_expose(document):
            self.form = self._button("create", tr("Show it in the form of Create"))
            self.form.clicked.connect(self._form_clicked)
        self.show_state()

    def _button(self, icon: str, tip: str) -> QToolButton:
        button = self._row.head_button(icon, tip)
        button.setAccessibleName(f"{tip}: {self._row.label.text()}")
        button.setCheckable(True)
        return button

    def show_state(self) -> None:
        """Show what the document has."""
        record = self._document.graph.nodes.get(self.node)
        if record is None:
            return
        if self.port is not None:
            self._show(self.port, "link", self.name in record.inputs or self.name in shown_ports(record))
        if self.form is not None:
            argument = argument_at(self._document.graph, self.node, self.name)
            self._show(self.form, "create", argument is not None)
            tip = tr("Show it in the form of Create")
            if argument is not None:
                tip = tr("In the form of Create; on the command line it is {name}=…", name=argument.name)
            self.form.setToolTip(tip)

    @staticmethod
    def _show(button: QToolButton, icon: str, on: bool) -> None:
        button.setChecked(on)
        button.setIcon(current_theme().icon(icon, "brass" if on else "text3", "brass"))

    @Slot(bool)
    def _port_clicked(self, on: bool) -> None:
        if self.node in self._document.graph.nodes:
            self._document.show_port(self.node, self.name, on)
        self.show_state()

    def _title(self) -> str:
        """A label of its own, if another node's setting is in the form by this name."""
        graph = self._document.graph
        if free_argument(graph, self.node, self.name) == self.name:
            return ""
        node = title_of(graph, self._document.registry, self.node)
        return tr("{label} of {node}", label=self._row.label.text(), node=node)

    @Slot(bool)
    def _form_clicked(self, on: bool) -> None:
        if self.node in self._document.graph.nodes:
            self._document.set_exposed(self.node, self.name, on, self._title())
        self.show_state()
