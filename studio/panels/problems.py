"""The problems of the document, errors first: each leads to its node and offers what can be done about it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from pipelines.errors import ErrorInfo
from studio.documents.document import GraphDocument
from studio.graph.places import titles
from studio.problems.book import ProblemBook
from studio.problems.offers import Offer, offers
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.flow import FlowLayout
from studio.widgets.layouts import discard

SHOWN: Final = 200
_ICONS: Final = {"error": ("error", "bad"), "warning": ("warning", "warn")}


class ProblemCard(QFrame):
    """One problem: where, what, why and what to do. A click or Enter leads to its node."""

    node_requested = Signal(str)
    offer_chosen = Signal(object)

    def __init__(
        self, problem: ErrorInfo, where: str, found: list[Offer], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.problem, self.offers = problem, found
        self.setProperty("role", "card")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        what, why, remedy = problem.sentences(tr)
        kind = tr("Error") if problem.severity == "error" else tr("Warning")
        self.setAccessibleName(f"{kind}: {where}: {what}" if where else f"{kind}: {what}")
        self.setAccessibleDescription(" ".join(part for part in (why, remedy) if part))
        name, role = _ICONS.get(problem.severity, _ICONS["error"])
        icon = QLabel()
        icon.setPixmap(current_theme().pixmap(name, 16, role, self.devicePixelRatioF()))
        icon.setToolTip(kind)
        words = QVBoxLayout()
        words.setSpacing(3)
        for text, text_role in (
            (where, "label"),
            (what, ""),
            (" ".join(filter(None, (why, remedy))), "hint"),
        ):
            if text:
                words.addWidget(self._label(text, text_role))
        self.buttons = [self._button(offer) for offer in found]
        if self.buttons:
            flow = FlowLayout(spacing=6)
            for button in self.buttons:
                flow.addWidget(button)
            words.addLayout(flow)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 10, 8)
        row.setSpacing(8)
        row.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        if problem.node:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
            self.setToolTip(tr("Show its node"))

    def _label(self, text: str, role: str) -> QLabel:
        label = QLabel(text)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        if role:
            label.setProperty("role", role)
        return label

    def _button(self, offer: Offer) -> QPushButton:
        button = QPushButton(tr(offer.title))
        button.setProperty("role", "chip")
        button.setCursor(Qt.CursorShape.ArrowCursor)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(self._pressed)
        return button

    @Slot()
    def _pressed(self) -> None:
        button = self.sender()
        if isinstance(button, QPushButton):
            self.offer_chosen.emit(self.offers[self.buttons.index(button)])

    def _go(self) -> None:
        if self.problem.node:
            self.node_requested.emit(self.problem.node)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self._go()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._go()
        elif event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.focusNextPrevChild(event.key() == Qt.Key.Key_Down)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.setProperty("reached", self.hasFocus())
            self.style().unpolish(self)
            self.style().polish(self)
        return super().event(event)


class ProblemsPanel(QScrollArea):
    """``node_requested(node)``; ``offer_chosen(offer)`` when the user wants something done."""

    node_requested = Signal(str)
    offer_chosen = Signal(object)

    def __init__(self, document: GraphDocument, book: ProblemBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document, self._book = document, book
        self._shown: object = None
        self.cards: list[ProblemCard] = []
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(tr("Problems"))
        page = QWidget()
        page.setProperty("role", "scrolled")
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(10, 10, 10, 10)
        self._column.setSpacing(8)
        self.summary = QLabel()
        self.summary.setProperty("role", "body2")
        self.summary.setWordWrap(True)
        self._column.addWidget(self.summary)
        self._column.addStretch(1)
        self.setWidget(page)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.refresh)
        book.changed.connect(self._changed)
        document.node_changed.connect(self._changed)
        current_theme().changed.connect(self._restyle)
        self.refresh()

    @Slot()
    def _changed(self) -> None:
        if self.isVisible():
            self._soon.start()

    @Slot()
    def _restyle(self) -> None:
        self._shown = None
        self._changed()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the problems as they are."""
        graph, registry = self._document.graph, self._document.registry
        entries = []
        for problem in self._book.problems[:SHOWN]:
            where = titles(graph, registry, problem.node) if problem.node else ""
            entries.append((problem, where, offers(problem, graph, registry)))
        self.summary.setText(self._summary())
        if entries == self._shown:
            return
        self._shown = entries
        discard(self._column, self.cards)
        self.cards = []
        for index, (problem, where, found) in enumerate(entries, 1):
            card = ProblemCard(problem, where, found)
            card.node_requested.connect(self.node_requested)
            card.offer_chosen.connect(self.offer_chosen)
            self.cards.append(card)
            self._column.insertWidget(index, card)

    def _summary(self) -> str:
        problems = self._book.problems
        errors = sum(problem.severity == "error" for problem in problems)
        warnings = len(problems) - errors
        if not problems:
            return tr("The graph has no problems.")
        parts = []
        if errors:
            parts.append(tr("1 error") if errors == 1 else tr("{n} errors", n=errors))
        if warnings:
            parts.append(tr("1 warning") if warnings == 1 else tr("{n} warnings", n=warnings))
        return ", ".join(parts)
