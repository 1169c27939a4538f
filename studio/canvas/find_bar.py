"""Finding: a field over the view's corner; Enter walks from hit to hit, Shift+Enter back."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QToolButton

from studio.canvas.view import GraphView
from studio.documents.scoped_document import ScopedDocument
from studio.graph.search import Hit, search_graph
from studio.theme import current_theme
from studio.translate import tr

MARGIN = 12
DELAY_MS = 120


class FindBar(QFrame):
    """``hit_chosen`` carries a :class:`~studio.graph.search.Hit` to show; ``closed`` when it is left."""

    hit_chosen = Signal(object)
    closed = Signal()

    def __init__(self, document: ScopedDocument, view: GraphView) -> None:
        super().__init__(view)
        self._document, self._view = document, view
        self.hits: list[Hit] = []
        self.index = -1
        self._searched: tuple[str, object] | None = None
        self.setProperty("role", "floating")
        self.setAccessibleName(tr("Find in the graph"))
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Find a node, a value or a text"))
        self.field.setAccessibleName(tr("Find a node, a value or a text"))
        self.field.setClearButtonEnabled(True)
        self.field.setMinimumWidth(current_theme().px(220))
        self.count = QLabel()
        self.count.setProperty("role", "hint")
        self.count.setMinimumWidth(current_theme().px(72))
        self.back = self._button("chevron_up", tr("Previous hit (Shift+Enter)"), self.previous)
        self.forth = self._button("chevron_down", tr("Next hit (Enter)"), self.next)
        close = self._button("close", tr("Close (Esc)"), self.close_bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 6, 6, 6)
        row.setSpacing(4)
        for widget in (self.field, self.count, self.back, self.forth, close):
            row.addWidget(widget)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._first)
        self.field.textEdited.connect(self._timer.start)
        self.field.installEventFilter(self)
        view.installEventFilter(self)
        self.hide()

    def _button(self, icon: str, words: str, slot: object) -> QToolButton:
        button = QToolButton()
        button.setProperty("role", "quiet")
        button.setIcon(current_theme().icon(icon))
        button.setIconSize(QSize(14, 14))
        button.setToolTip(words)
        button.setAccessibleName(words)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(slot)
        return button

    def open(self) -> None:
        """Show the field, with what was looked for last."""
        self.show()
        self.place()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()
        self._search()
        self._say()

    @Slot()
    def close_bar(self) -> None:
        self._timer.stop()
        self.hide()
        self.closed.emit()

    def place(self) -> None:
        """Keep to the corner."""
        self.adjustSize()
        self.setFixedWidth(min(self.sizeHint().width(), max(200, self._view.width() - 2 * MARGIN)))
        self.move(self._view.rect().right() - self.width() - MARGIN, MARGIN)

    def _search(self) -> bool:
        """Search anew if the words or the document are others; whether they were."""
        whole = self._document.whole
        wanted = (self.field.text(), whole.graph)
        known = self._searched
        if known is not None and known[0] == wanted[0] and known[1] is wanted[1]:
            return False
        at = self.hits[self.index] if 0 <= self.index < len(self.hits) else None
        same = known is not None and known[0] == wanted[0]
        self._searched = wanted
        self.hits = search_graph(whole.graph, whole.registry, wanted[0])
        self.index = self.hits.index(at) if same and at in self.hits else -1
        return True

    @Slot()
    def _first(self) -> None:
        """Something else was typed: go to the first hit."""
        self._search()
        self.index = -1
        self._step(1)

    @Slot()
    def next(self) -> None:
        self._timer.stop()
        self._search()
        self._step(1)

    @Slot()
    def previous(self) -> None:
        self._timer.stop()
        self._search()
        self._step(-1)

    def _step(self, by: int) -> None:
        if self.hits:
            self.index = (max(self.index, 0 if by < 0 else -1) + by) % len(self.hits)
            self.hit_chosen.emit(self.hits[self.index])
        self._say()

    def _say(self) -> None:
        found = len(self.hits)
        for button in (self.back, self.forth):
            button.setEnabled(found > 0)
        if not self.field.text().strip():
            self.count.setText("")
        elif not found:
            self.count.setText(tr("Nothing"))
        elif self.index < 0:
            self.count.setText(tr("1 hit") if found == 1 else tr("{n} hits", n=found))
        else:
            self.count.setText(tr("{i} of {n}", i=self.index + 1, n=found))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._view:
            if event.type() == QEvent.Type.Resize:
                self.place()
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # keys are for the field, whatever they mean elsewhere
            return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                back = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
                (self.previous if back else self.next)()
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.close_bar()
                return True
        return super().eventFilter(watched, event)
