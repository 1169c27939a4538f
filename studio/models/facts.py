"""Pieces of the detail pane: a table of facts, a row of words to press, a titled part."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.widgets.elided_label import ElidedLabel
from studio.widgets.flow import FlowLayout
from studio.widgets.layouts import empty


class Facts(QWidget):
    """Names on the left, values on the right; rows without a value are left out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._rows: list[tuple[QLabel, ElidedLabel]] = []

    def show_rows(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """``(name, value, tooltip)`` each. Labels are kept from one model to the next."""
        shown = [row for row in rows if row[1]]
        while len(self._rows) < len(shown):
            self._add()
        for place, (name, value) in enumerate(self._rows):
            visible = place < len(shown)
            name.setVisible(visible)
            value.setVisible(visible)
            if visible:
                name.setText(shown[place][0])
                value.setText(shown[place][1])
                value.setToolTip(shown[place][2] or shown[place][1])

    def _add(self) -> None:
        name, value = QLabel(), ElidedLabel()
        name.setProperty("role", "label")
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = len(self._rows)
        self._grid.addWidget(name, row, 0)
        self._grid.addWidget(value, row, 1)
        self._rows.append((name, value))

    def texts(self) -> dict[str, str]:
        """What is shown, by name."""
        return {name.text(): value.text() for name, value in self._rows if not name.isHidden()}


class Words(QWidget):
    """Words as chips; ``pressed`` carries the one that was pressed."""

    pressed = Signal(str)

    def __init__(self, tip: Callable[[str], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tip, self._shown = tip, tuple[str, ...]()
        self._flow = FlowLayout(self)

    @property
    def words(self) -> tuple[str, ...]:
        """What is shown."""
        return self._shown

    def show_words(self, words: tuple[str, ...]) -> None:
        """Other words."""
        if words == self._shown:
            return
        self._shown = words
        empty(self._flow)
        for word in words:
            chip = QPushButton(word if len(word) <= 60 else f"{word[:59]}…")
            chip.setProperty("role", "chip")
            chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            chip.setToolTip(self._tip(word))
            chip.setAccessibleName(self._tip(word))
            chip.clicked.connect(lambda _=False, word=word: self.pressed.emit(word))
            self._flow.addWidget(chip)
        self.updateGeometry()


class Part(QWidget):
    """A title and what stands below it."""

    def __init__(self, title: str, *widgets: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        heading = QLabel(title)
        heading.setProperty("role", "label")
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(6)
        self.column.addWidget(heading)
        for widget in widgets:
            self.column.addWidget(widget)
            if not widget.accessibleName():
                widget.setAccessibleName(title)
