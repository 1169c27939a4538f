"""A few choices side by side, one of them chosen; arrow keys move between them."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QWidget


class Segmented(QWidget):
    """``value_changed`` carries the value chosen by the user. No value: nothing is chosen (a custom
    setting)."""

    value_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[str] = []
        self._buttons: list[QPushButton] = []
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self._clicked)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)

    def add(self, value: str, text: str, tip: str = "", icon: QIcon | None = None) -> None:
        """Add a choice; ``text`` is its accessible name too."""
        button = QPushButton("" if icon else text)
        button.setProperty("role", "segment")
        button.setCheckable(True)
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if icon is not None:
            button.setIcon(icon)
            button.setIconSize(QSize(18, 18))
        self._group.addButton(button, len(self._buttons))
        self._values.append(value)
        self._buttons.append(button)
        self._row.addWidget(button, 1)
        if len(self._buttons) == 1:
            self.setFocusProxy(button)
        for index, item in enumerate(self._buttons):
            item.setProperty("place", "first" if index == 0 else "last" if item is button else "middle")

    def button(self, value: str) -> QAbstractButton:
        """The button of a choice."""
        return self._buttons[self._values.index(value)]

    def value(self) -> str | None:
        """The value chosen, or ``None``."""
        index = self._group.checkedId()
        return self._values[index] if index >= 0 else None

    def set_value(self, value: str | None) -> None:
        """Choose without telling anyone; an unknown value chooses nothing."""
        self._group.setExclusive(False)
        for item, button in zip(self._values, self._buttons, strict=True):
            button.setChecked(item == value)
        self._group.setExclusive(True)

    @Slot(int)
    def _clicked(self, index: int) -> None:
        self.value_changed.emit(self._values[index])
