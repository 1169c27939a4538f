"""The viewer: what nodes were sent to it, one alone or two compared, with what it is in a few words."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.canvas.viewer_slots import LETTERS, Content, ViewerSlots
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.compare_view import CompareView
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.segmented import Segmented

ALONE: Final = ""
_MODES: Final = (
    ("", "Alone", "compare_after", "One picture alone"),
    ("slider", "A | B", "compare_slider", "Two pictures with a line between them"),
    ("difference", "Difference", "compare_difference", "How much two pictures differ, amplified"),
)


class ViewerPanel(QWidget):
    """``node_requested`` when the user asks where a picture comes from; ``run_requested`` carries the nodes
    (a tuple) whose results are wanted whole."""

    node_requested = Signal(str)
    run_requested = Signal(object)

    def __init__(self, slots: ViewerSlots, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slots = slots
        self._first, self._second, self._mode = 0, 1, ALONE
        self.setAccessibleName(tr("Viewer"))
        self.first, self.second = (
            self._field(tr("What is shown")),
            self._field(tr("What it is compared with")),
        )
        self.modes = Segmented()
        self.modes.setAccessibleName(tr("Ways to compare"))
        for value, title, icon, tip in _MODES:
            words = f"{tr(title)}\n{tr(tip)}"
            self.modes.add(value, tr(title), words, current_theme().icon(icon, "text2", "text"))
        self.modes.set_value(ALONE)
        self.modes.setFixedWidth(108)
        self.away = self._tool("close", tr("Take it out of the viewer"))
        self.goto = self._tool("graph", tr("Show its node"))
        self.view = CompareView()
        self.view.setAccessibleName(tr("Picture in the viewer"))
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setAccessibleName(tr("Text in the viewer"))
        self.empty = QLabel(
            tr(
                "Select a node and press 1, 2 … 9: what it makes is shown here as A, B … I. "
                "Two can be compared."
            )
        )
        self.empty.setProperty("role", "body2")
        self.empty.setWordWrap(True)
        self.empty.setMargin(12)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.pages = QStackedWidget()
        self.words = ElidedLabel()
        self.words.setProperty("role", "hint")
        self.whole = QPushButton(tr("Fetch it in full size"))
        self.whole.setToolTip(tr("Run to this node: what is made already is not made again"))
        self._lay_out()
        self._connect()
        self._places_changed()

    def _field(self, name: str) -> ChoiceField:
        field = ChoiceField()
        field.setAccessibleName(name)
        field.setToolTip(name)
        return field

    def _tool(self, icon: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(current_theme().icon(icon))
        button.setIconSize(QSize(16, 16))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _lay_out(self) -> None:
        for page in (self.empty, self.view, self.text):
            self.pages.addWidget(page)
        self.head = QWidget()
        rows = QVBoxLayout(self.head)
        rows.setContentsMargins(8, 8, 8, 6)
        rows.setSpacing(6)
        top, below = QHBoxLayout(), QHBoxLayout()
        for row, parts in ((top, (self.first, self.goto, self.away)), (below, (self.modes, self.second))):
            row.setSpacing(6)
            for part in parts:
                row.addWidget(part, 1 if part in (self.first, self.second) else 0)
            rows.addLayout(row)
        below.addStretch(0)
        self.foot = QWidget()
        foot = QVBoxLayout(self.foot)
        foot.setContentsMargins(8, 6, 8, 8)
        foot.setSpacing(6)
        foot.addWidget(self.words)
        foot.addWidget(self.whole)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.head)
        column.addWidget(self.pages, 1)
        column.addWidget(self.foot)

    def _connect(self) -> None:
        self._slots.changed.connect(self._content_changed)
        self._slots.sent.connect(self._sent)
        self._slots.places_changed.connect(self._places_changed)
        self.first.value_changed.connect(self._first_chosen)
        self.second.value_changed.connect(self._second_chosen)
        self.modes.value_changed.connect(self.set_mode)
        self.away.clicked.connect(self._take_away)
        self.goto.clicked.connect(self._go_to)
        self.whole.clicked.connect(self._fetch)

    # --- choosing --------------------------------------------------------------------------------------

    @property
    def mode(self) -> str:
        """``""`` (alone), ``slider`` or ``difference``."""
        return self._mode

    @property
    def pair(self) -> tuple[int, int]:
        """The places that are shown: the first alone, or both."""
        return self._first, self._second

    @Slot(object)
    def set_mode(self, mode: str) -> None:
        """Show one picture, or compare two (the earlier letter on the left)."""
        if self._mode == ALONE and mode != ALONE and self._second in self._slots.places:
            self._first, self._second = sorted((self._first, self._second))
        self._mode = mode
        self.modes.set_value(mode)
        self._show()

    @Slot(int)
    def _sent(self, place: int) -> None:
        """Show what was just sent. While two are compared, they stay; any other place takes the second's."""
        if self._mode == ALONE:
            if place != self._first:
                self._second = self._first
            self._first = place
        elif place not in (self._first, self._second):
            self._second = place
        self._places_changed()

    @Slot(object)
    def _first_chosen(self, value: str) -> None:
        place = int(value)
        if place == self._second:
            self._second = self._first
        self._first = place
        self._places_changed()

    @Slot(object)
    def _second_chosen(self, value: str) -> None:
        place = int(value)
        if place == self._first:
            self._first = self._second
        self._second = place
        self._places_changed()

    @Slot()
    def _take_away(self) -> None:
        self._slots.take_away(self._first)

    @Slot()
    def _go_to(self) -> None:
        content = self._slots.content(self._first)
        if content is not None:
            self.node_requested.emit(content.node)

    @Slot()
    def _fetch(self) -> None:
        wanted = [content.node for content in self._contents() if content is not None and content.reduced]
        if wanted:
            self.run_requested.emit(tuple(dict.fromkeys(wanted)))

    # --- showing ---------------------------------------------------------------------------------------

    @Slot()
    def _places_changed(self) -> None:
        places = self._slots.places
        if places and self._first not in places:
            self._first = places[0]
        if self._second not in places or self._second == self._first:
            self._second = next((place for place in places if place != self._first), self._first)
        self._show()

    @Slot(int)
    def _content_changed(self, place: int) -> None:
        if place in (self._first, self._second):
            self._show()

    def _contents(self) -> list[Content | None]:
        """What is shown: of one place, or of two that are compared."""
        first = self._slots.content(self._first)
        return [first, self._slots.content(self._second)] if self._mode != ALONE else [first]

    def _show(self) -> None:
        places = self._slots.places
        titles = {place: self._slots.content(place) for place in places}
        choices = [
            (str(place), f"{LETTERS[place]} · {content.title}")
            for place, content in titles.items()
            if content
        ]
        for field, place in ((self.first, self._first), (self.second, self._second)):
            field.set_choices(choices)
            field.set_value(str(place))
        self.head.setVisible(bool(places))
        self.foot.setVisible(bool(places))
        self.modes.setEnabled(len(places) > 1)
        if len(places) < 2 and self._mode != ALONE:
            self._mode = ALONE
            self.modes.set_value(ALONE)
        self.second.setVisible(self._mode != ALONE)
        found = self._contents()
        if not places or found[0] is None:
            self.pages.setCurrentWidget(self.empty)
            return
        other = found[1] if len(found) > 1 else None
        self._show_content(found[0], other)
        self.words.setText(self._caption(found))
        self.words.setToolTip(self.words.text())
        self.whole.setVisible(any(content is not None and content.reduced for content in found))

    def _caption(self, found: list[Content | None]) -> str:
        """What is shown, in a few words; with letters where it is two."""
        words = [content.words if content is not None else "" for content in found]
        if len(words) == 1:
            return words[0]
        letters = (LETTERS[self._first], LETTERS[self._second])
        return " | ".join(f"{letter}: {text}" for letter, text in zip(letters, words, strict=True) if text)

    def _show_content(self, content: Content, other: Content | None) -> None:
        texts = [item.text for item in (content, other) if item is not None and item.text]
        if texts and content.picture is None:
            self.pages.setCurrentWidget(self.text)
            text = "\n\n———\n\n".join(texts)
            if text != self.text.toPlainText():
                self.text.setPlainText(text)
            return
        self.pages.setCurrentWidget(self.view)
        if content.forming and content.picture is not None:
            self.view.set_preview(content.picture, content.picture.size())
            return
        self.view.set_image(content.picture)
        self.view.set_names(LETTERS[self._first], LETTERS[self._second])
        picture = other.picture if other is not None and not other.forming else None
        self.view.compare(picture, "difference" if self._mode == "difference" else "slider")
