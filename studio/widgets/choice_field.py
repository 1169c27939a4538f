"""A drop-down list of named choices; what can't be chosen is greyed out and says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QStandardItem, QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import QComboBox, QWidget

VALUE = Qt.ItemDataRole.UserRole


class ChoiceField(QComboBox):
    """Choices are ``(value, title)``. The wheel only counts while the field has the focus."""

    value_changed = Signal(object)

    def __init__(self, choices: Sequence[tuple[str, str]] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries = QStandardItemModel(self)
        self.setModel(self._entries)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setMaxVisibleItems(16)
        self.set_choices(choices)
        self.activated.connect(self._chosen)

    def set_choices(self, choices: Sequence[tuple[str, str]]) -> None:
        """Other choices; the value stays, even if it is none of them (it is shown as it is written)."""
        value = self.value() if self.count() else None
        self.clear()
        for key, title in choices:
            item = QStandardItem(title)
            item.setData(key, VALUE)
            self._entries.appendRow(item)
        if value is not None:
            self.set_value(value)

    def set_unavailable(self, reasons: Mapping[str, str], notes: Mapping[str, str] | None = None) -> None:
        """Grey out values, each with its reason as tooltip; all others are available, some with a note."""
        for row in range(self._entries.rowCount()):
            item = self._entries.item(row)
            value = item.data(VALUE)
            reason = reasons.get(value, "")
            item.setEnabled(not reason)
            item.setToolTip(reason or (notes or {}).get(value, ""))

    def values(self) -> list[str]:
        """Every value, in the order shown."""
        return [self._entries.item(row).data(VALUE) for row in range(self._entries.rowCount())]

    def choices(self) -> list[tuple[str, str]]:
        """Every ``(value, title)``, in the order shown."""
        rows = (self._entries.item(row) for row in range(self._entries.rowCount()))
        return [(item.data(VALUE), item.text()) for item in rows]

    def value(self) -> str:
        """The value chosen."""
        found = self.currentData(VALUE)
        return found if isinstance(found, str) else ""

    def set_value(self, value: str) -> None:
        """Show a value without telling anyone; one that isn't listed is added, so that nothing is lost."""
        index = self.findData(value, VALUE)
        if index < 0:
            item = QStandardItem(value)
            item.setData(value, VALUE)
            self._entries.appendRow(item)
            index = self.count() - 1
        self.setCurrentIndex(index)

    @Slot(int)
    def _chosen(self, index: int) -> None:
        self.value_changed.emit(self.value())

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class NoWheel(QObject):
    """Event filter for sliders in scrolled forms: the wheel scrolls the form unless the slider has the
    focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


def below(widget: QWidget) -> QPoint:
    """Where a menu of ``widget`` opens: at its lower left corner, in screen coordinates."""
    return widget.mapToGlobal(QPoint(0, widget.height() + 2))
