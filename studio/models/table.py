"""The rows of the list as Qt sees them: a table over whatever a query finds. No widget a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal, Slot

from pipelines.engine.protocol import Device, ModelInfo
from studio.background import in_background
from studio.models.choices import ModelChoices
from studio.models.fitting import ICONS, WORDS, fit_of, fit_text
from studio.models.shelf import Order, Query, Shelf
from studio.models.words import day_text, family_of, kind_text, reason_text, short_family_text, size_text
from studio.theme import current_theme
from studio.translate import tr

Index = QModelIndex | QPersistentModelIndex
INFO: Final = Qt.ItemDataRole.UserRole + 1
"""The :class:`ModelInfo` of a row."""
COLUMNS: Final[tuple[tuple[Order, str], ...]] = (
    ("name", "Name"), ("kind", "Kind"), ("family", "Family"), ("size", "Size"), ("dtype", "Precision"),
    ("fit", "This device"), ("modified", "Changed"),
)  # fmt: skip
"""What a column is sorted by, and its title (a source text)."""
NAME, KIND, FAMILY, SIZE, DTYPE, FIT, CHANGED = range(len(COLUMNS))
_RANKS: Final = {"fits": 0, "tight": 1, "larger": 2}
_RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
AT_ONCE: Final = 1_000
"""Longer lists are put in order by a worker."""
_NOWHERE: Final = QModelIndex()


def ordered(models: tuple[ModelInfo, ...], order: Order, rank: Callable[[ModelInfo], int]) -> Shelf:
    """A shelf with an order ready. For worker threads."""
    shelf = Shelf(models, rank)
    shelf.ordered(order)
    return shelf


class ModelTable(QAbstractTableModel):
    """The models that :attr:`query` finds among all; the model is reset when others are found.

    ``listed`` after the list itself has changed. A long one is put in order by a worker, since that takes
    longer than a frame.
    """

    listed = Signal()

    def __init__(self, models: ModelChoices, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self._device: Device | None = None
        self.query = Query()
        self.shelf = Shelf()
        self._places: list[int] = []
        self._seen: tuple[ModelInfo, ...] = ()
        models.changed.connect(self._models_changed)
        self.refresh()

    @property
    def device(self) -> Device | None:
        """The device that verdicts are about."""
        return self._device

    # --- what is shown ---------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Take over the list as it is now."""
        models = self._seen = self._models.models
        if len(models) <= AT_ONCE:
            self._put(Shelf(models, self._rank))
        else:
            order, rank = self.query.order, self._rank
            in_background(self, lambda: ordered(models, order, rank), self._put_late)

    @Slot()
    def _models_changed(self) -> None:
        """Where one model differs from before, only its row is made anew."""
        now, before = self._models.models, self._seen
        if len(now) == len(before):
            changed = [new for new, old in zip(now, before, strict=True) if new is not old]
            if len(changed) == 1 and self.shelf.models and self.shelf.replaced(changed[0]):
                self._seen = now
                self.show(self.query)
                self.listed.emit()
                return
        self.refresh()

    def _put_late(self, shelf: Shelf) -> None:
        if len(shelf.models) == len(self._seen) and shelf.models[0] is self._seen[0]:
            self._put(shelf)

    def _put(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.show(self.query)
        self.listed.emit()

    def show(self, query: Query) -> None:
        """Show what a query finds."""
        found = self.shelf.find(query)
        self.beginResetModel()
        self.query, self._places = query, found
        self.endResetModel()

    def set_device(self, device: Device | None) -> None:
        """Another device, or another state of it."""
        before, self._device = self._device, device
        if before is not None and device is not None and before.total_bytes == device.total_bytes:
            return
        self.refresh()

    def _rank(self, info: ModelInfo) -> int:
        fit = fit_of(info, self._device)
        return _RANKS[fit.verdict] if fit is not None else len(_RANKS)

    def row_of(self, path: str) -> int:
        """The row of a model, or -1."""
        place = self.shelf.place_of(path)
        try:
            return self._places.index(place) if place is not None else -1
        except ValueError:  # it is there, and the query doesn't find it
            return -1

    def info(self, row: int) -> ModelInfo:
        """The model of a row."""
        return self.shelf.models[self._places[row]]

    # --- Qt's side -------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._places)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(COLUMNS[section][1])
        if role == Qt.ItemDataRole.TextAlignmentRole and section == SIZE:
            return _RIGHT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        info, column = self.info(index.row()), index.column()
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._text(info, column)
            case Qt.ItemDataRole.ToolTipRole:
                return self._tip(info, column)
            case Qt.ItemDataRole.TextAlignmentRole if column == SIZE:
                return _RIGHT
            case Qt.ItemDataRole.DecorationRole if column == FIT:
                fit = fit_of(info, self._device)
                return current_theme().icon(*ICONS[fit.verdict]) if fit is not None else None
            case Qt.ItemDataRole.AccessibleTextRole if column == NAME:
                return self._spoken(info)
            case _ if role == INFO:
                return info
        return None

    def _text(self, info: ModelInfo, column: int) -> str:
        match column:
            case 0:
                return info.title
            case 1:
                return kind_text(info.kind)
            case 2:
                return short_family_text(family_of(info))
            case 3:
                return size_text(info)
            case 4:
                return info.dtype.upper()
            case 5:
                if info.problem:
                    return tr("Can't be used")
                fit = fit_of(info, self._device)
                return tr(WORDS[fit.verdict]) if fit is not None else ""
        return day_text(info.modified)

    def _tip(self, info: ModelInfo, column: int) -> str:
        if column == FIT and self._device is not None:
            fit = fit_of(info, self._device)
            if fit is not None:
                return fit_text(fit, self._device)
        if info.problem:
            return tr(info.problem)
        return info.path if column == NAME else ""

    def _spoken(self, info: ModelInfo) -> str:
        parts = [info.title, kind_text(info.kind), tr("favourite") if info.favourite else ""]
        return ", ".join(part for part in (*parts, reason_text(info)) if part)
