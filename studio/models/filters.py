"""Above the list: search, kinds as chips with their counts, family, order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from studio.models.shelf import FAVOURITES, UNUSABLE, Order, Query
from studio.models.words import KINDS, family_text, kinds_text
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.flow import FlowLayout

ORDERS: Final[tuple[tuple[Order, str], ...]] = (
    ("name", "By name"), ("modified", "Newest first"), ("used", "Last used first"), ("size", "Largest first"),
    ("kind", "By kind"), ("family", "By family"), ("fit", "What fits first"), ("dtype", "By precision"),
)  # fmt: skip
_GROUPS: Final = ((FAVOURITES, "Favourites", "star"), (UNUSABLE, "Can't be used", "warning"))


class Filters(QWidget):
    """``query_changed`` carries a :class:`Query` after each change; ``list_wanted`` when the list is to have
    the focus (arrow down in the search)."""

    query_changed = Signal(object)
    list_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.query = Query()
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search by name, family, tag or trigger word"))
        self.search.setAccessibleName(tr("Search models"))
        self.search.setClearButtonEnabled(True)
        self.search.addAction(current_theme().icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.search.textChanged.connect(self._typed)
        self.search.installEventFilter(self)
        self.family = ChoiceField()
        self.family.setAccessibleName(tr("Family"))
        self.family.value_changed.connect(self._family_chosen)
        self.order = ChoiceField([(order, tr(title)) for order, title in ORDERS])
        self.order.setAccessibleName(tr("Order"))
        self.order.value_changed.connect(self._order_chosen)
        self.chips: dict[str, QPushButton] = {}
        self._chips = QWidget()
        self._flow = FlowLayout(self._chips)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.search, 1)
        line.addWidget(self.family)
        line.addWidget(self.order)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 8)
        column.setSpacing(8)
        column.addLayout(line)
        column.addWidget(self._chips)
        for group, title in self._titles():
            self._flow.addWidget(self._chip(group, title))
        self.show_counts({}, 0)

    def _titles(self) -> list[tuple[str, str]]:
        return [
            ("", tr("All")), *((kind, kinds_text(kind)) for kind in KINDS),
            *((group, tr(title)) for group, title, _ in _GROUPS),
        ]  # fmt: skip

    def _chip(self, group: str, title: str) -> QPushButton:
        chip = self.chips[group] = QPushButton(title)
        chip.setProperty("role", "chip")
        chip.setCheckable(True)
        chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        icon = next((icon for name, _, icon in _GROUPS if name == group), "")
        if icon:
            chip.setIcon(current_theme().icon(icon))
            chip.setIconSize(QSize(12, 12))
        chip.clicked.connect(lambda: self.choose_kind(group))
        return chip

    # --- what is shown ---------------------------------------------------------------------------------

    def show_counts(self, counts: Mapping[str, int], total: int) -> None:
        """Say how many models each chip stands for; kinds without one are left out."""
        for group, title in self._titles():
            count = counts.get(group, 0) if group else total
            chip = self.chips[group]
            chip.setText(f"{title}  {count}")
            chip.setAccessibleName(tr("{kind}: {count}", kind=title, count=count))
            chip.setVisible(count > 0 or group in ("", self.query.kind))
            chip.setChecked(group == self.query.kind)
        self._chips.updateGeometry()

    def show_families(self, families: Sequence[str]) -> None:
        """The families to choose from."""
        self.family.set_choices([("", tr("All families")), *((name, family_text(name)) for name in families)])
        if self.query.family not in ("", *families):
            self.set_query(replace(self.query, family=""))
        self.family.set_value(self.query.family)
        self.family.setVisible(len(families) > 1)

    def set_query(self, query: Query) -> None:
        """Show and tell another query."""
        if query == self.query:
            return
        self.query = query
        if self.search.text() != query.text:
            self.search.setText(query.text)
        for group, chip in self.chips.items():
            chip.setChecked(group == query.kind)
        self.family.set_value(query.family)
        self.order.set_value(query.order)
        self.query_changed.emit(query)

    # --- what is chosen --------------------------------------------------------------------------------

    @Slot(str)
    def _typed(self, text: str) -> None:
        self.set_query(replace(self.query, text=text))

    def choose_kind(self, group: str) -> None:
        """Show one kind, or all of them again."""
        self.set_query(replace(self.query, kind="" if group == self.query.kind else group))
        for name, chip in self.chips.items():
            chip.setChecked(name == self.query.kind)

    @Slot(object)
    def _family_chosen(self, family: str) -> None:
        self.set_query(replace(self.query, family=family))

    @Slot(object)
    def _order_chosen(self, order: Order) -> None:
        self.set_query(replace(self.query, order=order, reverse=False))

    @Slot(str)
    def sort(self, order: Order) -> None:
        """Sort by a column; the other way round if it is sorted by it already."""
        reverse = order == self.query.order and not self.query.reverse
        self.set_query(replace(self.query, order=order, reverse=reverse))

    @Slot()
    def clear(self) -> None:
        """Show everything again, in the same order."""
        self.set_query(Query(order=self.query.order, reverse=self.query.reverse))
        self.search.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.list_wanted.emit()
                return True
            if event.key() == Qt.Key.Key_Escape and self.search.text():
                self.search.clear()
                return True
        return super().eventFilter(watched, event)
