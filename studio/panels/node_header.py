"""The head of the inspector: the name of the node, whether it runs, and what kind it is."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget

from pipelines.graph.document import NodeRecord
from pipelines.graph.registry import NodeSchema
from pipelines.graph.subgraph_file import SUBGRAPH
from studio.graph.subgraph_ports import group_name
from studio.theme import current_theme
from studio.translate import tr

MAX_NAME = 200


class NodeHeader(QWidget):
    """``renamed`` carries the new name, ``mode_chosen`` one of the modes of a node."""

    renamed = Signal(str)
    mode_chosen = Signal(str)

    def __init__(self, record: NodeRecord, schema: NodeSchema | None) -> None:
        super().__init__()
        self._schema = schema
        self.title = QLineEdit()
        self.title.setAccessibleName(tr("Name of the node"))
        self.title.setMaxLength(MAX_NAME)
        self.title.editingFinished.connect(self._edited)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.title, 1)
        for mode, icon, tip in (("bypassed", "bypass", tr("Bypass")), ("muted", "mute", tr("Mute"))):
            button = QToolButton()
            button.setIcon(current_theme().icon(icon, "text2", "brass"))
            button.setIconSize(QSize(18, 18))
            button.setCheckable(True)
            button.setChecked(record.mode == mode)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.clicked.connect(lambda on, mode=mode: self.mode_chosen.emit(mode if on else "active"))
            row.addWidget(button)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        box.addLayout(row)
        kind = QLabel(self._kind(record))
        kind.setProperty("role", "hint")
        kind.setWordWrap(True)
        kind.setTextFormat(Qt.TextFormat.PlainText)
        box.addWidget(kind)
        self.show_name(record)

    def show_name(self, record: NodeRecord) -> None:
        """The name as the document has it; without one, what the node is called by itself."""
        own = tr(self._schema.title) if self._schema is not None else group_name(record) or record.type
        self.title.setPlaceholderText(own)
        if self.title.text().strip() != record.title:
            self.title.setText(record.title)

    def _kind(self, record: NodeRecord) -> str:
        if record.type == SUBGRAPH:
            return tr("Group · {name}", name=group_name(record))
        if self._schema is None:
            return record.type
        kind = f"{tr(self._schema.category)} · {record.type}"
        origin = self._schema.origin
        return kind if origin is None else f"{kind} · {tr('From {origin}', origin=origin)}"

    @Slot()
    def _edited(self) -> None:
        self.renamed.emit(self.title.text().strip())
