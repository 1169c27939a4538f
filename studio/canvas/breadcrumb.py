"""Where one is: the graph, and the subgraphs one went into, each a button that leads back there."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from studio.documents.scoped_document import ScopedDocument
from studio.graph.subgraph_ports import uses
from studio.theme import current_theme
from studio.translate import tr


class Breadcrumb(QFrame):
    """Shown inside of subgraphs only. ``level_chosen(depth)``: 0 is the graph itself."""

    level_chosen = Signal(int)
    rename_requested = Signal()

    def __init__(self, document: ScopedDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setProperty("role", "topbar")
        self.setAccessibleName(tr("Where you are"))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(10, 2, 10, 2)
        self._row.setSpacing(2)
        self.levels: list[QToolButton] = []
        self.words = QLabel()
        self.words.setProperty("role", "hint")
        self._shown: object = None
        document.scope_changed.connect(self.refresh)
        document.changed.connect(self.refresh)
        current_theme().changed.connect(self._rebuild)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the present level."""
        document = self._document
        trail = document.trail()
        count = uses(document.whole.graph, document.group) if trail else 0
        shown = (tuple(trail), count)
        if shown != self._shown:
            self._shown = shown
            self._rebuild()
        self.setVisible(bool(trail))

    @Slot()
    def _rebuild(self) -> None:
        while self._row.count():
            item = self._row.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None and widget is not self.words:
                widget.hide()
                widget.deleteLater()
        trail = self._document.trail()
        self.levels = []
        for depth, name in enumerate([tr("Graph"), *trail]):
            if depth:
                arrow = QLabel()
                arrow.setPixmap(
                    current_theme().pixmap("chevron_right", 12, "text2", self.devicePixelRatioF())
                )
                self._row.addWidget(arrow)
            self._row.addWidget(self._level(depth, name, last=depth == len(trail)))
        self.words.setText(self._words(trail))
        self._row.addStretch(1)
        self._row.addWidget(self.words)

    def _level(self, depth: int, name: str, *, last: bool) -> QToolButton:
        button = QToolButton(self)
        button.setProperty("role", "quiet")
        button.setText(name.replace("&", "&&"))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if last:
            button.setToolTip(tr("Rename the group"))
            button.setAccessibleName(tr("{name}, shown now. Rename it.", name=name))
            button.clicked.connect(self.rename_requested)
        else:
            button.setToolTip(tr("Go out to {name} (Backspace)", name=name))
            button.setAccessibleName(tr("Go out to {name}", name=name))
            button.clicked.connect(lambda: self.level_chosen.emit(depth))
        self.levels.append(button)
        return button

    def _words(self, trail: list[str]) -> str:
        """Whether a change here is one elsewhere, too."""
        if not trail:
            return ""
        count = uses(self._document.whole.graph, self._document.group)
        if count < 2:
            return tr("Independent: only this node changes with it.")
        return tr("Linked: a change here is one in all {n} places.", n=count)
